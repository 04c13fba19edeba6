"""What windows and triggers from options do, pane by pane: in streams with real triggers, and in batch."""

import typing
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import core as beam_core
from apache_beam.transforms import window as w
from apache_beam.typehints.row_type import RowTypeConstraint
from core_data import from_stream, to_stream

from blocks.core import windowing
from blocks.core.batch_type import BatchType
from blocks.core.batches import AsRows
from blocks.core.labels import with_event_time
from blocks.core.window_elements import WindowElements
from blocks.core.windows import WindowRows

TIME = pa.timestamp("us", "UTC")
SCHEMA = with_event_time(pa.schema([("key", pa.string()), ("value", pa.int64()), ("at", TIME)]), "at")
ROW = RowTypeConstraint.from_fields([("key", str), ("value", int)])
Pair = typing.Tuple[str, int]  # noqa: UP006 - Beam's type hints

TENS = {"type": "tumbling", "size": "10s"}
GAPS = {"type": "session", "gap": "5s"}


# What the triggers do, in a stream.


class _Panes(beam.DoFn):
    def process(
        self, group: Any, window: Any = beam.DoFn.WindowParam, pane: Any = beam.DoFn.PaneInfoParam
    ) -> Iterator[str]:
        key, values = group
        whole = isinstance(window, w.GlobalWindow)
        shown = "all" if whole else f"{int(window.start) - START}-{int(window.end) - START}"
        yield f"{key} {shown} {sorted(values)} {_TIMINGS[pane.timing]} {pane.index}"


# Far beyond the processing time of a test, which this runner takes for a watermark when a timer fires by it.
START = 2_000_000_000
_TIMINGS = {0: "early", 1: "on time", 2: "late", 3: "unknown"}


def _stream(events: list[tuple[str, Any]]) -> TestStream:
    """Rows `(key, value, time)`, `watermark` and `wait` (seconds of processing time)."""
    stream = TestStream(coder=beam.coders.FastPrimitivesCoder())
    for what, value in events:
        if what == "watermark":
            stream = stream.advance_watermark_to(START + value)
        elif what == "wait":
            stream = stream.advance_processing_time(value)
        else:
            stream = stream.add_elements([w.TimestampedValue(one, START + one[2]) for one in value])
    # What waits for processing time then fires: this runner would wait for it for ever.
    return stream.advance_watermark_to_infinity().advance_processing_time(10**9)


class _Grouped(beam.PTransform):
    """Rows by key, every pane as text."""

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        pairs = rows | beam.Map(lambda row: (row.key, row.value)).with_output_types(Pair)
        return pairs | beam.GroupByKey() | beam.ParDo(_Panes()).with_output_types(str)


def _run(events: list[tuple[str, Any]], windowed: Any, panes: list[str]) -> None:
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions([], streaming=True)) as pipeline:
        assert_that(pipeline | _stream(events) | windowed | _Grouped(), equal_to(panes))


def _rows(options: dict[str, Any]) -> Any:
    made = beam.Map(lambda one: beam.Row(key=one[0], value=one[1])).with_output_types(ROW)
    return made | WindowElements(**options)


def _batches(options: dict[str, Any]) -> Any:
    """The same events as batches of one row, by WindowRows, and back to rows."""
    return beam.Map(_batch).with_output_types(BatchType(SCHEMA)) | WindowRows(**options) | AsRows()


def _batch(one: tuple[str, int, int]) -> pa.RecordBatch:
    times = pa.array([(START + one[2]) * 1_000_000], pa.int64()).cast(TIME)
    return pa.RecordBatch.from_arrays([pa.array([one[0]]), pa.array([one[1]]), times], schema=SCHEMA)


def a(*values: int) -> tuple[str, Any]:
    """Rows of the key `a`, whose time is their value."""
    return "rows", [("a", value, value) for value in values]


LATE = [a(1), a(2), a(3), ("watermark", 10), a(4), ("watermark", 19), a(5), ("watermark", 21), a(6)]
WAITING = [a(1), ("wait", 3), a(2), ("wait", 4), a(3), ("wait", 6), a(4), ("wait", 2), ("watermark", 10)]
EARLY_AND_LATE = {"after_watermark": {"early": {"after_count": 2}, "late": {"after_count": 1}}}

PANES: dict[str, tuple[dict[str, Any], list[tuple[str, Any]], list[str]]] = {
    "a window is given once the watermark has passed it": (
        {"windows": TENS},
        [a(1, 2, 11), ("watermark", 9), a(9), ("watermark", 12), a(13)],
        ["a 0-10 [1, 2, 9] on time 0", "a 10-20 [11, 13] on time 0"],
    ),
    "late rows within the allowed lateness come, later ones do not": (
        {"windows": TENS, "allowed_lateness": "10s"},
        LATE,
        ["a 0-10 [1, 2, 3] on time 0", "a 0-10 [4] late 1", "a 0-10 [5] late 2"],
    ),
    "discarding: each firing has what is new": (
        {"windows": TENS, "trigger": EARLY_AND_LATE, "accumulation": "discarding", "allowed_lateness": "10s"},
        LATE,
        ["a 0-10 [1, 2] early 0", "a 0-10 [3] on time 1", "a 0-10 [4] late 2", "a 0-10 [5] late 3"],
    ),
    "accumulating: each firing has all of the window so far": (
        {"windows": TENS, "trigger": EARLY_AND_LATE, "accumulation": "accumulating", "allowed_lateness": "10s"},
        LATE,
        [
            "a 0-10 [1, 2] early 0",
            "a 0-10 [1, 2, 3] on time 1",
            "a 0-10 [1, 2, 3, 4] late 2",
            "a 0-10 [1, 2, 3, 4, 5] late 3",
        ],
    ),
    "a count fires as often as it is reached": (
        {"windows": TENS, "trigger": {"repeatedly": {"after_count": 2}}, "accumulation": "discarding"},
        [a(1), a(2), a(3), a(4), ("rows", [("b", 7, 7), ("b", 8, 8)])],
        ["a 0-10 [1, 2] early 0", "a 0-10 [3, 4] early 1", "b 0-10 [7, 8] early 0"],
    ),
    "processing time fires so long after the first row": (
        {"windows": TENS, "trigger": {"repeatedly": {"after_processing_time": "5s"}}, "accumulation": "discarding"},
        WAITING,
        ["a 0-10 [1, 2] early 0", "a 0-10 [3] early 1", "a 0-10 [4] early 2"],
    ),
    "early by processing time, then the whole at its time": (
        {
            "windows": TENS,
            "trigger": {"after_watermark": {"early": {"after_processing_time": "5s"}}},
            "accumulation": "accumulating",
        },
        WAITING,
        ["a 0-10 [1, 2] early 0", "a 0-10 [1, 2, 3] early 1", "a 0-10 [1, 2, 3, 4] on time 2"],
    ),
    "one trigger, then another": (
        {
            "windows": TENS,
            "trigger": {"after_each": [{"after_count": 1}, {"repeatedly": {"after_count": 2}}]},
            "accumulation": "discarding",
        },
        [a(1), a(2), a(3), a(4), a(5)],
        ["a 0-10 [1] early 0", "a 0-10 [2, 3] early 1", "a 0-10 [4, 5] early 2"],
    ),
    "the first of two triggers": (
        {
            "windows": TENS,
            "trigger": {"repeatedly": {"after_any": [{"after_count": 2}, {"after_processing_time": "5s"}]}},
            "accumulation": "discarding",
        },
        [a(1), ("wait", 6), a(2), a(3), a(4), a(5), ("watermark", 10)],
        ["a 0-10 [1] early 0", "a 0-10 [2] early 1", "a 0-10 [3, 4] early 2", "a 0-10 [5] early 3"],
    ),
    "a row is in several hopping windows": (
        {"windows": {"type": "hopping", "size": "10s", "period": "5s"}},
        [a(1, 6), ("watermark", 5), a(7)],
        ["a -5-5 [1] on time 0", "a 0-10 [1, 6, 7] on time 0", "a 5-15 [6, 7] on time 0"],
    ),
    "the global window fires by its trigger alone": (
        {"windows": {"type": "global"}, "trigger": {"repeatedly": {"after_count": 2}}, "accumulation": "accumulating"},
        [a(1), a(2), a(3), a(4)],
        ["a all [1, 2] early 0", "a all [1, 2, 3, 4] early 1"],
    ),
}

VISITS = [a(1), a(9), ("rows", [("b", 1, 1)]), a(5), a(30), ("watermark", 20), a(12), ("watermark", 40)]
PANES_OF_SESSIONS: dict[str, tuple[dict[str, Any], list[tuple[str, Any]], list[str]]] = {
    "a row between two sessions makes them one": (
        {"windows": GAPS},
        [a(1), a(9), a(5), a(30), ("rows", [("b", 1, 1)]), ("watermark", 20), a(26)],
        ["a 1-14 [1, 5, 9] on time 0", "a 26-35 [26, 30] on time 0", "b 1-6 [1] on time 0"],
    ),
    "a gap of just this length ends a session": (
        {"windows": GAPS},
        [a(1, 6, 8, 12)],
        ["a 1-6 [1] on time 0", "a 6-17 [6, 8, 12] on time 0"],
    ),
    "a late row makes a session longer, which comes again as a whole": (
        {
            "windows": GAPS,
            "trigger": {"after_watermark": {"late": {"after_count": 1}}},
            "accumulation": "accumulating",
            "allowed_lateness": "1m",
        },
        VISITS,
        [
            *["b 1-6 [1] on time 0", "a 1-14 [1, 5, 9] on time 0", "a 1-17 [1, 5, 9, 12] late 0"],
            "a 30-35 [30] on time 0",
        ],
    ),
    "early panes are of sessions that may merge later": (
        {
            "windows": GAPS,
            "trigger": {"after_watermark": {"early": {"after_count": 1}}},
            "accumulation": "accumulating",
        },
        [a(1), a(9), a(5)],
        ["a 1-6 [1] early 0", "a 9-14 [9] early 0", "a 1-14 [1, 5, 9] early 0", "a 1-14 [1, 5, 9] on time 1"],
    ),
}


@pytest.mark.parametrize("name", [*PANES, *PANES_OF_SESSIONS])
def test_panes_of_rows(name: str) -> None:
    options, events, panes = {**PANES, **PANES_OF_SESSIONS}[name]
    _run(events, _rows(options), panes)


@pytest.mark.parametrize(
    "name",
    [
        "accumulating: each firing has all of the window so far",
        "processing time fires so long after the first row",
    ],
)
def test_panes_of_batches(name: str) -> None:
    options, events, panes = PANES[name]
    _run(events, _batches(options), panes)


# In batch.

OFTEN: list[dict[str, Any]] = [
    {},
    {"trigger": EARLY_AND_LATE, "accumulation": "accumulating", "allowed_lateness": "10s"},
    {"trigger": {"repeatedly": {"after_processing_time": "5s"}}, "accumulation": "accumulating"},
]


@pytest.mark.parametrize("options", OFTEN)
def test_bounded_rows_are_given_once_whatever_the_trigger(options: dict[str, Any]) -> None:
    batch = pa.concat_batches([_batch(("a", moment, moment)) for moment in (1, 2, 3, 11, 12, 4, 5)])
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        made = pipeline | beam.Create([to_stream(batch)]) | beam.Map(from_stream).with_output_types(BatchType(SCHEMA))
        sessions = made | "Rows" >> AsRows() | WindowElements(GAPS, **options)
        tens = made | WindowRows(windows=TENS, **options) | "Rows of tens" >> AsRows()
        whole = ["a 1-10 [1, 2, 3, 4, 5] on time 0", "a 11-17 [11, 12] on time 0"]
        assert_that(sessions | "Sessions" >> _Grouped(), equal_to(whole), "sessions")
        whole = ["a 0-10 [1, 2, 3, 4, 5] on time 0", "a 10-20 [11, 12] on time 0"]
        assert_that(tens | "Tens" >> _Grouped(), equal_to(whole), "tens")


def test_without_that_this_runner_gives_a_bounded_window_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "blocks.core.windows.window_into", lambda windowing, _trigger, _bounded: windowing_whole(windowing)
    )
    with pytest.raises(Exception, match="Failed assert"):
        test_bounded_rows_are_given_once_whatever_the_trigger(OFTEN[1])


def windowing_whole(given: beam_core.Windowing) -> beam.WindowInto:
    """As an unbounded input gets it."""
    return windowing.window_into(given, None, False)


def test_rows_without_a_timestamp_stop_the_pipeline() -> None:
    with pytest.raises(Exception, match="a row without a timestamp has no window"):
        _timeless(TENS)
    _timeless({"type": "global"})


def _timeless(windows: dict[str, Any]) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rows = pipeline | beam.Create([beam.Row(key="a", value=1)]).with_output_types(ROW)
        _ = rows | WindowElements(windows)
