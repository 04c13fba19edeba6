"""Checks the tests of a snippet against its steps and their columns, before anything runs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from blocks.catalog.model import Entry
from blocks.core.errors import Problem, nearest
from blocks.snippets.cases.reading import Case, Expected
from blocks.snippets.cases.values import row_problems
from blocks.snippets.edges import Edges, Output
from blocks.snippets.graph import Step, ends_pipeline
from blocks.snippets.parameters import TYPES, parse
from blocks.snippets.reading import Snippet


class CaseError(ValueError):
    """A name of a test that is not there; the text is the problem's `what`, `fix` what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def named_step(name: str, steps: Sequence[Step]) -> tuple[Step, str]:
    """The step that a test names by label, name or type, and the output after its name.

    Raises:
      CaseError: there is none, or there are several.
    """
    plain, _, last = name.rpartition(".")
    for wanted, output in ((name, ""), (plain, last)):
        for names in ([step.label for step in steps], [step.name for step in steps], [_block(step) for step in steps]):
            found = [step for step, one in zip(steps, names, strict=True) if one == wanted]
            if len(found) == 1:
                return found[0], output
            if found:
                labels = ", ".join(step.label for step in found)
                raise CaseError(f"{len(found)} steps are named `{wanted}`", f"name one of {labels}")
    raise CaseError(f"no step `{name}`", nearest(name, [step.label for step in steps]))


def _block(step: Step) -> str:
    return step.type.partition("@")[0]


def expected_output(step: Step, name: str, edges: Edges) -> Output | None:
    """What an expectation is about: the output of a step, or what reaches one that ends the pipeline.

    Raises:
      CaseError: the step has no such output, or several of which none is named.
    """
    if ends_pipeline(step):
        inputs = edges.inputs(step)
        return inputs[0].output if inputs else None
    outputs = edges.outputs.get(step.number, {})
    if not name and len(outputs) == 1:
        return next(iter(outputs.values()))
    if outputs and name not in outputs:
        what = f"`{step.label}` has no output `{name}`" if name else f"`{step.label}` has several outputs"
        named = [one for one in outputs if one]
        raise CaseError(
            what, f"write {step.label}.{named[0]}; {nearest(name, named)}" if named else f"write {step.label}"
        )
    return outputs.get(name)


def is_fed_bytes(step: Step) -> bool:
    """Whether a step that reads can be given records as bytes instead, and so reads them as it would in a run."""
    return step.entry is not None and {"nothing", "bytes"} <= set(step.entry.takes)


def batch_only(steps: Sequence[Step]) -> list[Step]:
    """Steps that run in a test and cannot be in a stream; what reads and what writes is stood in for."""
    return [
        step
        for step in steps
        if step.entry is not None
        and ("stream" not in step.entry.modes or _bounded_by(step, step.entry))
        and not ends_pipeline(step)
        and (step.inputs or is_fed_bytes(step))
    ]


def _bounded_by(step: Step, entry: Entry) -> bool:
    """Whether a step has an option or an input with which its block cannot be in a stream."""
    return any(name in step.config or name in dict(step.inputs) for name in entry.batch_only)


def in_java(steps: Sequence[Step], blocks: Mapping[int, Any]) -> list[Step]:
    """Steps whose query runs in Beam SQL: the one runner that plays a stream as a test says it takes no steps in Java.

    Args:
      steps: of a snippet.
      blocks: of its built steps, by their numbers.
    """
    explained = ((step, getattr(blocks.get(step.number), "explanation", None)) for step in steps)
    return [step for step, one in explained if one is not None and one.engine == "beam"]


def case_problems(
    snippet: Snippet, steps: Sequence[Step], blocks: Mapping[int, Any], edges: Edges | None
) -> Iterator[Problem]:
    """Every mistake in the tests of a snippet, each at its place.

    Args:
      snippet: as it was read.
      steps: of it.
      blocks: of those that could be built, by their numbers.
      edges: of the built pipeline; None if it could not be built, and then columns are not checked.
    """
    for case in snippet.cases:
        yield from _parameter_problems(snippet, case)
        yield from _input_problems(snippet, case, steps, edges)
        for expected in case.expect:
            yield from _expect_problems(snippet, expected, steps, edges)
        if case.timed if case.modes is None else "stream" in case.modes:
            place = snippet.document.where((*case.place, "stream" if case.modes is None else "modes"))
            if slow := batch_only(steps):
                yield Problem(f"{_names(slow)} cannot be in a stream", place, "write modes: [batch], and `inputs`")
            if java := in_java(steps, blocks):
                what = f"{_names(java)} runs in Beam SQL, and a test cannot play a stream to steps in Java"
                yield Problem(what, place, _IN_JAVA)


_IN_JAVA = (
    "write modes: [batch], and `inputs`; or write the query so that it runs in DuckDB: `blocks explain` says what "
    "stands in its way. Its windows can be tried on Flink: blocks run --runner flink"
)


def _names(steps: Sequence[Step]) -> str:
    return ", ".join(f"`{step.label}`" for step in steps)


def _parameter_problems(snippet: Snippet, case: Case) -> Iterator[Problem]:
    for name, text in case.parameters.items():
        place: tuple[str | int, ...] = (*case.place, "parameters", name)
        if name not in snippet.parameters:
            what = f"the snippet has no parameter `{name}`"
            yield Problem(what, snippet.document.where_key(place), nearest(name, snippet.parameters))
        elif parse(snippet.parameters[name].type, text) is None:
            what = f"parameter `{name}`: expected {TYPES[snippet.parameters[name].type]}"
            yield Problem(what, snippet.document.where(place), "give another value")


def _input_problems(snippet: Snippet, case: Case, steps: Sequence[Step], edges: Edges | None) -> Iterator[Problem]:
    document = snippet.document
    for name, events in case.inputs.items():
        place = case.input_place(name)
        readers = [step.label for step in steps if not step.inputs]
        try:
            step, _ = named_step(name, steps)
        except CaseError as error:
            yield Problem(str(error), document.where_key(place), error.fix)
            continue
        if step.inputs:
            what = f"`{step.label}` does not begin the pipeline"
            yield Problem(what, document.where_key(place), f"give the input to one that does: {', '.join(readers)}")
            continue
        outputs = edges.outputs.get(step.number, {}) if edges is not None else {}
        schema = next((one.schema for one in outputs.values()), None)
        for row in (row for event in events for row in event.rows):
            if is_fed_bytes(step):
                continue
            if isinstance(row.value, str):
                what = f"`{step.label}` is not read from records here: a row is a mapping"
                yield Problem(what, document.where(row.place), "write {column: value}")
            elif schema is not None:
                for column, problem in row_problems(row.value, schema, expected=False):
                    yield Problem(problem.what, document.where((*row.place, column)), problem.fix)


def _expect_problems(
    snippet: Snippet, expected: Expected, steps: Sequence[Step], edges: Edges | None
) -> Iterator[Problem]:
    document = snippet.document
    try:
        step, name = named_step(expected.step, steps)
        output = expected_output(step, name, edges) if edges is not None else None
    except CaseError as error:
        yield Problem(str(error), document.where_key(expected.place), error.fix)
        return
    schema: pa.Schema | None = output.schema if output is not None else None
    if schema is None:
        return
    for row in expected.rows or ():
        for column, problem in row_problems(row.value, schema, expected=True):
            yield Problem(problem.what, document.where((*row.place, column)), problem.fix)
