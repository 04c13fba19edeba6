"""Functions with OVER: which of them Beam has, and what may stand beside them."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Relation, Scope
from blocks.sql.checks.keys import unfit
from blocks.sql.checks.over_order import named
from blocks.sql.checks.telling import aggregates, items, own, selects, told, written
from blocks.sql.dialect import function_name
from blocks.sql.problems import SqlProblem

_APART = "select plain columns here, and compute in a RunSql before or after this one"
_CLAUSES = ("where", "group", "having", "distinct", "joins", "order", "limit", "match")
_ALONE = frozenset({"ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK"})
_OF_COLUMNS = frozenset({"AVG", "COUNT", "MIN", "MAX", "SUM", "FIRST_VALUE", "LAST_VALUE", "ANY_VALUE"})


def windows(analysis: Analysis) -> Iterator[SqlProblem]:
    """Every function with OVER that Beam's planner has no plan for."""
    for scope in selects(analysis):
        found = [one for item in items(scope) for one in own(item) if isinstance(one, exp.Window)]
        for window in found:
            yield from _window(analysis, scope, window)
        if scope.select.args.get("qualify") is not None:
            fix = "SELECT * FROM (SELECT ..., ROW_NUMBER() OVER (PARTITION BY g ORDER BY x) AS n FROM t) WHERE n = 1"
            yield told(analysis, scope.select.args["qualify"], "unsupported", "QUALIFY", fix)
        if found:
            yield from _beside(analysis, scope, found)
        elif _is_over_windows(scope):
            yield from _literals(analysis, scope)


def _is_over_windows(scope: Scope) -> bool:
    """Whether the planner makes one of a SELECT and of that below it, which has functions with OVER."""
    if any(scope.select.args.get(key) for key in _CLAUSES) or len(scope.relations) != 1:
        return False
    return any(has_window(inner) for relation in scope.relations.values() for inner in relation.scopes)


def _window(analysis: Analysis, scope: Scope, window: Any) -> Iterator[SqlProblem]:
    call = window.this
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        if isinstance(call, exp.Filter):
            yield told(analysis, call, "unsupported", "FILTER with OVER", "use MAX(CASE WHEN ... END) in a step before")
        call = call.this
    name = function_name(call).upper()
    known = {one.name for one in (scope.select.args.get("windows") or ())}
    alias = window.args.get("alias")
    if alias is not None and alias.name not in known:
        what = f"no window `{alias.name}`"
        fix = f"there is: {', '.join(sorted(known))}" if known else "write OVER (PARTITION BY ...)"
        yield told(analysis, alias, "unknown_column", what, fix)
    if name not in _ALONE | _OF_COLUMNS:
        fix = f"Beam has {', '.join(sorted((_ALONE | _OF_COLUMNS) - {'AVG'}))}"
        if name in ("LAG", "LEAD"):
            fix = "number the rows: ROW_NUMBER() ... AS n; then join them by n and n + 1 in a RunSql after this one"
        yield told(analysis, call, "unsupported", f"{name} with OVER", fix)
    window = named(scope, window)
    if window.args.get("first") is not None:
        what = f"the window `{window.args['first'].name}` within another one"
        yield told(analysis, window.args["first"], "not_taken", what, "write the whole window out")
    yield from _plain(analysis, window, call)


def _plain(analysis: Analysis, window: Any, call: Any) -> Iterator[SqlProblem]:
    for key in window.args.get("partition_by") or ():
        bad = unfit(analysis.type_of(key))
        if bad is not None:
            what = f"PARTITION BY {written(analysis, key)}, with a {bad}"
            yield told(analysis, key, "unsupported", what, "CAST it to DECIMAL or VARCHAR in a RunSql before this one")
    order = window.args.get("order")
    parts = [*call.expressions, *(window.args.get("partition_by") or ())]
    parts.extend(item.this for item in (order.expressions if order is not None else ()))
    for part in parts:
        inner = part.expressions[0] if isinstance(part, exp.Distinct) else part
        if not isinstance(inner, exp.Column | exp.Star):
            what = f"{written(analysis, inner)} in a function with OVER: only columns may stand there"
            yield told(analysis, inner, "unsupported", what, "compute it in a RunSql before this one")
    spec = window.args.get("spec")
    for key in ("start", "end"):
        bound = spec.args.get(key) if spec is not None else None
        if isinstance(bound, exp.Expr):
            what = "a frame of a number of rows"
            fix = "write UNBOUNDED PRECEDING, CURRENT ROW or UNBOUNDED FOLLOWING"
            yield told(analysis, bound, "unsupported", what, fix)


def _beside(analysis: Analysis, scope: Scope, found: list[Any]) -> Iterator[SqlProblem]:
    select = scope.select
    if select.args.get("where") is not None:
        what = "WHERE beside a function with OVER"
        yield told(analysis, select.args["where"], "unsupported", what, "filter in a RunSql before this one")
    if select.args.get("group") is not None or any(next(aggregates(analysis, item), None) for item in items(scope)):
        yield told(analysis, found[0], "unsupported", "a function with OVER beside GROUP BY", _APART)
    elif not all(_is_plain(relation) for relation in scope.relations.values()) or len(scope.relations) > 1:
        what = "a function with OVER over anything else than columns of one input"
        yield told(analysis, found[0], "unsupported", what, "make its input in a RunSql before this one")
    yield from _literals(analysis, scope)


def _literals(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    for item in items(scope):
        for one in own(item):
            if one.find_ancestor(exp.Window, exp.Select, exp.DataTypeParam) is not scope.select:
                continue
            if isinstance(one, exp.Literal | exp.Boolean | exp.Null):
                what = f"{written(analysis, one)} beside a function with OVER: Beam cannot plan values there"
                yield told(analysis, one, "unsupported", what, _APART)


def _is_plain(relation: Relation) -> bool:
    """Whether a relation is an input, or columns of one and nothing else."""
    if relation.kind == "table":
        return True
    if relation.kind not in ("subquery", "with") or len(relation.scopes) != 1:
        return False
    scope = relation.scopes[0]
    select = scope.select
    if not isinstance(select, exp.Select) or any(select.args.get(key) for key in _CLAUSES) or len(scope.relations) != 1:
        return False
    plain = all(isinstance(item, exp.Column) for item in items(scope))
    return plain and all(_is_plain(inner) for inner in scope.relations.values())


def has_window(scope: Scope) -> bool:
    """Whether a SELECT has a function with OVER."""
    if not isinstance(scope.select, exp.Select):
        return False
    return any(isinstance(one, exp.Window) for item in items(scope) for one in own(item))
