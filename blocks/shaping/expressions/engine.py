"""The engine: DuckDB in memory, the same everywhere, with no way out of it.

One thread, so that rows keep their order; time zone UTC; no files, no network, no extensions, no spilling of raw values
to disk, no looking at Python's variables; settings locked. Rows come from an Arrow stream that is set before each run,
so that a query is prepared once.
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.types as pat

from blocks.core.errors import BlocksError
from blocks.shaping.expressions.columns import Read

_CONFIG = {
    "threads": "1",
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",
}
_SETTINGS = {
    "TimeZone": "'UTC'",
    "Calendar": "'gregorian'",
    "default_collation": "''",
    "ieee_floating_point_ops": "true",
    "error_on_division_by_zero": "true",
    "integer_division": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}
_SOURCE = "rows_of_batch"
# What a value can do wrong; anything else (memory, a bug) is no property of a row.
ROW_ERRORS = (duckdb.DataError, duckdb.InvalidInputException, duckdb.OutOfRangeException, duckdb.ConversionException)


def connect() -> Any:
    """A new connection with every setting that an answer could depend on, locked."""
    connection = duckdb.connect(":memory:", config=_CONFIG)
    for name, value in _SETTINGS.items():
        connection.execute(f"SET {name} = {value}")
    return connection


class Rows:
    """What the engine reads: the batch that is set at the time."""

    def __init__(self, schema: pa.Schema) -> None:
        self.batch = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        reader = pa.RecordBatchReader.from_batches(self.batch.schema, [self.batch])
        return reader.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        return self.batch.schema.__arrow_c_schema__()


def engine_schema(reads: Sequence[Read]) -> pa.Schema:
    """What the engine is given: each column that is read, under its name there, without metadata.

    A batch has rows even where nothing is read, so there is always a column.
    """
    distinct = {read.name: pa.field(read.name, read.field.type) for read in reads}
    return pa.schema(list(distinct.values()) or [pa.field("none", pa.bool_())])


class Query:
    """Expressions over a schema, prepared once.

    Args:
      connection: from `connect`.
      schema: from `engine_schema`.
      expressions: SQL, from `to_sql`.
    """

    def __init__(self, connection: Any, schema: pa.Schema, expressions: Sequence[str]) -> None:
        self._rows = Rows(schema)
        # A name of its own for each: queries of one connection live side by side.
        source = f"{_SOURCE}_{id(self)}"
        connection.register(source, self._rows)
        self._release: Callable[[], None] = lambda: connection.unregister(source)
        columns = ", ".join(f"{sql} AS o{number}" for number, sql in enumerate(expressions))
        try:
            self._relation = connection.sql(f"SELECT {columns} FROM {source}")  # noqa: S608 (an allow-list wrote it)
        except BaseException:
            self.close()
            raise
        self.types: list[str] = [str(kind) for kind in self._relation.types]

    def run(self, batch: pa.RecordBatch | None = None) -> pa.Table:
        """The expressions over a batch of the schema, or over no rows, in the order of the rows."""
        empty = self._rows.batch
        if batch is not None:
            self._rows.batch = batch
        try:
            found = self._relation.to_arrow_table()
        finally:
            # Nothing of a batch stays in memory behind its back.
            self._rows.batch = empty
        rows = empty.num_rows if batch is None else batch.num_rows
        if found.num_rows != rows:
            raise duckdb.InternalException(f"{found.num_rows} rows of {rows}")
        return found

    def close(self) -> None:
        """Takes the source out of the connection."""
        self._release()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the engine does not take an expression; its own words, with our names of columns."""

    message: str


class Checker:
    """Asks the engine, when a pipeline is built, whether it takes an expression and what type the result has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None

    def types(
        self, reads: Sequence[Read], expressions: Sequence[str], row: Literal["none", "null", "plain"] = "none"
    ) -> list[tuple[str, pa.DataType]] | Refusal:
        """The engine's and Arrow's type of each expression, or why they are refused.

        Args:
          reads: what they read.
          expressions: SQL.
          row: compute them on a row of nulls instead of no row, so that literals that cannot be cast fail; or on one
            of plain values (1, true, '1'), where only what the engine does not do at all is a refusal.
        """
        with self._lock:
            if self._connection is None:
                self._connection = connect()
            query = None
            try:
                schema = engine_schema(reads)
                query = Query(self._connection, schema, expressions)
                found = query.run(_ROWS[row](schema)).schema.types
                return list(zip(query.types, found, strict=True))
            except duckdb.Error as error:
                if row == "plain" and isinstance(error, ROW_ERRORS):
                    return []
                return Refusal(_readable(str(error), {read.name: read.text for read in reads}))
            finally:
                if query is not None:
                    query.close()


CHECKER = Checker()


def _nulls(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(1, field.type) for field in schema], schema=schema)


def _plain_values(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([_plain_value(field.type) for field in schema], schema=schema)


def _plain_value(data_type: pa.DataType) -> pa.Array:
    """One value; null of a type that has no plain one."""
    for one in (pa.array([1]), pa.array([1], pa.int32()), pa.array(["1"])):
        try:
            return one.cast(data_type)
        except pa.ArrowException:
            continue
    return pa.nulls(1, data_type)


_ROWS: dict[str, Callable[[pa.Schema], pa.RecordBatch | None]] = {
    "none": lambda _: None,
    "null": _nulls,
    "plain": _plain_values,
}


def _readable(message: str, names: Mapping[str, str]) -> str:
    """The first sentence of the engine's message. It was made without rows: it holds no value of any."""
    first = message.strip().splitlines()[0]
    first = re.sub(r"^[A-Za-z ]+ Error: ", "", first).split(" You might need")[0].split(" Use TRY(")[0]
    return re.sub(r"\bc\d+(?:_\d+)*\b", lambda match: names.get(match[0], match[0]), first)[:300].rstrip(". ")


def declared_type(data_type: pa.DataType) -> pa.DataType:
    """The Arrow type that a column of the engine's type is declared as: plain text and lists, standard field names."""
    if pat.is_string_view(data_type):
        return pa.string()
    if pat.is_binary_view(data_type):
        return pa.binary()
    if pat.is_map(data_type):
        return pa.map_(declared_type(data_type.key_type), declared_type(data_type.item_type))
    if pat.is_fixed_size_list(data_type):
        return pa.list_(declared_type(data_type.value_type), data_type.list_size)
    if pat.is_list(data_type) or pat.is_large_list(data_type) or pat.is_list_view(data_type):
        return pa.list_(declared_type(data_type.value_type))
    if pat.is_struct(data_type):
        return pa.struct([pa.field(child.name, declared_type(child.type)) for child in data_type])
    return data_type


_CAST_IT = "cast it, as in CAST(... AS BIGINT) or CAST(... AS DECIMAL(18, 2))"


def unwritable(engine_type: str) -> str:
    """What to do about a result type that Arrow does not hold without loss; empty for one that it does."""
    kind = engine_type.strip('"').upper()
    if "HUGEINT" in kind or "BIGNUM" in kind:
        return _CAST_IT
    if kind == "NULL" or kind.startswith("NULL"):
        return "cast it to the type that it shall have, as in CAST(NULL AS VARCHAR)"
    if "INTERVAL" in kind:
        return "add it to a time, or use date_diff('second', start, end)"
    return _CAST_IT if any(word in kind for word in ("ENUM", "UUID", "BIT[", "TIME WITH TIME ZONE", "UNION")) else ""


def broken_engine(error: Exception, where: str) -> BlocksError:
    """The error of an engine that failed for another reason than a value; without its words, which may hold values."""
    return BlocksError(
        f"the engine failed ({type(error).__name__})",
        where=where,
        fix="see whether memory ran out; otherwise report the expression and the schema",
    )
