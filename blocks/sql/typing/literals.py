"""Literals, intervals and CAST."""

import math
import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.expressions import DataType

from blocks.sql.coercion import MAX_DIGITS, NULL, decimal
from blocks.sql.types import INTEGERS, NUMERIC, TEXT, TIMES, SqlType
from blocks.sql.typing.casting import can_cast, cast_nullability

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_T = DataType.Type
_NAMES = {
    _T.BOOLEAN: "BOOLEAN",
    _T.TINYINT: "TINYINT",
    _T.SMALLINT: "SMALLINT",
    _T.INT: "INTEGER",
    _T.BIGINT: "BIGINT",
    _T.FLOAT: "FLOAT",
    _T.DOUBLE: "DOUBLE",
    _T.DECIMAL: "DECIMAL",
    _T.CHAR: "CHAR",
    _T.VARCHAR: "VARCHAR",
    _T.BINARY: "VARBINARY",
    _T.VARBINARY: "VARBINARY",
    _T.DATE: "DATE",
    _T.TIME: "TIME",
    _T.TIMESTAMP: "TIMESTAMP",
}
_MONTHS = ("YEAR", "QUARTER", "MONTH")


def _number(node: exp.Literal) -> SqlType:
    text = node.name
    if "e" in text.lower():
        return SqlType("DOUBLE", False)
    if "." not in text:
        value = int(text)
        if value < 2**63 or (value == 2**63 and isinstance(node.parent, exp.Neg)):
            return SqlType("INTEGER" if value < 2**31 else "BIGINT", False)
        return decimal(len(text), 0)
    digits = text.replace(".", "").lstrip("0") or "0"
    scale = len(text.split(".")[1])
    return decimal(max(len(digits), scale), scale)


def _literal(typer: "Typer", node: exp.Literal) -> SqlType | None:
    if node.is_string:
        return SqlType("CHAR", False, len(node.name))
    kind = _number(node)
    if kind.name == "DOUBLE" and math.isinf(float(node.name)):
        typer.tell(node, "wrong_type", "this number is too large", "a DOUBLE goes up to 1.7e308")
        return None
    if kind.name == "DECIMAL" and len(node.name.replace(".", "").lstrip("0")) > MAX_DIGITS:
        typer.tell(node, "wrong_type", f"a number has at most {MAX_DIGITS} digits", "write it with an exponent: 1e40")
        return None
    return kind


def _interval(typer: "Typer", node: exp.Interval) -> SqlType | None:
    unit = node.args["unit"]
    first = (unit.this if isinstance(unit, exp.IntervalSpan) else unit).name.split("(")[0]
    name = "INTERVAL_MONTH" if first in _MONTHS else "INTERVAL_DAY"
    value = node.this
    if isinstance(value, exp.Literal):
        spans = isinstance(unit, exp.IntervalSpan)
        if value.is_string and not spans and not _is_quantity(value.name, first):
            what = f"'{value.name}' is no number of {first}s"
            typer.tell(value, "wrong_type", what, f"write INTERVAL '1' {first}")
            return None
        return SqlType(name, False)
    kind = typer.of(value)
    if kind is None:
        return None
    if kind.name not in (*NUMERIC, "NULL"):
        typer.tell(value, "wrong_type", f"INTERVAL takes a number, and this is {kind}")
        return None
    return SqlType(name, kind.nullable)


def _is_quantity(text: str, unit: str) -> bool:
    pattern = r"[+-]?\d+(\.\d+)?" if unit == "SECOND" else r"[+-]?\d+"
    return re.fullmatch(pattern, text.strip()) is not None


def sql_type(to: DataType) -> SqlType | None:
    """The type of a type's name; None for those that no column has."""
    sizes = [int(size.name) for size in to.expressions if isinstance(size, exp.DataTypeParam)]
    match to.this:
        case _T.ARRAY:
            element = sql_type(to.expressions[0])
            return None if element is None else SqlType("ARRAY", inner=(element,))
        case _T.MAP:
            pair = [sql_type(one) for one in to.expressions]
            if len(pair) != 2 or pair[0] is None or pair[1] is None:
                return None
            return SqlType("MAP", inner=(pair[0].null(False), pair[1]))
        case _T.STRUCT:
            kinds = [(field.name, sql_type(field.args["kind"])) for field in to.expressions]
            if any(kind is None for _, kind in kinds):
                return None
            inner = tuple(kind for _, kind in kinds if kind is not None)
            return SqlType("ROW", inner=inner, names=tuple(name for name, _ in kinds))
    name = _NAMES.get(to.this)
    if name is None:
        return None
    if name == "DECIMAL":
        return SqlType(name, True, sizes[0] if sizes else None, sizes[1] if len(sizes) > 1 else 0)
    if name in (*TEXT, "VARBINARY"):
        return SqlType(name, True, sizes[0] if sizes else 1 if name == "CHAR" else None)
    return SqlType(name)


def _cast(typer: "Typer", node: exp.Cast) -> SqlType | None:
    target = sql_type(node.to)
    if node.meta.get("literal"):
        return _time_literal(typer, node)
    source = typer.of(node.this)
    if target is None:
        fix = (
            "write one of BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, FLOAT, DOUBLE, DECIMAL, VARCHAR, DATE, TIMESTAMP"
        )
        code = "not_taken" if node.to.this == _T.TIMESTAMPLTZ else "unsupported"
        typer.tell(node.to, code, f"no column of Beam SQL has the type {node.to.sql()}", fix)
        return None
    if source is None:
        return None
    if not can_cast(source, target):
        typer.tell(node, "wrong_type", f"{source} cannot be cast to {target}", _way_to(source, target))
        return None
    if not _can_run(typer, node, source, target):
        return None
    check_literal(typer, node.this, target)
    return cast_nullability(source, target)


def _way_to(source: SqlType, target: SqlType) -> str:
    if source.name == "BOOLEAN" and target.name in NUMERIC:
        return "write CASE WHEN x THEN 1 ELSE 0 END"
    if source.name in ("ARRAY", "MAP", "ROW") and target.name in TEXT:
        return "take an element or a field of it"
    if source.name in ("DATE", "TIME") and target.name in NUMERIC:
        return "take a part of it: EXTRACT(YEAR FROM x)"
    if source.name in NUMERIC and target.name == "DATE":
        return "write TIMESTAMPADD(DAY, x, DATE '1970-01-01')"
    return ""


def _can_run(typer: "Typer", node: exp.Cast, source: SqlType, target: SqlType) -> bool:
    """Whether Beam can write the Java of a CAST that its planner takes."""
    if target.name == "BOOLEAN" and (_is_computed(node.this, source)):
        typer.tell(node, "unsupported", f"Beam cannot cast {source} to BOOLEAN", "write x <> 0")
        return False
    sized = any(isinstance(size, exp.DataTypeParam) for size in node.to.expressions)
    if target.name == "VARBINARY" and not isinstance(node.this, (exp.Literal, exp.HexString, exp.Null)):
        if source.name in TEXT:
            fix = "use FROM_HEX for hexadecimal digits, or a function such as SHA256 that takes texts"
            typer.tell(node, "unsupported", "Beam cannot cast a text to VARBINARY", fix)
            return False
        if sized or node.to.this == _T.BINARY:
            typer.tell(node, "unsupported", "Beam cannot cast VARBINARY to a length", "leave the CAST out")
            return False
    return True


def _is_computed(node: Any, source: SqlType) -> bool:
    """Whether it is a FLOAT or DOUBLE of a column, or a literal with a point: Java has no such cast to boolean."""
    if isinstance(node, exp.Literal):
        return not node.is_string and "." in node.name
    return source.name in ("FLOAT", "DOUBLE")


def _time_literal(typer: "Typer", node: exp.Cast) -> SqlType | None:
    target = SqlType(_NAMES[node.to.this], False)
    if is_value(node.this.name, target, strict=True):
        return target
    typer.tell(node, "wrong_type", f"this is no {target}", f"write {_SHAPES[target.name]}")
    return None


_SHAPES = {
    "DATE": "DATE '2026-01-31'",
    "TIME": "TIME '12:30:00'",
    "TIMESTAMP": "TIMESTAMP '2026-01-31 12:30:00'",
}
_TRUTH = ("TRUE", "FALSE", "UNKNOWN", "T", "F", "YES", "NO", "Y", "N", "1", "0")


def check_literal(typer: "Typer", node: Any, target: SqlType) -> None:
    """Tells a text that is cast to a type of which it is no value: it fails on the first row."""
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Literal) or not node.is_string or is_value(node.name, target):
        return
    fix = f"write {_SHAPES[target.name]}" if target.name in _SHAPES else f"write a value of {target}"
    typer.tell(node, "runtime_type", f"this text is no {target}: the query fails on its first row", fix)


def is_value(text: str, target: SqlType, strict: bool = False) -> bool:
    """Whether a text reads as a value of a type; `strict` as a literal of SQL has it."""
    text = text if strict else text.strip()
    match target.name:
        case name if name in INTEGERS:
            return re.fullmatch(r"[+-]?\d+", text) is not None
        case name if name in NUMERIC:
            try:
                Decimal(text)
            except InvalidOperation:
                return False
            return True
        case "BOOLEAN":
            return text.upper() in _TRUTH
        case name if name in TIMES:
            return _is_time(text, name, strict)
    return True


def _is_time(text: str, name: str, strict: bool) -> bool:
    day, clock = r"\d{1,4}-\d{1,2}-\d{1,2}", r"\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?"
    loose_clock = clock if strict else r"\d{1,2}(:\d{1,2}(:\d{1,2}(\.\d+)?)?)?"
    both = f"{day}( {clock})?" if strict else f"{day}( {loose_clock})?"
    if re.fullmatch({"DATE": day, "TIME": loose_clock, "TIMESTAMP": both}[name], text) is None:
        return False
    numbers = [int(part) for part in re.findall(r"\d+", text.split(".")[0])]
    try:
        match name:
            case "DATE":
                date(*numbers[:3])
            case "TIME":
                _clock(numbers)
            case _:
                date(*numbers[:3])
                _clock(numbers[3:])
    except ValueError:
        return False
    return True


def _clock(numbers: Sequence[int]) -> time:
    hour, minute, second = (*numbers[:3], 0, 0, 0)[:3]
    return time(hour, minute, second)


def _constant(kind: SqlType) -> Any:
    return lambda _typer, _node: kind


RULES: dict[type, Any] = {
    exp.Literal: _literal,
    exp.Boolean: _constant(SqlType("BOOLEAN", False)),
    exp.Null: _constant(NULL),
    exp.HexString: lambda _typer, node: SqlType("VARBINARY", False, len(node.name) // 2),
    exp.Interval: _interval,
    exp.Cast: _cast,
}
