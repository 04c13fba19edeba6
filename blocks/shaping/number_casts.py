"""Casts of whole numbers, floats, decimals and booleans, to each other and from and to text."""

from decimal import Context, Decimal, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.masks.base import by_distinct
from blocks.shaping.cast_safely import (
    Cast,
    Failed,
    became_null,
    is_small_decimal,
    mask_of,
    matching,
    safe_cast,
    without,
)

_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?$"
# What Arrow reads exactly (pyarrow 25 reads 39 decimals as 0, and takes few exponents).
_PLAIN_DECIMAL = r"^[^eE]{1,38}$"
_MOST_DIGITS = 76
_FLOAT = r"^[+-]?(?i:nan|inf|infinity)$|" + _NUMBER
# A number that is not 0: some digit before the exponent is not.
_NONZERO = r"^[^eE]*[1-9]"
_EXACT_HALF = 1 << 11


def to_boolean(_: pa.DataType, target: pa.DataType) -> Cast:
    """Whole numbers 0 and 1."""

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        number = array.cast(pa.uint64(), safe=False)
        failed = mask_of(pc.greater(number, pa.scalar(1, pa.uint64())))
        return without(number, failed).cast(target), failed

    return cast


def text_to_boolean(_: pa.DataType, target: pa.DataType) -> Cast:
    """`true` and `false`, in any case."""
    return matching("^(?i:true|false)$", lambda array: (array.cast(target), None))


def text_to_integer(_: pa.DataType, target: pa.DataType) -> Cast:
    """Digits with a sign or none."""

    # Arrow takes hexadecimal digits, and no plus.
    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        texts = pc.replace_substring_regex(array, r"^\+", "")
        try:
            return texts.cast(target), None
        except pa.ArrowInvalid:
            # Longer numbers than these are in no integer type.
            short = without(texts, mask_of(pc.invert(pc.match_substring_regex(texts, r"^-?0*[0-9]{1,30}$"))))
        return safe_cast(
            pc.replace_substring_regex(short, r"^(-?)0+([0-9])", r"\1\2").cast(pa.decimal128(38, 0)), target
        )

    return matching(_INTEGER, cast)


def integer_to_float(_: pa.DataType, target: pa.DataType) -> Cast:
    """Whole numbers up to where the float begins to skip some: 2^53 for 64 bits."""

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        if not pat.is_float16(target):
            return safe_cast(array, target)
        # Arrow does not look at what half floats hold exactly.
        wide = pa.uint64() if pat.is_uint64(array.type) else pa.int64()
        numbers = array.cast(wide)
        wrong = pc.greater(numbers, pa.scalar(_EXACT_HALF, wide))
        if pat.is_int64(wide):
            wrong = pc.or_(wrong, pc.less(numbers, pa.scalar(-_EXACT_HALF, wide)))
        failed = mask_of(wrong)
        return without(numbers, failed).cast(pa.float32()).cast(target), failed

    return cast


def integer_to_decimal(_: pa.DataType, target: pa.DataType) -> Cast:
    """Whole numbers within the precision."""

    # Arrow asks for room for every value of the integer type, not for those that are there.
    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        return safe_cast(array.cast(pa.decimal128(20, 0)), target)

    return cast


# Floating point


def float_to_integer(_: pa.DataType, target: pa.DataType) -> Cast:
    """Floats without decimals, in the range of the type."""
    signed = pat.is_signed_integer(target)
    least = -(2.0 ** (target.bit_width - 1)) if signed else 0.0
    beyond = 2.0 ** (target.bit_width - signed)

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        numbers = array.cast(pa.float64())
        fits = pc.and_(pc.greater_equal(numbers, least), pc.less(numbers, beyond))
        failed = mask_of(pc.invert(pc.and_(fits, pc.equal(pc.floor(numbers), numbers))))
        # Checked above; Arrow's own check takes what is next to the end of 64 bits.
        return without(numbers, failed).cast(target, safe=False), failed

    return cast


def float_to_float(_: pa.DataType, target: pa.DataType) -> Cast:
    """The nearest float, unless it is infinite or 0 and the value is not."""

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        return _rounded(array.cast(target), pc.is_finite(array), pc.not_equal(array, pa.scalar(0.0, array.type)))

    return cast


def _rounded(result: pa.Array, finite: pa.Array, nonzero: pa.Array) -> tuple[pa.Array, Failed]:
    """Floats rounded to the nearest, but not those that rounding makes infinite or 0."""
    wide = result.cast(pa.float32()) if pat.is_float16(result.type) else result
    zero = pc.equal(wide, pa.scalar(0.0, wide.type))
    failed = mask_of(pc.or_(pc.and_(pc.is_inf(wide), finite), pc.and_(zero, nonzero)))
    return (result if failed is None else without(wide, failed).cast(result.type)), failed


def text_to_float(_: pa.DataType, target: pa.DataType) -> Cast:
    """Decimal numbers to the nearest float; `nan` and `inf`."""

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        finite = pc.match_substring_regex(array, "[0-9]")
        return _rounded(_floats(array, target), finite, pc.and_(finite, pc.match_substring_regex(array, _NONZERO)))

    return matching(_FLOAT, cast)


def _floats(texts: pa.Array, target: pa.DataType) -> pa.Array:
    return texts.cast(pa.float64()).cast(target) if pat.is_float16(target) else texts.cast(target)


def _as_printed(array: pa.Array) -> pa.Array:
    """Floats as the shortest texts that stand for them."""
    return (array.cast(pa.float32()) if pat.is_float16(array.type) else array).cast(pa.string())


def float_to_decimal(_: pa.DataType, target: pa.DataType) -> Cast:
    """The shortest text that stands for the float, as a decimal; nothing is rounded."""
    # Arrow rounds; the shortest text is what people mean by a float: 0.1 is 0.1.
    read = _read_decimals(target)

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        finite = without(array, mask_of(pc.invert(pc.is_finite(array))))
        result, _ = read(_as_printed(finite))
        return result, became_null(array, result)

    return cast


def float_to_text(_: pa.DataType, target: pa.DataType) -> Cast:
    """The shortest text that stands for the float."""
    return lambda array: (_as_printed(array).cast(target), None)


# Decimals


def decimal_to_float(_: pa.DataType, target: pa.DataType) -> Cast:
    """The nearest float."""

    # By way of the text, which is rounded once and to the nearest.
    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        texts = _plain_decimals(array)
        return _rounded(_floats(texts, target), array.is_valid(), pc.match_substring_regex(texts, _NONZERO))

    return cast


def _plain_decimals(array: pa.Array) -> pa.Array:
    """Decimals as digits with all decimals of their scale, never with an exponent."""

    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([None if value is None else f"{value:f}" for value in values], pa.string())

    if is_small_decimal(array.type):
        # Arrow cannot find the distinct values of these.
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    if array.type.scale < 0:
        # Arrow writes none of these.
        return by_distinct(array, one_by_one)
    texts = array.cast(pa.string())
    short = pc.fill_null(pc.match_substring(texts, "E"), False)
    if not pc.any(short).as_py():
        return texts
    return pc.if_else(short, by_distinct(without(array, mask_of(pc.invert(short))), one_by_one), texts)


def decimal_to_text(_: pa.DataType, target: pa.DataType) -> Cast:
    """Digits with all decimals of the scale."""
    return lambda array: (_plain_decimals(array).cast(target), None)


def text_to_decimal(_: pa.DataType, target: pa.DataType) -> Cast:
    """Decimal numbers, with an exponent or none; nothing is rounded."""
    return matching(_NUMBER, _read_decimals(target))


def _read_decimals(target: pa.DataType) -> Cast:
    # As many digits before the point as the type has, and after it as many as there can be.
    wide = pa.decimal256(76, target.scale + 76 - target.precision)

    def one_by_one(values: list[Any]) -> pa.Array:
        return pa.array([_exact(value, target) for value in values], target)

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        plain = pc.fill_null(pc.match_substring_regex(array, _PLAIN_DECIMAL), True)
        if pc.all(plain).as_py():
            return safe_cast(array, target, wide)
        usual, _ = safe_cast(without(array, mask_of(pc.invert(plain))), target, wide)
        rest = by_distinct(without(array, mask_of(plain)), one_by_one)
        result = pc.if_else(plain, usual.cast(rest.type), rest)
        return result, became_null(array, result)

    return cast


def _exact(text: str | None, target: pa.DataType) -> Decimal | None:
    """The number of a text that a decimal type holds without rounding, or None."""
    if text is None:
        return None
    number = Decimal(text)
    if number.is_zero():
        return Decimal(0)
    if abs(number.adjusted()) > _MOST_DIGITS:
        return None
    with localcontext(Context(prec=len(text) + 2 * _MOST_DIGITS)):
        shifted = number.scaleb(target.scale)
        fits = shifted == shifted.to_integral_value() and abs(shifted) < 10**target.precision
        return number if fits else None
