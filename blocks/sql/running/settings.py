"""The options of a query, as far as they are right by themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from blocks.core.errors import Problem, nearest
from blocks.sql.dialects import DIALECTS, read_other
from blocks.sql.parsing import parse
from blocks.sql.running.archives import Archive
from blocks.sql.running.parameters import Value, bind, bound, marked

# Seconds that one call of a function may take.
DEADLINE = 30.0
_KNOWN = {
    "dialect": ("beam", *DIALECTS),
    "engine": ("auto", "beam", "duckdb"),
    "timestamps": ("exact", "milliseconds"),
}


@dataclass(frozen=True)
class Settings:
    """The options of a query. Attributes as the arguments of `RunSql`; `source` is what messages call the query."""

    query: str
    dialect: str = "beam"
    strict: bool = False
    engine: Literal["auto", "beam", "duckdb"] = "auto"
    parameters: Mapping[str, Value] = field(default_factory=dict)
    timestamps: Literal["exact", "milliseconds"] = "exact"
    deadline: float = DEADLINE
    archives: tuple[Archive, ...] = ()
    source: str = "query"

    def check_syntax(self) -> None:
        """Reads the query, and looks whether every parameter has a value.

        Raises:
          SqlCheckError: what is wrong with it that can be told without the schemas of its inputs.
        """
        read_query(self.query, self.dialect, self.source, self.strict, self.parameters)


def unknown_options(prefix: str = "", **values: str) -> Iterator[Problem]:
    """A problem for each option that has to be one of a few words and is another.

    Args:
      prefix: of the options' names in messages, `--` for a command.
      values: of `dialect`, `engine`, `timestamps`.
    """
    for option, value in values.items():
        if value not in _KNOWN[option]:
            fix = nearest(str(value), _KNOWN[option])
            yield Problem(f"no {option} `{value}`", f"{prefix}{option}", fix)


def read_query(text: str, dialect: str, source: str, strict: bool, parameters: Mapping[str, Value]) -> Any:
    """A query with its parameters bound: `Parsed` for the dialect `beam`, else sqlglot's tree.

    Raises:
      SqlCheckError: it cannot be read, or a parameter is missing.
    """
    shown = marked(text, dialect)
    if dialect == "beam":
        return bound(parse(shown, dialect, source, strict), text, parameters)
    return bind(read_other(shown, dialect, source), parameters, text, dialect, source)
