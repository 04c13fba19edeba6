"""Pipelines over the core that give the same rows on every engine."""

import typing
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import window as w

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.batches import AsBatches, AsRows, UnionBatches
from blocks.core.block import BatchBlock
from blocks.core.windows import WindowRows

SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("id", pa.int64(), False),
            pa.field("name", pa.string(), metadata={"blocks.label": "pii.name"}),
            pa.field("tags", pa.list_(pa.struct([pa.field("t", pa.string()), pa.field("n", pa.decimal128(9, 2))]))),
            pa.field("at", pa.timestamp("us", "UTC"), False),
        ]
    ),
    "at",
)
POLICY = {"destinations": {name: {"labels": {"*": "keep"}} for name in ("rows", "shuffle", "state")}}


def batches(count: int = 6, rows: int = 50) -> Iterator[pa.RecordBatch]:
    """Slices of larger batches, with nulls, nested values and times around 1970."""
    for number in range(count):
        ids = range(number * rows, (number + 1) * rows)
        yield pa.RecordBatch.from_pylist(
            [
                {
                    "id": one,
                    "name": None if one % 7 == 0 else f"name {one}",
                    "tags": None if one % 5 == 0 else [{"t": str(n), "n": None} for n in range(one % 3)],
                    "at": (one - 100) * 1_000_000 + one,
                }
                for one in ids
            ],
            SCHEMA,
        ).slice(1)


def _source(pipeline: beam.Pipeline) -> beam.PCollection:
    made = pipeline | beam.Create(range(6))
    return made | beam.FlatMap(lambda n: [list(batches())[n]]).with_output_types(BatchType(SCHEMA))


class UpperNames(BatchBlock):
    """A block as MaskColumns is one: it changes the values of a column and where they came from."""

    keeps_rows = True

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        at = schema.get_field_index("name")
        return schema.set(at, labels.with_labels(schema.field(at), ["public"]))

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        output, at = self.output_schema(schema), schema.get_field_index("name")

        def upper(batch: pa.RecordBatch) -> pa.RecordBatch:
            columns = batch.columns
            columns[at] = pc.utf8_upper(columns[at])
            return pa.RecordBatch.from_arrays(columns, schema=output)

        return upper


class _Shown(beam.DoFn):
    """Every row as text, with its window; batches arrive in any number and order."""

    def process(self, batch: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[str]:
        assert isinstance(batch, pa.RecordBatch)
        for row in batch.to_pylist():
            yield f"{row} in {window}"


def through_shuffle(pipeline: beam.Pipeline) -> beam.PCollection:
    return _source(pipeline) | UpperNames() | beam.Reshuffle() | "Again" >> UpperNames()


def through_rows(pipeline: beam.Pipeline) -> beam.PCollection:
    rows = _source(pipeline) | AsRows(POLICY) | beam.Reshuffle() | beam.Filter(lambda row: row.id % 2 == 0)
    made = rows | AsBatches(max_rows=20)
    assert made.element_type == BatchType(SCHEMA)
    return made


def through_windows(pipeline: beam.Pipeline) -> beam.PCollection:
    windowed = _source(pipeline) | UpperNames() | WindowRows(w.SlidingWindows(60, 25))
    return windowed | beam.Reshuffle() | "Again" >> UpperNames()


def through_group_by_key(pipeline: beam.Pipeline) -> beam.PCollection:
    kind = typing.Tuple[int, BatchType(SCHEMA)]  # noqa: UP006
    keyed = _source(pipeline) | beam.Map(lambda one: (one.num_rows % 2, one)).with_output_types(kind)
    windowed = keyed | beam.GroupByKey()
    return windowed | beam.FlatMap(lambda group: group[1]).with_output_types(BatchType(SCHEMA))


def through_union(pipeline: beam.Pipeline) -> beam.PCollection:
    made = _source(pipeline)
    parts = (made | "Upper" >> UpperNames(), made | "Same" >> UpperNames())
    return parts | UnionBatches() | beam.Reshuffle()


def result(build: Callable[[beam.Pipeline], beam.PCollection], runner: Any, options: list[str], to: Path) -> list[str]:
    to.mkdir()

    def keep(text: str) -> int:
        # A retried bundle would write again: the names are those of the content's place, never counted.
        return (to / uuid.uuid4().hex).write_text(text)

    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
    shown = build(pipeline) | "Show" >> beam.ParDo(_Shown()).with_output_types(str)
    shown | "Keep" >> beam.Map(keep).with_output_types(int)
    pipeline.run().wait_until_finish()
    return sorted(one.read_text() for one in to.iterdir())


BUILDS = [through_shuffle, through_rows, through_windows, through_group_by_key, through_union]
