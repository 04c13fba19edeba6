"""ReadParquet: Parquet files become batches of a schema; rows that do not fit it go to rejects, alone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import TimestampedValue

from blocks.core import guards, labels
from blocks.core.batch_type import MAX_ROWS, BatchType
from blocks.core.block import StepMetrics, pieces
from blocks.core.dictionaries import decode_array, decode_schema
from blocks.core.errors import ConfigError, ReadError, SchemaError, nearest
from blocks.core.labels import with_event_time
from blocks.core.reject_records import RejectMaker, records_of
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Reject, Rejects, reject_batch, stop_at
from blocks.core.schema import read_schema, schema_of_option
from blocks.core.times import check_event_time, earliest
from blocks.reading.files import match_files
from blocks.reading.fitting import as_required, cast_rows, missing, nullable, unknown_fields

VERSION = "1.0.0"
RANGE_BYTES = 64 << 20


class ReadParquet(beam.PTransform):
    """Reads Parquet files into batches.

    Input: nothing; `p | ReadParquet("day/*.parquet")`.
    Output: batches with the schema's columns, in the order of each file; timestamps are the earliest event time.
    Rejects: `wrong_type` (a value that does not fit the schema's type), `missing_field` (null in a required field),
    `bad_event_time` (null). Rows in the files = rows + rejects. Without `rejects=` the first bad row stops the
    pipeline. A file that lacks a required column, or has one that cannot be cast, stops it with the file's name.
    Nulls: kept; a nullable column that a file lacks is null.
    State: none; memory holds one row group of columns that are read, and one batch.
    Cost: Arrow's Parquet reader; files are split at row groups, about 64 MiB together.

    Args:
      pattern: files, on any Beam file system.
      schema: `pa.Schema`, or `FILE` or `FILE:NAME` for `read_schema`; that of the first file unless given, with the
      labels
        in its metadata.
      event_time: column with the event time; the schema's mark unless given.
      strict: refuse files with columns, or fields in them, that the schema does not have.
      rejects: where bad rows go.

    Raises:
      SchemaError: an event time that is no timestamp.
      ReadError: no file matches (at once when the schema is to come from one), or a file is no Parquet.

    Example:
      >>> p | ReadParquet("archive/*.parquet", event_time="occurred_at")

    Source: the Apache Parquet format.
    """

    can_reject = True

    def __init__(
        self,
        pattern: str | Path,
        *,
        schema: pa.Schema | str | Path | None = None,
        event_time: str | None = None,
        strict: bool = False,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        self._pattern, self._strict = str(pattern), strict
        self.rejects = rejects
        found = _schema(schema, self._pattern)
        name = event_time or labels.event_time_of(found)
        if name:
            check_event_time(found, name, "ReadParquet.event_time")
            found = with_event_time(found, name)
        self.schema = found
        BatchType(found)

    def expand(self, start: Any) -> beam.PCollection:
        """Applies the block."""
        if not isinstance(start, beam.pvalue.PBegin | beam.Pipeline):
            raise ConfigError("a pattern and an input", where="ReadParquet", fix="use `p | ReadParquet(pattern)`")
        settings = None if self.rejects is None else self.rejects.settings()
        guards.watch(start.pipeline, None if settings is None else settings.policy)
        reader = _ReadGroups(self.schema, self._strict, settings, self._pattern)
        typed = beam.ParDo(reader).with_output_types(BatchType(self.schema), **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
        outputs = (
            start
            | "Pattern" >> beam.Create([self._pattern])
            | "Groups" >> beam.ParDo(_Groups()).with_output_types(RowGroups)
            # Only file names and row group numbers are shuffled.
            | "Spread" >> beam.Reshuffle()
            | "Read" >> typed.with_outputs(REJECTS_TAG, main="rows")
        )
        if self.rejects is not None:
            self.rejects.add_error_pcollection(outputs[REJECTS_TAG])
        return outputs.rows


def _schema(source: pa.Schema | str | Path | None, pattern: str) -> pa.Schema:
    if source is not None:
        return decode_schema(schema_of_option(source))
    first = match_files(pattern)[0][0]
    if Path(first).is_file():
        return decode_schema(read_schema(first) if first.endswith(".parquet") else pq.read_schema(first))
    with _parquet(first) as file:
        return decode_schema(file.schema_arrow)


@dataclass(frozen=True)
class RowGroups:
    """Row groups of one file.

    Attributes:
      path: of the file.
      numbers: of the row groups.
      first_row: number in the file of the first row.
    """

    path: str
    numbers: tuple[int, ...]
    first_row: int


def _parquet(path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(FileSystems.open(path, compression_type="uncompressed"))
    except (pa.ArrowInvalid, OSError):
        raise ReadError(
            "not a Parquet file", where=f"file {path}", fix="check the pattern, or fetch it again"
        ) from None


def _batches(file: pq.ParquetFile, part: RowGroups, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The batches of some row groups; with columns whose names are wanted, and maybe others."""
    # A name with a dot would be taken for a path.
    columns = None if any("." in name for name in names) else names
    batches = file.iter_batches(MAX_ROWS, row_groups=list(part.numbers), columns=columns, use_threads=False)
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowInvalid):
            raise ReadError("the file is damaged", where=f"file {part.path}", fix="fetch it again") from None
        if batch is None:
            return
        yield batch


class _Groups(beam.DoFn):
    def process(self, pattern: Any) -> Iterator[RowGroups]:
        for path, _ in match_files(pattern):
            with _parquet(path) as file:
                groups: list[int] = []
                first = row = size = 0
                for number in range(file.metadata.num_row_groups):
                    group = file.metadata.row_group(number)
                    if groups and size + group.total_byte_size > RANGE_BYTES:
                        yield RowGroups(path, tuple(groups), first)
                        groups, first, size = [], row, 0
                    groups.append(number)
                    row, size = row + group.num_rows, size + group.total_byte_size
                if groups:
                    yield RowGroups(path, tuple(groups), first)


class _ReadGroups(beam.DoFn):
    def __init__(self, schema: pa.Schema, strict: bool, settings: Any, pattern: str) -> None:
        self._schema, self._strict, self._settings, self._pattern = schema, strict, settings, pattern

    def setup(self) -> None:
        self._event_time = labels.event_time_of(self._schema)
        self._maker = RejectMaker("ReadParquet", VERSION, self._schema, self._settings, self._pattern)
        self._metrics = StepMetrics("ReadParquet")

    def process(self, part: Any) -> Iterator[Any]:
        with _parquet(part.path) as file:
            fit = fitter(file.schema_arrow, self._schema, self._strict, part.path)
            names = [name for name in self._schema.names if name in file.schema_arrow.names]
            row = part.first_row
            for batch in _batches(file, part, names):
                start = time.perf_counter_ns()
                fitted, problems = fit(batch)
                fitted, rejects = self._split(fitted, problems, row, part.path)
                self._metrics.rows_in.inc(batch.num_rows)
                self._metrics.rows_out.inc(fitted.num_rows)
                self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
                row += batch.num_rows
                if rejects:
                    self._metrics.rows_rejected.inc(len(rejects))
                    yield beam.pvalue.TaggedOutput(REJECTS_TAG, reject_batch(rejects))
                for piece in pieces(fitted):
                    at = earliest(piece, self._event_time)
                    yield piece if at is None else TimestampedValue(piece, at)

    def _split(
        self, batch: pa.RecordBatch, problems: "list[_Misfit]", first_row: int, path: str
    ) -> tuple[pa.RecordBatch, list[Reject]]:
        bad = np.zeros(batch.num_rows, np.bool_)
        rejects: list[Reject] = []
        for problem in problems:
            for number in np.flatnonzero(problem.rows & ~bad).tolist():
                code = "bad_event_time" if problem.path == self._event_time else problem.code
                reject = self._maker.make(
                    code,
                    problem.message,
                    field_path=problem.path,
                    source=path,
                    position=first_row + number,
                    record=next(records_of(batch.slice(number, 1))),
                )
                if self._settings is None:
                    stop_at(reject)
                rejects.append(reject)
            bad |= problem.rows
        good = batch.filter(pa.array(~bad)) if rejects else batch
        # Nothing is missing any more.
        columns = [as_required(column, field.type) for column, field in zip(good.columns, self._schema, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema), rejects


@dataclass(frozen=True)
class _Misfit:
    rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    code: str
    path: str
    message: str


def fitter(
    found: pa.Schema, wanted: pa.Schema, strict: bool, path: str
) -> Callable[[pa.RecordBatch], tuple[pa.RecordBatch, list[_Misfit]]]:
    """The function that makes batches of a file fit the schema with all nullable, and tells which rows do not fit it.

    Raises:
      SchemaError: the file lacks a required column, or (strict) has an unknown one.
    """
    for field in wanted:
        if field.name not in found.names and not field.nullable:
            raise SchemaError(f"no column `{field.name}`", where=f"file {path}", fix=nearest(field.name, found.names))
    unknown = list(unknown_fields(found, wanted))
    if strict and unknown:
        raise SchemaError(
            f"the file has columns that the schema does not have: {', '.join(unknown)}",
            where=f"file {path}",
            fix="add them to the schema, or leave out strict",
        )
    event_time = labels.event_time_of(wanted)
    loose = pa.schema([field.with_type(nullable(field.type)).with_nullable(True) for field in wanted], wanted.metadata)

    def fit(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[_Misfit]]:
        columns, misfits = [], []
        for field in wanted:
            column, problems = _fit_column(batch, field, path, field.name == event_time)
            columns.append(column)
            misfits.extend(problems)
        return pa.RecordBatch.from_arrays(columns, schema=loose), misfits

    return fit


def _fit_column(batch: pa.RecordBatch, field: pa.Field, path: str, event_time: bool) -> tuple[pa.Array, list[_Misfit]]:
    if field.name not in batch.schema.names:
        column, failed = pa.nulls(batch.num_rows, nullable(field.type)), None
    else:
        source = decode_array(batch.column(field.name))
        try:
            column, failed = cast_rows(source, nullable(field.type))
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
            raise SchemaError(
                f"column `{field.name}` is {source.type}, which cannot be cast to {field.type}",
                where=f"file {path}",
                fix="change the schema, or leave the file out",
            ) from None
    misfits = []
    if failed is not None:
        misfits.append(_Misfit(failed, "wrong_type", field.name, f"the value does not fit {field.type}"))
    checked = field.with_nullable(False) if event_time else field
    misfits += [
        _Misfit(rows, "missing_field", at, "required, but null") for at, rows in missing(column, checked, field.name)
    ]
    return column, misfits
