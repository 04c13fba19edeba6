"""The text form of Arrow types: what `str(data_type)` prints, read back.

Grammar (names in any order of nesting; white space is free between the parts):

    int8 ... uint64, halffloat|float16, float|float32, double|float64, bool, null
    string, large_string, string_view, binary, large_binary, binary_view, fixed_size_binary[16]
    date32[day], date64[ms], time32[ms], time64[us], timestamp[us], timestamp[us, tz=UTC], duration[s]
    decimal128(18, 2), decimal32, decimal64, decimal256, decimal(18, 2), month_day_nano_interval
    list<item: string not null>, list<string>, large_list, list_view, large_list_view, fixed_size_list<item: float>[3]
    struct<a: int64, b: string not null>, struct<"a: b": int8>
    map<string, int64>, map<string, int64 not null, keys_sorted>, map<string ('k'), int64 ('v')>
    dictionary<values=string, indices=int32, ordered=0>, run_end_encoded<run_ends: int32, values: string>
    timestamp, date, time             short for timestamp[us, tz=UTC], date32[day], time64[us]

Source: the printed form of Apache Arrow C++ types, to which quoted field names are added, because Arrow's own text does
not tell `struct<a: int8>` from a field whose name holds `: `.
"""

import json
import re
import zoneinfo
from collections.abc import Callable
from typing import NoReturn

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.errors import SchemaError, nearest
from blocks.core.schema.sql_names import SQL_NAMES, SQL_PHRASES

DEFAULT_TIMESTAMP = pa.timestamp("us", tz="UTC")
_MAX_DEPTH = 64

_PLAIN: dict[str, pa.DataType] = {
    str(data_type): data_type
    for data_type in (
        *(pa.null(), pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
        *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()),
        pa.month_day_nano_interval(),
    )
}
_ALIASES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "float16": pa.float16(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "utf8": pa.string(),
    "large_utf8": pa.large_string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": DEFAULT_TIMESTAMP,
    "date32": pa.date32(),
    "date64": pa.date64(),
}
_UNITS = {
    "timestamp": ("s", "ms", "us", "ns"),
    "duration": ("s", "ms", "us", "ns"),
    "time32": ("s", "ms"),
    "time64": ("us", "ns"),
    "date32": ("day",),
    "date64": ("ms",),
}
_DECIMALS: dict[str, Callable[[int, int], pa.DataType]] = {
    "decimal32": pa.decimal32,
    "decimal64": pa.decimal64,
    "decimal128": pa.decimal128,
    "decimal256": pa.decimal256,
    "decimal": lambda precision, scale: (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale),
}
_LISTS: dict[str, Callable[[pa.Field], pa.DataType]] = {
    "list": pa.list_,
    "large_list": pa.large_list,
    "list_view": pa.list_view,
    "large_list_view": pa.large_list_view,
}
_EXTENSIONS: dict[str, Callable[[], pa.DataType]] = {"arrow.uuid": pa.uuid, "arrow.json": pa.json_}

LIST_KINDS = (*_LISTS, "fixed_size_list")
NESTED_KINDS = (*LIST_KINDS, "struct", "map")
TYPE_NAMES: tuple[str, ...] = (
    *_PLAIN,
    *_ALIASES,
    *_DECIMALS,
    *("time32", "time64", "duration", "fixed_size_binary"),
    *NESTED_KINDS,
    *("dictionary", "run_end_encoded", "extension"),
)

_WORD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)")
_INTEGER = re.compile(r"\s*([+-]?\d+)")
_SIZED = re.compile(r"\s*\(\s*[0-9-]")
_FIELD_NAME = re.compile(r"\s*(?:(\"(?:[^\"\\]|\\.)*\")|([^:,<>\[\]()\"]*?))\s*:")
_ZONE = re.compile(r"\s*([^\]]*?)\s*(?=\])")
_CHILD_NAME = re.compile(r"\s*\(\s*'((?:[^'\\]|\\.)*)'\s*\)")
_NOT_NULL = re.compile(r"\s+not\s+null\b")
_OFFSET = re.compile(r"[+-]\d\d:?\d\d")


def parse_type(text: str) -> pa.DataType:
    """The Arrow type that a text names.

    Args:
      text: as `str(data_type)` or `type_text(data_type)` gives it, or a short form (see the module).

    Returns:
      The type; its fields carry no metadata, because the text has none.

    Raises:
      SchemaError: an unknown name (with the nearest), a bad argument, or text that is not a type; with the column.
    """
    return _Parser(text).whole()


def type_text(data_type: pa.DataType) -> str:
    """The text of a type, which `parse_type` reads back to an equal type (field metadata aside).

    It is `str(data_type)`, but names that the grammar could misread are quoted, and a map says where its values are
    not null.

    Raises:
      SchemaError: a type without a text form (unions, extension types other than Arrow's UUID and JSON).
    """
    text = _type_text(data_type)
    if parse_type(text) != data_type:
        raise SchemaError(
            f"type `{data_type}` has no text form",
            fix="cast the column to a plain Arrow type, such as its storage type",
        )
    return text


def _type_text(data_type: pa.DataType) -> str:
    if pat.is_struct(data_type):
        return f"struct<{', '.join(map(_field_text, data_type))}>"
    if pat.is_map(data_type):
        key, value = data_type.key_field, data_type.item_field
        parts = [_map_part(key, "key"), _map_part(value, "value") + ("" if value.nullable else " not null")]
        return f"map<{', '.join([*parts, *(['keys_sorted'] if data_type.keys_sorted else [])])}>"
    if pat.is_dictionary(data_type):
        ordered = int(data_type.ordered)
        return (
            f"dictionary<values={_type_text(data_type.value_type)}, indices={data_type.index_type}, ordered={ordered}>"
        )
    if (kind := list_kind(data_type)) is not None:
        size = f"[{data_type.list_size}]" if pat.is_fixed_size_list(data_type) else ""
        return f"{kind}<{_field_text(data_type.value_field)}>{size}"
    return str(data_type)


def _map_part(child: pa.Field, usual: str) -> str:
    name = child.name.replace("\\", "\\\\").replace("'", "\\'")
    return _type_text(child.type) + ("" if child.name == usual else f" ('{name}')")


def _field_text(child: pa.Field) -> str:
    match = _FIELD_NAME.fullmatch(child.name + ":")
    plain = match is not None and match.group(2) == child.name and child.name != ""
    name = child.name if plain else json.dumps(child.name)
    return f"{name}: {_type_text(child.type)}{'' if child.nullable else ' not null'}"


def list_kind(data_type: pa.DataType) -> str | None:
    """`list`, `large_list`, `list_view`, `large_list_view` or `fixed_size_list`; None for any other type."""
    tests = {
        "list": pat.is_list,
        "large_list": pat.is_large_list,
        "list_view": pat.is_list_view,
        "large_list_view": pat.is_large_list_view,
        "fixed_size_list": pat.is_fixed_size_list,
    }
    return next((kind for kind, test in tests.items() if test(data_type)), None)


def list_of(kind: str, item: pa.Field, size: int | None = None) -> pa.DataType:
    """A list type by its kind, as `list_kind` names it; `size` is for `fixed_size_list` only."""
    return pa.list_(item, size) if kind == "fixed_size_list" else _LISTS[kind](item)


class _Parser:
    """Recursive descent over one text; `at` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def whole(self) -> pa.DataType:
        data_type = self.type()
        if self.text[self.at :].strip():
            wanted = SQL_PHRASES.get(" ".join(self.text.lower().split()))
            fix = f"did you mean `{wanted}`? Write an Arrow type" if wanted else ""
            self.fail(f"unexpected `{self.text[self.at :].strip()[:20]}` after the type", fix)
        return data_type

    def fail(self, what: str, fix: str = "") -> NoReturn:
        raise SchemaError(
            what,
            where=f"type `{self.text[:200]}`, column {self.at + 1}",
            fix=fix or "write an Arrow type, as in `int64`, `timestamp[us, tz=UTC]` or `list<item: string>`",
        )

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def skip(self, literal: str) -> bool:
        rest = self.text[self.at :].lstrip()
        if not rest.startswith(literal):
            return False
        self.at = len(self.text) - len(rest) + len(literal)
        return True

    def expect(self, literal: str) -> None:
        if not self.skip(literal):
            found = self.text[self.at :].strip()[:1]
            self.fail(f"expected `{literal}`, got " + (f"`{found}`" if found else "the end of the text"))

    def integer(self) -> int:
        match = self.take(_INTEGER)
        if not match:
            self.fail("expected a number")
        return int(match.group(1))

    def size(self) -> int:
        start, size = self.at, self.integer()
        if not 0 <= size < 2**31:
            self.at = start
            self.fail("a size is a number from 0 to 2147483647")
        return size

    def type(self) -> pa.DataType:
        start = self.at
        word = self.take(_WORD)
        if word is None:
            self.fail("expected the name of a type")
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.fail(f"more than {_MAX_DEPTH} levels of nesting", "flatten the type")
        name = word.group(1)
        try:
            data_type = self.named(name)
        except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
            if isinstance(error, SchemaError):
                raise
            self.at = start
            raise SchemaError(
                f"`{name}` does not take these arguments: {error}",
                where=f"type `{self.text[:200]}`, column {start + 1}",
                fix="use arguments within the range of the type",
            ) from error
        if data_type is None:
            self.at = word.start(1)
            lower = name.lower()
            wanted = lower if lower in TYPE_NAMES else SQL_NAMES.get(lower)
            listed = nearest(name, TYPE_NAMES)
            fix = f"did you mean `{wanted}`? {listed[listed.index('there is') :]}" if wanted else listed
            self.fail(f"no Arrow type `{name}`", fix)
        self.depth -= 1
        return data_type

    def named(self, name: str) -> pa.DataType | None:
        if name in _UNITS and self.skip("["):
            return self.with_unit(name)
        if name in _PLAIN:
            # The name of a map's part may follow, as in `map<string, binary ('v')>`.
            sized = name == "binary" and _SIZED.match(self.text, self.at) and self.skip("(")
            return self.fixed_binary() if sized else _PLAIN[name]
        if name in _ALIASES:
            return _ALIASES[name]
        if name in _UNITS:
            self.expect("[")
        if name in _DECIMALS:
            return self.decimal(name)
        if name in NESTED_KINDS:
            return self.nested(name)
        return self.rare(name)

    def fixed_binary(self) -> pa.DataType:
        size = self.size()
        self.expect(")")
        return pa.binary(size)

    def with_unit(self, name: str) -> pa.DataType:
        units = _UNITS[name]
        word = self.take(_WORD)
        if word is None or word.group(1) not in units:
            self.fail(
                f"`{name}` takes a unit of {', '.join(units)}",
                f"write `{name}[{'us' if 'us' in units else units[-1]}]`",
            )
        zone = None
        if name == "timestamp" and self.skip(","):
            self.expect("tz=")
            match = self.take(_ZONE)
            zone = match.group(1) if match else ""
            self.check_zone(zone)
        self.expect("]")
        if name == "timestamp":
            return pa.timestamp(word.group(1), tz=zone)
        return _ALIASES[name] if name.startswith("date") else getattr(pa, name)(word.group(1))

    def check_zone(self, zone: str) -> None:
        if _OFFSET.fullmatch(zone):
            return
        try:
            zoneinfo.ZoneInfo(zone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            # A machine without a time zone database knows no zone at all: then only UTC is sure to be right.
            known = zoneinfo.available_timezones()
            if zone not in {"UTC", "GMT"} and (known or not zone):
                self.fail(f"no time zone `{zone}`", nearest(zone, sorted(known)) if known else "write `tz=UTC`")

    def decimal(self, name: str) -> pa.DataType:
        self.expect("(")
        precision = self.integer()
        scale = self.integer() if self.skip(",") else 0
        self.expect(")")
        return _DECIMALS[name](precision, scale)

    def field(self, usual: str | None) -> pa.Field:
        named = self.take(_FIELD_NAME)
        if named is None and usual is None:
            self.fail(
                "expected `name: type`", "write `struct<a: int64, b: string>`; quote a name with `:,<>[]()` in it"
            )
        name = usual or ""
        if named is not None:
            name = json.loads(named.group(1)) if named.group(1) is not None else named.group(2)
        data_type = self.type()
        return pa.field(name, data_type, nullable=self.take(_NOT_NULL) is None)

    def nested(self, kind: str) -> pa.DataType:
        self.expect("<")
        if kind == "struct":
            fields: list[pa.Field] = []
            while not self.skip(">"):
                if fields:
                    self.expect(",")
                fields.append(self.field(None))
            return pa.struct(fields)
        if kind == "map":
            return self.map()
        item = self.field("item")
        self.expect(">")
        if kind != "fixed_size_list":
            return list_of(kind, item)
        self.expect("[")
        size = self.size()
        self.expect("]")
        return list_of(kind, item, size)

    def map(self) -> pa.DataType:
        key = pa.field("key", self.type(), nullable=False)
        key = self.renamed(key)
        self.take(_NOT_NULL)
        self.expect(",")
        value = self.renamed(pa.field("value", self.type()))
        value = value.with_nullable(self.take(_NOT_NULL) is None)
        keys_sorted = self.skip(",")
        if keys_sorted:
            self.expect("keys_sorted")
        self.expect(">")
        return pa.map_(key, value, keys_sorted=keys_sorted)

    def renamed(self, child: pa.Field) -> pa.Field:
        match = self.take(_CHILD_NAME)
        return child.with_name(re.sub(r"\\(.)", r"\1", match.group(1), flags=re.DOTALL)) if match else child

    def rare(self, name: str) -> pa.DataType | None:
        if name == "fixed_size_binary":
            self.expect("[")
            size = self.size()
            self.expect("]")
            return pa.binary(size)
        if name == "dictionary":
            self.expect("<")
            self.expect("values=")
            values = self.type()
            self.expect(",")
            self.expect("indices=")
            indices = self.type()
            ordered = self.skip(",")
            if ordered:
                self.expect("ordered=")
                ordered = self.integer() == 1
            self.expect(">")
            return pa.dictionary(indices, values, ordered)
        if name == "run_end_encoded":
            self.expect("<")
            ends = self.field("run_ends")
            self.expect(",")
            values_field = self.field("values")
            self.expect(">")
            return pa.run_end_encoded(ends.type, values_field.type)
        if name == "extension":
            self.expect("<")
            found = next((make for text, make in _EXTENSIONS.items() if self.skip(text)), None)
            if found is None:
                self.fail("no text form for this extension type", f"there is: {', '.join(_EXTENSIONS)}")
            self.expect(">")
            return found()
        return None
