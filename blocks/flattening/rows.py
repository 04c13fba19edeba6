"""Flattening batches by a plan: columns taken apart, and rows put together piece by piece.

The values of a list stay where they are; what is built for the rows of a table are indices into them, eight bytes a row
and list, and from those one `take` a column and piece. A piece is cut by rows and by bytes before it is built, so that
a wide row with many items is never there many times at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import nested
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS
from blocks.flattening.plan import (
    PARENT_ID,
    POSITION,
    POSITION_TYPE,
    ROOT,
    ROW_ID,
    Column,
    Emit,
    Open,
    Pick,
    Plan,
    Step,
    Table,
)
from blocks.flattening.row_ids import ID_TYPE, row_ids

Numbers = npt.NDArray[np.int64]
Take = Callable[[pa.Array], pa.Array]
NO_ITEM = -1


@dataclass(frozen=True)
class Parts:
    """A batch taken apart.

    Attributes:
      rows: of the batch.
      columns: the array of every slot, as long as its space.
      offsets: of every space but the first, where the items of each row of its parent begin; from 0.
      ids: row ids, or None.
    """

    rows: int
    columns: dict[int, pa.Array]
    offsets: dict[int, Numbers]
    ids: pa.Array | None


@dataclass(frozen=True)
class Rows:
    """The rows of a table, as indices.

    Attributes:
      count: of rows.
      index: for each space the item of every row, or -1; a space that is not there is the rows as they are.
      positions: for each level the position of every row in its list, or -1.
    """

    count: int
    index: dict[int, Numbers]
    positions: tuple[Numbers, ...]


def flatten_function(plan: Plan) -> Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]:
    """Makes the function from a batch to (table name, piece) pairs, all rows of a table in order."""

    def flatten(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        parts = take_apart(plan, batch)
        for table in plan.tables:
            for piece in build(plan, table, parts):
                yield table.name, piece

    return flatten


def take_apart(plan: Plan, batch: pa.RecordBatch) -> Parts:
    """The columns and offsets of a batch, no value copied where Arrow need not."""
    parts = Parts(batch.num_rows, {}, {}, None if plan.key is None else _ids(plan.key, batch))
    for step, array in zip(plan.steps, batch.columns, strict=True):
        _run(step, array, parts)
    return parts


def _ids(key: Sequence[tuple[int, ...]], batch: pa.RecordBatch) -> pa.Array:
    columns = []
    for first, *rest in key:
        array = batch.column(first)
        for position in rest:
            array = nested.struct_children(nested.plain(array))[position]
        columns.append(array)
    return row_ids(columns)


def _run(step: Step, array: pa.Array, parts: Parts) -> None:
    if isinstance(step, Emit):
        parts.columns[step.slot] = array
        return
    array = nested.plain(array)
    if isinstance(step, Open):
        if step.children:
            for child, values in zip(step.children, nested.struct_children(array), strict=True):
                _run(child, values, parts)
    elif isinstance(step, Pick):
        for key, child in step.keys:
            _run(child, _last_of(array, key), parts)
    else:
        offsets, values = nested.list_parts(array)
        parts.offsets[step.space] = offsets.to_numpy().astype(np.int64, copy=False)
        _run(step.items, values, parts)


def _last_of(array: pa.MapArray, key: pa.Scalar) -> pa.Array:
    """The value of the last entry with a key, null where there is none."""
    offsets, entries = nested.list_parts(array)
    ends = offsets.to_numpy().astype(np.int64, copy=False)
    keys, values = entries.field(0), entries.field(1)
    hits = np.flatnonzero(pc.equal(nested.plain(keys), key).to_numpy(zero_copy_only=False))
    if not len(hits):
        return pa.nulls(len(array), values.type)
    last = np.searchsorted(hits, ends[1:], side="left") - 1
    at = hits[np.maximum(last, 0)]
    return _taker(np.where((last >= 0) & (at >= ends[:-1]), at, NO_ITEM))(values)


def build(plan: Plan, table: Table, parts: Parts) -> Iterator[pa.RecordBatch]:
    """The rows of a table in order, in pieces of at most about MAX_ROWS rows and MAX_BYTES bytes."""
    rows = rows_of(plan, table, parts)
    if not table.levels:
        yield _batch(plan, table, parts, rows)
        return
    ends = _ends(table.columns, parts, rows)
    for start, end in zip((0, *ends), ends, strict=False):
        index = {space: at[start:end] for space, at in rows.index.items()}
        yield _batch(plan, table, parts, Rows(end - start, index, tuple(at[start:end] for at in rows.positions)))


def rows_of(plan: Plan, table: Table, parts: Parts) -> Rows:
    """Which item of which list each row of a table is."""
    index: dict[int, Numbers] = {}
    positions: list[Numbers] = []
    count = parts.rows
    for level in table.levels:
        spans = [_spans(parts.offsets[space], index.get(plan.spaces[space].parent)) for space in level.spaces]
        lengths = spans[0][1]
        for _, more in spans[1:]:
            lengths = np.maximum(lengths, more)
        repeats = np.maximum(lengths, 1) if level.outer else lengths
        parent = np.repeat(np.arange(count), repeats)
        count = len(parent)
        place = np.arange(count) - (np.cumsum(repeats) - repeats)[parent]
        items = {
            space: np.where(place < length[parent], first[parent] + place, NO_ITEM)
            for space, (first, length) in zip(level.spaces, spans, strict=True)
        }
        index = {ROOT: parent, **{space: at[parent] for space, at in index.items()}, **items}
        positions = [*(at[parent] for at in positions), np.where(place < lengths[parent], place, NO_ITEM)]
    return Rows(count, index, tuple(positions))


def _spans(offsets: Numbers, parent: Numbers | None) -> tuple[Numbers, Numbers]:
    """(begin, length) of the list of every row; a row without a parent item has none."""
    begins: Numbers = offsets[:-1]
    lengths: Numbers = np.diff(offsets)
    if parent is None:
        return begins, lengths
    if not len(begins):
        return np.zeros(len(parent), np.int64), np.zeros(len(parent), np.int64)
    there = parent >= 0
    return begins[parent], np.where(there, lengths[parent], 0)


def _ends(columns: Sequence[Column], parts: Parts, rows: Rows) -> list[int]:
    """Where pieces end, so that each is within both bounds or one row."""
    weights = np.zeros(rows.count)
    by_space: dict[int, npt.NDArray[np.float64]] = {}
    for column in columns:
        if column.slot >= 0:
            widths = _widths(parts.columns[column.slot])
            by_space[column.space] = by_space.get(column.space, 0.0) + widths
    for space, widths in by_space.items():
        if len(widths):
            at = rows.index[space]
            weights += np.where(at >= 0, widths[at], 0.0)
    total = np.cumsum(weights)
    ends, start = [], 0
    while start < rows.count:
        before = total[start - 1] if start else 0.0
        within = int(np.searchsorted(total, before + MAX_BYTES, side="right"))
        start = min(max(within, start + 1), start + MAX_ROWS, rows.count)
        ends.append(start)
    return ends


def _widths(array: pa.Array) -> npt.NDArray[np.float64]:
    """Bytes of each value: of text by its length, of a list by its items, of others on average."""
    kind, count = array.type, len(array)
    if not count:
        return np.zeros(0)
    if pat.is_string(kind) or pat.is_binary(kind) or pat.is_large_string(kind) or pat.is_large_binary(kind):
        widths: npt.NDArray[np.float64] = _filled(pc.binary_length(array)) + 4.0
        return widths
    if pat.is_list(kind) or pat.is_large_list(kind):
        lengths = _filled(pc.list_value_length(array))
        each = array.nbytes / max(float(lengths.sum()), 1.0)
        spread: npt.NDArray[np.float64] = lengths * each + 4.0
        return spread
    return np.full(count, array.nbytes / count)


def _filled(numbers: pa.Array) -> npt.NDArray[np.float64]:
    filled: npt.NDArray[np.float64] = pc.fill_null(numbers, 0).to_numpy().astype(np.float64)
    return filled


def _batch(plan: Plan, table: Table, parts: Parts, rows: Rows) -> pa.RecordBatch:
    take = {space: _taker(at) for space, at in rows.index.items()}
    arrays = [_column(table, column, parts, rows, take) for column in table.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


def _column(table: Table, column: Column, parts: Parts, rows: Rows, take: Mapping[int, Take]) -> pa.Array:
    if column.slot == POSITION:
        level = next(number for number, level in enumerate(table.levels) if column.space in level.spaces)
        return pa.array(rows.positions[level], POSITION_TYPE, mask=rows.index[column.space] < 0)
    if column.slot in (ROW_ID, PARENT_ID):
        return _id_text(parts, rows, take, depth=len(table.levels) - (column.slot == PARENT_ID))
    array = parts.columns[column.slot]
    return take[column.space](array) if column.space in take else array


def _id_text(parts: Parts, rows: Rows, take: Mapping[int, Take], depth: int) -> pa.Array:
    """`<id of the row>:<position>:<position>`, `-` where an outer explode found no item."""
    ids = parts.ids
    assert ids is not None
    suffixes = [pc.fill_null(pa.array(at, mask=at < 0).cast(ID_TYPE), "-") for at in rows.positions[:depth]]
    repeated = take[ROOT](ids) if ROOT in take else ids
    return pc.binary_join_element_wise(repeated, *suffixes, ":") if suffixes else repeated


def _taker(at: Numbers) -> Take:
    """The function to the values at these indices, null at -1; a slice where they follow each other."""
    if not len(at):
        return lambda array: array.slice(0, 0)
    if at[0] >= 0 and at[-1] - at[0] + 1 == len(at) and bool((np.diff(at) == 1).all()):
        first, count = int(at[0]), len(at)
        return lambda array: array.slice(first, count)
    missing = at < 0
    indices = pa.array(at, mask=missing) if missing.any() else pa.array(at)
    return lambda array: array.take(indices)
