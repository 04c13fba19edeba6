"""The commit of a run to an Iceberg table: one snapshot that shows all of it, or nothing.

pyiceberg retries a commit that met another one by itself, but what it validates then begins at the transaction, not
at the beginning of the run, and an append is not validated at all: a run that is committed twice at once would double
its rows. So its retries are off, and every attempt here loads the table, looks for the same commit, for conflicting
ones since the run began, and plans again; the catalog takes an attempt only if the table is still the one looked at.
"""

import json
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from blocks.core.errors import BlocksError, ConflictError
from blocks.writing import evolution, table_schema, upserting
from blocks.writing.data_files import DataFiles
from blocks.writing.partitions import PartitionKey, split
from blocks.writing.plan import REPLACE, UPSERT, CommitResult, FileDescription, WriteOptions
from blocks.writing.replacing import Scope

if TYPE_CHECKING:
    from blocks.writing.iceberg_table import IcebergPlan, _OpenTable

COMMIT_PROPERTY, RUN_PROPERTY, SCOPE_PROPERTY = "blocks.commit-id", "blocks.run-id", "blocks.replaced"
_ATTEMPTS = 60
_LONGEST_WAIT = 2.0


def evolved(transaction: Any, schema: pa.Schema) -> Any:
    """The transaction with the table's columns made wide enough for a storable schema; checked before."""
    table = transaction.table_metadata
    if any(True for _ in evolution.changes(table_schema.file_schema(table.schema()), schema)):
        with transaction.update_schema() as update:
            update.union_by_name(table_schema.iceberg_schema(schema))
    told = json.loads(table.properties.get(table_schema.MEANING_PROPERTY) or "{}")
    merged = {**told, **json.loads(table_schema.meaning(schema))}
    if merged != told:
        text = json.dumps(merged, sort_keys=True, separators=(",", ":"))
        transaction.set_properties({table_schema.MEANING_PROPERTY: text})
    return transaction


class Committer:
    """Commits what workers described.

    Args:
      options: of the write.
      schema: of the rows, storable.
      plan: of the run.
      opened: the table, to make files.
      load: loads the table as it is now.
    """

    def __init__(
        self,
        options: WriteOptions,
        schema: pa.Schema,
        plan: "IcebergPlan",
        opened: "_OpenTable",
        load: Callable[[], Any],
    ) -> None:
        self._options, self._schema, self._plan, self._opened, self._load = options, schema, plan, opened, load
        # Files of the present attempt, and those of the run's merged rows, which serve every attempt.
        self._made: list[str] = []
        self._merge: upserting.Merge | None = None
        self._merged: list[FileDescription] = []

    def commit(self, files: Sequence[FileDescription], commit_id: str) -> CommitResult:
        """Makes the files visible.

        Args:
          files: of all workers.
          commit_id: a commit of this id that the table has already is not repeated, and `files` are removed.

        Raises:
          ConflictError: another run changed the rows that this one replaces, or the columns; `files` are removed.
        """
        from pyiceberg.exceptions import CommitFailedException

        staged = [file.path for file in files]
        self._made, self._merge, self._merged = [], None, []
        scope = Scope.of(self._options, files) if self._options.mode == REPLACE else None
        if not files and (scope is None or scope.empty):
            return self._result(commit_id, None, [], "empty")
        try:
            for attempt in range(_ATTEMPTS):
                table = without_retries(self._load())
                if (snapshot := find_commit(table, commit_id)) is not None:
                    kept = set(added_paths(table, commit_id))
                    merged = [file.path for file in self._merged]
                    self._remove([path for path in [*staged, *merged] if path not in kept])
                    return self._result(commit_id, snapshot.snapshot_id, [], "repeated")
                if scope is not None:
                    self._check_conflicts(table, scope)
                try:
                    result = self._attempt(table, files, scope, commit_id)
                except CommitFailedException:
                    self._remove(self._made)
                    self._made = []
                    # Writers that met take turns by chance.
                    time.sleep(random.uniform(0, min(0.02 * 2**attempt, _LONGEST_WAIT)))  # noqa: S311
                    continue
                if self._options.mode == UPSERT:
                    self._remove(staged)
                return result
        except BlocksError:
            # Nothing of this run is visible, and nothing will be. After any other error the outcome is unknown:
            # the files stay for `remove_orphans`.
            self._remove([*staged, *self._made, *(file.path for file in self._merged)])
            raise
        self._remove([*staged, *(file.path for file in self._merged)])
        raise ConflictError(
            f"other writers committed {_ATTEMPTS} times in a row", where=self._where, fix="run again when it is quieter"
        )

    @property
    def _where(self) -> str:
        return f"table `{self._options.table}`, run `{self._options.run_id}`"

    def _attempt(
        self, table: Any, files: Sequence[FileDescription], scope: Scope | None, commit_id: str
    ) -> CommitResult:
        transaction = evolved(table.transaction(), self._schema)
        self._check_plan(transaction.table_metadata)
        properties = {COMMIT_PROPERTY: commit_id, RUN_PROPERTY: self._options.run_id}
        added = list(files)
        removed: list[Any] = []
        if scope is not None:
            properties[SCOPE_PROPERTY] = scope.to_json()
            removed, rest = self._replaced(table, scope)
            new = [*added, *rest]
        elif self._options.mode == UPSERT:
            if self._merge is None:
                self._merge = upserting.Merge(self._options, self._opened, self.rewrite)
                self._merged = self._merge.latest(files)
            added = self._merged
            removed, rest = self._merge.replaced(table)
            new = [*added, *rest]
        else:
            new = added
        if not new and not removed and not transaction.table_metadata.current_snapshot_id:
            return self._result(commit_id, None, [], "empty")
        update = transaction.update_snapshot(snapshot_properties=properties)
        producer = update.overwrite() if removed else update.fast_append()
        with producer:
            for file in removed:
                producer.delete_data_file(file)
            for file in new:
                producer.append_data_file(self._opened.data_file(file))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            transaction.commit_transaction()
        return self._result(commit_id, producer.snapshot_id, added, "committed")

    def _result(
        self, commit_id: str, snapshot: int | None, files: Sequence[FileDescription], status: str
    ) -> CommitResult:
        rows = sum(file.rows for file in files)
        return CommitResult(self._options.table, self._options.run_id, commit_id, snapshot, rows, len(files), status)

    def _check_plan(self, metadata: Any) -> None:
        same = metadata.schema().as_struct() == self._opened.schema.as_struct()
        if not (same and metadata.default_spec_id == self._opened.spec.spec_id):
            raise ConflictError(
                "another writer changed the table's columns or partitions while this run wrote its files",
                where=self._where,
                fix="run again",
            )

    def _check_conflicts(self, table: Any, scope: Scope) -> None:
        for snapshot in _since(table, self._plan.base_snapshot_id):
            told = _property(snapshot, SCOPE_PROPERTY)
            if _property(snapshot, RUN_PROPERTY) == self._options.run_id:
                continue
            if told is not None:
                conflict = Scope.from_json(told).overlaps(scope)
            else:
                schema = self._opened.schema
                conflict = any(scope.may_hold(file, schema) for file in _touched(table, snapshot))
            if conflict:
                raise ConflictError(
                    "another run changed rows of this source and date range after this run had begun",
                    where=f"{self._where}, snapshot {snapshot.snapshot_id}",
                    fix="see whether its rows are right; run again to replace them",
                )

    def _replaced(self, table: Any, scope: Scope) -> tuple[list[Any], list[FileDescription]]:
        removed: list[Any] = []
        rest: list[FileDescription] = []
        for task in _files(table):
            if scope.source_column not in table.schema().column_names:
                break
            if not scope.may_hold(task.file, self._opened.schema):
                continue
            if scope.holds_all(task.file, self._opened.schema):
                removed.append(task.file)
                continue
            kept = self.rewrite(table, task, scope.mask)
            if kept is not None:
                removed.append(task.file)
                rest.extend(kept)
        return removed, rest

    def rewrite(
        self, table: Any, task: Any, drop: Callable[[pa.RecordBatch], pa.Array]
    ) -> list[FileDescription] | None:
        """New files with the rows of a data file that `drop` is false for; None if it is false for all of them."""
        files: DataFiles[PartitionKey] = DataFiles(self._opened.file_schema, self._opened.place, self._options.limits)
        described: list[FileDescription] = []
        dropped = 0
        for batch in read_task(table, task, self._opened.schema):
            gone = drop(batch)
            kept = batch.filter(pc.invert(gone))
            dropped += batch.num_rows - kept.num_rows
            for key, part in split(table_schema.conform(kept, self._opened.file_schema), self._options.partitions):
                described += self._described(files.write(key, part, self._opened.data_path(key)))
        described += self._described(files.finish())
        if dropped == 0:
            self._remove([file.path for file in described])
            return None
        return [self._note(file) for file in described]

    def _described(self, closed: Iterator[tuple[PartitionKey, Any]]) -> list[FileDescription]:
        return [self._opened.describe(file, key) for key, file in closed]

    def _note(self, file: FileDescription) -> FileDescription:
        self._made.append(file.path)
        return file

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(OSError):
                self._opened.place.delete(path)


def without_retries(table: Any) -> Any:
    """The table with pyiceberg's own retries off, in memory only: `Committer` plans each attempt anew."""
    properties = {**table.metadata.properties, "commit.retry.num-retries": "0"}
    table.metadata = table.metadata.model_copy(update={"properties": properties})
    return table


def read_task(table: Any, task: Any, schema: Any) -> Iterator[pa.RecordBatch]:
    """The live rows of one data file in an Iceberg schema, batch by batch."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    scan = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    yield from scan.to_record_batches([task])


def _files(table: Any) -> Iterator[Any]:
    return iter(table.scan().plan_files())


def find_commit(table: Any, commit_id: str) -> Any | None:
    """The snapshot of a commit id, or None; snapshots that were expired are forgotten."""
    found = [shot for shot in table.metadata.snapshots if _property(shot, COMMIT_PROPERTY) == commit_id]
    return found[-1] if found else None


def added_paths(table: Any, commit_id: str) -> Iterator[str]:
    """Paths of the data files that a commit added."""
    snapshot = find_commit(table, commit_id)
    for file in _touched(table, snapshot) if snapshot is not None else ():
        yield file.file_path


def _property(snapshot: Any, key: str) -> str | None:
    return snapshot.summary.additional_properties.get(key) if snapshot.summary else None


def _since(table: Any, base: int | None) -> Iterator[Any]:
    """Snapshots after `base` that led to the present one, newest first."""
    snapshot = table.current_snapshot()
    while snapshot is not None and snapshot.snapshot_id != base:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.metadata.snapshot_by_id(parent) if parent is not None else None


def _touched(table: Any, snapshot: Any) -> Iterator[Any]:
    """Data files that a snapshot added or removed."""
    from pyiceberg.manifest import ManifestEntryStatus

    for manifest in snapshot.manifests(table.io):
        if manifest.added_snapshot_id == snapshot.snapshot_id:
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                if entry.status != ManifestEntryStatus.EXISTING and entry.snapshot_id == snapshot.snapshot_id:
                    yield entry.data_file
