"""EXTRACT and its kin, FLOOR and CEIL to a unit, TIMESTAMPADD and TIMESTAMPDIFF.

Source: `IntervalOperandTypeChecker`, `SqlFloorFunction`, `SqlTimestampAddFunction` of Calcite 1.40.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.coercion import any_nullable
from blocks.sql.types import INTERVALS, NUMERIC, TEXT, TIMES, SqlType
from blocks.sql.typing.operators import converted

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_OF_CLOCK = ("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "NANOSECOND")
_OF_YEAR = ("YEAR", "QUARTER", "MONTH", "DECADE", "CENTURY", "MILLENNIUM")
EXTRACTED = (*_OF_CLOCK[:5], *_OF_YEAR, "DAY", "WEEK", "DOW", "DOY", "ISODOW", "ISOYEAR", "EPOCH")
ROUNDED = (*_OF_CLOCK[:5], *_OF_YEAR, "DAY", "WEEK")
_FROM_DAY = ("DAY", "EPOCH")


def _extract(typer: "Typer", node: exp.Extract) -> SqlType | None:
    unit, kind = node.this.name, typer.of(node.expression)
    return None if kind is None else extracted(typer, node, unit, kind)


def extracted(typer: "Typer", node: Any, unit: str, kind: SqlType) -> SqlType | None:
    """The type of a part of a time."""
    if unit not in EXTRACTED:
        typer.tell(node, "wrong_type", f"there is no part {unit} of a time", "there is: " + ", ".join(EXTRACTED))
        return None
    if _has_part(unit, kind.name):
        return SqlType("BIGINT", kind.nullable)
    fix = "cast it: CAST(x AS TIMESTAMP)" if kind.name in TEXT else ""
    typer.tell(node, "wrong_type", f"{kind} has no part {unit}", fix)
    return None


def _has_part(unit: str, name: str) -> bool:
    match name:
        case "DATE" | "TIMESTAMP":
            return True
        case "TIME":
            return unit in _OF_CLOCK
        case "INTERVAL_DAY":
            return unit in (*_OF_CLOCK, *_FROM_DAY)
        case "INTERVAL_MONTH":
            return unit in (*_OF_CLOCK, *_OF_YEAR, "DAY")
    return False


def rounded(typer: "Typer", node: Any, arguments: Sequence[Any]) -> SqlType | None:
    """FLOOR(x TO unit) and CEIL(x TO unit): the type of the time."""
    kind, unit = typer.of(arguments[0]), arguments[1].name
    if kind is None:
        return None
    if unit not in ROUNDED:
        typer.tell(arguments[1], "wrong_type", f"{unit} is no unit to round to", "there is: " + ", ".join(ROUNDED))
        return None
    if kind.name in (*TIMES, "NULL"):
        return kind
    fix = "cast it: CAST(x AS TIMESTAMP)" if kind.name in TEXT else "TO is for times only"
    typer.tell(arguments[0], "wrong_type", f"{kind} cannot be rounded to {unit}", fix)
    return None


def added(typer: "Typer", node: Any, arguments: Sequence[Any]) -> SqlType | None:
    """TIMESTAMPADD(unit, count, time)."""
    if not _has_three(typer, node, arguments, "TIMESTAMPADD(DAY, 1, x)"):
        return None
    unit, count, time = arguments
    kinds = typer.all((count, time))
    if kinds is None or not _is_count(typer, count, kinds[0]) or not _is_time(typer, time, kinds[1]):
        return None
    if kinds[1].name == "DATE" and unit.name in _OF_CLOCK:
        if unit.name in _OF_CLOCK[3:]:
            typer.tell(unit, "wrong_type", f"{unit.name}s cannot be added to a DATE", "cast it: CAST(x AS TIMESTAMP)")
            return None
        return SqlType("TIMESTAMP", any_nullable(kinds))
    return kinds[1].null(any_nullable(kinds))


def difference(typer: "Typer", node: Any, arguments: Sequence[Any]) -> SqlType | None:
    """TIMESTAMPDIFF(unit, from, to)."""
    if not _has_three(typer, node, arguments, "TIMESTAMPDIFF(DAY, earlier, later)"):
        return None
    kinds = typer.all(arguments[1:])
    if kinds is None:
        return None
    good = [_is_time(typer, one, kind) for one, kind in zip(arguments[1:], kinds, strict=True)]
    if not all(good):
        return None
    if {kind.name for kind in kinds} == {"DATE", "TIMESTAMP"}:
        what = "Beam counts between a DATE and a TIMESTAMP wrongly"
        typer.tell(node, "runtime_type", what, "cast the DATE: CAST(x AS TIMESTAMP)")
    return SqlType("INTEGER", any_nullable(kinds))


def _has_three(typer: "Typer", node: Any, arguments: Sequence[Any], example: str) -> bool:
    if len(arguments) == 3:
        return True
    typer.tell(node, "wrong_type", f"{len(arguments)} arguments, and it takes 3", f"write {example}")
    return False


def _is_count(typer: "Typer", node: Any, kind: SqlType) -> bool:
    if kind.name in (*NUMERIC[:4], "NULL"):
        return True
    if kind.name in TEXT:
        converted(typer, node, kind, SqlType("BIGINT"))
        return True
    typer.tell(node, "wrong_type", f"a whole number is added, and this is {kind}", "write CAST(x AS INTEGER)")
    return False


def _is_time(typer: "Typer", node: Any, kind: SqlType) -> bool:
    if kind.name in (*TIMES, "NULL"):
        return True
    fix = f"write TIMESTAMP '{node.name}'" if isinstance(node, exp.Literal) else "cast it: CAST(x AS TIMESTAMP)"
    typer.tell(node, "wrong_type", f"a DATE, TIME or TIMESTAMP is expected, and this is {kind}", fix)
    return False


def is_interval(kind: SqlType) -> bool:
    """Whether it is a length of time."""
    return kind.name in INTERVALS


RULES: dict[type, Any] = {exp.Extract: _extract}
