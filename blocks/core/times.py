"""Event time between Arrow (a timestamp column) and Beam (an element's timestamp)."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp

from blocks.core.errors import ColumnError, RejectedRecordError, SchemaError, unknown_column

_PER_UNIT = {"s": 1_000_000, "ms": 1_000}


def micros(column: pa.Array) -> pa.Array:
    """A timestamp column as int64 microseconds since the epoch, rounded down; nulls stay.

    Raises:
      RejectedRecordError: a time that microseconds cannot hold (beyond about the year 294,000).
    """
    # Arrow's own rounding works on local time, which fails in the hour that a change of the clock repeats.
    numbers, unit = column.cast(pa.int64()), column.type.unit
    if unit == "ns":
        whole = pc.divide(numbers, 1000)
        return pc.subtract(whole, pc.less(numbers, pc.multiply(whole, 1000)).cast(pa.int64()))
    if unit == "us":
        return numbers
    fits = True
    try:
        numbers = pc.multiply_checked(numbers, _PER_UNIT[unit])
    except pa.ArrowInvalid:
        fits = False
    if not fits:
        raise RejectedRecordError(
            "a time is outside of what 64 bits of microseconds can hold",
            where=f"a column of {column.type}",
            fix="reject such records where they are read",
        )
    return numbers


def earliest(batch: pa.RecordBatch, event_time: str | None) -> Timestamp | None:
    """The earliest event time in a batch as Beam's timestamp, or None without the column or without a value."""
    if event_time is None or batch.num_rows == 0:
        return None
    first = pc.min(batch.column(event_time))
    return to_beam(first) if first.is_valid else None


def to_beam(value: pa.Scalar) -> Timestamp:
    """An Arrow timestamp as Beam's, within the range that Beam has."""
    moment = micros(pa.array([value], value.type))[0].as_py()
    return min(max(Timestamp(micros=moment), MIN_TIMESTAMP), MAX_TIMESTAMP)


def check_event_time(schema: pa.Schema, name: str, where: str) -> None:
    """Refuses an event-time column that is not there or is not a timestamp with a time zone.

    Raises:
      SchemaError: with the column and its type.
    """
    position = schema.get_field_index(name)
    if position < 0:
        problem = unknown_column(name, schema.names)
        raise ColumnError(problem.what, where=where, fix=problem.fix)
    data_type = schema.field(position).type
    if not pat.is_timestamp(data_type) or data_type.tz is None:
        raise SchemaError(
            f"the event time `{name}` is {data_type}",
            where=where,
            fix="make it timestamp[us, tz=UTC]; a time without a zone is not an instant",
        )
