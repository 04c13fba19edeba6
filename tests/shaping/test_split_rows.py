"""SplitRows: every row in one share, every key in one share, and the schema says which."""

import json
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

from blocks.core import labels
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.batches import UnionBatches
from blocks.core.errors import BatchTypeError, ColumnError, ConfigError, SchemaError
from blocks.core.windows import WindowRows
from blocks.flattening.records import FlattenRecords
from blocks.masking.mask_columns import MaskColumns
from blocks.shaping.cast_columns import CastColumns
from blocks.shaping.rename_columns import RenameColumns
from blocks.shaping.sample_rows import SampleRows
from blocks.shaping.select_columns import SelectColumns
from blocks.shaping.split_rows import SPLIT, Split, SplitRows, split_of

RECORDED = {"evaluation": [19], "test": [6, 16, 25, 37, 39]}
PLAIN = SCHEMA.with_metadata(None)
USERS = pa.record_batch({"user": [f"user-{number % 400}" for number in range(2000)], "number": list(range(2000))})


def plain(count: int = 10) -> pa.RecordBatch:
    return batch(count).replace_schema_metadata(None)


def split(given: pa.RecordBatch, key: Any = "user", shares: Any = None, salt: str = "") -> dict[str, pa.RecordBatch]:
    block = SplitRows(key, salt=salt) if shares is None else SplitRows(key, shares, salt=salt)
    pairs = list(block.splits_function(given.schema)(given))
    assert len({name for name, _ in pairs}) == len(pairs)
    schemas = block.output_schemas(given.schema)
    for name, part in pairs:
        assert part.schema.equals(schemas[name], check_metadata=True)
    nothing = {name: pa.RecordBatch.from_pylist([], schema=schema) for name, schema in schemas.items()}
    return {**nothing, **dict(pairs)}


SHARES = st.lists(st.integers(1, 20), min_size=2, max_size=5).map(
    lambda parts: {f"s{number}": part / sum(parts) for number, part in enumerate(parts)}
)


def test_beam_has_nothing_to_say_about_type_hints(caplog: pytest.LogCaptureFixture) -> None:
    # An annotation that Beam does not know is a warning in every run.
    SplitRows("user").default_type_hints()
    assert "type hint will be ignored" not in caplog.text


@drawn(SHARES, cuts(2000), st.text(max_size=3))
def test_every_row_is_in_one_share_and_no_key_in_two_in_any_batching(
    shares: dict[str, float], places: list[int], salt: str
) -> None:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in shares}
    for part in cut(USERS, places):
        for name, rows in split(part, shares=shares, salt=salt).items():
            found[name] += rows.to_pylist()
    assert sorted(row["number"] for rows in found.values() for row in rows) == list(range(2000))
    keys = [{row["user"] for row in rows} for rows in found.values()]
    assert sum(map(len, keys)) == 400
    whole = split(USERS, shares=shares, salt=salt)
    assert found == {name: rows.to_pylist() for name, rows in whole.items()}


@pytest.mark.parametrize("kind", ["text", "number"])
def test_shares_are_those_of_random_draws(kind: str) -> None:
    count = 50_000
    values = pa.array(np.arange(count))
    given = pa.record_batch({"user": values.cast(pa.string()) if kind == "text" else values})
    for name, share in {"train": 0.8, "evaluation": 0.1, "test": 0.1}.items():
        found = split(given)[name].num_rows
        # 4.9 standard deviations of the binomial: one in a million falls outside.
        assert abs(found - share * count) < 4.9 * math.sqrt(count * share * (1 - share))


def test_the_splits_are_the_same_for_ever() -> None:
    # Recorded when the block was made: another split is a new major version.
    found = split(pa.record_batch({"user": list(range(40))}))
    assert {
        name: [row["user"] for row in rows.to_pylist()] for name, rows in found.items() if name != "train"
    } == RECORDED


def test_another_name_moves_no_key() -> None:
    one, other = split(USERS, shares={"a": 0.7, "b": 0.3}), split(USERS, shares={"x": 0.7, "y": 0.3})
    assert [part.to_pylist() for part in one.values()] == [part.to_pylist() for part in other.values()]


def test_a_share_carved_out_of_one_takes_keys_from_that_one_only() -> None:
    before = split(USERS, shares={"train": 0.8, "test": 0.2})
    after = split(USERS, shares={"train": 0.8, "evaluation": 0.05, "test": 0.15})
    assert after["train"].to_pylist() == before["train"].to_pylist()
    numbers = {row["number"] for name in ("evaluation", "test") for row in after[name].to_pylist()}
    assert numbers == set(before["test"].column("number").to_pylist())


def test_salts_give_independent_splits() -> None:
    given = pa.record_batch({"user": list(range(40_000))})
    shares = {"a": 0.5, "b": 0.5}
    one = set(split(given, shares=shares)["a"].column(0).to_pylist())
    other = set(split(given, shares=shares, salt="second")["a"].column(0).to_pylist())
    assert abs(len(one & other) - 10_000) < 4.9 * math.sqrt(40_000 * 0.25 * 0.75)


def test_shares_that_are_one_but_for_rounding_reach_to_the_end() -> None:
    shares = {"a": 0.333333333, "b": 0.333333333, "c": 0.333333334 - 5e-10}
    schemas = SplitRows("user", shares).output_schemas(USERS.schema)
    last = split_of(schemas["c"])
    assert last is not None
    assert last.stop == 1.0
    assert sum(len(part.to_pylist()) for part in split(USERS, shares=shares).values()) == 2000


@pytest.mark.parametrize("kind", ["empty", "sliced", "null"])
def test_odd_batches_are_split_row_by_row(kind: str) -> None:
    given = variants(plain(20))[kind]
    single: dict[str, list[Any]] = {"a": [], "b": []}
    for at in range(given.num_rows):
        for name, part in split(given.slice(at, 1), "id", {"a": 0.5, "b": 0.5}).items():
            single[name] += part.to_pylist()
    found = split(given, "id", {"a": 0.5, "b": 0.5})
    assert {name: part.to_pylist() for name, part in found.items()} == single
    if kind == "null":
        assert sorted(map(len, single.values())) == [0, 4]


def test_dictionaries_are_split_like_their_values() -> None:
    encoded = pa.record_batch({"user": USERS.column(0).dictionary_encode(), "number": USERS.column(1)})
    assert {name: part.to_pylist() for name, part in split(encoded).items()} == {
        name: part.to_pylist() for name, part in split(USERS).items()
    }


# What the schema says


def test_each_schema_records_its_split_and_keeps_everything_else() -> None:
    schemas = SplitRows(["id", "at"], salt="s").output_schemas(PLAIN.with_metadata({"owner": "tests"}))
    assert list(schemas) == ["train", "evaluation", "test"]
    assert [split_of(schema) for schema in schemas.values()] == [
        Split("train", ("id", "at"), 0.0, 0.8, "s"),
        Split("evaluation", ("id", "at"), 0.8, 0.9, "s"),
        Split("test", ("id", "at"), 0.9, 1.0, "s"),
    ]
    text = schemas["train"].metadata[SPLIT.encode()].decode()
    assert text == '{"from":0.0,"key":["id","at"],"name":"train","salt":"s","to":0.8}'
    for schema in schemas.values():
        assert schema.metadata[b"owner"] == b"tests"
        assert schema.with_metadata(None).equals(PLAIN, check_metadata=True)
        assert labels.event_time_of(schema) == "at"
    assert split_of(PLAIN) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": "a"}', "null", '{"name":1,"key":null,"from":0}'])
def test_metadata_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="metadata that is no split of this version"):
        split_of(PLAIN.with_metadata({SPLIT: text}))


def test_a_split_of_a_split_needs_another_salt_and_records_both() -> None:
    schema = SplitRows("id").output_schemas(PLAIN)["train"]
    with pytest.raises(SchemaError, match="the input is the split `train` by the same key and salt"):
        SplitRows("id", {"a": 0.5, "b": 0.5}).output_schemas(schema)
    again = SplitRows("id", {"a": 0.5, "b": 0.5}, salt="second").output_schemas(schema)["b"]
    assert split_of(again) == Split("b", ("id",), 0.5, 1.0, "second", Split("train", ("id",), 0.0, 0.8))
    with pytest.raises(SchemaError, match="the input is the split `train`"):
        SplitRows("id").output_schemas(again)


@pytest.mark.parametrize(
    "block",
    [
        MaskColumns({"destinations": {"warehouse": {"labels": {"*": "keep", "unlabeled": "keep"}}}}),
        FlattenRecords(explode="items"),
        WindowRows(beam.window.FixedWindows(60)),
        SelectColumns(["at", "id"]),
        RenameColumns({"id": "key"}),
        CastColumns({"id": "string"}),
        SampleRows(0.5, "id"),
        UnionBatches(),
    ],
    ids=lambda block: type(block).__name__,
)
def test_the_split_survives_other_blocks(block: beam.PTransform) -> None:
    schema = SplitRows("id").output_schemas(PLAIN)["train"]
    given = beam.Pipeline() | beam.Create([0]) | beam.Map(lambda one: one).with_output_types(BatchType(schema))
    found = (given | block).element_type.schema
    assert split_of(found) == Split("train", ("id",), 0.0, 0.8)


def test_the_split_survives_child_tables_and_the_coder() -> None:
    schema = SplitRows("id").output_schemas(PLAIN)["test"]
    for child in FlattenRecords(tables=True, key="id").output_schemas(schema).values():
        assert split_of(child) is not None
    coder = pickle.loads(pickle.dumps(BatchCoder(schema)))
    part = plain().replace_schema_metadata(schema.metadata)
    assert split_of(coder.decode(coder.encode(part)).schema) == split_of(schema)
    assert BatchType(schema) != BatchType(PLAIN)


def test_a_union_of_different_splits_is_none() -> None:
    schemas = SplitRows("id").output_schemas(PLAIN)
    start = beam.Pipeline()
    made = [
        start | name >> beam.Create([0]) | f"{name}s" >> beam.Map(lambda one: one).with_output_types(BatchType(schema))
        for name, schema in schemas.items()
    ]
    together = tuple(made) | UnionBatches()
    assert split_of(together.element_type.schema) is None


# Beam


def test_the_splits_go_through_beam_typed_each_with_its_earliest_time() -> None:
    block = pickle.loads(pickle.dumps(SplitRows("id", {"self": 0.5, "main": 0.5})))
    given = plain()
    wanted = {name: part.to_pylist() for name, part in split(given, "id", {"self": 0.5, "main": 0.5}).items()}
    assert all(wanted.values())
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        made = pipeline | beam.Create([0]) | beam.Map(_stamped).with_output_types(BatchType(PLAIN))
        found = made | block
        assert list(found) == ["self", "main"]
        for name, part in found.items():
            assert part.element_type == BatchType(block.output_schemas(PLAIN)[name])
            read = part | f"{name} read" >> beam.Map(_read).with_output_types(tuple[str, list[int], int])
            ids = [row["id"] for row in wanted[name]]
            assert_that(read, equal_to([(name, ids, min(ids))]), label=name)


def _stamped(_: int) -> Any:
    return beam.window.TimestampedValue(plain(), moment(0).timestamp())


def _read(one: Any, timestamp: Any = beam.DoFn.TimestampParam) -> tuple[str, list[int], int]:
    found = split_of(one.schema)
    assert found is not None
    return found.name, one.column("id").to_pylist(), timestamp.seconds()


def test_an_input_that_is_not_made_of_batches_is_refused() -> None:
    with pytest.raises(BatchTypeError, match="where: SplitRows"):
        beam.Pipeline() | beam.Create([1]) | SplitRows("id")


# Options


def test_every_mistake_of_the_options_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        SplitRows([], {"train set": 0.5, "b": -1, "c": math.nan, "d": True, "e": "x"}, salt=1)  # type: ignore[arg-type, dict-item]
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [
        ("key", "no column is named"),
        ("shares", "`train set` is no name of a share"),
        ("shares.b", "expected a number above 0, got -1"),
        ("shares.c", "expected a number above 0, got nan"),
        ("shares.d", "expected a number above 0, got True"),
        ("shares.e", "expected a number above 0, got 'x'"),
        ("salt", "expected a text, got a int"),
    ]
    assert all(problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("shares", "what"),
    [
        ({"a": 0.5, "b": 0.4}, "the shares are 0.9 together"),
        ({"a": 0.5, "b": 0.50000001}, "the shares are 1.00000001 together"),
        ({"a": 1.0}, "expected at least two shares, got 1"),
        ({}, "expected at least two shares, got 0"),
        ([0.5, 0.5], "expected a mapping of name to share, got a list"),
    ],
)
def test_shares_that_are_no_whole_are_refused(shares: Any, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SplitRows("id", shares)
    (problem,) = caught.value.problems
    assert problem.what == what
    assert problem.fix


def test_every_mistake_about_the_key_is_reported_at_once() -> None:
    with pytest.raises(ColumnError) as caught:
        SplitRows(["idd", "user", "user.country"]).output_schemas(PLAIN)
    assert len(caught.value.problems) == 3


def test_the_json_has_the_keys_that_are_promised() -> None:
    assert json.loads(Split("a", ("k",), 0.0, 0.5).to_json()) == {
        "name": "a",
        "key": ["k"],
        "from": 0,
        "to": 0.5,
        "salt": "",
    }
