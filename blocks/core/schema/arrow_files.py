"""Schemas of Parquet and Arrow IPC files, with the meaning that their field metadata holds."""

from pathlib import Path

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.errors import SchemaError
from blocks.core.schema.meaning import Place, Reading
from blocks.core.schema.types import list_kind, list_of

# Numbers that tell where a field stands in one file; two files of one schema may differ in them.
_STORAGE_KEYS = (b"PARQUET:field_id",)


def read(path: Path, name: str | None, reading: Reading) -> pa.Schema:
    """The schema of a Parquet file, or of an Arrow file or stream (Feather version 2 is an Arrow file).

    Field metadata stays, except Parquet's field ids. Items of lists and parts of maps have Arrow's usual names again,
    which Parquet changes (`item` to `element`), so that a schema is equal before and after.

    Raises:
      SchemaError: not such a file, a name (these files hold one schema), or metadata that breaks the rules.
    """
    if name is not None:
        raise SchemaError(
            f"a `{path.suffix}` file holds one schema without a name, got name `{name}`",
            where=reading.file,
            fix="leave `name` out",
        )
    try:
        schema = _parquet_schema(path) if path.suffix.lower() == ".parquet" else _ipc_schema(path)
    except (OSError, pa.ArrowException) as error:
        kind = "a Parquet" if path.suffix.lower() == ".parquet" else "an Arrow IPC"
        raise reading.stop(f"not {kind} file", Place(), f"check the file; Arrow says: {error}") from error
    fields = [_restored(field) for field in schema] if path.suffix.lower() == ".parquet" else list(schema)
    return reading.finish(fields, metadata=schema.metadata)


def _parquet_schema(path: Path) -> pa.Schema:
    import pyarrow.parquet as pq

    return pq.read_schema(path)


def _ipc_schema(path: Path) -> pa.Schema:
    with pa.OSFile(str(path)) as file:
        try:
            return pa.ipc.open_file(file).schema
        except pa.ArrowInvalid:
            file.seek(0)
            return pa.ipc.open_stream(file).schema


def _restored(field: pa.Field) -> pa.Field:
    metadata = {key: value for key, value in (field.metadata or {}).items() if key not in _STORAGE_KEYS}
    return pa.field(field.name, _restored_type(field.type), field.nullable, metadata or None)


def _restored_type(data_type: pa.DataType) -> pa.DataType:
    if pat.is_struct(data_type):
        return pa.struct([_restored(child) for child in data_type])
    if pat.is_map(data_type):
        key, value = _restored(data_type.key_field), _restored(data_type.item_field)
        return pa.map_(key.with_name("key"), value.with_name("value"), keys_sorted=data_type.keys_sorted)
    kind = list_kind(data_type)
    if kind is None:
        return data_type
    size = data_type.list_size if pat.is_fixed_size_list(data_type) else None
    return list_of(kind, _restored(data_type.value_field).with_name("item"), size)
