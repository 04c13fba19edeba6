"""Arrow arrays of one schema made to fit another: casts that fail row by row, and nulls where there must be none."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.reading.conversions import Failed, infinite


def cast_rows(array: pa.Array, data_type: pa.DataType) -> tuple[pa.Array, Failed]:
    """The array as another type; rows whose value does not fit are null and marked.

    Raises:
      ArrowNotImplementedError: no value of the one type is a value of the other.
    """
    parts = list(_cast_parts(array, data_type))
    result = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
    if pat.is_floating(data_type) and (overflown := infinite(result)) is not None:
        was = infinite(array) if pat.is_floating(array.type) else None
        overflown = overflown if was is None else overflown & ~was
        result = pc.if_else(pa.array(overflown), pa.scalar(None, data_type), result)
    if result.null_count == array.null_count:
        return result, None
    failed = pc.and_(result.is_null(), array.is_valid())
    return result, np.asarray(failed.to_numpy(zero_copy_only=False))


def _cast_parts(array: pa.Array, data_type: pa.DataType) -> Iterator[pa.Array]:
    try:
        yield array.cast(data_type)
    except pa.ArrowNotImplementedError:
        raise
    except pa.ArrowInvalid:
        if len(array) == 1:
            yield pa.nulls(1, data_type)
            return
        middle = len(array) // 2
        yield from _cast_parts(array[:middle], data_type)
        yield from _cast_parts(array[middle:], data_type)


def nullable(data_type: pa.DataType) -> pa.DataType:
    """The type with every field below it nullable, map keys aside: a cast to it cannot fail for want of a value."""
    below = [child for _, child in labels.children(data_type)]
    loose = [child.with_type(nullable(child.type)).with_nullable(True) for child in below]
    if pat.is_struct(data_type):
        return pa.struct(loose)
    if pat.is_map(data_type):
        return pa.map_(below[0], loose[1], data_type.keys_sorted)
    if pat.is_fixed_size_list(data_type):
        return pa.list_(loose[0], data_type.list_size)
    kinds = (
        (pat.is_list, pa.list_),
        (pat.is_large_list, pa.large_list),
        (pat.is_list_view, pa.list_view),
        (pat.is_large_list_view, pa.large_list_view),
    )
    return next((make(loose[0]) for fits, make in kinds if fits(data_type)), data_type)


def as_required(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    """An array of `nullable(data_type)` as `data_type`, where nothing that is required is missing.

    Arrow's cast refuses a required field that is null because the struct around it is.
    """
    if array.type.equals(data_type):
        return array
    if pat.is_struct(data_type):
        parts = [
            as_required(part, child.type) for part, child in zip(nested.struct_children(array), data_type, strict=True)
        ]
        return nested.rebuild_struct(array, parts, list(data_type))
    if pat.is_map(data_type):
        _, entries = nested.list_parts(array)
        items = as_required(entries.field(1), data_type.item_type)
        both = pa.StructArray.from_arrays([entries.field(0), items], fields=[data_type.key_field, data_type.item_field])
        return nested.rebuild_list(array, both, data_type)
    if pat.is_list(data_type) or pat.is_large_list(data_type):
        _, values = nested.list_parts(array)
        return nested.rebuild_list(array, as_required(values, data_type.value_type), data_type)
    return array.cast(data_type)


def unknown_fields(found: Iterable[pa.Field], wanted: Iterable[pa.Field], path: str = "") -> Iterator[str]:
    """Paths of the fields that one schema or struct has and the other has not, at any depth."""
    known = {field.name: field for field in wanted}
    for field in found:
        at = path + field.name
        if field.name not in known:
            yield at
        else:
            yield from _unknown_below(field.type, known[field.name].type, at)


def _unknown_below(found: pa.DataType, wanted: pa.DataType, at: str) -> Iterator[str]:
    if pat.is_struct(found) and pat.is_struct(wanted):
        yield from unknown_fields(found, wanted, at + ".")
        return
    for (suffix, one), (_, other) in zip(labels.children(found), labels.children(wanted), strict=False):
        yield from _unknown_below(one.type, other.type, at + suffix)


def missing(
    array: pa.Array, field: pa.Field, path: str
) -> Iterator[tuple[str, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]]:
    """(path, which rows) for every field that must not be null and is, at any depth.

    Args:
      array: of the field's type.
      field: with the nullability to hold the array to.
      path: of the field.
    """
    if not field.nullable and array.null_count:
        yield path, np.asarray(array.is_null().to_numpy(zero_copy_only=False))
    if pat.is_struct(field.type):
        valid = ~np.asarray(array.is_null().to_numpy(zero_copy_only=False))
        for child, part in zip(field.type, nested.struct_children(array), strict=True):
            for at, rows in missing(part, child, f"{path}.{child.name}"):
                if (rows & valid).any():
                    yield at, rows & valid
    elif labels.is_list(field.type) or pat.is_map(field.type):
        plain = nested.plain(array)
        offsets, values = nested.list_parts(plain)
        parents = np.repeat(np.arange(len(plain)), np.diff(offsets.to_numpy()))
        below = [values] if not pat.is_map(field.type) else [values.field(0), values.field(1)]
        for (suffix, child), part in zip(labels.children(field.type), below, strict=True):
            for at, items in missing(part, child, path + suffix):
                rows = np.zeros(len(plain), np.bool_)
                rows[parents[items]] = True
                yield at, rows
