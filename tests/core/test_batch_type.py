"""The element type of batches and its coder."""

import copyreg
import pickle
import subprocess
import sys
import typing
from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam import coders, typehints
from apache_beam.coders.coder_impl import create_InputStream, create_OutputStream
from apache_beam.typehints.typehints import is_consistent_with
from core_data import arrays, batches, check, rows_of, run, source, types
from hypothesis import given
from hypothesis import strategies as st

from blocks.core import labels
from blocks.core.batch_type import BatchCoder, BatchType, has_dictionary, schema_of
from blocks.core.errors import BatchTypeError, SchemaError
from blocks.core.wire import size_of, take


def _field(name: str, label: str, **more: str) -> pa.Field:
    return pa.field(name, pa.string(), metadata={"blocks.label": label, **more})


def _nested(label: str) -> pa.Schema:
    inner = pa.struct([_field("email", label)])
    return pa.schema([pa.field("users", pa.list_(pa.field("item", inner)))])


# The type


def test_types_of_equal_schemas_are_equal_and_have_one_hash() -> None:
    assert BatchType(_nested("pii.email")) == BatchType(_nested("pii.email"))
    assert hash(BatchType(_nested("pii.email"))) == hash(BatchType(_nested("pii.email")))


@pytest.mark.parametrize(
    "other",
    [
        pa.schema([_field("a", "secret")]),
        pa.schema([_field("a", "public").with_nullable(False)]),
        pa.schema([_field("a", "public").with_type(pa.large_string())]),
        pa.schema([_field("b", "public")]),
        pa.schema([_field("a", "public")], {"made": "here"}),
    ],
)
def test_types_differ_by_label_nullability_type_name_and_schema_metadata(other: pa.Schema) -> None:
    assert BatchType(pa.schema([_field("a", "public")])) != BatchType(other)


def test_a_label_inside_a_list_of_structs_makes_another_type() -> None:
    assert BatchType(_nested("pii.email")) != BatchType(_nested("public"))


def test_equal_types_hash_alike_whatever_the_order_of_their_metadata() -> None:
    one = BatchType(pa.schema([_field("a", "public", x="1", y="2")]))
    other = BatchType(pa.schema([pa.field("a", pa.string(), metadata={"y": "2", "x": "1", "blocks.label": "public"})]))
    assert one == other
    assert hash(one) == hash(other)
    assert hash(BatchCoder(one.schema)) == hash(BatchCoder(other.schema))


def test_a_type_is_not_equal_to_what_is_no_type() -> None:
    assert BatchType(_nested("public")) != _nested("public")


def test_type_and_coder_survive_pickling() -> None:
    for kept in (BatchType(_nested("pii.email")), BatchCoder(_nested("pii.email"))):
        assert pickle.loads(pickle.dumps(kept)) == kept


def test_two_columns_of_one_name_and_dictionaries_are_refused_in_one_error() -> None:
    fields = [
        pa.field("a", pa.string()),
        pa.field("a", pa.string()),
        pa.field("d", pa.dictionary(pa.int8(), pa.string())),
    ]
    fields.append(pa.field("s", pa.struct([("x", pa.list_(pa.dictionary(pa.int8(), pa.string())))])))
    with pytest.raises(SchemaError) as caught:
        BatchType(pa.schema(fields))
    shown = str(caught.value)
    assert "2 columns are named `a`" in shown
    assert "column `d` has the dictionary type" in shown
    assert "column `s` has the dictionary type" in shown
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "kind",
    [
        pa.run_end_encoded(pa.int32(), pa.dictionary(pa.int8(), pa.string())),
        pa.dense_union([pa.field("a", pa.dictionary(pa.int8(), pa.string()))]),
        pa.map_(pa.string(), pa.list_view(pa.dictionary(pa.int8(), pa.string()))),
    ],
)
def test_a_dictionary_is_found_wherever_it_hides(kind: pa.DataType) -> None:
    assert has_dictionary(kind)
    with pytest.raises(SchemaError, match="dictionary"):
        BatchType(pa.schema([("c", kind)]))


def test_type_check_takes_batches_of_the_schema_only() -> None:
    schema = pa.schema([("a", pa.int64())])
    BatchType(schema).type_check(pa.record_batch([pa.array([1])], schema=schema))
    for wrong in (pa.record_batch([pa.array(["x"])], names=["a"]), pa.table({"a": [1]}), [1]):
        with pytest.raises(typehints.typehints.CompositeTypeHintError, match="expected a batch of"):
            BatchType(schema).type_check(wrong)


def test_a_function_annotated_with_the_class_takes_batches_of_any_type() -> None:
    def rows(batch: pa.RecordBatch) -> int:
        return batch.num_rows

    run(lambda pipeline: pipeline | source(_BATCHES) | beam.Map(rows))
    assert is_consistent_with(BatchType(_nested("public")), pa.RecordBatch)
    assert not is_consistent_with(BatchType(_nested("public")), pa.Table)


def test_beams_hints_hold_batch_types() -> None:
    one, other = BatchType(_nested("pii.email")), BatchType(_nested("public"))
    for around in (lambda t: typing.Tuple[str, t], lambda t: typing.Iterable[t], lambda t: typing.Optional[t]):  # noqa: UP006, UP045
        kind = typehints.native_type_compatibility.convert_to_beam_type(around(one))
        assert is_consistent_with(kind, kind)
        assert not is_consistent_with(kind, typehints.native_type_compatibility.convert_to_beam_type(around(other)))
    assert is_consistent_with(one, typehints.Any)
    assert not is_consistent_with(one, int)
    assert not is_consistent_with(int, one)


def test_the_registry_gives_the_batch_coder_also_inside_tuples_and_lists() -> None:
    kind = BatchType(_nested("pii.email"))
    assert coders.registry.get_coder(kind) == BatchCoder(kind.schema)
    pair = coders.registry.get_coder(typehints.Tuple[str, kind])
    assert pair.coders()[1] == BatchCoder(kind.schema)
    many = coders.registry.get_coder(typehints.Iterable[kind])
    assert many._elem_coder == BatchCoder(kind.schema)


def test_the_coder_names_its_type() -> None:
    assert BatchCoder(_nested("public")).to_type_hint() == BatchType(_nested("public"))
    assert not BatchCoder(_nested("public")).is_deterministic()


# The coder


@given(batches(types()))
def test_every_type_survives_the_coder(batch: pa.RecordBatch) -> None:
    coder = BatchCoder(batch.schema)
    again = coder.decode(coder.encode(batch))
    again.validate(full=True)
    assert again.schema.equals(batch.schema, check_metadata=True)
    assert repr(again.to_pylist()) == repr(batch.to_pylist())


@given(batches(types()), batches(types()), st.booleans())
def test_batches_follow_each_other_in_a_stream(first: pa.RecordBatch, second: pa.RecordBatch, nested: bool) -> None:
    stream = create_OutputStream()
    one, other = BatchCoder(first.schema).get_impl(), BatchCoder(second.schema).get_impl()
    one.encode_to_stream(first, stream, True)
    other.encode_to_stream(second, stream, nested)
    back = create_InputStream(stream.get())
    assert repr(one.decode_from_stream(back, True).to_pylist()) == repr(first.to_pylist())
    assert repr(other.decode_from_stream(back, nested).to_pylist()) == repr(second.to_pylist())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**63 - 1, -(2**63), None]),
        pa.array([2**64 - 1, 0, None], pa.uint64()),
        pa.array([float("nan"), float("-inf"), -0.0]),
        pa.array(["", "\0", "\U0010ffff"], pa.string_view()),
        pa.array([[["a", None], []], None, []], pa.large_list_view(pa.list_(pa.string_view()))),
        pa.nulls(3, pa.month_day_nano_interval()),
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", None])),
        pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]),
        pa.array([b"0" * 16, None, b"1" * 16], pa.uuid()),
    ],
    ids=lambda column: str(column.type),
)
def test_odd_types_survive_the_coder(column: pa.Array) -> None:
    batch = pa.RecordBatch.from_arrays([column], names=["c"]).slice(1)
    coder = BatchCoder(batch.schema)
    assert repr(coder.decode(coder.encode(batch)).to_pylist()) == repr(batch.to_pylist())


def test_a_batch_without_columns_keeps_its_rows() -> None:
    batch = pa.record_batch([pa.array([1, 2, 3])], names=["a"]).select([])
    coder = BatchCoder(batch.schema)
    assert coder.decode(coder.encode(batch)).num_rows == 3


def test_the_schema_is_not_in_the_message() -> None:
    long = pa.schema([pa.field("x" * 10_000, pa.int64(), metadata={"blocks.description": "y" * 10_000})])
    assert len(BatchCoder(long).encode(pa.record_batch([pa.array([1])], schema=long))) < 1000


_WIDE = ["abcdefghij" * 10] * 10_000


@pytest.mark.parametrize(
    "column",
    [
        pa.array(_WIDE),
        pa.array(_WIDE, pa.string_view()),
        pa.array([[one] for one in _WIDE], pa.list_(pa.string_view())),
        pa.array([{"a": one} for one in _WIDE], pa.struct([("a", pa.binary_view())])),
        pa.array([[one] for one in _WIDE], pa.list_view(pa.string())),
        pa.array([[(one, one)] for one in _WIDE], pa.map_(pa.string(), pa.string_view())),
        pa.array([[1.0] * 12] * 10_000, pa.list_(pa.float64(), 12)),
    ],
    ids=lambda column: str(column.type),
)
def test_a_slice_costs_only_its_own_rows(column: pa.Array) -> None:
    batch = pa.RecordBatch.from_arrays([column], names=["c"])
    piece = batch.slice(5000, 10)
    coder = BatchCoder(batch.schema)
    assert len(coder.encode(batch)) > 900_000
    assert len(coder.encode(piece)) < 5000
    assert coder.get_impl().estimate_size(piece) == len(coder.encode(piece))
    assert size_of(piece) < 5000
    assert coder.decode(coder.encode(piece)).to_pylist() == piece.to_pylist()


@pytest.mark.parametrize(
    "wrong",
    [
        pa.record_batch([pa.array(["marker-value"])], names=["a"]),
        pa.record_batch([pa.array([1])], names=["b"]),
        pa.record_batch([pa.array([1])], schema=pa.schema([pa.field("a", pa.int64(), False)])),
        pa.table({"a": [1]}),
        "marker-value",
        None,
    ],
)
def test_what_is_no_batch_of_the_schema_is_refused_without_its_values(wrong: object) -> None:
    coder = BatchCoder(pa.schema([("a", pa.int64())]))
    for write in (coder.encode, lambda one: coder.get_impl().encode_to_stream(one, create_OutputStream(), True)):
        with pytest.raises(
            BatchTypeError, match=r"(?s)expected a batch of BatchType\[a: int64\], got.*to do:"
        ) as caught:
            write(wrong)
        assert "marker-value" not in str(caught.value)


def test_a_batch_whose_labels_were_lost_gets_them_back() -> None:
    schema = _nested("pii.email")
    bare = pa.record_batch([pa.array([[{"email": "x"}]])], names=["users"])
    coder = BatchCoder(schema)
    assert coder.decode(coder.encode(bare)).schema.equals(schema, check_metadata=True)


@given(st.data())
def test_take_gives_the_rows_at_the_places_for_every_type(data: st.DataObject) -> None:
    column = data.draw(types().flatmap(lambda kind: arrays(kind, 4)))
    places = data.draw(st.lists(st.integers(0, 3), max_size=5))
    batch = pa.RecordBatch.from_arrays([column], names=["c"])
    taken = take(batch, pa.array(places, pa.int64()))
    assert taken.schema == batch.schema
    rows = batch.to_pylist()
    assert repr(taken.to_pylist()) == repr([rows[place] for place in places])


# In a pipeline

_BATCHES = [pa.record_batch([pa.array([1, 2, None]), pa.array(["a", None, "c"])], names=["n", "s"]).slice(1)] * 3


def _no_pickle(batch: pa.RecordBatch) -> tuple[object, ...]:
    raise AssertionError("a batch was pickled")


@pytest.fixture
def unpicklable() -> Iterator[None]:
    """Batches that fail when anything pickles them."""
    copyreg.pickle(pa.RecordBatch, _no_pickle)
    try:
        yield
    finally:
        copyreg.dispatch_table.pop(pa.RecordBatch)


@pytest.mark.usefixtures("unpicklable")
def test_a_reshuffle_does_not_pickle_batches() -> None:
    with pytest.raises(AssertionError, match="a batch was pickled"):
        pickle.dumps(_BATCHES[0])

    wanted = rows_of(_BATCHES)

    def build(pipeline: beam.Pipeline) -> None:
        shuffled = pipeline | source(_BATCHES) | beam.Reshuffle()
        assert shuffled.element_type == BatchType(_BATCHES[0].schema)
        check(shuffled, lambda found: _equal(rows_of(found), wanted))

    run(build)


@pytest.mark.usefixtures("unpicklable")
def test_the_plant_is_seen_where_batches_have_no_type() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        untyped = pipeline | source(_BATCHES) | beam.Map(lambda batch: batch).with_output_types(typing.Any)
        untyped | beam.Reshuffle() | beam.Map(lambda batch: batch.num_rows)

    with pytest.raises(Exception, match="pickle"):
        run(build)


@pytest.mark.usefixtures("unpicklable")
def test_batches_are_values_of_a_group_by_key() -> None:
    def rows(group: tuple[str, typing.Iterable[pa.RecordBatch]]) -> list[tuple[str, int]]:
        return [(group[0], batch.num_rows) for batch in group[1]]

    def build(pipeline: beam.Pipeline) -> None:
        kind = typing.Tuple[str, BatchType(_BATCHES[0].schema)]  # noqa: UP006
        keyed = pipeline | source(_BATCHES) | beam.Map(lambda batch: ("k", batch)).with_output_types(kind)
        counts = keyed | beam.GroupByKey() | beam.FlatMap(rows).with_output_types(typing.Tuple[str, int])  # noqa: UP006
        beam.testing.util.assert_that(counts, beam.testing.util.equal_to([("k", 2)] * 3))

    run(build)


def test_a_step_that_breaks_its_declared_schema_stops_at_the_coder() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        lie = beam.Map(lambda batch: batch.select(["n"])).with_output_types(BatchType(_BATCHES[0].schema))
        (
            pipeline
            | source(_BATCHES)
            | lie
            | beam.Reshuffle()
            | beam.Map(lambda batch: batch.num_rows).with_output_types(int)
        )

    with pytest.raises(Exception, match="expected a batch of"):
        run(build)


def test_a_collection_without_batch_type_is_refused_with_block_and_remedy() -> None:
    pipeline = beam.Pipeline()
    numbers = pipeline | "Numbers" >> beam.Create([1])
    with pytest.raises(BatchTypeError) as caught:
        schema_of(numbers, "MaskColumns")
    shown = str(caught.value)
    assert "int" in shown
    assert "Numbers" in shown
    assert "where: MaskColumns" in shown
    assert "AsBatches(schema)" in shown
    assert "with_output_types(blocks.BatchType(schema))" in shown


def test_importing_the_module_registers_the_coder() -> None:
    code = (
        "import pyarrow as pa; from apache_beam import coders; from blocks.core.batch_type import BatchType; "
        "print(type(coders.registry.get_coder(BatchType(pa.schema([('a', pa.int64())])))).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "BatchCoder"


def _equal(found: object, wanted: object) -> None:
    assert found == wanted


def test_labels_are_metadata_of_the_type() -> None:
    kept = BatchCoder(_nested("pii.email"))
    (leaf,) = labels.leaves(pickle.loads(pickle.dumps(kept)).to_type_hint().schema)
    assert leaf.labels == {"pii.email"}
