"""The hash of key columns: it follows values, never layout, and is fixed for ever."""

import datetime
import decimal
import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.shaping.key_hash import bound, hash_column, key_hash, key_problems, read_key

D = decimal.Decimal
RECORDED = [11608227745594514838, 15070992645522120136]
RECORDED_TEXT = [3620147777276155709, 138055250666094911]


def one(values: list[Any], data_type: pa.DataType | None = None) -> list[int]:
    return [int(word) for word in hash_column(pa.array(values, data_type))]


SAMES = [
    (["a", None, "é", ""], [pa.string(), pa.large_string(), pa.string_view()]),
    ([b"a", None, b"\xff", b""], [pa.binary(), pa.large_binary(), pa.binary_view()]),
    ([b"ab", None], [pa.binary(), pa.binary(2)]),
    ([1, None, 0, 127], [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64()]),
    ([-1, None, -128], [pa.int8(), pa.int64()]),
    (
        [D("1.50"), None, D("-20")],
        [pa.decimal128(10, 2), pa.decimal128(38, 5), pa.decimal256(50, 4), pa.decimal32(6, 2)],
    ),
    ([D("100"), None], [pa.decimal128(10, 0), pa.decimal128(10, 3), pa.decimal128(5, -2)]),
    ([datetime.date(2026, 1, 31), None, datetime.date(1900, 1, 1)], [pa.date32(), pa.date64()]),
    ([datetime.time(10, 11, 12), None], [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]),
    (
        [
            datetime.datetime(2026, 1, 31, 10, tzinfo=datetime.UTC),
            None,
            datetime.datetime(1950, 1, 1, tzinfo=datetime.UTC),
        ],
        [
            pa.timestamp("s", "UTC"),
            pa.timestamp("us", "Europe/Stockholm"),
            pa.timestamp("ns", "UTC"),
            pa.timestamp("ms"),
        ],
    ),
    ([datetime.timedelta(seconds=-5), None], [pa.duration("s"), pa.duration("ms"), pa.duration("ns")]),
]


@pytest.mark.parametrize(("values", "types"), SAMES, ids=lambda value: str(value[0])[:20])
def test_equal_values_have_one_hash_in_every_type_of_their_kind(values: list[Any], types: list[pa.DataType]) -> None:
    first = one(values, types[0])
    assert len(set(first)) == len(values)
    for data_type in types[1:]:
        assert one(values, data_type) == first, data_type


def test_the_hash_is_fixed_for_ever() -> None:
    # Recorded when the block was made. Another hash moves rows between splits: that is a new major version.
    batch = pa.record_batch(
        {
            "text": pa.array(["user-1", None]),
            "number": pa.array([42, -7]),
            "decimal": pa.array([D("12.50"), D("-3.00")]),
            "at": pa.array([1_769_854_272_000_001, -1], pa.timestamp("us", "UTC")),
            "day": pa.array([20_000, -1], pa.int32()).cast(pa.date32()),
            "flag": pa.array([True, False]),
            "raw": pa.array([b"\0\xff", b""]),
        }
    )
    assert [int(word) for word in key_hash(batch.schema.names, "test", "salt")(batch)] == RECORDED
    assert [int(word) for word in key_hash(["text"], "SplitRows", "")(batch)] == RECORDED_TEXT


def _mixed(word: int) -> int:
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


def _digest(content: bytes, person: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, person=person).digest(), "little")


@given(st.lists(st.tuples(st.none() | st.text(max_size=9), st.none() | st.integers(-(2**63), 2**63 - 1))))
def test_the_hash_is_what_its_written_form_says(rows: list[tuple[str | None, int | None]]) -> None:
    batch = pa.record_batch(
        {
            "text": pa.array([row[0] for row in rows], pa.string()),
            "number": pa.array([row[1] for row in rows], pa.int64()),
        }
    )
    wanted = []
    for text, number in rows:
        words = [
            ("text", None if text is None else _digest(text.encode(), b"text")),
            ("integer", None if number is None else number % 2**64),
        ]
        state = _digest(b"why\0salt", b"blocks.key_hash")
        for kind, word in words:
            kind = "null" if word is None else kind
            state = _mixed(_mixed(state ^ _mixed(((word or 0) + _digest(kind.encode(), b"blocks.key_kind")) % 2**64)))
        wanted.append(state)
    assert key_hash(["text", "number"], "why", "salt")(batch).tolist() == wanted


def test_values_of_different_kinds_differ() -> None:
    found = [
        one(["1"])[0],
        one([b"1"])[0],
        one([1])[0],
        one([True])[0],
        one([D("1")])[0],
        one([1], pa.int32())[0],
        one([datetime.date(1970, 1, 2)])[0],
        one([None], pa.int64())[0],
        one([0])[0],
        one([""])[0],
    ]
    assert len(set(found)) == len(found) - 1  # the two integers are one value
    assert found[2] == found[5]


def test_all_nulls_are_one_value_whatever_the_column() -> None:
    kinds = [pa.string(), pa.int64(), pa.null(), pa.timestamp("us"), pa.decimal128(5, 2), pa.binary(3)]
    assert len({word for kind in kinds for word in one([None, None], kind)}) == 1


def test_what_stands_behind_a_null_makes_no_difference() -> None:
    hidden = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(np.array([7, 8]).tobytes())])
    assert hidden.to_pylist() == [None, 8]
    assert [int(word) for word in hash_column(hidden)] == one([None, 8])


@pytest.mark.parametrize("data_type", [pa.string(), pa.int64(), pa.decimal128(22, 2), pa.timestamp("us")], ids=str)
def test_dictionaries_slices_and_empty_columns_hash_like_plain_values(data_type: pa.DataType) -> None:
    values = pa.array([3, None, 5, 3, 4, None], pa.int64()).cast(data_type)
    whole = [int(word) for word in hash_column(values)]
    assert [int(word) for word in hash_column(values.dictionary_encode())] == whole
    assert [int(word) for word in hash_column(values.dictionary_encode()[2:5])] == whole[2:5]
    assert [int(word) for word in hash_column(values[2:5])] == whole[2:5]
    assert one([], data_type) == []


def test_the_order_of_columns_purpose_and_salt_each_make_another_hash() -> None:
    batch = pa.record_batch({"a": [1, 2], "b": [2, 1]})
    made = [
        key_hash(names, purpose, salt)(batch).tolist()
        for names, purpose, salt in [
            (["a", "b"], "x", ""),
            (["b", "a"], "x", ""),
            (["a"], "x", ""),
            (["a", "b"], "y", ""),
            (["a", "b"], "x", "1"),
        ]
    ]
    assert len({tuple(words) for words in made}) == len(made)
    assert made[0][0] != made[0][1]
    assert key_hash(["b", "a"], "x", "")(batch)[1] == made[0][0]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, unique=True))
def test_different_integers_have_different_hashes(values: list[int]) -> None:
    # The mixing of one word is a bijection.
    assert len(set(one(values, pa.int64()))) == len(values)


@pytest.mark.parametrize("kind", ["integers", "steps", "texts", "times"])
def test_hashes_are_even_and_those_of_two_purposes_independent(kind: str) -> None:
    numbers = pa.array(np.arange(100_000))
    column = {
        "integers": numbers,
        "steps": pa.array(np.arange(100_000) << 20),
        "texts": numbers.cast(pa.string()),
        "times": pa.array(np.arange(100_000) * 3600).cast(pa.timestamp("s")),
    }[kind]
    batch = pa.record_batch({"key": column})
    one, other = (key_hash(["key"], purpose, "")(batch) >> np.uint64(60) for purpose in ("SampleRows", "SplitRows"))
    counts = np.zeros((16, 16))
    np.add.at(counts, (one, other), 1)
    expected = 100_000 / 256
    # The 0.999999 quantile of chi-square with 255 degrees of freedom is 376.
    assert float(((counts - expected) ** 2 / expected).sum()) < 376


def test_bounds_are_exact() -> None:
    assert bound(0.5) == 1 << 63
    assert bound(1) == 1 << 64
    assert bound(0.0) == 0
    assert bound(0.1) < bound(0.1 + 1e-16)


def test_every_column_that_has_no_stable_hash_is_reported() -> None:
    encrypted = '{"key":"main","method":"encrypt","options":{"domain":"x","mode":"random"},"type":"string"}'
    redacted = '{"key":"","method":"redact","options":{},"type":"string"}'
    schema = pa.schema(
        [
            ("price", pa.float64()),
            ("user", pa.struct([("id", pa.string())])),
            ("tags", pa.list_(pa.string())),
            pa.field("secret", pa.string(), metadata={"blocks.masked": encrypted}),
            pa.field("nothing", pa.string(), metadata={"blocks.masked": redacted}),
            ("id", pa.string()),
        ]
    )
    found = list(key_problems(["price", "user", "tags", "secret", "nothing", "user.id", "idd", "id"], schema))
    assert [problem.what for problem in found] == [
        "`user.id` is a field inside the column `user`, and this block works on whole columns",
        "no column `idd`",
        "column `price` is double: equal numbers may differ in their last bits",
        "column `user` is struct<id: string>, which has no hash",
        "column `tags` is list<item: string>, which has no hash",
        "column `secret` is encrypted so that equal values have different texts",
        "column `nothing` was masked by redact, which gives every row the same value",
    ]
    assert all(problem.fix and problem.where == "key" for problem in found)


@pytest.mark.parametrize("key", ["", [], ["a", "a"], [1], {"a": 1}, None])
def test_a_key_that_names_no_column_is_a_problem(key: Any) -> None:
    problems: list[Any] = []
    read_key(key, problems)
    assert len(problems) == 1
    assert problems[0].where == "key"


def test_a_uuid_hashes_like_its_bytes() -> None:
    values = pa.array([b"0123456789abcdef", None], pa.binary(16))
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), values)
    assert hash_column(uuids).tolist() == hash_column(values).tolist()
