"""kurtosis: the fourth standardised moment, of which a normal distribution has none in excess."""

from blocks.aggregating.exact.rationals import quotient
from blocks.aggregating.ops.moments import CentralMoments


class Kurtosis(CentralMoments):
    """The excess kurtosis of the population, m4 / m2 ** 2 - 3 (scipy's default); null where all values are equal."""

    name = "kurtosis"
    summary = "the excess kurtosis of the population"
    powers = (1, 2, 3, 4)

    def moment(self, count: int, *sums: int) -> float | None:
        """(A4 - 3 * A2 ** 2) / A2 ** 2, in which units and counts cancel."""
        first, second, third, fourth, _ = sums
        spread = count * second - first * first
        if not spread:
            return None
        tails = count**3 * fourth - 4 * count**2 * first * third + 6 * count * first**2 * second - 3 * first**4
        return quotient(tails - 3 * spread**2, spread**2)
