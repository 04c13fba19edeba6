"""Where a node of a query's tree stands in the text."""

from typing import Any

from blocks.sql.problems import Place

_NOWHERE = Place(1, 1)


def place_of(node: Any) -> Place:
    """Line, column and length of a node, from the positions that the parser left in it.

    Trees of sqlglot's own parsers (dialects other than beam) have them at names, literals and functions only: the place
    is then that of the first of these in the node.
    """
    meta = _placed(node)
    if meta is None:
        return _NOWHERE
    start, end = meta["start"], meta["end"]
    return Place(meta["line"], max(meta["col"] - (end - start), 1), end - start + 1)


def _placed(node: Any) -> Any:
    if node._meta and "start" in node._meta:
        return node._meta
    found = [one._meta for one in node.walk() if one._meta and "start" in one._meta]
    return min(found, key=lambda meta: meta["start"], default=None)


def span_of(node: Any) -> tuple[int, int]:
    """Offsets of a node's first and last character; (0, 0) where it has none."""
    meta = _placed(node)
    return (meta["start"], meta["end"]) if meta else (0, 0)
