"""Builds the Beam pipeline of a snippet through Beam YAML, and gathers every problem on the way.

A step that cannot be built, or that refuses its input, is noted and gives an output of which every later step knows
that there is nothing to check; so the problems of all branches are found in one go, each with its place in the file.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.yaml import yaml_provider, yaml_transform

from blocks.catalog.model import Catalog
from blocks.catalog.reading import read_catalog
from blocks.core import guards
from blocks.core.errors import BlocksError, Problem, SnippetError
from blocks.core.rejects import Rejects
from blocks.snippets.configs import StepBuilder
from blocks.snippets.reading import Snippet, read_snippet
from blocks.snippets.wiring import Step, Wiring, wire


@dataclass(frozen=True)
class Built:
    """A snippet whose pipeline can run.

    Attributes:
      snippet: as it was read.
      steps: in the order of the file.
      blocks: the block of a step, by its number.
      pipeline: built, checked, not run.
      rejects: where bad records go, or None.
    """

    snippet: Snippet
    steps: tuple[Step, ...]
    blocks: Mapping[int, Any]
    pipeline: beam.Pipeline
    rejects: Rejects | None

    def step_of(self, label: str) -> Step | None:
        """The step that a full label of Beam (`mask/MaskColumns/Batches`) belongs to."""
        return step_of(self.steps, label)


def step_of(steps: tuple[Step, ...] | list[Step], label: str) -> Step | None:
    """The step that a full label of Beam belongs to, None if to none."""
    found = [step for step in steps if label == step.label or label.startswith(step.label + "/")]
    return max(found, key=lambda step: len(step.label), default=None)


def build(
    file: str | Path,
    values: Mapping[str, str] | None = None,
    *,
    runner: Any = None,
    catalog: Catalog | None = None,
    options: Mapping[str, Any] | None = None,
) -> Built:
    """Builds the pipeline of a snippet, without running it.

    Args:
      file: a YAML file.
      values: of parameters, as text, as from `--set`.
      runner: a Beam runner; needed to run.
      catalog: whose blocks may be used; the library's unless given.
      options: Beam's pipeline options, over those of the snippet.

    Raises:
      SnippetError: every problem, each with file, line and column.
    """
    problems: list[Problem] = []
    snippet = read_snippet(file, values or {}, problems)
    wiring = wire(snippet.document, snippet.pipeline, catalog or read_catalog(), beam_types, problems)
    rejects = _rejects(snippet, problems)
    builder = StepBuilder(snippet, rejects, problems)
    blocks = {step.number: builder.build(step) for step in wiring.steps if step.entry is not None}
    pipeline = beam.Pipeline(runner=runner, options=_options(snippet, options or {}))
    if wiring.tree is not None:
        blocks.update(dict.fromkeys(wiring.misplaced))
        _expand(pipeline, wiring, blocks, builder, rejects, problems)
    if not problems:
        _check_whole(pipeline, snippet, wiring.steps, problems)
    if len(problems) == 1:
        raise SnippetError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
    if problems:
        raise SnippetError(f"{len(problems)} problems", where=str(file), problems=problems)
    return Built(snippet, tuple(wiring.steps), blocks, pipeline, rejects)


def beam_types() -> set[str]:
    """The types of Beam YAML's own transforms, without the language that some have at the end."""
    return {name.split("-")[0] for name in yaml_provider.standard_providers()}


def _options(snippet: Snippet, more: Mapping[str, Any]) -> PipelineOptions:
    return PipelineOptions(flags=[], **{**snippet.options, **more})


def _rejects(snippet: Snippet, problems: list[Problem]) -> Rejects | None:
    if snippet.rejects is None:
        return None
    given = snippet.rejects
    try:
        return Rejects(given["path"], given.get("policy", snippet.policy), given.get("run_id"))
    except BlocksError as error:
        problems.extend(error.problems)
        return None


def _expand(
    pipeline: beam.Pipeline,
    wiring: Wiring,
    blocks: Mapping[int, Any],
    builder: StepBuilder,
    rejects: Rejects | None,
    problems: list[Problem],
) -> None:
    steps = {step.number: step for step in wiring.steps}

    def factory(step: int) -> "_Step":
        return _Step(steps[step], blocks[step], builder.note)

    providers = {
        step.type: yaml_provider.InlineProvider({step.type: factory}, no_input_transforms=[step.type])
        for step in wiring.steps
        if step.entry is not None
    }
    before = len(problems)
    with contextlib.ExitStack() as stack:
        if rejects is not None:
            stack.enter_context(rejects)
        try:
            yaml_transform.expand_pipeline(
                pipeline, {"pipeline": wiring.tree}, {kind: [one] for kind, one in providers.items()}, "none"
            )
        except Exception as error:  # Beam YAML raises whatever a transform or itself finds
            # After a step that is not there, what Beam says about the ones that follow is noise.
            if len(problems) == before and not any(block is None for block in blocks.values()):
                problems.append(_beam_problem(error, wiring, builder))


def _beam_problem(error: Exception, wiring: Wiring, builder: StepBuilder) -> Problem:
    """A problem that Beam YAML found, at the step that it names."""
    text = str(error)
    step = next((step for step in wiring.steps if f'"{step.name}" at line' in text), None)
    deepest: BaseException = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    what = f"Beam YAML: {deepest}" if str(deepest) else f"Beam YAML: {type(deepest).__name__}"
    return Problem(what, builder.where(step), "see the page of this transform in the Beam YAML reference")


def _check_whole(pipeline: beam.Pipeline, snippet: Snippet, steps: list[Step], problems: list[Problem]) -> None:
    try:
        guards.check_pipeline(pipeline)
    except BlocksError as error:
        for problem in error.problems:
            label = problem.where.split("`")[1] if problem.where.count("`") > 1 else ""
            step = step_of(steps, label)
            place = snippet.document.where(step.place) + ", " if step else ""
            problems.append(Problem(problem.what, place + problem.where, problem.fix))


class _Unbuilt:
    """Element type of an output that is not there."""


class _Step(beam.PTransform):
    """Applies a block; a problem is noted instead of raised, and gives an `_Unbuilt`."""

    def __init__(self, step: Step, block: Any, note: Callable[[Step, BlocksError], None]) -> None:
        super().__init__(step.name)
        self._step, self._block, self._note = step, block, note

    def expand(self, pvalue: Any) -> Any:
        found = pvalue.values() if isinstance(pvalue, dict) else [pvalue]
        if self._block is None or any(getattr(one, "element_type", None) is _Unbuilt for one in found):
            return self._unbuilt(pvalue)
        try:
            return pvalue | self._block
        except BlocksError as error:
            self._note(self._step, error)
        except Exception as error:  # a type that Beam refuses, for one
            what = f"{type(error).__name__}: {error}"
            self._note(self._step, BlocksError(what, fix=f"blocks show {self._step.type}"))
        return self._unbuilt(pvalue)

    def _unbuilt(self, pvalue: Any) -> beam.PCollection:
        first = next(iter(pvalue.values())) if isinstance(pvalue, dict) else pvalue
        nothing = first.pipeline | f"Unbuilt {self._step.number}" >> beam.Impulse()
        nothing.element_type = _Unbuilt
        return nothing

    def __getstate__(self) -> dict[str, Any]:
        # Beam pickles a composite that has no parts; the rest belongs to building.
        return {"label": self.label}
