"""Masking wherever a value can stand: structs, lists, maps, slices, nulls over values; one answer at every place."""

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import KEYS, SECRET, VARIABLE, labelled, mask_batch, masked, policy_of

from blocks.core import labels
from blocks.core.errors import PrivacyError, SchemaError
from blocks.core.mask_plan import plan_masking
from blocks.masking.unmask_columns import UnmaskColumns

HMAC = {"pii.x": {"method": "hmac", "key": "main"}}
SEAL = {"pii.x": {"method": "encrypt", "key": "main"}}


@pytest.fixture(autouse=True, scope="module")
def _module_keys() -> Any:
    # Hypothesis runs many examples in one test, so the function's fixture would do; this keeps its health check quiet.
    patch = pytest.MonkeyPatch()
    patch.setenv(VARIABLE, SECRET)
    yield
    patch.undo()


def code(value: str | None) -> str | None:
    return masked(pa.array([value], pa.string()), "hmac")[0].as_py()


def batch_of(values: list[Any], field: pa.Field) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values, field.type)], schema=pa.schema([field]))


def leaf(name: str = "v", **more: Any) -> pa.Field:
    return labelled(name, pa.string(), **more)


PUBLIC_INT = labels.with_labels(pa.field("n", pa.int64()), ["public"])
STRUCT = pa.struct([PUBLIC_INT, leaf()])
PLACES: dict[str, tuple[pa.Field, list[Any], list[Any]]] = {
    "column": (leaf(), ["a", None, "b"], [code, None, code]),
    "struct": (pa.field("c", STRUCT), [{"n": 1, "v": "a"}, None, {"n": None, "v": None}], []),
    "list": (labels.with_labels(pa.field("c", pa.list_(pa.string())), ["pii.x"]), [["a", None], None, [], ["b"]], []),
    "large list": (pa.field("c", pa.large_list(leaf("item"))), [["a", None], None, [], ["b"]], []),
    "fixed-size list": (pa.field("c", pa.list_(leaf("item"), 2)), [["a", None], None, ["b", "c"]], []),
    "list of structs": (pa.field("c", pa.list_(pa.field("item", STRUCT))), [[{"n": 1, "v": "a"}, None], None, []], []),
    "map value": (
        pa.field("c", pa.map_(labelled("key", pa.string(), "public", False), leaf("value"))),
        [[("k", "a"), ("l", None)], None, []],
        [],
    ),
    "four deep": (
        pa.field(
            "c",
            pa.list_(
                pa.field(
                    "item",
                    pa.struct(
                        [
                            pa.field(
                                "m",
                                pa.map_(
                                    labelled("key", pa.string(), "public", False),
                                    pa.field("value", pa.list_(pa.field("item", STRUCT))),
                                ),
                            )
                        ]
                    ),
                )
            ),
        ),
        [[{"m": [("k", [{"n": 1, "v": "a"}, None]), ("l", None)]}, None], None, [{"m": None}, {"m": []}]],
        [],
    ),
}


def value_by_value(value: Any, field: pa.Field, names: frozenset[str] = frozenset()) -> Any:
    """The slow way: every leaf by itself, as plain Python."""
    names = labels.labels_of(field) or names
    if value is None:
        return None
    kind = field.type
    if pa.types.is_struct(kind):
        return {child.name: value_by_value(value[child.name], child, names) for child in kind}
    if pa.types.is_map(kind):
        return [
            (value_by_value(key, kind.key_field, names), value_by_value(item, kind.item_field, names))
            for key, item in value
        ]
    if labels.is_list(kind):
        return [value_by_value(one, kind.value_field, names) for one in value]
    return code(value) if "pii.x" in names else value


@pytest.mark.parametrize("place", PLACES)
def test_the_whole_batch_is_what_its_values_are_one_by_one(place: str) -> None:
    field, values, _ = PLACES[place]
    expected = [value_by_value(value, field) for value in values]
    assert mask_batch(batch_of(values, field), HMAC).column(0).to_pylist() == expected


@pytest.mark.parametrize("place", PLACES)
def test_slices_empty_batches_and_nulls_only(place: str) -> None:
    field, values, _ = PLACES[place]
    batch = batch_of(values * 3, field)
    whole = mask_batch(batch, HMAC)
    for start in range(batch.num_rows + 1):
        for length in (0, 1, 4):
            part = mask_batch(batch.slice(start, length), HMAC)
            assert part.equals(whole.slice(start, length))
    assert mask_batch(batch_of([], field), HMAC).num_rows == 0
    assert mask_batch(batch_of([None] * 3, field), HMAC).column(0).to_pylist() == [None] * 3


JSON_PLACES = st.sampled_from(sorted(PLACES))


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_struct(kind):
        found: st.SearchStrategy[Any] = st.fixed_dictionaries({child.name: values_of(child.type) for child in kind})
    elif pa.types.is_map(kind):
        found = st.dictionaries(st.text(max_size=3), values_of(kind.item_type), max_size=3).map(
            lambda d: list(d.items())
        )
    elif pa.types.is_fixed_size_list(kind):
        found = st.lists(values_of(kind.value_type), min_size=kind.list_size, max_size=kind.list_size)
    elif labels.is_list(kind):
        found = st.lists(values_of(kind.value_type), max_size=3)
    else:
        found = st.integers(-3, 3) if pa.types.is_integer(kind) else st.text(max_size=4)
    return st.none() | found


@settings(max_examples=60, deadline=None)
@given(st.data(), JSON_PLACES)
def test_any_values_at_any_place_in_any_slice(data: st.DataObject, place: str) -> None:
    field = PLACES[place][0]
    values = data.draw(st.lists(values_of(field.type), max_size=6))
    start, stop = sorted(data.draw(st.tuples(st.integers(0, 6), st.integers(0, 6))))
    expected = [value_by_value(value, field) for value in values]
    found = mask_batch(batch_of(values, field).slice(start, stop - start), HMAC)
    assert found.column(0).to_pylist() == expected[start:stop]


@settings(max_examples=60, deadline=None)
@given(st.data(), JSON_PLACES)
def test_encrypting_and_unmasking_gives_the_batch_back(data: st.DataObject, place: str) -> None:
    field = PLACES[place][0]
    batch = batch_of(data.draw(st.lists(values_of(field.type), max_size=5)), field)
    sealed = mask_batch(batch, SEAL)
    block = UnmaskColumns(keys=KEYS)
    again = block.batch_function(sealed.schema)(sealed)
    again.validate(full=True)
    assert again.to_pylist() == batch.to_pylist()


def test_values_under_a_null_struct_list_or_map_never_show() -> None:
    hidden = pa.array(["hidden-1", "shown"])
    mask = pa.array([True, False])
    struct = pa.StructArray.from_arrays([hidden], fields=[leaf()], mask=mask)
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), hidden, type=pa.list_(leaf("item")), mask=mask)
    kind = pa.map_(labelled("key", pa.string(), "public", False), leaf("value"))
    maps = pa.MapArray.from_arrays(pa.array([0, 1, 2], pa.int32()), pa.array(["k", "k"]), hidden, type=kind, mask=mask)
    for array in (struct, lists, maps):
        batch = pa.RecordBatch.from_arrays([array], schema=pa.schema([pa.field("c", array.type)]))
        found = mask_batch(batch, HMAC)
        assert found.column(0)[0].as_py() is None
        stored = b"".join(buffer.to_pybytes() for buffer in found.column(0).buffers() if buffer)
        assert b"hidden" not in stored
        assert code("shown") in str(found.column(0).to_pylist())


def test_a_kept_value_in_a_struct_with_nulls_over_values_is_not_brought_to_light() -> None:
    struct = pa.StructArray.from_arrays(
        [pa.array([1, 2]), pa.array(["a", "b"])], fields=list(STRUCT), mask=pa.array([True, False])
    )
    batch = pa.RecordBatch.from_arrays([struct], schema=pa.schema([pa.field("c", STRUCT)]))
    assert mask_batch(batch, HMAC).column(0).to_pylist() == [None, {"n": 2, "v": code("b")}]


def test_dropping_takes_a_field_out_of_its_struct_and_an_empty_struct_list_or_map_goes_too() -> None:
    schema = pa.schema(
        [
            pa.field("c", STRUCT),
            pa.field("only", pa.struct([leaf()])),
            pa.field("many", pa.list_(pa.field("item", pa.struct([leaf()])))),
            pa.field("by_key", pa.map_(leaf("key", nullable=False), pa.field("value", STRUCT))),
            pa.field("kept", pa.list_(pa.field("item", STRUCT))),
        ]
    )
    row = {"c": {"n": 1, "v": "a"}, "only": {"v": "a"}, "many": [{"v": "a"}], "by_key": [("a", {"n": 1, "v": "a"})]}
    batch = pa.RecordBatch.from_pylist([{**row, "kept": [{"n": 2, "v": "a"}]}], schema=schema)
    assert mask_batch(batch, {"pii.x": "drop"}).to_pylist() == [{"c": {"n": 1}, "kept": [{"n": 2}]}]


def test_a_policy_that_drops_every_column_is_refused_because_rows_would_vanish() -> None:
    with pytest.raises(SchemaError, match="drops every column for `warehouse`"):
        plan_masking(pa.schema([leaf()]), policy_of({"pii.x": "drop"}), "warehouse", "test")


def test_map_keys_take_only_methods_under_which_keys_cannot_collide() -> None:
    kind = pa.map_(leaf("key", nullable=False), PUBLIC_INT)
    batch = batch_of([[("Ana", 1), ("ana", 2)], None], pa.field("c", kind))
    exact = {"pii.x": {"method": "hmac", "key": "main", "canonical": "none"}}
    keys = masked(pa.array(["Ana", "ana"]), "hmac", canonical="none").to_pylist()
    assert mask_batch(batch, exact).column(0).to_pylist() == [[(keys[0], 1), (keys[1], 2)], None]
    assert mask_batch(batch, SEAL).column(0).to_pylist()[1] is None
    for refused in ("null", "redact", "mask", {"method": "mask_left", "n": 3}, {"method": "hmac", "key": "main"}):
        with pytest.raises(SchemaError, match="different keys of a map equal") as caught:
            mask_batch(batch, {"pii.x": refused})
        assert "field `c{key}`" in str(caught.value)


def test_dictionary_columns_are_masked_as_their_values() -> None:
    plain = pa.array(["Ana", None, "ana", "Ana"])
    encoded = plain.dictionary_encode()
    top = pa.RecordBatch.from_arrays([encoded], schema=pa.schema([labelled("v", encoded.type)]))
    found = mask_batch(top, HMAC)
    assert found.column(0).to_pylist() == [code("ana"), None, code("ana"), code("ana")]
    child = pa.StructArray.from_arrays([encoded], fields=[labelled("v", encoded.type)])
    public = labels.with_labels(pa.field("kept", encoded.type), ["public"])
    nested = pa.RecordBatch.from_arrays([child, encoded], schema=pa.schema([pa.field("c", child.type), public])).slice(
        1, 2
    )
    assert mask_batch(nested, HMAC).to_pylist() == [
        {"c": {"v": None}, "kept": None},
        {"c": {"v": code("ana")}, "kept": "ana"},
    ]


def test_a_public_list_of_fixed_size_keeps_its_type_and_costs_no_copy() -> None:
    field = labels.with_labels(pa.field("c", pa.list_(pa.float32(), 3)), ["public"])
    batch = batch_of([[1, 2, 3], None, [4, 5, 6]], field)
    found = mask_batch(batch, {})
    assert found.schema.field("c").type == field.type
    assert found.column(0).values.buffers()[1].address == batch.column(0).values.buffers()[1].address


def test_a_label_on_a_parent_holds_for_what_has_none_of_its_own() -> None:
    field = labels.with_labels(pa.field("c", pa.struct([pa.field("a", pa.string()), PUBLIC_INT])), ["pii.x"])
    found = mask_batch(batch_of([{"a": "ana", "n": 5}], field), HMAC)
    assert found.to_pylist() == [{"c": {"a": code("ana"), "n": 5}}]
    child = found.schema.field("c").type.field("a")
    assert labels.labels_of(child) == {"pii.x"}
    assert labels.masked_of(child) == labels.Masked("hmac", "main", {"domain": "pii.x"}, "string")


@pytest.mark.parametrize("method", ["hmac", "redact", "null"])
def test_equal_values_get_equal_masks_across_batches_and_their_order(method: str) -> None:
    rule = {"method": method, "key": "main"} if method == "hmac" else method
    one = mask_batch(batch_of(["a", "b", "a"], leaf()), {"pii.x": rule}).column(0).to_pylist()
    other = mask_batch(batch_of(["b", "a", "b"], leaf()), {"pii.x": rule}).column(0).to_pylist()
    assert one == [other[1], other[0], other[1]]


def test_a_masked_event_time_is_no_event_time_and_a_redacted_key_no_key() -> None:
    moment = datetime.datetime(2026, 5, 6, tzinfo=datetime.UTC)
    at = labels.put(labelled("at", pa.timestamp("us", "UTC")), {labels.EVENT_TIME: "true"})
    key = labels.put(labelled("id", pa.string(), "pii.id"), {labels.KEY: "true"})
    batch = pa.RecordBatch.from_arrays([pa.array([moment], at.type), pa.array(["u1"])], schema=pa.schema([at, key]))
    rules = {"pii.x": {"method": "truncate", "date": "month"}, "pii.id": {"method": "hmac", "key": "main"}}
    found = mask_batch(batch, rules).schema
    assert labels.event_time_of(found) is None
    assert labels.is_key(found.field("id"))
    assert not labels.is_key(mask_batch(batch, {**rules, "pii.id": "redact"}).schema.field("id"))


def test_only_methods_that_make_nulls_make_a_required_column_nullable() -> None:
    field = leaf(nullable=False)
    kept = {"hmac": HMAC["pii.x"], "redact": "redact", "mask": "mask"}
    for rule in kept.values():
        assert not mask_batch(batch_of(["a"], field), {"pii.x": rule}).schema.field("v").nullable
    for rule in ("null", {"method": "truncate", "date": "year"}):
        assert mask_batch(batch_of(["a"], field), {"pii.x": rule}).schema.field("v").nullable


def test_other_metadata_and_the_schema_metadata_stay() -> None:
    field = labels.put(leaf(), {labels.DESCRIPTION: "a name"})
    batch = batch_of(["a"], field).replace_schema_metadata({"origin": "partner"})
    found = mask_batch(batch, HMAC).schema
    assert found.metadata == {b"origin": b"partner"}
    assert labels.get(found.field("v"), labels.DESCRIPTION) == "a name"


def test_every_mistake_is_reported_at_once() -> None:
    schema = pa.schema([labelled("a", pa.float64()), labelled("b", pa.bool_()), pa.field("c", pa.int64())])
    with pytest.raises(SchemaError) as caught:
        plan_masking(schema, policy_of({"pii.x": "mask"}, protected=False), "warehouse", "test")
    assert [problem.where for problem in caught.value.problems] == ["field `a`", "field `b`"]
    with pytest.raises(PrivacyError) as refused:
        plan_masking(
            pa.schema([labelled("a", pa.int64(), "pii.y"), pa.field("c", pa.int64())]), policy_of({}), "warehouse", "t"
        )
    assert [problem.where for problem in refused.value.problems] == ["field `a`", "field `c`"]


def test_decimals_are_masked_by_their_exact_text() -> None:
    field = labelled("v", pa.decimal128(18, 2))
    found = mask_batch(batch_of([Decimal("1.50"), Decimal("1.5")], field), HMAC).column(0).to_pylist()
    assert found == [code("1.50"), code("1.50")]
