"""Rows for any schema: the same ones for the same seed, made so that what a block may trip over is among them.

Values come from small pools, so that keys collide and groups have several rows; nulls stand where a field may be null;
texts are empty, long and beyond ASCII; event times lie within six hours, out of order, with ties and on full hours.

    batch = batch_for(schema, 200, seed=1)
    for batch in batches_for(schema, 200, size=7): ...
"""

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import SchemaError

# Event times lie in [START, START + SPAN), other times within three days before START.
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SPAN = dt.timedelta(hours=6)
_NULLS = 0.1
_WORDS = ("", "paid", "open", "Paid", "öffen", "zurück an Absender", "日本", "a b  c", "x" * 60, "0", "-1", "N/A")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_BITS = {1: 2**7, 2: 2**15, 4: 2**31, 8: 2**63}

Make = Callable[[random.Random], Any]
Hints = Mapping[str, Sequence[Any]]


def rows_for(schema: pa.Schema, rows: int, seed: int = 0, *, values: Hints | None = None) -> list[dict[str, Any]]:
    """Rows as Python values, of which `batch_for` is the Arrow form.

    Args:
      schema: any Arrow schema without unions, run-end encoding, intervals of months and extension types.
      rows: how many.
      seed: another seed, other rows.
      values: path of a leaf (`status`, `address.country`, `items[].sku`) to the values that it is drawn from, nulls
        among them if they are to be there; decimals and times may be given as text.

    Raises:
      SchemaError: a type that no values are made for, or a path of `values` that is not there.
    """
    return batch_for(schema, rows, seed, values=values).to_pylist()


def batch_for(schema: pa.Schema, rows: int, seed: int = 0, *, values: Hints | None = None) -> pa.RecordBatch:
    """One batch of rows; arguments and errors as of `rows_for`.

    A column's values depend on its name, type and the seed only: another column more or less leaves them as they are.
    """
    hints = dict(values or {})
    event_time = labels.event_time_of(schema)
    columns = []
    for field in schema:
        make = _field(field, field.name, hints, is_event_time=field.name == event_time, rows=rows)
        numbers = random.Random(f"{seed}:{field.name}")  # noqa: S311 - made data, no secret
        columns.append(_array([make(numbers) for _ in range(rows)], field.type))
    if hints:
        raise SchemaError(
            f"no field {', '.join(f'`{path}`' for path in hints)}",
            where="values",
            fix=f"paths of leaves are {', '.join(leaf.path for leaf in labels.leaves(schema))}",
        )
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def batches_for(
    schema: pa.Schema, rows: int, seed: int = 0, *, size: int = 64, values: Hints | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of `batch_for` in batches of `size` rows, the last of what is left."""
    whole = batch_for(schema, rows, seed, values=values)
    return (whole.slice(start, size) for start in range(0, rows, size))


def _array(values: list[Any], data_type: pa.DataType) -> pa.Array:
    if pat.is_dictionary(data_type):
        return pa.array(values, data_type.value_type).dictionary_encode().cast(data_type)
    return pa.array(values, data_type)


def _field(field: pa.Field, path: str, hints: dict[str, Sequence[Any]], *, is_event_time: bool, rows: int) -> Make:
    """What draws a value of a field, or null where it may be null."""
    if path in hints:
        given = [_given(value, field.type) for value in hints.pop(path)]
        return lambda numbers: numbers.choice(given)
    children = labels.children(field.type)
    below = [_field(child, path + end, hints, is_event_time=False, rows=rows) for end, child in children]
    make = _nested(field.type, below) if below else _leaf(field, path, is_event_time, rows)
    # An event time that may be null is not: what a null one means is for the blocks that look at it.
    if not field.nullable or is_event_time:
        return make
    return lambda numbers: None if numbers.random() < _NULLS else make(numbers)


def _nested(data_type: pa.DataType, below: list[Make]) -> Make:
    if pat.is_struct(data_type):
        names = [child.name for child in data_type]
        return lambda numbers: {name: make(numbers) for name, make in zip(names, below, strict=True)}
    if pat.is_map(data_type):
        key, item = below
        # A map holds a key once.
        return lambda numbers: list({key(numbers): item(numbers) for _ in range(numbers.randrange(4))}.items())
    (item,) = below
    if pat.is_fixed_size_list(data_type):
        return lambda numbers: [item(numbers) for _ in range(data_type.list_size)]
    return lambda numbers: [item(numbers) for _ in range(numbers.choice((0, 1, 1, 2, 3)))]


def _leaf(field: pa.Field, path: str, is_event_time: bool, rows: int) -> Make:
    data_type = field.type.value_type if pat.is_dictionary(field.type) else field.type
    if pat.is_timestamp(data_type):
        return _moment(data_type.unit, START if is_event_time else START - dt.timedelta(days=3), is_event_time)
    if labels.is_key(field):
        # Mostly different, and some twice.
        return _key(data_type, path, max(rows * 3 // 4, 1))
    pool = _pool(data_type, path)
    if pool is None:
        raise SchemaError(
            f"no values are made for {data_type}", where=f"field `{path}`", fix="cast the column, or leave it out"
        )
    return lambda numbers: numbers.choice(pool)


def _moment(unit: str, start: dt.datetime, is_event_time: bool) -> Make:
    per_second = _PER_SECOND[unit]
    first = int(start.timestamp()) * per_second
    minutes = int((SPAN if is_event_time else dt.timedelta(days=3)).total_seconds()) // 60

    def make(numbers: random.Random) -> int:
        # Every other one on a full minute, so that times are equal and some are the first of a window.
        rest = numbers.choice((0, numbers.randrange(60 * per_second)))
        return first + numbers.randrange(minutes) * 60 * per_second + rest

    return make


def _key(data_type: pa.DataType, path: str, most: int) -> Make:
    if pat.is_integer(data_type):
        top = _BITS[data_type.bit_width // 8] - 1
        return lambda numbers: numbers.randrange(most) % top
    if _is_text(data_type):
        stem = path.rpartition(".")[2].removesuffix("_id")
        return lambda numbers: f"{stem}-{numbers.randrange(most):05d}"
    pool = _pool(data_type, path)
    assert pool is not None
    return lambda numbers: numbers.choice(pool)


def _pool(data_type: pa.DataType, path: str) -> list[Any] | None:
    """The values that a leaf is drawn from; None for a type that none are made for."""
    if pat.is_null(data_type):
        return [None]
    if pat.is_boolean(data_type):
        return [True, False]
    if pat.is_integer(data_type):
        top = _BITS[data_type.bit_width // 8]
        signed = pat.is_signed_integer(data_type)
        return [0, 1, 2, 3, 7, 40, 100, *((-1, -5, 1 - top, top - 1) if signed else (2 * top - 1,))]
    if pat.is_floating(data_type):
        return [0.0, 1.0, -1.0, 0.5, 2.25, -100.75, 1024.0]
    if pat.is_decimal(data_type):
        most = 10 ** (data_type.precision - 1) - 1
        numbers = [0, 5, 150, -300, 1250, 99_999, most, -most]
        return [Decimal(number if abs(number) <= most else 1).scaleb(-data_type.scale) for number in numbers]
    if _is_text(data_type):
        return _texts(path)
    if pat.is_date(data_type):
        return [START.date() - dt.timedelta(days=day) for day in range(5)]
    if pat.is_time(data_type):
        return [dt.time(hour, 30) for hour in (0, 6, 12, 23)]
    if pat.is_duration(data_type):
        return [dt.timedelta(minutes=minutes) for minutes in (0, 1, -1, 90)]
    return _bytes(data_type)


def _bytes(data_type: pa.DataType) -> list[Any] | None:
    if pat.is_fixed_size_binary(data_type):
        return [bytes([number]) * data_type.byte_width for number in (0, 1, 97, 255)]
    if pat.is_binary(data_type) or pat.is_large_binary(data_type) or pat.is_binary_view(data_type):
        return [b"", b"\x00", b"abc", b"\xff\xfe", b"x" * 40]
    return None


def _texts(path: str) -> list[str]:
    name = path.rstrip("[]{}key").rpartition(".")[2]
    if "email" in name:
        return [f"{person}@example.com" for person in ("ann", "Bo.Li", "zoë", "d+e")]
    if name.endswith("_id") or name in ("id", "sku"):
        return [f"{name.removesuffix('_id')}-{number}" for number in range(9)]
    if "country" in name:
        return ["DE", "FR", "NO", "JP"]
    return list(_WORDS)


def _is_text(data_type: pa.DataType) -> bool:
    return bool(pat.is_string(data_type) or pat.is_large_string(data_type) or pat.is_string_view(data_type))


def _given(value: Any, data_type: pa.DataType) -> Any:
    """A value out of YAML as one that Arrow takes."""
    if value is None:
        return None
    if pat.is_decimal(data_type):
        return Decimal(str(value))
    if pat.is_timestamp(data_type) and isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if pat.is_timestamp(data_type) and isinstance(value, dt.datetime) and value.tzinfo is None and data_type.tz:
        return value.replace(tzinfo=dt.UTC)
    if pat.is_date(data_type) and isinstance(value, str):
        return dt.date.fromisoformat(value)
    if isinstance(value, str) and not _is_text(data_type) and _bytes(data_type) is not None:
        return value.encode()
    return value
