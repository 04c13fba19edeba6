"""A few rows of a schema, to be read by people."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels

_COUNT = 4
_START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_WORDS = ("ash", "birch", "cedar", "elm")


def few_rows(schema: pa.Schema, values: Mapping[str, Sequence[Any]]) -> pa.RecordBatch:
    """Four rows; the last one is null in columns that may be and for which no values are given.

    Args:
      schema: of the rows.
      values: column to the values that it takes, over and over.
    """
    rows = [{field.name: _value(field, number, values.get(field.name)) for field in schema} for number in range(_COUNT)]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def rows_of_json(text: str, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of JSON lines that are known to fit a schema."""
    rows = [json.loads(line) for line in text.splitlines()]
    fitted = [{field.name: _fitted(row.get(field.name), field.type) for field in schema} for row in rows]
    return pa.RecordBatch.from_pylist(fitted, schema=schema)


def with_values(rows: pa.RecordBatch, values: Mapping[str, Sequence[Any]]) -> pa.RecordBatch:
    """The rows, with the columns for which values are given taking them over and over."""
    known = [name for name in values if name in rows.schema.names]
    changed = [
        row | {name: _fitted(values[name][number % len(values[name])], rows.schema.field(name).type) for name in known}
        for number, row in enumerate(rows.to_pylist())
    ]
    return pa.RecordBatch.from_pylist(changed, schema=rows.schema)


def with_bad(rows: pa.RecordBatch, bad: Mapping[str, Sequence[Any]]) -> pa.RecordBatch:
    """The rows, and after them the first one once more with the first bad value of each column that has some."""
    if not bad:
        return rows
    wrong = rows.slice(0, 1).to_pylist()[0] | {
        name: _fitted(values[0], rows.schema.field(name).type) for name, values in bad.items()
    }
    return pa.RecordBatch.from_pylist([*rows.to_pylist(), wrong], schema=rows.schema)


def _value(field: pa.Field, number: int, values: Sequence[Any] | None) -> Any:
    if values:
        return _fitted(values[number % len(values)], field.type)
    if field.nullable and number == _COUNT - 1:
        return None
    made = _made(field.type, number)
    return f"{made}@example.com" if isinstance(made, str) and "mail" in field.name else made


def _made(kind: pa.DataType, number: int) -> Any:
    if pat.is_struct(kind):
        return {child.name: _made(child.type, number) for child in kind}
    if pat.is_map(kind):
        return [(_made(kind.key_type, number), _made(kind.item_type, number))]
    if labels.is_list(kind):
        return [_made(kind.value_type, at) for at in range(number)]
    moment = _START + number * timedelta(minutes=20)
    for holds, value in (
        (pat.is_boolean, number % 2 == 0),
        (pat.is_integer, number + 1),
        (pat.is_floating, number + 0.5),
        (pat.is_decimal, Decimal(number + 1)),
        (pat.is_timestamp, moment if getattr(kind, "tz", None) else moment.replace(tzinfo=None)),
        (pat.is_date, moment.date() + timedelta(days=number)),
        (pat.is_time, moment.time()),
        (pat.is_duration, timedelta(minutes=number)),
    ):
        if holds(kind):
            return value
    word = _WORDS[number % len(_WORDS)]
    return word.encode() if _is_binary(kind) else word


def _fitted(value: Any, kind: pa.DataType) -> Any:
    """A value out of YAML or JSON, as Arrow takes it."""
    if value is None:
        return None
    if pat.is_struct(kind):
        return {child.name: _fitted(value.get(child.name), child.type) for child in kind}
    if labels.is_list(kind):
        return [_fitted(one, kind.value_type) for one in value]
    if pat.is_decimal(kind):
        return Decimal(str(value))
    if isinstance(value, str):
        if pat.is_timestamp(kind):
            return datetime.fromisoformat(value)
        if pat.is_date(kind):
            return date.fromisoformat(value)
        if pat.is_time(kind):
            return time.fromisoformat(value)
        if _is_binary(kind):
            return value.encode()
    return value


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pat.is_binary(kind) or pat.is_large_binary(kind))
