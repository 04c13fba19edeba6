"""DECIMAL columns are written with their digits, and only what that does not cure is told."""

import pyarrow as pa
import pytest

from blocks.sql.checking import check_sql

SCHEMA = pa.schema(
    [
        ("n", pa.decimal128(12, 2)),
        ("x", pa.decimal128(38, 9)),
        ("i", pa.int32()),
        ("r", pa.struct([("a", pa.decimal128(10, 3))])),
        ("k", pa.list_(pa.decimal128(10, 3))),
    ]
)


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("n > 1.5", "CAST(n AS DECIMAL(12, 2)) > 1.5"),
        ("x > 1.5", "CAST(x AS DECIMAL(38, 9)) > 1.5"),
        ("PCOLLECTION.r.a > 1.5", "CAST(PCOLLECTION.r.a AS DECIMAL(10, 3)) > 1.5"),
        ("k[1] > 1.5", "CAST(k[1] AS DECIMAL(38, 9)) > 1.5"),
        ("SUM(n)", "SUM(CAST(n AS DECIMAL(38, 9)))"),
        ("n", "n"),
        # Only columns may stand there, and MAX of one has its digits.
        ("MAX(n) OVER (PARTITION BY i)", "MAX(n) OVER (PARTITION BY i)"),
    ],
)
def test_a_decimal_in_an_expression_has_the_digits_of_its_column(expression: str, written: str) -> None:
    checked = check_sql(f"SELECT {expression} AS z FROM PCOLLECTION", {"PCOLLECTION": SCHEMA})
    assert f"SELECT {written} AS z" in checked.sql


def test_a_column_that_a_subquery_passes_on_has_its_own_digits() -> None:
    query = "SELECT z > 1.5 AS z, y > 0.5 AS y FROM (SELECT n AS z, n * 2 AS y FROM PCOLLECTION)"
    written = check_sql(query, {"PCOLLECTION": SCHEMA}).sql
    assert "CAST(z AS DECIMAL(12, 2)) > 1.5 AS z, y > 0.5 AS y" in written


@pytest.mark.parametrize(("strict", "codes"), [(False, ["loses_digits"]), (True, ["loses_digits", "cut_decimal"])])
def test_only_what_rewriting_cures_is_not_told(strict: bool, codes: list[str]) -> None:
    query = "SELECT AVG(i) AS a, COALESCE(MAX(n), 0.5) AS m FROM PCOLLECTION"
    found = check_sql(query, {"PCOLLECTION": SCHEMA}, strict=strict)
    assert list(dict.fromkeys(one.code for one in found.warnings)) == codes


def test_a_warning_does_not_stop_a_query_that_is_rewritten() -> None:
    query = "SELECT COALESCE(n, 0.5) AS z FROM PCOLLECTION WHERE i != 1"
    assert check_sql(query, {"PCOLLECTION": SCHEMA}).warnings == ()


def test_columns_that_a_set_operation_brings_to_one_type_have_their_digits() -> None:
    query = "SELECT n FROM PCOLLECTION UNION ALL SELECT x FROM PCOLLECTION"
    assert check_sql(query, {"PCOLLECTION": SCHEMA}).sql == (
        "SELECT CAST(n AS DECIMAL(12, 2)) AS n FROM PCOLLECTION "
        "UNION ALL SELECT CAST(x AS DECIMAL(38, 9)) AS x FROM PCOLLECTION"
    )
