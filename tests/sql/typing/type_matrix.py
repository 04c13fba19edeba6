"""Every operator and function over every type, as expressions: what the planner says of each is recorded.

    python tests/sql/typing/type_matrix.py      asks the planner anew and writes the record (some minutes)

The record is text: under each operator, one line for each answer, with the operands that have it. An answer is a type
(`INTEGER` may be NULL, `INTEGER!` never is) or `refused`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from blocks.sql.types import SqlType, from_arrow

RECORD = Path(__file__).parents[2] / "fixtures" / "sql" / "types" / "matrix.json"
_PLAIN = {
    "b": pa.bool_(),
    "i8": pa.int8(),
    "i16": pa.int16(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "f32": pa.float32(),
    "f64": pa.float64(),
    "dc": pa.decimal128(12, 2),
    "s": pa.string(),
    "by": pa.binary(),
    "dt": pa.date32(),
    "tm": pa.time64("us"),
    "ts": pa.timestamp("us", tz="UTC"),
}
_ROW = pa.struct([pa.field("x", pa.int32()), pa.field("y", pa.string(), nullable=False)])
SCHEMA = pa.schema(
    [
        *(pa.field(f"c_{name}", kind) for name, kind in _PLAIN.items()),
        *(pa.field(f"n_{name}", kind, nullable=False) for name, kind in _PLAIN.items()),
        pa.field("c_ai", pa.list_(pa.int32())),
        pa.field("c_m", pa.map_(pa.string(), pa.int32())),
        pa.field("c_r", _ROW),
        pa.field("n_ai", pa.list_(pa.int32()), nullable=False),
        pa.field("n_r", _ROW, nullable=False),
    ]
)
COLUMNS = tuple(f"c_{name}" for name in (*_PLAIN, "ai", "m", "r"))
LITERALS = ("'abc'", "'12'", "1", "1.5", "1e0", "TRUE", "DATE '2024-01-01'", "TIMESTAMP '2024-01-01 00:00:00'")
INTERVALS = ("INTERVAL '1' DAY", "INTERVAL '1' MONTH")
PAIRS = (
    *(f"{{0}} {sign} {{1}}" for sign in ("+", "-", "*", "/", "=", "<", "||", "LIKE", "AND", "IS DISTINCT FROM")),
    "MOD({0}, {1})",
    "NULLIF({0}, {1})",
    "COALESCE({0}, {1})",
    "CASE WHEN c_b THEN {0} ELSE {1} END",
    "{0} IN ({1}, {1})",
    "{0} BETWEEN {1} AND {1}",
    "MAP[{0}, {1}]",
    "POWER({0}, {1})",
    "REPLACE({0}, {1}, 'x')",
    "POSITION({0} IN {1})",
    "BITAND({0}, {1})",
    "STARTS_WITH({0}, {1})",
    "COVAR_POP({0}, {1})",
    "TIMESTAMPDIFF(DAY, {0}, {1})",
)
_UNITS = ("YEAR", "MONTH", "WEEK", "DAY", "HOUR", "SECOND", "MILLISECOND", "DOW", "EPOCH")
_TYPES = (
    *("BOOLEAN", "TINYINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10, 2)", "VARCHAR", "CHAR(3)"),
    *("VARBINARY", "DATE", "TIME", "TIMESTAMP", "INTEGER ARRAY", "MAP<VARCHAR, INTEGER>", "ROW(x INTEGER, y VARCHAR)"),
)
_NAMES = (
    *("ABS", "ACOS", "ANY_VALUE", "ASCII", "AVG", "BITCOUNT", "BITNOT", "BIT_AND", "CARDINALITY", "CBRT", "CEIL"),
    *("CHAR_LENGTH", "COSH", "COT", "COUNT", "DAYOFWEEK", "DEGREES", "ELEMENT", "EXP", "FLOOR", "FROM_HEX", "HOUR"),
    *("INITCAP", "IS_INF", "IS_NAN", "JSON_DEPTH", "JSON_TYPE", "LAST_DAY", "LENGTH", "LN", "LOWER", "MAX", "MD5"),
    *("MIN", "MONTH", "OCTET_LENGTH", "RAND", "REVERSE", "ROUND", "SHA256", "SIGN", "SQRT", "SUM", "TO_HEX", "TRIM"),
    *("TRUNCATE", "UPPER", "VAR_POP", "VAR_SAMP", "YEAR"),
)
SINGLES = (
    *(f"{name}({{0}})" for name in _NAMES),
    *("-{0}", "NOT {0}", "{0} IS NULL", "{0} IS NOT TRUE", "{0} IS UNKNOWN", "ARRAY[{0}]", "ROW({0}, 1)", "{0}[1]"),
    *("{0}['x']", "ROUND({0}, 1)", "SUBSTRING({0} FROM 2)", "SUBSTRING('abc' FROM {0})", "TRIM(BOTH 'a' FROM {0})"),
    *("LPAD({0}, 3)", "LPAD('abc', {0})", "OVERLAY({0} PLACING 'x' FROM 1)", "COUNT(*) FILTER (WHERE {0})"),
    *(f"EXTRACT({unit} FROM {{0}})" for unit in _UNITS),
    *(f"{word}({{0}} TO {unit})" for word in ("FLOOR", "CEIL") for unit in ("YEAR", "DAY", "HOUR")),
    *(f"TIMESTAMPADD({unit}, 1, {{0}})" for unit in ("MONTH", "DAY", "HOUR", "MILLISECOND")),
    *(f"CAST({{0}} AS {kind})" for kind in _TYPES),
    *("CASE WHEN {0} THEN 1 END", "CASE {0} WHEN {0} THEN 1 ELSE 2 END", "COALESCE({0}, {0})"),
)
# The JVM's order of methods decides whether another operand makes it a text or bytes: no answer to record.
_LENGTHS = {"LPAD('abc', {0})": {"c_i8", "c_i16", "c_i32", "c_i64", "n_i32", "1"}}


def expressions() -> Iterator[tuple[str, str]]:
    """(operator, expression) of the whole matrix."""
    operands = (*COLUMNS, *LITERALS)
    for pair in PAIRS:
        for left in (*operands, *INTERVALS):
            for right in (*operands, *INTERVALS):
                if {left, right} & set(COLUMNS):
                    yield pair, pair.format(left, right)
    required = ("n_i32", "n_s", "n_ts", "n_dc", "n_f64", "n_ai", "n_r")
    for single in SINGLES:
        for operand in (*operands, *required, *INTERVALS):
            if operand in _LENGTHS.get(single, (operand,)):
                yield single, single.format(operand)


def query(items: Sequence[str]) -> str:
    """A query of several expressions."""
    return "SELECT " + ", ".join(f"{item} AS o{place}" for place, item in enumerate(items)) + " FROM PCOLLECTION"


def shown(kind: SqlType) -> str:
    """A type with its nullability at every level, but for keys and values of a map, where Arrow has its own."""
    inner = [shown(one.null() if kind.name == "MAP" else one) for one in kind.inner]
    if kind.names:
        inner = [f"{name} {text}" for name, text in zip(kind.names, inner, strict=True)]
    name = "VARCHAR" if kind.name == "CHAR" else kind.name
    return name + (f"<{', '.join(inner)}>" if inner else "") + ("" if kind.nullable else "!")


def planned(items: Sequence[str]) -> list[str]:
    """What the real planner says of each expression; those that it takes share a query."""
    from blocks.engines.sql_service import service

    schema = service().plan(query(items), {"PCOLLECTION": SCHEMA}).schema
    if schema is not None:
        return [shown(from_arrow(field)) for field in schema]
    if len(items) == 1:
        return ["refused"]
    half = len(items) // 2
    return [*planned(items[:half]), *planned(items[half:])]


def recorded() -> dict[str, str]:
    """Expression to answer, as it was recorded."""
    record: dict[str, dict[str, list[str]]] = json.loads(RECORD.read_text())
    return {one: answer for answers in record.values() for answer, items in answers.items() for one in items}


def as_record(answers: Iterable[tuple[str, str, str]]) -> str:
    """(operator, expression, answer) as the text of the record."""
    record: dict[str, dict[str, list[str]]] = {}
    for operator, expression, answer in answers:
        record.setdefault(operator, {}).setdefault(answer, []).append(expression)
    lines = (f"{json.dumps(operator)}: {json.dumps(answers)}" for operator, answers in record.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    everything = list(expressions())
    answers = [planned([expression])[0] for _, expression in everything]
    RECORD.write_text(as_record((*one, answer) for one, answer in zip(everything, answers, strict=True)))
