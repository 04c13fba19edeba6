"""Expressions as they are read: what is let through, what is refused, and where each mistake is."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from expression_data import SCHEMA
from hypothesis import given as drawn
from hypothesis import strategies as st

from blocks.core.errors import BlocksError, ConfigError, Problem, SchemaError
from blocks.shaping.expressions import check, parse_expression, parse_expressions, read_syntax
from blocks.shaping.expressions.allowed import CAST_TYPES
from blocks.shaping.expressions.functions import FUNCTIONS, LONGEST_TEXT, REFUSED, UNITS
from blocks.shaping.expressions.syntax import MAX_DEPTH, MAX_NESTING, MAX_TEXT


def problems(text: Any) -> list[Problem]:
    with pytest.raises(BlocksError) as caught:
        parse_expression(text, SCHEMA, "where")
    # Where there is one problem, its place has the headline's in front.
    return [Problem(one.what, one.where.removeprefix("expressions: "), one.fix) for one in caught.value.problems]


def only(text: Any) -> Problem:
    (found,) = problems(text)
    return found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(SELECT 1)", "expected an expression, not a query"),
        ("id IN (SELECT id FROM t)", "expected an expression, not a query"),
        ("EXISTS (SELECT 1)", "expected an expression, not a query"),
        ("id > 1; DROP TABLE t", "`;`: expected one expression"),
        ("DROP TABLE t", "not a query"),
        ("PRAGMA version", "cannot be used"),
        ("COPY t TO 'file'", "cannot be used"),
        ("ATTACH 'file'", "cannot be used"),
        ("SET threads = 4", "cannot be used"),
        ("sum(id)", "looks at more than one row"),
        ("count(*)", "looks at more than one row"),
        ("sum(id) OVER ()", "a window (OVER) cannot be used"),
        ("row_number() OVER (ORDER BY id)", "a window (OVER) cannot be used"),
        ("unnest(items)", "looks at more than one row"),
        ("random() > 0.5", "another answer each time"),
        ("uuid()", "another answer each time"),
        ("now()", "depends on when it runs"),
        ("current_date", "depends on when it runs"),
        ("CURRENT_TIMESTAMP > at", "depends on when it runs"),
        ("today()", "depends on when it runs"),
        ("age(at)", "depends on when it runs"),
        ("getenv('HOME')", "reads what is not in the row"),
        ("current_setting('threads')", "reads what is not in the row"),
        ("read_text('/etc/passwd')", "reads what is not in the row"),
        ("repeat(name, 1000000000)", "any amount of memory"),
        ("lpad(name, 1000000000, ' ')", "not a whole number of at most 10000"),
        ("lpad(name, id, ' ')", "argument 2 of `lpad` is not a literal"),
        ("range(id)", "any amount of memory"),
        ("exp(x)", "depends on the processor"),
        ("x ** 2", "depends on the processor"),
        ("hash(name)", "differs between versions"),
        ("timezone('Europe/Stockholm', at)", "time zones"),
        ("at AT TIME ZONE 'Europe/Stockholm'", "all times are UTC"),
        ("name COLLATE nocase", "compared byte by byte"),
        ("list_filter(items, i -> i.sku = 'a')", "no function `list_filter`"),
        ("i -> i + 1", "the operator -> cannot be used"),
        ("id = $1", "a parameter cannot be used"),
        ("id = ?", "cannot be used"),
        ("id = :x", "a parameter cannot be used"),
        ("*", "`*` cannot be used"),
        ("user.*", "expected the name of a column or field"),
        ("columns(*)", "no function `columns`"),
        ("id AS other", "a second name cannot be used"),
        ("(id, n)", "a list in parentheses cannot be used"),
        ("regexp_matches(name, text)", "argument 2 of `regexp_matches` is not a literal"),
        ("name.upper()", "a function after a dot"),
        ('"upper"(name)', "a function in quotation marks"),
        ("upper(DISTINCT name)", "cannot be used"),
        ("upper(name ORDER BY id)", "cannot be used"),
        ("upper(name) FILTER (WHERE id > 1)", "cannot be used"),
        ("round(x := 1)", "cannot be used"),
        ("E'a\\n'", "a text in another form"),
        ("$$a$$", "a text in another form"),
        ("CAST(n AS HUGEINT)", "cannot cast to the type"),
        ("n::UUID", "cannot cast to the type"),
        ("n::INTEGER[]", "cannot cast to the type"),
        ("CAST(x AS DECIMAL(50, 2))", "a decimal without its digits"),
        ("INTERVAL '1 day 2 hours'", "a whole number and a unit"),
        ("INTERVAL (n) DAY", "a whole number and a unit"),
        ("EXTRACT(fortnight FROM at)", "is no part of a time"),
        ("date_trunc('dya', at)", "needs a part of a time"),
        ("id < n < 3", "a comparison of a comparison"),
        ("id IN items", "cannot be used"),
        ("items[1:2]", "one position or key"),
        ("x IS 3", "IS is followed by"),
        ("name LIKE ANY ('a')", "cannot be used"),
        ("upper()", "`upper` takes 1 arguments, not 0"),
        ("{'a': 1}", "cannot be used"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_reason(text: str, what: str) -> None:
    found = problems(text)
    assert any(what in problem.what for problem in found), found
    assert all(problem.where and problem.fix for problem in found)


@pytest.mark.parametrize("text", ["", "  ", "-- nothing", None, 3, ["id"], "'abc", "/* id", "id AND", "AND id", "(id"])
def test_a_text_that_is_no_expression_is_refused_in_three_parts(text: Any) -> None:
    problem = only(text)
    assert problem.what
    assert problem.where.startswith("where")
    assert problem.fix


def test_a_mistake_is_told_with_line_and_column() -> None:
    assert only("id > 1\n  AND amuont > 2").where == "where, line 2, column 7"
    assert only("id +\n  uper(name)").where == "where, line 2, column 3"
    assert only("id > 1 AND )").where == "where, line 1, column 12"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("amuont > 1", "no column `amuont`", "did you mean `amount`?"),
        ("Amount > 1", "no column `Amount`", "did you mean `amount`?"),
        ("user.countri", "no field `countri` in `user`", "did you mean `country`?"),
        ("items[1].prise", "no field `prise` in `items[]`", "did you mean `price`?"),
        ("items.sku", "`items` is a list and has no field `sku`", "take an element first"),
        ("id.sku", "`id` is int64 and has no field `sku`", "only a struct has fields"),
        ("name[1]", "`name` is string; brackets take an element of a list or a map", "substring"),
        ("uper(name)", "no function `uper`", "did you mean `upper`?"),
        ("wide + 1", "`wide` is decimal256(60, 2), which expressions cannot read", "decimal128"),
        ("took IS NULL", "`took` is duration[s], which expressions cannot read", "int64"),
        ("upper(id)", "upper(BIGINT)", "CAST"),
        ("id + name", "+(BIGINT, VARCHAR)", "CAST"),
        ("x // 2", "`//` divides whole numbers only", "floor"),
        ("at - at", "the result is of the type INTERVAL", "date_diff"),
        ("NULL", "the result is of the type NULL", "CAST(NULL AS VARCHAR)"),
        ("1" * 30, "the result is of the type HUGEINT", "cast it"),
        ("at > '2026-13-01'", "fails on every row", "another literal"),
        ("id = 'abc'", "fails on every row", "another literal"),
        ("id > 1 OR CAST('x' AS INTEGER) = n", "fails on every row", "another literal"),
        ("1 // 0", "fails on every row", "another literal"),
        ("regexp_matches(name, '(')", "missing )", "see the types"),
    ],
)
def test_a_mistake_about_columns_and_types_is_seen_at_construction(text: str, what: str, fix: str) -> None:
    problem = only(text)
    assert what in problem.what
    assert fix in problem.fix


@pytest.mark.parametrize("text", ["d + 1", "(d + d) + 1", "d > 1", "1 - d", "name = 'x' AND d + 1 > 0"])
def test_what_fails_on_every_row_beside_a_column_is_refused(text: str) -> None:
    schema = pa.schema([("d", pa.decimal128(38, 38)), ("name", pa.string())])
    with pytest.raises(SchemaError, match="fails on every row: "):
        parse_expression(text, schema)
    assert parse_expression("d + d", schema).type == pa.decimal128(38, 38)


def test_what_fails_where_not_every_row_comes_is_told_so() -> None:
    assert "fails on every row that gets there: " in only("coalesce(n, CAST('x' AS INTEGER))").what


def test_a_name_that_stands_twice_is_told_as_such() -> None:
    twice = pa.struct([("x", pa.int64()), ("x", pa.int64())])
    schema = pa.schema([("a", pa.int64()), ("a", pa.int64()), ("s", twice)])
    with pytest.raises(SchemaError, match=r"(?s)the schema has 2 columns `a`.*rename"):
        parse_expression("a + 1", schema)
    with pytest.raises(SchemaError, match=r"(?s)`s` has 2 fields `x`.*rename"):
        parse_expression("s.x + 1", schema)


def test_a_long_chain_is_told_to_be_deep_and_how_to_write_it() -> None:
    problem = only(" OR ".join(["id = 1"] * 300))
    assert "each AND, OR" in problem.what
    assert "x IN (1, 2, 3)" in problem.fix
    assert parse_expression("id IN (" + ", ".join(["1"] * 1_000) + ")", SCHEMA).type == pa.bool_()


def test_every_function_and_every_refused_one_is_in_the_documents() -> None:
    page = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"`([a-z_0-9]+)(?:\([^`]*\))?`", page))
    assert set(FUNCTIONS) - shown == set()
    assert set(REFUSED) - shown == set()
    assert {name.lower() for name in CAST_TYPES.values()} <= {name.lower() for name in re.findall(r"`([A-Z]+)", page)}
    assert set(UNITS) - shown == set()
    for number in (MAX_DEPTH, MAX_NESTING, f"{MAX_TEXT:,}".replace(",", " "), f"{LONGEST_TEXT:,}".replace(",", " ")):
        assert f" {number} " in page, number


def test_the_place_is_that_of_the_smallest_part_that_is_wrong() -> None:
    assert only("id > 1 AND CASE WHEN n = 1 THEN upper(id) ELSE name END = 'A'").where == "where, line 1, column 33"


def test_messages_name_columns_as_people_wrote_them() -> None:
    assert re.search(r"\bc\d", str(only("upper(user.email, 1)"))) is None
    assert re.search(r"\bc\d", str(only("date_trunc('day', user.email)"))) is None


def test_all_mistakes_of_all_expressions_are_in_one_error() -> None:
    with pytest.raises(SchemaError) as caught:
        parse_expressions({"a": "idd + nn", "b": "id", "c": "user.countri"}, SCHEMA)
    wheres = [problem.where for problem in caught.value.problems]
    assert wheres == ["a, line 1, column 1", "a, line 1, column 7", "c, line 1, column 6"]
    with pytest.raises(ConfigError) as unread:
        parse_expressions({"a": "now() > random()", "b": "id ;"}, SCHEMA)
    assert [problem.where for problem in unread.value.problems] == [
        "a, line 1, column 1",
        "a, line 1, column 9",
        "b, line 1, column 4",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1000 + "id" + ")" * 1000,
        "NOT " * 1000 + "id",
        "- " * 1000 + "id",
        "CASE WHEN " * 500,
        "[" * 1000,
        "upper(" * 500 + "name" + ")" * 500,
        "+".join(["id"] * 3000),
        " OR ".join(["id=1"] * 1000),
        "INTERVAL " * 500,
        "a.b" + ".c" * 2000,
        "id IS NULL " + "IS NULL " * 1000,
        "x " + "-> x " * 1000,
        "id" + "::INTEGER" * 900,
    ],
)
def test_a_deep_expression_is_refused_and_breaks_no_stack(text: str) -> None:
    assert len(text) <= 10_000
    with pytest.raises(ConfigError) as caught:
        parse_expression(text, SCHEMA, "where")
    assert caught.value.problems[0].fix


def test_an_expression_near_the_limit_is_read() -> None:
    assert parse_expression("(" * 32 + "id" + ")" * 32, SCHEMA).type == pa.int64()
    assert parse_expression("coalesce(" * 32 + "id" + ")" * 32, SCHEMA).type == pa.int64()
    assert parse_expression("NOT " * 32 + "id = 1", SCHEMA).type == pa.bool_()
    assert parse_expression("CASE WHEN id = 1 THEN " * 32 + "id" + " END" * 32, SCHEMA).type == pa.int64()
    assert parse_expression("+".join(["id"] * 150), SCHEMA).type == pa.int64()


def test_what_is_read_does_not_depend_on_how_deep_the_caller_is() -> None:
    def below(levels: int) -> Any:
        if levels:
            return below(levels - 1)
        return parse_expression("coalesce(" * 32 + "id" + ")" * 32, SCHEMA)

    assert below(500).type == pa.int64()


def test_a_long_text_and_a_long_number_are_refused() -> None:
    assert "10001 characters" in only("'" + "a" * 9_999 + "'").what
    assert "more than 38 digits" in only("1" * 39).what
    assert "NUL" in only("name = 'a\0b'").what


@drawn(st.text("()[]{}'\"`;,.*?$:=<>|&^~!@#%+-/\\ \n\tabid10eE_éNOT", max_size=30))
def test_any_text_is_read_or_refused_in_three_parts(text: str) -> None:
    found: list[Problem] = []
    syntax = read_syntax(text, "where", found)
    assert (syntax is None) == bool(found)
    assert all(problem.what and problem.where.startswith("where") and problem.fix for problem in found)


_WORDS = ["id", "name", "x", "'a'", "1", "(", ")", "AND", "NOT", "NULL", "IS", "IN", ",", "CASE", "WHEN", "THEN"]
_MORE = ["END", "upper(", "+", "-", "=", "<", "LIKE", "BETWEEN", "SELECT", "OVER", "::", "DATE", "INTERVAL", "[", "]"]


@drawn(st.lists(st.sampled_from(_WORDS + _MORE), max_size=12).map(" ".join))
def test_any_words_are_an_expression_or_an_error_of_blocks(text: str) -> None:
    found: list[Problem] = []
    syntax = read_syntax(text, "where", found)
    expression = check(syntax, SCHEMA, found) if syntax else None
    assert (expression is None) == bool(found)
    assert all(problem.what and problem.where.startswith("where") and problem.fix for problem in found)


def test_every_function_of_the_table_is_one_of_the_engine() -> None:
    from blocks.shaping.expressions.engine import connect

    found = connect().sql("SELECT DISTINCT function_name, function_type, stability FROM duckdb_functions()").fetchall()
    kinds: dict[str, set[Any]] = {}
    for name, kind, stability in found:
        kinds.setdefault(name, set()).add((kind, stability))
    # These are read by the engine's grammar and not looked up.
    special = {"coalesce", "ifnull", "try"}
    for name in FUNCTIONS.keys() - special:
        assert kinds[name] <= {("scalar", "CONSISTENT"), ("macro", None)}, (name, kinds[name])
    volatile = {name for name, of in kinds.items() if any(stability == "VOLATILE" for _, stability in of)}
    assert not volatile & FUNCTIONS.keys()
