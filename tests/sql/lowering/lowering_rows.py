"""Columns of every type with the values that engines disagree about, and the batches that queries run over."""

import datetime as dt
import itertools
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

FIXTURES = Path(__file__).parents[2] / "fixtures" / "sql" / "lowering"
_WHOLE = [0, 1, -1, 7, -7, 2, 3]
_FLOATS = [0.0, -0.0, 1.0, 1.5, -2.5, 0.1, math.inf, -math.inf, math.nan]
_DOUBLES = [-0.5, 0.5, 1e7, 1e-3, 1.005, 123456789.125, 1e21, 1e300, 5e-324, 1.7976931348623157e308, 9007199254740993.0]
_TEXTS = [
    *("", "a", "abc", "Abc", " ab c ", "ÄöüßİıΣς", "ΟΔΟΣ", "ΟΔΟΣ, ΑΣ", "a😀b", "😀", "%a_b\\c", "a%", "a b  c"),
    *("12", " 12 ", "+12", "-7", "1.5", "1e3", "0x10", "NaN", "Infinity", "-128", ".5", "1.", "\t3\n", "1d", "00"),
    *("2147483648", "9999999999999999999", "true", " TRUE", "t", "12:34:56", "2020-01-02", "2020-1-2", "20-01-02"),
    *("2020-02-30", "0000-01-01", "2020-01-02 03:04:05", "2020-01-02 03:04:05.123", "2020-01-02 24:00:00", "b", "bc"),
    *("ab\tc\n", "a\x00b", "\xa0x\xa0", "\uffff", "\ue000", "é", "e\u0301", "ŉﬁx", "_", "-"),
]
_DAYS = ["1970-01-01", "1969-12-31", "2020-01-31", "2020-02-29", "2024-12-29", "0001-01-01", "9999-12-31", "2021-01-03"]
_TIMES = [
    *("1970-01-01", "1969-12-31 23:59:59.999", "1970-01-01 00:00:00.001", "2020-01-02 03:04:05.678", "0001-01-01"),
    *("9999-12-31 23:59:59.999", "2020-02-29 23:59:59.999", "2024-01-31 12:00", "1582-10-04 05:00"),
]
_CLOCK = [dt.time(0), dt.time(0, 0, 0, 1000), dt.time(23, 59, 59, 999000), dt.time(12), dt.time(1, 2, 3, 4000)]
_DECIMALS = ["0", "1", "-1", "1.5", "2.55", "-2.55", "9999999999.99", "-0.01", "0.1"]
ROW = pa.struct([("city", pa.string()), ("zip", pa.int32())])
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "b": (pa.bool_(), [True, False]),
    "t": (pa.int8(), [*_WHOLE, 127, -128]),
    "h": (pa.int16(), [*_WHOLE, 32767, -32768]),
    "i": (pa.int32(), [*_WHOLE, 2147483647, -2147483648]),
    "l": (pa.int64(), [*_WHOLE, 2**63 - 1, -(2**63), 1000000007, 9007199254740993]),
    "f": (pa.float32(), [*_FLOATS, 1e10, 3.4028234663852886e38, 1.401298464324817e-45, 16777216.0]),
    "d": (pa.float64(), [*_FLOATS, *_DOUBLES, 1234567890123456789.0, 2147483648.5, 0.49999999999999994]),
    "n": (pa.decimal128(12, 2), [Decimal(text) for text in _DECIMALS]),
    "o": (pa.decimal128(20, 4), [Decimal(text) for text in (*_DECIMALS, "9999999999999999.9999", "-7.0001")]),
    "s": (pa.string(), _TEXTS),
    "v": (pa.binary(), [b"", b"\0", b"\xff", b"ab"]),
    "a": (pa.date32(), [dt.date.fromisoformat(day) for day in _DAYS]),
    "w": (pa.time64("us"), _CLOCK),
    "p": (pa.timestamp("us", tz="UTC"), [dt.datetime.fromisoformat(f"{time}+00:00") for time in _TIMES[1:]]),
    "r": (pa.list_(pa.int32()), [[], [1], [1, None, 3]]),
    "k": (pa.list_(pa.string()), [[], ["a"], ["b", None, ""]]),
    "x": (ROW, [{"city": "a", "zip": 1}, {"city": None, "zip": None}, {"city": None, "zip": 2}]),
    "y": (pa.map_(pa.string(), pa.int32()), [[], [("a", 1)], [("a", None), ("b", 2)]]),
}
for _other, _same in {
    "j": "i",
    "m": "l",
    "g": "f",
    "e": "d",
    "u": "s",
    "c": "a",
    "q": "p",
    "b2": "b",
    "v2": "v",
    "w2": "w",
}.items():
    COLUMNS[_other] = COLUMNS[_same]
SCHEMA = pa.schema([pa.field(name, kind) for name, (kind, _) in COLUMNS.items()])


def lines(name: str) -> list[str]:
    """The lines of a corpus file, without comments."""
    every = (FIXTURES / name).read_text(encoding="utf-8").split("\n")
    return [line for line in every if line and not line.startswith("--")]


def query_of(line: str) -> str:
    """The query of an expression, or the query itself."""
    return line if line.startswith(("SELECT", "WITH")) else f"SELECT {line} AS z FROM PCOLLECTION"


def columns_of(line: str) -> list[str]:
    """The columns that a query reads, by name; one at least."""
    bare = re.sub(r"'(?:[^']|'')*'", "", line)
    return [name for name in COLUMNS if re.search(rf"(?<!\w){name}(?![\w(])", bare)] or ["b"]


def batch_of(names: list[str], most: int) -> pa.RecordBatch:
    """Rows of the columns' values, each with NULL, in all combinations or evenly chosen ones."""
    values = [[*COLUMNS[name][1], None] for name in names]
    every = math.prod(map(len, values))
    # A step that shares no factor with the lists meets every value of each.
    step = next(size for size in itertools.count(max(1, every // max(most, 1))) if math.gcd(size, every) == 1)
    rows = [_row(values, at * step % every) for at in range(min(every, most))]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    arrays = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _row(values: list[list[Any]], number: int) -> list[Any]:
    """One of all combinations, by its number."""
    row = []
    for one in values:
        number, at = divmod(number, len(one))
        row.append(one[at])
    return row
