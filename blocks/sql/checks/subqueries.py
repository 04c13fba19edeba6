"""Subqueries in expressions: Beam does those that become a join by equal keys."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checks.joins import conjuncts
from blocks.sql.checks.keys import unfit
from blocks.sql.checks.telling import SUBQUERIES, group_items, items, own, selects, subqueries, told
from blocks.sql.problems import SqlProblem

# From so many values on Calcite joins with them instead of comparing with each.
_MANY = 20
_JOIN = (
    "write a JOIN with a query that has one row a key: JOIN (SELECT key, MAX(x) AS x FROM t GROUP BY key) AS m ON ..."
)


def subquery_limits(analysis: Analysis) -> Iterator[SqlProblem]:
    """Every subquery that Beam cannot do."""
    for scope in selects(analysis):
        where = scope.select.args.get("where")
        if where is not None:
            for condition in conjuncts(where.this):
                for node in subqueries(condition):
                    yield from _one(analysis, scope, node, condition)
        having = scope.select.args.get("having")
        if having is not None:
            for condition in conjuncts(having.this):
                for node in subqueries(condition):
                    yield from _one(analysis, scope, node, condition)
        for item in (*items(scope), *group_items(scope)):
            for node in subqueries(item):
                yield from _one(analysis, scope, node, None)
        yield from _lists(analysis, scope)


def _lists(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    """IN with many values, of which Calcite makes a join with a table of them."""
    whole: dict[int, Any] = {}
    clauses = [scope.select.args.get(key) for key in ("where", "having")]
    for clause in clauses:
        for condition in conjuncts(clause.this) if clause is not None else ():
            inner = condition.this.unnest() if isinstance(condition, exp.Not) else condition
            whole[id(inner)] = inner
    for node in (*items(scope), *(clause.this for clause in clauses if clause is not None)):
        for one in own(node):
            if not isinstance(one, exp.In) or len(one.expressions) < _MANY or not all(map(_is_value, one.expressions)):
                continue
            bad = unfit(analysis.type_of(one.this))
            if id(one) not in whole:
                what = f"IN with {len(one.expressions)} values that is not a condition of WHERE by itself"
                fix = f"write several IN of less than {_MANY} values, with OR between"
                yield told(analysis, one, "unsupported_join", what, fix)
            elif bad is not None:
                what = f"IN with {len(one.expressions)} values of a {bad}"
                fix = f"write several IN of less than {_MANY} values, with OR between, or CAST to DECIMAL"
                yield told(analysis, one, "unsupported_join", what, fix)


def _is_value(node: Any) -> bool:
    return isinstance(node.this if isinstance(node, exp.Neg) else node, exp.Literal | exp.Boolean)


def _one(analysis: Analysis, scope: Scope, node: Any, condition: Any) -> Iterator[SqlProblem]:
    if isinstance(node, exp.Any | exp.All):
        word = "ALL" if isinstance(node, exp.All) else "SOME"
        fix = "compare with MAX or MIN of the subquery's column, or write IN"
        yield told(analysis, node, "unsupported", f"a comparison with {word} (SELECT ...)", fix)
        return
    inner = node.this if isinstance(node, exp.Subquery | exp.Exists) else node
    correlations, fits = _correlations(analysis, scope, inner)
    parent = node.parent
    if isinstance(parent, exp.In) and parent.args.get("query") is node:
        yield from _in(analysis, node, parent, condition, fits)
    elif isinstance(node, exp.Exists):
        if not correlations:
            what = "EXISTS (SELECT ...) that does not depend on the row"
            yield told(analysis, node, "unsupported_join", what, "add WHERE inner.key = outer.key within")
        elif not fits:
            yield _unequal(analysis, node)
    elif not fits:
        yield _unequal(analysis, node)
    elif scope.grouped and correlations and condition is None:
        what = "a subquery that depends on the row, beside GROUP BY"
        yield told(analysis, node, "unsupported", what, _JOIN)
    elif not _is_single(analysis, node):
        what = "a subquery for a value that may give several rows"
        yield told(analysis, node, "unsupported", what, "aggregate it: (SELECT MAX(x) FROM ...)")
    elif not correlations:
        yield from _scalar(analysis, node, condition)
    elif condition is not None and not _is_compared(node, condition) and _reads(analysis, scope, condition):
        yield _compared(analysis, node)


def _reads(analysis: Analysis, scope: Scope, condition: Any) -> bool:
    """Whether a condition reads columns of this SELECT beside its subqueries."""
    columns = (one for one in own(condition) if isinstance(one, exp.Column))
    return any((found := analysis.found.get(id(one))) is not None and found.scope is scope for one in columns)


def _is_single(analysis: Analysis, node: Any) -> bool:
    scopes = analysis.subqueries.get(id(node), [])
    return all(scope.grouped and not group_items(scope) for scope in scopes if isinstance(scope.select, exp.Select))


def _unequal(analysis: Analysis, node: Any) -> SqlProblem:
    what = "a subquery that depends on the row by something else than `inner.key = outer.key`"
    return told(analysis, node, "unsupported_join", what, _JOIN)


def _compared(analysis: Analysis, node: Any) -> SqlProblem:
    return told(analysis, node, "unsupported_join", "a comparison with a subquery by another operator than `=`", _JOIN)


def _scalar(analysis: Analysis, node: Any, condition: Any) -> Iterator[SqlProblem]:
    if condition is None:
        what = "a subquery for one value: Beam cannot join every row with it"
        yield told(analysis, node, "unsupported_join", what, "compute it before, and give it with `parameters`")
    elif not _is_compared(node, condition):
        yield _compared(analysis, node)


def _is_compared(node: Any, condition: Any) -> bool:
    return isinstance(condition, exp.EQ) and node in (condition.this, condition.expression)


def _in(analysis: Analysis, node: Any, parent: Any, condition: Any, fits: bool) -> Iterator[SqlProblem]:
    above = parent.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    negated = isinstance(above, exp.Not)
    whole = condition is not None and (condition is parent or (negated and condition is above))
    kind = analysis.type_of(parent.this)
    scopes = analysis.subqueries.get(id(node), [])
    given = scopes[0].outputs[0].type if scopes and scopes[0].outputs else None
    bad = unfit(kind) or unfit(given)
    if not fits:
        yield _unequal(analysis, node)
    elif not whole:
        what = "IN (SELECT ...) that is not a condition of WHERE by itself"
        yield told(analysis, node, "unsupported_join", what, "put it beside the others with AND, or write a LEFT JOIN")
    elif negated and given is not None and given.nullable:
        what = "NOT IN (SELECT ...) of a column that may be NULL"
        fix = "write NOT EXISTS (SELECT 1 FROM t WHERE t.key = outer.key)"
        yield told(analysis, node, "unsupported_join", what, fix)
    elif bad is not None:
        what = f"IN (SELECT ...) by a {bad}"
        yield told(analysis, node, "unsupported_join", what, "CAST both sides to DECIMAL or VARCHAR")


def _correlations(analysis: Analysis, scope: Scope, inner: Any) -> tuple[int, bool]:
    """How many columns of this SELECT or those around it a subquery reads, and whether each is compared by `=`."""
    within = {id(one) for node in inner.walk() for one in (node,) if isinstance(one, exp.Select | exp.Values)}
    count, fits = 0, True
    for node in inner.walk():
        if not isinstance(node, exp.Column):
            continue
        found = analysis.found.get(id(node))
        if found is None or id(found.scope.select) in within:
            continue
        count += 1
        fits = fits and (_is_key(node) or _is_outside(analysis, node, within))
    return count, fits


def _is_outside(analysis: Analysis, node: Any, within: set[int]) -> bool:
    """Whether the condition that a column stands in reads nothing of the subquery: the planner moves it out."""
    one = node
    while one.parent is not None and not isinstance(one.parent, exp.And | exp.Where | exp.Select):
        one = one.parent
    if not isinstance(one.parent, exp.And | exp.Where):
        return False
    found = (analysis.found.get(id(part)) for part in one.walk() if isinstance(part, exp.Column))
    return all(meant is not None and id(meant.scope.select) not in within for meant in found)


def _is_key(node: Any) -> bool:
    """Whether a column stands on one side of `=`, in a condition of WHERE that AND holds with others."""
    one = node
    while isinstance(one.parent, exp.Paren | exp.Cast):
        one = one.parent
    if not isinstance(one.parent, exp.EQ):
        return False
    above = one.parent.parent
    while isinstance(above, exp.And | exp.Paren):
        above = above.parent
    return isinstance(above, exp.Where)


__all__ = ["SUBQUERIES", "own", "subquery_limits"]
