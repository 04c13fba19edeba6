"""Variances from exact sums, for many rows at once: nothing is rounded before the quotient or its root."""

import numpy as np
import numpy.typing as npt

from blocks.aggregating.exact.limbs import Ints, Limbs
from blocks.aggregating.exact.rounding import BITS, divided, rooted, rounded

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Beyond so many digits the products cost more than Python's whole numbers do.
_MOST_PLACES = 12
# Quotients with at least 128 bits, whatever the divisor.
_MORE_PLACES = 5
_LARGEST_DIVISOR = 2**31 - 1
_MASK = np.int64((1 << BITS) - 1)


def spread(count: Ints, first: Limbs, second: Limbs) -> Limbs | None:
    """`count * second - first * first`, settled; None where the sums have too many digits for it to be quick.

    Args:
      count: of each row, from 0 to 2**31 - 1.
      first: the sums of values.
      second: the sums of their squares; the unit is that of `first` squared.
    """
    ones, squares = _cut(first.settled().magnitude()), _cut(second.settled())
    places = ones.digits.shape[1]
    low = min(2 * ones.first, squares.first)
    high = max(2 * (ones.first + places), squares.first + squares.digits.shape[1]) + 1
    if high - low > 2 * _MOST_PLACES or (len(count) and int(count.max()) > _LARGEST_DIVISOR):
        return None
    total = np.zeros((len(count), high - low), np.int64)
    at = squares.first - low
    total[:, at : at + squares.digits.shape[1]] = squares.digits * count[:, None]
    # Half of the digits that carry over at a time, and what is subtracted is at most 2 * 24 of 32 bits each.
    total = Limbs(total, low).settled().digits[:, : high - low + 1]
    digits, at = ones.digits.view(np.uint64), 2 * ones.first - low
    for one in range(places):
        for other in range(one, places):
            product = (digits[:, one] * digits[:, other]).view(np.int64)
            twice = 1 if one == other else 2
            total[:, at + one + other] -= twice * (product & _MASK)
            total[:, at + one + other + 1] -= twice * (product >> BITS & _MASK)
    return _cut(Limbs(total, low).settled())


def quotients(number: Limbs, divisors: list[Ints], unit: int) -> tuple[Ints, Flags, int]:
    """Digits, rests and unit of a settled number that is not below zero, divided by each of some divisors.

    Args:
      number: what is divided.
      divisors: each from 1 to 2**31 - 1, one a row.
      unit: exponent of 2 of one unit of place 0.
    """
    more = _MORE_PLACES + len(divisors)
    rest = np.zeros(len(number), np.bool_)
    digits, left = number.digits, 0
    for divisor in divisors:
        digits, some = divided(digits, divisor, more - left)
        rest, left = rest | some, more
    return digits, rest, unit + BITS * (number.first - left)


def means(number: Limbs, divisors: list[Ints], unit: int) -> Doubles:
    """The quotients, rounded once."""
    return rounded(*quotients(number, divisors, unit))


def roots(number: Limbs, divisors: list[Ints], unit: int) -> tuple[Doubles, Flags]:
    """The roots of the quotients, rounded once; and which are too small for that."""
    return rooted(*quotients(number, divisors, unit))


def factors(number: int) -> list[int]:
    """A power of ten as factors that are divisors."""
    found = []
    while number > 1:
        found.append(min(number, 10**9))
        number //= found[-1]
    return found


def _cut(settled: Limbs) -> Limbs:
    """Without the places at both ends that are 0 in all rows."""
    used = np.flatnonzero(settled.digits.any(axis=0))
    if not len(used):
        return Limbs(settled.digits[:, :0], 0)
    return Limbs(settled.digits[:, used[0] : used[-1] + 1], settled.first + int(used[0]))
