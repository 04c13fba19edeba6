"""The laws of operations: merge is associative and commutative, has an identity, and forgets how events were cut."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating.ops import OPERATIONS
from blocks.aggregating.ops.by import By
from blocks.aggregating.ops.operation import Moments, Operation, Selected
from blocks.aggregating.ranges import Tree
from tests.aggregating.event_cases import shown

_OPTIONS: dict[str, Any] = {
    "k": 3,
    "share": (0.1, 0.5, 1.0),
    "per": 3_600_000_000,
    "max": 4,
    "max_values": 4,
    "precision": 6,
    "least": 1e-9,
    "most": 1e12,
}
_VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.float64(): st.floats() | st.sampled_from([0.0, -0.0, 1.5]),
    pa.float32(): st.floats(width=32),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.decimal128(10, 2): st.integers(-(10**9), 10**9).map(lambda one: Decimal(one) / 100),
    pa.decimal256(60, 3): st.integers(-(10**50), 10**50).map(lambda one: Decimal(f"{one}e-3")),
    pa.bool_(): st.booleans(),
    pa.timestamp("us", "UTC"): st.integers(-(10**15), 10**15),
    pa.date32(): st.integers(-10_000, 10_000),
    pa.string(): st.text(max_size=20) | st.sampled_from(["a", "b", ""]),
    pa.large_binary(): st.binary(max_size=20),
}
KINDS = [
    pytest.param(kind, column, by, id=f"{kind.name}-{column}" + "-by" * by)
    for kind in OPERATIONS
    for column in (list(_VALUES) if kind.column != "none" else [pa.null()])
    if kind.column == "none" or kind.takes(column)
    # What is nested in a map is the same code for every type.
    for by in ([False, True] if column in (pa.float64(), pa.string(), pa.null()) else [False])
]


def cells(batch: pa.RecordBatch) -> list[str]:
    return [shown(sorted(row.items())) for row in batch.to_pylist()]


def made(kind: type[Operation], column: pa.DataType, by: bool) -> Operation:
    options = {name: _OPTIONS[name] for name in kind.options}
    operation = kind(None if kind.column == "none" else column, options)
    return By(operation, pa.string(), 3) if by else operation


@pytest.mark.parametrize(("kind", "column", "by"), KINDS)
@settings(max_examples=6)
@given(data=st.data())
def test_the_laws_hold(kind: type[Operation], column: pa.DataType, by: bool, data: st.DataObject) -> None:
    operation = made(kind, column, by)
    values = None
    count = data.draw(st.integers(0, 40))
    if kind.column != "none":
        drawn = data.draw(st.lists(_VALUES[column], min_size=count, max_size=count))
        values = pa.array(drawn, column)
    times = np.sort(np.array(data.draw(st.lists(st.integers(0, 20), min_size=count, max_size=count)), np.int64))
    ids = pa.array([b"%06d" % number for number in range(count)], pa.large_binary())
    second = data.draw(st.lists(st.sampled_from("uvwxyz"), min_size=count, max_size=count))
    single = operation.prepare(Selected(values, times, ids, pa.array(second, pa.string())))
    assert single.schema.equals(operation.cells)
    whole = operation.merge(single, np.array([0, count]))
    cuts = np.array(sorted([0, count, *data.draw(st.lists(st.integers(0, count), max_size=4))]))
    parts = operation.merge(single, cuts)
    assert cells(operation.merge(parts, np.array([0, parts.num_rows]))) == cells(whole)
    order = pa.array(np.array(data.draw(st.permutations(range(count))), np.int64))
    assert cells(operation.merge(single.take(order), np.array([0, count]))) == cells(whole)
    nothing = operation.identity(2)
    assert cells(operation.merge(pa.concat_batches([nothing, whole, nothing]), np.array([0, 5]))) == cells(whole)
    start = np.array(data.draw(st.lists(st.integers(0, count), min_size=1, max_size=6)), np.int64)
    stop = np.minimum(start + data.draw(st.integers(0, 40)), count)
    rows = np.concatenate([np.arange(one, other) for one, other in zip(start, stop, strict=True)]).astype(np.int64)
    slow = operation.merge(single.take(pa.array(rows)), np.concatenate([[0], np.cumsum(stop - start)]))
    tree = Tree(operation, single)
    ranged = tree.merged(start, stop)
    assert cells(ranged) == cells(slow)
    moments = Moments(np.arange(len(start)) * 10**6 + 10**9, 86_400_000_000)
    results = operation.finalize(ranged, moments)
    quick = tree.results(start, stop, moments)
    assert shown(quick.values.to_pylist()) == shown(results.values.to_pylist())
    assert (quick.truncated is None) == (results.truncated is None)
    assert quick.truncated is None or quick.truncated.tolist() == results.truncated.tolist()
    results.values.validate(full=True)
    assert results.values.type.equals(operation.result)
    assert operation.nullable or not results.values.null_count


def _percentile(values: list[float], share: Any = 0.5) -> Any:
    operation = made(next(one for one in OPERATIONS if one.name == "approx_percentile"), pa.float64(), False)
    operation = type(operation)(pa.float64(), {**_OPTIONS, "share": share})
    ids = pa.array([b""] * len(values), pa.large_binary())
    single = operation.prepare(Selected(pa.array(values, pa.float64()), np.zeros(len(values), np.int64), ids))
    merged = operation.merge(single, np.array([0, len(values)]))
    return operation.finalize(merged, Moments(np.zeros(1, np.int64), None)).values[0].as_py()


@settings(max_examples=200)
@given(
    st.lists(st.floats(-1e12, 1e12).filter(lambda one: one == 0 or abs(one) >= 1e-9), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_a_percentile_is_within_one_percent(values: list[float], share: float) -> None:
    exact = sorted(values)[math.floor(share * (len(values) - 1))]
    found = _percentile(values, share)
    assert abs(found - exact) <= 0.01 * abs(exact) * (1 + 1e-12)


def test_a_percentile_has_its_extremes_exact_and_counts_what_is_out_of_range_at_the_ends() -> None:
    values = [1e-30, 3.0, 1e300]
    assert _percentile(values, (0.0, 0.5, 1.0)) == [1e-30, pytest.approx(3.0, rel=0.01), 1e300]
    assert _percentile([5.0, 1e15, 1e20, 1e30], 0.34) == pytest.approx(1e12, rel=0.01)
    assert math.isnan(_percentile([1.0, math.nan], 0.5))
    assert _percentile([], 0.5) is None


def test_distinct_counts_are_close_over_many_sizes() -> None:
    kind = next(one for one in OPERATIONS if one.name == "approx_unique_count")
    operation = kind(pa.string(), {"precision": 12})
    for size in (1, 10, 1_000, 20_000):
        values = pa.array([f"v{number}" for number in range(size)])
        single = operation.prepare(
            Selected(values, np.zeros(size, np.int64), pa.array([b""] * size, pa.large_binary()))
        )
        merged = operation.merge(single, np.array([0, size]))
        found = operation.finalize(merged, Moments(np.zeros(1, np.int64), None)).values[0].as_py()
        # Four standard errors.
        assert abs(found - size) <= max(4 * 1.04 / 64 * size, 0.5)
