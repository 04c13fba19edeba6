"""Names for computed columns that have none: Beam calls them `EXPR$0`, which its Python side cannot hold."""

from collections.abc import Iterable
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.dialect import function_name
from blocks.sql.rewriting.copying import Copy, bare


def name_for(item: Any, place: int, taken: Iterable[str]) -> str:
    """A name for an item of SELECT: of its function and first column (`sum_amount`), or of its place (`column_2`).

    Args:
      item: of SELECT.
      place: from 1.
      taken: names of the other columns.
    """
    node = bare(item)
    column = node.find(exp.Column)
    function = str(node.meta.get("was") or function_name(node)).lower()
    words = [function, column.name if column is not None else ""]
    name = "_".join(word for word in words if word) if words[0] else ""
    name = name if name and name not in taken else f"column_{place}"
    while name in taken:
        name += "_"
    return name


def name_columns(copy: Copy, analysis: Analysis) -> list[tuple[Any, str]]:
    """Gives every unnamed output column of the outermost query a name; gives the items that got one, with it.

    Also in `analysis`, whose columns are what the schema is made of. A UNION has the names of its first branch.
    """
    named = []
    branch = analysis.root[0]
    items = branch.select.expressions if isinstance(branch.select, exp.Select) else []
    # What a star stands for keeps its name: Calcite does not find `EXPR$0` of a VALUES by that name.
    for place, (item, output) in enumerate(zip(items, branch.outputs, strict=False), 1):
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            continue
        if len(items) == len(branch.outputs) and output.name.startswith("EXPR$"):
            output.name = name_for(item, place, [one.name for one in branch.outputs if one is not output])
            copy.call(item, output.name)
            named.append((item, output.name))
    return named
