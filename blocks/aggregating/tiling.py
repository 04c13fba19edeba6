"""Events of a stream become tiles when nothing can meet them one by one any more, and old tiles go."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.evaluating import fold
from blocks.aggregating.events import KNOWN, TIME, Events, by_time
from blocks.aggregating.ops.entries import changes
from blocks.aggregating.ops.operation import Operation
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard_state import ALL_TIME, ShardState, Tiles, floored, less
from blocks.aggregating.state_evaluation import events_of

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


LEAST = 64


class Tiler:
    """Makes and forgets tiles.

    Args:
      plan: of the features.
      least: with fewer events that could become tiles nothing is done: a few cost as much as some hundred do.
    """

    def __init__(self, plan: Plan, least: int = LEAST) -> None:
        self._plan, self._least = plan, least
        features = [one.feature for one in plan.outputs if one.aggregate >= 0]
        windows: dict[int, int] = {}
        for one in features:
            if one.window is not None:
                windows[one.hop] = max(windows.get(one.hop, 0), one.window)
        self._windows = windows
        self._exact = [one for one in plan.outputs if one.aggregate >= 0 and one.feature.max_events is not None]

    def __call__(self, state: ShardState, asked_from: int) -> ShardState:
        """Events that no late event and no moment can meet any more become tiles, and old tiles go.

        Args:
          state: with all events.
          asked_from: no timer will ask for an earlier moment.
        """
        times = state.recent.column(TIME).to_numpy()
        oldest = np.minimum(less(state.newest, self._plan.definition.lateness), asked_from)
        boundary = np.maximum(oldest, state.boundary)
        if KNOWN in state.recent.schema.names:
            known = state.recent.column(KNOWN).to_numpy()
            hidden = ~state.tiled & (known >= boundary[state.recent_code])
            first = np.full(len(boundary), np.iinfo(np.int64).max)
            np.minimum.at(first, state.recent_code[hidden], times[hidden])
            boundary = np.maximum(np.minimum(boundary, first), state.boundary)
        ripe = ~state.tiled & (times < boundary[state.recent_code])
        if np.count_nonzero(ripe) < self._least:
            return state
        tiles = dict(state.tiles)
        if ripe.any():
            events = events_of(state, np.flatnonzero(ripe))
            for hop, one in state.tiles.items():
                tiles[hop] = self.grown(one, events, hop)
        for hop, one in tiles.items():
            if hop != ALL_TIME:
                edge = floored(less(oldest, self._windows[hop]), hop)
                tiles[hop] = one.take(one.times >= edge[one.code])
        tiled = state.tiled | ripe
        kept = ~tiled | self._needed(state, tiled, oldest)
        places = pa.array(np.flatnonzero(kept))
        return replace(
            state,
            boundary=boundary,
            tiles=tiles,
            recent=state.recent.take(places),
            recent_code=state.recent_code[kept],
            tiled=tiled[kept],
        )

    def joined(self, tiles: Tiles) -> Tiles:
        """Tiles of a hop in order, those of one key and time as one."""
        order = by_time(tiles.code, tiles.times)
        tiles = tiles.take(order)
        firsts = np.flatnonzero(changes(tiles.code, tiles.times))
        offsets = np.append(firsts, len(order))
        operations = {number: self._plan.aggregates[number].operation for number in tiles.cells}
        cells = {number: operations[number].merge(cell, offsets) for number, cell in tiles.cells.items()}
        return Tiles(tiles.code[firsts], tiles.times[firsts], cells)

    def grown(self, tiles: Tiles, events: Events, hop: int) -> Tiles:
        """Tiles with more events."""
        old = len(tiles.code)
        times = events.times if hop == ALL_TIME else events.times - events.times % hop
        code, times = np.concatenate([tiles.code, events.code]), np.concatenate([tiles.times, times])
        order = by_time(code, times)
        if hop == ALL_TIME:
            # What lies before a gap will not be asked for.
            new = changes(code[order])
            gap = ~new & (np.diff(times[order], prepend=0) > self._plan.definition.state_ttl)
            last = np.zeros(int(code.max()) + 1, np.int64)
            np.maximum.at(last, code[order], np.where(gap, np.arange(len(order)), 0))
            order = order[np.arange(len(order)) >= last[code[order]]]
            firsts = changes(code[order])
        else:
            firsts = changes(code[order], times[order])
        tile = np.empty(len(code), np.int64)
        tile[:] = -1
        tile[order] = np.cumsum(firsts) - 1
        count = int(firsts.sum())
        cells = {}
        for number, cell in tiles.cells.items():
            operation = self._plan.aggregates[number].operation
            folded = fold(events, self._plan.aggregates[number])
            # Cells of events lie where the events do that the aggregate counts.
            cells[number] = _with_more(operation, cell, folded.cells, tile[:old], tile[old:][folded.selected], count)
        ends = np.flatnonzero(np.append(firsts[1:], True)) if count else np.zeros(0, np.int64)
        return Tiles(code[order][ends], times[order][ends], cells)

    def _needed(self, state: ShardState, tiled: Flags, oldest: Ints) -> Flags:
        """Which of the tiled events a feature with a hop of 0 may still need."""
        found = np.zeros(len(tiled), np.bool_)
        if not self._exact or not tiled.any():
            return found
        times = state.recent.column(TIME).to_numpy()
        events = events_of(state, np.arange(len(tiled)))
        for output in self._exact:
            feature = output.feature
            assert feature.window is not None
            assert feature.max_events is not None
            folded = fold(events, self._plan.aggregates[output.aggregate])
            some = np.flatnonzero(tiled & folded.selected & (times >= less(oldest, feature.window)[state.recent_code]))
            # The newest of each key, counted from the end.
            code = state.recent_code[some]
            rank = np.searchsorted(code, code, side="right") - 1 - np.arange(len(code))
            # One more, which tells that something is left out.
            found[some[rank <= feature.max_events]] = True
        return found


def _with_more(
    operation: Operation, cells: pa.RecordBatch, more: pa.RecordBatch, tile: Ints, tile_of_more: Ints, count: int
) -> pa.RecordBatch:
    """The cells of tiles, of which most are as they were and are not merged again.

    Args:
      operation: whose cells they are.
      cells: of the tiles before, one each.
      more: cells that join them.
      tile: of each of the cells before, its tile; -1 where that is gone.
      tile_of_more: the same of the others.
      count: of tiles, also of those that were not there, and of those without any cell.
    """
    stays, comes = np.flatnonzero(tile >= 0), np.flatnonzero(tile_of_more >= 0)
    place = np.full(count, -1)
    place[tile[stays]] = stays
    merges = place < 0
    merges[tile_of_more[comes]] = True
    stays = stays[merges[tile[stays]]]
    owner = np.concatenate([tile[stays], tile_of_more[comes]])
    order = np.argsort(owner, kind="stable")
    both = pa.concat_batches([cells.take(pa.array(stays)), more.take(pa.array(comes))])
    merged = np.flatnonzero(merges)
    made = operation.merge(both.take(pa.array(order)), np.searchsorted(owner[order], np.append(merged, count)))
    place[merged] = len(tile) + np.arange(len(merged))
    return pa.concat_batches([cells, made]).take(pa.array(place))
