"""Random definitions and events, for tests against the oracle."""

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from blocks.aggregating.definition import Definition, Feature
from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.core.policy import NO_POLICY
from blocks.shaping.first_rows import contents
from tests.oracles.aggregation import Event, accepted, value

SECOND = 1_000_000
SCHEMA = pa.schema(
    [
        pa.field("user", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("id", pa.int64()),
        pa.field("known", pa.timestamp("us", "UTC")),
        pa.field("amount", pa.float64()),
        pa.field("n", pa.int64()),
        pa.field("price", pa.decimal128(12, 2)),
        pa.field("name", pa.string()),
        pa.field("status", pa.string()),
    ]
)
_OPERATIONS: list[dict[str, Any]] = [
    {"op": "count"},
    {"op": "count", "column": "amount"},
    {"op": "count_where", "where": "status = 'D'"},
    *({"op": "sum", "column": column} for column in ("amount", "n", "price")),
    *({"op": "average", "column": column} for column in ("amount", "n", "price")),
    {"op": "min", "column": "amount"},
    {"op": "max", "column": "name"},
    {"op": "first", "column": "name"},
    {"op": "last", "column": "amount"},
    {"op": "first_k", "column": "price", "k": 2},
    {"op": "last_k", "column": "name", "k": 3},
    {"op": "top_k", "column": "amount", "k": 2},
    {"op": "bottom_k", "column": "name", "k": 2},
    {"op": "unique_count", "column": "name", "max": 3},
    {"op": "approx_unique_count", "column": "name", "precision": 5},
    {"op": "variance_pop", "column": "amount"},
    {"op": "variance_samp", "column": "n"},
    {"op": "stddev_pop", "column": "price"},
    {"op": "stddev_samp", "column": "amount"},
    {"op": "skew", "column": "n"},
    {"op": "kurtosis", "column": "amount"},
    {"op": "histogram", "column": "name", "max_values": 3},
    {"op": "approx_histogram_k", "column": "name", "k": 2, "max_values": 4},
    {"op": "rate", "per": "1m"},
    {"op": "time_since_last"},
]


@st.composite
def features(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some features, every operation among them now and then."""
    found = []
    for number, operation in enumerate(draw(st.lists(st.sampled_from(_OPERATIONS), min_size=1, max_size=5))):
        feature = {**operation, "name": f"f{number}"}
        windows = ["10s", "20s", "1m"] if operation["op"] == "rate" else ["10s", "20s", "1m", "all"]
        feature["window"] = draw(st.sampled_from(windows))
        if feature["window"] != "all":
            feature["hop"] = draw(st.sampled_from([0, "1s", "5s"]))
            if feature["hop"] == 0:
                feature["max_events"] = draw(st.sampled_from([1, 3, 100]))
        if draw(st.booleans()):
            feature["where"] = "status = 'D'"
        if draw(st.integers(0, 3)) == 0:
            feature |= {"by": "name", "max_keys": draw(st.sampled_from([1, 2, 10]))}
        found.append(feature)
    return found


@st.composite
def rows(draw: st.DrawFn, most: int = 40) -> list[dict[str, Any]]:
    """Events as rows: ties, duplicates, conflicts, nulls, extreme numbers, both sides of 1970."""
    found = []
    amounts = st.one_of(
        st.none(),
        st.sampled_from([0.1, -0.0, math.nan, math.inf, -math.inf, 1e300, -1e300, 5e-324]),
        st.floats(-9, 9).map(lambda one: round(one, 2)),
    )
    times = st.one_of(
        st.integers(-40, 40).map(lambda one: one * SECOND),
        st.integers(-40 * SECOND, 40 * SECOND),
        st.integers(-300, 300).map(lambda one: one * SECOND),
    )
    for _ in range(draw(st.integers(0, most))):
        at = draw(times)
        row = {
            "user": draw(st.sampled_from("ab")),
            "at": at,
            "id": draw(st.integers(-2, 3)),
            "known": at + draw(st.sampled_from([0, 0, 1, 3 * SECOND, 30 * SECOND])),
            "amount": draw(amounts),
            "n": draw(st.sampled_from([None, 1, 2, 5, -(2**63), 2**63 - 1])),
            "price": draw(st.none() | st.integers(-10_000, 10_000).map(lambda one: Decimal(one) / 100)),
            "name": draw(st.sampled_from([None, "a", "b", "cc", "ddd", "", "é"])),
            "status": draw(st.sampled_from(["D", "X", None, "D", "X", None, "D", "X", "DELETE"])),
        }
        found.append(row)
        if draw(st.integers(0, 9)) == 0:
            found.append({**row, "known": row["known"] + 5})
    return found


@dataclass(frozen=True)
class Case:
    """A definition with its plan, and the accepted events as the oracle sees them."""

    definition: Definition
    plan: Plan
    projected: pa.RecordBatch
    kept: list[Event]
    conflicts: list[Event]


def plan_of(features: list[dict[str, Any]], known: bool, **more: Any) -> Plan:
    """A plan over the events of `rows`; a status of `DELETE` deletes."""
    source = {"event_time": "at", "event_id": "id", "delete_key": "status = 'DELETE'"}
    source |= {"known_at": "known"} if known else {}
    content = {"entity": {"key": "user"}, "source": source, "features": features, "lateness": "10s", "state_ttl": "2m"}
    return make_plan(read_definition({**content, **more}), SCHEMA, "AggregateEvents", NO_POLICY)


def projected_of(plan: Plan, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows as projected events."""
    projected, rejects = Projector(plan, "AggregateEvents", "1", None)(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    assert rejects == []
    return projected


def events_of(plan: Plan, rows: list[dict[str, Any]]) -> list[Event]:
    """Rows as events of the oracle."""
    known = bool(plan.definition.known_at)
    return [
        Event(row["user"], row["at"], row["id"], row, row["known"] if known else None, row["status"] == "DELETE")
        for row in rows
    ]


def accepted_of(plan: Plan, events: list[Event]) -> tuple[list[Event], list[Event]]:
    """(events that count, those in conflict): by the hash of what the plan reads of them."""
    projected = projected_of(plan, [one.columns for one in events])
    fixed = (*plan.keys, "time", "id", "known", "deletes")
    names = [name for name in projected.schema.names if name not in fixed]
    digests = contents(projected.select(names)).tolist()
    hashes = {id(event): digest for event, digest in zip(events, digests, strict=True)}
    return accepted(events, lambda one: hashes[id(one)])


def case_of(features: list[dict[str, Any]], rows: list[dict[str, Any]], known: bool) -> Case:
    """Puts a case together."""
    plan = plan_of(features, known)
    kept, conflicts = accepted_of(plan, events_of(plan, rows))
    return Case(plan.definition, plan, projected_of(plan, rows), kept, conflicts)


def expected(case: Case, feature: Feature, key: str, as_of: int) -> tuple[str, bool]:
    """What the oracle gives, as text that tells every value from every other."""
    found, cut = value(case.definition, feature, case.kept, key, as_of, lambda one: one.columns["status"] == "D")
    return shown(found), cut


def shown(value: Any) -> str:
    """A value as text: -0.0 and 0.0 differ, NaN equals NaN, decimals by value."""
    if isinstance(value, timedelta):
        return str(value // timedelta(microseconds=1))
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if value.as_tuple().exponent < 0 else f"{value:f}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value)
