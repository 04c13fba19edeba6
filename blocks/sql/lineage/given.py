"""Columns of inputs on their way through subqueries: as they are, or at most brought into one form."""

from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from sqlglot import exp

from blocks.core import labels
from blocks.sql.analysis import Analysis, Column, Found
from blocks.sql.dialect import function_arguments, function_name

# What only brings a value into one form: equal people stay equal, and no part of a value is chosen.
CANONICAL = frozenset({"LOWER", "UPPER", "TRIM", "TEXT_NORMALIZE", "EMAIL_NORMALIZE", "PHONE_NORMALIZE"})
# Aggregates whose result is one of the values, as it was.
ONE_OF_THEM = frozenset({"MIN", "MAX", "ANY_VALUE"})
# Types that hold all of what a value says. Of CHAR, a DATE or a text with a length a part may be cut off.
_WHOLE = frozenset({exp.DType.VARCHAR, exp.DType.VARBINARY, exp.DType.BIGINT})
_CONSTANTS = (exp.Literal, exp.Star, exp.Null)


def is_given(analysis: Analysis, node: Any, *, constants: bool = True, cuts: bool = False) -> bool:
    """Whether a value is a column of an input, at most brought into one form or masked, in every branch behind it.

    Only then does a mask hide it and a count only count it: `CASE WHEN ssn = '1' THEN 'a' ELSE 'b' END` is one bit of a
    number, also when a subquery computes it.

    Args:
      analysis: of the query.
      node: the expression.
      constants: whether it may be a constant in some branch.
      cuts: whether a CAST may cut a part off.
    """
    if isinstance(node, exp.Column):
        found = analysis.found.get(id(node))
        return found is not None and is_given_column(analysis, found, constants=constants, cuts=cuts)
    if isinstance(node, _CONSTANTS):
        return constants
    first, *others = _cleaned(analysis, node, cuts) or [None]
    return (
        first is not None
        and is_given(analysis, first, constants=constants, cuts=cuts)
        and all(is_given(analysis, one, cuts=cuts) for one in others)
    )


def is_given_column(analysis: Analysis, found: Found, *, constants: bool = True, cuts: bool = False) -> bool:
    """As `is_given`, of a column."""
    columns = behind(found)
    return columns is not None and all(_is_one(analysis, one, constants, cuts) for one in columns)


def _is_one(analysis: Analysis, column: Column, constants: bool, cuts: bool) -> bool:
    if column.source is None:
        return column.field is not None
    return all(is_given(analysis, one, constants=constants, cuts=cuts) for one in (column.source, *column.others))


def _cleaned(analysis: Analysis, node: Any, cuts: bool) -> list[Any]:
    """What a node only brings into one form or masks, and what tells it how; nothing where it does more."""
    if isinstance(node, exp.Paren):
        return [node.this]
    if isinstance(node, exp.Cast):
        kind = node.args["to"]
        return [node.this] if cuts or (kind.this in _WHOLE and not kind.expressions) else []
    if isinstance(node, exp.Trim):
        return [node.this] if node.args.get("expression") is None else []
    call = analysis.calls.get(id(node))
    rule = call.function.declassifies if call is not None else None
    if (rule is not None and rule.gives) or function_name(node).upper() in CANONICAL | ONE_OF_THEM:
        return function_arguments(node)
    return list(node.expressions) if isinstance(node, exp.Distinct) and len(node.expressions) == 1 else []


def behind(found: Found) -> list[Column] | None:
    """The columns that stand behind a found one: one of each branch of its subquery. None where nobody knows which.

    The column itself if it is no subquery's.
    """
    if not found.relation.scopes:
        columns = [found.column]
    else:
        place = next((at for at, one in enumerate(found.relation.columns) if one is found.column), None)
        if place is None:
            return None
        columns = [scope.outputs[place] for scope in found.relation.scopes]
    beside = behind(found.beside) if found.beside is not None else []
    return None if beside is None else columns + beside


def bare_field(analysis: Analysis, column: Column) -> pa.Field | None:
    """The field that a column is, through subqueries; None where it is computed."""
    if column.source is None:
        return column.field
    node = column.source.unnest()
    found = analysis.found.get(id(node)) if isinstance(node, exp.Column) else None
    # An element of UNNEST is not the array.
    columns = None if found is None or found.relation.kind == "unnest" or column.others else behind(found)
    if found is None or not columns or any(one is column for one in columns):
        return None
    field, *others = [bare_field(analysis, one) for one in columns]
    if field is None or any(one is None or not one.equals(field, True) for one in others):
        return None
    for name in found.path:
        if not pat.is_struct(field.type):
            return None
        field = field.type.field(name)
    return field


def begins_window(analysis: Analysis, place: int) -> bool:
    """Whether an output column is the begin of windows of the event time, in every branch."""
    sources = [column.source for column in analysis.branches(place)]
    return bool(sources) and all(_begins_window(analysis, node) for node in sources)


def _begins_window(analysis: Analysis, node: Any) -> bool:
    if node is None or function_name(node).upper() not in ("TUMBLE_START", "HOP_START", "SESSION_START"):
        return False
    found = analysis.found.get(id(node.expressions[0])) if node.expressions else None
    return found is not None and found.column.field is not None and labels.is_event_time(found.column.field)
