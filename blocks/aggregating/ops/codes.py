"""Values of a column as whole numbers that sort as the values do.

Of floating point -0 is 0 and NaN is greater than every number, as in PostgreSQL and DuckDB; texts and bytes sort byte
by byte.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.aggregating.ops.operation import Ints
from blocks.shaping.first_rows import one_form

_FLIP = np.int64(0x7FFFFFFFFFFFFFFF)


def comparable(column: pa.DataType) -> bool:
    """Whether values of this type have an order."""
    return bool(
        pat.is_integer(column)
        or pat.is_floating(column)
        or pat.is_decimal(column)
        or pat.is_boolean(column)
        or (pat.is_temporal(column) and not pat.is_interval(column))
        or _is_text(column)
    )


def _is_text(column: pa.DataType) -> bool:
    tests = (pat.is_string, pat.is_large_string, pat.is_binary, pat.is_large_binary, pat.is_fixed_size_binary)
    return any(test(column) for test in tests)


def plain(values: pa.Array) -> pa.Array:
    """Floating point in one form a value: -0 as 0, one NaN; everything else as it is."""
    if pat.is_float16(values.type):
        return pa.array(one_form(values).to_numpy(zero_copy_only=False).astype(np.float16))
    return one_form(values)


def codes_of(values: pa.Array) -> Ints:
    """A code a value: equal where the values are, and in their order; of one array only.

    Args:
      values: without nulls, of a comparable type.
    """
    data_type = values.type
    if pat.is_floating(data_type):
        doubles = plain(values.cast(pa.float64())).to_numpy(zero_copy_only=False)
        bits = doubles.view(np.int64)
        return np.where(bits < 0, bits ^ _FLIP, bits)
    if pat.is_uint64(data_type):
        return (values.to_numpy(zero_copy_only=False) ^ np.uint64(1 << 63)).view(np.int64)
    if pat.is_boolean(data_type):
        return values.cast(pa.int8()).to_numpy(zero_copy_only=False).astype(np.int64)
    if pat.is_temporal(data_type):
        stored = pa.int32() if data_type.bit_width == 32 else pa.int64()
        return values.view(stored).to_numpy(zero_copy_only=False).astype(np.int64)
    if pat.is_integer(data_type):
        return values.to_numpy(zero_copy_only=False).astype(np.int64)
    return _ranks(values)


def _ranks(values: pa.Array) -> Ints:
    encoded = values.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    found: Any = ranks[encoded.indices.to_numpy(zero_copy_only=False)]
    return np.asarray(found, np.int64)
