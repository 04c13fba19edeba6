"""Arrow arrays in every layout that the format allows, and small helpers to run batches through Beam."""

import datetime
import decimal
import io
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from hypothesis import strategies as st

from blocks.core.batch_type import BatchType

UTC = datetime.UTC


def run(build: Callable[[beam.Pipeline], Any]) -> Any:
    """Builds and runs a pipeline on the local runner."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    build(pipeline)
    result = pipeline.run()
    result.wait_until_finish()
    return result


def source(batches: Sequence[pa.RecordBatch], schema: pa.Schema | None = None) -> beam.PTransform:
    """The batches, in bundles of their own, typed."""
    whole = [to_stream(batch) for batch in batches]
    schema = batches[0].schema if schema is None else schema
    made = beam.Create(whole, reshuffle=False) | beam.Map(from_stream).with_output_types(BatchType(schema))
    return beam.transforms.ptransform.ptransform_fn(lambda begin: begin | made)()


def to_stream(batch: pa.RecordBatch) -> bytes:
    """A batch with its schema, as an IPC stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def from_stream(content: bytes) -> pa.RecordBatch:
    """The reverse of `to_stream`."""
    return next(iter(pa.ipc.open_stream(content)))


def check(batches: beam.PCollection, matcher: Callable[[list[pa.RecordBatch]], None], label: str = "check") -> None:
    """Gives the matcher all batches of a PCollection; they travel as bytes, for Beam would pickle them."""
    streams = batches | f"{label} as bytes" >> beam.Map(to_stream).with_output_types(bytes)
    assert_that(streams, lambda found: matcher([from_stream(one) for one in found]), label=label)


def rows_of(batches: Sequence[pa.RecordBatch]) -> list[str]:
    """All rows, in an order that does not depend on the batches; as text, so that NaN equals NaN."""
    return sorted(repr(row) for batch in batches for row in batch.to_pylist())


_int32s = st.integers(-(2**31), 2**31 - 1)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
_D = decimal.Decimal
LEAVES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-128, 127),
    pa.int32(): _int32s,
    pa.int64(): st.sampled_from([0, -1, 2**63 - 1, -(2**63)]) | _int32s,
    pa.uint64(): st.sampled_from([0, 2**64 - 1]),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.string(): _texts,
    pa.large_string(): _texts,
    pa.string_view(): st.text("ab", max_size=20),
    pa.binary(): st.binary(max_size=4),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.binary_view(): st.binary(max_size=20),
    pa.decimal128(20, 4): st.sampled_from([_D("0.0000"), _D("-1.5000"), _D("9" * 16 + ".9999")]),
    pa.decimal128(38, 4): st.sampled_from([_D("0.0000"), _D("-1.5000"), _D("9" * 34 + ".9999")]),
    pa.decimal256(76, 2): st.sampled_from([_D("0.00"), _D("-" + "9" * 74 + ".99")]),
    pa.date32(): st.dates(),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(UTC)),
    pa.timestamp("s", "UTC"): st.datetimes(timezones=st.just(UTC)).map(lambda one: one.replace(microsecond=0)),
    pa.time64("us"): st.times(),
    pa.duration("us"): st.timedeltas(datetime.timedelta(-9), datetime.timedelta(9)),
    pa.null(): st.none(),
}
_NOT_IN_BEAM = (pa.uint64(), pa.time64("us"), pa.duration("us"), pa.null(), pa.decimal128(38, 4), pa.decimal256(76, 2))
BEAM_LEAVES = [kind for kind in LEAVES if kind not in _NOT_IN_BEAM]


def types(leaves: Sequence[pa.DataType] = tuple(LEAVES), dictionaries: bool = False) -> st.SearchStrategy[pa.DataType]:
    """Types nested a few levels deep."""
    plain = st.sampled_from(list(leaves))
    if dictionaries:
        values = st.sampled_from([pa.string(), pa.int64(), pa.timestamp("us", "UTC")])
        plain = plain | st.builds(pa.dictionary, st.sampled_from([pa.int8(), pa.int32()]), values)
    return st.recursive(plain, _around, max_leaves=5)


@st.composite
def _around(draw: st.DrawFn, inner: st.SearchStrategy[pa.DataType]) -> pa.DataType:
    kind = draw(st.sampled_from(["struct", "list", "large", "fixed", "view", "large view", "map"]))
    if kind == "struct":
        return pa.struct([(name, draw(inner)) for name in draw(st.sampled_from(["", "a", "ab", "abc"]))])
    if kind == "map":
        return pa.map_(draw(st.sampled_from([pa.string(), pa.int32()])), draw(inner))
    if kind == "fixed":
        return pa.list_(draw(inner), draw(st.integers(1, 2)))
    makes = {"list": pa.list_, "large": pa.large_list, "view": pa.list_view, "large view": pa.large_list_view}
    return makes[kind](draw(inner))


@st.composite
def arrays(draw: st.DrawFn, data_type: pa.DataType, length: int | None = None, nulls: bool = True) -> pa.Array:
    """An array that is a slice, with values under null lists and structs, gaps between lists, offsets not from 0."""
    length = draw(st.integers(0, 5)) if length is None else length
    before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return _array(draw, data_type, before + length + after, nulls).slice(before, length)


def _array(draw: st.DrawFn, data_type: pa.DataType, length: int, nulls: bool) -> pa.Array:
    missing = draw(st.lists(st.booleans(), min_size=length, max_size=length)) if nulls else [False] * length
    mask = pa.array(missing, pa.bool_())
    if pa.types.is_struct(data_type):
        parts = [draw(arrays(child.type, length)) for child in data_type]
        if not parts:
            return pa.array([None if null else {} for null in missing], data_type)
        return pa.StructArray.from_arrays(parts, fields=list(data_type), mask=mask)
    if pa.types.is_dictionary(data_type):
        values = draw(arrays(data_type.value_type, draw(st.integers(1, 3))))
        places = draw(st.lists(st.integers(0, len(values) - 1), min_size=length, max_size=length))
        places = [None if null else place for place, null in zip(places, missing, strict=True)]
        return pa.DictionaryArray.from_arrays(pa.array(places, data_type.index_type), values)
    if pa.types.is_fixed_size_list(data_type):
        values = draw(arrays(data_type.value_type, length * data_type.list_size))
        return pa.FixedSizeListArray.from_arrays(values, type=data_type, mask=mask)
    if pa.types.is_list_view(data_type) or pa.types.is_large_list_view(data_type):
        values = draw(arrays(data_type.value_type, 4))
        starts = draw(st.lists(st.integers(0, 4), min_size=length, max_size=length))
        sizes = [draw(st.integers(0, 4 - start)) for start in starts]
        wide = pa.types.is_large_list_view(data_type)
        kind, numbers = (pa.LargeListViewArray, pa.int64()) if wide else (pa.ListViewArray, pa.int32())
        return kind.from_arrays(pa.array(starts, numbers), pa.array(sizes, numbers), values, type=data_type, mask=mask)
    if pa.types.is_map(data_type) or pa.types.is_list(data_type) or pa.types.is_large_list(data_type):
        return _list(draw, data_type, length, mask)
    values = draw(st.lists(LEAVES[data_type], min_size=length, max_size=length))
    return pa.array([None if null else value for value, null in zip(values, missing, strict=True)], data_type)


def _list(draw: st.DrawFn, data_type: pa.DataType, length: int, mask: pa.Array) -> pa.Array:
    offsets = [draw(st.integers(0, 2))]
    for _ in range(length):
        offsets.append(offsets[-1] + draw(st.integers(0, 2)))
    total = offsets[-1] + draw(st.integers(0, 2))
    if pa.types.is_map(data_type):
        keys = pa.array([str(n) if data_type.key_type == pa.string() else n for n in range(total)], data_type.key_type)
        items = draw(arrays(data_type.item_type, total))
        return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items, type=data_type, mask=mask)
    values = draw(arrays(data_type.value_type, total))
    wide = pa.types.is_large_list(data_type)
    kind, numbers = (pa.LargeListArray, pa.int64()) if wide else (pa.ListArray, pa.int32())
    return kind.from_arrays(pa.array(offsets, numbers), values, type=data_type, mask=mask)


@st.composite
def batches(draw: st.DrawFn, kinds: st.SearchStrategy[pa.DataType], length: int | None = None) -> pa.RecordBatch:
    """A batch of one to three columns, any of them required."""
    length = draw(st.integers(0, 5)) if length is None else length
    fields, columns = [], []
    for name in draw(st.sampled_from(["a", "ab", "abc"])):
        kind = draw(kinds)
        required = kind != pa.null() and draw(st.booleans())
        columns.append(draw(arrays(kind, length, nulls=not required)))
        has_nulls = required and columns[-1].null_count
        fields.append(pa.field(name, kind, not required or bool(has_nulls), {"blocks.label": f"pii.{name}"}))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
