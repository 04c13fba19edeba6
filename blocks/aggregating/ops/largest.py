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

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The value, or null."""
        found = own_entries(cells)
        rows = np.zeros(found.parts, np.int64)
        rows[found.part] = np.arange(len(found.part))
        return Results(found.items.take(pa.array(rows, mask=sizes(found.part, found.parts) == 0)))


class Min(Max):
    """The smallest value; of none: null. NaN is larger than every number."""

    name = "min"
    summary = "the smallest value"
    largest = False
