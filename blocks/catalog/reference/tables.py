"""Rows of Arrow as Markdown."""

import json
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from blocks.catalog.reference.examples import WINDOW
from blocks.catalog.reference.markdown import table
from blocks.core import labels
from blocks.core.schema import describe

_MOST = 12
# A digest is known by its beginning; a sentence is read to its end.
_LONGEST_WORD, _LONGEST = 32, 120
# Text that Markdown shows as it is.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,:;@+/()=-]*")


def rows_table(rows: pa.Table) -> str:
    """The rows, or how many more there are than are shown."""
    if not rows.schema.names:
        return "no rows"
    columns = [[_cell(_value(one)) for one in column.slice(0, _MOST)] for column in rows.columns]
    shown = list(zip(*columns, strict=True))
    text = table(rows.schema.names, shown)
    return text + (f"\n\nand {rows.num_rows - _MOST:,} more" if rows.num_rows > _MOST else "")


def meaning(rows: pa.Table) -> str:
    """The description of the schema, if any column has a label; else nothing."""
    schema = pa.schema([field for field in rows.schema if field.name != WINDOW])
    return str(describe(schema)) if any(leaf.labels for leaf in labels.leaves(schema)) else ""


def rejects_table(rejects: pa.Table) -> str:
    """What people look at first in rejects, in the order of the source."""
    columns = ["code", "message", "field_path", "position", "record"]
    return rows_table(rejects.select(columns).sort_by([("position", "ascending"), ("code", "ascending")]))


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py(maps_as_pydicts="strict")
    except (ValueError, OverflowError):
        # A time that Python's calendar does not have.
        return str(scalar.cast(pa.string()))


def _cell(value: Any) -> str:
    if value is None:
        return "*null*"
    if isinstance(value, dict | list):
        return f"`{_short(json.dumps(_plain(value), ensure_ascii=False))}`"
    text = _text(value)
    if text == "":
        return '`""`'
    if isinstance(value, date):
        # As code it is not broken at its hyphens.
        return f"`{text}`"
    return text if _PLAIN.fullmatch(text) and len(text) <= _LONGEST_WORD else f"`{_short(text)}`"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float | None) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="auto").replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _short(text: str) -> str:
    # In code nothing has to be escaped but the backtick.
    text = text.replace("`", "'").replace("\n", " ")
    longest = _LONGEST if " " in text else _LONGEST_WORD
    return text if len(text) <= longest else text[: longest - 1] + "…"
