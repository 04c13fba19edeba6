"""Values of a config as scalars of a column's type: `0`, `"9.99"`, `2026-01-01`, checked when a pipeline is built."""

import datetime
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.types as pat


class UnfitError(Exception):
    """A value that is none of the column's type; the text says what is expected."""


def typed_scalar(value: Any, data_type: pa.DataType) -> pa.Scalar:
    """A value as a scalar of a type, exactly: nothing is rounded.

    Args:
      value: a number, a boolean, a text, or what YAML makes of dates and times.
      data_type: of a column; a time without a zone, for a column with one, is UTC.

    Raises:
      UnfitError: with what is expected.
    """
    convert, expected = _converter(data_type)
    try:
        return pa.scalar(convert(value, data_type), data_type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, InvalidOperation):
        raise UnfitError(f"expected {expected}") from None


def takes_values(data_type: pa.DataType) -> bool:
    """Whether values of a type can be written in a config."""
    return _converter(data_type)[0] is not _nothing


def takes_bounds(data_type: pa.DataType) -> bool:
    """Whether values of a type have an order that people mean."""
    return takes_values(data_type) and not pat.is_boolean(data_type)


def is_text(data_type: pa.DataType) -> bool:
    """Whether it is any of Arrow's types of text."""
    return bool(pat.is_string(data_type) or pat.is_large_string(data_type) or pat.is_string_view(data_type))


def _converter(data_type: pa.DataType) -> tuple[Callable[[Any, pa.DataType], Any], str]:
    for fits, convert, expected in _CONVERTERS:
        if fits(data_type):
            return convert, expected
    return _nothing, f"no value: values of {data_type} cannot be written here"


def _nothing(value: Any, data_type: pa.DataType) -> Any:
    raise TypeError


def _of(*kinds: type) -> Callable[[Any, pa.DataType], Any]:
    def convert(value: Any, data_type: pa.DataType) -> Any:
        # A boolean is an int to Python, and a datetime a date.
        if type(value) not in kinds:
            raise TypeError
        return value

    return convert


def _float(value: Any, data_type: pa.DataType) -> float:
    number = float(_of(int, float)(value, data_type))
    if not math.isfinite(number) or (type(value) is int and int(number) != value):
        raise ValueError
    return number


def _decimal(value: Any, data_type: pa.DataType) -> Decimal:
    number = Decimal(repr(value)) if type(value) is float else Decimal(_of(int, str, Decimal)(value, data_type))
    digits = number.as_tuple()
    if not isinstance(digits.exponent, int):
        raise ValueError
    # Arrow takes a number with fewer digits after the point, and refuses to cut any.
    return number


def _date(value: Any, data_type: pa.DataType) -> datetime.date:
    if type(value) is str:
        return datetime.date.fromisoformat(value)
    found: datetime.date = _of(datetime.date)(value, data_type)
    return found


def _time(value: Any, data_type: pa.DataType) -> datetime.time:
    moment: datetime.time = (
        datetime.time.fromisoformat(value) if type(value) is str else _of(datetime.time)(value, data_type)
    )
    if moment.tzinfo is not None:
        raise ValueError
    return moment


def _timestamp(value: Any, data_type: pa.DataType) -> datetime.datetime:
    if type(value) is str:
        value = datetime.datetime.fromisoformat(value)
    elif type(value) is datetime.date:
        value = datetime.datetime(value.year, value.month, value.day)
    moment: datetime.datetime = _of(datetime.datetime)(value, data_type)
    if data_type.tz is None:
        if moment.tzinfo is not None:
            raise ValueError
        return moment
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)


_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any], str], ...] = (
    (pat.is_boolean, _of(bool), "true or false"),
    (pat.is_integer, _of(int), "a whole number that the type holds"),
    (lambda kind: pat.is_float32(kind) or pat.is_float64(kind), _float, "a finite number"),
    (pat.is_decimal, _decimal, "a decimal, as in 9.99, with no more digits than the type has"),
    (is_text, _of(str), "a text"),
    (pat.is_date, _date, "a date, as in 2026-01-31"),
    (pat.is_time, _time, "a time of day, as in 10:30:00"),
    (pat.is_timestamp, _timestamp, "a time, as in 2026-01-31T10:30:00Z (without a zone where the column has none)"),
)
