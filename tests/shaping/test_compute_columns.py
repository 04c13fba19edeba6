"""ComputeColumns: types, places, labels and marks of computed columns, and rows that fail."""

import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.transforms.window import FixedWindows
from expression_data import BATCH, MASK, SCHEMA, moment
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from running import counters, kept_batches, run_over

from blocks.core import labels
from blocks.core.errors import ConfigError, RejectedRecordError, SchemaError
from blocks.core.windows import WindowRows
from blocks.shaping.compute_columns import ComputeColumns


def compute(columns: dict[str, str], batch: pa.RecordBatch = BATCH) -> pa.RecordBatch:
    block = ComputeColumns(columns)
    found = block.batch_function(batch.schema)(batch)
    assert not found.rejects
    assert found.rows.schema.equals(block.output_schema(batch.schema), check_metadata=True)
    return found.rows


def test_a_new_column_stands_at_the_end_and_the_others_stay() -> None:
    found = compute({"double": "id * 2", "who": "upper(name)"})
    assert found.schema.names == [*SCHEMA.names, "double", "who"]
    assert found.column("double").to_pylist() == [2, 4, 6]
    assert found.column("who").to_pylist() == ["ANN", None, "BO"]
    assert repr(found.select(SCHEMA.names).to_pylist()) == repr(BATCH.to_pylist())
    assert found.schema.metadata == SCHEMA.metadata


def test_a_name_that_is_there_is_replaced_in_its_place() -> None:
    found = compute({"text": "length(text)"})
    assert found.schema.names == SCHEMA.names
    assert found.schema.field("text").type == pa.int64()
    assert found.column("text").to_pylist() == [2, None, 1]


def test_every_expression_sees_the_columns_of_the_input() -> None:
    found = compute({"id": "id + 1", "n": "id * 10", "more": "id"})
    assert found.column("id").to_pylist() == [2, 3, 4]
    assert found.column("n").to_pylist() == [10, 20, 30]
    assert found.column("more").to_pylist() == [1, 2, 3]


def test_columns_can_be_exchanged() -> None:
    found = compute({"name": "text", "text": "name"})
    assert found.column("name").to_pylist() == ["12", None, "x"]
    assert labels.labels_of(found.schema.field("text")) == {"pii.name"}


def test_an_expression_does_not_see_what_another_one_computes() -> None:
    with pytest.raises(SchemaError, match="no column `double`"):
        ComputeColumns({"double": "id * 2", "more": "double * 2"}).output_schema(SCHEMA)


def test_types_are_those_of_the_results() -> None:
    schema = ComputeColumns(
        {"a": "id / 2", "b": "id // 2", "c": "amount * 2", "d": "at + INTERVAL 1 DAY", "e": "id > 1"}
        | {"f": "CAST(at AS DATE)", "g": "'x'", "h": "string_split(name, 'n')"}
    ).output_schema(SCHEMA)
    assert [schema.field(name).type for name in "abcdefgh"] == [
        pa.float64(),
        pa.int64(),
        pa.decimal128(18, 2),
        pa.timestamp("us", "UTC"),
        pa.bool_(),
        pa.date32(),
        pa.string(),
        pa.list_(pa.string()),
    ]
    assert not schema.field("e").nullable
    assert schema.field("d").nullable


def test_labels_follow_what_is_read_and_a_bare_column_keeps_its_mask() -> None:
    schema = ComputeColumns({"hashed": "md5(user.email)", "copy": "mail", "cut": "left(mail, 3)"}).output_schema(SCHEMA)
    assert labels.labels_of(schema.field("hashed")) == {"pii.email"}
    assert labels.masked_of(schema.field("copy")) == MASK
    assert labels.labels_of(schema.field("cut")) == {"pii.email"}
    assert labels.masked_of(schema.field("cut")) is None


def test_a_replaced_masked_column_is_no_longer_masked() -> None:
    field = ComputeColumns({"mail": "lower(mail)"}).output_schema(SCHEMA).field("mail")
    assert labels.masked_of(field) is None
    assert labels.labels_of(field) == {"pii.email"}
    assert labels.get(field, labels.DESCRIPTION) is None


def test_a_replaced_key_and_event_time_stay_what_they_are_and_copies_are_neither() -> None:
    columns = {"id": "id + 1", "at": "at - INTERVAL 1 HOUR", "id_again": "id", "at_again": "at"}
    schema = ComputeColumns(columns).output_schema(SCHEMA)
    assert labels.event_time_of(schema) == "at"
    assert [field.name for field in schema if labels.is_key(field)] == ["id"]
    assert not labels.is_event_time(schema.field("at_again"))


def test_an_event_time_that_is_no_time_and_a_key_that_is_no_key_are_refused_together() -> None:
    with pytest.raises(SchemaError) as caught:
        ComputeColumns({"at": "CAST(at AS DATE)", "id": "id / 2", "z": "idd"}).output_schema(SCHEMA)
    found = [(problem.what, problem.where) for problem in caught.value.problems]
    assert found == [
        ("no column `idd`", "columns.z, line 1, column 1"),
        ("the event time would be date32[day], not a timestamp with a zone", "columns.at"),
        ("the key would be double, which identifies no row", "columns.id"),
    ]


def test_a_timestamp_without_a_zone_is_no_event_time() -> None:
    with pytest.raises(SchemaError, match="not a timestamp with a zone"):
        ComputeColumns({"at": "CAST(at AS TIMESTAMP)"}).output_schema(SCHEMA)


def test_the_timestamp_of_a_batch_follows_a_computed_event_time() -> None:
    class Stamp(beam.DoFn):
        def process(self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Any:
            column = pa.array([timestamp.micros] * batch.num_rows, pa.int64())
            yield pa.RecordBatch.from_arrays([column], names=["stamp"])

    class Stamps(beam.PTransform):
        def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
            computed = pcoll | ComputeColumns({"at": "at + INTERVAL 1 DAY"})
            from blocks.core.batch_type import BatchType

            return computed | beam.ParDo(Stamp()).with_output_types(BatchType(pa.schema([("stamp", pa.int64())])))

    found = run_over(Stamps(), [BATCH.slice(0, 1)])
    assert [row["stamp"] for row in found.rows] == [(int(moment(10).timestamp()) + 86_400) * 1_000_000]


def test_an_event_time_cannot_be_computed_behind_windows() -> None:
    rows = beam.Pipeline() | kept_batches([BATCH.slice(0, 1)]) | WindowRows(FixedWindows(3600))
    assert rows | "Other" >> ComputeColumns({"n": "n + 1"})
    with pytest.raises(ConfigError, match="put WindowRows after"):
        rows | ComputeColumns({"at": "at + INTERVAL 1 DAY"})


def test_rows_that_fail_are_rejected_once_with_every_column_that_failed() -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"id": 1, "text": "4", "n": 2}, {"id": 2, "text": "SECRET", "n": 0}, {"id": 3, "text": "5", "n": 0}],
        schema=SCHEMA,
    )
    block = ComputeColumns({"number": "CAST(text AS INTEGER)", "share": "id // n", "plus": "id + 1"})
    found = block.batch_function(SCHEMA)(batch)
    assert found.rows.column("number").to_pylist() == [4]
    assert found.rows.column("plus").to_pylist() == [2]
    assert found.rows.schema.equals(block.output_schema(SCHEMA), check_metadata=True)
    one, other = found.rejects
    assert (one.code, one.field_path) == ("expression_failed", "text, id, n")
    assert one.message.startswith("`number`, `share` cannot be computed")
    assert other.message.startswith("`share` cannot be computed")
    assert "SECRET" not in repr(found.rejects)


def test_a_required_result_stays_required_where_rows_fail() -> None:
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2**63 - 1])], schema=schema)
    found = ComputeColumns({"next": "n + 1"}).batch_function(schema)(batch)
    assert not found.rows.schema.field("next").nullable
    assert found.rows.column("next").to_pylist() == [2]
    assert len(found.rejects) == 1


def test_rejects_and_counts(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"id": n, "text": "x" if n % 5 == 0 else "1"} for n in range(20)], schema=SCHEMA
    )
    policy = {"destinations": {"rejects": {"labels": {"public": "keep"}}}}
    found = run_over(lambda rejects: ComputeColumns({"t": "text::INTEGER"}, rejects=rejects), [batch], tmp_path, policy)
    assert len(found.rows) == 16
    (file,) = tmp_path.glob("*/*.parquet")
    assert pq.read_table(file).column("code").to_pylist() == ["expression_failed"] * 4
    counted = counters(found.result, "ComputeColumns")
    assert (counted["rows_in"], counted["rows_out"], counted["rows_rejected"]) == (20, 16, 4)


def test_without_rejects_the_first_failure_stops() -> None:
    with pytest.raises(RejectedRecordError, match="`t` cannot be computed"):
        run_over(ComputeColumns({"t": "CAST(text AS INTEGER)"}), [BATCH])


@pytest.mark.parametrize("columns", [{}, [], None, "id + 1", {"": "id"}, {"a": None}, {"a": "id +"}, {3: "id"}])
def test_options_that_cannot_be_used_are_refused(columns: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        ComputeColumns(columns)
    assert all(problem.what and problem.where and problem.fix for problem in caught.value.problems)


def test_all_mistakes_of_all_texts_are_in_one_error() -> None:
    with pytest.raises(ConfigError) as caught:
        ComputeColumns({"a": "now()", "b": "uper(name)", "c": "id;"})
    assert [problem.where for problem in caught.value.problems] == [
        "columns.a, line 1, column 1",
        "columns.b, line 1, column 1",
        "columns.c, line 1, column 3",
    ]


@drawn(st.lists(st.integers(-1000, 1000) | st.none(), max_size=20), st.integers(1, 7))
@settings(max_examples=15)
def test_the_same_rows_in_any_batches(given: list[int | None], size: int) -> None:
    schema = pa.schema([("n", pa.int64())])
    batch = pa.RecordBatch.from_arrays([pa.array(given, pa.int64())], schema=schema)
    make = ComputeColumns({"m": "n * 3 - 1", "n": "abs(n)"}).batch_function(schema)
    parts = [make(batch.slice(start, size)).rows.to_pylist() for start in range(0, len(given), size)]
    wanted = [{"n": None, "m": None} if one is None else {"n": abs(one), "m": one * 3 - 1} for one in given]
    assert [row for part in parts for row in part] == wanted


def test_empty_and_all_null_batches() -> None:
    nulls = pa.RecordBatch.from_pylist([{"id": 1}], schema=SCHEMA)
    assert compute({"a": "upper(name)"}, nulls).column("a").to_pylist() == [None]
    assert compute({"a": "upper(name)", "b": "1"}, BATCH.slice(0, 0)).num_rows == 0


def test_the_block_pickles() -> None:
    again: Any = pickle.loads(pickle.dumps(ComputeColumns({"a": "id + 1"})))
    assert again.batch_function(SCHEMA)(BATCH).rows.column("a").to_pylist() == [2, 3, 4]
