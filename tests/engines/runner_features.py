"""Pipelines that each need one feature of state, timers, triggers or windows, with the rows that a right runner gives.

Rows say what was seen and not when. Workers run in the process that runs the pipeline, and it runs no other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder, VarIntCoder
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms import trigger as tr
from apache_beam.transforms import window as w
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.periodicsequence import PeriodicImpulse, RebaseMode
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp

Key = tuple[str, int]
_COUNT = beam.DoFn.StateParam(ReadModifyWriteStateSpec("count", VarIntCoder()))
# A timer belongs to one method of one class.
_CLEARED, _NEXT, _AFTER, _END = (beam.DoFn.TimerParam(TimerSpec("event_time", TimeDomain.WATERMARK)) for _ in range(4))
_WALL, _FIVE = (beam.DoFn.TimerParam(TimerSpec("wall", TimeDomain.REAL_TIME)) for _ in range(2))
INTERVAL = 0.4
# What the worker, which is this process, has been given: how many elements come after it.
_SEEN: list[int] = []


def _counted(cell: Any) -> int:
    found = int(cell.read() or 0) + 1
    cell.write(found)
    return found


class SetAndClear(beam.DoFn):
    """The first element of a key sets a timer of event time, the second clears it."""

    def process(self, element: Key, cell: Any = _COUNT, timer: Any = _CLEARED) -> Iterator[str]:
        timer.set(Timestamp(20)) if _counted(cell) == 1 else timer.clear()
        return iter(())

    @on_timer(_CLEARED.timer_spec)
    def fired(self, key: Any = beam.DoFn.KeyParam, at: Any = beam.DoFn.TimestampParam) -> Iterator[str]:
        yield f"{key} fired at {float(at):g}"


def _at(pipeline: beam.Pipeline, *elements: tuple[str, int]) -> beam.PCollection:
    """Bounded pairs of a key and a time."""
    made = pipeline | beam.Create(elements)
    return made | "At" >> beam.Map(lambda one: w.TimestampedValue(one, one[1])).with_output_types(tuple[str, int])


def event_time_timer_in_batch(pipeline: beam.Pipeline) -> beam.PCollection:
    return _at(pipeline, ("a", 10), ("b", 10), ("b", 11)) | beam.ParDo(SetAndClear())


def _when(early: bool) -> str:
    return "early" if early else "at the end" if _SEEN[-1] == 0 else "in time"


class AfterTheNext(beam.DoFn):
    """A timer of event time for the first element: the watermark passes it when the second has been given."""

    def process(self, element: Key, at: Any = beam.DoFn.TimestampParam, timer: Any = _NEXT) -> Iterator[str]:
        if not _SEEN:
            timer.set(at + 1.5 * INTERVAL)
        _SEEN.append(element[1])
        return iter(())

    @on_timer(_NEXT.timer_spec)
    def fired(self, key: Any = beam.DoFn.KeyParam) -> Iterator[str]:
        yield f"{key} {_when(early=len(_SEEN) < 2)}"


class WallClock(beam.DoFn):
    """A timer of processing time for the first element, one and a half intervals after it."""

    def process(self, element: Key, cell: Any = _COUNT, timer: Any = _WALL) -> Iterator[str]:
        if not _SEEN:
            due = Timestamp.now() + 1.5 * INTERVAL
            cell.write(due.micros)
            timer.set(due)
        _SEEN.append(element[1])
        return iter(())

    @on_timer(_WALL.timer_spec)
    def fired(self, key: Any = beam.DoFn.KeyParam, cell: Any = _COUNT) -> Iterator[str]:
        yield f"{key} {_when(early=Timestamp.now() < Timestamp(micros=cell.read()))}"


def wall_clock_timer_in_batch(pipeline: beam.Pipeline) -> beam.PCollection:
    # As if one more element came: it is in time whenever it fires.
    return pipeline | beam.Create([("a", 1)]) | beam.ParDo(WallClock())


def impulses(pipeline: beam.Pipeline, count: int) -> beam.PCollection:
    # From when the pipeline runs, not from when it is built.
    stop = (count - 0.5) * INTERVAL
    made = pipeline | PeriodicImpulse(0, stop, INTERVAL, data=_countdown(count), rebase=RebaseMode.REBASE_ALL)
    return made | beam.Map(lambda left: ("a", left)).with_output_types(tuple[str, int])


def _countdown(count: int) -> list[int]:
    return list(range(count))[::-1]


class _Positions(RestrictionProvider):
    def initial_restriction(self, element: list[int]) -> OffsetRange:
        return OffsetRange(0, len(element) + 1)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: list[int], restriction: OffsetRange) -> int:
        return restriction.size()

    def split(self, element: list[int], restriction: OffsetRange) -> Iterator[OffsetRange]:
        yield restriction

    def truncate(self, element: list[int], restriction: OffsetRange) -> OffsetRange:
        return restriction


_POSITIONS = beam.DoFn.RestrictionParam(_Positions())
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class Ticks(beam.DoFn):
    """An element a call, the watermark behind it, and the next one an interval of processing time later."""

    @beam.DoFn.unbounded_per_element()
    def process(self, left: list[int], tracker: Any = _POSITIONS, watermark: Any = _WATERMARK) -> Iterator[Any]:
        number = tracker.current_restriction().start
        if not tracker.try_claim(number):
            return
        if number == len(left):
            watermark.set_watermark(MAX_TIMESTAMP)
            return
        yield w.TimestampedValue(("a", left[number]), Timestamp(number * INTERVAL))
        watermark.set_watermark(Timestamp(number * INTERVAL))
        tracker.defer_remainder(Duration(INTERVAL))


def ticks(pipeline: beam.Pipeline, count: int) -> beam.PCollection:
    script = pipeline | beam.Impulse() | beam.Map(lambda _: _countdown(count))
    return script | beam.ParDo(Ticks()).with_output_types(tuple[str, int])


class CountWithTimer(beam.DoFn):
    """Counts elements of a key, and says how many a timer two seconds after the first has seen."""

    def process(
        self, element: Key, cell: Any = _COUNT, at: Any = beam.DoFn.TimestampParam, timer: Any = _AFTER
    ) -> Iterator[str]:
        count = _counted(cell)
        timer.set(at + 2)
        yield f"{element[0]} count {count}"

    @on_timer(_AFTER.timer_spec)
    def fired(self, key: Any = beam.DoFn.KeyParam, cell: Any = _COUNT) -> Iterator[str]:
        yield f"{key} fired after {cell.read()}"


def _stream() -> TestStream:
    # The bytes of texts: Flink knows no coder of texts in Python.
    return TestStream(coder=BytesCoder()).with_output_types(bytes).advance_watermark_to(0)


def _keyed(*at: float) -> list[w.TimestampedValue]:
    return [w.TimestampedValue(b"a", one) for one in at]


def _pairs(made: beam.PCollection) -> beam.PCollection:
    return made | "Pair" >> beam.Map(lambda one: (one.decode(), 1)).with_output_types(tuple[str, int])


def test_stream(pipeline: beam.Pipeline) -> beam.PCollection:
    script = _stream().add_elements(_keyed(1)).advance_watermark_to(5).add_elements(_keyed(7))
    return _pairs(pipeline | script.advance_watermark_to_infinity()) | beam.ParDo(CountWithTimer())


class AtClock(beam.DoFn):
    """Counts elements of a key, and says how many a timer has seen at 5 s of the clock of processing time."""

    def process(self, element: Key, cell: Any = _COUNT, timer: Any = _FIVE) -> Iterator[str]:
        if _counted(cell) == 1:
            timer.set(Timestamp(5))
        return iter(())

    @on_timer(_FIVE.timer_spec)
    def fired(self, key: Any = beam.DoFn.KeyParam, cell: Any = _COUNT) -> Iterator[str]:
        yield f"{key} fired after {cell.read()}"


def advance_processing_time(pipeline: beam.Pipeline) -> beam.PCollection:
    script = _stream().add_elements(_keyed(1)).advance_processing_time(3).add_elements(_keyed(2))
    script = script.advance_processing_time(3).add_elements(_keyed(3)).advance_watermark_to_infinity()
    return _pairs(pipeline | script) | beam.ParDo(AtClock())


def _grouped(pairs: beam.PCollection) -> beam.PCollection:
    groups = pairs | beam.GroupByKey() | "List" >> beam.MapTuple(lambda key, group: (key, list(group)))
    # A pane without elements says nothing; runners may give one when a window ends.
    return groups | "Size" >> beam.FlatMap(lambda one: [f"{one[0]}: {len(one[1])}"] if one[1] else [])


def late_data_into_groups(pipeline: beam.Pipeline) -> beam.PCollection:
    script = _stream().add_elements(_keyed(1, 2, 3)).advance_watermark_to(15).add_elements(_keyed(5, 6))
    script = script.advance_watermark_to(100).add_elements(_keyed(7)).advance_watermark_to_infinity()
    windowed = _pairs(pipeline | script) | beam.WindowInto(
        w.FixedWindows(10),
        trigger=tr.AfterWatermark(late=tr.AfterCount(2)),
        accumulation_mode=tr.AccumulationMode.DISCARDING,
        allowed_lateness=60,
    )
    return _grouped(windowed)


def late_data_into_state(pipeline: beam.Pipeline) -> beam.PCollection:
    script = _stream().add_elements(_keyed(1)).advance_watermark_to(15).add_elements(_keyed(5))
    windowed = _pairs(pipeline | script.advance_watermark_to_infinity()) | beam.WindowInto(w.FixedWindows(10))
    return windowed | beam.ParDo(CountWithTimer())


class AtWindowEnd(beam.DoFn):
    """Counts elements of a key and window, and gives the count at the window's end."""

    def process(
        self, element: Key, cell: Any = _COUNT, window: Any = beam.DoFn.WindowParam, timer: Any = _END
    ) -> Iterator[str]:
        _counted(cell)
        timer.set(window.max_timestamp())
        return iter(())

    @on_timer(_END.timer_spec)
    def fired(
        self, key: Any = beam.DoFn.KeyParam, cell: Any = _COUNT, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[str]:
        yield f"{key} {cell.read()} to {float(window.end):g}"


def timer_at_window_end(pipeline: beam.Pipeline) -> beam.PCollection:
    made = _at(pipeline, ("a", 1), ("a", 2), ("a", 11))
    return made | beam.WindowInto(w.FixedWindows(10)) | beam.ParDo(AtWindowEnd())


def processing_time_triggers(pipeline: beam.Pipeline) -> beam.PCollection:
    script = _stream().add_elements(_keyed(1)).advance_processing_time(10).add_elements(_keyed(2, 3))
    script = script.advance_processing_time(10).add_elements(_keyed(4, 5, 6)).advance_watermark_to_infinity()
    windowed = _pairs(pipeline | script) | beam.WindowInto(
        w.FixedWindows(100),
        trigger=tr.AfterWatermark(early=tr.Repeatedly(tr.AfterProcessingTime(5))),
        accumulation_mode=tr.AccumulationMode.DISCARDING,
        allowed_lateness=0,
    )
    return _grouped(windowed)


def sessions(pipeline: beam.Pipeline) -> beam.PCollection:
    script = _stream().add_elements(_keyed(1, 9)).advance_watermark_to(12).add_elements(_keyed(15, 40))
    return _grouped(_pairs(pipeline | script.advance_watermark_to_infinity()) | beam.WindowInto(w.Sessions(10)))


@dataclass(frozen=True)
class Feature:
    """A pipeline, and the rows of a runner that is right."""

    build: Callable[[beam.Pipeline], beam.PCollection]
    right: tuple[str, ...]


def features(count: int) -> dict[str, Feature]:
    """By name; sources give so many elements."""

    def timed(source: Callable[[beam.Pipeline, int], beam.PCollection], step: type[beam.DoFn]) -> Feature:
        return Feature(lambda pipeline: source(pipeline, count) | beam.ParDo(step()), ("a in time",))

    return {
        "event-time timer, batch; timer.clear": Feature(event_time_timer_in_batch, ("a fired at 20",)),
        "event-time timer, PeriodicImpulse": timed(impulses, AfterTheNext),
        "event-time timer, splittable source": timed(ticks, AfterTheNext),
        "processing-time timer, batch": Feature(wall_clock_timer_in_batch, ("a in time",)),
        "processing-time timer, PeriodicImpulse": timed(impulses, WallClock),
        "processing-time timer, splittable source": timed(ticks, WallClock),
        "TestStream": Feature(test_stream, ("a count 1", "a count 2", "a fired after 1", "a fired after 2")),
        "TestStream, advance_processing_time": Feature(advance_processing_time, ("a fired after 2",)),
        "late data into GroupByKey with lateness": Feature(late_data_into_groups, ("a: 2", "a: 3")),
        "late data into a stateful DoFn": Feature(late_data_into_state, ("a count 1", "a fired after 1")),
        "timer at the window's end set by hand": Feature(timer_at_window_end, ("a 1 to 20", "a 2 to 10")),
        "AfterProcessingTime early, repeated": Feature(processing_time_triggers, ("a: 1", "a: 2", "a: 3")),
        "sessions, TestStream": Feature(sessions, ("a: 1", "a: 3")),
    }


class Keep(beam.DoFn):
    """Adds rows to a file; a runner that gives one twice shows it."""

    def __init__(self, to: Path) -> None:
        self._to = to

    def process(self, row: str) -> Iterator[int]:
        with self._to.open("a") as kept:
            yield kept.write(f"{row}\n")


def run_feature(name: str, count: int, make: Callable[[], PipelineRunner], options: list[str], folder: Path) -> None:
    """Runs a pipeline in this process; `rows`, and where it failed `error`, are then in the folder."""
    pipeline = beam.Pipeline(runner=make(), options=PipelineOptions(options))
    (folder / "rows").touch()
    try:
        rows = features(count)[name].build(pipeline)
        _ = rows | "Keep" >> beam.ParDo(Keep(folder / "rows")).with_output_types(int)
        pipeline.run().wait_until_finish()
    except BaseException as error:
        (folder / "error").write_text(f"{type(error).__name__}: {error}")


def on_prism(endpoint: str) -> PipelineRunner:
    """The runner of a Prism, which describes no options and takes them."""
    from blocks.engines.portable import JobRunner

    runner = JobRunner(retain_unknown=True)
    runner.endpoint = endpoint
    return runner
