"""ORDER BY within OVER: what Beam orders by, where it goes by another order than the query says, and where it fails.

Beam 2.70 sorts each partition rightly, but takes the first key for a number then, and looks rows up by it alone, the
smallest first. Only ROW_NUMBER and frames of ROWS go by the sorted rows. Source: `BeamWindowRel`, `BeamSortRel`; tried.
"""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checks.null_order import null_end
from blocks.sql.checks.telling import items, own, selects, told, written
from blocks.sql.dialect import function_name
from blocks.sql.problems import SqlProblem
from blocks.sql.types import APPROXIMATE, INTEGERS, TEXT, SqlType

_BEFORE = "in a RunSql before this one"
_LOOKED_UP = (*INTEGERS, *APPROXIMATE, "DATE")
_SORTED = (*_LOOKED_UP, *TEXT, "TIMESTAMP")
_RANKS = ("RANK", "DENSE_RANK", "PERCENT_RANK")
# What they give for a whole partition is the same in any order.
_OF_ANY_ORDER = ("COUNT", "MIN", "MAX", "SUM", "AVG", "ANY_VALUE")
_NUMBERS = {
    "DECIMAL": "CAST(x AS DOUBLE)",
    "BOOLEAN": "CASE WHEN x THEN 1 ELSE 0 END",
    "TIMESTAMP": "CAST(x AS BIGINT)",
}


def window_order(analysis: Analysis) -> Iterator[SqlProblem]:
    """ORDER BY within OVER that Beam fails on, and that gives other rows than the query says."""
    for scope in selects(analysis):
        for item in items(scope):
            for node in own(item):
                if isinstance(node, exp.Window):
                    yield from _ordered(analysis, node, named(scope, node))


def named(scope: Scope, node: Any) -> Any:
    """The window of OVER, or the one of WINDOW that it names."""
    alias = node.args.get("alias")
    windows = scope.select.args.get("windows") or ()
    return next((one for one in windows if alias is not None and one.name == alias.name), node)


def _ordered(analysis: Analysis, node: Any, window: Any) -> Iterator[SqlProblem]:
    order = window.args.get("order")
    if order is None:
        return
    call = node.this
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        call = call.this
    name, spec = function_name(call).upper(), window.args.get("spec")
    by_rows = spec is not None and spec.args.get("kind") == "ROWS"
    fails = False
    for at, key in enumerate(order.expressions):
        kind = analysis.type_of(key.this)
        if kind is None:
            continue
        told_already = list(_key(analysis, key.this, kind, name, at == 0 and not by_rows))
        yield from told_already
        fails = fails or any(one.severity == "error" for one in told_already)
        if not told_already and (at or by_rows):
            yield from null_end(analysis, key, kind, _BEFORE)
    if not (fails or by_rows or name == "ROW_NUMBER"):
        yield from _misled(analysis, order.expressions, name, spec)


def _key(analysis: Analysis, value: Any, kind: SqlType, name: str, is_looked_up: bool) -> Iterator[SqlProblem]:
    shown = f"OVER (ORDER BY {written(analysis, value)}), which is a {kind.name}"
    if kind.name not in _SORTED:
        number = _NUMBERS.get(kind.name)
        fix = f"order by {number} AS y, made {_BEFORE}" if number else f"order by a number made of it {_BEFORE}"
        yield told(analysis, value, "runtime_type", f"{shown}: Beam cannot sort by it, and fails as it runs", fix)
    elif is_looked_up and kind.name not in _LOOKED_UP:
        what = f"{shown}: Beam takes what {name} orders by first for a number, and fails as it runs"
        yield told(analysis, value, "runtime_type", what, _first(kind, name))
    elif is_looked_up and kind.nullable:
        what = f"a row whose {written(analysis, value)} is NULL stops the pipeline: {name} orders by it"
        fix = f"leave such rows out {_BEFORE}: WHERE x IS NOT NULL"
        yield told(analysis, value, "runtime_type", what, fix, severity="warning")


def _first(kind: SqlType, name: str) -> str:
    if kind.name in _NUMBERS:
        return f"order by {_NUMBERS[kind.name]} AS y, made {_BEFORE}"
    if name == "ROW_NUMBER" or name in _RANKS:
        other = "" if name == "ROW_NUMBER" else "use ROW_NUMBER(), and "
        return f"{other}put a number before it: ORDER BY z, x, with 0 AS z {_BEFORE}"
    return "go by rows: ORDER BY x ROWS UNBOUNDED PRECEDING"


def _misled(analysis: Analysis, keys: list[Any], name: str, spec: Any) -> Iterator[SqlProblem]:
    start, end = (str(spec.args.get(key) or "") if spec is not None else "" for key in ("start", "end"))
    whole = (start, end) == ("UNBOUNDED", "UNBOUNDED")
    to_here = start in ("", "UNBOUNDED") and end in ("", "CURRENT ROW")
    if whole and name in _OF_ANY_ORDER:
        return
    if keys[0].args.get("desc") and not (to_here and name == "LAST_VALUE"):
        what = f"{name} OVER (ORDER BY ... DESC): Beam goes by the ascending order, and gives wrong rows"
        yield told(analysis, keys[0], "wrong_order", what, _instead(analysis, keys, name, spec))
    if len(keys) > 1 and not whole and not (to_here and name == "FIRST_VALUE"):
        what = f"{name} OVER (ORDER BY two columns): Beam goes by the first one alone, and gives wrong rows"
        yield told(analysis, keys[1], "wrong_order", what, _instead(analysis, keys, name, spec))


def _instead(analysis: Analysis, keys: list[Any], name: str, spec: Any) -> str:
    if name == "RANK":
        return "write ROW_NUMBER() ... AS n, and MIN(n) OVER (PARTITION BY g, x) AS r in a RunSql after this one"
    if name not in _RANKS:
        return f"go by rows: {'ROWS for RANGE' if spec is not None else 'ORDER BY x DESC ROWS UNBOUNDED PRECEDING'}"
    if len(keys) > 1:
        return f"order by one number made of them {_BEFORE}; ROW_NUMBER() is right"
    kind = analysis.type_of(keys[0].this)
    negated = "TIMESTAMPDIFF(DAY, x, DATE '1970-01-01')" if kind is not None and kind.name == "DATE" else "-x"
    return f"order by {negated} AS y, made {_BEFORE}; ROW_NUMBER() is right"
