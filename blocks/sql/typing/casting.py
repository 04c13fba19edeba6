"""Which CAST Calcite takes, and what a column or a literal becomes by it.

Source: `SqlTypeCoercionRule` and `SqlTypeAssignmentRule` of Calcite 1.40.
"""

from blocks.sql.types import INTEGERS, INTERVALS, NUMERIC, TEXT, TIMES, SqlType

_NUMBERS_TEXT_TIMESTAMP = frozenset((*NUMERIC, *TEXT, "TIMESTAMP"))
# Target -> the sources that an explicit CAST takes.
_SOURCES: dict[str, frozenset[str]] = {
    **dict.fromkeys(INTEGERS, _NUMBERS_TEXT_TIMESTAMP | set(INTERVALS)),
    "DECIMAL": _NUMBERS_TEXT_TIMESTAMP | set(INTERVALS),
    **dict.fromkeys(("FLOAT", "DOUBLE"), _NUMBERS_TEXT_TIMESTAMP),
    **dict.fromkeys(TEXT, frozenset((*NUMERIC, *TEXT, *TIMES, *INTERVALS, "BOOLEAN", "VARBINARY"))),
    "BOOLEAN": frozenset((*NUMERIC, *TEXT, "BOOLEAN")),
    "VARBINARY": frozenset((*TEXT, "VARBINARY")),
    "DATE": frozenset((*TEXT, "DATE", "TIMESTAMP", "VARBINARY")),
    "TIME": frozenset((*TEXT, "TIME", "TIMESTAMP", "VARBINARY")),
    "TIMESTAMP": frozenset((*NUMERIC, *TEXT, *TIMES, "VARBINARY")),
    "INTERVAL_DAY": frozenset((*INTEGERS, "DECIMAL", *TEXT, "INTERVAL_DAY")),
    "INTERVAL_MONTH": frozenset((*INTEGERS, "DECIMAL", *TEXT, "INTERVAL_MONTH")),
}
# Target -> the sources that an argument of a function takes without a CAST.
_ASSIGNED: dict[str, frozenset[str]] = {
    **{name: frozenset(INTEGERS[: place + 1]) for place, name in enumerate(INTEGERS)},
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), frozenset(NUMERIC)),
    **dict.fromkeys(TEXT, frozenset(TEXT)),
    "TIMESTAMP": frozenset(("TIMESTAMP",)),
}


def can_cast(source: SqlType, target: SqlType) -> bool:
    """Whether Calcite takes `CAST(source AS target)`."""
    if source.name in ("ANY", "NULL") or target.name == "ANY":
        return True
    if target.name == "ROW" or source.name == "ROW":
        same = target.name == source.name and len(source.inner) == len(target.inner)
        return same and all(map(can_cast, source.inner, target.inner))
    if target.name in ("ARRAY", "MAP") or source.name in ("ARRAY", "MAP"):
        return target.name == source.name and all(map(can_cast, source.inner, target.inner))
    return source.name in _SOURCES.get(target.name, frozenset())


def is_assignable(source: SqlType, target: SqlType) -> bool:
    """Whether an argument of the type goes into a parameter of the other as it is."""
    if source.name in ("ANY", "NULL", target.name) or target.name == "ANY":
        return target.name not in ("ARRAY", "MAP", "ROW") or source.name != target.name or can_cast(source, target)
    return source.name in _ASSIGNED.get(target.name, frozenset((target.name,)))


def cast_nullability(source: SqlType, target: SqlType) -> SqlType:
    """The target with the source's nullability; an array of a CAST keeps that of the source's elements."""
    if target.name == source.name and target.name in ("ARRAY", "ROW"):
        inner = tuple(map(cast_nullability, source.inner, target.inner))
        return SqlType(target.name, source.nullable, inner=inner, names=target.names)
    return target.null(source.nullable)
