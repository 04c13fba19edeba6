"""`blocks check-sql`: every mistake of a query with its place, in milliseconds; or what it gives and where it runs."""

import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer
import yaml

from blocks.commands.failing import MISTAKE
from blocks.core.errors import ConfigError, Problem, all_problems, nearest
from blocks.core.labels import labels_of
from blocks.core.schema import schema_of_option
from blocks.sql.checked import CheckedSql
from blocks.sql.checking import check_sql
from blocks.sql.dialects import DIALECTS
from blocks.sql.functions.registry import Registry, library
from blocks.sql.problems import SqlCheckError, SqlProblem
from blocks.sql.running.parameters import check_values

ALONE = "PCOLLECTION"
_FORMATS = ("text", "json")


def check_queries(
    files: Sequence[str],
    schemas: Sequence[str],
    values: Sequence[str],
    functions: Sequence[str],
    dialect: str,
    strict: bool,
    form: str,
    show_sql: bool,
) -> None:
    """Checks files of one query each; ends with 2 if any has a mistake.

    Args:
      files: paths; `-` is standard input.
      schemas: `FILE:NAME` for `PCOLLECTION`, or `TABLE=FILE:NAME`.
      values: `NAME=VALUE` of parameters, each value as YAML reads it.
      functions: folders of functions in SQL.
      dialect: of the queries.
      strict: whether warnings are mistakes, and nothing is rewritten.
      form: `text` or `json`.
      show_sql: whether to print what the engines get.

    Raises:
      ConfigError: options that cannot be used, all at once.
    """
    with all_problems("check-sql", ConfigError) as problems:
        for option, value, known in (("dialect", dialect, ("beam", *DIALECTS)), ("format", form, _FORMATS)):
            if value not in known:
                problems.append(Problem(f"no {option} `{value}`", f"--{option}", nearest(value, known)))
        tables = _tables(schemas, problems)
        parameters = _values(values, problems)
        texts = [(file, _text(file, problems)) for file in files]
    registry = library()
    for folder in functions:
        registry = registry.with_folder(folder)
    results = [_Result(_name(file), text, tables, parameters, registry, dialect, strict) for file, text in texts]
    if form == "json":
        typer.echo(json.dumps([result.as_json() for result in results], indent=2))
    else:
        for result in results:
            result.show(show_sql)
    if any(result.failed for result in results):
        raise typer.Exit(MISTAKE)


class _Result:
    def __init__(
        self,
        name: str,
        text: str,
        tables: dict[str, pa.Schema],
        parameters: dict[str, Any],
        registry: Registry,
        dialect: str,
        strict: bool,
    ) -> None:
        self._name = name
        self._checked: CheckedSql | None = None
        self._problems: tuple[SqlProblem, ...] = ()
        try:
            self._checked = check_sql(
                text, tables, dialect=dialect, strict=strict, source=name, registry=registry, parameters=parameters
            )
            self._problems = self._checked.warnings
        except SqlCheckError as error:
            self._problems = error.problems
        self.failed = self._checked is None or (strict and bool(self._problems))

    def show(self, show_sql: bool) -> None:
        """Prints problems to standard error, and what the query gives."""
        for one in self._problems:
            typer.echo(str(one), err=True)
        checked = self._checked
        if checked is None:
            return
        typer.echo(f"{self._name}: right; runs in {'DuckDB' if checked.engine == 'duckdb' else 'Beam SQL'}")
        if checked.engine == "beam":
            typer.echo(f"  because: {checked.reason}")
        for note in checked.notes:
            typer.echo(f"  {note.place.line}:{note.place.column}: {note.what}")
        width = max((len(name) for name in checked.schema.names), default=0)
        for column in checked.schema:
            kind = f"{column.type}{'' if column.nullable else ' not null'}"
            typer.echo(f"  {column.name:<{width}}  {kind}  {', '.join(sorted(labels_of(column)))}".rstrip())
        own = [f"{one.name} {one.version} ({one.origin})" for one in checked.functions if one.origin != "beam"]
        if own:
            typer.echo(f"  functions: {', '.join(own)}")
        if show_sql:
            typer.echo(checked.lowered.sql if checked.lowered is not None else checked.sql)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        checked = self._checked
        found: dict[str, Any] = {"file": self._name, "right": not self.failed}
        found["problems"] = [
            {
                "line": one.line,
                "column": one.column,
                "length": one.place.length,
                "severity": one.severity,
                "code": one.code,
                "message": one.message,
                "hint": one.hint,
            }
            for one in self._problems
        ]
        if checked is not None:
            found["engine"], found["reason"], found["sql"] = checked.engine, checked.reason, checked.sql
            found["columns"] = [
                {"name": one.name, "type": str(one.type), "nullable": one.nullable, "labels": sorted(labels_of(one))}
                for one in checked.schema
            ]
            found["functions"] = [one.name for one in checked.functions if one.origin != "beam"]
        return found


def _name(file: str) -> str:
    return "query" if file == "-" else file


def _text(file: str, problems: list[Problem]) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        problems.append(Problem(f"cannot read the query: {error.strerror}", file, "check the path"))
    except UnicodeDecodeError:
        problems.append(Problem("the query is not UTF-8", file, "save it as UTF-8"))
    return ""


def _tables(schemas: Sequence[str], problems: list[Problem]) -> dict[str, pa.Schema]:
    tables: dict[str, pa.Schema] = {}
    if not schemas:
        fix = "write --schema FILE:NAME, or --schema TABLE=FILE:NAME for each input"
        problems.append(Problem("there is no schema", "--schema", fix))
    for given in schemas:
        name, named, reference = given.partition("=")
        name, reference = (name, reference) if named and name.isidentifier() else (ALONE, given)
        if name in tables:
            fix = "give each input a name: --schema TABLE=FILE:NAME"
            problems.append(Problem(f"two schemas for `{name}`", "--schema", fix))
        try:
            tables[name] = schema_of_option(reference)
        except ConfigError as error:
            problems.extend(error.problems)
        except ValueError as error:
            problems.extend(getattr(error, "problems", ()) or [Problem(str(error), "--schema", "check the file")])
    return tables


def _values(values: Sequence[str], problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for given in values:
        name, equals, text = given.partition("=")
        if not equals:
            problems.append(Problem(f"expected NAME=VALUE, got `{given}`", "--set", "write --set least=10"))
            continue
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        # A date stays one; a list or mapping is none of the values that can be bound.
        found[name] = value if isinstance(value, bool | int | float | str | date | datetime | None) else text
    return dict(check_values(found, problems))
