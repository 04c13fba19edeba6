"""Windows and triggers from options on Flink, as a stream: the panes that groups of a key come in.

When its lateness ends a window gives a last pane on portable runners; Beam's Python asks for it (EMIT_ALWAYS): empty
with `discarding`, all of the window once more with `accumulating`.
"""

import typing
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner
from sql_streams import POLICY, START, Event, Stream

from blocks.core.batches import AsRows
from blocks.core.window_elements import WindowElements
from blocks.core.windows import WindowRows
from blocks.engines.flink import FlinkServer

ONE_BY_ONE = ["--environment_type=LOOPBACK", "--parallelism=1", "--max_bundle_size=1", "--streaming"]
_TIMINGS = {0: "early", 1: "on time", 2: "late", 3: "unknown"}
Pair = typing.Tuple[int, int]  # noqa: UP006 - Beam's type hints


class _Panes(beam.DoFn):
    """Every pane as text, in a file of its own."""

    def __init__(self, to: Path) -> None:
        self._to = to

    def process(
        self, group: Any, window: Any = beam.DoFn.WindowParam, pane: Any = beam.DoFn.PaneInfoParam
    ) -> Iterator[int]:
        key, times = group
        where = f"{float(window.start) - START:g}-{float(window.end) - START:g}"
        text = f"{key} {where} {sorted(times)} {_TIMINGS[pane.timing]} {pane.index}"
        yield (self._to / uuid.uuid4().hex).write_text(text)


def _pair(row: Any) -> tuple[int, int]:
    return row.k, int(float(row.at) - START) if not hasattr(row.at, "timestamp") else int(row.at.timestamp() - START)


def panes(block: Any, events: list[Event], flink: FlinkServer, to: Path) -> list[str]:
    options = PipelineOptions([f"--job_endpoint={flink.endpoint}", *ONE_BY_ONE])
    pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
    made = pipeline | Stream(events)
    rows = made | block | AsRows(POLICY) if isinstance(block, WindowRows) else made | AsRows(POLICY) | block
    pairs = rows | "Pairs" >> beam.Map(_pair).with_output_types(Pair)
    _ = pairs | beam.GroupByKey() | beam.ParDo(_Panes(to)).with_output_types(int)
    pipeline.run().wait_until_finish()
    return sorted(one.read_text() for one in to.iterdir())


MINUTES = {"type": "tumbling", "size": "1m"}
LATE: list[Event] = [[(1, 10)], [(1, 20), (2, 30)], [(1, 40)], 70, [(1, 50)], [(2, 75)], 200]


TWO_BY_TWO = {"after_watermark": {"early": {"after_count": 2}, "late": {"after_count": 1}}}
DISCARDED = [
    *["1 0-60 [10, 20] early 0", "1 0-60 [40] on time 1", "1 0-60 [50] late 2", "1 0-60 [] late 3"],
    *["2 0-60 [30] on time 0", "2 0-60 [] late 1", "2 60-120 [75] on time 0", "2 60-120 [] late 1"],
]
ACCUMULATED = [
    *["1 0-60 [10, 20] early 0", "1 0-60 [10, 20, 40] on time 1"],
    *["1 0-60 [10, 20, 40, 50] late 2", "1 0-60 [10, 20, 40, 50] late 3"],
    *["2 0-60 [30] on time 0", "2 0-60 [30] late 1", "2 60-120 [75] on time 0", "2 60-120 [75] late 1"],
]


@pytest.mark.flink
@pytest.mark.parametrize(
    ("block", "accumulation", "wanted"),
    [
        (WindowElements, "discarding", DISCARDED),
        (WindowElements, "accumulating", ACCUMULATED),
        (WindowRows, "accumulating", ACCUMULATED),
    ],
)
def test_early_on_time_and_late(
    block: Any, accumulation: str, wanted: list[str], flink: FlinkServer, tmp_path: Path
) -> None:
    windowed = block(windows=MINUTES, trigger=TWO_BY_TWO, accumulation=accumulation, allowed_lateness="1h")
    assert panes(windowed, LATE, flink, tmp_path) == sorted(wanted)


@pytest.mark.flink
def test_what_is_later_than_the_allowed_lateness_is_dropped(flink: FlinkServer, tmp_path: Path) -> None:
    found = panes(WindowElements(MINUTES, allowed_lateness="5s"), LATE, flink, tmp_path)
    given = ["1 0-60 [10, 20, 40] on time 0", "2 0-60 [30] on time 0", "2 60-120 [75] on time 0"]
    assert [one for one in found if "[]" not in one] == given


@pytest.mark.flink
def test_sessions_merge_and_a_late_row_gives_its_session_again(flink: FlinkServer, tmp_path: Path) -> None:
    windowed = WindowElements(
        {"type": "session", "gap": "30s"},
        trigger={"after_watermark": {"late": {"after_count": 1}}},
        accumulation="accumulating",
        allowed_lateness="1h",
    )
    events: list[Event] = [[(1, 10), (1, 55)], [(1, 35), (2, 10)], [(1, 200)], 150, [(1, 80)], 400]
    found = panes(windowed, events, flink, tmp_path)
    # Each once more at its end, but for the one that the late row made longer.
    once = ["1 10-85 [10, 35, 55]"]
    twice = ["1 10-110 [10, 35, 55, 80]", "1 200-230 [200]", "2 10-40 [10]"]
    assert sorted(one.rpartition("]")[0] + "]" for one in found) == sorted([*once, *twice, *twice])


@pytest.mark.flink
def test_what_a_count_has_not_reached_comes_at_the_end_of_its_window(flink: FlinkServer, tmp_path: Path) -> None:
    windowed = WindowElements(MINUTES, trigger={"repeatedly": {"after_count": 2}}, accumulation="discarding")
    found = panes(windowed, [[(1, 10)], [(1, 20)], [(1, 30)], 100, 400], flink, tmp_path)
    assert [one.rpartition("]")[0] for one in found] == ["1 0-60 [10, 20", "1 0-60 [30"]


@pytest.mark.flink
def test_processing_time_gives_an_early_pane(flink: FlinkServer, tmp_path: Path) -> None:
    trigger = {"after_watermark": {"early": {"after_processing_time": "1s"}}}
    windowed = WindowElements({"type": "tumbling", "size": "10m"}, trigger=trigger, accumulation="accumulating")
    # The source waits between its events: some seconds in all.
    found = panes(windowed, [[(1, 10)], *range(11, 400), [(1, 401)], 700], flink, tmp_path)
    assert found == ["1 0-600 [10, 401] on time 1", "1 0-600 [10] early 0"]
