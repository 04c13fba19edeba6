"""Rows to deduplicate, what must come out of them in plain Python, and how they go through a stream."""

import datetime
import itertools
import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.labels import with_event_time

Row = tuple[str | None, float, str]

SCHEMA = with_event_time(
    pa.schema([("key", pa.string()), ("at", pa.timestamp("us", tz="UTC")), ("note", pa.string())]), "at"
)
# What the steps at the ends of pipelines saw; the runners of these tests work in this process.
SEEN: dict[int, list[Any]] = {}
_numbers = itertools.count()


def moment(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)


def batch(rows: Sequence[Row], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    columns = [[row[0] for row in rows], [moment(row[1]) for row in rows], [row[2] for row in rows]]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def plain(batches: Sequence[pa.RecordBatch]) -> list[Row]:
    rows = [row for one in batches for row in one.to_pylist()]
    found = [(row["key"], row["at"].timestamp(), row["note"]) for row in rows]
    return sorted(found, key=lambda row: (row[0] or "", *row))


def oracle(rows: Sequence[Row]) -> list[Row]:
    """The rows that stay: of each key and time the one with the smallest BLAKE2b of the form that is documented."""

    def content(row: Row) -> bytes:
        words = [row[0], str(round(row[1] * 1_000_000)), row[2]]
        form = b"".join(b"~" if word is None else f"{len(word)}:{word}".encode() for word in words)
        return blake2b(form, digest_size=16, person=b"blocks.content").digest()

    groups: dict[tuple[str | None, float], list[Row]] = {}
    for row in rows:
        groups.setdefault(row[:2], []).append(row)
    return sorted((min(group, key=content) for group in groups.values()), key=lambda row: (row[0] or "", *row))


class _Keep(beam.DoFn):
    def __init__(self, number: int) -> None:
        self._number = number

    def process(self, element: Any) -> None:
        SEEN[self._number].append(element)


class Collect(beam.PTransform):
    """Keeps the batches: this runner's GroupByKey, and so `assert_that`, would drop what timers put out at the end."""

    def __init__(self) -> None:
        super().__init__(f"Collect {next(_numbers)}")
        self.number = next(_numbers)
        SEEN[self.number] = []

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        return pcoll | beam.ParDo(_Keep(self.number)).with_output_types(int)

    @property
    def found(self) -> list[Any]:
        return SEEN[self.number]


def in_batch(batches: Sequence[pa.RecordBatch], transform: Any, bounded: bool = True) -> Any:
    """Runs the batches, each in a bundle of its own, through a transform that takes a typed PCollection."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    numbers = pipeline | beam.Create(list(range(len(batches))), reshuffle=False)
    schema = batches[0].schema
    streams = [one.serialize().to_pybytes() for one in batches]
    read = beam.Map(lambda number: pa.ipc.read_record_batch(pa.py_buffer(streams[number]), schema))
    typed = numbers | "Batches" >> read.with_output_types(BatchType(schema))
    typed.is_bounded = bounded
    transform(typed)
    result = pipeline.run()
    result.wait_until_finish()
    return result


def in_stream(events: Sequence[pa.RecordBatch | float], transform: Any, schema: pa.Schema = SCHEMA) -> Any:
    """Runs a stream: batches, each a bundle, and positions of the watermark (seconds)."""
    stream, watermark = TestStream(coder=BatchCoder(schema)), -math.inf
    for event in events:
        if isinstance(event, pa.RecordBatch):
            first = min(event.column("at").drop_null().to_pylist(), default=moment(0)).timestamp()
            stream = stream.add_elements([TimestampedValue(event, first)])
        elif event > watermark:
            stream, watermark = stream.advance_watermark_to(event), event
    options = PipelineOptions(streaming=True)
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=options)
    batches = pipeline | stream.advance_watermark_to_infinity()
    transform(batches | beam.Map(lambda one: one).with_output_types(BatchType(schema)))
    result = pipeline.run()
    result.wait_until_finish()
    return result
