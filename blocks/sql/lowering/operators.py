"""Arithmetic, comparisons and logic as Java computes them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations, product
from typing import Any

from blocks.sql.coercion import least_restrictive
from blocks.sql.lowering.converting import (
    as_type,
    check_uncut,
    common_type,
    digits,
    planned_type,
    result_decimal,
)
from blocks.sql.lowering.piece import BITS, Bound, NotLoweredError, Piece, decimal, engine_type, made
from blocks.sql.lowering.text import order_key
from blocks.sql.types import APPROXIMATE, INTEGERS, TEXT, SqlType

BOOLEAN = SqlType("BOOLEAN", nullable=False)


def boolean(*pieces: Piece) -> SqlType:
    """BOOLEAN, with NULL where one of these has it."""
    return BOOLEAN.null(any(piece.type.nullable for piece in pieces))


def arithmetic(operator: str, left: Piece, right: Piece, kind: SqlType, node: Any, exact: bool) -> Piece:
    """`+`, `-`, `*` and `/`.

    Args:
      operator: one of these.
      left: operand.
      right: operand.
      kind: of the result, as Calcite has it.
      node: for the place.
      exact: whether whole numbers wrap as in Java; without it they fail instead, which is much faster.

    Raises:
      NotLoweredError: one that rounds otherwise.
    """
    kind = kind.null(left.type.nullable or right.type.nullable)
    if kind.name in INTEGERS:
        return _whole(operator, as_type(left, kind, node), as_type(right, kind, node), kind, exact)
    if kind.name == "DECIMAL":
        return _decimal(operator, left, right, node)
    if kind.name not in APPROXIMATE:
        raise NotLoweredError(f"`{operator}` of {kind.name} has no equal form", node)
    one, two = as_type(left, kind, node), as_type(right, kind, node)
    return made(f"({one.sql} {operator} {two.sql})", kind, one, two)


def _whole(operator: str, left: Piece, right: Piece, kind: SqlType, exact: bool) -> Piece:
    if operator == "/":
        return _whole_division(left, right, kind, exact)
    if not exact:
        return made(f"({left.sql} {operator} {right.sql})", kind, left, right)
    wide = _wider(kind)
    sql = wrapped(f"(CAST({left.sql} AS {wide}) {operator} CAST({right.sql} AS {wide}))", kind)
    return made(sql, kind, left, right)


def _whole_division(left: Piece, right: Piece, kind: SqlType, exact: bool) -> Piece:
    sql = f"({left.sql} // {right.sql})"
    if exact:
        # The one division that overflows, of the least number by -1, wraps.
        sql = f"(CASE WHEN {right.sql} = -1 THEN {negated(left, kind, exact).sql} ELSE {sql} END)"
    return made(sql, kind, left, right, fails=True)


def _wider(kind: SqlType) -> str:
    return "HUGEINT" if kind.name == "BIGINT" else "BIGINT"


def wrapped(sql: str, kind: SqlType) -> str:
    """The lowest bits of a wider whole number."""
    half = 1 << (BITS[kind.name] - 1)
    return f"CAST((({sql} + {half}) & {2 * half - 1}) - {half} AS {kind.name})"


def negated(piece: Piece, kind: SqlType, exact: bool) -> Piece:
    """`-x`."""
    kind = kind.null(piece.type.nullable)
    if kind.name in INTEGERS and exact:
        return made(wrapped(f"(- CAST({piece.sql} AS {_wider(kind)}))", kind), kind, piece)
    if kind.name in INTEGERS:
        # A cast, because DuckDB gives a literal another type when its sign changes.
        return made(f"CAST((- {piece.sql}) AS {kind.name})", kind, piece)
    if kind.name == "DECIMAL":
        kind = piece.type
    return made(f"(- {piece.sql})", kind, piece)


def modulo(left: Piece, right: Piece, kind: SqlType, node: Any, exact: bool) -> Piece:
    """MOD of whole numbers; the result has the sign of the first."""
    if {left.type.name, right.type.name} - set(INTEGERS):
        raise NotLoweredError(f"MOD of {left.type.name} and {right.type.name} has no equal form", node)
    wide = SqlType(max(left.type.name, right.type.name, key=INTEGERS.index), left.type.nullable or right.type.nullable)
    one, two = as_type(left, wide, node), as_type(right, wide, node)
    sql = f"({one.sql} % {two.sql})"
    if exact:
        sql = f"(CASE WHEN {two.sql} = -1 THEN {one.sql} - {one.sql} ELSE {sql} END)"
    kind = kind.null(wide.nullable)
    return made(f"CAST({sql} AS {kind.name})", kind, one, two, fails=True)


def absolute(piece: Piece, node: Any, exact: bool) -> Piece:
    """ABS: of the least whole number it is that number."""
    kind = piece.type
    if kind.name in INTEGERS and exact:
        least = f"CAST({-(1 << (BITS[kind.name] - 1))} AS {kind.name})"
        return made(f"(CASE WHEN {piece.sql} = {least} THEN {piece.sql} ELSE abs({piece.sql}) END)", kind, piece)
    if kind.name not in (*INTEGERS, *APPROXIMATE, "DECIMAL"):
        raise NotLoweredError(f"ABS of {kind.name} has no equal form", node)
    return made(f"abs({piece.sql})", kind, piece)


def sign(piece: Piece, kind: SqlType, node: Any) -> Piece:
    """SIGN; NaN and the zeros are their own."""
    if piece.type.name in INTEGERS and kind.name in INTEGERS:
        return made(f"CAST(sign({piece.sql}) AS {kind.name})", kind.null(piece.type.nullable), piece)
    if piece.type.name == "DOUBLE":
        own = f"isnan({piece.sql}) OR {piece.sql} = 0"
        sql = f"(CASE WHEN {own} THEN {piece.sql} ELSE CAST(sign({piece.sql}) AS DOUBLE) END)"
        return made(sql, piece.type, piece)
    raise NotLoweredError(f"SIGN of {piece.type.name} has no equal form", node)


def _decimal(operator: str, left: Piece, right: Piece, node: Any) -> Piece:
    if operator == "/":
        raise NotLoweredError("a DECIMAL division has no equal form", node)
    (precision, scale), (other, behind) = digits(left), digits(right)
    nullable = left.type.nullable or right.type.nullable
    if operator == "*":
        kind = decimal(precision + other, scale + behind, nullable, "the product", node)
        one, two = (_own_decimal(piece, node) for piece in (left, right))
        # DuckDB multiplies two numbers of up to 18 digits in 64 bits, also where the product has more.
        wide = f"CAST({one.sql} AS DECIMAL({max(precision, 19)}, {scale}))" if precision + other > 18 else one.sql
        return made(f"CAST(({wide} * {two.sql}) AS {engine_type(kind)})", kind, one, two)
    most = max(scale, behind)
    whole = max(precision - scale, other - behind) + 1
    kind = decimal(whole + most, most, nullable, "the sum", node)
    one, two = (as_type(piece, kind.null(piece.type.nullable), node) for piece in (left, right))
    return made(f"CAST(({one.sql} {operator} {two.sql}) AS {engine_type(kind)})", kind, one, two)


def _own_decimal(piece: Piece, node: Any) -> Piece:
    precision, scale = digits(piece)
    return as_type(piece, decimal(precision, scale, piece.type.nullable, "the number", node), node)


def compared(operator: str, left: Piece, right: Piece, node: Any) -> Piece:
    """`=`, `<>`, `<`, `<=`, `>`, `>=`.

    Raises:
      NotLoweredError: types whose comparison is not known to be equal.
    """
    kind = common_type(left, right, node)
    for piece in (left, right):
        check_turned(piece, node)
    if left.sql == right.sql and left.number is None and left.text is None:
        return _with_itself(operator, left, node)
    if (left.type.name, right.type.name) == ("DOUBLE", "FLOAT"):
        # Calcite casts to the type of the right side, digits or not.
        kind = SqlType("FLOAT", kind.nullable)
    one, two = as_type(left, kind, node), as_type(right, kind, node)
    result = boolean(left, right)
    if kind.name in APPROXIMATE:
        if _may_be_same(one, two):
            raise NotLoweredError("a comparison of what Calcite may take for the same, so that NaN equals NaN", node)
        found = made(_floats_compared(operator, one, two), result, one, two)
        bounds = _bounds(operator, replace(one, number=left.number), replace(two, number=right.number))
        return replace(found, bounds=found.bounds | bounds, orders=found.orders or operator not in ("=", "<>"))
    if operator not in ("=", "<>"):
        if kind.name == "VARBINARY":
            raise NotLoweredError("the order of VARBINARY has no equal form", node)
        if kind.name == "VARCHAR" and not (one.is_low or two.is_low):
            return made(f"({order_key(one.sql)} {operator} {order_key(two.sql)})", result, one, two)
    return made(f"({one.sql} {operator} {two.sql})", result, one, two)


def _floats_compared(operator: str, left: Piece, right: Piece) -> str:
    """DuckDB takes NaN for equal to itself and for more than all else; Java compares it to nothing."""
    plain = f"({left.sql} {operator} {right.sql})"
    numbers = [piece for piece in (left, right) if piece.number is None]
    if operator in ("=", "<>"):
        if len(numbers) < 2:
            return plain
        other = "FALSE" if operator == "=" else "TRUE"
        return f"(CASE WHEN isnan({left.sql}) AND isnan({right.sql}) THEN {other} ELSE {plain} END)"
    # Only NaN on the greater side makes DuckDB's answer true.
    more, less = (left, right) if operator[0] == ">" else (right, left)
    if more.number is not None:
        return plain
    otherwise = "FALSE" if less.number is not None else f"({less.sql} <> {less.sql})"
    return f"(CASE WHEN isnan({more.sql}) THEN {otherwise} ELSE {plain} END)"


def _with_itself(operator: str, piece: Piece, node: Any) -> Piece:
    """Calcite answers without computing it, for NaN too."""
    if piece.fails:
        raise NotLoweredError("a comparison with itself of what can fail, which Calcite takes for true", node)
    answer = operator in ("=", "<=", ">=")
    if not piece.type.nullable:
        return made(f"({piece.sql} IS {'NOT ' if answer else ''}NULL)", BOOLEAN, piece)
    sql = f"(CASE WHEN {piece.sql} IS NULL THEN NULL ELSE {str(answer).upper()} END)"
    return made(sql, boolean(piece), piece)


_COLUMNS = re.compile(r"\bc\d+\b")
_CHOICES = re.compile(r"\bCASE\b|\bcoalesce\b")


def _may_be_same(left: Piece, right: Piece) -> bool:
    """Whether Calcite may find that both are one expression: it sorts sums, and leaves out `* 1` and equal choices."""
    one, two = map(_columns, (left, right))
    chosen = any(_CHOICES.search(piece.sql) for piece in (left, right))
    return bool(one) and (one == two or (chosen and not one.isdisjoint(two)))


def _columns(piece: Piece) -> frozenset[str]:
    return frozenset(_COLUMNS.findall(piece.sql))


def _bounds(operator: str, left: Piece, right: Piece) -> set[Bound]:
    if operator in ("=", "<>") or (left.number is None) == (right.number is None):
        return set()
    value, limit = (left, right.number) if right.number is not None else (right, left.number)
    assert limit is not None
    return {Bound(_columns(value), limit, (operator[0] == ">") == (right.number is not None))}


def check_bounds(conditions: Sequence[Piece], node: Any) -> None:
    """Refuses conditions of which one is true for every number, which Calcite takes for true: it forgets NaN.

    Args:
      conditions: joined by OR.
      node: for the place.

    Raises:
      NotLoweredError: `x < 2 OR x > 1`; also `x <> 1` in other words, as `x < 1 OR x > 1` is.
    """
    for one, two in permutations(conditions, 2):
        for least, most in product(one.bounds, two.bounds):
            if least.is_least and not most.is_least and least.value == most.value and least.limit <= most.limit:
                raise NotLoweredError("bounds with OR that hold every number, which Calcite takes for true", node)


def check_turned(piece: Piece, node: Any) -> None:
    """Refuses what Calcite turns around, NOT (a > b) and (a > b) = FALSE into a <= b: another answer for NaN.

    Raises:
      NotLoweredError: a condition with an order of FLOAT or DOUBLE.
    """
    if piece.orders and piece.type.name == "BOOLEAN":
        raise NotLoweredError("NOT of an order of FLOAT or DOUBLE, which Calcite turns around", node)


def distinct(left: Piece, right: Piece, negated: bool, node: Any) -> Piece:
    """IS [NOT] DISTINCT FROM."""
    kind = common_type(left, right, node)
    if kind.name in APPROXIMATE or left.fails or right.fails:
        raise NotLoweredError(f"IS DISTINCT FROM of {kind.name}, or of what can fail, has no equal form", node)
    one, two = as_type(left, kind, node), as_type(right, kind, node)
    word = "IS NOT DISTINCT FROM" if negated else "IS DISTINCT FROM"
    return made(f"({one.sql} {word} {two.sql})", BOOLEAN, one, two)


def joined(word: str, left: Piece, right: Piece, node: Any) -> Piece:
    """AND and OR, of which Java computes both sides."""
    if word == "OR":
        check_bounds((left, right), node)
    if (left.fails or right.fails) and {left.sql, right.sql} & {"TRUE", "FALSE", "CAST(NULL AS BOOLEAN)"}:
        raise NotLoweredError(f"{word} of a literal and what can fail, which Calcite leaves out", node)
    one, two = (as_type(piece, BOOLEAN.null(piece.type.nullable), node) for piece in (left, right))
    return made(f"({one.sql} {word} {two.sql})", boolean(one, two), one, two)


def truth(piece: Piece, node: Any) -> str:
    """A condition of WHERE or WHEN, where DuckDB would leave out what Java computes."""
    piece = as_type(piece, BOOLEAN.null(piece.type.nullable), node)
    return f"({piece.sql} IS NOT DISTINCT FROM TRUE)" if piece.fails else piece.sql


def one_of(value: Piece, others: Sequence[Piece], node: Any) -> Piece:
    """IN."""
    listed_names = {other.type.name for other in others}
    names = {value.type.name, *listed_names}
    for piece in (value, *others):
        check_turned(piece, node)
    if len(others) > 1 and "FLOAT" in listed_names and "DOUBLE" in names:
        raise NotLoweredError("IN of FLOAT and DOUBLE, of which Calcite cuts some", node)
    if names <= set(TEXT) or (len(names) == 1 and names <= {*INTEGERS, "DATE", "BOOLEAN", "TIMESTAMP"}):
        listed = ", ".join(other.sql for other in others)
        return made(f"({value.sql} IN ({listed}))", boolean(value, *others), value, *others)
    together([value, *others], node)
    found = [compared("=", value, other, node) for other in others]
    return made("(" + " OR ".join(piece.sql for piece in found) + ")", boolean(value, *others), *found)


def together(pieces: Sequence[Piece], node: Any) -> None:
    """Refuses numbers of which Calcite cuts some when it brings all of them to one type, as BETWEEN and IN do."""
    if any(piece.type.name == "DECIMAL" for piece in pieces):
        kind = least_restrictive([planned_type(piece) for piece in pieces])
        if kind is not None and kind.name == "DECIMAL":
            check_uncut(pieces, kind, node)


def common_result(pieces: Sequence[Piece], kind: SqlType, node: Any) -> SqlType:
    """The type of a CASE or COALESCE, with digits if it is DECIMAL."""
    if kind.name != "DECIMAL":
        return kind
    return result_decimal(pieces, kind, node).null(kind.nullable)
