"""Rows as a multiset: equal whatever the batches, their order and their layout."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.catalog.model import Revised
from blocks.core import nested
from blocks.core.dictionaries import decode_batch
from blocks.core.labels import children, is_key


def row_keys(batch: pa.RecordBatch) -> list[str]:
    """A text for each row, the same for equal rows: exact for every type, NaN equal to NaN, 0.0 and -0.0 different."""
    batch = decode_batch(batch)
    columns = [_comparable(column).to_pylist() for column in batch.columns]
    names = batch.schema.names
    return [
        repr(dict(zip(names, row, strict=True)))
        for row in (zip(*columns, strict=True) if columns else [()] * batch.num_rows)
    ]


def values_of(array: pa.Array) -> list[Any]:
    """The values as Python's; times beyond what Python can hold, and those beside them, as numbers."""
    try:
        return list(array.to_pylist())
    except (ValueError, OverflowError):
        return list(_comparable(array).to_pylist())


def multiset(batches: Iterable[tuple[str, pa.RecordBatch]]) -> Counter[str]:
    """How often each row is there.

    Args:
      batches: (window or other mark, batch): rows of different marks are different.
    """
    return Counter(f"{mark} {key}" for mark, batch in batches for key in row_keys(batch))


def settled(batches: Iterable[tuple[str, pa.RecordBatch]], revised: Revised) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Of rows that were revised the last, if it does not take them back, without what depends on how the events came.

    Args:
      batches: (mark, batch) of one schema.
      revised: of the catalog entry.
    """
    last: dict[str, tuple[int, str, pa.RecordBatch, int]] = {}
    for mark, batch in batches:
        keys = [field.name for field in batch.schema if is_key(field)]
        numbers = batch.column(revised.column).to_pylist()
        reasons = batch.column(revised.reason).to_pylist()
        for place, key in enumerate(row_keys(batch.select(keys))):
            if reasons[place] in revised.in_streams_only:
                continue
            if key not in last or last[key][0] < numbers[place]:
                last[key] = (numbers[place], mark, batch, place)
    for _, mark, batch, place in last.values():
        if batch.column(revised.reason)[place].as_py() in revised.takes_back:
            continue
        yield mark, batch.slice(place, 1).drop_columns([revised.column, revised.reason])


def differences(wanted: Counter[str], found: Counter[str], most: int = 3) -> Iterator[str]:
    """What two multisets do not have in common, in words with a few of the rows; nothing if they are equal."""
    for what, rows in (("missing", wanted - found), ("too many", found - wanted)):
        if rows:
            shown = "; ".join(sorted(rows)[:most])
            yield f"{rows.total()} rows {what}, such as {shown[:1500]}"


def _comparable(array: pa.Array) -> pa.Array:
    """Times as numbers, because Python's cannot hold all of Arrow's; everything else as it is."""
    kind = array.type
    if _is_time(kind):
        return array.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    if not _has_times(kind):
        return array
    return nested.map_children(array, _numbered(kind), lambda _, child: _comparable(child))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pat.is_temporal(kind) and not pat.is_interval(kind))


def _has_times(kind: Any) -> bool:
    return _is_time(kind) or any(_has_times(child.type) for _, child in children(kind))


def _numbered(kind: pa.DataType) -> pa.DataType:
    if _is_time(kind):
        return pa.int32() if kind.bit_width == 32 else pa.int64()
    if not _has_times(kind):
        return kind
    fields = [child.with_type(_numbered(child.type)) for _, child in children(kind)]
    if pat.is_struct(kind):
        return pa.struct(fields)
    if pat.is_map(kind):
        return pa.map_(fields[0], fields[1])
    return pa.large_list(fields[0]) if pat.is_large_list(kind) or pat.is_large_list_view(kind) else pa.list_(fields[0])
