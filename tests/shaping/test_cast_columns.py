"""CastColumns: nested columns, what columns mean afterwards, rejects and options."""

import datetime
import pickle
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from cast_runs import at, cast, cast_column, run
from shaping_data import MASK, moment

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import ColumnError, ConfigError, SchemaError
from blocks.core.rejects import Rejects
from blocks.core.schema.types import parse_type
from blocks.shaping.cast_columns import CastColumns

# Nested columns


def test_structs_lists_and_maps_are_cast_at_any_depth() -> None:
    before = parse_type("struct<n: string, tags: list<item: string>, by: map<string, struct<at: string>>>")
    after = "struct<n: int32, tags: large_list<item: date>, by: map<string, struct<at: timestamp>>>"
    good = {"n": "1", "tags": ["2026-01-31", None], "by": [("a", {"at": "2026-01-31T00:00Z"}), ("b", None)]}
    values = [
        good,
        None,
        {"n": "x", "tags": ["2026-01-31", "no"], "by": [("a", {"at": "no"})]},
        {"n": None, "tags": None, "by": None},
        {"n": "2", "tags": [], "by": []},
        {"n": "3", "tags": ["no", "no"], "by": None},
    ]
    given = pa.record_batch([pa.array(values, before), pa.array(range(6))], names=["v", "id"])
    for places in (range(6), range(2, 6)):
        found = run({"v": after}, given.slice(places[0], len(places)))
        day = datetime.date(2026, 1, 31)
        wanted = {
            0: {"n": 1, "tags": [day, None], "by": [("a", {"at": at("2026-01-31")}), ("b", None)]},
            1: None,
            3: {"n": None, "tags": None, "by": None},
            4: {"n": 2, "tags": [], "by": []},
        }
        assert found.rows.to_pylist() == [{"v": wanted[place], "id": place} for place in places if place in wanted]
        assert [(reject.field_path, reject.message) for reject in found.rejects] == [
            (
                "v.n, v.tags[], v.by{}.at",
                "`v.n` does not fit int32; `v.tags[]` does not fit date32[day]; "
                "`v.by{}.at` does not fit timestamp[us, tz=UTC]",
            ),
            ("v.tags[]", "`v.tags[]` does not fit date32[day]"),
        ]


def test_fields_of_a_struct_are_matched_by_name_and_get_the_order_of_the_type() -> None:
    given = pa.record_batch([pa.array([{"a": 1, "b": "x"}])], names=["v"])
    assert run({"v": "struct<b: string, a: string>"}, given).rows.to_pylist() == [{"v": {"b": "x", "a": "1"}}]


def test_what_must_not_be_null_below_a_column_rejects_the_row() -> None:
    kind = parse_type("struct<a: int64, items: list<item: struct<x: string>>>")
    values = [{"a": 1, "items": [{"x": "1"}]}, {"a": None, "items": [{"x": None}]}, None, {"a": 2, "items": [None]}]
    given = pa.record_batch([pa.array(values, kind)], names=["v"])
    found = run({"v": "struct<a: int32 not null, items: list<item: struct<x: int8 not null>>>"}, given)
    assert found.rows.to_pylist() == [
        {"v": {"a": 1, "items": [{"x": 1}]}},
        {"v": None},
        {"v": {"a": 2, "items": [None]}},
    ]
    assert [reject.message for reject in found.rejects] == [
        "`v.a` is null, and must not be; `v.items[].x` is null, and must not be"
    ]


@pytest.mark.parametrize("kind", ["list_view", "large_list_view", "large_list", "fixed_size_list"])
def test_every_kind_of_list_can_become_a_plain_one(kind: str) -> None:
    size = "[2]" if kind == "fixed_size_list" else ""
    given = pa.array([["1", "2"], None, ["x", "3"]], parse_type(f"{kind}<item: string>{size}"))
    assert cast_column(given, "list<item: int8>") == [[1, 2], None, "-"]


def test_keys_of_a_map_that_do_not_fit_reject_the_row() -> None:
    given = pa.array([[(1, "a")], [(300, "b"), (2, "c")], None], pa.map_(pa.int64(), pa.string()))
    assert cast(given.to_pylist(), given.type, "map<int8, string>") == [[(1, "a")], "-", None]


# What a column means


def schema_of(*fields: pa.Field) -> pa.Schema:
    return pa.schema(list(fields), {"owner": "tests"})


def test_labels_keys_and_descriptions_stay_nested_ones_too() -> None:
    inner = pa.field("email", pa.binary(), metadata={"blocks.label": "pii.email", "blocks.description": "contact"})
    schema = schema_of(
        pa.field("id", pa.string(), metadata={"blocks.key": "true", "blocks.label": "public"}),
        pa.field("user", pa.struct([inner, pa.field("n", pa.int64())]), metadata={"blocks.label": "pii.person"}),
        pa.field("users", pa.list_(pa.field("item", pa.struct([inner])))),
        pa.field("by", pa.map_(pa.string(), pa.field("value", pa.binary(), metadata={"blocks.label": "pii.name"}))),
    )
    found = CastColumns(
        {
            "id": "int64",
            "user": "struct<n: string, email: string>",
            "users": "list<item: struct<email: string>>",
            "by": "map<string, string>",
        }
    ).output_schema(schema)
    assert labels.is_key(found.field("id"))
    assert {leaf.path: (leaf.labels, str(leaf.field.type)) for leaf in labels.leaves(found)} == {
        "id": ({"public"}, "int64"),
        "user.n": ({"pii.person"}, "string"),
        "user.email": ({"pii.email"}, "string"),
        "users[].email": ({"pii.email"}, "string"),
        "by{key}": (set(), "string"),
        "by{}": ({"pii.name"}, "string"),
    }
    assert labels.get(found.field("user").type.field("email"), labels.DESCRIPTION) == "contact"
    assert found.metadata == {b"owner": b"tests"}
    empty = pa.RecordBatch.from_pylist([], schema=schema)
    assert CastColumns({"user": "struct<n: string, email: string>"}).batch_function(schema)(empty).rows.num_rows == 0


def test_marks_stay_where_the_type_allows() -> None:
    marks = {"blocks.event_time": "true", "blocks.epoch": "ms", "blocks.key": "true"}
    schema = schema_of(pa.field("at", pa.timestamp("us", "UTC"), metadata=marks))
    zoned = CastColumns({"at": "timestamp[ms, tz=UTC]"}).output_schema(schema)
    assert labels.event_time_of(zoned) == "at"
    assert labels.get(zoned.field("at"), labels.EPOCH) == "ms"
    assert labels.event_time_of(CastColumns({"at": "timestamp[us]"}).output_schema(schema)) is None
    text = CastColumns({"at": "string"}).output_schema(schema)
    assert labels.event_time_of(text) is None
    assert labels.get(text.field("at"), labels.EPOCH) is None
    assert labels.is_key(text.field("at"))
    number = schema_of(pa.field("id", pa.int64(), metadata=marks))
    assert not labels.is_key(CastColumns({"id": "float64"}).output_schema(number).field("id"))


def test_a_masked_column_stays_text_or_whole_numbers() -> None:
    masked = {"blocks.label": "pii.email", "blocks.masked": MASK}
    schema = schema_of(
        pa.field("email", pa.string(), metadata=masked),
        pa.field("bucket", pa.int64(), metadata={**masked, "blocks.masked": MASK.replace("hmac", "hash_bucket")}),
        pa.field("user", pa.struct([("name", pa.string())]), metadata=masked),
    )
    found = CastColumns({"email": "large_string", "bucket": "int16"}).output_schema(schema)
    assert labels.masked_of(found.field("email")) == labels.Masked.from_json(MASK)
    assert found.field("bucket").type == pa.int16()
    with pytest.raises(SchemaError) as caught:
        CastColumns({"email": "binary", "bucket": "string", "user": "struct<name: int64>"}).output_schema(schema)
    assert [problem.where for problem in caught.value.problems] == [
        "column `email`",
        "column `bucket`",
        "column `user.name`",
    ]
    assert "it is masked by hmac: as binary its codes would match no column" in caught.value.problems[0].what
    assert all("cast before MaskColumns" in problem.fix for problem in caught.value.problems)


def test_a_column_that_is_not_nullable_stays_so() -> None:
    given = pa.RecordBatch.from_arrays(
        [pa.array(["1", "x"])], schema=schema_of(pa.field("n", pa.string(), nullable=False))
    )
    found = run({"n": "int64"}, given)
    assert found.rows.schema.field("n").nullable is False
    assert found.rows.to_pylist() == [{"n": 1}]


def test_dictionary_columns_are_cast_by_their_values() -> None:
    given = pa.record_batch(
        {"v": pa.array(["1", None, "x", "1"]).dictionary_encode(), "w": pa.array(["a"] * 4).dictionary_encode()}
    )
    found = run({"v": "int64"}, given)
    assert found.rows.to_pylist() == [{"v": 1, "w": "a"}, {"v": None, "w": "a"}, {"v": 1, "w": "a"}]


def test_columns_that_are_not_named_pass_as_they_are_whatever_their_type() -> None:
    strict = pa.field("item", pa.struct([pa.field("x", pa.int64(), nullable=False)]), nullable=False)
    schema = pa.schema([("v", pa.string()), ("views", pa.list_view(strict)), ("text", pa.string_view())])
    rows = [
        {"v": "1", "views": [{"x": 1}], "text": "a"},
        {"v": "x", "views": None, "text": "b"},
        {"v": None, "views": [], "text": None},
    ]
    found = run({"v": "int8"}, pa.RecordBatch.from_pylist(rows, schema=schema))
    assert found.rows.to_pylist() == [{**rows[0], "v": 1}, rows[2]]


def test_a_column_of_the_same_type_costs_nothing() -> None:
    given = pa.record_batch({"v": ["1"]})
    assert run({"v": "string"}, given).rows.column(0).equals(given.column(0))


# Rejects


PERSON = schema_of(
    pa.field("id", pa.string(), metadata={"blocks.label": "public"}),
    pa.field("age", pa.string(), metadata={"blocks.label": "pii.age"}),
    pa.field("paid", pa.string(), metadata={"blocks.label": "public"}),
    pa.field("at", pa.timestamp("us", "UTC"), metadata={"blocks.label": "public", "blocks.event_time": "true"}),
)
PEOPLE = [
    {"id": "1", "age": "30", "paid": "1.50", "at": moment(10)},
    {"id": "2", "age": "secret-age", "paid": "1.505", "at": moment(20)},
    {"id": "3", "age": "secret-too", "paid": None, "at": moment(30)},
    {"id": "4", "age": None, "paid": "2", "at": moment(40)},
]
TYPES = {"age": "int16", "paid": "decimal128(9, 2)"}


def people(pipeline: beam.Pipeline) -> beam.PCollection:
    given = pa.RecordBatch.from_pylist(PEOPLE, schema=PERSON)
    return pipeline | beam.Create([0]) | beam.Map(lambda _: given).with_output_types(BatchType(PERSON))


def test_each_bad_row_is_rejected_once_with_every_path_and_no_private_value(tmp_path: Path) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline, Rejects(tmp_path / "rejects", run_id="r") as rejects:
        block = CastColumns(TYPES, rejects=rejects)
        found = people(pipeline) | block
        assert found.element_type == BatchType(block.output_schema(PERSON))
        rows = found | beam.FlatMap(lambda one: [str(row["id"]) for row in one.to_pylist()]).with_output_types(str)
        assert_that(rows, equal_to(["1", "4"]))
    written = pq.read_table(tmp_path / "rejects").sort_by("message").to_pylist()
    assert [(row["block"], row["code"], row["field_path"], row["message"]) for row in written] == [
        ("CastColumns", "cast_failed", "age", "`age` does not fit int16"),
        ("CastColumns", "cast_failed", "age, paid", "`age` does not fit int16; `paid` does not fit decimal128(9, 2)"),
    ]
    assert [row["event_time"] for row in written] == [moment(30), moment(20)]
    assert "secret" not in str(written)
    assert '"paid": "1.505"' in written[1]["record"]


def test_without_rejects_the_first_bad_row_stops_the_pipeline_and_shows_no_value() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    people(pipeline) | CastColumns(TYPES)
    with pytest.raises(Exception, match="cast_failed: `age` does not fit int16") as caught:
        pipeline.run()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["empty", "sliced", "null"])
def test_odd_batches_are_cast_row_by_row(kind: str) -> None:
    whole = pa.RecordBatch.from_pylist(PEOPLE, schema=PERSON)
    given = {
        "empty": whole.slice(0, 0),
        "sliced": whole.slice(2, 2),
        "null": pa.RecordBatch.from_arrays([pa.nulls(3, field.type) for field in PERSON], schema=PERSON),
    }[kind]
    found = run(TYPES, given)
    ids = {"empty": [], "sliced": ["4"], "null": [None] * 3}[kind]
    assert found.rows.column("id").to_pylist() == ids


def test_the_record_of_a_reject_may_hold_times_that_python_does_not() -> None:
    times = pa.array([2**62, 1], pa.timestamp("ns", "UTC"))
    far = pa.array([2**61, 0], pa.timestamp("us"))
    found = run({"n": "int64"}, pa.record_batch({"at": times, "far": far, "n": ["x", "y"]}))
    assert len(found.rejects) == 2


# Options


def test_every_text_that_is_no_type_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        CastColumns(
            {"a": "int46", "b": "dictionary<values=string, indices=int32, ordered=0>", "c": 3, "d": "decimal128(99, 2)"}
        )  # type: ignore[dict-item]
    assert [problem.where.split(",")[0] for problem in caught.value.problems] == [
        "columns.a",
        "columns.b",
        "columns.c",
        "columns.d",
    ]
    assert "did you mean `int64`?" in caught.value.problems[0].fix
    assert all(problem.fix for problem in caught.value.problems)
    with pytest.raises(ConfigError, match="expected a mapping of column to type, got a list"):
        CastColumns(["a"])  # type: ignore[arg-type]


def test_every_column_that_is_not_there_is_reported_at_once() -> None:
    with pytest.raises(ColumnError) as caught:
        CastColumns({"agee": "int8", "idd": "int8", "age": "int8"}).output_schema(PERSON)
    assert [problem.what for problem in caught.value.problems] == ["no column `agee`", "no column `idd`"]


def test_every_pair_of_types_that_cannot_be_is_reported_with_what_is_possible() -> None:
    schema = pa.schema(
        [
            ("n", pa.int64()),
            ("d", pa.date32()),
            ("s", pa.struct([("a", pa.int64()), ("b", pa.int64())])),
            ("l", pa.list_(pa.int64())),
            ("m", pa.map_(pa.string(), pa.int64())),
            ("i", pa.month_day_nano_interval()),
        ]
    )
    with pytest.raises(SchemaError) as caught:
        CastColumns(
            {
                "n": "timestamp",
                "d": "int32",
                "s": "struct<a: int8, c: int8>",
                "l": "string",
                "m": "map<int64, int64>",
                "i": "string",
            }
        ).output_schema(schema)
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [
        ("column `n`", "int64 cannot be cast to timestamp[us, tz=UTC]"),
        ("column `d`", "date32[day] cannot be cast to int32"),
        ("column `s`", "the struct has no field `c`"),
        ("column `s`", "the type has no field `b`, and a cast drops none"),
        ("column `l`", "list<item: int64> cannot be cast to string"),
        ("column `m`", "keys of a map would be cast from string to int64, where different keys can become equal"),
        ("column `i`", "month_day_nano_interval cannot be cast to string"),
    ]
    assert caught.value.problems[0].fix == "integer can be cast to: boolean, integer, float, decimal, text"
    assert caught.value.problems[1].fix == "date can be cast to: date, timestamp, text"
    assert all(problem.fix for problem in caught.value.problems)


def test_the_block_pickles() -> None:
    block = pickle.loads(pickle.dumps(CastColumns(TYPES)))
    assert block.output_schema(PERSON).field("age").type == pa.int16()
