"""GROUP BY, HAVING: aliases and numbers stand for items of SELECT."""

from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.rewriting.copying import Copy, bare, grouped


def item_of(node: Any) -> Any:
    """The item of SELECT that an alias or a number in GROUP BY or HAVING stands for; None if there is none."""
    select = node.find_ancestor(exp.Select)
    if select is None:
        return None
    if isinstance(node, exp.Literal):
        place = int(node.name) if node.name.isdigit() else 0
        return select.expressions[place - 1] if 1 <= place <= len(select.expressions) else None
    return next((one for one in select.expressions if isinstance(one, exp.Alias) and one.alias == node.name), None)


def by_item(copy: Copy, node: Any, analysis: Analysis) -> None:
    """Writes what the item computes in its place."""
    item = item_of(node)
    if item is not None:
        meant = copy.of(bare(item)).copy()
        copy.put(node, meant if isinstance(copy.of(node).parent, exp.Group) else grouped(meant))
