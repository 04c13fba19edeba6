"""What each step of a snippet does to columns and where it puts data, from the built pipeline; nothing is run.

What happened to a column is told from the schemas before and after, and where it comes from by the lineage of the
catalog. Leaves are compared, so that a masked field of a struct is seen.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.catalog.flow import Flow, flow, needed
from blocks.core import labels
from blocks.core.errors import BlocksError
from blocks.core.labels import Leaf
from blocks.core.masks import Drop, Keep
from blocks.core.policy import NO_POLICY, REJECTS, Policy
from blocks.snippets.building import Built
from blocks.snippets.edges import Edges, Input, Output, edges_of
from blocks.snippets.graph import Step
from blocks.snippets.plan import Stage, stages

SAME, NEW, GONE, CHANGED = "=", "+", "-", "~"


@dataclass(frozen=True)
class Column:
    """One leaf of an output, or one that is gone.

    Attributes:
      sign: `=` as it was, `+` new, `-` gone, `~` changed.
      path: as in `user.email`.
      type: in words; `old -> new` where it changed.
      labels: with commas.
      note: role and what happened: `event time`, `masked: hmac (main)`, `was uid`, `from amount, rate`.
    """

    sign: str
    path: str
    type: str
    labels: str
    note: str


@dataclass(frozen=True)
class Place:
    """A destination of a step, and what the policy lets there.

    Attributes:
      destination: `warehouse`, `rejects`, ...
      policy: its file, empty if there is none.
      passes: label to how its columns get there: `as it is`, `masked: hmac (main)` or `not`, with their number.
      sometimes: whether only some options or inputs lead there.
      table: whether it is the columns of a table that is joined, and not those of the input.
    """

    destination: str
    policy: str
    passes: tuple[str, ...]
    sometimes: bool = False
    table: bool = False


@dataclass(frozen=True)
class Explained:
    """One step.

    Attributes:
      step: of the snippet.
      stage: with its fingerprint.
      version: of the block; empty for a transform of Beam.
      inputs: what feeds it.
      outputs: name to output; none for a step that ends a pipeline.
      columns: name of the output to what became of columns; none where the schema is not known.
      places: where it puts data.
      codes: of its rejects.
      kept: whether rejects are kept (or stop the run).
      notes: what the block itself has to say, such as where a query runs and why.
    """

    step: Step
    stage: Stage
    version: str
    inputs: tuple[Input, ...]
    outputs: Mapping[str, Output]
    columns: Mapping[str, tuple[Column, ...]]
    places: tuple[Place, ...]
    codes: tuple[str, ...]
    kept: bool
    notes: tuple[str, ...] = ()


def explain(built: Built) -> list[Explained]:
    """Every step, in the order of the file."""
    edges = edges_of(built)
    return [
        _explained(built, edges, step, stage) for step, stage in zip(built.steps, stages(built, edges), strict=True)
    ]


def _explained(built: Built, edges: Edges, step: Step, stage: Stage) -> Explained:
    inputs = tuple(edges.inputs(step))
    outputs = edges.outputs.get(step.number, {})
    schemas = [one.output.told for one in inputs if one.output is not None and one.output.told is not None]
    known = schemas if len(schemas) == len(inputs) else None
    told = _flow(step, built.configs.get(step.number, {}), known, [one.source.key for one in inputs])
    columns = {
        name: tuple(_columns(output.told, schemas, told)) for name, output in outputs.items() if output.told is not None
    }
    entry = step.entry
    return Explained(
        step,
        stage,
        entry.version if entry is not None else "",
        inputs,
        outputs,
        columns,
        tuple(_places(built, step, schemas, [one.told for one in outputs.values() if one.told is not None])),
        entry.codes if entry is not None else (),
        built.rejects is not None,
        tuple(explanation.lines()) if (explanation := _explanation(built, step)) is not None else (),
    )


def _explanation(built: Built, step: Step) -> Any:
    return getattr(built.blocks.get(step.number), "explanation", None)


def _flow(step: Step, config: Mapping[str, Any], schemas: list[pa.Schema] | None, names: list[str]) -> Flow | None:
    if step.entry is None or schemas is None:
        return None
    try:
        return flow(step.entry, config, [schema.names for schema in schemas], names if step.entry.inputs else ())
    except (BlocksError, TypeError, ValueError):
        return None


def _columns(after: pa.Schema, before: list[pa.Schema], told: Flow | None) -> Iterator[Column]:
    leaves: dict[tuple[int, str], list[Leaf]] = {
        (number, column.name): list(labels.leaves_of(column))
        for number, schema in enumerate(before)
        for column in schema
    }
    used: set[tuple[int, str]] = set()
    found: list[Column] = []
    for column in after:
        sources = _sources(column.name, before, told)
        used |= set(sources)
        found.extend(_compared(column, sources, leaves, told))
    yield from found
    for key, of_column in leaves.items():
        # A column that is taken apart is there in its parts, and a key of two inputs is there once.
        if key not in used and not (len(before) > 1 and key[1] in after.names):
            yield from (Column(GONE, leaf.path, _type(leaf.field), _labels(leaf), "") for leaf in of_column)


def _sources(name: str, before: list[pa.Schema], told: Flow | None) -> tuple[tuple[int, str], ...]:
    origin = told.origin(name) if told is not None else None
    if origin is not None:
        return origin.sources
    # Beam's own transforms tell no lineage: a column of the same name is taken for the same column.
    return tuple((number, name) for number, schema in enumerate(before[:1]) if name in schema.names)


def _compared(
    column: pa.Field,
    sources: tuple[tuple[int, str], ...],
    leaves: Mapping[tuple[int, str], list[Leaf]],
    told: Flow | None,
) -> Iterator[Column]:
    origin = told.origin(column.name) if told is not None else None
    how = origin.how if origin is not None else "kept"
    given = [one for one in sources if one in leaves]
    # What is computed of the column that had its name is that one's changed form.
    again = how == "computed" and [name for _, name in given] == [column.name]
    # A column that is a part, computed or joined has no other column of which it is the changed form.
    if not given or (how in ("part", "computed", "joined", "declared") and not again):
        came = f"from {', '.join(dict.fromkeys(name for _, name in given))}" if given and how != "joined" else ""
        for leaf in labels.leaves_of(column):
            yield Column(NEW, leaf.path, _type(leaf.field), _labels(leaf), _noted(leaf, column, came))
        return
    source = given[0][1]
    old = {leaf.path.replace(source, column.name, 1): leaf for leaf in leaves[given[0]]}
    for leaf in labels.leaves_of(column):
        last = old.pop(leaf.path, None)
        if last is None:
            yield Column(NEW, leaf.path, _type(leaf.field), _labels(leaf), _noted(leaf, column, ""))
            continue
        how_made = "computed" if again else f"was {source}" if source != column.name else ""
        differs, kind, what = _differs(leaf, last, how_made)
        yield Column(CHANGED if differs else SAME, leaf.path, kind, _labels(leaf), _noted(leaf, column, what, last))
    for path, leaf in old.items():
        yield Column(GONE, path, _type(leaf.field), _labels(leaf), "")


def _differs(leaf: Leaf, last: Leaf, how_made: str) -> tuple[bool, str, str]:
    now, then = leaf.field, last.field
    kind = _type(now) if now.type == then.type else f"{_type(then)} -> {_type(now)}"
    notes = [how_made] if how_made else []
    if leaf.labels != last.labels:
        notes.append(f"label was {_labels(last) or 'none'}")
    if now.nullable != then.nullable:
        notes.append("may be null now" if now.nullable else "not null now")
    differs = bool(notes) or now.type != then.type or leaf.masked != last.masked
    return differs, kind, ", ".join(notes)


def _noted(leaf: Leaf, column: pa.Field, what: str, last: Leaf | None = None) -> str:
    notes = [what] if what else []
    if leaf.masked is not None:
        key = f" ({leaf.masked.key})" if leaf.masked.key else ""
        masked = "still " if last is not None and last.masked == leaf.masked else "" if last is None else "masked: "
        notes.append(f"{masked}{leaf.masked.method}{key}")
    elif last is not None and last.masked is not None:
        notes.append("unmasked")
    if leaf.path == column.name:
        notes += ["event time"] * labels.is_event_time(column) + ["key"] * labels.is_key(column)
    return ", ".join(notes)


def _type(field: pa.Field) -> str:
    return "unknown" if pat.is_null(field.type) else str(field.type)


def _labels(leaf: Leaf) -> str:
    return ", ".join(sorted(leaf.labels))


def _places(built: Built, step: Step, before: list[pa.Schema], after: list[pa.Schema]) -> Iterator[Place]:
    if step.entry is None:
        return
    own = built.configs.get(step.number, {}).get("policy") or NO_POLICY
    for destination in step.entry.destinations:
        policy, schemas = own, before
        if destination == REJECTS:
            if built.rejects is None:
                continue
            policy, schemas = built.rejects.settings().policy, before or after
        if schemas:
            yield Place(destination, policy.file, tuple(_passing(policy, destination, schemas[0])))
    joined = _joined(step, built.configs.get(step.number, {}), before, after)
    for destination in step.entry.sometimes:
        given = joined if joined is not None else before[0] if before else None
        if given is not None and destination not in step.entry.destinations:
            passes = tuple(_passing(own, destination, given))
            yield Place(destination, own.file, passes, sometimes=True, table=joined is not None)


def _joined(step: Step, config: Mapping[str, Any], before: list[pa.Schema], after: list[pa.Schema]) -> pa.Schema | None:
    """The columns of the table that a step joins; None if it joins none.

    Keys are told by those of the rows, which have the same labels and masks: a join refuses others.
    """
    if step.entry is None or not (before and after) or not any(one.prefix for one in step.entry.columns.gives.added):
        return None
    keys = dict.fromkeys(name for need, name in needed(step.entry, config) if need.form == "keys")
    own = before[0].names
    return pa.schema([*(before[0].field(key) for key in keys), *(one for one in after[0] if one.name not in own)])


def _passing(policy: Policy, destination: str, schema: pa.Schema) -> Iterator[str]:
    rule = policy.destination(destination, schema)
    counted: Counter[tuple[str, str]] = Counter()
    for leaf in labels.leaves(schema):
        action = policy.action(rule, leaf)
        if isinstance(action, Keep):
            mark = leaf.masked
            how = f"masked: {mark.method}{f' ({mark.key})' if mark.key else ''}" if mark is not None else "as it is"
        elif action is None or isinstance(action, Drop):
            how = "not"
        else:
            key = action.key_name()
            how = f"masked: {action.name()}{f' ({key})' if key else ''}"
        counted[_labels(leaf) or "no label", how] += 1
    for (label, how), number in sorted(counted.items()):
        yield f"{label} {how}" + (f" ({number} columns)" if number > 1 else "")
