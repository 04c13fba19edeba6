"""Functions that take labels away: when they do, and what is left."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlglot import exp

from blocks.core.errors import SchemaError
from blocks.core.labels import PUBLIC, Leaf, Masked
from blocks.core.policy import method_of
from blocks.sql.analysis import Analysis, Call
from blocks.sql.dialect import function_name
from blocks.sql.functions.model import Declassifies
from blocks.sql.lineage.clauses import conjuncts
from blocks.sql.lineage.given import is_given

_NO_LITERAL = object()


def hidden_arguments(
    analysis: Analysis, call: Call, rule: Declassifies
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(hidden arguments, other arguments) by name, of a call that takes labels away; None of one that does not.

    Args:
      analysis: of the query.
      call: of a function with such a rule.
      rule: of the function.
    """
    if call.overload is None:
        return None
    given = _by_name(call)
    if any(name in given for name in rule.absent):
        return None
    literals = {name: _literal(given[name]) for name in (*rule.bounds, *rule.literal) if name in given}
    if any(value is _NO_LITERAL for value in literals.values()):
        return None
    if not all(_within(literals[name], bounds) for name, bounds in rule.bounds.items() if name in given):
        return None
    hidden = {name: one for name, one in given.items() if (name in rule.of if rule.of else name not in literals)}
    # A count tells nothing of what a CAST cuts off; a mask of the first digit is that digit.
    if not all(is_given(analysis, one, cuts=not rule.gives) for one in hidden.values()):
        return None
    return hidden, {name: one for name, one in given.items() if name not in hidden}


def _within(value: Any, bounds: tuple[int | None, int | None]) -> bool:
    least, most = bounds
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and (least is None or value >= least) and (most is None or value <= most)


def large_groups(node: Any, least: int | None) -> bool:
    """Whether HAVING holds every group to the least size that a policy asks for.

    Args:
      node: of an aggregate.
      least: rows of a group; None if the policy does not ask.
    """
    if least is None:
        return True
    # HAVING counts the rows of the group, and not those that FILTER or OVER choose of it.
    if isinstance(node.parent, exp.Filter | exp.Window):
        return False
    select = node.find_ancestor(exp.Select)
    having = select.args.get("having") if select is not None else None
    return having is not None and any(_at_least(one) >= least for one in conjuncts(having.this))


def _at_least(node: Any) -> int:
    """N of `COUNT(*) >= n` or `COUNT(*) > n - 1`, written in either direction; -1 of anything else."""
    if isinstance(node, exp.LTE | exp.LT):
        strict, counted, number = isinstance(node, exp.LT), node.expression, node.this
    elif isinstance(node, exp.GTE | exp.GT):
        strict, counted, number = isinstance(node, exp.GT), node.this, node.expression
    else:
        return -1
    value = _literal(number)
    counts = function_name(counted).upper() == "COUNT" and all(isinstance(one, exp.Star) for one in counted.expressions)
    return value + strict if counts and isinstance(value, int) else -1


def _by_name(call: Call) -> dict[str, Any]:
    assert call.overload is not None
    names = [argument.name for argument in call.overload.arguments]
    return {
        names[place] if place < len(names) else f"{names[-1] if names else ''}{place}": node
        for place, node in enumerate(call.arguments)
        if not isinstance(node, exp.Star)
    }


def _literal(node: Any) -> Any:
    """The value of a literal; `_NO_LITERAL` for everything else."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Literal):
        if node.is_string:
            return node.name
        return int(node.name) if node.name.isdigit() else _NO_LITERAL
    if isinstance(node, exp.Neg):
        value = _literal(node.this)
        return -value if isinstance(value, int) else _NO_LITERAL
    # A typed NULL, and a literal with its type.
    return _literal(node.this) if isinstance(node, exp.Cast) and isinstance(node.this, exp.Null) else _NO_LITERAL


def marked(leaf: Leaf, rule: Declassifies, others: dict[str, Any], domain: str) -> Leaf | None:
    """The leaf as masked by the method of a policy that the function is equal to; None where no policy could ask so."""
    if not leaf.labels - {PUBLIC}:
        return leaf
    if leaf.masked is not None:
        return None
    options: dict[str, Any] = {
        rule.options[name]: _literal(one) for name, one in others.items() if name in rule.options
    }
    key = options.pop("key", "")
    if "domain" in rule.options.values():
        options.setdefault("domain", domain)
    try:
        method = method_of(Masked(rule.gives, str(key or ""), options))
    except SchemaError:
        return None
    return replace(leaf, masked=method.masked(leaf.field.type, min(leaf.labels)))


def domain_of(leaves: Iterable[Leaf]) -> str:
    """The domain of an HMAC that does not name one: the label that all of its value has, as masks take it; or none."""
    found = {min(leaf.labels - {PUBLIC}, default="") for leaf in leaves}
    return found.pop() if len(found) == 1 else ""
