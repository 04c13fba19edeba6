"""One leaf type cast to another, value by value: a value that does not fit is null and marked, never cut or wrapped.

Arrow's safe casts do the work where they mean this. Where they take more (hexadecimal digits, `1e999`, a time of day
that a date loses) or raise for a whole column because of one value, the values that do not fit are found first.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.masks.base import by_distinct, is_bytes, is_text
from blocks.shaping import number_casts as numbers
from blocks.shaping.cast_safely import Cast, Failed, and_back, became_null, mask_of, safe_cast, safely, without
from blocks.shaping.iso_texts import dates, iso_texts, times, timestamps


def leaf_cast(source: pa.DataType, target: pa.DataType) -> Cast | None:
    """The function that casts arrays of one leaf type to another; None where no value of the one is one of the other.

    The function gives (array of the target type, which values did not fit: they are null in it).
    """
    if source.equals(target):
        return lambda array: (array, None)
    make = _CASTS.get((family(source) or "", family(target) or ""))
    if make is None:
        return None
    # Arrow has few kernels for views: they are taken as plain text and bytes, and made last.
    plain_source, plain_target = _without_view(source), _without_view(target)
    cast = make(plain_source, plain_target)
    if plain_source.equals(source) and plain_target.equals(target):
        return cast

    def through(array: pa.Array) -> tuple[pa.Array, Failed]:
        result, failed = cast(array.cast(plain_source))
        return result.cast(target), failed

    return through


def possible(source: pa.DataType) -> list[str]:
    """The kinds of types that a leaf type can be cast to."""
    return [after for before, after in _CASTS if before == family(source)]


def family(data_type: pa.DataType) -> str | None:
    """The kind of a leaf type, as `integer` for every width; None for types that are cast to nothing else."""
    return next((name for name, fits in _FAMILIES.items() if fits(data_type)), None)


_FAMILIES: dict[str, Callable[[pa.DataType], bool]] = {
    "null": pat.is_null,
    "boolean": pat.is_boolean,
    "integer": pat.is_integer,
    "float": pat.is_floating,
    "decimal": pat.is_decimal,
    "text": is_text,
    "bytes": is_bytes,
    "date": pat.is_date,
    "time": pat.is_time,
    "timestamp": pat.is_timestamp,
    "duration": pat.is_duration,
}


def _without_view(data_type: pa.DataType) -> pa.DataType:
    return {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(data_type, data_type)


# Text, bytes, dates and times


def _of_size(_: pa.DataType, target: pa.DataType) -> Cast:
    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        octets = array.cast(pa.large_binary())
        if not pat.is_fixed_size_binary(target):
            return octets.cast(target), None
        failed = mask_of(pc.not_equal(pc.binary_length(octets), target.byte_width))
        return without(octets, failed).cast(target), failed

    return cast


def _bytes_to_text(_: pa.DataType, target: pa.DataType) -> Cast:
    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([_decoded(value) for value in values], target)

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        octets = array.cast(pa.large_binary())
        try:
            return octets.cast(target), None
        except pa.ArrowInvalid:
            # Arrow does not say which bytes are no UTF-8.
            result = by_distinct(octets, one_by_one)
        return result, became_null(array, result)

    return cast


def _decoded(octets: bytes | None) -> str | None:
    try:
        return None if octets is None else octets.decode()
    except UnicodeDecodeError:
        return None


def _read(read: Callable[[pa.Array, pa.DataType], pa.Array]) -> Callable[[pa.DataType, pa.DataType], Cast]:
    def make(_: pa.DataType, target: pa.DataType) -> Cast:
        def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
            result = read(array, target)
            return result, became_null(array, result)

        return cast

    return make


def _date_to_timestamp(source: pa.DataType, target: pa.DataType) -> Cast:
    local = and_back(source, pa.timestamp(target.unit))

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        result, failed = local(array)
        return _as_utc(result, target), failed

    return cast


def _timestamp_to_date(source: pa.DataType, target: pa.DataType) -> Cast:
    utc = pa.timestamp(source.unit)
    cast = and_back(utc, target)
    # With a zone Arrow would take the date there.
    return lambda array: cast(_as_utc(array, utc))


def _timestamp_to_timestamp(_: pa.DataType, target: pa.DataType) -> Cast:
    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        result, failed = safe_cast(_as_utc(array, pa.timestamp(array.type.unit)), pa.timestamp(target.unit))
        return _as_utc(result, target), failed

    return cast


def _as_utc(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    """The same count since 1970 under another zone, or none."""
    return array.view(pa.int64()).view(data_type)


def _count_of_units(_: pa.DataType, target: pa.DataType) -> Cast:
    count = safely(pa.int64(), target)
    return lambda array: count(array.view(pa.int64()))


def _written(_: pa.DataType, target: pa.DataType) -> Cast:
    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        texts, failed = iso_texts(array)
        return texts.cast(target), failed

    return cast


_CASTS: dict[tuple[str, str], Callable[[pa.DataType, pa.DataType], Cast]] = {
    **{("null", name): safely for name in _FAMILIES if name != "null"},
    ("boolean", "integer"): safely,
    ("boolean", "text"): safely,
    ("integer", "boolean"): numbers.to_boolean,
    ("integer", "integer"): safely,
    ("integer", "float"): numbers.integer_to_float,
    ("integer", "decimal"): numbers.integer_to_decimal,
    ("integer", "text"): safely,
    ("float", "integer"): numbers.float_to_integer,
    ("float", "float"): numbers.float_to_float,
    ("float", "decimal"): numbers.float_to_decimal,
    ("float", "text"): numbers.float_to_text,
    ("decimal", "integer"): safely,
    ("decimal", "float"): numbers.decimal_to_float,
    ("decimal", "decimal"): safely,
    ("decimal", "text"): numbers.decimal_to_text,
    ("text", "boolean"): numbers.text_to_boolean,
    ("text", "integer"): numbers.text_to_integer,
    ("text", "float"): numbers.text_to_float,
    ("text", "decimal"): numbers.text_to_decimal,
    ("text", "text"): safely,
    ("text", "bytes"): _of_size,
    ("text", "date"): _read(dates),
    ("text", "time"): _read(times),
    ("text", "timestamp"): _read(timestamps),
    ("bytes", "text"): _bytes_to_text,
    ("bytes", "bytes"): _of_size,
    ("date", "date"): and_back,
    ("date", "timestamp"): _date_to_timestamp,
    ("date", "text"): _written,
    ("time", "time"): safely,
    ("time", "text"): _written,
    ("timestamp", "date"): _timestamp_to_date,
    ("timestamp", "timestamp"): _timestamp_to_timestamp,
    ("timestamp", "text"): _written,
    ("duration", "duration"): safely,
    ("duration", "integer"): _count_of_units,
}
