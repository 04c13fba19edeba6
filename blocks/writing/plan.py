"""What the steps of a write tell each other: the plan of a table, the description of a data file, the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from blocks.writing.data_files import ClosedFile, Limits, Place
from blocks.writing.partitions import PartitionField, PartitionKey

APPEND, REPLACE, UPSERT = "append", "replace", "upsert"
MODES = (APPEND, REPLACE, UPSERT)

DAY_MICROS = 86_400_000_000


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The options of a write that its steps need; all of it may travel to workers.

    Attributes:
      table: name, with its namespace if it has one.
      mode: `append`, `replace` or `upsert`.
      run_id: of this run.
      partitions: of the table.
      warehouse: folder, or None.
      catalog: name of a configured catalog, or None.
      key: columns of the key for upsert.
      source: constant for the source column, or None for no such column.
      source_column: its name.
      event_time: column, or None.
      date_range: first moment and moment after the last, microseconds since 1970, or None for the days of the data.
      allow_evolution: whether safe changes of the table's columns are applied.
      limits: of the files of one worker.
    """

    table: str
    mode: str
    run_id: str
    partitions: tuple[PartitionField, ...] = ()
    warehouse: str | None = None
    catalog: str | None = None
    key: tuple[str, ...] = ()
    source: str | None = None
    source_column: str = "_source"
    event_time: str | None = None
    date_range: tuple[int, int] | None = None
    allow_evolution: bool = True
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class FileDescription:
    """A data file as workers tell the committer of it: never rows, only where they are and how many.

    Attributes:
      path: where it is now.
      partition: its partition values, or for upsert its bucket of keys.
      rows: how many.
      size: bytes.
      days: days since 1970 of its rows, None for rows without event time; told in the mode replace.
      statistics: of its columns, as the target wants them.
    """

    path: str
    partition: PartitionKey
    rows: int
    size: int
    days: frozenset[int | None] = frozenset()
    statistics: Any = None


class CommitResult(NamedTuple):
    """What one commit did.

    Attributes:
      table: its name.
      run_id: of the run.
      commit_id: of the commit: the run id, and for streams the window and the pane behind it.
      snapshot_id: Iceberg snapshot, or version of a Parquet dataset; None where nothing had to be committed.
      rows: rows that became visible.
      files: data files that became visible.
      status: `committed`, `repeated` (it was there already) or `empty` (nothing to do).
    """

    table: str
    run_id: str
    commit_id: str
    snapshot_id: int | None
    rows: int
    files: int
    status: str


class Opened(Protocol):
    """A target on one worker, ready to make files."""

    @property
    def place(self) -> Place:
        """Where its files are made."""

    @property
    def file_schema(self) -> pa.Schema:
        """Schema of its files."""

    def new_path(self, key: PartitionKey) -> Callable[[], str]:
        """Makes paths of new files for a partition (for upsert: a bucket of keys)."""

    def describe(self, closed: ClosedFile, key: PartitionKey) -> FileDescription:
        """What the committer needs to know of a file."""


class Target(Protocol):
    """A kind of table: how it is prepared, written and committed. It is pickled to workers."""

    def check(self) -> None:
        """Refuses at construction what can be seen without changing anything."""

    def prepare(self) -> Any:
        """Makes the table if it is not there, and says how to write to it: a plan, small and without secrets.

        Once a run, before any other step of it.
        """

    def join(self) -> Any:
        """As `prepare`, for a worker of a run that others have begun already."""

    def open(self, plan: Any) -> Opened:
        """Opens the target on a worker."""

    def commit(self, plan: Any, files: Sequence[FileDescription], commit_id: str) -> CommitResult:
        """Makes the files visible, all at once, or none of them."""


def days_as_ranges(days: frozenset[int | None]) -> tuple[tuple[int, int], ...]:
    """Days since 1970 as ranges of microseconds, days that follow each other in one; None is left out."""
    ranges: list[tuple[int, int]] = []
    for day in sorted(day for day in days if day is not None):
        start, end = day * DAY_MICROS, (day + 1) * DAY_MICROS
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return tuple(ranges)
