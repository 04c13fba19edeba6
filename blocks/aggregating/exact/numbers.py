"""Arrow columns of numbers, and their powers, as limbs.

A value is `sign * whole * 2**exponent`: of a double its significand and exponent, of a whole number itself, of a
decimal its unscaled value. The unit of place 0 is chosen by the type, so that every value, and every power of it, is
whole: 2**-1074 for doubles (to the power of p: 2**(-1074 * p)), 1 for the others (a decimal's power p counts
10**(-scale * p)).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.aggregating.exact.limbs import Ints, Limbs
from blocks.aggregating.exact.rounding import BITS

Words = npt.NDArray[np.uint64]

# Exponent of 2 of the unit of doubles, for each power.
UNIT = -1074
# Digits of a product: 26 bits, so that a sum of 2**11 products stays within 63.
_NARROW = 26
_NARROW_MASK = np.uint64((1 << _NARROW) - 1)
_WIDE_MASK = np.uint64((1 << BITS) - 1)


@dataclass(frozen=True)
class Values:
    """Numbers as `sign * whole * 2**exponent`.

    Attributes:
      words: the whole part, from low to high, each word of `width` bits.
      width: 26 or 32.
      exponent: one a row, at least 0 (in the unit of the type).
      negative: which are below zero.
    """

    words: tuple[Words, ...]
    width: int
    exponent: Ints
    negative: npt.NDArray[np.bool_]

    def limbs(self) -> Limbs:
        """The numbers as limbs."""
        rows = len(self.exponent)
        if not rows:
            return Limbs.zeros(0)
        least = int(self.exponent.min()) // BITS
        most = (int(self.exponent.max()) + self.width * len(self.words)) // BITS + 1
        digits = np.zeros((rows, most - least + 1), np.int64)
        row = np.arange(rows)
        for number, word in enumerate(self.words):
            bit = self.exponent + self.width * number - BITS * least
            place, shift = bit >> 5, (bit & 31).astype(np.uint64)
            moved = word << shift
            digits[row, place] += (moved & _WIDE_MASK).astype(np.int64)
            digits[row, place + 1] += (moved >> np.uint64(BITS)).astype(np.int64)
        digits[self.negative] *= -1
        return Limbs(digits, least)

    def power(self, power: int) -> "Values":
        """Each number to a power of at least 2."""
        narrow = _narrow(self.words, self.width)
        found = narrow
        for _ in range(power - 1):
            found = _product(found, narrow)
        negative = self.negative if power % 2 else np.zeros_like(self.negative)
        return Values(found, _NARROW, self.exponent * power, negative)


def of_doubles(values: npt.NDArray[np.float64]) -> Values:
    """Finite doubles, in units of 2**-1074."""
    bits = values.view(np.uint64)
    raw = (bits >> np.uint64(52)).astype(np.int64) & 0x7FF
    whole = bits & np.uint64((1 << 52) - 1) | np.where(raw > 0, np.uint64(1 << 52), np.uint64(0))
    return Values(_halves(whole), BITS, np.maximum(raw - 1, 0), values < 0)


def of_integers(values: pa.Array) -> Values:
    """Whole numbers without nulls, of any width and sign."""
    if pat.is_uint64(values.type):
        whole = values.to_numpy()
        negative = np.zeros(len(whole), np.bool_)
    else:
        numbers = values.cast(pa.int64()).to_numpy()
        negative = numbers < 0
        # Of the least number of 64 bits too: what wraps to itself is read without a sign.
        whole = np.abs(numbers).view(np.uint64)
    return Values(_halves(whole), BITS, np.zeros(len(whole), np.int64), negative)


def of_decimals(values: pa.Array) -> Values:
    """Decimals without nulls, as their unscaled values."""
    width = 256 if pat.is_decimal256(values.type) else 128
    if not pat.is_decimal256(values.type) and not pat.is_decimal128(values.type):
        values = values.cast(pa.decimal128(values.type.precision, values.type.scale))
    count = width // 64
    content = values.buffers()[1]
    words = np.frombuffer(content, "<u8")[values.offset * count : (values.offset + len(values)) * count]
    words = words.reshape(len(values), count)
    negative = words[:, -1].view(np.int64) < 0
    size = np.where(negative[:, None], ~words, words)
    carry = negative
    halves: list[Words] = []
    for number in range(count):
        word = size[:, number] + carry.astype(np.uint64)
        carry = carry & (word == 0)
        halves += _halves(word)
    return Values(tuple(halves), BITS, np.zeros(len(values), np.int64), negative)


def _halves(whole: Words) -> tuple[Words, Words]:
    return whole & _WIDE_MASK, whole >> np.uint64(BITS)


def _narrow(words: tuple[Words, ...], width: int) -> tuple[Words, ...]:
    """The same number in words of 26 bits."""
    if width == _NARROW:
        return words
    bits = width * len(words)
    found = []
    for low in range(0, bits, _NARROW):
        at, shift = divmod(low, width)
        word = words[at] >> np.uint64(shift)
        if at + 1 < len(words) and shift + _NARROW > width:
            word = word | words[at + 1] << np.uint64(width - shift)
        found.append(word & _NARROW_MASK)
    return tuple(found)


def _product(left: tuple[Words, ...], right: tuple[Words, ...]) -> tuple[Words, ...]:
    places = len(left) + len(right)
    sums: list[Any] = [np.uint64(0)] * places
    for low, one in enumerate(left):
        for high, other in enumerate(right):
            sums[low + high] = sums[low + high] + one * other
    carry: Any = np.uint64(0)
    found = []
    for total in sums:
        total = total + carry
        found.append(total & _NARROW_MASK)
        carry = total >> np.uint64(_NARROW)
    return tuple(found)


def as_doubles(column: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers without nulls as the nearest doubles."""
    found: npt.NDArray[np.float64] = nearest_doubles(column).to_numpy(zero_copy_only=False)
    return found


def nearest_doubles(column: pa.Array) -> pa.Array:
    """Numbers as the nearest doubles; nulls stay."""
    # Arrow's own cast of decimals multiplies by a power of ten that is rounded itself; its reader of texts is exact.
    column = pc.cast(column, pa.string()) if pat.is_decimal(column.type) else column
    return pc.cast(column, pa.float64(), safe=False)
