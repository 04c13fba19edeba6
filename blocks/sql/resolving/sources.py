"""The columns of an input, of a query, and of what else stands in FROM."""

from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from blocks.sql.analysis import Column, Scope, Table
from blocks.sql.types import SqlType, UnsupportedTypeError, from_arrow

UNSUPPORTED = SqlType("ANY")
ORDINALITY = SqlType("INTEGER", False)


@dataclass(frozen=True, slots=True)
class Output:
    """What a query gives: its columns, and the SELECTs behind them, one of each branch of a UNION."""

    columns: list[Column]
    scopes: list[Scope]


def columns_of(table: Table) -> list[Column]:
    """The columns of an input; one that Beam SQL cannot hold has the type ANY."""
    return [
        Column(field.name, kind, None, None, table, field)
        for field, kind in zip(table.schema, _types(table.schema), strict=True)
    ]


@lru_cache(maxsize=256)
def _types(schema: pa.Schema) -> tuple[SqlType, ...]:
    return tuple(_type(field) for field in schema)


def _type(field: pa.Field) -> SqlType:
    try:
        return from_arrow(field)
    except UnsupportedTypeError:
        return UNSUPPORTED


def unnested(kind: SqlType | None) -> list[tuple[str, SqlType]] | None:
    """Names and types of the columns that UNNEST gives; an empty name is the alias. None: not to be unnested."""
    if kind is None or kind.name == "ANY":
        return []
    if kind.name == "MAP":
        return [("KEY", kind.inner[0]), ("VALUE", kind.inner[1])]
    if kind.name != "ARRAY":
        return None
    element = kind.inner[0]
    if element.name == "ROW":
        return list(zip(element.names, element.inner, strict=True))
    return [("", element)]
