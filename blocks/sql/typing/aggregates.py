"""Aggregates, windows of GROUP BY, and OVER.

What else OVER takes is looked at in `blocks.sql.checks.windows`.

Source: `BeamAggregationRel`, `BeamAggregationRule`, `BeamWindowRel` and `BeamBuiltinAnalyticFunctions` of Beam 2.70.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.coercion import any_nullable
from blocks.sql.dialect.nodes import function_arguments, is_distinct
from blocks.sql.functions.beam import RANKS
from blocks.sql.functions.model import Function, Overload
from blocks.sql.types import INTERVALS, SqlType
from blocks.sql.typing.columns import with_null
from blocks.sql.typing.operators import needs_boolean

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_BEFORE = "in a RunSql before this one"
_VALUES = ("FIRST_VALUE", "LAST_VALUE")
# The planner leaves their DISTINCT out: it changes nothing.
SAME_DISTINCT = ("MIN", "MAX")


def aggregate(
    typer: "Typer", node: Any, function: Function, overload: Overload, kinds: Sequence[SqlType]
) -> SqlType | None:
    """The type of an aggregate; its arguments are cast already."""
    over = _window_around(node)
    if over is None and function.name in RANKS and function.origin == "beam":
        typer.tell(node, "wrong_type", f"{function.name} needs OVER", f"write {function.name}() OVER (ORDER BY x)")
        return None
    if any(kind.name == "NULL" for kind in kinds):
        typer.tell(node, "unsupported", "Beam cannot aggregate NULL without a type", "write CAST(NULL AS INTEGER)")
        return None
    if function.name.startswith("COVAR") and not _are_two(typer, node):
        return None
    if is_distinct(node) and function.name not in SAME_DISTINCT:
        typer.tolerate("count_distinct", node)
    named = [_is_named_plainly(typer, function, one) for one in function_arguments(node)]
    if over is None and not all(named):
        return None
    found = overload.result(kinds) if overload.result is not None else overload.returns
    if function.origin in ("java", "scala", "jar"):
        return found.null()
    nullable = any_nullable(kinds)
    if function.nulls == "never":
        return found.null(nullable and function.name in _VALUES)
    if over is None:
        nullable = nullable or not _is_grouped(node) or isinstance(node.parent, exp.Filter)
    return with_null(found) if nullable else found.null(False)


# Beam reads the name of the column as a path to a field.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")


def _is_named_plainly(typer: "Typer", function: Function, argument: Any) -> bool:
    """Whether Beam finds the column that is aggregated by its name."""
    found = typer.analysis.found.get(id(argument.unnest()))
    if found is None or found.path or _PLAIN_NAME.fullmatch(found.column.name):
        return True
    if function.name == "COUNT" and not found.column.type.nullable:
        return True
    what = f"Beam cannot aggregate a column named `{found.column.name}`"
    typer.tell(argument, "unsupported", what, "give it a plain name in a subquery before: SELECT x AS name FROM t")
    return False


def _are_two(typer: "Typer", node: Any) -> bool:
    first, second = function_arguments(node)
    if first != second:
        return True
    typer.tell(node, "unsupported", "Beam cannot take one column twice here", "write VAR_POP(x) or VAR_SAMP(x)")
    return False


def _window_around(node: Any) -> exp.Window | None:
    parent = node.parent
    while isinstance(parent, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
        parent = parent.parent
    return parent if isinstance(parent, exp.Window) and _aggregate_of(parent) is node else None


def _aggregate_of(window: exp.Window) -> Any:
    inner = window.this
    while isinstance(inner, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
        inner = inner.this
    return inner


def _is_grouped(node: Any) -> bool:
    select = node.find_ancestor(exp.Select)
    group = select.args.get("group") if select is not None else None
    return group is not None and bool(group.expressions)


def _filter(typer: "Typer", node: exp.Filter) -> SqlType | None:
    condition = node.expression.this
    kind, found = typer.of(node.this), typer.of(condition)
    if kind is None or not needs_boolean(typer, condition, found, "FILTER"):
        return None
    if found is not None and found.name == "NULL":
        typer.tell(condition, "wrong_type", "FILTER takes a condition, and this is NULL", "leave FILTER out")
        return None
    call = typer.analysis.calls.get(id(node.this))
    if call is None or call.function.origin in ("beam", "sql"):
        return kind
    if call.function.nulls != "skip" or is_distinct(node.this):
        what = f"Beam leaves the FILTER of {call.function.name} out"
        typer.tell(node, "unsupported", what, "filter in a subquery before: SELECT ... WHERE ...")
        return None
    typer.tolerate("aggregate_filter", node)
    return kind


def windowed(typer: "Typer", node: Any, arguments: Sequence[Any], kinds: Sequence[SqlType]) -> SqlType | None:
    """TUMBLE, HOP, SESSION and their starts and ends: the type of the time."""
    good = True
    for argument, kind in zip(arguments[1:], kinds[1:], strict=True):
        if kind.name == "TIME":
            what = "Beam 2.70 cannot align a window to a time of day"
            typer.tell(argument, "unsupported", what, "leave the last argument out")
            good = False
        elif not isinstance(argument, exp.Interval) or not isinstance(argument.this, exp.Literal):
            typer.tell(argument, "unsupported", "the size of a window is a literal", "write INTERVAL '1' HOUR")
            good = False
        elif not any(sign in "123456789" for sign in argument.this.name):
            typer.tell(argument, "unsupported", "a window of no length", "write INTERVAL '1' HOUR")
            good = False
        elif kind.name == INTERVALS[1]:
            what = "a window of months: Beam takes 1 month for 1 millisecond"
            typer.tell(argument, "runtime_type", what, "write INTERVAL '30' DAY")
    return kinds[0] if good else None


def _over(typer: "Typer", node: exp.Window) -> SqlType | None:
    for part in _parts(node):
        typer.of(part)
    function = _aggregate_of(node)
    kind = typer.of(node.this)
    if kind is None:
        return None
    call = typer.analysis.calls.get(id(function))
    if call is None:
        typer.tell(node, "wrong_type", "OVER needs an aggregate before it", "write ROW_NUMBER() OVER (ORDER BY x)")
        return None
    if not _frame(typer, node, call.function):
        return None
    return _runs(typer, node, call.function, function, kind)


def _named(node: exp.Window) -> Any:
    """The window itself, or the one of WINDOW that it names."""
    alias = node.args.get("alias")
    select = node.find_ancestor(exp.Select)
    if alias is None or select is None:
        return node
    named = [one for one in select.args.get("windows") or () if one.name == alias.name]
    return named[0] if named else node


def _parts(node: exp.Window) -> list[Any]:
    window = _named(node)
    order = window.args.get("order")
    ordered = [one.this for one in order.expressions] if order is not None else []
    return [*(window.args.get("partition_by") or ()), *ordered]


def _frame(typer: "Typer", node: exp.Window, function: Function) -> bool:
    window = _named(node)
    spec, order = window.args.get("spec"), window.args.get("order")
    ranks = function.name in RANKS and function.name not in _VALUES
    if ranks and spec is not None:
        typer.tell(spec, "wrong_type", f"{function.name} takes no ROWS or RANGE", "leave it out")
        return False
    if ranks and order is None and function.name != "ROW_NUMBER":
        typer.tell(node, "wrong_type", f"{function.name} needs ORDER BY", "write OVER (ORDER BY x)")
        return False
    return True


def _runs(typer: "Typer", node: exp.Window, function: Function, call: Any, kind: SqlType) -> SqlType | None:
    arguments = function_arguments(call)
    if any(isinstance(argument, exp.Star) for argument in arguments):
        what = "COUNT(*) OVER fails on the first row"
        typer.tell(call, "runtime_type", what, "count a column: COUNT(x) OVER (...)")
        return kind
    kinds = [found for found in map(typer.of, arguments) if found is not None]
    if function.name == "AVG" and not any_nullable(kinds):
        what = "AVG with OVER is planned, and Beam has nothing that runs it"
        typer.tell(call, "runtime_type", what, "aggregate with GROUP BY in a subquery, and join it")
        return kind
    if function.name in ("SUM", "AVG") and any_nullable(kinds):
        what = f"Beam cannot plan {function.name} OVER of a column that may be NULL"
        fix = f"aggregate with GROUP BY in a subquery, and join it; or take COALESCE(x, 0), made {_BEFORE}"
        typer.tell(call, "unsupported", what, fix)
        return None
    if any(found.name == "DATE" for found in kinds) and function.name != "COUNT":
        what = f"{function.name} OVER of a DATE fails on the first row"
        typer.tell(call, "runtime_type", what, f"make it a number {_BEFORE}: TIMESTAMPDIFF(DAY, DATE '1970-01-01', x)")
    elif function.name in _VALUES and any_nullable(kinds):
        what = f"{function.name} fails on the first row whose value is NULL"
        fix = f"leave such rows out {_BEFORE}: WHERE x IS NOT NULL"
        typer.tell(call, "runtime_type", what, fix, severity="warning")
    return kind


RULES: dict[type, Any] = {exp.Filter: _filter, exp.Window: _over, exp.IgnoreNulls: lambda t, n: t.of(n.this)}
