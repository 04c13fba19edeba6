"""What Arrow's views (string, binary and list views) are written, measured and taken as: plain types.

A slice of views keeps, and an IPC message of it would hold, the whole of its parent; and Arrow has kernels for views in
few places (pyarrow 25: no `take` of string views, no cast from most lists to list views).
"""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import nested
from blocks.core.labels import children, with_children


def wire_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with views as plain types; the very same object if there are none."""
    if not any(_has_views(field.type) for field in schema):
        return schema
    return pa.schema([field.with_type(_wire_type(field.type)) for field in schema])


def convert(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of a schema as one of its `wire_schema`, without what a slice leaves out, and back."""
    columns = [_converted(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def size_of(batch: pa.RecordBatch) -> int:
    """Bytes that the rows of a batch need, without what a slice leaves out of its parent."""
    wire = wire_schema(batch.schema)
    return int((batch if wire is batch.schema else convert(batch, wire)).nbytes)


def take(batch: pa.RecordBatch, rows: pa.Array) -> pa.RecordBatch:
    """The rows at these places, for every type."""
    wire = wire_schema(batch.schema)
    return batch.take(rows) if wire is batch.schema else convert(convert(batch, wire).take(rows), batch.schema)


def drop_null(array: pa.Array) -> pa.Array:
    """The values that are not null, for every type; views among them, at any depth, as plain types."""
    return _converted(array, _wire_type(array.type)).drop_null()


def _is_list_view(data_type: pa.DataType) -> bool:
    return bool(pat.is_list_view(data_type) or pat.is_large_list_view(data_type))


def _has_views(data_type: pa.DataType) -> bool:
    if pat.is_string_view(data_type) or pat.is_binary_view(data_type) or _is_list_view(data_type):
        return True
    if pat.is_fixed_size_list(data_type) and data_type.list_size == 0:
        return False
    return any(_has_views(child.type) for _, child in children(data_type))


def _wire_type(data_type: pa.DataType) -> pa.DataType:
    if not _has_views(data_type):
        return data_type
    if pat.is_string_view(data_type):
        return pa.large_string()
    if pat.is_binary_view(data_type):
        return pa.large_binary()
    fields = [child.with_type(_wire_type(child.type)) for _, child in children(data_type)]
    if not _is_list_view(data_type):
        return with_children(data_type, fields)
    return pa.large_list(fields[0]) if pat.is_large_list_view(data_type) else pa.list_(fields[0])


def _converted(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    if array.type.equals(data_type):
        return array
    below = [child.type for _, child in children(data_type)]
    if not below:
        return array.cast(data_type)
    if pat.is_struct(data_type) or pat.is_map(data_type):
        return nested.map_children(array, data_type, lambda place, child: _converted(child, below[place]))
    mask = array.is_null() if array.null_count else None
    if pat.is_fixed_size_list(data_type):
        size = data_type.list_size
        values = _converted(array.values.slice(array.offset * size, len(array) * size), below[0])
        return pa.FixedSizeListArray.from_arrays(values, type=data_type, mask=mask)
    lists = nested.plain(array)
    offsets, values = nested.list_parts(lists)
    values = _converted(values, below[0])
    if not _is_list_view(data_type):
        return nested.rebuild_list(lists, values, data_type)
    kind = pa.LargeListViewArray if pat.is_large_list_view(data_type) else pa.ListViewArray
    starts = offsets.slice(0, len(lists))
    return kind.from_arrays(starts, pc.subtract(offsets.slice(1), starts), values, type=data_type, mask=mask)
