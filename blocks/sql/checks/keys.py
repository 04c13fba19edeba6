"""What Beam groups, joins and compares rows by has to have one form as bytes: no FLOAT, DOUBLE or MAP."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checks.telling import group_items, is_group_function, selects, told, written
from blocks.sql.dialect.nodes import walk
from blocks.sql.problems import SqlProblem
from blocks.sql.types import APPROXIMATE, SqlType

_FIX = "CAST it to DECIMAL or VARCHAR"


def keys(analysis: Analysis) -> Iterator[SqlProblem]:
    """GROUP BY, DISTINCT and set operations over values that have no such form; joins are looked at in `joins`."""
    for scope in selects(analysis):
        for item in group_items(scope):
            kind = None if is_group_function(item) else _type(analysis, scope, item)
            if kind is not None and kind.name == "NULL":
                yield told(analysis, item, "unsupported", "GROUP BY NULL", "leave it out")
                continue
            bad = unfit(kind)
            if bad is not None:
                what = f"GROUP BY {written(analysis, item)}, which is {_described(kind, bad)}"
                yield told(analysis, item, "unsupported", what, _fix(bad))
        if scope.select.args.get("distinct") is not None:
            yield from _whole_row(analysis, scope, scope.select.args["distinct"], "DISTINCT")
    for node in walk(analysis.tree):
        if isinstance(node, exp.SetOperation):
            yield from _set_operation(analysis, node)


def _type(analysis: Analysis, scope: Scope, item: Any) -> SqlType | None:
    if isinstance(item, exp.Literal) and item.name.isdecimal() and 1 <= int(item.name) <= len(scope.outputs):
        return scope.outputs[int(item.name) - 1].type
    return analysis.type_of(item)


def _whole_row(analysis: Analysis, scope: Scope, node: Any, word: str) -> Iterator[SqlProblem]:
    for column in scope.outputs:
        bad = unfit(column.type)
        if bad is not None:
            what = f"{word} over `{column.name}`, which is {_described(column.type, bad)}"
            yield told(analysis, column.source if column.source is not None else node, "unsupported", what, _fix(bad))


def _set_operation(analysis: Analysis, node: Any) -> Iterator[SqlProblem]:
    left: Any = node.this
    while isinstance(left, exp.Subquery | exp.SetOperation):
        left = left.this
    scope = next((one for one in analysis.scopes if one.select is left), None)
    if scope is not None and not isinstance(node.this, exp.SetOperation):
        word = type(node).__name__.upper()
        yield from _whole_row(analysis, scope, node, word if node.args.get("distinct") else f"{word} ALL")


def unfit(kind: SqlType | None) -> str | None:
    """The type within a type that has no one form as bytes; None where there is none."""
    if kind is None:
        return None
    if kind.name in APPROXIMATE or kind.name == "MAP":
        return kind.name
    return next((bad for inner in kind.inner if (bad := unfit(inner)) is not None), None)


def _described(kind: SqlType | None, bad: str) -> str:
    return f"a {bad}" if kind is None or kind.name == bad else f"a {kind.name} with a {bad} in it"


def _fix(bad: str) -> str:
    return "leave it out, or take one key: m['key']" if bad == "MAP" else _FIX
