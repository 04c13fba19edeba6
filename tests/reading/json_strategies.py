"""Random schemas of everything that is read from JSON, and random records that fit them, or nearly."""

import base64
import json
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from hypothesis import strategies as st

EPOCHS = [
    pa.field("x", pa.timestamp(unit, "UTC"), metadata={"blocks.epoch": epoch})
    for unit in ("s", "ms", "us", "ns")
    for epoch in ("s", "ms", "us", "ns")
]
LEAVES = [
    *[pa.field("x", kind()) for kind in (pa.int8, pa.int16, pa.int32, pa.int64)],
    *[pa.field("x", kind()) for kind in (pa.uint8, pa.uint16, pa.uint32, pa.uint64)],
    *[pa.field("x", kind()) for kind in (pa.float32, pa.float64, pa.bool_, pa.string, pa.large_string, pa.date32)],
    *[pa.field("x", pa.decimal128(*size)) for size in ((4, 2), (18, 2), (38, 0), (38, 38), (5, 5), (38, 9), (1, 0))],
    *[pa.field("x", kind) for kind in (pa.binary(), pa.large_binary(), pa.binary(2))],
    *[pa.field("x", kind) for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))],
    *[pa.field("x", pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in ("UTC", None)],
    *EPOCHS,
]
NAMES = ["a", "b", "c.d", 'q"q', "s s", "it's", "'; drop table lines; --", "é", "*", "[0]", "a\\b", "$"]
SIMPLE = [field for field in LEAVES if str(field.type) in ("string", "int64", "uint8", "double", "float", "bool")]


def named(field: pa.Field, name: str, nullable: bool) -> pa.Field:
    return field.with_name(name).with_nullable(nullable)


@st.composite
def fields(draw: st.DrawFn, depth: int, maps: bool) -> pa.Field:
    nullable = draw(st.sampled_from([True, True, False]))
    kinds = ["leaf", "leaf", "leaf"] + ["struct", "list", "large_list"] * (depth > 0) + ["map"] * (maps and depth > 0)
    match draw(st.sampled_from(kinds)):
        case "struct":
            return pa.field("x", pa.struct(draw(members(depth - 1, maps))), nullable)
        case "list":
            return pa.field("x", pa.list_(draw(fields(depth - 1, maps)).with_name("element")), nullable)
        case "large_list":
            return pa.field("x", pa.large_list(draw(fields(depth - 1, maps)).with_name("item")), nullable)
        case "map":
            # Mostly those that DuckDB reads.
            item = (
                draw(st.sampled_from(SIMPLE) | fields(depth - 1, maps)) if depth > 1 else draw(st.sampled_from(SIMPLE))
            )
            item = item.with_name("value").with_nullable(draw(st.booleans()))
            return pa.field("x", pa.map_(pa.string(), item), nullable)
    return draw(st.sampled_from(LEAVES)).with_nullable(nullable)


@st.composite
def members(draw: st.DrawFn, depth: int, maps: bool) -> list[pa.Field]:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    return [draw(fields(depth, maps)).with_name(name) for name in names]


@st.composite
def schemas(draw: st.DrawFn, maps: bool = True) -> pa.Schema:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return pa.schema([draw(fields(3, maps)).with_name(name) for name in names])


NUMBERS = st.one_of(
    st.integers(-300, 300).map(str),
    st.sampled_from([8, 16, 31, 32, 53, 63, 64]).flatmap(
        lambda bits: st.integers(-2, 2).map(lambda n: str(2**bits + n))
    ),
    st.sampled_from([7, 15, 31, 63]).flatmap(lambda bits: st.integers(-2, 2).map(lambda n: str(-(2**bits) + n))),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(lambda d: format(d, "f")),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0.0", "1.50", "1e2", "1E+2", "12e-1", "9999", "99.99", "99.999", "0.1", "123456789012345678.12"]),
    st.sampled_from(["1e39", "3.5e38", "1e-400", "9007199254740993", "1" * 38, "1" * 39, "1" * 400, "0." + "1" * 38]),
    st.sampled_from(["1700000000.123456789", "1700000000.1234567891", "-1.5", "-0.000000001", "253402300800"]),
    st.sampled_from(
        ["253402300799.999999999", "-62135596800", "-62135596801", "9223372036.854775807", "1700000000123"]
    ),
)
_ZONES = st.sampled_from(
    ["Z", "z", "+00:00", "-00:00", "+02:00", "-11:30", "+0530", "+24:00", "+23:59", "+01:60", "", "+01"]
)
_DATES = st.one_of(
    st.dates().map(str),
    st.sampled_from(["0000-01-01", "0001-01-01", "9999-12-31", "2023-02-29", "2024-02-29", "2026-13-01", "26-01-01"]),
)
_TIMES = st.one_of(
    st.times().map(str),
    st.sampled_from(
        ["00:00:00", "24:00:00", "23:59:60", "12:30:60.9", "10:11", "10", "1:02:03", "10:60:00", "25:00:00"]
    ),
    st.sampled_from(
        ["10:11:12.123456789", "10:11:12.1", "10:11:12,5", "10:11:12.", "10:11:12.1234567891234", "23:59:59.9999999"]
    ),
)
TEXTS = st.one_of(
    st.text(max_size=6),
    st.builds(
        lambda day, mark, time, zone: day + mark + time + zone, _DATES, st.sampled_from("TTTt _"), _TIMES, _ZONES
    ),
    _DATES,
    _TIMES,
    st.binary(max_size=4).map(lambda data: base64.b64encode(data).decode()),
    st.sampled_from(
        ["YQ", "Y Q==", "_w==", "NaN", "Infinity", "Info", "-Inf", "", " 1", "1_0", "+1", ".5", "5.", "\u0661"]
    ),
    NUMBERS,
)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


SCALARS = st.one_of(
    NUMBERS, TEXTS.map(quoted), st.sampled_from(["null", "true", "false", "{}", "[]", "[null]", '{"a":1}'])
)


@st.composite
def fitting(draw: st.DrawFn, field: pa.Field, strict: bool) -> str:
    """JSON of a kind that the field takes, most of the time."""
    if draw(st.integers(0, 30)) == 0:
        return draw(SCALARS)
    if draw(st.integers(0, 12)) == 0:
        return "null"
    kind = field.type
    if pat.is_struct(kind):
        return draw(objects(list(kind), strict))
    if pat.is_map(kind):
        keys = draw(st.lists(st.sampled_from(["k", "K", "", "a.b", 'x"y', "é", "\0"]), max_size=3))
        unique = keys if draw(st.integers(0, 5)) == 0 else list(dict.fromkeys(keys))
        return "{" + ",".join(f"{quoted(key)}:{draw(fitting(kind.item_field, strict))}" for key in unique) + "}"
    if pat.is_list(kind) or pat.is_large_list(kind):
        return "[" + ",".join(draw(st.lists(fitting(kind.value_field, strict), max_size=3))) + "]"
    return draw(leaf(field))


def leaf(field: pa.Field) -> st.SearchStrategy[str]:
    kind = field.type
    epoch = b"blocks.epoch" in (field.metadata or {})
    if pat.is_boolean(kind):
        return st.sampled_from(["true", "false"])
    if pat.is_integer(kind) or pat.is_floating(kind):
        return NUMBERS
    if pat.is_decimal(kind) or epoch:
        return NUMBERS | NUMBERS.map(quoted)
    if pat.is_timestamp(kind):
        zone = st.sampled_from(["Z", "+02:00"] if kind.tz else [""])
        return st.builds(lambda day, time, zone: f'"{day}T{time}{zone}"', _DATES, _TIMES, zone) | TEXTS.map(quoted)
    if pat.is_date(kind):
        return _DATES.map(quoted)
    if pat.is_time(kind):
        return _TIMES.map(quoted)
    if pat.is_string(kind) or pat.is_large_string(kind):
        return TEXTS.map(quoted)
    return st.binary(max_size=3).map(lambda data: quoted(base64.b64encode(data).decode()))


@st.composite
def objects(draw: st.DrawFn, inside: list[pa.Field], strict: bool) -> str:
    parts = []
    for field in inside:
        if draw(st.integers(0, 15)):
            value = draw(fitting(field, strict))
            name = quoted(field.name)
            if draw(st.integers(0, 9)) == 0:
                # The same name, written otherwise.
                name = '"' + "".join(f"\\u{ord(letter):04x}" for letter in field.name) + '"'
            parts.append(f"{name}:{value}")
            if draw(st.integers(0, 40)) == 0:
                parts.append(f"{name}:{value}")
    if draw(st.integers(0, 4)) == 0:
        unknown = draw(st.sampled_from(['"unknown":1', '"z":{"z":[1,{"y":null}]}', '"z":"\\n}{"', '"z":1,"z":2']))
        parts.insert(draw(st.integers(0, len(parts))), unknown)
    space = draw(st.sampled_from(["", " ", "\t"]))
    return "{" + f"{space},".join(parts) + space + "}"


@st.composite
def records(draw: st.DrawFn, schema: pa.Schema, strict: bool = False) -> bytes:
    """A record that fits, nearly fits, or is broken."""
    text = draw(objects(list(schema), strict)).encode()
    if draw(st.integers(0, 12)) == 0:
        at = draw(st.integers(0, len(text)))
        junk = [b"", b'"', b"{", b"}", b",", b"\xff", b"NaN", b"\\ud800", b"\0", b"1", b"Inf", b"//", b"\xef\xbb\xbf"]
        text = text[:at] + draw(st.sampled_from(junk)) + text[at + draw(st.integers(0, 1)) :]
    return text.replace(b"\n", b"") or b"{}"


def any_json(depth: int) -> st.SearchStrategy[Any]:
    """Any JSON document."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(scalars, lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=depth)
