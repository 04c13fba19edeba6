"""A 64-bit hash of the values of a column, in bulk: the same in every batch, process, machine and version.

It chooses which values a bound keeps, and is what distinct counts count; it is no secret and protects nothing. The
form, fixed for ever: a value is words of 64 bits (whole numbers, times and booleans: one, two's complement; floating
point: the bits as a double, with one zero and one NaN; decimals: the unscaled value, two or four words; texts and
bytes: little endian, filled up with zero bytes, and their length first); the words are mixed in order into a state that
begins with 0, `state = mix(state ^ mix(word + C))`, where mix is the finalizer of SplitMix64 and C its increment.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from blocks.shaping.first_rows import one_form
from blocks.shaping.key_hash import mix

Words = npt.NDArray[np.uint64]

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)


def hashes_of(values: pa.Array) -> Words:
    """The hash of each value.

    Args:
      values: without nulls, of a type for which `ops.codes.comparable` is true.
    """
    data_type = values.type
    state = np.zeros(len(values), np.uint64)
    if not len(values):
        return state
    if pat.is_decimal(data_type):
        if data_type.bit_width < 128:
            values = values.cast(pa.decimal128(data_type.precision, data_type.scale))
        count = values.type.bit_width // 64
        words = np.frombuffer(values.buffers()[1], "<u8")[values.offset * count : (values.offset + len(values)) * count]
        for word in words.reshape(len(values), count).T:
            state = _mixed(state, word)
        return state
    if pat.is_boolean(data_type) or pat.is_primitive(data_type):
        return _mixed(state, _word(values))
    return _of_bytes(values, state)


def _word(values: pa.Array) -> Words:
    data_type = values.type
    if pat.is_floating(data_type):
        doubles: Any = one_form(values.cast(pa.float64())).to_numpy(zero_copy_only=False)
        return np.asarray(doubles.view(np.uint64), np.uint64)
    if pat.is_temporal(data_type):
        values = values.view(pa.int32() if data_type.bit_width == 32 else pa.int64())
    elif pat.is_boolean(data_type):
        values = values.cast(pa.int8())
    numbers = values.to_numpy(zero_copy_only=False)
    return numbers if pat.is_uint64(data_type) else numbers.astype(np.int64).view(np.uint64)


def _of_bytes(values: pa.Array, state: Words) -> Words:
    if pat.is_fixed_size_binary(values.type):
        values = values.cast(pa.binary())
    large = pat.is_large_string(values.type) or pat.is_large_binary(values.type)
    bounds = np.frombuffer(values.buffers()[1], np.int64 if large else np.int32)
    bounds = bounds[values.offset : values.offset + len(values) + 1].astype(np.int64)
    content = values.buffers()[2]
    data = np.zeros((content.size if content else 0) + 8, np.uint8)
    if content:
        data[:-8] = np.frombuffer(content, np.uint8)
    # Eight bytes from every place, read where they lie.
    words = np.ndarray((len(data) - 7,), "<u8", buffer=data, strides=(1,))
    lengths = np.diff(bounds)
    state = _mixed(state, lengths.astype(np.uint64))
    rows, at, left = np.arange(len(values)), bounds[:-1], lengths
    while True:
        going = left > 0
        if not going.all():
            rows, at, left = rows[going], at[going], left[going]
        if not len(rows):
            return state
        word = words[at]
        short = left < 8
        if short.any():
            unused = np.where(short, 64 - 8 * left, 0).astype(np.uint64)
            word = word << unused >> unused
        state[rows] = _mixed(state[rows], word)
        at, left = at + 8, left - 8


def _mixed(state: Words, word: Words) -> Words:
    return mix(state ^ mix(word + _INCREMENT))
