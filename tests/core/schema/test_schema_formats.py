"""One schema in four formats, and what holds for every format."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from blocks.core.errors import SchemaError
from blocks.core.labels import DESCRIPTION, EVENT_TIME, KEY, LABEL, leaves
from blocks.core.schema import read_schema

Write = Callable[[str, str], Path]
Refused = Callable[..., str]
FORMATS = ["thrift", "avsc", "json", "yaml"]


def _transaction() -> pa.Schema:
    public = {LABEL: "public"}
    user = pa.struct(
        [
            pa.field("email", pa.string(), metadata={LABEL: "pii.email"}),
            pa.field("name", pa.string()),
            pa.field("age", pa.int32(), metadata={DESCRIPTION: "in whole years"}),
        ]
    )
    item = pa.struct([pa.field("sku", pa.string(), False, public), pa.field("quantity", pa.int64(), False, public)])
    note = pa.field("value", pa.string(), False, {LABEL: "pii.note,secret"})
    number = {LABEL: "public", KEY: "true", DESCRIPTION: "number of the transaction"}
    return pa.schema(
        [
            pa.field("id", pa.string(), False, number),
            pa.field("occurred_at", pa.timestamp("us", tz="UTC"), False, {LABEL: "public", EVENT_TIME: "true"}),
            pa.field("amount", pa.decimal128(18, 2), metadata={LABEL: "finance.amount"}),
            pa.field("user", user, False, {LABEL: "pii.name"}),
            pa.field("items", pa.list_(pa.field("item", item, False))),
            pa.field("tags", pa.list_(pa.field("item", pa.string(), False, public))),
            pa.field("notes", pa.map_(pa.string(), note)),
            pa.field("status", pa.string(), metadata=public),
            pa.field("risk", pa.float64()),
            pa.field("active", pa.bool_()),
        ]
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_gives_the_same_schema_with_its_meaning(fixtures: Path, format_: str) -> None:
    schema = read_schema(fixtures / f"transaction.{format_}", "Transaction")
    assert schema.equals(_transaction(), check_metadata=True), schema


def test_a_field_without_a_label_has_that_of_its_struct() -> None:
    held = {leaf.path: set(leaf.labels) for leaf in leaves(_transaction())}
    assert held["user.name"] == {"pii.name"}
    assert held["user.email"] == {"pii.email"}


def test_a_path_may_be_text_or_a_path_object(fixtures: Path) -> None:
    path = fixtures / "transaction.yaml"
    assert read_schema(str(path)).equals(read_schema(path), check_metadata=True)


def test_a_missing_file_is_an_error_with_the_nearest_name(fixtures: Path) -> None:
    with pytest.raises(SchemaError, match="no such file") as caught:
        read_schema(fixtures / "transactoin.yaml")
    assert "did you mean `transaction." in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="there is no folder") as caught:
        read_schema(tmp_path / "nowhere" / "a.yaml")
    assert "no such file" in str(caught.value)


def test_a_folder_is_not_a_schema(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="got a folder"):
        read_schema(tmp_path)


def test_a_url_is_not_fetched() -> None:
    with pytest.raises(SchemaError, match="local files only"):
        read_schema("https://example.com/push.json")


def test_a_source_that_is_no_path_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected a path, got int"):
        read_schema(7)  # type: ignore[arg-type]


def test_an_unknown_suffix_lists_the_formats(write: Write) -> None:
    with pytest.raises(SchemaError, match="no schema format has the suffix") as caught:
        read_schema(write("push.ymal", "fields: []"))
    assert "did you mean `.yml`?" in str(caught.value)
    assert ".thrift" in str(caught.value)


@pytest.mark.parametrize("name", ["a.thrift", "a.avsc", "a.json", "a.yaml"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(SchemaError, match="not UTF-8"):
        read_schema(tmp_path / name)


@pytest.mark.parametrize("name", ["a.thrift", "a.avsc", "a.json", "a.yaml"])
def test_a_byte_order_mark_is_read_over(tmp_path: Path, name: str) -> None:
    text = {
        "a.thrift": "struct A { 1: i64 a }",
        "a.avsc": '{"type": "record", "name": "A", "fields": [{"name": "a", "type": ["null", "long"]}]}',
        "a.json": '{"properties": {"a": {"type": "integer"}}}',
        "a.yaml": "fields: [{name: a, type: int64}]",
    }[name]
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_schema(tmp_path / name) == pa.schema([pa.field("a", pa.int64())])


SYNTAX = {
    "a.thrift": ("struct A {\n  1: i64 a;\n  2 i64 b;\n}", "not Thrift: expected `:`, got `i64`", "line 3, column 5"),
    "a.avsc": ('{"type": "record",\n "name" "A"}', "not JSON", "line 2, column 9"),
    "a.json": ('{"type": "object",\n "properties": {]}', "not JSON", "line 2, column 17"),
    "a.yaml": ("fields:\n  - {name: a, type: int64\n  - b", "not YAML", "a.yaml:3:"),
}


@pytest.mark.parametrize("file", SYNTAX)
def test_a_syntax_error_is_shown_with_line_and_column(refused: Refused, file: str) -> None:
    text, what, where = SYNTAX[file]
    message = refused(file, text)
    assert what in message
    assert where in message


EMPTY = {
    "a.thrift": ("", "defines no struct"),
    "b.thrift": ("struct A {}", "no fields"),
    "a.avsc": ('{"type": "record", "name": "A", "fields": []}', "no fields"),
    "b.avsc": ('"string"', "defines no record"),
    "a.json": ("{}", "defines no definition"),
    "b.json": ("[]", "not JSON Schema"),
    "c.json": ('{"type": "string"}', "expected an object with properties"),
    "a.yaml": ("", "expected a mapping"),
    "b.yaml": ("fields: []", "no fields"),
    "c.yaml": ("- a", "expected a mapping"),
}


@pytest.mark.parametrize("file", EMPTY)
def test_a_file_without_a_schema_is_refused(refused: Refused, file: str) -> None:
    text, what = EMPTY[file]
    assert what in refused(file, text)


# One record with: a label of a wrong form, two event times, one of them a text, an event time inside, an epoch on text.
BROKEN = {
    "a.thrift": """
        struct In { 1: i64 at (event_time, epoch = "s") }
        struct A {
          1: string a (label = "pii/email"); 2: string t (event_time); 3: i64 u (event_time, epoch = "ms");
          4: In inner; 5: string e (epoch = "ms"); 6: i64 f (epoch = "minutes");
        }""",
    "a.avsc": """{"type": "record", "name": "A", "fields": [
        {"name": "a", "type": "string", "label": "pii/email"}, {"name": "t", "type": "string", "event_time": true},
        {"name": "u", "type": "long", "event_time": true, "epoch": "ms"},
        {"name": "inner", "type": {"type": "record", "name": "In", "fields": [
            {"name": "at", "type": "long", "event_time": true, "epoch": "s"}]}},
        {"name": "e", "type": "string", "epoch": "ms"}, {"name": "f", "type": "long", "epoch": "minutes"}]}""",
    "a.json": """{"type": "object", "properties": {
        "a": {"type": "string", "x-label": "pii/email"}, "t": {"type": "string", "x-event-time": true},
        "u": {"type": "integer", "x-event-time": true, "x-epoch": "ms"},
        "inner": {"type": "object", "properties": {
            "at": {"type": "integer", "x-event-time": true, "x-epoch": "s"}}},
        "e": {"type": "string", "x-epoch": "ms"}, "f": {"type": "integer", "x-epoch": "minutes"}}}""",
    "a.yaml": """
        fields:
          - {name: a, type: string, label: pii/email}
          - {name: t, type: string, event_time: true}
          - {name: u, type: timestamp, event_time: true, epoch: ms}
          - {name: inner, type: struct, fields: [{name: at, type: timestamp, event_time: true, epoch: s}]}
          - {name: e, type: string, epoch: ms}""",
}


@pytest.mark.parametrize("file", BROKEN)
def test_every_breach_of_the_rules_is_reported_at_once(refused: Refused, file: str) -> None:
    message = refused(file, BROKEN[file], None if file != "a.thrift" else "A")
    assert "`pii/email` is not a label" in message
    assert "2 event times: `t`, `u`" in message
    assert "the event time has type `string`, expected a timestamp" in message
    assert "the event time is inside another field" in message
    assert "field `inner.at`" in message
    assert "an epoch unit on type `string`" in message
    if file != "a.yaml":
        assert "no epoch unit `minutes`" in message


REPEATED = {
    "a.thrift": "struct A { 1: i64 a; 2: string a }",
    "a.avsc": """{"type": "record", "name": "A",
        "fields": [{"name": "a", "type": "long"}, {"name": "a", "type": "int"}]}""",
    "a.yaml": "fields: [{name: a, type: int64}, {name: a, type: string}]",
}


@pytest.mark.parametrize("file", REPEATED)
def test_two_fields_of_one_name_are_refused(refused: Refused, file: str) -> None:
    assert "2 columns would be named `a`" in refused(file, REPEATED[file])


def test_two_fields_of_one_name_in_a_struct_are_refused_with_its_path(refused: Refused) -> None:
    text = "fields: [{name: s, type: struct, fields: [{name: a, type: int8}, {name: a, type: int8}]}]"
    message = refused("a.yaml", text)
    assert "2 columns would be named `a`" in message
    assert "field `s`" in message


UNKNOWN = {
    "a.thrift": ("struct A { 1: i46 a }", "no type `i46`", "did you mean `i64`?"),
    "a.avsc": (
        '{"type": "record", "name": "A", "fields": [{"name": "s", "type": {"type": "array", "items": "strng"}}]}',
        "no Avro type `strng`",
        "did you mean `string`?",
    ),
    "a.json": ('{"properties": {"a": {"type": "strng"}}}', "no JSON type `strng`", "did you mean `string`?"),
    "a.yaml": ("fields: [{name: a, type: strng}]", "no type or definition `strng`", "did you mean `string`?"),
}


@pytest.mark.parametrize("file", UNKNOWN)
def test_an_unknown_type_is_an_error_with_the_nearest_name(refused: Refused, file: str) -> None:
    text, what, fix = UNKNOWN[file]
    message = refused(file, text)
    assert what in message
    assert fix in message


def _bomb_thrift() -> str:
    structs = [f"struct S{n} {{ 1: S{n + 1} a; 2: S{n + 1} b }}" for n in range(40)]
    return "\n".join([*structs, "struct S40 { 1: i64 a }"])


def _bomb_avro() -> str:
    def record(level: int) -> str:
        if level == 40:
            return '{"type": "record", "name": "S40", "fields": [{"name": "a", "type": "long"}]}'
        inner = record(level + 1)
        fields = f'{{"name": "a", "type": {inner}}}, {{"name": "b", "type": "S{level + 1}"}}'
        return f'{{"type": "record", "name": "S{level}", "fields": [{fields}]}}'

    return record(0)


def _bomb_json() -> str:
    entry = '"S{0}": {{"properties": {{"a": {{"$ref": "#/$defs/S{1}"}}, "b": {{"$ref": "#/$defs/S{1}"}}}}}}'
    entries = [entry.format(n, n + 1) for n in range(40)]
    return '{"$defs": {' + ", ".join([*entries, '"S40": {"properties": {"a": {"type": "integer"}}}']) + "}}"


def _bomb_yaml() -> str:
    level = "  S{0}: {{type: struct, fields: [{{name: a, type: S{1}}}, {{name: b, type: S{1}}}]}}"
    levels = [level.format(n, n + 1) for n in range(40)]
    return "\n".join(["definitions:", *levels, "  S40: {type: int64}", "fields: [{name: a, type: S0}]"])


BOMBS = {
    "a.thrift": (_bomb_thrift, "S0"),
    "a.avsc": (_bomb_avro, "S0"),
    "a.json": (_bomb_json, "S0"),
    "a.yaml": (_bomb_yaml, None),
}


@pytest.mark.parametrize("file", BOMBS)
def test_definitions_that_multiply_are_stopped(refused: Refused, file: str) -> None:
    text, name = BOMBS[file]
    assert "more than 20,000 fields" in refused(file, text(), name)


DEEP = {
    "a.thrift": "struct A { 1: " + "list<" * 3000 + "i64" + ">" * 3000 + " a }",
    "a.avsc": '{"type": "array", "items": ' * 3000 + '"long"' + "}" * 3000,
    "a.json": '{"properties": {"a": ' * 3000 + "{}" + "}}" * 3000,
    "a.yaml": "fields: [{name: a, type: list, items: " + "{type: list, items: " * 3000 + "int8" + "}" * 3000 + "}]",
}


@pytest.mark.parametrize("file", DEEP)
def test_nesting_without_end_is_a_schema_error(refused: Refused, file: str) -> None:
    assert refused(file, DEEP[file])


def test_importing_the_package_loads_no_format() -> None:
    code = (
        "import sys, blocks.core.schema\n"
        "print([m for m in ('thriftpy2', 'fastavro', 'jsonschema', 'pydantic', 'yaml', 'rich', 'apache_beam',"
        " 'pyarrow.parquet') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
