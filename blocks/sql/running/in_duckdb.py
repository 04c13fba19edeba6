"""A query that was lowered: a step over batches in the worker's own process."""

from collections.abc import Callable, Mapping

import apache_beam as beam
import pyarrow as pa

from blocks.core.block import BatchBlock, Outcome
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Rejects
from blocks.shaping.failed_rows import failed_rows
from blocks.sql.boundary import converted
from blocks.sql.checked import CheckedSql
from blocks.sql.lowering import Lowered, LoweredRunner

BLOCK = "RunSql"
_MESSAGE = (
    "the query has no value for the row: a value cannot be cast, a number or time is out of range, or a divisor is zero"
)


def run_in_duckdb(
    inputs: Mapping[str, beam.PCollection], checked: CheckedSql, rejects: Rejects | None, version: str
) -> beam.PCollection:
    """Runs a lowered query.

    Args:
      inputs: batches, by the names of the tables; the query reads one of them.
      checked: the query.
      rejects: where rows go on which it fails; without it the first of them stops the pipeline.
      version: of the block, for rejects.
    """
    return inputs[checked.lowered.table] | "DuckDB" >> LoweredRows(checked.lowered, checked.schema, rejects, version)


class LoweredRows(BatchBlock):
    """The rows that a lowered query gives.

    Args:
      lowered: the query.
      output: schema of what it gives.
      rejects: where rows go on which it fails.
      version: of the block, for rejects.
      counted: what its counters are called.
    """

    can_reject = True

    def __init__(
        self, lowered: Lowered, output: pa.Schema, rejects: Rejects | None, version: str, counted: str = BLOCK
    ) -> None:
        super().__init__()
        self.rejects = rejects
        self._lowered, self._output, self._version, self._counted = lowered, output, version, counted

    @property
    def block_name(self) -> str:
        """What its counters are called."""
        return self._counted

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of what the query gives."""
        return self._output

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Outcome]:
        """Runs the query over batches."""
        run, output = LoweredRunner(self._lowered), self._output
        settings = None if self.rejects is None else self.rejects.settings()
        maker = RejectMaker(BLOCK, self._version, schema, settings)

        def rows(batch: pa.RecordBatch) -> Outcome:
            ran = run(batch)
            columns = map(converted, ran.batch.columns, output.types)
            found = pa.RecordBatch.from_arrays(list(columns), schema=output)
            if ran.failed is None:
                return Outcome(found)
            return Outcome(found, failed_rows(maker, batch, ran.failed, ran.code, lambda _: (_MESSAGE, "")))

        return rows
