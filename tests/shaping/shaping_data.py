"""Batches that shaping blocks are tried on, and how a block is run over them without Beam."""

import datetime
import itertools
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from blocks.core import labels

UTC = datetime.UTC
MASK = labels.Masked("hmac", "main", {"domain": "pii.email"}, "string").to_json()

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), metadata={"blocks.label": "public", "blocks.key": "true"}),
        pa.field("at", pa.timestamp("us", tz="UTC"), metadata={"blocks.event_time": "true"}),
        pa.field("email", pa.string(), metadata={"blocks.label": "pii.email", "blocks.masked": MASK}),
        pa.field(
            "user",
            pa.struct([pa.field("country", pa.string(), metadata={"blocks.label": "public"}), ("age", pa.int32())]),
            metadata={"blocks.label": "pii.person"},
        ),
        pa.field("items", pa.list_(pa.struct([("sku", pa.string())]))),
    ],
    {"blocks.split": '{"from":0.0,"key":["id"],"name":"train","salt":"","to":0.5}', "owner": "tests"},
)


def moment(second: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, UTC)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "at": moment(number),
            "email": None if number % 3 == 0 else f"main:{number:04x}",
            "user": None if number % 4 == 0 else {"country": "SE", "age": number},
            "items": [{"sku": "a"}] * (number % 3),
        }
        for number in range(count)
    ]


def batch(count: int = 10) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows(count), schema=SCHEMA)


def variants(whole: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
    """The batch empty, sliced and all null."""
    nulls = [pa.nulls(4, field.type) for field in whole.schema]
    return {
        "empty": whole.slice(0, 0),
        "sliced": whole.slice(3, 4),
        "null": pa.RecordBatch.from_arrays(nulls, schema=whole.schema),
    }


def cuts(length: int) -> st.SearchStrategy[list[int]]:
    """Places at which to cut a batch of some length."""
    return st.lists(st.integers(0, length), max_size=4).map(lambda found: sorted({0, length, *found}))


def cut(whole: pa.RecordBatch, places: list[int]) -> list[pa.RecordBatch]:
    return [whole.slice(start, stop - start) for start, stop in itertools.pairwise(places)]
