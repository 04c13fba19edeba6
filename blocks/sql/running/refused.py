"""What Beam's planner says of a query, at its place in the query that the user wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from blocks.engines.errors import EngineError
from blocks.sql.checked import CheckedSql
from blocks.sql.parsing import MAX_DEPTH, deeply, parse
from blocks.sql.places import place_of, span_of
from blocks.sql.problems import Place, SqlCheckError, SqlProblem, problem

_FIX = "the checks let it pass: please report the query. What the planner got is shown by `blocks check-sql --sql`"


@contextmanager
def told_of_the_users_query(checked: CheckedSql, source: str) -> Iterator[None]:
    """Raises what the planner refuses as a problem of the query that the user wrote.

    Args:
      checked: the query.
      source: what it is called in messages.

    Raises:
      SqlCheckError: the planner refused it.
    """
    try:
        yield
    except EngineError as error:
        told = getattr(error, "told", ())
        if not told:
            raise
        raise as_users(told, checked, source) from error


def as_users(told: tuple[tuple[str, int, int], ...], checked: CheckedSql, source: str) -> SqlCheckError:
    """The error of a query that the planner refused.

    Args:
      told: (message, line, column) in `checked.sql`; 0 where there is no place.
      checked: the query.
      source: what the query is called in messages.
    """
    problems: list[SqlProblem] = []
    for message, line, column in told:
        place = deeply(partial(place_of_user, checked, line, column), MAX_DEPTH) if line else Place(1, 1)
        what = f"Beam's planner does not take this: {message}"
        problems.append(problem(checked.query, place, "planner", what, _FIX, source=source))
    return SqlCheckError(f"{len(problems)} problems", where=source, problems=problems)


def place_of_user(checked: CheckedSql, line: int, column: int) -> Place:
    """The place in the user's query of a place in the query that the planner got.

    The text that was generated is read again: its tree is that from which it was generated, node for node, with the
    places of the new text; the nodes of the other have those of the user's.
    """
    lines = checked.sql.splitlines(keepends=True)
    offset = sum(map(len, lines[: line - 1])) + column - 1
    try:
        written = parse(checked.sql).tree
    except SqlCheckError:
        return Place(1, 1)
    ours, users = list(_nodes(written)), list(_nodes(checked.tree))
    if len(ours) != len(users):
        return Place(1, 1)
    best, width = Place(1, 1), len(checked.sql) + 1
    for node, meant in zip(ours, users, strict=True):
        start, end = span_of(node)
        if start <= offset <= end and end - start < width and _has_place(meant):
            best, width = place_of(meant), end - start
    return best


def _nodes(tree: Any) -> Any:
    """Nodes in one order, without the parentheses that only a generator writes."""
    from sqlglot import exp

    return (node for node in tree.walk() if not isinstance(node, exp.Paren | exp.TableAlias | exp.Identifier))


def _has_place(node: Any) -> bool:
    return any(one.meta.get("start") is not None for one in node.walk())
