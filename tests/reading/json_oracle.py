"""How a JSON record is read against a schema, in plain Python and one value at a time: the oracle of the parser.

Times come out as counts of their unit, so that nanoseconds and all years compare exactly.
"""

import base64
import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<minute>\d\d:\d\d)(:(?P<second>\d\d)([.,](?P<part>\d+))?)?"
    r"(?P<zone>[Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_CLOCK = re.compile(r"\d\d:\d\d(:(?P<second>\d\d)([.,](?P<part>\d+))?)?", re.ASCII)
_FIRST, _END = -62135596800, 253402300800


class UnfitError(Exception):
    """The record does not fit."""


class Text(str):
    """A number as written."""


def read(line: bytes, schema: pa.Schema, strict: bool = False) -> dict[str, Any]:
    """The record as a row; raises UnfitError."""
    try:
        value = json.loads(
            line.decode("utf-8"),
            parse_float=Text,
            parse_int=Text,
            parse_constant=_refuse,
            object_pairs_hook=lambda pairs: ("object", pairs),
        )
    except (ValueError, RecursionError):
        raise UnfitError("no JSON") from None
    _no_lone_surrogates(value)
    if not _is_object(value):
        raise UnfitError("no object")
    return _fields(value, list(schema), strict)


def values(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """An Arrow array as values that compare with the oracle's."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in values(chunk)]
    if pat.is_temporal(array.type):
        return array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64()).to_pylist()
    valid = array.is_valid().to_pylist()
    if pat.is_struct(array.type):
        names = [child.name for child in array.type]
        columns = [values(array.field(number)) for number in range(len(names))]
        return [
            {name: column[row] for name, column in zip(names, columns, strict=True)} if there else None
            for row, there in enumerate(valid)
        ]
    if pat.is_map(array.type):
        keys, items = values(array.keys), values(array.items)
        return [
            list(zip(keys[start:stop], items[start:stop], strict=True)) if there else None
            for there, (start, stop) in zip(valid, _spans(array), strict=True)
        ]
    if pat.is_list(array.type) or pat.is_large_list(array.type):
        items = values(array.values)
        return [items[start:stop] if there else None for there, (start, stop) in zip(valid, _spans(array), strict=True)]
    return array.to_pylist()


def rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """A batch as rows that compare with the oracle's."""
    columns = {name: values(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    return [{name: column[number] for name, column in columns.items()} for number in range(batch.num_rows)]


def _spans(array: pa.Array) -> Iterator[tuple[int, int]]:
    offsets = array.offsets.to_pylist()
    return itertools.pairwise(offsets)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _is_object(value: Any) -> bool:
    return isinstance(value, tuple)


def _no_lone_surrogates(value: Any) -> None:
    if isinstance(value, str) and any(0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise UnfitError("surrogate")
    if isinstance(value, list):
        for item in value:
            _no_lone_surrogates(item)
    if _is_object(value):
        for name, item in value[1]:
            _no_lone_surrogates(name)
            _no_lone_surrogates(item)


def _fields(value: Any, fields: list[pa.Field], strict: bool) -> dict[str, Any]:
    names = [name for name, _ in value[1]]
    row = {}
    for field in fields:
        if names.count(field.name) > 1:
            raise UnfitError("twice")
        row[field.name] = _value(dict(value[1]).get(field.name), field, strict)
    if strict and set(names) - {field.name for field in fields}:
        raise UnfitError("unknown")
    return row


def _value(value: Any, field: pa.Field, strict: bool) -> Any:
    if value is None:
        if not field.nullable:
            raise UnfitError("null")
        return None
    kind = field.type
    if pat.is_struct(kind) or pat.is_map(kind):
        if not _is_object(value):
            raise UnfitError("no object")
        if pat.is_struct(kind):
            return _fields(value, list(kind), strict)
        if len({name for name, _ in value[1]}) < len(value[1]):
            raise UnfitError("twice")
        return [(name, _value(item, kind.item_field, strict)) for name, item in value[1]]
    if pat.is_list(kind) or pat.is_large_list(kind):
        if not isinstance(value, list):
            raise UnfitError("no list")
        return [_value(item, kind.value_field, strict) for item in value]
    return _leaf(value, field)


def _leaf(value: Any, field: pa.Field) -> Any:  # noqa: C901 - one case a type
    kind = field.type
    if pat.is_boolean(kind):
        return _of(value, bool)
    if pat.is_integer(kind):
        if not isinstance(value, Text) or not re.fullmatch(r"-?\d+", value) or len(value) > 40:
            raise UnfitError("no integer")
        bits = kind.bit_width
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if pat.is_signed_integer(kind) else (0, 2**bits)
        if not low <= int(value) < high:
            raise UnfitError("out of range")
        return int(value)
    if pat.is_floating(kind):
        if not isinstance(value, Text):
            raise UnfitError("no number")
        with np.errstate(over="ignore"):
            number = float(value) if pat.is_float64(kind) else float(np.float32(value))
        if np.isinf(number):
            raise UnfitError("too large")
        return number
    if pat.is_decimal(kind):
        number = _number(value)
        scaled = _scaled(number, kind.scale)
        if len(number.as_tuple().digits) > kind.precision:
            raise UnfitError("digits as written")
        if scaled != int(scaled) or abs(scaled) >= 10**kind.precision:
            raise UnfitError("digits")
        return number
    if pat.is_timestamp(kind):
        unit = (field.metadata or {}).get(b"blocks.epoch")
        return _moment(_of(value, str), kind) if unit is None else _epoch(value, unit.decode(), kind)
    text = _of(value, str)
    if pat.is_date(kind):
        return _date(text)
    if pat.is_time(kind):
        return _clock(text, kind)
    if pat.is_string(kind) or pat.is_large_string(kind):
        return text
    return _bytes(text, kind)


def _of(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise UnfitError("kind")
    return value


def _number(value: Any) -> Decimal:
    number = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    if not isinstance(value, str) or not re.fullmatch(number, value, re.ASCII):
        raise UnfitError("no number")
    exponent = re.search(r"[eE]([+-]?\d+)", value)
    if exponent and abs(int(exponent[1])) > 1000:
        raise UnfitError("exponent")
    return Decimal(value)


def _scaled(number: Decimal, scale: int) -> Decimal:
    with localcontext() as context:
        context.prec = 5000
        return number.scaleb(scale)


def _epoch(value: Any, unit: str, kind: Any) -> int:
    number = _number(value)
    if _scaled(number, 9) != int(_scaled(number, 9)) or len(number.as_tuple().digits) > 29:
        raise UnfitError("digits")
    with localcontext() as context:
        context.prec = 200
        count = int((number * UNITS[kind.unit] / UNITS[unit]).to_integral_value(ROUND_FLOOR))
    return _in_range(count, kind)


def _in_range(count: int, kind: Any) -> int:
    if not -(2**63) <= count < 2**63 or not _FIRST <= count // UNITS[kind.unit] < _END:
        raise UnfitError("out of range")
    return count


def _part(digits: str | None, kind: Any) -> int:
    return int((digits or "").ljust(9, "0")[:9]) * UNITS[kind.unit] // 10**9


def _moment(text: str, kind: Any) -> int:
    match = _MOMENT.fullmatch(text)
    if not match or (match["zone"] is None) != (kind.tz is None):
        raise UnfitError("no moment")
    second = match["second"] or "00"
    leap = second == "60"
    zone = (match["zone"] or "Z").upper()
    zone = zone if ":" in zone or zone == "Z" else zone[:3] + ":" + zone[3:]
    if zone != "Z" and int(zone[4:]) > 59:
        raise UnfitError("offset")
    try:
        moment = datetime.fromisoformat(f"{match['day']}T{match['minute']}:{'59' if leap else second}{zone}")
    except ValueError:
        raise UnfitError("no moment") from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1) + leap
    return _in_range(seconds * UNITS[kind.unit] + (0 if leap else _part(match["part"], kind)), kind)


def _date(text: str) -> int:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise UnfitError("no date")
    try:
        return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        raise UnfitError("no date") from None


def _clock(text: str, kind: Any) -> int:
    match = _CLOCK.fullmatch(text)
    hour, minute = (int(part) for part in text[:5].split(":")) if match else (99, 99)
    second = int(match["second"] or 0) if match else 99
    if hour > 23 or minute > 59 or second > 59:
        raise UnfitError("no time")
    return (hour * 3600 + minute * 60 + second) * UNITS[kind.unit] + _part(match["part"] if match else None, kind)


def _bytes(text: str, kind: Any) -> bytes:
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise UnfitError("no base64") from None
    if pat.is_fixed_size_binary(kind) and len(found) != kind.byte_width:
        raise UnfitError("length")
    return found
