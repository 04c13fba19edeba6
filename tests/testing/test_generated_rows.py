"""Made rows: the same for the same seed, with what a block may trip over among them."""

import datetime as dt
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.core.errors import SchemaError
from blocks.core.labels import event_time_of
from blocks.core.row_values import required_null
from blocks.core.schema.yaml_form import of_columns
from blocks.testing import batch_for, batches_for, differences, multiset, rows_for
from blocks.testing.comparing import row_keys, values_of
from blocks.testing.generated import SPAN, START
from blocks.testing.leak_search import markers_for, open_texts, search

ORDERS = of_columns(
    {
        "order_id": {"type": "string", "required": True, "key": True},
        "at": {"type": "timestamp", "event_time": True},
        "email": {"type": "string", "label": "pii.email"},
        "amount": "decimal128(9, 2)",
        "items": {"type": "list", "items": {"type": "struct", "fields": [{"name": "sku", "type": "string"}]}},
    },
    "orders",
)
KINDS = [
    *(pa.bool_(), pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
    *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary(3), pa.large_binary(), pa.null()),
    *(pa.decimal128(3, 3), pa.decimal128(38, 4), pa.decimal256(76, 2), pa.date32(), pa.date64(), pa.time32("s")),
    *(pa.time64("ns"), pa.timestamp("s"), pa.timestamp("ms", "UTC"), pa.timestamp("ns", "UTC"), pa.duration("us")),
    pa.dictionary(pa.int8(), pa.string()),
]
TYPES = st.recursive(
    st.sampled_from(KINDS[:-1]),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(pa.large_list),
        inner.map(lambda kind: pa.list_(kind, 2)),
        inner.map(lambda kind: pa.struct([pa.field("a", kind), pa.field("b", kind, nullable=pa.types.is_null(kind))])),
        inner.map(lambda kind: pa.map_(pa.string(), kind)),
    ),
    max_leaves=4,
)


@given(kind=TYPES | st.sampled_from(KINDS), required=st.booleans(), seed=st.integers(0, 9))
def test_every_type_has_rows_that_fit_it(kind, required, seed):
    schema = pa.schema([pa.field("x", kind, nullable=not required or pa.types.is_null(kind))])
    batch = batch_for(schema, 20, seed)
    batch.validate(full=True)
    assert batch.schema == schema
    assert batch.num_rows == 20
    assert required_null(batch.column(0), schema.field(0), "x") == "" or pa.types.is_dictionary(kind)
    assert row_keys(batch) == row_keys(batch_for(schema, 20, seed))


def test_another_column_leaves_the_others_as_they_are():
    more = ORDERS.append(pa.field("more", pa.int64()))
    assert batch_for(more, 50, 3).select(ORDERS.names).equals(batch_for(ORDERS, 50, 3))
    assert not batch_for(ORDERS, 50, 4).equals(batch_for(ORDERS, 50, 3))


def test_batches_hold_the_rows_of_one_batch():
    pieces = list(batches_for(ORDERS, 100, 1, size=30))
    assert [piece.num_rows for piece in pieces] == [30, 30, 30, 10]
    assert pa.Table.from_batches(pieces).equals(pa.Table.from_batches([batch_for(ORDERS, 100, 1)]))


def test_keys_collide_nulls_stand_and_times_tie_out_of_order():
    rows = rows_for(ORDERS, 200)
    times = [row["at"] for row in rows]
    assert event_time_of(ORDERS) == "at"
    assert all(START <= time < START + SPAN for time in times)
    assert times != sorted(times)
    assert max(Counter(times).values()) > 1
    assert any(time == time.replace(minute=0, second=0, microsecond=0) for time in times)
    assert 50 < len({row["order_id"] for row in rows}) < 200
    assert 5 < sum(row["email"] is None for row in rows) < 60
    assert {len(row["items"]) for row in rows if row["items"] is not None} == {0, 1, 2, 3}


def test_hints_are_drawn_from_at_any_depth():
    rows = rows_for(ORDERS, 50, values={"amount": ["1.50", None], "items[].sku": ["only"]})
    assert {str(row["amount"]) for row in rows} == {"1.50", "None"}
    assert {item["sku"] for row in rows for item in row["items"] or () if item is not None} == {"only"}
    (row,) = rows_for(pa.schema([("at", pa.timestamp("us", "UTC"))]), 1, values={"at": ["2026-01-02T03:04:05"]})
    assert row["at"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def test_a_hint_for_a_field_that_is_not_there_is_an_error():
    with pytest.raises(SchemaError, match=r"no field `amuont`"):
        rows_for(ORDERS, 1, values={"amuont": [1]})


def test_a_type_without_values_is_an_error():
    with pytest.raises(SchemaError, match=r"no values are made for extension<arrow\.uuid>"):
        rows_for(pa.schema([("id", pa.uuid())]), 1)


def test_rows_compare_whatever_the_order_and_the_batches():
    batch = batch_for(ORDERS, 60)
    parts = [("", batch.slice(40)), ("", batch.slice(0, 40))]
    assert list(differences(multiset([("", batch)]), multiset(parts))) == []
    (difference,) = differences(multiset([("", batch)]), multiset(parts[:1]))
    assert difference.startswith("40 rows missing, such as")
    windowed = multiset([("a", batch)]), multiset([("b", batch)])
    assert len(list(differences(*windowed))) == 2


def test_nan_equals_nan_and_the_zeros_differ():
    batch = pa.RecordBatch.from_pydict({"x": [float("nan"), float("nan"), 0.0, -0.0]})
    assert sorted(multiset([("", batch)]).values()) == [1, 1, 2]


def test_times_that_python_cannot_hold_are_numbers():
    far = pa.array([2**62], pa.timestamp("us", "UTC"))
    assert values_of(far) == [2**62]
    assert row_keys(pa.RecordBatch.from_arrays([far], ["x"])) == ["{'x': 4611686018427387904}"]


def test_markers_stand_in_private_columns_and_are_found_outside_of_them():
    markers = markers_for(ORDERS)
    assert list(markers) == ["email"]
    batch = batch_for(ORDERS, 20, values=markers)
    assert search(open_texts(batch), markers) == []
    leaked = batch.append_column("copy", batch.column("email"))
    assert search(open_texts(leaked), markers) == ["output column `copy`: a value of `email` (raw)"]


@pytest.mark.parametrize("encode", [str.upper, lambda text: text.encode().hex(), lambda text: text.encode("utf-16-le")])
def test_a_marker_is_found_in_other_forms(encode):
    text = encode(markers_for(ORDERS)["email"][3])
    assert search([("here", text if isinstance(text, bytes) else text.encode())], markers_for(ORDERS))
