"""Columns of the result: two of one name, and types that no column has."""

from collections.abc import Iterator

from sqlglot import exp

from blocks.sql.analysis import Analysis, Column
from blocks.sql.checks.telling import told
from blocks.sql.problems import SqlProblem
from blocks.sql.types import INTERVALS


def duplicates(analysis: Analysis) -> Iterator[SqlProblem]:
    """Two output columns of one name, of which Beam's planner renames one."""
    seen: dict[str, Column] = {}
    for column in analysis.outputs():
        if column.name in seen and column.source is not None:
            what = f"two columns of the result are named `{column.name}`; Beam would name the second `{column.name}0`"
            yield told(analysis, _place(column), "renamed_column", what, "give one of them another name: x AS other")
        seen.setdefault(column.name, column)


def outputs(analysis: Analysis) -> Iterator[SqlProblem]:
    """Intervals and untyped NULLs, which no column can hold."""
    for column in analysis.outputs():
        if column.source is None:
            continue
        if column.type.name in INTERVALS:
            fix = "write TIMESTAMPDIFF(SECOND, a, b) for a number, or add the interval to a time"
            yield told(analysis, column.source, "unsupported", "a column of the result is an INTERVAL", fix)
        elif column.type.name == "NULL":
            fix = "give it a type: CAST(NULL AS VARCHAR)"
            yield told(analysis, column.source, "unsupported", "a column of the result is NULL of no type", fix)


def _place(column: Column) -> exp.Expr:
    source = column.source
    parent = source.parent
    return parent if isinstance(parent, exp.Alias) else source
