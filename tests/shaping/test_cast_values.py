"""What CastColumns makes of single values: what fits is exact and comes back, all else is rejected."""

import datetime
import decimal
from typing import Any

import pyarrow as pa
import pytest
from cast_runs import at, cast, run
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from shaping_data import UTC

from blocks.core.schema.types import parse_type

D = decimal.Decimal
NUMBERS = [
    ("string", "int64", ["12", "-0", "+7", "007", None], [12, 0, 7, 7, None]),
    ("string", "int64", ["0x1F", " 5", "5 ", "", "1.0", "1e3", "٣", "1_0", "9" * 19, "9" * 40], ["-"] * 10),
    ("string", "int8", ["127", "128", "-128", "-129", "0" * 50 + "1"], [127, "-", -128, "-", 1]),
    ("string", "uint64", ["18446744073709551615", "-1", "18446744073709551616"], [2**64 - 1, "-", "-"]),
    (
        "string",
        "float64",
        ["1.5", ".5", "1.", "-1e3", "nan", "-Inf", "0e9"],
        [1.5, 0.5, 1.0, -1000.0, "nan", -float("inf"), 0.0],
    ),
    ("string", "float64", ["1e999", "1e-999", "0x1p3", "1,5", "", " 1", "1e"], ["-"] * 7),
    ("string", "float32", ["1e39", "1e-60", "0.5"], ["-", "-", 0.5]),
    ("string", "float16", ["70000", "0.5"], ["-", 0.5]),
    (
        "string",
        "decimal128(10, 2)",
        ["1.230", "1.234", "12345e-2", "+.5", None],
        [D("1.23"), "-", D("123.45"), D("0.50"), None],
    ),
    (
        "string",
        "decimal128(10, 2)",
        ["99999999.99", "100000000", "NaN", "1e999999", "1e2"],
        [D("99999999.99"), "-", "-", "-", D("100.00")],
    ),
    ("string", "decimal256(60, 30)", ["1." + "0" * 29 + "1", "1." + "0" * 30 + "1"], [D("1." + "0" * 29 + "1"), "-"]),
    (
        "string",
        "decimal128(3, 0)",
        ["0." + "0" * 38 + "1", "1e-39", "0e999", "1e2", "1e-99999"],
        ["-", "-", D("0"), D("100"), "-"],
    ),
    ("string", "decimal32(5, 2)", ["1.5e1", "0." + "0" * 60, None], [D("15.00"), D("0.00"), None]),
    ("float64", "decimal64(5, 2)", [1e-300, 1e16, 1e2, None], ["-", "-", D("100.00"), None]),
    ("string", "decimal32(5, 2)", ["1.5", "1000"], [D("1.50"), "-"]),
    ("string", "bool", ["true", "FALSE", "True", "1", "yes", "", None], [True, False, True, "-", "-", "-", None]),
    ("bool", "string", [True, False, None], ["true", "false", None]),
    ("bool", "int8", [True, False, None], [1, 0, None]),
    ("int64", "bool", [1, 0, 2, -1, None], [True, False, "-", "-", None]),
    ("int64", "int8", [127, 128, -129, None], [127, "-", "-", None]),
    ("int64", "uint64", [-1, 5], ["-", 5]),
    ("uint64", "int64", [2**63, 5], ["-", 5]),
    ("int64", "float64", [2**53, 2**53 + 1, -(2**53) - 1], [2.0**53, "-", "-"]),
    ("int64", "float32", [2**24, 2**24 + 1], [2.0**24, "-"]),
    ("int64", "float16", [2048, 2049, None], [2048.0, "-", None]),
    ("uint64", "float16", [2**64 - 1, 7], ["-", 7.0]),
    ("int64", "decimal128(4, 2)", [99, 100, None], [D("99.00"), "-", None]),
    ("uint64", "decimal256(50, 3)", [2**64 - 1], [D("18446744073709551615.000")]),
    ("int64", "string", [-5, None], ["-5", None]),
    (
        "float64",
        "int64",
        [1.0, 1.5, float("nan"), 2.0**63, -(2.0**63), float("inf")],
        [1, "-", "-", "-", -(2**63), "-"],
    ),
    ("float32", "uint8", [255.0, 256.0, -1.0, None], [255, "-", "-", None]),
    ("float64", "float32", [0.5, 1e300, 1e-300, float("inf"), 0.0], [0.5, "-", "-", float("inf"), 0.0]),
    ("float64", "decimal128(10, 2)", [0.1, 0.125, 1e20, float("nan"), None], [D("0.10"), "-", "-", "-", None]),
    ("float32", "decimal128(10, 2)", [0.1], [D("0.10")]),
    ("float64", "string", [1.0, 0.1, 1e16, float("nan"), None], ["1", "0.1", "1e+16", "nan", None]),
    ("decimal128(5, 2)", "int8", [D("2.00"), D("2.50"), D("300.00"), None], [2, "-", "-", None]),
    ("decimal128(5, 2)", "decimal128(4, 1)", [D("1.20"), D("1.25"), None], [D("1.2"), "-", None]),
    ("decimal128(5, 1)", "decimal128(3, 1)", [D("99.9"), D("100.0")], [D("99.9"), "-"]),
    ("decimal128(20, 8)", "string", [D("0.00000001"), D("12.5"), None], ["0.00000001", "12.50000000", None]),
    ("decimal128(9, -3)", "string", [D("123000"), None], ["123000", None]),
    ("decimal64(9, 8)", "string", [D("0.00000001"), None], ["0.00000001", None]),
    ("decimal128(5, 1)", "float64", [D("0.1"), D("0.0"), None], [0.1, 0.0, None]),
    ("decimal256(76, 0)", "float32", [D("9" * 76), D("5")], ["-", 5.0]),
]
TIMES = [
    (
        "string",
        "date",
        ["2026-01-31", "2024-02-29", None],
        [datetime.date(2026, 1, 31), datetime.date(2024, 2, 29), None],
    ),
    (
        "string",
        "date",
        ["2026-02-30", "2026-13-01", "0000-01-01", "2026-1-3", "31.1.2026", "2026-01-31T00:00"],
        ["-"] * 6,
    ),
    ("string", "date64", ["9999-12-31", "2025-02-29"], [datetime.date(9999, 12, 31), "-"]),
    (
        "string",
        "time",
        ["10:11", "23:59:59.5", None],
        [datetime.time(10, 11), datetime.time(23, 59, 59, 500_000), None],
    ),
    ("string", "time", ["24:00", "10:60", "10:11:60", "1:2", "10", "10:11:12.1234567"], ["-"] * 6),
    ("string", "time32[s]", ["10:11:12.0", "10:11:12.1"], [datetime.time(10, 11, 12), "-"]),
    (
        "string",
        "timestamp",
        [
            "2026-01-31T10:11:12.5Z",
            "2026-01-31 10:11:12",
            "2026-01-31t10:11+02:00",
            "2026-01-31",
            "2026-01-31T10:11:12,5-0530",
        ],
        [
            at("2026-01-31T10:11:12.5"),
            at("2026-01-31T10:11:12"),
            at("2026-01-31T08:11"),
            at("2026-01-31"),
            at("2026-01-31T15:41:12.5"),
        ],
    ),
    (
        "string",
        "timestamp",
        [
            "2026-02-30T10:11:12Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T10:11:60Z",
            "0001-01-01T00:00+01:00",
            "9999-12-31T23:59-01:00",
        ],
        ["-"] * 5,
    ),
    (
        "string",
        "timestamp",
        ["2026-01-31T10:11:12+99", "2026-01-31T10:11:12+01:60", "2026-01-31Z", "2026-01-31T", "x", ""],
        ["-"] * 6,
    ),
    (
        "string",
        "timestamp",
        ["2026-01-31T10:11:12.1234560Z", "2026-01-31T10:11:12.1234567Z"],
        [at("2026-01-31T10:11:12.123456"), "-"],
    ),
    (
        "string",
        "timestamp[s]",
        ["2026-01-31T10:11:12", "2026-01-31T10:11:12Z", "2026-01-31"],
        [datetime.datetime(2026, 1, 31, 10, 11, 12), "-", datetime.datetime(2026, 1, 31)],
    ),
    (
        "string",
        "timestamp[ns, tz=UTC]",
        ["1970-01-01T00:00:00.000000001Z", "1600-01-01", "2300-01-01T00:00Z"],
        [1, "-", "-"],
    ),
    ("date", "timestamp", [datetime.date(2026, 1, 31), None], [at("2026-01-31"), None]),
    (
        "date",
        "timestamp[ns, tz=America/New_York]",
        [datetime.date(1970, 1, 2), datetime.date(1600, 1, 1)],
        [86_400 * 10**9, "-"],
    ),
    ("timestamp", "date", [at("2026-01-31"), at("2026-01-31T00:00:01"), None], [datetime.date(2026, 1, 31), "-", None]),
    ("timestamp[us, tz=America/New_York]", "date", [at("2026-01-31")], [datetime.date(2026, 1, 31)]),
    (
        "timestamp",
        "timestamp[ms, tz=UTC]",
        [at("2026-01-31T00:00:00.5"), at("2026-01-31T00:00:00.0005")],
        [at("2026-01-31T00:00:00.5"), "-"],
    ),
    ("timestamp[s]", "timestamp", [datetime.datetime(2026, 1, 31)], [at("2026-01-31")]),
    ("timestamp[us, tz=Europe/Stockholm]", "timestamp[us]", [at("2026-01-31")], [datetime.datetime(2026, 1, 31)]),
    ("timestamp", "string", [at("2026-01-31T10:11"), None], ["2026-01-31T10:11:00.000000Z", None]),
    ("timestamp[s, tz=Europe/Stockholm]", "string", [at("2026-07-31T10:11")], ["2026-07-31T10:11:00Z"]),
    ("timestamp[ms]", "string", [datetime.datetime(2026, 1, 31)], ["2026-01-31T00:00:00.000"]),
    ("date", "string", [datetime.date(2026, 1, 31), None], ["2026-01-31", None]),
    ("time", "string", [datetime.time(10, 11)], ["10:11:00.000000"]),
    (
        "time64[us]",
        "time32[ms]",
        [datetime.time(1, 0, 0, 5000), datetime.time(1, 0, 0, 5001)],
        [datetime.time(1, 0, 0, 5000), "-"],
    ),
    (
        "duration[us]",
        "duration[ms]",
        [datetime.timedelta(milliseconds=5), datetime.timedelta(microseconds=5)],
        [datetime.timedelta(milliseconds=5), "-"],
    ),
    (
        "duration[us]",
        "int64",
        [datetime.timedelta(seconds=5), datetime.timedelta(days=-1), None],
        [5_000_000, -86_400_000_000, None],
    ),
    ("duration[s]", "int16", [datetime.timedelta(seconds=5), datetime.timedelta(days=1)], [5, "-"]),
]
BYTES = [
    ("binary", "string", [b"a", b"\xff", None], ["a", "-", None]),
    ("binary", "fixed_size_binary[2]", [b"ab", b"abc", None], [b"ab", "-", None]),
    ("string", "fixed_size_binary[2]", ["é", "e"], ["é".encode(), "-"]),
    ("fixed_size_binary[2]", "large_string", [b"ab", b"\xff\xff"], ["ab", "-"]),
    ("string_view", "int64", ["12", "x", None], [12, "-", None]),
    ("string", "string_view", ["a", None], ["a", None]),
    ("binary_view", "string_view", [b"a", b"\xff"], ["a", "-"]),
    ("null", "decimal128(5, 2)", [None, None], [None, None]),
]


@pytest.mark.parametrize(("source", "target", "values", "wanted"), [*NUMBERS, *TIMES, *BYTES])
def test_values_that_fit_are_cast_and_the_others_rejected(
    source: str, target: str, values: list[Any], wanted: list[Any]
) -> None:
    assert cast(values, source, target) == wanted


def test_a_time_out_of_range_is_rejected() -> None:
    assert cast([2**62, 0], pa.timestamp("s"), "timestamp[ms]")[0] == "-"
    beyond = pa.timestamp("us", "UTC")
    assert cast([253_402_300_800_000_000, -62_135_596_800_000_001, 0], beyond, "string") == [
        "-",
        "-",
        "1970-01-01T00:00:00.000000Z",
    ]


_DECIMALS = {"decimal32": 9, "decimal64": 18, "decimal128": 38, "decimal256": 76}


@st.composite
def decimal_types(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(list(_DECIMALS)))
    precision = draw(st.integers(1, _DECIMALS[kind]))
    return f"{kind}({precision}, {draw(st.integers(0, precision))})"


@settings(max_examples=60)
@drawn(decimal_types(), decimal_types(), st.data())
def test_decimals_are_those_of_exact_arithmetic_whatever_the_types(
    source: str, target: str, data: st.DataObject
) -> None:
    before, after = parse_type(source), parse_type(target)
    most = 10**before.precision - 1
    numbers = data.draw(st.lists(st.integers(-most, most) | st.integers(-9, 9), min_size=1, max_size=4))
    with decimal.localcontext(decimal.Context(prec=200)):
        values = [D(min(max(number, -most), most)).scaleb(-before.scale) for number in numbers]
        exact = [value.quantize(D(1).scaleb(-after.scale)) for value in values]
        wanted = [
            found if found == value and abs(found) < D(10) ** (after.precision - after.scale) else "-"
            for found, value in zip(exact, values, strict=True)
        ]
    assert cast(values, source, target) == wanted
    assert cast([f"{value:f}" for value in values], "string", target) == wanted


WAYS = {
    "int8": ["int64", "float32", "decimal128(5, 2)", "string", "uint8"],
    "int64": ["decimal128(20, 1)", "string", "float64", "int32"],
    "float32": ["float64", "string"],
    "float64": ["string", "decimal256(70, 35)"],
    "bool": ["string", "int16"],
    "decimal128(20, 4)": ["decimal256(50, 10)", "string", "decimal128(20, 2)"],
    "date": ["date64", "timestamp[us]", "timestamp[ms, tz=Europe/Stockholm]", "string"],
    "timestamp": ["string", "timestamp[us]", "timestamp[s, tz=UTC]", "date"],
    "time": ["string", "time64[ns]", "time32[s]"],
    "string": ["large_string", "binary", "string_view"],
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int8": st.integers(-128, 127),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "decimal128(20, 4)": st.decimals(-(10**15), 10**15, places=4),
    "date": st.dates(),
    "timestamp": st.datetimes(timezones=st.just(UTC))
    | st.dates().map(lambda day: datetime.datetime(day.year, day.month, day.day, tzinfo=UTC)),
    "time": st.times(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
}


@pytest.mark.parametrize(("source", "way"), [(source, way) for source, ways in WAYS.items() for way in ways])
@settings(max_examples=12)
@drawn(st.data())
def test_what_fits_comes_back_as_it_was(source: str, way: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | VALUES[source], max_size=6))
    given = pa.record_batch([pa.array(values, parse_type(source))], names=["value"])
    there = run({"value": way}, given)
    back = run({"value": source}, there.rows)
    assert back.rejects == []
    fits = [run({"value": way}, given.slice(place, 1)).rows.num_rows for place in range(len(values))]
    kept = [value for value, one in zip(given.column(0).to_pylist(), fits, strict=True) if one]
    assert back.rows.column(0).to_pylist() == kept
    assert None not in values or None in kept
