"""time_since_last: how long ago the latest event was."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.ops.operation import Ints, Moments, Operation, Results, Selected, column_of

_NEVER = np.iinfo(np.int64).min
_CELLS = pa.schema([pa.field("last", pa.int64(), False)])


class TimeSinceLast(Operation):
    """The time from the latest event to `as_of`; with a column, the latest that has a value; of none: null.

    Result: duration[us].
    """

    name = "time_since_last"
    summary = "how long ago the latest event was"
    column = "optional"
    shows = "counts"
    cells = _CELLS
    result = pa.duration("us")

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Every type."""
        return True

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """The time of each."""
        return _batch(events.times)

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """The latest."""
        last = column_of(cells, "last")
        found = np.full(len(offsets) - 1, _NEVER, np.int64)
        some = offsets[:-1] < offsets[1:]
        if some.any():
            found[some] = np.maximum.reduceat(last[: offsets[-1]], offsets[:-1][some])
        return _batch(found)

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The times since then."""
        last = column_of(cells, "last")
        none = last == _NEVER
        return Results(pa.array(moments.as_of - np.where(none, 0, last), mask=none).cast(self.result))


def _batch(last: Ints) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(last)], schema=_CELLS)
