"""Random nested schemas and batches: every list type, dictionaries, maps, nulls at every level, slices."""

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from hypothesis import strategies as st

from blocks.core.labels import is_list

NAMES = ("a", "b", "c", "d")
_LEAVES = (
    pa.int64(),
    pa.uint8(),
    pa.bool_(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.float64(),
    pa.decimal128(8, 2),
    pa.date32(),
    pa.timestamp("us", tz="UTC"),
    pa.dictionary(pa.int8(), pa.string()),
)


def _structs(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    return st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3).map(
        lambda children: pa.struct(list(children.items()))
    )


def _lists(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    makers = [pa.list_, pa.large_list, lambda kind: pa.list_(kind, 2)]
    return st.builds(lambda make, kind: make(kind), st.sampled_from(makers), inner)


def types(maps: bool = True) -> st.SearchStrategy[pa.DataType]:
    """Arrow types, up to about four levels deep."""

    def deeper(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
        keyed = inner.map(lambda kind: pa.map_(pa.string(), kind))
        return st.one_of(_structs(inner), _lists(inner), *([keyed] if maps else []))

    return st.recursive(st.sampled_from(_LEAVES), deeper, max_leaves=6)


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Python values of a type, null included."""
    if pat.is_dictionary(kind):
        return values(kind.value_type)
    if pat.is_struct(kind):
        found = st.fixed_dictionaries({child.name: values(child.type) for child in kind})
    elif pat.is_map(kind):
        found = st.lists(st.tuples(st.sampled_from(("k", "l", "m")), values(kind.item_type)), max_size=3)
    elif pat.is_fixed_size_list(kind):
        found = st.lists(values(kind.value_type), min_size=2, max_size=2)
    elif is_list(kind):
        found = st.lists(values(kind.value_type), max_size=3)
    else:
        found = _scalars(kind)
    return st.none() | found


def _scalars(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pat.is_boolean(kind):
        return st.booleans()
    if pat.is_integer(kind):
        return st.integers(0, 255)
    if pat.is_floating(kind):
        return st.floats(allow_nan=False)
    if pat.is_decimal(kind):
        return st.integers(-1000, 1000).map(lambda number: Decimal(number).scaleb(-2))
    if pat.is_date(kind):
        return st.dates(datetime.date(1970, 1, 1), datetime.date(2030, 1, 1))
    if pat.is_timestamp(kind):
        return st.datetimes(
            datetime.datetime(1970, 1, 1), datetime.datetime(2030, 1, 1), timezones=st.just(datetime.UTC)
        )
    if pat.is_binary(kind):
        return st.binary(max_size=3)
    return st.text("ab:~[{", max_size=3)


@st.composite
def batches(draw: Any, maps: bool = True, identified: bool = False) -> pa.RecordBatch:
    """A slice out of the middle of a batch of a random schema; `identified` adds a column `id` of other values each."""
    columns = draw(st.dictionaries(st.sampled_from(NAMES), types(maps), min_size=1, max_size=3))
    before, rows, after = draw(st.integers(0, 2)), draw(st.integers(0, 4)), draw(st.integers(0, 2))
    count = before + rows + after
    arrays = {
        name: pa.array(draw(st.lists(values(kind), min_size=count, max_size=count)), kind)
        for name, kind in columns.items()
    }
    if identified:
        arrays = {"id": pa.array(range(count), pa.int64()), **arrays}
    return pa.RecordBatch.from_pydict(arrays).slice(before, rows)
