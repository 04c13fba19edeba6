"""Records as lines of one buffer: where each begins and ends, without a Python object a line."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

Ints = np.ndarray[Any, np.dtype[np.int64]]

SPACE = b" \t\r\n"
# White space after a record is held until its end is seen, but not without end.
MOST_SPACE = 1 << 20
_BLANK = np.frombuffer(SPACE, np.uint8)


@dataclass(frozen=True)
class Lines:
    """Records in a buffer with nothing but white space between them; blank ones do not count.

    Attributes:
      data: bytes of all lines.
      starts, ends: int64, where each record begins and ends in `data`, white space around it excluded.
      positions: int64, where each record begins in its source (byte offset after decompression, or a number).
    """

    data: memoryview
    starts: Ints
    ends: Ints
    positions: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, number: int) -> bytes:
        """The bytes of one record."""
        return bytes(self.data[self.starts[number] : self.ends[number]])

    def __getitem__(self, part: slice) -> "Lines":
        return Lines(self.data, self.starts[part], self.ends[part], self.positions[part])

    def without(self, wrong: "np.ndarray[Any, np.dtype[np.bool_]]") -> "Lines":
        """The records that are not marked; the buffer is copied, run by run, if any is."""
        numbers = np.flatnonzero(wrong)
        if not len(numbers):
            return self
        bounds = [-1, *numbers.tolist(), len(self)]
        return concat_lines([self[start + 1 : stop] for start, stop in itertools.pairwise(bounds) if stop > start + 1])

    def text(self) -> memoryview:
        """All records, with what is between them."""
        return self.data[int(self.starts[0]) : int(self.ends[-1])] if len(self) else memoryview(b"")

    def array(self) -> pa.Array:
        """The records, white space after them included, as an Arrow string array, without a copy.

        The bytes must be UTF-8, at least one record and less than 2 GiB.
        """
        offsets = (np.append(self.starts, self.ends[-1]) - self.starts[0]).astype(np.int32)
        return pa.Array.from_buffers(pa.string(), len(self), [None, pa.py_buffer(offsets), pa.py_buffer(self.text())])

    def which(self, holds: Callable[["Lines"], bool]) -> Iterator[int]:
        """The numbers of the records for which `holds`.

        It must be true of some lines exactly when it is true of one of them.
        """
        waiting = [(0, len(self))]
        while waiting:
            start, stop = waiting.pop()
            if stop == start or not holds(self[start:stop]):
                continue
            if stop - start == 1:
                yield start
            else:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]


@dataclass(frozen=True)
class TooLarge:
    """A record that is longer than allowed and was skipped: where it begins."""

    position: int


def concat_lines(parts: list[Lines]) -> Lines:
    """The records of all parts, in order, in one buffer that holds nothing else; copied part by part."""
    if len(parts) == 1:
        return parts[0]
    texts = [part.text() for part in parts]
    bases = np.cumsum([0, *(len(text) + 1 for text in texts)])[:-1].tolist()
    shifts = [base - int(part.starts[0]) for part, base in zip(parts, bases, strict=True) if len(part)]
    parts = [part for part in parts if len(part)]
    columns = [
        [getattr(part, name) + (shift if name != "positions" else 0) for part, shift in zip(parts, shifts, strict=True)]
        for name in ("starts", "ends", "positions")
    ]
    starts, ends, positions = (np.concatenate(column) if parts else np.empty(0, np.int64) for column in columns)
    return Lines(memoryview(b"\n".join(texts)), starts, ends, positions)


def over(end: bytes, held_bytes: int, most: int) -> bool:
    """Whether what is held of a record is more than a record may be.

    Args:
      end: the last bytes that are held; white space at their end need not belong to the record.
      held_bytes: all bytes that are held.
      most: bytes of the longest record.
    """
    return held_bytes > most and (
        held_bytes - len(end) + len(end.rstrip(SPACE)) > most or held_bytes > most + MOST_SPACE
    )


def split_lines(data: bytes | memoryview, position: int) -> Lines:
    """Finds the records of newline-delimited text.

    Args:
      data: whole lines; the last needs no line break.
      position: where the data begins in its source.
    """
    view = memoryview(data)
    values = np.frombuffer(view, np.uint8)
    breaks = np.flatnonzero(values == 0x0A)
    starts = np.concatenate([[0], breaks + 1]).astype(np.int64)
    ends = np.concatenate([breaks, [len(values)]]).astype(np.int64)
    full = ends > starts
    starts, ends = starts[full], ends[full]
    return _trimmed(view, starts, ends, starts + position)


def _trimmed(data: memoryview, starts: Ints, ends: Ints, positions: Ints) -> Lines:
    """Without white space on either side, and without lines that are only that."""
    values = np.frombuffer(data, np.uint8)
    shifts = positions - starts
    # Nearly all lines have none, or a carriage return; the bytes of the others are looked at line by line.
    for _ in range(2):
        blank = np.isin(values[starts], _BLANK)
        starts = starts + blank
        full = ends > starts
        if not full.all():
            starts, ends, shifts = starts[full], ends[full], shifts[full]
        last = np.isin(values[ends - 1], _BLANK)
        ends = ends - last
        if not len(starts) or not (blank.any() or last.any()):
            return Lines(data, starts, ends, starts + shifts)
    starts, ends = starts.copy(), ends.copy()
    for number in np.flatnonzero(np.isin(values[starts], _BLANK) | np.isin(values[ends - 1], _BLANK)).tolist():
        line = bytes(data[starts[number] : ends[number]])
        kept = line.rstrip(SPACE)
        ends[number] -= len(line) - len(kept)
        starts[number] += len(kept) - len(kept.lstrip(SPACE))
    full = ends > starts
    return Lines(data, starts[full], ends[full], (starts + shifts)[full])


def from_records(records: list[bytes], positions: list[int] | None = None) -> Lines:
    """Records that come one by one (as messages do) as `Lines`; those of white space only are left out.

    Args:
      records: one JSON text each; line breaks within are white space.
      positions: where each begins in its source; their numbers unless given.
    """
    data = memoryview(b"\n".join(records) + b"\n")
    lengths = np.fromiter((len(record) for record in records), np.int64, len(records))
    ends = np.cumsum(lengths + 1) - 1
    starts = ends - lengths
    numbers = np.arange(len(records)) if positions is None else np.array(positions, np.int64)
    full = ends > starts
    lines = _trimmed(data, starts[full], ends[full], starts[full])
    if positions is None:
        # Trimming moved byte offsets; the number of a record is that of the last one to begin before it.
        return replace(lines, positions=numbers[np.searchsorted(starts, lines.starts, "right") - 1])
    return replace(
        lines, positions=(numbers - starts)[np.searchsorted(starts, lines.starts, "right") - 1] + lines.starts
    )


def chunks(lines: Lines, most_bytes: int, most_rows: int) -> Iterator[Lines]:
    """The lines in parts within both bounds; a part has at least one line."""
    start = 0
    while start < len(lines):
        limit = lines.starts[start] + most_bytes
        stop = int(np.searchsorted(lines.ends, limit, side="right"))
        stop = min(max(stop, start + 1), start + most_rows, len(lines))
        yield lines[start:stop]
        start = stop
