"""Arrow schemas as Iceberg tables hold them: types, field ids, docs, and what the fields mean."""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.errors import Problem, SchemaError, all_problems

MEANING_PROPERTY = "blocks.fields"
_FIELD_ID = b"PARQUET:field_id"
_DOC = b"doc"
_KEPT = (labels.LABEL, labels.MASKED, labels.EVENT_TIME, labels.KEY, labels.DESCRIPTION)


def storable(schema: pa.Schema, where: str) -> pa.Schema:
    """The schema as a table holds it: widened integers, microseconds, plain lists; names and metadata stay.

    Raises:
      SchemaError: with every column that Iceberg (format version 2) has no type for.
    """
    with all_problems(where, SchemaError) as problems:
        fields = [_storable_field(field, field.name, problems) for field in schema]
    return pa.schema(fields, schema.metadata)


def _storable_field(field: pa.Field, path: str, problems: list[Problem]) -> pa.Field:
    return field.with_type(_storable_type(field.type, path, problems))


def _storable_type(data_type: pa.DataType, path: str, problems: list[Problem]) -> pa.DataType:
    if pat.is_struct(data_type) and data_type.num_fields:
        return pa.struct([_storable_field(child, f"{path}.{child.name}", problems) for child in data_type])
    if pat.is_map(data_type):
        key = _storable_field(data_type.key_field, path + "{key}", problems)
        return pa.map_(key, _storable_field(data_type.item_field, path + "{}", problems))
    if labels.is_list(data_type):
        return pa.list_(_storable_field(data_type.value_field, path + "[]", problems))
    found, fix = _leaf(data_type)
    if found is None:
        problems.append(Problem(f"an Iceberg table cannot hold {data_type}", f"field `{path}`", fix))
        return data_type
    return found


def _leaf(kind: pa.DataType) -> tuple[pa.DataType | None, str]:
    """The stored type, or None and what to do."""
    if pat.is_timestamp(kind):
        if kind.unit == "ns":
            return None, "cast it to microseconds"
        return pa.timestamp("us", tz="UTC" if kind.tz else None), ""
    if pat.is_decimal(kind):
        fits = kind.precision <= 38 and 0 <= kind.scale <= kind.precision
        return (pa.decimal128(kind.precision, kind.scale) if fits else None), "at most 38 digits, scale 0 to precision"
    if pat.is_time(kind):
        return (None if kind == pa.time64("ns") else pa.time64("us")), "cast it to microseconds"
    if pat.is_fixed_size_binary(kind):
        return kind, ""
    if kind in _STORED:
        return _STORED[kind], ""
    fixes = {pa.uint64(): "cast it to int64 or decimal128(20, 0)", pa.null(): "give the column a type, or drop it"}
    return None, fixes.get(kind, "cast it to another type, or drop it")


_STORED: Mapping[pa.DataType, pa.DataType] = {
    pa.bool_(): pa.bool_(),
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16()), pa.int32()),
    **dict.fromkeys((pa.int64(), pa.uint32()), pa.int64()),
    **dict.fromkeys((pa.float16(), pa.float32()), pa.float32()),
    pa.float64(): pa.float64(),
    **dict.fromkeys((pa.string(), pa.large_string(), pa.string_view()), pa.string()),
    **dict.fromkeys((pa.binary(), pa.large_binary(), pa.binary_view()), pa.binary()),
    **dict.fromkeys((pa.date32(), pa.date64()), pa.date32()),
}


def described(schema: pa.Schema) -> pa.Schema:
    """The schema with each column's description, labels and mask as the text that becomes the Iceberg field's doc."""
    return pa.schema([_described(field) for field in schema])


def _described(field: pa.Field) -> pa.Field:
    names, masked = sorted(labels.labels_of(field)), labels.masked_of(field)
    parts = [f"label {', '.join(names)}"] if names else []
    if masked:
        parts.append(f"masked by {masked.method}" + (f" with key {masked.key}" if masked.key else ""))
    text = labels.get(field, labels.DESCRIPTION) or ""
    doc = f"{text} [{'; '.join(parts)}]".strip() if parts else text
    kind = pa.struct([_described(child) for child in field.type]) if pat.is_struct(field.type) else field.type
    return pa.field(field.name, kind, field.nullable, {_DOC: doc.encode()} if doc else None)


def numbered(schema: pa.Schema) -> pa.Schema:
    """The schema with a field id on every field at every depth, counted from 1."""
    ids = itertools.count(1)
    return pa.schema([_numbered(field, ids) for field in schema])


def _numbered(field: pa.Field, ids: Iterator[int]) -> pa.Field:
    metadata = {**(field.metadata or {}), _FIELD_ID: str(next(ids)).encode()}
    kind = field.type
    if pat.is_struct(kind):
        kind = pa.struct([_numbered(child, ids) for child in kind])
    elif pat.is_map(kind):
        kind = pa.map_(_numbered(kind.key_field, ids), _numbered(kind.item_field, ids))
    elif pat.is_list(kind):
        kind = pa.list_(_numbered(kind.value_field, ids))
    return pa.field(field.name, kind, field.nullable, metadata)


def iceberg_schema(schema: pa.Schema) -> Any:
    """A new table's `pyiceberg.schema.Schema` of a storable Arrow schema."""
    from pyiceberg.io.pyarrow import pyarrow_to_schema

    return pyarrow_to_schema(numbered(described(schema)))


def file_schema(schema: Any) -> pa.Schema:
    """The Arrow schema, with field ids, of the data files of a table with this Iceberg schema."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return pa.schema([_file_field(field) for field in schema_to_pyarrow(schema)])


def _file_field(field: pa.Field) -> pa.Field:
    kind, keep = field.type, (field.metadata or {}).get(_FIELD_ID)
    if pat.is_struct(kind):
        kind = pa.struct([_file_field(child) for child in kind])
    elif pat.is_map(kind):
        kind = pa.map_(_file_field(kind.key_field), _file_field(kind.item_field))
    elif labels.is_list(kind):
        kind = pa.list_(_file_field(kind.value_field))
    else:
        # 64-bit offsets would double what a column of short texts costs.
        kind = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(kind, kind)
    return pa.field(field.name, kind, field.nullable, {_FIELD_ID: keep} if keep else None)


def conform(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """The batch in the columns, order and types of a file; columns that it lacks are null."""
    positions = {name: position for position, name in enumerate(batch.schema.names)}
    columns = [
        _conform(batch.column(positions[field.name]), field.type)
        if field.name in positions
        else pa.nulls(batch.num_rows, field.type)
        for field in target
    ]
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _conform(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type.equals(kind, check_metadata=True):
        return array
    if not pat.is_nested(kind):
        return array if array.type == kind else pc.cast(array, kind)
    array = nested.plain(array)
    if not pat.is_struct(kind):
        return nested.map_children(array, kind, lambda at, child: _conform(child, _child_type(kind, at)))
    have = {child.name: part for child, part in zip(array.type, nested.struct_children(array), strict=True)}
    parts = [
        _conform(have[child.name], child.type) if child.name in have else pa.nulls(len(array), child.type)
        for child in kind
    ]
    return nested.rebuild_struct(array, parts, list(kind))


def _child_type(kind: pa.DataType, at: int) -> pa.DataType:
    if pat.is_map(kind):
        return (kind.key_field if at == 0 else kind.item_field).type
    return kind.value_field.type


def meaning(schema: pa.Schema) -> str:
    """Labels, masks, event time, keys and descriptions of every field by path, as JSON, for the table's properties."""
    found = {path: kept for column in schema for path, field in _walk(column.name, column) if (kept := _kept(field))}
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def _kept(field: pa.Field) -> dict[str, str]:
    return {key.removeprefix("blocks."): text for key in _KEPT if (text := labels.get(field, key)) is not None}


def _walk(path: str, field: pa.Field) -> Iterator[tuple[str, pa.Field]]:
    yield path, field
    for suffix, child in labels.children(field.type):
        yield from _walk(path + suffix, child)


def with_meaning(schema: pa.Schema, text: str | None) -> pa.Schema:
    """A schema read back from a table with the metadata that `meaning` kept; field ids and docs are left out."""
    kept: dict[str, dict[str, str]] = json.loads(text) if text else {}
    return pa.schema([_with_meaning(field.name, field, kept) for field in schema])


def _with_meaning(path: str, field: pa.Field, kept: Mapping[str, Mapping[str, str]]) -> pa.Field:
    kind = field.type
    below = [_with_meaning(path + suffix, child, kept) for suffix, child in labels.children(kind)]
    if pat.is_struct(kind):
        kind = pa.struct(below)
    elif pat.is_map(kind):
        kind = pa.map_(*below)
    elif below:
        kind = pa.list_(below[0])
    metadata = {f"blocks.{key}": value for key, value in kept.get(path, {}).items()}
    return pa.field(field.name, kind, field.nullable, metadata or None)
