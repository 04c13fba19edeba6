"""AggregateEvents on bounded input: as of events, of steps, of a spine; rejects, privacy, mistakes."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.aggregating.reading import read_definition
from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import ConfigError, PrivacyError, RejectedRecordError, SchemaError
from blocks.core.rejects import Rejects
from blocks.core.windows import WindowRows
from blocks.masking.mask_columns import MaskColumns
from blocks.testing import collect
from tests.aggregating.event_cases import shown
from tests.oracles.aggregation import Event, value

DAY = 86_400_000_000
START = 1_767_225_600_000_000  # 2026-01-01
SECRET = "zx-marker-7"  # a value that no message may show

SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("user_id", pa.string()),
            pa.field("occurred_at", pa.timestamp("us", "UTC")),
            pa.field("txn_id", pa.string()),
            pa.field("amount", pa.float64()),
            pa.field("status", pa.string()),
            pa.field("category", pa.string()),
        ]
    ),
    "occurred_at",
)
DEFINITION: dict[str, Any] = {
    "entity": {"key": "user_id"},
    "source": {"event_id": "txn_id"},
    "features": [
        {"name": "spend_7d", "op": "sum", "column": "amount", "window": "7d"},
        {"name": "declined_1h", "op": "count", "where": "status = 'DECLINED'", "window": "1h"},
        {"name": "count_1h", "op": "count", "window": "1h"},
        {"name": "by_category", "op": "sum", "column": "amount", "by": "category", "window": "7d", "max_keys": 2},
        {"name": "share", "op": "ratio", "of": ["declined_1h", "count_1h"]},
    ],
    "emit": {"on_event": True, "on_condition": "declined_1h >= 2"},
}


def event(
    user: str | None, at: int | None, txn: str | None, amount: float | None = 1.0, **columns: Any
) -> dict[str, Any]:
    return {
        "user_id": user,
        "occurred_at": at,
        "txn_id": txn,
        "amount": amount,
        "status": "OK",
        "category": "x",
        **columns,
    }


def made(count: int) -> list[dict[str, Any]]:
    random_ = random.Random(7)
    return [
        event(
            random_.choice("abcde"),
            START + random_.randint(0, 9 * 86_400) * 1_000_000,
            f"t{number}",
            round(random_.uniform(-5, 100), 2),
            status=random_.choice(["OK", "DECLINED"]),
            category=random_.choice("xyz"),
        )
        for number in range(count)
    ]


ROWS = made(300)


def run(
    rows: list[dict[str, Any]],
    definition: Any = None,
    schema: pa.Schema = SCHEMA,
    spine: pa.RecordBatch | None = None,
    parts: int = 7,
    **options: Any,
) -> list[dict[str, Any]]:
    batches = [pa.RecordBatch.from_pylist(rows[number::parts], schema=schema) for number in range(parts)]
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | "Events" >> beam.Create(batches).with_output_types(BatchType(schema))
        if spine is not None:
            options["as_of"] = p | "Spine" >> beam.Create([spine]).with_output_types(BatchType(spine.schema))
        found = collect(events | AggregateEvents(definition or DEFINITION, **options))
    assert found.exact
    return found.table().to_pylist()


def check(found: list[dict[str, Any]], rows: list[dict[str, Any]], moment: str = "as_of") -> None:
    """Every feature of every row is what the oracle gives."""
    definition = read_definition(DEFINITION)
    events = [Event(row["user_id"], row["occurred_at"], row["txn_id"], row) for row in rows]
    for row in found:
        as_of = (row[moment] - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
        truncated = []
        for feature in definition.features:
            if feature.op == "ratio":
                wanted: Any = row["declined_1h"] / row["count_1h"] if row["count_1h"] else None
            else:
                wanted, cut = value(definition, feature, events, row["user_id"], as_of, _declined)
                truncated += [feature.name] if cut else []
            assert shown(row[feature.name]) == shown(wanted), (feature.name, row)
        assert row["truncated"] == truncated


def _declined(one: Event) -> bool:
    return bool(one.columns["status"] == "DECLINED")


def test_every_event_gives_a_row_that_counts_it() -> None:
    found = run(ROWS)
    check(found, ROWS)
    assert {(row["user_id"], row["as_of"]) for row in found} == {
        (row["user_id"], datetime.fromtimestamp(row["occurred_at"] // 10**6, UTC).replace(microsecond=1))
        for row in ROWS
    }
    assert {row["reason"] for row in found} == {"event", "condition"}
    assert all((row["reason"] == "condition") == (row["declined_1h"] >= 2) for row in found)
    assert {row["revision"] for row in found} == {0}


def test_only_rows_for_which_the_condition_is_true_come_without_on_event() -> None:
    found = run(ROWS, {**DEFINITION, "emit": {"on_condition": "declined_1h >= 2"}})
    everything = run(ROWS)
    key = lambda row: (row["user_id"], row["as_of"])  # noqa: E731
    assert sorted(map(key, found)) == sorted(key(row) for row in everything if row["declined_1h"] >= 2)


def test_order_and_batches_do_not_matter() -> None:
    def text(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(map(str, rows))

    assert text(run(ROWS, parts=7)) == text(run(ROWS[::-1], parts=1)) == text(run(ROWS, parts=40, shards=3))


def test_steps_of_a_range_have_a_row_for_every_key_with_an_event_in_reach() -> None:
    found = run(ROWS, start="2026-01-03", end="2026-01-20", every="1d")
    check(found, ROWS)
    wanted = set()
    for row in ROWS:
        for day in range(3, 20):
            step = START + day * DAY
            # The longest window is seven days, rounded down to the hour: a day begins with one.
            if step - 7 * DAY <= row["occurred_at"] < step:
                wanted.add((row["user_id"], datetime(2026, 1, 1 + day, tzinfo=UTC)))
    assert sorted((row["user_id"], row["as_of"]) for row in found) == sorted(wanted)


def test_the_end_of_a_range_alone_is_one_step() -> None:
    found = run(ROWS, end="2026-01-05T12:00:00Z")
    check(found, ROWS)
    assert {row["as_of"] for row in found} == {datetime(2026, 1, 5, 12, tzinfo=UTC)}
    assert sorted(row["user_id"] for row in found) == list("abcde")


SPINE = labels.with_event_time(
    pa.schema(
        [
            pa.field("user_id", pa.large_string()),
            pa.field("at", pa.timestamp("ms", "UTC")),
            pa.field("label", pa.int8()),
        ]
    ),
    "at",
)


def test_a_spine_gets_the_features_as_of_its_times() -> None:
    random_ = random.Random(3)
    asked = [
        {"user_id": random_.choice("abcdz"), "at": (START + random_.randint(-DAY, 12 * DAY)) // 1000, "label": number}
        for number in range(60)
    ]
    found = run(ROWS, spine=pa.RecordBatch.from_pylist(asked, schema=SPINE))
    check(found, ROWS, "at")
    assert sorted(row["label"] for row in found) == list(range(60))
    assert any(row["spend_7d"] is None for row in found)
    assert list(found[0]) == ["user_id", "at", "label", *(one["name"] for one in DEFINITION["features"]), "truncated"]


def test_nothing_at_or_after_the_time_of_a_spine_counts() -> None:
    rows = [event("a", START, "t1", 1.0), event("a", START + 1000, "t2", 10.0), event("a", START + 2000, "t3", 100.0)]
    asked = [{"user_id": "a", "at": START // 1000 + number, "label": number} for number in range(4)]
    found = run(rows, spine=pa.RecordBatch.from_pylist(asked, schema=SPINE))
    assert {row["label"]: row["spend_7d"] for row in found} == {0: None, 1: 1.0, 2: 11.0, 3: 111.0}


def test_what_cannot_be_an_event_is_rejected_with_its_reason(tmp_path: Path) -> None:
    rows = [
        event("a", START, "t1"),
        event("a", None, "t2"),
        event(None, START, "t3"),
        event("a", START, None),
        event("a", START, "t1", 2.0),
        event("a", START + 1, "t4"),
        event("a", START + 1, "t4"),
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    spine = pa.RecordBatch.from_pylist([{"user_id": "a", "at": None}, {"user_id": None, "at": 1}], schema=SPINE)
    rejects = Rejects(tmp_path, run_id="run")
    with beam.Pipeline(runner=FnApiRunner()) as p, rejects:
        events = p | "Events" >> beam.Create([batch]).with_output_types(BatchType(SCHEMA))
        moments = p | "Spine" >> beam.Create([spine]).with_output_types(BatchType(SPINE))
        found = collect(events | "Rows" >> AggregateEvents(DEFINITION, rejects=rejects))
        asked = collect(events | "Asked" >> AggregateEvents(DEFINITION, as_of=moments, rejects=rejects))
    assert sorted(row["count_1h"] for row in found.table().to_pylist()) == [1, 2]
    assert asked.table().num_rows == 0
    codes = sorted(pq.read_table(tmp_path).column("code").to_pylist())
    once = ["bad_event_time", "conflict", "null_event_id", "null_key"]
    assert codes == sorted([*once, *once, "bad_event_time", "null_key"])


def test_without_rejects_the_first_stops_the_pipeline_and_shows_no_value() -> None:
    with pytest.raises(RejectedRecordError, match="conflict") as error:
        run([event("a", START, SECRET, 1.0), event("a", START, SECRET, 2.0)])
    assert SECRET not in str(error.value)


def test_a_tombstone_deletes_what_came_before_it() -> None:
    definition = {**DEFINITION, "source": {"event_id": "txn_id", "delete_key": "status = 'DELETE'"}}
    rows = [
        event("a", START, "t1"),
        event("a", START + 10, "t2", status="DELETE"),
        event("a", START + 10, "t3"),
        event("a", START + 20, "t4"),
        event("b", START, "t5"),
    ]
    found = run(rows, definition)
    assert sorted((row["user_id"], row["count_1h"]) for row in found) == [("a", 1), ("b", 1)]


POLICY = {
    "keys": {"main": "env:BLOCKS_MASK_KEY"},
    "destinations": {"shuffle": {"labels": {"public": "keep", "pii.*": {"method": "hmac", "key": "main"}}}},
}


def _labelled(**found: str) -> pa.Schema:
    return pa.schema([labels.with_labels(field, [found.get(field.name, "public")]) for field in SCHEMA])


def test_a_personal_key_has_to_be_masked_first() -> None:
    with pytest.raises(PrivacyError, match="hmac") as error:
        run(ROWS, schema=_labelled(user_id="pii.id"), policy=POLICY)
    assert "user_id" in str(error.value)


def test_a_policy_that_protects_the_shuffle_takes_a_key_that_is_masked_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    shuffle = {**POLICY["destinations"]["shuffle"], "protected": True}
    policy = {**POLICY, "destinations": {"shuffle": shuffle}}
    schema = _labelled(user_id="pii.id")
    batch = pa.RecordBatch.from_pylist(ROWS, schema=schema)
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | "Events" >> beam.Create([batch]).with_output_types(BatchType(schema))
        masked = events | MaskColumns(policy=policy, destination="shuffle")
        found = collect(masked | AggregateEvents(DEFINITION, policy=policy))
    assert found.table().num_rows == len(run(ROWS))


def test_values_carry_the_labels_of_their_column_and_counts_do_not() -> None:
    policy = {"destinations": {"shuffle": {"labels": {"*": "keep"}}}}
    definition = {
        **DEFINITION,
        "features": [
            {"name": "latest", "op": "last", "column": "category", "window": "1h"},
            {"name": "kinds", "op": "unique_count", "column": "category", "window": "1h"},
            {"name": "total", "op": "sum", "column": "amount", "window": "1h"},
            {"name": "ill", "op": "count", "where": "status = 'x'", "window": "1h"},
            {"name": "by_kind", "op": "count", "by": "category", "window": "1h"},
        ],
        "emit": {"on_event": True},
    }
    schema = _labelled(category="pii.health", amount="secret", status="pii.status")
    batch = pa.RecordBatch.from_pylist(ROWS, schema=schema)
    p = beam.Pipeline(runner=FnApiRunner())
    events = p | beam.Create([batch]).with_output_types(BatchType(schema))
    output = (events | AggregateEvents(definition, policy=policy)).element_type.schema
    assert {field.name: sorted(labels.labels_of(field)) for field in output} == {
        "user_id": ["public"],
        "as_of": ["public"],
        "revision": ["public"],
        "reason": ["public"],
        "latest": ["pii.health"],
        "kinds": ["public"],
        "total": ["secret"],
        "ill": ["pii.status"],
        "by_kind": ["pii.health"],
        "truncated": ["public"],
    }


def test_every_mistake_of_a_definition_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "features.yaml"
    file.write_text(
        """entity: {keys: user_id}
source: {event_id: txn_id, identity: [txn_id]}
features:
  - {name: a, op: summ, column: amount, window: 7d}
  - {name: b, op: last_k, column: amount, window: 7d}
  - {name: as_of, op: count, window: 90m, hop: 1h}
  - {name: c, op: count, window: 1h, hop: 0}
  - {name: d, op: sum, window: 7d}
  - {name: e, op: ratio, of: [a, nothing]}
emit: {every: 5 minutes}
state_ttl: 1h
"""
    )
    with pytest.raises(ConfigError) as error:
        AggregateEvents(str(file), end="2026-01-01")
    text = str(error.value)
    for part in (
        "features.yaml:1:10",  # keys
        "features.yaml:2:9",  # both ids
        "no operation `summ`",
        "did you mean `sum`",
        "`last_k` needs `k`",
        "`as_of` is a column that every result has",
        "the hop of 1h does not divide the window of 90m",
        "needs `max_events`",
        "`sum` needs `column`",
        "features.yaml:10:15",  # every
    ):
        assert part in text, part


def test_every_mistake_about_columns_is_told_at_once_with_its_place() -> None:
    definition = {
        "entity": {"key": "user"},
        "source": {"event_id": "txn"},
        "features": [
            {"name": "a", "op": "sum", "column": "status", "window": "1h"},
            {"name": "b", "op": "sum", "column": "amout", "window": "1h"},
            {"name": "c", "op": "count", "where": "statu = 'x'", "window": "1h"},
            {"name": "d", "op": "count", "where": "amount", "window": "1h"},
        ],
        "emit": {"on_event": True},
    }
    with pytest.raises(SchemaError) as error:
        run(ROWS, definition)
    text = str(error.value)
    for part in (
        "did you mean `user_id`",
        "did you mean `txn_id`",
        "`sum` cannot take column `status`",
        "did you mean `amount`",
        "did you mean `status`",
        "not bool",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": "2026-01-01"}, "without `end`"),
        ({"end": "yesterday"}, "expected a day or a time"),
        ({"start": "2026-02-01", "end": "2026-01-01"}, "ends before it begins"),
        ({"end": "2026-02-01", "every": "1d"}, "`every` without `start`"),
        ({"shards": 0}, "expected a whole number"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AggregateEvents(DEFINITION, **options)


@pytest.mark.parametrize(("bounded", "what"), [(True, "a batch"), (False, "a stream")])
def test_a_definition_that_never_gives_a_row_is_refused(bounded: bool, what: str) -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    events = p | beam.Create([]).with_output_types(BatchType(SCHEMA))
    events.is_bounded = bounded
    with pytest.raises(ConfigError, match=f"does not say when {what} gives rows"):
        events | AggregateEvents({**DEFINITION, "emit": {}})


def test_windows_before_it_are_refused() -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    batch = pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA)
    events = p | beam.Create([batch]).with_output_types(BatchType(SCHEMA))
    with pytest.raises(ConfigError, match="windows"):
        events | WindowRows(beam.window.FixedWindows(60)) | AggregateEvents(DEFINITION)
