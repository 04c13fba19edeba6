"""An endless source that gives batches and watermarks in a given order, and what comes out of a query over it."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp

from blocks.core import labels
from blocks.core.batch_type import BatchType

SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("k", pa.int64(), False),
            pa.field("name", pa.string()),
            pa.field("at", pa.timestamp("us", "UTC"), False),
        ]
    ),
    "at",
)
LABELS = pa.schema([pa.field("k", pa.int64(), False), pa.field("label", pa.string())])
POLICY = {"destinations": {name: {"labels": {"*": "keep"}} for name in ("rows", "shuffle", "state")}}
START = 1_767_225_600
# Seconds since START: (k, time) rows of one batch, or where the watermark goes to.
Rows = Sequence[tuple[int, float]]
Event = Rows | int


def batch(rows: Rows) -> pa.RecordBatch:
    made = [{"k": k, "name": f"name {k}", "at": int((START + at) * 1_000_000)} for k, at in rows]
    return pa.RecordBatch.from_pylist(made, SCHEMA)


class _Positions(RestrictionProvider):
    def initial_restriction(self, element: Any) -> OffsetRange:
        return OffsetRange(0, len(element) + 1)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: Any, restriction: OffsetRange) -> int:
        return restriction.size()

    def split(self, element: Any, restriction: OffsetRange) -> Iterator[OffsetRange]:
        yield restriction

    def truncate(self, element: Any, restriction: OffsetRange) -> OffsetRange:
        return restriction


_POSITIONS = beam.DoFn.RestrictionParam(_Positions())
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class _Read(beam.DoFn):
    """An event a call: a batch, or the watermark."""

    @beam.DoFn.unbounded_per_element()
    def process(self, events: Any, tracker: Any = _POSITIONS, watermark: Any = _WATERMARK) -> Iterator[Any]:
        number = tracker.current_restriction().start
        if not tracker.try_claim(number):
            return
        if number == len(events):
            watermark.set_watermark(MAX_TIMESTAMP)
            return
        event = events[number]
        if isinstance(event, int):
            watermark.set_watermark(Timestamp(START + event))
        else:
            yield TimestampedValue(batch(event), Timestamp(START + min(at for _, at in event)))
        tracker.defer_remainder(Duration(0.01))


class Stream(beam.PTransform):
    """The events in order, without an end that anybody knows of."""

    def __init__(self, events: Sequence[Event]) -> None:
        super().__init__()
        self._events = list(events)

    def expand(self, begin: Any) -> beam.PCollection:
        script = begin | beam.Impulse() | beam.Map(lambda _, events=self._events: events)
        return script | beam.ParDo(_Read()).with_output_types(BatchType(SCHEMA))


class Bounded(beam.PTransform):
    """The same batches, as what ends."""

    def __init__(self, events: Sequence[Event]) -> None:
        super().__init__()
        self._events = [event for event in events if not isinstance(event, int)]

    def expand(self, begin: Any) -> beam.PCollection:
        made = begin | beam.Create(self._events, reshuffle=False)
        return made | beam.Map(batch).with_output_types(BatchType(SCHEMA))


class Shown(beam.DoFn):
    """Every row as text, with its window."""

    def __init__(self, to: Path) -> None:
        self._to = to

    def process(self, found: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[int]:
        until = "global" if window.max_timestamp() >= Timestamp(2**40) else f"to {float(window.end) - START:.12g}"
        for row in found.to_pylist():
            text = " ".join(f"{name}={_short(value)}" for name, value in row.items())
            yield (self._to / uuid.uuid4().hex).write_text(f"{text} | {until}")


def _short(value: Any) -> Any:
    return f"{value.timestamp() - START:.12g}" if hasattr(value, "timestamp") else value


Build = Callable[[beam.Pipeline, Callable[[Sequence[Event]], beam.PTransform]], beam.PCollection]


def result(
    build: Build,
    source: Callable[[Sequence[Event]], beam.PTransform],
    runner: Any,
    options: list[str],
    to: Path,
) -> list[str]:
    """The rows that come out, sorted, as text."""
    to.mkdir()
    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
    found = build(pipeline, source)
    _ = found | "Show" >> beam.ParDo(Shown(to)).with_output_types(int)
    pipeline.run().wait_until_finish()
    return sorted(one.read_text() for one in to.iterdir())
