"""FlattenRecords in a pipeline: types, timestamps, typed child tables, and no batch pickled."""

import datetime
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.utils.timestamp import Timestamp

from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ColumnError
from blocks.core.windows import WindowRows
from blocks.flattening.records import FlattenRecords

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"blocks.key": "true"}),
        pa.field("at", pa.timestamp("us", tz="UTC"), metadata={"blocks.event_time": "true"}),
        pa.field("user", pa.struct([pa.field("city", pa.string(), metadata={"blocks.label": "public"})])),
        pa.field("type_hint", pa.list_(pa.struct([("x", pa.int64()), ("deep", pa.list_(pa.int64()))]))),
    ]
)


def moment(second: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)


FIRST = pa.RecordBatch.from_pylist(
    [
        {"id": "a", "at": moment(10), "user": {"city": "Oslo"}, "type_hint": None},
        {"id": "b", "at": moment(20), "user": None, "type_hint": [{"x": 1, "deep": [5, 6, 7]}, {"x": 2, "deep": None}]},
    ],
    schema=SCHEMA,
)
SECOND = pa.RecordBatch.from_pylist([{"id": "c", "at": moment(30), "type_hint": [None]}], schema=SCHEMA)


class Rows(beam.DoFn):
    """(timestamp, row) of every row of a batch."""

    def process(self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Any:
        yield from ((timestamp, row) for row in batch.to_pylist())


def rows(name: str) -> beam.ParDo:
    return beam.ParDo(Rows()).with_output_types(tuple[Timestamp, dict])


def events(pipeline: beam.Pipeline) -> beam.PCollection:
    created = pipeline | beam.Create([FIRST, SECOND]).with_output_types(BatchType(SCHEMA))
    return created | beam.Map(
        lambda batch: beam.window.TimestampedValue(batch, batch["at"][0].as_py().timestamp())
    ).with_output_types(BatchType(SCHEMA))


def same(expected: list[Any]) -> Callable[[list[Any]], None]:
    def check(actual: list[Any]) -> None:
        assert sorted(actual, key=repr) == sorted(expected, key=repr)

    return check


def test_rows_come_out_typed_with_the_timestamp_of_the_earliest() -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        block = FlattenRecords(explode=["type_hint", "type_hint.deep"], outer=False)
        flat = events(pipeline) | block
        assert flat.element_type == BatchType(block.output_schema(SCHEMA))
        expected = [
            (Timestamp(20), {"id": "b", "at": moment(20), "user_city": None, "type_hint_x": 1, "type_hint_deep": deep})
            for deep in (5, 6, 7)
        ]
        assert_that(flat | rows("flat"), same(expected))


def test_child_tables_come_out_typed_through_a_shuffle_each_with_its_timestamp() -> None:
    block = FlattenRecords(tables=True, repeat=["id", "at"], explode=["type_hint", "type_hint.deep"])
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        tables = events(pipeline) | block
        schemas = block.output_schemas(SCHEMA)
        assert {name: table.element_type for name, table in tables.items()} == {
            name: BatchType(schema) for name, schema in schemas.items()
        }
        for name, expected in {
            "main": [(Timestamp(10), "a"), (Timestamp(10), "b"), (Timestamp(30), "c")],
            "type_hint": [(Timestamp(20), "b"), (Timestamp(20), "b"), (Timestamp(30), "c")],
            "type_hint_deep": [(Timestamp(20), "b")] * 3,
        }.items():
            shuffled = tables[name] | f"Shuffle {name}" >> beam.Reshuffle()
            found = shuffled | f"Rows {name}" >> rows(name)
            ids = found | f"Ids {name}" >> beam.Map(lambda pair: (pair[0], pair[1]["id"]))
            assert_that(ids, same(expected), f"Check {name}")


def test_children_of_a_later_row_have_its_event_time_as_timestamp() -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        tables = events(pipeline) | FlattenRecords(tables=True)
        found = tables["type_hint"] | rows("items") | beam.Map(lambda pair: (pair[0], pair[1]["x"]))
        assert_that(found, same([(Timestamp(20), 1), (Timestamp(20), 2), (Timestamp(30), None)]))


def test_what_is_wrong_is_an_error_when_the_pipeline_is_built() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    with pytest.raises(ColumnError, match="no field `itens`"):
        events(pipeline) | FlattenRecords(explode="itens")
    with pytest.raises(BatchTypeError, match="expected a PCollection of batches"):
        pipeline | "Numbers" >> beam.Create([1]) | "Tables" >> FlattenRecords(tables=True)


def test_child_tables_in_sliding_windows_have_each_row_once_a_window() -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"at": moment(minute * 60), "items": [{"n": minute}]} for minute in (1, 2, 7)],
        schema=pa.schema(
            [
                pa.field("at", pa.timestamp("us", "UTC"), metadata={"blocks.event_time": "true"}),
                pa.field("items", pa.list_(pa.struct([("n", pa.int64())]))),
            ]
        ),
    )
    with beam.Pipeline(runner=FnApiRunner()) as p:
        rows = p | beam.Create([batch]).with_output_types(BatchType(batch.schema))
        tables = rows | WindowRows(beam.window.SlidingWindows(600, 300)) | FlattenRecords(tables=True)
        for name, table in tables.items():
            counts = table | f"{name} rows" >> beam.Map(lambda part: part.num_rows).with_output_types(int)
            alone = counts | f"{name} global" >> beam.WindowInto(beam.window.GlobalWindows())
            total = alone | f"{name} sum" >> beam.CombineGlobally(sum)
            # Three rows, each in two windows.
            assert_that(total, equal_to([6]), label=name)
