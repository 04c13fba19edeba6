"""Child tables: names, ids, positions, the event time, and what stays in the main table."""

import datetime
from typing import Any

import pyarrow as pa
import pytest

from blocks.core import labels
from blocks.core.errors import ColumnError, ConfigError
from blocks.flattening.records import FlattenRecords

ITEM = pa.struct([("sku", pa.string()), ("taxes", pa.list_(pa.struct([("name", pa.string())])))])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"blocks.key": "true"}),
        pa.field("at", pa.timestamp("us", tz="UTC"), metadata={"blocks.event_time": "true"}),
        pa.field("basket", pa.struct([("items", pa.list_(ITEM)), ("shop", pa.string())])),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("attributes", pa.map_(pa.string(), pa.list_(pa.string()))),
    ]
)


def moment(hour: int) -> datetime.datetime:
    return datetime.datetime(2026, 11, 1, hour, tzinfo=datetime.UTC)


RECORDS: list[dict[str, Any]] = [
    {
        "id": "a",
        "at": moment(1),
        "basket": {"items": [{"sku": "s", "taxes": [{"name": "t"}, None]}, None], "shop": "x"},
        "tags": ["p"],
        "attributes": [("k", ["v"])],
    },
    {"id": "b", "at": moment(2), "basket": None, "tags": None, "attributes": None},
    {"id": "c", "at": moment(3), "basket": {"items": [{"sku": "r", "taxes": []}], "shop": None}, "tags": [None, "q"]},
]
BATCH = pa.RecordBatch.from_pylist(RECORDS, schema=SCHEMA)


def tables(batch: pa.RecordBatch = BATCH, **options: Any) -> dict[str, pa.Table]:
    block = FlattenRecords(tables=True, **options)
    found: dict[str, list[pa.RecordBatch]] = {name: [] for name in block.output_schemas(batch.schema)}
    for name, piece in block.tables_function(batch.schema)(batch):
        found[name].append(piece)
    schemas = block.output_schemas(batch.schema)
    return {name: pa.Table.from_batches(pieces, schemas[name]) for name, pieces in found.items()}


def test_every_list_outside_maps_gets_a_table_named_by_its_path() -> None:
    found = tables()
    assert list(found) == ["main", "basket_items", "basket_items_taxes", "tags"]
    assert found["main"].column_names == ["_row_id", "id", "at", "basket_shop", "attributes"]
    child = ["_row_id", "_parent_id", "_position", "at"]
    assert found["basket_items"].column_names == [*child, "sku"]
    assert found["basket_items_taxes"].column_names == [*child, "name"]
    assert found["tags"].column_names == [*child, "value"]


def test_children_point_at_their_parents_with_their_position() -> None:
    found = tables()
    first, _, third = found["main"]["_row_id"].to_pylist()
    items = found["basket_items"]
    assert items["_parent_id"].to_pylist() == [first, first, third]
    assert items["_position"].to_pylist() == [0, 1, 0]
    assert items["sku"].to_pylist() == ["s", None, "r"]
    taxes = found["basket_items_taxes"]
    assert taxes["_parent_id"].to_pylist() == [items["_row_id"][0].as_py()] * 2
    assert taxes["name"].to_pylist() == ["t", None]
    assert found["tags"]["value"].to_pylist() == ["p", None, "q"]


def test_children_have_the_event_time_of_their_row_at_any_depth() -> None:
    found = tables()
    assert found["basket_items"]["at"].to_pylist() == [moment(1), moment(1), moment(3)]
    assert found["basket_items_taxes"]["at"].to_pylist() == [moment(1), moment(1)]
    assert all(labels.event_time_of(table.schema) == "at" for table in found.values())


def test_other_columns_repeat_when_asked() -> None:
    found = tables(repeat=["id", "basket.shop"])
    assert found["tags"].select(["id", "basket_shop"]).to_pylist() == [
        {"id": "a", "basket_shop": "x"},
        {"id": "c", "basket_shop": None},
        {"id": "c", "basket_shop": None},
    ]
    assert "at" not in found["tags"].column_names
    with pytest.raises(ColumnError, match="no column of the main table"):
        FlattenRecords(tables=True, repeat="tags").output_schema(SCHEMA)


def test_listed_lists_only_get_tables_and_the_others_stay_lists() -> None:
    found = tables(explode=["tags", "attributes"])
    assert list(found) == ["main", "tags", "attributes"]
    assert found["attributes"].select(["key", "value"]).to_pylist() == [{"key": "k", "value": ["v"]}]
    assert "basket_items" in found["main"].column_names


def test_columns_and_separator_of_ones_own() -> None:
    found = tables(row_id="rid", parent_id="pid", position="n", separator=".")
    assert found["basket.items.taxes"].column_names == ["rid", "pid", "n", "at", "name"]


def test_an_item_field_named_like_a_generated_column_is_an_error_naming_both() -> None:
    schema = pa.schema([("l", pa.list_(pa.struct([("_position", pa.int8()), ("at", pa.int8())]))), SCHEMA.field("at")])
    with pytest.raises(ColumnError) as error:
        FlattenRecords(tables=True).output_schema(schema)
    assert [(problem.what, problem.where) for problem in error.value.problems] == [
        ("`the position of l` and `l._position` would both be the column `_position`", "table `l`"),
        ("`at` and `l.at` would both be the column `at`", "table `l`"),
    ]


def test_two_tables_of_one_name_are_an_error_naming_both_paths() -> None:
    numbers = pa.list_(pa.int8())
    schema = pa.schema([("a_b", numbers), ("a", pa.struct([("b", numbers)])), ("main", numbers)])
    with pytest.raises(ColumnError) as error:
        FlattenRecords(tables=True).output_schema(schema)
    assert [problem.what for problem in error.value.problems] == [
        "`a_b` and `a.b` would both be the table `a_b`",
        "`main table` and `main` would both be the table `main`",
    ]


def test_a_batch_function_is_for_one_table() -> None:
    with pytest.raises(ConfigError, match="several tables"):
        FlattenRecords(tables=True).batch_function(SCHEMA)
