"""Nested arrays taken apart and put together, against plain Python, in every layout."""

import itertools
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
import pytest
from core_data import arrays, types
from hypothesis import given
from hypothesis import strategies as st

from blocks.core import nested, wire
from blocks.core.dictionaries import decode_array, decode_batch, decode_schema
from blocks.core.errors import SchemaError
from blocks.core.labels import children, with_children
from blocks.core.row_values import required_null

_any = types(dictionaries=True).flatmap(arrays)
_inner = types(dictionaries=True)
_lists = st.one_of(_inner.map(pa.list_), _inner.map(pa.large_list), st.builds(pa.map_, st.just(pa.string()), _inner))
_structs = st.lists(_inner, max_size=3).map(lambda kinds: pa.struct(list(zip("abc", kinds, strict=False))))


def same(found: pa.Array, wanted: list[Any]) -> bool:
    found.validate(full=True)
    return repr(found.to_pylist()) == repr(wanted)


@given(_any)
def test_plain_keeps_every_value(array: pa.Array) -> None:
    plain = nested.plain(array)
    assert same(plain, array.to_pylist())
    assert not pat.is_dictionary(plain.type)
    assert not pat.is_list_view(plain.type)
    assert not pat.is_fixed_size_list(plain.type)


@given(_any, st.integers(0, 3))
def test_plain_makes_one_array_of_chunks(array: pa.Array, at: int) -> None:
    chunks = pa.chunked_array([array.slice(0, at), array.slice(at)])
    assert same(nested.plain(chunks), array.to_pylist())
    assert same(nested.plain(pa.chunked_array([], array.type)), [])


@given(_lists.flatmap(arrays))
def test_list_parts_are_the_values_in_use_and_offsets_from_zero(array: pa.Array) -> None:
    offsets, values = nested.list_parts(array)
    rows = [row or [] for row in array.to_pylist()]
    assert offsets.null_count == 0
    assert same(offsets, list(itertools.accumulate(map(len, rows), initial=0)))
    flat = [value for row in rows for value in row]
    if pat.is_map(array.type):
        flat = [{array.type.key_field.name: key, array.type.item_field.name: item} for key, item in flat]
    assert same(values, flat)


@given(_lists.flatmap(arrays))
def test_a_list_is_rebuilt_from_its_parts(array: pa.Array) -> None:
    _, values = nested.list_parts(array)
    if pat.is_map(array.type):
        assert same(nested.rebuild_list(array, values, array.type), array.to_pylist())
    else:
        again = nested.rebuild_list(array, values, array.type)
        assert same(again, array.to_pylist())
        assert again.type == array.type


@given(_lists.flatmap(arrays))
def test_a_list_is_rebuilt_with_other_values(array: pa.Array) -> None:
    _, values = nested.list_parts(array)
    count = itertools.count()
    numbers = pa.array(range(len(values)), pa.int64())
    wide = pat.is_large_list(array.type)
    kind = pa.large_list(pa.int64()) if wide else pa.list_(pa.int64())
    if pat.is_map(array.type):
        return
    wanted = [None if row is None else [next(count) for _ in row] for row in array.to_pylist()]
    assert same(nested.rebuild_list(array, numbers, kind), wanted)


@given(_structs.flatmap(arrays))
def test_children_of_a_null_struct_are_null(array: pa.Array) -> None:
    parts = nested.struct_children(array)
    rows = array.to_pylist()
    assert len(parts) == len(array.type)
    for child, part in zip(array.type, parts, strict=True):
        assert same(part, [None if row is None else row[child.name] for row in rows])
    assert same(nested.rebuild_struct(array, parts, list(array.type)), rows)


def _decoded(array: pa.Array) -> pa.Array:
    if not children(array.type):
        return nested.plain(array)
    array = nested.plain(array)
    return nested.map_children(array, _plain_type(array.type), lambda _, child: _decoded(child))


def _plain_type(data_type: pa.DataType) -> pa.DataType:
    if pat.is_dictionary(data_type):
        return _plain_type(data_type.value_type)
    fields = [child.with_type(_plain_type(child.type)) for _, child in children(data_type)]
    if not fields:
        return data_type
    if pat.is_struct(data_type):
        return pa.struct(fields)
    if pat.is_map(data_type):
        return pa.map_(*fields)
    wide = pat.is_large_list(data_type) or pat.is_large_list_view(data_type)
    return pa.large_list(fields[0]) if wide else pa.list_(fields[0])


@given(_any)
def test_map_children_to_the_bottom_keeps_every_value(array: pa.Array) -> None:
    again = _decoded(array)
    assert same(again, array.to_pylist())
    assert again.type == _plain_type(array.type)


@given(_any)
def test_decoding_dictionaries_keeps_every_value(array: pa.Array) -> None:
    decoded = decode_array(array)
    wanted = decode_schema(pa.schema([("a", array.type)]))
    assert same(decoded, array.to_pylist())
    assert decoded.type == wanted.field("a").type
    batch = decode_batch(pa.RecordBatch.from_arrays([array], names=["a"]))
    assert batch.schema == wanted
    assert same(batch.column(0), array.to_pylist())


def test_decoding_keeps_labels_at_every_depth() -> None:
    inner = pa.field("x", pa.dictionary(pa.int8(), pa.string()), False, {"blocks.label": "pii.name"})
    outer = pa.field("s", pa.list_view(pa.field("item", pa.struct([inner]))), True, {"blocks.label": "public"})
    decoded = decode_schema(pa.schema([outer], {"made": "here"}))
    assert decoded.metadata == {b"made": b"here"}
    assert decoded.field("s").metadata == outer.metadata
    assert decoded.field("s").type.value_type.field("x").equals(inner.with_type(pa.string()), check_metadata=True)


def test_a_sorted_map_stays_sorted() -> None:
    kind = pa.map_(pa.string(), pa.dictionary(pa.int8(), pa.string()), keys_sorted=True)
    assert decode_schema(pa.schema([("m", kind)])).field("m").type == pa.map_(pa.string(), pa.string(), True)


@pytest.mark.parametrize(
    "kind",
    [
        pa.sparse_union([pa.field("a", pa.dictionary(pa.int8(), pa.string()))]),
        pa.run_end_encoded(pa.int32(), pa.dictionary(pa.int8(), pa.string())),
    ],
)
def test_a_dictionary_where_it_cannot_be_decoded_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(SchemaError, match=r"(?s)cannot be decoded.*to do: cast"):
        decode_schema(pa.schema([("a", kind)]))


def _required_null(value: Any, field: pa.Field, path: str) -> str:
    """The slow oracle: one value at a time."""
    if value is None:
        return "" if field.nullable else path
    below = children(field.type)
    if pat.is_struct(field.type):
        found = [_required_null(value[child.name], child, path + end) for end, child in below]
    elif pat.is_map(field.type):
        found = [_required_null(item, below[1][1], path + below[1][0]) for _, item in value]
    else:
        found = [_required_null(one, below[0][1], path + below[0][0]) for one in value] if below else []
    return next(filter(None, found), "")


@st.composite
def _with_required(draw: st.DrawFn, data_type: pa.DataType) -> pa.DataType:
    """The type with any of its fields not nullable."""
    fields = [
        child.with_type(draw(_with_required(child.type))).with_nullable(draw(st.booleans()))
        for _, child in children(data_type)
    ]
    if not fields:
        return data_type
    if pat.is_struct(data_type):
        return pa.struct(fields)
    if pat.is_map(data_type):
        return pa.map_(fields[0].with_nullable(False), fields[1])
    return pa.large_list(fields[0]) if pat.is_large_list(data_type) else pa.list_(fields[0])


@given(st.data())
def test_a_null_in_a_required_field_is_found_at_any_depth(data: st.DataObject) -> None:
    kinds = types([pa.int32(), pa.string()])
    array = _decoded(data.draw(kinds.flatmap(arrays)))
    field = pa.field("c", data.draw(_with_required(array.type)), data.draw(st.booleans()))
    wanted = {_required_null(value, field, "c") for value in array.to_pylist()} - {""}
    found = required_null(array, field, "c")
    assert (found in wanted) if wanted else found == ""


def test_a_required_null_is_found_beside_views_below_a_null_struct() -> None:
    inner = pa.struct([pa.field("a", pa.bool_(), False), pa.field("b", pa.binary_view())])
    field = pa.field("x", pa.list_view(inner))
    flags = pa.array([True, None, None])
    bytes_ = pa.array([b"a long value, out of line", None, b""], pa.binary_view())
    # The second struct is null, and its flag need not be there; the third is not.
    structs = pa.StructArray.from_arrays([flags, bytes_], fields=list(inner), mask=pa.array([False, True, False]))
    starts, sizes = pa.array([0, 2], pa.int32()), pa.array([2, 1], pa.int32())
    lists = pa.ListViewArray.from_arrays(starts, sizes, structs, type=field.type)
    assert required_null(lists.slice(0, 1), field, "x") == ""
    assert required_null(lists.slice(1), field, "x") == "x[].a"


@given(types().flatmap(arrays))
def test_dropping_nulls_keeps_every_other_value(array: pa.Array) -> None:
    assert same(wire.drop_null(array), [value for value in array.to_pylist() if value is not None])


@given(types(dictionaries=True))
def test_with_children_is_the_reverse_of_children(kind: pa.DataType) -> None:
    fields = [child.with_metadata({"k": "v"}).with_nullable(False) for _, child in children(kind)]
    again = with_children(kind, fields)
    assert [child for _, child in children(again)] == fields
    assert with_children(again, [child for _, child in children(kind)]) == kind


def test_with_children_keeps_what_a_type_says_beside_them() -> None:
    sorted_map = pa.map_(pa.string(), pa.int32(), keys_sorted=True)
    assert with_children(sorted_map, [child for _, child in children(sorted_map)]).keys_sorted
    ordered = pa.dictionary(pa.int8(), pa.list_(pa.int32()), ordered=True)
    assert with_children(ordered, [pa.field("item", pa.int64())]).ordered
