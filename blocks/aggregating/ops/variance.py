"""variance_pop, variance_samp, stddev_pop, stddev_samp: the spread of values."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.exact import spreads
from blocks.aggregating.exact.limbs import Limbs
from blocks.aggregating.exact.rationals import quotient, root_of_quotient
from blocks.aggregating.ops.moments import CentralMoments
from blocks.aggregating.ops.operation import Ints, Results
from blocks.aggregating.ops.totals import Totals


class VariancePop(CentralMoments):
    """The mean of the squared distances from the mean (SQL's VAR_POP); of no values: null."""

    name = "variance_pop"
    summary = "the variance of the population (divided by n)"
    powers = (1, 2)
    # How many values fewer than there are it is divided by, and needs more than.
    less = 0

    def finished(self, totals: Totals) -> Results:
        """The spreads, of all rows at once where the numbers are not too far apart."""
        count = totals.count
        found = spreads.spread(count, *totals.powers)
        if found is None:
            return super().finished(totals)
        values, small = self.of_all(found, self._divisors(count), 2 * self.unit)
        if small.any():
            return super().finished(totals)
        undefined = totals.undefined()
        return Results(pa.array(np.where(undefined, np.nan, values), mask=(count <= self.less) & ~undefined))

    def _divisors(self, count: Ints) -> list[Ints]:
        """N * (n - less), and what decimals are counted in."""
        one, other = np.maximum(count, 1), np.maximum(count - self.less, 1)
        # As few long divisions as there can be.
        found = [one * other] if int(count.max(initial=0)) < 1 << 15 else [one, other]
        return found + [np.full(len(count), ten) for ten in spreads.factors(self.tens(2))]

    def of_all(
        self, spread: Limbs, divisors: list[Ints], unit: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The results from the variances as quotients; and which have to be computed one by one."""
        return spreads.means(spread, divisors, unit), np.zeros(len(spread), np.bool_)

    def moment(self, count: int, *sums: int) -> float | None:
        """(n * S2 - S1 * S1) / (n * (n - less))."""
        first, second, exponent = sums
        if count <= self.less:
            return None
        spread, parts = count * second - first * first, count * (count - self.less) * self.tens(2)
        return self.of(spread, parts, 2 * exponent)

    def of(self, spread: int, parts: int, exponent: int) -> float:
        """The result from the variance as a quotient."""
        return quotient(spread, parts, exponent)


class VarianceSamp(VariancePop):
    """The squared distances from the mean, divided by one less than there are (VAR_SAMP); of fewer than 2: null."""

    name = "variance_samp"
    summary = "the variance of a sample (divided by n - 1)"
    less = 1


class StddevPop(VariancePop):
    """The root of the population's variance, rounded once; of no values: null."""

    name = "stddev_pop"
    summary = "the standard deviation of the population"

    def of_all(
        self, spread: Limbs, divisors: list[Ints], unit: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The roots."""
        return spreads.roots(spread, divisors, unit)

    def of(self, spread: int, parts: int, exponent: int) -> float:
        """The root."""
        return root_of_quotient(spread, parts, exponent)


class StddevSamp(StddevPop):
    """The root of the sample's variance, rounded once; of fewer than 2 values: null."""

    name = "stddev_samp"
    summary = "the standard deviation of a sample"
    less = 1
