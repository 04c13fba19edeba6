"""Every operator over every pair of types, and every function over every type: what chance alone would not hit."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pyarrow as pa

_ROW = pa.struct([pa.field("x", pa.int32(), False), pa.field("y", pa.string())])
_ITEM = pa.field("item", pa.int32())
# A column of each type, `n_...` with NULL and `v_...` without.
TYPES: dict[str, pa.DataType] = {
    "tiny": pa.int8(),
    "small": pa.int16(),
    "whole": pa.int32(),
    "big": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "decimal": pa.decimal128(18, 2),
    "text": pa.string(),
    "truth": pa.bool_(),
    "moment": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "bytes": pa.binary(),
    "list": pa.list_(_ITEM),
    "map": pa.map_(pa.string(), pa.int32()),
    "row": _ROW,
}
TABLES = {
    "kinds": pa.schema(
        [pa.field(f"n_{name}", one) for name, one in TYPES.items()]
        + [pa.field(f"v_{name}", one, False) for name, one in TYPES.items()]
    )
}
_SCALARS = tuple(name for name in TYPES if name not in ("list", "map", "row"))
_LITERALS = (
    "1",
    "1.5",
    "1e0",
    "'1'",
    "TRUE",
    "NULL",
    "DATE '2024-01-01'",
    "TIMESTAMP '2024-01-01 00:00:00'",
    "INTERVAL '1' DAY",
)
_OF_TWO = (
    "{a} + {b}",
    "{a} - {b}",
    "{a} * {b}",
    "{a} / {b}",
    "{a} = {b}",
    "{a} < {b}",
    "{a} || {b}",
    "{a} IN ({b})",
    "{a} BETWEEN {b} AND {b}",
    "{a} LIKE {b}",
    "{a} IS DISTINCT FROM {b}",
    "{a} AND {b}",
    "COALESCE({a}, {b})",
    "CASE WHEN TRUE THEN {a} ELSE {b} END",
    "CASE {a} WHEN {b} THEN 1 END",
    "NULLIF({a}, {b})",
    "ARRAY[{a}, {b}]",
    "MOD({a}, {b})",
    "POWER({a}, {b})",
    "ROUND({a}, {b})",
    "ATAN2({a}, {b})",
    "POSITION({a} IN {b})",
    "SUBSTRING({a} FROM {b})",
    "TIMESTAMPDIFF(DAY, {a}, {b})",
    "TIMESTAMPADD(DAY, {a}, {b})",
    "LPAD({a}, {b})",
    "STARTS_WITH({a}, {b})",
)
_FUNCTIONS = """
ABS SQRT EXP LN LOG10 SIN COS TAN COT ASIN ACOS ATAN COSH SINH TANH CBRT DEGREES RADIANS SIGN CEIL FLOOR ROUND
TRUNCATE UPPER LOWER INITCAP TRIM CHAR_LENGTH CHARACTER_LENGTH ASCII LENGTH REVERSE MD5 SHA1 SHA256 SHA512 TO_HEX
FROM_HEX IS_NAN IS_INF CARDINALITY ELEMENT YEAR QUARTER MONTH WEEK DAYOFYEAR DAYOFMONTH DAYOFWEEK HOUR MINUTE SECOND
RAND RAND_INTEGER COUNT SUM AVG MIN MAX ANY_VALUE VAR_POP VAR_SAMP BIT_AND BIT_OR BIT_XOR EVERY STDDEV_POP LAST_DAY
"""
_OF_ONE = (
    "-{a}",
    "NOT {a}",
    "{a} IS NULL",
    "{a} IS TRUE",
    "{a}[1]",
    "{a}['x']",
    *(f"{name}({{a}})" for name in _FUNCTIONS.split()),
    "EXTRACT(YEAR FROM {a})",
    "EXTRACT(HOUR FROM {a})",
    "EXTRACT(EPOCH FROM {a})",
    "FLOOR({a} TO MONTH)",
    "CEIL({a} TO HOUR)",
    "{a} + INTERVAL '1' DAY",
    "{a} - INTERVAL '1' MONTH",
    "{a} * INTERVAL '1' HOUR",
    "INTERVAL '1' DAY * {a}",
    "SUBSTRING({a} FROM 1 FOR 2)",
    "REPLACE({a}, 'a', 'b')",
    "OVERLAY({a} PLACING 'x' FROM 1)",
    "TRIM(LEADING 'x' FROM {a})",
    "{a} SIMILAR TO 'x'",
    "COVAR_POP({a}, v_double)",
    "ROW({a}, 1)",
    "MAP['k', {a}]",
    "ARRAY[{a}]",
)
_CASTS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "REAL", "DOUBLE", "DECIMAL", "DECIMAL(10, 2)", "VARCHAR",
    "VARCHAR(3)", "CHAR(3)", "BOOLEAN", "TIMESTAMP", "DATE", "TIME", "VARBINARY", "BINARY(3)", "INTEGER ARRAY",
    "INTERVAL DAY",
)  # fmt: skip
_WHOLE = (
    "SELECT {a} AS c FROM kinds UNION ALL SELECT {b} AS c FROM kinds",
    "SELECT k.{a} AS c FROM kinds AS k JOIN kinds AS j ON k.{a} = j.{b}",
    "SELECT k.{a} AS c FROM kinds AS k LEFT JOIN kinds AS j ON k.{a} = j.{b}",
)
_WHOLE_OF_ONE = (
    "SELECT {a} AS c, COUNT(*) AS n FROM kinds GROUP BY {a}",
    "SELECT DISTINCT {a} AS c FROM kinds",
    "SELECT {a} AS c FROM kinds WHERE {a}",
    "SELECT {a} AS c FROM kinds ORDER BY {a} LIMIT 3",
    "SELECT COUNT(*) AS n FROM kinds GROUP BY TUMBLE({a}, INTERVAL '1' HOUR)",
    "SELECT u.* FROM kinds CROSS JOIN UNNEST(kinds.{a}) AS u",
    "SELECT v_big FROM kinds WHERE v_big IN (SELECT {a} FROM kinds)",
    "SELECT k.v_big, j.{a} AS c FROM kinds AS k FULL JOIN kinds AS j ON k.v_big = j.v_big",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A query over `TABLES`."""

    query: str

    def __str__(self) -> str:
        return f"pairs: {self.query}"


def every_pair() -> Iterator[Pair]:
    """All queries; about fourteen thousand. Each operator sees columns with and without NULL."""
    for form, (index, a), b in product(_OF_TWO, enumerate(TYPES), TYPES):
        lead = "n_" if index % 2 else "v_"
        yield _expression(form.format(a=f"v_{a}", b=f"{lead}{b}"))
    for form, a, literal in product(_OF_TWO, _SCALARS, _LITERALS):
        yield _expression(form.format(a=f"v_{a}", b=literal))
    for form, a, lead in product(_OF_ONE, TYPES, ("n_", "v_")):
        yield _expression(form.format(a=f"{lead}{a}"))
    for kind, a in product(_CASTS, TYPES):
        yield _expression(f"CAST(n_{a} AS {kind})")
    for form, a, b in product(_WHOLE, TYPES, TYPES):
        yield Pair(form.format(a=f"v_{a}", b=f"n_{b}"))
    for form, a, lead in product(_WHOLE_OF_ONE, TYPES, ("n_", "v_")):
        yield Pair(form.format(a=f"{lead}{a}"))


def _expression(text: str) -> Pair:
    return Pair(f"SELECT {text} AS c FROM kinds")  # noqa: S608 - planned, never run
