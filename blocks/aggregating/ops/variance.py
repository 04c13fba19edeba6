"""variance_pop, variance_samp, stddev_pop, stddev_samp: the spread of values."""

from blocks.aggregating.exact.rationals import quotient, root_of_quotient
from blocks.aggregating.ops.moments import CentralMoments


class VariancePop(CentralMoments):
    """The mean of the squared distances from the mean (SQL's VAR_POP); of no values: null."""

    name = "variance_pop"
    summary = "the variance of the population (divided by n)"
    powers = (1, 2)
    # How many values fewer than there are it is divided by, and needs more than.
    less = 0

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

    def of(self, spread: int, parts: int, exponent: int) -> float:
        """The root."""
        return root_of_quotient(spread, parts, exponent)


class StddevSamp(StddevPop):
    """The root of the sample's variance, rounded once; of fewer than 2 values: null."""

    name = "stddev_samp"
    summary = "the standard deviation of a sample"
    less = 1
