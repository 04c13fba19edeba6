"""Runs a query on the local runner and keeps what comes out."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.engines.sql_service import SqlStage, service


class Ran:
    """What came out of a query: rows, failed rows, batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[pa.RecordBatch, float, Any]] = []
        self.errors: list[dict[str, Any]] = []

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for batch, _, _ in self.batches for row in batch.to_pylist()]


_RAN: dict[str, Ran] = {}


class _Keep(beam.DoFn):
    def __init__(self, key: str, schema: pa.Schema) -> None:
        self.key, self.schema = key, schema

    def process(self, message: bytes, at: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam) -> None:
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), self.schema)
        batch.validate(full=True)
        _RAN[self.key].batches.append((batch, float(at), window))


class _KeepErrors(beam.DoFn):
    def __init__(self, key: str) -> None:
        self.key = key

    def process(self, message: bytes) -> None:
        _RAN[self.key].errors.extend(pa.ipc.open_stream(message).read_all().to_pylist())


def run(
    query: str,
    tables: dict[str, pa.RecordBatch | Sequence[pa.RecordBatch]],
    output: pa.Schema | None = None,
    udf_jars: Sequence[Path] = (),
    prepare: Any = None,
    **options: Any,
) -> Ran:
    """Runs a query on the local runner.

    Args:
      query: of Beam SQL.
      tables: by name; a batch, or several.
      output: declared; what the engine plans unless given.
      udf_jars: of the user.
      prepare: a transform before the query, such as one that assigns windows.
      options: of SqlStage.
    """
    lists = {name: [given] if isinstance(given, pa.RecordBatch) else list(given) for name, given in tables.items()}
    schemas = {name: batches[0].schema for name, batches in lists.items()}
    if output is None:
        planned = service().plan(query, schemas, udf_jars, deadline=120)
        assert planned.problems == ()
        output = planned.schema
    key = uuid.uuid4().hex
    _RAN[key] = Ran()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        inputs = {}
        for name, batches in lists.items():
            messages = [bytes(batch.serialize().to_pybytes()) for batch in batches]
            inputs[name] = pipeline | f"Make {name}" >> beam.Create(messages).with_output_types(bytes)
            if prepare is not None:
                inputs[name] = inputs[name] | f"Prepare {name}" >> prepare
        outputs = inputs | SqlStage(query, schemas, output, udf_jars, **options)
        _ = outputs["rows"] | "Keep rows" >> beam.ParDo(_Keep(key, output))
        _ = outputs["errors"] | "Keep errors" >> beam.ParDo(_KeepErrors(key))
    return _RAN.pop(key)
