"""A stream, a row an event: `... aggregation_stream {features,sums,by_hand} {local,prism,flink} EVENTS OUT --keys 100`.

`features`: AggregateEvents with the ten features; `sums`: with three. `by_hand`: a plain stateful DoFn that keeps three
sums a key for ever, a read and a write an event: no windows, copies count twice, late events are no matter to it.
The source is endless: a splittable DoFn that gives a batch, and is called again. Not so on the local runner, which
would fire timers of event time too early and free state that is needed: there the batches are one bundle, and only
called a stream.
"""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.coders import FloatCoder, TupleCoder
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp

import blocks
from benchmarks.contestants import aggregation_work as work
from blocks.engines.choosing import EngineOptions, choose

_OPTIONS = {"local": (), "prism": ("streaming=true",), "flink": ("streaming=true", "parallelism=1")}


class _Batches(RestrictionProvider):
    def initial_restriction(self, element: tuple[str, int]) -> OffsetRange:
        rows = pq.ParquetFile(element[0]).metadata.num_rows
        return OffsetRange(0, -(-rows // element[1]))

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: Any, restriction: OffsetRange) -> int:
        return restriction.size()

    def split(self, element: Any, restriction: OffsetRange) -> Iterator[OffsetRange]:
        yield restriction

    def truncate(self, element: Any, restriction: OffsetRange) -> OffsetRange:
        return restriction


_BATCHES = beam.DoFn.RestrictionParam(_Batches())
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class _Read(beam.DoFn):
    """A batch a call."""

    _held: pa.RecordBatch | None = None

    @beam.DoFn.unbounded_per_element()
    def process(self, element: tuple[str, int], tracker: Any = _BATCHES, watermark: Any = _WATERMARK) -> Iterator[Any]:
        path, size = element
        if self._held is None:
            self._held = _table(path)
        number, stop = tracker.current_restriction().start, tracker.current_restriction().stop
        if not tracker.try_claim(number):
            return
        batch = self._held.slice(number * size, size)
        yield TimestampedValue(batch, _moment(batch, 0))
        last = number + 1 == stop
        watermark.set_watermark(MAX_TIMESTAMP if last else _moment(batch, -1))
        if not last:
            tracker.defer_remainder(Duration(0))


def _all_batches(element: tuple[str, int]) -> Iterator[TimestampedValue]:
    path, size = element
    held = _table(path)
    for start in range(0, held.num_rows, size):
        batch = held.slice(start, size)
        yield TimestampedValue(batch, _moment(batch, 0))


def _table(path: str) -> pa.RecordBatch:
    return pq.read_table(path, schema=work.SCHEMA).combine_chunks().to_batches()[0]


def _moment(batch: pa.RecordBatch, row: int) -> Timestamp:
    return Timestamp(micros=batch.column("occurred_at").cast(pa.int64())[row].as_py())


_SUMS = beam.DoFn.StateParam(ReadModifyWriteStateSpec("held", TupleCoder([FloatCoder()] * 3)))


class Sums(beam.DoFn):
    """Count, sum and sum of squares of a key, after each event."""

    def process(self, element: tuple[str, float], state: Any = _SUMS) -> Iterator[Any]:
        user, amount = element
        count, total, squares = state.read() or (0.0, 0.0, 0.0)
        held = (count + 1, total + amount, squares + amount * amount)
        state.write(held)
        yield user, *held


def main() -> None:
    given = work.options(
        {"step": "what is computed", "runner": "of Beam", "events": "their file"},
        {"batch": (10_000, "events that come at once"), "shards": (64, "of AggregateEvents")},
    )
    engine = choose(given.runner, EngineOptions(options=_OPTIONS[given.runner]))
    p = beam.Pipeline(runner=engine.runner, options=PipelineOptions(flags=[], **engine.options))
    made = p | beam.Impulse() | beam.Map(_source, given.events, given.batch).with_output_types(tuple[str, int])
    read = beam.FlatMap(_all_batches) if given.runner == "local" else beam.ParDo(_Read())
    events = made | "Events" >> read.with_output_types(blocks.BatchType(work.SCHEMA))
    events.is_bounded = False
    if given.step == "by_hand":
        keyed = events | beam.FlatMap(_amounts).with_output_types(tuple[str, float])
        rows = keyed | beam.ParDo(Sums()) | "Look" >> beam.Map(_counted).with_output_types(work.Counted)
    else:
        features = work.SUMS if given.step == "sums" else work.FEATURES
        names = [one["name"] for one in features]
        found = events | blocks.AggregateEvents(work.definition(features), shards=given.shards)
        answers = work.Answers(given.out, given.keys)
        rows = found | "Look" >> beam.Map(_looked_at, answers, names).with_output_types(work.Counted)
    _ = rows | beam.ParDo(work.Collect(given.out))
    with engine:
        p.run().wait_until_finish()


def _source(_: bytes, path: str, batch: int) -> tuple[str, int]:
    return path, batch


def _amounts(batch: pa.RecordBatch) -> Iterator[tuple[str, float]]:
    return zip(batch.column("user_id").to_pylist(), batch.column("amount").to_pylist(), strict=True)


def _looked_at(batch: pa.RecordBatch, answers: work.Answers, names: list[str]) -> work.Counted:
    # Not the last row of a key before its state is freed, which a batch has none of.
    return answers.of_batch(batch.filter(pc.not_equal(batch.column("reason"), "expiry")), names, "as_of")


def _counted(row: tuple[Any, ...]) -> work.Counted:
    return 1, "[]"


if __name__ == "__main__":
    main()
