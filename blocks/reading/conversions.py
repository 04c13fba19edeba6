"""From parsed arrays to the arrays of the schema: text to times and bytes, epochs, and what must not be null.

Each function marks the rows in which something does not fit instead of raising, so that one record cannot fail its
block.
"""

import base64
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.masks.base import by_distinct
from blocks.reading.json_plan import EPOCH_TYPE, Node

# True where an element, or something below it, does not fit; None where all do.
Failed = np.ndarray[Any, np.dtype[np.bool_]] | None
Converted = tuple[pa.Array, Failed]

_RFC_3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2}))?"
)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The years 1 to 9999: what RFC 3339 can write, and what Python and most warehouses can hold.
_FIRST_SECOND = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_END_SECOND = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) + 86_400
_DAY = 86_400
# Arrow also takes times without minutes; shorter texts than these may be such.
_LEAST = {"zoned": len("2026-01-31T10:11Z"), "local": len("2026-01-31T10:11"), "time": len("10:11")}
# Below this many values, one by one is no slower than cutting on.
_FEW = 32
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def converter(node: Node) -> Callable[[pa.Array], Converted]:
    """The function that makes a node's array from the parsed one; nodes with maps are assembled elsewhere."""
    made = _converter(node)
    if not node.required:
        return made

    def required(array: pa.Array) -> Converted:
        result, failed = made(array)
        return result, either(failed, _nulls(result))

    return required


def either(one: Failed, other: Failed) -> Failed:
    """Where one or the other failed."""
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _nulls(array: pa.Array) -> Failed:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False)) if array.null_count else None


def _converter(node: Node) -> Callable[[pa.Array], Converted]:
    if not node.converts:
        return lambda array: (array, None)
    if node.kind == "struct":
        return _struct(node)
    if node.kind == "list":
        return _list(node)
    if node.kind == "map":
        # Its values were checked when it was read.
        return lambda array: (array, None)
    by_kind: dict[str, Callable[[pa.DataType], Callable[[pa.Array], Converted]]] = {
        "timestamp": _timestamp,
        "date": _date,
        "time": _time,
        "binary": _binary,
        "decimal": _decimal,
        "float": _float,
    }
    if node.kind == "epoch":
        return _epoch(node)
    if node.kind in by_kind:
        return by_kind[node.kind](node.field.type)
    data_type = node.field.type
    return lambda array: (array.cast(data_type), None)


def _struct(node: Node) -> Callable[[pa.Array], Converted]:
    converts = [converter(child) for child in node.children]
    fields = list(node.field.type)

    def struct(array: pa.Array) -> Converted:
        valid = None if not array.null_count else ~np.asarray(array.is_null().to_numpy(zero_copy_only=False))
        parts, failed = [], None
        for convert, child in zip(converts, nested.struct_children(array), strict=True):
            part, wrong = convert(child)
            parts.append(part)
            # A field that must be there may be missing where the struct itself is.
            failed = either(failed, wrong if valid is None or wrong is None else wrong & valid)
        return nested.rebuild_struct(array, parts, fields), failed

    return struct


def _list(node: Node) -> Callable[[pa.Array], Converted]:
    (item,) = node.children
    convert = converter(item)
    data_type = node.field.type

    def lists(array: pa.Array) -> Converted:
        offsets, values = nested.list_parts(array)
        result, wrong = convert(values)
        if wrong is None:
            return nested.rebuild_list(array, result, data_type), None
        lengths = np.diff(offsets.to_numpy())
        failed = np.zeros(len(array), np.bool_)
        failed[np.repeat(np.arange(len(array)), lengths)[wrong]] = True
        return nested.rebuild_list(array, result, data_type), failed

    return lists


def _checked(array: pa.Array, result: pa.Array) -> Converted:
    """The result, failed where it is null and the input is not."""
    if result.null_count == array.null_count:
        return result, None
    return result, np.asarray(pc.and_(result.is_null(), array.is_valid()).to_numpy(zero_copy_only=False))


def _outside(array: pa.Array, least: int, most: int) -> Failed:
    """Where integers (or what is stored as such) are below or above."""
    numbers = array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64())
    bounds = pc.min_max(numbers)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    if low is None or (low >= least and high <= most):
        return None
    wrong = pc.or_(pc.less(numbers, least), pc.greater(numbers, most))
    return np.asarray(pc.fill_null(wrong, False).to_numpy(zero_copy_only=False))


def _calendar(converted: Converted) -> Converted:
    """Fails times outside the years 1 to 9999."""
    array, failed = converted
    if pat.is_timestamp(array.type) and array.type.unit == "ns":
        # 64 bits of nanoseconds reach from 1677 to 2262.
        return converted
    if pat.is_date32(array.type):
        return array, either(failed, _outside(array, _FIRST_SECOND // _DAY, _END_SECOND // _DAY - 1))
    per_second = 10 ** _DIGITS[array.type.unit]
    return array, either(failed, _outside(array, _FIRST_SECOND * per_second, _END_SECOND * per_second - 1))


def _timestamp(data_type: pa.DataType) -> Callable[[pa.Array], Converted]:
    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([parse_rfc_3339(value, data_type) for value in values], pa.int64()).cast(data_type)

    def cast(array: pa.Array) -> pa.Array:
        return array.cast(data_type)

    def timestamps(array: pa.Array) -> Converted:
        sure = pc.fill_null(_arrow_reads(array, data_type.tz is not None), True)
        if pc.all(sure).as_py() is not False:
            return _calendar(_checked(array, _in_parts(array, cast, one_by_one)))
        nothing = pa.scalar(None, array.type)
        fast = _in_parts(pc.if_else(sure, array, nothing), cast, one_by_one)
        slow = by_distinct(pc.if_else(sure, nothing, array), one_by_one)
        return _calendar(_checked(array, pc.coalesce(fast, slow)))

    return timestamps


def _arrow_reads(array: pa.Array, zoned: bool) -> pa.Array:
    """Where Arrow's cast takes a text only if `parse_rfc_3339` does, and to the same value."""
    long_enough = pc.greater_equal(pc.binary_length(array), _LEAST["zoned" if zoned else "local"])
    if not zoned:
        return long_enough
    # Arrow reads text without a zone as UTC; text that ends in Z or an offset is sure to have one.
    ends = pc.ends_with(array, "Z")
    if pc.all(ends).as_py() is False:
        ends = pc.or_(ends, pc.match_substring_regex(array, r"T\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:[0-5]\d$"))
    return pc.and_(ends, long_enough)


def _in_parts(
    array: pa.Array, fast: Callable[[pa.Array], pa.Array], slowly: Callable[[list[Any]], pa.Array]
) -> pa.Array:
    """`fast` on all, and `slowly` for the few values on which it fails."""
    try:
        return fast(array)
    except pa.ArrowInvalid:
        if len(array) < _FEW:
            return by_distinct(array, slowly)
    middle = len(array) // 2
    return pa.concat_arrays([_in_parts(part, fast, slowly) for part in (array[:middle], array[middle:])])


def parse_rfc_3339(text: str, data_type: pa.DataType) -> int | None:
    """An RFC 3339 time in the unit of a timestamp type, or None.

    More digits than the unit has are cut off. A second 60 is the next second. A type with a time zone needs an
    offset in the text, a type without one refuses it. The result lies in the years 1 to 9999, UTC.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None or bool(match[8] or match[9]) != (data_type.tz is not None):
        return None
    year, month, day, hour, minute, second = (int(match[part] or 0) for part in range(1, 7))
    leap = second == 60
    offset = timedelta(hours=int(match[10] or 0), minutes=int(match[11] or 0)) * (-1 if match[9] == "-" else 1)
    if int(match[11] or 0) > 59:
        return None
    try:
        zone = timezone(offset)
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=zone)
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // timedelta(seconds=1) + leap
    if not _FIRST_SECOND <= seconds < _END_SECOND:
        return None
    result = seconds * 10 ** _DIGITS[data_type.unit] + (0 if leap else _fraction(match[7], data_type))
    return result if -(1 << 63) < result < 1 << 63 else None


def _fraction(digits: str | None, data_type: pa.DataType) -> int:
    """Digits after the point in the unit of a type, cut off."""
    return int(((digits or "") + "000000000")[: _DIGITS[data_type.unit]] or 0)


def parse_time(text: str, data_type: pa.DataType) -> int | None:
    """A time of day (`10:11:12.5`) in the unit of a time type, cut off to it, or None."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = (int(match[part] or 0) for part in range(1, 4))
    if hour > 23 or minute > 59 or second > 59:
        return None
    seconds = hour * 3600 + minute * 60 + second
    return seconds * 10 ** _DIGITS[data_type.unit] + _fraction(match[4], data_type)


def parse_date(text: str) -> int | None:
    """A date (`2026-01-31`) in days since 1970, or None."""
    match = _DATE.fullmatch(text)
    try:
        return None if match is None else date(*map(int, match.groups())).toordinal() - _EPOCH.toordinal()
    except ValueError:
        return None


def _date(data_type: pa.DataType) -> Callable[[pa.Array], Converted]:
    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([parse_date(value) for value in values], pa.int32()).cast(data_type)

    return lambda array: _calendar(_checked(array, _in_parts(array, lambda part: part.cast(data_type), one_by_one)))


def _time(data_type: pa.DataType) -> Callable[[pa.Array], Converted]:
    counts = pa.int32() if pat.is_time32(data_type) else pa.int64()

    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([parse_time(value, data_type) for value in values], counts).cast(data_type)

    def cast(array: pa.Array) -> pa.Array:
        # Arrow reads no times of day, but moments.
        moments = pc.binary_join_element_wise("1970-01-01T", array, "").cast(pa.timestamp(data_type.unit))
        return moments.cast(data_type)

    def times(array: pa.Array) -> Converted:
        short = pc.any(pc.less(pc.binary_length(array), _LEAST["time"])).as_py()
        return _checked(array, by_distinct(array, one_by_one) if short else _in_parts(array, cast, one_by_one))

    return times


def epoch_times(node: Node) -> Callable[[pa.Array], pa.Array]:
    """The function from numbers (`EPOCH_TYPE`) to timestamps, rounded down, also before 1970; null where too large."""
    data_type = node.field.type
    unit = labels.get(node.field, labels.EPOCH) or "s"
    # Units are powers of ten apart: the same digits with the point elsewhere.
    moved = pa.decimal128(38, EPOCH_TYPE.scale + _DIGITS[unit] - _DIGITS[data_type.unit])

    def cast(array: pa.Array) -> pa.Array:
        return pc.floor(array).cast(pa.int64())

    def one_by_one(values: list[Any]) -> pa.Array:
        whole = [math.floor(value) for value in values]
        return pa.array([value if abs(value) < 1 << 63 else None for value in whole], pa.int64())

    def times(array: pa.Array) -> pa.Array:
        shifted = pa.Array.from_buffers(moved, len(array), array.buffers(), array.null_count, array.offset)
        result, failed = _calendar((_in_parts(shifted, cast, one_by_one).cast(data_type), None))
        return result if failed is None else pc.if_else(pa.array(failed), pa.scalar(None, data_type), result)

    return times


def _epoch(node: Node) -> Callable[[pa.Array], Converted]:
    times = epoch_times(node)
    return lambda array: _checked(array, times(array))


def _decimal(data_type: pa.DataType) -> Callable[[pa.Array], Converted]:
    most = Decimal(10**data_type.precision - 1).scaleb(-data_type.scale, Context(prec=data_type.precision))
    least = most.copy_negate()

    def decimals(array: pa.Array) -> Converted:
        # Arrow's reader checks the digits as written, and then adds those of the scale.
        bounds = pc.min_max(array)
        low, high = bounds["min"].as_py(), bounds["max"].as_py()
        if low is None or (low >= least and high <= most):
            return array.cast(data_type), None
        top, bottom = pa.scalar(most, array.type), pa.scalar(least, array.type)
        wrong = pc.fill_null(pc.or_(pc.greater(array, top), pc.less(array, bottom)), False)
        fitting = pc.if_else(wrong, pa.scalar(None, array.type), array).cast(data_type)
        return fitting, np.asarray(wrong.to_numpy(zero_copy_only=False))

    return decimals


def infinite(array: pa.Array) -> Failed:
    """Where floats are infinite: numbers too large for them."""
    bounds = pc.min_max(array)
    if not any(math.isinf(bounds[name].as_py() or 0.0) for name in ("min", "max")):
        return None
    return np.asarray(pc.fill_null(pc.is_inf(array), False).to_numpy(zero_copy_only=False))


def _float(data_type: pa.DataType) -> Callable[[pa.Array], Converted]:
    return lambda array: (array, infinite(array))


def _binary(data_type: pa.DataType) -> Callable[[pa.Array], Converted]:
    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([decode(value) for value in values], data_type)

    def decode(text: str) -> bytes | None:
        try:
            return parse_base64(text, data_type)
        except ValueError:
            return None

    return lambda array: _checked(array, by_distinct(array, one_by_one))


def parse_base64(text: str, data_type: pa.DataType) -> bytes:
    """The bytes of a text in base64 (RFC 4648, section 4).

    Raises:
      ValueError: it is no base64, or of another length than a fixed one.
    """
    found = base64.b64decode(text, validate=True)
    if pat.is_fixed_size_binary(data_type) and len(found) != data_type.byte_width:
        raise ValueError
    return found
