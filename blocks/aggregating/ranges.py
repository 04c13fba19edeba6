"""Merged cells of many ranges that may overlap, without adding every cell to every range that it is in.

The cells are merged in groups of 8, the groups in groups of 8, and so on: a tree. A range is a few cells at either end,
then a few groups, then a few larger ones: of n cells at most 14 * log8(n). Sliding windows of a thousand events each so
cost about forty merges and not a thousand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.ops.entries import ranks_within
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results

GROUP = 8
# Nodes that are gathered at a time.
_CHUNK = 1 << 18


class Tree:
    """Cells, and the groups of them that are merged as far as ranges have needed them.

    Memory: a seventh of the cells' for the groups, and what some 260,000 cells take while they are merged.

    Args:
      operation: whose cells they are.
      cells: in the order of time, key by key.
    """

    def __init__(self, operation: Operation, cells: pa.RecordBatch) -> None:
        self._operation = operation
        self._levels = [cells]
        self._nodes: pa.RecordBatch | None = None
        self._index: tuple[Any] | None = None

    def results(self, start: Ints, stop: Ints, moments: Moments) -> Results:
        """The result of each range.

        Args:
          start: first row of each range.
          stop: the row after its last.
          moments: of each.
        """
        index = self._indexed()
        if index is None:
            return self._operation.finalize(self.merged(start, stop), moments)
        return self._operation.of_ranges(index, start, np.maximum(stop, start), moments)

    def merged(self, start: Ints, stop: Ints) -> pa.RecordBatch:
        """The merged cell of each range; the identity where it is empty.

        Args:
          start: first row of each range.
          stop: the row after its last.
        """
        stop = np.maximum(stop, start)
        index = self._indexed()
        if index is not None:
            return self._operation.ranges(index, start, stop)
        runs = self._runs(start, stop)
        if self._nodes is None:
            self._nodes = pa.concat_batches(self._levels)
        nodes, operation = self._nodes, self._operation
        merged = [operation.merge(nodes.take(pa.array(rows)), offsets) for rows, offsets in _gathered(runs, len(start))]
        return pa.concat_batches(merged) if merged else operation.identity(0)

    def _indexed(self) -> Any:
        if self._index is None:
            self._index = (self._operation.index(self._levels[0]),)
        return self._index[0]

    def _runs(self, start: Ints, stop: Ints) -> "_Runs":
        query, low, high, base, level = np.arange(len(start)), start, stop, 0, 0
        left: list[tuple[Ints, Ints, Ints]] = []
        right: list[tuple[Ints, Ints, Ints]] = []
        while True:
            up, down = -(-low // GROUP), high // GROUP
            # Where no whole group lies within, the range ends here.
            going = up < down
            left.append((query, low + base, np.where(going, up * GROUP, high) - low))
            query, low, high, down = query[going], up[going], high[going], down[going]
            if not len(query):
                break
            right.append((query, down * GROUP + base, high - down * GROUP))
            high = down
            base += self._levels[level].num_rows
            level += 1
            if level == len(self._levels):
                self._grow()
        runs = [*left, *reversed(right)]
        queries, firsts, counts = (np.concatenate([run[part] for run in runs]) for part in range(3))
        some = np.flatnonzero(counts > 0)
        order = some[np.argsort(queries[some], kind="stable")]
        return _Runs(queries[order], firsts[order], counts[order])

    def _grow(self) -> None:
        below = self._levels[-1]
        count = below.num_rows // GROUP
        self._levels.append(self._operation.merge(below.slice(0, count * GROUP), np.arange(count + 1) * GROUP))
        self._nodes = None


@dataclass(frozen=True)
class _Runs:
    """Ranges as runs of nodes.

    Attributes:
      query: the range that each run is a part of, ascending.
      first: its first node, counted through all levels; the runs of a range are in the order of time.
      count: how many nodes.
    """

    query: Ints
    first: Ints
    count: Ints


def _gathered(runs: _Runs, queries: int) -> Iterator[tuple[Ints, Ints]]:
    """For some ranges at a time: the nodes of all, one after the other, and where each range begins among them."""
    nodes = np.bincount(runs.query, weights=runs.count, minlength=queries).astype(np.int64)
    total = np.concatenate([[0], np.cumsum(nodes)])
    bounds = np.searchsorted(runs.query, np.arange(queries + 1))
    at = 0
    while at < queries:
        to = max(int(np.searchsorted(total, total[at] + _CHUNK, side="right")) - 1, at + 1)
        part = slice(bounds[at], bounds[to])
        count = runs.count[part]
        run = np.repeat(np.arange(len(count)), count)
        yield runs.first[part][run] + ranks_within(run), total[at : to + 1] - total[at]
        at = to
