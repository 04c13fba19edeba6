"""Arrow arrays taken apart and put together again: slices, nulls and offsets handled in one place.

A nested array may be a slice of a larger one, its null lists may cover values, and its offsets need not begin at 0.
`parts_of` hands out children that hold exactly the values in use, `rebuild` puts changed children back.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.labels import is_list


def plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The array as one chunk, with list views, fixed-size lists and dictionaries turned into plain lists and values."""
    if isinstance(array, pa.ChunkedArray):
        # Arrow has no way to make some empty arrays other than as nulls.
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)
    if pat.is_dictionary(array.type):
        return plain(array.dictionary_decode())
    if pat.is_fixed_size_list(array.type):
        return array.cast(pa.list_(array.type.value_field))
    if pat.is_list_view(array.type) or pat.is_large_list_view(array.type):
        return _list_of_views(array)
    return array


def _list_of_views(array: pa.Array) -> pa.Array:
    # Arrow's cast makes an offsets buffer that is too short when all lists are empty (pyarrow 25).
    wide = pat.is_large_list_view(array.type)
    kind, data_type = (pa.LargeListArray, pa.large_list) if wide else (pa.ListArray, pa.list_)
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    mask = array.is_null() if array.null_count else None
    return kind.from_arrays(_offsets(lengths), array.flatten(), type=data_type(array.type.value_field), mask=mask)


def _offsets(lengths: pa.Array) -> pa.Array:
    """One more than the lengths: the sums, from 0."""
    return pa.concat_arrays([pa.array([0], lengths.type), pc.cumulative_sum(lengths)])


def list_parts(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(offsets from 0, values in use) of a list, large list or map array; null lists are empty.

    Args:
      array: any slice; a map counts as a list of key/value structs.

    Returns:
      offsets: len(array) + 1 integers, beginning at 0, never null.
      values: exactly the values that non-null lists hold (struct of key and value for a map).
    """
    if pat.is_map(array.type):
        array = _list_of_entries(array)
    if array.null_count:
        return _offsets(pc.fill_null(pc.list_value_length(array), 0)), array.flatten()
    offsets = array.offsets
    first, last = offsets[0].as_py(), offsets[-1].as_py()
    values = array.values.slice(first, last - first)
    return (offsets if first == 0 and offsets.offset == 0 else pc.subtract(offsets, offsets[0])), values


def _list_of_entries(array: pa.Array) -> pa.Array:
    """A map array as a list array of key/value structs."""
    fields = [array.type.key_field, array.type.item_field]
    entries = pa.StructArray.from_arrays([array.keys, array.items], fields=fields)
    # Arrow takes a mask only with offsets that are no slice.
    first = array.offsets[0]
    mask = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(pc.subtract(array.offsets, first), entries.slice(first.as_py()), mask=mask)


def rebuild_list(array: pa.Array, values: pa.Array, data_type: pa.DataType) -> pa.Array:
    """A list, large list or map array shaped as `array`, holding `values` (as from `list_parts(array)`).

    Args:
      array: gives the offsets and the nulls.
      values: as many as `list_parts(array)[1]`; for a map a struct of key and value.
      data_type: type of the result.
    """
    offsets, _ = list_parts(array)
    mask = array.is_null() if array.null_count else None
    if pat.is_map(data_type):
        entries = plain(values)
        keys, items = entries.field(0), entries.field(1)
        return pa.MapArray.from_arrays(offsets, keys, items, type=data_type, mask=mask)
    kind = pa.LargeListArray if pat.is_large_list(data_type) else pa.ListArray
    return kind.from_arrays(offsets, values, type=data_type, mask=mask)


def struct_children(array: pa.Array) -> list[pa.Array]:
    """The children of a struct array, null wherever the struct is null; slices respected."""
    return array.flatten()


def rebuild_struct(array: pa.Array, values: Sequence[pa.Array], fields: Sequence[pa.Field]) -> pa.Array:
    """A struct array with the nulls of `array` and these children."""
    if not fields:
        # A struct without children has no length of its own to take over.
        return pa.array([None if null else {} for null in array.is_null().to_pylist()], pa.struct([]))
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(list(values), fields=list(fields), mask=mask)


def map_children(array: pa.Array, data_type: pa.DataType, convert: Callable[[int, pa.Array], pa.Array]) -> pa.Array:
    """The array with each child replaced by `convert(position, child)`, as `data_type`.

    Args:
      array: struct, list or map, any slice.
      data_type: type of the result, of the same shape.
      convert: gets the child's position (0 for a list, 0 and 1 for a map's keys and values) and its values in use.
    """
    array = plain(array)
    if pat.is_struct(array.type):
        parts = [convert(position, child) for position, child in enumerate(struct_children(array))]
        return rebuild_struct(array, parts, list(data_type))
    _, values = list_parts(array)
    if pat.is_map(array.type):
        keys, items = convert(0, values.field(0)), convert(1, values.field(1))
        fields = [data_type.key_field, data_type.item_field]
        return rebuild_list(array, pa.StructArray.from_arrays([keys, items], fields=fields), data_type)
    return rebuild_list(array, convert(0, values), data_type)


def is_nested(data_type: pa.DataType) -> bool:
    """Whether it is a struct, list or map."""
    return bool(pat.is_struct(data_type) or pat.is_map(data_type) or is_list(data_type))
