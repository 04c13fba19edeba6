"""Writes a checked tree as SQL of the engine: every node in its own parentheses, columns under names of ours."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlglot import exp

from blocks.shaping.expressions.allowed import CAST_TYPES, interval_unit
from blocks.shaping.expressions.columns import Chain, operands
from blocks.shaping.expressions.functions import FUNCTIONS, Nulls

Chains = Mapping[int, Chain]

_OPERATORS: dict[type[exp.Expression], str] = {
    exp.And: "AND",
    exp.Or: "OR",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
    exp.DPipe: "||",
    exp.Is: "IS",
}


def to_sql(node: Any, chains: Chains) -> str:
    """The SQL of a tree that `read_syntax` let through.

    Args:
      node: the tree, or a part of it.
      chains: from `find_columns`.
    """
    chain = chains.get(id(node))
    if chain is not None:
        return _chain(chain.read.name, chain.steps, chains)
    operator = _OPERATORS.get(type(node))
    if operator is not None:
        return f"({to_sql(node.this, chains)} {operator} {to_sql(node.expression, chains)})"
    return _FORMS[type(node)](node, chains)


def text_literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _chain(sql: str, steps: Iterable[Any], chains: Chains) -> str:
    for step in steps:
        if isinstance(step, exp.Identifier):
            sql = f"struct_extract({sql}, {text_literal(step.name)})"
        else:
            sql = f"({sql})[{to_sql(step, chains)}]"
    return sql


def _each(nodes: Iterable[Any], chains: Chains) -> str:
    return ", ".join(to_sql(node, chains) for node in nodes)


def _like(node: Any, chains: Chains, escape: str = "") -> str:
    word = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
    negated = "NOT " if node.args.get("negate") else ""
    return f"({to_sql(node.this, chains)} {negated}{word} {to_sql(node.expression, chains)}{escape})"


def _escape(node: exp.Escape, chains: Chains) -> str:
    return _like(node.this, chains, f" ESCAPE {to_sql(node.expression, chains)}")


def _case(node: exp.Case, chains: Chains) -> str:
    parts = ["CASE"]
    if node.this is not None:
        parts.append(to_sql(node.this, chains))
    parts.extend(
        f"WHEN {to_sql(branch.this, chains)} THEN {to_sql(branch.args['true'], chains)}" for branch in node.args["ifs"]
    )
    if node.args.get("default") is not None:
        parts.append(f"ELSE {to_sql(node.args['default'], chains)}")
    return "(" + " ".join([*parts, "END"]) + ")"


def _cast(node: exp.Cast, chains: Chains) -> str:
    to = node.args["to"]
    digits = ", ".join(param.name for param in to.expressions)
    kind = CAST_TYPES[to.this.value] + (f"({digits})" if digits else "")
    word = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
    return f"{word}({to_sql(node.this, chains)} AS {kind})"


def _not(node: exp.Not, chains: Chains) -> str:
    below = node.this
    if isinstance(below, exp.Is):
        return f"({to_sql(below.this, chains)} IS NOT {to_sql(below.expression, chains)})"
    return f"(NOT {to_sql(below, chains)})"


def _between(node: exp.Between, chains: Chains) -> str:
    value, low, high = (to_sql(node.args[name], chains) for name in ("this", "low", "high"))
    return f"({value} BETWEEN {low} AND {high})"


def _interval(node: exp.Interval, _: Chains) -> str:
    return f"INTERVAL '{int(node.this.this)} {interval_unit(node.args['unit'].name)}'"


_FORMS: dict[type[exp.Expression], Callable[[Any, Chains], str]] = {
    exp.Literal: lambda node, _: text_literal(node.this) if node.is_string else node.this,
    exp.Boolean: lambda node, _: "TRUE" if node.this else "FALSE",
    exp.Null: lambda _, __: "NULL",
    exp.Paren: lambda node, chains: to_sql(node.this, chains),
    exp.Neg: lambda node, chains: f"(- {to_sql(node.this, chains)})",
    exp.Not: _not,
    exp.In: lambda node, chains: f"({to_sql(node.this, chains)} IN ({_each(node.expressions, chains)}))",
    exp.Dot: lambda node, chains: _chain(to_sql(node.this, chains), [node.expression], chains),
    exp.Bracket: lambda node, chains: _chain(to_sql(node.this, chains), node.expressions, chains),
    exp.Extract: lambda node, chains: f"date_part('{node.name.lower()}', {to_sql(node.expression, chains)})",
    exp.Anonymous: lambda node, chains: f"{node.this.lower()}({_each(node.expressions, chains)})",
    exp.Between: _between,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _escape,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Interval: _interval,
}

# What gives NULL only where an operand is NULL. Not `//` and `%`: what they do with 0 is the engine's setting.
_STRICT = (
    *(exp.And, exp.Or, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like, exp.ILike),
    *(exp.Escape, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.DPipe, exp.Neg, exp.Not, exp.Paren, exp.Literal, exp.Boolean),
    *(exp.Interval, exp.Cast),
)


def can_be_null(node: Any, chains: Chains) -> bool:
    """Whether an expression can give NULL, as far as the tree and the schema tell; in doubt yes."""
    chain = chains.get(id(node))
    if chain is not None:
        return bool(chain.steps or chain.read.field.nullable)
    if isinstance(node, exp.Is | exp.NullSafeEQ | exp.NullSafeNEQ):
        return False
    if isinstance(node, exp.TryCast):
        return True
    if isinstance(node, exp.Case):
        results = [branch.args["true"] for branch in node.args["ifs"]]
        otherwise = node.args.get("default")
        return otherwise is None or any(can_be_null(result, chains) for result in (*results, otherwise))
    if isinstance(node, exp.Anonymous):
        return _call_can_be_null(node, chains)
    if isinstance(node, _STRICT):
        return any(can_be_null(child, chains) for child in operands(node))
    return True


def _call_can_be_null(node: exp.Anonymous, chains: Chains) -> bool:
    arguments = [can_be_null(argument, chains) for argument in node.expressions]
    match FUNCTIONS[node.this.lower()].nulls:
        case Nulls.NEVER:
            return False
        case Nulls.ANY:
            return any(arguments)
        case Nulls.ALL:
            return all(arguments)
        case Nulls.PERHAPS:
            return True
