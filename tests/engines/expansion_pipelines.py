"""Pipelines that use blocks as another language does: through a running expansion service, by identifier."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.external import SchemaAwareExternalTransform

from blocks.core.row_types import row_type_of
from blocks.core.row_values import row_maker
from blocks.snippets.expansion.columns import labelled_type

SCHEMA = """
name: order
fields:
  - {name: id, type: int64, required: true, label: public, key: true}
  - {name: email, type: string, label: pii.email}
  - {name: amount, type: "decimal128(9, 2)", label: public}
  - {name: at, type: "timestamp[us, tz=UTC]", label: public, event_time: true}
  - name: address
    type: struct
    fields:
      - {name: street, type: string, label: pii.street}
      - {name: country, type: string, label: public}
"""
POLICY = """
keys: {main: "env:BLOCKS_MASK_KEY"}
destinations:
  warehouse: &masked
    protected: true
    labels: {public: keep, pii.email: {method: hmac, key: main}, "pii.*": drop}
  rows: *masked
  support: &encrypted
    protected: true
    labels: {public: keep, "pii.*": {method: encrypt, key: main}}
  rejects: {labels: {public: keep}}
"""
# What a partner's own code may see: everything.
OPEN = 'destinations: {rows: {labels: {"*": keep}}}'
ORDERS: list[dict[str, Any]] = [
    {"id": 1, "email": "marker@example.org", "address": {"street": "Marker St", "country": "PL"}},
    {"id": 2, "email": None, "address": None},
]


def urn(name: str) -> str:
    """`MaskColumns:v1` with what stands before every block's name."""
    return f"beam:schematransform:blocks:{name}"


def rows_of(pipeline: beam.Pipeline, schema: pa.Schema, rows: list[dict[str, Any]], label: str = "Rows") -> Any:
    """A PCollection of rows whose type has the labels of a schema in its field options, as one from Java has."""
    batch = pa.RecordBatch.from_pylist(rows, schema)
    kind = row_type_of(schema, "test")
    made = list(row_maker(schema, "test")(batch))
    typed = beam.Map(lambda number: made[number]).with_output_types(labelled_type(kind, schema))
    return pipeline | f"{label} numbers" >> beam.Create(range(len(made))) | label >> typed


def applied(address: Any, name: str, given: Any, config: Mapping[str, Any], label: str = "") -> Any:
    """A block, by identifier, on a PCollection, several or a pipeline."""
    return given | (label or name) >> SchemaAwareExternalTransform(urn(name), address, **config)


class Written(beam.DoFn):
    """Writes each element to a file of its own: the worker is another process in all but name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def process(self, row: Any) -> None:
        (self._folder / uuid.uuid4().hex).write_text(json.dumps(_plain(row), default=str))


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def run(pipeline: beam.Pipeline, folder: Path, **outputs: Any) -> dict[str, list[dict[str, Any]]]:
    """Runs a pipeline on the local runner, and gives the rows of its outputs in order of their text."""
    for name, output in outputs.items():
        (folder / name).mkdir()
        output | f"Write {name}" >> beam.ParDo(Written(folder / name))
    pipeline.run().wait_until_finish()
    return {
        name: [json.loads(text) for text in sorted(file.read_text() for file in (folder / name).iterdir())]
        for name in outputs
    }


def local_pipeline() -> beam.Pipeline:
    """A pipeline on Beam's local runner, which runs steps of other environments where they belong."""
    return beam.Pipeline(runner=FnApiRunner())
