"""Batches on their way to the SQL service and back: only the columns that a query reads, in the types of the wire.

On the wire a column has the Arrow type of its SQL type (`blocks.sql.types`), and a TIMESTAMP is timestamp[ms, UTC],
because Beam's Calcite knows no finer time. What is finer is cut toward minus infinity; a TIME crosses in microseconds
and is cut on the other side. A batch is one Arrow IPC message
without its schema, which both sides know from the plan.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import nested, wire
from blocks.core.errors import BatchTypeError, RejectedRecordError
from blocks.core.labels import children, with_children
from blocks.sql.types import SqlType, from_arrow, to_arrow

_WIRE_TIME = pa.timestamp("ms", tz="UTC")
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}


def wire_schema(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """The schema of the messages of an input.

    Args:
      schema: of its batches.
      columns: that cross, in their order.

    Raises:
      UnsupportedTypeError: a column that Beam SQL cannot hold.
    """
    fields = (schema.field(name) for name in columns)
    return pa.schema([pa.field(field.name, wire_type(from_arrow(field)), field.nullable) for field in fields])


def wire_type(kind: SqlType) -> pa.DataType:
    """The Arrow type that a SQL type has on the wire."""
    return _in_milliseconds(to_arrow(kind))


def planned_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of the messages that come back, from what the planner is expected to give."""
    return pa.schema([pa.field(one.name, _in_milliseconds(loosened(one.type)), one.nullable) for one in schema])


def loosened(data_type: pa.DataType) -> pa.DataType:
    """The type with nulls everywhere below it but in keys of maps.

    Beam's planner takes elements of arrays for never null, whatever is in the data.
    """
    return with_children(
        data_type,
        [
            child.with_type(loosened(child.type)).with_nullable(child.nullable or suffix != "{key}")
            for suffix, child in children(data_type)
        ],
    )


def _in_milliseconds(data_type: pa.DataType) -> pa.DataType:
    if pat.is_timestamp(data_type):
        return _WIRE_TIME
    inner = [child.with_type(_in_milliseconds(child.type)) for _, child in children(data_type)]
    return with_children(data_type, inner)


class ToWire:
    """Makes a message of a batch.

    Args:
      schema: of the batches.
      columns: that cross.
    """

    def __init__(self, schema: pa.Schema, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._read = pa.schema([schema.field(name) for name in columns])
        self._plain = wire.wire_schema(self._read)
        self.schema = wire_schema(schema, columns)

    def __call__(self, batch: pa.RecordBatch) -> bytes:
        """The message.

        Raises:
          RejectedRecordError: a time that 64 bits of milliseconds cannot hold, with its column.
        """
        return bytes(self.batch(batch).serialize().to_pybytes())

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch in the types of the wire."""
        read = pa.RecordBatch.from_arrays([batch.column(name) for name in self._columns], schema=self._read)
        if self._plain is not self._read:
            read = wire.convert(read, self._plain)
        columns = [
            _column(column, field.type, f"column `{field.name}`")
            for column, field in zip(read.columns, self.schema, strict=True)
        ]
        # Without columns, or with none that needed a change, the number of rows is the batch's.
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


class FromWire:
    """Makes a batch of a message.

    Args:
      planned: schema of the messages; their columns are those of the output, by position.
      output: schema of the batches.
    """

    def __init__(self, planned: pa.Schema, output: pa.Schema) -> None:
        self._planned, self._output = planned, output
        self._plain = wire.wire_schema(output)

    def __call__(self, message: bytes) -> pa.RecordBatch:
        """The batch.

        Raises:
          BatchTypeError: a null where the output has none; the query's check and its engine do not agree.
        """
        given = pa.ipc.read_record_batch(pa.py_buffer(message), self._planned)
        columns = []
        for column, field in zip(given.columns, self._plain, strict=True):
            if column.null_count and not field.nullable:
                raise BatchTypeError(
                    f"column `{field.name}` came back with a null, and the check of the query says that it has none",
                    where="RunSql",
                    fix="write COALESCE around it, and tell us the query: this is a mistake of the library",
                )
            columns.append(_column(column, field.type, f"column `{field.name}` of the output"))
        batch = pa.RecordBatch.from_arrays(columns, schema=self._plain)
        return batch if self._plain is self._output else wire.convert(batch, self._output)


def _column(array: pa.Array, data_type: pa.DataType, where: str) -> pa.Array:
    try:
        return converted(array, data_type)
    except pa.ArrowInvalid:
        # Arrow's message shows the value.
        pass
    raise RejectedRecordError(
        f"a value does not fit {data_type}",
        where=f"RunSql, {where}",
        fix="reject such rows before, with CheckRows or FilterRows",
    )


def converted(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    """The array as another type of the same SQL type; times are cut toward minus infinity.

    Raises:
      pyarrow.ArrowInvalid: a value that does not fit.
    """
    if array.type.equals(data_type):
        return array
    if pat.is_timestamp(data_type):
        return _time(array, data_type)
    if not nested.is_nested(data_type):
        return array.cast(data_type)
    if pat.is_fixed_size_list(data_type):
        plain = pa.list_(data_type.value_field)
        return converted(array, plain).cast(data_type)
    below = [child.type for _, child in children(data_type)]
    return nested.map_children(array, data_type, lambda place, child: converted(child, below[place]))


def _time(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    # Arrow's own rounding works on local time, and its cast cuts toward zero.
    numbers = array.cast(pa.int64())
    have, want = _PER_SECOND[array.type.unit], _PER_SECOND[data_type.unit]
    if have < want:
        numbers = pc.multiply_checked(numbers, want // have)
    elif have > want:
        step = have // want
        whole = pc.divide(numbers, step)
        numbers = pc.subtract(whole, pc.less(numbers, pc.multiply(whole, step)).cast(pa.int64()))
    return numbers.cast(data_type)


def is_finer(data_type: pa.DataType) -> bool:
    """Whether a type has, at any depth, times that the wire does not hold exactly."""
    if pat.is_timestamp(data_type) or pat.is_time64(data_type):
        return bool(data_type.unit in ("us", "ns"))
    return any(is_finer(child.type) for _, child in children(data_type))
