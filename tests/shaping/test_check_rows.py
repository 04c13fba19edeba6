"""CheckRows: every kind of expectation, and what becomes of rows that fail."""

import datetime
import decimal
import json
import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.transforms.window import FixedWindows
from expression_data import SCHEMA as WIDE
from expression_data import field
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from running import counters, kept_batches, run_over

from blocks.core.errors import ConfigError, PrivacyError, RejectedRecordError, SchemaError
from blocks.core.windows import WindowRows
from blocks.shaping.check_rows import CheckRows, _CheckEachRow
from blocks.shaping.expectations import read_expectations

UTC = datetime.UTC
D = decimal.Decimal
SCHEMA = pa.schema(
    [
        field("id", pa.int64(), "public"),
        field("at", pa.timestamp("us", "UTC"), "public", event_time="true"),
        field("amount", pa.decimal128(10, 2), "public"),
        field("x", pa.float64(), "public"),
        field("status", pa.string(), "public"),
        field("email", pa.string(), "pii.email"),
    ]
)
POLICY = {
    "destinations": {
        "shuffle": {"labels": {"*": "keep"}},
        "rejects": {"labels": {"public": "keep"}},
    }
}


def batch(*rows: dict[str, Any], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": number, **row} for number, row in enumerate(rows)], schema=schema)


def failing(expectation: dict[str, Any], given: pa.RecordBatch) -> list[int]:
    """The rows that fail one expectation, in the order of the batch."""
    expectations = read_expectations([expectation], "reject", problems := [])
    assert not problems
    outcome = _CheckEachRow(expectations, None).batch_function(given.schema)(given)
    left = outcome.rows.column("id").to_pylist()
    assert len(left) + len(outcome.rejects) == given.num_rows
    return [row for row in given.column("id").to_pylist() if row not in left]


def column(kind: pa.DataType, *values: Any) -> pa.RecordBatch:
    schema = pa.schema([("id", pa.int64()), ("c", kind)])
    return pa.RecordBatch.from_arrays([pa.array(range(len(values)), pa.int64()), pa.array(values, kind)], schema=schema)


def test_presence() -> None:
    assert failing({"column": "c", "present": True}, column(pa.string(), "a", None, "")) == [1]
    assert failing({"column": "c", "present": True}, column(pa.list_(pa.int64()), [], None)) == [1]


@pytest.mark.parametrize(
    ("kind", "values", "bounds", "wanted"),
    [
        (pa.int64(), [0, 5, 6, None, -1], {"min": 0, "max": 5}, [2, 4]),
        (pa.uint8(), [0, 255], {"min": 1}, [0]),
        (pa.float64(), [0.5, -0.0, float("nan"), float("inf"), None], {"min": 0, "max": 1e3}, [2, 3]),
        (pa.float32(), [0.5, 1.5], {"max": 1}, [1]),
        (pa.decimal128(10, 2), [D("9.99"), D("10.00"), D("10.01"), None], {"max": "10"}, [2]),
        (pa.decimal128(10, 2), [D("9.99"), D("0.05")], {"max": 0.05}, [0]),
        (pa.decimal256(60, 2), [D("9.99"), D("10.01")], {"min": 10}, [0]),
        (pa.date32(), [datetime.date(2025, 12, 31), datetime.date(2026, 1, 1)], {"min": "2026-01-01"}, [0]),
        (pa.date32(), [datetime.date(2025, 12, 31), None], {"min": datetime.date(2026, 1, 1)}, [0]),
        (
            pa.timestamp("us", "UTC"),
            [datetime.datetime(2026, 1, 1, tzinfo=UTC), datetime.datetime(2026, 1, 1, 1, tzinfo=UTC)],
            {"max": "2026-01-01T01:30:00+01:00"},
            [1],
        ),
        (pa.timestamp("ms"), [datetime.datetime(2026, 1, 1)], {"min": "2026-01-01T00:00:01"}, [0]),
        (pa.time64("us"), [datetime.time(9), datetime.time(11)], {"max": "10:00"}, [1]),
        (pa.string(), ["a", "b", "B", None], {"min": "a"}, [2]),
        (pa.large_string(), ["a", "c"], {"max": "b"}, [1]),
        (pa.string_view(), ["a", "c", None], {"max": "b"}, [1]),
    ],
)
def test_ranges_of_every_kind(kind: pa.DataType, values: list[Any], bounds: dict[str, Any], wanted: list[int]) -> None:
    assert failing({"column": "c", **bounds}, column(kind, *values)) == wanted


@pytest.mark.parametrize(
    ("kind", "values", "allowed", "wanted"),
    [
        (pa.string(), ["paid", "sent", "Paid", None, ""], ["paid", "sent"], [2, 4]),
        (pa.string_view(), ["paid", "x", None], ["paid"], [1]),
        (pa.int32(), [1, 2, None], [1], [1]),
        (pa.bool_(), [True, False, None], [True], [1]),
        (pa.float64(), [0.0, -0.0, 1.5], [0], [2]),
        (pa.decimal128(5, 2), [D("1.50"), D("2.00")], ["1.5"], [1]),
        (pa.date32(), [datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)], ["2026-01-02"], [0]),
    ],
)
def test_domains_of_every_kind(kind: pa.DataType, values: list[Any], allowed: list[Any], wanted: list[int]) -> None:
    assert failing({"column": "c", "one_of": allowed}, column(kind, *values)) == wanted


def test_a_pattern_matches_the_whole_text() -> None:
    given = column(pa.string(), "ABC-1", "xABC-1", "ABC-1\n", "abc-1", None, "ABC-12")
    assert failing({"column": "c", "pattern": "[A-Z]{3}-[0-9]+"}, given) == [1, 2, 3]
    assert failing({"column": "c", "pattern": "a|ABC-1"}, given) == [1, 2, 3, 5]
    assert failing({"column": "c", "pattern": "a|b"}, column(pa.string_view(), "a", "ab", None)) == [1]


def test_a_condition_fails_where_it_is_false_or_cannot_be_computed_and_passes_on_null() -> None:
    given = batch(
        {"amount": D(5), "status": "4"},
        {"amount": D(3), "status": "4"},
        {"status": "4"},
        {"amount": D(9), "status": "x"},
    )
    assert failing({"where": "amount > CAST(status AS INTEGER)"}, given) == [1, 3]


def test_nulls_fail_presence_only() -> None:
    given = column(pa.string(), None)
    for part in ({"min": "a"}, {"one_of": ["a"]}, {"pattern": "a"}):
        assert failing({"column": "c", **part}, given) == []


def test_parts_of_one_expectation_hold_together() -> None:
    given = column(pa.int64(), None, -1, 5, 11)
    assert failing({"column": "c", "present": True, "min": 0, "max": 10}, given) == [0, 1, 3]


@drawn(st.lists(st.integers(-5, 15) | st.none(), max_size=30), st.integers(-5, 5), st.integers(5, 15))
@settings(max_examples=50)
def test_a_range_agrees_with_python(given: list[int | None], low: int, high: int) -> None:
    found = failing({"column": "c", "min": low, "max": high}, column(pa.int64(), *given))
    assert found == [at for at, one in enumerate(given) if one is not None and not low <= one <= high]


EXPECT = [
    {"column": "amount", "min": 0, "max": 10, "name": "sane amount"},
    {"column": "status", "one_of": ["paid", "sent"]},
    {"where": "email <> 'SECRET@x'"},
    {"column": "x", "present": True, "on_failure": "warn"},
]
ROWS = [
    {"amount": D(1), "status": "paid", "email": "a@x", "x": 1.0},
    {"amount": D(11), "status": "lost", "email": "b@x", "x": 1.0},
    {"amount": D(1), "status": "sent", "email": "SECRET@x", "x": 1.0},
    {"amount": D(2), "status": "sent", "email": "c@x"},
    {"amount": D(12), "status": "sent", "email": "c@x"},
]


def test_rows_are_rejected_once_naming_every_expectation_and_no_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "blocks"):
        found = run_over(lambda rejects: CheckRows(EXPECT, rejects=rejects), [batch(*ROWS)], tmp_path, POLICY)
    assert [row["id"] for row in found.rows] == [0, 3]
    assert found.schema.equals(SCHEMA, check_metadata=True)
    rejects = [row for file in tmp_path.glob("*/*.parquet") for row in pq.read_table(file).to_pylist()]
    assert [(row["code"], row["message"], row["field_path"]) for row in rejects] == [
        ("check_failed", "the row fails `sane amount`, `status one_of`", "amount, status"),
        ("check_failed", "the row fails `condition 3`", "email"),
        ("check_failed", "the row fails `sane amount`, `x present`", "amount, x"),
    ]
    assert json.loads(rejects[1]["record"]) == {"id": 2, "amount": "1.00", "x": 1.0, "status": "sent"}
    assert "SECRET" not in repr(rejects) + caplog.text
    counted = counters(found.result, "CheckRows")
    assert (counted["rows_in"], counted["rows_out"], counted["rows_rejected"]) == (5, 2, 3)
    names = ("sane amount", "status one_of", "condition 3", "x present")
    assert [counted[name] for name in names] == [2, 1, 1, 2]
    lines = [record.getMessage() for record in caplog.records if record.name == "blocks"]
    assert lines == ["CheckRows: rows of a bundle: 2 fail `x present`"]


def test_warn_lets_all_rows_pass_and_says_so_once_a_bundle(caplog: pytest.LogCaptureFixture) -> None:
    given = batch(*ROWS)
    with caplog.at_level(logging.WARNING, "blocks"):
        found = run_over(CheckRows(EXPECT, on_failure="warn"), [given, given, given])
    assert [row["id"] for row in found.rows] == [0, 1, 2, 3, 4] * 3
    lines = [record.getMessage() for record in caplog.records if record.name == "blocks"]
    assert lines == [
        "CheckRows: rows of a bundle: 6 fail `sane amount`, 3 fail `status one_of`, 3 fail `condition 3`, "
        "6 fail `x present`"
    ]
    counted = counters(found.result, "CheckRows")
    assert (counted["rows_in"], counted["rows_out"], counted["sane amount"]) == (15, 15, 6)


def test_warn_says_nothing_where_nothing_fails(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "blocks"):
        run_over(CheckRows(EXPECT, on_failure="warn"), [batch(ROWS[0])])
    assert not [record for record in caplog.records if record.name == "blocks"]


def test_stop_names_the_expectation_and_no_value(tmp_path: Path) -> None:
    expect = [{"column": "email", "pattern": "[a-z]@x", "on_failure": "stop", "name": "mail form"}]
    with pytest.raises(RejectedRecordError) as caught:
        run_over(lambda rejects: CheckRows(expect, rejects=rejects), [batch(*ROWS)], tmp_path, POLICY)
    assert "1 row of a batch fails `mail form`" in str(caught.value)
    assert "CheckRows, expect[1]" in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_without_rejects_the_first_row_to_be_rejected_stops() -> None:
    with pytest.raises(RejectedRecordError, match="the row fails `sane amount`"):
        run_over(CheckRows(EXPECT), [batch(*ROWS)])


def test_repeated_rows_are_rejected_and_one_of_each_stays(tmp_path: Path) -> None:
    given = batch(*[{"status": one} for one in ("a", "b", "a", None, None, "a")])
    block = lambda rejects: CheckRows([{"unique": ["status"]}], policy=POLICY, rejects=rejects)  # noqa: E731
    found = run_over(block, [given.slice(0, 3), given.slice(3)], tmp_path, POLICY)
    assert sorted(str(row["status"]) for row in found.rows) == ["None", "None", "a", "b"]
    rejects = [row for file in tmp_path.glob("*/*.parquet") for row in pq.read_table(file).to_pylist()]
    assert [(row["code"], row["message"], row["field_path"]) for row in rejects] == [
        ("check_failed", "the row fails `unique status`", "status")
    ] * 2
    counted = counters(found.result, "CheckRows")
    assert (counted["rows_in"], counted["rows_out"], counted["rows_rejected"]) == (6, 4, 2)
    assert counted["unique status"] == 2


def test_repeated_rows_pass_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    given = batch(*[{"status": one} for one in ("a", "b", "a", "a")])
    with caplog.at_level(logging.WARNING, "blocks"):
        found = run_over(CheckRows([{"unique": "status"}], on_failure="warn", policy=POLICY), [given])
    assert sorted(row["id"] for row in found.rows) == [0, 1, 2, 3]
    assert "CheckRows: rows of a bundle: 2 fail `unique status`" in caplog.text
    counted = counters(found.result, "CheckRows")
    assert (counted["rows_in"], counted["rows_out"]) == (4, 4)


def test_repeated_rows_stop(tmp_path: Path) -> None:
    given = batch({"status": "a"}, {"status": "a"})
    with pytest.raises(RejectedRecordError, match="fails `unique status`"):
        run_over(CheckRows([{"unique": ["status"]}], on_failure="stop", policy=POLICY), [given])
    with pytest.raises(RejectedRecordError, match="the row fails `unique status`"):
        run_over(CheckRows([{"unique": ["status"]}], policy=POLICY), [given])


def test_rows_of_different_windows_may_repeat() -> None:
    rows = [{"status": "a", "at": datetime.datetime(2026, 1, 1, hour, tzinfo=UTC)} for hour in (1, 2)]
    block = CheckRows([{"unique": ["status"]}], on_failure="stop", policy=POLICY)
    found = run_over(block, [batch(*rows)], None, None, WindowRows(FixedWindows(3600)))
    assert len(found.rows) == 2


def test_rows_of_an_endless_stream_cannot_be_compared() -> None:
    rows = beam.Pipeline() | kept_batches([batch()])
    rows.is_bounded = False
    assert rows | "Other" >> CheckRows([{"column": "id", "min": 0}])
    with pytest.raises(ConfigError, match="put WindowRows before"):
        rows | CheckRows([{"unique": ["id"]}], policy=POLICY)


def test_labelled_columns_are_not_shuffled_without_a_policy() -> None:
    with pytest.raises(PrivacyError, match=r"pii\.email"):
        beam.Pipeline() | kept_batches([batch()]) | CheckRows([{"unique": ["id"]}])
    assert beam.Pipeline() | kept_batches([batch()]) | CheckRows([{"column": "email", "present": True}])


def test_all_mistakes_of_the_config_are_in_one_error() -> None:
    expect: Any = [
        {"colum": "id", "present": True},
        {"column": "id"},
        {"where": "id ="},
        {"unique": []},
        {"column": "x", "max": 1},
        {"column": "x", "max": 2},
        {"column": "x", "present": False, "name": "a:b"},
        3,
        {"column": "x", "one_of": "abc", "on_failure": "rejct"},
        {"column": "x", "min": None},
        {"where": "id > 1", "min": 3},
        {"column": "x", "max": 3, "name": "rows_in"},
        {"column": "x", "where": "id > 1"},
    ]
    with pytest.raises(ConfigError) as caught:
        CheckRows(expect, on_failure="shout")
    assert [problem.where for problem in caught.value.problems] == [
        "on_failure",
        "expect[1]",
        "expect[1]",
        "expect[2]",
        "expect[3].where, line 1, column 4",
        "expect[4].unique",
        "expect[7].name",
        "expect[7].present",
        "expect[8]",
        "expect[9].on_failure",
        "expect[9].one_of",
        "expect[10].min",
        "expect[11]",
        "expect[12].name",
        "expect[13]",
        "expect[6]",
    ]
    assert all(problem.what and problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize("expect", [[], None, {}, "id", {"column": "id"}, 3])
def test_expect_is_a_list_that_is_not_empty(expect: Any) -> None:
    with pytest.raises(ConfigError, match="expected a list of expectations"):
        CheckRows(expect)


def test_all_mistakes_about_the_schema_are_in_one_error() -> None:
    expect = [
        {"column": "idd", "min": 1},
        {"where": "amount = emial"},
        {"unique": ["stats"]},
        {"column": "amount", "max": "1.234"},
        {"column": "status", "pattern": "("},
        {"column": "status", "pattern": "a)|(?:b", "name": "escape"},
        {"column": "at", "min": "2026-01-01", "max": "2025-01-01T00:00:00+02:00"},
        {"column": "id", "one_of": [1, "x", 2.5, None, True]},
        {"where": "id + 1"},
        {"column": "id", "pattern": "a"},
        {"column": "x", "min": "1", "name": "text"},
        {"column": "id", "max": 2**63},
    ]
    with pytest.raises(SchemaError) as caught:
        CheckRows(expect).output_schema(SCHEMA)
    assert [problem.where for problem in caught.value.problems] == [
        "expect[1].column",
        "expect[2].where, line 1, column 10",
        "expect[4].max",
        "expect[5].pattern",
        "expect[6].pattern",
        "expect[7]",
        "expect[8].one_of[2]",
        "expect[8].one_of[3]",
        "expect[8].one_of[4]",
        "expect[8].one_of[5]",
        "expect[9].where",
        "expect[10].pattern",
        "expect[11].min",
        "expect[12].max",
        "expect[3].unique",
    ]
    assert "did you mean `id`" in caught.value.problems[0].fix


def test_what_a_nested_column_can_be_expected_to_be() -> None:
    CheckRows([{"column": "items", "present": True}, {"where": "len(items) < 100"}]).output_schema(WIDE)
    with pytest.raises(SchemaError, match="have no bounds"):
        CheckRows([{"column": "items", "min": 1}]).output_schema(WIDE)
    with pytest.raises(SchemaError, match="cannot be listed"):
        CheckRows([{"column": "user", "one_of": [1]}]).output_schema(WIDE)
    with pytest.raises(SchemaError, match="a field inside the column `user`"):
        CheckRows([{"column": "user.country", "one_of": ["SE"]}]).output_schema(WIDE)
    with pytest.raises(SchemaError, match="a key is a single value"):
        CheckRows([{"unique": ["items"]}]).output_schema(WIDE)


def test_the_block_pickles() -> None:
    again: Any = pickle.loads(pickle.dumps(CheckRows(EXPECT)))
    assert again.output_schema(SCHEMA).equals(SCHEMA, check_metadata=True)


@pytest.mark.slow
def test_without_sql_neither_parser_nor_engine_is_loaded() -> None:
    code = (
        "import sys, pyarrow as pa; from blocks.shaping.check_rows import CheckRows;"
        "CheckRows([{'column': 'a', 'min': 1}]).output_schema(pa.schema([('a', pa.int64())]));"
        "print([name for name in ('sqlglot', 'duckdb') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
