"""A schema with every kind of column that expressions meet, rows of it, and how an expression is run."""

import datetime
import decimal
from typing import Any

import pyarrow as pa

from blocks.core.labels import Masked
from blocks.shaping.expressions import Evaluated, Runner, parse_expression

UTC = datetime.UTC
MASK = Masked("hmac", "main", {"domain": "pii.email"}, "string")


def field(name: str, kind: pa.DataType, label: str = "", *, null: bool = True, **marks: str) -> pa.Field:
    metadata = {f"blocks.{key}": value for key, value in marks.items()} | ({"blocks.label": label} if label else {})
    return pa.field(name, kind, null, metadata or None)


ITEM = pa.struct([field("sku", pa.string(), "public"), field("price", pa.decimal128(10, 2), "secret")])
USER = pa.struct([field("country", pa.string()), field("email", pa.string(), "pii.email")])
SCHEMA = pa.schema(
    [
        field("id", pa.int64(), "public", null=False, key="true"),
        field("at", pa.timestamp("us", "UTC"), "public", event_time="true"),
        field("name", pa.string(), "pii.name"),
        field("mail", pa.string(), "pii.email", masked=MASK.to_json(), description="how to write to them"),
        field("amount", pa.decimal128(18, 2)),
        field("x", pa.float64(), "public"),
        field("n", pa.int64(), "public"),
        field("text", pa.string(), "public"),
        field("user", USER, "pii.user"),
        field("items", pa.list_(ITEM)),
        field("tags", pa.map_(pa.string(), pa.int64()), "internal"),
        field("wide", pa.decimal256(60, 2)),
        field("took", pa.duration("s")),
        field("day", pa.date32(), "public"),
    ],
    {"owner": "tests"},
)


def moment(hour: int) -> datetime.datetime:
    return datetime.datetime(2026, 1, 1, hour, tzinfo=UTC)


ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "at": moment(10),
        "name": "Ann",
        "mail": "main:aa",
        "amount": decimal.Decimal("1.50"),
        "x": 1.5,
        "n": 0,
        "text": "12",
        "user": {"country": "SE", "email": "a@x"},
        "items": [{"sku": "a", "price": decimal.Decimal("2.00")}],
        "tags": [("k", 1)],
        "wide": decimal.Decimal("7.00"),
        "took": datetime.timedelta(seconds=3),
        "day": datetime.date(2026, 1, 1),
    },
    {"id": 2},
    {"id": 3, "at": moment(11), "name": "bo", "x": float("nan"), "n": 2, "text": "x", "user": {}, "items": []},
]
BATCH = pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA)


def evaluate(text: str, batch: pa.RecordBatch = BATCH) -> Evaluated:
    """The expression over a batch; the declared type and nullability hold."""
    expression = parse_expression(text, batch.schema)
    found = Runner([expression])(batch)
    assert found.columns[0].type.equals(expression.type, check_metadata=True)
    assert len(found.columns[0]) == batch.num_rows
    assert expression.nullable or found.failed[0] is not None or not found.columns[0].null_count
    return found


def values(text: str, batch: pa.RecordBatch = BATCH) -> list[Any]:
    """The values of an expression that fails nowhere."""
    found = evaluate(text, batch)
    assert found.failed == [None]
    return found.columns[0].to_pylist()


def failing(text: str, batch: pa.RecordBatch = BATCH) -> list[int]:
    """Numbers of the rows on which an expression fails."""
    rows = evaluate(text, batch).failed[0]
    return [] if rows is None else rows.nonzero()[0].tolist()
