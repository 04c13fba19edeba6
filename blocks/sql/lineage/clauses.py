"""The clauses of a SELECT that choose its rows."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp


def conditions(select: Any) -> Iterator[Any]:
    """The conditions of WHERE, HAVING, QUALIFY and of every join, also of joins in parentheses."""
    for name in ("where", "having", "qualify"):
        clause = select.args.get(name)
        if clause is not None:
            yield clause.this
    from_ = select.args.get("from_")
    if from_ is not None:
        yield from _of_table(from_.this)
    yield from _of_joins(select)


def _of_joins(node: Any) -> Iterator[Any]:
    for join in node.args.get("joins") or ():
        if join.args.get("on") is not None:
            yield join.args["on"]
        yield from _of_table(join.this)


def _of_table(node: Any) -> Iterator[Any]:
    while isinstance(node, exp.Paren):
        # The first table in the parentheses has their joins.
        node = node.this
        yield from _of_joins(node)


def cut_by(select: Any) -> list[Any]:
    """What ORDER BY orders by in front of LIMIT or OFFSET: nothing where all rows stay."""
    order = select.args.get("order")
    cut = select.args.get("limit") is not None or select.args.get("offset") is not None
    return [item.this for item in order.expressions] if order is not None and cut else []


def conjuncts(node: Any) -> Iterator[Any]:
    """The conditions that AND joins."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, exp.And):
            waiting.extend((one.expression, one.this))
        elif isinstance(one, exp.Paren):
            waiting.append(one.this)
        else:
            yield one
