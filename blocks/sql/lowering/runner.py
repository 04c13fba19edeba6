"""Runs a lowered query over batches: Arrow in, Arrow out, and the rows on which it failed."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blocks.core import wire
from blocks.core.keys import KeyRing
from blocks.shaping.expressions.engine import ROW_ERRORS, Rows, broken_engine, connect
from blocks.sql.boundary import converted
from blocks.sql.lowering.lowered import Branch, Lowered

FAILED = "expression_failed"
_WHERE = "RunSql"
_LARGEST = 1_000_000
_NUMBER, _SOURCE = "row_number_", "the_rows_of_the_batch"


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a batch.

    Attributes:
      batch: rows that the query gives, in the order of their rows, branch by branch.
      failed: rows of the input on which it failed, as a mask of the input's length; None where there are none.
      code: of the reject that such a row becomes.
    """

    batch: pa.RecordBatch
    failed: "np.ndarray[Any, np.dtype[np.bool_]] | None"
    code: str = FAILED


class LoweredRunner:
    """Runs a query over batches of the schema that it was lowered for; make one for each worker.

    Cost: half a millisecond to one a batch where the engine has something to compute, then what the kernels take. Only
    columns that expressions read leave Arrow, without a copy; of columns that are passed on a condition takes the rows,
    and without one they are the same buffers. A batch in which a row fails, or a whole number wraps, is run again in
    the slower form.

    Args:
      lowered: from `lower`.
    """

    def __init__(self, lowered: Lowered) -> None:
        self._lowered = lowered
        keys = KeyRing({})
        self._masks = [None if read.mask is None else read.mask.kernel(pa.string(), "", keys) for read in lowered.reads]
        connection = connect() if any(not branch.is_read for branch in lowered.branches) else None
        self._branches = [BranchRunner(connection, lowered, branch) for branch in lowered.branches]

    def __call__(self, batch: pa.RecordBatch) -> Ran:
        """The rows that the query gives for a batch.

        Raises:
          BlocksError: the engine failed for a reason that is no row's.
        """
        given, failed = self._given(batch)
        found, masks = [], [] if failed is None else [failed]
        for runner in self._branches:
            table, mask = runner.run(batch, given, failed)
            found.append(table)
            if mask is not None:
                masks.append(mask)
        whole = found[0] if len(found) == 1 else pa.concat_batches(found)
        return Ran(whole, np.logical_or.reduce(masks) if masks else None)

    def _given(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Any]:
        """What the engine gets, and the rows with a time that it cannot hold."""
        columns, failed = [], None
        for read, mask, wanted in zip(self._lowered.reads, self._masks, self._lowered.given.types, strict=False):
            column = batch.column(read.column)
            try:
                column = converted(column, wanted)
            except pa.ArrowInvalid:
                column, far = _without_far(column, wanted)
                failed = far if failed is None else failed | far
            columns.append(column if mask is None else mask(column))
        if not columns:
            columns.append(pa.nulls(batch.num_rows, pa.bool_()))
        return pa.RecordBatch.from_arrays(columns, schema=self._lowered.given), failed


class BranchRunner:
    """Runs one branch, each form prepared when it is needed first.

    Args:
      connection: from `connect`; None for a branch of which the engine computes nothing.
      lowered: the query.
      branch: of it.
    """

    def __init__(self, connection: Any, lowered: Lowered, branch: Branch) -> None:
        # Written for people who might use a relation; it is planned anew for every batch.
        warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
        self._connection, self._lowered, self._branch = connection, lowered, branch
        self._computed = [output for output in branch.outputs if output.read is None]
        # Of a mask its place among what the engine is given.
        self._passed = {
            one.read: lowered.reads.index(one.read) if one.read.mask else -1 for one in branch.outputs if one.read
        }
        self._numbered = lowered.given.append(pa.field(_NUMBER, pa.int32()))
        self._plain: _Prepared | None = None
        self._safe: _Prepared | None = None

    def prepare_all(self) -> None:
        """Plans both forms and takes them out again.

        Raises:
          duckdb.Error: the engine does not take one.
        """
        for prepared in (self._prepared_plain(), self._prepared_safe()):
            prepared.run(None)
            prepared.close()

    def run(self, batch: pa.RecordBatch, given: pa.RecordBatch, failed: Any) -> tuple[pa.RecordBatch, Any]:
        """The rows of a batch, and those that fail.

        Args:
          batch: the input.
          given: what the engine gets of it.
          failed: rows that failed already.
        """
        if not batch.num_rows:
            return pa.RecordBatch.from_pylist([], schema=self._lowered.schema), None
        if self._branch.is_read:
            return self._assembled(batch, given, [], None), None
        numbers = np.arange(batch.num_rows, dtype=np.int32)
        numbered = given.append_column(_NUMBER, pa.array(numbers))
        if failed is not None:
            return self._row_by_row(batch, given, numbered.filter(pa.array(~failed)))
        try:
            self._plain = self._plain or self._prepared_plain()
            rows, *columns = map(_whole, self._plain.run(numbered).columns)
        except ROW_ERRORS:
            return self._row_by_row(batch, given, numbered)
        except duckdb.Error as error:
            # The engine quotes values in its messages.
            raise broken_engine(error, _WHERE) from None
        return self._assembled(batch, given, columns, rows if self._branch.where else None), None

    def _prepared_plain(self) -> "_Prepared":
        columns = ", ".join((_NUMBER, *(f"{one.sql} AS o{at}" for at, one in enumerate(self._computed))))
        where = f" WHERE {self._branch.where}" if self._branch.where else ""
        return _Prepared(self._connection, self._numbered, f"SELECT {columns} FROM {_SOURCE}{where}")  # noqa: S608 (tables of forms wrote it)

    def _prepared_safe(self) -> "_Prepared":
        """Of a row that fails the struct is null; of a result that is null only its field is."""
        columns = ", ".join(("'none': TRUE", *(f"'o{at}': {one.exact}" for at, one in enumerate(self._computed))))
        where = self._branch.exact_where or "TRUE"
        inner = f"SELECT *, TRY({{'v': {where}}}) AS kept FROM {_SOURCE}"  # noqa: S608 (tables of forms wrote it)
        sql = (
            f"SELECT {_NUMBER}, kept IS NULL AS lost, struct_extract(kept, 'v') AS wanted, "  # noqa: S608 (as above)
            f"CASE WHEN struct_extract(kept, 'v') THEN TRY({{{columns}}}) END AS found FROM ({inner})"
        )
        return _Prepared(self._connection, self._numbered, sql)

    def _row_by_row(
        self, batch: pa.RecordBatch, given: pa.RecordBatch, numbered: pa.RecordBatch
    ) -> tuple[pa.RecordBatch, Any]:
        """The rows that can be computed, and those that fail.

        Args:
          batch: the input.
          given: what the engine gets of it.
          numbered: the same with numbers, without rows that failed already.
        """
        mask = np.zeros(batch.num_rows, np.bool_)
        kept = []
        for table in self._tables(numbered, mask):
            wanted = pc.fill_null(table["wanted"], False)
            found = table["found"]
            bad = pc.or_(table["lost"], pc.and_(wanted, found.is_null()))
            mask[table[_NUMBER].filter(bad).to_numpy()] = True
            kept.append(table.select([_NUMBER, "found"]).filter(pc.and_(wanted, found.is_valid())))
        result = pa.RecordBatch.from_pylist([], schema=self._lowered.schema)
        if kept:
            rows, found = map(_whole, pa.concat_tables(kept).columns)
            columns = [pc.struct_field(found, [at]) for at in range(1, len(self._computed) + 1)]
            result = self._assembled(batch, given, columns, rows)
        return result, mask if mask.any() else None

    def _tables(self, given: pa.RecordBatch, mask: Any) -> list[pa.Table]:
        """The safe form's tables, in halves where a failure is one that TRY does not catch."""
        if not given.num_rows:
            return []
        self._safe = self._safe or self._prepared_safe()
        try:
            return [self._safe.run(given)]
        except ROW_ERRORS:
            if given.num_rows == 1:
                mask[given.column(_NUMBER)[0].as_py()] = True
                return []
            middle = given.num_rows // 2
            return [*self._tables(given.slice(0, middle), mask), *self._tables(given.slice(middle), mask)]
        except duckdb.Error as error:
            raise broken_engine(error, _WHERE) from None

    def _assembled(
        self, batch: pa.RecordBatch, given: pa.RecordBatch, computed: Sequence[pa.Array], rows: pa.Array | None
    ) -> pa.RecordBatch:
        """What is passed on and what was computed, in the types of the result.

        Args:
          batch: the input.
          given: what the engine gets of it.
          computed: columns, of the rows that are kept.
          rows: numbers of those; None where they are all.
        """
        passed = pa.RecordBatch.from_arrays(
            [batch.column(one.column) if one.mask is None else given.column(at) for one, at in self._passed.items()],
            names=[str(one) for one in self._passed],
        )
        if rows is not None:
            passed = wire.take(passed, rows)
        columns = dict(zip(self._passed, passed.columns, strict=True))
        rest = iter(computed)
        found = [next(rest) if one.read is None else columns[one.read] for one in self._branch.outputs]
        return pa.RecordBatch.from_arrays(
            list(map(converted, found, self._lowered.schema.types)), schema=self._lowered.schema
        )


class _Prepared:
    """A query that is planned once and run over one batch after another.

    Args:
      connection: from `connect`.
      schema: of what it reads.
      sql: with `_SOURCE` where it reads.
    """

    def __init__(self, connection: Any, schema: pa.Schema, sql: str) -> None:
        self._connection, self._rows = connection, Rows(schema)
        # A name of its own for each: queries of one connection live side by side.
        self._source, self._name = f"sql_rows_{id(self)}", f"sql_query_{id(self)}"
        connection.register(self._source, self._rows)
        try:
            # A relation of the Python API is planned anew for every batch, which takes longer than to run it.
            connection.execute(f"PREPARE {self._name} AS {sql.replace(_SOURCE, self._source)}")
        except BaseException:
            connection.unregister(self._source)
            raise

    def run(self, batch: pa.RecordBatch | None) -> pa.Table:
        """The result over a batch of the schema, or over no rows."""
        empty = self._rows.batch
        if batch is not None:
            self._rows.batch = batch
        try:
            return self._connection.execute(f"EXECUTE {self._name}").to_arrow_reader(_LARGEST).read_all()
        finally:
            # Nothing of a batch stays in memory behind its back.
            self._rows.batch = empty

    def close(self) -> None:
        """Takes the query and its source out of the connection."""
        self._connection.execute(f"DEALLOCATE {self._name}")
        self._connection.unregister(self._source)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _without_far(column: pa.Array, data_type: pa.DataType) -> tuple[pa.Array, Any]:
    """The column with NULL for each value that the engine cannot hold, and which those are."""
    far = np.zeros(len(column), np.bool_)
    pieces = []
    for at in range(len(column)):  # a rare case: one value in millions is a time beyond the year 290,000
        one = column.slice(at, 1)
        try:
            pieces.append(converted(one, data_type))
        except pa.ArrowInvalid:
            far[at] = True
            pieces.append(pa.nulls(1, data_type))
    return pa.concat_arrays(pieces), far
