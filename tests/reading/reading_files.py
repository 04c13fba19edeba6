"""Files for the tests of reading, and what is in them by a slow and simple rule."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from blocks.reading import files
from blocks.reading.files import TooLarge, file_ranges, read_records

BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"


def expected_lines(data: bytes) -> list[tuple[int, bytes]]:
    """(position, record) of every line that is not blank."""
    found = []
    position = len(BOM) if data.startswith(BOM) else 0
    for line in data[position:].split(b"\n"):
        text = line.strip(SPACE)
        if text:
            found.append((position + len(line) - len(line.lstrip(SPACE)), text))
        position += len(line) + 1
    return found


def read_all(
    path: Path, compression: Any = "auto", form: Any = "auto", most: int = 1 << 30
) -> Iterator[tuple[int, bytes | None]]:
    """(position, record) of everything in a file, range by range; None for a record that is too large."""
    for part in file_ranges(str(path), path.stat().st_size, compression, form):
        for found in read_records(part, most):
            if isinstance(found, TooLarge):
                yield found.position, None
                continue
            for number in range(len(found)):
                yield int(found.positions[number]), found.line(number)


def compressed(data: bytes, kind: str, pieces: int) -> bytes:
    """The data as so many gzip members or zstd frames."""
    step = max(len(data) // pieces, 1)
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    pack = gzip.compress if kind == "gzip" else zstandard.ZstdCompressor(write_checksum=True).compress
    return b"".join(map(pack, parts))


def shrink(monkeypatch: pytest.MonkeyPatch, block_bytes: int, range_bytes: int) -> None:
    """Small blocks and ranges, so that small files have many of them."""
    monkeypatch.setattr(files, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(files, "RANGE_BYTES", range_bytes)
