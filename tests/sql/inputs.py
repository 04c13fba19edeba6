"""Inputs for tests of queries: orders and users, with every kind of column."""

from collections.abc import Iterable

import pyarrow as pa

from blocks.sql.analysis import Table

ORDERS = pa.schema(
    [
        pa.field("order_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.string()),
        pa.field("email", pa.string()),
        pa.field("amount", pa.float64()),
        pa.field("price", pa.decimal128(18, 2)),
        pa.field("quantity", pa.int32()),
        pa.field("paid", pa.bool_()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("marks", pa.list_(pa.string())),
        pa.field("tags", pa.map_(pa.string(), pa.int64())),
        pa.field("items", pa.list_(pa.struct([("sku", pa.string()), ("count", pa.int32())]))),
        pa.field("big", pa.uint64()),
    ]
)
USERS = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("age", pa.int32()),
        pa.field("address", pa.struct([("city", pa.string()), ("zip", pa.string())])),
    ]
)


def inputs(unbounded: Iterable[str] = ()) -> dict[str, Table]:
    """Both inputs; those named are unbounded, and the other one then is bounded."""
    endless = set(unbounded)
    return {
        name: Table(name, schema, (name not in endless) if endless else None)
        for name, schema in (("orders", ORDERS), ("users", USERS))
    }
