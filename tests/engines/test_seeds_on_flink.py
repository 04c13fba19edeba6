"""A stream on Flink that begins with partial aggregates: with the rows of the backfill it is a batch over all."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from sql_streams import POLICY, Bounded, Event, Stream, result
from test_aggregations_on_flink import DEFINITION, ONE_BY_ONE, last

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.aggregating.seed_aggregates import SeedAggregates
from blocks.engines.flink import FlinkServer

WITH_PARTIALS = {"destinations": POLICY["destinations"] | {"partials": POLICY["destinations"]["state"]}}
PAST: list[Event] = [[(1, 0), (2, 10), (1, 35)], [(1, 40), (2, 50)], [(1, 130), (3, 5)]]
# Of the past (50 and 130), late for its rows (95), new.
LIVE: list[Event] = [[(1, 130), (2, 50)], [(1, 95), (4, 100)], 120, [(2, 140), (1, 150)], 600]


def whole(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
    return pipeline | source(PAST + LIVE) | AggregateEvents(DEFINITION, policy=POLICY, shards=2)


def backfill(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
    return pipeline | source(PAST) | AggregateEvents(DEFINITION, policy=POLICY, shards=2)


def seeded(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
    seed = pipeline | "Past" >> Bounded(PAST) | SeedAggregates(DEFINITION, policy=WITH_PARTIALS, shards=3)
    return pipeline | source(LIVE) | AggregateEvents(DEFINITION, policy=WITH_PARTIALS, shards=2, seed=seed)


@pytest.mark.flink
def test_a_backfill_and_then_a_stream_give_the_rows_of_a_batch(flink: FlinkServer, tmp_path: Path) -> None:
    wanted = last(result(whole, Bounded, FnApiRunner(), [], tmp_path / "whole"))
    past = result(backfill, Bounded, FnApiRunner(), [], tmp_path / "past")
    options = [f"--job_endpoint={flink.endpoint}", *ONE_BY_ONE]
    live = result(seeded, Stream, PortableRunner(), options, tmp_path / "live")
    assert last(past + live) == wanted
    assert len(wanted) == 11
    # A row of the backfill that a late event of the stream changes.
    assert any("revision=1 reason=correction" in row for row in live)
    # What the backfill has is no event again.
    assert not any("reason=event" in row and "revision=0" in row and row in past for row in live)
