"""Event time between Arrow (a timestamp column) and Beam (an element's timestamp)."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp

from blocks.core.errors import SchemaError

EVENT_TIME_TYPE = pa.timestamp("us", tz="UTC")


def micros(column: pa.Array) -> pa.Array:
    """A timestamp column as int64 microseconds since the epoch, rounded down; nulls stay."""
    return pc.floor_temporal(column, unit="microsecond").cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())


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
        from blocks.core.errors import ColumnError, unknown_column

        problem = unknown_column(name, schema.names)
        raise ColumnError(problem.what, where=where, fix=problem.fix)
    data_type = schema.field(position).type
    if not pat.is_timestamp(data_type) or data_type.tz is None:
        raise SchemaError(
            f"the event time `{name}` is {data_type}",
            where=where,
            fix="make it timestamp[us, tz=UTC]; a time without a zone is not an instant",
        )
