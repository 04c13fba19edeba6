"""How a check tells a problem, and walks over what belongs to one SELECT."""

from collections.abc import Iterator
from typing import Any, Literal

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.dialect import function_name
from blocks.sql.dialect.nodes import children, walk
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem

SUBQUERIES = (exp.Subquery, exp.Exists, exp.Any, exp.All, exp.Select, exp.SetOperation)
GROUP_FUNCTIONS = ("TUMBLE", "HOP", "SESSION")
AUXILIARY = tuple(f"{name}_{end}" for name in GROUP_FUNCTIONS for end in ("START", "END"))


def told(
    analysis: Analysis, node: Any, code: str, what: str, fix: str, severity: Literal["error", "warning"] = "error"
) -> SqlProblem:
    """A problem at a node."""
    return problem(analysis.text, place_of(node), code, what, fix, source=analysis.source, severity=severity)


def own(node: Any) -> Iterator[Any]:
    """The nodes of an expression, outermost first, without those of its subqueries."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, SUBQUERIES):
            waiting.extend(reversed(children(one)))


def every(node: Any, *kinds: type) -> Iterator[Any]:
    """The nodes of some kinds in a whole tree, subqueries too. As `find_all`, in a third of its time."""
    return (one for one in walk(node) if isinstance(one, kinds))


def subqueries(node: Any) -> Iterator[Any]:
    """The subqueries of an expression: Subquery, Exists, Any or All, not those within them."""
    return (one for one in own(node) if isinstance(one, SUBQUERIES))


def is_aggregate(analysis: Analysis, node: Any) -> bool:
    """Whether a node is a call of an aggregate."""
    call = analysis.calls.get(id(node))
    return call is not None and call.function.kind == "aggregate"


def aggregates(analysis: Analysis, node: Any) -> Iterator[Any]:
    """The outermost aggregates of an expression, without those of OVER and of subqueries."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, exp.Window):
            inner = one.this.this if isinstance(one.this, exp.Filter | exp.IgnoreNulls | exp.RespectNulls) else one.this
            waiting.extend(reversed(children(inner)))
            waiting.extend(one.args.get("partition_by") or ())
            if one.args.get("order") is not None:
                waiting.append(one.args["order"])
        elif is_aggregate(analysis, one):
            yield one
        elif not isinstance(one, SUBQUERIES):
            waiting.extend(reversed(children(one)))


def selects(analysis: Analysis) -> Iterator[Scope]:
    """Every SELECT, without VALUES and patterns."""
    return (scope for scope in analysis.scopes if isinstance(scope.select, exp.Select))


def items(scope: Scope) -> Iterator[Any]:
    """The expressions of a SELECT's list, without their aliases; stars are left out."""
    for item in scope.select.expressions:
        value = item.this if isinstance(item, exp.Alias) else item
        if not isinstance(value, exp.Star) and not (isinstance(value, exp.Column) and isinstance(value.this, exp.Star)):
            yield value


def group_items(scope: Scope) -> list[Any]:
    """The expressions of GROUP BY, in order, those in parentheses and grouping sets one by one."""
    group = scope.select.args.get("group")
    if group is None:
        return []
    flat: list[Any] = []
    waiting = list(reversed(group.expressions))
    while waiting:
        one = waiting.pop()
        if isinstance(one, exp.Tuple | exp.GroupingSets | exp.Rollup | exp.Cube):
            waiting.extend(reversed(one.expressions))
        else:
            flat.append(one.unnest() if isinstance(one, exp.Paren) else one)
    return flat


def is_group_function(node: Any) -> bool:
    """Whether a node is TUMBLE, HOP or SESSION."""
    return function_name(node).upper() in GROUP_FUNCTIONS


def written(analysis: Analysis, node: Any) -> str:
    """A node's text in the query, cut to what a message bears; a text literal is not shown."""
    if isinstance(node, exp.Literal) and node.is_string:
        return "the text"
    meta = node._meta or {}
    text = " ".join(analysis.text[meta["start"] : meta["end"] + 1].split()) if "start" in meta else node.sql()
    return f"`{text if len(text) <= 60 else text[:60] + '…'}`"
