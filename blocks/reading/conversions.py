"""From parsed arrays to the arrays of the schema: text to times and bytes, epochs, and what must not be null.

Each function marks the rows in which something does not fit instead of raising, so that one record cannot fail its
block.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blocks.core import labels, nested
from blocks.core.masks.base import by_distinct
from blocks.reading.json_plan import Node

# True where an element, or something below it, does not fit; None where all do.
Failed = np.ndarray[Any, np.dtype[np.bool_]] | None
Converted = tuple[pa.Array, Failed]

_RFC_3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:([Zz])|([+-])(\d{2}):?(\d{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


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
    by_kind: dict[str, Callable[[Node], Callable[[pa.Array], Converted]]] = {
        "timestamp": _timestamp,
        "epoch": _epoch,
        "date": _text_cast,
        "time": _text_cast,
        "binary": _binary,
    }
    if node.kind in by_kind:
        return by_kind[node.kind](node)
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
        return nested.rebuild_list(array, result, pa.list_(result.type)), failed

    return lists


def _checked(array: pa.Array, result: pa.Array) -> Converted:
    """The result, failed where it is null and the input is not."""
    if result.null_count == array.null_count:
        return result, None
    return result, np.asarray(pc.and_(result.is_null(), array.is_valid()).to_numpy(zero_copy_only=False))


def _timestamp(node: Node) -> Callable[[pa.Array], Converted]:
    data_type = node.field.type

    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([parse_rfc_3339(value, data_type) for value in values], pa.int64()).cast(data_type)

    def timestamps(array: pa.Array) -> Converted:
        # Arrow reads text without a zone as UTC; only text that ends in Z is sure to have one.
        zoned = data_type.tz is not None and pc.all(pc.ends_with(array, "Z"), skip_nulls=True).as_py() is not False
        if zoned:
            try:
                return array.cast(data_type), None
            except pa.ArrowInvalid:
                pass
        return _checked(array, by_distinct(array, one_by_one))

    return timestamps


def parse_rfc_3339(text: str, data_type: pa.DataType) -> int | None:
    """An RFC 3339 time in the unit of a timestamp type, or None.

    More digits than the unit has are cut off. A second 60 is the next second. A type with a time zone needs an offset in
    the text, a type without one refuses it.
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
        seconds = (moment - _EPOCH) // timedelta(seconds=1) + leap
    except (ValueError, OverflowError):
        return None
    per_second = _PER_SECOND[data_type.unit]
    fraction = int(((match[7] or "") + "000000000")[:9]) * per_second // 10**9
    result = seconds * per_second + (0 if leap else fraction)
    return result if -(1 << 63) < result < 1 << 63 else None


def _epoch(node: Node) -> Callable[[pa.Array], Converted]:
    data_type = node.field.type
    unit = labels.get(node.field, labels.EPOCH) or "s"
    # Both are powers of ten: only one of them is not 1.
    factor = max(_PER_SECOND[data_type.unit] // _PER_SECOND[unit], 1)
    divisor = max(_PER_SECOND[unit] // _PER_SECOND[data_type.unit], 1)

    def epoch(array: pa.Array) -> Converted:
        # Fractions: Python's decimals, because Arrow's multiply widens past 38 digits. Rounded down, also before 1970.
        scaled = [None if value is None else math.floor(value * factor / divisor) for value in array.to_pylist()]
        inside = [value if value is not None and abs(value) < 1 << 63 else None for value in scaled]
        return _checked(array, pa.array(inside, pa.int64()).cast(data_type))

    def fast(array: pa.Array) -> Converted:
        try:
            # Whole numbers: exact integer arithmetic in Arrow.
            whole = array.cast(pa.int64())
            if divisor == 1:
                return pc.multiply_checked(whole, factor).cast(data_type), None
        except pa.ArrowInvalid:
            pass
        return epoch(array)

    return fast


def _text_cast(node: Node) -> Callable[[pa.Array], Converted]:
    data_type = node.field.type

    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([_cast_one(value, data_type) for value in values], data_type)

    def cast(array: pa.Array) -> Converted:
        try:
            return array.cast(data_type), None
        except pa.ArrowInvalid:
            return _checked(array, by_distinct(array, one_by_one))

    return cast


def _cast_one(text: str, data_type: pa.DataType) -> date | Any:
    try:
        return pa.scalar(text).cast(data_type).as_py()
    except pa.ArrowInvalid:
        return None


def _binary(node: Node) -> Callable[[pa.Array], Converted]:
    data_type = node.field.type

    def decode(text: str) -> bytes | None:
        try:
            found = base64.b64decode(text, validate=True)
            return pa.scalar(found, data_type).as_py()
        except (binascii.Error, ValueError, pa.ArrowInvalid):
            return None

    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([decode(value) for value in values], data_type)

    return lambda array: _checked(array, by_distinct(array, one_by_one))
