import datetime as dt
import json

import pyarrow as pa
import pytest

from blocks.core.errors import SchemaError
from blocks.writing.table_schema import (
    conform,
    described,
    file_schema,
    iceberg_schema,
    meaning,
    storable,
    with_meaning,
)


def test_small_and_large_types_become_those_of_iceberg():
    schema = pa.schema(
        [
            ("a", pa.uint16()),
            ("b", pa.uint32()),
            ("c", pa.large_string()),
            ("d", pa.timestamp("ms", tz="Europe/Berlin")),
            ("e", pa.date64()),
            ("f", pa.decimal256(20, 2)),
            ("g", pa.large_list(pa.struct([("x", pa.int8())]))),
            ("h", pa.map_(pa.large_string(), pa.time32("s"))),
            ("i", pa.float16()),
        ]
    )
    assert storable(schema, "test").types == [
        pa.int32(),
        pa.int64(),
        pa.string(),
        pa.timestamp("us", tz="UTC"),
        pa.date32(),
        pa.decimal128(20, 2),
        pa.list_(pa.field("item", pa.struct([("x", pa.int32())]))),
        pa.map_(pa.string(), pa.time64("us")),
        pa.float32(),
    ]


def test_every_column_that_iceberg_cannot_hold_is_told_at_once():
    schema = pa.schema(
        [
            ("a", pa.uint64()),
            ("b", pa.null()),
            ("c", pa.list_(pa.struct([("t", pa.timestamp("ns"))]))),
            ("d", pa.duration("s")),
            ("e", pa.decimal256(50, 2)),
            ("f", pa.struct([])),
            ("fine", pa.int64()),
        ]
    )
    with pytest.raises(SchemaError) as error:
        storable(schema, "WriteWarehouse")
    assert [problem.where for problem in error.value.problems] == [
        "field `a`",
        "field `b`",
        "field `c[].t`",
        "field `d`",
        "field `e`",
        "field `f`",
    ]


def test_descriptions_labels_and_masks_become_docs():
    mask = json.dumps({"method": "hmac", "key": "main", "options": {}, "type": "string"})
    metadata = {"blocks.description": "e-mail", "blocks.label": "pii.email", "blocks.masked": mask}
    schema = iceberg_schema(pa.schema([pa.field("email", pa.string(), metadata=metadata)]))
    assert schema.find_field("email").doc == "e-mail [label pii.email; masked by hmac with key main]"


def test_meaning_comes_back_at_every_depth():
    label = {"blocks.label": "pii.name", "blocks.description": "a name"}
    schema = pa.schema(
        [
            pa.field("u", pa.struct([pa.field("name", pa.string(), metadata=label)])),
            pa.field("l", pa.list_(pa.field("element", pa.struct([pa.field("n", pa.int32(), metadata=label)])))),
            pa.field("m", pa.map_(pa.string(), pa.field("value", pa.string(), metadata=label))),
        ]
    )
    bare = file_schema(iceberg_schema(schema))
    found = with_meaning(bare, meaning(schema))
    assert found.field("u").type.field(0).metadata[b"blocks.label"] == b"pii.name"
    assert found.field("l").type.value_field.type.field(0).metadata[b"blocks.description"] == b"a name"
    assert found.field("m").type.item_field.metadata[b"blocks.label"] == b"pii.name"
    assert described(schema).field("u").type.field(0).metadata == {b"doc": b"a name [label pii.name]"}


def test_a_batch_gets_the_columns_order_and_types_of_the_table():
    table = file_schema(
        iceberg_schema(
            pa.schema(
                [
                    ("new", pa.string()),
                    ("n", pa.int64()),
                    ("s", pa.struct([("b", pa.string()), ("a", pa.float64())])),
                    ("l", pa.list_(pa.struct([("x", pa.int64()), ("y", pa.string())]))),
                    ("m", pa.map_(pa.string(), pa.int64())),
                ]
            )
        )
    )
    batch = pa.RecordBatch.from_pydict(
        {
            "m": pa.array([None, [("k", 1)]], pa.map_(pa.large_string(), pa.int32())),
            "l": pa.array([None, [{"x": 1}, None]], pa.large_list(pa.struct([("x", pa.int32())]))),
            "s": pa.array([None, {"a": 1.5}], pa.struct([("a", pa.float32())])),
            "n": pa.array([1, None], pa.int16()),
        }
    )
    found = conform(batch, table)
    assert found.schema.equals(table, check_metadata=True)
    assert found.to_pylist() == [
        {"new": None, "n": 1, "s": None, "l": None, "m": None},
        {"new": None, "n": None, "s": {"b": None, "a": 1.5}, "l": [{"x": 1, "y": None}, None], "m": [("k", 1)]},
    ]


def test_seconds_become_microseconds_of_the_same_moment():
    moment = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    batch = pa.RecordBatch.from_pydict({"t": pa.array([moment], pa.timestamp("s", tz="Europe/Berlin"))})
    found = conform(batch, file_schema(iceberg_schema(storable(batch.schema, "test"))))
    assert found.to_pylist() == [{"t": moment}]
