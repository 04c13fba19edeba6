"""skew: the third standardised moment."""

from blocks.aggregating.exact.rationals import root_of_quotient
from blocks.aggregating.ops.moments import CentralMoments


class Skew(CentralMoments):
    """The skewness of the population, g1 = m3 / m2 ** 1.5 (scipy's default); null where all values are equal."""

    name = "skew"
    summary = "the skewness of the population"
    powers = (1, 2, 3)

    def moment(self, count: int, *sums: int) -> float | None:
        """The root of m3 ** 2 / m2 ** 3, in which units and counts cancel."""
        first, second, third, _ = sums
        spread = count * second - first * first
        if not spread:
            return None
        lean = count * count * third - 3 * count * first * second + 2 * first**3
        found = root_of_quotient(lean * lean, spread**3)
        return found if lean >= 0 else -found
