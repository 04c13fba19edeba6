"""Iceberg's bucket hash of Arrow columns: 32-bit Murmur3, x86 variant, seed 0.

Source: Apache Iceberg table specification, appendix B, "32-bit hash requirements".
"""

from typing import Any

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.times import micros


def can_hash(data_type: pa.DataType) -> bool:
    """Whether Iceberg defines a bucket for the type (floats have none)."""
    return bool(
        pat.is_integer(data_type)
        or pat.is_date(data_type)
        or pat.is_timestamp(data_type)
        or pat.is_time(data_type)
        or pat.is_decimal(data_type)
        or pat.is_string(data_type)
        or pat.is_large_string(data_type)
        or pat.is_binary(data_type)
        or pat.is_large_binary(data_type)
        or pat.is_fixed_size_binary(data_type)
    )


def hashes(column: pa.Array) -> npt.NDArray[np.uint32]:
    """The hash of every value; 0 at nulls."""
    if pat.is_timestamp(column.type):
        column = micros(column)
    elif pat.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pat.is_time64(column.type):
        column = column.cast(pa.int64())
    if pat.is_integer(column.type):
        whole = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        found = _hash_longs(whole)
    else:
        found = _hash_distinct(column)
    if column.null_count:
        found = np.where(column.is_null().to_numpy(zero_copy_only=False), np.uint32(0), found)
    return found


def buckets(column: pa.Array, count: int) -> pa.Array:
    """The bucket of every value, int32 from 0 to count - 1; null at nulls."""
    numbers = (hashes(column) & np.uint32(0x7FFFFFFF)) % np.uint32(count)
    mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return pa.array(numbers.astype(np.int32), mask=mask)


def _hash_distinct(column: pa.Array) -> npt.NDArray[np.uint32]:
    # Murmur3 over bytes of any length has no Arrow kernel: one call a distinct value.
    encoded = column.dictionary_encode()
    words = [mmh3.hash(_as_bytes(value), signed=False) for value in encoded.dictionary.to_pylist()]
    table = np.array([*words, 0], dtype=np.uint32)
    return table[pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)]


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    unscaled = int(value.scaleb(-value.as_tuple().exponent))
    # Shortest two's complement form, as Java's BigInteger.toByteArray.
    return unscaled.to_bytes(((unscaled if unscaled >= 0 else ~unscaled).bit_length() // 8) + 1, "big", signed=True)


def _hash_longs(values: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    bits = values.astype(np.int64).view(np.uint64)
    found = np.zeros(len(values), np.uint32)
    for word in ((bits & np.uint64(0xFFFFFFFF)).astype(np.uint32), (bits >> np.uint64(32)).astype(np.uint32)):
        mixed = _rotate(word * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
        found = _rotate(found ^ mixed, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    found ^= np.uint32(8)
    found = (found ^ (found >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    found = (found ^ (found >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return found ^ (found >> np.uint32(16))


def _rotate(word: npt.NDArray[np.uint32], by: int) -> npt.NDArray[np.uint32]:
    return (word << np.uint32(by)) | (word >> np.uint32(32 - by))
