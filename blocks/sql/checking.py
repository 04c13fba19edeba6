"""check_sql: every mistake of a query, in milliseconds, before anything runs."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.sql.analysis import Table
from blocks.sql.checked import CheckedSql
from blocks.sql.checks import CHECKS
from blocks.sql.checks.strict import strictly
from blocks.sql.checks.unbounded import unbounded
from blocks.sql.codes import CODES
from blocks.sql.dialects import read_other, translate
from blocks.sql.finishing import finish
from blocks.sql.parsing import MAX_DEPTH, Parsed, deeply, parse
from blocks.sql.problems import SqlCheckError, SqlProblem
from blocks.sql.resolving import resolve
from blocks.sql.rewriting import early
from blocks.sql.running.parameters import bind, bound, marked
from blocks.sql.running.settings import unknown_options

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry
    from blocks.sql.running.libraries import FolderSource, JarSource


def check_sql(
    query: str,
    tables: Mapping[str, pa.Schema | Table],
    *,
    dialect: str = "beam",
    strict: bool = False,
    source: str = "query",
    registry: "Registry | None" = None,
    parameters: Mapping[str, Any] | None = None,
    min_group: int | None = None,
    keys: Mapping[str, str] | None = None,
    udf_jars: "JarSource" = (),
    sql_udfs: "FolderSource" = (),
    catalog: str | Path | None = None,
) -> CheckedSql:
    """Checks a query of Beam SQL.

    Args:
      query: the text.
      tables: schema of each input, by the name that the query calls it: `{"PCOLLECTION": schema}`.
      dialect: of the text: `beam`, `bigquery`, `duckdb`, `spark`, `postgres` or `snowflake`.
      strict: whether nothing is rewritten.
      source: name of the file, for messages.
      registry: functions that it may call; those of the library and of `udf_jars`, `sql_udfs` and `catalog` unless
        given.
      parameters: name to value of each `:name`, which becomes a literal; see `blocks.sql.running.parameters`.
      min_group: rows that a group has to have, by HAVING, for COUNT to take labels away; None for any.
      keys: name to URI of the keys that `hmac_sha256` may name, as in a policy; the worker's own without them.
      udf_jars: archives of functions of your own in Java or Scala, as `RunSql` takes them.
      sql_udfs: folders of functions of your own in SQL.
      catalog: a file that names such archives and folders.

    Raises:
      SqlCheckError: the query cannot run, with every problem.
      ConfigError: a dialect that is none of these; functions of your own that cannot be used.
    """
    inputs = {name: one if isinstance(one, Table) else Table(name, one) for name, one in tables.items()}
    with all_problems("check_sql", ConfigError) as wrong:
        wrong.extend(unknown_options(dialect=dialect))
        functions = registry if registry is not None else _registry(udf_jars, sql_udfs, catalog, wrong)
    parsed = _read(query, dialect, source, strict, parameters or {}, inputs)
    if not strict:
        parsed = early(parsed, functions)
    analysis = resolve(parsed, inputs, functions)
    problems = [*analysis.problems]
    for check in CHECKS:
        problems.extend(check(analysis))
    only_beam = () if strict else tuple(unbounded(analysis))
    if strict:
        problems.extend(strictly(analysis))
    problems = _first_of_place(problems)
    errors = [one for one in problems if one.severity == "error"]
    if any(one not in only_beam for one in errors):
        raise SqlCheckError(f"{len(errors)} problems", where=source, problems=errors)
    warnings = tuple(one for one in problems if one.severity == "warning")
    checked = finish(
        parsed,
        analysis,
        functions,
        query=query,
        strict=strict,
        min_group=min_group,
        keys=keys or {},
        warnings=warnings,
    )
    if errors and checked.lowered is None:
        raise SqlCheckError(f"{len(errors)} problems", where=source, problems=errors)
    return replace(checked, beam_problems=tuple(errors))


def _first_of_place(problems: list[SqlProblem]) -> list[SqlProblem]:
    """In order of the text, without what only misleads at a place where something is wrong in any case."""
    wrong = {one.place for one in problems if CODES[one.code].who != "runtime"}
    kept = (one for one in problems if CODES[one.code].who != "runtime" or one.place not in wrong)
    return sorted(kept, key=lambda one: (one.line, one.column))


def _read(
    query: str, dialect: str, source: str, strict: bool, values: Mapping[str, Any], inputs: Mapping[str, Table]
) -> Parsed:
    """The tree of the query in Beam SQL's form, with values for its parameters."""
    if dialect == "beam":
        return bound(parse(marked(query, dialect), dialect, source, strict), query, values)
    other = bind(read_other(marked(query, dialect), dialect, source), values, query, dialect, source)
    tree = deeply(partial(translate, query, other, dialect, inputs, source), MAX_DEPTH)
    return Parsed(query, source, dialect, tree, MAX_DEPTH)


def _registry(
    udf_jars: "JarSource", sql_udfs: "FolderSource", catalog: str | Path | None, problems: list[Problem]
) -> "Registry":
    from blocks.sql.running.libraries import functions_of

    return functions_of(udf_jars, sql_udfs, catalog, problems).registry
