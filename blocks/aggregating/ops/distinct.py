"""Distinct values within a bound: what unique_count and the histograms remember.

A bound keeps the values with the smallest hashes, never those that came first, so what is kept does not depend on the
order: the N smallest of a union are the N smallest of the N smallest of its parts.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact.limbs import added
from blocks.aggregating.hashing import hashes_of
from blocks.aggregating.ops.codes import comparable, plain
from blocks.aggregating.ops.entries import cells_of, changes, entries_of, entry_cells, ranks_within
from blocks.aggregating.ops.operation import Flags, Ints, Operation, Selected, column_of

MORE = "more"
_MORE = pa.field(MORE, pa.bool_(), False)


class Distinct(Operation):
    """At most `bound` values, those of the smallest hashes, and how often each was there.

    Cells: `entries`, a list of structs sorted by `hash`, with `value` and `count` where `counted`; and `more`, whether
    a value was left out.
    """

    counted = False
    bound: int

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Single values."""
        return comparable(column)

    @classmethod
    def wanted(cls) -> str:
        """What it takes."""
        return "numbers, times, texts, bytes or booleans"

    def __init__(self, column: pa.DataType | None, bound: int) -> None:
        self.bound = bound
        entry = [pa.field("hash", pa.uint64(), False)]
        if self.counted:
            entry += [pa.field("value", column, False), pa.field("count", pa.int64(), False)]
        self.cells = entry_cells(pa.struct(entry), _MORE)

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """A list of one value each."""
        assert events.values is not None
        columns = [pa.array(hashes_of(events.values))]
        if self.counted:
            columns += [plain(events.values), pa.array(np.ones(len(events), np.int64))]
        return self._batch(columns, np.arange(len(events)), len(events), np.zeros(len(events), np.bool_))

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """The union, within the bound."""
        found = entries_of(cells, offsets)
        hashes = found.items.field(0).to_numpy(zero_copy_only=False)
        order = np.lexsort((hashes, found.part))
        part, hashes = found.part[order], hashes[order]
        starts = np.flatnonzero(changes(part, hashes))
        part = part[starts]
        rank = ranks_within(part)
        more = added(column_of(cells, MORE).astype(np.int64), offsets) > 0
        more |= np.bincount(part[rank == self.bound], minlength=found.parts) > 0
        kept = rank < self.bound
        columns = [pa.array(hashes[starts][kept])]
        if self.counted:
            counts = found.items.field(2).to_numpy(zero_copy_only=False)[order]
            columns.append(found.items.field(1).take(pa.array(order[starts][kept])))
            columns.append(pa.array(added(counts, np.append(starts, len(counts)))[kept]))
        return self._batch(columns, part[kept], found.parts, more)

    def _batch(self, columns: list[Any], part: Ints, parts: int, more: Flags) -> pa.RecordBatch:
        entry = self.cells.field(0).type.value_type
        items = pa.StructArray.from_arrays(columns, fields=list(entry))
        return cells_of(self.cells, items, part, parts, [pa.array(more)])
