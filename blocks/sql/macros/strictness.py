"""Whether an expression is NULL as soon as an argument is: then a call needs no test for NULL around it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Call

_UNION = (exp.Binary, exp.Cast, exp.Neg, exp.Not, exp.Paren, exp.Extract, exp.Trim)
# Binary in sqlglot, but NULL is not simply passed on.
_NOT_SIMPLE = (exp.Is, exp.And, exp.Or, exp.Xor, exp.NullSafeEQ, exp.NullSafeNEQ, exp.TryCast, exp.Dot, exp.Escape)

Names = frozenset[str]


def strict_arguments(expression: exp.Expr, arguments: Iterable[str], calls: Mapping[int, Call]) -> Names:
    """The arguments of which a NULL makes the expression NULL; none is named wrongly, but some may be missed.

    Args:
      expression: columns of it are the arguments.
      arguments: names of all.
      calls: what each function node means, by its id.
    """
    return _Strictness(frozenset(arguments), calls).of(expression)


class _Strictness:
    def __init__(self, every: Names, calls: Mapping[int, Call]) -> None:
        self._every, self._calls = every, calls
        self._kinds: tuple[tuple[type, Callable[[Any], Names]], ...] = (
            (exp.Column, lambda node: frozenset({node.name}) & every),
            # An expression that is NULL whatever comes is strict in everything.
            (exp.Null, lambda _: every),
            (exp.Case, self._case),
            (exp.Connector, lambda node: self._all([node.left, node.right])),
            (exp.Between, lambda node: self.of(node.this)),
            (exp.In, lambda node: self.of(node.this)),
        )

    def of(self, node: exp.Expr) -> Names:
        for kind, rule in self._kinds:
            if isinstance(node, kind):
                return rule(node)
        if isinstance(node, exp.Anonymous):
            # These two are strict in another way than `nulls` of a function can say.
            match node.name.upper():
                case "COALESCE" | "IFNULL" | "NVL":
                    return self._all(node.expressions)
                case "NULLIF":
                    return self.of(node.expressions[0])
        call = self._calls.get(id(node))
        if call is not None:
            return self._any(call.arguments) if call.function.nulls == "null" else frozenset()
        if isinstance(node, _UNION) and not isinstance(node, _NOT_SIMPLE):
            return self._any(child for child in node.iter_expressions() if not isinstance(child, exp.DataType))
        return frozenset()

    def _any(self, nodes: Iterable[exp.Expr]) -> Names:
        return frozenset().union(*map(self.of, nodes))

    def _all(self, nodes: Iterable[exp.Expr]) -> Names:
        return self._every.intersection(*map(self.of, nodes))

    def _case(self, node: exp.Case) -> Names:
        branches = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        always = self._all([*branches, *([default] if default is not None else [])])
        if node.this is not None:
            # NULL is equal to none of the values.
            return always | (self.of(node.this) & (self._every if default is None else self.of(default)))
        first = node.args["ifs"][0]
        if isinstance(first.args["true"], exp.Null):
            # `CASE WHEN a IS NULL OR b IS NULL THEN NULL ...`
            return always | self._tested(first.this)
        return always

    def _tested(self, condition: exp.Expr) -> Names:
        match condition:
            case exp.Paren():
                return self._tested(condition.this)
            case exp.Or():
                return self._tested(condition.left) | self._tested(condition.right)
            case exp.Is() if isinstance(condition.expression, exp.Null):
                return self.of(condition.this)
        return frozenset()
