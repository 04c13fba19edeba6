"""Parameters of a query are literals in its tree: no value can be anything else, and no message shows one."""

import datetime as dt
import re
from decimal import Decimal

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from blocks.core.errors import Problem
from blocks.sql.problems import SqlCheckError
from blocks.sql.running.parameters import bind, check_values, literal_of, marked

DIALECTS = ["beam", "duckdb", "bigquery", "spark", "postgres", "snowflake"]


def bound(query: str, values: dict[str, object], dialect: str = "duckdb") -> sqlglot.exp.Expr:
    tree = sqlglot.parse_one(marked(query, dialect), read=dialect)
    return bind(tree, values, query, dialect, "query")


def answer(query: str, values: dict[str, object]) -> object:
    return duckdb.connect().execute(bound(query, values).sql(dialect="duckdb")).fetchone()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_parameter_may_have_the_name_of_a_keyword_in_every_dialect(dialect):
    query = "SELECT a FROM t WHERE x = :from AND y IN (:to, :select) AND z BETWEEN :a AND :b LIMIT :n"
    values = {"from": 1, "to": "x", "select": None, "a": dt.date(2026, 1, 2), "b": True, "n": 3}
    text = bound(query, values, dialect).sql(dialect="duckdb")
    assert text == (
        "SELECT a FROM t WHERE x = 1 AND y IN ('x', NULL) AND z BETWEEN CAST('2026-01-02' AS DATE) AND TRUE LIMIT 3"
    )


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_stays_that_text(text):
    assert answer("SELECT :text", {"text": text}) == (text,)


@pytest.mark.parametrize(
    "text", ["' OR '1'='1", "\\' OR 1=1 --", "'; DROP TABLE t; --", "${x}", ":other", "ːother", "/*"]
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_that_looks_like_sql_adds_nothing_to_the_tree(text, dialect):
    tree = bound("SELECT a FROM t WHERE b = :text", {"text": text}, dialect)
    again = sqlglot.parse_one(tree.sql(dialect=dialect), read=dialect)
    assert [node.this for node in again.find_all(sqlglot.exp.Literal)] == [text]
    assert [type(node) for node in again.walk()] == [type(node) for node in tree.walk()]


@pytest.mark.parametrize(
    "value",
    [
        True,
        -(2**63),
        2**63 - 1,
        Decimal("-1234567890.123456789"),
        b"\0\xff",
        dt.date(1, 1, 1),
        dt.time(23, 59, 59, 999999),
        None,
    ],
)
def test_a_value_has_the_type_and_the_digits_that_it_had(value):
    assert answer("SELECT :x", {"x": value}) == (value,)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_a_double_of_the_same_bits(value):
    (found,) = answer("SELECT :x", {"x": value})
    assert (found, str(found)) == (value, str(value))


def test_a_time_with_a_zone_is_that_moment_in_utc():
    moment = dt.datetime(2026, 3, 1, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert literal_of(moment, "duckdb").sql("duckdb") == "CAST('2026-02-28 23:30:00' AS TIMESTAMP)"


@pytest.mark.parametrize(
    ("query", "dialect"),
    [
        ("SELECT ':name', a::int AS \"x:name\" FROM t -- :name", "postgres"),
        ("SELECT a[1:2], a[i:j] FROM t", "duckdb"),
        ("SELECT a:name FROM t", "snowflake"),
    ],
)
def test_a_colon_that_is_part_of_something_else_is_none(query, dialect):
    assert marked(query, dialect) == query


def test_marking_leaves_every_place_where_it_was_and_what_cannot_be_read_as_it_is():
    query = "SELECT :a,\n  'ünï' || :b FROM t"
    assert len(marked(query, "duckdb")) == len(query)
    assert marked("SELECT :a, 'open", "duckdb") == "SELECT :a, 'open"


def test_every_mistake_is_told_at_once_with_its_place_and_no_value():
    query = "SELECT a\nFROM :tab WHERE x = :nme"
    with pytest.raises(SqlCheckError) as caught:
        bound(query, {"name": "secret-value", "tab": 1})
    assert [(one.line, one.column, one.what) for one in caught.value.problems] == [
        (2, 6, "`:tab` stands where no value can"),
        (2, 21, "no parameter `nme`"),
        (1, 1, "the query has no `:name`"),
    ]
    assert "did you mean `name`?" in str(caught.value)
    assert "^^^^" in str(caught.value)
    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize("value", [-1, True, "1; DROP TABLE t", 2.5, None])
@pytest.mark.parametrize("dialect", ["beam", "duckdb"])
def test_a_number_of_rows_is_a_whole_number(dialect, value):
    with pytest.raises(SqlCheckError, match="`:n` is no number of rows") as caught:
        bound("SELECT a FROM t LIMIT :n", {"n": value}, dialect)
    assert "DROP" not in str(caught.value)


def test_a_parameter_without_any_values_says_how_to_give_one():
    with pytest.raises(SqlCheckError, match=re.escape("parameters={'day': ...}")):
        bound("SELECT :day", {})


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (2**63, "a whole number beyond 64 bits"),
        (float("nan"), "NaN or infinity"),
        (Decimal("1E30"), "more than at most 29 digits"),
        (Decimal("0.0000000001"), "9 after the point"),
        (Decimal("Infinity"), "NaN or infinity"),
        (dt.datetime(2026, 1, 1), "a time without a zone"),
        (dt.time(1, tzinfo=dt.UTC), "a time of day with a zone"),
        ("a\0b", "NUL"),
        ([1], "a list"),
        ({"a": 1}, "a dict"),
    ],
)
def test_what_no_literal_holds_is_a_problem_that_names_the_parameter(value, what):
    problems: list[Problem] = []
    assert check_values({"p": value}, problems) == {}
    assert problems[0].where == "parameters.p"
    assert what in problems[0].what
    assert problems[0].fix


def test_names_and_the_mapping_itself_are_checked():
    problems: list[Problem] = []
    assert check_values({"a b": 1, "good": 2}, problems) == {"good": 2}
    check_values([1], problems)
    assert [one.what for one in problems] == ["`a b` is not a name", "expected a mapping, got a list"]
