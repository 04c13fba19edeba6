"""Structs to columns, lists and maps to rows: values, names, nulls and types, without Beam."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from blocks.core.batch_type import MAX_BYTES, MAX_ROWS
from blocks.core.errors import ColumnError, SchemaError
from blocks.flattening.records import FlattenRecords

LINE = pa.struct([pa.field("sku", pa.string(), nullable=False), ("taxes", pa.list_(pa.int32()))])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("user", pa.struct([pa.field("name", pa.string(), nullable=False), ("city", pa.string())])),
        pa.field("lines", pa.list_(pa.field("item", LINE, nullable=False))),
        pa.field("tags", pa.large_list(pa.string())),
        pa.field("attributes", pa.map_(pa.string(), pa.int32())),
    ]
)
RECORDS = [
    {
        "id": "a",
        "user": {"name": "u", "city": "Oslo"},
        "lines": [{"sku": "s1", "taxes": [1, 2]}, {"sku": "s2", "taxes": []}],
        "tags": ["p", None, "q"],
        "attributes": [("k", 1), ("l", 2), ("k", 3)],
    },
    {"id": "b", "user": None, "lines": None, "tags": [], "attributes": None},
    {"id": "c", "user": {"name": "v", "city": None}, "lines": [], "tags": None, "attributes": []},
]
BATCH = pa.RecordBatch.from_pylist(RECORDS, schema=SCHEMA)


def flat(batch: pa.RecordBatch = BATCH, **options: Any) -> pa.Table:
    block = FlattenRecords(**options)
    schema = block.output_schema(batch.schema)
    return pa.Table.from_batches(list(block.batch_function(batch.schema)(batch)), schema)


def test_structs_become_columns_where_they_stood_and_a_null_struct_gives_nulls() -> None:
    found = flat()
    assert found.column_names == ["id", "user_name", "user_city", "lines", "tags", "attributes"]
    assert found["user_name"].to_pylist() == ["u", None, "v"]
    assert found["lines"].to_pylist() == BATCH["lines"].to_pylist()


def test_a_child_of_a_nullable_struct_is_nullable_and_others_stay_as_declared() -> None:
    schema = flat().schema
    assert schema.field("user_name").nullable
    assert not schema.field("id").nullable


def test_values_hidden_under_a_null_struct_or_list_do_not_come_back() -> None:
    hidden = pa.StructArray.from_arrays([pa.array(["secret", "b"])], ["x"], mask=pa.array([True, False]))
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), pa.array([1, 2, 3]), mask=pa.array([True, False]))
    batch = pa.RecordBatch.from_pydict({"s": hidden, "l": lists})
    assert flat(batch, explode="l").to_pylist() == [{"s_x": None, "l": None}, {"s_x": "b", "l": 3}]


def test_explode_keeps_a_row_without_items_unless_inner() -> None:
    assert flat(explode="lines")["id"].to_pylist() == ["a", "a", "b", "c"]
    assert flat(explode="lines")["lines_sku"].to_pylist() == ["s1", "s2", None, None]
    assert flat(explode="lines", outer=False)["id"].to_pylist() == ["a", "a"]


def test_inner_explode_keeps_not_null_and_outer_explode_makes_nullable() -> None:
    assert not flat(explode="lines", outer=False).schema.field("lines_sku").nullable
    assert flat(explode="lines").schema.field("lines_sku").nullable


def test_an_inner_list_inside_makes_sure_of_the_items_above_it() -> None:
    schema = flat(explode=["lines", "lines.taxes"], outer=["lines"]).schema
    assert not schema.field("lines_sku").nullable
    assert flat(explode=["lines", "lines.taxes"], outer=["lines.taxes", "lines"]).schema.field("lines_sku").nullable


def test_nested_lists_explode_outer_or_inner_each_by_itself() -> None:
    both = flat(explode=["lines.taxes", "lines"], position="position")
    assert both["lines_taxes"].to_pylist() == [1, 2, None, None, None]
    assert both["lines_position"].to_pylist() == [0, 0, 1, None, None]
    assert both["lines_taxes_position"].to_pylist() == [0, 1, None, None, None]
    only_lines = flat(explode=["lines", "lines.taxes"], outer="lines")
    assert only_lines["lines_taxes"].to_pylist() == [1, 2]
    only_taxes = flat(explode=["lines", "lines.taxes"], outer="lines.taxes")
    assert only_taxes["lines_sku"].to_pylist() == ["s1", "s1", "s2"]


def test_scalar_items_keep_the_name_of_the_list_and_null_items_stay() -> None:
    found = flat(explode="tags", outer=False, position="at")
    assert found.select(["tags_at", "tags"]).to_pylist() == [
        {"tags_at": 0, "tags": "p"},
        {"tags_at": 1, "tags": None},
        {"tags_at": 2, "tags": "q"},
    ]


def test_lists_side_by_side_go_by_position_and_the_shorter_gives_nulls() -> None:
    found = flat(explode=[["lines", "tags"]], position="at").select(["id", "lines_at", "lines_sku", "tags_at", "tags"])
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("a", 0, "s1", 0, "p"),
        ("a", 1, "s2", 1, None),
        ("a", None, None, 2, "q"),
        ("b", None, None, None, None),
        ("c", None, None, None, None),
    ]
    assert flat(explode=[["lines", "tags"]], outer=False)["id"].to_pylist() == ["a", "a", "a"]


def test_a_list_below_lists_side_by_side_explodes_too() -> None:
    found = flat(explode=[["lines", "tags"], "lines.taxes"], outer=["lines", "tags"])
    assert found.select(["tags", "lines_taxes"]).to_pylist() == [
        {"tags": "p", "lines_taxes": 1},
        {"tags": "p", "lines_taxes": 2},
    ]


def test_a_map_becomes_rows_of_key_and_value() -> None:
    found = flat(explode="attributes")
    assert found["attributes_key"].to_pylist() == ["k", "l", "k", None, None]
    assert found["attributes_value"].to_pylist() == [1, 2, 3, None, None]


def test_listed_map_keys_become_columns_the_last_of_a_double_key_counts() -> None:
    found = flat(map_keys={"attributes": ["k", "x"]})
    assert found.column_names[-2:] == ["attributes_k", "attributes_x"]
    assert found["attributes_k"].to_pylist() == [3, None, None]
    assert found["attributes_x"].to_pylist() == [None, None, None]


def test_values_under_map_keys_are_flattened_and_exploded_by_their_path() -> None:
    kind = pa.map_(pa.int64(), pa.struct([("x", pa.list_(pa.int8()))]))
    batch = pa.RecordBatch.from_pydict({"m": pa.array([[(7, {"x": [1, 2]})], [(8, None)]], kind)})
    found = flat(batch, map_keys={"m": [7]}, explode="m.7.x")
    assert found.to_pylist() == [{"m_7_x": 1}, {"m_7_x": 2}, {"m_7_x": None}]


def test_lists_in_lists_are_named_item() -> None:
    batch = pa.RecordBatch.from_pydict({"m": pa.array([[[1, 2], [3]], [[]]], pa.list_(pa.list_(pa.int8())))})
    assert flat(batch, explode="m").to_pylist() == [{"m_item": [1, 2]}, {"m_item": [3]}, {"m_item": []}]
    found = flat(batch, explode=["m", "m.item"], position="position")
    assert found.column_names == ["m_position", "m_item_position", "m_item"]
    assert found["m_item"].to_pylist() == [1, 2, 3, None]


@pytest.mark.parametrize("kind", [pa.list_(pa.int8(), 2), pa.list_view(pa.int8()), pa.large_list_view(pa.int8())])
def test_every_kind_of_list_explodes_also_in_a_slice(kind: pa.DataType) -> None:
    batch = pa.RecordBatch.from_pydict({"l": pa.array([[9, 9], [1, 2], None, [3, 4], [9, 9]], kind)}).slice(1, 3)
    assert flat(batch, explode="l")["l"].to_pylist() == [1, 2, None, 3, 4]


def test_dictionaries_of_structs_and_in_lists_are_flattened() -> None:
    words = pa.array(["x", "y", "x"]).dictionary_encode()
    structs = pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), pa.array([{"a": 1}, {"a": 2}]))
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 2, 3], pa.int32()), words)
    batch = pa.RecordBatch.from_pydict({"w": words, "s": structs, "l": lists})
    found = flat(batch, explode="l").to_pylist()
    assert found == [
        {"w": "x", "s_a": 2, "l": "x"},
        {"w": "x", "s_a": 2, "l": "y"},
        {"w": "y", "s_a": None, "l": None},
        {"w": "x", "s_a": 1, "l": "x"},
    ]


def test_two_hundred_levels_of_structs_are_one_column() -> None:
    kind, value = pa.int64(), 5
    record: Any = value
    for _ in range(200):
        kind, record = pa.struct([("x", kind)]), {"x": record}
    batch = pa.RecordBatch.from_pydict({"x": pa.array([record, None], kind)})
    found = flat(batch, separator=".")
    assert found.column_names == [".".join(["x"] * 201)]
    assert found.column(0).to_pylist() == [5, None]


def test_an_empty_batch_gives_no_rows() -> None:
    assert flat(BATCH.slice(0, 0), explode=["lines", "lines.taxes"]).num_rows == 0


def test_a_list_that_is_empty_in_every_row_has_no_items_to_look_up() -> None:
    found = flat(BATCH.slice(1), explode=["lines", "lines.taxes"], position="at")
    assert found["lines_taxes_at"].to_pylist() == [None, None]


def test_an_explosion_of_wide_rows_comes_in_pieces_that_are_bounded_before_they_are_built() -> None:
    wide = pa.array(["x" * (1 << 20), "y"])
    items = pa.ListArray.from_arrays(pa.array([0, 40, 100_040], pa.int32()), pa.array(np.arange(100_040)))
    batch = pa.RecordBatch.from_pydict({"wide": wide, "items": items})
    pieces = list(FlattenRecords(explode="items").batch_function(batch.schema)(batch))
    assert max(piece.num_rows for piece in pieces) <= MAX_ROWS
    # An eighth over is the list offsets and validity that the cut does not weigh.
    assert max(piece.nbytes for piece in pieces) <= MAX_BYTES * 9 // 8
    assert pa.Table.from_batches(pieces)["items"].to_pylist() == list(range(100_040))


def test_a_collision_names_both_paths() -> None:
    schema = pa.schema([("a_b", pa.int8()), ("a", pa.struct([("b", pa.int8()), ("c", pa.int8())])), ("a_c", pa.int8())])
    with pytest.raises(ColumnError) as error:
        FlattenRecords().output_schema(schema)
    assert [problem.what for problem in error.value.problems] == [
        "`a_b` and `a.b` would both be the column `a_b`",
        "`a.c` and `a_c` would both be the column `a_c`",
    ]
    assert FlattenRecords(separator=".").output_schema(schema).names == ["a_b", "a.b", "a.c", "a_c"]


def test_generated_columns_collide_like_others() -> None:
    schema = pa.schema([("l", pa.list_(pa.int8())), ("l_at", pa.int8()), ("#", pa.int8())])
    with pytest.raises(ColumnError, match="2 problems") as error:
        FlattenRecords(explode="l", position="at", row_id="#").output_schema(schema)
    assert "`the position of l` and `l_at`" in str(error.value)
    assert "`the row id` and `#`" in str(error.value)


def test_independent_lists_are_refused_with_the_ways_out() -> None:
    with pytest.raises(SchemaError, match="every combination") as error:
        FlattenRecords(explode=["lines", "tags"]).output_schema(SCHEMA)
    assert '[["lines", "tags"]]' in error.value.fix
    assert "tables=True" in error.value.fix


def test_lists_at_different_depths_do_not_go_side_by_side() -> None:
    with pytest.raises(SchemaError, match="different depths"):
        FlattenRecords(explode=["lines", ["tags", "lines.taxes"]]).output_schema(SCHEMA)


def test_every_path_that_is_not_there_is_reported_with_the_nearest() -> None:
    with pytest.raises(ColumnError, match="3 problems") as error:
        FlattenRecords(explode="linse", map_keys={"atributes": ["k"]}, row_id="#", key="user.nam").output_schema(SCHEMA)
    assert [problem.fix.split("?")[0] for problem in error.value.problems] == [
        "did you mean `lines`",
        "did you mean `attributes`",
        "did you mean `user.name`",
    ]


def test_paths_of_the_wrong_kind_are_reported_together() -> None:
    options: dict[str, Any] = {"explode": ["user", "lines.taxes"], "map_keys": {"tags": ["k"], "attributes": [1.5]}}
    options["map_keys"] = {"tags": ["k"], "attributes": [1]}
    with pytest.raises(SchemaError) as error:
        FlattenRecords(**options).output_schema(SCHEMA)
    text = str(error.value)
    assert "`user` is struct" in text
    assert "`lines.taxes` is in `lines`, which is not exploded" in text
    assert "explode=['lines', 'lines.taxes']" in text
    assert "`tags` is large_list" in text
    assert "`1` cannot be a key, which are string" in text


def test_a_path_that_means_two_fields_is_refused() -> None:
    schema = pa.schema([("a.b", pa.list_(pa.int8())), ("a", pa.struct([("b", pa.list_(pa.int8()))]))])
    with pytest.raises(ColumnError, match="means 2 fields"):
        FlattenRecords(explode="a.b").output_schema(schema)


def test_a_schema_of_which_nothing_would_be_left_is_refused() -> None:
    with pytest.raises(ColumnError, match="no column would be left"):
        FlattenRecords().output_schema(pa.schema([("a", pa.struct([]))]))
