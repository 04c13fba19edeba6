"""unique_count: how many different values, exactly, up to a bound."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa

from blocks.aggregating.ops.distinct import MORE, Distinct
from blocks.aggregating.ops.entries import own_entries, sizes
from blocks.aggregating.ops.operation import Moments, Results, column_of
from blocks.aggregating.ops.options import Option, Whole


class UniqueCount(Distinct):
    """How many different values; of none: 0. Beyond `max` it is `max`, and the row says `truncated`.

    Values are told apart by 64 bits of a hash: of 10,000 different ones, two share theirs with a chance of 3e-12.
    Result: int64.
    """

    name = "unique_count"
    summary = "how many different values, exactly, up to a bound"
    options: ClassVar[Mapping[str, Option]] = {
        "max": Whole("the most that is counted", default=10_000, least=1, most=1_000_000)
    }
    shows = "counts"
    result = pa.int64()
    nullable = False

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `max`."""
        super().__init__(column, options["max"])

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The counts."""
        found = own_entries(cells)
        return Results(pa.array(sizes(found.part, found.parts)), column_of(cells, MORE))
