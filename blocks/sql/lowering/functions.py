"""Functions that are lowered: Beam's own by the table here, the library's by what their entries call equal."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from blocks.core.masks.text import Mask, MaskKeepLeft, MaskKeepRight, MaskLeft, MaskRight
from blocks.sql.analysis import Call
from blocks.sql.functions.model import Function
from blocks.sql.lowering import nested, operators, rounding, text, times
from blocks.sql.lowering.converting import as_type
from blocks.sql.lowering.lowered import Read
from blocks.sql.lowering.piece import NotLoweredError, Piece, engine_type, made
from blocks.sql.types import INTEGERS, TEXT, SqlType

if TYPE_CHECKING:
    from blocks.sql.lowering.expressions import Writer

_INTEGER = SqlType("INTEGER")
_NO_LITERAL = object()
_MASKS = {one.name(): one for one in (Mask, MaskLeft, MaskRight, MaskKeepLeft, MaskKeepRight)}


def _arguments(writer: "Writer", node: Any, *counts: int) -> list[Piece]:
    if len(node.expressions) not in counts:
        raise NotLoweredError(f"{node.name.upper()} with {len(node.expressions)} arguments has no equal form", node)
    return [writer.of(argument) for argument in node.expressions]


def _only(writer: "Writer", node: Any) -> Piece:
    (piece,) = _arguments(writer, node, 1)
    return piece


def _of_text(pieces: list[Piece], node: Any) -> None:
    for piece in pieces:
        if piece.type.name not in TEXT:
            raise NotLoweredError(f"{node.name.upper()} of {piece.type.name} has no equal form", node)


def _nullable(pieces: list[Piece]) -> bool:
    return any(piece.type.nullable for piece in pieces)


def _texts(form: Callable[..., str], kind: str, count: int = 1, fails: bool = False) -> "_Form":
    """A function of texts alone."""

    def found(writer: "Writer", node: Any) -> Piece:
        pieces = _arguments(writer, node, count)
        _of_text(pieces, node)
        sql = form(*(piece.sql for piece in pieces))
        return made(sql, SqlType(kind, _nullable(pieces)), *pieces, fails=fails)

    return found


def _substring(writer: "Writer", node: Any) -> Piece:
    pieces = _arguments(writer, node, 2, 3)
    _of_text(pieces[:1], node)
    kind = SqlType("VARCHAR", _nullable(pieces))
    for piece in pieces[1:]:
        if piece.type.name not in INTEGERS:
            raise NotLoweredError(f"SUBSTRING from {piece.type.name} has no equal form", node)
    numbers = [piece.number for piece in pieces[1:]]
    if all(number is not None for number in numbers):
        start, *count = (int(number) for number in numbers if number is not None)
        if not count or count[0] >= 0:
            sql = text.literal_substring(pieces[0].sql, start, count[0] if count else None)
            return made(sql, kind, *pieces, fails=True)
    if any(piece.type.name == "BIGINT" for piece in pieces[1:]):
        raise NotLoweredError("SUBSTRING from BIGINT has no equal form", node)
    start_sql, *rest = (f"CAST({piece.sql} AS BIGINT)" for piece in pieces[1:])
    return made(text.substring(pieces[0].sql, start_sql, rest[0] if rest else None), kind, *pieces, fails=True)


def _lower(writer: "Writer", node: Any) -> Piece:
    (piece,) = _arguments(writer, node, 1)
    _of_text([piece], node)
    return made(text.lower(piece.sql, writer.exact), SqlType("VARCHAR", piece.type.nullable), piece, fails=True)


def _modulo(writer: "Writer", node: Any) -> Piece:
    left, right = _arguments(writer, node, 2)
    return operators.modulo(left, right, writer.kind(node), node, writer.exact)


def _absolute(writer: "Writer", node: Any) -> Piece:
    return operators.absolute(_only(writer, node), node, writer.exact)


def _sign(writer: "Writer", node: Any) -> Piece:
    return operators.sign(_only(writer, node), writer.kind(node), node)


def _round(writer: "Writer", node: Any) -> Piece:
    pieces = _arguments(writer, node, 1, 2)
    if len(pieces) == 1:
        return rounding.rounded(pieces[0], 0, node)
    if pieces[1].number is None:
        raise NotLoweredError("ROUND to computed places has no equal form", node)
    return rounding.rounded(pieces[0], int(pieces[1].number), node)


def _truncate(writer: "Writer", node: Any) -> Piece:
    return rounding.cut(_only(writer, node), node)


def _floor(writer: "Writer", node: Any) -> Piece:
    if len(node.expressions) == 2:
        return times.floored(writer.of(node.expressions[0]), node.expressions[1].name.upper(), node)
    return rounding.whole("floor", _only(writer, node), node)


def _ceil(writer: "Writer", node: Any) -> Piece:
    return rounding.whole("ceil", _only(writer, node), node)


def _coalesce(writer: "Writer", node: Any) -> Piece:
    pieces = [writer.of(argument) for argument in node.expressions]
    kind = operators.common_result(pieces, writer.kind(node), node)
    # Calcite leaves out what stands behind a value that is never NULL.
    if any(not piece.type.nullable for piece in pieces[:-1]) and any(piece.fails for piece in pieces):
        raise NotLoweredError("COALESCE over what can fail behind a value that is never NULL", node)
    found = [as_type(piece, kind, node) for piece in pieces]
    whole = all(piece.type.nullable for piece in pieces)
    return made(f"coalesce({', '.join(piece.sql for piece in found)})", kind.null(whole), *found)


def _nullif(writer: "Writer", node: Any) -> Piece:
    left, right = _arguments(writer, node, 2)
    if left.sql == right.sql:
        raise NotLoweredError("NULLIF of twice the same, which both engines simplify in their own way", node)
    same = operators.compared("=", left, right, node)
    sql = f"(CASE WHEN {operators.truth(same, node)} THEN NULL ELSE {left.sql} END)"
    return made(sql, left.type.null(), left, same)


def _timestamp_add(writer: "Writer", node: Any) -> Piece:
    unit, count, value = node.expressions
    return times.added(unit.name.upper(), writer.of(count), writer.of(value), node)


def _timestamp_difference(writer: "Writer", node: Any) -> Piece:
    unit, start, end = node.expressions
    return times.between(unit.name.upper(), writer.of(start), writer.of(end), writer.kind(node), node)


def _part(unit: str) -> "_Form":
    """YEAR(x) and its kin: EXTRACT under another name."""

    def found(writer: "Writer", node: Any) -> Piece:
        (piece,) = _arguments(writer, node, 1)
        return times.extracted(unit, piece, writer.kind(node), node)

    return found


def _cardinality(writer: "Writer", node: Any) -> Piece:
    return nested.cardinality(_only(writer, node), node)


def _octets(writer: "Writer", node: Any) -> Piece:
    (piece,) = _arguments(writer, node, 1)
    if piece.type.name != "VARBINARY":
        raise NotLoweredError(f"OCTET_LENGTH of {piece.type.name} has no equal form", node)
    return made(f"CAST(octet_length({piece.sql}) AS INTEGER)", _INTEGER.null(piece.type.nullable), piece)


def _code(sql: str) -> str:
    return f"CAST(ascii({sql}) AS INTEGER)"


def _language(function: Function) -> str:
    # An archive may hold both; what counts is that it needs the service.
    return "Java" if function.origin == "jar" else function.origin.capitalize()


def library_call(writer: "Writer", node: Any, call: Call) -> Piece:
    """A function of the library that is equal to a mask of a policy, or that names an equal form in DuckDB's SQL.

    Raises:
      NotLoweredError: neither, or an argument is not of its type.
    """
    function, overload = call.function, call.overload
    if function.kind != "scalar" or overload is None or overload.variadic:
        raise NotLoweredError(f"function {function.name} runs in {_language(function)} only", node)
    if len(call.arguments) != len(overload.arguments):
        raise NotLoweredError(f"function {function.name} without its optional arguments has no equal form", node)
    if overload.duckdb is None and not _masks(function):
        raise NotLoweredError(f"function {function.name} runs in {_language(function)} only", node)
    names = [argument.name for argument in overload.arguments]
    pieces = dict(zip(names, map(writer.of, call.arguments), strict=True))
    read = _masked(function, pieces)
    if read is not None:
        return writer.given(read, writer.kind(node))
    form = overload.duckdb
    if form is None:
        what = f"function {function.name} has no equal form but of a column of text, with literals that mask something"
        raise NotLoweredError(what, node)
    for argument, wanted in zip(call.arguments, overload.arguments, strict=True):
        piece = pieces[wanted.name]
        pieces[wanted.name] = as_type(piece, wanted.type.null(), argument)
        if wanted.name in form.literal and not _within(piece, form.literal[wanted.name]):
            bounds = " to ".join("any" if end is None else str(end) for end in form.literal[wanted.name])
            what = f"function {function.name} has an equal form only where `{wanted.name}` is a literal from {bounds}"
            raise NotLoweredError(what, argument)
    sql = form.over({name: f"({piece.sql})" for name, piece in pieces.items()})
    kind = writer.kind(node)
    return made(f"CAST(({sql}) AS {engine_type(kind)})", kind, *pieces.values(), fails=True)


def _masks(function: Function) -> bool:
    rule = function.declassifies
    return rule is not None and rule.gives in _MASKS and len(rule.of) == 1


def _masked(function: Function, pieces: Mapping[str, Piece]) -> Read | None:
    """The column that the library masks itself, a whole batch at once; None where it has to be computed in SQL."""
    rule = function.declassifies
    if rule is None or not _masks(function):
        return None
    hidden = pieces[rule.of[0]]
    options = {rule.options[name]: _option(piece) for name, piece in pieces.items() if name in rule.options}
    if hidden.read is None or hidden.read.mask or hidden.type.name not in TEXT or _NO_LITERAL in options.values():
        return None
    try:
        return Read(hidden.read.column, _MASKS[rule.gives].model_validate(options))
    except ValidationError:
        return None  # a mask that masks nothing, which no policy has


def _option(piece: Piece) -> Any:
    if piece.number is not None and piece.type.name in INTEGERS:
        return int(piece.number)
    if piece.text is not None:
        return piece.text
    return None if piece.type.name == "NULL" else _NO_LITERAL


def _within(piece: Piece, bounds: tuple[int | None, int | None]) -> bool:
    least, most = bounds
    if piece.number is None:
        return False
    return (least is None or piece.number >= least) and (most is None or piece.number <= most)


_Form = Callable[["Writer", Any], Piece]
FUNCTIONS: dict[str, _Form] = {
    "ABS": _absolute,
    "ASCII": _texts(_code, "INTEGER"),
    "CARDINALITY": _cardinality,
    "CEIL": _ceil,
    "CEILING": _ceil,
    "CHARACTER_LENGTH": _texts(text.length, "INTEGER"),
    "CHAR_LENGTH": _texts(text.length, "INTEGER"),
    "COALESCE": _coalesce,
    "DAYOFMONTH": _part("DAY"),
    "DAYOFWEEK": _part("DOW"),
    "DAYOFYEAR": _part("DOY"),
    "FLOOR": _floor,
    "HOUR": _part("HOUR"),
    "LOWER": _lower,
    "MINUTE": _part("MINUTE"),
    "MOD": _modulo,
    "MONTH": _part("MONTH"),
    "NULLIF": _nullif,
    "OCTET_LENGTH": _octets,
    "POSITION": _texts(text.position, "INTEGER", count=2),
    "QUARTER": _part("QUARTER"),
    "REPLACE": _texts(lambda sql, what, by: f"replace({sql}, {what}, {by})", "VARCHAR", count=3),
    "ROUND": _round,
    "SECOND": _part("SECOND"),
    "SIGN": _sign,
    "SUBSTRING": _substring,
    "TIMESTAMPADD": _timestamp_add,
    "TIMESTAMPDIFF": _timestamp_difference,
    "TRUNCATE": _truncate,
    "UPPER": _texts(text.upper, "VARCHAR"),
    "WEEK": _part("WEEK"),
    "YEAR": _part("YEAR"),
}
