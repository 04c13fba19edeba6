"""RenameColumns: other names, and nothing else."""

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given as drawn
from hypothesis import strategies as st
from shaping_data import SCHEMA, batch, rows, variants

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import ColumnError, ConfigError
from blocks.shaping.rename_columns import RenameColumns


def rename(columns: dict[str, str], given: pa.RecordBatch) -> pa.RecordBatch:
    block = RenameColumns(columns)
    found = block.batch_function(given.schema)(given)
    assert found.schema.equals(block.output_schema(given.schema), check_metadata=True)
    return found


def test_columns_get_their_names_and_keep_places_and_values() -> None:
    found = rename({"email": "contact", "id": "order"}, batch())
    assert found.schema.names == ["order", "at", "contact", "user", "items"]
    assert found.column("contact").to_pylist() == [row["email"] for row in rows(10)]


def test_two_columns_can_swap_their_names() -> None:
    found = rename({"a": "b", "b": "a"}, pa.record_batch({"a": [1, 2], "b": ["x", "y"]}))
    assert found.to_pylist() == [{"b": 1, "a": "x"}, {"b": 2, "a": "y"}]


def test_labels_masks_marks_and_the_schemas_metadata_stay() -> None:
    names = {name: f"{name}_2" for name in SCHEMA.names}
    found = RenameColumns(names).output_schema(SCHEMA)
    for field in SCHEMA:
        assert found.field(names[field.name]).equals(field.with_name(names[field.name]), check_metadata=True)
    mask = labels.masked_of(found.field("email_2"))
    assert mask is not None
    assert mask.options["domain"] == "pii.email"
    assert labels.event_time_of(found) == "at_2"
    assert found.metadata == SCHEMA.metadata


@pytest.mark.parametrize("kind", ["empty", "sliced", "null"])
def test_odd_batches_keep_their_rows(kind: str) -> None:
    given = variants(batch())[kind]
    found = rename({"id": "key"}, given)
    assert [list(row.values()) for row in found.to_pylist()] == [list(row.values()) for row in given.to_pylist()]


def test_dictionary_columns_stay_what_they_are() -> None:
    given = pa.record_batch({"a": pa.array(["x", None]).dictionary_encode()})
    assert rename({"a": "b"}, given).to_pylist() == [{"b": "x"}, {"b": None}]


@drawn(st.permutations(SCHEMA.names), st.integers(0, 5))
def test_renaming_and_renaming_back_is_the_same_batch(names: list[str], count: int) -> None:
    there = dict(list(zip(SCHEMA.names, names, strict=True))[:count])
    # What is left of a permutation may meet a name that stays.
    there = there if len({*there.values(), *(set(SCHEMA.names) - set(there))}) == len(SCHEMA.names) else {}
    back = {new: old for old, new in there.items()}
    again = rename(back, rename(there, batch()))
    assert again.schema.equals(SCHEMA, check_metadata=True)
    assert again.equals(batch())


def test_every_mistake_about_columns_is_reported_at_once() -> None:
    with pytest.raises(ColumnError) as caught:
        RenameColumns({"emal": "x", "user.age": "age", "id": "at", "items": "at"}).output_schema(SCHEMA)
    assert [problem.what for problem in caught.value.problems] == [
        "no column `emal`",
        "`user.age` is a field inside the column `user`, and this block works on whole columns",
        "the columns `id`, `at`, `items` would all be named `at`",
    ]
    assert "did you mean `email`?" in caught.value.problems[0].fix
    assert all(problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize("columns", [{"a": "", "": "b"}, {"a": 1, 2: "b"}])
def test_names_that_are_no_names_are_refused_all_at_once(columns: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        RenameColumns(columns)
    assert [problem.what for problem in caught.value.problems] == ["a name is a text that is not empty"] * 2


def test_options_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected a mapping of old name to new name, got a list"):
        RenameColumns(["a"])  # type: ignore[arg-type]


def test_renamed_batches_go_through_beam_with_their_labels() -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        given = pipeline | beam.Create([0]) | beam.Map(lambda _: batch()).with_output_types(BatchType(SCHEMA))
        found = given | RenameColumns({"id": "key"})
        assert found.element_type == BatchType(RenameColumns({"id": "key"}).output_schema(SCHEMA))
        keys = found | beam.FlatMap(lambda one: one["key"].to_pylist()).with_output_types(int)
        assert_that(keys, equal_to(list(range(10))))
