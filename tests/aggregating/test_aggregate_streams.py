"""AggregateEvents on a stream, through Beam: state, timers, corrections, rejects."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.core import labels
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.rejects import Rejects

START = 1_767_225_600  # 2026-01-01, in seconds
SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("user_id", pa.string()),
            pa.field("at", pa.timestamp("us", "UTC")),
            pa.field("id", pa.string()),
            pa.field("amount", pa.int32()),
        ]
    ),
    "at",
)
DEFINITION: dict[str, Any] = {
    "entity": {"key": "user_id"},
    "source": {"event_id": "id"},
    "features": [
        {"name": "n", "op": "count", "window": "1m", "hop": "10s"},
        {"name": "spend", "op": "sum", "column": "amount", "window": "1m", "hop": "10s"},
    ],
    "lateness": "30s",
    "state_ttl": "5m",
    "ahead": "365d",
}
# What the step at the end saw: this runner works in this process.
SEEN: list[pa.RecordBatch] = []
CLOCK = [START * 1_000_000]


class _Keep(beam.DoFn):
    def process(self, element: Any) -> None:
        SEEN.append(element)


def clock() -> int:
    return CLOCK[0]


def events(*rows: tuple[str, float, str, int]) -> pa.RecordBatch:
    content = [
        {"user_id": user, "at": int((START + at) * 1_000_000), "id": name, "amount": amount}
        for user, at, name, amount in rows
    ]
    return pa.RecordBatch.from_pylist(content, schema=SCHEMA)


def streamed(
    steps: Sequence[pa.RecordBatch | float | str], emit: dict[str, Any], rejects: Rejects | None = None, **more: Any
) -> list[dict[str, Any]]:
    """Runs a stream: batches, positions of the watermark (seconds after the start), `+10` for processing time."""
    SEEN.clear()
    stream = TestStream(coder=BatchCoder(SCHEMA))
    stream = stream.advance_watermark_to(START - 1000).advance_processing_time(START)
    for step in steps:
        if isinstance(step, pa.RecordBatch):
            first = step.column("at")[0].as_py().timestamp()
            stream = stream.add_elements([TimestampedValue(step, first)])
        elif isinstance(step, str):
            stream = stream.advance_processing_time(float(step))
        else:
            stream = stream.advance_watermark_to(START + step)
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(streaming=True))
    batches = pipeline | stream.advance_watermark_to_infinity()
    typed = batches | beam.Map(lambda one: one).with_output_types(BatchType(SCHEMA))
    definition = {**DEFINITION, "emit": emit, **more}
    block = AggregateEvents(definition, clock=clock, rejects=rejects, shards=1)
    if rejects is None:
        typed | block | beam.ParDo(_Keep())
    else:
        with rejects:
            typed | block | beam.ParDo(_Keep())
    pipeline.run().wait_until_finish()
    return [row for batch in SEEN for row in batch.to_pylist()]


def told(rows: list[dict[str, Any]], *reasons: str) -> list[tuple[Any, ...]]:
    """(user, seconds after the start, revision, reason, n, spend) of rows with some reasons; all but expiry."""
    found = []
    for row in rows:
        if (row["reason"] == "expiry" and not reasons) or (reasons and row["reason"] not in reasons):
            continue
        at = (row["as_of"] - datetime.fromtimestamp(START, UTC)).total_seconds()
        found.append((row["user_id"], round(at, 6), row["revision"], row["reason"], row["n"], row["spend"]))
    return sorted(found)


TICK = 1e-6


def test_every_event_gives_a_row_and_a_late_one_corrects_those_after_it() -> None:
    rows = streamed(
        [events(("a", 10, "1", 5), ("b", 11, "2", 7)), events(("a", 20, "3", 1)), events(("a", 15, "4", 2))],
        {"on_event": True},
    )
    assert told(rows) == [
        ("a", 10 + TICK, 0, "event", 1, 5),
        ("a", 15 + TICK, 0, "event", 2, 7),
        ("a", 20 + TICK, 0, "event", 2, 6),
        ("a", 20 + TICK, 1, "correction", 3, 8),
        ("b", 11 + TICK, 0, "event", 1, 7),
    ]


def test_state_survives_bundles_and_counts_no_event_twice() -> None:
    one = events(("a", 10, "1", 5))
    rows = streamed([one, one, events(("a", 12, "2", 1)), one], {"on_event": True})
    assert told(rows) == [("a", 10 + TICK, 0, "event", 1, 5), ("a", 12 + TICK, 0, "event", 2, 6)]


def test_events_become_tiles_and_leave_with_their_window() -> None:
    steps = [events(("a", float(second), str(second), 1)) for second in range(0, 300, 7)]
    rows = told(streamed(steps, {"on_event": True}))
    for number, row in enumerate(rows):
        second = number * 7
        begin = math.floor((second + TICK - 60) / 10) * 10
        wanted = sum(1 for other in range(0, second + 1, 7) if other >= begin)
        assert row == ("a", round(second + TICK, 6), 0, "event", wanted, wanted)


def test_a_row_is_late_by_the_events_of_its_key_and_not_by_the_watermark(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path, run_id="run")
    rows = streamed(
        [
            events(("a", 100, "1", 5)),
            200.0,
            # Behind the watermark, and not late: of `a` within 30 s, of `b` the first.
            events(("a", 70, "2", 5), ("a", 69, "3", 5), ("b", 10, "4", 5)),
            # The clock is that of the rows before it.
            events(("b", 50, "5", 5), ("b", 19, "6", 5), ("b", 10, "7", 5)),
        ],
        {"on_event": True},
        rejects,
    )
    assert [row[:2] for row in told(rows, "event")] == [
        ("a", 70 + TICK),
        ("a", 100 + TICK),
        ("b", 10 + TICK),
        ("b", 50 + TICK),
    ]
    found = pq.read_table(tmp_path).select(["code", "record"]).to_pylist()
    assert [one["code"] for one in found] == ["late"] * 3
    assert sorted(
        part for one in found for part in ('"id": "3"', '"id": "6"', '"id": "7"') if part in one["record"]
    ) == [
        '"id": "3"',
        '"id": "6"',
        '"id": "7"',
    ]


def test_an_event_far_ahead_of_the_clock_is_rejected_before_it_moves_the_key(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path, run_id="run")
    rows = streamed(
        [events(("a", 10, "1", 5), ("a", 100_000, "2", 5)), events(("a", 11, "3", 1))],
        {"on_event": True},
        rejects,
        ahead="1h",
    )
    assert told(rows) == [("a", 10 + TICK, 0, "event", 1, 5), ("a", 11 + TICK, 0, "event", 2, 6)]
    assert pq.read_table(tmp_path).column("code").to_pylist() == ["too_early"]


def test_a_condition_fires_and_is_corrected() -> None:
    rows = streamed(
        [events(("a", 10, "1", 5)), events(("a", 20, "2", 5)), events(("a", 15, "3", 5))], {"on_condition": "n >= 2"}
    )
    assert told(rows) == [
        ("a", 15 + TICK, 0, "condition", 2, 10),
        ("a", 20 + TICK, 0, "condition", 2, 10),
        ("a", 20 + TICK, 1, "correction", 3, 15),
    ]


def test_the_end_of_a_window_gives_a_row_when_the_watermark_passes_it_and_later_events_correct_it() -> None:
    rows = streamed([events(("a", 10, "1", 5)), 59.0, 61.0, events(("a", 50, "2", 1)), 400.0], {"at_window_end": "1m"})
    assert told(rows) == [("a", 60, 0, "window_end", 1, 5), ("a", 60, 1, "correction", 2, 6)]


def test_state_is_freed_after_its_time_and_the_key_says_so() -> None:
    rows = streamed([events(("a", 10, "1", 5)), 309.0, 330.0, events(("a", 400, "2", 7))], {"on_event": True})
    assert told(rows) == [("a", 10 + TICK, 0, "event", 1, 5), ("a", 400 + TICK, 0, "event", 1, 7)]
    assert told(rows, "expiry") == [("a", 310 + TICK, 0, "expiry", 0, None), ("a", 700 + TICK, 0, "expiry", 0, None)]


def test_processing_time_gives_rows_of_keys_with_events_in_reach() -> None:
    CLOCK[0] = (START + 30) * 1_000_000
    rows = streamed([events(("a", 10, "1", 5)), "3600"], {"every": "20s"})
    CLOCK[0] = START * 1_000_000
    assert told(rows, "timer")[:1] == [("a", 40, 0, "timer", 1, 5)]


def test_a_key_without_events_for_a_while_gives_one_row() -> None:
    CLOCK[0] = (START + 30) * 1_000_000
    rows = streamed([events(("a", 10, "1", 5)), events(("a", 12, "2", 5)), "3600", "3600"], {"after_idle": "15s"})
    CLOCK[0] = START * 1_000_000
    assert told(rows) == [("a", 45, 0, "idle", 2, 10)]
