"""The examples on the page of sessions, against the oracle, the library in bulk, and streams of single events."""

import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from blocks.aggregating.emitting import reasons_of
from blocks.aggregating.events import accept
from blocks.aggregating.projecting import Projector
from blocks.aggregating.sessions.definition import CLOSED_BY
from blocks.aggregating.sessions.plan import SessionPlan, plan_sessions
from blocks.aggregating.sessions.reading import read_sessions
from blocks.aggregating.sessions.rows import SessionRows
from blocks.aggregating.sessions.shard import SessionShard
from blocks.aggregating.sessions.splitting import split
from blocks.core.policy import NO_POLICY
from tests.oracles.aggregation import Event, accepted
from tests.oracles.sessions import features, sessions

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"
BLOCKS = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]
EXAMPLES = [one for one in BLOCKS if "sessions" in one]
SCHEMA = pa.schema(
    [
        pa.field("user", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("id", pa.int64()),
        pa.field("amount", pa.int32()),
        pa.field("path", pa.string()),
    ]
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
each = pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])


def micros(text: str) -> int:
    """A time of the day of the examples."""
    return (datetime.fromisoformat(f"2026-01-01T{text}+00:00") - EPOCH) // datetime.resolution


def definition_of(example: dict[str, Any]) -> dict[str, Any]:
    """The definition that an example shortens."""
    return {
        "entity": {"key": "user"},
        "source": {"event_time": "at", "event_id": "id"},
        "session": example["session"],
        "events": ["id"],
        "lateness": "1d",
        "ahead": "36500d",
        **({"features": example["features"]} if "features" in example else {}),
    }


def rows_of(example: dict[str, Any]) -> list[dict[str, Any]]:
    """The events with every column."""
    return [{"user": "u", "amount": None, "path": None, **one, "at": micros(one["at"])} for one in example["events"]]


def wanted(example: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page says."""
    return [{**one, "from": micros(one["from"]), "to": micros(one["to"])} for one in example["sessions"]]


def plan_of(example: dict[str, Any]) -> SessionPlan:
    return plan_sessions(read_sessions(definition_of(example)), SCHEMA, "SessionizeEvents", NO_POLICY)


def projected_of(plan: SessionPlan, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    projector = Projector(plan.plan, "SessionizeEvents", "1", None)
    projected, rejects = projector(pa.RecordBatch.from_pylist(rows, SCHEMA))
    assert rejects == []
    return projected


def told(plan: SessionPlan, batches: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Rows as the page writes them."""
    found = []
    for row in (row for batch in batches for row in batch.to_pylist()):
        moments = ((row[name] - EPOCH) // datetime.resolution for name in ("started_at", "ended_at"))
        events = [one["id"] for one in row["events"]]
        assert len(events) == row["event_count"]
        one = dict(zip(("from", "to"), moments, strict=True)) | {"events": events, "closed_by": row["closed_by"]}
        found.append(one | {output.feature.name: row[output.feature.name] for output in plan.plan.outputs})
    return sorted(found, key=lambda one: (one["from"], one["to"], one["events"]))


@each
def test_the_example_is_what_the_fold_gives(example: dict[str, Any]) -> None:
    definition = read_sessions(definition_of(example))
    kept, conflicts = accepted([Event("u", row["at"], row["id"], row) for row in rows_of(example)], _content)
    assert conflicts == []
    closes = "close_when" in example["session"]
    found = []
    for one in sessions(definition, kept, lambda event: closes and event.columns["path"] == "/logout"):
        first, last = one.events[0], one.events[-1]
        row = {"from": first.time, "to": last.time, "events": [event.id for event in one.events]}
        values = features(
            definition, one, lambda event: event.columns["amount"] is not None and event.columns["amount"] > 3
        )
        found.append(row | {"closed_by": one.closed_by} | {name: value for name, (value, _) in values.items()})
    assert found == wanted(example)


def _content(event: Event) -> bytes:
    return repr((event.columns["amount"], event.columns["path"])).encode()


@each
def test_the_example_is_what_the_library_gives(example: dict[str, Any]) -> None:
    plan = plan_of(example)
    events = accept(projected_of(plan, rows_of(example)), plan.plan.keys).events
    closes = events.rows.column(plan.closes).to_numpy(zero_copy_only=False) if plan.closes else None
    found = split(events.code, events.times, closes, plan.definition.rules)
    make = SessionRows(plan)
    ids = make.ids(events.rows, found.start)
    rows = make(events, found, ids, reasons_of("closed", len(found)), np.zeros(len(found), np.int64))
    assert told(plan, [rows]) == wanted(example)


@each
@pytest.mark.parametrize("seed", range(2))
def test_the_example_is_what_a_stream_of_its_events_gives(example: dict[str, Any], seed: int) -> None:
    plan = plan_of(example)
    rows = rows_of(example)
    random.Random(seed).shuffle(rows)
    shard = SessionShard(plan)
    kept = shard.coder.encode(shard.coder.empty())
    last: dict[str, pa.RecordBatch] = {}
    projected = projected_of(plan, rows)
    for number in range(len(rows)):
        step = shard.arrive(shard.coder.decode(kept), projected.slice(number, 1), 0)
        # The watermark is ahead of every event.
        late = shard.pass_by(step.state, micros("23:59"))
        for batch in [*step.rows, *late.rows]:
            last |= {name: batch.slice(place, 1) for place, name in enumerate(batch.column("session_id").to_pylist())}
        kept = shard.coder.encode(late.state)
    alive = [one for one in last.values() if one.column("reason").to_pylist() != ["deletion"]]
    assert told(plan, alive) == wanted(example)


def test_the_page_has_an_example_for_every_rule() -> None:
    assert len(EXAMPLES) >= 6
    assert {one["closed_by"] for example in EXAMPLES for one in example["sessions"]} == set(CLOSED_BY)


def test_the_definition_on_the_page_can_be_read() -> None:
    definition = read_sessions(next(one for one in BLOCKS if "entity" in one))
    assert definition.shared.state_ttl == definition.rules.gap + definition.shared.lateness
