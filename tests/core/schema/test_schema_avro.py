import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blocks.core.labels import DESCRIPTION, get, is_event_time, is_key, labels_of, leaves
from blocks.core.schema import read_schema

Write = Callable[[str, str], Path]
Refused = Callable[..., str]


def _record(*fields: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "record", "name": "A", "namespace": "ns", "fields": list(fields), **more})


def _of(written: Any) -> str:
    return _record({"name": "a", "type": written})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("boolean", pa.bool_()),
        ("int", pa.int32()),
        ("long", pa.int64()),
        ("float", pa.float32()),
        ("double", pa.float64()),
        ("bytes", pa.binary()),
        ("string", pa.string()),
        ({"type": "fixed", "name": "F", "size": 16}, pa.binary(16)),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, pa.string()),
        ({"type": "array", "items": "long"}, pa.list_(pa.field("item", pa.int64(), False))),
        ({"type": "array", "items": ["null", "long"]}, pa.list_(pa.int64())),
        ({"type": "map", "values": "long"}, pa.map_(pa.string(), pa.field("value", pa.int64(), False))),
        ({"type": "map", "values": ["long", "null"]}, pa.map_(pa.string(), pa.int64())),
        ({"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}, pa.decimal128(18, 2)),
        ({"type": "bytes", "logicalType": "decimal", "precision": 50}, pa.decimal256(50, 0)),
        (
            {"type": "fixed", "name": "D", "size": 8, "logicalType": "decimal", "precision": 9, "scale": 1},
            pa.decimal128(9, 1),
        ),
        ({"type": "int", "logicalType": "date"}, pa.date32()),
        ({"type": "int", "logicalType": "time-millis"}, pa.time32("ms")),
        ({"type": "long", "logicalType": "time-micros"}, pa.time64("us")),
        ({"type": "long", "logicalType": "timestamp-millis"}, pa.timestamp("ms", tz="UTC")),
        ({"type": "long", "logicalType": "timestamp-micros"}, pa.timestamp("us", tz="UTC")),
        ({"type": "long", "logicalType": "timestamp-nanos"}, pa.timestamp("ns", tz="UTC")),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, pa.timestamp("ms")),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, pa.timestamp("us")),
        ({"type": "long", "logicalType": "local-timestamp-nanos"}, pa.timestamp("ns")),
        ({"type": "string", "logicalType": "uuid"}, pa.string()),
        ({"type": "string", "logicalType": "of-somebody-else"}, pa.string()),
        ({"type": "string", "arrow_type": "timestamp"}, pa.timestamp("us", tz="UTC")),
        ({"type": "long", "epoch": "s"}, pa.timestamp("us", tz="UTC")),
    ],
    ids=str,
)
def test_avro_types_become_arrow_types(write: Write, written: Any, expected: pa.DataType) -> None:
    field = read_schema(write("a.avsc", _of(written))).field("a")
    assert field.type == expected
    assert not field.nullable


def test_only_a_union_with_null_is_nullable(write: Write) -> None:
    fields = [{"name": f"f{n}", "type": written} for n, written in enumerate(["int", ["int"], ["null", "int"], "null"])]
    schema = read_schema(write("a.avsc", _record(*fields)))
    assert [field.nullable for field in schema] == [False, False, True, True]
    assert [field.type for field in schema] == [pa.int32(), pa.int32(), pa.int32(), pa.null()]


def test_properties_of_fields_and_types_give_the_meaning(write: Write) -> None:
    email = {"type": "string", "label": "pii.email", "other.tool": {"x": 1}}
    text = _record(
        {"name": "a", "type": ["null", email], "label": ["secret"], "doc": "an address", "key": True},
        {"name": "b", "type": {"type": "array", "items": email}, "blocks.label": "public"},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}, "blocks.event_time": "true"},
        label="pii.order",
    )
    schema = read_schema(write("a.avsc", text))
    assert labels_of(schema.field("a")) == {"pii.email", "secret"}
    assert get(schema.field("a"), DESCRIPTION) == "an address"
    assert is_key(schema.field("a"))
    assert is_event_time(schema.field("t"))
    held = {leaf.path: set(leaf.labels) for leaf in leaves(schema)}
    assert held == {"a": {"pii.email", "secret"}, "b[]": {"pii.email"}, "t": {"pii.order"}}


def test_a_named_type_is_used_again_with_its_labels(write: Write) -> None:
    user = {"type": "record", "name": "User", "label": "pii.name", "fields": [{"name": "login", "type": "string"}]}
    text = _record(
        {"name": "a", "type": user}, {"name": "b", "type": ["null", "ns.User"]}, {"name": "c", "type": "User"}
    )
    schema = read_schema(write("a.avsc", text))
    assert schema.field("a").type == schema.field("b").type == schema.field("c").type
    assert [set(labels_of(field)) for field in schema] == [{"pii.name"}] * 3


def test_a_record_is_taken_by_full_or_short_name(write: Write, refused: Refused) -> None:
    user = {"type": "record", "name": "User", "namespace": "ns", "fields": [{"name": "login", "type": "string"}]}
    order = {"type": "record", "name": "Order", "namespace": "ns", "fields": [{"name": "user", "type": "User"}]}
    text = json.dumps([user, order])
    for name in ("User", "ns.User"):
        assert read_schema(write("a.avsc", text), name).names == ["login"]
    assert read_schema(write("a.avsc", text), "Order").names == ["user"]
    assert "defines 2 records" in refused("a.avsc", text)
    assert "did you mean `ns.User`?" in refused("a.avsc", text, "ns.Usr")


def test_a_record_inside_another_needs_no_name_for_the_outer_one(write: Write) -> None:
    inner = {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int"}]}
    path = write("a.avsc", _of(inner))
    assert read_schema(path).names == ["a"]
    assert read_schema(path, "In").names == ["x"]


def test_a_union_of_two_records_is_refused_with_its_path(refused: Refused) -> None:
    records = [{"type": "record", "name": name, "fields": [{"name": "x", "type": "int"}]} for name in ("B", "C")]
    message = refused("a.avsc", _of({"type": "array", "items": ["null", *records]}))
    assert "a union of 2 types: `ns.B`, `ns.C`" in message
    assert "field `a[]`" in message
    assert "a union of 2 types: `string`, `long`" in refused("b.avsc", _of(["string", "long"]))


def test_recursion_is_an_error_that_shows_the_circle(refused: Refused) -> None:
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    message = refused("a.avsc", _of(node))
    assert "`ns.Node` holds `ns.Node`" in message
    assert "field `a.next`" in message


def test_an_unknown_type_is_shown_with_its_path(refused: Refused) -> None:
    inner = {"type": "record", "name": "In", "fields": [{"name": "x", "type": {"type": "map", "values": "lng"}}]}
    message = refused("a.avsc", _of(inner))
    assert "no Avro type" in message
    assert "field `a.x{}`" in message
    assert "did you mean `long`?" in message


def test_all_problems_of_a_record_come_at_once(refused: Refused) -> None:
    text = _record(
        {"name": "a", "type": ["string", "long"]},
        {"name": "b", "type": "string", "lable": "pii.email"},
        {"name": "c", "type": "string", "key": "maybe"},
        {"name": "d", "type": {"type": "string", "logicalType": "timestamp-millis"}},
        {"name": "e", "type": {"type": "bytes", "logicalType": "decimal"}},
        {"name": "f", "type": {"type": "bytes", "logicalType": "decimal", "precision": 90}},
        {"name": "g", "type": "string", "label": 7},
        {"name": "h", "type": "string", "label": "secret", "blocks.label": "public"},
        {"name": "i", "type": "string", "arrow_type": "list<string>"},
    )
    message = refused("a.avsc", text)
    for part in (
        "a union of 2 types",
        "did you mean `label`?",
        "`key` is true or false",
        "logical type `timestamp-millis` stands on `string`, expected `long`",
        "a decimal without a precision",
        "`decimal` does not take these arguments",
        "a label is text, or a list of texts",
        "`label` and `blocks.label` both stand here",
        "cannot hold",
    ):
        assert part in message, part


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (json.dumps({"type": "record", "name": "A"}), "a type without `fields`"),
        (json.dumps({"type": "record", "fields": []}), "a type without `name`"),
        (json.dumps({"type": "record", "name": "A", "fields": [{"name": "a"}]}), "a field without `type`"),
        (json.dumps({"name": "A", "fields": []}), "a type without `type`"),
        (_of({"type": "array"}), "a type without `items`|field `a`"),
        (_of({"type": "enum", "name": "E", "symbols": ["not a name"]}), "not an Avro schema"),
        (_of({"type": "array", "items": 7}), "expected a type, got int|field `a[]`"),
        (_of({"type": {"type": "string"}}), "a type inside `type`|field `a`"),
        (_of({"type": "fixed", "name": "F", "size": True}), "`size` is a number, got bool|field `a`"),
        (_of({"type": "fixed", "name": "F", "size": 2**40}), "`size` is out of range"),
        (_record({"name": "a", "type": "int", "doc": 7}), "`doc` is text, got int"),
        (json.dumps({"type": "record", "name": "A", "fields": [7]}), "expected a field, got int"),
        ("[7]", "expected a type, got int"),
        ('{"type": "record", "name": "A", "name": "B", "fields": []}', "the key `name` stands twice"),
    ],
)
def test_json_that_is_not_an_avro_schema_is_refused(refused: Refused, text: str, shown: str) -> None:
    message = refused("a.avsc", text)
    for part in shown.split("|"):
        assert part in message
