"""How rows get into a pipeline under test: as batches in any bundling and layout, as a stream, as rows, as files.

    feed = Feed(tuple(batches_for(schema, 200)), bundles=3)
    with beam.Pipeline(runner=feed.runner(), options=feed.options()) as p:
        found = collect(p | feed.source() | MaskColumns(...))

The runner and its options belong to the feed: not every local runner does streams or several bundles at once.
"""

import base64
import datetime as dt
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pat
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.dictionaries import decode_batch, decode_schema
from blocks.core.times import earliest
from blocks.core.wire import take

Layout = Literal["plain", "sliced", "dictionary"]
# A stream comes in about so many bundles: each costs the runner some milliseconds a step.
_BUNDLES = 16


@dataclass(frozen=True)
class Feed:
    """Batches on their way into a pipeline.

    Attributes:
      batches: at least one, all of one schema.
      bundles: in how many bundles they are processed at once; the runner shuffles them first if it is more than one.
      stream: as an unbounded PCollection, with watermark steps that make no row late.
      lines: further JSON lines, as they are, where the rows go in as JSON: for what no batch can hold.
      layout: `plain`; `sliced`, each batch a slice of a larger one with other rows around it; or `dictionary`, texts
        dictionary-encoded before they enter, and decoded there, as the readers do.
    """

    batches: tuple[pa.RecordBatch, ...]
    bundles: int = 1
    stream: bool = False
    layout: Layout = "plain"
    lines: tuple[bytes, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Of every batch."""
        return self.batches[0].schema

    def runner(self) -> Any:
        """A local runner that can run it."""
        # TestStream gives right results on this runner only.
        return BundleBasedDirectRunner() if self.stream else FnApiRunner()

    def options(self) -> PipelineOptions:
        """Beam's options for it."""
        if self.stream:
            return PipelineOptions([], streaming=True)
        # Threads, not processes: each takes a bundle of its own.
        mode = "multi_threading" if self.bundles > 1 else "in_memory"
        return PipelineOptions([], direct_num_workers=self.bundles, direct_running_mode=mode)

    def source(self, inputs: int = 1) -> beam.PTransform:
        """A transform that begins a pipeline with the batches.

        Args:
          inputs: among how many PCollections they are dealt out; more than one gives a tuple.
        """
        return _Source(self, inputs)

    def messages(self) -> beam.PTransform:
        """A transform that begins a pipeline with the rows as JSON, one in bytes each, as from a message broker."""
        return _Messages(self)

    def write(self, folder: Path, form: Literal["json", "parquet"]) -> str:
        """Writes a file for each batch.

        Returns:
          The pattern that matches them.
        """
        folder.mkdir(parents=True, exist_ok=True)
        suffix = "jsonl" if form == "json" else "parquet"
        for number, batch in enumerate(self.batches):
            file = folder / f"part-{number:04d}.{suffix}"
            if form == "json":
                more = self.lines if number == 0 else ()
                file.write_bytes(b"".join(line + b"\n" for line in (*json_lines(batch), *more)))
            else:
                table = pa.Table.from_batches([dictionaries(batch) if self.layout == "dictionary" else batch])
                pq.write_table(table, file, row_group_size=50)
        return f"{folder}/part-*.{suffix}"


def empty_source(schema: pa.Schema) -> beam.PTransform:
    """A transform that begins a pipeline with no batch of a schema: for what is found out when a pipeline is built."""
    nothing = beam.FlatMap(lambda _: iter(())).with_output_types(BatchType(schema))
    return beam.Impulse() | "Nothing" >> nothing


class _Source(beam.PTransform):
    def __init__(self, feed: Feed, inputs: int) -> None:
        super().__init__()
        self._feed, self._inputs = feed, inputs

    def expand(self, begin: Any) -> Any:
        feed, layout = self._feed, self._feed.layout
        # The first byte says to which input a batch goes: a pipeline holds one TestStream at most.
        elements = [bytes([n % self._inputs]) + _padded(batch, layout) for n, batch in enumerate(feed.batches)]
        if feed.stream:
            given = begin | "Stream" >> _stream(elements, [_first(batch) for batch in feed.batches])
        else:
            given = begin | "Batches" >> beam.Create(elements, reshuffle=feed.bundles > 1)
        kind = BatchType(decode_schema(feed.schema))
        dealt = tuple(
            given | f"Decode {number}" >> beam.ParDo(_Decode(layout, number)).with_output_types(kind)
            for number in range(self._inputs)
        )
        return dealt if self._inputs > 1 else dealt[0]


class _Messages(beam.PTransform):
    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def expand(self, begin: Any) -> beam.PCollection:
        lines = [*self._feed.lines, *(line for batch in self._feed.batches for line in json_lines(batch))]
        if not self._feed.stream:
            return begin | "Messages" >> beam.Create(lines, reshuffle=self._feed.bundles > 1).with_output_types(bytes)
        rows = [batch.slice(row, 1) for batch in self._feed.batches for row in range(batch.num_rows)]
        times = [_first(rows[0])] * len(self._feed.lines) + [_first(row) for row in rows]
        typed = beam.Map(lambda line: line).with_output_types(bytes)
        return begin | "Stream" >> _stream(lines, times) | "Messages" >> typed


class _Decode(beam.DoFn):
    def __init__(self, layout: Layout, number: int) -> None:
        self._layout, self._number = layout, number

    def process(self, written: bytes) -> Iterator[pa.RecordBatch]:
        if written[0] != self._number:
            return
        for batch in pa.ipc.open_stream(written[1:]):
            rows = batch.num_rows // 3
            yield batch.slice(rows, rows) if self._layout == "sliced" else decode_batch(batch)


def _padded(batch: pa.RecordBatch, layout: Layout) -> bytes:
    if layout == "dictionary":
        batch = dictionaries(batch)
    if layout == "sliced" and batch.num_rows:
        # Three times the rows, of which the middle ones are taken: an offset that is forgotten gives other rows.
        others = take(batch, pa.array([(row + 1) % batch.num_rows for row in range(batch.num_rows)], pa.int64()))
        batch = pa.Table.from_batches([others, batch, others]).combine_chunks().to_batches()[0]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its columns of text as dictionaries; metadata stays."""
    fields, columns = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        is_text = pat.is_string(field.type) or pat.is_large_string(field.type)
        columns.append(column.dictionary_encode() if is_text else column)
        fields.append(field.with_type(columns[-1].type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata))


def _first(batch: pa.RecordBatch) -> Timestamp | None:
    return earliest(batch, labels.event_time_of(batch.schema))


def _stream(elements: list[bytes], times: list[Timestamp | None]) -> TestStream:
    """The elements in order, in some bundles, the watermark before each at the earliest that is still to come."""
    # TestStream takes whole milliseconds; an element may be stamped earlier than its rows.
    micros = [number * 1_000_000 if time is None else time.micros for number, time in enumerate(times)]
    stamps = [Timestamp(micros=one - one % 1000) for one in micros]
    waits = list(itertools.accumulate(reversed(stamps), min))[::-1]
    size = -(-len(elements) // _BUNDLES)
    stream = TestStream(coder=beam.coders.BytesCoder())
    before = MIN_TIMESTAMP
    for start in range(0, len(elements), size):
        if waits[start] > before:
            stream = stream.advance_watermark_to(waits[start])
            before = waits[start]
        bundle = zip(elements[start : start + size], stamps[start : start + size], strict=True)
        stream = stream.add_elements([TimestampedValue(element, stamp) for element, stamp in bundle])
    return stream.advance_watermark_to_infinity()


def json_lines(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Each row as the JSON that `ReadJson` reads back to it."""
    for row in batch.to_pylist():
        fields = zip(batch.schema, row.values(), strict=True)
        yield json.dumps({field.name: _json(value, field) for field, value in fields}, ensure_ascii=False).encode()


def _json(value: Any, field: pa.Field) -> Any:
    if value is None:
        return None
    kind = field.type
    if pat.is_map(kind):
        return {key: _json(item, kind.item_field) for key, item in value}
    if pat.is_struct(kind):
        return {child.name: _json(value[child.name], child) for child in kind}
    if labels.is_list(kind):
        return [_json(item, kind.value_field) for item in value]
    if pat.is_timestamp(kind) and (unit := labels.get(field, labels.EPOCH)):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * per_second // 10**6
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, Decimal) else value
