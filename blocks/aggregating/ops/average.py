"""average: the exact mean."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact import numbers
from blocks.aggregating.exact.rationals import quotient
from blocks.aggregating.ops.operation import Results
from blocks.aggregating.ops.totals import ExactTotals, Totals

_MOST_DIVISOR = 2**31 - 1


class Average(ExactTotals):
    """The exact sum divided by the number of values, rounded once; of no values: null. Result: float64."""

    name = "average"
    summary = "the mean of the values, rounded once"
    result = pa.float64()

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""
        super().__init__(column, options)

    def finished(self, totals: Totals) -> Results:
        """The means."""
        count, total = totals.count, totals.powers[0]
        finite = count
        if self.floating:
            # Those that are no numbers make the result one of the special values in any case.
            finite = np.maximum(count, 1)
        if self.scale or (count.size and int(count.max()) > _MOST_DIVISOR):
            # Python's whole numbers: a microsecond a row.
            exponent = numbers.UNIT if self.floating else 0
            pairs = zip(total.to_ints(min(total.first, 0)), np.maximum(count, 1).tolist(), strict=True)
            exponent += 32 * min(total.first, 0)
            means = np.array([quotient(one, many * 10**self.scale, exponent) for one, many in pairs], np.float64)
        else:
            means = total.to_doubles(self.unit, np.maximum(finite, 1))
        return Results(pa.array(totals.with_special(means), mask=count == 0))
