import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_strategies import data_types

from blocks.core.errors import SchemaError
from blocks.core.schema import parse_type, type_text

PRINTED = [
    *(pa.null(), pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
    *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()),
    *(pa.binary(16), pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp("s"), pa.timestamp("us", tz="UTC"), pa.timestamp("ns", tz="+01:00")),
    *(pa.timestamp("ms", tz="Europe/Paris"), pa.duration("ms"), pa.month_day_nano_interval()),
    *(pa.decimal32(5, 2), pa.decimal64(9, 2), pa.decimal128(38, 18), pa.decimal128(9, -2), pa.decimal256(76, 0)),
    *(pa.list_(pa.string()), pa.large_list(pa.int8()), pa.list_view(pa.int8()), pa.large_list_view(pa.int8())),
    *(pa.list_(pa.float32(), 3), pa.list_(pa.field("element", pa.list_(pa.timestamp("us", tz="UTC")), nullable=False))),
    *(pa.struct([]), pa.struct([pa.field("a", pa.int64()), pa.field("b c", pa.string(), nullable=False)])),
    *(pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.list_(pa.int8()), keys_sorted=True)),
    pa.map_(pa.field("k", pa.string(), nullable=False), pa.field("v", pa.int32())),
    *(pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.int64(), ordered=True)),
    *(pa.run_end_encoded(pa.int32(), pa.string()), pa.uuid(), pa.json_()),
]


@pytest.mark.parametrize("data_type", PRINTED, ids=str)
def test_what_arrow_prints_is_read_back(data_type: pa.DataType) -> None:
    assert parse_type(str(data_type)) == data_type


@given(data_types())
def test_every_text_form_is_read_back_to_an_equal_type(data_type: pa.DataType) -> None:
    again = parse_type(type_text(data_type))
    assert again == data_type
    assert type_text(again) == type_text(data_type)


@given(st.text(max_size=30))
def test_any_text_is_a_type_or_a_schema_error(text: str) -> None:
    try:
        found = parse_type(text)
    except SchemaError as error:
        found = error
    assert isinstance(found, pa.DataType) or found.fix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("timestamp[ms]", pa.timestamp("ms")),
        ("date", pa.date32()),
        ("time", pa.time64("us")),
        ("decimal(18, 2)", pa.decimal128(18, 2)),
        ("decimal(40)", pa.decimal256(40, 0)),
        ("float64", pa.float64()),
        ("float", pa.float32()),
        ("list<string>", pa.list_(pa.string())),
        ("list<string not null>", pa.list_(pa.field("item", pa.string(), nullable=False))),
        ("  map < string , list<item: int64> >  ", pa.map_(pa.string(), pa.list_(pa.int64()))),
        ('struct<"a: b, c>": int8>', pa.struct([pa.field("a: b, c>", pa.int8())])),
    ],
)
def test_short_forms_and_quoted_names_are_types(text: str, expected: pa.DataType) -> None:
    assert parse_type(text) == expected


def test_not_null_is_kept_in_the_values_of_a_map() -> None:
    data_type = pa.map_(pa.string(), pa.field("value", pa.int64(), nullable=False))
    assert type_text(data_type) == "map<string, int64 not null>"
    assert parse_type(type_text(data_type)).item_field.nullable is False


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("strng", ["no Arrow type `strng`", "column 1", "did you mean `string`?"]),
        ("integer", ["no Arrow type `integer`", "did you mean `int32`? there is: null, bool"]),
        ("int", ["did you mean `int32`?"]),
        ("list<bigint>", ["no Arrow type `bigint`", "column 6", "did you mean `int64`?"]),
        ("VARCHAR(20)", ["no Arrow type `VARCHAR`", "did you mean `string`?"]),
        ("text", ["did you mean `string`?"]),
        ("datetime", ["did you mean `timestamp[us, tz=UTC]`?"]),
        ("double precision", ["unexpected `precision`", "did you mean `float64`?"]),
        ("DOUBLE", ["no Arrow type `DOUBLE`", "did you mean `double`?"]),
        ("list<item: strng>", ["column 12", "did you mean `string`?"]),
        ("timestamp[minutes]", ["takes a unit of s, ms, us, ns", "timestamp[us]"]),
        ("timestamp[us, tz=Europe/Pariss]", ["no time zone `Europe/Pariss`", "did you mean `Europe/Paris`?"]),
        ("timestamp[us, tz=]", ["no time zone ``"]),
        ("decimal128(40, 2)", ["`decimal128` does not take these arguments", "between 1 and 38"]),
        ("decimal128(99999999999999999999)", ["`decimal128` does not take these arguments"]),
        ("fixed_size_binary[-1]", ["a size is a number from 0"]),
        ("fixed_size_list<int8>[-1]", ["a size is a number from 0"]),
        ("dictionary<values=string, indices=string>", ["`dictionary` does not take these arguments"]),
        ("list<int64", ["expected `>`, got the end of the text"]),
        ("map<string>", ["expected `,`, got `>`"]),
        ("struct<a>", ["expected `name: type`"]),
        ("int64 int64", ["unexpected `int64` after the type"]),
        ("extension<mine>", ["no text form for this extension type"]),
        ("", ["expected the name of a type"]),
        ("list<" * 500, ["more than 64 levels of nesting"]),
    ],
)
def test_a_text_that_is_not_a_type_is_refused_with_its_column(text: str, shown: list[str]) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_type(text)
    for part in shown:
        assert part in str(caught.value)


def test_a_type_without_a_text_form_is_refused() -> None:
    union = pa.sparse_union([pa.field("a", pa.int8())])
    with pytest.raises(SchemaError, match="sparse_union"):
        type_text(union)
