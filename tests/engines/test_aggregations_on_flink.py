"""AggregateEvents on Flink as a stream: the last revision of every row is what a batch gives."""

import re
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from sql_streams import POLICY, Bounded, Event, Stream, result

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.engines.flink import FlinkServer

DEFINITION = {
    "entity": {"key": "k"},
    "source": {"identity": ["name"]},
    "features": [
        {"name": "n", "op": "count", "window": "1m", "hop": "10s"},
        {"name": "different", "op": "approx_unique_count", "column": "name", "window": "1m", "hop": "10s"},
        {"name": "names", "op": "last_k", "column": "name", "k": 2, "window": "all"},
    ],
    "emit": {"on_event": True},
    "lateness": "1m",
    "ahead": "36500d",
    "state_ttl": "10m",
}
# Late by the watermark and in time by the contract (45, 90), twice (10), and a gap after which tiles have gone.
EVENTS: list[Event] = [
    [(1, 0), (2, 10), (1, 35)],
    30,
    [(1, 40), (2, 50), (2, 10)],
    90,
    [(1, 45), (2, 95)],
    120,
    [(2, 90), (1, 130), (1, 101)],
    400,
    [(1, 500), (2, 505)],
    600,
]


def features(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
    return pipeline | source(EVENTS) | AggregateEvents(DEFINITION, policy=POLICY, shards=2)


def last(rows: list[str]) -> dict[str, str]:
    """Of each key and moment the values of the highest revision; without the last rows of keys that ended."""
    found: dict[str, tuple[int, str]] = {}
    for row in rows:
        key, revision, reason, values = re.fullmatch(r"(.*) revision=(\d+) reason=(\w+) (.*)", row).groups()
        if reason != "expiry" and int(revision) >= found.get(key, (-1, ""))[0]:
            found[key] = (int(revision), values)
    return {key: values for key, (_, values) in found.items()}


@pytest.mark.flink
def test_the_last_revisions_of_a_stream_are_the_rows_of_a_batch(flink: FlinkServer, tmp_path: Path) -> None:
    wanted = last(result(features, Bounded, FnApiRunner(), [], tmp_path / "local"))
    assert len(wanted) == 12
    one_by_one = ["--parallelism=1", "--max_bundle_size=1", "--streaming"]
    options = [f"--job_endpoint={flink.endpoint}", "--environment_type=LOOPBACK", *one_by_one]
    rows = result(features, Stream, PortableRunner(), options, tmp_path / "stream")
    assert last(rows) == wanted
    # Some rows went out before the late events came.
    assert any("revision=1 reason=correction" in row for row in rows)
    assert sum("reason=expiry" in row for row in rows) == 2
