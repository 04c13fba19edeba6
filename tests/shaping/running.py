"""Runs a block over batches on the local runner, and gives back its rows and counters."""

import contextlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from blocks.core.batch_type import BatchType
from blocks.core.rejects import Rejects


@dataclass(frozen=True)
class Ran:
    """Rows that came out, in the order of their batches, and Beam's result."""

    rows: list[dict[str, Any]]
    schema: pa.Schema
    result: Any


def kept_batches(batches: Sequence[pa.RecordBatch]) -> beam.PTransform:
    """The batches, typed; they travel as bytes, for Beam would pickle them."""
    made = beam.Create([_to_bytes(batch) for batch in batches], reshuffle=False)
    return made | beam.Map(_from_bytes).with_output_types(BatchType(batches[0].schema))


def run_over(
    block: beam.PTransform | Callable[[Rejects], beam.PTransform],
    batches: Sequence[pa.RecordBatch],
    rejects_at: Path | None = None,
    policy: Mapping[str, Any] | None = None,
    *before: beam.PTransform,
) -> Ran:
    """Runs a block, or what a function makes of the rejects, over batches.

    Args:
      block: the block, or its maker where there are rejects.
      batches: at least one.
      rejects_at: folder of the rejects.
      policy: of the rejects.
      before: steps between the batches and the block.
    """
    key = uuid.uuid4().hex
    pipeline = beam.Pipeline(runner=FnApiRunner())
    with contextlib.ExitStack() as stack:
        given = pipeline | kept_batches(batches)
        for step in before:
            given |= step
        if rejects_at is not None:
            rejects = stack.enter_context(Rejects(rejects_at, policy=policy))
            block = block(rejects)  # type: ignore[operator]
        found = given | block
        as_rows = found | "As rows" >> beam.FlatMap(lambda batch: batch.to_pylist()).with_output_types(dict)
        assert_that(as_rows, _Keep(key))
    result = pipeline.run()
    result.wait_until_finish()
    return Ran(_KEPT.pop(key), found.element_type.schema, result)


def counters(result: Any, block: str) -> dict[str, int]:
    """The sums of a block's counters, without its name."""
    sums: dict[str, int] = {}
    for one in result.metrics().query()["counters"]:
        name, _, what = one.key.metric.name.partition(":")
        if one.key.metric.namespace == "blocks" and name == block:
            sums[what] = sums.get(what, 0) + one.result
    return sums


# The local runner runs in this process, but pickles what it runs.
_KEPT: dict[str, list[dict[str, Any]]] = {}


@dataclass(frozen=True)
class _Keep:
    key: str

    def __call__(self, rows: Sequence[dict[str, Any]]) -> None:
        _keep(self.key, rows)


def _keep(key: str, rows: Sequence[dict[str, Any]]) -> None:
    import running

    running._KEPT[key] = list(rows)


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _from_bytes(content: bytes) -> pa.RecordBatch:
    return next(iter(pa.ipc.open_stream(content)))
