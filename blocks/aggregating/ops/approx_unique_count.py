"""approx_unique_count: about how many different values, in little room (HyperLogLog)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact.hyperloglog import estimates
from blocks.aggregating.hashing import hashes_of
from blocks.aggregating.ops.codes import comparable
from blocks.aggregating.ops.entries import cells_of, changes, entries_of, entry_cells, own_entries
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected
from blocks.aggregating.ops.options import Option, Whole

_RANK_BITS = np.uint32(6)


class ApproxUniqueCount(Operation):
    """About how many different values: 2 ** precision registers, standard error 1.04 / sqrt of that; of none: 0.

    The estimate needs only the registers, so it does not depend on the order of events or merges. Result: int64. A cell
    takes 4 bytes for each register that is in use.

    Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), section 2.
    """

    name = "approx_unique_count"
    summary = "about how many different values (HyperLogLog)"
    options: ClassVar[Mapping[str, Option]] = {
        "precision": Whole("registers are 2 ** precision: 12 for an error of 1.6 %", default=12, least=4, most=18)
    }
    shows = "counts"
    cells = entry_cells(pa.uint32())
    result = pa.int64()
    nullable = False

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Single values."""
        return comparable(column)

    @classmethod
    def wanted(cls) -> str:
        """What it takes."""
        return "numbers, times, texts, bytes or booleans"

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `precision`."""
        self.precision = int(options["precision"])

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """The register and rank of each value."""
        assert events.values is not None
        hashes = hashes_of(events.values)
        precision = np.uint64(self.precision)
        register = hashes >> (np.uint64(64) - precision)
        # The bit beyond those that are left keeps the rank within bounds. A double would round: two halves.
        left = hashes << precision | np.uint64(1) << (precision - np.uint64(1))
        high, low = left >> np.uint64(32), left & np.uint64(0xFFFFFFFF)
        length = np.where(high > 0, 32 + np.frexp(high.astype(np.float64))[1], np.frexp(low.astype(np.float64))[1])
        rank = (64 - length + 1).astype(np.uint32)
        return cells_of(self.cells, pa.array(register.astype(np.uint32) << _RANK_BITS | rank), *_each(len(events)))

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """The greatest rank of each register."""
        found = entries_of(cells, offsets)
        entries = found.items.to_numpy(zero_copy_only=False)
        wide = np.sort(found.part.astype(np.uint64) << np.uint64(32) | entries)
        register = wide >> np.uint64(_RANK_BITS)
        # Sorted by rank too: the last of a register is the greatest.
        last = np.ones(len(wide), np.bool_)
        last[:-1] = changes(register)[1:]
        kept = wide[last]
        items = pa.array((kept & np.uint64(0xFFFFFFFF)).astype(np.uint32))
        return cells_of(self.cells, items, (kept >> np.uint64(32)).astype(np.int64), found.parts)

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The estimates."""
        found = own_entries(cells)
        ranks = found.items.to_numpy(zero_copy_only=False) & np.uint32((1 << int(_RANK_BITS)) - 1)
        return Results(pa.array(estimates(found.part, ranks.astype(np.int64), found.parts, self.precision)))


def _each(count: int) -> tuple[Ints, int]:
    return np.arange(count), count
