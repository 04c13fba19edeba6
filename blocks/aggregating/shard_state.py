"""What a stream keeps of the keys of a shard, and its bytes.

For each key: its clock (the newest accepted event time), when it was last touched, and what was deleted. Of its events:

- those that a late event or a moment that is still asked for could meet, one by one, projected (`recent`);
- older ones in tiles, a cell for each distinct operation and hop, and in one cell for `window: all`;
- for features with a hop of 0, the newest of the older events too (they are marked as `tiled`).

And the rows that went out and may still be corrected: key, `as_of`, revision, and 128 bits of their content.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.definition import Feature
from blocks.aggregating.events import NEVER
from blocks.aggregating.plan import Plan

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# The hop of tiles of all time.
ALL_TIME = -1


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
      since: by (hop, aggregate), of those that do not go back to the beginning: from when on all events of each key
        are there; the least number for all of them.
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
    since: Mapping[tuple[int, int], Ints] = field(default_factory=dict)

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
            since={kind: np.append(one, np.full(more, NEVER)) for kind, one in self.since.items()},
        )

    def with_tiles(self, tiles: Mapping[int, Tiles]) -> "ShardState":
        """The state with other tiles."""
        return replace(self, tiles=tiles)

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
            {kind: one[kept] for kind, one in self.since.items()},
        )


def hop_of(feature: Feature) -> int:
    """The hop of the tiles of a feature; ALL_TIME for all time, 0 for none."""
    return ALL_TIME if feature.window is None else feature.hop


def tile_kinds(plan: Plan) -> dict[int, list[int]]:
    """The aggregates that need tiles of each hop; ALL_TIME for all time."""
    found: dict[int, list[int]] = {}
    for output in plan.outputs:
        feature = output.feature
        if output.aggregate < 0 or hop_of(feature) == 0:
            continue
        numbers = found.setdefault(hop_of(feature), [])
        if output.aggregate not in numbers:
            numbers.append(output.aggregate)
    return found


def floored(moments: Ints, step: int) -> Ints:
    """Moments rounded down to a grid; what is the least number stays it."""
    return np.where(moments == NEVER, NEVER, moments - np.where(moments == NEVER, 0, moments) % step)


def less(moments: Ints, micros: int) -> Ints:
    """Moments less a time; what is the least number stays it."""
    return np.where(moments == NEVER, NEVER, np.where(moments == NEVER, 0, moments) - micros)


@dataclass(frozen=True)
class Shape:
    """What a state consists of, told without numbers that another definition would give otherwise.

    Attributes:
      structure: what makes events of a key what they are: key, time, identity and its types.
      columns: of each projected column, where it comes from and its type.
      aggregates: signatures, in order.
      tiles: by hop, as text: signatures of the aggregates that have a cell, in order.
      windows: by hop, as text: the longest window.
      exact: features with a hop of 0: signature, window, most events.
    """

    structure: list[list[str]]
    columns: dict[str, list[str]]
    aggregates: list[str]
    tiles: dict[str, list[str]]
    windows: dict[str, int]
    exact: list[list[Any]]

    @classmethod
    def of(cls, plan: Plan) -> "Shape":
        """That of a plan."""
        definition, projected = plan.definition, plan.projected
        sources = {name: ["column", column] for name, column in plan.columns.items()}
        sources |= {name: ["condition", one.text] for name, one in plan.conditions.items()}
        columns = {name: [*sources[name], str(projected.field(name).type)] for name in sources}
        identity = [definition.event_id] if definition.event_id else list(definition.identity)
        structure = [
            [f"{name} {columns[projected][2]}" for name, projected in zip(definition.key, plan.keys, strict=True)],
            [plan.event_time],
            [f"{name} {plan.schema.field(name).type}" for name in identity],
            [definition.known_at, definition.delete_key],
        ]
        kinds = {
            str(hop): [plan.aggregates[number].signature for number in one] for hop, one in tile_kinds(plan).items()
        }
        windows: dict[str, int] = {}
        exact = []
        for output in plan.outputs:
            feature = output.feature
            if output.aggregate < 0 or feature.window is None:
                continue
            if feature.max_events is not None:
                exact.append([plan.aggregates[output.aggregate].signature, feature.window, feature.max_events])
            else:
                windows[str(feature.hop)] = max(windows.get(str(feature.hop), 0), feature.window)
        aggregates = [one.signature for one in plan.aggregates]
        return cls(structure, columns, aggregates, kinds, windows, exact)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Shape":
        """From what `dataclasses.asdict` gave, by way of JSON."""
        return cls(**given)
