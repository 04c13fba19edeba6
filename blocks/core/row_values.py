"""Values of Arrow columns as values of Beam rows, and back; the types are in `row_types.py`.

One Python object a value: rows are for where one row must meet another. No error shows a value, in its text or its
chain of causes.
"""

import datetime
import decimal
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from apache_beam.pvalue import Row
from apache_beam.utils.timestamp import Timestamp

from blocks.core import nested, wire
from blocks.core.errors import RejectedRecordError, SchemaError
from blocks.core.labels import children, is_list
from blocks.core.masks.base import is_bytes, is_text
from blocks.core.times import micros

Convert = Callable[[Any], Any]

# Beam's decimal coder works in a context of this many digits and rounds what is longer.
_BEAM_DIGITS = decimal.Context(prec=28)
_MOST_SINGLE = 3.4028235677973366e38  # the least number that rounds to infinity in 32 bits
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class _CannotHoldError(ValueError):
    """A value that the other side cannot hold; the text is fit to be shown."""


def row_maker(schema: pa.Schema, where: str) -> Callable[[pa.RecordBatch], Iterator[Row]]:
    """The function from a batch to beam.Rows.

    Args:
      schema: of the batches; `row_type_of` takes it.
      where: the block, for errors.

    Raises:
      RejectedRecordError: (by the function) a decimal of more than 28 digits, a map with a key twice, a date outside of
        the years 1 to 9999; with the column's name.
    """
    names = schema.names
    converts = [_value_to_beam(field.type) for field in schema]

    def column_values(name: str, column: pa.Array, convert: Convert | None) -> list[Any]:
        try:
            values = _numbered(column).to_pylist()
            return values if convert is None else [None if value is None else convert(value) for value in values]
        except _CannotHoldError as cause:
            what = str(cause)
        except (ValueError, OverflowError, pa.ArrowException):
            what = f"Python cannot hold a value of {column.type}"
        raise RejectedRecordError(what, where=f"{where}: field `{name}`", fix="cast or filter the column before")

    def rows(batch: pa.RecordBatch) -> Iterator[Row]:
        columns = [
            column_values(name, column, convert)
            for name, column, convert in zip(names, batch.columns, converts, strict=True)
        ]
        for values in zip(*columns, strict=True):
            row = Row()
            # Row(**fields) would not take a column of the name `self`.
            row.__dict__.update(zip(names, values, strict=True))
            yield row

    return rows


def _numbered(array: pa.Array) -> pa.Array:
    """The array with timestamps at any depth as int64 microseconds: Python's datetimes end at the year 9999."""
    if pat.is_timestamp(array.type):
        return micros(array)
    if _any_timestamp(array.type):
        return nested.map_children(array, _numbered_type(array.type), lambda _, child: _numbered(child))
    return array


def _numbered_type(data_type: pa.DataType) -> pa.DataType:
    if pat.is_timestamp(data_type):
        return pa.int64()
    if not _any_timestamp(data_type):
        return data_type
    fields = [child.with_type(_numbered_type(child.type)) for _, child in children(data_type)]
    if pat.is_struct(data_type):
        return pa.struct(fields)
    if pat.is_map(data_type):
        return pa.map_(*fields)
    wide = pat.is_large_list(data_type) or pat.is_large_list_view(data_type)
    return pa.large_list(fields[0]) if wide else pa.list_(fields[0])


def _any_timestamp(data_type: pa.DataType) -> bool:
    return pat.is_timestamp(data_type) or any(_any_timestamp(child.type) for _, child in children(data_type))


def _value_to_beam(data_type: pa.DataType) -> Convert | None:
    """What turns a value of `_numbered(...).to_pylist()` into Beam's; None where it is the same."""
    if pat.is_timestamp(data_type):
        return lambda value: Timestamp(micros=value)
    if pat.is_decimal(data_type) and (data_type.precision > _BEAM_DIGITS.prec or data_type.scale < 0):
        return _short_decimal
    if pat.is_struct(data_type):
        return _struct_to_beam([(child.name, _value_to_beam(child.type) or _same) for child in data_type])
    if pat.is_map(data_type):
        return _map_to_beam(_value_to_beam(data_type.key_type) or _same, _value_to_beam(data_type.item_type) or _same)
    if is_list(data_type):
        inner = _value_to_beam(data_type.value_type)
        return None if inner is None else lambda value: [None if one is None else inner(one) for one in value]
    return None


def _short_decimal(value: decimal.Decimal) -> decimal.Decimal:
    if _BEAM_DIGITS.plus(value) != value:
        raise _CannotHoldError(f"a decimal has more than {_BEAM_DIGITS.prec} digits, which Beam's coder would round")
    return value


def _struct_to_beam(parts: list[tuple[str, Convert]]) -> Convert:
    def convert(value: dict[str, Any]) -> Row:
        row = Row()
        row.__dict__.update((name, None if value[name] is None else one(value[name])) for name, one in parts)
        return row

    return convert


def _map_to_beam(key: Convert, item: Convert) -> Convert:
    def convert(value: list[tuple[Any, Any]]) -> dict[Any, Any]:
        entries = {key(k): None if v is None else item(v) for k, v in value}
        if len(entries) < len(value):
            raise _CannotHoldError("a map holds a key twice, and Beam's rows hold each key once")
        return entries

    return convert


def batch_maker(schema: pa.Schema, where: str) -> Callable[[Sequence[Any]], pa.RecordBatch]:
    """The function from rows (beam.Row, NamedTuple, dataclass) to a batch.

    Args:
      schema: of the batch; no dictionaries.
      where: the block, for errors.

    Raises:
      SchemaError: (by the function) a row without a field, a value that does not fit its column (a fraction for an
        integer, a time without a zone, too many digits), a null where the schema has none; with the column's name.
    """
    converts = [_column_maker(field, where) for field in schema]
    return lambda rows: pa.RecordBatch.from_arrays([convert(rows) for convert in converts], schema=schema)


def _column_maker(field: pa.Field, where: str) -> Callable[[Sequence[Any]], pa.Array]:
    convert, name = _or_none(_value_from_beam(field.type)), field.name
    at = f"{where}: field `{name}`"
    required = _has_required(field)

    def column(rows: Sequence[Any]) -> pa.Array:
        try:
            array = pa.array([convert(getattr(row, name)) for row in rows], field.type)
        except (pa.ArrowException, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as cause:
            # Arrow's message shows the value: it must not be the context of ours, so ours is raised outside.
            failure = type(cause).__name__
        else:
            if required and (path := required_null(array, field, name)):
                fix = "declare it nullable, or fill it before"
                raise SchemaError("null in a column that is not nullable", where=f"{where}: field `{path}`", fix=fix)
            return array
        if lacking := next((row for row in rows if not hasattr(row, name)), None):
            fix = "give it, null if need be; rows are beam.Row, NamedTuples or dataclasses"
            raise SchemaError(f"a row ({type(lacking).__name__}) does not have this field", where=at, fix=fix)
        fix = "convert it before, or declare another type"
        raise SchemaError(f"a value does not fit {field.type} ({failure})", where=at, fix=fix)

    return column


def _or_none(convert: Convert | None) -> Convert:
    return _same if convert is None else lambda value: None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value


def _value_from_beam(data_type: pa.DataType) -> Convert | None:
    """What turns a value into one that `pa.array` takes, or raises; None where Arrow itself is strict enough."""
    if pat.is_timestamp(data_type):
        return _time_in(data_type.unit)
    if pat.is_integer(data_type):
        return _integer
    if pat.is_float32(data_type):
        return _single
    if pat.is_date(data_type):
        return _date
    if pat.is_decimal(data_type):
        return _decimal
    if is_text(data_type):
        return _instance_of(str)
    if is_bytes(data_type):
        return _instance_of((bytes, bytearray, memoryview))
    if pat.is_struct(data_type):
        return _struct_from_beam([(child.name, _or_none(_value_from_beam(child.type))) for child in data_type])
    if pat.is_map(data_type):
        key, item = _or_none(_value_from_beam(data_type.key_type)), _or_none(_value_from_beam(data_type.item_type))
        return lambda value: [(key(k), item(v)) for k, v in (value.items() if isinstance(value, Mapping) else value)]
    if is_list(data_type):
        return _list_from_beam(_or_none(_value_from_beam(data_type.value_type)))
    return None


def _time_in(unit: str) -> Convert:
    nanos = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]

    def convert(value: Any) -> int:
        if isinstance(value, Timestamp):
            moment = value.micros
        elif isinstance(value, datetime.datetime) and value.tzinfo is not None:
            moment = (value - _EPOCH) // _MICROSECOND
        else:
            raise TypeError("a number, or a time without a zone, is not an instant")
        whole, rest = divmod(moment * 1000 + getattr(value, "nanosecond", 0), nanos)
        if rest:
            raise ValueError(f"finer than {unit}")
        return whole

    return convert


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    # Arrow would cut off a fraction.
    return operator.index(value)


def _single(value: Any) -> Any:
    if math.isfinite(value) and abs(value) >= _MOST_SINGLE:
        raise OverflowError("infinite in 32 bits")
    return value


def _date(value: Any) -> datetime.date:
    # A datetime is a date, and Arrow would cut off its time.
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise TypeError("not a date")
    return value


def _decimal(value: Any) -> decimal.Decimal:
    if isinstance(value, decimal.Decimal):
        return value
    if isinstance(value, str):
        raise TypeError("text")
    # The shortest text of a float is what people mean by it.
    return decimal.Decimal(str(value))


def _instance_of(kind: type | tuple[type, ...]) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError("text and bytes are not the same")
        return value

    return convert


def _struct_from_beam(parts: list[tuple[str, Convert]]) -> Convert:
    def convert(value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping):
            return {name: one(value[name]) for name, one in parts}
        return {name: one(getattr(value, name)) for name, one in parts}

    return convert


def _list_from_beam(inner: Convert) -> Convert:
    def convert(value: Any) -> list[Any]:
        if isinstance(value, str | bytes):
            raise TypeError("text is not a list")
        return [inner(one) for one in value]

    return convert


def _has_required(field: pa.Field) -> bool:
    below = [child for _, child in children(field.type)]
    return not field.nullable or any(map(_has_required, below))


def required_null(array: pa.Array, field: pa.Field, path: str) -> str:
    """The path of a field, at any depth, that is not nullable and has a null; empty if there is none.

    Args:
      array: any slice.
      field: its field, which says what is nullable.
      path: of the field, such as `user`.
    """
    if array.null_count and not field.nullable:
        return path
    array = nested.plain(array)
    below = children(field.type)
    if pat.is_struct(array.type):
        # A child of a null struct is null and need not be there.
        parts = nested.struct_children(wire.drop_null(array) if array.null_count else array)
    elif pat.is_map(array.type):
        entries = nested.list_parts(array)[1]
        parts = [entries.field(0), entries.field(1)]
    else:
        parts = [nested.list_parts(array)[1]] if below else []
    found = (required_null(part, child, path + end) for part, (end, child) in zip(parts, below, strict=True))
    return next(filter(None, found), "")
