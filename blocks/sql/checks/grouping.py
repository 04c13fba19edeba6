"""A SELECT that aggregates gives columns of GROUP BY, aggregates, and what is made of them."""

from collections.abc import Hashable, Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checks.telling import (
    AUXILIARY,
    SUBQUERIES,
    aggregates,
    group_items,
    is_aggregate,
    is_group_function,
    items,
    selects,
    told,
    written,
)
from blocks.sql.dialect import function_name
from blocks.sql.dialect.nodes import children
from blocks.sql.functions.beam_missing import MISSING_AGGREGATES
from blocks.sql.problems import SqlProblem

_SIMPLE = (exp.Literal, exp.Boolean, exp.Null, exp.Star, exp.Var, exp.DataType, exp.Interval, exp.HexString)


def grouping(analysis: Analysis) -> Iterator[SqlProblem]:
    """A column outside of an aggregate that is not in GROUP BY; GROUPING SETS; DISTINCT and ORDER BY."""
    for scope in selects(analysis):
        if scope.grouped:
            yield from _grouped(analysis, scope)
        yield from _sets(analysis, scope)
        if scope.select.args.get("distinct") is not None:
            yield from _ordered_distinct(analysis, scope)


def _sets(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    group = scope.select.args.get("group")
    for item in group.expressions if group is not None else ():
        if isinstance(item, exp.GroupingSets | exp.Rollup | exp.Cube):
            word = {"GroupingSets": "GROUPING SETS"}.get(type(item).__name__, type(item).__name__.upper())
            what = f"Beam cannot do {word}"
            yield told(analysis, item, "unsupported", what, "write a SELECT for each grouping, and UNION ALL between")


def _grouped(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    select = scope.select
    keys = _Keys(analysis, scope)
    for item in select.expressions:
        value = item.this if isinstance(item, exp.Alias) else item
        if isinstance(value, exp.Star) or (isinstance(value, exp.Column) and isinstance(value.this, exp.Star)):
            yield from _star(analysis, scope, value, keys)
        else:
            yield from keys.problems(value)
    if select.args.get("having") is not None:
        yield from keys.problems(select.args["having"].this)
    if select.args.get("order") is not None:
        for item in select.args["order"].expressions:
            if not _is_ordinal(item.this):
                yield from keys.problems(item.this)


def _is_ordinal(node: Any) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string


def _star(analysis: Analysis, scope: Scope, node: Any, keys: "_Keys") -> Iterator[SqlProblem]:
    missing = [
        column.name
        for column in scope.outputs
        if column.source is not None and column.source._meta is node._meta and not keys.has(column.source)
    ]
    if missing:
        shown = ", ".join(f"`{name}`" for name in missing[:5]) + (" and more" if len(missing) > 5 else "")
        what = f"`*` gives columns that are not in GROUP BY: {shown}"
        yield told(analysis, node, "not_grouped", what, "name the columns of GROUP BY, and aggregates of the others")


class _Keys:
    """What GROUP BY groups by."""

    def __init__(self, analysis: Analysis, scope: Scope) -> None:
        self._analysis, self._scope = analysis, scope
        self._keys = {shape(analysis, self._meant(item)) for item in group_items(scope)}
        self._names = [written(analysis, item) for item in group_items(scope)]
        self._outputs = {id(column): column for column in scope.outputs}

    def _meant(self, item: Any) -> Any:
        """An item of GROUP BY; of an alias or a number the expression behind it."""
        if _is_ordinal(item):
            position = int(item.name) - 1 if item.name.isdecimal() else -1
            return self._scope.outputs[position].source if 0 <= position < len(self._scope.outputs) else item
        return self._behind(item)

    def _behind(self, node: Any) -> Any:
        """The expression that an alias of this SELECT stands for; any other node itself."""
        found = self._analysis.found.get(id(node))
        if found is None or found.relation.node is not self._scope.select or found.relation.scopes != [self._scope]:
            return node
        return found.column.source

    def has(self, node: Any) -> bool:
        """Whether GROUP BY has an expression."""
        return shape(self._analysis, node) in self._keys

    def problems(self, node: Any) -> Iterator[SqlProblem]:
        """A problem for each column that is neither grouped nor in an aggregate."""
        waiting = [node]
        while waiting:
            one = waiting.pop()
            behind = self._behind(one)
            if behind is not one:
                # An alias of the SELECT, which is looked at where it stands.
                continue
            if isinstance(one, _SIMPLE) or is_aggregate(self._analysis, one) or self.has(one):
                continue
            if id(one) not in self._analysis.calls and function_name(one).upper() in MISSING_AGGREGATES:
                # Told as an unknown function.
                continue
            if isinstance(one, exp.Filter | exp.WithinGroup) and is_aggregate(self._analysis, one.this):
                continue
            if isinstance(one, exp.Column):
                yield from self._column(one)
            elif isinstance(one, SUBQUERIES):
                yield from self._within(one)
            elif function_name(one).upper() in AUXILIARY or is_group_function(one):
                continue
            elif isinstance(one, exp.Window):
                inner = one.this
                waiting.extend(reversed(list(inner.iter_expressions())))
                waiting.extend(one.args.get("partition_by") or ())
                waiting.extend(item.this for item in (one.args["order"].expressions if one.args.get("order") else ()))
            else:
                waiting.extend(reversed(children(one)))

    def _column(self, node: Any) -> Iterator[SqlProblem]:
        found = self._analysis.found.get(id(node))
        if found is None or found.scope is not self._scope:
            return
        grouped = f"GROUP BY has {', '.join(self._names)}" if self._names else "there is no GROUP BY"
        what = f"column {written(self._analysis, node)} is not in GROUP BY"
        if not self._names:
            what = f"column {written(self._analysis, node)} beside an aggregate, without GROUP BY"
        fix = f"add it to GROUP BY, or aggregate it: MAX({node.sql()}); {grouped}"
        yield told(self._analysis, node, "not_grouped", what, fix)

    def _within(self, node: Any) -> Iterator[SqlProblem]:
        """Columns of this SELECT in a subquery."""
        for one in node.walk():
            if isinstance(one, exp.Column) and not self.has(one):
                yield from self._column(one)


def _ordered_distinct(analysis: Analysis, scope: Scope) -> Iterator[SqlProblem]:
    order = scope.select.args.get("order")
    given = {shape(analysis, column.source) for column in scope.outputs if column.source is not None}
    for item in order.expressions if order is not None else ():
        value = item.this
        found = analysis.found.get(id(value))
        if (
            _is_ordinal(value)
            or (found is not None and found.relation.scopes == [scope])
            or shape(analysis, value) in given
        ):
            continue
        what = f"ORDER BY {written(analysis, value)} of a SELECT DISTINCT that does not give it"
        yield told(analysis, value, "not_grouped", what, "add it to the SELECT")


def shape(analysis: Analysis, node: Any) -> Hashable:
    """What two nodes have in common that mean the same: columns by what they mean, all else by its form."""
    if isinstance(node, exp.Paren):
        return shape(analysis, node.this)
    if isinstance(node, exp.Column):
        found = analysis.found.get(id(node))
        if found is not None:
            return "column", id(found.relation), found.column.name, found.path
        return "column", node.sql()
    if isinstance(node, exp.Identifier | exp.Literal | exp.Var):
        return type(node).__name__, node.name, node.args.get("is_string")
    name = function_name(node).upper()
    parts = tuple(
        (key, tuple(shape(analysis, one) if isinstance(one, exp.Expr) else one for one in value))
        if isinstance(value, list)
        else (key, shape(analysis, value) if isinstance(value, exp.Expr) else value)
        for key, value in node.args.items()
        if value is not None and value != [] and not (name and key == "this")
    )
    return type(node).__name__, name, parts


__all__ = ["aggregates", "grouping", "items", "shape"]
