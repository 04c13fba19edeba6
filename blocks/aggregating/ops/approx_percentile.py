"""approx_percentile: quantiles within 1 % (DDSketch)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.aggregating.exact import numbers
from blocks.aggregating.exact.ddsketch import index_of, middle_of
from blocks.aggregating.exact.limbs import added
from blocks.aggregating.ops.entries import cells_of, changes, entries_of, entry_cells, own_entries
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected, column_of
from blocks.aggregating.ops.options import Number, Numbers, Option

_ENTRY = pa.struct([pa.field("bucket", pa.int32(), False), pa.field("count", pa.int64(), False)])
_MORE = (
    pa.field("least", pa.float64(), False),
    pa.field("greatest", pa.float64(), False),
    pa.field("nans", pa.int64(), False),
)


class ApproxPercentile(Operation):
    """Values below which a share of all values lies, within 1 % of a value that was there; of none: null.

    The value of rank floor(share * (n - 1)), from 0, of the n values in their order; the smallest and the greatest are
    exact. The guarantee holds for magnitudes from `least` to `most`: smaller ones count as 0, larger ones as `most`.
    NaN makes the result NaN. Result: float64, or list<float64> for several shares. A cell takes 12 bytes for each
    bucket that is in use, of which a range of 10**k has about 117 * k.

    Source: "DDSketch" (Masson, Rim and Lee, VLDB 2019); see `exact/ddsketch.py`.
    """

    name = "approx_percentile"
    summary = "values below which a share of the values lies, within 1 % (DDSketch)"
    options: ClassVar[Mapping[str, Option]] = {
        "share": Numbers("a share from 0 to 1, such as 0.95, or several: [0.5, 0.95]"),
        "least": Number("smaller magnitudes count as 0", default=1e-9, least=1e-300, most=1e300),
        "most": Number("larger magnitudes count as this", default=1e12, least=1e-300, most=1e300),
    }
    cells = entry_cells(_ENTRY, *_MORE)

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Numbers."""
        return bool(pat.is_integer(column) or pat.is_floating(column) or pat.is_decimal(column))

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `share`, `least` and `most`."""
        share = options["share"]
        self.several = isinstance(share, tuple)
        self.shares: tuple[float, ...] = share if isinstance(share, tuple) else (share,)
        self.result = pa.list_(pa.field("item", pa.float64(), False)) if self.several else pa.float64()
        self.least, self.most = options["least"], options["most"]
        ends = index_of(np.array([self.least, self.most]))
        self._first, self._last = int(ends[0]), int(ends[1])

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """The bucket of each value; a NaN has none."""
        assert events.values is not None
        values = numbers.as_doubles(events.values) + 0.0
        nan = np.isnan(values)
        magnitude = np.clip(np.abs(np.where(nan, 0.0, values)), 0.0, self.most)
        zero = magnitude < self.least
        bucket = index_of(np.where(zero, 1.0, magnitude)) - self._first + 1
        bucket = np.where(zero, 0, np.sign(np.where(nan, 0.0, values)) * bucket).astype(np.int32)
        rows = np.flatnonzero(~nan)
        items = [pa.array(bucket[rows]), pa.array(np.ones(len(rows), np.int64))]
        return self._batch(items, rows, len(values), np.where(nan, np.inf, values), np.where(nan, -np.inf, values), nan)

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """Sums by bucket."""
        found = entries_of(cells, offsets)
        bucket, count = (found.items.field(number).to_numpy(zero_copy_only=False) for number in range(2))
        order = np.lexsort((bucket, found.part))
        bucket, part = bucket[order], found.part[order]
        starts = np.flatnonzero(changes(part, bucket))
        counts = added(count[order], np.append(starts, len(count)))
        least = _extreme(np.minimum, column_of(cells, "least"), offsets, np.inf)
        greatest = _extreme(np.maximum, column_of(cells, "greatest"), offsets, -np.inf)
        nans = added(column_of(cells, "nans"), offsets)
        items = [pa.array(bucket[starts]), pa.array(counts)]
        return self._batch(items, part[starts], found.parts, least, greatest, nans)

    def _batch(
        self,
        items: list[pa.Array],
        part: Ints,
        parts: int,
        least: npt.NDArray[Any],
        greatest: npt.NDArray[Any],
        nans: npt.NDArray[Any],
    ) -> pa.RecordBatch:
        more = [pa.array(least), pa.array(greatest), pa.array(nans.astype(np.int64))]
        return cells_of(self.cells, pa.StructArray.from_arrays(items, fields=list(_ENTRY)), part, parts, more)

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The quantiles."""
        found = own_entries(cells)
        bucket, count = (found.items.field(number).to_numpy(zero_copy_only=False) for number in range(2))
        running = np.concatenate([[0], np.cumsum(count)])
        bounds = np.searchsorted(found.part, np.arange(found.parts + 1))
        size = running[bounds[1:]] - running[bounds[:-1]]
        nans = column_of(cells, "nans") > 0
        columns = [self._quantile(share, bucket, running, bounds, size, cells) for share in self.shares]
        values = np.where(nans[:, None], np.nan, np.stack(columns, axis=1))
        none = (size == 0) & ~nans
        if not self.several:
            return Results(pa.array(values[:, 0], mask=none))
        offsets = pa.array((np.arange(found.parts + 1) * len(self.shares)).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)), type=self.result)
        return Results(pc.if_else(pa.array(none), pa.scalar(None, self.result), lists) if none.any() else lists)

    def _quantile(
        self, share: float, bucket: Ints, running: Ints, bounds: Ints, size: Ints, cells: pa.RecordBatch
    ) -> npt.NDArray[np.float64]:
        rank = np.floor(share * (size - 1)).astype(np.int64)
        at = np.searchsorted(running, running[bounds[:-1]] + rank, side="right") - 1
        place = bucket[np.minimum(at, len(bucket) - 1)] if len(bucket) else np.zeros(len(size), np.int64)
        middle = np.where(place == 0, 0.0, np.sign(place) * middle_of(np.abs(place) - 1 + self._first))
        least, greatest = column_of(cells, "least"), column_of(cells, "greatest")
        middle = np.minimum(np.maximum(middle, least), greatest)
        return np.where(rank <= 0, least, np.where(rank == size - 1, greatest, middle))


def _extreme(of: Any, values: npt.NDArray[Any], offsets: Ints, nothing: float) -> npt.NDArray[np.float64]:
    found = np.full(len(offsets) - 1, nothing)
    some = offsets[:-1] < offsets[1:]
    if some.any():
        found[some] = of.reduceat(values[: offsets[-1]], offsets[:-1][some])
    return found
