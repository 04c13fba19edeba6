"""Schemas with meaning: `pa.Schema` whose fields say what is private, when it happened, and what identifies a row.

    schema = read_schema("transaction.thrift", "Transaction")
    print(describe(schema))

The formats are read by a module each, imported when a file of that kind is read.
"""

import importlib
import os
from typing import TYPE_CHECKING, Protocol, cast

import pyarrow as pa

from blocks.core.errors import SchemaError, nearest
from blocks.core.schema.types import parse_type, type_text

if TYPE_CHECKING:
    from pathlib import Path

    from blocks.core.schema.description import Description
    from blocks.core.schema.meaning import Reading

__all__ = ["describe", "parse_type", "read_schema", "type_text", "write_schema"]

_READERS = {
    ".thrift": "thrift",
    ".avsc": "avro",
    ".json": "json_schema",
    ".yaml": "yaml_form",
    ".yml": "yaml_form",
    ".parquet": "arrow_files",
    ".arrow": "arrow_files",
    ".feather": "arrow_files",
}


class _Reader(Protocol):
    def read(self, path: "Path", name: str | None, reading: "Reading") -> pa.Schema: ...


def read_schema(source: str | os.PathLike[str], name: str | None = None) -> pa.Schema:
    """The schema in a file, with labels, event time, keys and descriptions as field metadata.

    The module of each format (`blocks.core.schema.thrift`, `.avro`, `.json_schema`, `.yaml_form`, `.arrow_files`) says
    how it writes them and how its types become Arrow types.

    Args:
      source: path of a local file: `.thrift` (Thrift IDL), `.avsc` (Avro), `.json` (JSON Schema), `.yaml` or `.yml`
        (the form of `blocks`), `.parquet`, `.arrow` or `.feather`.
      name: the struct, record, definition or schema to take, in a file that holds several.

    Returns:
      The schema; the metadata keys are those of `blocks.core.labels`. Timestamps are timestamp[us, tz=UTC] unless the
      file says otherwise. A field is not null where the format says that a value is always there.

    Raises:
      SchemaError: no such file, an unknown suffix, a name that is not there or missing, or a file that breaks its
        format or the rules of schemas; all problems that can be found, with line and column where the format has them.

    Example:
      >>> schema = read_schema("transaction.thrift", "Transaction")
      >>> schema.field("email").metadata
      {b'blocks.label': b'pii.email'}
    """
    from blocks.core.schema.meaning import Reading
    from blocks.core.schema.source import locate

    path = locate(source)
    module = _READERS.get(path.suffix.lower())
    if module is None:
        raise SchemaError(
            f"no schema format has the suffix `{path.suffix}`",
            where=str(source),
            fix=nearest(path.suffix.lower(), _READERS),
        )
    reader = cast(_Reader, importlib.import_module(f"{__name__}.{module}"))
    return reader.read(path, name, Reading(os.fsdecode(source)))


def schema_of_option(source: pa.Schema | str | os.PathLike[str]) -> pa.Schema:
    """The schema that an option or an argument names: one that is there, `FILE`, or `FILE:NAME` for one of several.

    Raises:
      SchemaError: as `read_schema`.
    """
    if isinstance(source, pa.Schema):
        return source
    path, colon, name = os.fsdecode(source).rpartition(":")
    # `C:\schema.yaml` and plain paths have no name after the colon.
    return read_schema(path, name) if colon and "/" not in name and "\\" not in name else read_schema(source)


def describe(schema: pa.Schema) -> "Description":
    """A table of a schema: one row a field, nested fields by path; text in a terminal, HTML in a notebook.

    Args:
      schema: any Arrow schema.

    Raises:
      SchemaError: not a schema.

    Example:
      >>> describe(read_schema("transaction.thrift", "Transaction"))
      field    type                    nullable  labels     masked  role        description
      id       string                  no        public             key
      email    string                  yes       pii.email
      created  timestamp[us, tz=UTC]   yes       public             event time
    """
    from blocks.core.schema.description import description_of

    return description_of(schema)


def write_schema(schema: pa.Schema) -> str:
    """The YAML form of a schema, which `read_schema` reads back to an equal schema, metadata included.

    Args:
      schema: any schema that keeps the rules (see `blocks.core.schema.meaning.schema_problems`).

    Raises:
      SchemaError: two event times, repeated names, a type without a text form, or a metadata key that is not text.
    """
    from blocks.core.schema.yaml_write import yaml_of

    return yaml_of(schema)
