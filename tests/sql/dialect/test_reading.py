"""What the parser of the dialect `beam` makes of a text, and what it refuses."""

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from blocks.sql.dialect import function_arguments, function_name, to_beam
from blocks.sql.dialect.words import RESERVED
from blocks.sql.parsing import parse
from blocks.sql.places import place_of
from blocks.sql.problems import Place, SqlCheckError

# Queries that stand for the whole grammar, as the generator writes them: what is read is written the same.
WRITTEN = [
    "SELECT a, t.b, t.c.d.e, t.c.d.e.f FROM t",
    "SELECT * FROM t",
    "SELECT t.* FROM t",
    "SELECT DISTINCT a AS `value`, b AS `a``b` FROM t",
    "SELECT a + b * c - -d, (a + b) * c FROM t",
    "SELECT a || b || 'it''s' FROM t",
    "SELECT NOT a, a AND b OR c, a = b, a <> b, a <= b FROM t",
    "SELECT a IS NULL, NOT a IS TRUE, a IS UNKNOWN, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b FROM t",
    "SELECT a IN (1, 2), NOT a BETWEEN 1 AND 2, a LIKE 'x' ESCAPE '!', a SIMILAR TO 'b' FROM t",
    "SELECT a[1], m['k'], (r).f, a[1].f.g FROM t",
    "SELECT ARRAY[1, 2], MAP['a', 1], ROW(1, 'b'), X'0AFF' FROM t",
    "SELECT DATE '2020-01-01', TIME '10:00:00', TIMESTAMP '2020-01-01 10:00:00' FROM t",
    "SELECT INTERVAL '1' HOUR, INTERVAL '1-2' YEAR TO MONTH, INTERVAL -'3' DAY, INTERVAL a MINUTE FROM t",
    "SELECT CAST(a AS DECIMAL(10, 2)), CAST(a AS VARCHAR(3)), CAST(a AS INTEGER ARRAY) FROM t",
    "SELECT CAST(a AS MAP<VARCHAR, INTEGER>), CAST(a AS ROW(x INTEGER, y VARCHAR NOT NULL)) FROM t",
    "SELECT CAST(a AS TIMESTAMP WITH LOCAL TIME ZONE) FROM t",
    "SELECT EXTRACT(YEAR FROM a), FLOOR(a TO DAY), TIMESTAMPDIFF(HOUR, a, b), TIMESTAMPADD(DAY, 1, a) FROM t",
    "SELECT POSITION('a' IN b FROM 2), SUBSTRING(a, 1, 2), OVERLAY(a PLACING b FROM 1 FOR 2) FROM t",
    "SELECT TRIM(a), TRIM(BOTH 'x' FROM a), TRIM(LEADING FROM a) FROM t",
    "SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE a WHEN 1 THEN 'x' END FROM t",
    "SELECT COUNT(*), COUNT(DISTINCT a, b), SUM(a) FILTER(WHERE b) FROM t",
    "SELECT CURRENT_TIMESTAMP, CURRENT_DATE, LOCALTIME FROM t",
    "SELECT RANK() OVER (PARTITION BY a ORDER BY b DESC NULLS LAST) FROM t",
    "SELECT SUM(a) OVER (ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM t",
    "SELECT MAX(a) OVER w FROM t WINDOW w AS (PARTITION BY b)",
    "SELECT a FROM t AS x JOIN u AS y ON x.a = y.a LEFT JOIN v USING (a, b) CROSS JOIN w NATURAL JOIN z, q",
    "SELECT a FROM (t AS x JOIN u ON x.a = u.a)",
    "SELECT a FROM (SELECT a FROM t) AS x(b)",
    "SELECT x.b FROM t, UNNEST(t.a) WITH ORDINALITY AS x(b, c), LATERAL (SELECT t.a) AS l",
    "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(a), INTERVAL '1' HOUR)) AS w",
    "SELECT a, COUNT(*) FROM t WHERE b GROUP BY a, TUMBLE(c, INTERVAL '1' HOUR) HAVING COUNT(*) > 1",
    "SELECT a FROM t GROUP BY GROUPING SETS ((a), ())",
    "SELECT a FROM t ORDER BY a, b DESC LIMIT 3 OFFSET 2",
    "WITH x AS (SELECT a FROM t), y(b) AS (SELECT a FROM x) SELECT b FROM y",
    "SELECT a FROM t UNION ALL SELECT a FROM u INTERSECT SELECT a FROM v EXCEPT ALL SELECT a FROM w",
    "(SELECT a FROM t LIMIT 1) UNION SELECT a FROM u ORDER BY a LIMIT 3",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM (VALUES (1, 'a')) AS v(x, y)",
    "SELECT a FROM t WHERE a IN (SELECT b FROM u) AND EXISTS(SELECT 1 FROM u) AND a > ALL (SELECT b FROM u)",
    "SELECT (SELECT MAX(a) FROM u) AS x FROM t",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_read_is_written_the_same(text: str) -> None:
    assert to_beam(parse(text).tree) == text


@pytest.mark.parametrize("text", WRITTEN)
def test_every_node_has_its_place_within_the_text(text: str) -> None:
    tree = parse(text).tree
    for node in tree.walk():
        if node._meta:
            assert 0 <= node.meta["start"] <= node.meta["end"] < len(text)
            assert place_of(node).column == node.meta["start"] + 1
    assert (tree.meta["start"], tree.meta["end"]) == (0, len(text) - 1)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("NOT a = b AND c", "(NOT (a = b)) AND c"),
        ("a + b || c", "a + (b || c)"),
        ("a || b * c", "(a || b) * c"),
        ("a OR b AND c", "a OR (b AND c)"),
        ("- a + b", "(-a) + b"),
        ("a BETWEEN b + 1 AND c + 2 AND d", "(a BETWEEN (b + 1) AND (c + 2)) AND d"),
        ("a LIKE b || c AND d", "(a LIKE (b || c)) AND d"),
        ("a - b - c", "(a - b) - c"),
        ("a = b = c", "(a = b) = c"),
    ],
)
def test_operators_bind_as_calcite_has_them(text: str, tree: str) -> None:
    plain, bracketed = (parse(f"SELECT {one} FROM t").tree.selects[0] for one in (text, tree))
    assert shape(plain) == shape(bracketed)


def shape(node: exp.Expr) -> object:
    """A tree without its parentheses."""
    if isinstance(node, exp.Paren):
        return shape(node.this)
    return type(node).__name__, node.name, [shape(child) for child in node.iter_expressions()]


def test_functions_are_anonymous_with_their_arguments() -> None:
    call = parse("SELECT mask_left(email, 2) FROM t").tree.selects[0]
    assert (function_name(call), [one.sql() for one in function_arguments(call)]) == ("mask_left", ["email", "2"])


def test_texts_are_read_with_their_escapes_undone() -> None:
    tree = parse(r"SELECT U&'\0041\\b', U&'!0041' UESCAPE '!', E'a\tb', 'it''s', N'x', _utf8'y' FROM t").tree
    assert [one.name for one in tree.selects] == ["A\\b", "A", "a\tb", "it's", "x", "y"]


def test_a_text_goes_on_on_the_next_line() -> None:
    assert parse("SELECT 'a'\n  'b' FROM t").tree.selects[0].name == "ab"


def test_comments_are_passed_over_in_all_their_forms() -> None:
    text = "SELECT /* a */ a -- b\n, /**/ b // c\n /*+ hint(x) */ FROM t -- end"
    with pytest.raises(SqlCheckError):
        parse(text)
    assert to_beam(parse(text.replace("/*+ hint(x) */", "")).tree) == "SELECT a, b FROM t"
    assert to_beam(parse("SELECT /*+ hint(x) */ a FROM t /*+ index(i) */").tree) == "SELECT a FROM t"


def test_the_dialect_is_known_to_sqlglot() -> None:
    assert sqlglot.transpile("SELECT a AS `value` FROM t LIMIT 3", read="beam", write="duckdb") == [
        'SELECT a AS "value" FROM t LIMIT 3'
    ]
    assert sqlglot.transpile("SELECT IFNULL(a, 1) FROM t", read="duckdb", write="beam")


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("SELECT a FROM t WHERE a != 1;", ["bang_equal", "trailing_semicolon"]),
        ("SELECT a % 2, a::VARCHAR FROM t", ["percent", "double_colon"]),
        ("SELECT CAST(a AS TEXT), CAST(a AS INT64) FROM t", ["type_name", "type_name"]),
        ("SELECT a AS value, date FROM t", ["reserved_word", "reserved_word"]),
        ("SELECT a year FROM t WHERE user = 'x'", ["reserved_word", "reserved_word"]),
        ("SELECT t.timestamp FROM t LIMIT 2, 3", ["reserved_word", "limit_comma"]),
        ("SELECT CURRENT_TIMESTAMP() FROM t MINUS SELECT a FROM u", ["context_parentheses", "minus"]),
    ],
)
def test_what_every_user_writes_is_tolerated_and_noted(text: str, rules: list[str]) -> None:
    assert [rule for rule, _ in parse(text).tolerated] == rules


def test_what_is_written_of_a_tolerated_query_is_beams_own() -> None:
    text = "SELECT a AS value, b::VARCHAR FROM t WHERE a != 1 AND CURRENT_TIMESTAMP() > c LIMIT 2, 3;"
    assert parse(to_beam(parse(text).tree)).tolerated == ()


def test_no_reserved_word_is_a_name_in_strict_mode_without_a_note() -> None:
    taken = []
    for word in sorted(RESERVED):
        try:
            parsed = parse(f"SELECT a AS {word} FROM t", strict=True)
        except SqlCheckError:
            continue
        taken.extend(word for rules in [parsed.tolerated] if [rule for rule, _ in rules] != ["reserved_word"])
    assert taken == []


@pytest.mark.parametrize("word", ["type", "name", "data", "key", "label", "hour_of", "version", "Größe", "名前", "a$b"])
def test_words_that_are_not_reserved_are_names(word: str) -> None:
    assert parse(f"SELECT a AS {word}, t.{word} FROM t AS {word}").tolerated == ()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a, FROM t",
        "SELECT FROM t",
        "SELECT a FROM",
        "SELECT a FROM t WHERE",
        "SELECT a b c FROM t",
        "SELECT (a FROM t",
        "SELECT a) FROM t",
        "SELECT a FROM t GROUP BY",
        "SELECT a FROM t LIMIT a",
        "SELECT a FROM t LIMIT 1 LIMIT 2",
        "SELECT CASE END FROM t",
        "SELECT CAST(a AS) FROM t",
        "SELECT a IS b FROM t",
        "SELECT a BETWEEN 1 FROM t",
        "SELECT X'0' FROM t",
        "SELECT a FROM (t)",
        "SELECT a FROM t JOIN",
        "SELECT 'a' 'b' FROM t",
        "a + 1",
        "",
        "   -- only a comment",
        ";",
        "SELECT a FROM t; SELECT b FROM t",
    ],
)
def test_a_text_that_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(SqlCheckError) as raised:
        parse(text)
    assert {one.code for one in raised.value.problems} <= {"syntax", "not_a_query"}


@given(st.text(max_size=60))
def test_no_text_makes_anything_but_a_query_or_a_sql_check_error(text: str) -> None:
    try:
        problems = parse(text) and ()
    except SqlCheckError as error:
        problems = error.problems
    assert all(one.line >= 1 and one.column >= 1 for one in problems)


_WORDS = """
    SELECT FROM WHERE t a b , ( ) [ ] . * + - = <> AND OR NOT IN 'x' 1 1.5 `q` CASE WHEN THEN END CAST AS INTEGER NULL
    INTERVAL HOUR UNION ALL JOIN ON GROUP BY ORDER LIMIT COUNT SUM OVER VALUES UNNEST EXISTS BETWEEN LIKE ;
"""
_PIECES = st.sampled_from(_WORDS.split())


@given(st.lists(_PIECES, max_size=25))
def test_no_row_of_words_makes_anything_but_a_query_or_a_sql_check_error(words: list[str]) -> None:
    try:
        tree = parse(" ".join(words)).tree
    except SqlCheckError:
        return
    again = to_beam(tree)
    assert to_beam(parse(again).tree) == again


def test_the_place_of_a_failure_is_that_of_the_word() -> None:
    with pytest.raises(SqlCheckError) as raised:
        parse("SELECT a,\n       b c d\nFROM t")
    assert raised.value.problems[0].place == Place(2, 12, 1)
