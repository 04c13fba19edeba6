"""SessionizeEvents on bounded events through Beam: sessions, privacy, mistakes."""

import random
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import Sessions, TimestampedValue

from blocks.aggregating.sessionize_events import SessionizeEvents
from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import ConfigError, PrivacyError, RejectedRecordError, SchemaError
from blocks.core.windows import WindowRows
from blocks.masking.mask_columns import MaskColumns
from blocks.testing import collect
from tests.aggregating.visits import DEFINITION, SCHEMA, START, VISITS, batch, collect_rows, event, minutes, run, told

SECRET = "zx-marker-7"  # a value that no message may show


def test_pauses_limits_and_the_condition_split_the_events_of_a_key() -> None:
    rows = run(VISITS)
    assert told(rows) == [
        ("a", 0, 39, 3, "gap", 0, "closed"),
        ("a", 70, 71, 2, "condition", 0, "closed"),
        ("a", 72, 72, 1, "gap", 0, "closed"),
        ("b", 5, 5, 1, "gap", 0, "closed"),
    ]
    first = {name: rows[0][name] for name in ("error_share", "errors", "requests", "pages", "landing", "truncated")}
    assert first == {
        "error_share": 1 / 3, "errors": 1, "requests": 3, "pages": 3, "landing": "/", "truncated": [],
    }  # fmt: skip


def test_a_session_lists_its_events_in_order() -> None:
    rows = run(VISITS[::-1], {**DEFINITION, "events": ["at", "path", "status"]})
    assert [(one["path"], minutes(one["at"])) for one in rows[0]["events"]] == [("/", 0), ("/cart", 10), ("/pay", 39)]
    assert rows[3]["events"] == [{"at": rows[3]["started_at"], "path": "/", "status": 200}]


def test_order_batches_and_shards_do_not_matter() -> None:
    random_ = random.Random(5)
    visits = [event(random_.choice("abc"), random_.randint(0, 2000), str(number)) for number in range(300)]
    assert run(visits) == run(visits[::-1], parts=1, shards=3) == run(visits, parts=40, shards=1)


def test_sessions_by_gap_alone_are_those_of_beam() -> None:
    random_ = random.Random(6)
    visits = [event(random_.choice("abc"), 10 * random_.randint(0, 300), str(number)) for number in range(200)]
    with beam.Pipeline(runner=FnApiRunner()) as p:
        stamped = (TimestampedValue((one["user_id"], one["at"]), one["at"] / 1_000_000) for one in visits)
        windows = (
            p
            | beam.Create(list(stamped))
            | beam.Map(lambda one: one)
            | beam.WindowInto(Sessions(30 * 60))
            | beam.GroupByKey()
            | beam.MapTuple(lambda user, times: (user, min(times), max(times), len(list(times))))
        )
        found = collect_rows(windows)
    # Created elements have the timestamps of their wrappers.
    wanted = sorted(
        (user, (first / 1e6 - START) / 60, (last / 1e6 - START) / 60, n) for user, first, last, n in found()
    )
    plain = {**DEFINITION, "session": {"gap": "30m"}}
    assert [row[:4] for row in told(run(visits, plain))] == wanted


def test_without_rejects_the_first_stops_the_pipeline_and_shows_no_value() -> None:
    with pytest.raises(RejectedRecordError, match="conflict") as error:
        run([event("a", 0, SECRET), event("a", 0, SECRET, "/x")])
    assert SECRET not in str(error.value)


def _labelled(**found: str) -> pa.Schema:
    return pa.schema([labels.with_labels(field, [found.get(field.name, "public")]) for field in SCHEMA])


def output_of(schema: pa.Schema, policy: Any, **more: Any) -> pa.Schema:
    p = beam.Pipeline(runner=FnApiRunner())
    events = p | beam.Create([batch(schema=schema)]).with_output_types(BatchType(schema))
    return (events | SessionizeEvents({**DEFINITION, **more}, policy=policy)).element_type.schema


def labels_of(schema: pa.Schema) -> dict[str, list[str]]:
    return {leaf.path: sorted(leaf.labels) for leaf in labels.leaves(schema) if leaf.labels != {labels.PUBLIC}}


OPEN = {"destinations": {"shuffle": {"labels": {"*": "keep"}}}}


def test_labels_follow_what_a_column_tells_of() -> None:
    schema = _labelled(user_id="pii.id", status="pii.status")
    assert labels_of(output_of(schema, OPEN, events=["path", "status"])) == {
        "user_id": ["pii.id"],
        "session_id": ["pii.id"],
        "error_share": ["pii.status"],
        "errors": ["pii.status"],
        "events[].status": ["pii.status"],
    }


def test_a_condition_over_a_private_column_labels_all_that_depends_on_where_sessions_end() -> None:
    found = labels_of(output_of(_labelled(path="pii.path"), OPEN))
    assert set(found) == {
        "session_id", "started_at", "ended_at", "event_count", "closed_by", "error_share", "errors", "requests",
        "pages", "landing",
    }  # fmt: skip
    assert set(map(tuple, found.values())) == {("pii.path",)}


def test_the_id_of_a_session_of_a_masked_key_is_masked_alike() -> None:
    schema = _labelled(user_id="pii.id")
    masked = labels.put(schema.field("user_id"), {labels.MASKED: labels.Masked("hmac", "main").to_json()})
    schema = schema.set(schema.get_field_index("user_id"), masked)
    output = output_of(schema, OPEN)
    assert labels.masked_of(output.field("session_id")) == labels.masked_of(schema.field("user_id"))


def test_a_personal_key_has_to_be_masked_first() -> None:
    policy = {
        "keys": {"main": "env:BLOCKS_MASK_KEY"},
        "destinations": {"shuffle": {"labels": {"public": "keep", "pii.*": {"method": "hmac", "key": "main"}}}},
    }
    with pytest.raises(PrivacyError, match="user_id"):
        output_of(_labelled(user_id="pii.id"), policy)


def test_every_mistake_of_a_definition_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "visits.yaml"
    file.write_text(
        """entity: {key: [user_id, session_id]}
source: {event_id: id, known_at: at}
session: {max_event: 10, max_duration: 0s}
features:
  - {name: a, op: count, window: 7d}
  - {name: b, op: rate, per: 1h}
  - {name: started_at, op: count}
  - {name: user_id, op: count, max_events: 3}
  - {name: c, op: summ, column: status}
events: path path
emit: finally
lateness: 2h
state_ttl: 1h
"""
    )
    with pytest.raises(ConfigError) as error:
        SessionizeEvents(str(file))
    text = str(error.value)
    for part in (
        "visits.yaml:1:15",  # a key named as a column of every session
        "visits.yaml:2:24",  # known_at
        "visits.yaml:3:11",  # max_event
        "did you mean `max_events`",
        "no `gap`",
        "`max_duration` is no time at all",
        "visits.yaml:5:34",  # window
        "sessions differ",
        "`started_at` is a column that every result has",
        "`user_id` is a column of the key",
        "visits.yaml:8:44",  # max_events
        "did you mean `sum`",
        "visits.yaml:11:7",  # emit
        "did you mean `final`",
        "`state_ttl` is shorter than the gap and the lateness: 2h",
    ):
        assert part in text, (part, text)


def test_every_mistake_about_columns_is_told_at_once_with_its_place() -> None:
    definition = {
        **DEFINITION,
        "session": {"gap": "30m", "close_when": "pth = '/logout'"},
        "features": [{"name": "a", "op": "sum", "column": "path"}],
        "events": ["path", "stats"],
    }
    with pytest.raises(SchemaError) as error:
        run(VISITS, definition)
    for part in (
        "did you mean `path`",
        "session.close_when",
        "`sum` cannot take column `path`",
        "did you mean `status`",
    ):
        assert part in str(error.value), part


def test_a_condition_that_is_no_condition_is_refused() -> None:
    with pytest.raises(SchemaError, match="not bool"):
        run(VISITS, {**DEFINITION, "session": {"gap": "30m", "close_when": "status + 1"}})


def test_windows_before_it_are_refused() -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    events = p | beam.Create([batch(*VISITS)]).with_output_types(BatchType(SCHEMA))
    with pytest.raises(ConfigError, match="windows"):
        events | WindowRows(beam.window.FixedWindows(60)) | SessionizeEvents(DEFINITION)


@pytest.mark.parametrize("shards", [0, True, 1.5, 1 << 21])
def test_a_number_of_shards_that_cannot_be_used_is_refused(shards: Any) -> None:
    with pytest.raises(ConfigError, match="expected a whole number"):
        SessionizeEvents(DEFINITION, shards=shards)


def test_a_policy_that_protects_the_shuffle_takes_what_is_masked_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    masks = {"public": "keep", "pii.id": {"method": "hmac", "key": "main"}}
    destination = {"protected": True, "labels": masks}
    policy = {"keys": {"main": "env:BLOCKS_MASK_KEY"}, "destinations": {"shuffle": destination}}
    schema = _labelled(user_id="pii.id")
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | beam.Create([batch(*VISITS, schema=schema)]).with_output_types(BatchType(schema))
        masked = events | MaskColumns(policy=policy, destination="shuffle")
        output = masked | SessionizeEvents(DEFINITION, policy=policy)
        found = collect(output)
    assert found.table().num_rows == 4
    fields = [output.element_type.schema.field(name) for name in ("user_id", "session_id")]
    assert labels.masked_of(fields[0]) == labels.masked_of(fields[1]) is not None


def test_nested_columns_are_listed_with_the_labels_below_them() -> None:
    name = labels.with_labels(pa.field("name", pa.string()), ["pii.name"])
    schema = pa.schema([*_labelled(), pa.field("user", pa.struct([name, pa.field("tags", pa.list_(pa.string()))]))])
    rows = [{**one, "user": {"name": "n", "tags": [one["id"], None]}} for one in VISITS[:2]]
    definition = {name: one for name, one in DEFINITION.items() if name != "features"}
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | beam.Create([batch(*rows, schema=schema)]).with_output_types(BatchType(schema))
        output = events | SessionizeEvents({**definition, "events": ["user"]}, policy=OPEN)
        found = collect(output)
    (row,) = found.table().to_pylist()
    assert row["events"] == [{"user": {"name": "n", "tags": [name, None]}} for name in "12"]
    assert labels_of(output.element_type.schema)["events[].user.name"] == ["pii.name"]
