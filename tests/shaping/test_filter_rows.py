"""FilterRows: rows for which a condition is true, and the others accounted for."""

import io
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from expression_data import BATCH, SCHEMA
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from running import counters, kept_batches, run_over

from blocks.core.block import Outcome
from blocks.core.errors import ConfigError, RejectedRecordError, SchemaError
from blocks.core.rejects import Rejects
from blocks.shaping.filter_rows import FilterRows


def outcome(where: str, batch: pa.RecordBatch = BATCH) -> Outcome:
    return FilterRows(where).batch_function(batch.schema)(batch)


def kept(where: str, batch: pa.RecordBatch = BATCH) -> list[int]:
    found = outcome(where, batch)
    assert not found.rejects
    assert found.rows.schema.equals(batch.schema, check_metadata=True)
    return found.rows.column("id").to_pylist()


def test_rows_stay_for_which_the_condition_is_true() -> None:
    assert kept("id > 1") == [2, 3]
    assert kept("user.country = 'SE' AND items[1].price = 2") == [1]
    assert kept("TRUE") == [1, 2, 3]
    assert kept("FALSE") == []


def test_null_is_not_true() -> None:
    assert kept("name = 'Ann'") == [1]
    assert kept("name <> 'Ann'") == [3]
    assert kept("NULL = 1") == []
    assert kept("name IS NULL OR name = 'bo'") == [2, 3]


def test_rows_that_stay_are_unchanged_in_columns_that_the_engine_cannot_read() -> None:
    found = outcome("id <> 2").rows
    assert repr(found.to_pylist()) == repr([BATCH.to_pylist()[0], BATCH.to_pylist()[2]])


def test_nothing_is_copied_where_all_rows_stay() -> None:
    assert outcome("id > 0").rows is BATCH


def test_a_condition_that_is_a_boolean_column_works() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2, 3]), pa.array([True, None, False])], names=["id", "active"])
    assert kept("active", batch) == [1]
    assert kept("NOT active", batch) == [3]


@pytest.mark.parametrize("where", ["id", "name", "amount + 1", "1"])
def test_a_condition_that_is_not_boolean_is_refused_at_construction(where: str) -> None:
    with pytest.raises(SchemaError, match="not bool"):
        FilterRows(where).output_schema(SCHEMA)


def test_a_mistake_in_the_text_is_seen_without_a_schema() -> None:
    with pytest.raises(ConfigError, match="line 1, column 6"):
        FilterRows("id > now()")


def test_a_mistake_about_columns_is_seen_when_the_pipeline_is_built() -> None:
    with pytest.raises(SchemaError, match="did you mean `amount`"):
        beam.Pipeline() | kept_batches([BATCH]) | FilterRows("amonut > 1")


def test_rows_on_which_the_condition_fails_are_rejected_with_no_value_in_the_message() -> None:
    batch = pa.RecordBatch.from_pylist([{"id": 1, "name": "12"}, {"id": 2, "name": "SECRET"}], schema=SCHEMA)
    found = outcome("CAST(name AS INTEGER) > 1", batch)
    assert found.rows.column("id").to_pylist() == [1]
    (reject,) = found.rejects
    assert (reject.block, reject.code, reject.field_path) == ("FilterRows", "expression_failed", "name")
    assert "SECRET" not in repr(reject)


def test_without_rejects_the_first_failure_stops_and_shows_no_value(caplog: pytest.LogCaptureFixture) -> None:
    batch = pa.RecordBatch.from_pylist([{"id": 2, "name": "SECRET"}], schema=SCHEMA)
    with caplog.at_level(logging.DEBUG), pytest.raises(RejectedRecordError) as caught:
        run_over(FilterRows("CAST(name AS INTEGER) > 1"), [batch])
    assert "expression_failed" in str(caught.value)
    assert "field `name`" in str(caught.value)
    assert "SECRET" not in str(caught.value) + caplog.text


def test_rejects_hold_what_the_policy_allows(tmp_path: Path) -> None:
    rows = [{"id": 1, "name": "1", "x": 2.0}, {"id": 2, "name": "SECRET", "x": 3.0}]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    policy = {"destinations": {"rejects": {"labels": {"public": "keep"}}}}
    found = run_over(lambda rejects: FilterRows("name::INTEGER > 0", rejects=rejects), [batch], tmp_path, policy)
    assert [row["id"] for row in found.rows] == [1]
    (file,) = tmp_path.glob("*/*.parquet")
    (reject,) = pq.read_table(file).to_pylist()
    assert json.loads(reject["record"]) == {"id": 2, "x": 3.0}
    assert b"SECRET" not in file.read_bytes()


@drawn(st.lists(st.sampled_from(["1", "5", "x", None]), min_size=1, max_size=12), st.integers(1, 5))
@settings(max_examples=15)
def test_rows_in_are_rows_out_and_dropped_and_rejects_in_any_batches(given: list[str | None], size: int) -> None:
    schema = pa.schema([("s", pa.string())])
    batch = pa.RecordBatch.from_arrays([pa.array(given, pa.string())], schema=schema)
    keep = FilterRows("CAST(s AS INTEGER) > 2").batch_function(schema)
    parts = [keep(batch.slice(start, size)) for start in range(0, len(given), size)]
    out = [value for part in parts for value in part.rows.column("s").to_pylist()]
    assert out == [one for one in given if one == "5"]
    assert sum(len(part.rejects) for part in parts) == given.count("x")


def test_dropped_rows_are_counted(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pylist([{"id": n, "text": "x" if n == 3 else str(n)} for n in range(10)], schema=SCHEMA)
    policy = {"destinations": {"rejects": {"labels": {"public": "keep"}}}}
    found = run_over(lambda rejects: FilterRows("text::INTEGER > 5", rejects=rejects), [batch], tmp_path, policy)
    counted = counters(found.result, "FilterRows")
    assert (counted["rows_in"], counted["rows_out"], counted["rows_dropped"], counted["rows_rejected"]) == (10, 4, 5, 1)


def test_labels_of_the_condition_do_not_spread_and_none_is_lost() -> None:
    assert FilterRows("user.email = 'a@x'").output_schema(SCHEMA).equals(SCHEMA, check_metadata=True)


@pytest.mark.parametrize("batch", [BATCH.slice(0, 0), BATCH.slice(1, 1), BATCH.slice(1)])
def test_empty_and_sliced_batches(batch: pa.RecordBatch) -> None:
    assert kept("id >= 2", batch) == [row for row in batch.column("id").to_pylist() if row >= 2]


def test_the_block_pickles_with_and_without_rejects(tmp_path: Path) -> None:
    for rejects in (None, Rejects(tmp_path)):
        again: Any = pickle.loads(pickle.dumps(FilterRows("id > 1", rejects=rejects)))
        assert again.batch_function(SCHEMA)(BATCH).rows.column("id").to_pylist() == [2, 3]
    assert io.BytesIO(pickle.dumps(FilterRows("id > 1"))).getbuffer().nbytes < 5_000
