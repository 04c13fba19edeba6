"""Event times in windows: what fails when the query runs."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checks.telling import every
from blocks.sql.dialect.nodes import function_arguments
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem

_WINDOWS = ("TUMBLE", "HOP", "SESSION")


def window_times(analysis: Analysis) -> Iterator[SqlProblem]:
    """TUMBLE, HOP and SESSION over what is no TIMESTAMP, or may be NULL; HOP of a step longer than its windows."""
    for node in every(analysis.tree, exp.Anonymous):
        call = analysis.calls.get(id(node))
        if call is None or call.function.name not in _WINDOWS or call.function.origin != "beam":
            continue
        time, *lengths = function_arguments(node)
        if call.function.name == "HOP" and len(lengths) > 1 and _has_gaps(*lengths[:2]):
            what = "HOP takes the step first, and then the size: rows between two windows stop the pipeline"
            fix = "write the shorter one first: HOP(t, INTERVAL '5' MINUTE, INTERVAL '1' HOUR)"
            yield problem(analysis.text, place_of(lengths[0]), "runtime_type", what, fix, source=analysis.source)
        kind = analysis.type_of(time)
        if kind is None:
            continue
        if kind.name in ("DATE", "TIME"):
            what = f"{call.function.name} takes a TIMESTAMP: with {kind} the query fails on its first row"
            fix = "write CAST(x AS TIMESTAMP) in a subquery" if kind.name == "DATE" else "window by a TIMESTAMP"
            yield problem(analysis.text, place_of(time), "runtime_type", what, fix, source=analysis.source)
        elif kind.nullable and not _is_filtered(node, time):
            what = "a row whose time is NULL stops the pipeline"
            fix = "leave such rows out: WHERE x IS NOT NULL"
            yield problem(
                analysis.text, place_of(time), "runtime_type", what, fix, source=analysis.source, severity="warning"
            )


_SECONDS = {"DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}


def _has_gaps(step: Any, size: Any) -> bool:
    """Whether the step is longer than the window; False where one is no literal."""
    first, second = _seconds(step), _seconds(size)
    return first is not None and second is not None and first > second


def _seconds(interval: Any) -> Decimal | None:
    if not isinstance(interval, exp.Interval) or not isinstance(interval.this, exp.Literal):
        return None
    unit = interval.args.get("unit")
    name = unit.this.name if isinstance(unit, exp.IntervalSpan) else unit.name if unit is not None else ""
    units = list(_SECONDS)
    if name.upper() not in units:
        return None
    parts = re.split("[ :]+", interval.this.name.strip())
    sizes = [_SECONDS[one] for one in units[units.index(name.upper()) :]]
    try:
        return sum((Decimal(part) * size for part, size in zip(parts, sizes, strict=False)), Decimal(0))
    except InvalidOperation:
        return None


def _is_filtered(node: Any, time: Any) -> bool:
    """Whether WHERE leaves out NULL of just this time."""
    select = node.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if where is None:
        return False
    return any(
        isinstance(one.this, exp.Is) and isinstance(one.this.expression, exp.Null) and one.this.this == time
        for one in every(where, exp.Not)
    )


TIME_CHECKS = (window_times,)
