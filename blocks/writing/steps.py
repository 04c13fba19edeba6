"""The steps of a write as DoFns: prepare the table, write data files, commit.

    Impulse -> Prepare ----------- plan (side input) ----------+----------------------+
    batches -> WriteFiles (worker: batches in, descriptions of files out) -> GroupByKey -> Commit -> results

In a stream each worker makes the plan for itself: Flink's portable runner cannot take a checkpoint of a step that has a
side input (Beam 2.62 to Flink 1.19: a ClassCastException in the state of side inputs, at the first checkpoint).

Only descriptions of files (paths, counts, bounds of masked columns) go through the shuffle. A bundle that is retried
writes new files under new names, and only descriptions of a bundle that succeeded reach the commit, so no row is there
twice; what a failed bundle left is not described, and `remove_orphans` finds it.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from apache_beam.transforms.window import GlobalWindow, IntervalWindow
from apache_beam.utils.windowed_value import WindowedValue
from pyiceberg.exceptions import CommitStateUnknownException, RESTError
from sqlalchemy.exc import SQLAlchemyError

from blocks.core.block import StepMetrics
from blocks.core.errors import WarehouseError
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import REJECTS_TAG, Reject, RejectSettings, reject_batch, stop_at
from blocks.core.times import micros
from blocks.writing.data_files import DataFiles
from blocks.writing.partitions import PartitionKey, days_of, split
from blocks.writing.plan import REPLACE, UPSERT, CommitResult, FileDescription, Target, WriteOptions
from blocks.writing.table_schema import conform
from blocks.writing.upserting import split_by_key

BLOCK, VERSION = "WriteWarehouse", "1.0.0"
OUTSIDE, NULL_KEY, BEYOND = "outside_date_range", "null_key", "time_out_of_range"
# Microseconds since 1970 of the years 1 and 10000.
_FIRST, _END = -62_135_596_800_000_000, 253_402_300_800_000_000


@contextmanager
def io_errors(table: str, committing: bool = False) -> Iterator[None]:
    """Turns errors of files, disks and catalogs into `WarehouseError`; paths are left out, a partition may be personal.

    Args:
      table: name, for the message.
      committing: whether a commit may have gone through although its answer did not come.
    """
    try:
        yield
    except WarehouseError:
        raise
    except (OSError, SQLAlchemyError, RESTError, CommitStateUnknownException) as cause:
        errno = getattr(cause, "errno", None)
        reason = os.strerror(errno) if errno else str(getattr(cause, "orig", None) or type(cause).__name__)
        state = "whether the commit went through is not known" if committing else "nothing of this run is visible"
        fix = "give a folder that can be written and has space, then run again"
        if committing:
            fix = "see to the disk or the catalog, then run again with this run's run_id: a commit is not repeated"
        raise WarehouseError(f"cannot write: {reason}; {state}", where=f"table `{table}`", fix=fix) from None


class Prepare(beam.DoFn):
    """Makes the table, and gives the plan."""

    def __init__(self, target: Target, table: str) -> None:
        self._target, self._table = target, table

    def process(self, _: Any) -> Iterator[Any]:
        """Once a run."""
        with io_errors(self._table):
            yield self._target.prepare()


class _Planned:
    """The plan of a DoFn: that of the run where it is a side input, or its own, made when it first needs one."""

    def __init__(self, target: Target) -> None:
        self._target, self._own = target, None

    def of(self, plan: Any | None) -> Any:
        if plan is None and self._own is None:
            self._own = self._target.join()
        return self._own if plan is None else plan


class WriteFiles(beam.DoFn):
    """Batches in, data files written, their descriptions out at the end of the bundle."""

    def __init__(
        self, target: Target, options: WriteOptions, schema: pa.Schema, settings: RejectSettings | None
    ) -> None:
        self._target, self._options, self._schema, self._settings = target, options, schema, settings
        self._planned = _Planned(target)
        self._files: DataFiles[tuple[Any, PartitionKey]] | None = None

    def setup(self) -> None:
        """Makes what lives as long as the worker."""
        self._metrics = StepMetrics(BLOCK)
        self._maker = RejectMaker(BLOCK, VERSION, self._schema, self._settings)

    def start_bundle(self) -> None:
        """Gives up what a failed bundle left."""
        self._abort()
        self._described: list[tuple[Any, FileDescription]] = []

    def process(self, batch: Any, plan: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[Any]:
        """Writes a batch; yields the rows that cannot be written as rejects."""
        start = time.perf_counter_ns()
        self._metrics.rows_in.inc(batch.num_rows)
        with io_errors(self._options.table):
            if self._files is None:
                self._opened = self._target.open(self._planned.of(plan))
                self._files = DataFiles(self._opened.file_schema, self._opened.place, self._options.limits)
        kept, rejects = self._screened(batch)
        with io_errors(self._options.table):
            self._write(self._with_source(kept), window)
        self._metrics.rows_out.inc(kept.num_rows)
        self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
        if rejects:
            self._metrics.rows_rejected.inc(len(rejects))
            yield beam.pvalue.TaggedOutput(REJECTS_TAG, reject_batch(rejects))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Closes the files and describes them, each in the window of its rows."""
        if self._files is not None:
            start = time.perf_counter_ns()
            with io_errors(self._options.table):
                self._describe(self._files.finish())
            self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
        described, self._described = self._described, []
        self._files = None
        for window, file in described:
            yield WindowedValue(("", file), window.max_timestamp(), [window])

    def teardown(self) -> None:
        """Removes the files of a bundle that did not finish."""
        self._abort()

    def _abort(self) -> None:
        if self._files is not None:
            self._files.abort()
            self._files = None

    def _write(self, batch: pa.RecordBatch, window: Any) -> None:
        assert self._files is not None
        rows = conform(batch, self._opened.file_schema)
        parts = (
            split_by_key(rows, self._options.key)
            if self._options.mode == UPSERT
            else split(rows, self._options.partitions)
        )
        for key, part in parts:
            self._describe(self._files.write((window, key), part, self._opened.new_path(key), self._days(part)))

    def _days(self, part: pa.RecordBatch) -> frozenset[int | None]:
        if self._options.mode != REPLACE or self._options.event_time is None:
            return frozenset()
        return frozenset(pc.unique(days_of(part.column(self._options.event_time))).to_pylist())

    def _describe(self, closed: Iterable[tuple[tuple[Any, PartitionKey], Any]]) -> None:
        for (window, key), file in closed:
            self._described.append((window, self._opened.describe(file, key)))

    def _with_source(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._options.source is None:
            return batch
        column = pa.repeat(pa.scalar(self._options.source, pa.string()), batch.num_rows)
        return batch.append_column(self._options.source_column, column)

    def _screened(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Reject]]:
        """The rows that this mode can write, and the others as rejects."""
        rejects: list[Reject] = []
        for screen in (_beyond_calendar, _unplaceable):
            found = screen(self._options, batch)
            if found is not None and pc.any(found[1]).as_py():
                code, bad, message, path = found
                rejects += self._reject(batch.filter(bad), code, message, path)
                batch = batch.filter(pc.invert(bad))
        return batch, rejects

    def _reject(self, rows: pa.RecordBatch, code: str, message: str, path: str) -> list[Reject]:
        times = (
            micros(rows.column(self._options.event_time)).to_pylist()
            if self._options.event_time
            else [None] * rows.num_rows
        )
        rejects = []
        for at, moment in enumerate(times):
            record = {name: _as_python(rows.column(name)[at]) for name in rows.schema.names}
            rejects.append(self._maker.make(code, message, field_path=path, event_time=moment, record=record))
            if self._settings is None:
                stop_at(rejects[0])
        return rejects


def _as_python(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        # A time that Python's calendar does not have.
        return None


_Screen = tuple[str, pa.Array, str, str]


def _beyond_calendar(options: WriteOptions, batch: pa.RecordBatch) -> _Screen | None:
    """Times that a partition by time cannot hold: readers make calendar dates of it, years 1 to 9999."""
    for field in options.partitions:
        column = batch.column(field.column) if field.column in batch.schema.names else None
        if column is not None and field.transform != "identity" and pat.is_timestamp(column.type):
            times = micros(column)
            ends = pc.min_max(times)
            if ends["min"].is_valid and (ends["min"].as_py() < _FIRST or ends["max"].as_py() >= _END):
                bad = pc.fill_null(pc.or_(pc.less(times, _FIRST), pc.greater_equal(times, _END)), False)
                return BEYOND, bad, "the time of the partition is not in the years 1 to 9999", field.column
    return None


def _unplaceable(options: WriteOptions, batch: pa.RecordBatch) -> _Screen | None:
    """Rows that the mode cannot write: outside of the range that it replaces, or without a key."""
    if options.mode == UPSERT and batch.num_rows:
        missing = batch.column(options.key[0]).is_null()
        for name in options.key[1:]:
            missing = pc.or_(missing, batch.column(name).is_null())
        message = "a column of the key is null, so the row cannot be told from others"
        return NULL_KEY, missing, message, options.key[0]
    if options.mode == REPLACE and options.date_range is not None and options.event_time is not None:
        start, end = options.date_range
        times = micros(batch.column(options.event_time))
        inside = pc.and_(pc.greater_equal(times, start), pc.less(times, end))
        message = "the event time is not in date_range, so a run again would not replace the row"
        return OUTSIDE, pc.invert(pc.fill_null(inside, False)), message, options.event_time
    return None


class Commit(beam.DoFn):
    """One commit for the descriptions of a window and pane."""

    def __init__(self, target: Target, options: WriteOptions, whole_run: bool) -> None:
        self._target, self._options, self._whole_run = target, options, whole_run
        self._planned = _Planned(target)

    def process(
        self,
        described: Any,
        plan: Any,
        window: Any = beam.DoFn.WindowParam,
        pane: Any = beam.DoFn.PaneInfoParam,
    ) -> Iterator[CommitResult]:
        """Commits; yields what was committed."""
        commit_id = self._options.run_id if self._whole_run else pane_id(self._options.run_id, window, pane.index)
        files = [file for file in described[1] if file is not None]
        with io_errors(self._options.table, committing=True):
            yield self._target.commit(self._planned.of(plan), files, commit_id)


def pane_id(run_id: str, window: Any, pane: int) -> str:
    """The commit id of one window and pane of a run."""
    if isinstance(window, IntervalWindow):
        name = f"{window.start.micros}-{window.end.micros}"
    else:
        name = "global" if isinstance(window, GlobalWindow) else str(window)
    return f"{run_id}/{name}/{pane}"
