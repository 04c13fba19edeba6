"""Every type of the type table into Beam SQL and back, with its extremes and nulls."""

import datetime
import decimal
import math

import pyarrow as pa
import pytest
from sql_pipelines import run

pytestmark = pytest.mark.jvm

D = decimal.Decimal
UTC = datetime.UTC
FIRST, LAST = datetime.datetime(1, 1, 1, tzinfo=UTC), datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
NAIVE = datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)
TIMES = [datetime.time(0), datetime.time(23, 59, 59, 999000), datetime.time(12, 34, 56, 1000)]

# Name, type and values; null is added to each.
COLUMNS = [
    ("flag", pa.bool_(), [True, False]),
    ("i8", pa.int8(), [-128, 127]),
    ("i16", pa.int16(), [-(2**15), 2**15 - 1]),
    ("i32", pa.int32(), [-(2**31), 2**31 - 1]),
    ("i64", pa.int64(), [-(2**63), 2**63 - 1]),
    ("u8", pa.uint8(), [0, 255]),
    ("u16", pa.uint16(), [0, 65535]),
    ("u32", pa.uint32(), [0, 2**32 - 1]),
    ("f32", pa.float32(), [-0.0, math.inf, 1.401298464324817e-45]),
    ("f64", pa.float64(), [-math.inf, 5e-324, 1.7976931348623157e308]),
    ("dec", pa.decimal128(38, 9), [D("12345678901234567890123456789.123456789"), D("-0.000000001"), D("0")]),
    ("dec2", pa.decimal128(5, 2), [D("-999.99"), D("999.99")]),
    ("text", pa.string(), ["", "zażółć 😀\0", "x" * 70_000]),
    ("large", pa.large_string(), ["", "gęślą"]),
    ("bytes", pa.binary(), [b"", b"\x00\xff\x80"]),
    ("largebytes", pa.large_binary(), [b"", b"\x01"]),
    ("fixed", pa.binary(3), [b"\x00\x00\x00", b"\xff\xff\xff"]),
    ("day", pa.date32(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(1969, 12, 31)]),
    ("t_s", pa.time32("s"), [one.replace(microsecond=0) for one in TIMES]),
    ("t_ms", pa.time32("ms"), TIMES),
    ("t_us", pa.time64("us"), TIMES),
    ("ts_s", pa.timestamp("s", tz="UTC"), [FIRST, LAST.replace(microsecond=0)]),
    ("ts_ms", pa.timestamp("ms", tz="UTC"), [FIRST, LAST]),
    ("ts_us", pa.timestamp("us", tz="UTC"), [FIRST, LAST]),
    ("ts_naive", pa.timestamp("us"), [NAIVE]),
    ("ints", pa.list_(pa.int32()), [[], [1, None, -1]]),
    ("texts", pa.large_list(pa.string()), [["a", None, ""]]),
    ("pair", pa.list_(pa.int64(), 2), [[1, 2], [None, 3]]),
    ("who", pa.struct([("name", pa.string()), ("day", pa.date32())]),
     [{"name": None, "day": datetime.date(2026, 1, 31)}]),
    ("deep", pa.list_(pa.struct([("at", pa.timestamp("us", tz="UTC")), ("n", pa.list_(pa.int8()))])),
     [[{"at": LAST, "n": [1, None]}, {"at": None, "n": None}]]),
    ("map", pa.map_(pa.string(), pa.int64()), [[], [("a", 1), ("b", None)]]),
    ("mapped", pa.map_(pa.int32(), pa.struct([("d", pa.decimal128(38, 9))])), [[(1, {"d": D("0.5")})]]),
]  # fmt: skip


def table() -> pa.RecordBatch:
    longest = max(len(values) for _, _, values in COLUMNS)
    schema = pa.schema([(name, kind) for name, kind, _ in COLUMNS])
    rows = [[values[row] if row < len(values) else None for row in range(longest + 1)] for _, _, values in COLUMNS]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(rows, schema, strict=True)], schema=schema
    )


def differences(found: list[dict], expected: list[dict]) -> dict[str, tuple]:
    """Columns whose values differ; -0.0 equals 0.0, and is not the same."""
    columns = {name: ([row[name] for row in found], [row[name] for row in expected]) for name in expected[0]}
    return {name: both for name, both in columns.items() if repr(both[0]) != repr(both[1])}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT {columns} FROM PCOLLECTION",
        "SELECT * FROM PCOLLECTION",
        "SELECT {columns} FROM PCOLLECTION WHERE TRUE LIMIT 9",
    ],
    ids=["columns", "star", "rows"],
)
def test_every_type_and_its_extremes_come_back_as_they_went(sql, query):
    batch = table()
    columns = ", ".join(f"`{name}`" for name in batch.schema.names)
    ran = run(query.format(columns=columns), {"PCOLLECTION": batch}, batch.schema)
    # The column that tells the rows apart; a limit may change their order.
    found = sorted(ran.rows, key=lambda row: (row["dec"] is None, row["dec2"] is None, row["f32"] or 0, row["i8"] or 0))
    expected = sorted(
        batch.to_pylist(), key=lambda row: (row["dec"] is None, row["dec2"] is None, row["f32"] or 0, row["i8"] or 0)
    )
    assert differences(found, expected) == {}


def test_the_engine_names_the_type_of_every_column(sql):
    batch = table()
    planned = sql().plan("SELECT * FROM PCOLLECTION", {"PCOLLECTION": batch.schema})
    assert planned.problems == ()
    changed = {
        field.name: str(planned.schema.field(field.name).type)
        for field in batch.schema
        if planned.schema.field(field.name).type != field.type
    }
    assert changed == {
        "u8": "int16", "u16": "int32", "u32": "int64", "dec2": "decimal128(38, 9)", "large": "string",
        "largebytes": "binary", "fixed": "binary", "t_s": "time64[us]", "t_ms": "time64[us]",
        "ts_s": "timestamp[us, tz=UTC]", "ts_ms": "timestamp[us, tz=UTC]", "ts_naive": "timestamp[us, tz=UTC]",
        "texts": "list<item: string>", "pair": "list<item: int64>",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [pa.uint64(), pa.float16(), pa.date64(), pa.duration("s"), pa.null()])
def test_a_type_that_the_engine_does_not_have_is_a_problem_that_names_the_column(sql, kind):
    schema = pa.schema([("a", pa.int64()), ("who", pa.struct([("b", pa.list_(kind))]))])
    (problem,) = sql().plan("SELECT a FROM PCOLLECTION", {"PCOLLECTION": schema}).problems
    assert problem.kind == "unsupported"
    assert "`who.b[]`" in problem.message


def test_timestamps_lose_what_is_finer_than_a_millisecond_towards_the_past(sql):
    batch = pa.RecordBatch.from_pydict({"at": pa.array([-1, 1999], pa.timestamp("us", tz="UTC"))})
    (first, second) = run("SELECT `at` FROM PCOLLECTION", {"PCOLLECTION": batch}).batches[0][0].column(0)
    assert (first.value, second.value) == (-1000, 1000)


def test_decimals_are_rounded_half_up_to_the_declared_scale(sql):
    batch = pa.RecordBatch.from_pydict({"d": pa.array([D("0.125"), D("-0.125"), None], pa.decimal128(10, 3))})
    output = pa.schema([("d", pa.decimal128(10, 2))])
    assert [row["d"] for row in run("SELECT d FROM PCOLLECTION", {"PCOLLECTION": batch}, output).rows] == [
        D("0.13"),
        D("-0.13"),
        None,
    ]


def test_a_struct_of_nulls_only_comes_back_as_a_null(sql):
    # Calcite takes structs apart and puts them together again: a difference of the engine, if this fails it is gone.
    batch = pa.RecordBatch.from_pylist(
        [{"who": {"name": None}}], pa.schema([("who", pa.struct([("name", pa.string())]))])
    )
    assert run("SELECT who FROM PCOLLECTION", {"PCOLLECTION": batch}, batch.schema).rows == [{"who": None}]
