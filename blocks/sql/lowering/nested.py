"""Arrays, maps and rows."""

from collections.abc import Sequence
from typing import Any

from blocks.sql.lowering.converting import as_type
from blocks.sql.lowering.piece import NotLoweredError, Piece, engine_type, made, text_literal
from blocks.sql.types import INTEGERS, NESTED, SqlType


def field_of(piece: Piece, path: Sequence[str], kind: SqlType) -> Piece:
    """A field of a ROW; NULL where the ROW is."""
    sql, at, nullable = piece.sql, piece.type, piece.type.nullable
    for name in path:
        sql = f"struct_extract({sql}, {text_literal(name)})"
        at = at.inner[at.names.index(name)]
        nullable = nullable or at.nullable
    return made(sql, at.null(nullable), piece)


def element(piece: Piece, index: Piece, node: Any) -> Piece:
    """`array[i]` and `map[key]`; NULL where there is none."""
    kind = piece.type
    if kind.name == "ARRAY" and index.type.name in INTEGERS:
        inner = kind.inner[0].null()
        if index.number is not None and index.number >= 1:
            return made(f"({piece.sql})[{index.sql}]", inner, piece)
        # DuckDB counts negative positions from the end.
        return made(f"(CASE WHEN {index.sql} >= 1 THEN ({piece.sql})[{index.sql}] END)", inner, piece, index)
    if kind.name == "MAP" and kind.inner[0].name in ("VARCHAR", *INTEGERS):
        key = as_type(index, kind.inner[0].null(index.type.nullable), node)
        return made(f"({piece.sql})[{key.sql}]", kind.inner[1].null(), piece, key)
    raise NotLoweredError(f"an element of {kind.name} by {index.type.name} has no equal form", node)


def cardinality(piece: Piece, node: Any) -> Piece:
    """CARDINALITY of an array or map."""
    function = {"ARRAY": "len", "MAP": "cardinality"}.get(piece.type.name)
    if function is None:
        raise NotLoweredError(f"CARDINALITY of {piece.type.name} has no equal form", node)
    return made(f"CAST({function}({piece.sql}) AS INTEGER)", SqlType("INTEGER", piece.type.nullable), piece)


def array(pieces: Sequence[Piece], kind: SqlType, node: Any) -> Piece:
    """ARRAY[...]."""
    inner = kind.inner[0]
    if inner.name in NESTED or inner.name == "DECIMAL" or not pieces:
        raise NotLoweredError(f"an ARRAY of {inner.name} has no equal form", node)
    found = [as_type(piece, inner.null(piece.type.nullable), node) for piece in pieces]
    items = ", ".join(f"CAST({piece.sql} AS {engine_type(inner)})" for piece in found)
    return made(f"[{items}]", kind, *found)


def passed(piece: Piece, node: Any) -> Piece:
    """A ROW as a whole: one whose fields all are NULL comes out of Calcite as NULL."""
    kind = piece.type
    if kind.name != "ROW":
        if _has_row(kind):
            raise NotLoweredError(f"{kind.name} of ROW as a whole has no equal form", node)
        return piece
    if any(inner.name in NESTED for inner in kind.inner):
        raise NotLoweredError("a ROW with nested fields as a whole has no equal form", node)
    empty = " AND ".join(f"struct_extract({piece.sql}, {text_literal(name)}) IS NULL" for name in kind.names)
    return made(f"(CASE WHEN {empty} THEN NULL ELSE {piece.sql} END)", kind.null(), piece)


def _has_row(kind: SqlType) -> bool:
    return kind.name == "ROW" or any(map(_has_row, kind.inner))
