"""Writes any schema with meaning in the YAML form that `yaml_form` reads."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
import yaml

from blocks.core import labels
from blocks.core.errors import SchemaError, all_problems
from blocks.core.schema.meaning import schema_problems
from blocks.core.schema.types import list_kind, type_text


def yaml_of(schema: pa.Schema) -> str:
    """See `blocks.core.schema.write_schema`."""
    with all_problems("write_schema", SchemaError) as problems:
        problems.extend(schema_problems(schema))
    form: dict[str, Any] = {}
    if schema.metadata:
        form["metadata"] = _metadata(schema.metadata, "schema")
    form["fields"] = [_field(field, field.name) for field in schema]
    # Wide lines, so that a field without children stays on one of them.
    return yaml.dump(form, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**16, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: a reader should see each field where it is."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def text(self, value: str) -> yaml.ScalarNode:
        """Double quotes around line breaks and the like: PyYAML's other styles do not read all of them back."""
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.text)


def _field(field: pa.Field, path: str, usual: str | None = None) -> dict[str, Any]:
    form: dict[str, Any] = {} if field.name == usual else {"name": field.name}
    form |= _type(field.type, path)
    if not field.nullable and usual != "key":
        form["required"] = True
    metadata = dict(field.metadata or {})
    form |= _meaning(field, metadata, path)
    if metadata:
        form["metadata"] = _metadata(metadata, path)
    # Children last, because they take the most lines.
    return form | {part: form.pop(part) for part in ("fields", "items", "keys", "values") if part in form}


def _meaning(field: pa.Field, metadata: dict[bytes, bytes], path: str) -> dict[str, Any]:
    """The keys that say what metadata says, taken out of `metadata`; what they cannot say stays in it."""
    form: dict[str, Any] = {}
    own = labels.labels_of(field)
    if own and labels.get(field, labels.LABEL) == ",".join(sorted(own)):
        form["label"] = next(iter(own)) if len(own) == 1 else sorted(own)
        del metadata[labels.LABEL.encode()]
    for flag, name in ((labels.KEY, "key"), (labels.EVENT_TIME, "event_time")):
        if labels.get(field, flag) == "true":
            form[name] = True
            del metadata[flag.encode()]
    for key, name in ((labels.EPOCH, "epoch"), (labels.DESCRIPTION, "description")):
        if key.encode() in metadata:
            form[name] = _text(metadata.pop(key.encode()), path)
    masked = _masked(field)
    if masked is not None:
        form["masked"] = masked
        del metadata[labels.MASKED.encode()]
    return form


def _masked(field: pa.Field) -> dict[str, Any] | None:
    masked = labels.masked_of(field)
    if masked is None or masked.to_json() != labels.get(field, labels.MASKED):
        return None
    written: dict[str, Any] = json.loads(masked.to_json())
    return {name: value for name, value in written.items() if value or name == "method"}


def _type(data_type: pa.DataType, path: str) -> dict[str, Any]:
    if pat.is_struct(data_type):
        return {"type": "struct", "fields": [_field(child, f"{path}.{child.name}") for child in data_type]}
    if pat.is_map(data_type):
        keys = _field(data_type.key_field, path + "{key}", "key")
        form: dict[str, Any] = {"type": "map", **({"sorted": True} if data_type.keys_sorted else {})}
        form |= {} if keys == {"type": "string"} else {"keys": keys}
        return form | {"values": _field(data_type.item_field, path + "{}", "value")}
    kind = list_kind(data_type)
    if kind is not None:
        size = {"size": data_type.list_size} if pat.is_fixed_size_list(data_type) else {}
        return {"type": kind, **size, "items": _field(data_type.value_field, path + "[]", "item")}
    try:
        return {"type": type_text(data_type)}
    except SchemaError as error:
        raise SchemaError(error.what, where=f"field `{path}`", fix=error.fix) from error


def _metadata(metadata: dict[bytes, bytes], path: str) -> dict[str, str | bytes]:
    return {_text(key, path): _text_or_bytes(value) for key, value in metadata.items()}


def _text(value: bytes, path: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SchemaError(
            "metadata that is not UTF-8 text cannot be written as YAML", where=f"field `{path}`", fix="take it away"
        ) from None


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
