"""The same law through Beam: TestStream, with its watermark and timers, a batch pipeline, and the fold."""

import itertools
import tempfile
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from hypothesis import HealthCheck, Phase, given, settings

from blocks.aggregating import tiling
from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard import Shard
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.rejects import Rejects
from tests.aggregating.event_cases import (
    SECOND,
    accepted_of,
    assert_same_bytes,
    batch_of,
    events_of,
    wanted_of,
)
from tests.aggregating.stream_cases import FAR, History, Sink, histories, history_of, in_time
from tests.oracles.aggregation import Event

# What the last step saw: both runners work in this process.
SEEN: list[pa.RecordBatch] = []


@pytest.fixture(autouse=True, scope="module")
def _tiles_of_few_events() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shard.__init__, "__defaults__", (1,))
        yield


class _Keep(beam.DoFn):
    def process(self, element: Any) -> None:
        SEEN.append(element)


def clock() -> int:
    return FAR


def streamed(history: History) -> Sink:
    """What a sink holds after a stream, with a row of every key at each step of event time too."""
    rows, marks = history.rows, history.marks
    passed = _timestamp(min(row["at"] for row in rows) - 1)
    stream = TestStream(coder=BatchCoder(history.schema)).advance_watermark_to(passed)
    bounds = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in history.cuts)})
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        batch = batch_of(rows[start:stop], history.schema)
        at = _timestamp(min(row["at"] for row in rows[start:stop]))
        stream = stream.add_elements([TimestampedValue(batch, at)])
        # As far as the events that are still to come allow.
        allowed = _timestamp(min((row["at"] for row in rows[stop:]), default=0))
        if marks[number % len(marks)] % 4 and stop < len(rows) and allowed > passed:
            stream, passed = stream.advance_watermark_to(allowed), allowed
    stream = stream.advance_watermark_to_infinity()
    definition = history.definition(on_event=True, at_window_end=f"{5 * history.unit}s")
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(streaming=True))
    # Of TestStream itself no type can be declared.
    events = pipeline | stream | beam.Map(lambda one: one).with_output_types(BatchType(history.schema))
    sink = Sink()
    sink.take_rows(_ran(pipeline, events, definition))
    return sink


def batched(history: History, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a batch pipeline, in several batches and another order."""
    batches = [batch_of(rows[part::3][::-1], history.schema) for part in range(3) if rows[part::3]]
    pipeline = beam.Pipeline(runner=FnApiRunner())
    events = pipeline | beam.Create(batches).with_output_types(BatchType(history.schema))
    return _ran(pipeline, events, history.definition())


def _ran(pipeline: beam.Pipeline, events: Any, definition: dict[str, Any]) -> list[dict[str, Any]]:
    SEEN.clear()
    with tempfile.TemporaryDirectory() as folder:
        rejects = Rejects(folder, run_id="run")
        with rejects:
            events | AggregateEvents(definition, clock=clock, rejects=rejects, shards=2) | beam.ParDo(_Keep())
        pipeline.run().wait_until_finish()
    return [row for batch in SEEN for row in batch.to_pylist()]


def _timestamp(micros: int) -> Timestamp:
    # TestStream has whole milliseconds.
    return Timestamp(micros=micros // 1000 * 1000)


def check(history: History) -> None:
    """The stream's last revisions and the batch's rows are the fold, to the last bit."""
    plan = history.plan()
    events = events_of(plan, history.rows)
    arrived, _ = in_time(events, history.lateness)
    kept, _ = accepted_of(plan, arrived)
    sink, batch = streamed(history), Sink()
    batch.take_rows(batched(history, [one.columns for one in arrived]))
    assert set(batch.rows) == {(one.key, one.time + 1) for one in kept}
    assert set(batch.rows) <= set(sink.rows)
    for rows in (sink.rows, batch.rows):
        _compare(plan, rows, kept)


def _compare(plan: Plan, rows: dict[tuple[Any, int], dict[str, Any]], kept: list[Event]) -> None:
    columns = [pa.array([row[one.feature.name] for row in rows.values()], one.field.type) for one in plan.outputs]
    wanted, cut = wanted_of(plan, kept, list(rows))
    assert_same_bytes(plan, list(rows), columns, wanted)
    assert [row["truncated"] for row in rows.values()] == cut


# A smaller case would cost some hundred pipelines.
FOUND_ONCE = settings(suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None)


@settings(FOUND_ONCE, max_examples=3)
@given(histories(16))
def test_a_test_stream_and_a_batch_pipeline_give_the_bytes_of_the_fold(history: History) -> None:
    check(history)


@pytest.mark.slow
@pytest.mark.laws
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("part", range(4))
def test_test_streams_and_batch_pipelines_give_the_bytes_of_the_fold(part: int) -> None:
    @settings(FOUND_ONCE, max_examples=20)
    @given(histories(60))
    def holds(history: History) -> None:
        check(history)

    holds()


# A count of 20 s in tiles of 5 s, and of all time; events every 3 s, in bundles of many times the lateness.
AHEAD = history_of(
    bytes(6),
    [bytes([0, 1, 1, 0, 0, 0, 0, 0]), bytes([0, 3, 0, 0, 0, 0, 0, 0])],
    [bytes([5, *bytes(24)]) for _ in range(40)],
    bytes([15, 30]),
    bytes([1, 1, 1, 1, 1, 1, 1, 1]),
)


def check_steps() -> None:
    """Every step with an event within reach has its row: the last is that of two minutes ago, `state_ttl`."""
    check(AHEAD)
    rows = streamed(AHEAD).rows
    assert {("a", second * SECOND) for second in range(5, 245, 5)} <= set(rows)
    assert rows["a", 240 * SECOND + 1]["reason"] == "expiry"


def test_steps_of_event_time_are_right_where_the_watermark_is_far_behind_a_key() -> None:
    check_steps()


def test_tiles_that_are_made_before_the_watermark_is_there_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = tiling.Tiler.__call__
    monkeypatch.setattr(tiling.Tiler, "__call__", lambda self, state, asked_from: right(self, state, FAR))
    with pytest.raises(AssertionError):
        check_steps()
