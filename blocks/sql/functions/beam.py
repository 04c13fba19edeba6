"""Every function that Beam SQL 2.70 takes: Calcite's own that Beam can run, Beam's, its aggregates and its windows.

A row is (name, arguments, result, description). Arguments are written `name TYPE`, optional ones in brackets,
overloads apart by `|`. TYPE is a family of `blocks.sql.typing.families` for Calcite's functions, which cast their
arguments, and a type for Beam's, which are looked up by it. The result is a type, or a rule of `beam_results`. What
these functions cannot do when they run is in `beam_limits`; what people write and Beam does not have in `beam_missing`.

Source: `SqlStdOperatorTable` of Calcite 1.40; `BeamBuiltinFunctionProvider`'s, `BeamBuiltinAggregations` and
`BeamBuiltinAnalyticFunctions` of Beam 2.70. Each row was held against the planner: `tests/sql/typing/test_matrix.py`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from blocks.sql.functions.beam_results import RULES
from blocks.sql.functions.model import Argument, Function, Overload
from blocks.sql.types import SqlType

Nulls = Literal["null", "call", "skip", "never"]

# Calcite's functions of one row: NULL gives NULL, and the result is NOT NULL where every argument is.
_CALCITE = (
    ("ABS", "x NUMERIC | x INTERVAL", "first", "The value without its sign."),
    ("ACOS", "x NUMERIC", "DOUBLE", "The arc cosine."),
    ("ASCII", "text CHARACTER", "INTEGER", "The code of the first character."),
    ("ASIN", "x NUMERIC", "DOUBLE", "The arc sine."),
    ("ATAN", "x NUMERIC", "DOUBLE", "The arc tangent."),
    ("ATAN2", "y NUMERIC, x NUMERIC", "DOUBLE", "The angle of a point."),
    ("BITAND", "x WHOLE_NUMBER, y WHOLE_NUMBER | x BINARY, y BINARY", "widest", "The bits that both have."),
    ("BITCOUNT", "x WHOLE_NUMBER | x BINARY", "BIGINT", "How many bits are set."),
    ("BITNOT", "x WHOLE_NUMBER | x BINARY", "first", "The bits turned."),
    ("BITOR", "x WHOLE_NUMBER, y WHOLE_NUMBER | x BINARY, y BINARY", "widest", "The bits that one of both has."),
    ("BITXOR", "x WHOLE_NUMBER, y WHOLE_NUMBER | x BINARY, y BINARY", "widest", "The bits that just one has."),
    ("CARDINALITY", "values ARRAY | values MAP", "INTEGER", "How many elements there are."),
    ("CBRT", "x NUMERIC", "DOUBLE", "The cube root."),
    ("CEIL", "x NUMERIC | x INTERVAL", "whole", "The next whole number; CEIL(t TO HOUR) for times."),
    ("CEILING", "x NUMERIC | x INTERVAL", "whole", "The same as CEIL."),
    ("CHARACTER_LENGTH", "text CHARACTER", "INTEGER", "The same as CHAR_LENGTH."),
    ("CHAR_LENGTH", "text CHARACTER", "INTEGER", "How many characters there are."),
    ("COS", "x NUMERIC", "DOUBLE", "The cosine."),
    ("COT", "x NUMERIC", "DOUBLE", "The cotangent."),
    ("DEGREES", "x NUMERIC", "DOUBLE", "Degrees of radians."),
    ("ELEMENT", "values ARRAY", "nullable element", "The only element of an array."),
    ("EXP", "x NUMERIC", "DOUBLE", "The power of e."),
    ("FLOOR", "x NUMERIC | x INTERVAL", "whole", "The whole number before; FLOOR(t TO HOUR) for times."),
    ("INITCAP", "text CHARACTER", "text", "Every word with one upper-case letter in front."),
    ("LAST_DAY", "day DATE_OR_TIMESTAMP", "DATE", "The last day of the month."),
    ("LN", "x NUMERIC", "DOUBLE", "The natural logarithm."),
    ("LOG10", "x NUMERIC", "DOUBLE", "The decimal logarithm."),
    ("LOWER", "text CHARACTER", "text", "In lower case."),
    ("MOD", "x EXACT_NUMERIC, y EXACT_NUMERIC", "remainder", "The remainder of a division."),
    ("OCTET_LENGTH", "bytes BINARY", "INTEGER", "How many bytes there are."),
    ("OVERLAY", "text STRING, by STRING, start WHOLE_NUMBER, [count WHOLE_NUMBER]", "overlaid", "A part written over."),
    (
        "POSITION",
        "what STRING, text STRING, [start WHOLE_NUMBER], [occurrence WHOLE_NUMBER]",
        "INTEGER",
        "Where a text begins in another, from 1; 0 where it does not.",
    ),
    ("POWER", "x NUMERIC, y NUMERIC", "DOUBLE", "The power."),
    ("RADIANS", "x NUMERIC", "DOUBLE", "Radians of degrees."),
    ("REPLACE", "text STRING, what STRING, by STRING", "VARCHAR", "Every occurrence replaced."),
    ("ROUND", "x NUMERIC, [digits WHOLE_NUMBER]", "first", "Rounded half away from zero."),
    ("SIGN", "x NUMERIC", "first", "-1, 0 or 1."),
    ("SIN", "x NUMERIC", "DOUBLE", "The sine."),
    ("SQRT", "x NUMERIC", "DOUBLE", "The square root."),
    ("SUBSTRING", "text STRING, start WHOLE_NUMBER, [count WHOLE_NUMBER]", "varying", "A part, from 1."),
    ("TAN", "x NUMERIC", "DOUBLE", "The tangent."),
    ("TRUNCATE", "x NUMERIC, [digits WHOLE_NUMBER]", "first", "Cut towards zero."),
    ("UPPER", "text CHARACTER", "text", "In upper case."),
    # Parts of a time: EXTRACT under another name.
    ("DAYOFMONTH", "day DATE_OR_TIMESTAMP | day INTERVAL", "BIGINT", "Day of the month, from 1."),
    ("DAYOFWEEK", "day DATE_OR_TIMESTAMP", "BIGINT", "Day of the week, Sunday is 1."),
    ("DAYOFYEAR", "day DATE_OR_TIMESTAMP", "BIGINT", "Day of the year, from 1."),
    ("HOUR", "time DATETIME | time INTERVAL", "BIGINT", "Hour of the day."),
    ("MINUTE", "time DATETIME | time INTERVAL", "BIGINT", "Minute of the hour."),
    ("MONTH", "day DATE_OR_TIMESTAMP | day INTERVAL", "BIGINT", "Month of the year."),
    ("QUARTER", "day DATE_OR_TIMESTAMP | day INTERVAL", "BIGINT", "Quarter of the year."),
    ("SECOND", "time DATETIME | time INTERVAL", "BIGINT", "Second of the minute."),
    ("WEEK", "day DATE_OR_TIMESTAMP", "BIGINT", "ISO week of the year."),
    ("YEAR", "day DATE_OR_TIMESTAMP | day INTERVAL", "BIGINT", "The year."),
    ("JSON_EXISTS", "document ANY, path CHARACTER", "nullable BOOLEAN", "Whether the path finds something."),
    ("JSON_VALUE", "document ANY, path CHARACTER", "nullable VARCHAR", "The scalar at a path, as text."),
    ("JSON_QUERY", "document ANY, path CHARACTER", "nullable VARCHAR", "The array or object at a path, as text."),
    ("JSON_DEPTH", "document ANY", "nullable INTEGER", "How deep the document is."),
    ("JSON_KEYS", "document ANY, [path CHARACTER]", "nullable VARCHAR", "The keys as a JSON array."),
    ("JSON_LENGTH", "document ANY, [path CHARACTER]", "nullable INTEGER", "How many elements there are."),
    ("JSON_PRETTY", "document ANY", "nullable VARCHAR", "The document with line breaks."),
    ("JSON_STORAGE_SIZE", "document ANY", "nullable INTEGER", "Bytes of the document."),
    ("JSON_TYPE", "document ANY", "nullable VARCHAR", "OBJECT, ARRAY, INTEGER and so on."),
)
# Never NULL, whatever the arguments are.
_NEVER_NULL = (
    ("JSON_ARRAY", "[value ANY]...", "VARCHAR", "A JSON array of the values."),
    ("JSON_OBJECT", "[pair ANY]...", "VARCHAR", "A JSON object of the pairs."),
    ("PI", "", "DOUBLE", "The number pi."),
)
_CHANGING = (
    ("RAND", "[seed NUMERIC]", "DOUBLE", "A random number from 0 to 1."),
    ("RAND_INTEGER", "[seed NUMERIC], bound NUMERIC", "INTEGER", "A random whole number below the bound."),
    ("CURRENT_DATE", "", "DATE", "Today, of the worker's clock."),
    ("CURRENT_TIME", "[digits WHOLE_NUMBER]", "TIME", "The time of the worker's clock."),
    ("CURRENT_TIMESTAMP", "[digits WHOLE_NUMBER]", "TIMESTAMP", "Now, of the worker's clock."),
    ("LOCALTIME", "[digits WHOLE_NUMBER]", "TIME", "The time of the worker's clock."),
    ("LOCALTIMESTAMP", "[digits WHOLE_NUMBER]", "TIMESTAMP", "Now, of the worker's clock."),
)
# Beam's own, methods of Java: the result may always be NULL.
_BEAM = (
    ("COSH", "x DOUBLE", "DOUBLE", "The hyperbolic cosine."),
    ("ENDS_WITH", "text VARCHAR, what VARCHAR", "BOOLEAN", "Whether a text ends with another."),
    ("FROM_HEX", "text VARCHAR", "VARBINARY", "Bytes of hexadecimal digits."),
    ("IS_INF", "x FLOAT | x DOUBLE", "BOOLEAN", "Whether it is infinite; fails on NULL."),
    ("IS_NAN", "x FLOAT | x DOUBLE", "BOOLEAN", "Whether it is not a number; fails on NULL."),
    ("LENGTH", "text VARCHAR | bytes VARBINARY", "BIGINT", "How many UTF-16 units or bytes there are."),
    (
        "LPAD",
        "text VARCHAR, length BIGINT, [with VARCHAR] | bytes VARBINARY, length BIGINT, [with VARBINARY]",
        "first",
        "Filled on the left, or cut, to a length.",
    ),
    ("MD5", "text VARCHAR | bytes VARBINARY", "VARBINARY", "The MD5 digest."),
    ("REVERSE", "text VARCHAR | bytes VARBINARY", "first", "Backwards."),
    (
        "RPAD",
        "text VARCHAR, length BIGINT, [with VARCHAR] | bytes VARBINARY, length BIGINT, [with VARBINARY]",
        "first",
        "Filled on the right, or cut, to a length; with two arguments Beam 2.70 fills on the left.",
    ),
    ("SHA1", "text VARCHAR | bytes VARBINARY", "VARBINARY", "The SHA-1 digest."),
    ("SHA256", "text VARCHAR | bytes VARBINARY", "VARBINARY", "The SHA-256 digest."),
    ("SHA512", "text VARCHAR | bytes VARBINARY", "VARBINARY", "The SHA-512 digest."),
    ("SINH", "x DOUBLE", "DOUBLE", "The hyperbolic sine."),
    ("STARTS_WITH", "text VARCHAR, what VARCHAR", "BOOLEAN", "Whether a text starts with another."),
    ("TANH", "x DOUBLE", "DOUBLE", "The hyperbolic tangent."),
    ("TO_HEX", "bytes VARBINARY", "VARCHAR", "Bytes as hexadecimal digits."),
)
# NULLs are left out; a group without values gives NULL.
_AGGREGATES = (
    ("ANY_VALUE", "value ANY", "first", "One of the values."),
    ("AVG", "x NUMERIC", "first", "The mean, in the type of the values: whole numbers are cut."),
    ("BIT_AND", "x WHOLE_NUMBER | x BINARY", "first", "The bits that all have."),
    ("BIT_OR", "x WHOLE_NUMBER | x BINARY", "first", "The bits that one has."),
    ("BIT_XOR", "x WHOLE_NUMBER | x BINARY", "first", "The bits that an odd number of them has."),
    ("COUNT", "[value ANY]...", "BIGINT", "How many rows, or how many values that are not NULL."),
    ("COVAR_POP", "y NUMERIC, x NUMERIC", "covariance", "The covariance."),
    ("COVAR_SAMP", "y NUMERIC, x NUMERIC", "covariance", "The sample covariance."),
    ("MAX", "value COMPARABLE", "first", "The greatest value."),
    ("MIN", "value COMPARABLE", "first", "The least value."),
    ("SUM", "x NUMERIC", "sum", "The sum, in the type of the values: whole numbers wrap around."),
    ("VAR_POP", "x NUMERIC", "first", "The variance, in the type of the values."),
    ("VAR_SAMP", "x NUMERIC", "first", "The sample variance, in the type of the values."),
)
# Only with OVER.
_RANKS = (
    ("DENSE_RANK", "", "BIGINT", "The rank, without gaps."),
    ("FIRST_VALUE", "value ANY", "first", "The first value of the frame."),
    ("LAST_VALUE", "value ANY", "first", "The last value of the frame."),
    ("PERCENT_RANK", "", "DOUBLE", "The rank as a part of 1."),
    ("RANK", "", "BIGINT", "The rank, with gaps."),
    ("ROW_NUMBER", "", "BIGINT", "The number of the row, from 1."),
)
# Windows of a GROUP BY; the dialect knows them.
_WINDOWS = tuple(
    (name + end, arguments, "first", description)
    for name, arguments, description in (
        ("TUMBLE", "time DATETIME, size INTERVAL, [align TIME]", "Windows of one size, side by side."),
        ("HOP", "time DATETIME, step INTERVAL, size INTERVAL, [align TIME]", "Windows of one size, overlapping."),
        ("SESSION", "time DATETIME, gap INTERVAL, [align TIME]", "Windows that end with a pause."),
    )
    for end in ("", "_START", "_END")
)
RANKS = frozenset(row[0] for row in _RANKS)


@lru_cache(maxsize=1)
def beam_functions() -> dict[str, Function]:
    """Beam SQL's own functions, by upper-case name."""
    return {function.name: function for function in _all()}


def _all() -> Iterator[Function]:
    for row in _CALCITE:
        yield _function("scalar", "null", *row)
    for row in _NEVER_NULL:
        yield _function("scalar", "never", *row)
    for row in _CHANGING:
        yield _function("scalar", "never", *row, deterministic=False)
    for row in _BEAM:
        yield _function("scalar", "call", *row)
    for row in _AGGREGATES:
        yield _function("aggregate", "never" if row[0] == "COUNT" else "skip", *row)
    for row in _RANKS:
        yield _function("aggregate", "never", *row)
    for row in _WINDOWS:
        yield _function("window", "null", *row)


def _function(
    kind: Literal["scalar", "aggregate", "window"],
    nulls: Nulls,
    name: str,
    arguments: str,
    result: str,
    description: str,
    *,
    deterministic: bool = True,
) -> Function:
    overloads = tuple(_overload(part.strip(), result) for part in arguments.split("|"))
    return Function(name, kind, "beam", overloads, 0, nulls, deterministic, description)


def _overload(arguments: str, result: str) -> Overload:
    variadic = arguments.endswith("...")
    parts = [part for part in arguments.removesuffix("...").split(", ") if part]
    nullable = result.startswith("nullable ")
    rule = RULES.get(result.removeprefix("nullable "))
    returns = SqlType("ANY" if rule else result.removeprefix("nullable "), nullable)
    return Overload(tuple(map(_argument, parts)), returns, variadic, rule)


def _argument(text: str) -> Argument:
    name, kind = text.strip("[]").split()
    return Argument(name, SqlType(kind), text.startswith("["))
