"""Data and steps that the tests of writing share."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import GlobalWindow

from blocks.core.batch_type import BatchType
from blocks.writing.iceberg_table import IcebergTarget
from blocks.writing.partitions import parse_partitions
from blocks.writing.plan import CommitResult, FileDescription, WriteOptions
from blocks.writing.steps import WriteFiles
from blocks.writing.table_schema import storable
from blocks.writing.warehouse import _source_field

UTC = dt.UTC
DAY = 86_400_000_000
EVENTS = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("country", pa.string()),
        pa.field("amount", pa.decimal128(12, 2)),
        pa.field("items", pa.list_(pa.field("element", pa.struct([pa.field("sku", pa.string())])))),
        pa.field("occurred_at", pa.timestamp("us", tz="UTC"), metadata={"blocks.event_time": "true"}),
    ]
)


def event(number: int, at: dt.datetime | None, country: str | None = "DE") -> dict[str, Any]:
    return {
        "id": number,
        "country": country,
        "amount": Decimal(number) / 4,
        "items": [{"sku": f"s{number}"}],
        "occurred_at": at,
    }


def day(number: int, hour: int = 12) -> dt.datetime:
    return dt.datetime(2026, 1, number, hour, tzinfo=UTC)


def micros_of(number: int) -> int:
    return int(dt.datetime(2026, 1, number, tzinfo=UTC).timestamp()) * 1_000_000


def batch_of(rows: Sequence[dict[str, Any]], schema: pa.Schema = EVENTS) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=schema)


class Batches(beam.PTransform):
    """A PCollection of given batches; Beam must not pickle them, so they travel as IPC."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema = EVENTS) -> None:
        super().__init__()
        self._schema = schema
        self._written = [batch.serialize().to_pybytes() for batch in batches]

    def expand(self, begin: Any) -> beam.PCollection:
        schema = self._schema
        read = beam.Map(lambda written: pa.ipc.read_record_batch(pa.py_buffer(written), schema))
        return begin | beam.Create(self._written, reshuffle=False) | read.with_output_types(BatchType(schema))


def pipeline() -> beam.Pipeline:
    return beam.Pipeline(runner=FnApiRunner())


def write(block: beam.PTransform, *batches: pa.RecordBatch, schema: pa.Schema = EVENTS) -> None:
    with pipeline() as p:
        _ = p | Batches(batches, schema) | block


def target_of(folder: Path, schema: pa.Schema = EVENTS, partition_by: Any = "day(occurred_at)", **options: Any) -> Any:
    """An Iceberg target as WriteWarehouse makes it."""
    problems: list[Any] = []
    options = {"table": "events", "mode": "append", "run_id": "run", "event_time": "occurred_at", **options}
    made = WriteOptions(warehouse=str(folder), partitions=parse_partitions(partition_by, problems), **options)
    assert not problems
    full = schema.append(_source_field("_source")) if made.source else schema
    return IcebergTarget(made, storable(full, "test"))


def files_of(target: Any, plan: Any, batches: Iterable[pa.RecordBatch]) -> list[FileDescription]:
    """One bundle through the real worker step."""
    step = WriteFiles(target, target.options, EVENTS, None)
    step.setup()
    step.start_bundle()
    for batch in batches:
        assert list(step.process(batch, plan, GlobalWindow())) == []
    found = [windowed.value[1] for windowed in step.finish_bundle()]
    step.teardown()
    return found


def commit_of(target: Any, *batches: pa.RecordBatch) -> CommitResult:
    """A whole run without Beam."""
    plan = target.prepare()
    return target.commit(plan, files_of(target, plan, batches), target.options.run_id)


def with_options(target: Any, **options: Any) -> Any:
    return dataclasses.replace(target, options=dataclasses.replace(target.options, **options))


def ids(rows: pa.Table) -> list[int]:
    return sorted(rows.column("id").to_pylist())


def data_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))
