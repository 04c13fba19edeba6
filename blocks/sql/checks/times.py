"""Event times in windows: what fails when the query runs."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checks.telling import every
from blocks.sql.dialect.nodes import function_arguments
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem

_WINDOWS = ("TUMBLE", "HOP", "SESSION")


def window_times(analysis: Analysis) -> Iterator[SqlProblem]:
    """TUMBLE, HOP and SESSION over what is no TIMESTAMP, or may be NULL."""
    for node in every(analysis.tree, exp.Anonymous):
        call = analysis.calls.get(id(node))
        if call is None or call.function.name not in _WINDOWS or call.function.origin != "beam":
            continue
        time = function_arguments(node)[0]
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
