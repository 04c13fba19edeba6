"""Finds out what every name of a query means: relations, columns, fields of rows, and the columns that come out.

What Beam's planner refuses and `blocks.sql.rewriting` mends is resolved as it will be mended, and noted in
`Analysis.tolerated`. Every problem is kept, none stops the others: a name that is not there gives one problem, and
nothing that hangs on it gives another.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blocks.sql.analysis import Analysis, Table
from blocks.sql.parsing import Parsed, deeply
from blocks.sql.resolving.queries import Resolver

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

__all__ = ["resolve"]


def resolve(parsed: Parsed, tables: Mapping[str, Table], registry: "Registry") -> Analysis:
    """Resolves names and types.

    Args:
      parsed: the query.
      tables: inputs by the names that the query calls them.
      registry: the functions that it may call.
    """
    analysis = Analysis(parsed.text, parsed.source, parsed.tree, dict(tables), tolerated=list(parsed.tolerated))
    resolver = Resolver(analysis, registry)
    deeply(resolver.resolve, parsed.depth)
    return analysis
