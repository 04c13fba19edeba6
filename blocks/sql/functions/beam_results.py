"""Types of the results of Beam SQL's functions, where they depend on those of the arguments.

Whether a result may be NULL is worked out from the function's `nulls`; these rules give everything else.
"""

from collections.abc import Callable, Sequence

from blocks.sql.coercion import MAX_DIGITS, decimal, digits, least_restrictive, remainder
from blocks.sql.types import SqlType

Rule = Callable[[Sequence[SqlType]], SqlType]


def _first(kinds: Sequence[SqlType]) -> SqlType:
    return kinds[0]


def _whole(kinds: Sequence[SqlType]) -> SqlType:
    first = kinds[0]
    return decimal(digits(first)[0], 0, first.nullable) if first.name == "DECIMAL" else first


def _widest(kinds: Sequence[SqlType]) -> SqlType:
    return least_restrictive(kinds) or kinds[0]


def _element(kinds: Sequence[SqlType]) -> SqlType:
    return kinds[0].inner[0] if kinds[0].inner else kinds[0]


def _text(kinds: Sequence[SqlType]) -> SqlType:
    return kinds[0] if kinds[0].name in ("CHAR", "NULL") else SqlType("VARCHAR", kinds[0].nullable, kinds[0].precision)


def _varying(kinds: Sequence[SqlType]) -> SqlType:
    name = "VARBINARY" if kinds[0].name == "VARBINARY" else "VARCHAR"
    return SqlType(name, kinds[0].nullable, kinds[0].precision)


def _remainder(kinds: Sequence[SqlType]) -> SqlType:
    return remainder(kinds[0], kinds[1])


def _sum(kinds: Sequence[SqlType]) -> SqlType:
    first = kinds[0]
    return decimal(MAX_DIGITS, digits(first)[1], first.nullable) if first.name == "DECIMAL" else first


RULES: dict[str, Rule] = {
    "covariance": _first,
    "element": _element,
    "first": _first,
    "overlaid": _varying,
    "remainder": _remainder,
    "sum": _sum,
    "text": _text,
    "varying": _varying,
    "whole": _whole,
    "widest": _widest,
}
