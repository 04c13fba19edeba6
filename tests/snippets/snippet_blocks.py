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


def _entry(name: str, takes: str, rejects: bool = False) -> str:
    return (
        f"  - {{name: {name}, version: 1.0.0, status: stable, class: 'snippet_blocks:{name}', summary: For tests.,\n"
        f"     modes: [batch], rejects: {str(rejects).lower()}, state: false, since: 0.1.0, takes: {takes},\n"
        f"     gives: batches, example: {{}}}}\n"
    )


CATALOG = (
    "blocks:\n"
    + _entry("ReadNumbers", "[nothing]")
    + _entry("MultiplyColumn", "[batches]", rejects=True)
    + _entry("Look", "[batches]")
    + _entry("Refuse", "[batches]")
)
