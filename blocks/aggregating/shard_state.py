"""What a stream keeps of the keys of a shard, and its bytes.

For each key: its clock (the newest accepted event time), when it was last touched, and what was deleted. Of its events:

- those that a late event or a moment that is still asked for could meet, one by one, projected (`recent`);
- older ones in tiles, a cell for each distinct operation and hop, and in one cell for `window: all`;
- for features with a hop of 0, the newest of the older events too (they are marked as `tiled`).

And the rows that went out and may still be corrected: key, `as_of`, revision, and 128 bits of their content.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.events import NEVER
from blocks.aggregating.plan import Plan
from blocks.core.batch_type import BatchCoder

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CODE, START, TILED = "code", "start", "tiled"
_VERSION = 1


@dataclass(frozen=True)
class Tiles:
    """Cells of closed stretches of time.

    Attributes:
      code: the key of each; ascending.
      times: the beginning of its stretch, or for all time the time of its newest event; ascending within a key.
      cells: a column for each aggregate, by its number.
    """

    code: Ints
    times: Ints
    cells: Mapping[int, pa.RecordBatch]

    def take(self, rows: Any) -> "Tiles":
        """Some of them, by place or by mask."""
        places = pa.array(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)
        cells = {number: cell.take(places) for number, cell in self.cells.items()}
        return Tiles(self.code[rows], self.times[rows], cells)


@dataclass(frozen=True)
class ShardState:
    """The state of a shard.

    Attributes:
      keys: the key's columns, one row a key.
      newest: the newest accepted event time of each.
      boundary: events before it are in tiles.
      touched: processing time of its last event, in microseconds.
      deleted: the time of its latest tombstone.
      recent: projected events, by key, time and id.
      recent_code: the key of each.
      tiled: which of them are in tiles too.
      tiles: by hop; -1 for all time.
      out_code, out_as_of, out_revision, out_content: rows that went out, by key and `as_of`; revision -1: it did not
        go out, because the condition was not true.
    """

    keys: pa.RecordBatch
    newest: Ints
    boundary: Ints
    touched: Ints
    deleted: Ints
    recent: pa.RecordBatch
    recent_code: Ints
    tiled: Flags
    tiles: Mapping[int, Tiles]
    out_code: Ints
    out_as_of: Ints
    out_revision: Ints
    out_content: npt.NDArray[np.bytes_]

    def with_keys(self, keys: pa.RecordBatch) -> "ShardState":
        """The state with more keys, which have no events yet."""
        more = keys.num_rows
        return replace(
            self,
            keys=pa.concat_batches([self.keys, keys]),
            newest=np.append(self.newest, np.full(more, NEVER)),
            boundary=np.append(self.boundary, np.full(more, NEVER)),
            touched=np.append(self.touched, np.full(more, NEVER)),
            deleted=np.append(self.deleted, np.full(more, NEVER)),
        )

    def untouched(self, code: Ints) -> "ShardState":
        """The state with some keys as if they had not been touched."""
        touched = self.touched.copy()
        touched[code] = NEVER
        return replace(self, touched=touched)

    def without(self, gone: Flags) -> "ShardState":
        """The state without some keys."""
        kept = ~gone
        number = np.cumsum(kept) - 1
        recent, out = kept[self.recent_code], kept[self.out_code]
        tiles = {}
        for hop, one in self.tiles.items():
            stays = one.take(kept[one.code])
            tiles[hop] = replace(stays, code=number[stays.code])
        return ShardState(
            self.keys.take(pa.array(np.flatnonzero(kept))),
            self.newest[kept],
            self.boundary[kept],
            self.touched[kept],
            self.deleted[kept],
            self.recent.take(pa.array(np.flatnonzero(recent))),
            number[self.recent_code[recent]],
            self.tiled[recent],
            tiles,
            number[self.out_code[out]],
            self.out_as_of[out],
            self.out_revision[out],
            self.out_content[out],
        )


class StateCoder:
    """Shard states as bytes: five Arrow messages and more, one for each kind of tiles.

    Args:
      plan: of the features.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        key_fields = [plan.projected.field(name) for name in plan.keys]
        clocks = ("newest", "boundary", "touched", "deleted")
        number = [pa.field(name, pa.int64(), False) for name in clocks]
        self._keys = pa.schema([*key_fields, *number])
        marks = [pa.field(CODE, pa.int64(), False), pa.field(TILED, pa.bool_(), False)]
        self._recent = pa.schema([*plan.projected, *marks])
        self._out = pa.schema(
            [
                pa.field(CODE, pa.int64(), False),
                pa.field("as_of", pa.int64(), False),
                pa.field("revision", pa.int64(), False),
                pa.field("content", pa.binary(16), False),
            ]
        )
        self._tiles = {hop: _tile_schema(plan, numbers) for hop, numbers in tile_kinds(plan).items()}
        schemas = [self._keys, self._recent, self._out, *self._tiles.values()]
        self._coders = [BatchCoder(schema) for schema in schemas]

    def empty(self) -> ShardState:
        """The state of no keys."""
        none = np.zeros(0, np.int64)
        tiles = {
            hop: Tiles(none, none, {number: self._plan.aggregates[number].operation.identity(0) for number in numbers})
            for hop, numbers in tile_kinds(self._plan).items()
        }
        keys = pa.RecordBatch.from_pylist(
            [], schema=pa.schema([self._plan.projected.field(n) for n in self._plan.keys])
        )
        recent = pa.RecordBatch.from_pylist([], schema=self._plan.projected)
        flags = np.zeros(0, np.bool_)
        content = np.zeros(0, "S16")
        return ShardState(keys, none, none, none, none, recent, none, flags, tiles, none, none, none, content)

    def encode(self, state: ShardState) -> bytes:
        """The bytes of a state."""
        clocks = [pa.array(one) for one in (state.newest, state.boundary, state.touched, state.deleted)]
        batches = [
            pa.RecordBatch.from_arrays([*state.keys.columns, *clocks], schema=self._keys),
            pa.RecordBatch.from_arrays(
                [*state.recent.columns, pa.array(state.recent_code), pa.array(state.tiled)], schema=self._recent
            ),
            pa.RecordBatch.from_arrays(
                [
                    pa.array(state.out_code),
                    pa.array(state.out_as_of),
                    pa.array(state.out_revision),
                    pa.Array.from_buffers(
                        pa.binary(16), len(state.out_content), [None, pa.py_buffer(state.out_content.tobytes())]
                    ),
                ],
                schema=self._out,
            ),
        ]
        for hop, schema in self._tiles.items():
            one = state.tiles[hop]
            cells = [cell.to_struct_array() for cell in one.cells.values()]
            batches.append(pa.RecordBatch.from_arrays([pa.array(one.code), pa.array(one.times), *cells], schema=schema))
        parts = [coder.encode(batch) for coder, batch in zip(self._coders, batches, strict=True)]
        sizes = np.array([_VERSION, *map(len, parts)], "<u4")
        return sizes.tobytes() + b"".join(parts)

    def decode(self, content: bytes) -> ShardState:
        """The state of some bytes."""
        count = len(self._coders)
        sizes = np.frombuffer(content, "<u4", count + 1)
        assert sizes[0] == _VERSION
        ends = 4 * (count + 1) + np.cumsum(np.concatenate([[0], sizes[1:].astype(np.int64)]))
        parts = [content[start:stop] for start, stop in itertools.pairwise(ends)]
        keys, recent, out, *tiled = (coder.decode(part) for coder, part in zip(self._coders, parts, strict=True))
        tiles = {}
        for (hop, numbers), batch in zip(tile_kinds(self._plan).items(), tiled, strict=True):
            cells = {
                number: pa.RecordBatch.from_struct_array(batch.column(2 + place)).cast(
                    self._plan.aggregates[number].operation.cells
                )
                for place, number in enumerate(numbers)
            }
            tiles[hop] = Tiles(batch.column(0).to_numpy(), batch.column(1).to_numpy(), cells)
        width = len(self._plan.keys)
        content_column = out.column(3)
        digests = np.frombuffer(content_column.buffers()[1], "S16")[content_column.offset :][: out.num_rows]
        return ShardState(
            keys.select(list(self._plan.keys)),
            keys.column(width).to_numpy(),
            keys.column(width + 1).to_numpy(),
            keys.column(width + 2).to_numpy(),
            keys.column(width + 3).to_numpy(),
            recent.select(self._plan.projected.names),
            recent.column(CODE).to_numpy(),
            recent.column(TILED).to_numpy(zero_copy_only=False),
            tiles,
            out.column(0).to_numpy(),
            out.column(1).to_numpy(),
            out.column(2).to_numpy(),
            digests,
        )


ALL_TIME = -1


def tile_kinds(plan: Plan) -> dict[int, list[int]]:
    """The aggregates that need tiles of each hop; ALL_TIME for all time."""
    found: dict[int, list[int]] = {}
    for output in plan.outputs:
        feature = output.feature
        if output.aggregate < 0 or (feature.window is not None and feature.hop == 0):
            continue
        numbers = found.setdefault(ALL_TIME if feature.window is None else feature.hop, [])
        if output.aggregate not in numbers:
            numbers.append(output.aggregate)
    return found


def _tile_schema(plan: Plan, numbers: list[int]) -> pa.Schema:
    cells = [
        pa.field(f"cell_{number}", pa.struct(list(plan.aggregates[number].operation.cells)), False)
        for number in numbers
    ]
    return pa.schema([pa.field(CODE, pa.int64(), False), pa.field(START, pa.int64(), False), *cells])


def less(moments: Ints, micros: int) -> Ints:
    """Moments less a time; what is the least number stays it."""
    return np.where(moments == NEVER, NEVER, np.where(moments == NEVER, 0, moments) - micros)
