"""Upsert: the last row of each key in a run takes the place of the row of that key in the table.

Rows of one key may come from any worker, so workers write their rows into staged files by a hash of the key, and the
commit merges one bucket of keys after another: memory is one bucket of rows and the distinct keys of the run. Data
files of the table that hold a key of the run are written again without it (copy on write).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blocks.core.times import micros
from blocks.writing.bucket_hash import hashes
from blocks.writing.data_files import DataFiles
from blocks.writing.partitions import PartitionKey, split, split_by
from blocks.writing.plan import FileDescription, WriteOptions

if TYPE_CHECKING:
    from blocks.writing.iceberg_table import _OpenTable

BUCKETS = 64
_ROW, _TIME = "row", "time"


def split_by_key(batch: pa.RecordBatch, key: Sequence[str]) -> Iterator[tuple[PartitionKey, pa.RecordBatch]]:
    """The rows of each of `BUCKETS` buckets of keys."""
    mixed = np.zeros(batch.num_rows, np.uint32)
    for name in key:
        mixed = mixed * np.uint32(31) + hashes(batch.column(name))
    yield from split_by(batch, [pa.array((mixed % np.uint32(BUCKETS)).astype(np.int32))])


def latest(rows: pa.Table, key: Sequence[str], event_time: str) -> pa.Table:
    """The row of each key with the last event time; a row without one comes before all others.

    Of rows with one key and one time the choice depends on their values alone, so that every run makes the same.
    """
    table = rows.select(list(key)).append_column(_ROW + "_", pa.array(np.arange(rows.num_rows)))
    names = [f"key{position}" for position in range(len(key))]
    times = pc.fill_null(micros(_column(rows, event_time)), np.iinfo(np.int64).min)
    table = table.rename_columns([*names, _ROW]).append_column(_TIME, times)
    groups = table.group_by([*names, _TIME], use_threads=False).aggregate([(_ROW, "list")])
    choices = groups.column(f"{_ROW}_list").to_pylist()
    # Ties are few, and only they are looked at row by row.
    chosen = [found[0] if len(found) == 1 else max(found, key=lambda row: _text(rows, row)) for found in choices]
    winners = groups.select([*names, _TIME]).append_column(_ROW, pa.array(chosen, pa.int64()))
    winners = winners.sort_by([(_TIME, "ascending")])
    last = winners.group_by(names, use_threads=False).aggregate([(_ROW, "last")]).column(f"{_ROW}_last")
    return rows.take(last.combine_chunks().sort())


def _column(rows: pa.Table, name: str) -> pa.Array:
    column = rows.column(name)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _text(rows: pa.Table, row: int) -> str:
    return repr(rows.slice(row, 1).to_pylist())


class KeySet:
    """Keys of a run.

    Args:
      keys: a table of the key columns; each key once.
    """

    def __init__(self, keys: pa.Table) -> None:
        self._keys = keys.combine_chunks()
        self._ends = [pc.min_max(keys.column(name)) for name in keys.column_names]

    def holds(self, batch: pa.RecordBatch) -> pa.Array:
        """Which rows have a key of the set; a null is no key."""
        columns = [
            batch.column(field.name).cast(field.type)
            if batch.column(field.name).type != field.type
            else batch.column(field.name)
            for field in self._keys.schema
        ]
        if len(columns) == 1:
            return pc.is_in(columns[0], value_set=self._keys.column(0).combine_chunks(), skip_nulls=True)
        names = self._keys.column_names
        rows = pa.table([*columns, pa.array(np.arange(batch.num_rows))], names=[*names, _ROW + "_"])
        found = rows.join(self._keys, keys=names, join_type="left semi").column(_ROW + "_")
        mask = np.zeros(batch.num_rows, bool)
        mask[found.to_numpy()] = True
        return pa.array(mask)

    def may_meet(self, file: Any, schema: Any) -> bool:
        """Whether an Iceberg data file may hold one of the keys, by the file's statistics."""
        from pyiceberg.conversions import from_bytes

        for name, ends in zip(self._keys.column_names, self._ends, strict=True):
            field = schema.find_field(name)
            kind = self._keys.schema.field(name).type
            low, high = ((bounds or {}).get(field.field_id) for bounds in (file.lower_bounds, file.upper_bounds))
            if low is None or high is None:
                continue
            first, last = (pa.scalar(from_bytes(field.field_type, bound), kind) for bound in (low, high))
            if pc.less(last, ends["min"]).as_py() or pc.greater(first, ends["max"]).as_py():
                return False
        return True


class Merge:
    """Merges the staged files of an upsert, and takes their keys out of the table.

    Args:
      options: of the write.
      opened: the table, to make files.
      rewrite: `commits.Committer.rewrite`.
    """

    def __init__(
        self, options: WriteOptions, opened: "_OpenTable", rewrite: Callable[..., list[FileDescription] | None]
    ) -> None:
        self._options, self._opened, self._rewrite = options, opened, rewrite
        self._keys: KeySet | None = None

    def latest(self, staged: Sequence[FileDescription]) -> list[FileDescription]:
        """Data files with the last row of each key of the run."""
        assert self._options.event_time is not None
        files: DataFiles[PartitionKey] = DataFiles(self._opened.file_schema, self._opened.place, self._options.limits)
        described: list[FileDescription] = []
        keys: list[pa.Table] = []
        try:
            for bucket in sorted({file.partition[0] for file in staged}):
                paths = sorted(file.path for file in staged if file.partition[0] == bucket)
                rows = pa.concat_tables([self._read(path) for path in paths])
                rows = latest(rows, self._options.key, self._options.event_time)
                keys.append(rows.select(list(self._options.key)))
                for batch in rows.combine_chunks().to_batches():
                    for key, part in split(batch, self._options.partitions):
                        closed = files.write(key, part, self._opened.data_path(key))
                        described += [self._opened.describe(file, at) for at, file in closed]
            described += [self._opened.describe(file, at) for at, file in files.finish()]
        except BaseException:
            files.abort()
            for file in described:
                self._opened.place.delete(file.path)
            raise
        self._keys = KeySet(pa.concat_tables(keys))
        return described

    def _read(self, path: str) -> pa.Table:
        with self._opened.place.open(path) as source:
            return pq.read_table(source, schema=self._opened.file_schema, partitioning=None)

    def replaced(self, table: Any) -> tuple[list[Any], list[FileDescription]]:
        """(data files to take away, files with the rows of them that stay) for the keys of the run."""
        from blocks.writing.commits import read_task

        assert self._keys is not None
        removed: list[Any] = []
        rest: list[FileDescription] = []
        key_schema = self._opened.schema.select(*self._options.key)
        for task in table.scan().plan_files():
            if not self._keys.may_meet(task.file, self._opened.schema):
                continue
            if not any(pc.any(self._keys.holds(batch)).as_py() for batch in read_task(table, task, key_schema)):
                continue
            kept = self._rewrite(table, task, self._keys.holds)
            if kept is not None:
                removed.append(task.file)
                rest.extend(kept)
        return removed, rest
