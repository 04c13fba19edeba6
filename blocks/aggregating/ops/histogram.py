"""histogram, approx_histogram_k: how often each value was there."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from blocks.aggregating.ops.codes import codes_of
from blocks.aggregating.ops.distinct import MORE, Distinct
from blocks.aggregating.ops.entries import own_entries, ranks_within, sizes
from blocks.aggregating.ops.operation import Ints, Moments, Results, column_of
from blocks.aggregating.ops.options import Option, Whole


class Histogram(Distinct):
    """How often each value was there, as a map in the order of the values; of none: an empty map.

    Of more than `max_values` different values those with the smallest hashes stay, each with its whole count, and the
    row says `truncated`. Result: map<value, int64>.
    """

    name = "histogram"
    summary = "how often each value was there, up to a bound on values"
    options: ClassVar[Mapping[str, Option]] = {
        "max_values": Whole("how many different values are kept", default=1_000, least=1, most=100_000)
    }
    shows = "values"
    counted = True
    nullable = False

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `max_values`."""
        super().__init__(column, options["max_values"])
        self.result = pa.map_(column, pa.int64())

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The maps."""
        found = own_entries(cells)
        values, counts = found.items.field(1), found.items.field(2)
        order = self.order(found.part, codes_of(values), counts.to_numpy(zero_copy_only=False))
        part = found.part[order]
        offsets = np.zeros(found.parts + 1, np.int32)
        np.cumsum(sizes(part, found.parts), out=offsets[1:])
        rows = pa.array(order)
        maps = pa.MapArray.from_arrays(pa.array(offsets), values.take(rows), counts.take(rows), type=self.result)
        return Results(maps, column_of(cells, MORE))

    def order(self, part: Ints, codes: Ints, counts: Ints) -> Ints:
        """Which entries go into the maps, and in which order; `part` is ascending and stays so."""
        return np.lexsort((codes, part))


class ApproxHistogramK(Histogram):
    """The `k` most frequent of the values that are kept, most frequent first, equally frequent ones in their order.

    Exact as long as there are no more than `max_values` different values. Beyond it, those with the smallest hashes
    were kept, a sample in which every value has the same chance, however frequent; each count is exact, and the row
    says `truncated`. (Sketches of frequent items, such as SpaceSaving, depend on the order of events.)
    """

    name = "approx_histogram_k"
    summary = "the k most frequent values, exact up to a bound on values"
    options: ClassVar[Mapping[str, Option]] = {
        "k": Whole("how many values a result has at most", least=1, most=10_000),
        "max_values": Whole("how many different values are kept", default=1_000, least=1, most=100_000),
    }

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `k` and `max_values`."""
        super().__init__(column, options)
        self.k = options["k"]

    def order(self, part: Ints, codes: Ints, counts: Ints) -> Ints:
        """The `k` largest counts."""
        order = np.lexsort((codes, -counts, part))
        return order[ranks_within(part[order]) < self.k]
