"""What the catalog says about columns and labels is what the block does."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.catalog.flow import Flow, Origin, carried, flow, missing, needed
from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import BlocksError, ColumnError, ConfigError, Problem, SchemaError
from blocks.core.row_types import arrow_schema_of
from blocks.core.schema import schema_of_option
from blocks.testing.conformance.case import Built, Case
from blocks.testing.conformance.check import lacking_parts
from blocks.testing.feeding import empty_source


def gives_what_it_declares(case: Case) -> Iterator[str]:
    """Columns, types and labels of the output are as the entry's `columns` says."""
    with tempfile.TemporaryDirectory() as folder:
        built = case.build(case.feed(), Path(folder))
    inputs = _inputs(case)
    told = flow(case.entry, _flow_config(case), [schema.names for schema in inputs])
    outputs = list(_outputs(case, built))
    if case.entry.gives != "tables" and not outputs:
        yield f"the entry says that it gives {case.entry.gives}, and the element type is not of them"
    for number, (name, schema) in enumerate(outputs):
        main = number == 0
        shown = f"output `{name}`: " if name else ""
        yield from (f"{shown}{breach}" for breach in _column_breaches(told, schema, inputs, case, main))
    if case.entry.gives != "tables" and not case.plain.exact:
        yield "its batches do not carry the labels and marks of the schema that it declares"


def _inputs(case: Case) -> list[pa.Schema]:
    if case.kind in ("nothing", "bytes"):
        return []
    return [case.input_schema] * (2 if case.kind == "several" else 1)


def _flow_config(case: Case) -> dict[str, Any]:
    """The trial's config, schemas found from anywhere."""
    config = dict(case.trial.config)
    gives = case.entry.columns.gives
    for option in [gives.schema_option, *(added.schema_option for added in gives.added)]:
        if option is not None and isinstance(config.get(option), str):
            config[option] = str(case.root / config[option])
    return config


def _outputs(case: Case, built: Built) -> Iterator[tuple[str, pa.Schema]]:
    for name, one in built.given.items():
        is_batches = isinstance(one.element_type, BatchType)
        if case.entry.gives == "batches" and is_batches:
            yield name, one.element_type.schema
        elif case.entry.gives == "rows" and not is_batches:
            yield name, arrow_schema_of(one.element_type, case.name)


def _column_breaches(told: Flow, schema: pa.Schema, inputs: list[pa.Schema], case: Case, main: bool) -> Iterator[str]:
    found: dict[tuple[int, str], set[str]] = {}
    for field in schema:
        origin = told.origin(field.name)
        if origin is None:
            yield f"it gives `{field.name}`, which the entry does not declare"
            continue
        if origin.how == "part":
            found.setdefault(origin.sources[0], set()).update(_private(field))
        else:
            yield from _field_breaches(field, origin, inputs, case)
    if not main:
        return
    for name in told.columns:
        if name not in schema.names and not told.changes:
            yield f"the entry declares `{name}`, and it does not give it"
    for source, private in found.items():
        wanted = carried(Origin("part", (source,)), inputs)
        if private != wanted:
            yield f"the parts of `{source[1]}` have the private labels {_shown(private)}, it has {_shown(wanted)}"


def _field_breaches(field: pa.Field, origin: Origin, inputs: list[pa.Schema], case: Case) -> Iterator[str]:
    private = _private(field)
    if origin.how == "declared":
        declared = _declared(case).field(field.name)
        if not field.type.equals(declared.type):
            yield f"`{field.name}` is {field.type}, the schema declares {declared.type}"
        wanted = _private(declared)
    else:
        wanted = set(carried(origin, inputs))
    if origin.how == "masked":
        if not private <= wanted:
            yield f"`{field.name}` has the private labels {_shown(private)}, it is made of {_shown(wanted)}"
        return
    if private != wanted:
        yield f"`{field.name}` has the private labels {_shown(private)}, what it is made of has {_shown(wanted)}"
    if origin.how in ("kept", "renamed"):
        number, name = origin.sources[0]
        before = inputs[number].field(name)
        if not field.type.equals(before.type):
            yield f"`{field.name}` is {field.type}, before it was {before.type}"


def _declared(case: Case) -> pa.Schema:
    option = case.entry.columns.gives.schema_option
    given = _flow_config(case).get(option) if option else None
    return case.input_schema if given is None else schema_of_option(given)


def _private(field: pa.Field) -> set[str]:
    return {label for leaf in labels.leaves_of(field) for label in leaf.labels} - {labels.PUBLIC}


def _shown(names: set[str] | frozenset[str]) -> str:
    return "{" + ", ".join(sorted(names)) + "}"


def needs_what_it_declares(case: Case) -> Iterator[str]:
    """A column that the entry needs is missed by the catalog and by the block, and no other one is."""
    if case.kind not in ("batches", "several"):
        return
    schema = case.input_schema
    config = _flow_config(case)
    yield from (f"the catalog misses in the trial's own input: {problem.what}" for problem in missing_of(case, schema))
    wanted = {name for _, name in needed(case.entry, config)}
    # One pipeline for all: it is only built.
    pipeline = beam.Pipeline()
    for name in [name for name in schema.names if name in case.schema.names]:
        given = _given(case, pipeline, case.schema.remove(case.schema.get_field_index(name)), name)
        if given is None:
            continue
        problems = [problem.what for problem in missing_of(case, schema.remove(schema.get_field_index(name)))]
        error = _refusal(case, given, name)
        if name in wanted:
            if not any(f"`{name}`" in what for what in problems):
                yield f"without `{name}`, which the entry needs, the catalog misses nothing"
            if error is None:
                yield f"without `{name}`, which the entry needs, the block builds"
            else:
                yield from (f"without `{name}`: {lack}" for lack in lacking_parts(error))
        elif isinstance(error, ColumnError) and not _marked(schema.field(name)):
            yield f"without `{name}` the block does not build, and the entry does not say that it needs it: {error}"


def missing_of(case: Case, schema: pa.Schema) -> list[Problem]:
    """What the catalog misses in an input."""
    return list(missing(case.entry, _flow_config(case), schema))


def _given(case: Case, pipeline: beam.Pipeline, schema: pa.Schema, label: str) -> Any:
    """The block's input from a source of this schema; None where a step before it does not take that."""
    try:
        return case.before(pipeline | f"Without {label}" >> empty_source(schema), label)
    except BlocksError:
        return None


def _refusal(case: Case, given: Any, label: str) -> BlocksError | None:
    """What the block says to an input; None if it builds."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _ = ((given, given) if case.kind == "several" else given) | f"Block {label}" >> case.block(folder)
        except (SchemaError, ConfigError) as error:  # a query tells it as a mistake of its text
            return error
    return None


def _marked(field: pa.Field) -> bool:
    """Whether a block may need it for its mark: the event time, the keys."""
    return labels.is_event_time(field) or labels.is_key(field)
