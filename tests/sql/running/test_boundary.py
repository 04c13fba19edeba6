"""Batches cross to the SQL service and back: every type, with nulls, extremes and slices; what is cut or refused."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.core.errors import BatchTypeError, RejectedRecordError
from blocks.sql.boundary import FromWire, ToWire, is_finer, loosened, planned_schema, wire_schema
from blocks.sql.types import UnsupportedTypeError

UTC = dt.UTC
FAR = dt.datetime(9999, 12, 31, 23, 59, 59, 999000)
LONG_AGO = dt.datetime(1, 1, 1)
STRUCT = pa.struct([pa.field("a", pa.uint8()), pa.field("at", pa.timestamp("s")), pa.field("t", pa.large_string())])

VALUES = [
    (pa.bool_(), pa.bool_(), [True, False]),
    (pa.int8(), pa.int8(), [-128, 127]),
    (pa.int16(), pa.int16(), [-32768, 32767]),
    (pa.int32(), pa.int32(), [-(2**31), 2**31 - 1]),
    (pa.int64(), pa.int64(), [-(2**63), 2**63 - 1]),
    (pa.uint8(), pa.int16(), [0, 255]),
    (pa.uint16(), pa.int32(), [0, 65535]),
    (pa.uint32(), pa.int64(), [0, 2**32 - 1]),
    (pa.float16(), pa.float32(), [0.5, -65504.0, float("inf")]),
    (pa.float32(), pa.float32(), [0.5, float("-inf")]),
    (pa.float64(), pa.float64(), [5e-324, 1.7976931348623157e308, -0.0]),
    (pa.decimal128(9, 2), pa.decimal128(38, 9), [Decimal("9999999.99"), Decimal("-0.01")]),
    (pa.decimal128(38, 9), pa.decimal128(38, 9), [Decimal("9" * 29 + "." + "9" * 9)]),
    (pa.decimal64(18, 3), pa.decimal128(38, 9), [Decimal("-123456789012345.678")]),
    (pa.string(), pa.string(), ["", "słowo 𝄞\0"]),
    (pa.large_string(), pa.string(), ["x" * 1000]),
    (pa.string_view(), pa.string(), ["longer than twelve characters", "short"]),
    (pa.binary(), pa.binary(), [b"", b"\0\xff"]),
    (pa.large_binary(), pa.binary(), [b"\0"]),
    (pa.binary(3), pa.binary(), [b"abc"]),
    (pa.binary_view(), pa.binary(), [b"longer than twelve bytes"]),
    (pa.date32(), pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    (pa.time32("s"), pa.time64("us"), [dt.time(23, 59, 59)]),
    (pa.time32("ms"), pa.time64("us"), [dt.time(23, 59, 59, 999000)]),
    (pa.time64("us"), pa.time64("us"), [dt.time(23, 59, 59, 999999)]),
    (pa.timestamp("s"), pa.timestamp("ms", "UTC"), [LONG_AGO, dt.datetime(9999, 12, 31)]),
    (pa.timestamp("ms"), pa.timestamp("ms", "UTC"), [LONG_AGO, FAR, dt.datetime(1969, 12, 31, 23, 59, 59, 999000)]),
    (pa.timestamp("ms", "Europe/Oslo"), pa.timestamp("ms", "UTC"), [dt.datetime(2024, 10, 27, 0, 30, tzinfo=UTC)]),
    (pa.timestamp("us", "UTC"), pa.timestamp("ms", "UTC"), [LONG_AGO.replace(tzinfo=UTC), FAR.replace(tzinfo=UTC)]),
    (pa.list_(pa.uint16()), pa.list_(pa.int32()), [[], [1, None, 65535]]),
    (pa.large_list(pa.string()), pa.list_(pa.string()), [["a", None]]),
    (pa.list_(pa.timestamp("s"), 2), pa.list_(pa.timestamp("ms", "UTC")), [[LONG_AGO, None]]),
    (pa.list_view(pa.int8()), pa.list_(pa.int8()), [[1], []]),
    (pa.map_(pa.large_string(), pa.uint8()), pa.map_(pa.string(), pa.int16()), [[("k", 1), ("l", None)], []]),
    (
        STRUCT,
        pa.struct([pa.field("a", pa.int16()), pa.field("at", pa.timestamp("ms", "UTC")), pa.field("t", pa.string())]),
        [{"a": 255, "at": LONG_AGO, "t": "x"}, {"a": None, "at": None, "t": None}],
    ),
    (
        pa.list_(pa.map_(pa.string(), STRUCT)),
        None,
        [[[("k", {"a": 1, "at": LONG_AGO, "t": "y"}), ("n", None)], None], []],
    ),
]


def crossed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """There and back."""
    there = ToWire(batch.schema, batch.schema.names)
    return FromWire(there.schema, batch.schema)(there(batch))


@pytest.mark.parametrize(("kind", "on_the_wire", "values"), VALUES, ids=[str(kind) for kind, *_ in VALUES])
def test_every_type_crosses_and_comes_back_as_it_was_with_nulls_in_a_slice(kind, on_the_wire, values):
    schema = pa.schema([pa.field("x", kind, metadata={"blocks.label": "pii.x"}), pa.field("n", pa.int8(), False)])
    rows = [None, *values, None]
    whole = pa.RecordBatch.from_arrays([pa.array(rows, kind), pa.array(range(len(rows)), pa.int8())], schema=schema)
    if on_the_wire is not None:
        assert ToWire(schema, ["x"]).schema.field("x").type == on_the_wire
    for batch in (whole, whole.slice(1), whole.slice(0, 0), whole.slice(len(rows) - 1)):
        back = crossed(batch)
        assert back.schema.equals(schema, check_metadata=True)
        assert back.column(0).to_pylist() == batch.column(0).to_pylist()
        assert back.column(1).to_pylist() == batch.column(1).to_pylist()
        back.validate(full=True)


def test_a_nan_stays_one():
    batch = pa.RecordBatch.from_pylist([{"x": float("nan")}])
    assert str(crossed(batch).column(0)[0]) == "nan"


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_microseconds_are_cut_toward_minus_infinity(numbers):
    batch = pa.RecordBatch.from_arrays([pa.array(numbers, pa.timestamp("us", "UTC"))], names=["at"])
    found = ToWire(batch.schema, ["at"]).batch(batch).column(0).cast(pa.int64()).to_pylist()
    assert found == [None if one is None else one // 1000 for one in numbers]


def test_only_the_columns_that_are_read_cross_in_their_order():
    batch = pa.RecordBatch.from_pylist([{"a": 1, "b": "secret", "c": 2}])
    there = ToWire(batch.schema, ["c", "a"])
    assert there.schema.names == ["c", "a"]
    assert b"secret" not in there(batch)
    assert there.batch(batch).to_pylist() == [{"c": 2, "a": 1}]


def test_a_column_that_is_not_read_may_have_any_type():
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([1], pa.uint64())], names=["a", "u"])
    assert ToWire(batch.schema, ["a"]).batch(batch).to_pylist() == [{"a": 1}]
    with pytest.raises(UnsupportedTypeError, match="cast it"):
        ToWire(batch.schema, ["u"])


def test_nothing_of_a_schemas_meaning_crosses_but_whether_a_column_has_nulls():
    schema = pa.schema([pa.field("x", pa.string(), False, metadata={"blocks.label": "pii.x"})], {"k": "v"})
    assert wire_schema(schema, ["x"]).field("x").equals(pa.field("x", pa.string(), False), check_metadata=True)
    assert wire_schema(schema, ["x"]).metadata is None


def test_a_time_that_milliseconds_cannot_hold_is_an_error_that_shows_no_value():
    batch = pa.RecordBatch.from_arrays([pa.array([2**62 + 12345], pa.timestamp("s"))], names=["at"])
    with pytest.raises(RejectedRecordError, match="column `at`") as caught:
        ToWire(batch.schema, ["at"])(batch)
    assert "12345" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_null_where_the_check_promised_none_is_no_silent_output():
    planned = pa.schema([pa.field("x", pa.int64())])
    message = pa.RecordBatch.from_arrays([pa.array([None], pa.int64())], schema=planned).serialize().to_pybytes()
    with pytest.raises(BatchTypeError, match="column `y` came back with a null"):
        FromWire(planned, pa.schema([pa.field("y", pa.int64(), False)]))(message)


def test_what_comes_back_has_its_times_in_milliseconds_on_the_wire():
    schema = pa.schema([pa.field("at", pa.list_(pa.field("item", pa.timestamp("us", "UTC"))), False)])
    assert planned_schema(schema).field("at").equals(pa.field("at", pa.list_(pa.timestamp("ms", "UTC")), False))


@pytest.mark.parametrize(
    ("kind", "finer"),
    [
        (pa.timestamp("us"), True),
        (pa.timestamp("ms", "UTC"), False),
        (pa.timestamp("s"), False),
        (pa.map_(pa.string(), pa.list_(pa.struct([pa.field("a", pa.timestamp("us", "UTC"))]))), True),
        (pa.time64("us"), True),
        (pa.time32("ms"), False),
        (pa.string(), False),
    ],
)
def test_microseconds_are_found_at_any_depth(kind, finer):
    assert is_finer(kind) is finer


def test_everything_below_a_loosened_type_may_be_null_but_keys_of_maps() -> None:
    required = pa.field("item", pa.int32(), False)
    entries = pa.map_(pa.string(), pa.field("value", pa.list_(required), False))
    found = loosened(pa.struct([pa.field("a", pa.list_(required), False), pa.field("m", entries, False)]))
    assert found.field("a").nullable
    assert found.field("a").type.value_field.nullable
    assert found.field("m").nullable
    assert found.field("m").type.item_field.nullable
    assert found.field("m").type.item_type.value_field.nullable
    assert not found.field("m").type.key_field.nullable
