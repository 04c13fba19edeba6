"""Central moments from exact power sums, as whole numbers: a rounding only where a quotient or root is taken."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.exact.rounding import BITS
from blocks.aggregating.ops.operation import Results
from blocks.aggregating.ops.totals import ExactTotals, Totals


class CentralMoments(ExactTotals):
    """Base of what is computed from the sums of powers; a value that is no finite number makes the result NaN."""

    result = pa.float64()

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""
        super().__init__(column, options)

    def each(self, totals: Totals, result: Callable[..., float | None]) -> Results:
        """Results row by row, because they need whole numbers of some hundred bits: a few microseconds a row.

        Args:
          totals: of this operation.
          result: from the number of values, the sums of powers as whole numbers, and the exponent of 2 of one unit of
            the first power (of power p it is p times that); None for null.
        """
        # The unit of power p is that of the first to the power of p.
        place = min(total.first // power for total, power in zip(totals.powers, self.powers, strict=True))
        sums = [total.to_ints(place * power) for total, power in zip(totals.powers, self.powers, strict=True)]
        exponent = self.unit + BITS * place
        found = [
            None if not count else result(count, *powers, exponent)
            for count, *powers in zip(totals.count.tolist(), *sums, strict=True)
        ]
        values = np.array([np.nan if one is None else one for one in found], np.float64)
        undefined = totals.undefined()
        values[undefined] = np.nan
        return Results(pa.array(values, mask=np.array([one is None for one in found], np.bool_) & ~undefined))

    def tens(self, power: int) -> int:
        """What a power of decimals has to be divided by."""
        return int(10 ** (self.scale * power))

    def finished(self, totals: Totals) -> Results:
        """The results, one by one."""
        return self.each(totals, self.moment)

    def moment(self, count: int, *sums: int) -> float | None:
        """The result of one cell: from the number of values, the sums of `powers`, and the exponent of the unit."""
        raise NotImplementedError
