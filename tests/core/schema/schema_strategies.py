"""Hypothesis strategies for Arrow types and schemas with meaning."""

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from blocks.core import labels

# Arrow holds UTF-8, so no lone surrogates; everything else is a name or a description.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_units = st.sampled_from(["s", "ms", "us", "ns"])
_zones = st.sampled_from([None, "UTC", "+05:30", "America/New_York"])


def _decimal(precision: int, scale: int) -> pa.DataType:
    return (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale)


timestamps = st.builds(pa.timestamp, _units, tz=_zones)
plain_types = st.one_of(
    st.sampled_from(
        [
            *(pa.null(), pa.bool_(), pa.int8(), pa.int64(), pa.uint16(), pa.float16(), pa.float64()),
            *(pa.string(), pa.large_string(), pa.binary(), pa.binary(7), pa.date32(), pa.date64()),
            *(pa.time32("ms"), pa.time64("ns"), pa.duration("us"), pa.month_day_nano_interval()),
            *(pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.uint8(), pa.int64(), ordered=True)),
        ]
    ),
    timestamps,
    st.builds(_decimal, st.integers(1, 76), st.integers(-5, 30)),
)

_labels = st.sets(st.sampled_from(["public", "secret", "pii", "pii.email", "pii.home-address", "x_1.2"]), max_size=2)
_others = st.dictionaries(texts.map(lambda text: "my." + text), texts | st.binary(max_size=6), max_size=2)
_masks = st.builds(
    labels.Masked,
    method=st.sampled_from(["hmac", "redact"]),
    key=st.sampled_from(["", "main"]),
    options=st.dictionaries(texts, st.integers() | st.booleans() | texts, max_size=2),
    type=st.sampled_from(["", "int64"]),
)


@st.composite
def _meaning(draw: st.DrawFn, data_type: pa.DataType) -> dict[Any, Any] | None:
    metadata: dict[Any, Any] = dict(draw(_others))
    metadata[labels.LABEL] = ",".join(sorted(draw(_labels))) or None
    metadata[labels.KEY] = draw(st.sampled_from([None, "true"]))
    metadata[labels.DESCRIPTION] = draw(st.none() | texts)
    masked = draw(st.none() | _masks)
    metadata[labels.MASKED] = masked and masked.to_json()
    if pa.types.is_timestamp(data_type):
        metadata[labels.EPOCH] = draw(st.sampled_from([None, *labels.EPOCH_UNITS]))
    return {key: value for key, value in metadata.items() if value is not None} or None


@st.composite
def _field(draw: st.DrawFn, name: str, data_type: pa.DataType, nullable: bool | None, meaning: bool) -> pa.Field:
    metadata = draw(_meaning(data_type)) if meaning else None
    nullable = draw(st.booleans()) if nullable is None else nullable
    # Arrow refuses a column that is null by type and never null.
    return pa.field(name, data_type, nullable or pa.types.is_null(data_type), metadata)


@st.composite
def _nested(draw: st.DrawFn, inner: st.SearchStrategy[pa.DataType], meaning: bool) -> pa.DataType:
    kind = draw(st.sampled_from(["struct", "list", "large_list", "list_view", "fixed", "map"]))
    if kind == "struct":
        names = draw(st.lists(texts, unique=True, max_size=3))
        return pa.struct([draw(_field(name, draw(inner), None, meaning)) for name in names])
    if kind == "map":
        key = draw(_field(draw(st.sampled_from(["key", "k'\\"])), pa.string(), False, meaning))
        value = draw(_field(draw(st.sampled_from(["value", "v"])), draw(inner), None, meaning))
        return pa.map_(key, value, keys_sorted=draw(st.booleans()))
    item = draw(_field(draw(st.sampled_from(["item", "element", "a: b"])), draw(inner), None, meaning))
    makes = {"list": pa.list_, "large_list": pa.large_list, "list_view": pa.list_view}
    return pa.list_(item, draw(st.integers(0, 4))) if kind == "fixed" else makes[kind](item)


def data_types(meaning: bool = False) -> st.SearchStrategy[pa.DataType]:
    """Types nested a few levels deep, with metadata on their fields or not."""
    return st.recursive(plain_types, lambda inner: _nested(inner, meaning), max_leaves=6)


@st.composite
def schemas(draw: st.DrawFn) -> pa.Schema:
    """Schemas that keep the rules, with every kind of metadata."""
    names = draw(st.lists(texts, unique=True, min_size=1, max_size=4))
    fields = [draw(_field(name, draw(data_types(meaning=True)), None, True)) for name in names]
    if draw(st.booleans()):
        marked = {**(fields[0].metadata or {}), labels.EVENT_TIME.encode(): b"true"}
        fields[0] = fields[0].with_type(draw(timestamps)).with_metadata(marked)
    return pa.schema(fields, draw(_others) or None)
