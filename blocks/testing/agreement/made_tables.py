"""Tables with made names and types, the same for the same seed; nothing but schemas, there are no rows."""

import random

import pyarrow as pa

# Names that data people give, some of them words of SQL.
_NAMES = (
    "id", "user_id", "amount", "price", "status", "country", "name", "score", "flag", "active", "created_at", "day_of",
    "note", "total", "kind", "value", "date", "order", "count", "größe", "two words", "Mixed", "x", "y", "z", "lat",
)  # fmt: skip
_SCALARS: tuple[tuple[pa.DataType, int], ...] = (
    (pa.int64(), 5),
    (pa.int32(), 5),
    (pa.int16(), 1),
    (pa.int8(), 1),
    (pa.string(), 7),
    (pa.float64(), 4),
    (pa.float32(), 1),
    (pa.decimal128(18, 2), 3),
    (pa.bool_(), 3),
    (pa.timestamp("us", tz="UTC"), 4),
    (pa.date32(), 2),
    (pa.time64("us"), 1),
    (pa.binary(), 1),
)
_PLAIN = tuple(name for name in _NAMES if name not in ("value", "date", "order", "count", "two words"))
KEYS = (pa.int64(), pa.string())


def tables_for(numbers: random.Random) -> dict[str, pa.Schema]:
    """One to three tables: each has a key `k` of one type in all, a time `at`, and other columns."""
    key = numbers.choice(KEYS)
    names = ["PCOLLECTION"] if numbers.random() < 0.3 else ["t", "u", "v"][: numbers.randint(2, 3)]
    return {name: _table(numbers, key) for name in names}


def _table(numbers: random.Random, key: pa.DataType) -> pa.Schema:
    names = numbers.sample(_NAMES, numbers.randint(4, 9))
    fields = [pa.field("k", key, numbers.random() < 0.5)]
    fields.append(pa.field("at", pa.timestamp("us", tz="UTC"), numbers.random() < 0.2))
    fields.extend(pa.field(name, _type(numbers), numbers.random() < 0.6) for name in names)
    return pa.schema(fields)


def _scalar(numbers: random.Random) -> pa.DataType:
    types, weights = zip(*_SCALARS, strict=True)
    return numbers.choices(types, weights)[0]


def _type(numbers: random.Random) -> pa.DataType:
    drawn = numbers.random()
    if drawn < 0.86:
        return _scalar(numbers)
    if drawn < 0.92:
        inner = _row(numbers) if numbers.random() < 0.3 else _scalar(numbers)
        return pa.list_(pa.field("item", inner, nullable=False))
    if drawn < 0.94:
        return pa.map_(pa.string(), pa.field("value", _scalar(numbers), nullable=False))
    return _row(numbers)


def _row(numbers: random.Random) -> pa.DataType:
    names = numbers.sample(_PLAIN, numbers.randint(1, 3))
    return pa.struct([pa.field(name, _scalar(numbers), numbers.random() < 0.6) for name in names])
