"""Types that a clause does not take, and what runs and means something else than it seems to."""

import pyarrow as pa
import pytest

from blocks.sql.analysis import Analysis, Table
from blocks.sql.checks.misleading import MISLEADING_CHECKS
from blocks.sql.checks.times import TIME_CHECKS
from blocks.sql.checks.types import TYPE_CHECKS
from blocks.sql.functions.beam import beam_functions
from blocks.sql.functions.registry import Registry
from blocks.sql.parsing import parse
from blocks.sql.problems import SqlProblem
from blocks.sql.resolving import resolve

SCHEMA = pa.schema(
    [
        pa.field("age", pa.int32()),
        pa.field("id", pa.int64()),
        pa.field("name", pa.string()),
        pa.field("rate", pa.float64()),
        pa.field("amount", pa.decimal128(12, 2)),
        pa.field("day", pa.date32()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("sent", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("who", pa.struct([pa.field("city", pa.string())])),
    ]
)
REGISTRY = Registry(beam_functions())


def analysed(query: str) -> Analysis:
    analysis = resolve(parse(query), {"PCOLLECTION": Table("PCOLLECTION", SCHEMA)}, REGISTRY)
    assert [problem for problem in analysis.problems if problem.severity == "error"] == []
    return analysis


def found(query: str) -> list[SqlProblem]:
    analysis = analysed(query)
    return [one for check in (*TYPE_CHECKS, *TIME_CHECKS, *MISLEADING_CHECKS) for one in check(analysis)]


@pytest.mark.parametrize(
    ("query", "code", "what", "fix"),
    [
        (
            "SELECT age FROM PCOLLECTION WHERE age",
            "wrong_type",
            "WHERE takes a condition, and this is INTEGER",
            "x <> 0",
        ),
        ("SELECT name FROM PCOLLECTION WHERE name", "wrong_type", "WHERE takes a condition", "compare it"),
        (
            "SELECT name FROM PCOLLECTION GROUP BY name HAVING COUNT(*)",
            "wrong_type",
            "HAVING takes a condition, and this is BIGINT",
            "compare it",
        ),
        (
            "SELECT a.id FROM PCOLLECTION AS a JOIN PCOLLECTION AS b ON a.id",
            "wrong_type",
            "ON takes a condition",
            "compare it",
        ),
        ("SELECT ARRAY[NULL] AS o FROM PCOLLECTION", "unsupported", "NULL without a type", "CAST(NULL"),
        ("SELECT ROW(INTERVAL '1' DAY) AS o FROM PCOLLECTION", "unsupported", "an INTERVAL", "EXTRACT"),
        ("SELECT COUNT(*) AS n FROM PCOLLECTION GROUP BY who", "unsupported", "cannot group by a ROW", "its fields"),
        ("SELECT tags FROM PCOLLECTION ORDER BY tags LIMIT 3", "runtime_type", "sort by ARRAY<VARCHAR>", "element"),
        ("SELECT id FROM PCOLLECTION WHERE name = NULL", "always_null", "never true", "write name IS NULL"),
        ("SELECT id FROM PCOLLECTION WHERE (NULL) <> name", "always_null", "never true", "write name IS NOT NULL"),
        ("SELECT id FROM PCOLLECTION WHERE age NOT IN (1, NULL)", "always_null", "NOT IN with NULL", "IS NOT NULL"),
        ("SELECT id FROM PCOLLECTION WHERE age IN (1, NULL)", "always_null", "does not find NULL", "OR x IS NULL"),
        ("SELECT AVG(age) AS o FROM PCOLLECTION", "loses_digits", "AVG of INTEGER is INTEGER", "AS DOUBLE"),
        ("SELECT SUM(age) AS o FROM PCOLLECTION", "loses_digits", "wraps around", "SUM(CAST(x AS BIGINT))"),
        ("SELECT CAST(rate AS DECIMAL) AS o FROM PCOLLECTION", "loses_digits", "no digits after", "DECIMAL(28, 9)"),
        ("SELECT CAST(amount AS DECIMAL) AS o FROM PCOLLECTION", "loses_digits", "no digits after", "DECIMAL(28, 9)"),
        ("SELECT COALESCE(amount, 0) AS o FROM PCOLLECTION", "cut_decimal", "digits after the point are cut", "CAST"),
        ("SELECT amount = 2.5 AS o FROM PCOLLECTION", "cut_decimal", "digits after the point are cut", "CAST"),
        ("SELECT amount IN (2.5, 3) AS o FROM PCOLLECTION", "cut_decimal", "digits after the point are cut", "CAST"),
        ("SELECT MOD(amount, 2) AS o FROM PCOLLECTION", "cut_decimal", "digits after the point are cut", "CAST"),
        (
            "SELECT COUNT(*) AS n FROM PCOLLECTION GROUP BY TUMBLE(day, INTERVAL '1' DAY)",
            "runtime_type",
            "TUMBLE takes a TIMESTAMP: with DATE",
            "CAST(x AS TIMESTAMP)",
        ),
        (
            "SELECT COUNT(*) AS n FROM PCOLLECTION GROUP BY TUMBLE(at, INTERVAL '1' HOUR)",
            "runtime_type",
            "a row whose time is NULL",
            "WHERE x IS NOT NULL",
        ),
    ],
)
def test_it_is_told_with_what_to_write_instead(query: str, code: str, what: str, fix: str) -> None:
    (problem,) = found(query)
    assert problem.code == code
    assert what in problem.message
    assert fix in problem.hint


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM PCOLLECTION WHERE name IS NULL",
        "SELECT id FROM PCOLLECTION WHERE NULL",
        "SELECT age IN (1, 2) AS o FROM PCOLLECTION",
        "SELECT AVG(rate) AS o, SUM(id) AS s, SUM(amount) AS a FROM PCOLLECTION",
        "SELECT AVG(CAST(age AS DOUBLE)) AS o FROM PCOLLECTION",
        "SELECT CAST(rate AS DECIMAL(28, 9)) AS o, CAST(age AS DECIMAL) AS p FROM PCOLLECTION",
        "SELECT COUNT(*) AS n FROM PCOLLECTION GROUP BY TUMBLE(sent, INTERVAL '1' HOUR)",
        "SELECT COUNT(*) AS n FROM PCOLLECTION WHERE at IS NOT NULL GROUP BY TUMBLE(at, INTERVAL '1' HOUR)",
        "SELECT name FROM PCOLLECTION ORDER BY name LIMIT 3",
        "SELECT COALESCE(CAST(amount AS DECIMAL(28, 9)), 0.5) AS o, amount > 2.5 AS p FROM PCOLLECTION",
        "SELECT NULLIF(id, 0) AS o, COALESCE(id, 0) AS p, amount = amount AS q FROM PCOLLECTION",
        "SELECT PCOLLECTION.who.city FROM PCOLLECTION GROUP BY PCOLLECTION.who.city",
    ],
)
def test_what_is_right_is_left_alone(query: str) -> None:
    assert found(query) == []


def test_what_still_runs_is_a_warning_and_what_does_not_an_error() -> None:
    severities = {
        problem.code: problem.severity
        for query in ("SELECT SUM(age) AS o FROM PCOLLECTION", "SELECT id FROM PCOLLECTION WHERE name = NULL")
        for problem in found(query)
    }
    assert severities == {"loses_digits": "warning", "always_null": "error"}
