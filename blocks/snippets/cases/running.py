"""Runs the tests of a snippet: each in batch, and as a stream where every block on the way can."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner

from blocks.catalog.model import Catalog
from blocks.core.errors import BlocksError, Problem
from blocks.core.row_values import batch_maker
from blocks.engines.local import LocalRunner
from blocks.snippets.building import Built, check_snippet, mistakes
from blocks.snippets.cases.checking import batch_only, expected_output, in_java, named_step
from blocks.snippets.cases.comparing import differences, reject_differences
from blocks.snippets.cases.reading import Case, Expected
from blocks.snippets.cases.standing_in import Kept, Rehearsal
from blocks.snippets.edges import Output, edges_of
from blocks.snippets.reading import Snippet, read_snippet
from blocks.snippets.running import located

# A test runs in one process, whatever the snippet asks for, so that what it keeps can be read.
_OPTIONS = {"direct_running_mode": "in_memory", "direct_num_workers": 1}


@dataclass(frozen=True)
class Result:
    """One test in one mode.

    Attributes:
      case: the test.
      mode: `batch` or `stream`.
      seconds: it took.
      failures: lines that say what was not as expected; none if it passed.
      skipped: why it did not run; empty if it did.
    """

    case: Case
    mode: str
    seconds: float = 0.0
    failures: tuple[str, ...] = ()
    skipped: str = ""


def cases_of(file: str | Path, values: Mapping[str, str], only: str = "") -> tuple[Snippet, list[Case]]:
    """The tests of a snippet whose names have a text in them."""
    snippet = read_snippet(file, values, [])
    return snippet, [case for case in snippet.cases if only.lower() in case.name.lower()]


def given_values(snippet: Snippet, values: Mapping[str, str], case: Case) -> dict[str, str]:
    """Values of the parameters for a test: its own, then those of the command line.

    A path that nobody gives is that of input, which the test gives itself.
    """
    found = {**values, **case.parameters}
    for name, parameter in snippet.parameters.items():
        if name not in found and parameter.default is None and parameter.type == "path":
            found[name] = f"input-of-{name}"
    return found


def run_cases(
    file: str | Path, values: Mapping[str, str] | None = None, only: str = "", catalog: Catalog | None = None
) -> Iterator[Result]:
    """Runs the tests of a snippet, one result at a time.

    Args:
      file: a snippet.
      values: of parameters, as text; those of a test win.
      only: a text that the names of the tests have in them.
      catalog: whose blocks may be used; the library's unless given.

    Raises:
      SnippetError: mistakes in the snippet or its tests; nothing has run then.
    """
    snippet, cases = cases_of(file, values or {}, only)
    if snippet.cases:
        first = check_snippet(file, given_values(snippet, values or {}, snippet.cases[0]), catalog=catalog)
        if first.problems:
            raise mistakes(file, first.problems)
    for case in cases:
        given = given_values(snippet, values or {}, case)
        why_not = ""
        for mode in case.modes or (("stream",) if case.timed else ("batch", "stream")):
            if mode == "stream" and why_not:
                yield Result(case, mode, skipped=why_not)
                continue
            start = time.monotonic()
            failures, built = _run(file, given, case, mode, catalog)
            why_not = _why_no_stream(built) if built is not None and case.modes is None else ""
            yield Result(case, mode, time.monotonic() - start, tuple(failures))


def _why_no_stream(built: Built) -> str:
    """Why the steps of a snippet cannot be in a stream here; empty if they can."""
    for steps, why in (
        (batch_only(built.steps), "batch only"),
        (in_java(built.steps, built.blocks), "runs in Beam SQL, and a test plays no stream to steps in Java"),
    ):
        if steps:
            return f"{', '.join(step.label for step in steps)}: {why}"
    return ""


def _run(
    file: str | Path, values: Mapping[str, str], case: Case, mode: str, catalog: Catalog | None
) -> tuple[list[str], Built | None]:
    with tempfile.TemporaryDirectory(prefix="blocks-test-") as folder:
        rehearsal = Rehearsal(case, mode, Path(folder))
        runner = LocalRunner() if mode == "batch" else BundleBasedDirectRunner()
        options = _OPTIONS | ({"streaming": True} if mode == "stream" else {})
        found = check_snippet(file, values, runner=runner, catalog=catalog, options=options, rehearsal=rehearsal)
        if found.built is None:
            return [line for problem in found.problems for line in _lines(problem)], None
        return _compared(found.built, case, rehearsal), found.built


def _compared(built: Built, case: Case, rehearsal: Rehearsal) -> list[str]:
    edges = edges_of(built)
    watched: list[tuple[Expected, Output | None, Kept | None]] = []
    for number, expected in enumerate(case.expect):
        step, name = named_step(expected.step, built.steps)
        output = expected_output(step, name, edges)
        kept = Kept() if output is not None and expected.rows is not None else None
        if output is not None and kept is not None:
            _ = output.pcollection | f"Kept {number}" >> kept
        watched.append((expected, output, kept))
    try:
        built.pipeline.run().wait_until_finish()
    except Exception as error:
        return list(_lines(*located(built, error).problems))
    failures = [
        f"{expected.step}: {line}"
        for expected, output, kept in watched
        for line in _differences(expected, output, kept.elements() if kept is not None else [])
    ]
    return failures + reject_differences([row.value for row in case.rejects], _rejects(rehearsal.folder))


def _differences(expected: Expected, output: Output | None, came: Sequence[Any]) -> Iterator[str]:
    schema = output.schema if output is not None else None
    if expected.columns is not None and schema is not None and list(expected.columns) != schema.names:
        missing = [name for name in expected.columns if name not in schema.names]
        unexpected = [name for name in schema.names if name not in expected.columns]
        yield from (
            f"{what} columns: {', '.join(names)}"
            for what, names in (("missing", missing), ("unexpected", unexpected))
            if names
        )
        if not missing and not unexpected:
            yield f"the columns are in another order: {', '.join(schema.names)}"
    if expected.rows is None:
        return
    if schema is None:
        schema = _schema_of(came)
    if schema is None:
        yield from ([] if not expected.rows and not came else ["the columns that came are not known"])
        return
    yield from differences([row.value for row in expected.rows], _batches(came, schema), schema)


def _schema_of(came: Sequence[Any]) -> pa.Schema | None:
    """Of rows whose type Beam does not know, what their values say."""
    try:
        return pa.Table.from_pylist([dict(one.as_dict()) for one in came]).schema if came else None
    except (AttributeError, pa.ArrowInvalid, pa.ArrowTypeError):
        return None


def _batches(came: Sequence[Any], schema: pa.Schema) -> list[pa.RecordBatch]:
    batches = [one for one in came if isinstance(one, pa.RecordBatch)]
    rows = [one for one in came if not isinstance(one, pa.RecordBatch)]
    if rows:
        batches.append(batch_maker(schema, "the test")(rows))
    return batches


def _rejects(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("rejects/**/*.parquet"))
    return ds.dataset([str(file) for file in files], format="parquet").to_table().to_pylist() if files else []


def _lines(*problems: Problem) -> Iterator[str]:
    for problem in problems:
        yield from str(problem).splitlines()


def error_lines(error: BlocksError) -> list[str]:
    """The problems of an error as lines."""
    return list(_lines(*error.problems))
