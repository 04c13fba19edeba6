"""What an outer join makes NULL: conditions that leave such rows out again, and fields whose types the planner loses.

Source: `RelOptUtil.simplifyJoin` and `Strong` of Calcite 1.40.
"""

from collections.abc import Callable, Iterator, Set
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Found, Scope
from blocks.sql.checks.telling import own, told, written
from blocks.sql.dialect.nodes import function_name
from blocks.sql.problems import SqlProblem

Meant = Callable[[Any], Found | None]

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Like, exp.Between)
# Functions of which Calcite knows that they are NULL where an argument is.
_STRONG = (
    *("CEIL", "FLOOR", "TIMESTAMPADD", "TIMESTAMPDIFF", "YEAR", "QUARTER", "MONTH", "WEEK"),
    *("DAYOFYEAR", "DAYOFMONTH", "DAYOFWEEK", "HOUR", "MINUTE", "SECOND"),
)


def refuses_null(condition: Any, relations: Set[str], meant: Meant) -> bool:
    """Whether a condition is never true of a row in which all columns of the relations are NULL."""

    def of(*nodes: Any) -> list[bool]:
        return [_is_null_with(node, relations, meant) for node in nodes]

    negated = isinstance(condition, exp.Not)
    inner = condition.this.unnest() if negated else condition
    match inner:
        case exp.Is():
            return negated and isinstance(inner.expression, exp.Null) and any(of(inner.this))
        case exp.Between():
            value, *limits = of(inner.this, inner.args["low"], inner.args["high"])
            return value or (all(limits) if negated else any(limits))
        case exp.In() if inner.args.get("query") is None:
            value, *listed = of(inner.this, *inner.expressions)
            return value or (any(listed) if negated else all(listed))
        case exp.Or() if not negated:
            return all(refuses_null(one.unnest(), relations, meant) for one in (inner.left, inner.right))
        case exp.And() if not negated:
            return any(refuses_null(one.unnest(), relations, meant) for one in (inner.left, inner.right))
    if isinstance(inner, _COMPARISONS):
        return any(of(inner.this, inner.args.get("expression")))
    return isinstance(inner, exp.Column) and any(of(inner))


def _is_null_with(node: Any, relations: Set[str], meant: Meant) -> bool:
    """Whether it is NULL where the columns of the relations are."""
    if isinstance(node, exp.Column):
        found = meant(node)
        return found is not None and found.relation.alias in relations
    if isinstance(node, exp.Anonymous):
        strong = function_name(node).upper() in _STRONG
    else:
        strong = isinstance(node, exp.Paren | exp.Cast | exp.Binary | exp.Neg | exp.Extract)
    if not strong or isinstance(node, exp.DPipe):
        return False
    return any(_is_null_with(child, relations, meant) for child in node.iter_expressions())


def lost_fields(analysis: Analysis, scope: Scope, kept: Set[str], meant: Meant) -> Iterator[SqlProblem]:
    """Fields that are never NULL, of ROWs that an outer join makes NULL: the planner fails on their types.

    Args:
      analysis: of the query.
      scope: a SELECT with joins.
      kept: relations of outer joins of which WHERE makes inner ones.
      meant: what a column of the SELECT is.
    """
    select = scope.select
    whole = {id(item.this if isinstance(item, exp.Alias) else item) for item in select.expressions}
    parts = [*select.expressions, *(select.args.get(key) for key in ("group", "having", "order"))]
    for node in (one for part in parts if part is not None for one in own(part)):
        found = meant(node) if isinstance(node, exp.Column) else None
        if found is None or not found.path or not found.relation.optional:
            continue
        field, kind, kinds = found.column.field, found.column.type, []
        for name in found.path:
            kind = kind.inner[kind.names.index(name)]
            kinds.append(kind)
        is_lost = id(node) in whole and not kind.nullable
        if found.relation.alias not in kept:
            is_lost = not all(one.nullable for one in kinds)
        if field is not None and not field.nullable and is_lost:
            what = f"{written(analysis, node)}, a field that is never NULL, of a table that an outer join may leave out"
            fix = "select the field in a subquery before: LEFT JOIN (SELECT id, t.row.field AS x FROM t) AS t"
            yield told(analysis, node, "unsupported", what, fix)
