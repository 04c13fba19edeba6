"""UnionBatches: columns by name, labels of all inputs, everything that does not match in one error."""

import typing

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.transforms.window import FixedWindows
from core_data import check, rows_of, run, source

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.batches import UnionBatches, union_schema
from blocks.core.errors import BatchTypeError, ConfigError, SchemaError
from blocks.core.labels import Masked
from blocks.core.windows import WindowRows

TIME = pa.timestamp("us", "UTC")


def field(name: str, label: str = "", kind: pa.DataType | None = None, **more: str) -> pa.Field:
    metadata = {f"blocks.{key}": value for key, value in more.items()}
    return pa.field(
        name, kind or pa.string(), metadata={**metadata, **({"blocks.label": label} if label else {})} or None
    )


def schema(*fields: pa.Field) -> pa.Schema:
    return pa.schema(fields)


def batch(rows: list[dict[str, object]], of: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, of)


AB = schema(field("a"), field("b", kind=pa.int64()))
BA = schema(field("b", kind=pa.int64()), field("a"))


def _union(inputs: list[pa.RecordBatch], wanted: list[dict[str, object]], **options: str) -> pa.Schema:
    shown = sorted(map(repr, wanted))

    def build(pipeline: beam.Pipeline) -> None:
        parts = [pipeline | f"In {n}" >> source([one]) for n, one in enumerate(inputs)]
        merged = tuple(parts) | UnionBatches(**options)
        build.schema = merged.element_type.schema
        check(merged | beam.Reshuffle(), lambda found: _is(rows_of(found), shown))

    run(build)
    return build.schema


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def test_equal_inputs_are_merged() -> None:
    one, other = batch([{"a": "x", "b": 1}], AB), batch([{"a": "y", "b": None}], AB)
    assert _union([one, other], [{"a": "x", "b": 1}, {"a": "y", "b": None}]).equals(AB, check_metadata=True)


def test_columns_are_matched_by_name_in_the_order_of_the_first_input() -> None:
    one, other = batch([{"a": "x", "b": 1}], AB), batch([{"b": 2, "a": "y"}], BA)
    assert _union([one, other], [{"a": "x", "b": 1}, {"a": "y", "b": 2}]).names == ["a", "b"]


def test_a_missing_column_is_filled_with_nulls_where_that_is_asked_for() -> None:
    inner = pa.struct([pa.field("x", pa.int64(), False)])
    one = batch([{"a": "x", "s": {"x": 1}}], schema(field("a"), field("s", kind=inner).with_nullable(False)))
    other = batch([{"a": "y", "c": 2}], schema(field("a"), field("c", kind=pa.int64())))
    wanted = [{"a": "x", "s": {"x": 1}, "c": None}, {"a": "y", "s": None, "c": 2}]
    merged = _union([one, other], wanted, missing="null")
    assert merged.names == ["a", "s", "c"]
    assert merged.field("s").nullable


def test_everything_that_does_not_match_is_in_one_error() -> None:
    one = schema(field("a"), field("b", kind=pa.int64()), field("c"))
    other = schema(field("a", kind=pa.int64()), field("b", masked=Masked("redact").to_json(), kind=pa.int64()))
    with pytest.raises(SchemaError) as caught:
        union_schema([one, other])
    shown = str(caught.value)
    assert "input 1 has int64, an earlier one string" in shown
    assert "input 1 is masked in another way" in shown
    assert "input 1 does not have it" in shown
    assert [problem.where for problem in caught.value.problems] == ["column `a`", "column `b`", "column `c`"]


def test_a_column_has_the_labels_of_all_inputs() -> None:
    one, other = schema(field("a", "pii.email")), schema(field("a", "secret"))
    assert labels.labels_of(union_schema([one, other]).field("a")) == {"pii.email", "secret"}
    public = schema(field("a", "public"))
    assert labels.labels_of(union_schema([one, public]).field("a")) == {"pii.email", "public"}


def test_a_column_that_is_private_in_one_input_and_unlabelled_in_another_is_refused() -> None:
    private, unlabelled = schema(field("a", "pii.email")), schema(field("a"))
    for inputs in ([private, unlabelled], [unlabelled, private], [private, schema(field("a", "public")), unlabelled]):
        with pytest.raises(SchemaError, match=r"(?s)one input labels it pii\.email.*column `a`.*every input"):
            union_schema(inputs)
    lacking = schema(field("b", "public"))
    assert labels.labels_of(union_schema([private, lacking], fill_missing=True).field("a")) == {"pii.email"}


def test_public_in_one_input_does_not_make_an_unlabelled_column_public() -> None:
    one, other = schema(field("a", "public")), schema(field("a"))
    assert labels.labels_of(union_schema([one, other]).field("a")) == frozenset()
    assert labels.labels_of(union_schema([other, one]).field("a")) == frozenset()
    assert labels.labels_of(union_schema([one, one]).field("a")) == {"public"}


def _struct(label: str, **more: str) -> pa.Schema:
    return schema(field("s", kind=pa.list_(pa.struct([field("x", label, **more)]))))


def test_other_labels_below_a_column_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"(?s)other labels or masks below it.*column `s`"):
        union_schema([_struct("pii.email"), _struct("public")])


def test_other_descriptions_below_a_column_are_not_refused() -> None:
    merged = union_schema([_struct("public", description="one"), _struct("public", description="other")])
    assert merged.equals(_struct("public", description="one"), check_metadata=True)


@pytest.mark.parametrize("mask", [Masked("hmac", "main"), Masked("redact")])
def test_another_mask_or_key_is_refused(mask: Masked) -> None:
    one = schema(field("a", "pii.email", masked=Masked("hmac", "old").to_json()))
    for other in (schema(field("a", "pii.email", masked=mask.to_json())), schema(field("a", "pii.email"))):
        with pytest.raises(SchemaError, match="masked in another way"):
            union_schema([one, other])
    assert union_schema([one, one]).equals(one, check_metadata=True)


def test_the_same_mask_written_in_another_order_is_the_same() -> None:
    text = '{"type": "", "options": {}, "key": "k", "method": "hmac"}'
    one, other = schema(field("a", masked=text)), schema(field("a", masked=Masked("hmac", "k").to_json()))
    assert labels.masked_of(union_schema([one, other]).field("a")) == Masked("hmac", "k")


def test_nullable_in_one_input_is_nullable() -> None:
    required = schema(field("a").with_nullable(False))
    assert union_schema([required, schema(field("a"))]).field("a").nullable
    assert not union_schema([required, required]).field("a").nullable


def test_two_event_times_are_refused_and_one_is_kept() -> None:
    fields = [field("t", kind=TIME), field("u", kind=TIME)]
    one = labels.with_event_time(schema(*fields), "t")
    other = labels.with_event_time(schema(*fields), "u")
    with pytest.raises(SchemaError, match="input 1 has the event time `u`, an earlier one `t`"):
        union_schema([one, other])
    assert labels.event_time_of(union_schema([one, one])) == "t"
    assert labels.event_time_of(union_schema([schema(*fields), other])) == "u"


def test_a_key_is_a_key_in_all_inputs() -> None:
    key = schema(field("a", key="true"))
    assert labels.is_key(union_schema([key, key]).field("a"))
    assert not labels.is_key(union_schema([key, schema(field("a"))]).field("a"))


def test_schema_metadata_stays_where_all_have_it() -> None:
    made = AB.with_metadata({"made": "here"})
    assert union_schema([made, made]).equals(made, check_metadata=True)
    assert union_schema([made, AB]).metadata is None


def test_dicts_single_inputs_and_one_collection_are_taken() -> None:
    one = batch([{"a": "x", "b": 1}], AB)
    wanted = rows_of([one])

    def build(pipeline: beam.Pipeline) -> None:
        made = pipeline | source([one])
        for name, inputs, times in (("dict", {"x": made, "y": made}, 2), ("tuple", (made,), 1), ("alone", made, 1)):
            merged = inputs | name >> UnionBatches()
            assert merged.element_type == BatchType(AB)
            check(merged, lambda found, times=times: _is(rows_of(found), sorted(wanted * times)), name)

    run(build)


def test_no_inputs_rows_and_unknown_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to merge"):
        UnionBatches().expand(())
    with pytest.raises(ConfigError, match="`missing` is error or null"):
        UnionBatches(missing="drop")
    pipeline = beam.Pipeline()
    with pytest.raises(BatchTypeError, match=r"(?s)where: UnionBatches"):
        (pipeline | source([], AB), pipeline | beam.Create([1])) | UnionBatches()


def test_inputs_in_other_windows_are_refused() -> None:
    timed = labels.with_event_time(schema(field("t", kind=TIME)), "t")
    made = beam.Pipeline() | source([], timed)
    hours, days = (made | f"{size}" >> WindowRows(FixedWindows(size)) for size in (3600, 86400))
    with pytest.raises(ConfigError, match=r"(?s)input 1 is in windows of .*UnionBatches"):
        (hours, days) | UnionBatches()
    (hours, made | "again" >> WindowRows(FixedWindows(3600))) | "alike" >> UnionBatches()


def test_batches_of_an_input_that_does_not_mark_the_event_time_get_its_timestamp() -> None:
    marked = labels.with_event_time(schema(field("t", kind=TIME)), "t")
    bare = schema(field("t", kind=TIME))

    class Stamps(beam.DoFn):
        def process(
            self, one: pa.RecordBatch, timestamp: typing.Any = beam.DoFn.TimestampParam
        ) -> typing.Iterator[int]:
            yield timestamp.micros

    def build(pipeline: beam.Pipeline) -> None:
        times = pa.array([5000, 3000]).cast(TIME)
        # Beam writes timestamps in milliseconds between stages.
        one = pipeline | "bare" >> source([pa.RecordBatch.from_arrays([times], schema=bare)])
        other = pipeline | "marked" >> source([], marked)
        stamps = (one, other) | UnionBatches() | beam.ParDo(Stamps()).with_output_types(int)
        beam.testing.util.assert_that(stamps, beam.testing.util.equal_to([3000]))

    run(build)
