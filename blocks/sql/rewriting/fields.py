"""`who.city`: a field of a ROW, which Beam's planner finds only behind the name of the table."""

from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.rewriting.copying import Copy


def behind_the_table(copy: Copy, node: Any, analysis: Analysis) -> None:
    """Writes `t.who.city`."""
    found = analysis.found.get(id(node))
    if found is None:
        return
    parts = [found.relation.alias, found.column.name, *found.path]
    identifiers = [exp.Identifier(this=part, quoted=False) for part in parts]
    # More than four names do not fit into a Column.
    named = dict(zip(("this", "table", "db", "catalog"), reversed(identifiers[:4]), strict=False))
    made: Any = exp.Column(**named)
    for field in identifiers[4:]:
        made = exp.Dot(this=made, expression=field)
    copy.put(node, made)
