"""The tables of cases of the functions in Java and Scala, as JUnit reads them too, and their index."""

import datetime
import decimal
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

SOURCES = Path(__file__).parents[3] / "java_udfs"
FOLDER = SOURCES / "src" / "test" / "resources" / "functions"
ARROW = {
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "DECIMAL": pa.decimal128(38, 9),
    "VARCHAR": pa.string(),
    "VARBINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("ms", "UTC"),
}


@dataclass(frozen=True)
class Case:
    """A call of a scalar function with `arguments`, or an aggregate over `rows`, with its types and what it gives."""

    function: str
    number: int
    types: tuple[str, ...]
    returns: str
    rows: list[list[Any]]
    result: Any
    error: str = field(default="")

    @property
    def arguments(self) -> list[Any]:
        """Of a scalar function."""
        return self.rows[0]


@cache
def index() -> dict[str, Any]:
    """The committed index by name."""
    return {one["name"]: one for one in json.loads((SOURCES / "index.json").read_text())["functions"]}


@cache
def cases(kind: str) -> tuple[Case, ...]:
    """All cases of `scalar` or `aggregate` functions."""
    return tuple(
        _case(name, number, one)
        for name, about in index().items()
        if about["kind"] == kind
        for number, one in enumerate(json.loads((FOLDER / f"{name}.json").read_text())["cases"])
    )


def of(function: str) -> list[Case]:
    """The cases of one function."""
    return [one for kind in ("scalar", "aggregate") for one in cases(kind) if one.function == function]


def _case(name: str, number: int, one: dict[str, Any]) -> Case:
    rows = [[_value(value) for value in row] for row in one.get("rows", [one.get("arguments")])]
    overload = next(
        overload for overload in index()[name]["overloads"] if _takes(overload["arguments"], one.get("types"), rows[0])
    )
    types = tuple(argument["type"] for argument in overload["arguments"])[: len(rows[0])]
    return Case(name, number, types, overload["returns"], rows, _value(one.get("result")), one.get("error", ""))


def _takes(arguments: list[dict[str, Any]], types: list[str] | None, row: list[Any]) -> bool:
    least = sum(not argument["optional"] for argument in arguments)
    if not least <= len(row) <= len(arguments):
        return False
    declared = [argument["type"] for argument in arguments][: len(row)]
    if types is not None:
        return declared == types
    return all(value is None or _type(value) == sql for value, sql in zip(row, declared, strict=True))


def _type(value: Any) -> str:
    return {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", bytes: "VARBINARY"}.get(type(value), "VARCHAR")


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(one) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    read: dict[str, Callable[[Any], Any]] = {
        "bytes": bytes.fromhex,
        "double": float,
        "decimal": decimal.Decimal,
        "date": datetime.date.fromisoformat,
        "timestamp": lambda ms: datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(milliseconds=ms),
    }
    return read[kind](inner)


def arrow_type(sql: str) -> pa.DataType:
    """The Arrow type of a type as the index writes it."""
    if sql.startswith("ARRAY<"):
        return pa.list_(arrow_type(sql[6:-1]))
    return ARROW[sql]


def every_code_point() -> str:
    """All of Unicode but the halves of pairs, which no text in UTF-8 has."""
    return "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
