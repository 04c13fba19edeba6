"""What flattening means, said again slowly over Python values, and the way back from tables to records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.labels import is_list

Row = dict[str, Any]
SEPARATOR = "/"


def naive_rows(
    schema: pa.Schema,
    records: Sequence[Row],
    explode: Sequence[str] = (),
    outer: Sequence[str] = (),
    map_keys: Mapping[str, Sequence[Any]] | None = None,
) -> list[Row]:
    """The flat rows of records, position columns included; lists nested in each other only."""
    naive = _Naive(frozenset(explode), frozenset(outer), map_keys or {})
    rows = []
    for record in records:
        fragments: list[Row] = [{}]
        for field in schema:
            found = naive.fragments(field.type, record[field.name], field.name, field.name)
            fragments = [{**left, **right} for left in fragments for right in found]
        rows += fragments
    return rows


class _Naive:
    def __init__(self, explode: frozenset[str], outer: frozenset[str], map_keys: Mapping[str, Sequence[Any]]) -> None:
        self._explode, self._outer, self._map_keys = explode, outer, map_keys

    def fragments(self, kind: pa.DataType, value: Any, path: str, name: str) -> list[Row]:
        kind = kind.value_type if pat.is_dictionary(kind) else kind
        if path in self._map_keys:
            entries = dict(value or [])
            return self._product(
                self.fragments(kind.item_type, entries.get(key), f"{path}.{key}", f"{name}/{key}")
                for key in self._map_keys[path]
            )
        if path in self._explode:
            return self._items(kind, value, path, name)
        if pat.is_struct(kind):
            return self._struct(kind, value, path, name)
        return [{name: value}]

    def _struct(self, kind: pa.DataType, value: Any, path: str, name: str) -> list[Row]:
        return self._product(
            self.fragments(child.type, (value or {}).get(child.name), f"{path}.{child.name}", f"{name}/{child.name}")
            for child in kind
        )

    def _items(self, kind: pa.DataType, value: Any, path: str, name: str) -> list[Row]:
        rows = []
        for position, item in enumerate(value or []):
            rows += [{f"{name}/position": position, **row} for row in self._item(kind, item, path, name)]
        if not value and path in self._outer:
            rows += [{f"{name}/position": None, **row} for row in self._item(kind, None, path, name)]
        return rows

    def _item(self, kind: pa.DataType, item: Any, path: str, name: str) -> list[Row]:
        if pat.is_map(kind):
            key, value = item or (None, None)
            return self._product(
                [
                    self.fragments(kind.key_type, key, f"{path}.key", f"{name}/key"),
                    self.fragments(kind.item_type, value, f"{path}.value", f"{name}/value"),
                ]
            )
        element = kind.value_type
        element = element.value_type if pat.is_dictionary(element) else element
        if pat.is_struct(element):
            return self._struct(element, item, path, name)
        if is_list(element) or pat.is_map(element):
            return self.fragments(element, item, f"{path}.item", f"{name}/item")
        return [{name: item}]

    @staticmethod
    def _product(parts: Any) -> list[Row]:
        fragments: list[Row] = [{}]
        for part in parts:
            fragments = [{**left, **right} for left in fragments for right in part]
        return fragments


def unflatten(schema: pa.Schema, tables: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The records again, from tables made with SEPARATOR; only for `normal` forms, as null and empty are one there."""
    return [
        {field.name: _back(field.type, row, field.name, field.name, tables) for field in schema}
        for row in tables["main"]
    ]


def _back(kind: pa.DataType, row: Row, name: str, table: str, tables: Mapping[str, Sequence[Row]]) -> Any:
    """A value from the column `name` of a row, or from the child table `table`."""
    kind = kind.value_type if pat.is_dictionary(kind) else kind
    if pat.is_struct(kind):
        return {
            child.name: _back(child.type, row, f"{name}/{child.name}", f"{table}/{child.name}", tables)
            for child in kind
        }
    if not is_list(kind):
        return row[name]
    items = sorted(_children(tables[table], row["_row_id"]), key=lambda child: child["_position"])
    element = kind.value_type
    element = element.value_type if pat.is_dictionary(element) else element
    if pat.is_struct(element):
        return [
            {child.name: _back(child.type, item, child.name, f"{table}/{child.name}", tables) for child in element}
            for item in items
        ]
    return [_back(element, item, "value", f"{table}/item", tables) for item in items]


def _children(rows: Sequence[Row], parent: str) -> Iterator[Row]:
    return (row for row in rows if row["_parent_id"] == parent)


def normal(kind: pa.DataType, value: Any) -> Any:
    """A value with null lists as empty ones and null structs as structs of nulls, as far as flattening opens them."""
    kind = kind.value_type if pat.is_dictionary(kind) else kind
    if pat.is_struct(kind):
        return {child.name: normal(child.type, (value or {}).get(child.name)) for child in kind}
    if is_list(kind):
        return [normal(kind.value_type, item) for item in value or []]
    return value
