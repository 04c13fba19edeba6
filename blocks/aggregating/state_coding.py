"""The bytes of a shard's state, which say of which definition they are: a job may go on with another one."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.framing import Frame, fixed_bytes, from_fixed_bytes, read_frame
from blocks.aggregating.migrating import Old, migrated
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard_state import Shape, ShardState, Tiles, tile_kinds

_LOG = logging.getLogger(__name__)
_VERSION = 2


class StateCoder:
    """Shard states as bytes: what shape they have, and Arrow messages, one for each kind of tiles.

    Args:
      plan: of the features.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._frame = Frame(_VERSION, asdict(Shape.of(plan)), _schemas(plan))
        self._told: set[str] = set()

    def empty(self) -> ShardState:
        """The state of no keys."""
        none = np.zeros(0, np.int64)
        tiles = {
            hop: Tiles(none, none, {number: self._plan.aggregates[number].operation.identity(0) for number in numbers})
            for hop, numbers in tile_kinds(self._plan).items()
        }
        recent = pa.RecordBatch.from_pylist([], schema=self._plan.projected)
        keys = recent.select(list(self._plan.keys))
        flags, content = np.zeros(0, np.bool_), np.zeros(0, "S16")
        return ShardState(keys, none, none, none, none, recent, none, flags, tiles, none, none, none, content)

    def encode(self, state: ShardState) -> bytes:
        """The bytes of a state."""
        clocks = (state.newest, state.boundary, state.touched, state.deleted)
        columns: dict[str, list[Any]] = {
            "keys": [*state.keys.columns, *clocks],
            "recent": [*state.recent.columns, state.recent_code, state.tiled],
            "out": [state.out_code, state.out_as_of, state.out_revision, fixed_bytes(state.out_content)],
            "since": _since_columns(state),
        }
        for hop, one in state.tiles.items():
            columns[_tiles_name(hop)] = [one.code, one.times, *(cell.to_struct_array() for cell in one.cells.values())]
        return self._frame.write(columns)

    def decode(self, content: bytes) -> ShardState:
        """The state of some bytes, as far as this definition can go on with it."""
        if self._frame.wrote(content):
            return self._state(self._frame.read(content))
        header, batches = read_frame(content, _VERSION)
        old = Old(Shape.read(header), batches)
        state, changes = migrated(old, self._plan, self.empty())
        for change in sorted(set(changes) - self._told):
            _LOG.warning("AggregateEvents goes on with the state of another definition: %s", change)
        self._told.update(changes)
        return state

    def _state(self, found: Mapping[str, pa.RecordBatch]) -> ShardState:
        tiles = {}
        for hop, numbers in tile_kinds(self._plan).items():
            batch = found[_tiles_name(hop)]
            cells = {
                number: cells_of_column(batch.column(2 + place), self._plan.aggregates[number].operation.cells)
                for place, number in enumerate(numbers)
            }
            tiles[hop] = Tiles(batch.column(0).to_numpy(), batch.column(1).to_numpy(), cells)
        keys, recent, out = found["keys"], found["recent"], found["out"]
        newest, boundary, touched, deleted = (
            keys.column(len(self._plan.keys) + place).to_numpy() for place in range(4)
        )
        return ShardState(
            keys.select(list(self._plan.keys)),
            newest,
            boundary,
            touched,
            deleted,
            recent.select(self._plan.projected.names),
            recent.column(recent.num_columns - 2).to_numpy(),
            recent.column(recent.num_columns - 1).to_numpy(zero_copy_only=False),
            tiles,
            out.column(0).to_numpy(),
            out.column(1).to_numpy(),
            out.column(2).to_numpy(),
            from_fixed_bytes(out.column(3)),
            _since_of(found["since"], keys.num_rows),
        )


def cells_of_column(column: pa.Array, cells: pa.Schema) -> pa.RecordBatch:
    """Cells from the column of structs in which they lie."""
    return pa.RecordBatch.from_struct_array(column).cast(cells)


def _schemas(plan: Plan) -> dict[str, pa.Schema]:
    def numbers(*names: str) -> list[pa.Field]:
        return [pa.field(name, pa.int64(), False) for name in names]

    keys = [plan.projected.field(name) for name in plan.keys]
    found = {
        "keys": pa.schema([*keys, *numbers("newest", "boundary", "touched", "deleted")]),
        "recent": pa.schema([*plan.projected, *numbers("code"), pa.field("tiled", pa.bool_(), False)]),
        "out": pa.schema([*numbers("code", "as_of", "revision"), pa.field("content", pa.binary(16), False)]),
        "since": pa.schema(numbers("hop", "aggregate", "code", "since")),
    }
    for hop, kinds in tile_kinds(plan).items():
        cells = [pa.struct(list(plan.aggregates[number].operation.cells)) for number in kinds]
        named = [pa.field(f"cell_{number}", cell, False) for number, cell in zip(kinds, cells, strict=True)]
        found[_tiles_name(hop)] = pa.schema([*numbers("code", "start"), *named])
    return found


def _tiles_name(hop: int) -> str:
    return f"tiles {hop}"


def _since_columns(state: ShardState) -> list[Any]:
    kinds = [(kind, np.flatnonzero(one > np.iinfo(np.int64).min)) for kind, one in state.since.items()]
    columns = [np.concatenate([np.zeros(0, np.int64), *(np.full(len(code), kind[0]) for kind, code in kinds)])]
    columns.append(np.concatenate([np.zeros(0, np.int64), *(np.full(len(code), kind[1]) for kind, code in kinds)]))
    columns.append(np.concatenate([np.zeros(0, np.int64), *(code for _, code in kinds)]))
    columns.append(np.concatenate([np.zeros(0, np.int64), *(state.since[kind][code] for kind, code in kinds)]))
    return columns


def _since_of(batch: pa.RecordBatch, keys: int) -> dict[tuple[int, int], Any]:
    hop, number, code, since = (column.to_numpy() for column in batch.columns)
    found = {}
    for kind in sorted(set(zip(hop.tolist(), number.tolist(), strict=True))):
        rows = (hop == kind[0]) & (number == kind[1])
        found[kind] = np.full(keys, np.iinfo(np.int64).min)
        found[kind][code[rows]] = since[rows]
    return found
