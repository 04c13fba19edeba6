"""Values of features against programs that are not ours: math.fsum, numpy, scipy, and DuckDB's joins and windows."""

import math
import statistics
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import apache_beam as beam
import duckdb
import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from hypothesis import given
from hypothesis import strategies as st

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.core.batch_type import BatchType
from blocks.testing import collect
from tests.aggregating.feature_values import value_of, values_of_groups

# What two-pass algorithms of doubles lose on numbers that do not cancel.
NEAR = 1e-11


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=60))
def test_a_sum_is_that_of_fsum(values: list[float]) -> None:
    # Both are the exact sum, rounded once; fsum gives -0.0 for zeros that are all negative.
    assert value_of("sum", values) == math.fsum(values)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=60))
def test_a_mean_is_that_of_statistics(values: list[float]) -> None:
    # Fractions, rounded once.
    assert value_of("average", values) == statistics.mean(values)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=60))
def test_a_sum_of_whole_numbers_is_that_of_python(values: list[int]) -> None:
    assert value_of("sum", values, pa.int64()) == Decimal(sum(values))


def _samples() -> list[np.ndarray]:
    """Groups of several shapes and sizes, none of which cancels."""
    random = np.random.default_rng(5)
    made = []
    for size in (2, 3, 5, 50, 1_000):
        made += [random.normal(3, 2, size), random.lognormal(0, 1.5, size), random.uniform(-1, 1, size) ** 3]
        made += [random.integers(-50, 50, size).astype(float), random.exponential(1e-6, size) * 1e12]
    return made


SAMPLES = _samples()
_MOMENTS: dict[str, Callable[[np.ndarray], Any]] = {
    "average": np.mean,
    "variance_pop": np.var,
    "variance_samp": lambda values: np.var(values, ddof=1),
    "stddev_pop": np.std,
    "stddev_samp": lambda values: np.std(values, ddof=1),
    "skew": scipy.stats.skew,
    "kurtosis": scipy.stats.kurtosis,
}


@pytest.mark.parametrize("op", _MOMENTS)
def test_moments_are_those_of_numpy_and_scipy(op: str) -> None:
    found = values_of_groups(op, SAMPLES)
    for values, one in zip(SAMPLES, found, strict=True):
        # Of skew and kurtosis a part of the error is absolute, for they may be near 0.
        assert one == pytest.approx(
            float(_MOMENTS[op](values)), rel=NEAR, abs=1e-10 if op in ("skew", "kurtosis") else 0
        )


@pytest.mark.parametrize("op", [name for name in _MOMENTS if name != "average"])
def test_moments_about_the_mean_do_not_feel_a_shift_that_is_exact(op: str) -> None:
    random = np.random.default_rng(6)
    values = random.integers(0, 2**20, 200) / 2**10
    # Of numbers with a common shift of 2**42 numpy keeps few digits; ours are the same to the last bit.
    assert value_of(op, values + 2.0**42) == value_of(op, values)
    assert value_of(op, values) == pytest.approx(float(_MOMENTS[op](values)), rel=NEAR)


def test_too_few_values_have_no_spread() -> None:
    assert value_of("variance_samp", [1.0]) is None
    assert value_of("skew", [2.0, 2.0]) is None
    assert value_of("kurtosis", [2.0, 2.0]) is None
    assert math.isnan(scipy.stats.skew(np.array([2.0, 2.0])))


SHARES = [0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0]


def test_quantiles_are_within_one_percent_of_those_of_numpy() -> None:
    for values, found in zip(SAMPLES, values_of_groups("approx_percentile", SAMPLES, share=SHARES), strict=True):
        # Magnitudes below `least` count as 0.
        exact = np.quantile(values, SHARES, method="lower")
        assert np.all(np.abs(np.array(found) - exact) <= 0.01 * np.abs(exact) * (1 + 1e-12) + 1e-9)
        assert (found[0], found[-1]) == (values.min(), values.max())


def test_quantiles_of_decimals_are_the_nearest_doubles() -> None:
    random = Random(3)
    values = [Decimal(random.randint(-(10**10), 10**10)) / 100 for _ in range(101)]
    found = value_of("approx_percentile", values, pa.decimal128(12, 2), share=[0.0, 1.0])
    assert found == [float(min(values)), float(max(values))]


def test_distinct_counts_are_within_four_standard_errors() -> None:
    random = np.random.default_rng(7)
    groups = [random.integers(0, size, 3 * size).astype(float) for size in (10, 300, 5_000)]
    for values, found in zip(groups, values_of_groups("approx_unique_count", groups, precision=12), strict=True):
        exact = len(np.unique(values))
        assert abs(found - exact) <= max(4 * 1.04 / 64 * exact, 0.5)


# DuckDB: the same questions in SQL, over the same rows.
DAY, HOUR, MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000
EVENTS = pa.schema(
    [
        pa.field("user", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("id", pa.int64()),
        pa.field("n", pa.int32()),
        pa.field("amount", pa.float64()),
        pa.field("name", pa.string()),
    ]
)
SPINE = pa.schema(
    [pa.field("user", pa.string()), pa.field("when", pa.timestamp("us", "UTC")), pa.field("i", pa.int64())]
)
FEATURES: list[dict[str, Any]] = [
    {"name": "rows", "op": "count", "window": "7d"},
    {"name": "total", "op": "sum", "column": "n", "window": "7d"},
    {"name": "least", "op": "min", "column": "amount", "window": "6h"},
    {"name": "most", "op": "max", "column": "amount", "window": "30d"},
    {"name": "kinds", "op": "unique_count", "column": "name", "max": 100, "window": "7d"},
    {"name": "latest", "op": "last", "column": "name", "window": "30d"},
    {"name": "earliest", "op": "first", "column": "name", "window": "6h"},
    {"name": "last_three", "op": "last_k", "column": "n", "k": 3, "window": "30d"},
    {"name": "top", "op": "top_k", "column": "amount", "k": 2, "window": "7d"},
    {"name": "seen", "op": "histogram", "column": "name", "window": "7d"},
    {"name": "spread", "op": "stddev_samp", "column": "amount", "window": "7d"},
    {"name": "large", "op": "count", "where": "amount > 50", "window": "7d"},
]
WINDOWS = {"7d": (7 * DAY, HOUR), "6h": (6 * HOUR, 5 * MINUTE), "30d": (30 * DAY, DAY)}
DEFINITION = {
    "entity": {"key": "user"},
    "source": {"event_time": "at", "event_id": "id"},
    "features": FEATURES,
    "emit": {"on_event": True},
}


def _events(count: int, seed: int) -> list[dict[str, Any]]:
    """Ties in time, duplicates, nulls, both sides of 1970."""
    random = Random(seed)
    found = []
    for number in range(count):
        row = {
            "user": f"u{random.randrange(20)}",
            "at": random.randrange(-20 * DAY, 20 * DAY) // MINUTE * MINUTE + random.choice([0, 1, 999_999]),
            "id": number,
            "n": random.choice([None, *range(-5, 6)]),
            "amount": random.choice([None, round(random.uniform(-100, 100), 2), 7.0]),
            "name": random.choice([None, "a", "b", "c", "é"]),
        }
        found += [row, row] if random.random() < 0.1 else [row]
    random.shuffle(found)
    return found


def _answers(rows: list[dict[str, Any]], spine: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    batches = [pa.RecordBatch.from_pylist(rows[number::3], schema=EVENTS) for number in range(3)]
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | "Events" >> beam.Create(batches).with_output_types(BatchType(EVENTS))
        options: dict[str, Any] = {"shards": 4}
        if spine is not None:
            asked = pa.RecordBatch.from_pylist(spine, schema=SPINE)
            options |= {
                "as_of": p | "Spine" >> beam.Create([asked]).with_output_types(BatchType(SPINE)),
                "moment": "when",
            }
        found = collect(events | AggregateEvents(DEFINITION, **options))
    return list(found.table().to_pylist())


def _connection(rows: list[dict[str, Any]], spine: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("arrived", pa.Table.from_pylist(rows, schema=EVENTS))
    connection.register("spine_", pa.Table.from_pylist(spine, schema=SPINE))
    connection.execute('CREATE TABLE events AS SELECT DISTINCT *, epoch_us("at") AS t FROM arrived')
    connection.execute('CREATE TABLE spine AS SELECT *, epoch_us("when") AS q FROM spine_')
    return connection


def _join(window: str, columns: str) -> str:
    """A range join: for each row of the spine the events from the floor of q - W up to before q."""
    width, hop = WINDOWS[window]
    # DuckDB's remainder has the sign of the dividend: twice, so that the floor goes toward minus infinity.
    begin = f"(q - {width}) - (((q - {width}) % {hop}) + {hop}) % {hop}"
    return f"""SELECT s.i, {columns} FROM spine s LEFT JOIN events e
        ON e."user" = s."user" AND e.t < s.q AND e.t >= {begin} GROUP BY s.i ORDER BY s.i"""


_IN_SQL = {
    "7d": {
        "rows": "count(e.id)",
        "total": "sum(e.n)",
        "kinds": "count(DISTINCT e.name)",
        "top": "coalesce(list(e.amount ORDER BY e.amount DESC) FILTER (e.amount IS NOT NULL), [])[1:2]",
        "seen": "histogram(e.name)",
        "spread": "stddev_samp(e.amount)",
        "large": "count(*) FILTER (e.amount > 50)",
    },
    "6h": {
        "least": "min(e.amount)",
        "earliest": "first(e.name ORDER BY e.t, e.id) FILTER (e.name IS NOT NULL)",
    },
    "30d": {
        "most": "max(e.amount)",
        "latest": "last(e.name ORDER BY e.t, e.id) FILTER (e.name IS NOT NULL)",
        "last_three": "coalesce(list(e.n ORDER BY e.t DESC, e.id DESC) FILTER (e.n IS NOT NULL), [])[1:3]",
    },
}


def _asked(count: int, rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Moments at random, at events and beside them, at the ends of hops; also of a key without events."""
    random = Random(seed)
    moments = [random.randrange(-30 * DAY, 60 * DAY) for _ in range(count // 3)]
    moments += [random.choice(rows)["at"] + random.choice([0, 1, -1]) for _ in range(count // 3)]
    moments += [random.randrange(-20 * 24, 20 * 24) * HOUR for _ in range(count // 3)]
    return [{"user": f"u{random.randrange(21)}", "when": one, "i": number} for number, one in enumerate(moments)]


def test_values_as_of_a_spine_are_those_of_duckdbs_range_joins() -> None:
    rows = _events(3_000, 1)
    spine = _asked(900, rows, 2)
    found = sorted(_answers(rows, spine), key=lambda row: row["i"])
    assert [row["i"] for row in found] == list(range(len(spine)))
    connection = _connection(rows, spine)
    compared = 0
    for window, features in _IN_SQL.items():
        columns = ", ".join(f"{text} AS {name}" for name, text in features.items())
        wanted = connection.execute(_join(window, columns)).to_arrow_table().to_pylist(maps_as_pydicts="strict")
        for name in features:
            ours, theirs = [_plain(row[name]) for row in found], [_plain(row[name]) for row in wanted]
            if name == "spread":
                for one, other in zip(ours, theirs, strict=True):
                    assert (one is None) == (other is None)
                    assert one is None or one == pytest.approx(other, rel=1e-9)
            else:
                assert ours == theirs, name
            compared += 1
    assert compared == len(FEATURES)


def _plain(value: Any) -> Any:
    """Maps as dicts, of no values as empty; whole numbers of every type as such."""
    if value is None or isinstance(value, float | str):
        return value
    if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], tuple)):
        return {key: int(one) for key, one in dict(value).items()} or None
    return list(value) or None if isinstance(value, list) else int(value)


def test_the_latest_value_is_that_of_duckdbs_as_of_join() -> None:
    rows = [row for row in _events(2_000, 3) if row["name"] is not None]
    # An as-of join takes any of several events of one time: one of each is left.
    rows = list({(row["user"], row["at"]): row for row in rows}.values())
    spine = _asked(600, rows, 4)
    found = sorted(_answers(rows, spine), key=lambda row: row["i"])
    wanted = _connection(rows, spine).execute(
        f"""SELECT s.i, CASE WHEN e.t >= (q - {30 * DAY}) - (((q - {30 * DAY}) % {DAY}) + {DAY}) % {DAY} THEN e.name END
        FROM spine s ASOF LEFT JOIN events e ON e."user" = s."user" AND s.q > e.t ORDER BY s.i"""
    )
    assert [row["latest"] for row in found] == [one[1] for one in wanted.fetchall()]


def test_values_as_of_events_are_those_of_duckdbs_windows() -> None:
    rows = _events(1_500, 5)
    features = [
        {"name": "rows", "op": "count", "window": "6h", "hop": 0, "max_events": 10_000},
        {"name": "total", "op": "sum", "column": "n", "window": "6h", "hop": 0, "max_events": 10_000},
        {"name": "most", "op": "max", "column": "amount", "window": "3d", "hop": 0, "max_events": 10_000},
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=EVENTS)
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | beam.Create([batch]).with_output_types(BatchType(EVENTS))
        collected = collect(events | AggregateEvents({**DEFINITION, "features": features}, shards=3))
    found = collected.table().to_pylist()
    # As of a microsecond after the event, so that the event itself counts, and those of the same time.
    wanted = _connection(rows, []).execute(
        f"""SELECT DISTINCT "user", t + 1, count(*) OVER six, sum(n) OVER six, max(amount) OVER three FROM events
        WINDOW six AS (PARTITION BY "user" ORDER BY t RANGE BETWEEN {6 * HOUR - 1} PRECEDING AND CURRENT ROW),
        three AS (PARTITION BY "user" ORDER BY t RANGE BETWEEN {3 * DAY - 1} PRECEDING AND CURRENT ROW)"""
    )
    ours = [(row["user"], _micros(row["as_of"]), row["rows"], row["total"], row["most"]) for row in found]
    assert sorted(ours, key=str) == sorted(map(tuple, wanted.fetchall()), key=str)


def _micros(moment: Any) -> int:
    return int(pa.scalar(moment, pa.timestamp("us", "UTC")).cast(pa.int64()).as_py())


def test_a_wrong_edge_of_the_window_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WINDOWS, "6h", (6 * HOUR, HOUR))
    with pytest.raises(AssertionError):
        test_values_as_of_a_spine_are_those_of_duckdbs_range_joins()
