"""SessionizeEvents on a stream, through Beam: state, timers, corrections, rejects."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blocks.catalog.model import Revised
from blocks.core.errors import ConfigError
from blocks.core.rejects import Rejects
from blocks.testing.comparing import settled
from tests.aggregating.visits import SEEN, START, batch, event, run, streamed, told


def test_the_watermark_gives_the_session_of_a_silent_key_and_later_events_correct_it() -> None:
    rows = streamed(
        [
            batch(event("a", 0, "1")),
            29.0,
            batch(event("a", 10, "2")),
            # Timers wait for each other up to a sixteenth of the gap.
            43.0,
            batch(event("a", 15, "3")),
            60.0,
        ]
    )
    assert told(rows) == [
        ("a", 0, 10, 2, "gap", 0, "watermark"),
        ("a", 0, 15, 3, "gap", 1, "correction"),
    ]


def test_a_session_that_joins_another_is_taken_back() -> None:
    rows = streamed([batch(event("a", 0, "1"), event("a", 35, "2")), 68.0, batch(event("a", 28, "3")), 90.0])
    assert told(rows) == [
        ("a", 0, 0, 1, "gap", 0, "watermark"),
        ("a", 35, 35, 1, "gap", 0, "watermark"),
        ("a", 35, 35, 0, None, 1, "deletion"),
        ("a", 0, 35, 3, "gap", 1, "correction"),
    ]
    assert rows[2]["errors"] == 0
    assert rows[2]["landing"] is None


def test_a_session_that_is_settled_by_later_events_does_not_wait_for_the_watermark() -> None:
    rows = streamed([batch(event("a", 0, "1")), batch(event("a", 40, "2")), batch(event("a", 41, "3"))])
    assert told(rows)[0] == ("a", 0, 0, 1, "gap", 0, "closed")


def test_with_final_every_session_goes_out_once() -> None:
    rows = streamed(
        [batch(event("a", 0, "1")), 35.0, batch(event("a", 5, "2")), 50.0, batch(event("a", 46, "3"))], emit="final"
    )
    assert told(rows) == [
        ("a", 0, 5, 2, "gap", 0, "closed"),
        ("a", 46, 46, 1, "gap", 0, "expiry"),
    ]


def test_state_is_freed_and_the_key_starts_again() -> None:
    rows = streamed([batch(event("a", 0, "1")), 140.0, batch(event("a", 0, "1")), 200.0])
    # Nobody remembers the event: it is the same session, as far as anyone can tell.
    assert told(rows) == [("a", 0, 0, 1, "gap", 0, "watermark")] * 2
    assert rows[0] == rows[1]


def test_a_stream_gives_what_a_batch_does() -> None:
    random_ = random.Random(7)
    visits = [
        event(
            random_.choice("abc"), number + random_.randint(-9, 0), str(number), random_.choice(["/", "/a", "/logout"])
        )
        for number in range(300)
    ]
    steps: list[pa.RecordBatch | float] = []
    for start in range(0, 300, 25):
        steps += [batch(*visits[start : start + 25]), float(start + 40)]
    last: dict[str, dict[str, Any]] = {}
    for row in streamed(steps):
        last[row["session_id"]] = row
    how = ("revision", "reason")
    found = sorted(
        str({name: one for name, one in row.items() if name not in how})
        for row in last.values()
        if row["reason"] != "deletion"
    )
    assert found == sorted(str({name: one for name, one in row.items() if name not in how}) for row in run(visits))


def test_what_cannot_be_an_event_of_a_stream_is_rejected_with_its_reason(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path, run_id="run")
    now = round((START + 20 * 60) * 1_000_000)
    rows = streamed(
        [
            batch(event("a", 20, "1"), event("a", 9, "2"), event("a", 200, "3"), event("a", 20, "1", "/x")),
            batch(event(None, 20, "4"), event("a", 20, None)),
        ],
        rejects,
        clock=lambda: now,
        ahead="1h",
    )
    assert [row[:4] for row in told(rows)] == [("a", 20, 20, 1)]
    assert sorted(pq.read_table(tmp_path).column("code").to_pylist()) == [
        "conflict", "late", "null_event_id", "null_key", "too_early",
    ]  # fmt: skip


def test_of_rows_that_were_revised_those_that_are_taken_back_are_left_out() -> None:
    rows = streamed([batch(event("a", 0, "1"), event("a", 35, "2")), 68.0, batch(event("a", 28, "3")), 90.0])
    assert len(rows) == 4
    revised = Revised(column="revision", reason="reason", takes_back=("deletion",))
    settled_rows = [one.to_pylist()[0] for _, one in settled([("", found) for found in SEEN], revised)]
    assert [one["event_count"] for one in settled_rows] == [3]


def test_a_stream_without_a_bound_on_sessions_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing bounds a session"):
        streamed([batch(event("a", 0, "1"))], session={"gap": "30m"})
