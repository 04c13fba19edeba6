"""Conditions of ON that read one side alone, which Beam joins by or not as the planner's costs have it.

    FROM a JOIN b ON a.k = b.k AND b.c = 1
    FROM a JOIN (SELECT * FROM b WHERE b.c = 1) AS b ON a.k = b.k

    FROM a JOIN b ON a.k = b.k AND a.c = 1          FROM a JOIN b ON a.k = b.k WHERE a.c = 1

A side whose rows stay in any case (the left one of LEFT JOIN) cannot be filtered: that is refused.
"""

from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.rewriting.copying import Copy, grouped

_FILTERED = "filtered_side"


def is_movable(join: Any, scope: Scope, sides: set[str]) -> bool:
    """Whether a condition that reads `sides`, all on one side of a join, may filter that side before the join."""
    if _joined(join, scope, sides) is not None:
        return True
    return not any(one.side for one in scope.select.args.get("joins") or ()) and join.parent is scope.select


def _joined(join: Any, scope: Scope, sides: set[str]) -> Any:
    """The table or subquery that a join adds, if a condition reads it alone and no row of it stays in any case."""
    if len(sides) != 1 or join.side not in ("", "LEFT"):
        return None
    node = scope.relations[next(iter(sides))].node
    return node if node is join.this and isinstance(node, exp.Table | exp.Subquery) else None


def filter_side(copy: Copy, node: Any, analysis: Analysis) -> None:
    """Moves a condition out of ON."""
    join = node.find_ancestor(exp.Join)
    scope = next(one for one in analysis.scopes if one.select is join.find_ancestor(exp.Select))
    sides = {analysis.found[id(one)].relation.alias for one in node.find_all(exp.Column) if id(one) in analysis.found}
    condition = _taken_out(copy.of(node))
    side = _joined(join, scope, sides)
    if side is None:
        _add(copy.of(scope.select), condition)
        return
    inner = copy.of(side)
    below = inner.parent.parent if isinstance(inner.parent, exp.From) else None
    if below is None or not below.meta.get(_FILTERED):
        below = exp.Select(expressions=[exp.Star()])
        below.meta[_FILTERED] = True
        name = exp.TableAlias(this=exp.Identifier(this=next(iter(sides)), quoted=False))
        around = exp.Subquery(this=below, alias=name)
        around._meta = dict(inner.meta)
        inner.replace(around)
        below.set("from_", exp.From(this=inner))
    _add(below, condition)


def _taken_out(condition: Any) -> Any:
    """A condition without its place in ON; TRUE is left where it was the only one."""
    top = condition
    while isinstance(top.parent, exp.Paren | exp.Not):
        top = top.parent
    above = top.parent
    if isinstance(above, exp.And):
        other = above.expression if above.this is top else above.this
        top.pop()
        above.replace(other)
    else:
        top.replace(exp.Boolean(this=True))
    return top


def _add(select: Any, condition: Any) -> None:
    where = select.args.get("where")
    if where is None:
        select.set("where", exp.Where(this=condition))
        return
    before = where.this
    where.set("this", exp.And(this=_closed(before), expression=_closed(condition)))


def _closed(node: Any) -> Any:
    return grouped(node) if isinstance(node, exp.Or) else node
