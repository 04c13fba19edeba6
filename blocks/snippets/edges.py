"""What stands on the edges of a built snippet: the schema, the kind and the windows of every output of every step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam
import pyarrow as pa
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.row_type import RowTypeConstraint

from blocks.core.batch_type import BatchType
from blocks.core.errors import BlocksError
from blocks.core.row_types import arrow_schema_of
from blocks.snippets.graph import Source, Step, sources


@dataclass(frozen=True)
class Output:
    """One output of a step.

    Attributes:
      step: that gives it.
      name: of several outputs; empty for the only one.
      kind: `batches`, `rows` or `values`.
      schema: its columns; None if not all of them are known before the pipeline runs.
      told: its columns as far as they are known, of type null where the type is not; None if nothing is.
      windows: in words; empty for the global window.
      pcollection: in the built pipeline.
    """

    step: Step
    name: str
    kind: str
    schema: pa.Schema | None
    told: pa.Schema | None
    windows: str
    pcollection: PCollection


@dataclass(frozen=True)
class Input:
    """One input of a step: where it comes from, and the output there."""

    source: Source
    output: Output | None


@dataclass(frozen=True)
class Edges:
    """The edges of a snippet.

    Attributes:
      outputs: number of a step to its outputs by name.
    """

    outputs: Mapping[int, Mapping[str, Output]]

    def inputs(self, step: Step) -> list[Input]:
        """The inputs of a step, in order."""
        found = []
        for source in sources(step):
            given = self.outputs.get(source.step.number, {}) if source.step is not None else {}
            output = given.get(source.output)
            if output is None and len(given) == 1 and not source.output:
                output = next(iter(given.values()))
            found.append(Input(source, output))
        return found


class _Built(Protocol):
    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def pipeline(self) -> beam.Pipeline: ...


def edges_of(built: _Built) -> Edges:
    """Reads the edges off the pipeline of a built snippet."""
    visitor = _Outputs({step.label: step for step in built.steps})
    built.pipeline.visit(visitor)
    return Edges(visitor.found)


class _Outputs(PipelineVisitor):
    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = steps
        self.found: dict[int, dict[str, Output]] = {step.number: {} for step in steps.values()}

    def enter_composite_transform(self, node: AppliedPTransform) -> None:
        self.visit_transform(node)

    def visit_transform(self, node: AppliedPTransform) -> None:
        step = self._steps.get(node.full_label)
        if step is None or (step.entry is not None and step.entry.gives == "tables"):
            return
        for tag, output in node.outputs.items():
            if isinstance(output, PCollection):
                name = "" if tag in (None, "None", "output") else str(tag)
                kind, schema = _read(output.element_type)
                told = schema if schema is not None else _told(output.element_type)
                self.found[step.number][name] = Output(step, name, kind, schema, told, _windows(output), output)


def _read(element_type: Any) -> tuple[str, pa.Schema | None]:
    if isinstance(element_type, BatchType):
        return "batches", element_type.schema
    try:
        return "rows", arrow_schema_of(element_type, "")
    except (BlocksError, TypeError, ValueError, AttributeError):
        # Beam's own transforms need not tell what they give.
        return ("values" if element_type in (str, bytes, int, float) else "rows"), None


def _told(element_type: Any) -> pa.Schema | None:
    if not isinstance(element_type, RowTypeConstraint):
        return None
    fields = []
    for name, kind in element_type._fields:
        try:
            fields.append(arrow_schema_of(RowTypeConstraint.from_fields([(name, kind)]), "").field(0))
        except (BlocksError, TypeError, ValueError, AttributeError):
            fields.append(pa.field(name, pa.null()))
    return pa.schema(fields)


def _windows(output: PCollection) -> str:
    windowfn = output.windowing.windowfn
    if isinstance(windowfn, GlobalWindows):
        return ""
    parts = [
        f"{name} {_duration(getattr(windowfn, name))}"
        for name in ("size", "period", "gap_size", "offset")
        if getattr(windowfn, name, None) and float(getattr(windowfn, name))
    ]
    return f"{type(windowfn).__name__}({', '.join(parts)})"


def _duration(seconds: Any) -> str:
    left = float(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if left >= size and left % size == 0:
            return f"{left / size:g}{unit}"
    return f"{left:g}s"
