"""Quotients and roots of many digits, as doubles: rounded once, to the nearest, ties to even.

Numbers are rows of digits of 32 bits from low to high, none below zero: settled magnitudes of `Limbs`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

BITS = 32
_BITS = np.uint64(BITS)
# Of a double: exponent of its smallest unit, and the bits of its significand.
LEAST_EXPONENT, PRECISION = -1074, 53


def divided(digits: Ints, divisor: Ints, more: int = 0) -> tuple[Ints, Flags]:
    """Long division: the quotients, `more` places further down than the digits go, and which of them leave a rest.

    Args:
      digits: rows of digits.
      divisor: from 1 to 2**31 - 1, one a row.
      more: places below the last digit.
    """
    rows, places = digits.shape
    quotient = np.zeros((rows, places + more), np.int64)
    rest = np.zeros(rows, np.int64)
    for place in range(places + more - 1, -1, -1):
        rest = rest << BITS
        if place >= more:
            rest |= digits[:, place - more]
        quotient[:, place], rest = np.divmod(rest, divisor)
    return quotient, rest != 0


def rounded(digits: Ints, rest: Flags, unit: int) -> Doubles:
    """The numbers, plus something less than a unit where `rest` says so, times 2**unit."""
    if not digits.shape[1]:
        return np.zeros(len(digits))
    (bits, _), left, exponent = _leading(digits, unit)
    left = left | rest
    # A subnormal number has fewer bits.
    dropped = np.clip(LEAST_EXPONENT - exponent, 64 - PRECISION, 65).astype(np.uint64)
    gone = dropped >= np.uint64(64)
    shift = np.minimum(dropped, np.uint64(63))
    kept = np.where(gone, np.uint64(0), bits >> shift)
    # Once more by one bit, for a shift by 64 is not defined.
    remainder = np.where(gone, bits, bits & ((np.uint64(1) << shift) - np.uint64(1)))
    half = np.uint64(1) << np.minimum(dropped - np.uint64(1), np.uint64(63))
    up = (remainder > half) | ((remainder == half) & (left | (kept & np.uint64(1) != 0)))
    up &= dropped <= np.uint64(64)
    kept = kept + up.astype(np.uint64)
    with np.errstate(over="ignore"):  # what is too large is infinite: so it is meant
        found: Doubles = np.ldexp(kept.astype(np.float64), (exponent + dropped.astype(np.int64)).astype(np.int32))
    return np.where(bits == 0, 0.0, found)


def rooted(digits: Ints, rest: Flags, unit: int) -> tuple[Doubles, Flags]:
    """The square roots of numbers as of `rounded`, and which are too small to be rounded here: subnormal ones."""
    if not digits.shape[1]:
        return np.zeros(len(digits)), np.zeros(len(digits), np.bool_)
    (high, low), left, exponent = _leading(digits, unit, 2)
    left |= rest
    # 107 or 108 bits, so that the exponent is even: their root has 54, one more than a double.
    exponent = exponent - 64
    shift = (20 + (exponent & 1)).astype(np.uint64)
    left |= low << (np.uint64(64) - shift) != 0
    exponent = (exponent + shift.astype(np.int64)) >> 1
    low = low >> shift | high << (np.uint64(64) - shift)
    high = high >> shift
    root = np.sqrt(np.ldexp(high.astype(np.float64), 64) + low.astype(np.float64)).astype(np.uint64)
    # Off by a few at most, so the difference of the squares is that of their low 64 bits.
    over = (low - root * root).view(np.int64)
    while (below := over < 0).any():
        root = root - below
        over = np.where(below, over + (root << np.uint64(1)).view(np.int64) + 1, over)
    while (above := over > (root << np.uint64(1)).view(np.int64)).any():
        over = np.where(above, over - (root << np.uint64(1)).view(np.int64) - 1, over)
        root = root + above
    kept = root >> np.uint64(1)
    kept = kept + ((root & np.uint64(1) != 0) & ((over > 0) | left | (kept & np.uint64(1) != 0)))
    with np.errstate(over="ignore"):  # as in `rounded`
        found: Doubles = np.ldexp(kept.astype(np.float64), (exponent + 1).astype(np.int32))
    none = high == 0
    return np.where(none, 0.0, found), ~none & (exponent + 1 < LEAST_EXPONENT)


def _leading(digits: Ints, unit: int, words: int = 1) -> tuple[tuple[Words, Words], Flags, Ints]:
    """Leading bits in words of 64, the highest of them set; whether anything is left below; the exponent of the first.

    Without a number (of 0) the bits are 0. Only the first word is filled unless `words` is 2; the exponent is that of
    the lowest bit of the first.
    """
    rows, places = digits.shape
    used = digits != 0
    top = np.where(used.any(axis=1), places - 1 - used[:, ::-1].argmax(axis=1), 0)
    below = 2 * words
    wide = np.zeros((rows, places + below), np.uint64)
    wide[:, below:] = digits
    row = np.arange(rows)
    parts = [wide[row, top + below - number] for number in range(below + 1)]
    zeros = _BITS - np.frexp(parts[0].astype(np.float64))[1].astype(np.uint64)
    found: list[Any] = []
    for number in range(0, below, 2):
        both = (parts[number] << _BITS) | parts[number + 1]
        found.append(both << zeros | (parts[number + 2] >> (_BITS - zeros)))
    left = (parts[below] << (_BITS + zeros)) != 0
    left |= ((wide != 0) & (np.arange(places + below)[None, :] < top[:, None])).any(axis=1)
    return (found[0], found[-1]), left, unit + BITS * (top - 1) - zeros.astype(np.int64)
