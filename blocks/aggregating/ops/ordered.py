"""Values by the order of events: what first, last, first_k and last_k remember."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from blocks.aggregating.ops.codes import codes_of, plain
from blocks.aggregating.ops.entries import ENTRIES, cells_of, entries_of, entry_cells, own_entries, ranks_within, sizes
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected


class ByTime(Operation):
    """The values of the first or last `k` events, in the order of (event time, event id); nulls do not count."""

    newest: ClassVar[bool]
    shows = "values"

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Every type, nested ones too."""
        return True

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Makes the operation for a type."""
        self.value_type = column
        self.k = int(options.get("k", 1))
        entry = pa.struct(
            [
                pa.field("time", pa.int64(), False),
                pa.field("id", pa.large_binary(), False),
                pa.field("value", column, False),
            ]
        )
        self.cells = entry_cells(entry)

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """A list of one entry each."""
        assert events.values is not None
        fields = list(self.cells.field(0).type.value_type)
        columns = [pa.array(events.times), events.ids, plain(events.values)]
        items = pa.StructArray.from_arrays(columns, fields=fields)
        return cells_of(self.cells, items, np.arange(len(events)), len(events))

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """The first or last `k` of all entries."""
        found = entries_of(cells, offsets)
        items, part = found.items, found.part
        times = items.field(0).to_numpy(zero_copy_only=False)
        order = None
        # Cells of consecutive times are in order already; only equal times need the ids.
        if not ((np.diff(times) > 0) | (np.diff(part) > 0)).all():
            order = np.lexsort((codes_of(items.field(1)), times, part))
        rank = ranks_within(part)
        if self.newest:
            rank = sizes(part, found.parts)[part] - 1 - rank
        kept = np.flatnonzero(rank < self.k)
        return cells_of(
            self.cells, items.take(pa.array(kept if order is None else order[kept])), part[kept], found.parts
        )

    def index(self, cells: pa.RecordBatch) -> pa.Array | None:
        """The entries, where every cell is a single event: rows of a range are in the order of time and id."""
        lists = cells.column(ENTRIES)
        return own_entries(cells).items if (np.diff(lists.offsets.to_numpy()) == 1).all() else None

    def ranges(self, index: pa.Array, start: Ints, stop: Ints) -> pa.RecordBatch:
        """Places."""
        if self.newest:
            start = np.maximum(start, stop - self.k)
        else:
            stop = np.minimum(stop, start + self.k)
        counts = stop - start
        part = np.repeat(np.arange(len(start)), counts)
        rows = np.repeat(start, counts) + ranks_within(part)
        return cells_of(self.cells, index.take(pa.array(rows)), part, len(start))

    def one(self, cells: pa.RecordBatch) -> Results:
        """The single value of each cell; null where there is none."""
        found = own_entries(cells)
        rows = np.zeros(found.parts, np.int64)
        rows[found.part] = np.arange(len(found.part))
        none = sizes(found.part, found.parts) == 0
        return Results(found.items.field(2).take(pa.array(rows, mask=none)))

    def several(self, cells: pa.RecordBatch) -> Results:
        """The values of each cell, the newest first where the newest are kept."""
        found = own_entries(cells)
        values = found.items.field(2)
        lists = cells.column(ENTRIES)
        if self.newest:
            many = sizes(found.part, found.parts)
            rank = ranks_within(found.part)
            values = values.take(pa.array(np.arange(len(values)) + many[found.part] - 1 - 2 * rank))
        offsets = lists.offsets.to_numpy().astype(np.int32)
        return Results(pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), values, type=self.result))

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The value, or the values."""
        return self.several(cells) if "k" in self.options else self.one(cells)
