"""What needs the end of an input that has none: grouping without a window, and joins without a common one.

Beam SQL alone minds: a query that runs in DuckDB, batch by batch, needs no end of its input.
Source: `BeamAggregationRel`, `BeamCoGBKJoinRel` and `BeamSetOperatorRelBase` of Beam 2.70.
"""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checks.bounds import boundedness, is_windowed, of_scope, scope_is_windowed, tables_below
from blocks.sql.checks.telling import group_items, is_group_function, selects, told
from blocks.sql.dialect.nodes import walk
from blocks.sql.problems import SqlProblem

_WINDOW = "add TUMBLE(time, INTERVAL '1' HOUR) to GROUP BY, or put WindowRows before RunSql"
_BEFORE = "put WindowRows before RunSql"


def unbounded(analysis: Analysis) -> Iterator[SqlProblem]:
    """Each of them, where the inputs are known to be unbounded."""
    if all(table.bounded is not False for table in analysis.tables.values()):
        return
    for scope in selects(analysis):
        if of_scope(analysis, scope) is not False:
            continue
        windowed = any(is_windowed(analysis, relation) for relation in scope.relations.values())
        yield from _grouped(analysis, scope, windowed)
        yield from _ordered(analysis, scope, windowed)
        yield from _joined(analysis, scope)
    for node in walk(analysis.tree):
        if isinstance(node, exp.SetOperation):
            yield from _set_operation(analysis, node)


def _grouped(analysis: Analysis, scope: Scope, windowed: bool) -> Iterator[SqlProblem]:
    select = scope.select
    has_window = windowed or any(is_group_function(item) for item in group_items(scope))
    if scope.grouped and not has_window:
        node: Any = select.args.get("group") or select
        yield told(analysis, node, "unsupported", "an unbounded input is grouped without a window", _WINDOW)
    if select.args.get("distinct") is not None and not scope_is_windowed(analysis, scope):
        yield told(analysis, select.args["distinct"], "unsupported", "DISTINCT over an unbounded input", _BEFORE)


def _ordered(analysis: Analysis, scope: Scope, windowed: bool) -> Iterator[SqlProblem]:
    order = scope.select.args.get("order")
    if order is None or scope.select.args.get("limit") is None:
        return
    grouped = any(is_group_function(item) for item in group_items(scope))
    what = "ORDER BY over an unbounded input"
    if windowed or grouped:
        what = "ORDER BY over rows in windows"
    yield told(analysis, order, "unsupported", what, "use LIMIT alone, or the greatest of each group: MAX(...)")


def _joined(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    joined = scope.select.args.get("joins") or ()
    endless = [one for one in scope.relations.values() if boundedness(analysis, one) is False]
    plain = [one for one in endless if not is_windowed(analysis, one)]
    node = next((join for join in joined if any(one.node is join.this for one in endless)), None)
    if len(endless) < 2 or node is None or isinstance(node.this, exp.Unnest | exp.Lateral):
        return
    tables = [table for one in endless for table in tables_below(one) if table.bounded is False]
    if plain:
        what = "a join of two unbounded tables without a common window"
        yield told(analysis, node, "unsupported_join", what, "put WindowRows with the same windows before both")
    elif repeated := [table for table in tables if table.triggered or table.late]:
        how = "a trigger of its own" if repeated[0].triggered else "an allowed lateness"
        what = (
            f"a join of unbounded tables, of which `{repeated[0].name}` has {how}: its windows may come several times"
        )
        yield told(
            analysis, node, "unsupported_join", what, "put WindowRows without trigger and allowed_lateness before"
        )


def _set_operation(analysis: Analysis, node: Any) -> Iterator[SqlProblem]:
    scopes = [one for one in analysis.scopes if one.select in (_leaf(node.this), _leaf(node.expression))]
    if any(of_scope(analysis, one) is False and not scope_is_windowed(analysis, one) for one in scopes):
        word = type(node).__name__.upper() + ("" if node.args.get("distinct") else " ALL")
        yield told(analysis, node, "unsupported", f"{word} of an unbounded input without a window", _BEFORE)


def _leaf(node: Any) -> Any:
    while isinstance(node, exp.Subquery | exp.SetOperation):
        node = node.this
    return node
