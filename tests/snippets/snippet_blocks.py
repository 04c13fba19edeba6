"""Small blocks and a catalog of them, to test snippets with what no real block does."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from blocks.core.batch_type import BatchType
from blocks.core.block import BatchBlock, Outcome, StepMetrics
from blocks.core.errors import ColumnError, ConfigError, Problem, all_problems, unknown_column
from blocks.core.rejects import Reject, Rejects

SCHEMA = pa.schema([("number", pa.int64()), ("word", pa.string())])

# Called with each batch that `Look` sees; tests put their own in its place.
look: Callable[[pa.RecordBatch], None] = lambda batch: None  # noqa: E731


class _Numbers(beam.DoFn):
    def setup(self):
        self._metrics = StepMetrics("ReadNumbers")

    def process(self, start):
        numbers = list(range(start, start + 10))
        self._metrics.rows_out.inc(10)
        yield pa.RecordBatch.from_arrays([pa.array(numbers), pa.array([f"w{n}" for n in numbers])], schema=SCHEMA)


class ReadNumbers(beam.PTransform):
    """Gives numbers."""

    def __init__(self, batches: int, order: Literal["up", "down"] = "up", starts: Sequence[int] | None = None):
        super().__init__()
        if batches < 1:
            raise ConfigError(f"expected at least 1, got {batches}", where="ReadNumbers: batches", fix="give more")
        self._starts = list(starts or range(0, batches * 10, 10))

    def expand(self, begin):
        return begin | beam.Create(self._starts) | beam.ParDo(_Numbers()).with_output_types(BatchType(SCHEMA))


class MultiplyColumn(BatchBlock):
    """Multiplies a column; rejects what is 13.

    Args:
      column: of integers.
      by: factor.
    """

    can_reject = True

    def __init__(self, column: str, by: float = 2, rejects: Rejects | None = None) -> None:
        super().__init__()
        self._column, self._by, self.rejects = column, by, rejects

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        with all_problems("MultiplyColumn", ColumnError) as problems:
            if self._column not in schema.names:
                problems.append(unknown_column(self._column, schema.names, "column"))
        return schema

    def batch_function(self, schema: pa.Schema) -> Any:
        at = schema.get_field_index(self._column)

        def multiply(batch: pa.RecordBatch) -> Outcome:
            bad = pc.equal(batch.column(at), 13)
            rejects = [Reject("MultiplyColumn", "1.0.0", "unlucky", "13 is not multiplied")] * pc.sum(bad).as_py()
            kept = batch.filter(pc.invert(bad))
            product = pc.multiply(kept.column(at), int(self._by))
            return Outcome(kept.set_column(at, self._column, product), rejects)

        return multiply


class Look(BatchBlock):
    """Calls `look`."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema

    def batch_function(self, schema: pa.Schema) -> Any:
        def show(batch: pa.RecordBatch) -> pa.RecordBatch:
            look(batch)
            return batch

        return show


class Refuse(BatchBlock):
    """Refuses every schema with an error that is not of `blocks`, or with several that are."""

    def __init__(self, times: int = 0) -> None:
        super().__init__()
        self._times = times

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        if not self._times:
            raise KeyError("nothing here")
        raise ConfigError("bad", problems=[Problem(f"bad {n}", "times", "mend it") for n in range(self._times)])

    def batch_function(self, schema: pa.Schema) -> Any:
        return lambda batch: batch


class AddNumber(BatchBlock):
    """Adds 1 to the column `number`."""

    added = 1

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema

    def batch_function(self, schema: pa.Schema) -> Any:
        at = schema.get_field_index("number")
        return lambda batch: batch.set_column(at, schema.field(at), pc.add(batch.column(at), self.added))


class AddNumber2(AddNumber):
    """Adds 100 to the column `number`: another behaviour, and so another major."""

    added = 100


def _entry(
    name: str,
    takes: str = "[batches]",
    *,
    rejects: bool = False,
    version: str = "1.0.0",
    status: str = "stable",
    cls: str = "",
    columns: str = "{gives: {columns: input}}",
    modes: str = "[batch, stream]",
    example: str = "{}",
) -> str:
    return (
        f"  - {{name: {name}, version: {version}, status: {status}, class: 'snippet_blocks:{cls or name}',\n"
        f"     summary: For tests., modes: {modes}, rejects: {str(rejects).lower()}, state: false, since: 0.1.0,\n"
        f"     takes: {takes}, gives: batches, columns: {columns}, example: {example},\n"
        f"     conserves: rows_in = rows_out{' + rejects' if rejects else ''},\n"
        f"     trials: [{{config: {example}, input: {{number: int64, word: string}}}}]}}\n"
    )


_NUMBERS = "{gives: {columns: none, added: [{name: number, type: int64}, {name: word, type: string}]}}"
_NEEDS_COLUMN = "{needs: [{option: column, types: [number]}], gives: {columns: input}}"
CATALOG = (
    "blocks:\n"
    + _entry("ReadNumbers", "[nothing]", columns=_NUMBERS, modes="[batch]", example="{batches: 1}")
    + _entry("MultiplyColumn", rejects=True, columns=_NEEDS_COLUMN, example="{column: number}")
    + _entry("Look")
    + _entry("Refuse")
    + _entry("AddNumber", status="deprecated")
    + _entry("AddNumber", version="2.3.0", cls="AddNumber2")
)
