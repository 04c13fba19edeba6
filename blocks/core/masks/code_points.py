"""Masks a part of every text of a column at once: over bytes where all are ASCII, else over code points."""

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

# Letters and digits of Unicode 14 to 16, first and last of each range, in which nothing older lies: they have no class,
# so that a text is masked alike on every Python, in Java (`blocks.udf.Characters`) and in DuckDB.
LATER = (
    (0x1C89, 0x1C8A),
    (0x2C2F, 0x2C2F),
    (0x2C5F, 0x2C5F),
    (0xA7C0, 0xA7C1),
    (0xA7CB, 0xA7DC),
    (0x10570, 0x105BC),
    (0x10D40, 0x10D85),
    (0x116D0, 0x116E3),
    (0x11BF0, 0x11BF9),
    (0x11F50, 0x11F59),
    (0x16130, 0x16139),
    (0x16AC0, 0x16AC9),
    (0x16D70, 0x16D79),
    (0x1CCF0, 0x1CCF9),
    (0x1DF00, 0x1DF2A),
    (0x1E4F0, 0x1E5FA),
)
# Unicode 13 has no letter with a case, and no digit, from here on; the last one before is no character at all.
_CLASSED = 0x20000
_OTHER, _UPPER, _LOWER, _DIGIT = range(4)
_CLASSES = {"Lu": _UPPER, "Ll": _LOWER, "Nd": _DIGIT}

Numbers = np.ndarray[Any, np.dtype[Any]]
Spans = Callable[[Numbers], tuple[Numbers | int, Numbers]]


@cache
def _classes() -> Numbers:
    """The class of each code point below `_CLASSED`."""
    found = np.fromiter(
        (_CLASSES.get(unicodedata.category(chr(point)), _OTHER) for point in range(_CLASSED)), np.uint8, _CLASSED
    )
    for first, last in LATER:
        found[first : last + 1] = _OTHER
    return found


class Characters:
    """What is written instead of a character, by its class; None leaves the class as it is.

    Args:
      upper: instead of an upper-case letter (category Lu).
      lower: of a lower-case letter (Ll).
      digit: of a decimal digit (Nd).
      other: of anything else.
    """

    def __init__(self, upper: str | None, lower: str | None, digit: str | None, other: str | None) -> None:
        codes = [-1 if one is None else ord(one) for one in (other, upper, lower, digit)]
        self._codes = np.array(codes, np.int64)
        self._bytes = self._instead(np.arange(128)).astype(np.uint8) if max(codes) < 128 else None

    def _instead(self, points: Numbers) -> Numbers:
        found = self._codes[_classes()[np.minimum(points, _CLASSED - 1)]]
        return np.where(found < 0, points, found)

    def mask(self, array: pa.Array, spans: Spans) -> pa.Array:
        """The texts with a part of each masked; null stays null.

        Args:
          array: of type string.
          spans: gives, of the numbers of characters of all texts, the part [from, to) of each that is masked.
        """
        # What stands below a null need not be text.
        filled = array.fill_null("") if array.null_count else array
        offsets, data = _parts(filled)
        if self._bytes is not None and (not data.size or data.max() < 128):
            masked = np.where(_within(offsets, spans), self._bytes[data], data)
            return _array(pa.string(), array, offsets, masked)
        points = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), np.uint32)
        cuts = _counted((data & 0xC0) != 0x80)[offsets]
        found = np.where(_within(cuts, spans), self._instead(points), points)
        sizes = 1 + (found > 0x7F).astype(np.uint8) + (found > 0x7FF) + (found > 0xFFFF)
        text = found.astype("<u4").tobytes().decode("utf-32-le").encode()
        # Characters of several bytes make texts longer; the cast refuses what 32 bits do not hold.
        return _array(pa.large_string(), array, _counted(sizes)[cuts], text).cast(pa.string())


def _parts(array: pa.Array) -> tuple[Numbers, Numbers]:
    """Where each text begins, from 0, and all their bytes."""
    if not len(array):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    _, places, content = array.buffers()
    offsets = np.frombuffer(places, np.int32, len(array) + 1, 4 * array.offset)
    first, last = offsets[0], offsets[-1]
    data = np.frombuffer(content, np.uint8, last - first, first) if last > first else np.zeros(0, np.uint8)
    return offsets - first, data


def _counted(numbers: Numbers) -> Numbers:
    """Sums of all numbers before each place."""
    found = np.zeros(len(numbers) + 1, np.int64)
    np.cumsum(numbers, out=found[1:])
    return found


def _within(cuts: Numbers, spans: Spans) -> Numbers:
    """Which characters are in the part of their text."""
    start, stop = spans(np.diff(cuts).astype(np.int64))
    begin, end = cuts[:-1] + start, cuts[:-1] + stop
    some = end > begin
    # One more at each beginning, one less at each end, which may be the next beginning: within, the sum so far is 1.
    steps = np.zeros(cuts[-1] + 1, np.int8)
    steps[begin[some]] = 1
    steps[end[some]] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)


def _array(kind: pa.DataType, like: pa.Array, offsets: Numbers, data: Any) -> pa.Array:
    valid = like.is_valid().buffers()[1] if like.null_count else None
    return pa.Array.from_buffers(kind, len(like), [valid, pa.py_buffer(offsets), pa.py_buffer(data)], like.null_count)
