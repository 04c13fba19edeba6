"""What is wrong with a query: every problem with its place, an underline and what to write instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from blocks.core.errors import ConfigError, PrivacyError, Problem


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a query.

    Attributes:
      line: of its first character, from 1.
      column: of its first character, from 1, in characters.
      length: in characters, at least 1, on this line.
    """

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class SqlProblem(Problem):
    """One thing that is wrong with a query. `str()` shows the line and underlines the place.

    Attributes:
      code: of `blocks.sql.codes.CODES`.
      place: in the query.
      source: name of the file, or `query`.
      shown: the line of the query.
      severity: a warning does not stop a pipeline.
    """

    code: str = ""
    place: Place = Place(1, 1)
    source: str = "query"
    shown: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def line(self) -> int:
        """From 1."""
        return self.place.line

    @property
    def column(self) -> int:
        """From 1, in characters."""
        return self.place.column

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.what

    @property
    def hint(self) -> str:
        """What to write instead."""
        return self.fix

    def __str__(self) -> str:
        kind = "warning: " if self.severity == "warning" else ""
        place = f"{self.source}:{self.line}:{self.column}"
        # Beside the place in the query there may be one that data goes to.
        to = f" ({self.where})" if self.where not in ("", place) else ""
        head = f"{place}: {kind}{self.what}{to}"
        line, column = _window(self.shown, self.column)
        # Tabs stay tabs, so that the underline stands where a terminal shows the place.
        lead = "".join("\t" if sign == "\t" else " " for sign in line[: column - 1])
        length = max(1, min(self.place.length, len(line) - column + 1))
        fix = " " + self.fix.replace("\n", "\n     ") if self.fix else ""
        return f"{head}\n  |  {line}\n     {lead}{'^' * length}{fix}"


_WIDEST, _BEFORE = 120, 60


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a long line around a column, and where the column is in it."""
    if len(line) <= _WIDEST:
        return line, column
    start = max(0, min(column - 1 - _BEFORE, len(line) - _WIDEST))
    cut = line[start : start + _WIDEST]
    return ("…" if start else "") + cut, column - start + (1 if start else 0)


class SqlCheckError(ConfigError):
    """A query that cannot run: every problem with line, column and what to write instead.

    To do: mend the query at the places that the message underlines; `blocks check-sql FILE` lists all of them.
    """

    problems: tuple[SqlProblem, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, (*_headline(self), *self.problems)))


class SqlPrivacyError(SqlCheckError, PrivacyError):
    """A query that would put labelled columns where the policy does not let them go; what else is wrong is told too.

    To do: mask the columns before the query, or name them in the policy, at the destination that the message names.
    """


def _headline(error: SqlCheckError) -> Sequence[str]:
    return (error.what,) if error.what and len(error.problems) > 1 else ()


def problem(text: str, place: Place, code: str, what: str, fix: str = "", **more: Any) -> SqlProblem:
    """A problem at a place of a query, with the line it stands in."""
    source = more.pop("source", "query")
    lines = text.splitlines() or [""]
    shown = lines[min(place.line, len(lines)) - 1]
    where = f"{source}:{place.line}:{place.column}"
    return SqlProblem(what, where, fix, code, place, source, shown, **more)
