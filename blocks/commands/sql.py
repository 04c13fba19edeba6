"""`blocks check-sql`: every mistake of a query with its place, in milliseconds; or what it gives and where it runs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer
import yaml

from blocks.commands.failing import MISTAKE
from blocks.core.errors import BlocksError, ConfigError, Problem, all_problems, nearest
from blocks.core.labels import labels_of
from blocks.core.mask_plan import plan_masking
from blocks.core.policy import DESTINATIONS, Policy, read_policy
from blocks.core.schema import schema_of_option
from blocks.sql.analysis import Table
from blocks.sql.functions.registry import Registry
from blocks.sql.problems import Place, SqlCheckError, SqlProblem, problem
from blocks.sql.running.judging import Judged, judge, refuse
from blocks.sql.running.libraries import functions_of
from blocks.sql.running.parameters import check_values
from blocks.sql.running.settings import Settings, unknown_options

ALONE = "PCOLLECTION"
_FORMATS = ("text", "json")
# What messages call the options of `RunSql`, and what this command does.
_OPTIONS = {"udf_jars": "--jar", "sql_udfs": "--functions", "catalog": "--catalog"}


@dataclass(frozen=True)
class Given:
    """What a query is checked with, as the options of the command have it.

    Attributes:
      schemas: `FILE:NAME` for `PCOLLECTION`, or `TABLE=FILE:NAME`.
      values: `NAME=VALUE` of parameters, each value as YAML reads it.
      functions: folders of functions in SQL.
      jars: archives of functions in Java or Scala.
      catalog: file that names such folders and archives; None for none.
      policy: file; None for none.
      masked: destination of the policy for which a `MaskColumns` before the query masks its inputs; None where there
        is none.
      dialect: of the queries.
      engine: as of `RunSql`.
      timestamps: as of `RunSql`.
      strict: whether warnings are mistakes, and nothing is rewritten.
    """

    schemas: Sequence[str] = ()
    values: Sequence[str] = ()
    functions: Sequence[str] = ()
    jars: Sequence[str] = ()
    catalog: Path | None = None
    policy: Path | None = None
    masked: str | None = None
    dialect: str = "beam"
    engine: str = "auto"
    timestamps: str = "exact"
    strict: bool = False


def check_queries(files: Sequence[str], given: Given, form: str, show_sql: bool) -> None:
    """Checks files of one query each, as `RunSql` would; ends with 2 if any has a mistake.

    Args:
      files: paths; `-` is standard input.
      given: what they are checked with.
      form: `text` or `json`.
      show_sql: whether to print what the engines get.

    Raises:
      ConfigError: options that cannot be used, all at once.
    """
    with all_problems("check-sql", ConfigError) as problems:
        words = {"dialect": given.dialect, "engine": given.engine, "timestamps": given.timestamps}
        problems.extend(unknown_options("--", **words))
        if form not in _FORMATS:
            problems.append(Problem(f"no format `{form}`", "--format", nearest(form, _FORMATS)))
        tables = _tables(given.schemas, problems)
        parameters = _values(given.values, problems)
        own: list[Problem] = []
        functions = functions_of(given.jars, given.functions, given.catalog, own)
        problems.extend(map(_of_command, own))
        policy = _policy(given.policy, problems)
        if given.masked is not None:
            tables = _masked(tables, given.masked, policy, problems, is_given=given.policy is not None)
        texts = [(file, _text(file, problems)) for file in files]
    settings = Settings(
        "",
        given.dialect,
        given.strict,
        given.engine,  # type: ignore[arg-type]
        parameters,
        given.timestamps,  # type: ignore[arg-type]
    )
    results = [
        _Result(replace(settings, query=text, source=_name(file)), tables, functions.registry, policy)
        for file, text in texts
    ]
    if form == "json":
        typer.echo(json.dumps([result.as_json() for result in results], indent=2))
    else:
        for result in results:
            result.show(show_sql)
    if any(result.failed for result in results):
        raise typer.Exit(MISTAKE)


def _of_command(one: Problem) -> Problem:
    option = next((name for name in _OPTIONS if one.where.startswith(name)), None)
    where = one.where if option is None else one.where.replace(option, _OPTIONS[option], 1)
    return Problem(one.what, where, one.fix)


def _policy(file: Path | None, problems: list[Problem]) -> Policy:
    try:
        return read_policy(None if file is None else str(file))
    except BlocksError as error:
        problems.extend(error.problems)
        return read_policy(None)


def _masked(
    tables: dict[str, pa.Schema], destination: str, policy: Policy, problems: list[Problem], *, is_given: bool
) -> dict[str, pa.Schema]:
    """The schemas that `MaskColumns` would make of these for a destination of the policy."""
    where = f"--masked {destination}"
    if not policy.file:
        if not is_given:
            fix = "write --policy FILE too"
            problems.append(Problem("there is no policy that says how columns are masked", where, fix))
        return tables
    known = dict.fromkeys([*policy.destinations, *DESTINATIONS])
    if destination not in known:
        problems.append(Problem(f"the policy has no destination `{destination}`", where, nearest(destination, known)))
        return tables
    found = {}
    for name, schema in tables.items():
        place = where if name == ALONE else f"{where}, {name}"
        try:
            found[name] = plan_masking(schema, policy, destination, place).schema
        except BlocksError as error:
            problems.extend(error.problems)
    return found


class _Result:
    def __init__(self, settings: Settings, tables: dict[str, pa.Schema], registry: Registry, policy: Policy) -> None:
        self._name = settings.source
        self._judged: Judged | None = None
        self._problems: tuple[SqlProblem, ...] = ()
        inputs = {name: Table(name, schema) for name, schema in tables.items()}
        try:
            judged = judge(inputs, settings, registry, policy)
            refuse(judged, settings, policy)
            self._judged, self._problems = judged, judged.checked.warnings
        except SqlCheckError as error:
            self._problems = error.problems
        except ConfigError as error:
            # The engine that is asked for cannot run the query: that is about all of it.
            of_all = partial(problem, settings.query, Place(1, 1), "not_taken", source=settings.source)
            self._problems = tuple(of_all(one.what, one.fix) for one in error.problems)
        self.failed = self._judged is None or (settings.strict and bool(self._problems))

    def show(self, show_sql: bool) -> None:
        """Prints problems to standard error, and what the query gives."""
        for one in self._problems:
            typer.echo(str(one), err=True)
        if self._judged is None:
            return
        checked, engine = self._judged.checked, self._judged.engine
        typer.echo(f"{self._name}: right; runs in {'DuckDB' if engine == 'duckdb' else 'Beam SQL'}")
        if engine == "beam":
            typer.echo(f"  because: {self._judged.reason}")
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
            typer.echo(checked.lowered.sql if engine == "duckdb" else checked.sql)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        judged = self._judged
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
        if judged is not None:
            checked = judged.checked
            found["engine"], found["reason"], found["sql"] = judged.engine, judged.reason, checked.sql
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
