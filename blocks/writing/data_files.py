"""Data files in the making: Parquet files of one partition each, in bounded memory.

Rows wait as Arrow batches until they fill a row group; what waits is bounded over all partitions of a worker, and so is
the number of files open at once. A file is described once it is closed; a file that nobody describes is never visible.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

Key = TypeVar("Key", bound=Hashable)


class Place(Protocol):
    """Where data files are made."""

    def create(self, path: str) -> Any:
        """A binary file to write to; its folders are made."""

    def open(self, path: str) -> Any:
        """A binary file to read from."""

    def delete(self, path: str) -> None:
        """Removes a file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker's files.

    Attributes:
      file_bytes: a file is closed when it has reached this size.
      group_bytes: Arrow bytes of a row group.
      waiting_bytes: Arrow bytes that wait, over all files.
      open_files: files open at once.
    """

    file_bytes: int = 256 << 20
    group_bytes: int = 32 << 20
    waiting_bytes: int = 96 << 20
    open_files: int = 32


@dataclass(frozen=True, slots=True)
class ClosedFile:
    """A data file that is complete.

    Attributes:
      path: where it is.
      rows: how many.
      size: bytes.
      metadata: `pq.FileMetaData`.
      days: days (since 1970, None for rows without event time) of its rows, where they were told.
    """

    path: str
    rows: int
    size: int
    metadata: Any
    days: frozenset[int | None]


@dataclass(slots=True)
class _File:
    """A file that takes rows; it is made when its first row group is full."""

    new_path: Callable[[], str]
    batches: list[pa.RecordBatch] = field(default_factory=list)
    waiting: int = 0
    rows: int = 0
    days: set[int | None] = field(default_factory=set)
    path: str = ""
    sink: Any = None
    writer: Any = None


class DataFiles(Generic[Key]):
    """The open files of one worker, by key (a window and a partition).

    Args:
      schema: of the files, with field ids.
      place: where they are made.
      limits: of memory and files.
    """

    def __init__(self, schema: pa.Schema, place: Place, limits: Limits) -> None:
        self._schema, self._place, self._limits = schema, place, limits
        self._files: OrderedDict[Key, _File] = OrderedDict()
        self._waiting = 0

    def write(
        self, key: Key, batch: pa.RecordBatch, new_path: Callable[[], str], days: frozenset[int | None] = frozenset()
    ) -> Iterator[tuple[Key, ClosedFile]]:
        """Takes rows of a key.

        Args:
          key: of the file.
          batch: of the files' schema.
          new_path: where a new file of this key goes; called once for each.
          days: that the rows lie in.

        Returns:
          Files that are complete with this.
        """
        found = self._files.get(key)
        if found is None:
            found = self._files[key] = _File(new_path)
        self._files.move_to_end(key)
        found.batches.append(batch)
        found.days.update(days)
        found.waiting += batch.nbytes
        self._waiting += batch.nbytes
        if found.waiting >= self._limits.group_bytes:
            yield from self._flush(key, found)
        while self._waiting > self._limits.waiting_bytes:
            largest = max(self._files, key=lambda other: self._files[other].waiting)
            yield from self._flush(largest, self._files[largest])

    def finish(self) -> Iterator[tuple[Key, ClosedFile]]:
        """Closes and hands out all files."""
        for key in list(self._files):
            yield key, self._close(key)

    def abort(self) -> None:
        """Gives up all files and removes what was written of them."""
        for found in self._files.values():
            with suppress(OSError, pa.ArrowException):
                if found.writer is not None:
                    found.writer.close()
            with suppress(OSError, pa.ArrowException):
                if found.sink is not None:
                    found.sink.close()
            if found.path:
                with suppress(OSError):
                    self._place.delete(found.path)
        self._files.clear()
        self._waiting = 0

    def _flush(self, key: Key, found: _File) -> Iterator[tuple[Key, ClosedFile]]:
        self._write_group(found)
        if found.sink.tell() >= self._limits.file_bytes:
            yield key, self._close(key)
        while sum(other.sink is not None for other in self._files.values()) > self._limits.open_files:
            oldest = next(other for other, file in self._files.items() if file.sink is not None)
            yield oldest, self._close(oldest)

    def _write_group(self, found: _File) -> None:
        if found.sink is None:
            found.path = found.new_path()
            found.sink = self._place.create(found.path)
        if found.writer is None:
            found.writer = pq.ParquetWriter(
                found.sink, self._schema, compression="zstd", store_decimal_as_integer=True, version="2.6"
            )
        group = pa.Table.from_batches(found.batches, self._schema)
        found.writer.write_table(group, row_group_size=max(group.num_rows, 1))
        found.rows += group.num_rows
        self._waiting -= found.waiting
        found.batches, found.waiting = [], 0

    def _close(self, key: Key) -> ClosedFile:
        found = self._files[key]
        if found.batches:
            self._write_group(found)
        found.writer.close()
        size = found.sink.tell()
        found.sink.close()
        del self._files[key]
        return ClosedFile(found.path, found.rows, size, found.writer.writer.metadata, frozenset(found.days))
