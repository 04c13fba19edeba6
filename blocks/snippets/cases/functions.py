"""Runs the examples of a user's own functions of SQL, in DuckDB and in Beam SQL."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.dataset as ds

from blocks.core.batch_type import BatchType
from blocks.core.errors import BlocksError, ConfigError, all_problems
from blocks.core.policy import read_policy
from blocks.core.rejects import Rejects
from blocks.engines.errors import EngineError
from blocks.engines.java import java_program
from blocks.engines.local import LocalRunner
from blocks.snippets.cases.standing_in import Kept
from blocks.sql.problems import SqlCheckError
from blocks.sql.run_sql import RunSql
from blocks.sql.running.examples import ROW, SCHEMA, Example, grouped, in_duckdb, own_examples, query_of
from blocks.sql.running.libraries import Functions, functions_of


@dataclass(frozen=True, slots=True)
class Tried:
    """One function on one engine.

    Attributes:
      function: name and version.
      engine: `duckdb` or `beam`.
      count: of examples that ran.
      failures: what is not as the examples say, each with its place.
      skipped: why some or all did not run; empty if all did.
    """

    function: str
    engine: str
    count: int
    failures: tuple[str, ...] = ()
    skipped: str = ""


def own_functions(path: Path) -> Functions:
    """The functions of a folder of SQL functions, or those that a catalog names, with the library's.

    Raises:
      ConfigError: everything that is wrong with them.
    """
    with all_problems(str(path), ConfigError) as problems:
        found = functions_of((), [path], None, problems) if path.is_dir() else functions_of((), (), path, problems)
    return found  # noqa: RET504 - the problems are raised where the block ends


def run_examples(path: Path, only: str = "") -> Iterator[Tried]:
    """Runs the examples of the functions of a folder or a catalog.

    Args:
      path: of the folder, or of the catalog.
      only: a text that the names of functions have in them.

    Raises:
      ConfigError: functions that cannot be used.
    """
    functions = own_functions(path)
    examples = [one for one in own_examples(functions) if only.lower() in one.function.lower()]
    right, wrong = [], dict[str, list[str]]()
    for one in examples:
        try:
            query_of([one], functions.registry)
            right.append(one)
        except SqlCheckError as error:
            told = "; ".join(each.what for each in error.problems)
            wrong.setdefault(one.function, []).append(f"{one.where}: {one.call} -> {one.result}: {told}")
    names = list(dict.fromkeys(one.function for one in examples))
    for name in names:
        yield _in_duckdb(name, [one for one in right if one.function == name], functions, wrong.get(name, []))
    yield from _in_beam(names, right, functions, path, wrong)


def _in_duckdb(name: str, examples: Sequence[Example], functions: Functions, failures: list[str]) -> Tried:
    failures, count, skipped = list(failures), 0, ""
    for one in examples:
        wrong, why_not = in_duckdb(one, functions.registry)
        skipped = skipped or why_not
        count += not why_not
        failures += [f"{one.where}: {wrong}"] if wrong else []
    return Tried(name, "duckdb", count, tuple(failures), skipped)


def _in_beam(
    names: Sequence[str], examples: Sequence[Example], functions: Functions, path: Path, wrong: dict[str, list[str]]
) -> Iterator[Tried]:
    try:
        java_program()
    except EngineError as error:
        yield from (Tried(name, "beam", 0, (), f"{error.what}: {error.fix}") for name in names)
        return
    found: dict[str, list[str]] = {name: [] for name in names}
    for group in grouped(examples):
        for one, failure in zip(group, _computed(group, functions, path), strict=True):
            found[one.function] += [f"{one.where}: {failure}"] if failure else []
    for name in names:
        count = sum(one.function == name for one in examples)
        yield Tried(name, "beam", count, (*wrong.get(name, ()), *found[name]))


def _computed(group: Sequence[Example], functions: Functions, path: Path) -> list[str]:
    """What is wrong with each example of a query in Beam SQL; of one that fails as a whole each is computed alone."""
    try:
        values, why = _run(query_of(group, functions.registry), path)
    except BlocksError as error:
        values, why = None, error.problems[0].what
    if values is None and len(group) > 1:
        return [failure for one in group for failure in _computed([one], functions, path)]
    if values is None:
        return [f"{group[0].call} has no value, and the example says {group[0].result}: {why}"]
    return [one.differs(values[f"found{at}"], values[f"wanted{at}"]) for at, one in enumerate(group)]


def _run(query: str, path: Path) -> tuple[dict[str, Any] | None, str]:
    """The row of a query; None, and why, where it failed."""
    own: dict[str, Any] = {"sql_udfs": [path]} if path.is_dir() else {"catalog": path}
    pipeline, kept = beam.Pipeline(runner=LocalRunner()), Kept()
    row = pipeline | beam.Create([0]) | "Row" >> beam.Map(lambda _: ROW).with_output_types(BatchType(SCHEMA))
    with tempfile.TemporaryDirectory(prefix="blocks-test-") as folder:
        # A row that stops the pipeline would bring the runner's stack with it.
        with Rejects(folder, read_policy(None), "test") as rejects:
            _ = row | RunSql(query, engine="beam", timestamps="milliseconds", rejects=rejects, **own) | kept
        pipeline.run().wait_until_finish()
        files = [str(file) for file in Path(folder).glob("**/*.parquet")]
        told = ds.dataset(files, format="parquet").to_table(columns=["message"]).to_pylist() if files else []
    batches = kept.elements()
    return (batches[0].to_pylist()[0] if batches and not told else None), told[0]["message"] if told else ""
