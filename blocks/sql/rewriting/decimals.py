"""Digits of decimals: Beam's planner takes a DECIMAL column for one without digits after the point.

Where such a column meets another operand in CASE, COALESCE, a set operation or a CAST, the planner casts it to what it
takes for its type, and 1.5 becomes 1 without a word. So in an expression the column is written with its digits: those
of its Arrow type, `CAST(price AS DECIMAL(12, 2))`, which changes no value. More digits than it has would do harm: the
digits of products and quotients follow from them, and the planner has 38 in all (`x * x * x > 1` fails on rows where x
is DECIMAL(38, 9)). What has no Arrow type, and what is summed up, gets all the digits that Beam's schema holds. Seen in
Beam 2.70.
"""

from typing import Any

import pyarrow.types as pat
from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.rewriting.copying import Copy
from blocks.sql.types import MAX_SCALE, MAX_WHOLE_DIGITS

# What a value without digits may be: a column, and a part of one.
_READS = (exp.Column, exp.Bracket, exp.Dot)
# What lists columns, and computes nothing of them.
_LISTS = (exp.Select, exp.Alias, exp.Group, exp.Ordered, exp.Window, exp.Subquery, exp.Tuple)


def with_digits(analysis: Analysis) -> Any:
    """A copy of the tree in which DECIMAL columns in expressions have their digits; None where there is none."""
    columns = [node for node in analysis.tree.find_all(*_READS) if _loses_digits(node, analysis)]
    if not columns:
        return None
    copy = Copy(analysis.tree)
    for node in columns:
        old = copy.of(node)
        cast = exp.Cast(this=old.copy(), to=_type(*_digits(node, analysis)))
        cast._meta = dict(old.meta)
        # A selected column keeps its name.
        made: Any = cast
        if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
            made = exp.Alias(this=cast, alias=exp.Identifier(this=node.name, quoted=False))
        copy.put(node, made)
    return copy.tree


def _loses_digits(node: Any, analysis: Analysis) -> bool:
    kind = analysis.type_of(node)
    # Of what was computed the planner knows the digits.
    if kind is None or kind.name != "DECIMAL" or kind.precision is not None:
        return False
    if isinstance(node, exp.Column) and id(node) not in analysis.found:
        return False
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if isinstance(parent, exp.Cast):
        sizes = parent.args["to"].expressions
        # A cast to DECIMAL without digits cuts them in any case: that is what is written.
        return not sizes
    if isinstance(parent, exp.Select) and not isinstance(node, exp.Column):
        return False  # a part of a value has a name that the planner makes
    if isinstance(parent, exp.Select | exp.Alias):
        # Selected as it is; a set operation brings it to one type with the column of the other side.
        return parent.find_ancestor(exp.SetOperation) is not None
    return not (isinstance(parent, _LISTS) or _is_windowed(parent))


def _is_windowed(call: Any) -> bool:
    """Whether it is the function of an OVER: only columns may stand in it, and the planner keeps their digits."""
    outer = call.parent
    while isinstance(outer, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        outer = outer.parent
    return isinstance(call, exp.Anonymous) and isinstance(outer, exp.Window)


def _digits(node: Any, analysis: Analysis) -> tuple[int, int]:
    """Precision and scale that the values of a column fit, and the sum of many in an aggregate."""
    widest = (MAX_WHOLE_DIGITS + MAX_SCALE, MAX_SCALE)
    found = _arrow_type(node, analysis)
    # A column may have digits that Beam's schema has not, which it refuses with words of its own.
    if found is None or not 0 <= found.scale <= MAX_SCALE or _is_aggregated(node, analysis):
        return widest
    return found.precision, found.scale


def _arrow_type(node: Any, analysis: Analysis) -> Any:
    """Of the input's column that a column is, or of its field; None if it is computed."""
    path: tuple[str, ...] = ()
    while (meant := analysis.found.get(id(node))) is not None:
        path = (*meant.path, *path)
        if meant.column.table is not None and meant.column.field is not None:
            data_type = meant.column.field.type
            for name in path:
                data_type = data_type.field(name).type
            return data_type if pat.is_decimal(data_type) else None
        if len(meant.relation.scopes) != 1 or meant.column.source is None:
            return None
        node = meant.column.source.unalias()
    return None


def _is_aggregated(node: Any, analysis: Analysis) -> bool:
    while node is not None and not isinstance(node, exp.Query):
        call = analysis.calls.get(id(node))
        if call is not None and call.function.kind == "aggregate":
            return True
        node = node.parent
    return False


def _type(*digits: int) -> exp.DataType:
    sizes: list[exp.Expr] = [exp.DataTypeParam(this=exp.Literal.number(one)) for one in digits]
    return exp.DataType(this=exp.DType.DECIMAL, expressions=sizes)
