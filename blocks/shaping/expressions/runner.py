"""Runs expressions over batches: Arrow in, Arrow out, and the rows on which an expression fails."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import BatchTypeError
from blocks.core.wire import size_of
from blocks.shaping.expressions.columns import Read
from blocks.shaping.expressions.engine import ROW_ERRORS, Query, broken_engine, connect, engine_schema
from blocks.shaping.expressions.expression import Expression
from blocks.shaping.expressions.growth import LONGEST_RESULT, at_most

Mask = "np.ndarray[tuple[int], np.dtype[np.bool_]]"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The results of a batch.

    Attributes:
      columns: one array an expression, of its declared type, as many values as rows; null where it failed.
      failed: for each expression None, or which rows it failed on.
    """

    columns: list[pa.Array]
    failed: "list[np.ndarray[Any, np.dtype[np.bool_]] | None]"

    def any_failed(self) -> "np.ndarray[Any, np.dtype[np.bool_]] | None":
        """Rows on which any expression failed; None if there are none."""
        found = [rows for rows in self.failed if rows is not None]
        return np.logical_or.reduce(found) if found else None


class Runner:
    """Evaluates expressions over batches of one schema; make one for each worker.

    Rows, and batches, do not depend on each other. Cost: a fixed part of about half a millisecond a batch, then what
    the engine's kernels take; only columns that are read leave Arrow, without a copy. A batch in which rows fail is run
    again, row by row where they are, which takes some ten times as long.

    Args:
      expressions: of one schema.
    """

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self._expressions = list(expressions)
        self._computed = [number for number, one in enumerate(expressions) if one.bare is None]
        self._reads = list(
            {read.name: read for number in self._computed for read in expressions[number].reads}.values()
        )
        self._schema = engine_schema(self._reads)
        self._growth = [expressions[number].growth for number in self._computed]
        self._where = ", ".join(one.where for one in expressions)
        self._query = self._safe = None
        if self._computed:
            self._connection = connect()
            sql = [expressions[number].sql for number in self._computed]
            self._query = Query(self._connection, self._schema, sql)
            # Of a row that fails the struct is null; of a result that is null only its field is.
            self._safe = Query(self._connection, self._schema, [f"TRY({{'v': {one}}})" for one in sql])

    def __call__(self, batch: pa.RecordBatch) -> Evaluated:
        """The results for a batch.

        Raises:
          BlocksError: the engine failed for a reason that is no row's.
          BatchTypeError: a null in a result that was declared without.
        """
        columns: list[Any] = [None if one.bare is None else cut_out(batch, one.bare) for one in self._expressions]
        failed: list[Any] = [None] * len(columns)
        if self._query is not None:
            for number, (column, rows) in zip(self._computed, self._computed_of(batch), strict=True):
                columns[number] = self._declared(column, self._expressions[number], rows)
                failed[number] = rows
        return Evaluated(columns, failed)

    def _computed_of(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.Array, Any]]:
        assert self._query is not None
        if not batch.num_rows:
            # Arrow's cast of no rows of nested structs gives one row.
            yield from [(pa.nulls(0, self._expressions[number].type), None) for number in self._computed]
            return
        for column, failed in self._bounded(self._given(batch)):
            yield _without_far_times(column, failed)

    def _bounded(self, given: pa.RecordBatch) -> list[tuple[pa.Array, Any]]:
        """The results, in pieces so small that no text can be longer than the engine counts."""
        assert self._query is not None
        long = self._too_large(given.get_total_buffer_size())
        # What a slice leaves out counts there, and takes time to leave out.
        long = self._too_large(size_of(given)) if any(long) else long
        if any(long):
            return self._halves(given, self._bounded) if given.num_rows > 1 else self._too_long(given, long)
        try:
            return [(_whole(column), None) for column in self._query.run(given).columns]
        except ROW_ERRORS:
            return self._row_by_row(given)
        except duckdb.Error as error:
            # The engine quotes values in its messages.
            raise broken_engine(error, self._where) from None

    def _too_large(self, size: int) -> list[bool]:
        return [at_most(growth, size) > LONGEST_RESULT for growth in self._growth]

    def _too_long(self, given: pa.RecordBatch, long: list[bool]) -> list[tuple[pa.Array, Any]]:
        """Of one row: what is surely short enough is computed, the rest fails."""
        kept = [self._expressions[number] for number, is_long in zip(self._computed, long, strict=True) if not is_long]
        query = Query(self._connection, self._schema, [f"TRY({{'v': {one.sql}}})" for one in kept]) if kept else None
        try:
            columns = iter(query.run(given).columns if query else [])
        except ROW_ERRORS:
            columns, long = iter(()), [True] * len(long)
        except duckdb.Error as error:
            raise broken_engine(error, self._where) from None
        finally:
            if query is not None:
                query.close()
        found: list[tuple[pa.Array, Any]] = []
        for number, is_long in zip(self._computed, long, strict=True):
            column = None if is_long else _whole(next(columns))
            if column is None or column.null_count:
                found.append((pa.nulls(1, self._expressions[number].type), np.ones(1, np.bool_)))
            else:
                found.append((pc.struct_field(column, [0]), None))
        return found

    def _given(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [_from_zero(cut_out(batch, read)) for read in self._reads]
        return pa.RecordBatch.from_arrays(columns or [pa.nulls(batch.num_rows, pa.bool_())], schema=self._schema)

    def _row_by_row(self, given: pa.RecordBatch) -> list[tuple[pa.Array, Any]]:
        assert self._safe is not None
        try:
            table = self._safe.run(given)
        except ROW_ERRORS as error:
            self._check_readable(given, error)
            if given.num_rows > 1:
                return self._halves(given, self._row_by_row)
            # A failure that TRY does not catch: of one row it is known which.
            return [(pa.nulls(1, self._expressions[number].type), np.ones(1, np.bool_)) for number in self._computed]
        except duckdb.Error as error:
            raise broken_engine(error, self._where) from None
        found: list[tuple[pa.Array, Any]] = []
        for column in map(_whole, table.columns):
            rows = column.is_null().to_numpy(zero_copy_only=False)
            found.append((pc.struct_field(column, [0]), rows if rows.any() else None))
        return found

    def _check_readable(self, given: pa.RecordBatch, error: Exception) -> None:
        """Columns that the engine cannot read at all are no fault of their rows."""
        query = Query(self._connection, self._schema, self._schema.names)
        try:
            query.run(given)
        except duckdb.Error:
            raise broken_engine(error, self._where) from None
        finally:
            query.close()

    def _halves(
        self, given: pa.RecordBatch, run: Callable[[pa.RecordBatch], list[tuple[pa.Array, Any]]]
    ) -> list[tuple[pa.Array, Any]]:
        middle = given.num_rows // 2
        parts = [given.slice(0, middle), given.slice(middle)]
        found: list[tuple[pa.Array, Any]] = []
        for both in zip(*(run(part) for part in parts), strict=True):
            marks = [
                np.zeros(part.num_rows, np.bool_) if rows is None else rows
                for part, (_, rows) in zip(parts, both, strict=True)
            ]
            rows = np.concatenate(marks)
            kind = self._expressions[self._computed[len(found)]].type
            columns = [column if column.type.equals(kind) else column.cast(kind) for column, _ in both]
            found.append((pa.concat_arrays(columns), rows if rows.any() else None))
        return found

    def _declared(self, column: pa.Array, expression: Expression, failed: Any) -> pa.Array:
        if not expression.nullable and failed is None and column.null_count:
            raise BatchTypeError(
                "an expression that cannot be null gave null",
                where=expression.where,
                fix="report the expression and the schema: blocks takes it for one that is never null",
            )
        if column.type.equals(expression.type, check_metadata=True):
            return column
        return column.cast(expression.type)


def cut_out(batch: pa.RecordBatch, read: Read) -> pa.Array:
    """The column or field of a batch; null where anything around it is. No copy of values."""
    column = batch.column(read.path[0])
    return pc.struct_field(column, list(read.path[1:])) if len(read.path) > 1 else column


# The first day of the year 1 and the last one of 9999, from 1970 on; infinite times are beyond both.
_DAYS = (-719_162, 2_932_896)
_OF_A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}


def _without_far_times(column: pa.Array, failed: Any) -> tuple[pa.Array, Any]:
    """Fails the rows with a time outside the years 1 to 9999, which hardly anything else can hold."""
    if pat.is_date32(column.type):
        plain, (least, most) = column.view(pa.int32()), _DAYS
    elif pat.is_timestamp(column.type) and column.type.unit in _OF_A_DAY:
        day = _OF_A_DAY[column.type.unit]
        plain, least, most = column.view(pa.int64()), _DAYS[0] * day, (_DAYS[1] + 1) * day - 1
    elif pat.is_time64(column.type) and column.type.unit == "us":
        # SQL knows 24:00.
        plain, least, most = column.view(pa.int64()), 0, _OF_A_DAY["us"] - 1
    else:
        return column, failed
    extremes = pc.min_max(plain)
    if not extremes["min"].is_valid or (extremes["min"].as_py() >= least and extremes["max"].as_py() <= most):
        return column, failed
    far = pc.or_(pc.less(plain, least), pc.greater(plain, most)).fill_null(False)
    rows = far.to_numpy(zero_copy_only=False)
    kept = pc.if_else(far, pa.scalar(None, column.type), column)
    return kept, rows if failed is None else rows | failed


def _from_zero(column: pa.Array) -> pa.Array:
    """The column, nested values copied: DuckDB 2.0 refuses, or misreads, slices with structs at some depth."""
    return pa.concat_arrays([column, column.slice(0, 0)]) if labels.children(column.type) else column


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
