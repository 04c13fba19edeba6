"""The runner: rows that fail, columns that are passed on, times, pickling, no way out of the engine."""

import datetime as dt
import pickle
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering_agreement import analysed

from blocks.sql.lowering import Lowered, LoweredRunner, lower

_PLAIN = pa.schema([pa.field("i", pa.int32(), False), pa.field("s", pa.string())])


def _lowered(query: str, schema: pa.Schema = _PLAIN) -> Lowered:
    lowered = lower(analysed(query, schema))
    assert isinstance(lowered, Lowered), lowered
    return lowered


def _batch(whole: list[int], texts: list[str | None] | None = None) -> pa.RecordBatch:
    arrays = [pa.array(whole, pa.int32()), pa.array(texts or [None] * len(whole), pa.string())]
    return pa.RecordBatch.from_arrays(arrays, schema=_PLAIN)


def test_a_row_that_fails_is_told_and_the_others_stay() -> None:
    ran = LoweredRunner(_lowered("SELECT 10 / i AS z, s FROM PCOLLECTION"))(_batch([1, 0, 5], ["a", "b", "c"]))
    assert ran.batch.to_pylist() == [{"z": 10, "s": "a"}, {"z": 2, "s": "c"}]
    assert ran.failed is not None
    assert ran.failed.tolist() == [False, True, False]
    assert ran.code == "expression_failed"


def test_a_row_that_where_leaves_out_does_not_fail() -> None:
    ran = LoweredRunner(_lowered("SELECT 10 / i AS z FROM PCOLLECTION WHERE i <> 0"))(_batch([1, 0, 5]))
    assert ran.batch.column("z").to_pylist() == [10, 2]
    assert ran.failed is None


def test_a_condition_fails_on_every_row_on_which_a_part_of_it_does() -> None:
    query = "SELECT i FROM PCOLLECTION WHERE i <> 0 AND 10 / i > 1"
    ran = LoweredRunner(_lowered(query))(_batch([1, 0, 50]))
    assert ran.batch.column("i").to_pylist() == [1]
    assert ran.failed is not None
    assert ran.failed.tolist() == [False, True, False]


def test_a_whole_number_wraps_as_in_java_beside_a_row_that_fails() -> None:
    ran = LoweredRunner(_lowered("SELECT i + 1 AS z, 10 / i AS y FROM PCOLLECTION"))(_batch([2147483647, 0, 1]))
    assert ran.batch.to_pylist() == [{"z": -2147483648, "y": 0}, {"z": 2, "y": 10}]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(0, 40))
def test_batches_do_not_depend_on_how_they_are_cut(whole: list[int], at: int) -> None:
    runner = LoweredRunner(_lowered("SELECT 10 / i AS z FROM PCOLLECTION WHERE i < 3"))
    batch = _batch(whole)
    both = [runner(batch.slice(0, at)), runner(batch.slice(at))]
    assert runner(batch).batch.to_pylist() == both[0].batch.to_pylist() + both[1].batch.to_pylist()
    failed = [0 if ran.failed is None else int(ran.failed.sum()) for ran in both]
    assert sum(failed) == whole.count(0)


def test_a_batch_without_rows_gives_none() -> None:
    ran = LoweredRunner(_lowered("SELECT i + 1 AS z FROM PCOLLECTION WHERE i > 0"))(_batch([]))
    assert ran.batch.num_rows == 0
    assert ran.batch.schema == pa.schema([pa.field("z", pa.int32(), False)])


def test_columns_that_are_passed_on_keep_their_type_and_their_buffers() -> None:
    schema = pa.schema([pa.field("u", pa.uint8()), pa.field("t", pa.timestamp("s", tz="Europe/Paris"))])
    arrays = [pa.array([1, None], pa.uint8()), pa.array([0, 5], schema.types[1])]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    ran = LoweredRunner(_lowered("SELECT t AS other, u FROM PCOLLECTION", schema))(batch)
    assert ran.batch.schema.types == [schema.types[1], pa.uint8()]
    assert ran.batch.column("other").buffers()[1].address == batch.column("t").buffers()[1].address


def test_a_filter_keeps_the_types_of_columns_that_are_passed_on() -> None:
    types = [pa.uint8(), pa.timestamp("s", tz="Europe/Paris"), pa.large_string(), pa.binary(2), pa.time32("ms")]
    types += [pa.decimal128(5, 1), pa.float16(), pa.list_(pa.uint16()), pa.map_(pa.string(), pa.int8())]
    values = [7, 1_600_000_000, "é", b"ab", dt.time(1, 2, 3), Decimal("1.5"), np.float16(0.5), [1, None], [("k", 1)]]
    schema = pa.schema([pa.field(f"c{at}", kind) for at, kind in enumerate(types)] + [pa.field("keep", pa.bool_())])
    arrays = [pa.array([value, None], kind) for value, kind in zip(values, types, strict=True)]
    batch = pa.RecordBatch.from_arrays([*arrays, pa.array([True, False])], schema=schema)
    ran = LoweredRunner(_lowered("SELECT * FROM PCOLLECTION WHERE keep", schema))(batch)
    assert ran.batch.schema.types == schema.types
    assert ran.batch.equals(batch.slice(0, 1))


def test_rows_that_stay_keep_their_values_and_order_beside_computed_ones() -> None:
    query = "SELECT s, i * 2 AS z, s AS again FROM PCOLLECTION WHERE i > 1"
    ran = LoweredRunner(_lowered(query))(_batch([3, 1, 2, 0, 5], ["a", "b", None, "d", "e"]))
    rows = [tuple(row.values()) for row in ran.batch.to_pylist()]
    assert rows == [("a", 6, "a"), (None, 4, None), ("e", 10, "e")]


def test_columns_that_are_passed_on_beside_a_row_that_fails_are_those_of_the_other_rows() -> None:
    query = "SELECT s FROM PCOLLECTION WHERE 10 / i > 1"
    ran = LoweredRunner(_lowered(query))(_batch([1, 0, 5, 20], ["a", "b", "c", "d"]))
    assert ran.batch.to_pylist() == [{"s": "a"}, {"s": "c"}]
    assert ran.failed is not None
    assert ran.failed.tolist() == [False, True, False, False]


def test_a_batch_of_which_every_row_fails_gives_none() -> None:
    ran = LoweredRunner(_lowered("SELECT s, 10 / i AS z FROM PCOLLECTION"))(_batch([0, 0]))
    assert ran.batch.num_rows == 0
    assert ran.batch.schema.names == ["s", "z"]
    assert ran.failed is not None
    assert ran.failed.all()


def test_a_condition_that_is_never_null_gives_a_column_without_null() -> None:
    ran = LoweredRunner(_lowered("SELECT s = 'a' AND FALSE AS z FROM PCOLLECTION"))(_batch([1, 2], ["a", None]))
    assert ran.batch.schema == pa.schema([pa.field("z", pa.bool_(), nullable=False)])
    assert ran.batch.column("z").to_pylist() == [False, False]


def test_microseconds_stay_exact() -> None:
    schema = pa.schema([pa.field("p", pa.timestamp("us", tz="UTC"))])
    at = dt.datetime(2020, 1, 1, 0, 0, 0, 123456, dt.UTC)
    batch = pa.RecordBatch.from_arrays([pa.array([at], schema.types[0])], schema=schema)
    ran = LoweredRunner(_lowered("SELECT p + INTERVAL '1' DAY AS z FROM PCOLLECTION", schema))(batch)
    assert ran.batch.column("z").to_pylist() == [at + dt.timedelta(days=1)]


def test_a_time_that_the_engine_cannot_hold_fails_its_row_only() -> None:
    schema = pa.schema([pa.field("p", pa.timestamp("ms"))])
    batch = pa.RecordBatch.from_arrays([pa.array([0, 2**62, 5], schema.types[0])], schema=schema)
    ran = LoweredRunner(_lowered("SELECT EXTRACT(YEAR FROM p) AS z FROM PCOLLECTION", schema))(batch)
    assert ran.batch.column("z").to_pylist() == [1970, 1970]
    assert ran.failed is not None
    assert ran.failed.tolist() == [False, True, False]


@pytest.mark.parametrize("query", ["SELECT p FROM PCOLLECTION", "SELECT p FROM PCOLLECTION WHERE i > 0"])
def test_a_time_that_the_engine_cannot_hold_is_passed_on(query: str) -> None:
    schema = pa.schema([pa.field("p", pa.timestamp("ms")), pa.field("i", pa.int32())])
    arrays = [pa.array([0, 2**62, 5], schema.types[0]), pa.array([1, 1, 1], pa.int32())]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    ran = LoweredRunner(_lowered(query, schema))(batch)
    assert ran.batch.column("p").equals(batch.column("p"))
    assert ran.failed is None


def test_a_union_gives_the_rows_of_each_branch_and_one_failure_for_both() -> None:
    query = "SELECT 10 / i AS z FROM PCOLLECTION UNION ALL SELECT i FROM PCOLLECTION WHERE i >= 0"
    ran = LoweredRunner(_lowered(query))(_batch([1, 0, 5]))
    assert ran.batch.column("z").to_pylist() == [10, 2, 1, 0, 5]
    assert ran.failed is not None
    assert ran.failed.tolist() == [False, True, False]


def test_it_travels_to_workers() -> None:
    lowered = pickle.loads(pickle.dumps(_lowered("SELECT UPPER(s) AS z FROM PCOLLECTION")))
    ran = LoweredRunner(lowered)(_batch([1], ["straße"]))
    assert ran.batch.column("z").to_pylist() == ["STRASSE"]


def test_slices_with_nested_columns_are_read_right() -> None:
    schema = pa.schema([pa.field("x", pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]))])
    values = [{"a": at, "b": [str(at)]} for at in range(10)]
    batch = pa.RecordBatch.from_arrays([pa.array(values, schema.types[0])], schema=schema)
    lowered = _lowered("SELECT P.x.a + 1 AS z, CARDINALITY(P.x.b) AS y FROM PCOLLECTION AS P", schema)
    assert LoweredRunner(lowered)(batch.slice(7)).batch.to_pylist() == [{"z": at + 1, "y": 1} for at in (7, 8, 9)]


def test_text_of_the_query_is_data_and_never_sql() -> None:
    evil = "''); SELECT 1; --"
    ran = LoweredRunner(_lowered(f"SELECT '{evil}' || s AS z FROM PCOLLECTION"))(_batch([1], ["x"]))
    assert ran.batch.column("z").to_pylist() == [evil.replace("''", "'") + "x"]


def test_column_names_never_reach_the_engine() -> None:
    name = 'a"); DROP TABLE x; --'
    schema = pa.schema([pa.field(name, pa.int32())])
    lowered = _lowered(f"SELECT `{name}` + 1 AS z FROM PCOLLECTION", schema)
    assert name not in lowered.branches[0].outputs[0].sql
    batch = pa.RecordBatch.from_arrays([pa.array([1], pa.int32())], schema=schema)
    assert LoweredRunner(lowered)(batch).batch.column("z").to_pylist() == [2]


@pytest.mark.parametrize(
    ("text", "lower_case"),
    [("ΟΔΟΣ", "οδος"), ("ΟΔΟΣ, ΑΣ", "οδος, ας"), ("ΣΣΣ", "σσς"), ("Σ", "σ"), ("İΣa", "i̇σa")],
)
def test_a_final_sigma_has_its_own_form(text: str, lower_case: str) -> None:
    ran = LoweredRunner(_lowered("SELECT LOWER(s) AS z FROM PCOLLECTION"))(_batch([1], [text]))
    assert ran.batch.column("z").to_pylist() == [lower_case]


def test_half_a_sign_fails_its_row() -> None:
    runner = LoweredRunner(_lowered("SELECT SUBSTRING(s FROM 1 FOR 2) AS z FROM PCOLLECTION"))
    ran = runner(_batch([1, 2, 3], ["a😀", "😀a", "abc"]))
    assert ran.batch.column("z").to_pylist() == ["😀", "ab"]
    assert ran.failed is not None
    assert ran.failed.tolist() == [True, False, False]
