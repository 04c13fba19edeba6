"""Expressions over batches: rows that fail, types and layouts of Arrow, and what never shows."""

import pickle
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from expression_data import BATCH, SCHEMA, failing, values
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from blocks.core.errors import BatchTypeError, BlocksError, SchemaError
from blocks.shaping.expressions import Runner, parse_expression, parse_expressions
from blocks.shaping.expressions import runner as runner_module
from blocks.shaping.expressions.columns import Read, unreadable
from blocks.shaping.expressions.engine import CHECKER, Refusal
from blocks.shaping.expressions.growth import at_most

sys.path.append(str(Path(__file__).parents[1] / "core"))
from core_data import LEAVES, arrays, types

INT = pa.schema([("s", pa.string())])


def texts(*given: str | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(given, pa.string())], schema=INT)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("CAST(text AS INTEGER)", [2]),
        ("10 // n", [0]),
        ("id % n", [0]),
        ("id + 9223372036854775805", [2]),
        ("CAST(id * 100 AS TINYINT)", [1, 2]),
        ("CAST(x AS INTEGER)", [2]),
        ("strptime(text, '%d')", [2]),
        ("10 // coalesce(n, 0)", [0, 1]),
        ("n > 0 AND 10 // n > 1", [0]),
        ("CASE WHEN n > 0 THEN 10 // n END", []),
        ("TRY_CAST(text AS INTEGER)", []),
        ("try(10 // n)", []),
        ("id + 1 > 9223372036854775807", []),
    ],
)
def test_exactly_the_rows_that_fail_are_told(text: str, rows: list[int]) -> None:
    assert failing(text) == rows


def test_a_row_that_fails_is_null_and_the_others_have_their_values() -> None:
    expression = parse_expression("CAST(s AS INTEGER)", INT)
    found = Runner([expression])(texts("1", "x", None, "4"))
    assert found.columns[0].to_pylist() == [1, None, None, 4]
    assert found.failed[0] is not None
    assert found.failed[0].tolist() == [False, True, False, False]


def test_a_batch_after_one_that_failed_is_right() -> None:
    run = Runner([parse_expression("CAST(s AS INTEGER)", INT)])
    assert run(texts("x")).any_failed() is not None
    assert run(texts("7", None)).columns[0].to_pylist() == [7, None]
    assert run(texts("7")).any_failed() is None


def test_each_expression_has_its_own_failures() -> None:
    made = parse_expressions({"a": "CAST(text AS INTEGER)", "b": "10 // n", "c": "id", "d": "id + 1"}, SCHEMA)
    found = Runner(list(made.values()))(BATCH)
    rows = [None if one is None else one.tolist() for one in found.failed]
    assert rows == [[False, False, True], [True, False, False], None, None]
    both = found.any_failed()
    assert both is not None
    assert both.tolist() == [True, False, True]


@drawn(st.lists(st.sampled_from(["1", "22", "x", "", None, "99999999999"]), max_size=30))
@settings(max_examples=15)
def test_a_row_fails_alike_alone_and_among_others(given: list[str | None]) -> None:
    run = Runner([parse_expression("CAST(s AS INTEGER)", INT)])
    together = run(texts(*given))
    alone = [run(texts(one)) for one in given]
    assert together.columns[0].to_pylist() == [one.columns[0][0].as_py() for one in alone]
    marks = np.zeros(len(given), np.bool_) if together.failed[0] is None else together.failed[0]
    assert marks.tolist() == [one.failed[0] is not None for one in alone]


def test_failures_that_try_does_not_catch_are_found_by_halving(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Runner([parse_expression("CAST(s AS INTEGER)", INT)])
    assert run._query is not None
    # The query without TRY in its place fails as a whole, as one would that TRY does not cover.
    plain = runner_module.Query(
        run._connection, INT.empty_table().rename_columns(["c0"]).schema, ["{'v': CAST(c0 AS INTEGER)}"]
    )
    monkeypatch.setattr(run, "_safe", plain)
    found = run(texts("1", "x", "3", None, "y"))
    assert found.columns[0].to_pylist() == [1, None, 3, None, None]
    assert found.failed[0] is not None
    assert found.failed[0].tolist() == [False, True, False, False, True]


def test_an_engine_that_fails_for_another_reason_stops_and_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Runner([parse_expression("CAST(s AS INTEGER)", INT)])

    def broken(_: Any) -> Any:
        raise duckdb.OutOfMemoryException("cannot hold 'SECRET'")

    monkeypatch.setattr(run._query, "run", broken)
    with pytest.raises(BlocksError) as caught:
        run(texts("SECRET"))
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_null_where_none_was_declared_is_seen() -> None:
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    run = Runner([parse_expression("n + 1", schema)])
    wrong = pa.RecordBatch.from_arrays([pa.array([1, None])], schema=pa.schema([("n", pa.int64())]))
    with pytest.raises(BatchTypeError, match="cannot be null gave null"):
        run(wrong)


def test_columns_that_are_not_read_may_have_any_type() -> None:
    odd = pa.schema(
        [("n", pa.int64()), ("half", pa.float16()), ("wide", pa.decimal256(70, 2)), ("t", pa.duration("s"))]
    )
    arrays_ = [
        pa.array([1]),
        pa.array([1.0], pa.float16()),
        pa.nulls(1, odd.field(2).type),
        pa.array([3], odd.field(3).type),
    ]
    batch = pa.RecordBatch.from_arrays(arrays_, schema=odd)
    assert values("n + 1", batch) == [2]
    made = parse_expressions({"a": "half", "b": "wide", "c": "t"}, odd)
    assert [one.type for one in made.values()] == [pa.float16(), pa.decimal256(70, 2), pa.duration("s")]
    assert Runner(list(made.values()))(batch).columns == arrays_[1:]


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.float16(), pa.decimal256(50, 2), pa.duration("us"), pa.list_(pa.duration("us")), pa.struct([])),
        *(pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.list_(pa.timestamp("ns")), pa.time64("ns")),
        *(pa.struct([("t", pa.timestamp("ns", "UTC"))]), pa.decimal128(10, -2)),
    ],
)
def test_a_type_that_the_engine_cannot_read_is_refused_at_construction(kind: pa.DataType) -> None:
    with pytest.raises(SchemaError, match="which expressions cannot read"):
        parse_expression("a IS NULL", pa.schema([("a", kind)]))


def test_names_of_columns_may_be_anything() -> None:
    names = ["A", "a", 'a"b', "select", "c0", "user name", "a.b", "o0"]
    batch = pa.RecordBatch.from_arrays([pa.array([number]) for number in range(8)], names=names)
    for number, name in enumerate(names):
        assert values('"' + name.replace('"', '""') + '" + 0', batch) == [number]


def test_literals_alone_have_a_value_for_each_row() -> None:
    assert values("1 + 1") == [2, 2, 2]
    assert values("'it''s'") == ["it's"] * 3
    assert values("DATE '2026-01-31'", BATCH.slice(0, 0)) == []


def test_fields_of_a_null_struct_are_null() -> None:
    assert values("user.country || '!'") == ["SE!", None, None]
    assert values("user.country IS NULL") == [False, True, True]


_KINDS = types(tuple(kind for kind in LEAVES if kind != pa.null()))


@drawn(st.data())
@settings(max_examples=25)
def test_every_layout_of_every_type_goes_through_unchanged(data: st.DataObject) -> None:
    kind = data.draw(_KINDS)
    array = data.draw(arrays(kind))
    batch = pa.RecordBatch.from_arrays(
        [array, pa.StructArray.from_arrays([array], ["x"])],
        schema=pa.schema([("a", kind), ("b", pa.struct([("x", kind)]))]),
    )
    if unreadable(kind):
        with pytest.raises(SchemaError):
            parse_expression("a IS NULL", batch.schema)
        return
    made = parse_expressions({text: text for text in ("coalesce(a, a)", "if(TRUE, b.x, b.x)")}, batch.schema)
    found = Runner(list(made.values()))(batch)
    for expression, column, failed in zip(made.values(), found.columns, found.failed, strict=True):
        assert failed is None
        assert column.type.equals(expression.type, check_metadata=True)
        assert repr(column.to_pylist()) == repr(array.to_pylist())


def test_a_column_that_the_engine_cannot_read_stops_and_rejects_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = pa.list_(pa.struct([("a", pa.int64())]))
    child = pa.array([{"a": 1}, {"a": 2}, {"a": 3}]).slice(1)
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), child, type=kind)
    batch = pa.RecordBatch.from_arrays([lists], names=["s"])
    run = Runner([parse_expression("coalesce(s, s)", batch.schema)])
    assert run(batch).columns[0].to_pylist() == lists.to_pylist()
    monkeypatch.setattr(runner_module, "_from_zero", lambda column: column)
    with pytest.raises(BlocksError, match="the engine failed"):
        run(batch)


def test_slices_of_structs_in_structs_are_right_beyond_one_vector() -> None:
    kind = pa.struct([("a", pa.struct([("b", pa.int64())]))])
    rows = [None if n % 7 == 0 else {"a": None if n % 5 == 0 else {"b": n}} for n in range(6000)]
    whole = pa.RecordBatch.from_arrays([pa.array(rows, kind)], names=["s"])
    for start, count in ((0, 6000), (1, 5999), (3000, 3000), (2048, 10)):
        found = values("coalesce(s, s)", whole.slice(start, count))
        assert found == rows[start : start + count]


def test_rows_keep_their_order_in_large_batches() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(np.arange(100_000))], names=["n"])
    assert values("n * 2", batch) == list(range(0, 200_000, 2))


def test_an_expression_pickles() -> None:
    expression = parse_expression("upper(name) || items[1].sku", SCHEMA)
    again = pickle.loads(pickle.dumps(expression))
    assert again == expression
    assert Runner([again])(BATCH).columns[0].to_pylist() == ["ANNa", None, None]


@pytest.mark.parametrize(
    "text", ["CAST(n AS DATE)", "date_trunc('day', n)", "epoch_us(n)", "n > TIMESTAMP '1970-01-01'", "coalesce(n, n)"]
)
def test_nanoseconds_are_refused_for_the_engine_would_round_them(text: str) -> None:
    schema = pa.schema([("n", pa.timestamp("ns"))])
    with pytest.raises(
        SchemaError, match=r"(?s)`n` is timestamp\[ns\].*cast it to timestamp\[us\] before: CastColumns"
    ):
        parse_expression(text, schema)
    assert parse_expression("n", schema).type == pa.timestamp("ns")


TIMES = pa.schema([("d", pa.date32()), ("at", pa.timestamp("us", "UTC"))])


def times(*days: int | None) -> pa.RecordBatch:
    day = pa.array(days, pa.int32()).cast(pa.date32())
    micro = pa.array([None if one is None else one * 86_400_000_000 for one in days]).cast(TIMES.field("at").type)
    return pa.RecordBatch.from_arrays([day, micro], schema=TIMES)


@pytest.mark.parametrize(
    "text",
    [
        *("d + 1", "d + INTERVAL 1 DAY", "at + INTERVAL 1 DAY", "at + to_days(1)"),
        "CASE WHEN at >= '9999-12-31' THEN CAST('infinity' AS TIMESTAMPTZ) ELSE at END",
        "CASE WHEN d >= '9999-12-31' THEN CAST('-infinity' AS DATE) ELSE d END",
    ],
)
def test_a_result_outside_the_years_1_to_9999_fails_its_row_only(text: str) -> None:
    batch = times(2_932_896, 2_932_895, None, -719_162)
    assert failing(text, batch) == [0]


@pytest.mark.parametrize("text", ["d - 1", "at - INTERVAL 1 MICROSECOND", "CAST(d AS TIMESTAMP) - INTERVAL 1 SECOND"])
def test_a_result_before_the_year_1_fails_its_row_only(text: str) -> None:
    assert failing(text, times(0, -719_162, None, 2_932_896)) == [1]


def test_the_first_and_the_last_day_are_results() -> None:
    batch = times(-719_162, 2_932_896)
    assert failing("d + 0", batch) == failing("at + INTERVAL 0 DAY", batch) == []
    assert failing("CAST('24:00:00' AS TIME)", batch) == [0, 1]


LONG = "'" + "b" * 4_000 + "'"


def test_a_row_whose_text_would_wrap_around_fails_and_the_others_do_not() -> None:
    made = parse_expressions({"a": f"length(replace(s, 'a', {LONG}))", "b": "length(s)"}, INT)
    batch = texts("aa", "a" * 1_200_000, None, "x")
    found = Runner(list(made.values()))(batch)
    assert [column.to_pylist() for column in found.columns] == [[8_000, None, None, 1], [2, 1_200_000, None, 1]]
    assert found.failed[0] is not None
    assert found.failed[0].tolist() == [False, True, False, False]
    assert found.failed[1] is None


@pytest.mark.parametrize(
    "text",
    [
        f"length(replace(replace(s, 'a', {LONG}), 'b', {LONG}))",
        f"length(regexp_replace(regexp_replace(s, 'a', {LONG}, 'g'), 'b', {LONG}, 'g'))",
        f"regexp_matches(replace(replace(s, 'a', {LONG}), 'b', {LONG}), 'c')",
        "replace(" * 30 + "s" + ", 'a', s)" * 30,
    ],
)
def test_what_makes_texts_longer_again_and_again_is_refused_at_construction(text: str) -> None:
    with pytest.raises(SchemaError, match="a text in it can become longer than 2147483647 bytes"):
        parse_expression(text, INT)


@drawn(st.text("ab", max_size=8), st.lists(st.sampled_from(range(11)), min_size=1, max_size=3))
@settings(max_examples=40)
def test_no_text_is_longer_than_its_bound(value: str, steps: list[int]) -> None:
    forms = [
        *("replace({}, 'a', 'bcd')", "replace({}, 'ab', s)", "regexp_replace({}, 'a*', 'x\\0y', 'g')"),
        *("concat({0}, '-', {0})", "concat_ws({0}, {0}, s, s)", "array_to_string(string_split({}, ''), 'zzz')"),
        *("lpad({}, 40, '*')", "{} || s", "CAST(string_split({}, 'a') AS VARCHAR)", "upper({})", "coalesce({}, s)"),
    ]
    text = "s"
    for step in steps:
        text = forms[step].format(text)
    expression = parse_expression(text, INT)
    (found,) = Runner([expression])(texts(value)).columns[0].to_pylist()
    assert len(found.encode()) <= at_most(expression.growth, len(value))


def test_columns_that_the_engine_would_do_nothing_with_are_seen_on_a_plain_row() -> None:
    schema = pa.schema([(f"c{number}", kind) for number, kind in enumerate(LEAVES) if not unreadable(kind)])
    for name in schema.names:
        row = CHECKER.types([Read((0,), name, schema.field(name), frozenset(), None)], ["c0 IS NULL"], "plain")
        assert not isinstance(row, Refusal)
