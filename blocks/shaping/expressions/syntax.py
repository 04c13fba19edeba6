"""Parses a SQL expression and lets through only what is known: an allow-list of syntax, with line and column.

sqlglot parses DuckDB's dialect. Functions stay as they are written (none is rewritten into another dialect's form), so
that what runs is what was read. Every node of the tree has to be in the allow-list of `allowed.py`; statements,
subqueries, windows, lambdas, parameters and everything to come are refused by not being there.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser

from blocks.core.errors import Problem
from blocks.shaping.expressions.allowed import node_problems

MAX_TEXT = 10_000
# An expression of a person's making is far below both; an engine's own stack ends a little above.
MAX_NESTING = 32
MAX_DEPTH = 200


class _Dialect(DuckDB):
    """DuckDB's grammar without sqlglot's rewriting of functions and of list positions."""

    INDEX_OFFSET = 0

    class Parser(DuckDBParser):
        FUNCTIONS: ClassVar[Any] = {}
        FUNCTION_PARSERS: ClassVar[Any] = {
            name: DuckDBParser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT")
        }
        NO_PAREN_FUNCTIONS: ClassVar[Any] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[Any] = {"CASE": DuckDBParser.NO_PAREN_FUNCTION_PARSERS["CASE"]}


_DIALECT = _Dialect()

_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END)
_PREFIX = (TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.INTERVAL)
_STATEMENTS = (TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.UNION, TokenType.TABLE, TokenType.PIVOT)


@dataclass(frozen=True, slots=True)
class Syntax:
    """An expression that was read, not yet checked against a schema.

    Attributes:
      text: as it was written.
      where: the option that holds it, for messages.
      tree: sqlglot's tree, only of nodes that are known.
    """

    text: str
    where: str
    tree: Any

    def place(self, node: Any) -> str:
        """Option, line and column of a node, for `Problem.where`."""
        starts = [start for one in node.walk() if (start := one.meta.get("start")) is not None]
        return at(self.text, min(starts, default=0), self.where)


def at(text: str, start: int, where: str) -> str:
    """Option, line and column (both from 1) of a position in the text of an expression."""
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return f"{where}, line {line}, column {column}"


def read_syntax(text: object, where: str, problems: list[Problem]) -> Syntax | None:
    """Reads an expression; None if there are problems, which are added to `problems`.

    Args:
      text: a SQL expression over columns.
      where: the option that holds it.
      problems: gets one for each mistake.
    """
    tokens = _tokens(text, where, problems)
    if tokens is None:
        return None
    assert isinstance(text, str)
    tree = _tree(text, where, problems)
    if tree is None:
        return None
    syntax = Syntax(text, where, tree)
    found = list(_refused(syntax))
    problems.extend(found)
    return None if found else syntax


def _tokens(text: object, where: str, problems: list[Problem]) -> list[Token] | None:
    if not isinstance(text, str):
        what = f"expected a SQL expression as text, got a {type(text).__name__}"
        problems.append(Problem(what, where, 'write it as text, as in "amount * 2"'))
        return None
    if len(text) > MAX_TEXT:
        what = f"the expression has {len(text)} characters; at most {MAX_TEXT} are read"
        problems.append(Problem(what, where, "compute a part of it in a block before"))
        return None
    if "\0" in text:
        problems.append(Problem("a NUL character", at(text, text.index("\0"), where), "take it out"))
        return None
    try:
        tokens = list(_DIALECT.tokenize(text))
    except TokenError:
        problems.append(Problem("a quotation mark or a comment that is never closed", where, "close it"))
        return None
    problem = _token_problem(tokens, text, where)
    if problem is not None:
        problems.append(problem)
        return None
    return tokens


def _token_problem(tokens: list[Token], text: str, where: str) -> Problem | None:
    """The first mistake that can be told from the words alone, before a parser recurses over them."""
    if not tokens:
        return Problem("the expression is empty", where, "write one, as in amount > 0")
    depth = run = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        run = run + 1 if kind in _PREFIX else 0
        if depth > MAX_NESTING or run > MAX_NESTING:
            what = f"nested deeper than {MAX_NESTING} levels"
            return Problem(what, at(text, token.start, where), "compute a part of it in a block before")
        if kind == TokenType.SEMICOLON:
            return Problem("`;`: expected one expression", at(text, token.start, where), "take out what is too much")
        if kind in _STATEMENTS:
            what = f"`{token.text}`: expected an expression, not a query"
            return Problem(what, at(text, token.start, where), "use the columns of one row")
        if kind in (TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.BYTE_STRING, TokenType.HEREDOC_STRING):
            return Problem("a text in another form", at(text, token.start, where), "write it in single quotation marks")
    return None


def _tree(text: str, where: str, problems: list[Problem]) -> Any:
    # A chain of AND or OR nests as deep as it is long.
    fix = "write x IN (1, 2, 3) for many values of one column, or compute a part of it in a block before"
    what = f"nested deeper than {MAX_DEPTH} levels; each AND, OR and other operator of a chain is one"
    too_deep = Problem(what, where, fix)
    try:
        # The parser takes many frames of the stack for each level. A thread has a stack of its own, so that what can be
        # read does not depend on how deep in a pipeline's construction this is called.
        with ThreadPoolExecutor(1) as thread:
            trees = thread.submit(sqlglot.parse, text, dialect=_DIALECT).result()
    except ParseError as error:
        problems.append(_unread(text, where, error))
        return None
    except RecursionError:
        problems.append(too_deep)
        return None
    if len(trees) != 1 or trees[0] is None:
        problems.append(Problem("expected one expression", where, "write one, as in amount > 0"))
        return None
    if _depth(trees[0]) > MAX_DEPTH:
        problems.append(too_deep)
        return None
    return trees[0].unnest()


def _unread(text: str, where: str, error: ParseError) -> Problem:
    first = error.errors[0] if error.errors else {}
    word = str(first.get("highlight") or "")
    # sqlglot counts columns to the last character of the word.
    column = max(int(first.get("col") or 1) - max(len(word), 1) + 1, 1)
    missing = "missing" in str(first.get("description", ""))
    what = "an operand is missing" if missing or not word else f"`{word[:40]}` does not fit here"
    fix = "write a SQL expression over columns, as in upper(trim(name)) or amount * 2"
    return Problem(what, f"{where}, line {first.get('line') or 1}, column {column}", fix)


def _depth(tree: Any) -> int:
    """Levels of a tree, counted without recursion."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        waiting.extend((child, level + 1) for child in node.iter_expressions())
    return deepest


def _refused(syntax: Syntax) -> Iterator[Problem]:
    """A problem for every node that is not in the allow-list; what is below a refused node is not looked at."""
    waiting = [syntax.tree]
    while waiting:
        node = waiting.pop()
        found = list(node_problems(node, syntax.place(node)))
        yield from found
        if not found:
            waiting.extend(reversed(list(node.iter_expressions())))
