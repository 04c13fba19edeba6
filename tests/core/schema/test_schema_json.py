import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blocks.core.labels import DESCRIPTION, get, labels_of, leaves
from blocks.core.schema import parse_type, read_schema

Write = Callable[[str, str], Path]
Refused = Callable[..., str]


def _object(properties: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "object", "properties": properties, **more})


UTC = pa.timestamp("us", tz="UTC")
TYPES: list[tuple[Any, str | pa.DataType]] = [
    ({"type": "string"}, "string"),
    ({"type": "integer"}, "int64"),
    ({"type": "number"}, "double"),
    ({"type": "boolean"}, "bool"),
    ({"type": "null"}, "null"),
    ({"type": ["string", "null"]}, "string"),
    ({"type": ["integer", "number"]}, "double"),
    ({"type": "string", "format": "date-time"}, UTC),
    ({"type": "string", "format": "date"}, "date32[day]"),
    ({"type": "string", "format": "time"}, "time64[us]"),
    ({"type": "string", "format": "email"}, "string"),
    ({"format": "date-time"}, UTC),
    ({"type": "integer", "x-epoch": "ms"}, UTC),
    ({"type": "number", "x-epoch": "ns"}, "timestamp[ns, tz=UTC]"),
    ({"type": "string", "x-type": "decimal128(18, 2)"}, "decimal128(18, 2)"),
    ({"type": "string", "format": "date-time", "x-type": "timestamp[ms]"}, "timestamp[ms]"),
    ({"x-type": "map<string, int64>"}, "map<string, int64>"),
    ({"type": "object", "x-type": "map<string, int64>"}, "map<string, int64>"),
    ({"type": "array", "x-type": "list<string>"}, "list<string>"),
    ({"enum": ["A", "B"]}, "string"),
    ({"enum": [1, None]}, "int64"),
    ({"enum": [1, 1.5]}, "double"),
    ({"const": True}, "bool"),
    ({"type": "array", "items": {"type": "string"}}, "list<item: string not null>"),
    ({"type": "array", "items": {"type": ["string", "null"]}}, "list<string>"),
    ({"items": {"type": "integer"}}, "list<item: int64 not null>"),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, "map<string, int64 not null>"),
    ({"additionalProperties": {"type": ["null", "integer"]}}, "map<string, int64>"),
    ({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}, "map<string, int64 not null>"),
    ({"properties": {"b": {"type": "integer"}}}, "struct<b: int64>"),
    ({"type": "object", "properties": {"b": {"type": "integer"}}, "additionalProperties": {}}, "struct<b: int64>"),
    ({"oneOf": [{"type": "null"}, {"type": "string"}]}, "string"),
    ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, UTC),
    ({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string", "pattern": "^x"}]}, "string"),
    ({"type": "string", "anyOf": [{"maxLength": 3}, {"pattern": "^x"}]}, "string"),
    ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, "string"),
    ({"allOf": [{"type": ["integer", "null"]}, {"type": "number"}]}, "int64"),
    ({"$ref": "#/$defs/id"}, "int64"),
    ({"$ref": "#/$defs/a~1b%20c"}, "bool"),
    ({"$ref": "https://example.com/root.json#/$defs/id"}, "int64"),
]


@pytest.mark.parametrize(("written", "expected"), TYPES, ids=str)
def test_json_schema_types_become_arrow_types(write: Write, written: Any, expected: str | pa.DataType) -> None:
    defs = {"id": {"type": "integer"}, "a/b c": {"type": "boolean"}}
    text = _object({"a": written}, **{"$defs": defs, "$id": "https://example.com/root.json"})
    found = read_schema(write("a.json", text)).field("a")
    assert found.type == (parse_type(expected) if isinstance(expected, str) else expected)


def test_a_property_is_never_null_if_it_is_required_and_does_not_admit_null(write: Write) -> None:
    plain, null = {"type": "string"}, {"type": ["string", "null"]}
    choice = {"oneOf": [{"type": "null"}, {"type": "string"}]}
    openapi = {"type": "string", "nullable": True}
    both = {"allOf": [null, plain]}
    text = _object(
        {"a": plain, "b": null, "c": plain, "d": choice, "e": openapi, "f": both}, required=["a", "b", "d", "e", "f"]
    )
    schema = read_schema(write("a.json", text))
    assert [field.nullable for field in schema] == [False, True, True, True, True, False]


def test_labels_of_a_reference_and_of_its_target_add_up(write: Write) -> None:
    email = {"type": "string", "x-label": "pii.email", "description": "an address"}
    properties = {
        "a": {"$ref": "#/$defs/email"},
        "b": {"$ref": "#/$defs/email", "x-label": "secret", "description": "another"},
        "c": {"oneOf": [{"$ref": "#/$defs/email"}, {"type": "null"}], "x-label": "secret"},
        "d": {"type": "array", "items": {"$ref": "#/$defs/email"}},
        "e": {"allOf": [{"$ref": "#/$defs/email"}, {"x-label": ["finance.x"]}]},
        "f": {"type": "object", "propertyNames": {"x-label": "pii.key"}, "additionalProperties": {"type": "integer"}},
        "g": {"type": "integer"},
    }
    schema = read_schema(write("a.json", _object(properties, **{"$defs": {"email": email}, "x-label": "public"})))
    held = {leaf.path: set(leaf.labels) for leaf in leaves(schema)}
    assert held == {
        "a": {"pii.email"},
        "b": {"pii.email", "secret"},
        "c": {"pii.email", "secret"},
        "d[]": {"pii.email"},
        "e": {"pii.email", "finance.x"},
        "f{key}": {"pii.key"},
        "f{}": {"public"},
        "g": {"public"},
    }
    assert get(schema.field("a"), DESCRIPTION) == "an address"
    assert get(schema.field("b"), DESCRIPTION) == "another"


def test_objects_in_allof_are_merged(write: Write) -> None:
    base = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    more = {"properties": {"id": {"x-label": "public", "type": "integer"}, "b": {"type": "string"}}, "required": ["b"]}
    text = json.dumps({"allOf": [{"$ref": "#/$defs/base"}, more], "$defs": {"base": base}})
    schema = read_schema(write("a.json", text))
    assert schema == pa.schema([pa.field("id", pa.int64(), False), pa.field("b", pa.string(), False)])
    assert labels_of(schema.field("id")) == {"public"}


def test_labels_inside_both_parts_of_an_allof_are_kept(write: Write) -> None:
    one = {
        "properties": {"user": {"properties": {"a": {"type": "string", "x-label": "pii.a"}, "b": {"type": "string"}}}}
    }
    two = {"properties": {"user": {"properties": {"a": {"x-label": "secret"}, "b": {"x-label": "pii.b"}}}}}
    schema = read_schema(write("a.json", json.dumps({"allOf": [one, two]})))
    held = {leaf.path: set(leaf.labels) for leaf in leaves(schema)}
    assert held == {"user.a": {"pii.a", "secret"}, "user.b": {"pii.b"}}


def test_parts_of_an_allof_that_differ_in_their_values_are_refused(refused: Refused) -> None:
    maps = [{"additionalProperties": {"type": "string", "x-label": label}} for label in ("public", "pii.x")]
    message = refused(
        "a.json", _object({"a": {"allOf": maps}, "b": {"allOf": [{"additionalProperties": False}, maps[0]]}})
    )
    assert "parts of `allOf` differ in `additionalProperties`" in message
    assert "field `a`" in message
    assert "field `b`" not in message


def test_a_description_of_one_choice_does_not_describe_the_field(write: Write) -> None:
    choices = [{"const": "a", "description": "the first"}, {"const": "b"}]
    null = [{"type": "string", "description": "a name"}, {"type": "null"}]
    schema = read_schema(write("a.json", _object({"a": {"oneOf": choices}, "b": {"oneOf": null}})))
    assert [get(field, DESCRIPTION) for field in schema] == [None, "a name"]


def test_a_definition_or_the_title_of_the_root_is_taken_by_name(write: Write, refused: Refused) -> None:
    user = {"type": "object", "properties": {"login": {"type": "string"}}}
    text = _object({"user": {"$ref": "#/definitions/user"}}, title="Push", definitions={"user": user})
    assert read_schema(write("a.json", text)).names == ["user"]
    assert read_schema(write("a.json", text), "Push").names == ["user"]
    assert read_schema(write("a.json", text), "user").names == ["login"]
    assert "did you mean `user`?" in refused("a.json", text, "usr")
    only = json.dumps({"$defs": {"user": user}})
    assert read_schema(write("b.json", only)).names == ["login"]
    both = json.dumps({"$defs": {"user": user, "team": user}})
    assert "defines 2 definitions" in refused("c.json", both)


def test_references_go_to_other_files_and_on_from_there(write: Write) -> None:
    write("shared/user.json", json.dumps({"properties": {"mail": {"$ref": "mail.json#/$defs/mail"}}}))
    write("shared/mail.json", json.dumps({"$defs": {"mail": {"type": "string", "x-label": "pii.email"}}}))
    schema = read_schema(write("a.json", _object({"user": {"$ref": "shared/user.json"}})))
    assert schema.field("user").type == pa.struct([pa.field("mail", pa.string())])
    assert {leaf.path: set(leaf.labels) for leaf in leaves(schema)} == {"user.mail": {"pii.email"}}


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("#/$defs/usr", "goes nowhere: no `usr`|did you mean `user`?"),
        ("#/nowhere", "goes nowhere: no `nowhere`"),
        ("#user", "goes to an anchor"),
        ("other.json", "goes to a file that is not there"),
        ("https://example.com/user.json", "goes to another machine|schemas are never fetched"),
        ("//example.com/user.json#/a", "goes to another machine"),
        ("file:///etc/hostname", "goes to another machine"),
        ("#", "a schema that holds itself"),
        ("#/$defs/loop", "a schema that holds itself"),
        ("#/$defs/node", "a schema that holds itself"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_with_its_path(refused: Refused, target: str, shown: str) -> None:
    defs = {
        "user": {"type": "string"},
        "loop": {"$ref": "#/$defs/loop"},
        "node": {"properties": {"next": {"$ref": "#/$defs/node"}}},
    }
    message = refused("a.json", _object({"a": {"type": "array", "items": {"$ref": target}}}, **{"$defs": defs}))
    for part in shown.split("|"):
        assert part in message
    assert "field `a[]" in message


def test_a_problem_in_a_referenced_file_names_it(write: Write, refused: Refused) -> None:
    write("other.json", '{"type": "strng"}')
    message = refused("a.json", _object({"a": {"$ref": "other.json"}}))
    assert "file `other.json`" in message
    assert "no JSON type `strng`" in message


def test_all_problems_of_a_file_come_at_once(refused: Refused) -> None:
    properties = {
        "a": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "b": {"type": ["string", "integer"]},
        "c": {"type": "object"},
        "d": {"type": "array"},
        "e": {},
        "f": {"type": "string", "x-lable": "pii.email"},
        "g": {"type": "string", "x-key": "maybe"},
        "h": {"type": "string", "x-type": "timestmp"},
        "i": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
        "j": {"allOf": [{"type": "string"}, {"type": "integer"}]},
        "k": {"type": "string", "if": {"maxLength": 3}, "then": {"x-label": "pii.name"}},
        "l": {"type": "string", "anyOf": [{"maxLength": 3, "x-label": "pii.name"}]},
        "m": {"enum": ["a", 1]},
        "n": True,
        "o": {"allOf": [{"properties": {"x": {"type": "string"}}}, {"properties": {"x": {"type": "integer"}}}]},
        "p": {"type": "string", "x-label": ""},
        "q": {"properties": {"x": {"type": "string"}}, "x-type": "string"},
    }
    message = refused("a.json", _object(properties))
    for part in (
        "a choice of 2 types: `string`, `int64`",
        "several types: `string`, `integer`",
        "an object without properties",
        "an array without `items`",
        "a schema without a type",
        "did you mean `x-label`?",
        "`key` is true or false",
        "no Arrow type `timestmp`",
        "an array whose items have types of their own",
        "`allOf` asks for `string` and `integer` at once",
        "a label under `then` would be lost",
        "a label in a choice beside a type would be lost",
        "several types: `integer`, `string`",
        "field `o.x`",
        "an empty label",
        "`struct<x: string>` cannot hold `string`",
    ):
        assert part in message, part
    for name in properties:
        assert f"field `{name}" in message, name


def test_every_breach_of_the_meta_schema_comes_at_once(refused: Refused) -> None:
    message = refused("a.json", _object({"a": {"type": "strng"}, "b": {"required": "yes"}, "c": {"minLength": -1}}))
    assert "field `#/properties/a/type`" in message
    assert "field `#/properties/b/required`" in message
    assert "field `#/properties/c/minLength`" in message


def test_a_repeated_key_is_refused(refused: Refused) -> None:
    text = '{"properties": {"a": {"type": "string"}, "a": {"type": "integer"}}}'
    assert "the key `a` stands twice" in refused("a.json", text)
