"""count: how many events there are; with a column, how many of them have a value."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact.limbs import added
from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected, column_of

_CELLS = pa.schema([pa.field("count", pa.int64(), False)])


class Count(Operation):
    """How many events; with a column, how many with a value there. Of none: 0. Result: int64."""

    name = "count"
    summary = "how many events; with a column, how many have a value"
    column = "optional"
    shows = "counts"
    cells = _CELLS
    result = pa.int64()
    nullable = False

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Every type."""
        return True

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """One each."""
        return _batch(np.ones(len(events), np.int64))

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """Sums."""
        return _batch(added(column_of(cells, "count"), offsets))

    def index(self, cells: pa.RecordBatch) -> Ints:
        """Running totals."""
        return np.concatenate([[0], np.cumsum(column_of(cells, "count"))])

    def ranges(self, index: Ints, start: Ints, stop: Ints) -> pa.RecordBatch:
        """Their differences."""
        return _batch(index[stop] - index[start])

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The counts."""
        return Results(cells.column("count"))


class CountWhere(Count):
    """How many events for which `where`, which it needs, is true; `count` with a `where` by another name."""

    name = "count_where"
    summary = "how many events for which a condition is true"
    column = "none"


def _batch(counts: Ints) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(counts)], schema=_CELLS)
