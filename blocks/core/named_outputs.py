"""Blocks that give several PCollections of batches, each by its name."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.core import guards
from blocks.core.batch_type import BatchType
from blocks.core.block import StepMetrics, pieces, stamped
from blocks.core.labels import event_time_of
from blocks.core.times import earliest

Parts = Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]
KeepsTime = Callable[[str, pa.RecordBatch, pa.RecordBatch], bool]


def named_outputs(
    pcoll: beam.PCollection,
    label: str,
    block: str,
    schemas: Mapping[str, pa.Schema],
    make: Callable[[], Parts],
    keeps_time: KeepsTime,
) -> dict[str, beam.PCollection]:
    """Sends the parts of each batch to the output that they are for.

    Args:
      pcoll: batches.
      label: of the step.
      block: name of the block, for its counters.
      schemas: name to schema of every output, the main one first.
      make: makes, once per worker, the function from a batch to (name, part) pairs.
      keeps_time: (name, part, batch) to whether the part has the batch's earliest row, and so its timestamp.

    Returns:
      Name to PCollection of batches.
    """
    main, *others = schemas
    guards.watch(pcoll.pipeline)
    tagged = {_tag(name): BatchType(schemas[name]) for name in others}
    send = beam.ParDo(_Send(block, dict(schemas), make, keeps_time))
    step = send.with_output_types(BatchType(schemas[main]), **tagged)
    outputs = pcoll | label >> step.with_outputs(*tagged, main=main)
    return {name: outputs[main if name == main else _tag(name)] for name in schemas}


def _tag(name: str) -> str:
    # Tags are given as keyword arguments, among which an output named `type_hint` or `self` would be taken for another.
    return f"output:{name}"


class _Send(beam.DoFn):
    def __init__(
        self, block: str, schemas: Mapping[str, pa.Schema], make: Callable[[], Parts], keeps_time: Any
    ) -> None:
        self._block, self._schemas, self._make, self._keeps_time = block, schemas, make, keeps_time

    def setup(self) -> None:
        self._function = self._make()
        self._metrics = StepMetrics(self._block)
        self._main = next(iter(self._schemas))
        self._event_time = {name: event_time_of(schema) for name, schema in self._schemas.items()}

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        self._metrics.rows_in.inc(batch.num_rows)
        start = time.perf_counter_ns()
        for name, part in self._function(batch):
            self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
            self._metrics.rows_out.inc(part.num_rows)
            keeps_time = self._keeps_time(name, part, batch)
            for piece in pieces(part):
                at = None if keeps_time and piece is part else earliest(piece, self._event_time[name])
                value = piece if at is None else stamped(piece, max(at, timestamp), window)
                yield value if name == self._main else beam.pvalue.TaggedOutput(_tag(name), value)
            # What follows works while the parts are handed on: that is not this step's time.
            start = time.perf_counter_ns()
