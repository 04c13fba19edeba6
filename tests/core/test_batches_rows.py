"""AsRows and AsBatches: rows and batches into each other, on the local runner, with rows really encoded."""

import dataclasses
import datetime
import decimal
import traceback
import typing
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.transforms.window import FixedWindows, SlidingWindows, TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp
from core_data import BEAM_LEAVES, UTC, batches, check, rows_of, run, source, types
from hypothesis import given, settings

from blocks.core.batch_type import BatchType
from blocks.core.batches import AsBatches, AsRows
from blocks.core.errors import BatchTypeError, ConfigError, PrivacyError, RejectedRecordError, SchemaError
from blocks.core.labels import with_event_time
from blocks.core.row_types import row_type_of
from blocks.core.row_values import batch_maker, row_maker

D = decimal.Decimal
MARKER = "marker-7431"
OPEN = {"destinations": {"rows": {"labels": {"*": "keep"}}, "shuffle": {"labels": {"*": "keep"}}}}
MICRO = datetime.datetime(1899, 12, 31, 23, 59, 59, 999_999, UTC)
INNER = pa.struct([pa.field("x", pa.int32()), pa.field("y", pa.string(), False)])

# One column for every row of the table in row_types.py: extremes, empty, and null.
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int8": (pa.int8(), [-128, 127, None]),
    "int16": (pa.int16(), [-(2**15), 2**15 - 1, None]),
    "int32": (pa.int32(), [-(2**31), 2**31 - 1, None]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1, None]),
    "float32": (pa.float32(), [1.5, float("inf"), None]),
    "float64": (pa.float64(), [0.1, float("nan"), None]),
    "bool": (pa.bool_(), [True, False, None]),
    "string": (pa.string(), ["\0\U0010ffff", "", None]),
    "large_string": (pa.large_string(), ["a", "", None]),
    "string_view": (pa.string_view(), ["a" * 30, "", None]),
    "binary": (pa.binary(), [b"\xff\0", b"", None]),
    "fixed_binary": (pa.binary(2), [b"\xff\0", b"ab", None]),
    "binary_view": (pa.binary_view(), [b"\xff" * 30, b"", None]),
    "large_binary": (pa.large_binary(), [b"\xff", b"", None]),
    "decimal": (pa.decimal128(10, 2), [D("1.50"), D("-0.01"), None]),
    "wide_decimal": (pa.decimal256(60, 20), [D("1." + "0" * 20), D("-12345678.12345678901234567890"), None]),
    "round_decimal": (pa.decimal128(5, -2), [D("1E+2"), D("-99E+2"), None]),
    "micros": (pa.timestamp("us", "UTC"), [MICRO, datetime.datetime(2020, 2, 29, 1, 2, 3, 4, UTC), None]),
    "seconds": (pa.timestamp("s", "America/New_York"), [datetime.datetime(2020, 11, 1, 5, 30, tzinfo=UTC), None]),
    "millis": (pa.timestamp("ms", "+05:30"), [datetime.datetime(1900, 1, 1, tzinfo=UTC), None]),
    "date": (pa.date32(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "struct": (INNER, [{"x": None, "y": "q"}, {"x": 3, "y": ""}, None]),
    "list": (pa.list_(pa.int32()), [[1, None], [], None]),
    "large_list": (pa.large_list(pa.string()), [["a", None], [], None]),
    "fixed_list": (pa.list_(pa.int32(), 2), [[1, None], [2, 3], None]),
    "list_view": (pa.list_view(pa.int32()), [[1, None], [], None]),
    "large_list_view": (pa.large_list_view(pa.string()), [["a", None], [], None]),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1), ("b", None)], [], None]),
    "map_of_structs": (pa.map_(pa.int32(), INNER), [[(1, {"x": 1, "y": "a"}), (2, None)], [], None]),
    "structs": (pa.list_(INNER), [[{"x": 1, "y": "a"}, None], [], None]),
    "times": (pa.list_(pa.list_(pa.timestamp("us", "UTC"))), [[[MICRO, None], None], [], None]),
    "deep": (
        pa.struct([("s", INNER), ("d", pa.decimal128(5, 2)), ("m", pa.map_(pa.string(), pa.date32()))]),
        [{"s": None, "d": D("1.00"), "m": [("k", datetime.date(1970, 1, 1))]}, {"s": None, "d": None, "m": None}, None],
    ),
}


def _through_rows(batch: pa.RecordBatch) -> None:
    def build(pipeline: beam.Pipeline) -> None:
        rows = pipeline | source([batch]) | AsRows(OPEN) | beam.Reshuffle()
        again = rows | AsBatches()
        assert again.element_type == BatchType(batch.schema)
        check(again, matcher)

    wanted = rows_of([batch])

    def matcher(found: list[pa.RecordBatch]) -> None:
        assert rows_of(found) == wanted
        assert all(one.schema.equals(batch.schema, check_metadata=True) for one in found)

    run(build)


@pytest.mark.parametrize("required", [False, True])
def test_every_type_survives_rows_and_their_coder(required: bool) -> None:
    fields, columns = [], []
    for name, (kind, values) in COLUMNS.items():
        given = [value for value in values if value is not None] if required else values
        # As many rows in each column.
        columns.append(pa.array((given * 3)[:3], kind))
        fields.append(pa.field(name, kind, not required, {"blocks.label": "pii.x", "blocks.description": name}))
    _through_rows(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, {"made": "here"})))


@given(batches(types(BEAM_LEAVES)))
@settings(max_examples=200, deadline=None)
def test_any_batch_survives_rows(batch: pa.RecordBatch) -> None:
    row_type_of(batch.schema, "test")
    again = batch_maker(batch.schema, "test")(list(row_maker(batch.schema, "test")(batch)))
    assert repr(again.to_pylist()) == repr(batch.to_pylist())


@given(batches(types(BEAM_LEAVES), 3))
@settings(max_examples=8, deadline=None)
def test_any_batch_survives_rows_and_their_coder(batch: pa.RecordBatch) -> None:
    _through_rows(batch)


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        (pa.uint8(), "wider signed"),
        (pa.uint64(), "wider signed"),
        (pa.float16(), "float32"),
        (pa.timestamp("us"), "timestamp[us, tz=UTC]"),
        (pa.timestamp("ns", "UTC"), "timestamp[us, tz=UTC]"),
        (pa.time32("s"), "int64"),
        (pa.time64("us"), "int64"),
        (pa.date64(), "date32"),
        (pa.duration("s"), "int64"),
        (pa.month_day_nano_interval(), "cast it"),
        (pa.null(), "cast it"),
        (pa.sparse_union([pa.field("a", pa.int64())]), "cast it"),
        (pa.map_(pa.list_(pa.int32()), pa.int32()), "list of structs"),
    ],
    ids=str,
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_type_that_beam_cannot_hold_is_refused_with_column_and_remedy(
    kind: pa.DataType, fix: str, nested: bool
) -> None:
    kind = pa.list_(pa.struct([("inside", kind)])) if nested else kind
    schema = pa.schema([("fine", pa.int64()), ("odd", kind)])
    with pytest.raises(SchemaError) as caught:
        beam.Pipeline() | source([], schema) | AsRows()
    assert f"field `odd{'[].inside' if nested else ''}" in str(caught.value)
    assert fix in str(caught.value)


@pytest.mark.parametrize("name", ["_id", "class", "a b", "a.b", "1st", "", "None"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_name_that_beam_cannot_hold_is_refused(name: str, nested: bool) -> None:
    inner = pa.struct([(name, pa.int64())])
    schema = pa.schema([("s", inner) if nested else (name, pa.int64())])
    with pytest.raises(SchemaError, match=r"(?s)cannot be the name of a field.*to do: rename"):
        beam.Pipeline() | source([], schema) | AsRows()


def test_a_column_named_self_and_names_of_tuple_methods_are_fine() -> None:
    inner = pa.struct([("self", pa.int64()), ("index", pa.int64())])
    kinds = [("self", pa.int64()), ("count", pa.int64()), ("été", inner)]
    _through_rows(
        pa.RecordBatch.from_pylist([{"self": 1, "count": 2, "été": {"self": 3, "index": 4}}], pa.schema(kinds))
    )


def test_every_column_that_cannot_be_held_is_named_at_once() -> None:
    schema = pa.schema([("a", pa.uint8()), ("b", pa.struct([("_c", pa.null())])), ("d", pa.time32("s"))])
    with pytest.raises(SchemaError) as caught:
        row_type_of(schema, "AsRows")
    assert [problem.where for problem in caught.value.problems] == [
        "field `a`",
        "field `b._c`",
        "field `b._c`",
        "field `d`",
    ]


def test_no_columns_make_no_rows() -> None:
    with pytest.raises(SchemaError, match="no columns"):
        row_type_of(pa.schema([]), "AsRows")
    with pytest.raises(ConfigError, match="no columns"):
        AsBatches(pa.schema([]))


def _raised(kind: pa.DataType, value: Any) -> Exception:
    with pytest.raises((SchemaError, RejectedRecordError)) as caught:
        batch_maker(pa.schema([("col", kind)]), "AsBatches")([beam.Row(col=value)])
    return caught.value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.int64(), MARKER),
        (pa.int64(), 7431.5),
        (pa.int64(), D("7431.5")),
        (pa.int64(), True),
        (pa.int8(), 7431),
        (pa.float32(), 7431e300),
        (pa.float64(), MARKER),
        (pa.bool_(), 7431),
        (pa.string(), 7431),
        (pa.string(), MARKER.encode()),
        (pa.binary(), MARKER),
        (pa.binary(2), MARKER.encode()),
        (pa.date32(), 7431),
        (pa.date32(), datetime.datetime(2020, 7, 4, 3, 1, tzinfo=UTC)),
        (pa.timestamp("us", "UTC"), datetime.datetime(2020, 7, 4, 3, 1)),
        (pa.timestamp("us", "UTC"), 7431),
        (pa.timestamp("us", "UTC"), MARKER),
        (pa.timestamp("s", "UTC"), Timestamp(micros=7431)),
        (pa.decimal128(5, 2), D("7431.123")),
        (pa.decimal128(5, 2), MARKER),
        (pa.decimal128(5, 2), D("NaN")),
        (pa.struct([("a", pa.int64())]), beam.Row(a=MARKER)),
        (pa.struct([("a", pa.int64())]), {"b": 7431}),
        (pa.struct([("a", pa.int64())]), 7431),
        (pa.list_(pa.int64()), [MARKER]),
        (pa.list_(pa.string()), MARKER),
        (pa.list_(pa.int64(), 2), [7431]),
        (pa.map_(pa.string(), pa.int64()), {MARKER: MARKER}),
        (pa.map_(pa.string(), pa.int64()), {None: 7431}),
        (pa.map_(pa.string(), pa.int64()), MARKER),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_showing_it(kind: pa.DataType, value: Any) -> None:
    error = _raised(kind, value)
    assert "field `col`" in str(error)
    assert "to do: convert it before" in str(error)
    shown = "".join(traceback.format_exception(error)) + repr(error.__context__) + repr(error.__cause__)
    # The call in this test does not name the value either.
    assert MARKER not in shown
    assert "7431" not in shown
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (pa.int64(), np.int16(3), 3),
        (pa.float64(), 3, 3.0),
        (pa.float32(), 3.4028234663852886e38, 3.4028234663852886e38),
        (pa.decimal128(5, 2), 3, D("3.00")),
        (pa.decimal128(5, 2), 0.1, D("0.10")),
        (pa.string(), "", ""),
        (pa.binary(), bytearray(b"a"), b"a"),
        (pa.timestamp("us", "UTC"), MICRO.astimezone(datetime.timezone(datetime.timedelta(hours=5))), MICRO),
        (pa.timestamp("ns", "UTC"), Timestamp(micros=-1), None),
        (pa.list_(pa.int64()), (1, None), [1, None]),
        (pa.map_(pa.string(), pa.int64()), [("a", 1)], [("a", 1)]),
    ],
)
def test_a_value_that_fits_is_taken(kind: pa.DataType, value: Any, kept: Any) -> None:
    batch = batch_maker(pa.schema([("col", kind)]), "AsBatches")([beam.Row(col=value)])
    if kept is None:
        assert batch.column(0).cast(pa.int64()).to_pylist() == [-1000]
    else:
        assert batch.column(0).to_pylist() == [kept]


def test_a_missing_attribute_is_named() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
    with pytest.raises(SchemaError, match=r"(?s)a row \(Row\) does not have this field.*field `b`"):
        batch_maker(schema, "AsBatches")([beam.Row(a=1, b=2), beam.Row(a=1)])
    with pytest.raises(SchemaError, match=r"a row \(dict\).*\n.*\n.*beam.Row, NamedTuples or dataclasses"):
        batch_maker(schema, "AsBatches")([{"a": 1, "b": 2}])


@pytest.mark.parametrize(
    ("kind", "value", "path"),
    [
        (pa.int64(), None, "col"),
        (INNER, beam.Row(x=1, y=None), "col.y"),
        (pa.list_(INNER), [beam.Row(x=1, y="a"), None, beam.Row(x=1, y=None)], "col[].y"),
        (pa.map_(pa.string(), INNER), {"a": beam.Row(x=1, y=None)}, "col{}.y"),
        (pa.list_(pa.field("item", pa.int64(), False)), [None], "col[]"),
    ],
)
def test_a_null_in_a_required_field_is_refused_at_any_depth(kind: pa.DataType, value: Any, path: str) -> None:
    schema = pa.schema([pa.field("col", kind, False)])
    with pytest.raises(SchemaError, match="not nullable") as caught:
        batch_maker(schema, "AsBatches")([beam.Row(col=value)])
    assert f"field `{path}`" in str(caught.value)


def _to_rows(column: pa.Array) -> list[Any]:
    batch = pa.RecordBatch.from_arrays([column], names=["col"])
    return list(row_maker(batch.schema, "AsRows")(batch))


def test_decimals_that_beam_would_round_stop_the_pipeline() -> None:
    kind = pa.decimal128(38, 2)
    assert _to_rows(pa.array([D("9" * 26 + ".99")], kind)) == [beam.Row(col=D("9" * 26 + ".99"))]
    with pytest.raises(RejectedRecordError, match=r"(?s)more than 28 digits.*field `col`") as caught:
        _to_rows(pa.array([D("9" * 27 + ".99")], kind))
    assert "999" not in str(caught.value)


def test_a_map_with_a_key_twice_stops_the_pipeline() -> None:
    kind = pa.map_(pa.string(), pa.int64())
    with pytest.raises(RejectedRecordError, match="a key twice") as caught:
        _to_rows(pa.array([[(MARKER, 1), (MARKER, 2)]], kind))
    assert MARKER not in str(caught.value)


def test_times_beyond_pythons_years_become_timestamps() -> None:
    far = pa.array([2**55], pa.int64()).cast(pa.timestamp("us", "UTC"))
    assert _to_rows(far) == [beam.Row(col=Timestamp(micros=2**55))]
    assert _to_rows(pa.array([[2**55]], pa.list_(pa.int64())).cast(pa.list_(far.type)))[0].col == [
        Timestamp(micros=2**55)
    ]


def test_a_date_beyond_pythons_years_is_refused_without_its_value() -> None:
    with pytest.raises(RejectedRecordError, match="field `col`"):
        _to_rows(pa.array([2**30], pa.int32()).cast(pa.date32()))


# Row types of users


class Payment(NamedTuple):
    user: str
    amount: float | None
    tags: typing.Sequence[str]
    at: Timestamp
    counts: typing.Mapping[str, int | None]


@dataclasses.dataclass
class Device:
    name: str
    cores: np.int16 | None


USER_SCHEMA = pa.schema(
    [
        pa.field("user", pa.string(), False),
        pa.field("amount", pa.float64()),
        pa.field("tags", pa.list_(pa.field("item", pa.string(), False)), False),
        pa.field("at", pa.timestamp("us", "UTC"), False),
        pa.field("counts", pa.map_(pa.string(), pa.int64()), False),
    ]
)


def test_named_tuples_tell_their_columns() -> None:
    rows = [Payment("u1", None, ["a"], Timestamp(-1), {"x": 1}), Payment("u2", 1.5, [], Timestamp(0), {"y": None})]

    def build(pipeline: beam.Pipeline) -> None:
        made = pipeline | beam.Create(rows).with_output_types(Payment) | AsBatches()
        assert made.element_type == BatchType(USER_SCHEMA)
        check(made, lambda found: _is(found[0].to_pylist()[0]["counts"], [("x", 1)]))

    run(build)


def test_dataclasses_tell_their_columns() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        made = pipeline | beam.Create([Device("a", None)]).with_output_types(Device) | AsBatches()
        fields = [pa.field("name", pa.string(), False), pa.field("cores", pa.int16())]
        assert made.element_type == BatchType(pa.schema(fields))
        check(made, lambda found: _is(found[0].to_pylist(), [{"name": "a", "cores": None}]))

    run(build)


def test_rows_without_a_row_type_need_a_schema() -> None:
    numbers = beam.Pipeline() | beam.Create([1])
    with pytest.raises(SchemaError, match=r"(?s)elements of type.*int.*AsBatches\(schema\)"):
        numbers | AsBatches()


def test_a_decimal_field_needs_a_schema_and_says_so() -> None:
    rows = beam.Pipeline() | beam.Create([1]) | beam.Map(lambda one: beam.Row(price=D(one), size=D(2)))
    with pytest.raises(SchemaError) as caught:
        (
            rows.pipeline
            | "More" >> beam.Create([1])
            | beam.Map(D).with_output_types(
                beam.typehints.row_type.RowTypeConstraint.from_fields([("price", D), ("other", object)])
            )
            | AsBatches()
        )
    shown = str(caught.value)
    assert "field `price`" in shown
    assert "no precision" in shown
    assert "field `other`" in shown


def test_labels_survive_a_filter_but_not_another_row_type() -> None:
    schema = pa.schema([pa.field("a", pa.int8(), metadata={"blocks.label": "pii.email"})])
    rows = beam.Pipeline() | source([], schema) | AsRows(OPEN) | beam.Filter(lambda row: row.a)
    assert (rows | AsBatches()).element_type == BatchType(schema)
    other = rows | beam.Map(lambda row: beam.Row(a=str(row.a)))
    assert (other | "Again" >> AsBatches()).element_type.schema.field("a").metadata is None


def test_batches_where_rows_belong_are_refused() -> None:
    made = beam.Pipeline() | source([], pa.schema([("a", pa.int64())]))
    with pytest.raises(BatchTypeError, match=r"(?s)batches already.*AsBatches"):
        made | AsBatches()
    with pytest.raises(BatchTypeError, match=r"(?s)expected a PCollection of batches.*where: AsRows"):
        beam.Pipeline() | beam.Create([1]) | AsRows()


def test_wrong_options_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        AsBatches({"a": "int"}, max_rows=0, max_bytes="8 MB")  # type: ignore[arg-type]
    assert [problem.where for problem in caught.value.problems] == ["max_rows", "max_bytes", "schema"]


def test_dictionary_columns_of_a_given_schema_become_plain() -> None:
    schema = pa.schema([("a", pa.dictionary(pa.int8(), pa.string()))])
    made = beam.Pipeline() | beam.Create([beam.Row(a="x")]) | AsBatches(schema)
    assert made.element_type == BatchType(pa.schema([("a", pa.string())]))


# The policy


LABELLED = pa.schema([pa.field("email", pa.string(), metadata={"blocks.label": "pii.email"})])


def test_labelled_columns_do_not_become_rows_without_a_policy_that_says_so() -> None:
    made = beam.Pipeline() | source([], LABELLED)
    with pytest.raises(PrivacyError, match=r"(?s)pii.email.*field `email`"):
        made | "None" >> AsRows()
    with pytest.raises(PrivacyError, match="does not name `rows`"):
        made | "Other" >> AsRows({"destinations": {"warehouse": {"labels": {"pii.*": "keep"}}}})
    with pytest.raises(PrivacyError, match="drop"):
        made | "Drop" >> AsRows({"destinations": {"rows": {"labels": {"pii.*": "drop"}}}})
    made | "Keep" >> AsRows({"destinations": {"rows": {"labels": {"pii.email": "keep"}}}})


def test_public_columns_become_rows_without_a_policy() -> None:
    schema = pa.schema([pa.field("a", pa.int64(), metadata={"blocks.label": "public"}), ("b", pa.int64())])
    assert (beam.Pipeline() | source([], schema) | AsRows()).element_type._fields[0][0] == "a"


# Sizes, windows and time


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def _batched(rows: list[Any], schema: pa.Schema, matcher: Any, *steps: Any, **options: int) -> None:
    def build(pipeline: beam.Pipeline) -> None:
        made: Any = pipeline | beam.Create(rows, reshuffle=False)
        for step in steps:
            made |= step
        check(made | AsBatches(schema, **options), matcher)

    run(build)


NUMBERS = pa.schema([("n", pa.int64()), ("text", pa.string())])


def test_max_rows_is_kept() -> None:
    def matcher(found: list[pa.RecordBatch]) -> None:
        assert max(batch.num_rows for batch in found) == 100
        assert sorted(n for batch in found for n in batch.column("n").to_pylist()) == list(range(1050))
        assert len(found) <= 12

    _batched([beam.Row(n=n, text="") for n in range(1050)], NUMBERS, matcher, max_rows=100)


def test_max_bytes_is_kept_for_wide_rows_and_a_wider_row_stands_alone() -> None:
    rows = [beam.Row(n=n, text="x" * (200_000 if n % 50 == 7 else 10_000 if n < 100 else 1)) for n in range(400)]

    def matcher(found: list[pa.RecordBatch]) -> None:
        assert sorted(n for batch in found for n in batch.column("n").to_pylist()) == list(range(400))
        assert all(batch.nbytes <= 100_000 or batch.num_rows == 1 for batch in found)
        assert max(batch.num_rows for batch in found) > 20

    _batched(rows, NUMBERS, matcher, max_bytes=100_000)


def test_batches_hold_rows_of_one_window_even_with_many_windows() -> None:
    rows = [beam.Row(n=n, text="") for n in range(5000)]

    def matcher(found: list[pa.RecordBatch]) -> None:
        assert sorted(n for batch in found for n in batch.column("n").to_pylist()) == list(range(5000))
        for batch in found:
            assert len({n % 700 for n in batch.column("n").to_pylist()}) == 1

    stamp = beam.Map(lambda row: TimestampedValue(row, 10 * (row.n % 700)))
    _batched(rows, NUMBERS, matcher, stamp, beam.WindowInto(FixedWindows(10)), max_rows=300)


def test_in_sliding_windows_each_row_is_in_a_batch_of_each_of_its_windows() -> None:
    def matcher(found: list[pa.RecordBatch]) -> None:
        assert sorted(n for batch in found for n in batch.column("n").to_pylist()) == sorted([*range(40), *range(40)])

    stamp = beam.Map(lambda row: TimestampedValue(row, row.n))
    rows = [beam.Row(n=n, text="") for n in range(40)]
    _batched(rows, NUMBERS, matcher, stamp, beam.WindowInto(SlidingWindows(20, 10)))


class _Stamped(beam.DoFn):
    """Batches as text with timestamp and window."""

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> typing.Iterator[str]:
        yield f"{batch.column('n').to_pylist()} at {timestamp.micros}"


TIMED = with_event_time(pa.schema([("n", pa.int64()), ("at", pa.timestamp("us", "UTC"))]), "at")


def _timed(rows: list[tuple[int, int | None]], wanted: list[str], *steps: Any) -> None:
    def build(pipeline: beam.Pipeline) -> None:
        made = (
            pipeline
            | beam.Create(rows, reshuffle=False)
            | beam.Map(
                lambda row: TimestampedValue(
                    beam.Row(n=row[0], at=None if row[1] is None else Timestamp(micros=row[1])), 50
                )
            )
        )
        for step in steps:
            made |= step
        stamped = made | AsBatches(TIMED) | beam.ParDo(_Stamped()).with_output_types(str)
        beam.testing.util.assert_that(stamped, beam.testing.util.equal_to(wanted))

    run(build)


def test_a_batchs_timestamp_is_its_earliest_event_time() -> None:
    _timed([(1, 9), (2, -7), (3, None)], ["[1, 2, 3] at -7"])


def test_without_any_event_time_the_timestamp_is_the_elements() -> None:
    _timed([(1, None)], ["[1] at 50000000"])


def test_an_event_time_beyond_beams_range_is_clamped() -> None:
    _timed([(1, -(2**63))], [f"[1] at {MIN_TIMESTAMP.micros}"])


def test_an_event_time_outside_of_the_rows_window_is_refused() -> None:
    with pytest.raises(Exception, match="event time of a row is not in the row's window"):
        _timed([(1, 9)], [], beam.WindowInto(FixedWindows(10)))


def test_rows_get_their_own_event_time() -> None:
    times = [7, None, -1, 2**62 * 2 - 1]
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, 2, 3, 4]), pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC"))], schema=TIMED
    )

    class Stamps(beam.DoFn):
        def process(self, row: Any, timestamp: Any = beam.DoFn.TimestampParam) -> typing.Iterator[str]:
            yield f"{row.n} at {timestamp.micros}"

    def build(pipeline: beam.Pipeline) -> None:
        rows = pipeline | source([batch]) | AsRows() | beam.ParDo(Stamps()).with_output_types(str)
        last = beam.transforms.window.GlobalWindow().max_timestamp().micros
        wanted = ["1 at 7", f"2 at {MIN_TIMESTAMP.micros}", "3 at -1", f"4 at {last}"]
        beam.testing.util.assert_that(rows, beam.testing.util.equal_to(wanted))
        assert last < MAX_TIMESTAMP.micros

    run(build)
