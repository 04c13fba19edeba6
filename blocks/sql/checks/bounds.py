"""Whether a relation ends, and whether its rows are in windows."""

from collections.abc import Iterator

from sqlglot import exp

from blocks.sql.analysis import Analysis, Relation, Scope, Table
from blocks.sql.checks.telling import group_items, is_group_function


def boundedness(analysis: Analysis, relation: Relation) -> bool | None:
    """True if it ends, False if it does not, None where nobody knows."""
    tables = [column.table for column in relation.columns if column.table is not None]
    if relation.kind == "table" and tables:
        return tables[0].bounded
    if relation.kind in ("values", "unnest"):
        return True
    return _of_all([of_scope(analysis, scope) for scope in relation.scopes])


def of_scope(analysis: Analysis, scope: Scope) -> bool | None:
    """The same of a SELECT."""
    return _of_all([boundedness(analysis, relation) for relation in scope.relations.values()])


def _of_all(known: list[bool | None]) -> bool | None:
    if any(one is False for one in known):
        return False
    return None if any(one is None for one in known) else True


def is_windowed(analysis: Analysis, relation: Relation) -> bool:
    """Whether the rows of a relation come in windows other than the global one, or by a trigger."""
    if relation.kind == "table":
        return any(column.table is not None and _gives_out(column.table) for column in relation.columns)
    if isinstance(relation.node, exp.TableFromRows):
        return True
    return any(scope_is_windowed(analysis, scope) for scope in relation.scopes)


def _gives_out(table: Table) -> bool:
    return table.windowed or table.triggered


def tables_below(relation: Relation) -> Iterator[Table]:
    """The inputs that a relation is made of."""
    if relation.kind == "table":
        yield from (column.table for column in relation.columns[:1] if column.table is not None)
    for scope in relation.scopes:
        for inner in scope.relations.values():
            yield from tables_below(inner)


def grouped_windows(analysis: Analysis, relation: Relation) -> str | None:
    """The TUMBLE, HOP or SESSION in whose windows a relation's rows come; empty for none, None where nobody knows."""
    if relation.kind == "table":
        return None if any(table.windowed or table.triggered for table in tables_below(relation)) else ""
    if isinstance(relation.node, exp.TableFromRows):
        return None
    found = {windows_of_scope(analysis, scope) for scope in relation.scopes}
    return found.pop() if len(found) == 1 else None if found else ""


def windows_of_scope(analysis: Analysis, scope: Scope) -> str | None:
    """The same of a SELECT."""
    if not isinstance(scope.select, exp.Select):
        return None
    for item in group_items(scope):
        if is_group_function(item):
            return " ".join((item.name.upper(), *(size.sql() for size in item.expressions[1:])))
    known = [one for one in scope.relations.values() if one.kind not in ("unnest", "values")]
    found = {grouped_windows(analysis, relation) for relation in known}
    return found.pop() if len(found) == 1 else None if found else ""


def windows_of(analysis: Analysis, relation: Relation) -> str:
    """In which windows the rows of a relation come, in words; empty where nobody knows."""
    if relation.kind == "table":
        return next((table.windows for table in tables_below(relation)), "")
    if isinstance(relation.node, exp.TableFromRows):
        return ""
    found: set[str] = set()
    for scope in relation.scopes:
        if not isinstance(scope.select, exp.Select) or any(is_group_function(item) for item in group_items(scope)):
            return ""
        found.update(windows_of(analysis, inner) for inner in scope.relations.values())
    return found.pop() if len(found) == 1 else ""


def scope_is_windowed(analysis: Analysis, scope: Scope) -> bool:
    """Whether what a SELECT gives comes in windows."""
    if any(is_group_function(item) for item in (group_items(scope) if isinstance(scope.select, exp.Select) else ())):
        return True
    return any(is_windowed(analysis, relation) for relation in scope.relations.values())
