"""COUNT(DISTINCT x), which Beam SQL lacks: a group for each value first, then a group of these.

    SELECT k, COUNT(DISTINCT x), SUM(y) FROM t GROUP BY k
    SELECT k, COUNT(x), SUM(s) FROM (SELECT k, x, SUM(y) AS s FROM t GROUP BY k, x) GROUP BY k

Exact, and spread over the workers as any GROUP BY. What it cannot do: distinct values of two expressions at once, other
aggregates beside it than COUNT, SUM, MIN and MAX, and sessions (those of a value are not those of the key).
"""

from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.dialect import function_arguments, function_name
from blocks.sql.dialect.nodes import is_distinct as has_distinct
from blocks.sql.rewriting.copying import Copy, bare

_ONCE_MORE = {"COUNT": "SUM", "SUM": "SUM", "MIN": "MIN", "MAX": "MAX"}
# Of which DISTINCT changes nothing.
_SAME = ("MIN", "MAX")
_WINDOWS = {"TUMBLE": ("TUMBLE_START", "TUMBLE_END"), "HOP": ("HOP_START", "HOP_END")}
_INNER = "distinct_groups"


def is_distinct(node: Any) -> bool:
    """Whether DISTINCT changes what an aggregate gives."""
    return has_distinct(node) and function_name(node).upper() not in _SAME


def refusal(scope: Scope, aggregates: list[Any]) -> tuple[Any, str, str] | None:
    """(node, what, what to do) where the DISTINCT of a SELECT cannot be written in this way; None where it can.

    Args:
      scope: of the SELECT.
      aggregates: every aggregate in it.
    """
    distinct = [node for node in aggregates if is_distinct(node)]
    values = {tuple(one.sql() for one in function_arguments(node)) for node in distinct}
    if len(values) > 1:
        fix = "compute each in a query of its own and join them, or use approx_count_distinct"
        return distinct[1], "DISTINCT of two different values in one SELECT", fix
    for node in distinct:
        if len(function_arguments(node)) != 1:
            return node, "DISTINCT of several values", "put them into one text with ||, or use a subquery"
    for node in aggregates:
        if not is_distinct(node) and function_name(node).upper() not in _ONCE_MORE:
            what = f"{function_name(node).upper()} beside a DISTINCT"
            return node, what, "compute it in a query of its own, or use approx_count_distinct"
        if isinstance(node.parent, exp.Filter | exp.Window | exp.WithinGroup):
            return node, "FILTER or OVER with a DISTINCT beside it", "use CASE, or a query of its own"
    group = scope.select.args.get("group")
    for key in group.expressions if group is not None else ():
        if function_name(key).upper() == "SESSION":
            fix = "use approx_count_distinct, or collect_set and CARDINALITY"
            return key, "a DISTINCT over sessions", fix
        if isinstance(key, exp.GroupingSets | exp.Cube | exp.Rollup):
            return key, "a DISTINCT with grouping sets", "write a query for each"
    return None


def in_two_steps(copy: Copy, select: Any, aggregates: list[Any], analysis: Analysis) -> None:
    """Writes a SELECT with DISTINCT in an aggregate as two.

    Args:
      copy: of the whole tree; GROUP BY aliases in it are written out.
      select: of the original.
      aggregates: every aggregate in it, of the original.
      analysis: names and types.
    """
    scope = next(one for one in analysis.scopes if one.select is select)
    old = copy.of(select)
    inner = _Inner()
    group = old.args.get("group")
    for key in group.expressions if group is not None else ():
        inner.key(key)
    for node in aggregates:
        inner.aggregate(copy.of(node))
    outer = exp.Select(
        expressions=[
            exp.Alias(this=inner.outside(bare(copy.of(item))), alias=exp.Identifier(this=output.name, quoted=False))
            for item, output in zip(select.expressions, scope.outputs, strict=True)
        ]
    )
    for name in ("having", "order"):
        if old.args.get(name) is not None:
            outer.set(name, inner.outside(old.args[name]))
    for name in ("with_", "limit", "offset", "distinct"):
        if old.args.get(name) is not None:
            outer.set(name, old.args[name].copy())
    below = exp.Select(expressions=inner.items)
    for name in ("from_", "joins", "where", "laterals"):
        value = old.args.get(name)
        if value:
            below.set(name, [one.copy() for one in value] if isinstance(value, list) else value.copy())
    below.set("group", exp.Group(expressions=inner.keys))
    named = exp.TableAlias(this=exp.Identifier(this=_INNER, quoted=False))
    outer.set("from_", exp.From(this=exp.Subquery(this=below, alias=named)))
    if inner.outer_keys:
        outer.set("group", exp.Group(expressions=inner.outer_keys))
    copy.put(select, outer)


class _Inner:
    """The columns of the inner query, and what stands for them in the outer one."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.keys: list[Any] = []
        self.outer_keys: list[Any] = []
        self._instead: dict[str, Any] = {}

    def _column(self, node: Any) -> Any:
        """A column of the inner query; its name in the outer one."""
        name = f"d{len(self.items)}"
        self.items.append(exp.Alias(this=node.copy(), alias=exp.Identifier(this=name, quoted=False)))
        return exp.Column(this=exp.Identifier(this=name, quoted=False), table=exp.Identifier(this=_INNER, quoted=False))

    def key(self, node: Any) -> None:
        """A key of GROUP BY."""
        self.keys.append(node.copy())
        bounds = _WINDOWS.get(function_name(node).upper(), ())
        shown = [exp.Anonymous(this=one, expressions=[part.copy() for part in node.expressions]) for one in bounds]
        for one in shown or [node]:
            column = self._column(one)
            self._instead[one.sql(dialect="beam")] = column
            self.outer_keys.append(column.copy())

    def aggregate(self, node: Any) -> None:
        """An aggregate: of the values of a key, or of groups of them."""
        text = node.sql(dialect="beam")
        if text in self._instead:
            return
        name = function_name(node)
        if is_distinct(node):
            value = function_arguments(node)[0]
            column = self._instead.get(value.sql(dialect="beam"))
            if column is None or not any(one.sql() == value.sql() for one in self.keys):
                column = self._instead.get("DISTINCT " + value.sql(dialect="beam"))
            if column is None:
                self.keys.append(value.copy())
                column = self._column(value)
                self._instead["DISTINCT " + value.sql(dialect="beam")] = column
            self._instead[text] = exp.Anonymous(this=name, expressions=[column.copy()])
            return
        plain = node.copy()
        if has_distinct(plain):
            plain.set("expressions", [one.copy() for one in function_arguments(node)])
        column = self._column(plain)
        again: Any = exp.Anonymous(this=_ONCE_MORE[name.upper()], expressions=[column])
        if name.upper() == "COUNT":
            # Of no rows a count is 0, and a sum of counts is NULL.
            again = exp.Anonymous(this="COALESCE", expressions=[again, exp.Literal.number(0)])
        self._instead[text] = again

    def outside(self, node: Any) -> Any:
        """A copy of an expression with everything of the inner query replaced, outermost first."""
        found = self._instead.get(node.sql(dialect="beam"))
        if found is not None:
            return found.copy()
        made = node.copy()
        waiting = list(made.iter_expressions())
        while waiting:
            one = waiting.pop()
            found = self._instead.get(one.sql(dialect="beam"))
            if found is not None:
                one.replace(found.copy())
            else:
                waiting.extend(one.iter_expressions())
        return made
