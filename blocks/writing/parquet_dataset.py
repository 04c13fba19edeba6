"""Plain partitioned Parquet datasets in a local folder, with a log that says which files are in.

    FOLDER/occurred_at_day=2026-01-01/RUN-....parquet    data
    FOLDER/_blocks/00000000000000000007.json             the log: one entry a commit, written whole, never changed
    FOLDER/_staging/RUN/....parquet.staged               files of a run that has not committed

What holds: an entry of the log is made by an operation that fails if the number is taken (a hard link), so of two
commits that meet one looks again, and conflicts are found as in Iceberg. Who reads by the log (`read_table`) sees a run
whole or not at all. Who reads the folder by a pattern sees whole files, but may see some files of a run shortly before
its entry is there, and old and new rows together while a replacing commit runs; after a crash in that moment, files
that no entry names stay until the run is made again with its run id, or `remove_orphans` is called.
"""

import base64
import functools
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from blocks.core.errors import BlocksError, ConflictError, Problem, SchemaError, all_problems
from blocks.writing import catalogs, evolution, table_schema
from blocks.writing.data_files import ClosedFile
from blocks.writing.partitions import PartitionField, PartitionKey, partition_path
from blocks.writing.plan import DAY_MICROS, REPLACE, CommitResult, FileDescription, WriteOptions
from blocks.writing.replacing import Scope

LOG, STAGING, _STAGED = "_blocks", "_staging", ".staged"


def dataset_folder(table: str, warehouse: str | Path | None = None) -> Path:
    """Folder of a dataset: the warehouse's, with a folder for each part of the name."""
    return catalogs.warehouse_folder(warehouse).joinpath(*catalogs.identifier(table))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit to a dataset.

    Attributes:
      version: its number, from 0.
      commit_id: of the commit.
      run_id: of the run.
      source: of its rows, or None.
      scope: what it replaced, as `Scope.to_json`, or None.
      partitions: of the dataset, as text.
      schema: of its files, serialized, in base64.
      added: path (relative to the folder) to number of rows.
      removed: paths of files that are out from here on.
    """

    version: int
    commit_id: str
    run_id: str
    source: str | None
    scope: str | None
    partitions: list[str]
    schema: str
    added: dict[str, int]
    removed: list[str]

    def arrow_schema(self) -> pa.Schema:
        """The schema of its files."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))


def read_log(folder: Path) -> list[LogEntry]:
    """All entries, in order."""
    return [LogEntry(**json.loads(path.read_text())) for path in sorted((folder / LOG).glob("*.json"))]


def live_files(entries: Sequence[LogEntry]) -> dict[str, LogEntry]:
    """Path to the entry that added it, of every file that is in."""
    found: dict[str, LogEntry] = {}
    for entry in entries:
        for path in entry.removed:
            found.pop(path, None)
        found.update(dict.fromkeys(entry.added, entry))
    return found


def read_dataset(folder: Path) -> pa.Table:
    """All rows that the log names, in the schema of the newest commit and columns that only older ones have."""
    entries = read_log(folder)
    schemas = [entry.arrow_schema() for entry in reversed(entries)]
    schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
    paths = [str(folder / path) for path in sorted(live_files(entries))]
    return ds.dataset(paths, schema=schema, format="parquet").to_table() if paths else schema.empty_table()


@dataclass(frozen=True)
class ParquetTarget:
    """A dataset in a local folder.

    Attributes:
      options: of the write.
      schema: of the rows, storable, with the source column.
    """

    options: WriteOptions
    schema: pa.Schema

    @property
    def folder(self) -> Path:
        """Of the dataset."""
        return dataset_folder(self.options.table, self.options.warehouse)

    def check(self) -> None:
        """Compares with the dataset if it is there.

        Raises:
          SchemaError: it cannot take these columns, or is partitioned otherwise.
        """
        entries = read_log(self.folder)
        if not entries:
            return
        newest, wanted = entries[-1], [str(field) for field in self.options.partitions]
        have = newest.arrow_schema()
        told, tells = (json.loads(table_schema.meaning(schema)) for schema in (have, self.schema))
        found = [*evolution.changes(have, self.schema), *evolution.mask_changes(told, tells)]
        evolution.check_evolution(found, self.options.allow_evolution, self.options.table)
        with all_problems(f"table `{self.options.table}`", SchemaError) as problems:
            if newest.partitions != wanted:
                what = f"the dataset is partitioned by {newest.partitions or 'nothing'}, not by {wanted or 'nothing'}"
                problems.append(Problem(what, "partition_by", "give its own partitions, or write to another table"))

    def prepare(self) -> int:
        """Makes the folder; the plan is the number of commits that are there."""
        commits = self.join()
        live = live_files(read_log(self.folder))
        # Files that an earlier try of this run made visible before it died.
        for path in self.folder.rglob(f"{self.options.run_id}-*.parquet"):
            if str(path.relative_to(self.folder)) not in live:
                path.unlink(missing_ok=True)
        return commits

    def join(self) -> int:
        """As `prepare`, but without taking files away: they may be those of a worker that publishes them now."""
        self.check()
        (self.folder / LOG).mkdir(parents=True, exist_ok=True)
        return len(read_log(self.folder))

    def open(self, plan: int) -> "_OpenDataset":
        """Opens the dataset on a worker."""
        return _OpenDataset(self.options, self.folder, self.schema)

    def commit(self, plan: int, files: Sequence[FileDescription], commit_id: str) -> CommitResult:
        """Makes the files visible and writes the entry of the log.

        Raises:
          ConflictError: another run changed the rows that this one replaces; the files are removed.
        """
        scope = Scope.of(self.options, files) if self.options.mode == REPLACE else None
        if not files and (scope is None or scope.empty):
            return self._result(commit_id, None, (), "empty")
        published: dict[str, int] = {}
        try:
            while True:
                entries = read_log(self.folder)
                known = next((entry for entry in entries if entry.commit_id == commit_id), None)
                if known is not None:
                    self._remove(files, [path for path in published if path not in known.added])
                    return self._result(commit_id, known.version, (), "repeated")
                if scope is not None:
                    self._check_conflicts(entries[plan:], scope)
                removed = _replaced(live_files(entries), scope, self.options.partitions) if scope else []
                published = published or self._publish(files)
                entry = self._entry(len(entries), commit_id, scope, published, removed)
                if self._append(entry):
                    break
        except BlocksError:
            self._remove(files, list(published))
            raise
        for path in removed:
            (self.folder / path).unlink(missing_ok=True)
        self._remove(files, [])
        return self._result(commit_id, entry.version, files, "committed")

    def _result(
        self, commit_id: str, version: int | None, files: Sequence[FileDescription], status: str
    ) -> CommitResult:
        rows = sum(file.rows for file in files)
        return CommitResult(self.options.table, self.options.run_id, commit_id, version, rows, len(files), status)

    def _check_conflicts(self, entries: Sequence[LogEntry], scope: Scope) -> None:
        for entry in entries:
            if entry.run_id == self.options.run_id:
                continue
            other = Scope.from_json(entry.scope) if entry.scope else None
            files = dict.fromkeys(entry.added, entry)
            if other.overlaps(scope) if other else _replaced(files, scope, self.options.partitions):
                raise ConflictError(
                    "another run changed rows of this source and date range after this run had begun",
                    where=f"table `{self.options.table}`, run `{self.options.run_id}`, version {entry.version}",
                    fix="see whether its rows are right; run again to replace them",
                )

    def _publish(self, files: Sequence[FileDescription]) -> dict[str, int]:
        published: dict[str, int] = {}
        for file in files:
            staged = Path(file.path)
            inside = partition_path(self.options.partitions, file.partition)
            name = str(Path(inside) / staged.name.removesuffix(_STAGED))
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # A commit that is made again after a crash finds some files in their place.
            if staged.exists() or not target.exists():
                staged.replace(target)
            published[name] = file.rows
        return published

    def _entry(
        self, version: int, commit_id: str, scope: Scope | None, added: dict[str, int], removed: list[str]
    ) -> LogEntry:
        schema = base64.b64encode(self.schema.serialize().to_pybytes()).decode()
        text = scope.to_json() if scope else None
        parts = [str(field) for field in self.options.partitions]
        options = self.options
        return LogEntry(version, commit_id, options.run_id, options.source, text, parts, schema, added, removed)

    def _append(self, entry: LogEntry) -> bool:
        """Writes an entry unless one of its number is there."""
        part = self.folder / LOG / f".{uuid.uuid4().hex}"
        content = {name: getattr(entry, name) for name in LogEntry.__slots__}
        try:
            part.write_text(json.dumps(content))
            os.link(part, self.folder / LOG / f"{entry.version:020d}.json")
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        return True

    def _remove(self, files: Sequence[FileDescription], published: Sequence[str]) -> None:
        for path in [*(Path(file.path) for file in files), *(self.folder / name for name in published)]:
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()
        staging = self.folder / STAGING / self.options.run_id
        # Only folders that are empty go.
        for folder in sorted(staging.rglob("*"), reverse=True) if staging.exists() else ():
            with suppress(OSError):
                folder.rmdir()
        for folder in (staging, staging.parent):
            with suppress(OSError):
                folder.rmdir()


def _replaced(live: dict[str, LogEntry], scope: Scope, fields: Sequence[PartitionField]) -> list[str]:
    """Files whose rows all belong to a scope: each lies in one day, which its path tells."""
    return [
        path
        for path, entry in live.items()
        if entry.source == scope.source and _in_scope(_day_of(path, fields, scope.event_time), scope)
    ]


def _in_scope(day: int | None, scope: Scope) -> bool:
    if day is None:
        return scope.nulls
    return any(start <= day * DAY_MICROS < end for start, end in scope.ranges)


def _day_of(path: str, fields: Sequence[PartitionField], event_time: str) -> int | None:
    """The day since 1970 of a file, from the path that `partition_path` made."""
    position, field = next(
        (at, one) for at, one in enumerate(fields) if one.column == event_time and one.transform in ("day", "hour")
    )
    text = path.split("/")[position].split("=", 1)[1]
    try:
        parts = [int(part) for part in text.split("-")]
    except ValueError:
        return None
    if len(parts) < 3:
        return parts[0] if field.transform == "day" else parts[0] // 24
    return int((_ordinal(parts[0], parts[1], parts[2])) - _ordinal(1970, 1, 1))


def _ordinal(year: int, month: int, day: int) -> int:
    import datetime

    return datetime.date(year, month, day).toordinal()


class _LocalPlace:
    def create(self, path: str) -> Any:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return open(path, "wb")

    def open(self, path: str) -> Any:
        return open(path, "rb")

    def delete(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)


class _OpenDataset:
    """A dataset on one worker."""

    def __init__(self, options: WriteOptions, folder: Path, schema: pa.Schema) -> None:
        self._options, self._folder = options, folder
        self.place, self.file_schema = _LocalPlace(), schema

    def new_path(self, key: PartitionKey) -> Callable[[], str]:
        """Paths in the staging folder of the run."""
        return functools.partial(self._new, partition_path(self._options.partitions, key))

    def _new(self, inside: str) -> str:
        # Not `.parquet` yet: a pattern over the folder must not find it.
        name = f"{self._options.run_id}-{uuid.uuid4().hex}.parquet{_STAGED}"
        return str(self._folder / STAGING / self._options.run_id / inside / name)

    def describe(self, closed: ClosedFile, key: PartitionKey) -> FileDescription:
        """Path, rows and size."""
        return FileDescription(closed.path, key, closed.rows, closed.size, closed.days)


def visible_files(folder: Path) -> Iterator[Path]:
    """Every data or staged file under a dataset's folder."""
    for path in folder.rglob("*"):
        if path.is_file() and LOG not in path.relative_to(folder).parts:
            yield path
