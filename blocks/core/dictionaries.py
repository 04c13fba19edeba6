"""Dictionary columns, decoded where data enters: a bare Arrow IPC message loses dictionaries."""

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.batch_type import has_dictionary
from blocks.core.errors import SchemaError


def decode_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with every dictionary type, at any depth, replaced by the type of its values; metadata stays.

    Lists around a dictionary become plain lists (`list`, or `large_list` where offsets have 64 bits).

    Raises:
      SchemaError: a dictionary inside a union, run-end encoding or extension type.
    """
    return pa.schema([field.with_type(_decoded(field.type)) for field in schema], schema.metadata)


def decode_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with every dictionary column, at any depth, as plain values; unchanged without one."""
    if not any(has_dictionary(field.type) for field in batch.schema):
        return batch
    return pa.RecordBatch.from_arrays(
        [decode_array(column) for column in batch.columns], schema=decode_schema(batch.schema)
    )


def _decoded(data_type: pa.DataType) -> pa.DataType:
    if pat.is_dictionary(data_type):
        return _decoded(data_type.value_type)
    if not has_dictionary(data_type):
        return data_type
    if not nested.is_nested(data_type):
        raise SchemaError(
            f"the dictionary inside {data_type} cannot be decoded",
            where="decode_schema",
            fix="cast the column to the type of its values first",
        )
    fields = [child.with_type(_decoded(child.type)) for _, child in labels.children(data_type)]
    if pat.is_struct(data_type):
        return pa.struct(fields)
    if pat.is_map(data_type):
        return pa.map_(fields[0], fields[1], keys_sorted=data_type.keys_sorted)
    if pat.is_large_list(data_type) or pat.is_large_list_view(data_type):
        return pa.large_list(fields[0])
    return pa.list_(fields[0])


def decode_array(array: pa.Array) -> pa.Array:
    """The array with dictionaries at any depth as plain values."""
    if not has_dictionary(array.type):
        return array
    if pat.is_dictionary(array.type):
        return decode_array(array.dictionary_decode())
    return nested.map_children(array, _decoded(array.type), lambda _, child: decode_array(child))
