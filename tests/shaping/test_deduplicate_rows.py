"""DeduplicateRows and FirstOfKey: one row of each key and time, in batch and in streams."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.internal import pickler
from apache_beam.transforms import window as w
from apache_beam.utils.timestamp import Timestamp
from first_data import SCHEMA, Collect, Row, batch, in_batch, in_stream, moment, oracle, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.core import guards, labels
from blocks.core.batches import AsBatches
from blocks.core.block import pieces
from blocks.core.errors import ColumnError, ConfigError, PrivacyError, RejectedRecordError, SchemaError
from blocks.core.rejects import Rejects
from blocks.core.windows import WindowRows
from blocks.shaping import first_rows, waiting_rows
from blocks.shaping.deduplicate_rows import DeduplicateRows
from blocks.shaping.first_of_key import FirstOfKey
from blocks.shaping.first_options import FirstOptions
from blocks.shaping.waiting_rows import WaitForTime

DAY = 86_400_000_000
SECRET = "zx-marker-7"  # a value that no message may show

ROWS: list[Row] = [("a", 1, "x"), ("a", 1, "y"), ("b", 2, "y"), ("b", 3.5, "z"), ("a", 1, "x"), (None, 1, "x")]
_seconds = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 59.0, 61.75, 3600.0])
_rows = st.lists(st.tuples(st.sampled_from(["a", "b", None]), _seconds, st.sampled_from(["x", "y", ""])), max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Row], list[list[Row] | float]]:
    """Rows, and one of the ways in which they can arrive before the watermark reaches the second of their time."""
    rows = draw(_rows)
    order = draw(st.permutations(rows))
    cuts = sorted(draw(st.sets(st.integers(1, max(len(rows) - 1, 1)), max_size=4)) | {0, len(rows)})
    events: list[list[Row] | float] = []
    watermark = -5
    for start, stop in itertools.pairwise(cuts):
        watermark = draw(st.integers(watermark, min((int(row[1]) for row in order[start:]), default=0) - 1))
        events += [float(watermark), list(order[start:stop])]
    return rows, events


class _Shard:
    """A worker with one shard in the global window, to see what Beam's runners do not show: its state, its timers."""

    def __init__(self, remember: int = DAY, schema: pa.Schema = SCHEMA) -> None:
        options = FirstOptions("Test", "1.0.0", ("key", "at"), "at", remember, 1, "equal", None)
        self.options, self.step = options, WaitForTime(options, schema)
        self.step.setup()
        self.bags: dict[str, list[bytes]] = {"near": [], "far": [], "seen": []}
        self.clock: bytes | None = None
        self.timers: dict[str, Timestamp] = {}
        self.rows: list[pa.RecordBatch] = []
        self.duplicates: list[pa.RecordBatch] = []
        self.reads = 0

    def arrive(self, rows: pa.RecordBatch) -> None:
        element = (0, (rows, self.options.digests(rows).tobytes()))
        cells = [_Cell(self), *(_Bag(self, name) for name in self.bags), _Timer(self, "time"), _Timer(self, "end")]
        self._take(self.step.process(element, Timestamp(0), w.GlobalWindow(), *cells))

    def watermark(self, to: Timestamp) -> None:
        while due := [name for name, at in self.timers.items() if at <= to]:
            name = min(due, key=self.timers.__getitem__)
            call = self.step.at_time if name == "time" else self.step.at_end
            cells = [_Cell(self), *(_Bag(self, name) for name in self.bags), _Timer(self, "time")]
            self._take(call(self.timers.pop(name), w.GlobalWindow(), *cells))

    def _take(self, outputs: Iterator[Any]) -> None:
        for output in outputs:
            tagged = isinstance(output, beam.pvalue.TaggedOutput)
            (self.duplicates if tagged else self.rows).append(output.value.value if tagged else output.value)


class _Cell:
    def __init__(self, shard: _Shard) -> None:
        self._shard = shard

    def read(self) -> bytes | None:
        return self._shard.clock

    def write(self, content: bytes) -> None:
        self._shard.clock = content


class _Bag:
    def __init__(self, shard: _Shard, name: str) -> None:
        self._shard, self._name = shard, name

    def read(self) -> list[bytes]:
        self._shard.reads += sum(map(len, self._shard.bags[self._name]))
        return list(self._shard.bags[self._name])

    def add(self, content: bytes) -> None:
        assert type(content) is bytes
        self._shard.bags[self._name].append(content)

    def clear(self) -> None:
        self._shard.bags[self._name] = []


class _Timer:
    def __init__(self, shard: _Shard, name: str) -> None:
        self._shard, self._name = shard, name

    def set(self, at: Timestamp) -> None:
        self._shard.timers[self._name] = at


_END = w.GlobalWindow().max_timestamp()


def _one_shard(events: Sequence[list[Row] | float]) -> list[Row]:
    shard = _Shard()
    for event in events:
        if isinstance(event, list):
            shard.arrive(batch(event))
        else:
            shard.watermark(Timestamp(event))
    shard.watermark(_END)
    return plain(shard.rows)


def _streamed(events: Sequence[list[Row] | float], **options: Any) -> list[Row]:
    found = Collect()
    given = [batch(event) if isinstance(event, list) else event for event in events]
    in_stream(given, lambda rows: rows | DeduplicateRows("key", **options) | found)
    return plain(found.found)


def _batched(batches: Sequence[pa.RecordBatch], bounded: bool = True, **options: Any) -> list[Row]:
    found = Collect()
    in_batch(batches, lambda rows: rows | DeduplicateRows("key", **options) | found, bounded)
    return plain(found.found)


# The law.


@settings(max_examples=200)
@given(streams())
def test_a_shard_lets_the_rows_of_the_oracle_through_however_they_arrive(
    case: tuple[list[Row], list[list[Row] | float]],
) -> None:
    rows, events = case
    assert _one_shard(events) == oracle(rows)


@settings(max_examples=15)
@given(streams(), st.booleans())
def test_a_stream_lets_the_rows_of_the_oracle_through_however_they_arrive(
    case: tuple[list[Row], list[list[Row] | float]], windowed: bool
) -> None:
    rows, events = case
    found = Collect()
    given = [batch(event) if isinstance(event, list) else event for event in events]

    def build(batches: beam.PCollection) -> Any:
        windows = batches | WindowRows(w.FixedWindows(60)) if windowed else batches
        return windows | DeduplicateRows("key", shards=3) | found

    in_stream(given, build)
    assert plain(found.found) == oracle(rows)


@pytest.mark.slow
@settings(max_examples=200)
@given(streams())
def test_many_streams_let_the_rows_of_the_oracle_through(case: tuple[list[Row], list[list[Row] | float]]) -> None:
    assert _streamed(case[1], shards=3) == oracle(case[0])


@settings(max_examples=10)
@given(_rows.filter(len), st.randoms(use_true_random=False), st.booleans())
def test_batch_lets_the_rows_of_the_oracle_through_in_any_order_and_bundling(
    rows: list[Row], random: Any, bounded: bool
) -> None:
    order = random.sample(rows, len(rows))
    parts = [batch(order[start : start + 3]) for start in range(0, len(order), 3)]
    assert _batched(parts, bounded, shards=3) == oracle(rows)


def test_a_choice_by_arrival_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    # All contents alike: the first that comes stays.
    monkeypatch.setattr(first_rows, "contents", lambda rows: np.zeros(rows.num_rows, "S16"))
    orders: list[list[list[Row] | float]] = [[[("a", 1, "x")], [("a", 1, "y")]], [[("a", 1, "y")], [("a", 1, "x")]]]
    assert _one_shard(orders[0]) != _one_shard(orders[1])


def test_the_row_that_stays_has_the_smallest_content_as_documented() -> None:
    rows: list[Row] = [("a", 1.25, note) for note in ("", "y", "z", "x", "xx")]
    assert oracle(rows) != rows[:1]
    assert _batched([batch(rows)]) == oracle(rows)


# What comes after its time.


def test_a_late_copy_is_a_duplicate_and_a_late_new_row_goes_on() -> None:
    events: list[list[Row] | float] = [[("a", 1, "x")], 10.0, [("a", 1, "x"), ("b", 1, "x"), ("b", 1, "x")], 20.0]
    assert _streamed(events) == [("a", 1, "x"), ("b", 1, "x")]


def test_a_late_copy_with_other_content_does_not_change_what_went_out() -> None:
    first, second = [("a", 1.0, "y")], [("a", 1.0, "x")]
    assert oracle([*first, *second]) == second
    assert _streamed([first, 10.0, second]) == first


def test_a_row_older_than_what_is_remembered_is_rejected(tmp_path: Any) -> None:
    found, rejects = Collect(), Rejects(tmp_path, run_id="run")
    events = [
        batch([("a", 100, "x"), ("a", 200, "x")]),
        150.0,
        batch([("a", 100, SECRET), ("a", 89, "x"), ("a", 91, "x")]),
        250.0,
        batch([("a", 100, "x"), ("a", 195, "x")]),
    ]

    def build(rows: beam.PCollection) -> Any:
        with rejects:
            rows | DeduplicateRows("key", remember="10s", shards=1, rejects=rejects) | found

    in_stream(events, build)
    assert plain(found.found) == [("a", 91, "x"), ("a", 100, "x"), ("a", 200, "x")]
    rejected = pq.read_table(tmp_path / "run").to_pylist()
    assert [(row["block"], row["code"], row["field_path"]) for row in rejected] == [
        ("DeduplicateRows", "late", "at")
    ] * 3
    assert sorted(row["event_time"] for row in rejected) == [moment(89), moment(100), moment(195)]


def test_without_rejects_a_row_that_is_too_late_stops_the_stream() -> None:
    events = [[("a", 100.0, "x")], 150.0, [("a", 1.0, SECRET)]]
    with pytest.raises(RejectedRecordError, match="late: older than") as caught:
        _streamed(events, remember="10s", shards=1)
    assert SECRET not in str(caught.value)


# What is held, and until when.


def test_rows_wait_for_the_second_of_their_time_and_the_timer_holds_the_earliest() -> None:
    shard = _Shard()
    shard.arrive(batch([("a", 7.5, "x"), ("b", 3.25, "x")]))
    assert shard.timers["time"] == Timestamp(3)
    shard.arrive(batch([("c", 5, "x")]))
    assert shard.timers["time"] == Timestamp(3)
    shard.watermark(Timestamp(2.999))
    assert not shard.rows
    shard.watermark(Timestamp(3))
    assert plain(shard.rows) == [("b", 3.25, "x")]
    assert shard.timers["time"] == Timestamp(5)
    shard.arrive(batch([("d", 4.5, "x")]))
    assert shard.timers["time"] == Timestamp(4)


def test_what_goes_on_has_its_own_event_time() -> None:
    found = Collect()
    times = beam.Map(lambda one, at=beam.DoFn.TimestampParam: at).with_output_types(Timestamp)
    in_stream([batch([("a", 3.25, "x")]), batch([("a", 9, "x")])], lambda r: r | DeduplicateRows("key") | times | found)
    assert found.found == [Timestamp(3.25), Timestamp(9)]


def test_state_is_freed_when_nothing_can_be_a_duplicate_any_more() -> None:
    shard = _Shard(remember=60_000_000)
    shard.arrive(batch([("a", 1, "x"), ("b", 1, "x"), ("a", 1, "x")]))
    shard.watermark(Timestamp(1))
    assert shard.bags["near"] == shard.bags["far"] == []
    assert [len(content) for content in shard.bags["seen"]] == [2 * 24]
    shard.watermark(Timestamp(61))
    assert shard.bags["seen"]
    shard.watermark(Timestamp(62))
    assert shard.bags == {"near": [], "far": [], "seen": []}
    assert shard.clock is not None
    assert len(shard.clock) == 40
    assert set(shard.timers) == {"end"}


def test_a_shard_that_is_never_idle_forgets_as_well() -> None:
    shard = _Shard(remember=60_000_000)
    largest = 0
    for second in range(400):
        shard.arrive(batch([("a", second, "x"), ("a", second + 2, "x")]))
        shard.watermark(Timestamp(second))
        largest = max(largest, sum(map(len, shard.bags["seen"])))
    assert largest <= 24 * (60 + 60 / 16 + 2)
    assert len(plain(shard.rows)) == 400


def test_rows_that_wait_are_not_all_read_for_each_second() -> None:
    shard = _Shard()
    for start in range(0, 1000, 50):
        shard.arrive(batch([("a", second, "x") for second in range(start, start + 50)]))
    stored = sum(map(len, shard.bags["far"]))
    for second in range(1000):
        shard.watermark(Timestamp(second))
    assert len(plain(shard.rows)) == 1000
    assert shard.reads < 60 * stored


def test_a_stream_of_one_key_without_event_time_goes_on_at_the_end_of_its_window() -> None:
    schema = pa.schema([field.remove_metadata() for field in SCHEMA])
    found = Collect()
    rows: list[Row] = [("a", 1, "x"), ("a", 2, "y"), ("a", 61, "z")]

    def build(batches: beam.PCollection) -> Any:
        return batches | WindowRows(w.FixedWindows(60), event_time="at") | DeduplicateRows("key") | found

    in_stream([batch(rows[1:], schema), batch(rows[:1], schema)], build, schema)
    first = plain(found.found)
    assert first[0] in rows[:2]
    assert first[1:] == rows[2:]


# Values, types, layouts.


def test_rows_of_different_windows_are_different_rows() -> None:
    found = Collect()
    rows: list[Row] = [("a", 1, "x"), ("a", 61, "x"), ("a", 61, "x")]
    schema = pa.schema([field.remove_metadata() for field in SCHEMA])

    def build(batches: beam.PCollection) -> Any:
        return batches | WindowRows(w.FixedWindows(60), event_time="at") | DeduplicateRows("key") | found

    in_batch([batch(rows, schema)], build)
    assert plain(found.found) == [("a", 1, "x"), ("a", 61, "x")]


def test_without_an_event_time_the_key_alone_is_the_identity() -> None:
    schema = pa.schema([field.remove_metadata() for field in SCHEMA])
    assert [row[0] for row in _batched([batch(ROWS, schema)])] == [None, "a", "b"]


def test_labels_and_metadata_stay_and_slices_are_taken_as_they_are() -> None:
    schema = SCHEMA.with_metadata({"owner": "tests"})
    schema = schema.set(2, labels.with_labels(schema.field("note"), ["public"]))
    found = Collect()
    sliced = batch([*ROWS, ("c", 9, "x")], schema).slice(1, 5)
    in_batch([sliced, sliced.slice(5)], lambda rows: rows | DeduplicateRows(["key"]) | found)
    assert plain(found.found) == oracle(ROWS[1:])
    assert all(one.schema.equals(schema, check_metadata=True) for one in found.found)


@pytest.mark.parametrize("data_type", [pa.float64(), pa.float32(), pa.float16()])
def test_floats_are_equal_by_value(data_type: pa.DataType) -> None:
    schema = pa.schema([("key", data_type)])
    nan = np.array([0x7FC00000, 0xFFC00001], np.uint32).view(np.float32).astype(np.float64)
    values = [*nan, 0.0, -0.0, None, None, 1.5]
    rows = pa.RecordBatch.from_arrays(
        [pa.array([None if v is None else np.float16(v) for v in values], data_type)]
        if data_type == pa.float16()
        else [pa.array(values, data_type, from_pandas=False)],
        schema=schema,
    )
    assert len(set(first_rows.identities(rows, ["key"]).tolist())) == 4


def test_an_identity_does_not_depend_on_the_layout_of_arrow() -> None:
    plain_rows = pa.record_batch({"key": ["a", "bb", None], "n": pa.array([1, None, 3])})
    large = plain_rows.set_column(0, "key", plain_rows.column("key").cast(pa.large_string()))
    longer = pa.concat_batches([plain_rows, plain_rows]).slice(3)
    wanted = first_rows.identities(plain_rows, ["key", "n"]).tolist()
    assert first_rows.identities(large, ["key", "n"]).tolist() == wanted
    assert first_rows.identities(longer, ["key", "n"]).tolist() == wanted
    assert len(set(wanted)) == 3


def test_columns_do_not_run_into_each_other() -> None:
    rows = pa.record_batch({"a": ["x", "x1:y", "1:x"], "b": ["1:yz", "z", "x"]})
    assert len(set(first_rows.identities(rows, ["a", "b"]).tolist())) == 3


@settings(max_examples=200)
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=6), max_size=5))
def test_first_rows_split_into_one_of_each_and_the_others(parts: list[list[tuple[int, int]]]) -> None:
    schema = pa.schema([("key", pa.int64()), ("value", pa.int64())])
    batches = [
        pa.RecordBatch.from_pylist([{"key": key, "value": value} for key, value in part], schema=schema)
        for part in parts
    ]
    found = list(first_rows.first_rows(lambda: [(one, first_rows.identities(one, ["key"])) for one in batches]))
    firsts = [row["key"] for rows, _ in found for row in rows.to_pylist()]
    everything = sorted(row for part in parts for row in part)
    assert sorted(firsts) == sorted({key for key, _ in everything})
    both = [tuple(row.values()) for rows, same in found for one in (rows, same) for row in one.to_pylist()]
    assert sorted(both) == everything


@pytest.mark.parametrize("bounded", [True, False])
def test_every_row_is_counted_once(bounded: bool) -> None:
    result = in_batch([batch(ROWS)] * 2, lambda rows: rows | DeduplicateRows("key") | Collect(), bounded)
    counted = {one.key.metric.name.split(":")[1]: one.committed for one in result.metrics().query()["counters"]}
    assert (counted["rows_in"], counted["rows_out"], counted["duplicates"]) == (12, 4, 8)


def test_small_parts_of_a_shard_go_out_as_batches() -> None:
    found = Collect()
    rows: list[Row] = [(f"k{number}", number, "x") for number in range(200)]
    parts = list(pieces(batch(rows), max_rows=10))
    in_batch(parts, lambda given: given | DeduplicateRows("key", shards=2) | found)
    assert len(found.found) == 2
    assert plain(found.found) == sorted(rows)


# Rejects and refusals.


@pytest.mark.parametrize("bounded", [True, False])
def test_a_row_without_an_event_time_is_rejected(tmp_path: Any, bounded: bool) -> None:
    found, rejects = Collect(), Rejects(tmp_path, run_id="run")
    nulls = pa.RecordBatch.from_arrays(
        [pa.array(["n"]), pa.nulls(1, SCHEMA.field("at").type), pa.array(["x"])], schema=SCHEMA
    )

    def build(rows: beam.PCollection) -> Any:
        with rejects:
            rows | DeduplicateRows("key", rejects=rejects) | found

    in_batch([batch(ROWS), nulls], build, bounded)
    assert plain(found.found) == oracle(ROWS)
    (reject,) = pq.read_table(tmp_path / "run").to_pylist()
    assert (reject["code"], reject["field_path"], reject["record"]) == (
        "bad_event_time",
        "at",
        '{"key": "n", "note": "x"}',
    )


def test_every_wrong_option_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        DeduplicateRows([], remember="soon", shards=0)
    text = str(caught.value)
    assert "3 problems" in text
    assert "no column is named" in text
    assert "expected a time, got 'soon'" in text
    assert "write it as 30s, 10m, 2h or 1d" in text
    assert "expected a whole number from 1" in text


def _typed(schema: pa.Schema, bounded: bool = True) -> Callable[[Any], Any]:
    empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
    return lambda transform: in_batch([empty], transform, bounded)


def test_keys_that_cannot_be_keys_are_refused() -> None:
    lossy = labels.Masked("mask_keep_right", "", {"n": 4}, "string").to_json()
    schema = pa.schema(
        [
            pa.field("tags", pa.list_(pa.string())),
            pa.field("card", pa.string(), metadata={"blocks.label": "public", "blocks.masked": lossy}),
        ]
    )
    with pytest.raises(ColumnError) as caught:
        _typed(schema)(lambda rows: rows | DeduplicateRows(["tags", "card", "crad"]))
    text = str(caught.value)
    assert "no column `crad`" in text
    assert "did you mean `card`" in text
    assert "a key is a single value, and this is list<item: string>" in text
    assert "masked by mask_keep_right" in text


def test_types_that_cannot_be_compared_are_refused() -> None:
    schema = pa.schema([("key", pa.int64()), ("span", pa.month_day_nano_interval())])
    with pytest.raises(ColumnError, match="values of month_day_nano_interval cannot be compared"):
        _typed(schema)(lambda rows: rows | DeduplicateRows("key"))


def test_an_event_time_that_is_no_instant_is_refused() -> None:
    schema = pa.schema([("key", pa.int64()), ("at", pa.timestamp("us"))])
    with pytest.raises(SchemaError, match="the event time `at` is timestamp"):
        _typed(schema)(lambda rows: rows | DeduplicateRows("key", event_time="at"))


def test_an_endless_stream_without_event_time_is_refused() -> None:
    schema = pa.schema([("key", pa.int64())])
    with pytest.raises(ConfigError, match="no row could ever go on"):
        _typed(schema, bounded=False)(lambda rows: rows | DeduplicateRows("key"))


def test_windows_that_merge_are_refused() -> None:
    def build(rows: beam.PCollection) -> Any:
        events = rows.pipeline | "Events" >> beam.Create([beam.Row(key=1)])
        sessions = events | beam.WindowInto(w.Sessions(10)) | AsBatches(pa.schema([("key", pa.int64())]))
        return sessions | DeduplicateRows("key")

    with pytest.raises(ConfigError, match="Sessions merge windows"):
        _typed(SCHEMA)(build)


_PRIVATE = SCHEMA.set(2, labels.with_labels(SCHEMA.field("note"), ["pii.email"]))
_SHUFFLE = {"shuffle": {"labels": {"pii.email": "keep"}}}


@pytest.mark.parametrize("bounded", [True, False])
def test_raw_personal_values_are_not_shuffled(bounded: bool) -> None:
    with pytest.raises(PrivacyError, match="there is no policy"):
        _typed(_PRIVATE, bounded)(lambda rows: rows | DeduplicateRows("key"))
    policy = {"destinations": {"warehouse": {}}}
    with pytest.raises(PrivacyError, match="does not name `shuffle`"):
        _typed(_PRIVATE, bounded)(lambda rows: rows | DeduplicateRows("key", policy=policy))


def test_a_stream_needs_leave_for_state_and_a_batch_does_not() -> None:
    policy = {"destinations": _SHUFFLE}
    _typed(_PRIVATE)(lambda rows: rows | DeduplicateRows("key", policy=policy))
    with pytest.raises(PrivacyError, match="does not name `state`"):
        _typed(_PRIVATE, bounded=False)(lambda rows: rows | DeduplicateRows("key", policy=policy))
    both = {"destinations": {**_SHUFFLE, "state": {"labels": {"pii.email": "keep"}}}}
    _typed(_PRIVATE, bounded=False)(lambda rows: rows | DeduplicateRows("key", policy=both))


@pytest.mark.parametrize("bounded", [True, False])
def test_the_guard_of_pipelines_sees_the_shuffle_and_the_state(bounded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the block's own check, the check of the whole pipeline finds the same.
    monkeypatch.setattr("blocks.shaping.first_of_key.check_destination", lambda *_: None)
    with pytest.raises(PrivacyError) as caught:
        _typed(_PRIVATE, bounded)(lambda rows: rows | DeduplicateRows("key"))
    assert "(shuffle), field `note`" in str(caught.value)
    assert ("(state), field `note`" in str(caught.value)) is not bounded


def test_the_block_pickles() -> None:
    again = pickler.roundtrip(DeduplicateRows("key", remember="2h"))
    found = Collect()
    in_batch([batch(ROWS)], lambda rows: rows | again | found)
    assert plain(found.found) == oracle(ROWS)


# FirstOfKey, for blocks that want the duplicates.


@pytest.mark.parametrize("null_keys", ["equal", "distinct"])
def test_first_of_key_gives_duplicates_and_takes_nulls_as_told(null_keys: Any) -> None:
    rows, duplicates = Collect(), Collect()
    given: list[Row] = [("a", 1, "x"), ("a", 1, "x"), (None, 2, "y"), (None, 2, "y")]

    def build(batches: beam.PCollection) -> None:
        found = batches | FirstOfKey(["key"], "CheckRows", "1.0.0", null_keys=null_keys)
        found["rows"] | rows
        found["duplicates"] | duplicates

    result = in_batch([batch(given)], build)
    assert plain(duplicates.found) == [given[2], given[0]][null_keys == "distinct" :]
    assert len(plain(rows.found)) == 4 - len(plain(duplicates.found))
    names = {one.key.metric.name for one in result.metrics().query()["counters"]}
    assert {"CheckRows:rows_in", "CheckRows:rows_out", "CheckRows:duplicates"} <= names


def test_first_of_key_without_a_column_is_refused() -> None:
    with pytest.raises(ConfigError, match="no columns"):
        _typed(SCHEMA)(lambda rows: rows | FirstOfKey([], "CheckRows", "1.0.0"))


def test_batches_are_not_pickled_on_the_way() -> None:
    pipelines: list[beam.Pipeline] = []
    _typed(SCHEMA)(lambda rows: (pipelines.append(rows.pipeline), rows | DeduplicateRows("key")))
    guards.check_pipeline(pipelines[0])
    assert waiting_rows.SECOND == 1_000_000
