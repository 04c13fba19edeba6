"""What a query does with the columns of its inputs: which it reads, which a function sees, which times it looks at."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from sqlglot import exp

from blocks.sql.analysis import Analysis, Column, Found, Table
from blocks.sql.boundary import is_finer
from blocks.sql.dialect import function_arguments, function_name
from blocks.sql.types import UnsupportedTypeError, from_arrow

# (name of the input, name of the column)
Read = tuple[str, str]
_WINDOWS = frozenset(
    f"{name}{end}" for name in ("TUMBLE", "HOP", "SESSION") for end in ("", "_START", "_END", "_ROWTIME", "_PROCTIME")
)
_TOGETHER = (exp.Group, exp.Join, exp.Distinct, exp.SetOperation, exp.Order, exp.Limit, exp.Window, exp.Having)


def columns_read(analysis: Analysis) -> dict[str, list[str]]:
    """The columns of each input that a query reads anywhere, in the input's order; at least one of each input.

    A query may read none (`SELECT COUNT(*)`), and rows have to have something: the first column that Beam SQL can hold.
    """
    read = {name: set[str]() for name in analysis.tables}
    compared = (found for scope in analysis.scopes for pair in scope.compared for found in pair)
    for found in (*analysis.found.values(), *compared):
        for table, column in _bases(analysis, found.column, found):
            read[table].add(column)
    for scope in analysis.scopes:
        for output in scope.outputs:
            for table, column in _bases(analysis, output, None):
                read[table].add(column)
    return {
        name: [field.name for field in table.schema if field.name in read[name]] or _one(table)
        for name, table in analysis.tables.items()
    }


def _one(table: Table) -> list[str]:
    for field in table.schema:
        try:
            from_arrow(field)
        except UnsupportedTypeError:
            continue
        return [field.name]
    return []


def columns_below(analysis: Analysis, node: Any) -> set[Read]:
    """The columns of inputs that an expression is made of, through subqueries and WITH."""
    found: set[Read] = set()
    for inner in node.walk():
        if (meant := analysis.found.get(id(inner))) is not None:
            found.update(_bases(analysis, meant.column, meant))
        for scope in analysis.subqueries.get(id(inner), ()):
            for output in scope.outputs:
                found.update(_bases(analysis, output, None))
    return found


def _bases(analysis: Analysis, column: Column, found: Found | None) -> Iterator[Read]:
    """The columns of inputs behind a column of a relation."""
    if column.table is not None:
        yield column.table.name, column.field.name if column.field is not None else column.name
    elif found is not None and found.relation.scopes:
        position = next((at for at, one in enumerate(found.relation.columns) if one is column), None)
        for scope in found.relation.scopes:
            if position is not None and position < len(scope.outputs):
                yield from _bases(analysis, scope.outputs[position], None)
    elif column.source is not None:
        yield from columns_below(analysis, column.source)


def columns_of_functions(analysis: Analysis, origins: Iterable[str]) -> set[Read]:
    """The columns that functions of these origins get to see."""
    wanted = frozenset(origins)
    calls = (call for call in analysis.calls.values() if call.function.origin in wanted)
    return {read for call in calls for argument in call.arguments for read in columns_below(analysis, argument)}


def brings_rows_together(analysis: Analysis) -> bool:
    """Whether rows meet other rows, so that a runner shuffles them."""
    return any(scope.grouped for scope in analysis.scopes) or analysis.tree.find(*_TOGETHER) is not None


def fine_times(analysis: Analysis) -> dict[Read, Any]:
    """Columns with times finer than milliseconds that a query reads other than for its windows, each with a node.

    The node is the first that reads the column.
    """
    found: dict[Read, Any] = {}
    for read, node, meant in _reads(analysis):
        if not _of_window(node) and is_finer(_part(meant.column.field, meant.path)):
            found.setdefault(read, node)
    return found


def first_reads(analysis: Analysis) -> dict[Read, Any]:
    """The columns of inputs that a query names, each with the first node that does."""
    found: dict[Read, Any] = {}
    for read, node, _ in _reads(analysis):
        found.setdefault(read, node)
    return found


def _reads(analysis: Analysis) -> Iterator[tuple[Read, Any, Any]]:
    """Each node that means a column of an input: (column, node, what it means)."""
    # The columns of a `*` are nodes of their own, which are not in the tree.
    made = (output.source for scope in analysis.scopes for output in scope.outputs if output.source is not None)
    for node in (*analysis.tree.walk(), *made):
        meant = analysis.found.get(id(node))
        if meant is not None and meant.column.table is not None and meant.column.field is not None:
            yield (meant.column.table.name, meant.column.field.name), node, meant


def _part(field: pa.Field, path: tuple[str, ...]) -> pa.DataType:
    data_type = field.type
    for name in path:
        data_type = data_type.field(name).type
    return data_type


def _of_window(node: Any) -> bool:
    """Whether a column is the time of TUMBLE, HOP or SESSION."""
    parent = node.parent
    if parent is None or function_name(parent).upper() not in _WINDOWS:
        return False
    arguments = function_arguments(parent)
    return bool(arguments) and arguments[0] is node
