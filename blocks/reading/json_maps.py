"""JSON objects as Arrow maps, which Arrow's JSON reader does not know.

A map of text, integers, floats or booleans that stands in structs only is taken out by DuckDB; any other (in a list, of
structs, of decimals) is read record by record in Python, which is about ten times slower and exact.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blocks.core import nested
from blocks.core.masks.base import by_distinct
from blocks.reading.conversions import Failed, infinite
from blocks.reading.json_plan import Node
from blocks.reading.lines import Lines

_MAP = "'\"MAP(VARCHAR, {})\"'"


@dataclass(frozen=True)
class MapColumn:
    """A map, and the JSON path to it: names of structs only."""

    node: Node
    names: tuple[str, ...]


def simple_maps(nodes: tuple[Node, ...]) -> list[MapColumn] | None:
    """Every map of the schema, if all of them can be read by DuckDB; None if one cannot."""
    found: list[MapColumn] = []
    return found if all(_collect(node, (node.name,), found) for node in nodes) else None


def _collect(node: Node, names: tuple[str, ...], found: list[MapColumn]) -> bool:
    if not node.has_map:
        return True
    if node.kind == "struct":
        return all(_collect(child, (*names, child.name), found) for child in node.children)
    # DuckDB's paths have no empty names, and a star stands for all.
    if any(name in ("", "*") or "\0" in name for name in names):
        return False
    if node.kind != "map" or node.children[1].kind not in ("string", "int", "float", "bool"):
        return False
    found.append(MapColumn(node, names))
    return True


class MapReader:
    """Reads maps of many records at once.

    Args:
      columns: from `simple_maps`.
    """

    def __init__(self, columns: list[MapColumn]) -> None:
        self._columns = columns
        self._connection = duckdb.connect(":memory:", config={"threads": 1, "autoinstall_known_extensions": False})
        self._connection.execute("SET enable_progress_bar = false")
        parts = []
        for number, column in enumerate(columns):
            path = "'$" + "".join("." + _quoted(name) for name in column.names) + "'"
            value = f"json_extract(line, {path})"
            parts.append(f"json_transform_strict({value}, '\"MAP(VARCHAR, JSON)\"') AS map{number}")
        self._query = f"SELECT {', '.join(parts)} FROM lines"  # noqa: S608 - names are quoted, values are not in it

    def __call__(self, lines: Lines) -> tuple[dict[tuple[str, ...], pa.Array], Failed]:
        """The map arrays by path, and which records have a value that does not fit.

        Raises:
          duckdb.Error: some record has a key twice; nothing says which.
        """
        self._connection.register("lines", pa.table({"line": lines.array()}))
        try:
            result = self._connection.sql(self._query).to_arrow_table()
        finally:
            self._connection.unregister("lines")
        arrays: dict[tuple[str, ...], pa.Array] = {}
        failed = np.zeros(len(lines), np.bool_)
        for number, column in enumerate(self._columns):
            arrays[column.names], wrong = _typed(nested.plain(result.column(number)), column.node)
            failed |= wrong
        return arrays, failed if failed.any() else None


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''") + '"'


def _typed(raw: pa.Array, node: Node) -> tuple[pa.Array, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
    """The map with values of its type, from the JSON text of each value, and the records where one does not fit."""
    offsets, entries = nested.list_parts(raw)
    texts = entries.field(1).cast(pa.string())
    item = node.children[1]
    is_null = pc.fill_null(pc.equal(texts, "null"), True)
    wrong = pc.and_not(pc.invert(_FITS[item.kind](texts)), is_null)
    texts = pc.if_else(pc.or_(is_null, wrong), pa.scalar(None, pa.string()), texts)
    values = _unquoted(texts) if item.kind == "string" else texts
    try:
        typed = values.cast(item.field.type)
    except pa.ArrowInvalid:
        # An integer beyond the type.
        parsed = [_cast_or_none(value, item.field.type) for value in values.to_pylist()]
        typed = pa.array(parsed, item.field.type)
        wrong = pc.or_(wrong, pc.and_(typed.is_null(), values.is_valid()))
    if item.kind == "float" and (too_large := infinite(typed)) is not None:
        wrong = pc.or_(wrong, pa.array(too_large))
    if item.required:
        wrong = pc.or_(wrong, is_null)
    parents = np.repeat(np.arange(len(raw)), np.diff(offsets.to_numpy()))
    failed = np.zeros(len(raw), np.bool_)
    failed[parents[wrong.to_numpy(zero_copy_only=False)]] = True
    keys = entries.field(0).cast(node.field.type.key_type)
    fields = [node.field.type.key_field, node.field.type.item_field]
    return nested.rebuild_list(raw, pa.StructArray.from_arrays([keys, typed], fields=fields), node.field.type), failed


def _unquoted(texts: pa.Array) -> pa.Array:
    """The strings that JSON texts stand for."""
    if pc.any(pc.match_substring(texts, "\\"), skip_nulls=True).as_py():
        return by_distinct(texts, lambda values: pa.array([json.loads(str(value)) for value in values], pa.string()))
    return pc.utf8_slice_codeunits(texts, 1, -1)


def _cast_or_none(value: str | None, data_type: pa.DataType) -> object:
    try:
        return None if value is None else pa.scalar(value).cast(data_type).as_py()
    except pa.ArrowInvalid:
        return None


_FITS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "string": lambda shapes: pc.fill_null(pc.starts_with(shapes, '"'), False),
    "int": lambda shapes: pc.fill_null(pc.match_substring_regex(shapes, r"^-?[0-9]+$"), False),
    "float": lambda shapes: pc.fill_null(pc.match_substring_regex(shapes, r"^-?[0-9]"), False),
    "bool": lambda shapes: pc.fill_null(pc.is_in(shapes, pa.array(["true", "false"])), False),
}


def assemble(
    node: Node, parsed: pa.Array | None, maps: dict[tuple[str, ...], pa.Array], names: tuple[str, ...]
) -> pa.Array:
    """Puts maps back where they stand between parsed fields.

    Args:
      node: of a column that holds a map.
      parsed: what the parser gave for it, without the maps; None for a map itself.
      maps: by path.
      names: path of this node.

    Returns:
      An array of all children of the node, in the order of the schema; types as parsed, maps final.
    """
    if node.kind == "map":
        return maps[names]
    if parsed is None or not node.has_map:
        return parsed
    by_name = {field.name: child for field, child in zip(parsed.type, nested.struct_children(parsed), strict=True)}
    parts = [assemble(child, by_name.get(child.name), maps, (*names, child.name)) for child in node.children]
    fields = [pa.field(child.name, part.type) for child, part in zip(node.children, parts, strict=True)]
    return nested.rebuild_struct(parsed, parts, fields)
