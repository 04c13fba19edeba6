"""What plans and runs, and means something else than it seems to."""

from collections.abc import Iterator
from typing import Any

import pyarrow.types as pat
from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checks.telling import every
from blocks.sql.coercion import digits
from blocks.sql.dialect.nodes import function_arguments
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem
from blocks.sql.types import INTEGERS

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_CUT = ("AVG", "VAR_POP", "VAR_SAMP", "COVAR_POP", "COVAR_SAMP")


def null_comparisons(analysis: Analysis) -> Iterator[SqlProblem]:
    """`x = NULL`: never true, whatever x is."""
    for node in every(analysis.tree, *_COMPARISONS):
        sides = [_bare(node.left), _bare(node.right)]
        if not any(isinstance(side, exp.Null) for side in sides):
            continue
        other = sides[0] if isinstance(sides[1], exp.Null) else sides[1]
        shown = other.sql() if isinstance(other, exp.Column) else "x"
        negated = "NOT " if isinstance(node, exp.NEQ) else ""
        what = "a comparison with NULL is never true"
        fix = f"write {shown} IS {negated}NULL"
        yield problem(analysis.text, place_of(node), "always_null", what, fix, source=analysis.source)
    for node in every(analysis.tree, exp.In):
        yield from _null_in_list(analysis, node)


def _null_in_list(analysis: Analysis, node: Any) -> Iterator[SqlProblem]:
    negated = isinstance(node.parent, exp.Not)
    for value in node.expressions:
        if isinstance(_bare(value), exp.Null):
            what = "NOT IN with NULL is never true" if negated else "IN does not find NULL"
            fix = "leave NULL out, and add AND x IS NOT NULL" if negated else "leave NULL out, and add OR x IS NULL"
            yield problem(analysis.text, place_of(value), "always_null", what, fix, source=analysis.source)


def _bare(node: Any) -> Any:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def cut_results(analysis: Analysis) -> Iterator[SqlProblem]:
    """Aggregates in the type of their argument: a mean of whole numbers is cut, a sum of small ones wraps around."""
    for node in every(analysis.tree, exp.Anonymous):
        call, kind = analysis.calls.get(id(node)), analysis.type_of(node)
        if call is None or kind is None or call.function.origin != "beam" or call.function.kind != "aggregate":
            continue
        name = call.function.name
        arguments = function_arguments(node)
        if name in _CUT and kind.name in INTEGERS:
            what = f"{name} of {kind} is {kind}: it is cut to a whole number"
            yield _warn(analysis, node, what, f"write {name}(CAST(x AS DOUBLE))")
        elif name == "SUM" and kind.name in INTEGERS[:3] and arguments:
            what = f"SUM of {kind} is {kind}: a greater sum wraps around without an error"
            yield _warn(analysis, node, what, "write SUM(CAST(x AS BIGINT))")


def cut_casts(analysis: Analysis) -> Iterator[SqlProblem]:
    """CAST(x AS DECIMAL): a DECIMAL without a scale has no digits after the point."""
    for node in every(analysis.tree, exp.Cast):
        kind, source = analysis.type_of(node), analysis.type_of(node.this)
        if kind is None or source is None or kind.name != "DECIMAL" or node.to.expressions:
            continue
        if source.name in ("FLOAT", "DOUBLE") or (source.name == "DECIMAL" and source.scale != 0):
            what = "DECIMAL without a scale has no digits after the point: they are cut"
            yield _warn(analysis, node, what, "write CAST(x AS DECIMAL(28, 9))")


def cut_decimals(analysis: Analysis) -> Iterator[SqlProblem]:
    """Where the planner casts a DECIMAL column to what it takes it for, a DECIMAL(38, 0): its digits are gone.

    Tried on Beam 2.70: COALESCE(2.5, 0) of a column is 2, and 2.5 = 2.5 is false if one of both is a column.
    """
    for node in every(analysis.tree, exp.Anonymous, exp.EQ, exp.NEQ, exp.In):
        if isinstance(node, exp.Anonymous):
            name, parts = node.name.upper(), function_arguments(node)
            cut = name in ("COALESCE", "MOD") and any(_is_cut(analysis, part) for part in parts)
            # One that is never NULL is not cast.
            cut = cut and (
                name == "MOD" or any(_is_cut(analysis, part) and _nullable(analysis, part) for part in parts)
            )
        else:
            parts = [*node.expressions, node.this] if isinstance(node, exp.In) else [node.left, node.right]
            cut = any(_is_cut(analysis, part) for part in parts) and any(_has_scale(analysis, part) for part in parts)
        if cut:
            what = "the planner takes a DECIMAL column for DECIMAL(38, 0): here its digits after the point are cut"
            yield _warn(analysis, node, what, "cast the column: CAST(x AS DECIMAL(28, 9))", "cut_decimal")


def _is_cut(analysis: Analysis, node: Any) -> bool:
    """Whether it is a DECIMAL without a scale for the planner, over a column that has one."""
    kind = analysis.type_of(node)
    if kind is None or kind.name != "DECIMAL" or digits(kind)[1]:
        return False
    columns = (analysis.found.get(id(one)) for one in every(node, exp.Column))
    fields = [found.column.field for found in columns if found is not None]
    return any(field is None or (pat.is_decimal(field.type) and field.type.scale > 0) for field in fields)


def _nullable(analysis: Analysis, node: Any) -> bool:
    kind = analysis.type_of(node)
    return kind is not None and kind.nullable


def _has_scale(analysis: Analysis, node: Any) -> bool:
    kind = analysis.type_of(node)
    return kind is not None and kind.name == "DECIMAL" and digits(kind)[1] > 0


def _warn(analysis: Analysis, node: Any, what: str, fix: str, code: str = "loses_digits") -> SqlProblem:
    place = place_of(node)
    return problem(analysis.text, place, code, what, fix, source=analysis.source, severity="warning")


MISLEADING_CHECKS = (null_comparisons, cut_results, cut_casts, cut_decimals)
