"""Reads the text of a query into a tree, within bounds of length and depth."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.matching import StatementReader
from blocks.sql.dialect.nodes import children
from blocks.sql.dialect.tokens import tokenize
from blocks.sql.problems import Place, SqlCheckError, SqlProblem, problem

# A query that a program wrote, with thousands of columns, is far below; one past it stops a process for minutes.
MAX_LENGTH = 4_000_000
# Levels of the tree: what walks it takes a few frames of Python's stack for each.
MAX_DEPTH = 400
# A tree of fewer levels is walked on the caller's own stack.
SHALLOW = 40
_FRAMES_A_LEVEL = 30
_STACK_BYTES = 512 << 20
_ONE_AT_A_TIME = threading.Lock()

Result = TypeVar("Result")


@dataclass(frozen=True)
class Parsed:
    """A query that was read.

    Attributes:
      text: as it was written.
      source: name of the file, or `query`.
      dialect: in which.
      tree: sqlglot's; of `blocks.sql.dialect` what nodes there are.
      depth: levels of the tree.
      tolerated: (rule, node) for what Beam's planner refuses and `blocks.sql.rewriting` mends.
    """

    text: str
    source: str
    dialect: str
    tree: Any
    depth: int = 0
    tolerated: tuple[tuple[str, Any], ...] = field(default=())


def parse(text: str, dialect: str = "beam", source: str = "query", strict: bool = False) -> Parsed:
    """Reads a query of Beam SQL.

    Args:
      text: of the query.
      dialect: `beam`; other dialects are read by `blocks.sql.dialects`.
      source: name of the file, for messages.
      strict: whether USER is a function, as Beam's planner has it, and not a column that lacks its backticks.

    Raises:
      SqlCheckError: the text is no query, or past the bounds.
    """
    if len(text) > MAX_LENGTH:
        what = f"the query has {len(text):,} characters; at most {MAX_LENGTH:,} are read"
        raise _error(problem(text[:1000], Place(1, 1), "too_large", what, "compute a part of it before", source=source))
    try:
        tokens = tokenize(text)
        reader = StatementReader(tokens, strict)
        nesting = _nesting(tokens.kinds)
        tree = deeply(reader.statement, nesting * 2)
        depth = depth_of(tree) if len(tokens.kinds) > SHALLOW else SHALLOW
    except QueryFailure as failure:
        raise _error(_problem(text, source, failure)) from None
    except RecursionError:
        raise _error(_too_deep(text, source)) from None
    if depth > MAX_DEPTH:
        raise _error(_too_deep(text, source))
    return Parsed(text, source, dialect, tree, depth, tuple(reader.tolerated))


def deeply(work: Callable[[], Result], depth: int) -> Result:
    """Does work on a tree of some depth: where it is deep, on a thread with a stack of its own.

    What can be read must not depend on how deep in a pipeline's construction it is called.
    """
    if depth <= SHALLOW:
        return work()
    with _ONE_AT_A_TIME:
        levels = max(depth, MAX_DEPTH)
        limit, size = (
            sys.getrecursionlimit(),
            threading.stack_size(_STACK_BYTES if depth > MAX_DEPTH else _STACK_BYTES // 2),
        )
        sys.setrecursionlimit(max(limit, levels * _FRAMES_A_LEVEL))
        try:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(work).result()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)


def _nesting(kinds: list[str]) -> int:
    deepest = depth = 0
    for kind in kinds:
        if kind in ("(", "[", "CASE", "NOT", "-"):
            depth += 1
            deepest = max(deepest, depth)
        elif kind in (")", "]", "END"):
            depth -= 1
        elif kind == ",":
            deepest = max(deepest, depth)
    return deepest


def depth_of(tree: Any) -> int:
    """Levels of a tree, counted without recursion."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        waiting.extend((child, level + 1) for child in children(node))
    return deepest


def _problem(text: str, source: str, failure: QueryFailure) -> SqlProblem:
    line = text.count("\n", 0, failure.start) + 1
    column = failure.start - (text.rfind("\n", 0, failure.start) + 1) + 1
    place = Place(line, column, max(failure.end - failure.start + 1, 1))
    return problem(text, place, failure.code, failure.what, failure.fix, source=source)


def _too_deep(text: str, source: str) -> SqlProblem:
    what = f"nested deeper than {MAX_DEPTH} levels; each operator of a chain such as a + b + c is one"
    fix = "write x IN (1, 2, 3) for many values, or compute a part of it in a subquery or a block before"
    return problem(text, Place(1, 1), "too_large", what, fix, source=source)


def _error(found: SqlProblem) -> SqlCheckError:
    return SqlCheckError(found.what, where=found.where, fix=found.fix, problems=[found])
