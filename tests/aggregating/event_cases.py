"""Random definitions and events, for tests against the oracle.

A case is read from bytes, a few for each feature and a few for each event: one draw of hypothesis's for an event, where
one for each of its columns would take longer than the test itself. Zeros are the simplest case, so it still shrinks.
"""

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pyarrow as pa
from hypothesis import strategies as st

from blocks.aggregating.definition import Definition
from blocks.aggregating.events import ID
from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.core.policy import NO_POLICY
from blocks.shaping.first_rows import contents
from tests.oracles.aggregation import Event, accepted, value

SECOND = 1_000_000
UTC = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        pa.field("user", pa.string()),
        pa.field("at", UTC),
        pa.field("id", pa.int64()),
        pa.field("known", UTC),
        pa.field("amount", pa.float64()),
        pa.field("n", pa.int64()),
        pa.field("price", pa.decimal128(12, 2)),
        pa.field("name", pa.string()),
        pa.field("status", pa.string()),
        pa.field("single", pa.float32()),
        pa.field("flag", pa.bool_()),
        pa.field("seen", UTC),
        # A second column of keys.
        pa.field("side", pa.int8()),
        # What `status` says, as columns that are conditions as they are: an expression costs an engine a case.
        pa.field("declined", pa.bool_()),
        pa.field("gone", pa.bool_()),
    ]
)
# Every operation, over every kind of column that it takes.
OPERATIONS_TRIED: list[dict[str, Any]] = [
    {"op": "count"},
    *({"op": "count", "column": column} for column in ("amount", "flag", "seen")),
    {"op": "count_where", "where": "declined"},
    *({"op": "sum", "column": column} for column in ("amount", "amount", "n", "price", "single", "flag")),
    *({"op": "average", "column": column} for column in ("amount", "amount", "n", "price", "single", "flag")),
    *({"op": "min", "column": column} for column in ("amount", "name", "single", "flag")),
    *({"op": "max", "column": column} for column in ("name", "amount", "n", "price", "seen")),
    *({"op": "first", "column": column} for column in ("name", "flag", "amount")),
    *({"op": "last", "column": column} for column in ("amount", "seen", "price")),
    *({"op": "first_k", "column": column, "k": 2} for column in ("price", "seen")),
    *({"op": "last_k", "column": column, "k": 3} for column in ("name", "amount")),
    *({"op": "top_k", "column": column, "k": 2} for column in ("amount", "seen", "n")),
    *({"op": "bottom_k", "column": column, "k": 2} for column in ("name", "amount", "price")),
    *({"op": "unique_count", "column": column, "max": 3} for column in ("name", "amount", "seen", "flag")),
    *({"op": "approx_unique_count", "column": column, "precision": 5} for column in ("name", "amount", "seen")),
    *({"op": "approx_percentile", "column": column, "share": 0.5} for column in ("amount", "price", "single")),
    {"op": "approx_percentile", "column": "amount", "share": [0.0, 0.25, 0.9]},
    {"op": "approx_percentile", "column": "n", "share": [0.5, 1.0], "least": 2, "most": 1e6},
    {"op": "variance_pop", "column": "amount"},
    {"op": "variance_samp", "column": "n"},
    {"op": "stddev_pop", "column": "price"},
    {"op": "stddev_samp", "column": "amount"},
    *({"op": "skew", "column": column} for column in ("n", "amount", "flag")),
    *({"op": "kurtosis", "column": column} for column in ("amount", "single", "price")),
    *({"op": "histogram", "column": column, "max_values": 3} for column in ("name", "seen", "single")),
    {"op": "approx_histogram_k", "column": "name", "k": 2, "max_values": 4},
    {"op": "approx_histogram_k", "column": "amount", "k": 1, "max_values": 3},
    {"op": "rate", "per": "1m"},
    {"op": "time_since_last"},
    {"op": "time_since_last", "column": "amount"},
    {"op": "ratio"},
    {"op": "ratio"},
]
_NUMBERS = ("count", "sum", "average", "unique_count", "variance_pop", "stddev_samp", "rate", "min", "max", "last")
_OF_NUMBERS = ("", "amount", "n", "price", "single")

T = TypeVar("T")


class Picks:
    """Choices, a byte each."""

    def __init__(self, content: bytes) -> None:
        self._bytes = iter(content)

    def of(self, options: Sequence[T]) -> T:
        return options[next(self._bytes) % len(options)]

    def rarely(self, one_in: int) -> bool:
        return next(self._bytes) % one_in == one_in - 1

    def number(self, bytes_: int = 2) -> int:
        return int.from_bytes(bytes(next(self._bytes) for _ in range(bytes_)))


FEATURE_BYTES, ROW_BYTES = 8, 20


def features(unit: int = 1) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Some features, every operation among them now and then.

    Args:
      unit: seconds; windows are of 10, 20 and 60 of it.
    """
    drawn = st.lists(st.binary(min_size=FEATURE_BYTES, max_size=FEATURE_BYTES), min_size=1, max_size=5)
    return drawn.map(lambda content: features_of(content, unit))


def features_of(content: Sequence[bytes], unit: int = 1) -> list[dict[str, Any]]:
    """Features from eight bytes each."""
    found: list[dict[str, Any]] = []
    for number, one in enumerate(content):
        picks = Picks(one)
        feature = {**picks.of(OPERATIONS_TRIED), "name": f"f{number}"}
        if feature["op"] == "ratio":
            parts = [other["name"] for other in found if _is_number(other)]
            if parts:
                found.append({**feature, "of": [picks.of(parts), picks.of(parts)]})
                continue
            feature["op"] = "count"
        endless = [] if feature["op"] == "rate" else ["all"]
        feature["window"] = picks.of([10, 20, 60, *endless])
        if feature["window"] != "all":
            hop = picks.of([1, 5, 0])
            feature |= {"window": f"{feature['window'] * unit}s", "hop": f"{hop * unit}s" if hop else 0}
            if not hop:
                feature["max_events"] = picks.of([1, 3, 100])
        if picks.rarely(2):
            feature["where"] = "declined"
        if picks.rarely(4):
            by = picks.of(["name", "amount", "flag", "n", "seen"])
            feature |= {"by": by, "max_keys": picks.of([1, 2, 10])}
        found.append(feature)
    return found


def _is_number(feature: dict[str, Any]) -> bool:
    return feature["op"] in _NUMBERS and feature.get("column", "") in _OF_NUMBERS and "by" not in feature


NEGATIVE_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0]
_PLAIN = [1.0, 2.5, -7.25, 0.1, 3.0, 0.3, 12.5, 1e-3]
_EXTREME = [-0.0, 0.0, 1e300, -1e300, 5e-324, -5e-324, 1.7976931348623157e308, 1e16, 1e-9, 9.99e-10, 1e12, 1e13]
_NOT_FINITE = [math.nan, math.inf, -math.inf, NEGATIVE_NAN]
_AMOUNTS: list[list[float | None]] = [
    [*_PLAIN, None],
    [*_PLAIN, *_EXTREME, None],
    [*_PLAIN, *_PLAIN, *_EXTREME, *_NOT_FINITE, None],
]
_SINGLES = [0.5, -1.25, None, 16777216.0, 1.0, -0.0, 3.4028234663852886e38, 1.401298464324817e-45]
_WHOLE = [1, 2, None, 5, 3, -(2**63), 2**63 - 1, 1_000_000, -1]
_NAMES = ["a", "b", None, "cc", "ddd", "", "é", "a long name of more than sixteen bytes"]
_STATUS = ["D", "X", None] * 5 + ["DELETE"]


def row_of(picks: Picks, at: int, mood: int = 2, grain: int = 1) -> dict[str, Any]:
    """An event at a time.

    Args:
      picks: of its columns.
      at: microseconds.
      mood: 0 for plain numbers, 1 for extreme ones too, 2 for what is no finite number too.
      grain: the unit of its times in microseconds, in which they are rounded down.
    """
    at -= at % grain
    known = at + picks.of([0, 0, 1, 3 * SECOND, 30 * SECOND])
    status = picks.of(_STATUS)
    number = picks.of([0, 1, -1, 2, 10, -10])
    amount = picks.of(_AMOUNTS[mood])
    single = picks.of([*_SINGLES, *_NOT_FINITE[:3]] if mood == 2 else _SINGLES)
    return {
        "user": picks.of("ab"),
        "side": number % 2,
        "at": at,
        "id": number,
        "known": known - known % grain,
        "amount": picks.number() / 100 - 300 if amount == 12.5 else amount,
        "n": picks.of(_WHOLE),
        "price": picks.of([None, Decimal(picks.number() - 30_000) / 100, Decimal("0.07"), Decimal("1234567890.12")]),
        "name": picks.of(_NAMES),
        "status": status,
        "single": single,
        "flag": picks.of([True, False, None]),
        "seen": picks.of([None, 0, at, -1, 1_709_164_800_000_000]),
        "declined": None if status is None else status == "D",
        "gone": status == "DELETE",
    }


def rows(most: int = 40) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events as rows: ties, duplicates, conflicts, nulls, extreme numbers, both sides of 1970."""
    mood = st.sampled_from([2, 1, 0])
    return st.builds(
        lambda content, mood: [row for one in content for row in _rows_of(Picks(one), mood)],
        st.lists(st.binary(min_size=ROW_BYTES + 6, max_size=ROW_BYTES + 6), max_size=most),
        mood,
    )


def _rows_of(picks: Picks, mood: int) -> list[dict[str, Any]]:
    kind, place = picks.of(range(3)), picks.number(4)
    seconds = [place % 81 - 40, (place % 80_000_001 - 40_000_000) / SECOND, place % 601 - 300][kind]
    again = picks.rarely(10)
    row = row_of(picks, int(seconds * SECOND), mood)
    return [row, {**row, "known": row["known"] + 5}] if again else [row]


@dataclass(frozen=True)
class Case:
    """A definition with its plan, and the accepted events as the oracle sees them."""

    definition: Definition
    plan: Plan
    projected: pa.RecordBatch
    kept: list[Event]
    conflicts: list[Event]


def definition_of(features: list[dict[str, Any]], known: bool, wide: bool = False, **more: Any) -> dict[str, Any]:
    """A definition over the events of `rows`; a status of `DELETE` deletes.

    Args:
      features: as a user writes them.
      known: whether it counts when an event became known.
      wide: with a key of two columns, and two columns in the place of an event id.
      more: other keys.
    """
    source: dict[str, Any] = {"event_time": "at", "delete_key": "gone"}
    source |= {"identity": ["id", "user"]} if wide else {"event_id": "id"}
    source |= {"known_at": "known"} if known else {}
    entity = {"key": ["side", "user"] if wide else "user"}
    content = {"entity": entity, "source": source, "features": features, "lateness": "10s", "state_ttl": "2m"}
    return {**content, **more}


def plan_of(features: list[dict[str, Any]], known: bool, schema: pa.Schema = SCHEMA, **more: Any) -> Plan:
    """A plan of `definition_of`."""
    return make_plan(read_definition(definition_of(features, known, **more)), schema, "AggregateEvents", NO_POLICY)


def key_of(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The key of a row: a value, or a tuple of the values of `side` and `user` where it has both."""
    return (row["side"], row["user"]) if "side" in names else row["user"]


def keys_of(keys: pa.RecordBatch) -> list[Any]:
    """Keys as the oracle has them."""
    columns = [column.to_pylist() for column in keys.columns]
    return list(zip(*columns, strict=True)) if len(columns) > 1 else columns[0]


def batch_of(rows: Sequence[dict[str, Any]], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    """Rows as a batch; their times, which are microseconds, in the unit of the schema."""
    unit = schema.field("at").type.unit
    found = [
        {**row, "declined": row["status"] == "D" if row["status"] else None, "gone": row["status"] == "DELETE"}
        for row in rows
    ]
    if unit != "us":
        for row in found:
            row |= {name: in_unit(row[name], unit) for name in ("at", "known")}
    return pa.RecordBatch.from_pylist(found, schema=schema)


def in_unit(micros: int, unit: str) -> int:
    """Microseconds in another unit; with nanoseconds beyond them, which do not count."""
    return micros * 1000 + 999 if unit == "ns" else micros // {"us": 1, "ms": 1000, "s": SECOND}[unit]


def projected_of(plan: Plan, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows as projected events."""
    projected, rejects = Projector(plan, "AggregateEvents", "1", None)(batch_of(rows, plan.schema))
    assert rejects == []
    return projected


def events_of(plan: Plan, rows: Sequence[dict[str, Any]]) -> list[Event]:
    """Rows as events of the oracle."""
    known, key = bool(plan.definition.known_at), plan.definition.key
    ids: list[Any] = [row["id"] for row in rows]
    if plan.definition.identity:
        # Several columns have the order of their hash.
        ids = list(zip(projected_of(plan, rows).column(ID).to_pylist(), ids, strict=True))
    return [
        Event(key_of(row, key), row["at"], one, row, row["known"] if known else None, row["status"] == "DELETE")
        for row, one in zip(rows, ids, strict=True)
    ]


def accepted_of(
    plan: Plan, events: list[Event], projected: pa.RecordBatch | None = None
) -> tuple[list[Event], list[Event]]:
    """(events that count, those in conflict): by the hash of what the plan reads of them."""
    if projected is None:
        projected = projected_of(plan, [one.columns for one in events])
    fixed = (*plan.keys, "time", "id", "known", "deletes")
    names = [name for name in projected.schema.names if name not in fixed]
    digests = contents(projected.select(names)).tolist()
    hashes = {id(event): digest for event, digest in zip(events, digests, strict=True)}
    return accepted(events, lambda one: hashes[id(one)])


def case_of(features: list[dict[str, Any]], rows: list[dict[str, Any]], known: bool) -> Case:
    """Puts a case together."""
    plan = plan_of(features, known)
    projected, events = projected_of(plan, rows), events_of(plan, rows)
    kept, conflicts = accepted_of(plan, events, projected)
    return Case(plan.definition, plan, projected, kept, conflicts)


def declined(event: Event) -> bool:
    """The only condition of these definitions."""
    return bool(event.columns["status"] == "D")


Pairs = Sequence[tuple[Any, int]]


def wanted_of(
    plan: Plan, kept: list[Event], pairs: Pairs, where: Callable[[Event], bool] = declined
) -> tuple[list[pa.Array], list[list[str]]]:
    """(a column a feature, names of the truncated features a row): what the oracle gives for (key, as_of) pairs."""
    found, truncated = [], [list[str]() for _ in pairs]
    for output in plan.outputs:
        values = []
        for (key, as_of), names in zip(pairs, truncated, strict=True):
            one, cut = value(plan.definition, output.feature, kept, key, as_of, where)
            values.append(one)
            names += [output.feature.name] if cut else []
        found.append(pa.array(values, output.field.type))
    return found, truncated


def assert_same_bytes(plan: Plan, pairs: Pairs, found: Sequence[pa.Array], wanted: Sequence[pa.Array]) -> None:
    """Whether two lists of columns, one for each feature, are the same to the last bit."""
    for output, one, other in zip(plan.outputs, found, wanted, strict=True):
        assert one.type.equals(output.field.type)
        assert output.field.nullable or not one.null_count
        if bytes_of(one) != bytes_of(other):
            # Only now row by row, to say which.
            for place, pair in enumerate(pairs):
                got, right = one.slice(place, 1), other.slice(place, 1)
                assert bytes_of(got) == bytes_of(right), (output.feature, pair, got.to_pylist(), right.to_pylist())


def bytes_of(column: pa.Array) -> bytes:
    """The bytes of a column's values: equal for equal bits, whatever lies under nulls and between lists."""
    plain = pa.array(column.to_pylist(), column.type)
    return bytes(pa.RecordBatch.from_arrays([plain], names=["x"]).serialize())


def shown(value: Any) -> str:
    """A value as text: -0.0 and 0.0 differ, NaN equals NaN, decimals by value."""
    if isinstance(value, timedelta):
        return str(value // timedelta(microseconds=1))
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if value.as_tuple().exponent < 0 else f"{value:f}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value)
