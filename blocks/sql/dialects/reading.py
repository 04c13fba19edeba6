"""Reads a query in another dialect, and turns its tree into that of the dialect `beam`."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ParseError, TokenError

from blocks.sql.analysis import Table
from blocks.sql.dialects.names import Names
from blocks.sql.dialects.structure import Translator
from blocks.sql.parsing import MAX_DEPTH, SHALLOW, deeply, depth_of
from blocks.sql.problems import Place, SqlCheckError, SqlProblem, problem

DIALECTS = ("bigquery", "duckdb", "spark", "postgres", "snowflake")


class _AnsiSpark(Spark):
    """Spark as it is from 4.0 on, where CAST fails instead of giving NULL."""

    class Parser(Spark.Parser):  # type: ignore[misc, valid-type]  # a class that sqlglot makes when it is asked for
        STRICT_CAST = True


_READ_AS: Mapping[str, Any] = {"spark": _AnsiSpark}
MAX_LENGTH, MAX_NESTING = 2_000_000, 1_500
_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)


def read_other(text: str, dialect: str, source: str = "query") -> Any:
    """The tree of a query in another dialect, as sqlglot reads it.

    Args:
      text: one query; a `;` behind it is left out.
      dialect: of `DIALECTS`.
      source: name of the file, for messages.

    Raises:
      SqlCheckError: the text is no query of the dialect.
    """
    found = _too_large(text, dialect, source)
    if found is None:
        try:
            trees = [tree for tree in _parsed(text, dialect) if tree is not None]
        except ParseError as error:
            found = _unread(text, dialect, source, error)
        except TokenError:
            fix = "close it"
            found = problem(text, Place(1, 1), "syntax", "a quotation mark or comment never closed", fix, source=source)
        else:
            if len(trees) == 1 and isinstance(trees[0], exp.Query):
                if depth_of(trees[0]) <= MAX_DEPTH:
                    return trees[0]
                raise SqlCheckError("", problems=[_too_deep(text, source)])
            found = _no_query(text, source, trees)
    raise SqlCheckError("", problems=[found])


def translate(text: str, tree: Any, dialect: str, tables: Mapping[str, Table], source: str = "query") -> Any:
    """The tree in the form of the dialect `beam`; see `blocks.sql.dialect` for what that is.

    Args:
      text: the query, for messages.
      tree: from `read_other`; left as it is.
      dialect: of `DIALECTS`.
      tables: inputs, whose names and columns are matched as the dialect matches names.
      source: name of the file, for messages.

    Raises:
      SqlCheckError: every node that has no equal form in Beam SQL.
    """
    translator = Translator(text, dialect, Names(tree, dialect, tables), tables, source)
    result = translator.node(tree)
    if translator.problems:
        raise SqlCheckError("", problems=translator.problems)
    return result


def _too_large(text: str, dialect: str, source: str) -> SqlProblem | None:
    if len(text) > MAX_LENGTH:
        what, fix = f"the query has {len(text):,} characters; at most {MAX_LENGTH:,} are read", "split it into steps"
        return problem("", Place(1, 1), "too_large", what, fix, source=source)
    depth = 0
    try:
        tokens = sqlglot.tokenize(text, read=_READ_AS.get(dialect, dialect))
    except TokenError:
        return None
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MAX_NESTING:
            place = Place(token.line, max(token.col - len(token.text) + 1, 1), 1)
            what = f"nested deeper than {MAX_NESTING:,} levels"
            return problem(text, place, "too_large", what, "split it into steps", source=source)
    return None


def _too_deep(text: str, source: str) -> SqlProblem:
    what = f"nested deeper than {MAX_DEPTH} levels; each operator of a chain such as a + b + c is one"
    return problem(text, Place(1, 1), "too_large", what, "split it into steps", source=source)


def _parsed(text: str, dialect: str) -> list[Any]:
    read = partial(_without_repeats, text, _READ_AS.get(dialect, dialect))
    return deeply(read, 2 * MAX_NESTING if text.count("(") > SHALLOW else 0)


def _without_repeats(text: str, dialect: Any) -> list[Any]:
    """The trees, in which parentheses around parentheses are one, so that `((((x))))` is no deep tree."""
    trees = list(sqlglot.parse(text, read=dialect))
    for tree in trees:
        for node in list(tree.find_all(exp.Paren)) if tree is not None else ():
            inner = node.this
            while isinstance(inner, exp.Paren):
                inner = inner.this
            if inner is not node.this:
                node.set("this", inner)
    return trees


def _unread(text: str, dialect: str, source: str, error: ParseError) -> SqlProblem:
    first = error.errors[0] if error.errors else {}
    word = str(first.get("highlight") or "")
    # sqlglot counts columns to the last character of the word.
    column = max(int(first.get("col") or 1) - max(len(word), 1) + 1, 1)
    what = f"`{word[:40]}` does not fit here" if word else "the query ends too early"
    fix = f"the query is read as {dialect}; look at what stands before it"
    place = Place(int(first.get("line") or 1), column, max(len(word), 1))
    return problem(text, place, "syntax", what, fix, source=source)


def _no_query(text: str, source: str, trees: list[Any]) -> SqlProblem:
    what = f"expected one query, found {len(trees)} statements" if len(trees) > 1 else "this is no query"
    if not trees:
        what = "the query is empty"
    return problem(text, Place(1, 1), "not_a_query", what, "write one SELECT, or WITH ... SELECT", source=source)
