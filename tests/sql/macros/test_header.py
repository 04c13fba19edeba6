"""The head of a SQL function's file: what it says, and every mistake in it at its place."""

import pytest

from blocks.sql.macros.header import read_header

GOOD = """\
-- name: clamp
-- version: 2
-- description: A number, or the bound
--   that it lies beyond.
-- signature: (number BIGINT, least BIGINT) RETURNS BIGINT
-- signature: (number DOUBLE, least DOUBLE) RETURNS DOUBLE
-- nulls: call
-- example: clamp(1, 2) -> 2
-- example: clamp(3, 2) -> 3

-- a comment of the expression
CASE WHEN number < least
  THEN least ELSE number END
"""


def read(text):
    problems = []
    return read_header(text, "clamp.sql", problems), problems


def problems_of(text):
    header, problems = read(text)
    assert header is None
    return [(one.what, one.where) for one in problems]


def test_a_head_says_name_version_signatures_and_examples():
    header, problems = read(GOOD.replace("-- a comment of the expression\n", ""))
    assert problems == []
    assert (header.name, header.version, header.nulls) == ("clamp", 2, "call")
    assert header.description == "A number, or the bound that it lies beyond."
    assert [str(one.returns) for one in header.overloads] == ["BIGINT", "DOUBLE"]
    assert [argument.name for argument in header.overloads[0].arguments] == ["number", "least"]
    assert header.examples == (("clamp(1, 2)", "2"), ("clamp(3, 2)", "3"))
    assert header.expression == "CASE WHEN number < least\n  THEN least ELSE number END"
    assert header.line == 11


def test_a_null_argument_gives_null_unless_the_head_says_otherwise():
    header, _ = read(GOOD.replace("-- nulls: call\n", "").replace("-- a comment of the expression\n", ""))
    assert header.nulls == "null"


def test_every_missing_key_is_told_with_a_line_to_add():
    _, problems = read("x + 1\n")
    assert [one.what for one in problems] == [
        "`name` is missing",
        "`version` is missing",
        "`description` is missing",
        "`signature` is missing",
        "`example` is missing",
    ]
    assert problems[3].fix == "add a line `-- signature: (number BIGINT) RETURNS BIGINT`"


def test_all_mistakes_are_told_at_once_with_line_and_column():
    text = (
        GOOD.replace("-- a comment of the expression\n", "")
        .replace("name: clamp", "name: Clamp")
        .replace("version: 2", "version: 2.0")
        .replace("nulls: call", "nulls: maybe")
        .replace("(number BIGINT, least BIGINT)", "(number BIGINT, least INT)")
        .replace("clamp(3, 2) -> 3", "clamp(3, 2)")
        .replace("-- example: clamp(1, 2) -> 2", "-- examples: clamp(1, 2) -> 2\n-- version: 3")
    )
    assert problems_of(text) == [
        ("unknown key `examples`", "clamp.sql:8:4"),
        ("`version` stands twice", "clamp.sql:9:13"),
        ("`Clamp` is no name", "clamp.sql:1:10"),
        ("`version` is no whole number from 1", "clamp.sql:2:13"),
        ("`nulls` is `maybe`", "clamp.sql:7:11"),
        ("signature: `INT` is no type of Beam SQL", "clamp.sql:5:37"),
        ("an example without a result", "clamp.sql:10:13"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("name: clamp", "name: clamp_v2", "`clamp_v2` ends like a version", "clamp.sql:1:10"),
        ("-- nulls: call", "--nulls", "a line of the head that is no `key: value`", "clamp.sql:7:1"),
        (
            "(number DOUBLE, least DOUBLE)",
            "(number BIGINT, least BIGINT)",
            "two signatures with the same types (first in line 5)",
            "clamp.sql:6:15",
        ),
        (
            "(number DOUBLE, least DOUBLE)",
            "(number DOUBLE, lowest DOUBLE)",
            "the signatures name their arguments differently: number, least and number, lowest",
            "clamp.sql:6:15",
        ),
        (
            "(number DOUBLE, least DOUBLE)",
            "(number DOUBLE, least ROW<a DOUBLE>)",
            "`least` is ROW: not for a SQL function",
            "clamp.sql:6:15",
        ),
        ("RETURNS DOUBLE", "RETURNS ANY", "a SQL function cannot return ANY", "clamp.sql:6:15"),
        ("clamp(1, 2) -> 2", "max(1, 2) -> 2", "an example that does not call `clamp`", "clamp.sql:8:13"),
        (
            "description: A number, or the bound\n--   that it lies beyond.",
            "description:",
            "`description` is empty",
            "clamp.sql:3:16",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(old, new, what, where):
    text = GOOD.replace("-- a comment of the expression\n", "").replace(old, new)
    assert problems_of(text)[0] == (what, where)


def test_a_head_without_an_expression_is_a_mistake():
    text = GOOD.partition("\n-- a comment")[0] + "\n"
    assert problems_of(text) == [("there is no expression", "clamp.sql")]


def test_a_comment_between_head_and_expression_is_told():
    assert problems_of(GOOD) == [("a line of the head that is no `key: value`", "clamp.sql:11:1")]
