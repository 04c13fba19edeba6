"""The estimate that datasketches gives unless asked, HIP, depends on the order of events: planted, it is found.

HIP adds to a running estimate the inverse of the chance that a register changes, whenever one does (Cohen,
"All-distances sketches, revisited", 2014; Ting, "Streamed approximate counting of distinct elements", 2014).
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from blocks.aggregating import plan as plans
from blocks.aggregating.hashing import hashes_of
from blocks.aggregating.ops.approx_unique_count import ApproxUniqueCount
from blocks.aggregating.ops.operation import Ints, Moments, Results, Selected
from tests.aggregating.event_cases import events_of, projected_of
from tests.aggregating.feature_values import value_of
from tests.aggregating.stream_cases import History, another_order, history_of, run
from tests.aggregating.test_laws import check

PRECISION = 4


class HistoricCount(ApproxUniqueCount):
    """HyperLogLog with HIP: a cell has its values in the order in which they came, and what that estimates."""

    cells: ClassVar[pa.Schema] = pa.schema([pa.field("hashes", pa.list_(pa.uint64()), False)])

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        super().__init__(column, options)

    def prepare(self, events: Selected) -> pa.RecordBatch:
        assert events.values is not None
        lists = [[one] for one in hashes_of(events.values).tolist()]
        return pa.RecordBatch.from_arrays([pa.array(lists, pa.list_(pa.uint64()))], schema=self.cells)

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        lists = cells.column(0).to_pylist()
        merged = [[one for part in lists[start:stop] for one in part] for start, stop in itertools.pairwise(offsets)]
        return pa.RecordBatch.from_arrays([pa.array(merged, pa.list_(pa.uint64()))], schema=self.cells)

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        return Results(pa.array([self._estimate(one) for one in cells.column(0).to_pylist()], pa.int64()))

    def _estimate(self, hashes: list[int]) -> int:
        ranks, found = [0] * (1 << self.precision), 0.0
        for one in hashes:
            register, rest = one >> (64 - self.precision), one << self.precision & (1 << 64) - 1
            rank = 65 - rest.bit_length() if rest else 65 - self.precision
            if rank > ranks[register]:
                found += len(ranks) / sum(2.0**-other for other in ranks)
                ranks[register] = rank
        return math.floor(found + 0.5)


def _history() -> History:
    """Sixty different values of one key, a second from each other, over all time."""
    made = history_of(bytes(6), [bytes(8)], [bytes([2, *bytes(24)])] * 60, bytes([7, 19, 33]), bytes(8))
    values = [{**row, "user": "a", "name": f"v{number}", "status": "D"} for number, row in enumerate(made.rows)]
    feature = {"name": "f0", "op": "approx_unique_count", "column": "name", "precision": PRECISION, "window": "all"}
    return History([feature], values, False, made.schema, 1, made.cuts, made.marks, bytes(range(0, 250, 7)))


def _in_two_orders(history: History) -> list[dict[Any, int]]:
    """The estimate of every row, of the events as they are and in another order, in one bundle each."""
    plan = history.plan()
    projected, events = projected_of(plan, history.rows), events_of(plan, history.rows)
    again = another_order(events, history.lateness, history.jitter)
    order = pa.array([events.index(one) for one in again], pa.int64())
    found = [run(plan, one, []).sink.rows for one in (projected, projected.take(order))]
    return [{pair: row["f0"] for pair, row in rows.items()} for rows in found]


def test_hip_depends_on_the_order_and_ours_does_not() -> None:
    values = [f"v{number}" for number in range(200)]
    kind = pa.string()
    assert value_of("approx_unique_count", values, kind, precision=5) == value_of(
        "approx_unique_count", values[::-1], kind, precision=5
    )
    historic = HistoricCount(kind, {"precision": 5})
    hashes = hashes_of(pa.array(values)).tolist()
    assert historic._estimate(hashes) != historic._estimate(hashes[::-1])
    # It is an estimate all the same.
    assert historic._estimate(hashes) == pytest.approx(200, rel=0.5)


def test_a_historic_estimate_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    history = _history()
    check(history)
    first, second = _in_two_orders(history)
    assert first == second
    monkeypatch.setitem(plans._KINDS, "approx_unique_count", HistoricCount)
    with pytest.raises(AssertionError):
        check(history)
