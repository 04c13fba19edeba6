"""WindowRows against Beam's own WindowInto on rows, and time that batching must not lose."""

import typing
from collections import Counter
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.coders.coders import IntervalWindowCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import trigger
from apache_beam.transforms import window as w
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp
from core_data import check, from_stream, run, source, to_stream
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from blocks.core.batch_type import BatchType
from blocks.core.batches import AsBatches, AsRows
from blocks.core.errors import BatchTypeError, ColumnError, ConfigError, SchemaError
from blocks.core.labels import with_event_time
from blocks.core.windows import WindowRows, split_by_window

TIME = pa.timestamp("us", "UTC")
SCHEMA = with_event_time(pa.schema([("id", pa.int64()), ("at", TIME)]), "at")


class Fiscal(w.NonMergingWindowFn):
    """Windows of a user's own: the days before 0, and then longer ones."""

    def assign(self, context: Any) -> list[w.IntervalWindow]:
        seconds = context.timestamp.micros // 1_000_000
        if seconds < 0:
            return [w.IntervalWindow(-(10**9), 0)]
        start = seconds - seconds % 70
        return [w.IntervalWindow(start, start + 70), w.IntervalWindow(0, 10**9)]

    def get_window_coder(self) -> Any:
        return IntervalWindowCoder()


WINDOWS = [
    w.FixedWindows(10),
    w.FixedWindows(60, offset=7),
    w.SlidingWindows(60, 20),
    w.SlidingWindows(60, 20, offset=3),
    w.SlidingWindows(50, 20),
    w.SlidingWindows(55, 20, offset=11),
    w.SlidingWindows(10, 30),
    w.GlobalWindows(),
    Fiscal(),
]
_micros = st.integers(-400_000_000, 400_000_000) | st.integers(-40, 40).map(lambda n: n * 10_000_000 - n % 2)


def batch(micros: Iterable[int], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    times = pa.array(list(micros), pa.int64())
    return pa.RecordBatch.from_arrays([pa.array(range(len(times)), pa.int64()), times.cast(TIME)], schema=schema)


def _beams_windows(windowfn: w.WindowFn, micros: int) -> frozenset[Any]:
    return frozenset(windowfn.assign(w.WindowFn.AssignContext(Timestamp(micros=micros), element=None)))


@given(st.lists(_micros, max_size=30), st.sampled_from(WINDOWS))
def test_parts_hold_rows_of_exactly_the_same_windows_and_no_row_is_lost(
    micros: list[int], windowfn: w.WindowFn
) -> None:
    whole = batch(micros)
    parts = list(split_by_window(whole, whole.column("at").cast(pa.int64()), windowfn))
    ids = [part.column("id").to_pylist() for part in parts]
    assert sorted(one for part in ids for one in part) == list(range(len(micros)))
    seen = [{_beams_windows(windowfn, micros[one]) for one in part} for part in ids]
    assert all(len(windows) == 1 for windows in seen)
    inside = [next(iter(windows)) for windows in seen if windows != {frozenset()}]
    assert len(set(inside)) == len(inside)
    assert all(part == sorted(part) for part in ids)
    assert all(part.schema.equals(SCHEMA, check_metadata=True) for part in parts)


class _RowsInWindows(beam.DoFn):
    def process(self, row: Any, window: Any = beam.DoFn.WindowParam) -> typing.Iterator[str]:
        yield f"{row.id} in {window}"


class _BatchesInWindows(beam.DoFn):
    """Rows with the window of their batch; the batch's timestamp must be its earliest time, to Beam's millisecond."""

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> typing.Iterator[str]:
        earliest = min(batch.column("at").cast(pa.int64()).to_pylist())
        assert timestamp.micros // 1000 == earliest // 1000
        for one in batch.column("id").to_pylist():
            yield f"{one} in {window}"


@pytest.mark.parametrize("windowfn", WINDOWS, ids=lambda one: type(one).__name__)
def test_rows_are_in_the_windows_that_beam_puts_them_into(windowfn: w.WindowFn) -> None:
    moments = [-70_000_001, -1, 0, 1, 6_999_999, 7_000_000, 9_999_999, 10_000_000, 65_000_000, 11_000_000, 99_999_999]
    made = [batch(moments), batch(reversed(moments)).slice(3), batch([])]
    wanted: Counter[str] = Counter()
    for one in made:
        for row in zip(one.column("id").to_pylist(), one.column("at").cast(pa.int64()).to_pylist(), strict=True):
            wanted.update(f"{row[0]} in {window}" for window in _beams_windows(windowfn, row[1]))

    def build(pipeline: beam.Pipeline) -> None:
        batches = pipeline | source(made)
        ours = batches | WindowRows(windowfn)
        assert ours.element_type == BatchType(SCHEMA)
        theirs = batches | AsRows() | beam.WindowInto(windowfn) | beam.ParDo(_RowsInWindows()).with_output_types(str)
        found = ours | beam.ParDo(_BatchesInWindows()).with_output_types(str)
        back = ours | "Back" >> AsRows() | "In" >> beam.ParDo(_RowsInWindows()).with_output_types(str)
        assert_that(theirs, equal_to(list(wanted.elements())), "theirs")
        assert_that(found, equal_to(list(wanted.elements())), "ours")
        assert_that(back, equal_to(list(wanted.elements())), "back")

    run(build)


@given(st.lists(st.lists(_micros, max_size=12), min_size=1, max_size=3), st.sampled_from(WINDOWS))
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_rows_and_batches_are_in_the_same_windows(made: list[list[int]], windowfn: w.WindowFn) -> None:
    def count(pairs: Any) -> list[tuple[str, int]]:
        return sorted(Counter(pairs).items())

    streams = [to_stream(batch(one)) for one in made]

    def build(pipeline: beam.Pipeline) -> None:
        batches = pipeline | source([from_stream(one) for one in streams])
        theirs = batches | AsRows() | beam.WindowInto(windowfn) | beam.ParDo(_RowsInWindows()).with_output_types(str)
        ours = batches | WindowRows(windowfn) | beam.ParDo(_BatchesInWindows()).with_output_types(str)
        tagged = (
            theirs | "t" >> beam.Map(lambda one: ("theirs", one)).with_output_types(typing.Tuple[str, str]),  # noqa: UP006
            ours | "o" >> beam.Map(lambda one: ("ours", one)).with_output_types(typing.Tuple[str, str]),  # noqa: UP006
        )
        both = tagged | beam.Flatten() | "All" >> beam.WindowInto(w.GlobalWindows())

        def matcher(found: list[tuple[str, str]]) -> None:
            assert count(one for side, one in found if side == "ours") == count(
                one for side, one in found if side == "theirs"
            )

        assert_that(both, matcher)

    run(build)


def test_a_batch_of_one_window_is_passed_on_as_it_is() -> None:
    whole = batch([1, 2, 3])
    (part,) = split_by_window(whole, whole.column("at").cast(pa.int64()), w.FixedWindows(10))
    assert part is whole


def test_columns_of_views_are_split_too() -> None:
    schema = with_event_time(pa.schema([("text", pa.string_view()), ("at", TIME)]), "at")
    whole = pa.RecordBatch.from_arrays(
        [pa.array(["a", "b", "c"], pa.string_view()), batch([0, 10**8, 1]).column("at")], schema=schema
    )
    parts = split_by_window(whole, whole.column("at").cast(pa.int64()), w.FixedWindows(10))
    assert [part.column("text").to_pylist() for part in parts] == [["a", "c"], ["b"]]


def test_times_in_the_hour_that_a_change_of_the_clock_repeats_have_a_window() -> None:
    zone = pa.timestamp("ns", "America/New_York")
    schema = with_event_time(pa.schema([("at", zone)]), "at")
    times = pa.array([1_604_211_600_000_000_999, 1_604_215_200_000_000_001, -1], pa.int64()).cast(zone)

    class Stamps(beam.DoFn):
        def process(self, one: Any, timestamp: Any = beam.DoFn.TimestampParam) -> typing.Iterator[int]:
            yield timestamp.micros

    def build(pipeline: beam.Pipeline) -> None:
        made = pipeline | source([pa.RecordBatch.from_arrays([times], schema=schema)])
        stamps = made | WindowRows(w.FixedWindows(3600)) | beam.ParDo(Stamps()).with_output_types(int)
        assert_that(stamps, equal_to([1_604_211_600_000_000, 1_604_215_200_000_000, -1]))

    run(build)


@pytest.mark.parametrize("windowfn", [w.Sessions(60), w.FixedWindows, 3600])
def test_sessions_and_what_is_no_window_function_are_refused(windowfn: Any) -> None:
    with pytest.raises(ConfigError, match=r"(?s)where: WindowRows: windowfn\n.*to do:"):
        WindowRows(windowfn)


def test_the_event_time_must_be_there_and_be_an_instant() -> None:
    pipeline = beam.Pipeline()
    bare = pipeline | "bare" >> source([], pa.schema([("at", pa.timestamp("us"))]))
    with pytest.raises(SchemaError, match=r"(?s)no event time.*event_time='occurred_at'"):
        bare | "1" >> WindowRows(w.FixedWindows(10))
    with pytest.raises(ColumnError, match=r"(?s)no column `att`.*did you mean `at`"):
        bare | "2" >> WindowRows(w.FixedWindows(10), event_time="att")
    with pytest.raises(SchemaError, match="timestamp"):
        bare | "3" >> WindowRows(w.FixedWindows(10), event_time="at")
    with pytest.raises(BatchTypeError, match="WindowRows"):
        pipeline | beam.Create([1]) | "4" >> WindowRows(w.FixedWindows(10))


def test_another_column_than_the_schemas_can_be_the_event_time() -> None:
    schema = with_event_time(pa.schema([("at", TIME), ("sent", TIME)]), "at")
    times = [pa.array([0, 1_000], pa.int64()).cast(TIME), pa.array([90_000_000, 5_000], pa.int64()).cast(TIME)]

    def build(pipeline: beam.Pipeline) -> None:
        made = pipeline | source([pa.RecordBatch.from_arrays(times, schema=schema)])
        windowed = made | WindowRows(w.FixedWindows(60), event_time="sent")
        check(windowed, lambda found: _is(sorted(one.num_rows for one in found), [1, 1]))

    run(build)


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def test_rows_without_event_time_stop_the_pipeline() -> None:
    lacking = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array([1, None], pa.int64()).cast(TIME)], schema=SCHEMA)
    with pytest.raises(Exception, match="1 rows without an event time have no window"):
        run(lambda pipeline: pipeline | source([lacking]) | WindowRows(w.FixedWindows(10)))


def test_trigger_accumulation_and_lateness_reach_beam() -> None:
    made = beam.Pipeline() | source([], SCHEMA)
    repeated = trigger.Repeatedly(trigger.AfterCount(3))
    mode = trigger.AccumulationMode.DISCARDING
    windowing = (
        made | WindowRows(w.FixedWindows(10), trigger=repeated, accumulation_mode=mode, allowed_lateness=60)
    ).windowing
    assert windowing.windowfn == w.FixedWindows(10)
    assert windowing.triggerfn == repeated
    assert windowing.accumulation_mode == mode
    assert windowing.allowed_lateness.micros == 60_000_000


# Late data: what is on time as a row is on time in a batch.


class _Panes(beam.DoFn):
    def process(self, group: Any, window: Any = beam.DoFn.WindowParam) -> typing.Iterator[str]:
        ids = sorted(group[1])
        yield f"{int(window.start)}: {ids}"


def _stream(rows: list[tuple[str, Any]]) -> TestStream:
    stream = TestStream(coder=beam.coders.FastPrimitivesCoder())
    for what, value in rows:
        if what == "watermark":
            stream = stream.advance_watermark_to(value)
        else:
            stream = stream.add_elements([w.TimestampedValue((one, at), at) for one, at in value])
    return stream.advance_watermark_to_infinity()


_EVENTS = [
    ("rows", [(1, 1), (2, 25), (3, 9)]),
    ("watermark", 8),
    ("rows", [(4, 9), (5, 31), (6, 8)]),
    ("watermark", 10),
    ("rows", [(7, 12), (8, 19), (9, 2)]),
    ("watermark", 40),
    ("rows", [(10, 45)]),
]


# Row 9 comes after its window; this runner gives it a pane of its own where others drop it.
_PANES = ["0: [1, 3, 4, 6]", "0: [9]", "10: [7, 8]", "20: [2]", "30: [5]", "40: [10]"]


def _streamed(windowed: typing.Callable[[beam.PCollection], beam.PCollection]) -> None:
    options = PipelineOptions()
    options.view_as(StandardOptions).streaming = True
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as pipeline:
        rows = (
            pipeline
            | _stream(_EVENTS)
            | beam.Map(lambda one: beam.Row(id=one[0], at=Timestamp(one[1]))).with_output_types(_ROW)
        )
        groups = (
            windowed(rows)
            | beam.Map(lambda row: (0, row.id)).with_output_types(typing.Tuple[int, int])  # noqa: UP006
            | beam.GroupByKey()
            | beam.ParDo(_Panes()).with_output_types(str)
        )
        assert_that(groups, equal_to(_PANES))


_ROW = beam.typehints.row_type.RowTypeConstraint.from_fields([("id", int), ("at", Timestamp)])


def test_rows_in_windows_of_beam_are_late_or_not() -> None:
    _streamed(lambda rows: rows | beam.WindowInto(w.FixedWindows(10)))


def test_batching_makes_no_row_late_and_late_rows_stay_late() -> None:
    _streamed(lambda rows: rows | AsBatches(SCHEMA) | WindowRows(w.FixedWindows(10)) | AsRows())


class _Hoarder(beam.DoFn):
    """The plant: holds rows beyond their bundle without holding the watermark."""

    held: typing.ClassVar[list[Any]] = []

    def process(self, row: Any) -> typing.Iterator[Any]:
        type(self).held.append(row)
        if len(self.held) >= 7:
            yield from [w.TimestampedValue(one, one.at) for one in self.held]
            self.held.clear()


def test_the_late_data_test_sees_a_buffer_that_does_not_hold_the_watermark() -> None:
    _Hoarder.held.clear()
    hoard = beam.ParDo(_Hoarder()).with_output_types(_ROW)
    with pytest.raises(Exception, match="Failed assert"):
        _streamed(lambda rows: rows | hoard | beam.WindowInto(w.FixedWindows(10)))


def test_minimal_time_is_clamped_to_beams() -> None:
    whole = batch([-(2**63)])

    class Stamps(beam.DoFn):
        def process(self, one: Any, timestamp: Any = beam.DoFn.TimestampParam) -> typing.Iterator[int]:
            yield timestamp.micros

    def build(pipeline: beam.Pipeline) -> None:
        stamps = (
            pipeline | source([whole]) | WindowRows(w.GlobalWindows()) | beam.ParDo(Stamps()).with_output_types(int)
        )
        assert_that(stamps, equal_to([MIN_TIMESTAMP.micros]))

    run(build)
