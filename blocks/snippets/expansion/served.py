"""A block between rows and rows: what the service puts into the pipeline of another language.

rows ─ AsBatches ─┐                  ┌─ AsRows(rows_policy) ─ output
rows ─ AsBatches ─┴─ the block ──────┴─ AsRows ─ rejects
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.portability.api import schema_pb2
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.row_type import RowTypeConstraint

from blocks.catalog.model import Entry
from blocks.catalog.options import value_kind
from blocks.core import guards
from blocks.core.batch_type import BatchType
from blocks.core.batches import AsBatches, AsRows, UnionBatches
from blocks.core.errors import (
    BatchTypeError,
    BlocksError,
    ConfigError,
    PrivacyError,
    Problem,
    SchemaError,
    SnippetError,
    all_problems,
    nearest,
)
from blocks.core.policy import read_policy
from blocks.core.rejects import Rejects
from blocks.core.schema import schema_of_option
from blocks.snippets.configs import StepBuilder
from blocks.snippets.expansion.columns import input_columns, labelled_type
from blocks.snippets.expansion.configs import SERVED, assembled
from blocks.snippets.reading import Snippet
from blocks.snippets.wiring import Step

OUTPUT, REJECTS = "output", "rejects"
_REJECTS_KEYS = ("path", "policy", "run_id")


class _RejectRows(Rejects):
    """Rejects that are an output of the block instead of files."""

    def __init__(self, policy: Any) -> None:
        super().__init__("", policy)
        self.batches: list[beam.PCollection] = []

    def add_error_pcollection(self, pcoll: beam.PCollection) -> None:
        label = f"Window of rejects {len(self.batches) + 1}"
        self.batches.append(pcoll | label >> beam.WindowInto(GlobalWindows()))

    def close(self) -> None:
        self._closed = True


@dataclass(frozen=True)
class _Served:
    """What of a config is for the service and not for the block."""

    input_schema: pa.Schema | Mapping[str, pa.Schema] | None = None
    rows_policy: Any = None
    rejects: Rejects | None = None


class ServedBlock(beam.PTransform):
    """A block, built from the config row of another language.

    Input: rows (what the block takes as batches), or what the block itself takes: bytes, or nothing. Several inputs,
    where the block takes several, in the order of their names.
    Output: rows. A block with several outputs gives each by its name; the end of a pipeline (a written table) none.
    Rejects: as rows in the output `rejects`, or as files; the pipeline stops at a bad record otherwise.

    Args:
      entry: of the catalog.
      row: the config, from `decoded`.
      sent: schemas of the inputs that are rows, from `sent_schemas`.

    Raises:
      SnippetError: everything that is wrong with the config.
    """

    # Keys of a config beside the options of the block and `rejects`, for hints.
    keys: Sequence[str] = tuple(SERVED)
    # Whether the sender wrote the YAML, so that lines and columns of it say something.
    written = True

    def __init__(
        self,
        entry: Entry,
        row: Mapping[str, Any],
        sent: Mapping[str, schema_pb2.Schema],
        found: Sequence[Problem] = (),
    ) -> None:
        super().__init__(f"{entry.name}@{entry.major}")
        self._entry, self._sent = entry, sent
        with all_problems(f"{entry.name}@{entry.major}", SnippetError) as problems:
            document = assembled(entry, row, problems)
            if not self.written:
                document = replace(document, marks={}, keys={})
            if not problems:
                self._served = _served(entry, document.data, problems)
                own = _own(entry, document.data)
                step = Step(0, entry.name, entry.name, entry.name, (), entry, own)
                more = (*self.keys, *([REJECTS] if entry.rejects else []))
                builder = StepBuilder(Snippet(document, entry.name), self._served.rejects, problems, more=more)
                self._block = builder.build(step)
            problems[:0] = found

    def expand(self, inputs: Any) -> Any:
        """Applies the block.

        Raises:
          BlocksError: the input is not what the block takes, or its output may not become rows.
        """
        name, rejects = self._entry.name, self._served.rejects
        result = self._prepared(inputs) | name >> self._block
        outputs = result if isinstance(result, dict) else {OUTPUT: result}
        rows = {tag: self._rows(tag, output) for tag, output in outputs.items() if _can_leave(output)}
        if isinstance(rejects, _RejectRows):
            if rejects.batches:
                together = tuple(rejects.batches) | "All rejects" >> UnionBatches()
                rows[REJECTS] = together | "Rejects as rows" >> AsRows()
        elif rejects is not None:
            rejects.close()
        # The pipeline runs elsewhere, so what a block's pipeline checks when it is run is checked here.
        guards.check_pipeline(_pipeline_of(inputs))
        return rows[OUTPUT] if list(rows) == [OUTPUT] else rows

    def _prepared(self, inputs: Any) -> Any:
        entry = self._entry
        if isinstance(inputs, beam.Pipeline | beam.pvalue.PBegin):
            if "nothing" not in entry.takes:
                what = f"{entry.name} takes {' or '.join(entry.takes)}, and there is no input"
                raise ConfigError(what, where=entry.name, fix="apply it to a PCollection")
            return inputs
        if isinstance(inputs, beam.PCollection):
            return self._batches(next(iter(self._sent), "input"), inputs)
        if "several" not in entry.takes:
            what = f"{entry.name} takes one input, got {len(inputs)}: {', '.join(sorted(inputs))}"
            raise ConfigError(what, where=entry.name, fix="apply it to one PCollection")
        prepared = {tag: self._batches(tag, inputs[tag]) for tag in sorted(inputs)}
        # Under names that the block does not have, its inputs are told by their order.
        return prepared if set(inputs) <= set(entry.inputs or inputs) else tuple(prepared.values())

    def _batches(self, tag: str, pcoll: beam.PCollection) -> Any:
        where = f"{self._entry.name}, input `{tag}`"
        if tag not in self._sent:
            if "batches" not in self._entry.takes and "rows" not in self._entry.takes:
                # Bytes; the block says so itself if it is anything else.
                return pcoll
            fix = "give rows with a schema: in Java setRowSchema(...) or Convert.toRows()"
            raise BatchTypeError(f"expected rows, got elements of {pcoll.element_type}", where=where, fix=fix)
        if passes_rows(self._entry):
            return pcoll
        given = self._served.input_schema
        schema = given.get(tag) if isinstance(given, Mapping) else given
        gather = AsBatches(input_columns(self._sent[tag], schema, where))
        if self._entry.takes == ("rows",):
            # The block gathers rows itself; it is given what is known of their columns.
            return pcoll | f"Batches of {tag}" >> gather | f"Rows of {tag}" >> AsRows(self._served.rows_policy)
        return pcoll | f"Batches of {tag}" >> gather

    def _rows(self, tag: str, output: beam.PCollection) -> Any:
        if not isinstance(output.element_type, BatchType):
            return output
        try:
            rows = output | f"Rows of {tag}" >> AsRows(self._served.rows_policy)
            rows.element_type = labelled_type(rows.element_type, output.element_type.schema)
            return rows
        except (PrivacyError, SchemaError) as error:
            raise retold(error, f"{self._entry.name}, output `{tag}`, which leaves as rows") from None


def retold(error: BlocksError, where: str, ways: str = "") -> BlocksError:
    """An error of AsRows, for whoever wrote a config and never saw AsRows.

    Args:
      error: that AsRows raised.
      where: the output that becomes rows.
      ways: what else can be done.
    """
    found = [
        Problem(
            one.what,
            one.where.removeprefix("AsRows").lstrip(": "),
            one.fix.replace("give policy=,", "give `rows_policy`,") + ways,
        )
        for one in error.problems
    ]
    try:
        with all_problems(where, type(error)) as problems:
            problems.extend(found)
    except BlocksError as told:
        return told
    return error


def passes_rows(entry: Entry) -> bool:
    """Whether rows go through a block as they are, with their own timestamps, which batches would put together."""
    return entry.takes == ("rows",) and entry.gives == "rows"


def _can_leave(output: beam.PCollection) -> bool:
    kind = output.element_type
    return isinstance(kind, BatchType | RowTypeConstraint)


def _pipeline_of(inputs: Any) -> beam.Pipeline:
    if isinstance(inputs, beam.Pipeline):
        return inputs
    return (next(iter(inputs.values())) if isinstance(inputs, dict) else inputs).pipeline


def _own(entry: Entry, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the block itself; `rejects` stays where the block has none, so that it is reported."""
    taken = {*SERVED, *([REJECTS] if entry.rejects else [])}
    return {name: value for name, value in config.items() if name not in taken}


def _served(entry: Entry, config: Mapping[str, Any], problems: list[Problem]) -> _Served:
    place = f"config of {entry.name}"
    found: dict[str, Any] = {"rows_policy": config.get("rows_policy", config.get("policy"))}
    if "rows_policy" in config:
        _tried(lambda: read_policy(config["rows_policy"]), f"{place}, `rows_policy`", problems)
    if config.get("input_schema") is not None:
        given = config["input_schema"]
        where = f"{place}, `input_schema`"
        if isinstance(given, Mapping):
            found["input_schema"] = {
                tag: _tried(lambda one=one: schema_of_option(str(one)), f"{where}, `{tag}`", problems)
                for tag, one in given.items()
            }
        elif isinstance(given, str):
            found["input_schema"] = _tried(lambda: schema_of_option(given), where, problems)
        else:
            what = f"expected FILE or FILE:NAME, or a mapping of inputs to that, got {value_kind(given)}"
            problems.append(Problem(what, where, "write schemas/payment.thrift:Payment"))
    if entry.rejects and config.get(REJECTS) is not None:
        found["rejects"] = _rejects(config[REJECTS], config.get("policy"), f"{place}, `rejects`", problems)
    return _Served(**found)


def _rejects(given: Any, policy: Any, where: str, problems: list[Problem]) -> Rejects | None:
    form = "write {path: rejects/, policy: privacy.yaml}; without `path` they are the output `rejects`"
    if isinstance(given, str):
        given = {"path": given}
    if not isinstance(given, Mapping):
        problems.append(Problem(f"expected a mapping, got {value_kind(given)}", where, form))
        return None
    unknown = [name for name in given if name not in _REJECTS_KEYS]
    problems.extend(Problem(f"unknown key `{name}`", where, nearest(name, _REJECTS_KEYS)) for name in unknown)
    for name in ("path", "run_id"):
        if not isinstance(given.get(name, ""), str):
            problems.append(Problem(f"`{name}`: expected text, got {value_kind(given[name])}", where, form))
            return None
    policy = given.get("policy", policy)
    if "path" not in given:
        return _tried(lambda: _RejectRows(policy), where, problems)
    return _tried(lambda: Rejects(given["path"], policy, given.get("run_id")), where, problems)


def _tried(make: Any, where: str, problems: list[Problem]) -> Any:
    try:
        return make()
    except BlocksError as error:
        problems.extend(Problem(one.what, f"{where}: {one.where}", one.fix) for one in error.problems)
        return None
