"""Dates, times and intervals as Calcite has them: UTC, weeks that begin on Sunday, parts as whole numbers."""

import re
from datetime import date, datetime
from typing import Any

from blocks.sql.lowering.converting import as_type
from blocks.sql.lowering.piece import NotLoweredError, Piece, made, text_literal
from blocks.sql.types import INTEGERS, SqlType

_DAYS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOY", "DOW", "ISODOW", "ISOYEAR", "CENTURY", "MILLENNIUM")
_CLOCK = ("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")
_NAMES = {"DAYOFWEEK": "DOW", "DAYOFYEAR": "DOY"}
# Milliseconds of a unit of a fixed length.
_LENGTHS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_OF_CALENDAR = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY")


def extracted(unit: str, piece: Piece, kind: SqlType, node: Any) -> Piece:
    """EXTRACT(unit FROM x).

    Raises:
      NotLoweredError: a unit that is not known to be equal.
    """
    unit, have = _NAMES.get(unit, unit), piece.type.name
    takes = {"TIMESTAMP": (*_DAYS, *_CLOCK, "EPOCH"), "DATE": (*_DAYS, "EPOCH"), "TIME": _CLOCK}.get(have, ())
    if unit not in takes:
        raise NotLoweredError(f"EXTRACT({unit} FROM {have}) has no equal form", node)
    if unit == "EPOCH":
        # Towards zero, as whole numbers are divided in Java.
        sql = f"(epoch_ms(CAST({piece.sql} AS TIMESTAMP)) // 1000)"
    else:
        part = f"date_part('{unit.lower()}', {piece.sql})"
        # Sunday is 1 in Calcite and 0 in DuckDB.
        sql = f"({part} + 1)" if unit == "DOW" else part
    return made(f"CAST({sql} AS BIGINT)", kind.null(piece.type.nullable), piece)


def floored(piece: Piece, unit: str, node: Any) -> Piece:
    """FLOOR(x TO unit)."""
    have = piece.type.name
    units = {"TIMESTAMP": (*_OF_CALENDAR, "HOUR", "MINUTE", "SECOND"), "DATE": _OF_CALENDAR}.get(have, ())
    if unit not in units:
        raise NotLoweredError(f"FLOOR({have} TO {unit}) has no equal form", node)
    if unit == "WEEK":
        day = f"date_trunc('day', {piece.sql})"
        sql = f"({day} - to_days(CAST(date_part('dow', {piece.sql}) AS INTEGER)))"
    else:
        sql = f"date_trunc('{unit.lower()}', {piece.sql})"
    return made(f"CAST({sql} AS {have})", piece.type, piece)


def shifted(piece: Piece, months: int, milliseconds: int, node: Any) -> Piece:
    """A time plus an interval of literals."""
    have = piece.type.name
    if have not in ("DATE", "TIMESTAMP") or (have == "DATE" and milliseconds % _LENGTHS["DAY"]):
        raise NotLoweredError(f"{have} plus this interval has no equal form", node)
    parts = []
    if months:
        parts.append(f"to_months({months})")
    if milliseconds:
        parts.append(f"to_milliseconds({milliseconds})")
    sql = " + ".join([piece.sql, *parts])
    return made(f"CAST(({sql}) AS {have})", piece.type, piece, fails=True)


def added(unit: str, count: Piece, piece: Piece, node: Any) -> Piece:
    """TIMESTAMPADD(unit, count, x)."""
    have = piece.type.name
    takes = {"TIMESTAMP": (*_OF_CALENDAR, "HOUR", "MINUTE", "SECOND"), "DATE": _OF_CALENDAR}.get(have, ())
    if unit not in takes or count.type.name not in INTEGERS or count.type.name == "BIGINT":
        raise NotLoweredError(f"TIMESTAMPADD({unit}, {count.type.name}, {have}) has no equal form", node)
    number = as_type(count, SqlType("INTEGER", count.type.nullable), node) if count.type.name != "INTEGER" else count
    kind = piece.type.null(piece.type.nullable or count.type.nullable)
    return made(f"CAST(({piece.sql} + {number.sql} * INTERVAL 1 {unit}) AS {have})", kind, piece, number, fails=True)


def between(unit: str, start: Piece, end: Piece, kind: SqlType, node: Any) -> Piece:
    """TIMESTAMPDIFF(unit, start, end): whole units, towards zero."""
    length = _LENGTHS.get(unit)
    names = {start.type.name, end.type.name}
    if length is None or not names <= {"DATE", "TIMESTAMP"} or (unit != "DAY" and "DATE" in names):
        raise NotLoweredError(f"TIMESTAMPDIFF({unit}) of {' and '.join(sorted(names))} has no equal form", node)
    first, last = (f"epoch_ms(CAST({piece.sql} AS TIMESTAMP))" for piece in (start, end))
    nullable = start.type.nullable or end.type.nullable
    # Java takes the lowest 32 bits only after it looked whether they are all.
    return made(f"CAST((({last} - {first}) // {length}) AS {kind.name})", kind.null(nullable), start, end, fails=True)


_TEXT = re.compile(r"\s*([+-]?)(\d+)(?:\.(\d{1,3}))?\s*")
_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}
_LENGTHS_OF_INTERVAL = {**_LENGTHS, "WEEK": 7 * _LENGTHS["DAY"]}


def interval(node: Any) -> tuple[int, int]:
    """Months and milliseconds of an interval of one unit.

    Raises:
      NotLoweredError: another one.
    """
    unit = getattr(node.args.get("unit"), "name", "")
    value = node.this
    found = _TEXT.fullmatch(value.name) if value is not None and value.key == "literal" else None
    if found is None or (found[3] and unit != "SECOND"):
        raise NotLoweredError("an interval of several units, or one that is computed, has no equal form", node)
    sign = -1 if found[1] == "-" else 1
    count = sign * int(found[2])
    if unit in _MONTHS:
        return count * _MONTHS[unit], 0
    if unit not in _LENGTHS_OF_INTERVAL:
        raise NotLoweredError(f"an interval of {unit or 'several units'} has no equal form", node)
    part = sign * int((found[3] or "0").ljust(3, "0"))
    return 0, count * _LENGTHS_OF_INTERVAL[unit] + part


def literal(kind: SqlType, text: str, node: Any) -> Piece:
    """DATE '...', TIME '...' and TIMESTAMP '...'.

    Raises:
      NotLoweredError: it is none, which the check says too.
    """
    try:
        if kind.name == "DATE":
            shown = date.fromisoformat(text.strip()).isoformat()
        elif kind.name == "TIMESTAMP":
            shown = datetime.fromisoformat(text.strip()).isoformat(" ", "milliseconds")
        elif re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d", text):
            shown = text
        else:
            raise ValueError
    except ValueError:
        raise NotLoweredError(f"this {kind.name} literal has no equal form", node) from None
    return Piece(f"{kind.name} {text_literal(shown)}", kind.null(nullable=False))
