"""Applies the steps of a snippet, noting what is wrong instead of raising it.

A step that cannot be built, or that refuses its input, gives an output of which later steps are told what is known of
its columns, so that the problems of all steps are found in one go.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

import apache_beam as beam

from blocks.core.errors import BlocksError
from blocks.snippets.columns import Known, Unbuilt, below, column_problems, known_of
from blocks.snippets.configs import StepBuilder
from blocks.snippets.graph import Step, in_order, sources


class AppliedStep(beam.PTransform):
    """Applies a block; a problem is noted instead of raised, and gives an output of the type `Unbuilt`.

    Args:
      step: of the snippet.
      block: of the step; None where its config is wrong.
      builder: takes the problems.
    """

    def __init__(self, step: Step, block: Any, builder: StepBuilder) -> None:
        super().__init__(step.name)
        self._step, self._block, self._builder = step, block, builder

    def expand(self, pvalue: Any) -> Any:
        """Applies the block, or says what is wrong."""
        found = list(pvalue.values()) if isinstance(pvalue, dict) else [pvalue]
        types = [getattr(one, "element_type", None) for one in found]
        # A block may know its outputs without its input.
        if (names := getattr(self._block, "output_names", None)) is not None:
            self._builder.outputs[self._step.number] = names
        if self._block is None or any(isinstance(one, Unbuilt) for one in types):
            known = [] if isinstance(found[0], beam.pvalue.PBegin) else [known_of(one) for one in types]
            wrong = self._block is None
            if self._step.entry is not None and self._has_main_input():
                for problem in column_problems(self._step.entry, self._builder.right(self._step), known):
                    self._builder.note(self._step, BlocksError(problem.what, where=problem.where, fix=problem.fix))
                    wrong = True
            return self._unbuilt(pvalue, known, wrong)
        try:
            result = pvalue | self._block
            self._builder.outputs[self._step.number] = tuple(result) if isinstance(result, dict) else ()
            return result
        except BlocksError as error:
            self._builder.note(self._step, error)
        except Exception as error:  # a type that Beam refuses, for one
            what = f"{type(error).__name__}: {error}"
            self._builder.note(self._step, BlocksError(what, fix=f"blocks show {self._step.type}"))
        return self._unbuilt(pvalue, [known_of(one) for one in types if one is not None], True)

    def _unbuilt(self, pvalue: Any, known: list[Known | None], mistaken: bool) -> beam.PCollection:
        first = next(iter(pvalue.values())) if isinstance(pvalue, dict) else pvalue
        right = self._builder.right(self._step)
        names = [key for key, _ in self._step.inputs]
        told = below(self._step.entry, right, self._step.config, known, mistaken, names)
        return unbuilt(first.pipeline, self._step, told)

    def _has_main_input(self) -> bool:
        """Whether the first input is the one whose columns the config names, and not another under a wrong name."""
        names = self._step.entry.inputs if self._step.entry is not None else ()
        first = self._step.inputs[0][0] if self._step.inputs else ""
        return not names or first in ("", "input", names[0])

    def __getstate__(self) -> dict[str, Any]:
        # Beam pickles a composite that has no parts; the rest belongs to building.
        return {"label": self.label}


def unbuilt(pipeline: beam.Pipeline, step: Step, known: Known | None) -> beam.PCollection:
    """An output that only tells what is known of it."""
    nothing = pipeline | f"Unbuilt {step.number}" >> beam.Impulse()
    nothing.element_type = Unbuilt(known)
    return nothing


def walk(steps: list[Step], blocks: Mapping[int, Any], builder: StepBuilder) -> None:
    """Applies the blocks of a snippet that Beam YAML cannot expand, one by one, and notes what is wrong.

    Of inputs that are not there, and of what transforms of Beam give, nothing is known.
    """
    pipeline = beam.Pipeline()
    outputs: dict[int, Any] = {}
    for step in in_order(steps):
        found: dict[str, Any] = {}
        for number, source in enumerate(sources(step)):
            given = outputs.get(source.step.number) if source.step is not None else None
            if isinstance(given, Mapping) or source.output:
                given = given.get(source.output) if isinstance(given, Mapping) else None
            if given is None:
                given = pipeline | f"Unknown {step.number} {number}" >> beam.Impulse()
                given.element_type = Unbuilt()
            found[source.key or str(number)] = given
        given = found if len(found) > 1 else next(iter(found.values()), beam.pvalue.PBegin(pipeline))
        if step.entry is None:
            outputs[step.number] = unbuilt(pipeline, step, None)
            continue
        with contextlib.suppress(Exception):
            # What Beam itself finds here is a consequence of what was found before.
            result = given | f"Step {step.number}" >> AppliedStep(step, blocks.get(step.number), builder)
            outputs[step.number] = result
