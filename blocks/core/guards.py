"""Checks of a pipeline as a whole, made when it is run: no pickled batches, no shuffle of raw personal values, and no
stream on a runner whose timers fire too early.

Every block calls `watch`, which makes the pipeline check itself once, at the start of `run()` (and so at the end of
`with beam.Pipeline()`), when all transforms are known. Decision: docs/decisions/0003-guards-at-run.md.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam import coders
from apache_beam.pipeline import AppliedPTransform, Pipeline, PipelineVisitor
from apache_beam.runners.common import DoFnSignature
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.core import CombineGlobally, CombinePerKey, Flatten, ParDo, WindowInto
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints import typehints as hints
from apache_beam.typehints.row_type import RowTypeConstraint

from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.errors import BatchTypeError, ConfigError, PrivacyError, Problem, all_problems
from blocks.core.policy import NO_POLICY, Policy, refusals

_SHUFFLES = (
    beam.GroupByKey,
    beam.CoGroupByKey,
    beam.Reshuffle,
    beam.transforms.util.ReshufflePerKey,
    CombinePerKey,
    CombineGlobally,
    beam.GroupIntoBatches,
)


class SplitsByWindow:
    """Mark of a transform that has split batches by window before it calls Beam's WindowInto."""


def watch(pipeline: Pipeline, policy: Policy | None = None) -> None:
    """Makes a pipeline check itself when it is run.

    Args:
      pipeline: the pipeline of a block's input.
      policy: the policy of the block, if it has one; labelled batches on a shuffle or in state must pass all of them.
    """
    policies = pipeline.__dict__.setdefault("_blocks_policies", [])
    if policy is not None and policy.file and policy not in policies:
        policies.append(policy)
    if "_blocks_watched" in pipeline.__dict__:
        return
    run = pipeline.run

    def checked_run(*args: Any, **kwargs: Any) -> Any:
        check_pipeline(pipeline)
        return run(*args, **kwargs)

    pipeline._blocks_watched = True
    pipeline.run = checked_run


def check_pipeline(pipeline: Pipeline) -> None:
    """Refuses a pipeline that would pickle batches, window them whole, or let raw personal values rest on a shuffle.

    And one whose timers Beam's local runner would fire too early.

    Raises:
      BatchTypeError: every edge on which Beam would pickle batches, every WindowInto over batches.
      PrivacyError: every shuffle, side input and stateful step that would hold columns which the policy forbids there.
      ConfigError: every step with timers that FnApiRunner would give the elements of an endless source.
    """
    visitor = _Visitor(pipeline.__dict__.get("_blocks_policies") or [NO_POLICY])
    pipeline.visit(visitor)
    with all_problems("the pipeline", BatchTypeError) as problems:
        problems.extend(visitor.types())
    with all_problems("the pipeline", PrivacyError) as problems:
        problems.extend(visitor.resting)
    if isinstance(pipeline.runner, FnApiRunner):
        with all_problems("the pipeline", ConfigError) as problems:
            problems.extend(visitor.early)


class _Visitor(PipelineVisitor):
    def __init__(self, policies: list[Policy]) -> None:
        self._policies = policies
        self._consumed: set[Any] = set()
        self._produced: list[tuple[AppliedPTransform, str | None, Any]] = []
        self._windowed: list[Problem] = []
        self._open: list[AppliedPTransform] = []
        self._endless: set[Any] = set()
        self.resting: list[Problem] = []
        self.early: list[Problem] = []

    def enter_composite_transform(self, node: AppliedPTransform) -> None:
        self._rest(node)
        if isinstance(node.transform, _SHUFFLES) and not self._in_shuffle():
            self._produced.extend((node, tag, output) for tag, output in node.outputs.items())
        self._open.append(node)

    def leave_composite_transform(self, node: AppliedPTransform) -> None:
        self._open.pop()

    def visit_transform(self, node: AppliedPTransform) -> None:
        self._rest(node)
        self._time(node)
        self._consumed.update(node.inputs)
        self._consumed.update(side.pvalue for side in node.side_inputs)
        if not self._in_shuffle():
            # What a user declares for one of Beam's own steps is not known to the steps within it.
            self._produced.extend((node, tag, output) for tag, output in node.outputs.items())
        self._window(node)

    def _in_shuffle(self) -> bool:
        return any(isinstance(parent.transform, _SHUFFLES) for parent in self._open)

    def types(self) -> Iterator[Problem]:
        """A problem for every edge on which batches would be pickled, and every WindowInto over batches."""
        yield from self._windowed
        for node, tag, output in self._produced:
            if output in self._consumed and (what := _pickled(node, output.element_type)):
                name = f"`{node.full_label}`" + (f", output `{tag}`" if tag not in (None, "None") else "")
                yield Problem(f"batches would be pickled: {what}", name, _FIX)

    def _window(self, node: AppliedPTransform) -> None:
        transform = node.transform
        if not isinstance(transform, WindowInto) or isinstance(transform.windowing.windowfn, GlobalWindows):
            return
        if any(isinstance(parent.transform, SplitsByWindow) for parent in self._open):
            return
        if any(_batch_types(source.element_type) for source in node.inputs):
            what = "WindowInto would put a whole batch into the window of its earliest row"
            self._windowed.append(Problem(what, f"`{node.full_label}`", "use blocks.WindowRows(windowfn) instead"))

    def _time(self, node: AppliedPTransform) -> None:
        signature = DoFnSignature(node.transform.fn) if isinstance(node.transform, ParDo) else None
        endless = not self._endless.isdisjoint(node.inputs)
        if signature is not None and signature.has_timers() and endless:
            what = "an endless source on FnApiRunner, which fires timers too early: rows would be wrong"
            fix = "run streams with Prism or Flink, as `blocks run --engine prism`; see docs/runners.md"
            self.early.append(Problem(what, f"`{node.full_label}`", fix))
        if endless or (signature is not None and signature.is_unbounded_per_element()):
            self._endless.update(node.outputs.values())

    def _rest(self, node: AppliedPTransform) -> None:
        if isinstance(node.transform, _SHUFFLES):
            self._check(node, node.inputs, "shuffle")
        elif isinstance(node.transform, ParDo):
            self._check(node, [side.pvalue for side in node.side_inputs], "shuffle")
            signature = DoFnSignature(node.transform.fn)
            if signature.is_stateful_dofn():
                # Runners bring the elements of a key together before they give them to it.
                self._check(node, node.inputs, "shuffle")
            if signature.is_stateful_dofn() or signature.is_splittable_dofn():
                # What is left of a split element is part of a checkpoint.
                self._check(node, node.inputs, "state")

    def _check(self, node: AppliedPTransform, sources: Iterable[Any], destination: str) -> None:
        if destination == "shuffle" and self._in_shuffle():
            # The outermost says it.
            return
        for source in sources:
            self._check_type(node, source.element_type, destination)

    def _check_type(self, node: AppliedPTransform, element_type: Any, destination: str) -> None:
        for batch_type in _batch_types(element_type):
            for policy in self._policies:
                for problem in refusals(batch_type.schema, policy, destination):
                    where = f"`{node.full_label}` ({destination}), {problem.where}"
                    found = Problem(problem.what, where, problem.fix)
                    if found not in self.resting:
                        self.resting.append(found)


_FIX = (
    "declare the output: .with_output_types(blocks.BatchType(schema)), for tagged outputs "
    ".with_output_types(main, tag=blocks.BatchType(schema)); to merge batches use blocks.UnionBatches; "
    "if the step gives no batches, declare what it gives, such as .with_output_types(int)"
)


def _batch_types(element_type: Any) -> list[BatchType]:
    """Every batch type in a type, as often as it stands there."""
    if isinstance(element_type, BatchType):
        return [element_type]
    return [found for inner in _inner(element_type) for found in _batch_types(inner)]


def _inner(element_type: Any) -> list[Any]:
    """The types that a type is made of."""
    if isinstance(element_type, RowTypeConstraint):
        return [kind for _, kind in element_type._fields]
    if isinstance(element_type, hints.TypeConstraint):
        # A union does not count its members as inner types.
        return list(getattr(element_type, "union_types", ())) or list(element_type._inner_types())
    return []


def _within(element_type: Any) -> Iterator[Any]:
    """A type and everything that it is made of."""
    yield element_type
    for inner in _inner(element_type):
        yield from _within(inner)


def _hides(node: AppliedPTransform, element_type: Any) -> bool:
    """Whether the type of a step's output does not say what it is, or what it is made of."""
    # Rows as dicts of anything pass where somebody has declared them; where Beam guessed, it guessed nothing.
    declared = node.transform.get_type_hints().has_simple_output_type()
    return element_type is None or _is_open(element_type, declared)


def _is_open(element_type: Any, dicts_pass: bool) -> bool:
    if isinstance(element_type, hints.DictConstraint) and dicts_pass:
        return False
    if element_type in (hints.Any, object) or isinstance(element_type, hints.TypeVariable):
        return True
    return any(_is_open(inner, dicts_pass) for inner in _inner(element_type))


def _pickled(node: AppliedPTransform, element_type: Any) -> str:
    """Why batches would be pickled on an edge; empty if they would not."""
    for inner in _within(element_type):
        if isinstance(inner, type) and issubclass(inner, pa.RecordBatch | pa.Table):
            return f"the type is {inner.__name__}, which has no schema"
    if isinstance(node.transform, (ParDo, Flatten, *_SHUFFLES)) and _hides(node, element_type):
        taken = [*node.inputs, *(side.pvalue for side in node.side_inputs)]
        if any(_batch_types(source.element_type) for source in taken):
            return "the step takes batches and does not say what it gives"
    kinds = _batch_types(element_type)
    if kinds and len(kinds) != _batch_coders(element_type):
        return f"Beam has no coder for {element_type}"
    return ""


def _batch_coders(element_type: Any) -> int:
    """How many batch coders Beam uses for a type; fewer than its batch types means that it pickles some of them."""
    try:
        waiting: list[Any] = [coders.registry.get_coder(element_type)]
    except (TypeError, ValueError, AttributeError):
        return 0
    count = 0
    while waiting:
        coder = waiting.pop()
        count += isinstance(coder, BatchCoder)
        waiting += coder._get_component_coders()
    return count
