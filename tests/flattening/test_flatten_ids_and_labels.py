"""Row ids are the same everywhere and give nothing away; labels, masks, keys and event time go where they hold."""

import datetime
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from blocks.core import labels
from blocks.core.errors import PrivacyError, SchemaError
from blocks.core.labels import Masked
from blocks.flattening.records import FlattenRecords
from blocks.flattening.row_ids import encode, row_ids

HMAC = Masked("hmac", "main", {}, "string").to_json()
OTHER = Masked("hmac", "second", {}, "string").to_json()
RECOMPUTE = """
import pyarrow as pa
from blocks.flattening.row_ids import row_ids
print(",".join(row_ids([pa.array([1, None, 300]), pa.array([["a"], [], None])]).to_pylist()))
"""
# Recorded once: ids of stored tables must not change.
RECORDED = ",".join(
    [
        "e690d643fcee563592cb0ecb08623d0b",
        "0a78746811ea6286d694e488ce85b6b6",
        "965f6592ad296930702951e83fc33692",
    ]
)


def named(name: str, kind: pa.DataType, label: str | None = None, **metadata: str | None) -> pa.Field:
    values = {f"blocks.{key}": value for key, value in metadata.items()}
    return labels.put(pa.field(name, kind), {labels.LABEL: label, **values})


def ids(batch: pa.RecordBatch, **options: Any) -> list[str]:
    block = FlattenRecords(row_id="#", **options)
    return [one for piece in block.batch_function(batch.schema)(batch) for one in piece["#"].to_pylist()]


def test_ids_are_the_recorded_ones_in_this_process_and_another_with_another_hash_seed() -> None:
    here = ",".join(row_ids([pa.array([1, None, 300]), pa.array([["a"], [], None])]).to_pylist())
    run = subprocess.run(
        [sys.executable, "-c", RECOMPUTE],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )
    assert (run.stdout.strip(), here) == (RECORDED, RECORDED), run.stderr


def test_different_rows_have_different_ids_however_their_values_run_together() -> None:
    text = pa.struct([("a", pa.string()), ("b", pa.list_(pa.string()))])
    rows = [
        {"a": "x", "b": ["y"]},
        {"a": "xy", "b": []},
        {"a": "x", "b": ["", "y"]},
        {"a": "x", "b": ["y", ""]},
        {"a": "x", "b": ["1:y"]},
        {"a": "x", "b": [None]},
        {"a": "x", "b": ["~"]},
        {"a": "x", "b": None},
        {"a": None, "b": None},
        {"a": "", "b": None},
        None,
    ]
    assert len(set(row_ids([pa.array(rows, text)]).to_pylist())) == len(rows)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.bool_(), [True, False]),
        (pa.uint64(), [0, 2**64 - 1]),
        (pa.float32(), [0.5, -0.5]),
        (pa.decimal128(20, 2), [Decimal("1.00"), Decimal("-1.00")]),
        (pa.decimal256(50, 2), [Decimal("1.00"), Decimal("10.00")]),
        (pa.date64(), [datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)]),
        (pa.time32("s"), [datetime.time(1), datetime.time(2)]),
        (pa.duration("ms"), [datetime.timedelta(1), datetime.timedelta(2)]),
        (pa.timestamp("ns"), [datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2)]),
        (pa.binary(2), [b"ab", b"cd"]),
        (pa.string_view(), ["a", "b"]),
        (pa.binary_view(), [b"a", b"b"]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", "b"]),
        (pa.list_(pa.int8(), 2), [[1, 2], [2, 1]]),
        (pa.map_(pa.string(), pa.int8()), [[("a", 1)], [("a", 2)]]),
        (pa.struct([]), [{}]),
        (pa.null(), []),
    ],
)
def test_every_type_has_a_form_that_slicing_does_not_change(kind: pa.DataType, values: list[Any]) -> None:
    array = pa.array([*values, None, *values], kind)
    forms = encode(array).to_pylist()
    assert len(set(forms)) == len(values) + 1
    assert encode(array.slice(1)).to_pylist() == forms[1:]
    assert None not in forms


def test_a_type_without_a_fixed_form_is_refused_when_the_pipeline_is_built() -> None:
    schema = pa.schema([("i", pa.month_day_nano_interval()), ("k", pa.int8())])
    with pytest.raises(SchemaError, match="row ids cannot be made of month_day_nano_interval"):
        FlattenRecords(row_id="#").output_schema(schema)
    assert FlattenRecords(row_id="#", key="k").output_schema(schema).names == ["#", "i", "k"]


def test_ids_are_of_the_key_columns_if_there_are_any_and_of_everything_otherwise() -> None:
    marked = pa.schema([named("k", pa.int8(), key="true"), pa.field("v", pa.int8())])
    rows = pa.RecordBatch.from_pydict({"k": [1, 1, 2], "v": [1, 2, 2]}, schema=marked)
    first, second, third = ids(rows)
    assert first == second != third
    assert ids(rows, key="v")[1] == ids(rows, key="v")[2]
    bare = rows.cast(pa.schema([("k", pa.int8()), ("v", pa.int8())]))
    assert len(set(ids(bare))) == 3


def test_equal_rows_without_a_key_have_equal_ids() -> None:
    assert len(set(ids(pa.RecordBatch.from_pydict({"v": [5, 5]})))) == 1


def test_a_key_may_lie_in_a_struct() -> None:
    batch = pa.RecordBatch.from_pydict({"s": [{"id": 1, "x": 1}, {"id": 1, "x": 2}, None]})
    one, two, null = ids(batch, key="s.id")
    assert one == two != null


def test_exploded_rows_add_their_positions_and_a_minus_without_an_item() -> None:
    batch = pa.RecordBatch.from_pydict({"k": [1, 2], "l": [[[7], []], None]})
    (root,) = {one.split(":")[0] for one in ids(batch, key="k", explode=["l", "l.item"])[:2]}
    assert ids(batch, key="k", explode=["l", "l.item"])[:2] == [f"{root}:0:0", f"{root}:1:-"]
    assert ids(batch, key="k", explode=["l", "l.item"])[2].endswith(":-:-")
    assert len(root) == 32


def test_ids_over_raw_personal_columns_are_refused_with_every_such_field() -> None:
    user = pa.struct([named("email", pa.string()), named("city", pa.string(), "public")])
    schema = pa.schema([named("u", user, "pii.email"), named("n", pa.string(), "secret"), pa.field("k", pa.int8())])
    with pytest.raises(PrivacyError, match="2 problems") as error:
        FlattenRecords(row_id="#").output_schema(schema)
    assert [problem.where for problem in error.value.problems] == ["field `u.email`", "field `n`"]
    with pytest.raises(PrivacyError, match=r"pii\.email") as error:
        FlattenRecords(tables=True, key="u.email").output_schema(schema)
    assert "field `u.email`" in error.value.where
    assert FlattenRecords(row_id="#", key=["k", "u.city"]).output_schema(schema).names[0] == "#"


def test_the_id_of_a_masked_column_carries_its_label_and_mask() -> None:
    schema = pa.schema([named("e", pa.string(), "pii.email", masked=HMAC), named("k", pa.int8(), "public")])
    field = FlattenRecords(row_id="#").output_schema(schema).field("#")
    assert labels.labels_of(field) == {"pii.email"}
    assert labels.masked_of(field) == Masked("hmac", "main", {}, "string")
    assert labels.labels_of(FlattenRecords(row_id="#", key="k").output_schema(schema).field("#")) == {"public"}


@pytest.mark.parametrize(
    ("mask", "what"), [(OTHER, "mix 2 masks"), (Masked("encrypt", "main").to_json(), "UnmaskColumns changes")]
)
def test_ids_over_masks_that_one_mark_cannot_tell_are_refused(mask: str, what: str) -> None:
    schema = pa.schema(
        [named("e", pa.string(), "pii.email", masked=HMAC), named("f", pa.string(), "pii.x", masked=mask)]
    )
    with pytest.raises(PrivacyError) as error:
        FlattenRecords(row_id="#").output_schema(schema)
    assert what in str(error.value)


def test_columns_masked_to_a_constant_do_not_matter_to_ids() -> None:
    mask = Masked("redact").to_json()
    schema = pa.schema([named("e", pa.string(), "pii.email", masked=mask), named("k", pa.int8(), "public")])
    assert labels.labels_of(FlattenRecords(row_id="#").output_schema(schema).field("#")) == {"public"}


def test_an_id_over_unlabelled_columns_is_not_called_public() -> None:
    schema = pa.schema([pa.field("a", pa.string()), named("k", pa.int8(), "public")])
    assert not labels.labels_of(FlattenRecords(row_id="#").output_schema(schema).field("#"))


def test_labels_and_masks_of_a_parent_go_to_children_that_have_none() -> None:
    inner = pa.struct([named("a", pa.string()), named("b", pa.string(), "public"), named("l", pa.list_(pa.int8()))])
    schema = pa.schema([named("s", pa.struct([named("t", inner)]), "pii.name", masked=HMAC)])
    found = FlattenRecords().output_schema(schema)
    before = {leaf.path.replace(".", "_"): (leaf.labels, leaf.masked) for leaf in labels.leaves(schema)}
    assert {leaf.path: (leaf.labels, leaf.masked) for leaf in labels.leaves(found)} == before
    assert before["s_t_b"] == ({"public"}, None)


def test_labels_go_along_through_lists_and_maps_that_become_rows_columns_or_tables() -> None:
    kind = pa.map_(named("key", pa.string(), "pii.key").with_nullable(False), named("value", pa.string()))
    items = pa.list_(named("item", pa.struct([named("x", pa.string())])))
    schema = pa.schema([named("m", kind, "pii.map"), named("l", items, "pii.list", masked=HMAC)])
    rows = FlattenRecords(explode=[["m", "l"]]).output_schema(schema)
    own = {field.name: labels.labels_of(field) for field in rows}
    assert own == {"m_key": {"pii.key"}, "m_value": {"pii.map"}, "l_x": {"pii.list"}}
    assert labels.masked_of(rows.field("l_x")) == Masked("hmac", "main", {}, "string")
    assert labels.labels_of(FlattenRecords(map_keys={"m": ["k"]}).output_schema(schema).field("m_k")) == {"pii.map"}
    children = FlattenRecords(tables=True, key="k").output_schemas(schema.append(named("k", pa.int8(), "public")))
    assert labels.labels_of(children["l"].field("x")) == {"pii.list"}


def test_positions_are_public_unless_the_list_itself_is_private_and_not_masked() -> None:
    element = named("item", pa.string(), "pii.x", masked=HMAC)
    schema = pa.schema([named("raw", pa.list_(pa.string()), "pii.x"), named("done", pa.list_(element), "pii.x")])
    found = FlattenRecords(explode=[["raw", "done"]], position="at").output_schema(schema)
    assert labels.labels_of(found.field("raw_at")) == {"pii.x"}
    assert labels.labels_of(found.field("done_at")) == {"public"}
    bare = FlattenRecords(explode="l", position="at").output_schema(pa.schema([("l", pa.list_(pa.int8()))]))
    assert not bare.field("l_at").metadata


def test_listed_keys_of_a_map_with_masked_keys_are_refused() -> None:
    kind = pa.map_(named("key", pa.string(), "pii.key", masked=HMAC).with_nullable(False), pa.string())
    with pytest.raises(SchemaError, match="would never be found"):
        FlattenRecords(map_keys={"m": ["k"]}).output_schema(pa.schema([named("m", kind)]))


def marks(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if labels.is_key(field)]


def test_key_marks_stay_only_where_they_still_identify_a_row() -> None:
    pair = pa.struct([named("id", pa.int8(), key="true"), ("l", pa.list_(named("item", pa.int8(), key="true")))])
    schema = pa.schema([named("k", pa.struct([("a", pa.int8()), ("b", pa.int8())]), key="true"), named("p", pair)])
    assert marks(FlattenRecords().output_schema(schema)) == ["k_a", "k_b"]
    assert marks(FlattenRecords(explode="p.l").output_schema(schema)) == []
    assert marks(FlattenRecords(explode="p.l", position="at").output_schema(schema)) == []
    inner = FlattenRecords(explode="p.l", position="at", outer=False).output_schema(schema)
    assert marks(inner) == ["k_a", "k_b", "p_l_at"]
    assert marks(FlattenRecords(explode="p.l", row_id="#").output_schema(schema)) == ["#"]
    tables = FlattenRecords(tables=True, repeat="k").output_schemas(schema)
    assert {name: marks(table) for name, table in tables.items()} == {"main": ["k_a", "k_b"], "p_l": ["_row_id"]}


def test_event_time_description_and_schema_metadata_stay_and_a_nested_event_time_does_not_count() -> None:
    time = pa.timestamp("us", tz="UTC")
    inner = pa.struct([named("at", time, event_time="true", description="when")])
    schema = pa.schema([named("at", time, event_time="true", description="top"), named("s", inner)], {"owner": "x"})
    found = FlattenRecords().output_schema(schema)
    assert labels.event_time_of(found) == "at"
    assert not labels.is_event_time(found.field("s_at"))
    assert labels.get(found.field("s_at"), labels.DESCRIPTION) == "when"
    assert found.metadata == {b"owner": b"x"}


def test_a_key_mark_inside_a_map_does_not_come_out_with_its_rows() -> None:
    kind = pa.map_(pa.string(), named("value", pa.int8(), key="true"))
    schema = pa.schema([named("id", pa.int8(), key="true"), pa.field("m", kind)])
    found = FlattenRecords(explode="m", outer=False, position="at").output_schema(schema)
    assert marks(found) == ["id", "m_at"]
