"""Calls of the library's own functions, written in Java, Scala and SQL, over columns mostly of the right kind.

Beam's planner knows them with their jar only, so they are for looking at what `check_sql` does with any query, in which
rewriting, inlining, lineage and lowering run.
"""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from blocks.sql.functions.model import Function
from blocks.testing.agreement.pieces import Piece, of

_KINDS = {
    "TINYINT": "whole",
    "SMALLINT": "whole",
    "INTEGER": "whole",
    "BIGINT": "whole",
    "DECIMAL": "decimal",
    "FLOAT": "double",
    "DOUBLE": "double",
    "VARCHAR": "text",
    "CHAR": "text",
    "BOOLEAN": "truth",
    "TIMESTAMP": "moment",
    "DATE": "date",
    "TIME": "time",
}
_LITERALS = ("1", "0.5", "'main'", "'day'", "NULL", "TRUE")
# Of a kind and a depth, an expression.
Make = Callable[[str, int], Piece]


@lru_cache(maxsize=16)
def _functions(kind: str, gives: str) -> tuple[tuple[str, Function], ...]:
    """Names, some with a version and some without, and the functions."""
    from blocks.sql.functions.registry import library

    known = library()
    named = [(name, known.find(name)) for name in known.names()]
    named += [(one.name, one) for one in known.functions()]
    own = [(name, one) for name, one in named if one is not None and one.origin != "beam" and one.kind == kind]
    return tuple((name, one) for name, one in own if not gives or any(_gives(one, gives)))


def _gives(function: Function, kind: str) -> list[bool]:
    return [_KINDS.get(one.returns.name) == kind for one in function.overloads]


def library_call(
    numbers: random.Random, kind: Literal["scalar", "aggregate"], make: Make, gives: str = ""
) -> Piece | None:
    """A call of a function of the library.

    Args:
      numbers: where choices come from.
      kind: of the function.
      make: an argument of a kind.
      gives: kind of its result; any unless given.

    Returns:
      The call; None where no function gives that kind.
    """
    known = _functions(kind, gives)
    if not known:
        return None
    name, function = numbers.choice(known)
    overload = numbers.choice(function.overloads)
    given = [one for one in overload.arguments if not one.optional or numbers.random() < 0.5]
    arguments: list[Piece] = []
    for place, argument in enumerate(given):
        # Options are literals, and stand behind.
        if place and numbers.random() < 0.4:
            arguments.append(of(numbers.choice(_LITERALS)))
        else:
            arguments.append(make(_KINDS.get(argument.type.name, "text"), 1))
    return of(name, "(", Piece(tuple(arguments), ", "), ")")


def with_clause(numbers: random.Random, call: Piece, make: Make) -> Piece:
    """An aggregate, with FILTER or OVER behind it at times."""
    drawn = numbers.random()
    if drawn < 0.25:
        return of(call, " FILTER (WHERE ", make("truth", 1), ")")
    return of(call, " OVER (PARTITION BY ", make("text", 0), ")") if drawn < 0.3 else call
