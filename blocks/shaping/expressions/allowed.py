"""The allow-list of syntax: every node that an expression may have, and what each may hold.

A node that is not in `_PARTS`, and an argument of a node that is not named there, is refused. So whatever a later
version of the parser learns to read is refused too, until somebody writes down here what it means.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sqlglot import exp

from blocks.core.errors import Problem, nearest
from blocks.shaping.expressions.functions import FUNCTIONS, INTERVALS, LONGEST_TEXT, UNITS, refusal

MAX_DIGITS = 38

_BINARY = ("this", "expression")
# Node to the arguments that it may have; flags of sqlglot's that change nothing here are in `_FLAGS`.
_PARTS: dict[type[exp.Expression], tuple[str, ...]] = {
    exp.Column: ("this", "table", "db", "catalog"),
    exp.Dot: _BINARY,
    exp.Identifier: ("this", "quoted"),
    exp.Bracket: ("this", "expressions"),
    exp.Literal: ("this", "is_string"),
    exp.Boolean: ("this",),
    exp.Null: (),
    exp.Paren: ("this",),
    exp.Neg: ("this",),
    exp.Not: ("this",),
    exp.Is: _BINARY,
    exp.In: ("this", "expressions"),
    exp.Between: ("this", "low", "high"),
    exp.Like: (*_BINARY, "negate"),
    exp.ILike: (*_BINARY, "negate"),
    exp.Escape: _BINARY,
    exp.Case: ("this", "ifs", "default"),
    exp.If: ("this", "true"),
    exp.Cast: ("this", "to"),
    exp.TryCast: ("this", "to"),
    exp.DataType: ("this", "expressions"),
    exp.DataTypeParam: ("this",),
    exp.Extract: _BINARY,
    exp.Interval: ("this", "unit"),
    exp.Var: ("this",),
    exp.Anonymous: ("this", "expressions"),
    **dict.fromkeys((exp.And, exp.Or, exp.NullSafeEQ, exp.NullSafeNEQ), _BINARY),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _BINARY),
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe), _BINARY),
}
_FLAGS = {exp.Div: ("typed", "safe"), exp.DPipe: ("safe",), exp.TryCast: ("safe",), exp.DataType: ("nested", "kind")}
CAST_TYPES = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INT": "INTEGER",
    "BIGINT": "BIGINT",
    "UTINYINT": "UTINYINT",
    "USMALLINT": "USMALLINT",
    "UINT": "UINTEGER",
    "UBIGINT": "UBIGINT",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "DECIMAL": "DECIMAL",
    "TEXT": "VARCHAR",
    "VARCHAR": "VARCHAR",
    "VARBINARY": "BLOB",
    "BLOB": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMPNTZ": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMPTZ",
}
_NUMBER = re.compile(r"(\d+)(\.\d*)?([eE][+-]?\d+)?")
_KINDS = {
    exp.Subquery: "a subquery",
    exp.Select: "a subquery",
    exp.Exists: "a subquery",
    exp.Window: "a window (OVER)",
    exp.Lambda: "a lambda",
    exp.JSONExtract: "the operator ->",
    exp.JSONExtractScalar: "the operator ->>",
    exp.Placeholder: "a parameter",
    exp.Parameter: "a parameter",
    exp.Star: "`*`",
    exp.Tuple: "a list in parentheses",
    exp.Alias: "a second name",
    exp.AtTimeZone: "AT TIME ZONE (all times are UTC)",
    exp.Pow: "the power operator (its last digit depends on the processor)",
    exp.Collate: "COLLATE (text is compared byte by byte)",
}


def node_problems(node: Any, place: str) -> Iterable[Problem]:
    """What is wrong with a node, not looking at what is below it.

    Args:
      node: of sqlglot's tree.
      place: option, line and column, for `Problem.where`.
    """
    kind = type(node)
    allowed = _PARTS.get(kind)
    if allowed is None:
        what = _KINDS.get(kind) or f"the form {kind.__name__}"
        return [
            Problem(
                f"{what} cannot be used",
                place,
                "use columns, literals, operators, CASE, CAST and functions: docs/expressions.md",
            )
        ]
    extra = [name for name, value in node.args.items() if value and name not in allowed + _FLAGS.get(kind, ())]
    if extra:
        what = f"a form of {kind.__name__} that cannot be used ({', '.join(sorted(extra))})"
        return [Problem(what, place, "write it in a simpler way")]
    check = _CHECKS.get(kind)
    return check(node, place) if check else ()


def _literal(node: exp.Literal, place: str) -> Iterator[Problem]:
    if node.is_string:
        return
    match = _NUMBER.fullmatch(node.this)
    if match is None:
        yield Problem(f"`{node.this[:40]}` is no number", place, "write it as in 12, 1.5 or 1e3")
    elif sum(map(str.isdigit, node.this)) > MAX_DIGITS:
        yield Problem(f"a number of more than {MAX_DIGITS} digits", place, "write fewer digits")


def _function(node: exp.Anonymous, place: str) -> Iterator[Problem]:
    if not isinstance(node.this, str):
        yield Problem("a function in quotation marks", place, "write its name without them")
        return
    function = FUNCTIONS.get(node.this.lower())
    if function is None:
        what, fix = refusal(node.this)
        yield Problem(what, place, fix)
        return
    arguments = node.expressions
    if not function.least <= len(arguments) <= function.most:
        least, most = function.least, function.most
        takes = f"{least}" if least == most else f"{least} or more" if most > 9 else f"{least} to {most}"
        yield Problem(f"`{node.this}` takes {takes} arguments, not {len(arguments)}", place, "see docs/expressions.md")
        return
    for position in function.literal:
        if position < len(arguments) and not is_literal(arguments[position]):
            what = f"argument {position + 1} of `{node.this}` is not a literal"
            yield Problem(what, place, "write the value itself, so that a mistake in it is seen before a run")
    if function.unit is not None and (problem := _unit(arguments[function.unit], node.this, place)):
        yield problem
    if function.longest is not None and is_literal(arguments[function.longest]):
        length = arguments[function.longest].name
        if not length.isdigit() or int(length) > LONGEST_TEXT:
            what = f"`{node.this}` to a length that is not a whole number of at most {LONGEST_TEXT}"
            yield Problem(what, place, "use a shorter length")


def _unit(argument: Any, function: str, place: str) -> Problem | None:
    if isinstance(argument, exp.Literal) and argument.is_string and argument.this.lower() in UNITS:
        return None
    name = argument.this if isinstance(argument, exp.Literal) else ""
    return Problem(f"`{function}` needs a part of a time as text, as in 'day'", place, nearest(str(name), UNITS))


def _extract(node: exp.Extract, place: str) -> Iterator[Problem]:
    name = node.name.lower()
    if name not in UNITS:
        yield Problem(f"`{node.name}` is no part of a time", place, nearest(name, UNITS))


def _interval(node: exp.Interval, place: str) -> Iterator[Problem]:
    number, unit = node.this, node.args.get("unit")
    whole = isinstance(number, exp.Literal) and re.fullmatch(r"\d{1,9}", number.this)
    if not whole or unit is None or interval_unit(unit.name) not in INTERVALS:
        fix = "write INTERVAL 3 DAY; for a computed length to_days(n) and the like"
        yield Problem("an interval is a whole number and a unit", place, fix)


def interval_unit(name: str) -> str:
    """The unit of an interval in the singular and lower case."""
    return name.lower().removesuffix("s")


def _cast(node: exp.Cast, place: str) -> Iterator[Problem]:
    to = node.args["to"]
    kind = getattr(to.this, "value", str(to.this)) if isinstance(to, exp.DataType) else ""
    name = CAST_TYPES.get(kind)
    if name is None:
        types = list(dict.fromkeys(CAST_TYPES.values()))
        shown = str(to.args.get("kind") or kind or "that").lower()
        yield Problem(f"cannot cast to the type `{shown}`", place, nearest(shown.upper(), types))
        return
    digits = [param.name for param in to.expressions]
    if name == "DECIMAL":
        if len(digits) != 2 or not all(map(str.isdigit, digits)) or not int(digits[1]) <= int(digits[0]) <= MAX_DIGITS:
            yield Problem("a decimal without its digits", place, "write them, as in DECIMAL(18, 2); at most 38")
    elif digits:
        yield Problem(f"{name} takes no length", place, f"write {name}")


def _index(node: exp.Bracket, place: str) -> Iterator[Problem]:
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        yield Problem("expected one position or key in the brackets", place, "write items[1] or attributes['key']")


def _escape(node: exp.Escape, place: str) -> Iterator[Problem]:
    if not isinstance(node.this, exp.Like | exp.ILike) or not is_literal(node.expression):
        yield Problem("ESCAPE belongs to LIKE, with one character", place, "write a LIKE '10!%' ESCAPE '!'")


def _is(node: exp.Is, place: str) -> Iterator[Problem]:
    if not isinstance(node.expression, exp.Null | exp.Boolean):
        yield Problem("IS is followed by NULL, TRUE or FALSE", place, "compare with = or IS NOT DISTINCT FROM")


def _in(node: exp.In, place: str) -> Iterator[Problem]:
    if not node.expressions:
        yield Problem("IN needs values in parentheses", place, "write IN ('a', 'b'); for a list list_contains")


COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)


def _comparison(node: exp.Binary, place: str) -> Iterator[Problem]:
    if isinstance(node.this, COMPARISONS) or isinstance(node.expression, COMPARISONS):
        yield Problem("a comparison of a comparison", place, "join two of them with AND, or put one in parentheses")


def _column(node: exp.Column, place: str) -> Iterator[Problem]:
    if not all(isinstance(part, exp.Identifier) for part in node.parts):
        yield Problem("expected the name of a column or field", place, 'write "a name" in double quotation marks')


def _dot(node: exp.Dot, place: str) -> Iterator[Problem]:
    base = isinstance(node.this, exp.Column | exp.Dot | exp.Bracket | exp.Paren)
    if not base or not isinstance(node.expression, exp.Identifier):
        yield Problem("a function after a dot", place, "write function(argument)")


_CHECKS: dict[type[exp.Expression], Any] = {
    exp.Literal: _literal,
    exp.Anonymous: _function,
    exp.Extract: _extract,
    exp.Interval: _interval,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Bracket: _index,
    exp.Escape: _escape,
    exp.Is: _is,
    exp.In: _in,
    exp.Column: _column,
    exp.Dot: _dot,
    **dict.fromkeys(COMPARISONS, _comparison),
}


def is_literal(node: Any) -> bool:
    """Whether a node is a text or a number as it stands, with a sign or not."""
    return isinstance(node, exp.Literal) or (isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal))
