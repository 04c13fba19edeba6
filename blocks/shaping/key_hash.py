"""A 64-bit hash of key columns: the same for the same key in every batch, process, run, machine and version.

The hash follows values, not their layout: a text is hashed alike as `string`, `large_string`, `string_view` or
dictionary, an integer in every width, a decimal in every precision and scale, a time in every unit. Nothing is folded:
`A` and `a` are two keys. A null is a key of its own.

The form, fixed for ever:
- a value becomes a 64-bit word: whole numbers, booleans and days as they are (two's complement); times of day as
  nanoseconds; instants and durations as seconds, mixed, plus the nanoseconds within the second; texts, bytes and
  decimals (as plain decimal text without trailing zeros) as the first 64 bits of BLAKE2b, with the kind as its
  personalisation;
- kinds are told apart by adding a word of the kind before mixing; a null is that of the kind `null`;
- the words of the columns are mixed in order into a state that begins with BLAKE2b of the purpose and the salt.

Mixing is the finalizer of SplitMix64, on whole columns at once. The hash is no secret and protects nothing.

Source: RFC 7693 (BLAKE2); Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.dictionaries import decode_array
from blocks.core.errors import Problem
from blocks.core.masks.base import is_bytes, is_text
from blocks.shaping.columns import missing_columns, read_names

Words = npt.NDArray[np.uint64]

END = 1 << 64
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_MS = 86_400_000


def bound(share: float) -> int:
    """The first hash beyond a share, between 0 and 1, of all hashes: a key is within if its hash is less."""
    return int(Fraction(share) * END)


def read_key(key: str | Sequence[str], problems: list[Problem]) -> tuple[str, ...]:
    """The columns that the option `key` names; `problems` grows by what is wrong with it."""
    before = len(problems)
    names = read_names(key, "key", problems, alone=True)
    if not names and len(problems) == before:
        problems.append(Problem("no column is named", "key", "name the column whose values decide"))
    return names


def key_problems(names: Sequence[str], schema: pa.Schema, option: str = "key") -> Iterator[Problem]:
    """A problem for every key column that is not there, or has no stable hash."""
    yield from missing_columns(names, schema, option)
    for name in names:
        if name in schema.names:
            yield from _column_problems(schema.field(name), option)


def _column_problems(field: pa.Field, option: str) -> Iterator[Problem]:
    kind = _value_type(field.type)
    if pat.is_floating(kind):
        what = f"column `{field.name}` is {field.type}: equal numbers may differ in their last bits"
        yield Problem(what, option, "name another column, or make it a decimal, an integer or a text: CastColumns")
    elif _kind(kind) is None:
        what = f"column `{field.name}` is {field.type}, which has no hash"
        yield Problem(what, option, "name a column of texts, bytes, whole numbers, decimals, booleans or times")
    mark = labels.masked_of(field)
    if mark is not None and mark.method == "encrypt" and mark.options.get("mode") == "random":
        what = f"column `{field.name}` is encrypted so that equal values have different texts"
        yield Problem(what, option, "mask it with hmac, or with encrypt in its deterministic mode")
    elif mark is not None and mark.method in ("null", "redact"):
        what = f"column `{field.name}` was masked by {mark.method}, which gives every row the same value"
        yield Problem(what, option, "mask it with hmac, or name another column")


def key_hash(names: Sequence[str], purpose: str, salt: str) -> Callable[[pa.RecordBatch], Words]:
    """Makes the function from a batch to the hash of each row's key.

    Args:
      names: the key columns, in order.
      purpose: what the hash is for, so that no two blocks choose the same keys.
      salt: the user's own word, for another choice.
    """
    digest = blake2b(f"{purpose}\0{salt}".encode(), digest_size=8, person=b"blocks.key_hash").digest()
    start = np.frombuffer(digest, "<u8").astype(np.uint64)

    def hashes(batch: pa.RecordBatch) -> Words:
        state = np.repeat(start, batch.num_rows)
        for name in names:
            # Twice: one round of the finalizer is a little weak against states that differ in few bits.
            state = mix(mix(state ^ hash_column(batch.column(name))))
        return state

    return hashes


def hash_column(column: pa.Array) -> Words:
    """The hash of every value of a column, without a purpose."""
    column = _plain(decode_array(column))
    kind = _kind(column.type)
    assert kind is not None
    name, words_of = kind
    if column.null_count == 0:
        return mix(words_of(column) + _kind_word(name))
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if column.null_count == len(column):
        return np.where(missing, mix(_kind_word("null")), np.uint64(0))
    # Only values that are there have a word: dropping nulls keeps Arrow's fill values out of the hash.
    found = np.repeat(mix(_kind_word("null")), len(column))
    found[~missing] = mix(words_of(column.drop_null()) + _kind_word(name))
    return found


def _plain(column: pa.Array) -> pa.Array:
    """The column in a type for which Arrow has every kernel that is used here."""
    if isinstance(column, pa.ExtensionArray):
        return _plain(column.storage)
    if pat.is_string_view(column.type) or pat.is_binary_view(column.type):
        return column.cast(pa.large_string() if is_text(column.type) else pa.large_binary())
    if pat.is_decimal32(column.type) or pat.is_decimal64(column.type):
        return column.cast(pa.decimal128(column.type.precision, column.type.scale))
    return column


def _value_type(data_type: pa.DataType) -> pa.DataType:
    if pat.is_dictionary(data_type):
        return _value_type(data_type.value_type)
    return data_type.storage_type if isinstance(data_type, pa.BaseExtensionType) else data_type


def _kind(data_type: pa.DataType) -> tuple[str, Callable[[pa.Array], Words]] | None:
    return next(((name, words_of) for fits, name, words_of in _KINDS if fits(data_type)), None)


def _kind_word(name: str) -> Words:
    digest = blake2b(name.encode(), digest_size=8, person=b"blocks.key_kind").digest()
    return np.frombuffer(digest, "<u8").astype(np.uint64)


def mix(words: Words) -> Words:
    """The finalizer of SplitMix64; numpy's arithmetic on arrays of 64 bits wraps around."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _integers(array: pa.Array) -> Words:
    wide = pa.uint64() if pat.is_uint64(array.type) else pa.int64()
    return array.cast(wide).to_numpy(zero_copy_only=False).view(np.uint64)


def _stored(array: pa.Array) -> npt.NDArray[np.int64]:
    whole = array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return whole.to_numpy(zero_copy_only=False).astype(np.int64)


def _days(array: pa.Array) -> Words:
    stored = _stored(array)
    return (stored if pat.is_date32(array.type) else stored // _DAY_MS).view(np.uint64)


def _time_of_day(array: pa.Array) -> Words:
    return (_stored(array) * (10**9 // _PER_SECOND[array.type.unit])).view(np.uint64)


def _instants(array: pa.Array) -> Words:
    # Nanoseconds since 1970 do not fit 64 bits for every instant that coarser units hold.
    per_second = _PER_SECOND[array.type.unit]
    seconds, rest = np.divmod(_stored(array), per_second)
    return mix(seconds.view(np.uint64)) + (rest * (10**9 // per_second)).view(np.uint64)


def _digests(person: bytes, form: Callable[[Any], bytes]) -> Callable[[pa.Array], Words]:
    empty = blake2b(digest_size=8, person=person)

    def one(value: Any) -> bytes:
        digest = empty.copy()
        digest.update(form(value))
        return digest.digest()

    def words(array: pa.Array) -> Words:
        encoded = array.dictionary_encode()
        # Arrow has no hash that is promised to stay; this is one call a distinct value, about a microsecond.
        table = np.frombuffer(b"".join([one(value) for value in encoded.dictionary.to_pylist()]), "<u8")
        return table.astype(np.uint64)[encoded.indices.to_numpy(zero_copy_only=False)]

    return words


def _plain_decimal(value: Any) -> bytes:
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


_text_digests = _digests(b"text", bytes)
_byte_digests = _digests(b"bytes", bytes)

_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str, Callable[[pa.Array], Words]], ...] = (
    (is_text, "text", lambda array: _text_digests(array.cast(pa.large_string()).cast(pa.large_binary()))),
    (is_bytes, "bytes", lambda array: _byte_digests(array.cast(pa.large_binary()))),
    (pat.is_integer, "integer", _integers),
    (pat.is_boolean, "boolean", lambda array: _integers(array.cast(pa.int8()))),
    (pat.is_decimal, "decimal", _digests(b"decimal", _plain_decimal)),
    (pat.is_date, "date", _days),
    (pat.is_time, "time", _time_of_day),
    (pat.is_timestamp, "timestamp", _instants),
    (pat.is_duration, "duration", _instants),
    (pat.is_null, "null", lambda array: np.zeros(len(array), np.uint64)),
)
