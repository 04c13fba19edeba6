"""by: an operation for each value of a second column, with a bound on how many."""

from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact.limbs import added
from blocks.aggregating.hashing import hashes_of
from blocks.aggregating.ops.codes import codes_of, plain
from blocks.aggregating.ops.distinct import MORE
from blocks.aggregating.ops.entries import cells_of, changes, entries_of, entry_cells, own_entries, ranks_within, sizes
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected, column_of

_MORE = pa.field(MORE, pa.bool_(), False)


class By(Operation):
    """An operation for each value of a second column: a map from those values to results, in their order.

    Events without a value there do not count. Of more than `most` different values those with the smallest hashes stay,
    and the row says `truncated`.

    Args:
      inner: what is computed for each value.
      by: type of the second column; one that can be compared.
      most: how many different values are kept.
    """

    name = "by"
    summary = "an operation for each value of a second column"
    nullable = False

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """What the inner operation takes."""
        return True

    def __init__(self, inner: Operation, by: pa.DataType, most: int) -> None:
        self.inner, self.most = inner, most
        entry = [pa.field("hash", pa.uint64(), False), pa.field("value", by, False)]
        entry.append(pa.field("cell", pa.struct(list(inner.cells)), False))
        self.cells = entry_cells(pa.struct(entry), _MORE)
        self.result = pa.map_(by, pa.field("value", inner.result, inner.nullable))

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """A list of one cell each."""
        assert events.by is not None
        cells = self.inner.prepare(events)
        columns = [pa.array(hashes_of(events.by)), plain(events.by), cells.to_struct_array()]
        return self._batch(columns, np.arange(len(events)), len(events), np.zeros(len(events), np.bool_))

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """The inner cells of equal values merged, within the bound."""
        found = entries_of(cells, offsets)
        hashes = found.items.field(0).to_numpy(zero_copy_only=False)
        order = np.lexsort((hashes, found.part))
        part, hashes = found.part[order], hashes[order]
        starts = np.flatnonzero(changes(part, hashes))
        rank = ranks_within(part[starts])
        more = added(column_of(cells, MORE).astype(np.int64), offsets) > 0
        more |= np.bincount(part[starts][rank == self.most], minlength=found.parts) > 0
        kept = rank < self.most
        lengths = np.diff(np.append(starts, len(part)))
        # Only what stays is merged.
        order = order[np.repeat(kept, lengths)]
        bounds = np.concatenate([[0], np.cumsum(lengths[kept])])
        inner = pa.RecordBatch.from_struct_array(found.items.field(2).take(pa.array(order)))
        merged = self.inner.merge(inner.cast(self.inner.cells), bounds)
        values = found.items.field(1).take(pa.array(order[bounds[:-1]]))
        columns = [pa.array(hashes[starts][kept]), values, merged.to_struct_array()]
        return self._batch(columns, part[starts][kept], found.parts, more)

    def _batch(self, columns: list[Any], part: Ints, parts: int, more: Any) -> pa.RecordBatch:
        items = pa.StructArray.from_arrays(columns, fields=list(self.cells.field(0).type.value_type))
        return cells_of(self.cells, items, part, parts, [pa.array(more)])

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The maps."""
        found = own_entries(cells)
        order = np.lexsort((codes_of(found.items.field(1)), found.part))
        rows = pa.array(order)
        inner = pa.RecordBatch.from_struct_array(found.items.field(2).take(rows)).cast(self.inner.cells)
        part = found.part[order]
        results = self.inner.finalize(inner, Moments(moments.as_of[part], moments.window))
        offsets = np.zeros(found.parts + 1, np.int32)
        np.cumsum(sizes(part, found.parts), out=offsets[1:])
        values = found.items.field(1).take(rows)
        maps = pa.MapArray.from_arrays(pa.array(offsets), values, results.values, type=self.result)
        truncated = column_of(cells, MORE).astype(np.bool_)
        if results.truncated is not None:
            truncated = truncated | (np.bincount(part[results.truncated], minlength=found.parts) > 0)
        return Results(maps, truncated)
