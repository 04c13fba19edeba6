"""Casts that mark the values that do not fit instead of raising, and never cut or wrap one."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.masks.base import is_bytes, is_text
from blocks.reading.fitting import cast_rows

# True where a value does not fit; None where all do.
Failed = npt.NDArray[np.bool_] | None
# Gives the array in its new type, null where a value does not fit, and where that is.
Cast = Callable[[pa.Array], tuple[pa.Array, Failed]]


def mask_of(wrong: pa.Array) -> Failed:
    """Where a boolean array is true; null is false."""
    found = np.asarray(pc.fill_null(wrong, False).to_numpy(zero_copy_only=False))
    return found if found.any() else None


def without(array: pa.Array, failed: Failed) -> pa.Array:
    """The array with nulls where values do not fit."""
    return array if failed is None else pc.if_else(pa.array(failed), pa.scalar(None, array.type), array)


def became_null(before: pa.Array, after: pa.Array) -> Failed:
    """Where a value is null after a cast that was not null before."""
    return None if after.null_count == before.null_count else mask_of(pc.and_(after.is_null(), before.is_valid()))


def is_small_decimal(data_type: pa.DataType) -> bool:
    """Whether it is a decimal of 32 or 64 bits."""
    return bool(pat.is_decimal32(data_type) or pat.is_decimal64(data_type))


def safe_cast(array: pa.Array, target: pa.DataType, way: pa.DataType | None = None) -> tuple[pa.Array, Failed]:
    """Arrow's safe cast; values that it refuses are null and marked.

    Args:
      array: what is cast.
      target: the new type.
      way: a wider type to go through where something does not fit, from which what would be lost can be seen at once.
    """
    # Arrow gives 0 for some values when it rescales to small decimals (pyarrow 25: 8E-14 of scale 14 to scale 0).
    if is_small_decimal(array.type):
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    if is_small_decimal(target):
        result, failed = safe_cast(array, pa.decimal128(target.precision, target.scale), way)
        return result.cast(target), failed
    try:
        return array.cast(target), None
    except pa.ArrowInvalid:
        if way is not None:
            result, _ = safe_cast(safe_cast(array, way)[0], target)
            return result, became_null(array, result)
        # Most that do not fit are those that do not come back as they were; the few others are found by halving.
        rest = array if is_text(array.type) or is_bytes(array.type) else without(array, _changed(array, target))
    result, _ = cast_rows(rest, target)
    return result, became_null(array, result)


def _changed(array: pa.Array, target: pa.DataType) -> Failed:
    """Where an unsafe cast and back gives another value; None too where Arrow cannot say."""
    try:
        return mask_of(pc.not_equal(array.cast(target, safe=False).cast(array.type, safe=False), array))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def safely(_: pa.DataType, target: pa.DataType) -> Cast:
    """For casts that Arrow refuses where something would be lost."""
    return lambda array: safe_cast(array, target)


def and_back(_: pa.DataType, target: pa.DataType) -> Cast:
    """For casts that lose something without an error."""

    def cast(array: pa.Array) -> tuple[pa.Array, Failed]:
        result, _ = safe_cast(array, target)
        result = without(result, mask_of(pc.not_equal(result.cast(array.type), array)))
        return result, became_null(array, result)

    return cast


def matching(pattern: str, cast: Cast) -> Cast:
    """A cast of texts of which those that do not match a pattern do not fit."""

    def matching(array: pa.Array) -> tuple[pa.Array, Failed]:
        right = pc.match_substring_regex(array, pattern)
        rest = array if pc.all(right).as_py() is not False else without(array, mask_of(pc.invert(right)))
        result, _ = cast(rest)
        return result, became_null(array, result)

    return matching
