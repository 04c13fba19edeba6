"""Records as lines of one buffer: where each begins and ends, without a Python object a line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

Ints = np.ndarray[Any, np.dtype[np.int64]]

_BLANK = (0x20, 0x09, 0x0D)


@dataclass(frozen=True)
class Lines:
    """Records in a buffer, blank ones left out.

    Attributes:
      data: bytes of all lines.
      starts, ends: int64, where each record begins and ends in `data`, white space around it excluded.
      positions: int64, where each record begins in its source (byte offset after decompression, or a number).
      contiguous: nothing but white space lies between the records, so that the buffer can be used as it is.
    """

    data: memoryview
    starts: Ints
    ends: Ints
    positions: Ints
    contiguous: bool = True

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, number: int) -> bytes:
        """The bytes of one record."""
        return bytes(self.data[self.starts[number] : self.ends[number]])

    def take(self, numbers: Ints) -> "Lines":
        """These records, in this order; the buffer is shared."""
        return Lines(self.data, self.starts[numbers], self.ends[numbers], self.positions[numbers], contiguous=False)

    def __getitem__(self, part: slice) -> "Lines":
        return Lines(self.data, self.starts[part], self.ends[part], self.positions[part], self.contiguous)

    def joined(self) -> memoryview:
        """All records, a line each, as one buffer; copied only if records were taken out."""
        if not len(self):
            return memoryview(b"")
        if self.contiguous:
            return self.data[int(self.starts[0]) : int(self.ends[-1])]
        return memoryview(b"\n".join(self.line(number) for number in range(len(self))))

    def array(self) -> pa.Array:
        """The records, white space after them included, as an Arrow string array; the bytes must be UTF-8.

        Copied only if records were taken out. At most 2 GiB.
        """
        if self.contiguous:
            first = int(self.starts[0])
            offsets = np.append(self.starts, self.ends[-1]) - first
            data = self.data[first : int(self.ends[-1])]
        else:
            offsets = np.concatenate([[0], np.cumsum(self.ends - self.starts)])
            data = memoryview(b"".join(self.line(number) for number in range(len(self))))
        return pa.Array.from_buffers(
            pa.string(), len(self), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
        )


def concat_lines(parts: list[Lines]) -> Lines:
    """The records of all parts, in order, in one buffer that holds nothing else; copied part by part."""
    if len(parts) == 1:
        return parts[0]
    texts = [part.joined() for part in parts]
    bases = np.cumsum([0, *(len(text) + 1 for text in texts)])[:-1].tolist()
    starts, ends = [], []
    for part, base in zip(parts, bases, strict=True):
        if part.contiguous:
            shift = base - int(part.starts[0])
            starts.append(part.starts + shift)
            ends.append(part.ends + shift)
        else:
            lengths = part.ends - part.starts
            ends.append(np.cumsum(lengths + 1) - 1 + base)
            starts.append(ends[-1] - lengths)
    positions = np.concatenate([part.positions for part in parts])
    return Lines(memoryview(b"\n".join(texts)), np.concatenate(starts), np.concatenate(ends), positions)


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
    if len(starts):
        starts, ends = _trimmed(values, starts, ends)
    return Lines(view, starts, ends, starts + position)


def _trimmed(values: Any, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Without white space on either side, and without lines that are only that."""
    while True:
        blank = np.isin(values[starts], _BLANK)
        if not blank.any():
            break
        starts = starts + blank
        full = ends > starts
        starts, ends = starts[full], ends[full]
        if not len(starts):
            return starts, ends
    while True:
        blank = np.isin(values[ends - 1], _BLANK)
        if not blank.any():
            return starts, ends
        ends = ends - blank


def from_records(records: list[bytes], positions: list[int] | None = None) -> Lines:
    """Records that come one by one (as messages do) as `Lines`.

    Line breaks within a record can only be white space in JSON; they become spaces.
    """
    data = b"\n".join(record.replace(b"\n", b" ") for record in records) + b"\n"
    lengths = np.fromiter((len(record) for record in records), np.int64, len(records))
    ends = np.cumsum(lengths + 1) - 1
    starts = ends - lengths
    numbers = np.arange(len(records)) if positions is None else np.array(positions, np.int64)
    full = ends > starts
    starts, ends, numbers = starts[full], ends[full], numbers[full]
    values = np.frombuffer(data, np.uint8)
    view = memoryview(data)
    if not len(starts):
        return Lines(view, starts, ends, numbers)
    # Trimming drops records of white space only; their numbers go with them.
    keep = np.array([bool(bytes(view[s:e]).strip()) for s, e in zip(starts, ends, strict=True)])
    starts, ends = _trimmed(values, starts[keep], ends[keep])
    return Lines(view, starts, ends, numbers[keep])


def chunks(lines: Lines, most_bytes: int, most_rows: int) -> Iterator[Lines]:
    """The lines in parts within both bounds; a part has at least one line."""
    start = 0
    while start < len(lines):
        limit = lines.starts[start] + most_bytes
        stop = int(np.searchsorted(lines.ends, limit, side="right"))
        stop = min(max(stop, start + 1), start + most_rows, len(lines))
        yield lines[start:stop]
        start = stop
