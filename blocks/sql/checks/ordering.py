"""ORDER BY, LIMIT and OFFSET, of which Beam does what needs no order of a whole result."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checks.telling import SUBQUERIES, is_group_function, selects, told, written
from blocks.sql.dialect.nodes import walk
from blocks.sql.problems import SqlProblem

_SORTED = "a PCollection has no order: leave ORDER BY out, or add LIMIT for the first rows"


def ordering(analysis: Analysis) -> Iterator[SqlProblem]:
    """ORDER BY without LIMIT, OFFSET without LIMIT, ORDER BY a ROW, and columns that ORDER BY adds to the result."""
    for query in _queries(analysis):
        order, limit, offset = (query.args.get(key) for key in ("order", "limit", "offset"))
        if order is not None and limit is None and not _is_dropped(query):
            yield told(analysis, order, "unsupported", "ORDER BY without LIMIT", _SORTED)
        elif offset is not None and limit is None:
            yield told(analysis, offset, "unsupported", "OFFSET without LIMIT", "add LIMIT")
        group = query.args.get("group") if order is not None and limit is not None else None
        if group is not None and any(map(is_group_function, group.expressions)):
            what = "ORDER BY over the groups of a window"
            yield told(analysis, order, "unsupported", what, "Beam sorts no windows: leave ORDER BY and LIMIT out")
        for item in order.expressions if order is not None else ():
            kind = analysis.type_of(item.this)
            if kind is not None and kind.name == "ROW":
                what = f"ORDER BY {written(analysis, item.this)}, which is a {kind.name}"
                yield told(analysis, item.this, "unsupported", what, "order by its fields")
    yield from _added(analysis)


def _queries(analysis: Analysis) -> Iterator[Any]:
    for node in walk(analysis.tree):
        if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
            yield node


def _is_dropped(query: Any) -> bool:
    """Whether the planner leaves the ORDER BY of a subquery out, because nobody sees it."""
    parent = query.parent
    return isinstance(parent, (exp.CTE, *SUBQUERIES))


def _added(analysis: Analysis) -> Iterator[SqlProblem]:
    """Columns of ORDER BY that are not selected: the outermost SELECT would give them."""
    tree = analysis.tree
    if not isinstance(tree, exp.Select) or tree.args.get("order") is None or tree.args.get("distinct") is not None:
        return
    from blocks.sql.checks.grouping import shape

    scope = next((one for one in selects(analysis) if one.select is tree), None)
    if scope is None:
        return
    given = {shape(analysis, column.source) for column in scope.outputs if column.source is not None}
    for item in tree.args["order"].expressions:
        value = item.this
        found = analysis.found.get(id(value))
        if analysis.type_of(value) is None:
            continue
        is_output = found is not None and found.relation.scopes == [scope]
        if is_output or shape(analysis, value) in given or (isinstance(value, exp.Literal) and not value.is_string):
            continue
        what = f"ORDER BY {written(analysis, value)}, which is not selected: Beam adds it to the result as a column"
        fix = "select it, or put the query in parentheses: SELECT ... FROM (SELECT ... ORDER BY ... LIMIT n)"
        yield told(analysis, value, "renamed_column", what, fix)
