from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from thriftpy2.parser import parser as thriftpy2_parser
from thriftpy2.thrift import TType

from blocks.core.labels import DESCRIPTION, LABEL, get, labels_of, leaves
from blocks.core.schema import parse_type, read_schema
from blocks.core.schema.thrift_idl import parse_idl

Write = Callable[[str, str], Path]
Refused = Callable[..., str]


def _field(write: Write, declared: str) -> pa.Field:
    return read_schema(write("a.thrift", f"struct A {{\n  1: {declared}\n}}")).field(0)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("bool", pa.bool_()),
        ("byte", pa.int8()),
        ("i8", pa.int8()),
        ("i16", pa.int16()),
        ("i32", pa.int32()),
        ("i64", pa.int64()),
        ("double", pa.float64()),
        ("string", pa.string()),
        ("binary", pa.binary()),
        ("list<i32>", pa.list_(pa.field("item", pa.int32(), False))),
        ("set<string>", pa.list_(pa.field("item", pa.string(), False))),
        ("map<i64, string>", pa.map_(pa.int64(), pa.field("value", pa.string(), False))),
        ("list<list<double>>", parse_type("list<item: list<item: double not null> not null>")),
    ],
)
def test_thrift_types_become_arrow_types(write: Write, declared: str, expected: pa.DataType) -> None:
    field = _field(write, f"{declared} a")
    assert field.type == expected
    assert field.nullable


def test_what_a_container_holds_is_never_null(write: Write) -> None:
    data_type = _field(write, "map<string, list<i64>> a").type
    assert not data_type.key_field.nullable
    assert not data_type.item_field.nullable
    assert not data_type.item_field.type.value_field.nullable


def test_only_a_required_field_is_never_null(write: Write) -> None:
    schema = read_schema(write("a.thrift", "struct A { 1: required i64 a, 2: optional i64 b, 3: i64 c = 7 }"))
    assert [field.nullable for field in schema] == [False, True, True]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ('pii = "email"', {"pii.email"}),
        ('pii = "email, name"', {"pii.email", "pii.name"}),
        ('pii = "pii.email"', {"pii.email"}),
        ("pii", {"pii"}),
        ("secret", {"secret"}),
        ("public", {"public"}),
        ('secret = "true"', {"secret"}),
        ('secret = "false"', set()),
        ("pii.email", {"pii.email"}),
        ('label = "pii.email,secret"', {"pii.email", "secret"}),
        ('blocks.label = "pii.email"', {"pii.email"}),
        ('pii = "email", pii = "name", secret', {"pii.email", "pii.name", "secret"}),
        ('go.tag = "json:a", deprecated', set()),
    ],
)
def test_annotations_give_labels(write: Write, annotation: str, expected: set[str]) -> None:
    assert labels_of(_field(write, f"string a ({annotation})")) == expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ('string a (type = "timestamp[us, tz=UTC]")', pa.timestamp("us", tz="UTC")),
        ('string a (logical = "decimal(18, 2)")', pa.decimal128(18, 2)),
        ('binary a (type = "decimal128(9, 2)")', pa.decimal128(9, 2)),
        ('i64 a (epoch = "ms")', pa.timestamp("us", tz="UTC")),
        ('double a (epoch = "s")', pa.timestamp("us", tz="UTC")),
        ('i64 a (epoch = "ns")', pa.timestamp("ns", tz="UTC")),
        ('i64 a (epoch = "s", type = "timestamp[s]")', pa.timestamp("s")),
        ('i32 a (type = "date32")', pa.date32()),
    ],
)
def test_annotations_refine_the_type(write: Write, declared: str, expected: pa.DataType) -> None:
    assert _field(write, declared).type == expected


def test_annotations_on_types_and_typedefs_reach_what_they_describe(write: Write) -> None:
    text = """
        typedef string Email (pii = "email", description = "an address")
        typedef Email Contact (secret)
        typedef i64 (epoch = "ms") Time
        struct A {
          1: Contact one (label = "public"); 2: list<string (pii = "name")> many;
          3: map<string (pii = "key"), Email> by; 4: Time at; 5: list<Time> times;
        }"""
    schema = read_schema(write("a.thrift", text))
    held = {leaf.path: set(leaf.labels) for leaf in leaves(schema)}
    assert held["one"] == {"pii.email", "secret", "public"}
    assert held["many[]"] == {"pii.name"}
    assert held["by{key}"] == {"pii.key"}
    assert held["by{}"] == {"pii.email"}
    assert get(schema.field("one"), DESCRIPTION) == "an address"
    assert schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("times").type.value_type == pa.timestamp("us", tz="UTC")


def test_labels_of_the_struct_itself_hold_for_its_columns(write: Write) -> None:
    schema = read_schema(write("a.thrift", 'struct A { 1: i64 a, 2: i64 b (public) } (pii = "order")'))
    assert [set(labels_of(field)) for field in schema] == [{"pii.order"}, {"public"}]


def test_a_comment_in_front_describes_a_field_unless_an_annotation_does(write: Write) -> None:
    text = """struct A {
          /** what
           *  it is */
          1: i64 a,
          /* not for readers */ 2: i64 b,
          /** less */ 3: i64 c (description = "more"),
        }"""
    schema = read_schema(write("a.thrift", text))
    assert [get(field, DESCRIPTION) for field in schema] == ["what it is", None, "more"]


def test_an_enum_is_the_name_of_its_value_and_a_union_a_struct_of_nullable_fields(write: Write) -> None:
    text = "enum E { A, B = 7 } union U { 1: required i64 a; 2: string b } struct S { 1: E e; 2: U u }"
    schema = read_schema(write("a.thrift", text), "S")
    assert schema.field("e").type == pa.string()
    assert schema.field("u").type == pa.struct([pa.field("a", pa.int64()), pa.field("b", pa.string())])


def test_definitions_may_come_after_their_use(write: Write) -> None:
    text = "struct A { 1: B b; 2: list<T> t } struct B { 1: i64 x } typedef B T"
    schema = read_schema(write("a.thrift", text), "A")
    assert schema.field("b").type == pa.struct([pa.field("x", pa.int64())])
    assert schema.field("t").type.value_type == schema.field("b").type


def test_a_struct_of_an_included_file_can_be_taken(fixtures: Path) -> None:
    schema = read_schema(fixtures / "transaction.thrift", "common.User")
    assert schema.names == ["email", "name", "age"]
    assert labels_of(schema.field("email")) == {"pii.email"}
    assert labels_of(schema.field("name")) == {"pii.name"}


def test_includes_of_one_name_in_two_folders_are_two_files(write: Write) -> None:
    # thriftpy2 caches includes by their bare name and would answer with the first for both.
    for folder, declared in (("a", "i64"), ("b", "string")):
        write(f"{folder}/common.thrift", f"typedef {declared} Id")
        path = write(f"{folder}/main.thrift", 'include "common.thrift"\nstruct A { 1: common.Id id }')
        expected = pa.int64() if declared == "i64" else pa.string()
        assert read_schema(path).field("id").type == expected


def test_a_file_that_changes_is_read_anew(write: Write) -> None:
    assert _field(write, "i64 a").type == pa.int64()
    assert _field(write, "string a").type == pa.string()


def test_several_structs_need_a_name_and_a_misspelt_one_gets_the_nearest(refused: Refused) -> None:
    text = "struct Order { 1: i64 a } struct User { 1: i64 a }"
    message = refused("a.thrift", text)
    assert "defines 2 structs" in message
    assert "Order, User" in message
    assert "did you mean `Order`?" in refused("a.thrift", text, "Ordr")


def test_recursion_is_an_error_that_shows_the_circle(refused: Refused) -> None:
    text = "struct A { 1: i64 x; 2: B b } struct B { 1: list<A> a }"
    message = refused("a.thrift", text, "A")
    assert "a type that holds itself: `A` holds `B` holds `A`" in message
    assert "field `b.a[]`" in message
    assert "holds itself" in refused("b.thrift", "typedef T U typedef U T struct S { 1: T t }")


def test_a_missing_include_is_an_error_with_its_line(refused: Refused) -> None:
    message = refused("a.thrift", '\ninclude "comon.thrift"\nstruct A { 1: i64 a }')
    assert "included file `comon.thrift` is not there" in message
    assert "line 2, column 9" in message


def test_an_include_is_never_fetched(refused: Refused) -> None:
    message = refused("a.thrift", 'include "https://example.com/a.thrift"\nstruct A { 1: i64 a }')
    assert "is not there" in message


def test_includes_in_a_circle_are_an_error(write: Write, refused: Refused) -> None:
    write("b.thrift", 'include "a.thrift"\nstruct B { 1: i64 b }')
    message = refused("a.thrift", 'include "b.thrift"\nstruct A { 1: b.B b }')
    assert "`a.thrift` includes `b.thrift` includes `a.thrift`" in message


def test_a_problem_in_an_included_file_names_it(write: Write, refused: Refused) -> None:
    write("b.thrift", "struct B {\n  1: strng b\n}")
    message = refused("a.thrift", 'include "b.thrift"\nstruct A { 1: b.B b }')
    assert "file `b.thrift`, line 2, column 6, field `b.b`" in message


def test_all_problems_of_a_file_come_at_once_with_line_and_column(refused: Refused) -> None:
    text = """struct A {
  1: i46 a
  2: string b (lable = "pii.email")
  3: string c (event_time = "maybe")
  4: string d (type = "timestmp")
  5: list<i64> e (type = "string")
  6: string f (label)
  7: string g (label = "")
  7: string h
}"""
    message = refused("a.thrift", text)
    for part in (
        "no type `i46`",
        "line 2, column 6, field `a`",
        "`lable` is not a property that `blocks` knows",
        "did you mean `label`?",
        "`event_time` is true or false",
        "no Arrow type `timestmp`",
        "cannot hold `string`",
        "annotation `label` has no value",
        "an empty label",
        "two fields of `A` have the number 7",
    ):
        assert part in message, part


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("struct A { 1: i64 a", "got the end of the file"),
        ("struct A { 1: string a = 'x }", "a text without its end"),
        ("/* struct A {}", "a comment without its end"),
        ("struct A { 1: i64 a (label = pii) }", "expected a text in quotes, got `pii`"),
        ("struct A { 1: map<i64> a }", "expected `,`, got `>`"),
        ("strct A {}", "got `strct`"),
        ("struct A { 1: i64 € }", "unexpected character `€`"),
        (r'const string A = "\q"', "unknown escape"),
        ("const i64 A = " + "[" * 500, "at most 100 levels"),
    ],
)
def test_text_that_is_not_thrift_is_refused(refused: Refused, text: str, shown: str) -> None:
    message = refused("a.thrift", text)
    assert shown in message
    assert "line 1, column" in message


_TTYPES = {
    "bool": TType.BOOL,
    "byte": TType.BYTE,
    "i8": TType.BYTE,
    "i16": TType.I16,
    "i32": TType.I32,
    "i64": TType.I64,
    "double": TType.DOUBLE,
    "string": TType.STRING,
    "binary": TType.BINARY,
    "list": TType.LIST,
    "set": TType.SET,
    "map": TType.MAP,
}

ORACLE = """
namespace py example
const i32 LIMIT = 0x10
const map<string, list<i64>> TABLE = {"a": [1, -2], 'b': [];}
enum Kind { ONE = 1, TWO; THREE = 0x30 (x = "y") } (owner = "team")
struct Inner { 1: required i64 id; 2: optional string note = "a \\"quoted\\" text" }
union Choice { 1: i32 number, 2: string text }
exception Failed { 1: string why }
# a comment
struct Outer { // another
  1: required bool a (pii = "email", key), /* and
  one more */ 2: byte b; -3: i8 c
  4: i16 d = 3, 5: i32 e = -3; 6: i64 f
  7: double g = 1.5e3 (label = "finance.amount") 8: string h = 'x', 9: binary i
  10: list<Inner> j, 11: set<i32> k = [1, 2], 12: map<string, list<Inner>> l = {}
  13: optional Inner m; 14: Kind n = Kind.ONE; 15: Choice o
} (owner = "team")
service Base { void ping() }
service Api extends Base {
  Outer get(1: string id, 2: i32 version = 1) throws (1: Failed failed) (timeout = "5")
  oneway void put(1: list<Outer> all);
}
"""


def test_the_parser_agrees_with_thriftpy2(write: Write) -> None:
    path = write("oracle.thrift", ORACLE)
    theirs: Any = thriftpy2_parser.parse(str(path), enable_cache=False)
    ours = {one.name: one for one in parse_idl(ORACLE).definitions}
    structs = [*theirs.__thrift_meta__["structs"], *theirs.__thrift_meta__["unions"]]
    structs += theirs.__thrift_meta__["exceptions"]
    assert {one.__name__ for one in structs} | {"Kind"} == ours.keys()
    assert ours["Kind"].values == tuple(theirs.Kind._NAMES_TO_VALUES)
    for struct in structs:
        mine = {field.name: field for field in ours[struct.__name__].fields}
        specs = {spec[1]: (number, spec[0], spec[-1]) for number, spec in struct.thrift_spec.items()}
        assert mine.keys() == specs.keys()
        for name, (number, ttype, required) in specs.items():
            assert mine[name].id == number
            assert bool(mine[name].required) == required
            assert _TTYPES.get(mine[name].type.name, ttype) == ttype
            assert mine[name].line == struct.__thrift_field_linenos__[name]
            annotations = {one.name: one.value for one in mine[name].annotations}
            assert annotations == struct.__thrift_field_annotations__.get(name, {})


def test_labels_are_written_in_order_so_that_equal_meaning_is_equal_text(write: Write) -> None:
    field = _field(write, 'string a (label = "secret, pii.email,secret")')
    assert get(field, LABEL) == "pii.email,secret"
