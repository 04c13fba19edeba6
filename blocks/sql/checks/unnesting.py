"""UNNEST: Beam takes one, of a column of the tables beside it, without a condition of its own."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Found, Scope
from blocks.sql.checks.joins import conjuncts
from blocks.sql.checks.telling import own, selects, told, written
from blocks.sql.problems import SqlProblem

_APART = "UNNEST in a subquery or a RunSql of its own, and go on with its columns"


def unnesting(analysis: Analysis) -> Iterator[SqlProblem]:
    """Every UNNEST that Beam's planner has no rule for."""
    every: list[Any] = []
    for scope in selects(analysis):
        nodes = [node for node in _sources(scope) if isinstance(node, exp.Unnest)]
        correlated = [node for node in nodes if _reads(analysis, scope, node)]
        for number, node in enumerate(nodes):
            yield from _one(analysis, scope, node, node in correlated, number)
        every.extend(correlated)
    for scope in selects(analysis):
        yield from _filtered(analysis, scope, every)


def _sources(scope: Scope) -> Iterator[Any]:
    from_ = scope.select.args.get("from_")
    if from_ is not None:
        yield from_.this
    for join in scope.select.args.get("joins") or ():
        yield join.this


def _reads(analysis: Analysis, scope: Scope, node: Any) -> bool:
    """Whether UNNEST reads the tables beside it."""
    columns = (one for item in node.expressions for one in own(item) if isinstance(one, exp.Column))
    return any((found := analysis.found.get(id(one))) is not None and found.scope is scope for one in columns)


def _one(analysis: Analysis, scope: Scope, node: Any, correlated: bool, number: int) -> Iterator[SqlProblem]:
    join = node.parent
    if len(node.expressions) > 1:
        what = "UNNEST of several arrays side by side"
        yield told(analysis, node, "unsupported", what, "UNNEST one array of ROW, or one after the other in subqueries")
        return
    if not correlated:
        if isinstance(join, exp.Join) or scope.select.args.get("joins"):
            what = "UNNEST beside a table that it does not read"
            yield told(analysis, node, "unsupported_join", what, "UNNEST a column of the table: UNNEST(t.tags)")
        return
    found = analysis.found.get(id(node.expressions[0].unnest()))
    if found is not None and found.path:
        what = f"UNNEST {written(analysis, node.expressions[0])}, which is a field of a ROW"
        yield told(analysis, node, "unsupported", what, "select the field in a subquery before, and UNNEST it there")
        return
    if number:
        yield told(analysis, node, "unsupported", "two UNNEST in one FROM", _APART)
        return
    if isinstance(join, exp.Join) and join.side:
        what = f"{join.side} JOIN UNNEST"
        yield told(analysis, join, "unsupported", what, "use CROSS JOIN UNNEST; rows with an empty array are left out")
    on = join.args.get("on") if isinstance(join, exp.Join) else None
    if on is not None and not (isinstance(on.unnest(), exp.Boolean) and on.unnest().this):
        yield told(analysis, on, "unsupported", "UNNEST with a condition", "write ON TRUE, and the condition in WHERE")


def _filtered(analysis: Analysis, scope: Scope, nodes: list[Any]) -> Iterator[SqlProblem]:
    """Conditions that the planner moves to the UNNEST, where Beam has no rule for them."""
    where = scope.select.args.get("where")
    if where is None:
        return
    for condition in conjuncts(where.this):
        read = [found for one in own(condition) if (found := analysis.found.get(id(one))) is not None]
        if not read or _is_always_true(analysis, condition):
            continue
        if all(_unnested(analysis, found, nodes) for found in read):
            what = f"WHERE {written(analysis, condition)} over what UNNEST gives: Beam's planner has no rule for it"
            fix = "compare it with a column of the table too, or filter in a RunSql after this one"
            yield told(analysis, condition, "unsupported", what, fix)


def _is_always_true(analysis: Analysis, condition: Any) -> bool:
    """IS NOT NULL of what cannot be NULL, which the planner leaves out."""
    inner = condition.this.unnest() if isinstance(condition, exp.Not) else None
    if not isinstance(inner, exp.Is) or not isinstance(inner.expression, exp.Null):
        return False
    kind = analysis.type_of(inner.this)
    return kind is not None and not kind.nullable


def _unnested(analysis: Analysis, found: Found, nodes: list[Any]) -> bool:
    """Whether a column is what an UNNEST gives under another name, here or in a subquery below."""
    relation = found.relation
    if relation.kind == "unnest":
        alias = relation.node.args.get("alias")
        named = alias is not None and bool(alias.args.get("columns"))
        return relation.node in nodes and named
    if len(relation.scopes) != 1 or relation.kind not in ("subquery", "with"):
        return False
    source = found.column.source
    below = analysis.found.get(id(source)) if source is not None else None
    return below is not None and _unnested(analysis, below, nodes)
