"""Limbs: a column of whole numbers of any size, as digits of 32 bits in columns of int64, so that numpy adds them.

A number is the sum of `digit * 2**(32 * place)`. Digits may be negative and larger than 32 bits while sums go on; up to
2**31 rows are added before a digit could leave 64 bits. `settled` carries, after which equal numbers have equal digits:
from 0 to 2**32 - 1, and the topmost has the sign.

Nothing is rounded before `to_doubles`, so a sum does not depend on the order of what was added: neither on the sequence
of rows, nor on how they were cut into parts.

Source: the "superaccumulator" of Kulisch, "Computer Arithmetic and Validity" (2013), with the carry delayed as in
Neal, "Fast exact summation using small and large superaccumulators" (2015).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.exact.rounding import BITS, divided, rounded

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

_MASK = np.int64((1 << BITS) - 1)
# Quotients are rounded from at least 64 bits; their rest only tells whether they are exact.
_MORE_PLACES = 3


@dataclass(frozen=True)
class Limbs:
    """Whole numbers, a row each.

    Attributes:
      digits: shape [rows, places], int64.
      first: the place of the leftmost column: that column counts 2**(32 * first).
    """

    digits: Ints
    first: int

    def __len__(self) -> int:
        return len(self.digits)

    @classmethod
    def zeros(cls, rows: int) -> "Limbs":
        """Rows of zero."""
        return cls(np.zeros((rows, 0), np.int64), 0)

    def take(self, rows: Any) -> "Limbs":
        """Some rows, by place or by mask."""
        return Limbs(self.digits[rows], self.first)

    def added(self, offsets: Ints) -> "Limbs":
        """The sums of consecutive rows: row `i` is the sum of the rows from `offsets[i]` to before `offsets[i + 1]`."""
        return Limbs(added(self.digits, offsets), self.first)

    def running(self) -> "Limbs":
        """The sums of all rows before each, and of all: one row more."""
        total = np.zeros((len(self) + 1, self.digits.shape[1]), np.int64)
        np.cumsum(self.digits, axis=0, out=total[1:])
        return Limbs(total, self.first)

    def between(self, start: Ints, stop: Ints) -> "Limbs":
        """Of running sums, those of the rows from `start[i]` to before `stop[i]`, which may overlap."""
        return Limbs(self.digits[stop] - self.digits[start], self.first)

    def settled(self) -> "Limbs":
        """The same numbers with every carry done; equal numbers then have equal digits at equal places."""
        rows, places = self.digits.shape
        # Two more: a sum of 2**31 rows is at most 31 bits longer, and the last place holds the sign alone.
        digits = np.zeros((rows, places + 2), np.int64)
        carry = np.zeros(rows, np.int64)
        for place in range(places + 2):
            total = carry + (self.digits[:, place] if place < places else 0)
            if place == places + 1:
                digits[:, place] = total
            else:
                digits[:, place] = total & _MASK
                carry = total >> BITS
        return Limbs(digits, self.first)

    def negative(self) -> npt.NDArray[np.bool_]:
        """Which rows are below zero; of settled numbers."""
        return self.digits[:, -1] < 0 if self.digits.shape[1] else np.zeros(len(self), np.bool_)

    def magnitude(self) -> "Limbs":
        """The absolute values; of settled numbers."""
        below = self.negative()
        if not below.any():
            return self
        return Limbs(np.where(below[:, None], -self.digits, self.digits), self.first).settled()

    def to_ints(self, place: int = 0) -> list[int]:
        """Each row as Python's whole number, in units of 2**(32 * place); `place` is at most `first`."""
        settled = self.settled()
        low = settled.digits[:, :-1].astype("<u4")
        scale = BITS * (self.first - place)
        width, content = 4 * low.shape[1], np.ascontiguousarray(low).tobytes()
        tops = settled.digits[:, -1].tolist()
        # Python alone has whole numbers of any size; this is one call a row, about 200 ns.
        return [
            (int.from_bytes(content[row * width : (row + 1) * width], "little") + (top << (8 * width))) << scale
            for row, top in enumerate(tops)
        ]

    def to_words(self, count: int) -> npt.NDArray[np.uint32]:
        """Each row in two's complement, as `count` words of 32 bits from low to high, in units of place 0.

        Raises:
          OverflowError: a number that does not fit.
        """
        settled = self.settled()
        places = settled.digits.shape[1]
        sign = settled.digits[:, -1]
        words = np.repeat((sign & _MASK).astype(np.uint32)[:, None], count, axis=1)
        low, high = settled.first, settled.first + places - 1
        words[:, : min(max(low, 0), count)] = 0
        if low < count and high > 0:
            words[:, max(low, 0) : min(high, count)] = settled.digits[:, max(-low, 0) : count - low][:, : high - low]
        above = settled.digits[:, max(count - low, 0) : -1]
        fits = (sign == 0) | (sign == -1)
        fits &= (above == (sign & _MASK)[:, None]).all(axis=1)
        fits &= (words[:, -1].view(np.int32) < 0) == (sign < 0)
        if not fits.all():
            raise OverflowError(f"a number needs more than {count * BITS} bits")
        return words

    @classmethod
    def from_ints(cls, numbers: list[int], place: int = 0) -> "Limbs":
        """The reverse of `to_ints`."""
        longest = max((number.bit_length() for number in numbers), default=0)
        places = longest // BITS + 1
        content = b"".join(number.to_bytes(4 * places, "little", signed=True) for number in numbers)
        digits = np.frombuffer(content, "<u4").reshape(len(numbers), places).astype(np.int64)
        # The topmost has the sign.
        digits[:, -1] -= digits[:, -1] >> (BITS - 1) << BITS
        return cls(digits, place)

    def to_doubles(self, unit: int, divisor: Ints | None = None) -> Doubles:
        """Each row as the nearest double, ties to even: `number * 2**unit`, divided by `divisor` before it is rounded.

        Args:
          unit: exponent of 2 of one unit of place 0; what is too large for a double is infinite.
          divisor: from 1 to 2**31 - 1, one a row.
        """
        size = self.settled()
        below = size.negative()
        size = size.magnitude()
        digits, first = size.digits, size.first
        rest = np.zeros(len(self), np.bool_)
        if divisor is not None:
            digits, rest = divided(digits, divisor, _MORE_PLACES)
            first -= _MORE_PLACES
        return np.where(below, -1.0, 1.0) * rounded(digits, rest, unit + BITS * first)

    def to_arrow(self) -> pa.StructArray:
        """As cells hold them, `LIMBS`: equal for equal numbers, all digits of one sign, no zeros at the ends."""
        settled = self.settled()
        below, size = settled.negative(), settled.magnitude()
        digits = np.where(below[:, None], -size.digits, size.digits)
        rows, places = digits.shape
        used = digits != 0
        any_used = used.any(axis=1)
        low = np.where(any_used, used.argmax(axis=1), 0)
        high = np.where(any_used, places - used[:, ::-1].argmax(axis=1), 0)
        column = np.arange(places)
        kept = (column >= low[:, None]) & (column < high[:, None])
        offsets = np.zeros(rows + 1, np.int64)
        np.cumsum(high - low, out=offsets[1:])
        lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(digits[kept]))
        place = np.where(any_used, low + self.first, 0).astype(np.int16)
        return pa.StructArray.from_arrays([pa.array(place), lists], fields=list(LIMBS))

    @classmethod
    def from_arrow(cls, column: pa.StructArray) -> "Limbs":
        """The reverse of `to_arrow`."""
        first, lists = column.flatten()
        offsets = lists.offsets.to_numpy()
        counts = np.diff(offsets)
        first = first.to_numpy().astype(np.int64)
        used = counts > 0
        if not used.any():
            return cls.zeros(len(column))
        least = int(first[used].min())
        places = int((first + counts)[used].max()) - least
        digits = np.zeros((len(column), places), np.int64)
        rows = np.repeat(np.arange(len(column)), counts)
        within = np.arange(offsets[0], offsets[-1]) - np.repeat(offsets[:-1], counts)
        values = lists.values.slice(offsets[0], offsets[-1] - offsets[0]).to_numpy()
        digits[rows, np.repeat(first, counts) + within - least] = values
        return cls(digits, least)


LIMBS = pa.struct([pa.field("first", pa.int16(), False), pa.field("digits", pa.large_list(pa.int64()), False)])


def added(values: npt.NDArray[Any], offsets: Ints) -> npt.NDArray[Any]:
    """Sums of consecutive rows of an array; an empty part sums to zero."""
    starts = offsets[:-1]
    found = np.zeros((len(starts), *values.shape[1:]), values.dtype)
    some = starts < offsets[1:]
    if some.any():
        # Rows after the last part would be added to it.
        found[some] = np.add.reduceat(values[: offsets[-1]], starts[some], axis=0)
    return found
