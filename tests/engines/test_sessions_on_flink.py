"""SessionizeEvents on Flink as a stream: the last revision of every session is what a batch gives."""

import re
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from sql_streams import POLICY, Bounded, Event, Stream, result

from blocks.aggregating.sessionize_events import SessionizeEvents
from blocks.engines.flink import FlinkServer

DEFINITION = {
    "entity": {"key": "k"},
    "source": {"identity": ["name"]},
    "session": {"gap": "20s", "max_events": 4},
    "features": [{"name": "different", "op": "approx_unique_count", "column": "name"}],
    "events": ["at", "name"],
    "lateness": "1m",
    "ahead": "36500d",
    "state_ttl": "10m",
}
# Of key 1 the event at 25 joins the two sessions that went out, of key 2 that at 50 moves a cut of `max_events`; 40
# comes twice, and 400 closes what is left before the watermark does.
EVENTS: list[Event] = [
    [(1, 0), (1, 10), (2, 40), (1, 40), (2, 52)],
    70,
    [(2, 56), (2, 60), (2, 64)],
    90,
    [(1, 25), (2, 50), (2, 40)],
    200,
    [(1, 400)],
    700,
]


def sessions(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
    return pipeline | source(EVENTS) | SessionizeEvents(DEFINITION, policy=POLICY, shards=2)


def last(rows: list[str]) -> dict[str, str]:
    """Of each session the values of the highest revision; without those that were taken back."""
    found: dict[str, tuple[int, str, str]] = {}
    for row in rows:
        name, revision, reason = (re.search(rf"{word}=(\w+)", row)[1] for word in ("session_id", "revision", "reason"))
        if int(revision) >= found.get(name, (-1, "", ""))[0]:
            found[name] = (int(revision), reason, re.sub(r"(revision|reason)=\w+ ", "", row))
    return {name: values for name, (_, reason, values) in found.items() if reason != "deletion"}


@pytest.mark.flink
def test_the_last_revisions_of_a_stream_are_the_sessions_of_a_batch(flink: FlinkServer, tmp_path: Path) -> None:
    wanted = last(result(sessions, Bounded, FnApiRunner(), [], tmp_path / "local"))
    assert len(wanted) == 4
    one_by_one = ["--parallelism=1", "--max_bundle_size=1", "--streaming"]
    options = [f"--job_endpoint={flink.endpoint}", "--environment_type=LOOPBACK", *one_by_one]
    rows = result(sessions, Stream, PortableRunner(), options, tmp_path / "stream")
    assert last(rows) == wanted
    # Some sessions went out before the late events came.
    assert any("reason=deletion" in row for row in rows)
    assert any("reason=correction" in row for row in rows)
