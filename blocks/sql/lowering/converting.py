"""Values as another type: what Calcite does by itself, and CAST."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from blocks.sql.coercion import comparison_type
from blocks.sql.coercion import digits as planned_digits
from blocks.sql.lowering.piece import DIGITS, NotLoweredError, Piece, decimal, engine_type, made
from blocks.sql.lowering.text import FROM_TEXT, TO_TEXT, shortened
from blocks.sql.types import INTEGERS, TEXT, TIMES, SqlType

# A DECIMAL of so few digits is divided out exactly: both of its parts are whole numbers that a DOUBLE holds.
_EXACT_DIGITS = 15
# What a DOUBLE holds of whole numbers; above it Java goes by the shortest decimal text of the number.
_WHOLE = "9007199254740992"


def common_type(left: Piece, right: Piece, node: Any) -> SqlType:
    """The type in which Calcite compares two values.

    Raises:
      NotLoweredError: one that is not known to be compared equally.
    """
    one, two = left.type.name, right.type.name
    names = {one, two}
    nullable = left.type.nullable or right.type.nullable
    if names <= set(TEXT):
        return SqlType("VARCHAR", nullable)
    if "NULL" in names:
        return (right.type if one == "NULL" else left.type).null()
    if one == two and one not in ("DECIMAL", "ROW", "MAP", "ARRAY"):
        return SqlType(one, nullable)
    if names <= set(INTEGERS):
        return SqlType(max(one, two, key=INTEGERS.index), nullable)
    if names <= {*INTEGERS, "DECIMAL"}:
        planned = comparison_type(planned_type(left), planned_type(right))
        if planned is not None:
            check_uncut([left, right], planned, node)
        return common_decimal([left, right], node)
    if "DOUBLE" in names and names <= {*INTEGERS, "DECIMAL", "FLOAT", "DOUBLE"}:
        return SqlType("DOUBLE", nullable)
    if "FLOAT" in names and (left.number if one != "FLOAT" else right.number) is not None:
        return SqlType("FLOAT", nullable)
    if names == {"DATE", "TIMESTAMP"}:
        return SqlType("TIMESTAMP", nullable)
    raise NotLoweredError(f"{one} and {two} have no comparison that is known to be equal", node)


def planned_type(piece: Piece) -> SqlType:
    """The type as Calcite has it."""
    if piece.planned is None:
        return piece.type
    return SqlType("DECIMAL", piece.type.nullable, *piece.planned)


def check_uncut(pieces: Sequence[Piece], kind: SqlType, node: Any) -> None:
    """Refuses numbers that Calcite cuts, or cannot hold, when it casts them to one type.

    It casts none that is of that type already, NULL or not.

    Args:
      pieces: whole and decimal numbers, and NULL.
      kind: the DECIMAL as Calcite has it.
      node: for the place.

    Raises:
      NotLoweredError: it cuts one.
    """
    most, behind = planned_digits(kind)
    for piece in pieces:
        same = piece.planned == (most, behind) and piece.type.nullable == kind.nullable
        if piece.type.name == "NULL" or same:
            continue
        precision, scale = digits(piece)
        if scale > behind or precision - scale > most - behind:
            raise NotLoweredError(
                f"Beam cuts digits off {_name(piece)}, which it brings to DECIMAL({most}, {behind})", node
            )


def common_decimal(pieces: Sequence[Piece], node: Any) -> SqlType:
    """The DECIMAL that holds several whole and decimal numbers.

    Raises:
      NotLoweredError: it is too long, or Calcite cuts digits off some.
    """
    kinds = [digits(piece) for piece in pieces]
    scale = max(scale for _, scale in kinds)
    whole = max(precision - scale for precision, scale in kinds)
    return decimal(whole + scale, scale, any(piece.type.nullable for piece in pieces), "the common DECIMAL", node)


def result_decimal(pieces: Sequence[Piece], kind: SqlType, node: Any) -> SqlType:
    """The DECIMAL of the results of a CASE, COALESCE or UNION.

    Args:
      pieces: the results.
      kind: of them all, as Calcite has it.
      node: for the place.

    Raises:
      NotLoweredError: Calcite cuts digits off some of them.
    """
    check_uncut(pieces, kind, node)
    return common_decimal([piece for piece in pieces if piece.type.name != "NULL"], node)


def sized(kind: SqlType, node: Any) -> tuple[int, int]:
    """Precision and scale of a DECIMAL.

    Raises:
      NotLoweredError: it has none, or it is no number: a text that Calcite casts, or NULL.
    """
    if kind.name != "DECIMAL" or kind.precision is None or kind.scale is None:
        raise NotLoweredError(f"{kind.name} among decimal numbers has no equal form", node)
    return kind.precision, kind.scale


def digits(piece: Piece) -> tuple[int, int]:
    """Precision and scale of a whole or decimal number.

    Raises:
      NotLoweredError: it is neither.
    """
    if piece.number is not None:
        return _literal_digits(piece.number)
    kind = piece.type
    if kind.name in DIGITS:
        return DIGITS[kind.name], 0
    return sized(kind, None)


def _literal_digits(number: Decimal) -> tuple[int, int]:
    _, figures, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    return max(len(figures) + max(exponent, 0), scale, 1), scale


def as_type(piece: Piece, kind: SqlType, node: Any = None) -> Piece:
    """A value as the type to which Calcite brings it by itself.

    Raises:
      NotLoweredError: a step that is not known to be equal.
    """
    have, want = piece.type.name, kind.name
    if have == "NULL":
        return made(f"CAST(NULL AS {engine_type(kind)})", kind)
    if want in TEXT and have in TEXT:
        return piece
    if want == "DECIMAL" and kind.scale is not None and (have in INTEGERS or have == "DECIMAL"):
        return _as_decimal(piece, kind, node)
    if have == want:
        return piece
    if piece.number is not None and want in ("FLOAT", "DOUBLE"):
        return made(f"CAST('{piece.number}' AS {want})", kind)
    widens = have in INTEGERS and want in INTEGERS and INTEGERS.index(have) < INTEGERS.index(want)
    if widens or (have in INTEGERS and want in ("FLOAT", "DOUBLE")) or (have, want) in _WIDER:
        return made(f"CAST({piece.sql} AS {want})", kind.null(piece.type.nullable), piece)
    if have == "DECIMAL" and want == "DOUBLE" and digits(piece)[0] <= _EXACT_DIGITS:
        return made(f"CAST({piece.sql} AS DOUBLE)", kind.null(piece.type.nullable), piece)
    raise NotLoweredError(f"{_name(piece)} as {want} has no equal form", node)


_WIDER = {("FLOAT", "DOUBLE"), ("DATE", "TIMESTAMP")}


def _name(piece: Piece) -> str:
    kind = piece.type
    return f"DECIMAL({kind.precision}, {kind.scale})" if kind.name == "DECIMAL" else kind.name


def _as_decimal(piece: Piece, kind: SqlType, node: Any) -> Piece:
    precision, scale = digits(piece)
    most, behind = sized(kind, node)
    if scale > behind or precision - scale > most - behind:
        raise NotLoweredError(f"{_name(piece)} as DECIMAL({most}, {behind}) has no equal form", node)
    if piece.type.name == "DECIMAL" and (precision, scale) == (most, behind):
        return piece
    return made(f"CAST({piece.sql} AS {engine_type(kind)})", kind.null(piece.type.nullable), piece)


def cast(piece: Piece, kind: SqlType, node: Any, exact: bool) -> Piece:
    """CAST.

    Args:
      piece: the value.
      kind: the type.
      node: for the place.
      exact: whether values on which DuckDB fails and Java does not are computed too.

    Raises:
      NotLoweredError: one that is not known to be equal.
    """
    have, want = piece.type.name, kind.name
    if have == "NULL":
        return as_type(piece, kind, node)
    if have in TEXT:
        return _from_text(piece, kind, node)
    if want == "VARCHAR" and have in TO_TEXT:
        if kind.precision is not None:
            raise NotLoweredError(f"{have} as VARCHAR({kind.precision}) has no equal form", node)
        return made(TO_TEXT[have](piece.sql), SqlType("VARCHAR", piece.type.nullable), piece, fails=have in TIMES)
    form = _CASTS.get((have, want))
    if form is not None:
        sql = form(piece.sql, want, exact)
        return made(sql, kind.null(piece.type.nullable), piece, fails=(have, want) not in _NEVER_FAIL)
    if want == "DECIMAL" and (have in INTEGERS or have == "DECIMAL"):
        return _to_decimal(piece, kind, node)
    return as_type(piece, kind, node)


def _to_decimal(piece: Piece, kind: SqlType, node: Any) -> Piece:
    most, behind = sized(kind, node)
    precision, scale = digits(piece)
    if scale > behind:
        raise NotLoweredError(f"{_name(piece)} as DECIMAL({most}, {behind}) cuts digits off", node)
    checked = decimal(most, behind, piece.type.nullable, "CAST", node)
    if piece.type.name == "DECIMAL" and (precision, scale) == (most, behind):
        return made(piece.sql, checked, piece)
    fails = precision - scale > most - behind
    return made(f"CAST({piece.sql} AS {engine_type(checked)})", checked, piece, fails=fails)


def _from_text(piece: Piece, kind: SqlType, node: Any) -> Piece:
    if kind.name == "VARCHAR":
        if kind.precision is None:
            return piece.with_type(kind.null(piece.type.nullable))
        sql = shortened(piece.sql, kind.precision)
        return made(sql, SqlType("VARCHAR", piece.type.nullable), piece, fails=True)
    form = FROM_TEXT.get(kind.name)
    if form is None:
        raise NotLoweredError(f"a text as {kind.name} has no equal form", node)
    return made(form(piece.sql), kind.null(piece.type.nullable), piece, fails=True)


def _narrower(sql: str, want: str, exact: bool) -> str:
    return f"CAST({sql} AS {want})"


def _float_to_whole(sql: str, want: str, exact: bool) -> str:
    plain = f"CAST(trunc({sql}) AS {want})"
    # `(int) Double.NaN` is 0 in Java.
    return f"(CASE WHEN isnan({sql}) THEN CAST(0 AS {want}) ELSE {plain} END)" if exact else plain


def _double_to_bigint(sql: str, want: str, exact: bool) -> str:
    # Java reads the shortest decimal text of the number, which above 2^53 is another whole number than its value.
    by_text = f"CAST(CAST(CAST({sql} AS VARCHAR) AS DECIMAL(38, 0)) AS BIGINT)"
    return f"(CASE WHEN abs({sql}) <= {_WHOLE} THEN CAST(trunc({sql}) AS BIGINT) ELSE {by_text} END)"


def _decimal_to_whole(sql: str, want: str, exact: bool) -> str:
    return f"CAST(trunc({sql}) AS {want})"


_Form = Callable[[str, str, bool], str]
_CASTS: dict[tuple[str, str], _Form] = {
    **{
        (wide, narrow): _narrower
        for wide in INTEGERS
        for narrow in INTEGERS
        if INTEGERS.index(wide) > INTEGERS.index(narrow)
    },
    **{(name, "BOOLEAN"): lambda sql, want, exact: f"({sql} <> 0)" for name in INTEGERS},
    **{("DECIMAL", name): _decimal_to_whole for name in INTEGERS},
    **{("DOUBLE", name): _float_to_whole for name in INTEGERS if name != "BIGINT"},
    **{("FLOAT", name): _float_to_whole for name in INTEGERS if name != "BIGINT"},
    ("DOUBLE", "BIGINT"): _double_to_bigint,
    ("TIMESTAMP", "DATE"): _narrower,
    ("TIMESTAMP", "TIME"): _narrower,
    ("TIMESTAMP", "BIGINT"): lambda sql, want, exact: f"epoch_ms({sql})",
    ("BIGINT", "TIMESTAMP"): lambda sql, want, exact: f"make_timestamp({sql} * 1000)",
    ("INTEGER", "TIMESTAMP"): lambda sql, want, exact: f"make_timestamp(CAST({sql} AS BIGINT) * 1000)",
}
_NEVER_FAIL = {(name, "BOOLEAN") for name in INTEGERS} | {
    ("TIMESTAMP", "DATE"),
    ("TIMESTAMP", "TIME"),
    ("TIMESTAMP", "BIGINT"),
    ("INTEGER", "TIMESTAMP"),
}
