"""What Calcite knows of a value before a query runs: conditions that are always true or false, and literals.

Its planner leaves out branches that are never taken. Where a literal is left of a whole column of the result, that
column is never NULL; within an expression types stay. Source: `RexSimplify` of Calcite 1.40; what it finds by more than
literals, NOT NULL and equal expressions is not looked for here.
"""

import operator
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.dialect.nodes import function_arguments, function_name, walk
from blocks.sql.types import SqlType

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_SIGNS: dict[type, Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}


def settled(typer: "Typer", node: Any, kind: SqlType) -> SqlType:
    """The type of an expression: never NULL where it is a whole column of a SELECT and a literal is left of it."""
    is_column = kind.nullable and isinstance(node.parent, exp.Select | exp.Alias)
    return kind.null(False) if is_column and is_literal(typer, node) else kind


def truth(typer: "Typer", node: Any) -> bool | None:
    """Whether a condition is always true or always false; None where that depends, also on NULL."""
    key = id(node)
    if key not in typer.truths:
        typer.truths[key] = _truth(typer, node)
    return typer.truths[key]


def _truth(typer: "Typer", node: Any) -> bool | None:
    match node:
        case exp.Boolean():
            return bool(node.this)
        case exp.Paren():
            return truth(typer, node.this)
        case exp.Not():
            found = truth(typer, node.this)
            return None if found is None else not found
        case exp.And():
            return _joined(typer, node, decides=False)
        case exp.Or():
            return _joined(typer, node, decides=True)
        case exp.Is():
            return _is(typer, node)
        case exp.In():
            return _in(node)
        case exp.Between():
            return _between(node)
    sign = _SIGNS.get(type(node))
    return None if sign is None else _compared(typer, node, sign)


def _joined(typer: "Typer", node: exp.Connector, decides: bool) -> bool | None:
    found = (truth(typer, node.left), truth(typer, node.right))
    if decides in found:
        return decides
    return None if None in found else not decides


def _is(typer: "Typer", node: exp.Is) -> bool | None:
    if isinstance(node.expression, exp.Null):
        kind = typer.of(node.this)
        return False if kind is not None and not kind.nullable else None
    found = truth(typer, node.this)
    return None if found is None else found == bool(node.expression.this)


def _in(node: exp.In) -> bool | None:
    value, listed = literal(node.this), [literal(one) for one in node.expressions]
    if value is None or node.args.get("query") is not None or any(type(one) is not type(value) for one in listed):
        return None
    return value in listed


def _between(node: exp.Between) -> bool | None:
    value, low, high = (literal(node.args[name]) for name in ("this", "low", "high"))
    if not isinstance(value, Decimal):
        return None
    if (isinstance(low, Decimal) and value < low) or (isinstance(high, Decimal) and value > high):
        return False
    return True if isinstance(low, Decimal) and isinstance(high, Decimal) else None


def _compared(typer: "Typer", node: exp.Binary, sign: Callable[[Any, Any], bool]) -> bool | None:
    one, two = literal(node.left), literal(node.right)
    if one is not None and type(one) is type(two):
        return sign(one, two)
    kind = typer.of(node.left)
    same = isinstance(node.left, exp.Column) and node.left == node.right
    return sign(0, 0) if same and kind is not None and not kind.nullable else None


def is_never(typer: "Typer", condition: Any) -> bool:
    """Whether a condition of WHEN is never true: false, NULL, or a column that is not equal to itself."""
    if isinstance(condition, exp.Paren):
        return is_never(typer, condition.this)
    if isinstance(condition, exp.Null) or truth(typer, condition) is False:
        return True
    if isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Boolean) and condition.expression.this:
        return is_never(typer, condition.this)
    itself = isinstance(condition, (exp.NEQ, exp.LT, exp.GT)) and condition.left == condition.right
    return itself and all(_is_steady(typer, one) for one in walk(condition.left))


def _is_steady(typer: "Typer", node: Any) -> bool:
    call = typer.analysis.calls.get(id(node))
    return call is None or call.function.deterministic


def literal(node: Any) -> Decimal | str | None:
    """The value of a literal number or text."""
    match node:
        case exp.Paren():
            return literal(node.this)
        case exp.Neg():
            found = literal(node.this)
            return -found if isinstance(found, Decimal) else None
        case exp.Literal() if node.is_string:
            return str(node.this)
        case exp.Literal():
            try:
                return Decimal(node.this)
            except InvalidOperation:
                return None
    return None


def is_literal(typer: "Typer", node: Any) -> bool:
    """Whether Calcite has a literal for it, which is never NULL: a number, a text, a time, TRUE, a CAST of one."""
    if isinstance(node, exp.Paren | exp.Cast):
        return is_literal(typer, node.this)
    if function_name(node).upper() == "COALESCE":
        return is_literal(typer, function_arguments(node)[0])
    if literal(node) is not None or truth(typer, node) is not None:
        return True
    left = left_over(typer, node)
    return left is not None and is_literal(typer, left)


def left_over(typer: "Typer", node: Any) -> Any:
    """The value that is left of a CASE or NULLIF whose conditions are known; None where that depends."""
    if isinstance(node, exp.Paren):
        return left_over(typer, node.this)
    if isinstance(node, exp.Anonymous) and function_name(node).upper() == "NULLIF":
        one, two = (literal(argument) for argument in function_arguments(node)[:2])
        return function_arguments(node)[0] if one is not None and type(one) is type(two) and one != two else None
    if not isinstance(node, exp.Case):
        return None
    for branch in node.args["ifs"]:
        taken = _taken(typer, node.this, branch.this)
        if taken is not False:
            return branch.args["true"] if taken else None
    return node.args.get("default")


def _taken(typer: "Typer", subject: Any, condition: Any) -> bool | None:
    """Whether a branch of CASE is always taken, or never."""
    if subject is None:
        return False if is_never(typer, condition) else truth(typer, condition)
    one, two = literal(subject), literal(condition)
    return one == two if one is not None and type(one) is type(two) else None
