"""Input files: found by pattern, cut into ranges, read as blocks of whole records in bounded memory."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import numpy as np
import zstandard
from apache_beam.io.filesystem import MatchResult
from apache_beam.io.filesystems import FileSystems

from blocks.core.errors import ReadError
from blocks.reading.json_arrays import ArrayScanner
from blocks.reading.lines import SPACE, Lines, TooLarge, over, split_lines

RANGE_BYTES = 64 << 20
BLOCK_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"

Compression = Literal["auto", "plain", "gzip", "zstd"]
Format = Literal["auto", "lines", "array"]


@dataclass(frozen=True)
class FileRange:
    """A part of a file: the records that begin in [start, stop).

    Attributes:
      path: of the file.
      start, stop: bytes; stop is -1 for all of a file that cannot be split.
      compression: `plain`, `gzip` or `zstd`.
      form: `lines` or `array`.
    """

    path: str
    start: int
    stop: int
    compression: str
    form: str


def match_files(pattern: str) -> list[tuple[str, int]]:
    """(path, bytes) of the files that a pattern names, in order of their names.

    Raises:
      ReadError: there is none, or the file system does not answer.
    """
    # Beam finds nothing for a relative pattern whose first part has a wildcard.
    local = "://" not in pattern and not Path(pattern).is_absolute()
    try:
        results: list[MatchResult] = FileSystems.match([f"./{pattern}" if local else pattern])
    except Exception as cause:
        # Beam's file systems raise what their clients raise.
        raise ReadError(
            f"cannot list files ({type(cause).__name__})", where=f"pattern {pattern!r}", fix="check the path"
        ) from cause
    found = sorted((item.path, item.size_in_bytes) for item in results[0].metadata_list)
    if not found:
        raise ReadError("no file matches", where=f"pattern {pattern!r}", fix="check the path and the working directory")
    return found


def compression_of(path: str, compression: Compression) -> str:
    """The compression of a file, by its suffix if not said."""
    if compression != "auto":
        return compression
    if path.endswith((".gz", ".gzip")):
        return "gzip"
    return "zstd" if path.endswith((".zst", ".zstd")) else "plain"


@contextmanager
def opened(path: str, compression: str, start: int = 0) -> Iterator[IO[bytes]]:
    """Opens a file for reading decompressed bytes, from `start` on if it is not compressed.

    Raises:
      ReadError: the file is cut short or is not of this compression; without its content.
    """
    try:
        # Beam's own decompression takes a file that was cut short for a whole one.
        with _raw(path) as raw:
            if compression == "gzip":
                with gzip.GzipFile(fileobj=raw) as handle:
                    yield cast(IO[bytes], handle)
            elif compression == "zstd":
                yield cast(IO[bytes], _Zstd(raw))
            else:
                if start:
                    raw.seek(start)
                yield raw
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as cause:
        raise ReadError(
            f"the file is cut short or is not {compression} ({type(cause).__name__})",
            where=f"file {path}",
            fix="fetch it again, or say what it is: compression='plain'",
        ) from None


def _by_content(path: str) -> str:
    """A file may be compressed and not say so by its suffix; then every line of it would be a reject."""
    with _raw(path) as handle:
        first = handle.read(4)
    return "gzip" if first[:2] == b"\x1f\x8b" else "zstd" if first == b"\x28\xb5\x2f\xfd" else "plain"


def _raw(path: str) -> IO[bytes]:
    try:
        return FileSystems.open(path, compression_type="uncompressed")
    except Exception as cause:
        # As for listing: each file system raises its own.
        raise ReadError(
            f"cannot open the file ({type(cause).__name__})",
            where=f"file {path}",
            fix="check the path and who may read it",
        ) from cause


class _Zstd(io.RawIOBase):
    """Reads zstd frames one after the other; a last frame that is not complete is an error."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""
        self._started = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._ready:
            unused = self._decompressor.unused_data if self._decompressor.eof else b""
            data = unused or self._raw.read(1 << 20)
            if self._decompressor.eof:
                if not data:
                    return b""
                self._decompressor = zstandard.ZstdDecompressor().decompressobj()
            if not data:
                if self._started:
                    raise EOFError
                return b""
            self._started = True
            self._ready = self._decompressor.decompress(data)
        found, self._ready = (self._ready, b"") if size < 0 else (self._ready[:size], self._ready[size:])
        return found


def file_ranges(path: str, size: int, compression: Compression, form: Format) -> Iterator[FileRange]:
    """Cuts a file into ranges; compressed files and JSON arrays stay whole: nobody can start in their middle."""
    kind = compression_of(path, compression)
    if kind == "plain" and compression == "auto":
        kind = _by_content(path)
    if form == "auto":
        with opened(path, kind) as handle:
            form = "array" if _first_byte(handle) == b"[" else "lines"
    if kind != "plain" or form == "array":
        yield FileRange(path, 0, -1, kind, form)
        return
    for start in range(0, max(size, 1), RANGE_BYTES):
        yield FileRange(path, start, min(start + RANGE_BYTES, size), kind, form)


def _first_byte(handle: IO[bytes]) -> bytes:
    head, _ = _without_bom(handle.read(4096), handle)
    head = head or handle.read(4096)
    while head and not head.strip():
        head = handle.read(4096)
    return head.strip()[:1]


def read_records(part: FileRange, max_record_bytes: int) -> Iterator[Lines | TooLarge]:
    """The records that begin in a range, about 8 MiB at a time.

    A record longer than `max_record_bytes` is skipped without being held, and named.
    """
    with opened(part.path, part.compression, max(part.start - 1, 0)) as handle:
        if part.form == "array":
            yield from ArrayScanner(max_record_bytes, part.path).read(handle, BLOCK_BYTES)
        else:
            yield from _read_lines(handle, part, max_record_bytes)


def _read_lines(handle: IO[bytes], part: FileRange, max_record_bytes: int) -> Iterator[Lines | TooLarge]:
    position, rest = part.start, b""
    if part.start:
        # A line belongs to the range in which it begins: it begins here if the byte before is a line break.
        skipped = _skip_line(handle)
        if skipped is None:
            return
        rest, position = skipped[0], part.start - 1 + skipped[1]
    # Where the line begins whose first bytes are in `rest`, and where `rest` does.
    line = position
    first = part.start == 0
    while not 0 <= part.stop <= line:
        block = handle.read(BLOCK_BYTES)
        if first:
            block, had_bom = _without_bom(block, handle)
            position, first = position + (len(_BOM) if had_bom else 0), False
            if had_bom and not block:
                block = handle.read(BLOCK_BYTES)
        data = rest + block
        if not block:
            if data:
                yield from _lines_until(data, position, part.stop)
            return
        end = data.rfind(b"\n") + 1
        if end:
            yield from _lines_until(data[:end], position, part.stop)
            line = position + end
        # White space before a record is no part of it: it is not held, and does not count.
        rest = data[end:].lstrip(SPACE)
        position += len(data) - len(rest)
        if over(rest, len(rest), max_record_bytes) and not 0 <= part.stop <= line:
            yield TooLarge(position)
            skipped = _skip_line(handle)
            if skipped is None:
                return
            rest, position = skipped[0], position + len(rest) + skipped[1]
            line = position


def _without_bom(block: bytes, handle: IO[bytes]) -> tuple[bytes, bool]:
    while len(block) < 3 and (more := handle.read(3)):
        block += more
    return (block[3:], True) if block.startswith(_BOM) else (block, False)


def _skip_line(handle: IO[bytes]) -> tuple[bytes, int] | None:
    """Reads up to the next line break: (what was read after it, bytes up to there), or None at the end."""
    count = 0
    while block := handle.read(1 << 20):
        end = block.find(b"\n") + 1
        if end:
            return block[end:], count + end
        count += len(block)
    return None


def _lines_until(data: bytes, position: int, stop: int) -> Iterator[Lines]:
    """The records whose lines begin before `stop`; white space before a record is part of its line."""
    lines = split_lines(data, position)
    if stop >= 0 and len(lines) and int(lines.positions[-1]) >= stop:
        # The first line break at or after stop - 1 ends the last line that is ours.
        end = data.find(b"\n", max(stop - 1 - position, 0))
        if end >= 0:
            lines = lines[: int(np.searchsorted(lines.starts, end))]
    if len(lines):
        yield lines
