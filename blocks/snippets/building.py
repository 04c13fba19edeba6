"""Builds the Beam pipeline of a snippet through Beam YAML, and gathers every problem on the way."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.yaml import yaml_provider, yaml_transform

from blocks.catalog.model import Catalog
from blocks.catalog.reading import read_catalog
from blocks.core import guards
from blocks.core.errors import BlocksError, Problem, SnippetError
from blocks.core.rejects import Rejects
from blocks.snippets.cases.checking import case_problems
from blocks.snippets.configs import StepBuilder, placed
from blocks.snippets.edges import edges_of
from blocks.snippets.graph import Step, output_problems, overwritten, unused
from blocks.snippets.reading import Snippet, read_snippet
from blocks.snippets.steps import AppliedStep, walk
from blocks.snippets.wiring import Wiring, wire

if TYPE_CHECKING:
    from blocks.snippets.cases.standing_in import Rehearsal


_REPLACED = "Replaced in a test"


@dataclass(frozen=True)
class Built:
    """A snippet whose pipeline can run.

    Attributes:
      snippet: as it was read.
      steps: in the order of the file.
      blocks: the block of a step, by its number.
      pipeline: built, checked, not run.
      rejects: where bad records go, or None.
      warnings: what works and should not stay as it is.
      configs: the options of a block, by the number of its step: parameters put in, schemas and policies read.
    """

    snippet: Snippet
    steps: tuple[Step, ...]
    blocks: Mapping[int, Any]
    pipeline: beam.Pipeline
    rejects: Rejects | None
    warnings: tuple[Problem, ...] = ()
    configs: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def step_of(self, label: str) -> Step | None:
        """The step that a full label of Beam (`mask/MaskColumns/Batches`) belongs to."""
        return step_of(self.steps, label)


def step_of(steps: tuple[Step, ...] | list[Step], label: str) -> Step | None:
    """The step that a full label of Beam belongs to, None if to none."""
    found = [step for step in steps if label == step.label or label.startswith(step.label + "/")]
    return max(found, key=lambda step: len(step.label), default=None)


@dataclass(frozen=True)
class Findings:
    """What a look at a snippet found.

    Attributes:
      problems: why it cannot run, each with file, line and column; none if it can.
      warnings: what works and should not stay as it is: a deprecated block, a step that works for nobody.
      built: the pipeline, if there are no problems.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    built: Built | None


def check_snippet(
    file: str | Path,
    values: Mapping[str, str] | None = None,
    *,
    runner: Any = None,
    catalog: Catalog | None = None,
    options: Mapping[str, Any] | None = None,
    rehearsal: "Rehearsal | None" = None,
) -> Findings:
    """Builds the pipeline of a snippet and finds everything that is wrong with it, without running it.

    Args:
      file: a YAML file.
      values: of parameters, as text, as from `--set`.
      runner: a Beam runner; needed to run.
      catalog: whose blocks may be used; the library's unless given.
      options: Beam's pipeline options, over those of the snippet.
      rehearsal: what stands where the snippet reads and writes, for one of its tests.

    Raises:
      SnippetError: the file is not YAML, or not a mapping.
    """
    problems: list[Problem] = []
    snippet = read_snippet(file, values or {}, problems)
    wiring = wire(snippet.document, snippet.pipeline, catalog or read_catalog(), beam_types, problems)
    rejects = _rejects(snippet, problems, rehearsal)
    builder = StepBuilder(snippet, rejects, problems, rehearsal)
    blocks = {step.number: builder.build(step) for step in wiring.steps if step.entry is not None}
    blocks.update(dict.fromkeys(wiring.misplaced))
    pipeline = beam.Pipeline(runner=runner, options=_options(snippet, options or {}))
    stand_ins = {}
    if rehearsal is not None and not problems:
        stand_ins = rehearsal.stand_ins(pipeline, wiring.steps, blocks, builder)
    whole = wiring.tree is not None and _expand(pipeline, wiring, {**blocks, **stand_ins}, builder, rejects, problems)
    if not whole:
        walk(wiring.steps, blocks, builder)
        problems.extend(output_problems(snippet.document, wiring.steps, builder.outputs))
    if not problems:
        _check_whole(pipeline, snippet, wiring.steps, problems)
    problems.extend(overwritten(snippet.document, wiring.steps))
    built = Built(snippet, tuple(wiring.steps), blocks, pipeline, rejects)
    if snippet.cases and rehearsal is None:
        problems.extend(case_problems(snippet, wiring.steps, blocks, edges_of(built) if whole else None))
    warnings = (*_deprecated(builder, wiring), *unused(snippet.document, wiring.steps))
    # What stands in a file of several steps is found by each of them.
    found = tuple(dict.fromkeys(problems))
    configs = {step.number: builder.right(step) for step in wiring.steps if step.entry is not None}
    return Findings(found, warnings, None if found else replace(built, warnings=warnings, configs=configs))


def build(
    file: str | Path,
    values: Mapping[str, str] | None = None,
    *,
    runner: Any = None,
    catalog: Catalog | None = None,
    options: Mapping[str, Any] | None = None,
) -> Built:
    """Builds the pipeline of a snippet, without running it; arguments as of `check_snippet`.

    Raises:
      SnippetError: every problem, each with file, line and column.
    """
    found = check_snippet(file, values, runner=runner, catalog=catalog, options=options)
    if found.built is None:
        raise mistakes(file, found.problems)
    return found.built


def mistakes(file: str | Path, problems: Sequence[Problem]) -> SnippetError:
    """The error of problems: one as it is, or several below a headline."""
    if len(problems) == 1:
        return SnippetError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
    return SnippetError(f"{len(problems)} problems", where=str(file), problems=problems)


def _deprecated(builder: StepBuilder, wiring: Wiring) -> Iterator[Problem]:
    for step in wiring.steps:
        if step.entry is not None and step.entry.status == "deprecated":
            what = f"{step.entry.name} {step.entry.version} is deprecated"
            yield Problem(what, builder.where(step), f"blocks show {step.entry.name}, and use a newer major")


def beam_types() -> set[str]:
    """The types of Beam YAML's own transforms, without the language that some have at the end."""
    return {name.split("-")[0] for name in yaml_provider.standard_providers()}


class _Options(PipelineOptions):
    """Options whose views are made once: Beam asks for them at every step, and each is a parser of arguments.

    All views of one object share its values, so that one that is kept is as good as a new one.
    """

    def view_as(self, cls: type) -> Any:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]


def _options(snippet: Snippet, more: Mapping[str, Any]) -> PipelineOptions:
    return _Options(flags=[], **{**snippet.options, **more})


def _rejects(snippet: Snippet, problems: list[Problem], rehearsal: "Rehearsal | None") -> Rejects | None:
    if snippet.rejects is None:
        return None
    given = snippet.rejects
    try:
        if rehearsal is not None:
            return rehearsal.rejects(snippet)
        return Rejects(given["path"], given.get("policy", snippet.policy), given.get("run_id"))
    except BlocksError as error:
        problems.extend(placed(error, given.get("policy") or snippet.policy or ""))
        return None


def _expand(
    pipeline: beam.Pipeline,
    wiring: Wiring,
    blocks: Mapping[int, Any],
    builder: StepBuilder,
    rejects: Rejects | None,
    problems: list[Problem],
) -> bool:
    """Whether every step was expanded, so that each problem of each step was found."""
    steps = {step.number: step for step in wiring.steps}

    def factory(step: int) -> AppliedStep:
        return AppliedStep(steps[step], blocks[step], builder)

    # A transform of Beam has a block only where one stands in for it.
    replaced = {step.id: step for step in wiring.steps if step.entry is None and step.number in blocks}
    kinds = {step.type for step in wiring.steps if step.entry is not None} | ({_REPLACED} if replaced else set())
    providers = {
        kind: [yaml_provider.InlineProvider({kind: factory}, no_input_transforms=[kind])] for kind in sorted(kinds)
    }
    before = len(problems)
    with contextlib.ExitStack() as stack:
        if rejects is not None:
            stack.enter_context(rejects)
        try:
            yaml_transform.expand_pipeline(
                pipeline, {"pipeline": _with_replaced(wiring.tree, replaced)}, providers, "none"
            )
        except Exception as error:  # Beam YAML raises whatever a transform or itself finds
            # After a step that is not there, what Beam says about the ones that follow is noise.
            if len(problems) == before and not any(block is None for block in blocks.values()):
                known = list(output_problems(builder.document, wiring.steps, builder.outputs))
                problems.extend(known or [_beam_problem(error, wiring, builder)])
            return False
    return True


def _with_replaced(tree: Any, replaced: Mapping[str, Step]) -> Any:
    if isinstance(tree, list):
        return [_with_replaced(one, replaced) for one in tree]
    if not isinstance(tree, dict) or not replaced:
        return tree
    step = replaced.get(tree.get("__uuid__", ""))
    if step is not None:
        return {**tree, "type": _REPLACED, "config": {"step": step.number}}
    return {key: _with_replaced(value, replaced) for key, value in tree.items()}


def _beam_problem(error: Exception, wiring: Wiring, builder: StepBuilder) -> Problem:
    """A problem that Beam YAML found, at the step that it names."""
    text = str(error)
    step = next((step for step in wiring.steps if f'"{step.name}" at line' in text), None)
    deepest: BaseException = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    said = str(deepest) or type(deepest).__name__
    for one in sorted(wiring.steps, key=lambda one: -one.number):
        said = re.sub(rf"\b{one.id}\b", one.name.replace("\\", r"\\"), said)
    what = f"Beam YAML: {said.replace(' at line unknown', '')}"
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
