"""SelectColumns: which columns stay, in which order, with what they mean."""

import pickle
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from shaping_data import SCHEMA, batch, rows, variants

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import ColumnError, ConfigError
from blocks.shaping.select_columns import SelectColumns
from blocks.shaping.split_rows import split_of


def select(block: SelectColumns, given: pa.RecordBatch) -> pa.RecordBatch:
    found = block.batch_function(given.schema)(given)
    assert found.schema.equals(block.output_schema(given.schema), check_metadata=True)
    return found


def test_the_named_columns_stand_in_the_order_in_which_they_are_named() -> None:
    found = select(SelectColumns(["email", "id"]), batch())
    assert found.to_pylist() == [{"email": row["email"], "id": row["id"]} for row in rows(10)]
    assert found.schema.names == ["email", "id"]


def test_drop_leaves_the_others_in_their_order() -> None:
    found = select(SelectColumns(drop=["items", "at"]), batch())
    assert found.schema.names == ["id", "email", "user"]
    assert found.column("user").to_pylist() == [row["user"] for row in rows(10)]


def test_labels_marks_and_the_schemas_metadata_stay() -> None:
    found = SelectColumns(["user", "email", "at", "id"]).output_schema(SCHEMA)
    for field in found:
        assert field.equals(SCHEMA.field(field.name), check_metadata=True)
    assert labels.masked_of(found.field("email")) is not None
    assert found.metadata == SCHEMA.metadata
    assert split_of(found) is not None


@pytest.mark.parametrize("kind", ["empty", "sliced", "null"])
def test_odd_batches_keep_their_rows(kind: str) -> None:
    given = variants(batch())[kind]
    found = select(SelectColumns(["user", "id"]), given)
    assert found.to_pylist() == [{"user": row["user"], "id": row["id"]} for row in given.to_pylist()]


def test_dictionary_columns_stay_what_they_are() -> None:
    given = pa.record_batch({"a": pa.array(["x", None, "x"]).dictionary_encode(), "b": [1, 2, 3]})
    assert select(SelectColumns(["a"]), given).to_pylist() == [{"a": "x"}, {"a": None}, {"a": "x"}]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "neither `columns` nor `drop` is given"),
        ({"columns": ["a"], "drop": ["b"]}, "both `columns` and `drop` are given"),
        ({"columns": "user"}, "expected a list of columns, got one text"),
        ({"drop": ["a", "b", "a"]}, "column `a` is named twice"),
        ({"columns": ["a", 3]}, "expected the name of a column, got int"),
        ({"columns": ["a", ""]}, "expected the name of a column, got an empty text"),
        ({"columns": {"a": 1}}, "expected a list of columns, got a dict"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SelectColumns(**options)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert problem.what == what
    assert problem.fix


def test_every_name_that_is_no_column_is_reported_at_once_with_the_nearest() -> None:
    with pytest.raises(ColumnError) as caught:
        SelectColumns(["idd", "user.country", "items[].sku", "emial", "at"]).output_schema(SCHEMA)
    assert [problem.what for problem in caught.value.problems] == [
        "no column `idd`",
        "`user.country` is a field inside the column `user`, and this block works on whole columns",
        "`items[].sku` is a field inside the column `items`, and this block works on whole columns",
        "no column `emial`",
    ]
    fixes = [problem.fix for problem in caught.value.problems]
    assert "did you mean `id`?" in fixes[0]
    assert "put FlattenRecords() before" in fixes[1]
    assert "`user_country`" in fixes[1]
    assert "FlattenRecords(explode='items')" in fixes[2]
    assert "`items_sku`" in fixes[2]
    assert "did you mean `email`?" in fixes[3]


def test_a_name_with_a_dot_is_a_column_where_there_is_one() -> None:
    given = pa.record_batch({"user.country": ["SE"], "user": [1]})
    assert select(SelectColumns(["user.country"]), given).to_pylist() == [{"user.country": "SE"}]
    with pytest.raises(ColumnError, match=r"no column `user\.age`"):
        SelectColumns(["user.age"]).output_schema(given.schema)


def test_a_selection_without_any_column_is_refused() -> None:
    with pytest.raises(ColumnError, match="no column would be left"):
        SelectColumns(drop=SCHEMA.names).output_schema(SCHEMA)


def test_without_the_event_time_batches_keep_their_timestamp() -> None:
    class Stamps(beam.DoFn):
        def process(self, one: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[tuple[int, int]]:
            yield one.num_rows, timestamp.micros

    block = pickle.loads(pickle.dumps(SelectColumns(drop=["at"])))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        given = pipeline | beam.Create([0]) | beam.Map(_stamped).with_output_types(BatchType(SCHEMA))
        found = given | block
        assert found.element_type == BatchType(block.output_schema(SCHEMA))
        assert labels.event_time_of(found.element_type.schema) is None
        assert_that(found | beam.ParDo(Stamps()).with_output_types(tuple[int, int]), equal_to([(10, 7_000_000)]))


def _stamped(_: int) -> Any:
    return beam.window.TimestampedValue(batch(), 7)
