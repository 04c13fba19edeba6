"""Types that a clause does not take: columns of a result, keys of groups, conditions, unions."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Column
from blocks.sql.checks.telling import every
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem
from blocks.sql.types import INTERVALS, SqlType

_NO_COLUMN = {
    "NULL": "write CAST(NULL AS VARCHAR), or another type",
    **dict.fromkeys(INTERVALS, "add it to a time, or write EXTRACT(SECOND FROM x)"),
}


def nested_results(analysis: Analysis) -> Iterator[SqlProblem]:
    """An array, map or ROW of the result with a bare NULL or an interval within; plain ones are in `outputs`."""
    for column in analysis.outputs():
        name = _missing(column.type)
        if name and name != column.type.name:
            said = "NULL without a type" if name == "NULL" else "an INTERVAL"
            yield _problem(analysis, column, f"nothing within a column of Beam SQL can be {said}", _NO_COLUMN[name])


def _missing(kind: SqlType) -> str:
    """The first type within a type that no column has; empty if there is none."""
    if kind.name in _NO_COLUMN:
        return kind.name
    return next((name for name in map(_missing, kind.inner) if name), "")


def _problem(analysis: Analysis, column: Column, what: str, fix: str) -> SqlProblem:
    node = column.source if column.source is not None else analysis.tree
    return problem(analysis.text, place_of(node), "unsupported", what, fix, source=analysis.source)


def row_keys(analysis: Analysis) -> Iterator[SqlProblem]:
    """GROUP BY a ROW, of which the planner makes nothing; other types that are no keys are in `keys`."""
    for scope in analysis.scopes:
        group = scope.select.args.get("group")
        for node in group.expressions if group is not None else ():
            kind = analysis.type_of(node)
            if kind is not None and kind.name == "ROW":
                what, fix = "Beam cannot group by a ROW", "group by its fields"
                yield problem(analysis.text, place_of(node), "unsupported", what, fix, source=analysis.source)


def conditions(analysis: Analysis) -> Iterator[SqlProblem]:
    """WHERE, HAVING and ON that are no condition."""
    for scope in analysis.scopes:
        for word in ("where", "having"):
            clause = scope.select.args.get(word)
            if clause is not None:
                yield from _condition(analysis, clause.this, word.upper())
        for join in scope.select.args.get("joins") or ():
            if join.args.get("on") is not None:
                yield from _condition(analysis, join.args["on"], "ON")


def _condition(analysis: Analysis, node: Any, word: str) -> Iterator[SqlProblem]:
    kind = analysis.type_of(node)
    if kind is None or kind.name in ("BOOLEAN", "NULL", "ANY"):
        return
    what = f"{word} takes a condition, and this is {kind}"
    yield problem(analysis.text, place_of(node), "wrong_type", what, "compare it: x <> 0", source=analysis.source)


def sorted_types(analysis: Analysis) -> Iterator[SqlProblem]:
    """ORDER BY of a type that Beam cannot sort."""
    for order in every(analysis.tree, exp.Order):
        if isinstance(order.parent, exp.Window):
            continue
        for item in order.expressions:
            kind = analysis.type_of(item.this)
            if kind is not None and kind.name in ("ARRAY", "MAP", "VARBINARY"):
                what = f"Beam cannot sort by {kind}: the query fails when it runs"
                fix = "sort by an element or a field of it"
                yield problem(analysis.text, place_of(item), "runtime_type", what, fix, source=analysis.source)


TYPE_CHECKS = (nested_results, row_keys, conditions, sorted_types)
