"""min, max, top_k, bottom_k: values by their own order."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from blocks.aggregating.ops.codes import codes_of, comparable, plain
from blocks.aggregating.ops.entries import ENTRIES, cells_of, entries_of, entry_cells, own_entries, ranks_within, sizes
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected
from blocks.aggregating.ops.options import Option, Whole

_K = {"k": Whole("how many values to keep at most", least=1, most=10_000)}


class TopK(Operation):
    """The `k` largest values, the largest first, equal ones each; of none: an empty list.

    Of floating point NaN is larger than every number, and -0 is 0. Texts are compared byte by byte.
    """

    name = "top_k"
    summary = "the k largest values, the largest first"
    options: ClassVar[Mapping[str, Option]] = _K
    shows = "values"
    nullable = False
    largest: ClassVar[bool] = True

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """What has an order."""
        return comparable(column)

    @classmethod
    def wanted(cls) -> str:
        """What it takes."""
        return "numbers, times, texts, bytes or booleans"

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `k`."""
        self.k = int(options.get("k", 1))
        self.cells = entry_cells(column)
        self.result = pa.list_(pa.field("item", column, False))

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """A list of one value each."""
        assert events.values is not None
        return cells_of(self.cells, plain(events.values), np.arange(len(events)), len(events))

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """The `k` first of all, in their order."""
        found = entries_of(cells, offsets)
        codes = codes_of(found.items)
        # All bits turned: the reverse order, also of the least number.
        order = np.lexsort((~codes if self.largest else codes, found.part))
        kept = np.flatnonzero(ranks_within(found.part) < self.k)
        return cells_of(self.cells, found.items.take(pa.array(order[kept])), found.part[kept], found.parts)

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The values."""
        return Results(cells.column(ENTRIES).cast(self.result))


class BottomK(TopK):
    """The `k` smallest values, the smallest first, equal ones each; of none: an empty list."""

    name = "bottom_k"
    summary = "the k smallest values, the smallest first"
    largest = False


class Max(TopK):
    """The largest value; of none: null. NaN is larger than every number."""

    name = "max"
    summary = "the largest value"
    options: ClassVar[Mapping[str, Option]] = {}
    nullable = True

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""
        super().__init__(column, options)
        assert column is not None
        self.result = column

    def index(self, cells: pa.RecordBatch) -> "_Best | None":
        """The greatest of each 2, 4, 8, ... neighbours, where every cell is a single value."""
        lists = cells.column(ENTRIES)
        if not (np.diff(lists.offsets.to_numpy()) == 1).all():
            return None
        items = own_entries(cells).items
        codes = codes_of(items)
        return _Best(items, codes if self.largest else ~codes)

    def ranges(self, index: "_Best", start: Ints, stop: Ints) -> pa.RecordBatch:
        """Of two overlapping runs of neighbours that are the range, the greater."""
        some = np.flatnonzero(start < stop)
        rows = index.best(start[some], stop[some])
        return cells_of(self.cells, index.items.take(pa.array(rows)), some, len(start))

    def of_ranges(self, index: "_Best", start: Ints, stop: Ints, moments: Moments) -> Results:
        """The value, or null."""
        some = start < stop
        rows = np.zeros(len(start), np.int64)
        rows[some] = index.best(start[some], stop[some])
        return Results(index.items.take(pa.array(rows, mask=~some)))

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The value, or null."""
        found = own_entries(cells)
        rows = np.zeros(found.parts, np.int64)
        rows[found.part] = np.arange(len(found.part))
        return Results(found.items.take(pa.array(rows, mask=sizes(found.part, found.parts) == 0)))


class _Best:
    """Of runs of 1, 2, 4, ... neighbours the place of the greatest code, as far as ranges have needed them.

    Source: the "sparse table" of Bender and Farach-Colton, "The LCA Problem Revisited" (2000), section 3.
    """

    def __init__(self, items: pa.Array, codes: Ints) -> None:
        self.items = items
        self._order = np.argsort(codes, kind="stable")
        ranks = np.empty(len(codes), np.int32)
        ranks[self._order] = np.arange(len(codes), dtype=np.int32)
        self._levels = [ranks]

    def best(self, start: Ints, stop: Ints) -> Ints:
        """The row with the greatest code from each `start` to before `stop`, none of them empty."""
        if not len(start):
            return np.zeros(0, np.int64)
        # The largest power of 2 within the range: exact, for lengths are far below 2**53.
        level = np.frexp((stop - start).astype(np.float64))[1] - 1
        found = np.empty(len(start), np.int32)
        for one in range(int(level.max()) + 1):
            if one == len(self._levels):
                below, half = self._levels[-1], 1 << (one - 1)
                self._levels.append(np.maximum(below[:-half], below[half:]))
            some = np.flatnonzero(level == one)
            ranks = self._levels[one]
            found[some] = np.maximum(ranks[start[some]], ranks[stop[some] - (1 << one)])
        return self._order[found]


class Min(Max):
    """The smallest value; of none: null. NaN is larger than every number."""

    name = "min"
    summary = "the smallest value"
    largest = False
