"""Arithmetic, texts joined by ||, AND, OR and NOT.

Source: `SqlStdOperatorTable`, `ReturnTypes`, `TypeCoercionImpl.binaryArithmeticCoercion` and the `deriveDecimal...Type`
of `RelDataTypeSystem`, Calcite 1.40.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.coercion import (
    MAX_DIGITS,
    STRING,
    WIDEST_DECIMAL,
    any_nullable,
    decimal,
    digits,
    is_atomic,
    least_restrictive,
    remainder,
)
from blocks.sql.types import INTERVALS, NUMERIC, TEXT, TIMES, SqlType
from blocks.sql.typing.literals import check_literal

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_SIGNS = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "MOD"}
_NUMBER = (*NUMERIC, "NULL")


def _arithmetic(typer: "Typer", node: exp.Binary) -> SqlType | None:
    left, right = typer.of(node.left), typer.of(node.right)
    if left is None or right is None:
        return None
    sign = _SIGNS[type(node)]
    found = _with_interval(sign, left, right) or _with_time_and_null(sign, left, right)
    if found is None:
        found = _of_numbers(typer, node, sign, left, right)
    if found is None:
        typer.tell(node, "wrong_type", f"{left} {sign} {right} is not possible", _instead(sign, left, right))
        return None
    return found.null(left.nullable or right.nullable)


def _with_interval(sign: str, left: SqlType, right: SqlType) -> SqlType | None:
    names = (left.name, right.name)
    if not set(names) & set(INTERVALS):
        return None
    match sign:
        case "+" | "-":
            if left.name in TIMES and right.name in INTERVALS:
                return left
            if sign == "+" and left.name in INTERVALS and right.name in TIMES:
                return right
            if left.name == right.name or "NULL" in names:
                return left if right.name == "NULL" else right
        case "*":
            for one, other in ((left, right), (right, left)):
                if one.name in INTERVALS and other.name in (*_NUMBER, *TEXT):
                    return one
        case "/":
            return left if left.name in INTERVALS and right.name in (*_NUMBER, *TEXT) else None
    return None


def _with_time_and_null(sign: str, left: SqlType, right: SqlType) -> SqlType | None:
    """NULL next to a time: Calcite takes it for an interval."""
    if sign in ("+", "-") and left.name in TIMES and right.name == "NULL":
        return left
    return right if sign == "+" and left.name == "NULL" and right.name in TIMES else None


def _of_numbers(typer: "Typer", node: exp.Binary, sign: str, left: SqlType, right: SqlType) -> SqlType | None:
    if not all(kind.name in (*_NUMBER, *TEXT) for kind in (left, right)):
        return None
    left_number = _as_number(typer, node.left, left, right)
    right_number = _as_number(typer, node.right, right, left)
    both = (left_number, right_number)
    if "DECIMAL" in (left_number.name, right_number.name) and all(kind.name not in _NOT_EXACT for kind in both):
        return _DECIMALS[sign](left_number, right_number)
    return least_restrictive(both)


_NOT_EXACT = ("FLOAT", "DOUBLE", "NULL")


def _as_number(typer: "Typer", node: Any, kind: SqlType, other: SqlType) -> SqlType:
    """A text next to a number is cast to it, and to a DECIMAL next to anything else."""
    if kind.name not in TEXT:
        return kind
    target = other if other.name in NUMERIC and other.name != "DECIMAL" else WIDEST_DECIMAL
    if other.name != "NULL":
        converted(typer, node, kind, target)
    return target.null(kind.nullable)


def converted(typer: "Typer", node: Any, kind: SqlType, target: SqlType) -> None:
    """Tells of a text that Calcite casts by itself: where it is no value of the type, the query fails on that row."""
    if kind.name not in TEXT or target.name in (*STRING, *INTERVALS, "NULL", "ANY"):
        return
    value = node
    while isinstance(value, exp.Paren):
        value = value.this
    if isinstance(value, exp.Literal):
        check_literal(typer, value, target)
        return
    what = f"a text where {target} is expected: the query fails on the first row whose text is none"
    name = "DECIMAL(28, 9)" if target.name == "DECIMAL" else target.name
    typer.tell(node, "runtime_type", what, f"if every text is one, write CAST(x AS {name})")


def _plus(left: SqlType, right: SqlType) -> SqlType:
    (p1, s1), (p2, s2) = digits(left), digits(right)
    scale = max(s1, s2)
    return decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)


def _times(left: SqlType, right: SqlType) -> SqlType:
    (p1, s1), (p2, s2) = digits(left), digits(right)
    return decimal(p1 + p2, s1 + s2)


def _divided(left: SqlType, right: SqlType) -> SqlType:
    (p1, s1), (p2, s2) = digits(left), digits(right)
    whole, scale = p1 - s1 + s2, min(max(6, s1 + p2 + 1), MAX_DIGITS)
    if whole + scale > MAX_DIGITS:
        scale = max(min(scale, MAX_DIGITS - whole), 6)
    return decimal(whole + scale, scale)


_DECIMALS: dict[str, Callable[[SqlType, SqlType], SqlType]] = {
    "+": _plus,
    "-": _plus,
    "*": _times,
    "/": _divided,
    "MOD": remainder,
}


def _instead(sign: str, left: SqlType, right: SqlType) -> str:
    names = {left.name, right.name}
    if sign == "-" and names <= set(TIMES):
        return "write TIMESTAMPDIFF(DAY, earlier, later)"
    if sign in ("+", "-") and names & set(TIMES) and names & set(NUMERIC):
        return "write x + INTERVAL '1' DAY, or TIMESTAMPADD(DAY, n, x)"
    if "BOOLEAN" in names:
        return "write CASE WHEN x THEN 1 ELSE 0 END"
    return ""


def _sign(typer: "Typer", node: exp.Unary | exp.Paren) -> SqlType | None:
    kind = typer.of(node.this)
    if kind is None:
        return None
    if kind.name in (*_NUMBER, *INTERVALS):
        return _least_integer(node) or kind
    if kind.name in TEXT:
        converted(typer, node.this, kind, WIDEST_DECIMAL)
        return WIDEST_DECIMAL.null(kind.nullable)
    typer.tell(node, "wrong_type", f"a sign before {kind} is not possible", _instead("+", kind, kind))
    return None


def _least_integer(node: Any) -> SqlType | None:
    """The type of -2147483648 and its negative: the signs belong to the literal, which alone would be a BIGINT."""
    signs = 0
    while isinstance(node, (exp.Neg, exp.Paren)):
        signs += isinstance(node, exp.Neg)
        node = node.this
    if not isinstance(node, exp.Literal) or node.is_string or node.name != "2147483648":
        return None
    return SqlType("INTEGER" if signs % 2 else "BIGINT", False)


def _paren(typer: "Typer", node: exp.Paren) -> SqlType | None:
    if not node.meta.get("plus"):
        return typer.of(node.this)
    kind = _sign(typer, node)
    if kind is not None and typer.of(node.this) != kind:
        typer.tell(node, "not_taken", "`+` before a text", "write CAST(x AS DECIMAL(28, 9))")
        return None
    return kind


def _joined(typer: "Typer", node: exp.DPipe) -> SqlType | None:
    kinds = typer.all((node.left, node.right))
    return None if kinds is None else joined_type(typer, node, kinds[0], kinds[1])


def joined_type(typer: "Typer", node: Any, left: SqlType, right: SqlType) -> SqlType | None:
    """The type of two texts, byte strings or arrays behind one another."""
    names = (left.name, right.name)
    nullable = left.nullable or right.nullable
    if left.name == "ARRAY" and right.name in ("ARRAY", "NULL"):
        found = least_restrictive((left, right))
        if found is not None:
            return found
    if "VARBINARY" in names:
        if "NULL" in names:
            return SqlType("VARBINARY", True)
        if names[0] == names[1]:
            typer.tell(node, "unsupported", "Beam cannot join VARBINARY", "join the texts before they become bytes")
            return None
    elif all(kind.name == "NULL" or is_atomic(kind) for kind in (left, right)) and set(names) != {"NULL"}:
        if names == ("CHAR", "CHAR"):
            return SqlType("CHAR", nullable, (left.precision or 0) + (right.precision or 0))
        return SqlType("VARCHAR", nullable)
    typer.tell(node, "wrong_type", f"{left} || {right} is not possible", "|| joins texts, or arrays of one type")
    return None


def _logic(typer: "Typer", node: exp.Connector) -> SqlType | None:
    # Balanced trees of a thousand conditions: each side is looked at even if the other has a mistake.
    sides = (node.left, node.right)
    kinds = [typer.of(side) for side in sides]
    word = "AND" if isinstance(node, exp.And) else "OR"
    right = [needs_boolean(typer, side, kind, word) for side, kind in zip(sides, kinds, strict=True)]
    if not all(right):
        return None
    return SqlType("BOOLEAN", any_nullable([kind for kind in kinds if kind is not None]))


def needs_boolean(typer: "Typer", node: Any, kind: SqlType | None, where: str) -> bool:
    """Whether a node is a condition; tells it where it is none."""
    if kind is None:
        return False
    if kind.name in ("BOOLEAN", "NULL", "ANY"):
        return True
    fix = {"CHAR": "compare it: x = 'y'", "VARCHAR": "compare it: x = 'y'"}.get(kind.name, "compare it: x <> 0")
    typer.tell(node, "wrong_type", f"{where} takes BOOLEAN, and this is {kind}", fix)
    return False


def _not(typer: "Typer", node: exp.Not) -> SqlType | None:
    kind = typer.of(node.this)
    if not needs_boolean(typer, node.this, kind, "NOT"):
        return None
    assert kind is not None
    return SqlType("BOOLEAN", kind.nullable)


RULES: dict[type, Any] = {
    **dict.fromkeys(_SIGNS, _arithmetic),
    exp.Neg: _sign,
    exp.Paren: _paren,
    exp.DPipe: _joined,
    exp.And: _logic,
    exp.Or: _logic,
    exp.Not: _not,
}
