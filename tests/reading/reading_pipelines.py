"""Runs a reading step in a pipeline and gives what came out: rows, rejects, and batches with their time and window."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.core.rejects import Rejects

# The runner works in this process: what a step puts here is here afterwards.
COLLECTED: dict[str, list[Any]] = {}


class Collect(beam.DoFn):
    def __init__(self, key: str) -> None:
        self._key = key

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> None:
        COLLECTED.setdefault(self._key, []).append((batch, timestamp, window))


@dataclass
class Outcome:
    batches: list[tuple[pa.RecordBatch, Any, Any]]
    rejects: list[dict[str, Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for batch, _, _ in self.batches for row in batch.to_pylist()]

    @property
    def codes(self) -> dict[str, int]:
        codes = [reject["code"] for reject in self.rejects]
        return {code: codes.count(code) for code in sorted(set(codes))}


def run(
    step: Callable[[Any, Rejects | None], Any], folder: Path | None = None, policy: Any = None, run_id: str = "run"
) -> Outcome:
    """What `step(pipeline, rejects)` gives; rejects are collected in the folder, or, without one, the first stops."""
    key = uuid.uuid4().hex
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        if folder is None:
            step(pipeline, None) | "Collect" >> beam.ParDo(Collect(key))
        else:
            with Rejects(folder, policy=policy, run_id=run_id) as rejects:
                step(pipeline, rejects) | "Collect" >> beam.ParDo(Collect(key))
    files = sorted((folder / run_id).glob("*.parquet")) if folder else []
    found = [row for file in files for row in pq.read_table(file).to_pylist()]
    return Outcome(COLLECTED.pop(key, []), sorted(found, key=lambda row: (row["source"], row["position"] or 0)))
