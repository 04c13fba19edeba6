"""What a field means, kept in Arrow field metadata: privacy labels, how it was masked, event time, key, description.

The metadata keys (all values UTF-8 text):

    blocks.label        one or more dotted labels, comma-separated: `pii.email`, `public`, `pii.name,secret`
    blocks.masked       how a column was masked, as JSON (see `Masked`)
    blocks.event_time   `true` on the column that holds the event time
    blocks.key          `true` on columns that identify a row
    blocks.description  a sentence for people
    blocks.epoch        unit of an epoch number in the source: `s`, `ms`, `us` or `ns`

A label on a struct, list or map holds for everything below it that has no label of its own.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.errors import SchemaError

LABEL = "blocks.label"
MASKED = "blocks.masked"
EVENT_TIME = "blocks.event_time"
KEY = "blocks.key"
DESCRIPTION = "blocks.description"
EPOCH = "blocks.epoch"
EPOCH_UNITS = ("s", "ms", "us", "ns")
PUBLIC = "public"

_LABEL_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Masked:
    """How the values of a column were masked.

    Attributes:
      method: name of the method, as in a policy.
      key: id of the key, empty where the method has none.
      options: the other options of the method, as a policy gives them.
      type: Arrow type before masking, as text, for `UnmaskColumns`.
    """

    method: str
    key: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    type: str = ""

    def to_json(self) -> str:
        """As stored in the metadata: keys in order, so that equal masks are equal text."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Masked":
        """The reverse of `to_json`.

        Raises:
          SchemaError: not a mask mark, or one of another version.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            raise SchemaError(
                "metadata that is no mask mark of this version",
                where=f"field metadata `{MASKED}`",
                fix="take the schema that MaskColumns gave, or read and mask the original again",
            ) from None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column without children, somewhere in a schema.

    Attributes:
      path: `user.email`, `items[].sku` in a list, `tags{key}` and `tags{}` for a map's keys and values.
      field: the Arrow field.
      labels: its labels, or those of the nearest labelled ancestor.
      masked: how it, or that ancestor, was masked.
    """

    path: str
    field: pa.Field
    labels: frozenset[str]
    masked: Masked | None


def get(field: pa.Field, key: str) -> str | None:
    """The text under a metadata key of a field, or None."""
    value = (field.metadata or {}).get(key.encode())
    return None if value is None else value.decode()


def put(field: pa.Field, values: Mapping[str, str | None]) -> pa.Field:
    """The field with metadata set (text) or taken away (None); everything else stays."""
    # Other tools' metadata need not be text.
    metadata = dict(field.metadata or {})
    for key, value in values.items():
        if value is None:
            metadata.pop(key.encode(), None)
        else:
            metadata[key.encode()] = value.encode()
    return field.with_metadata(metadata or None)


def labels_of(field: pa.Field) -> frozenset[str]:
    """The labels on this field itself (not those of its ancestors)."""
    text = get(field, LABEL)
    return frozenset(part.strip() for part in text.split(",") if part.strip()) if text else frozenset()


def with_labels(field: pa.Field, labels: Iterable[str]) -> pa.Field:
    """The field with exactly these labels.

    Raises:
      SchemaError: a label that is not dotted words (`pii.email`).
    """
    names = sorted(set(labels))
    for name in names:
        if not _LABEL_FORM.fullmatch(name):
            raise SchemaError(
                f"`{name}` is not a label", where=f"field `{field.name}`", fix="write dotted words, as in `pii.email`"
            )
    return put(field, {LABEL: ",".join(names) or None})


def masked_of(field: pa.Field) -> Masked | None:
    """How this field was masked, or None."""
    text = get(field, MASKED)
    return Masked.from_json(text) if text else None


def is_event_time(field: pa.Field) -> bool:
    """Whether the field holds the event time."""
    return get(field, EVENT_TIME) == "true"


def is_key(field: pa.Field) -> bool:
    """Whether the field identifies a row."""
    return get(field, KEY) == "true"


def event_time_of(schema: pa.Schema) -> str | None:
    """Name of the column that holds the event time, or None. Only top-level columns count."""
    return next((field.name for field in schema if is_event_time(field)), None)


def with_event_time(schema: pa.Schema, name: str) -> pa.Schema:
    """The schema with `name`, and no other column, marked as the event time."""
    return pa.schema(
        [put(field, {EVENT_TIME: "true" if field.name == name else None}) for field in schema], schema.metadata
    )


def children(data_type: pa.DataType) -> list[tuple[str, pa.Field]]:
    """(path suffix, field) of the fields below a struct, list or map; empty for a leaf."""
    if pat.is_struct(data_type):
        return [("." + child.name, child) for child in data_type]
    if pat.is_map(data_type):
        return [("{key}", data_type.key_field), ("{}", data_type.item_field)]
    if is_list(data_type):
        return [("[]", data_type.value_field)]
    if pat.is_dictionary(data_type):
        return children(data_type.value_type)
    return []


def with_children(data_type: pa.DataType, fields: Sequence[pa.Field]) -> pa.DataType:
    """The type with other fields below it, in the order of `children`; a leaf as it is."""
    if pat.is_struct(data_type):
        return pa.struct(fields)
    if pat.is_map(data_type):
        return pa.map_(*fields, keys_sorted=data_type.keys_sorted)
    if pat.is_fixed_size_list(data_type):
        return pa.list_(fields[0], data_type.list_size)
    if pat.is_dictionary(data_type):
        return pa.dictionary(data_type.index_type, with_children(data_type.value_type, fields), data_type.ordered)
    make = next((make for kind, make in _LISTS if kind(data_type)), None)
    return data_type if make is None else make(fields[0])


_LISTS = (
    (pat.is_list, pa.list_),
    (pat.is_large_list, pa.large_list),
    (pat.is_list_view, pa.list_view),
    (pat.is_large_list_view, pa.large_list_view),
)


def is_list(data_type: pa.DataType) -> bool:
    """Whether it is any of Arrow's list types (a map is not)."""
    return bool(
        pat.is_list(data_type)
        or pat.is_large_list(data_type)
        or pat.is_fixed_size_list(data_type)
        or pat.is_list_view(data_type)
        or pat.is_large_list_view(data_type)
    )


def leaves(schema: pa.Schema) -> Iterator[Leaf]:
    """Every leaf of a schema, depth first, with inherited labels."""
    for column in schema:
        yield from leaves_of(column)


def leaves_of(column: pa.Field) -> Iterator[Leaf]:
    """Every leaf of one column, depth first, with inherited labels."""
    yield from _leaves(column.name, column, frozenset(), None)


def _leaves(path: str, at: pa.Field, labels: frozenset[str], masked: Masked | None) -> Iterator[Leaf]:
    own = labels_of(at)
    labels, masked = (own, masked_of(at)) if own else (labels, masked_of(at) or masked)
    below = children(at.type)
    if not below:
        yield Leaf(path, at, labels, masked)
    for suffix, child in below:
        yield from _leaves(path + suffix, child, labels, masked)


def has_private_label(schema: pa.Schema) -> bool:
    """Whether any leaf has a label other than `public`."""
    return any(leaf.labels - {PUBLIC} for leaf in leaves(schema))
