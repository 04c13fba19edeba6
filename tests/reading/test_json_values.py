"""What JSON leaves open, decided: numbers, times, names, nesting and broken text, one example each."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import json_oracle
import pyarrow as pa
import pytest
from json_strategies import NAMES

from blocks.reading.conversions import parse_rfc_3339
from blocks.reading.json_parser import BadRecord, JsonParser, Limits, depth
from blocks.reading.lines import split_lines

UTC_TIME = pa.timestamp("us", tz="UTC")


def parse(schema: pa.Schema | list[Any], *lines: bytes, **options: Any) -> tuple[list[dict[str, Any]], list[BadRecord]]:
    parser = JsonParser(schema if isinstance(schema, pa.Schema) else pa.schema(schema), **options)
    rows: list[dict[str, Any]] = []
    bad: list[BadRecord] = []
    for batch, _, refused in parser.parse(split_lines(b"\n".join(lines), 0)):
        batch.validate(full=True)
        rows += json_oracle.rows(batch)
        bad += refused
    return rows, bad


def values(kind: Any, *texts: str) -> list[Any]:
    """What each text is read as, in one block and alone; the code where it is refused."""
    field = kind if isinstance(kind, pa.Field) else pa.field("a", kind)
    lines = [b'{"a":' + text.encode() + b"}" for text in texts]
    found: list[Any] = []
    for line in lines:
        rows, bad = parse([field], line)
        found.append(rows[0]["a"] if rows else bad[0].finding.code)
    together = [row["a"] for row in parse([field], *lines)[0]]
    assert together == [value for value in found if value not in ("wrong_type", "malformed_json", "missing_field")]
    return found


def test_integers_are_exact_to_the_ends_of_their_type_and_refused_beyond() -> None:
    assert values(pa.int64(), str(2**53 + 1), str(2**63 - 1), str(-(2**63))) == [2**53 + 1, 2**63 - 1, -(2**63)]
    assert values(pa.uint64(), str(2**64 - 1), "0") == [2**64 - 1, 0]
    refused = [*values(pa.int64(), str(2**63), str(-(2**63) - 1), "1.0", "1e3", '"1"', "true", "1" * 5000)]
    refused += [*values(pa.uint64(), str(2**64), "-1"), *values(pa.int8(), "128", "-129")]
    assert set(refused) == {"wrong_type"}


def test_decimals_are_exact_and_never_rounded() -> None:
    numbers = ["123456789012345678901234567890.12", "0.10", '"-99.99"', "1e2", "1.500"]
    assert [str(value) for value in values(pa.decimal128(38, 2), *numbers)] == [
        "123456789012345678901234567890.12",
        "0.10",
        "-99.99",
        "100.00",
        "1.50",
    ]
    texts = [
        "1.001",
        '"1_0"',
        '" 1"',
        '""',
        '"NaN"',
        "true",
        '"\u0661"',
        "1e400",
        "1e99999999999999999999",
        "1e-9999999999",
    ]
    assert set(values(pa.decimal128(38, 2), *texts)) == {"wrong_type"}


def test_a_decimal_that_overflows_only_with_its_scale_is_refused() -> None:
    # Arrow's reader alone gives 9999.00 as decimal(4, 2), and wraps round past 128 bits.
    assert values(pa.decimal128(4, 2), "9999", "99.99", "-9999", "100") == [
        "wrong_type",
        json_oracle.Decimal("99.99"),
        "wrong_type",
        "wrong_type",
    ]
    assert values(pa.decimal128(38, 38), "256", "1", "-3.5") == ["wrong_type"] * 3
    assert values(pa.decimal128(38, 9), "9" * 38, "-" + "9" * 30) == ["wrong_type"] * 2
    assert values(pa.decimal128(38, 9), "9" * 29) == [json_oracle.Decimal("9" * 29)]


def test_floats_that_are_no_number_or_too_large_are_refused() -> None:
    assert values(pa.float64(), "NaN", "Infinity", "-Infinity", "[NaN]", "Inf", "-Inf") == ["malformed_json"] * 6
    assert values(pa.float64(), "1e400", "-1e400", "9" * 400) == ["wrong_type"] * 3
    assert values(pa.float32(), "1e39", "3.4e38", "16777217") == ["wrong_type", 3.3999999521443642e38, 16777216.0]
    field = pa.field("m", pa.map_(pa.string(), pa.float32()))
    assert [one.finding.code for one in parse([field], b'{"m":{"k":1e39}}', b'{"m":{"k":1e300}}')[1]] == [
        "wrong_type"
    ] * 2


def test_nan_and_infinity_in_text_and_names_are_text() -> None:
    texts = [b'{"a":"NaN, Infinity"}', b'{"a":"x: NaN, y","NaN":1}', b'{"a":"[Inf]","b":"Information"}']
    rows, bad = parse([pa.field("a", pa.string())], *texts)
    assert [row["a"] for row in rows] == ["NaN, Infinity", "x: NaN, y", "[Inf]"]
    assert bad == []
    rows, bad = parse(
        [pa.field("a", pa.string())],
        b'{"z":NaN}',
        b'{"z":[1, -Infinity ]}',
        b'{"z":' + b" " * 99 + b"NaN" + b"\t" * 99 + b"}",
        b"{NaN:1}",
        b'{"z":{"y":Inf}}',
    )
    assert [one.finding.code for one in bad] == ["malformed_json"] * 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T10:11:12Z", "2026-01-31T10:11:12+00:00"),
        ("2026-01-31t10:11:12.5z", "2026-01-31T10:11:12.500000+00:00"),
        ("2026-01-31 10:11:12+02:30", "2026-01-31T07:41:12+00:00"),
        ("2026-01-31T10:11:12-0100", "2026-01-31T11:11:12+00:00"),
        ("2026-01-31T10:11:12.123456789Z", "2026-01-31T10:11:12.123456+00:00"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
        *[
            (text, None)
            for text in (
                "2026-01-31T10:11:12",
                "2026-01-31T24:00:00Z",
                "2026-02-29T10:11:12Z",
                "2026-01-31T10Z",
                "2026-01-31Z",
                "2026-01-31",
                "2026-01-31T10:11:61Z",
                "2026-01-31T10:11:12+24:00",
                "2026-01-31T10:11:12+01:60",
                "0000-01-01T00:00:00Z",
                "0001-01-01T00:00:00+00:01",
                "9999-12-31T23:59:60Z",
                "9999-12-31T23:59:59-00:01",
                "10000-01-01T00:00:00Z",
                "\u0662026-01-31T10:11:12Z",
                "",
            )
        ],
    ],
)
def test_times_follow_rfc_3339(text: str, expected: str | None) -> None:
    (found,) = values(UTC_TIME, json.dumps(text))
    if expected is None:
        assert found == "wrong_type"
        assert parse_rfc_3339(text, UTC_TIME) is None
    else:
        moment = json_oracle.datetime.fromisoformat(expected)
        micros = (moment - json_oracle._EPOCH) // json_oracle.timedelta(microseconds=1)
        assert found == micros == parse_rfc_3339(text, UTC_TIME)


def test_many_times_that_only_the_slow_way_reads_keep_their_nanoseconds() -> None:
    texts = [f'"10:11:{second:02d}.123456789"' for second in range(40)] + ['"x"']
    found = values(pa.time64("ns"), *texts)
    start = (10 * 3600 + 11 * 60) * 10**9 + 123456789
    assert found == [start + second * 10**9 for second in range(40)] + ["wrong_type"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_epochs_are_exact_and_rounded_down(unit: str) -> None:
    field = pa.field("a", UTC_TIME, metadata={"blocks.epoch": unit})
    per = json_oracle.UNITS[unit]
    second = 1_700_000_000
    found = values(field, str(second * per), f'"{second * per}"', str(-per), "-1.5", "1e3")
    assert found == [
        second * 10**6,
        second * 10**6,
        -(10**6),
        -15 * 10**5 // per if per <= 10**6 else -1,
        1000 * 10**6 // per,
    ]
    assert values(field, "1.1234567891", "1e400", "1e999999999", '"x"', str(253402300800 * per)) == ["wrong_type"] * 5


DUPLICATES = pa.schema(
    [
        pa.field("a", pa.int64()),
        pa.field("s", pa.struct([pa.field("x", pa.int64()), pa.field("m", pa.map_(pa.string(), pa.string()))])),
        pa.field("m", pa.map_(pa.string(), pa.string())),
    ]
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":null,"\\u0061":1}', "a"),
        (b'{"s":{"x":1,"x":2}}', "s.x"),
        (b'{"s":{},"s":{}}', "s"),
        (b'{"m":{},"m":{}}', "m"),
        (b'{"m":{"k":"1"},"m":null}', "m"),
        (b'{"s":{"m":{},"m":{}}}', "s.m"),
        (b'{"m":{"k":"1","k":"1"}}', "m{*}"),
        (b'{"m":{"k":"1","\\u006b":"2"}}', "m{*}"),
        (b'{"s":{"m":{"k":"1","k":"2"}}}', "s.m{*}"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_field_or_map_key_that_stands_twice_is_malformed(text: bytes, path: str, strict: bool) -> None:
    rows, bad = parse(DUPLICATES, b'{"a":1}', text, b'{"a":2}', strict=strict)
    assert [row["a"] for row in rows] == [1, 2]
    assert [(one.finding.code, one.finding.field_path, one.raw) for one in bad] == [("malformed_json", path, text)]


def test_duplicates_in_fields_that_are_ignored_are_ignored() -> None:
    rows, bad = parse(DUPLICATES, b'{"z":1,"z":2,"y":{"a":1,"a":2},"a":5}')
    assert rows[0]["a"] == 5
    assert bad == []


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"\xff"}', b'{"\xff":1}', b'{"z":["\xc0\x80"]}', b'{"z":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}',
        b'{"a":"\\ud800"}', b'{"z":"\\udc00"}', b'{"\\ud800":1}', b'{"a":"\\ud800\\ud800"}', b'{"z":{"y":"\\udfff"}}',
        b'{"a":"x"}{"a":"y"}', b'{"a":"x"},{"a":"y"}', b'{"a":"x"} // c }', b'{/*}*/}', b'{"a":"x",}', b'{,}',
        b"{'a':'x'}", b'{a:"x"}', b'{"a":"\x00"}', b'{"a":"x"}\x00', b'{"a":"x"}\x00}', b'\x00{"a":"x"}',
        b'{"a":"\t"}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":01}', b'{"z":1.}', b'{"z":.5}', b'{"z":+1}',
        b'{"z":nul}', b'{"z":True}', b'{"a"}', b'{"a":}', b'{"a" "x"}', b'{"a":"x"', b'"a":"x"}', b'{"z":[1,]}',
        b"\x0c{}", b"{}}", b"{{}}", b'{"z":1 2}', b"\xef\xbb\xbf{}", b"undefined", b"{]", b'{"z":[1}}', b'{"z":0x1}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("maps", [True, False])
def test_broken_text_is_malformed_alone(text: bytes, maps: bool) -> None:
    schema = pa.schema([("a", pa.string())] + [("m", pa.map_(pa.string(), pa.string()))] * maps)
    rows, bad = parse(schema, b'{"a":"1"}', text, b'{"a":"2"}')
    assert [row["a"] for row in rows] == ["1", "2"]
    assert [(one.finding.code, one.position, one.raw) for one in bad] == [("malformed_json", 10, text)]


def test_an_object_over_two_lines_is_two_bad_records() -> None:
    rows, bad = parse([pa.field("a", pa.struct([pa.field("b", pa.int64())]))], b'{"a":{"b":1}', b', "z":{}}', b"{}")
    assert rows == [{"a": None}]
    assert [one.finding.code for one in bad] == ["malformed_json"] * 2


@pytest.mark.parametrize("text", [b"1", b'"x"', b"[]", b"[{}]", b"null", b"true", b"1.5"])
def test_a_record_that_is_no_object_is_of_the_wrong_type(text: bytes) -> None:
    _, bad = parse([pa.field("a", pa.string())], text)
    assert [one.finding.code for one in bad] == ["wrong_type"]


def test_an_empty_object_is_a_row_of_nulls() -> None:
    assert (
        parse([pa.field("a", pa.string()), pa.field("m", pa.map_(pa.string(), pa.int8()))], b"{}", b" { } ")[0]
        == [{"a": None, "m": None}] * 2
    )


@pytest.mark.parametrize("name", [*NAMES, "", "**", "?", "a\nb", "\0", "x" * 1000, "#", "$.a", "a{}", "日本"])
def test_names_may_hold_anything_also_around_maps(name: str) -> None:
    schema = pa.schema(
        [
            pa.field(name, pa.struct([pa.field(name, pa.map_(pa.string(), pa.int64())), pa.field("q", pa.int64())])),
            pa.field(name + "2", pa.map_(pa.string(), pa.int64())),
        ]
    )
    row = {name: {name: {name: 1, "k": 2}, "q": 3}, name + "2": {"": 4}}
    lines = [json.dumps(row, ensure_ascii=escaped).encode() for escaped in (True, False)]
    found = {name: {name: [(name, 1), ("k", 2)] if name != "k" else None, "q": 3}, name + "2": [("", 4)]}
    assert parse(schema, *lines) == ([found, found], [])


def test_strict_refuses_unknown_names_at_every_depth_and_takes_any_map_key() -> None:
    inner = pa.struct([pa.field("x", pa.int64())])
    schema = pa.schema([("l", pa.list_(inner)), ("m", pa.map_(pa.string(), inner)), ("s", inner)])
    good = b'{"l":[{"x":1}],"m":{"any":{"x":1}},"s":{"x":2}}'
    bad = [b'{"q":1}', b'{"l":[{"x":1},{"q":1}]}', b'{"m":{"k":{"q":1}}}', b'{"s":{"q":{"r":1}}}', b'{"L":[]}']
    rows, refused = parse(schema, good, *bad, strict=True)
    assert len(rows) == 1
    assert [(one.finding.code, one.finding.field_path, one.finding.unknown_name) for one in refused] == [
        ("unknown_field", "", "q"),
        ("unknown_field", "l[1]", "q"),
        ("unknown_field", "m{*}", "q"),
        ("unknown_field", "s", "q"),
        ("unknown_field", "", "L"),
    ]
    assert len(parse(schema, good, *bad)[0]) == 6


@pytest.mark.parametrize("levels", [127, 128, 10_000, 1_000_000])
@pytest.mark.parametrize("shape", ["arrays", "objects"])
@pytest.mark.parametrize("known", [True, False])
def test_deep_nesting_is_refused_beyond_the_limit(levels: int, shape: str, known: bool) -> None:
    name = b"a" if known else b"z"
    opening, closing = (b"[", b"]") if shape == "arrays" else (b'{"z":', b"}")
    text = b'{"' + name + b'":' + opening * levels + b"1" + closing * levels + b"}"
    field = pa.field("a", pa.list_(pa.int64()) if shape == "arrays" else pa.struct([pa.field("b", pa.int64())]))
    rows, bad = parse([field], b"{}", text, b"{}")
    codes = [one.finding.code for one in bad]
    if levels + 1 > Limits().max_depth:
        assert codes == ["too_deep"]
    else:
        assert codes == (["wrong_type"] if known and shape == "arrays" else [])
    assert len(rows) == 3 - len(codes)


def test_brackets_in_text_are_no_nesting() -> None:
    text = b'{"a":"' + b"[" * 5000 + b'\\"' + b"{" * 5000 + b'"}'
    assert depth(text) == 1
    assert len(parse([pa.field("a", pa.string())], text)[0]) == 1


@pytest.mark.parametrize("text", [b"[" * 1_000_000, b'{"a":' * 1_000_000, b"{" + b"[" * 1_000_000 + b"}"])
def test_deep_nesting_that_never_closes_is_refused(text: bytes) -> None:
    assert [one.finding.code for one in parse([pa.field("a", pa.string())], text)[1]] == ["too_deep"]


def test_the_longest_record_is_exact() -> None:
    text = b'{"a":"' + b"x" * 92 + b'"}'
    assert len(parse([pa.field("a", pa.string())], text, limits=Limits(max_record_bytes=100))[0]) == 1
    _, (bad,) = parse([pa.field("a", pa.string())], text, limits=Limits(max_record_bytes=99))
    assert (bad.finding.code, bad.raw) == ("too_large", b"")


def test_required_fields_in_lists_of_structs_and_null_structs() -> None:
    inner = pa.struct([pa.field("x", pa.int64(), nullable=False), pa.field("t", UTC_TIME)])
    schema = pa.schema(
        [("s", pa.struct([pa.field("l", pa.list_(pa.field("item", inner, nullable=False)))])), ("o", inner)]
    )
    texts = [b'{"o":null}', b'{"s":{"l":null}}', b'{"s":{"l":[]},"o":{"x":1}}', b'{"s":{"l":[{"x":1}]}}']
    wrong = [b'{"o":{}}', b'{"s":{"l":[null]}}', b'{"s":{"l":[{"x":1},{"x":null}]}}', b'{"s":{"l":[{"t":null}]}}']
    mixed = [line for pair in zip(texts, wrong, strict=True) for line in pair]
    rows, bad = parse(schema, *mixed)
    assert rows == [
        {"s": None, "o": None},
        {"s": {"l": None}, "o": None},
        {"s": {"l": []}, "o": {"x": 1, "t": None}},
        {"s": {"l": [{"x": 1, "t": None}]}, "o": None},
    ]
    paths = ["o.x", "s.l[0]", "s.l[1].x", "s.l[0].x"]
    assert [(one.finding.code, one.finding.field_path) for one in bad] == [("missing_field", path) for path in paths]


def test_times_with_nanoseconds_are_read_without_pandas(tmp_path: Path) -> None:
    script = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, Hidden())
import pyarrow as pa
from blocks.reading.json_parser import JsonParser
from blocks.reading.lines import split_lines
kind = pa.timestamp("ns", "UTC")
schema = pa.schema([("l", pa.list_(pa.map_(pa.string(), kind))), ("t", kind)])
lines = b'{"l":[{"k":"2026-01-31T10:11:12.123456789Z"}],"t":"2026-01-31T10:11:12.123456789Z"}\\n{"t":1}'
((batch, _, bad),) = JsonParser(schema).parse(split_lines(lines, 0))
assert batch.column("t").cast(pa.int64()).to_pylist() == [1769854272123456789], batch
assert [one.finding.code for one in bad] == ["wrong_type"]
print("read")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "read\n", done.stderr
