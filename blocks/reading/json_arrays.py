"""The elements of one large JSON array, found without parsing them and without holding the array.

Brackets are counted outside strings, many bytes at a time; elements become lines, which then go the way of all lines.
"""

import itertools
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from blocks.core.errors import ReadError
from blocks.reading.lines import MOST_SPACE, SPACE, Lines, TooLarge, from_records

# The scan needs some 30 bytes for each byte that it looks at.
_SCAN_BYTES = 1 << 18
_BOM = b"\xef\xbb\xbf"


class ArrayScanner:
    """Cuts the text of a JSON array into its elements.

    Args:
      max_record_bytes: an element longer than this is skipped without being held.
      path: of the file, for errors.
    """

    def __init__(self, max_record_bytes: int, path: str) -> None:
        self._most, self._path = max_record_bytes, path

    def read(self, handle: IO[bytes], block_bytes: int) -> Iterator[Lines | TooLarge]:
        """The elements, in blocks.

        Raises:
          ReadError: there is no array, it does not end, or something follows it; elements before that have been given.
        """
        data = handle.read(block_bytes)
        while len(data) < len(_BOM) and (more := handle.read(block_bytes)):
            data += more
        position = len(_BOM) if data.startswith(_BOM) else 0
        data = data[position:] or handle.read(block_bytes)
        state = _State(position, self._path)
        while data:
            records: list[bytes] = []
            positions: list[int] = []
            parts = (data[start : start + _SCAN_BYTES] for start in range(0, len(data), _SCAN_BYTES))
            for at, record in itertools.chain.from_iterable(state.feed(part, self._most) for part in parts):
                if record is None:
                    yield TooLarge(at)
                else:
                    records.append(record)
                    positions.append(at)
            if records:
                yield from_records(records, positions)
            data = handle.read(block_bytes)
        if not state.closed:
            raise ReadError(
                "a JSON array that does not end" if state.opened else "no JSON array",
                where=f"file {self._path}, byte {state.position}",
                fix="fetch the file again; it is cut short, or a bracket in it is not closed",
            )


def _from_text(part: bytes, at: int) -> tuple[bytes, int]:
    """The bytes from the first that is no white space on, and where that is."""
    text = part.lstrip(SPACE)
    return text, at + len(part) - len(text)


class _State:
    """Where the scan is: inside which element, how deep, in a string or not."""

    def __init__(self, position: int, path: str) -> None:
        self.position, self._path = position, path
        self.opened = self.closed = False
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._held: list[bytes] = []
        # All that is held, and up to the last byte of it that is no white space.
        self._held_bytes = self._text_bytes = 0
        self._elements = False
        self._start = position

    def feed(self, data: bytes, most: int) -> Iterator[tuple[int, bytes | None]]:
        """(position, bytes) of every element that ends in `data`; None for one that was too long to hold."""
        values = np.frombuffer(data, np.uint8)
        marks, depths = self._scan(values)
        begin = 0
        for at, depth in zip(marks.tolist(), depths.tolist(), strict=True):
            byte = data[at]
            if self.closed:
                break
            if byte == 0x5B and depth == 1:
                if b"".join([*self._held, data[begin:at]]).strip(SPACE):
                    raise self._error("text before a JSON array", at, "say what the file is: format='lines'")
                self._held, self._held_bytes, self._text_bytes, self.opened = [], 0, 0, True
                begin = at + 1
            elif (byte == 0x2C and depth == 1) or (byte == 0x5D and depth == 0):
                position, record = self._element(data[begin:at], self.position + begin, most)
                blank = record is not None and not record.strip(SPACE)
                if not blank:
                    yield position, record
                elif self._elements or byte == 0x2C:
                    # Nothing where an element should be; the byte after it stands for it.
                    yield self.position + at, data[at : at + 1]
                self._elements = True
                begin = at + 1
                self.closed = byte == 0x5D
        if self.closed and data[begin:].strip(SPACE):
            advice = "if the file has a JSON array on each line it is not supported; write one record a line"
            raise self._error("text after the end of a JSON array", begin, advice)
        if not self.closed:
            self._hold(data[begin:], self.position + begin, most)
        self.position += len(data)

    def _error(self, what: str, at: int, fix: str) -> ReadError:
        return ReadError(what, where=f"file {self._path}, byte {self.position + at}", fix=fix)

    def _element(self, tail: bytes, at: int, most: int) -> tuple[int, bytes | None]:
        if not self._held_bytes:
            tail, self._start = _from_text(tail, at)
        start = self._start
        if tail.strip(SPACE):
            self._text_bytes = self._held_bytes + len(tail.rstrip(SPACE))
        lost = self._text_bytes > most or self._held_bytes > most + MOST_SPACE
        record = None if lost else b"".join([*self._held, tail])
        self._held, self._held_bytes, self._text_bytes = [], 0, 0
        return start, record

    def _hold(self, part: bytes, at: int, most: int) -> None:
        if not self._held_bytes:
            part, self._start = _from_text(part, at)
        if not part:
            return
        if part.strip(SPACE):
            self._text_bytes = self._held_bytes + len(part.rstrip(SPACE))
        self._held_bytes += len(part)
        # Past the limit only the length matters; white space at the end need not belong to the record.
        fits = self._text_bytes <= most and self._held_bytes <= most + MOST_SPACE
        self._held = [*self._held, part] if fits else []

    def _scan(self, values: Any) -> tuple[Any, Any]:
        """Positions of brackets and commas at the top of the array, and the depth after each."""
        quotes = np.flatnonzero(values == 0x22)
        slashes = np.flatnonzero(values == 0x5C)
        if len(slashes) or self._escaped:
            quotes = self._unescaped(values, quotes, slashes)
        flips = np.zeros(len(values), np.int8)
        flips[quotes] = 1
        inside = (np.cumsum(flips, dtype=np.int64) + self._in_string) % 2 == 1
        self._in_string = bool(inside[-1])
        opening = ((values == 0x5B) | (values == 0x7B)) & ~inside
        closing = ((values == 0x5D) | (values == 0x7D)) & ~inside
        at = np.flatnonzero(opening | closing | ((values == 0x2C) & ~inside))
        step = opening[at].astype(np.int64) - closing[at]
        depths = np.cumsum(step) + self._depth
        self._depth = int(depths[-1]) if len(depths) else self._depth
        kinds = values[at]
        top = ((kinds == 0x2C) & (depths == 1)) | ((kinds == 0x5B) & (depths == 1)) | ((kinds == 0x5D) & (depths == 0))
        return at[top], depths[top]

    def _unescaped(self, values: Any, quotes: Any, slashes: Any) -> Any:
        """The quotes that an odd run of backslashes does not escape."""
        # The run of backslashes that ends just before each position, by subtracting the last position without one.
        is_slash = np.zeros(len(values), np.bool_)
        is_slash[slashes] = True
        last_other = np.maximum.accumulate(np.where(is_slash, -1, np.arange(len(values))))
        run = np.where(is_slash, np.arange(len(values)) - last_other, 0)
        if self._escaped:
            # The block before ended in an odd run: a run at the very start goes on with it.
            run[is_slash & (last_other == -1)] += 1
        before = np.where(quotes > 0, run[np.maximum(quotes - 1, 0)], int(self._escaped))
        self._escaped = bool(run[-1] % 2) if is_slash[-1] else False
        return quotes[before % 2 == 0]
