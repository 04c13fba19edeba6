"""Aggregates, windows, TUMBLE and its kin where they cannot stand."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checks.grouping import shape
from blocks.sql.checks.telling import (
    AUXILIARY,
    aggregates,
    group_items,
    is_group_function,
    items,
    own,
    selects,
    told,
    written,
)
from blocks.sql.dialect import function_name
from blocks.sql.problems import SqlProblem

_HAVING = "write it into HAVING, which comes after GROUP BY"
_WITHIN = "compute it in a subquery, and use its column here"


def misplaced(analysis: Analysis) -> Iterator[SqlProblem]:
    """Each of them, with what to write instead."""
    for scope in selects(analysis):
        select = scope.select
        where = select.args.get("where")
        if where is not None:
            yield from _none_in(analysis, where.this, "WHERE", _HAVING)
        for join in select.args.get("joins") or ():
            if join.args.get("on") is not None:
                yield from _none_in(analysis, join.args["on"], "ON", _WITHIN)
        for item in group_items(scope):
            yield from _none_in(analysis, item, "GROUP BY", _WITHIN)
        for node in (*items(scope), *_clauses(scope)):
            for call in aggregates(analysis, node):
                yield from _nested(analysis, call)
        yield from _order(analysis, scope)
        yield from _group_functions(analysis, scope)
        yield from _compared(analysis, scope)


def _clauses(scope: Scope) -> Iterator[Any]:
    having, order = scope.select.args.get("having"), scope.select.args.get("order")
    if having is not None:
        yield having.this
    if order is not None:
        yield from (item.this for item in order.expressions)


def _none_in(analysis: Analysis, node: Any, clause: str, fix: str) -> Iterator[SqlProblem]:
    for call in aggregates(analysis, node):
        what = f"the aggregate {written(analysis, call)} in {clause}"
        yield told(analysis, call, "misplaced_aggregate", what, fix)
    for one in own(node):
        if isinstance(one, exp.Window):
            what = f"a function with OVER in {clause}"
            yield told(analysis, one, "misplaced_aggregate", what, _WITHIN)


def _nested(analysis: Analysis, call: Any) -> Iterator[SqlProblem]:
    for child in call.iter_expressions():
        for inner in aggregates(analysis, child):
            what = f"the aggregate {written(analysis, inner)} in another aggregate"
            yield told(analysis, inner, "misplaced_aggregate", what, _WITHIN)
    parent = call.parent
    if isinstance(parent, exp.Filter):
        for inner in aggregates(analysis, parent.expression.this):
            what = f"the aggregate {written(analysis, inner)} in FILTER"
            yield told(analysis, inner, "misplaced_aggregate", what, _WITHIN)


def _order(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    order, select = scope.select.args.get("order"), scope.select
    if order is None or select.args.get("group") is not None or select.args.get("having") is not None:
        return
    if any(next(aggregates(analysis, item), None) is not None for item in items(scope)):
        return
    for item in order.expressions:
        for call in aggregates(analysis, item.this):
            what = f"the aggregate {written(analysis, call)} in ORDER BY of a SELECT that does not aggregate"
            yield told(analysis, call, "misplaced_aggregate", what, _WITHIN)


def _group_functions(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    windows = [item for item in group_items(scope) if is_group_function(item)]
    for item in group_items(scope):
        for one in own(item):
            if one is not item and is_group_function(one):
                what = f"{function_name(one).upper()} within another expression of GROUP BY"
                yield told(analysis, one, "misplaced_aggregate", what, "let it stand alone between the commas")
    signatures = {_signature(analysis, item): item for item in windows}
    where = scope.select.args.get("where")
    for node in (*items(scope), *_clauses(scope), *([where.this] if where is not None else ())):
        for one in own(node):
            name = function_name(one).upper()
            if is_group_function(one):
                what = f"{name} stands in GROUP BY only"
                fix = f"write {name}_START(...) or {name}_END(...) for the window's begin or end"
                yield told(analysis, one, "misplaced_aggregate", what, fix)
            elif name in AUXILIARY and _signature(analysis, one) not in signatures:
                yield _unmatched(analysis, one, name, windows)


def _compared(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    """Bounds of windows in HAVING, or in WHERE around their GROUP BY: the planner leaves just IS NULL standing."""
    having, where = scope.select.args.get("having"), scope.select.args.get("where")
    bounds: list[Any] = []
    if having is not None:
        bounds.extend(one for one in own(having.this) if function_name(one).upper() in AUXILIARY)
    if where is not None:
        bounds.extend(one for one in own(where.this) if isinstance(one, exp.Column) and _is_bound(analysis, one))
    for node in bounds:
        if node.find_ancestor(exp.Is, exp.Having, exp.Where, exp.Select).key == "is":
            continue
        what = f"{written(analysis, node)} in a condition: Beam knows the bounds of a window in SELECT only"
        yield told(analysis, node, "unsupported", what, "select it, and compare it in a RunSql after this one")


def _is_bound(analysis: Analysis, node: Any) -> bool:
    found = analysis.found.get(id(node))
    if found is None or found.relation.kind not in ("subquery", "with") or found.column.source is None:
        return False
    return any(function_name(one).upper() in AUXILIARY for one in own(found.column.source))


def _signature(analysis: Analysis, node: Any) -> Any:
    name = function_name(node).upper().split("_")[0]
    return name, tuple(shape(analysis, argument) for argument in node.expressions)


def _unmatched(analysis: Analysis, node: Any, name: str, windows: list[Any]) -> SqlProblem:
    base = name.rpartition("_")[0]
    if not windows:
        what, fix = f"{name} without {base} in GROUP BY", f"add GROUP BY {base}(...) with the same arguments"
    else:
        what = f"{name} has other arguments than the {function_name(windows[0]).upper()} of GROUP BY"
        fix = f"GROUP BY has {written(analysis, windows[0])[1:-1]}: give it the same"
    return told(analysis, node, "misplaced_aggregate", what, fix)
