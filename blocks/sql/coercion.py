"""How Calcite finds one type for several: the least restrictive one, and the one in which two values are compared.

Source: `SqlTypeFactoryImpl.leastRestrictiveSqlType`, `AbstractTypeCoercion` and `SqlTypeUtil.isComparable` of Calcite
1.40 with `BeamRelDataTypeSystem` of Beam 2.70 (38 digits; texts of unequal lengths become VARCHAR). The order of the
types counts there, and so it does here: FLOAT + DOUBLE is FLOAT, DOUBLE + FLOAT is DOUBLE.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from blocks.sql.types import APPROXIMATE, INTEGERS, INTERVALS, NUMERIC, TEXT, TIMES, SqlType

MAX_DIGITS = 38
# Digits of a whole number where it meets a DECIMAL.
_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
NULL = SqlType("NULL")
BOOLEAN = SqlType("BOOLEAN", False)
BINARY = ("VARBINARY",)
STRING = (*TEXT, *BINARY)
EXACT = (*INTEGERS, "DECIMAL")
# What a text turns into where a DECIMAL is expected.
WIDEST_DECIMAL = SqlType("DECIMAL", False, MAX_DIGITS, MAX_DIGITS // 2)


def family(kind: SqlType) -> str:
    """The family in which types are compared and united."""
    match kind.name:
        case name if name in NUMERIC:
            return "NUMERIC"
        case name if name in TEXT:
            return "CHARACTER"
    return kind.name


def digits(kind: SqlType) -> tuple[int, int]:
    """Precision and scale of an exact number."""
    if kind.name == "DECIMAL":
        return (MAX_DIGITS if kind.precision is None else kind.precision), (kind.scale or 0)
    return _DIGITS[kind.name], 0


def decimal(precision: int, scale: int, nullable: bool = False) -> SqlType:
    """A DECIMAL within Beam's bounds."""
    return SqlType("DECIMAL", nullable, min(precision, MAX_DIGITS), min(scale, MAX_DIGITS))


def any_nullable(kinds: Sequence[SqlType]) -> bool:
    """Whether one of them may be NULL."""
    return any(kind.nullable for kind in kinds)


def least_restrictive(kinds: Sequence[SqlType]) -> SqlType | None:
    """The type that holds the values of all of them, None if there is none."""
    if any(kind.name == "ANY" for kind in kinds):
        return SqlType("ANY", any_nullable(kinds))
    result: SqlType | None = None
    for position, kind in enumerate(kinds):
        if kind.name == "NULL":
            continue
        if result is None:
            result = kind
            if kind.name in _NESTED:
                return _NESTED[kind.name](kinds)
        if kind.name in EXACT or kind.name in INTERVALS or kind.name in TIMES:
            following = kinds[position + 1] if position + 1 < len(kinds) else None
            moved = _moved(result, kind, following)
            if moved is not None:
                return moved.null(any_nullable(kinds))
        if family(result) != family(kind):
            return None
        result = _wider(result, kind)
    if result is None:
        return NULL
    return result.null(any_nullable(kinds))


def _moved(result: SqlType, kind: SqlType, following: SqlType | None) -> SqlType | None:
    """Calcite's own shortcut: a time next to an interval or a whole number gives that time."""
    if following is None:
        return None
    if kind.name in EXACT:
        return following if family(result) == "NUMERIC" and result.name in EXACT and following.name in TIMES else None
    if kind.name in INTERVALS:
        return following if following.name in TIMES else None
    return kind if following.name in INTERVALS or following.name in INTEGERS else None


def _wider(result: SqlType, kind: SqlType) -> SqlType:
    if family(kind) == "CHARACTER":
        return _wider_text(result, kind)
    if kind.name in EXACT:
        return _wider_exact(result, kind)
    if kind.name in APPROXIMATE:
        if result.name in APPROXIMATE:
            return result
        return SqlType("DOUBLE") if result.name == "DECIMAL" else kind
    return result


def _wider_text(first: SqlType, second: SqlType) -> SqlType:
    lengths = (first.precision, second.precision)
    longest = None if None in lengths else max(length for length in lengths if length is not None)
    fixed = first.name == second.name == "CHAR" and first.precision == second.precision
    return SqlType("CHAR" if fixed else "VARCHAR", precision=longest)


def _wider_exact(result: SqlType, kind: SqlType) -> SqlType:
    if result.name in APPROXIMATE:
        # Already approximate: a DECIMAL makes it DOUBLE, a whole number leaves it.
        return SqlType("DOUBLE") if kind.name == "DECIMAL" else result
    if kind.name != "DECIMAL" and result.name != "DECIMAL":
        return max(result, kind, key=lambda one: _DIGITS[one.name])
    (p1, s1), (p2, s2) = digits(result), digits(kind)
    whole = min(max(p1 - s1, p2 - s2), MAX_DIGITS)
    scale = min(max(s1, s2), MAX_DIGITS - whole)
    return decimal(whole + scale, scale)


def _least_row(kinds: Sequence[SqlType]) -> SqlType | None:
    rows = [kind for kind in kinds if kind.name != "NULL"]
    first = rows[0]
    if any(row.name != "ROW" or len(row.inner) != len(first.inner) for row in rows):
        return None
    inner = [least_restrictive([row.inner[position] for row in rows]) for position in range(len(first.inner))]
    if None in inner:
        return None
    fields = tuple(kind for kind in inner if kind is not None)
    return SqlType("ROW", any_nullable(kinds), inner=fields, names=first.names)


def _least_of_inner(name: str) -> Callable[[Sequence[SqlType]], SqlType | None]:
    def least(kinds: Sequence[SqlType]) -> SqlType | None:
        same = [kind for kind in kinds if kind.name != "NULL"]
        if any(kind.name != name for kind in same):
            return None
        inner = [least_restrictive([kind.inner[at] for kind in same]) for at in range(len(same[0].inner))]
        if None in inner:
            return None
        return SqlType(name, any_nullable(kinds), inner=tuple(kind for kind in inner if kind is not None))

    return least


_NESTED: dict[str, Callable[[Sequence[SqlType]], SqlType | None]] = {
    "ROW": _least_row,
    "ARRAY": _least_of_inner("ARRAY"),
    "MAP": _least_of_inner("MAP"),
}


def comparison_type(first: SqlType, second: SqlType) -> SqlType | None:
    """The type to which Calcite casts both sides of a comparison; None where it casts nothing."""
    if first == second:
        return first
    if first.name == second.name:
        return least_restrictive((first, second))
    nullable = first.nullable or second.nullable
    for one, other in ((first, second), (second, first)):
        found = _compared_with(one, other)
        if found is not None:
            return found.null(nullable)
    if first.name in STRING and second.name in STRING:
        return _longer(first, second).null(nullable)
    for one, other in ((first, second), (second, first)):
        if other.name in TEXT and is_atomic(one):
            return one.null(nullable)
    return _number_in_common(first, second, nullable)


def _compared_with(one: SqlType, other: SqlType) -> SqlType | None:
    """What the other side turns into: a text next to a time, a DATE next to a TIMESTAMP, a text next to a DECIMAL."""
    if other.name in TIMES and one.name in TEXT:
        return other
    if other.name == "TIMESTAMP" and one.name == "DATE":
        return other
    if one.name in STRING and other.name == "NULL":
        return one
    return WIDEST_DECIMAL if one.name == "DECIMAL" and other.name in TEXT else None


def _longer(first: SqlType, second: SqlType) -> SqlType:
    if first.precision is None:
        return first
    if second.precision is None:
        return second
    return first if first.precision > second.precision else second


def _number_in_common(first: SqlType, second: SqlType, nullable: bool) -> SqlType | None:
    if first.name not in NUMERIC or second.name not in NUMERIC:
        return None
    if first.name in APPROXIMATE and second.name in APPROXIMATE:
        return second.null(nullable)
    for one in (first, second):
        if one.name in APPROXIMATE:
            return one.null(nullable)
    if "DECIMAL" in (first.name, second.name):
        (p1, s1), (p2, s2) = digits(first), digits(second)
        scale = max(s1, s2)
        return decimal(max(p1 - s1, p2 - s2) + scale, scale, nullable)
    return max(second, first, key=lambda one: _DIGITS[one.name]).null(nullable)


def is_atomic(kind: SqlType) -> bool:
    """Whether it is a time, a number, a text, bytes or BOOLEAN."""
    return kind.name in (*TIMES, *NUMERIC, *STRING, "BOOLEAN")


def is_comparable(first: SqlType, second: SqlType) -> bool:
    """Whether `=` takes the two as they are."""
    if (first.name == "ROW") != (second.name == "ROW"):
        return False
    if first.name == "ROW":
        pairs = zip(first.inner, second.inner, strict=False)
        return len(first.inner) == len(second.inner) and all(is_comparable(*pair) for pair in pairs)
    if first.name in ("ARRAY", "MAP"):
        return second.name == first.name and all(map(is_comparable, first.inner, second.inner))
    families = (family(first), family(second))
    if families[0] == families[1] or "ANY" in families or "NULL" in families:
        return True
    if "CHARACTER" in families:
        other = families[0] if families[1] == "CHARACTER" else families[1]
        return other in (*TIMES, *INTERVALS, "NUMERIC", "BOOLEAN", "CHARACTER")
    return False


def wider_type(kinds: Sequence[SqlType]) -> SqlType | None:
    """The type to which Calcite casts branches that have no least restrictive type, texts first."""
    first = kinds[0]
    result: SqlType | None = first
    texts = [kind for kind in kinds if has_text(kind)]
    for kind in (*texts, *(kind for kind in kinds if not has_text(kind))):
        result = _wider_of_two(kind, result) if result is not None else None
    return result


def has_text(kind: SqlType) -> bool:
    """Whether it is a text or an array of texts."""
    return kind.name in TEXT or (kind.name == "ARRAY" and has_text(kind.inner[0]))


def _wider_of_two(first: SqlType, second: SqlType) -> SqlType | None:
    nullable = first.nullable or second.nullable
    if first.null(False) == second.null(False):
        return first.null(nullable)
    for one, other in ((first, second), (second, first)):
        if one.name == "NULL":
            return other.null(True)
    if first.name in STRING and second.name in STRING:
        found = least_restrictive((first, second))
        if found is not None:
            return found
    if first.name in NUMERIC and second.name in NUMERIC:
        return least_restrictive((first, second))
    if {first.name, second.name} == {"DATE", "TIMESTAMP"}:
        return SqlType("TIMESTAMP", nullable)
    if (first.name in TEXT) != (second.name in TEXT) and is_atomic(first) and is_atomic(second):
        return SqlType("VARCHAR", nullable)
    if first.name == second.name == "ARRAY":
        inner = _wider_of_two(first.inner[0], second.inner[0])
        return None if inner is None else replace(first, inner=(inner,), nullable=nullable)
    return None


def remainder(left: SqlType, right: SqlType) -> SqlType:
    """The type of MOD: the divisor's, unless one of both has digits after the point."""
    if "NULL" in (left.name, right.name) or "DECIMAL" not in (left.name, right.name):
        return right
    (p1, s1), (p2, s2) = digits(left), digits(right)
    return right if s1 == s2 == 0 else decimal(min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2))
