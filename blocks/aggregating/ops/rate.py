"""rate: how much there is in a unit of time."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact.rationals import quotient
from blocks.aggregating.ops.count import Count
from blocks.aggregating.ops.operation import Moments, Results, column_of
from blocks.aggregating.ops.options import Option, Time


class Rate(Count):
    """How many events there are in a unit of time: count * per / window, rounded once; of none: 0. Result: float64."""

    name = "rate"
    summary = "how many events in a unit of time"
    options: ClassVar[Mapping[str, Option]] = {"per": Time("the unit of time, such as 1h")}
    result = pa.float64()

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `per`."""
        super().__init__(column, options)
        self.per = int(options["per"])

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The rates."""
        assert moments.window is not None
        common = math.gcd(self.per, moments.window)
        times, parts = self.per // common, moments.window // common
        counts = column_of(cells, "count")
        if times * int(counts.max(initial=0)) < 2**53 and parts < 2**53:
            # Both exact as doubles, so the division rounds once.
            return Results(pa.array(counts * times / parts))
        return Results(pa.array(np.array([quotient(one * times, parts) for one in counts.tolist()], np.float64)))
