"""Rows in windows next to rows in others: what a GROUP BY with TUMBLE gives joins and unites with its like only.

Source: `BeamCoGBKJoinRel` and `BeamSetOperatorRelBase` of Beam 2.70.
"""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checks.bounds import boundedness, grouped_windows, is_windowed, of_scope, windows_of_scope
from blocks.sql.checks.telling import selects, told
from blocks.sql.dialect.nodes import walk
from blocks.sql.problems import SqlProblem

_FIX = "group both by the same windows, or put WindowRows before RunSql and group without TUMBLE"


def mixed_windows(analysis: Analysis) -> Iterator[SqlProblem]:
    """Joins and set operations of rows in unlike windows, and ORDER BY over rows in windows."""
    for scope in selects(analysis):
        select = scope.select
        if select.args.get("joins"):
            yield from _joined(analysis, scope)
        order = select.args.get("order")
        windowed = any(is_windowed(analysis, relation) for relation in scope.relations.values())
        sorts = order is not None and select.args.get("limit") is not None
        if sorts and windowed and of_scope(analysis, scope) is not False:
            what = "ORDER BY over rows in windows"
            yield told(analysis, order, "unsupported", what, "leave ORDER BY out, or sort in a step after this one")
    for node in walk(analysis.tree):
        if isinstance(node, exp.SetOperation):
            yield from _united(analysis, node)


def _joined(analysis: Analysis, scope: Any) -> Iterator[SqlProblem]:
    relations = [one for one in scope.relations.values() if one.kind not in ("unnest", "values")]
    endless = {boundedness(analysis, one) is False for one in relations}
    if len(endless) > 1:
        # A bounded table beside an unbounded one is a side input, whose windows need not be the same.
        return
    windows = [grouped_windows(analysis, one) for one in relations]
    if None not in windows and len(set(windows)) > 1:
        at = next(join for join in scope.select.args["joins"] if not isinstance(join.this, exp.Unnest | exp.Lateral))
        yield told(analysis, at, "unsupported_join", "a join of rows in unlike windows", _FIX)


def _united(analysis: Analysis, node: Any) -> Iterator[SqlProblem]:
    branches = {id(one.select): one for one in analysis.scopes}
    sides = [branches.get(id(_plain(side))) for side in (node.this, node.expression)]
    windows = [None if side is None else windows_of_scope(analysis, side) for side in sides]
    if None not in windows and len(set(windows)) > 1:
        word = type(node).__name__.upper()
        yield told(analysis, node, "unsupported", f"{word} of rows in unlike windows", _FIX)


def _plain(node: Any) -> Any:
    while isinstance(node, exp.Subquery):
        node = node.this
    return node
