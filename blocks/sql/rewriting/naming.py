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


def name_columns(copy: Copy, analysis: Analysis) -> list[Any]:
    """Gives every unnamed output column of the outermost query a name; gives the items that got one.

    Also in `analysis`, whose columns are what the schema is made of.
    """
    named = []
    for branch in analysis.root:
        items = list(getattr(branch.select, "expressions", ()))
        if len(items) != len(branch.outputs) or not isinstance(branch.select, exp.Select):
            continue  # a star has no unnamed columns
        for place, (item, output) in enumerate(zip(items, branch.outputs, strict=True), 1):
            if not output.name.startswith("EXPR$"):
                continue
            others = [one.name for one in branch.outputs if one is not output]
            # Branches of a UNION take the names of the first one.
            output.name = name_for(item, place, others)
            copy.call(item, output.name)
            if branch is analysis.root[0]:
                named.append((item, output.name))
    return named
