"""Whether an expression aggregates: COUNT, SUM and the library's own, but not within OVER or within a subquery."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.dialect import function_name
from blocks.sql.dialect.nodes import children

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

_INSIDE = (exp.Subquery, exp.Exists, exp.Any, exp.All, exp.Select, exp.SetOperation)


def is_aggregate(node: Any, registry: "Registry") -> bool:
    """Whether a node is a call of an aggregate."""
    name = function_name(node)
    if not name:
        return False
    function = registry.find(name)
    return function is not None and function.kind == "aggregate"


def aggregates_in(node: Any, registry: "Registry") -> Iterator[Any]:
    """The outermost aggregates of an expression; those of OVER and of subqueries are not its own."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _INSIDE):
            continue
        if isinstance(one, exp.Window):
            # The aggregate itself is of the window; what stands within may aggregate for GROUP BY.
            inner = one.this.this if isinstance(one.this, exp.Filter) else one.this
            waiting.extend(reversed(list(inner.iter_expressions())))
            waiting.extend(one.args.get("partition_by") or ())
            if one.args.get("order") is not None:
                waiting.append(one.args["order"])
        elif is_aggregate(one, registry):
            yield one
        else:
            waiting.extend(reversed(children(one)))


def has_aggregate(node: Any, registry: "Registry") -> bool:
    """Whether an expression aggregates."""
    return next(aggregates_in(node, registry), None) is not None
