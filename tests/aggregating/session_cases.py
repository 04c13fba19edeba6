"""Random definitions of sessions and events, for tests against the oracle."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from blocks.aggregating.projecting import Projector
from blocks.aggregating.sessions.plan import SessionPlan, plan_sessions
from blocks.aggregating.sessions.reading import read_sessions
from blocks.core.policy import NO_POLICY
from blocks.shaping.first_rows import contents
from tests.aggregating.event_cases import SCHEMA, SECOND, shown
from tests.oracles.aggregation import Event, accepted
from tests.oracles.sessions import features as features_of
from tests.oracles.sessions import sessions as sessions_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATENESS = 10 * SECOND
FAR_AHEAD = 10**15
_FEATURES: list[dict[str, Any]] = [
    {"op": "count", "where": "status = 'D'"},
    {"op": "sum", "column": "amount"},
    {"op": "average", "column": "n"},
    {"op": "min", "column": "amount"},
    {"op": "first", "column": "name"},
    {"op": "last_k", "column": "name", "k": 2},
    {"op": "unique_count", "column": "name", "max": 2},
    {"op": "stddev_pop", "column": "amount"},
    {"op": "histogram", "column": "name", "max_values": 2},
    {"op": "sum", "column": "n", "by": "name", "max_keys": 2},
    {"op": "time_since_last", "column": "amount"},
]


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Some features, some rules; now and then a list of events."""
    chosen = draw(st.lists(st.sampled_from(_FEATURES), max_size=3))
    session: dict[str, Any] = {"gap": draw(st.sampled_from(["2s", "5s", "30s"]))}
    if draw(st.booleans()):
        session["max_duration"] = draw(st.sampled_from(["1s", "6s", "20s"]))
    if draw(st.booleans()):
        session["max_events"] = draw(st.sampled_from([1, 2, 3, 5]))
    if draw(st.booleans()):
        session["close_when"] = "status = 'X'"
    found = {
        "features": [{"name": f"f{number}", **one} for number, one in enumerate(chosen)],
        "session": session,
        "emit": draw(st.sampled_from(["early", "early", "final"])),
    }
    if draw(st.booleans()):
        found["events"] = draw(st.sampled_from([["name"], ["at", "amount", "status"]]))
    return {name: one for name, one in found.items() if one != []}


@st.composite
def arrivals(draw: st.DrawFn, most: int = 30) -> list[dict[str, Any]]:
    """Events as they arrive: mostly forward in time, ties, some late, some too late, some twice, some in conflict."""
    found: list[dict[str, Any]] = []
    clock = draw(st.sampled_from([-50 * SECOND, 0]))
    steps = st.sampled_from([0, 0, 0, SECOND, SECOND, SECOND, 1, 1_999_999, 2 * SECOND, 5 * SECOND, 40 * SECOND])
    behind = st.sampled_from([0, 0, SECOND, 2 * SECOND, 3 * SECOND, 5 * SECOND, 8 * SECOND, 10 * SECOND, 11 * SECOND])
    for _ in range(draw(st.integers(1, most))):
        clock += draw(steps)
        at = clock - draw(behind)
        row = {
            "user": draw(st.sampled_from("aab")),
            "at": at,
            "id": draw(st.integers(-1, 1)),
            "known": None,
            "amount": draw(st.sampled_from([None, 0.1, -0.0, float("nan"), float("inf"), 2.5])),
            "n": draw(st.sampled_from([None, 1, 2**63 - 1])),
            "price": None,
            "name": draw(st.sampled_from([None, "a", "b", "cc", "é"])),
            "status": draw(st.sampled_from(["D", None, "D", "X"])),
        }
        found.append(row)
        if draw(st.integers(0, 7)) == 0:
            found.append(dict(row))
    return found


def plan_of(definition: dict[str, Any], **more: Any) -> SessionPlan:
    """A plan over the events of `arrivals`."""
    content = {
        "entity": {"key": "user"},
        "source": {"event_time": "at", "event_id": "id"},
        "lateness": "10s",
        "state_ttl": "2m",
        "ahead": "365d",
        **definition,
        **more,
    }
    return plan_sessions(read_sessions(content), SCHEMA, "SessionizeEvents", NO_POLICY)


def projected_of(plan: SessionPlan, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows as projected events."""
    projector = Projector(plan.plan, "SessionizeEvents", "1", None)
    projected, rejects = projector(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    assert rejects == []
    return projected


def accepted_of(plan: SessionPlan, rows: list[dict[str, Any]]) -> tuple[list[Event], list[Event]]:
    """(events that count, those in conflict): by the hash of what the plan reads of them."""
    events = [Event(row["user"], row["at"], row["id"], row) for row in rows]
    projected = projected_of(plan, rows)
    names = [name for name in projected.schema.names if name not in (*plan.plan.keys, "time", "id")]
    digests = contents(projected.select(names)).tolist()
    hashes = {id(event): digest for event, digest in zip(events, digests, strict=True)}
    return accepted(events, lambda one: hashes[id(one)])


def in_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that a stream accepts, row by row in the order of arrival."""
    newest: dict[str, int] = {}
    found = []
    for row in rows:
        if row["at"] >= newest.get(row["user"], -(2**63)) - LATENESS:
            found.append(row)
            newest[row["user"]] = max(newest.get(row["user"], row["at"]), row["at"])
    return found


def wanted_of(plan: SessionPlan, rows: list[dict[str, Any]]) -> list[str]:
    """The sessions that the oracle gives, each as text that tells every value from every other."""
    definition = plan.definition
    closes = bool(definition.rules.close_when)
    kept, _ = accepted_of(plan, rows)
    found = []
    for one in sessions_of(definition, kept, lambda event: closes and event.columns["status"] == "X"):
        features = features_of(definition, one, lambda event: event.columns["status"] == "D")
        listed = [{name: event.columns[name] for name in definition.events} for event in one.events]
        cut = [name for name, (_, flag) in features.items() if flag]
        first, last = one.events[0], one.events[-1]
        told: list[Any] = [first.key, first.time, last.time, len(one.events), one.closed_by, cut]
        told += [shown(value) for value, _ in features.values()] + [_listed(listed)]
        found.append(repr(told))
    return sorted(found)


def text_of(plan: SessionPlan, row: dict[str, Any]) -> str:
    """A row as the same text."""
    times = [(row[name] - EPOCH) // datetime.resolution for name in ("started_at", "ended_at")]
    told: list[Any] = [row["user"], *times, row["event_count"], row["closed_by"], row["truncated"]]
    told += [shown(row[one.feature.name]) for one in plan.plan.outputs]
    events = row.get("events") or [{}] * row["event_count"]
    listed = [
        {
            name: (one - EPOCH) // datetime.resolution if isinstance(one, datetime) else one
            for name, one in event.items()
        }
        for event in events
    ]
    return repr([*told, _listed(listed)])


def _listed(events: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{name: repr(value) for name, value in one.items()} for one in events]
