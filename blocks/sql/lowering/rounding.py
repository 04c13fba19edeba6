"""Rounding: Java goes by the shortest decimal text of a DOUBLE, and rounds halves away from zero."""

from typing import Any

from blocks.sql.lowering.converting import sized
from blocks.sql.lowering.piece import NotLoweredError, Piece, decimal, made
from blocks.sql.types import INTEGERS

# From here on a DOUBLE has no digits behind the point.
_NO_FRACTION = "4503599627370496"


def rounded(piece: Piece, places: int, node: Any) -> Piece:
    """ROUND(x, places)."""
    kind = piece.type
    if kind.name in INTEGERS and places >= 0:
        return piece
    if kind.name == "DECIMAL" and places >= 0:
        return _decimal_rounded(piece, places, node)
    if kind.name != "DOUBLE" or not 0 <= places <= 9:
        raise NotLoweredError(f"ROUND of {kind.name} to {places} places has no equal form", node)
    if places == 0:
        found = f"round({piece.sql}) + 0e0"
    else:
        text = f"CAST(CAST(CAST({piece.sql} AS VARCHAR) AS DECIMAL(38, {places})) AS VARCHAR)"
        by_text = f"WHEN abs({piece.sql}) < {_NO_FRACTION} THEN CAST({text} AS DOUBLE) ELSE {piece.sql}"
        # Far from a half no text is needed: the whole number is exact, and so is its division.
        moved = f"({piece.sql} * 1e{places})"
        clear = f"abs({moved}) < 1e12 AND abs(abs({moved} - trunc({moved})) - 0.5e0) > 1e-3"
        found = f"CASE WHEN {clear} THEN (round({moved}) + 0e0) / 1e{places} {by_text} END"
    return made(f"(CASE WHEN isfinite({piece.sql}) THEN {found} {_not_finite(piece)} END)", kind, piece, fails=True)


def _not_finite(piece: Piece) -> str:
    """A DECIMAL of NaN or infinity, which Java makes on the way, fails; NULL is left to the end of the CASE."""
    return f"WHEN {piece.sql} IS NOT NULL THEN CAST(CAST({piece.sql} AS DECIMAL(38, 0)) AS DOUBLE)"


def _decimal_rounded(piece: Piece, places: int, node: Any) -> Piece:
    precision, scale = sized(piece.type, node)
    if places >= scale:
        return piece
    kind = decimal(precision - scale + places + 1, places, piece.type.nullable, "ROUND", node)
    wide = f"CAST({piece.sql} AS DECIMAL({precision + 1}, {scale}))" if precision < 38 else piece.sql
    return made(f"CAST(round({wide}, {places}) AS DECIMAL({kind.precision}, {places}))", kind, piece)


def cut(piece: Piece, node: Any) -> Piece:
    """TRUNCATE(x)."""
    if piece.type.name in INTEGERS:
        return piece
    if piece.type.name != "DOUBLE":
        raise NotLoweredError(f"TRUNCATE of {piece.type.name} has no equal form", node)
    found = f"trunc({piece.sql}) + 0e0"
    sql = f"(CASE WHEN isfinite({piece.sql}) THEN {found} {_not_finite(piece)} END)"
    return made(sql, piece.type, piece, fails=True)


def whole(function: str, piece: Piece, node: Any) -> Piece:
    """FLOOR and CEIL."""
    kind = piece.type
    if kind.name in INTEGERS:
        return piece
    if kind.name in ("DOUBLE", "FLOAT"):
        return made(f"{function}({piece.sql})", kind, piece)
    if kind.name != "DECIMAL":
        raise NotLoweredError(f"{function.upper()} of {kind.name} has no equal form", node)
    precision, scale = sized(kind, node)
    found = decimal(precision - scale + 1, 0, kind.nullable, function.upper(), node)
    return made(f"CAST({function}({piece.sql}) AS DECIMAL({found.precision}, 0))", found, piece)
