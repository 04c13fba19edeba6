"""SampleRows: the same keys in every run, all rows of a key or none, the share that was asked for."""

import math
import pickle
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given as drawn
from hypothesis import strategies as st
from shaping_data import SCHEMA, batch, cut, cuts, moment, variants

from blocks.core.batch_type import BatchType
from blocks.core.errors import ColumnError, ConfigError
from blocks.shaping.sample_rows import SampleRows
from blocks.shaping.split_rows import SplitRows

RECORDED = [25, 28]
USERS = pa.record_batch({"user": [f"user-{number % 400}" for number in range(2000)], "number": list(range(2000))})


def sample(given: pa.RecordBatch, fraction: float, key: Any = "user", salt: str = "") -> pa.RecordBatch:
    return SampleRows(fraction, key, salt=salt).batch_function(given.schema)(given)


def keys(given: pa.RecordBatch, column: str = "user") -> set[Any]:
    return set(given.column(column).to_pylist())


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["text", "number"])
def test_the_share_of_keys_is_that_of_random_draws(fraction: float, kind: str) -> None:
    count = 50_000
    values = pa.array(np.arange(count))
    given = pa.record_batch({"user": values.cast(pa.string()) if kind == "text" else values})
    kept = sample(given, fraction).num_rows
    # 4.9 standard deviations of the binomial: one in a million falls outside.
    assert abs(kept - fraction * count) < 4.9 * math.sqrt(count * fraction * (1 - fraction))


def test_all_rows_of_a_key_stay_or_go_and_keep_their_order() -> None:
    found = sample(USERS, 0.3)
    chosen = keys(found)
    assert 0 < len(chosen) < 400
    assert found.to_pylist() == [row for row in USERS.to_pylist() if row["user"] in chosen]
    assert found.schema.equals(USERS.schema, check_metadata=True)


def test_the_chosen_keys_are_the_same_for_ever() -> None:
    # Recorded when the block was made: another choice is a new major version.
    numbers = pa.record_batch({"user": list(range(60))})
    assert sample(numbers, 0.1).column(0).to_pylist() == RECORDED


@drawn(st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_smaller_sample_lies_within_a_larger_one(one: float, other: float) -> None:
    small, large = sorted([one, other])
    assert keys(sample(USERS, small)) <= keys(sample(USERS, large))


@drawn(cuts(2000), st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), "dictionary"]))
def test_neither_batches_nor_layout_make_a_difference(places: list[int], layout: Any) -> None:
    users = USERS.column("user")
    users = users.dictionary_encode() if layout == "dictionary" else users.cast(layout)
    given = pa.record_batch({"user": users, "number": USERS.column("number")})
    found = [row for part in cut(given, places) for row in sample(part, 0.4).to_pylist()]
    assert found == sample(USERS, 0.4).to_pylist()


def test_a_sample_of_everything_is_the_batch_itself() -> None:
    assert sample(USERS, 1) is USERS
    assert sample(USERS, 1.0) is USERS


def test_salts_give_independent_samples() -> None:
    given = pa.record_batch({"user": list(range(40_000))})
    one, other = keys(sample(given, 0.5)), keys(sample(given, 0.5, salt="second"))
    assert abs(len(one & other) - 10_000) < 4.9 * math.sqrt(40_000 * 0.25 * 0.75)


def test_a_sample_is_independent_of_a_split() -> None:
    given = pa.record_batch({"user": list(range(40_000))})
    split = dict(SplitRows("user", {"a": 0.5, "b": 0.5}).splits_function(given.schema)(given))
    kept = sample(split["a"], 0.5).num_rows
    assert abs(kept - split["a"].num_rows / 2) < 4.9 * math.sqrt(split["a"].num_rows * 0.25)


def test_several_columns_decide_together() -> None:
    given = pa.record_batch({"user": [1, 1, 2, 2] * 50, "day": list(range(4)) * 50})
    found = sample(given, 0.5, ["user", "day"])
    pairs = {(row["user"], row["day"]) for row in found.to_pylist()}
    assert found.num_rows == 50 * len(pairs)


def test_rows_without_a_key_stay_or_go_together() -> None:
    given = pa.record_batch({"user": pa.array(["a", None] * 20)})
    found = [sample(given, 0.5, salt=str(salt)).column(0).null_count for salt in range(40)]
    assert set(found) == {0, 20}


@pytest.mark.parametrize("kind", ["empty", "sliced", "null"])
def test_odd_batches_are_sampled_row_by_row(kind: str) -> None:
    given = variants(batch(20))[kind]
    found = sample(given, 0.5, "id")
    single = [row for at in range(given.num_rows) for row in sample(given.slice(at, 1), 0.5, "id").to_pylist()]
    assert found.to_pylist() == single
    assert found.schema.equals(SCHEMA, check_metadata=True)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, math.nan, math.inf, True, "0.1", None])
def test_a_fraction_that_is_no_share_is_refused(fraction: Any) -> None:
    with pytest.raises(ConfigError, match="expected a number above 0 and at most 1"):
        SampleRows(fraction, "user")


def test_every_mistake_of_the_options_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        SampleRows(2, [], salt=7)  # type: ignore[arg-type]
    assert [problem.where for problem in caught.value.problems] == ["fraction", "key", "salt"]


def test_every_mistake_about_the_key_is_reported_at_once() -> None:
    with pytest.raises(ColumnError) as caught:
        SampleRows(0.1, ["idd", "user", "user.country"]).output_schema(SCHEMA)
    assert [problem.what.split("`")[1] for problem in caught.value.problems] == ["idd", "user.country", "user"]


def test_a_sample_goes_through_beam_with_the_time_of_its_earliest_row() -> None:
    block = pickle.loads(pickle.dumps(SampleRows(0.3, "id", salt="1")))
    wanted = sample(batch(), 0.3, "id", "1").to_pylist()
    assert wanted
    assert wanted[0]["at"] != moment(0), "choose another salt: the first row has to go"
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        given = pipeline | beam.Create([0]) | beam.Map(_stamped).with_output_types(BatchType(SCHEMA))
        found = given | block
        assert found.element_type == BatchType(SCHEMA)
        ids = found | beam.Map(_id_and_time).with_output_types(tuple[list[int], int])
        assert_that(ids, equal_to([([row["id"] for row in wanted], int(wanted[0]["at"].timestamp()))]))


def _stamped(_: int) -> Any:
    return beam.window.TimestampedValue(batch(), 0)


def _id_and_time(one: Any, timestamp: Any = beam.DoFn.TimestampParam) -> tuple[list[int], int]:
    return one.column("id").to_pylist(), timestamp.seconds()
