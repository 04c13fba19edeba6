"""A function that a query may call: its overloads, what it does to NULL and to labels, and its forms on each engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from blocks.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a function.

    Attributes:
      name: as the documents call it.
      type: SQL type; `ANY` where the function takes every type.
      optional: whether it may be left out (only at the end).
    """

    name: str
    type: SqlType
    optional: bool = False


@dataclass(frozen=True, slots=True)
class DuckdbForm:
    """What an overload is in DuckDB: equal for every value within its bounds.

    Attributes:
      sql: over `{name}` of each argument; other braces stand for themselves.
      literal: argument to (least, most) of a whole number; the form counts only where such a literal stands.
    """

    sql: str
    literal: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)

    def over(self, arguments: Mapping[str, str]) -> str:
        """The form over these expressions."""
        return re.sub(r"\{(\w+)\}", lambda found: arguments.get(found[1], found[0]), self.sql)


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function.

    Attributes:
      arguments: in order.
      returns: type of the result; its nullability is worked out from `Function.nulls`.
      variadic: whether the last argument may be repeated.
      result: gives the type from those of the arguments, where `returns` cannot say it.
      duckdb: an equal form in DuckDB's SQL; None where there is none.
    """

    arguments: tuple[Argument, ...]
    returns: SqlType
    variadic: bool = False
    result: Callable[[Sequence[SqlType]], SqlType] | None = field(default=None, compare=False)
    duckdb: DuckdbForm | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Declassifies:
    """That a function's result does not have the labels of its arguments, and when.

    Attributes:
      bounds: argument name to (least, most) of a whole number; such an argument has to be a literal within them.
      literal: further arguments that have to be literals.
      absent: arguments that must not be given.
      of: arguments whose labels the result loses; all if empty.
      gives: method of a policy that the function equals (`mask_left`): the result keeps its labels and is marked as
        masked in this way, so that a policy decides; empty where the result is `public`.
      options: argument name to the name of the method's option that it gives (`{count: n}`), `key` among them.
      group: for aggregates, whether the policy's least group size is asked for.
    """

    bounds: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    literal: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    gives: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    group: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function of Beam SQL, of the library, or of a user's archive.

    Attributes:
      name: lower case for the library's; Beam's own are found in any case.
      kind: of one row, of many rows, or of a window (TUMBLE and its kin, which the dialect knows).
      origin: where it comes from.
      overloads: ways to call it.
      version: major version; 0 for Beam's own.
      nulls: `null` (any NULL argument gives NULL), `call` (it decides), `skip` (an aggregate leaves them out), `never`
        (the result is never NULL).
      deterministic: whether equal arguments give equal results.
      description: one sentence.
      declassifies: None where the result keeps every label of its arguments.
      expression: of a function in SQL, over its arguments' names; empty for others.
      jar: SHA-256 of the archive of a user's function.
      examples: (call, result) as SQL text.
    """

    name: str
    kind: Literal["scalar", "aggregate", "window"]
    origin: Literal["beam", "java", "scala", "sql", "jar"]
    overloads: tuple[Overload, ...]
    version: int = 0
    nulls: Literal["null", "call", "skip", "never"] = "null"
    deterministic: bool = True
    description: str = ""
    declassifies: Declassifies | None = None
    expression: str = ""
    jar: str = ""
    examples: tuple[tuple[str, str], ...] = ()
