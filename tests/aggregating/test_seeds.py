"""A backfill and then a stream: together they give what a stream from the beginning would have given."""

import copy
import io
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from hypothesis import Phase, given, settings

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.aggregating.emitting import Emitter, reasons_of
from blocks.aggregating.evaluating import Evaluation
from blocks.aggregating.events import accept
from blocks.aggregating.partials import Partials
from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.aggregating.seed_aggregates import SeedAggregates
from blocks.aggregating.seeding import check_seed
from blocks.aggregating.shard import Shard
from blocks.aggregating.shard_state import ShardState
from blocks.aggregating.state_evaluation import StateEvaluation
from blocks.core import labels
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.errors import ConfigError, PrivacyError, SchemaError
from blocks.core.policy import read_policy
from blocks.core.rejects import Rejects
from blocks.reading.read_parquet import ReadParquet
from blocks.writing.warehouse import WriteWarehouse, read_table
from tests.aggregating.event_cases import accepted_of, events_of, key_of, projected_of
from tests.aggregating.stream_cases import FAR, History, Ran, Sink, histories, in_time
from tests.aggregating.test_laws import check_rows, check_values

START = 1_767_225_600  # 2026-01-01, in seconds
SCHEMA = labels.with_event_time(
    pa.schema(
        [("user_id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("id", pa.string()), ("amount", pa.int32())]
    ),
    "at",
)
DEFINITION: dict[str, Any] = {
    "entity": {"key": "user_id"},
    "source": {"event_id": "id"},
    "features": [
        {"name": "n", "op": "count", "window": "1m", "hop": "10s"},
        {"name": "spend", "op": "sum", "column": "amount", "window": "1m", "hop": "10s"},
        {"name": "last", "op": "last_k", "column": "amount", "k": 3, "window": "all"},
    ],
    "emit": {"on_event": True},
    "lateness": "30s",
    "state_ttl": "5m",
    "ahead": "36500d",
}
# What the step at the end saw: this runner works in this process.
SEEN: list[pa.RecordBatch] = []


def stored(rows: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Rows as a table gives them back."""
    content = io.BytesIO()
    pq.write_table(pa.Table.from_batches([rows]), content)
    return pq.read_table(content).to_batches(max_chunksize=2)


def backfilled(plan: Plan, rows: pa.RecordBatch, sink: Sink) -> ShardState:
    """Puts the rows of a batch into a sink; the state that a stream gets from its partial aggregates."""
    accepted, shard, partials = accept(rows, plan.keys), Shard(plan, least=1), Partials(plan)
    events = accepted.events
    values = Evaluation(plan, events).at(events.code, events.times + 1)
    keys = events.keys.take(pa.array(events.code))
    found = Emitter(plan).rows(keys, events.times + 1, values, reasons_of("event", len(events)))
    # Events of one key and time are one row.
    sink.take_rows(list({(key_of(row, row), row["as_of"]): row for row in found.to_pylist()}.values()))
    nothing = np.zeros(0, np.int64)
    return partials.state(stored(partials.rows(shard.begin(accepted, nothing, nothing))))


def check(history: History) -> None:
    """A part of the events as a batch, the others as a stream that begins with its partial aggregates."""
    plan = history.plan()
    projected, events = projected_of(plan, history.rows), events_of(plan, history.rows)
    place = {id(one): number for number, one in enumerate(events)}
    arrived, _ = in_time(events, history.lateness)
    rows = projected.take(pa.array([place[id(one)] for one in arrived], pa.int64()))
    cut = history.jitter[0] * len(arrived) // 255
    ran, shard = Ran(Sink()), Shard(plan, least=1)
    state = backfilled(plan, rows.slice(0, cut), ran.sink)
    step = 1 + history.jitter[1] % 5
    for start in range(cut, rows.num_rows, step):
        given = shard.arrive(state, rows.slice(start, min(step, rows.num_rows - start)), FAR)
        ran.sink.take(given)
        state = shard.coder.decode(shard.coder.encode(given.state))
    kept, _ = accepted_of(plan, arrived, rows)
    check_rows(ran, {(one.key, one.time + 1) for one in kept})
    check_values(plan, rows, kept, ran)


@settings(max_examples=100)
@given(histories())
def test_a_backfill_and_then_a_stream_give_the_fold(history: History) -> None:
    check(history)


@pytest.mark.slow
@settings(max_examples=1000)
@given(histories())
def test_a_backfill_and_then_a_stream_give_the_fold_at_length(history: History) -> None:
    check(history)


def test_a_seed_without_the_rows_that_went_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Partials.rows

    def forgetful(self: Partials, state: ShardState) -> pa.RecordBatch:
        none = np.zeros(0, np.int64)
        out = {"out_code": none, "out_as_of": none, "out_revision": none, "out_content": np.zeros(0, "S16")}
        lost = copy.copy(state)
        for name, value in out.items():
            object.__setattr__(lost, name, value)
        return right(self, lost)

    monkeypatch.setattr(Partials, "rows", forgetful)
    # Found is enough: the smallest case of it takes as long again.
    planted = settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        planted(given(histories())(check))()


def events(*rows: tuple[str, float, str, int]) -> pa.RecordBatch:
    content = [
        {"user_id": user, "at": int((START + at) * 1_000_000), "id": name, "amount": amount}
        for user, at, name, amount in rows
    ]
    return pa.RecordBatch.from_pylist(content, schema=SCHEMA)


PAST = [("a", 0, "1", 1), ("a", 20, "2", 2), ("b", 25, "3", 4), ("a", 50, "4", 8), ("c", 0, "5", 16)]
# Late for what went out (a at 45), one that the past has already (a at 50), of a new key, and after a pause.
LIVE = [("a", 45, "6", 32), ("a", 50, "4", 8), ("d", 50, "7", 64), ("b", 70, "8", 128), ("a", 300, "9", 256)]


class _Keep(beam.DoFn):
    def process(self, element: Any) -> None:
        SEEN.append(element)


def seeded(
    path: Path, live: list[Any], definition: Any = DEFINITION, *, rejects: Path | None = None, **more: Any
) -> list[dict[str, Any]]:
    """Runs a stream that begins with the partial aggregates under a path."""
    SEEN.clear()
    table = pq.read_table(path)
    stream = TestStream(coder=BatchCoder(SCHEMA)).advance_watermark_to(START - 1000)
    for row in live:
        if isinstance(row, int):
            stream = stream.advance_watermark_to(row)
        else:
            stream = stream.add_elements([TimestampedValue(events(row), START + row[1])])
    options = PipelineOptions(["--streaming", "--allow_unsafe_triggers"])
    # Each bundle of this runner writes rejects of its own.
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as pipeline, ExitStack() as stack:
        handler = None if rejects is None else stack.enter_context(Rejects(rejects))
        past = pipeline | "Past" >> beam.Create(table.to_batches()).with_output_types(BatchType(table.schema))
        given = pipeline | stream.advance_watermark_to_infinity() | "Events" >> _typed()
        block = AggregateEvents(definition, seed=past, rejects=handler, **more)
        given | block | "Keep" >> beam.ParDo(_Keep())
    return [row for batch in SEEN for row in batch.to_pylist()]


def _typed() -> Any:
    return beam.Map(lambda batch: batch).with_output_types(BatchType(SCHEMA))


def created(*rows: tuple[str, float, str, int]) -> Any:
    """A source of bounded events."""
    return beam.Create([events(row) for row in rows]).with_output_types(BatchType(SCHEMA))


def batch_of(rows: list[Any], block: beam.PTransform, folder: Path) -> Path:
    """What a block gives for a batch of events, as a file."""
    SEEN.clear()
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        given = pipeline | created(*rows)
        given | block | "Keep" >> beam.ParDo(_Keep())
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_batches(SEEN), path)
    return path


def last(rows: list[dict[str, Any]]) -> dict[Any, Any]:
    """Of each key and moment the features of the highest revision."""
    found: dict[Any, Any] = {}
    for row in sorted(rows, key=lambda row: row["revision"]):
        if row["reason"] != "expiry":
            found[row["user_id"], row["as_of"]] = (row["n"], row["spend"], row["last"], row["truncated"])
    return found


def test_rows_of_a_backfill_and_of_a_stream_are_those_of_a_batch_of_all(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    past = pq.read_table(batch_of(PAST, AggregateEvents(DEFINITION), tmp_path)).to_pylist()
    whole = pq.read_table(batch_of(PAST + LIVE, AggregateEvents(DEFINITION), tmp_path / "all")).to_pylist()
    seed = batch_of(PAST, SeedAggregates(DEFINITION, shards=3), tmp_path)
    live = seeded(seed, LIVE, shards=5)
    assert last(past + live) == last(whole)
    assert len(last(whole)) == 9
    # The row of the batch that the late event changes comes again, and the event that the batch has does not.
    corrected = [(row["user_id"], row["revision"], row["spend"]) for row in live if row["reason"] == "correction"]
    assert corrected == [("a", 1, 1 + 2 + 8 + 32)]


def test_rows_at_the_end_of_windows_go_on_where_the_range_of_the_batch_ended(tmp_path: Path) -> None:
    definition = {**DEFINITION, "emit": {"at_window_end": "10s"}, "lateness": "10s"}
    begin = datetime.fromtimestamp(START, UTC)
    steps = {"start": begin, "every": "10s"}
    past = {**steps, "end": begin + timedelta(seconds=50)}
    (tmp_path / "all").mkdir()
    given = pq.read_table(batch_of(PAST, AggregateEvents(definition, **past), tmp_path)).to_pylist()
    whole = AggregateEvents(definition, **steps, end=begin + timedelta(seconds=120))
    wanted = pq.read_table(batch_of(PAST + LIVE[:4], whole, tmp_path / "all")).to_pylist()
    seed = batch_of(PAST, SeedAggregates(definition, **past), tmp_path)
    live = seeded(seed, [*LIVE[:4], START + 120], definition)
    found = {key: value for key, value in last(given + live).items() if key[1] <= begin + timedelta(seconds=120)}
    assert found == last(wanted)
    assert {row["reason"] for row in live} == {"window_end", "correction", "expiry"}


def test_a_stream_without_any_partial_aggregates_begins_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    seed = batch_of(PAST, SeedAggregates(DEFINITION), tmp_path / "none")
    wanted = pq.read_table(batch_of(LIVE[2:4], AggregateEvents(DEFINITION), tmp_path)).to_pylist()
    pq.write_table(pq.read_table(seed).slice(0, 0), seed)
    assert last(seeded(seed, LIVE[2:4])) == last(wanted)


def test_a_row_tells_of_the_tiles_and_events_of_its_key(tmp_path: Path) -> None:
    rows = pq.read_table(batch_of(PAST, SeedAggregates(DEFINITION), tmp_path)).to_pylist()
    row = next(one for one in rows if one["user_id"] == "a")
    assert row["newest"].timestamp() == START + 50
    assert row["settled"].timestamp() == START + 20
    assert [(one["amount"], one["tiled"]) for one in row["events"]] == [(2, False), (8, False)]
    count = next(name for name in row["tiles_10s"][0] if name.startswith("count_"))
    assert [(one["start"].timestamp() - START, one[count]["count"]) for one in row["tiles_10s"]] == [(0, 1)]
    begin = datetime.fromtimestamp(START, UTC)
    went_out = [(one["as_of"] - begin) // timedelta(microseconds=1) for one in row["emitted"]]
    assert went_out == [20_000_001, 50_000_001]
    assert row["deleted"] is None


def test_a_stream_begins_with_a_table_as_the_page_says(tmp_path: Path) -> None:
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        rows = pipeline | created(*PAST) | SeedAggregates(DEFINITION)
        rows | WriteWarehouse("seeds", warehouse=tmp_path)
    SEEN.clear()
    columns = SeedAggregates(DEFINITION).output_schema(SCHEMA)
    stream = TestStream(coder=BatchCoder(SCHEMA)).advance_watermark_to(START - 1000)
    for row in LIVE:
        stream = stream.add_elements([TimestampedValue(events(row), START + row[1])])
    options = PipelineOptions(["--streaming", "--allow_unsafe_triggers"])
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as pipeline:
        seed = pipeline | ReadParquet(f"{tmp_path}/**/seeds/**/*.parquet", schema=columns)
        given = pipeline | stream.advance_watermark_to_infinity() | "Events" >> _typed()
        given | AggregateEvents(DEFINITION, seed=seed) | "Keep" >> beam.ParDo(_Keep())
    found = [row for batch in SEEN for row in batch.to_pylist()]
    assert [row["spend"] for row in found if row["reason"] == "correction"] == [1 + 2 + 8 + 32]


@pytest.mark.parametrize("kind", ["iceberg", "parquet"])
def test_a_warehouse_table_keeps_partial_aggregates_as_they_are(kind: Any, tmp_path: Path) -> None:
    features = [
        {"name": f"f{number}", "window": "1m", "hop": "10s", **feature}
        for number, feature in enumerate(
            [
                {"op": "approx_unique_count", "column": "amount"},
                {"op": "approx_percentile", "column": "amount", "share": [0.5]},
                {"op": "stddev_pop", "column": "amount"},
                {"op": "max", "column": "amount", "by": "id"},
                {"op": "histogram", "column": "id"},
                {"op": "unique_count", "column": "id", "where": "amount > 1"},
            ]
        )
    ]
    definition = {**DEFINITION, "features": DEFINITION["features"] + features}
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        rows = pipeline | created(*PAST) | SeedAggregates(definition)
        rows | WriteWarehouse("seeds", warehouse=tmp_path, format=kind)
    table = read_table("seeds", warehouse=tmp_path, format=kind)
    plan = make_plan(read_definition(definition), SCHEMA, "AggregateEvents", read_policy(None))
    check_seed(table.schema, plan)
    shard, partials = Shard(plan, least=1), Partials(plan)
    state = partials.state(table.to_batches())
    rows = pa.concat_batches([projected_events(plan, row) for row in PAST])
    nothing = np.zeros(0, np.int64)
    wanted = shard.begin(accept(rows, plan.keys), nothing, nothing)
    order = np.argsort(np.array(state.keys.column(0).to_pylist()))
    assert sorted(state.keys.column(0).to_pylist()) == sorted(wanted.keys.column(0).to_pylist())
    moments = np.full(3, (START + 60) * 1_000_000)
    found = StateEvaluation(plan, state).at(order, moments)
    right = StateEvaluation(plan, wanted).at(np.argsort(np.array(wanted.keys.column(0).to_pylist())), moments)
    assert [one.to_pylist() for one in found.columns] == [one.to_pylist() for one in right.columns]


def projected_events(plan: Plan, row: Any) -> pa.RecordBatch:
    return Projector(plan, "AggregateEvents", "1", None)(events(row))[0]


def test_an_event_that_is_late_for_the_past_is_rejected_as_a_stream_would(tmp_path: Path) -> None:
    seed = batch_of(PAST, SeedAggregates(DEFINITION), tmp_path)
    assert seeded(seed, [("a", 19, "6", 1), ("a", 20, "7", 2)], rejects=tmp_path / "rejects") != []
    found = [row for path in (tmp_path / "rejects").rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert [row["code"] for row in found] == ["late"]


def test_partial_aggregates_of_another_definition_are_refused(tmp_path: Path) -> None:
    other = {**DEFINITION, "features": [{"name": "n", "op": "count", "window": "2m", "hop": "20s"}]}
    seed = batch_of(PAST, SeedAggregates(other), tmp_path)
    with pytest.raises(SchemaError, match="`seed` has no column `tiles_10s`"):
        seeded(seed, LIVE)
    longer = copy.deepcopy(DEFINITION)
    for feature in longer["features"][:2]:
        feature["window"] = "2m"
    seed = batch_of(PAST, SeedAggregates(longer), tmp_path)
    with pytest.raises(Exception, match="partial aggregates of another definition"):
        seeded(seed, LIVE)


def test_two_rows_of_a_key_are_refused(tmp_path: Path) -> None:
    seed = batch_of(PAST, SeedAggregates(DEFINITION), tmp_path)
    pq.write_table(pa.concat_tables([pq.read_table(seed)] * 2), seed)
    with pytest.raises(Exception, match="two rows of partial aggregates for one key"):
        seeded(seed, LIVE)


def test_a_seed_is_for_streams_and_is_made_of_bounded_events() -> None:
    with beam.Pipeline() as pipeline:
        given = pipeline | created(PAST[0])
        seed = given | SeedAggregates(DEFINITION)
        with pytest.raises(ConfigError, match="`seed` is for streams, and these events are bounded"):
            given | "Again" >> AggregateEvents(DEFINITION, seed=seed)
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(["--streaming"]))
    with pytest.raises(ConfigError, match="partial aggregates are of events of the past"):
        pipeline | TestStream(coder=BatchCoder(SCHEMA)) | _typed() | SeedAggregates(DEFINITION)


def test_partial_aggregates_have_the_labels_of_what_they_tell_of_and_their_destination_is_checked() -> None:
    marks = {"user_id": "public", "at": "public", "id": "public", "amount": "pii.amount"}
    schema = pa.schema([labels.with_labels(field, {marks[field.name]}) for field in SCHEMA])
    plan = make_plan(read_definition(DEFINITION), schema, "SeedAggregates", read_policy(None))
    told = {leaf.path: sorted(leaf.labels) for leaf in labels.leaves(Partials(plan).schema)}
    assert all(told.values())
    private = sorted(path for path, found in told.items() if found == ["pii.amount"])
    assert "events[].amount" in private
    assert "emitted[].content" in private
    assert all(".sum_amount" in path or ".last_k_amount" in path for path in private if path.startswith("tiles_"))
    assert any(".count_" in path and found == ["public"] for path, found in told.items())
    policy = {"destinations": {"shuffle": {"labels": {"public": "keep", "pii.amount": "keep"}}}}
    with beam.Pipeline() as pipeline:
        given = pipeline | beam.Create([events(PAST[0]).cast(schema)]).with_output_types(BatchType(schema))
        with pytest.raises(PrivacyError, match="partials"):
            given | SeedAggregates(DEFINITION, policy=policy)


def test_a_masked_event_id_stays_masked_in_partial_aggregates() -> None:
    mask = labels.Masked("hmac", "main", type="string").to_json()
    hidden = {labels.LABEL: "pii.id", labels.MASKED: mask}
    schema = pa.schema([labels.with_labels(field, {"public"}) for field in SCHEMA])
    schema = schema.set(2, labels.put(schema.field("id"), hidden))
    found = {leaf.path: leaf for leaf in labels.leaves(SeedAggregates(DEFINITION).output_schema(schema))}
    told = [leaf for path, leaf in found.items() if leaf.labels == {"pii.id"}]
    # As it is, and as bytes that sort.
    assert len(told) == 2
    assert all(leaf.path.startswith("events[].") and leaf.masked.to_json() == mask for leaf in told)


def test_a_key_called_as_a_column_of_partial_aggregates_is_refused() -> None:
    schema = SCHEMA.set(0, pa.field("newest", pa.string()))
    definition = {**DEFINITION, "entity": {"key": "newest"}}
    with pytest.raises(SchemaError, match="the key `newest` is called as a column of partial aggregates is"):
        SeedAggregates(definition).output_schema(schema)
