"""AggregateEvents on Flink as a stream: the last revision of every row is what a batch gives."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import apache_beam as beam
import pytest
from aggregation_streams import (
    DEFINITIONS,
    SOURCE,
    accepted,
    build,
    check_law,
    check_wall_clock,
    events_out_of_order,
    steps_of,
    wall_clock,
)
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineState
from sql_streams import POLICY, Bounded, Event, Stream, result

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.engines.flink import FlinkServer
from blocks.engines.quiet import quiet_workers

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


ONE_BY_ONE = ["--environment_type=LOOPBACK", "--parallelism=1", "--max_bundle_size=1", "--streaming"]


@pytest.mark.flink
def test_the_last_revisions_of_a_stream_are_the_rows_of_a_batch(flink: FlinkServer, tmp_path: Path) -> None:
    wanted = last(result(features, Bounded, FnApiRunner(), [], tmp_path / "local"))
    assert len(wanted) == 12
    options = [f"--job_endpoint={flink.endpoint}", *ONE_BY_ONE]
    rows = result(features, Stream, PortableRunner(), options, tmp_path / "stream")
    assert last(rows) == wanted
    # Some rows went out before the late events came.
    assert any("revision=1 reason=correction" in row for row in rows)
    assert sum("reason=expiry" in row for row in rows) == 2


@pytest.mark.flink
@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_last_revision_of_a_random_stream_is_what_a_batch_gives(
    name: str, flink: FlinkServer, tmp_path: Path
) -> None:
    events = events_out_of_order(seed=1, count=120)
    kept, late = accepted(events)
    assert len(late) > 10
    definition = {**SOURCE, **DEFINITIONS[name]}
    options = PipelineOptions([f"--job_endpoint={flink.endpoint}", *ONE_BY_ONE])
    pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
    run = build(pipeline, definition, steps_of(events, Random(1)), tmp_path / "stream")
    pipeline.run().wait_until_finish()
    assert run.late() == sorted(late)
    check_law(run, definition, kept, tmp_path / "batch")


@pytest.mark.flink
def test_the_wall_clock_gives_rows_every_so_often_and_after_idle_time(flink: FlinkServer, tmp_path: Path) -> None:
    definition, steps, events = wall_clock()
    # With checkpoints Flink keeps its sources, and a timer of the wall clock has its time.
    options = PipelineOptions([f"--job_endpoint={flink.endpoint}", *ONE_BY_ONE], checkpointing_interval=1000)
    pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
    run = build(pipeline, definition, steps, tmp_path / "stream")
    with quiet_workers():
        job = pipeline.run()
        run.wait_for_the_end(steps, lambda: PipelineState.is_terminal(job.state))
        job.cancel()
        with pytest.raises(RuntimeError, match="CANCELLED"):
            job.wait_until_finish()
    check_wall_clock(run, definition, events, tmp_path / "batch")
