"""Values bound to `:name` in a query: typed literals in its tree, never text that is pasted into it.

Two steps, because the places of a query have to stay those that its user wrote: `marked` writes `ː` (U+02D0, a letter)
for the colon of each `:name`, so that every parser takes it for a column, and `bind` puts a literal in its place.
Neither changes how long the text is.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from blocks.core.errors import Problem, nearest
from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.tokens import tokenize
from blocks.sql.dialect.words import PARAMETER_MARK
from blocks.sql.parsing import Parsed
from blocks.sql.problems import Place, SqlCheckError, SqlProblem, problem
from blocks.sql.types import MAX_SCALE, MAX_WHOLE_DIGITS

Value = bool | int | float | Decimal | str | bytes | date | datetime | time | None

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def check_values(values: Mapping[str, Any] | None, problems: list[Problem]) -> dict[str, Value]:
    """The values that can be bound; the others are problems, which show no value.

    Args:
      values: by name.
      problems: grows.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        fix = "write parameters={'day': date(2026, 1, 31)}, and :day in the query"
        problems.append(Problem(f"expected a mapping, got a {type(values).__name__}", "parameters", fix))
        return {}
    found: dict[str, Value] = {}
    for name, value in values.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(Problem(f"`{name}` is not a name", "parameters", "use letters, digits and _"))
            continue
        why = _cannot(value)
        if why:
            problems.append(Problem(f"{why[0]}, which no SQL literal is", f"parameters.{name}", why[1]))
        else:
            found[name] = value
    return found


def _cannot(value: Any) -> tuple[str, str] | None:
    """Why a value has no literal, and what to do; None if it has one."""
    if isinstance(value, bool | None | bytes):
        return None
    if isinstance(value, str):
        return ("text with a NUL character", "leave it out") if "\0" in value else None
    if isinstance(value, int):
        fits = _LEAST <= value <= _MOST
        return None if fits else ("a whole number beyond 64 bits", "give a decimal.Decimal")
    if isinstance(value, float):
        return None if math.isfinite(value) else ("NaN or infinity", "give a finite number, or leave it out")
    if isinstance(value, Decimal):
        return _too_long(value)
    if isinstance(value, datetime):
        return None if value.tzinfo is not None else ("a time without a zone", "give it one: .replace(tzinfo=UTC)")
    if isinstance(value, time):
        return None if value.tzinfo is None else ("a time of day with a zone", "give a datetime")
    if isinstance(value, date):
        return None
    fix = "give text, a number, true or false, bytes, a date, a time, or None; of a list each value by itself"
    return f"a {type(value).__name__}", fix


def _too_long(value: Decimal) -> tuple[str, str] | None:
    if not value.is_finite():
        return "NaN or infinity", "give a finite number, or leave it out"
    _, digits, exponent = value.normalize().as_tuple()
    assert isinstance(exponent, int)
    if -exponent > MAX_SCALE or len(digits) + exponent > MAX_WHOLE_DIGITS:
        most = f"at most {MAX_WHOLE_DIGITS} digits before and {MAX_SCALE} after the point"
        return f"more than {most}", "round it"
    return None


def marked(text: str, dialect: str) -> str:
    """The query with the colon of every `:name` written as `ː`; as it is where it cannot be read.

    Args:
      text: the query.
      dialect: a sqlglot dialect.
    """
    if ":" not in text:
        return text
    signs = list(text)
    for position in _colons(text, _pieces(text, dialect)):
        signs[position] = PARAMETER_MARK
    return "".join(signs)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token: offsets of its first and last character, and whether something that follows may be a part of it."""

    start: int
    end: int
    operand: bool


_OPERANDS = {TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.R_BRACKET}
_SIGNS = re.compile(r"[^\w`'\]:]")


def _pieces(text: str, dialect: str) -> list[_Piece]:
    try:
        if dialect == "beam":
            found = tokenize(text)
            whole = zip(found.starts[:-1], found.ends[:-1], found.kinds[:-1], strict=True)
            return [_Piece(start, end, not _SIGNS.match(kind)) for start, end, kind in whole]
        tokens = sqlglot.tokenize(text, dialect=dialect)
        return [_Piece(token.start, token.end, token.token_type in _OPERANDS) for token in tokens]
    except (QueryFailure, SqlglotError):
        # The parser says what is wrong with it.
        return []


def _colons(text: str, pieces: list[_Piece]) -> Iterator[int]:
    """Where the colons of parameters are: before a name, and not within a slice, a cast or a path into JSON."""
    for number, piece in enumerate(pieces[:-1]):
        if text[piece.start : piece.end + 1] != ":":
            continue
        name, before = pieces[number + 1], pieces[number - 1] if number else None
        named = name.start == piece.end + 1 and _NAME.fullmatch(text[name.start : name.end + 1])
        part = before is not None and before.operand and before.end + 1 == piece.start
        if named and not part:
            yield piece.start


def bind(tree: exp.Expr, values: Mapping[str, Value], text: str, dialect: str, source: str) -> exp.Expr:
    """The tree with a literal for each parameter.

    Args:
      tree: of a query that was `marked`; it is changed.
      values: by name.
      text: of the query, as it was written.
      dialect: in which.
      source: what the query is called in messages.

    Raises:
      SqlCheckError: every parameter without a value, every value without a parameter, and every parameter that stands
        where no value can.
    """
    found = list(_marks(tree))
    problems = list(_wrong(found, values, text, source))
    if problems:
        raise SqlCheckError(f"{len(problems)} problems", where=source, problems=problems)
    for identifier, name in found:
        column = identifier.parent
        assert isinstance(column, exp.Column)
        literal = literal_of(values[name], dialect)
        for node in literal.walk():
            node.meta.update(identifier.meta)
        if column is tree:
            return literal
        column.replace(literal)
    return tree


def bound(parsed: Parsed, text: str, values: Mapping[str, Value]) -> Parsed:
    """A query of Beam SQL that was `marked` before it was read, with its own text and a literal for each parameter.

    Args:
      parsed: the query.
      text: as it was written.
      values: by name.

    Raises:
      SqlCheckError: as of `bind`.
    """
    return replace(parsed, text=text, tree=bind(parsed.tree, values, text, parsed.dialect, parsed.source))


def _marks(tree: exp.Expr) -> Iterator[tuple[exp.Identifier, str]]:
    for node in tree.walk():
        if isinstance(node, exp.Identifier) and node.name.startswith(PARAMETER_MARK):
            yield node, node.name[len(PARAMETER_MARK) :]


def _wrong(
    found: Iterable[tuple[exp.Identifier, str]], values: Mapping[str, Value], text: str, source: str
) -> Iterator[SqlProblem]:
    used = set()
    for identifier, name in found:
        used.add(name)
        place = _place(identifier, text, name)
        column = identifier.parent
        alone = isinstance(column, exp.Column) and len(column.parts) == 1
        counts = isinstance(column.parent, exp.Limit | exp.Offset) if column is not None else False
        if counts and name in values and not _is_count(values[name]):
            fix = "give a whole number that is not negative"
            yield problem(text, place, "wrong_type", f"`:{name}` is no number of rows", fix, source=source)
        elif not alone:
            fix = "a parameter is a value: write names of tables and columns into the query"
            yield problem(text, place, "syntax", f"`:{name}` stands where no value can", fix, source=source)
        elif name not in values:
            fix = nearest(name, values) if values else f"give RunSql parameters={{'{name}': ...}}"
            yield problem(text, place, "unknown_parameter", f"no parameter `{name}`", fix, source=source)
    for name in values:
        if name not in used:
            fix = f"write :{name} where it belongs, without quotes around it, or leave it out of `parameters`"
            yield problem(text, Place(1, 1), "unknown_parameter", f"the query has no `:{name}`", fix, source=source)


def _is_count(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _place(identifier: exp.Identifier, text: str, name: str) -> Place:
    start = identifier.meta.get("start")
    if start is None:
        start = max(text.find(f":{name}"), 0)
    line = text.count("\n", 0, start) + 1
    return Place(line, start - text.rfind("\n", 0, start), len(name) + 1)


def literal_of(value: Value, dialect: str) -> exp.Expr:
    """The literal of a value, as the dialect's own parser makes it; text is quoted when it is written.

    Args:
      value: that `check_values` let pass.
      dialect: a sqlglot dialect.
    """
    for kind, make in _LITERALS:
        if isinstance(value, kind):
            return make(value, dialect)
    return exp.null()


def _number(value: Any, dialect: str) -> exp.Expr:
    literal = exp.Literal.number(f"{abs(value):f}" if isinstance(value, Decimal) else str(abs(value)))
    return exp.Neg(this=literal) if value < 0 else literal


def _double(value: float, dialect: str) -> exp.Expr:
    # Without an exponent it would be a DECIMAL, of other digits.
    digits = repr(abs(value))
    double = exp.cast(exp.Literal.number(digits if "e" in digits else f"{digits}e0"), exp.DataType.Type.DOUBLE)
    return exp.Neg(this=double) if math.copysign(1, value) < 0 else double


def _timestamp(value: datetime, dialect: str) -> exp.Expr:
    return _typed("TIMESTAMP", value.astimezone(UTC).replace(tzinfo=None).isoformat(" "), dialect)


def _typed(kind: str, text: str, dialect: str) -> exp.Expr:
    # Digits and signs of an ISO time, which Python wrote.
    select = sqlglot.parse_one(f"SELECT {kind} '{text}'", read=dialect)
    literal: exp.Expr = select.args["expressions"][0]
    return literal


# In order: a bool is an int, and a datetime a date.
_LITERALS: tuple[tuple[type, Callable[[Any, str], exp.Expr]], ...] = (
    (bool, lambda value, _: exp.Boolean(this=value)),
    (int, _number),
    (float, _double),
    (Decimal, _number),
    (str, lambda value, _: exp.Literal.string(value)),
    (bytes, lambda value, _: exp.HexString(this=value.hex().upper())),
    (datetime, _timestamp),
    (date, lambda value, dialect: _typed("DATE", value.isoformat(), dialect)),
    (time, lambda value, dialect: _typed("TIME", value.isoformat(), dialect)),
)
