"""Runs a RunSql over rows and gives what came out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.dataset as ds
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.core.batch_type import BatchType
from blocks.core.rejects import Rejects
from blocks.sql.run_sql import RunSql
from blocks.testing.collecting import collect

POLICY = {"destinations": {"rejects": {"labels": {"public": "keep"}}}}


def field(name: str, kind: Any, label: str = "public", required: bool = False, **marks: str) -> pa.Field:
    """A labelled field."""
    marked = {f"blocks.{key}": value for key, value in marks.items()}
    return pa.field(name, kind, not required, metadata={"blocks.label": label, **marked})


def batch_of(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def source(pipeline: beam.Pipeline, batch: pa.RecordBatch, label: str = "Source") -> beam.PCollection:
    """One batch, which Beam does not pickle."""
    made = pipeline | label >> beam.Create([0])
    return made | f"{label} batch" >> beam.Map(lambda _: batch).with_output_types(BatchType(batch.schema))


def run(
    block: Any,
    batches: pa.RecordBatch | Mapping[str, pa.RecordBatch],
    rejects: Path | None = None,
    policy: Any = POLICY,
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """The rows and the rejects; `block` is a RunSql, or makes one of a `Rejects`."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    if isinstance(batches, pa.RecordBatch):
        given: Any = source(pipeline, batches)
    else:
        given = {name: source(pipeline, batch, name) for name, batch in batches.items()}
    if rejects is None:
        found = collect(given | (block if isinstance(block, RunSql) else block(None)))
        pipeline.run().wait_until_finish()
        return found.table(), []
    with Rejects(rejects, policy, "run") as handler:
        found = collect(given | block(handler))
    pipeline.run().wait_until_finish()
    files = ds.dataset(rejects / "run", format="parquet").to_table() if (rejects / "run").exists() else None
    told = [] if files is None else files.to_pylist()
    for one in told:
        one["record"] = None if one["record"] is None else json.loads(one["record"])
    return found.table(), sorted(told, key=lambda one: (one["code"], one["message"], str(one["record"])))
