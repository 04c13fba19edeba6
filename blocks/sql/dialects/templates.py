"""Forms in Beam SQL with holes: `MOD({this}, {expression})`."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlglot import exp

from blocks.sql.dialect import Beam
from blocks.sql.dialect.nodes import LOOSE

_HOLE = re.compile(r"\{(\w+)\}")
_MARK = "__hole_"


def fill(template: str, nodes: Mapping[str, Any]) -> Any:
    """The tree of a template with nodes in its holes; a node that stands in two holes is copied.

    Args:
      template: an expression of Beam SQL in which `{name}` is a hole.
      nodes: hole to node in Beam SQL's form.
    """
    tree = _tree(template).copy()
    for column in [one for one in tree.find_all(exp.Column) if one.name.startswith(_MARK)]:
        node = nodes[column.name.removeprefix(_MARK)].copy()
        if isinstance(node, LOOSE) and not isinstance(column.parent, exp.Paren | exp.Anonymous | exp.Cast | None):
            node = exp.Paren(this=node)
        if column is tree:
            return node
        column.replace(node)
    return tree


def holes(template: str) -> list[str]:
    """Names of the holes, in order, each once."""
    return list(dict.fromkeys(_HOLE.findall(template)))


@lru_cache(maxsize=512)
def _tree(template: str) -> Any:
    text = _HOLE.sub(lambda match: f"`{_MARK}{match[1]}`", template)
    select = Beam().parse(f"SELECT {text} FROM t")[0]  # noqa: S608  # a template of ours, read and not run
    assert select is not None
    node = select.expressions[0]
    for one in node.walk():
        # Places in the template are none in the query.
        one._meta = None
    return node.unnest()
