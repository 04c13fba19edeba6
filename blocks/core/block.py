"""The base of blocks that take a batch and give batches: a config, a schema function and a batch function.

A block says what its output schema is and what it does to one batch; this module does the Beam part once: reads the
element type, declares the output type, makes the batch function once per worker, sends rejects, counts rows.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from blocks.core import guards
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS, BatchType, schema_of
from blocks.core.errors import BatchTypeError
from blocks.core.labels import event_time_of
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Reject, Rejects, reject_batch, stop_at
from blocks.core.times import earliest
from blocks.core.wire import size_of

if TYPE_CHECKING:
    # pyarrow has no types, and mypy takes no union of what it does not know.
    BatchOutput = Any
else:
    BatchOutput = pa.RecordBatch | Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class Outcome:
    """What became of a batch in a block that rejects.

    Attributes:
      rows: the batches to go on with.
      rejects: what could not be processed; each bad row once.
    """

    rows: BatchOutput
    rejects: list[Reject] = field(default_factory=list)


class StepMetrics:
    """Counters of one step, for people: runners repeat them on retries.

    `rows_in`, `rows_out`, `rows_rejected`, and `busy_us`, microseconds in the batch function.
    """

    def __init__(self, block: str) -> None:
        self.rows_in = Metrics.counter("blocks", f"{block}:rows_in")
        self.rows_out = Metrics.counter("blocks", f"{block}:rows_out")
        self.rows_rejected = Metrics.counter("blocks", f"{block}:rows_rejected")
        self.busy_us = Metrics.counter("blocks", f"{block}:busy_us")


class BatchBlock(beam.PTransform, ABC):
    """A block from batches to batches, row by row or row to rows, without state.

    Subclasses give `output_schema` and `batch_function`, and set `rejects` where they can reject rows.
    """

    rejects: Rejects | None = None
    can_reject: bool = False
    # Every input batch gives one batch of the same rows in the same order.
    keeps_rows: bool = False

    @property
    def block_name(self) -> str:
        """The name in the catalog: the class's."""
        return type(self).__name__

    @abstractmethod
    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the output, from that of the input; every mistake about columns and types is raised here."""

    @abstractmethod
    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], BatchOutput | Outcome]:
        """Makes, once per worker, the function over batches of this schema.

        Where it has a method `finish_bundle()`, that is called at the end of each bundle.
        """

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block.

        Raises:
          BatchTypeError: the input is not made of batches.
        """
        schema = schema_of(pcoll, self.block_name)
        output = self.output_schema(schema)
        guards.watch(pcoll.pipeline)
        step = beam.ParDo(_BatchDoFn(self, schema, output))
        if not self.can_reject:
            return pcoll | "Batches" >> step.with_output_types(BatchType(output))
        typed = step.with_output_types(BatchType(output), **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
        outputs = pcoll | "Batches" >> typed.with_outputs(REJECTS_TAG, main="rows")
        if self.rejects is not None:
            self.rejects.add_error_pcollection(outputs[REJECTS_TAG])
        return outputs.rows

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker; so does `pipeline`.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None}


class _BatchDoFn(beam.DoFn):
    def __init__(self, block: BatchBlock, schema: pa.Schema, output: pa.Schema) -> None:
        self._block, self._schema, self._output = block, schema, output
        self._stops = block.rejects is None or not block.can_reject

    def setup(self) -> None:
        self._function = self._block.batch_function(self._schema)
        self._metrics = StepMetrics(self._block.block_name)
        self._event_time = event_time_of(self._output)

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        self._metrics.rows_in.inc(batch.num_rows)
        start = time.perf_counter_ns()
        outcome = self._function(batch)
        self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
        if not isinstance(outcome, Outcome):
            outcome = Outcome(outcome)
        if outcome.rejects:
            yield from rejects_out(outcome.rejects, self._metrics, stops=self._stops)
        for part in map(self._declared, self._produced(outcome.rows)):
            self._metrics.rows_out.inc(part.num_rows)
            for piece in pieces(part):
                # Rows may be gone, the earliest one among them; only a block that keeps all rows keeps the timestamp.
                at = None if self._block.keeps_rows and piece is part else earliest(piece, self._event_time)
                yield piece if at is None else stamped(piece, max(at, timestamp), window)

    def finish_bundle(self) -> None:
        finish = getattr(self._function, "finish_bundle", None)
        if finish is not None:
            finish()

    def _produced(self, rows: BatchOutput) -> Iterator[pa.RecordBatch]:
        """The batches one by one, never all at once: an explosion may be far larger than its input."""
        if isinstance(rows, pa.RecordBatch):
            yield rows
            return
        produced = iter(rows)
        while True:
            start = time.perf_counter_ns()
            part = next(produced, None)
            self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
            if part is None:
                return
            yield part

    def _declared(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the declared schema, labels included, on every runner, encoded or not."""
        if batch.schema.equals(self._output, check_metadata=True):
            return batch
        if not batch.schema.equals(self._output):
            raise BatchTypeError(
                f"the batch function gave {_columns(batch.schema)}, and the block declares {_columns(self._output)}",
                where=self._block.block_name,
                fix="make output_schema and batch_function agree on names, order, types and nullability",
            )
        # Labels below the top level are part of the columns' own types.
        return batch.cast(self._output)


def rejects_out(rejects: list[Reject], metrics: StepMetrics, *, stops: bool) -> Iterator[Any]:
    """Rejects on their way out of a step: counted, in batches, tagged.

    Args:
      rejects: of the step; nothing happens where there are none.
      metrics: of the step.
      stops: whether the first of them ends the pipeline, because nobody takes them.

    Raises:
      RejectedRecordError: the first one, if it `stops`.
    """
    if not rejects:
        return
    if stops:
        stop_at(rejects[0])
    metrics.rows_rejected.inc(len(rejects))
    for piece in pieces(reject_batch(rejects)):
        yield beam.pvalue.TaggedOutput(REJECTS_TAG, piece)


def stamped(value: Any, timestamp: Timestamp, window: Any) -> WindowedValue:
    """A value with another timestamp in the window of the element that it comes from.

    Beam's TimestampedValue would assign windows anew, once for each window that the element is in: rows would be
    repeated in sliding windows. The process method must take `beam.DoFn.WindowParam`, so that it sees one window.
    """
    return WindowedValue(value, min(timestamp, window.max_timestamp()), (window,))


def _columns(schema: pa.Schema) -> str:
    return "[" + ", ".join(f"{field.name}: {field.type}" + " not null" * (not field.nullable) for field in schema) + "]"


def pieces(batch: pa.RecordBatch, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> Iterator[pa.RecordBatch]:
    """Slices of a batch within both bounds (a single row may be larger); nothing for an empty batch."""
    rows = batch.num_rows
    if rows == 0:
        return
    size = size_of(batch)
    if rows <= max_rows and (size <= max_bytes or rows == 1):
        yield batch
        return
    step = max(min(max_rows, max_bytes * rows // max(size, 1)), 1)
    for start in range(0, rows, step):
        # Rows differ in width: a slice may still be too large.
        yield from pieces(batch.slice(start, step), max_rows, max_bytes)
