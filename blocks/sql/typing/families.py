"""Families of types, which Calcite's own functions take, and the casts that it puts in where an argument is of another.

Source: `SqlTypeFamily` and `AbstractTypeCoercion.implicitCast` of Calcite 1.40.
"""

from blocks.sql.coercion import WIDEST_DECIMAL, decimal, digits, is_atomic
from blocks.sql.types import APPROXIMATE, INTEGERS, INTERVALS, NUMERIC, TEXT, TIMES, SqlType

# As `SqlType.name` of an argument in `blocks.sql.functions.beam`.
FAMILIES: dict[str, tuple[str, ...]] = {
    "NUMERIC": NUMERIC,
    "EXACT_NUMERIC": (*INTEGERS, "DECIMAL"),
    "WHOLE_NUMBER": INTEGERS,
    "CHARACTER": TEXT,
    "STRING": (*TEXT, "VARBINARY"),
    "BINARY": ("VARBINARY",),
    "DATETIME": TIMES,
    "DATE_OR_TIMESTAMP": ("DATE", "TIMESTAMP"),
    "INTERVAL": INTERVALS,
    "BOOLEAN": ("BOOLEAN",),
    "DATE": ("DATE",),
    "TIME": ("TIME",),
    "TIMESTAMP": ("TIMESTAMP",),
    "ARRAY": ("ARRAY",),
    "MAP": ("MAP",),
    "COMPARABLE": (),
    "ANY": (),
}
_SAID = {
    "NUMERIC": "a number",
    "EXACT_NUMERIC": "a whole number or a DECIMAL",
    "WHOLE_NUMBER": "a whole number",
    "CHARACTER": "a text",
    "STRING": "a text or VARBINARY",
    "BINARY": "VARBINARY",
    "DATETIME": "a DATE, TIME or TIMESTAMP",
    "DATE_OR_TIMESTAMP": "a DATE or TIMESTAMP",
    "INTERVAL": "an INTERVAL",
    "COMPARABLE": "any type that has an order",
    "ANY": "any type",
}


def said(name: str) -> str:
    """A family in words; a type as it is."""
    return _SAID.get(name, name)


def belongs(kind: SqlType, name: str) -> bool:
    """Whether a type is of a family as it is; NULL is of each."""
    members = FAMILIES[name]
    return not members or kind.name in members or kind.name in ("NULL", "ANY")


def implicit_cast(kind: SqlType, name: str) -> SqlType | None:
    """What Calcite makes of a type where it expects a family; None where it refuses it."""
    if not FAMILIES[name] or kind.name in FAMILIES[name]:
        return kind
    cast = _implicit(kind, name)
    return None if cast is None else cast.null(kind.nullable)


def _implicit(kind: SqlType, name: str) -> SqlType | None:
    if kind.name in ("NULL", "ANY"):
        return _default(name) or kind
    if kind.name in APPROXIMATE and name == "EXACT_NUMERIC":
        return decimal(30, 15)
    if kind.name == "DATE" and name == "TIMESTAMP":
        return SqlType("TIMESTAMP")
    if kind.name == "TIMESTAMP" and name == "DATE":
        return SqlType("DATE")
    if kind.name in TEXT and name in (*_NUMBERS, *TIMES, "BINARY"):
        return _default(name)
    if is_atomic(kind) and kind.name not in TEXT and name in ("STRING", "CHARACTER"):
        return SqlType("VARCHAR")
    return None


_NUMBERS = ("NUMERIC", "EXACT_NUMERIC", "WHOLE_NUMBER")


def _default(name: str) -> SqlType | None:
    match name:
        case "NUMERIC" | "EXACT_NUMERIC":
            return WIDEST_DECIMAL
        case "WHOLE_NUMBER":
            return SqlType("BIGINT")
        case "CHARACTER" | "STRING":
            return SqlType("VARCHAR")
        case "BINARY":
            return SqlType("VARBINARY")
    return SqlType(name) if name in (*TIMES, "BOOLEAN") else None


def as_decimal(kind: SqlType) -> SqlType:
    """An exact number as a DECIMAL."""
    return decimal(*digits(kind), kind.nullable)
