"""Cells that hold lists of entries: taken apart, and put together again, for a whole batch at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.ops.operation import Ints

ENTRIES = "entries"


def entry_cells(entry: pa.DataType, *more: pa.Field) -> pa.Schema:
    """A schema of cells with a list of entries."""
    return pa.schema([pa.field(ENTRIES, pa.large_list(pa.field("item", entry, False)), False), *more])


@dataclass(frozen=True)
class Entries:
    """The entries of some cells, one after the other.

    Attributes:
      items: all entries.
      part: for each entry, which merged cell it goes into; ascending.
      parts: how many merged cells there are.
    """

    items: pa.Array
    part: Ints
    parts: int


def entries_of(cells: pa.RecordBatch, offsets: Ints) -> Entries:
    """The entries of cells that are about to be merged, as `Operation.merge` has it."""
    lists = cells.column(ENTRIES)
    bounds = lists.offsets.to_numpy().astype(np.int64)[offsets] if len(lists) else np.zeros(len(offsets), np.int64)
    items = lists.values.slice(bounds[0], bounds[-1] - bounds[0])
    return Entries(items, np.repeat(np.arange(len(offsets) - 1), np.diff(bounds)), len(offsets) - 1)


def own_entries(cells: pa.RecordBatch) -> Entries:
    """The entries of each cell."""
    return entries_of(cells, np.arange(cells.num_rows + 1))


def cells_of(
    schema: pa.Schema, items: pa.Array, part: Ints, parts: int, more: list[pa.Array] | None = None
) -> pa.RecordBatch:
    """Cells from their entries.

    Args:
      schema: from `entry_cells`.
      items: the entries.
      part: the cell of each, ascending.
      parts: how many cells there are.
      more: the other columns.
    """
    return pa.RecordBatch.from_arrays(
        [lists_of(items, part, parts, schema.field(0).type), *(more or [])], schema=schema
    )


def lists_of(items: pa.Array, part: Ints, parts: int, data_type: pa.DataType) -> pa.Array:
    """A list for each part, of its items in their order."""
    offsets = np.zeros(parts + 1, np.int64)
    np.cumsum(np.bincount(part, minlength=parts), out=offsets[1:])
    if pa.types.is_large_list(data_type):
        return pa.LargeListArray.from_arrays(pa.array(offsets), items, type=data_type)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), items, type=data_type)


def ranks_within(part: Ints) -> Ints:
    """The place of each item within its part, from 0; `part` is ascending."""
    if not len(part):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], part[1:] != part[:-1]]))
    return np.arange(len(part)) - np.repeat(starts, np.diff(np.append(starts, len(part))))


def sizes(part: Ints, parts: int) -> Ints:
    """How many items each part has."""
    return np.bincount(part, minlength=parts)


def changes(*columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where a row of sorted columns differs from the row before; the first row does."""
    found = np.zeros(len(columns[0]), np.bool_)
    found[:1] = True
    for column in columns:
        found[1:] |= column[1:] != column[:-1]
    return found
