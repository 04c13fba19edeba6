"""Columns, fields of ROWs and queries as values."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.types import SqlType

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer


def column(typer: "Typer", node: exp.Column) -> SqlType | None:
    """A column, and the field of a ROW that its path leads to."""
    found = typer.analysis.found.get(id(node))
    if found is None:
        return None
    kind = found.column.type
    if found.column.table is not None and found.relation.kind == "table":
        kind = as_planned(kind)
    if found.relation.optional:
        kind = with_null(kind)
    for name in found.path:
        if kind.name != "ROW" or name not in kind.names:
            return None
        kind = kind.inner[kind.names.index(name)]
    return kind


def as_planned(kind: SqlType) -> SqlType:
    """A column's type as Beam's planner sees it.

    It knows no precision of a DECIMAL and takes fields of a nullable ROW for nullable. Whether elements of arrays and
    values of maps may be NULL is as the schema says: the service tells the planner, which forgets it by itself.
    Source: `CalciteUtils.toRelDataType`, and `NullableTable` of the service.
    """
    match kind.name:
        case "DECIMAL":
            return replace(kind, precision=None, scale=None)
        case "ARRAY" | "MAP":
            return replace(kind, inner=tuple(map(as_planned, kind.inner)))
        case "ROW":
            planned = replace(kind, inner=tuple(map(as_planned, kind.inner)))
            return with_null(planned) if kind.nullable else planned
    return kind


def as_given(kind: SqlType) -> SqlType:
    """A column of the result as the SQL service gives it: elements of arrays and values of maps may always be NULL.

    The planner does not know whether they may, and a NULL among them must not stop a pipeline.
    """
    inner = tuple(map(as_given, kind.inner))
    match kind.name:
        case "ARRAY":
            inner = (inner[0].null(),)
        case "MAP":
            inner = (inner[0], inner[1].null())
    return replace(kind, inner=inner) if inner else kind


def with_null(kind: SqlType) -> SqlType:
    """The type with NULL; of a ROW every field has it too."""
    if kind.name != "ROW":
        return kind.null()
    return replace(kind, nullable=True, inner=tuple(map(with_null, kind.inner)))


def _same(typer: "Typer", node: Any) -> SqlType | None:
    return typer.of(node.this)


def _subquery(typer: "Typer", node: Any) -> SqlType | None:
    """A query as a value: its only column, or NULL where it has no row."""
    kind = row_of(typer, node)
    if kind is None:
        return None
    if len(kind) != 1:
        typer.tell(
            node, "wrong_type", f"a query as a value has one column, and this has {len(kind)}", "select just one"
        )
        return None
    return with_null(kind[0])


def row_of(typer: "Typer", node: Any) -> list[SqlType] | None:
    """Types of the columns of a subquery in an expression; None where it has a problem."""
    query = node if id(node) in typer.analysis.subqueries else node.this
    scopes = typer.analysis.subqueries.get(id(query))
    return [output.type for output in scopes[0].outputs] if scopes else None


RULES: dict[type, Any] = {
    exp.Column: column,
    exp.Alias: _same,
    exp.Ordered: _same,
    exp.Where: _same,
    exp.Subquery: _subquery,
}
