"""Steps of a range from partial aggregates: tiles are shuffled, and not events, where no event comes twice.

Two bundles that each count a duplicate cannot be merged right, so a definition has to say `source_unique: true`. And
tiles have to be enough: every step lies on the grid of every feature, no event has to be looked at again (a hop of 0,
`known_at`, tombstones), and no feature goes back to the latest gap (`window: all`).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from blocks.aggregating.emitting import WINDOW_END, reasons_of
from blocks.aggregating.events import TIME, Events, by_time, coded_keys
from blocks.aggregating.in_batch import Grid, OfShard, steps
from blocks.aggregating.partials import Partials, names_of
from blocks.aggregating.plan import Plan
from blocks.aggregating.spreading import SpreadEvents
from blocks.aggregating.state_coding import StateCoder
from blocks.aggregating.state_evaluation import StateEvaluation
from blocks.aggregating.tiling import Tiler
from blocks.core.rejects import RejectSettings


def tiles_are_enough(plan: Plan, grid: Grid | None) -> bool:
    """Whether the steps of a range can be computed from tiles that are made before the shuffle."""
    definition = plan.definition
    if grid is None or not definition.source_unique or definition.known_at or definition.delete_key or plan.endless:
        return False
    if set(definition.key) & set(names_of(plan)):
        return False
    hops = [one.feature.hop for one in plan.outputs if one.aggregate >= 0]
    return all(hop and (grid.every or grid.end) % hop == 0 for hop in hops)


class TileEvents(SpreadEvents):
    """Batches of events to (shard, rows of partial aggregates), and rejects.

    Cost: a batch is sorted in memory; a row for each of its keys, with a cell for each operation and step.
    """

    def setup(self) -> None:
        """Once for each worker."""
        super().setup()
        self._empty, self._partials = StateCoder(self._plan).empty(), Partials(self._plan)
        self._tile = Tiler(self._plan)

    def _sent(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        partials = self._partials.rows(self._tiled(rows))
        return partials, self._partials.keys_of(partials)

    def _tiled(self, rows: pa.RecordBatch) -> Any:
        code, first = coded_keys(rows, self._plan.keys)
        state = self._empty.with_keys(rows.select(list(self._plan.keys)).take(pa.array(first)))
        times = rows.column(TIME).to_numpy()
        order = by_time(code, times)
        events = Events(state.keys, code[order], times[order], None, rows.take(pa.array(order)))
        return state.with_tiles({hop: self._tile.grown(one, events, hop) for hop, one in state.tiles.items()})


class AtTiledSteps(OfShard):
    """A row for each key at each step of a range at which a tile is within its windows."""

    def __init__(self, plan: Plan, block: str, version: str, settings: RejectSettings | None, grid: Grid) -> None:
        super().__init__(plan, block, version, settings)
        self._grid = grid

    def setup(self) -> None:
        """Once for each worker."""
        super().setup()
        self._partials, self._tile = Partials(self._plan), Tiler(self._plan)

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        """Gives the rows."""
        plan = self._plan
        # The whole shard: tiles of one key and step are merged.
        state = self._partials.merged(list(group[1]), self._tile)
        features = StateEvaluation(plan, state)
        tiles = state.tiles[min(state.tiles)]
        for code, as_of in steps(tiles.code, tiles.times, plan, self._grid):
            values = features.at(code, as_of)
            rows = self._emit.rows(state.keys.take(pa.array(code)), as_of, values, reasons_of(WINDOW_END, len(code)))
            yield from self._rows(rows.filter(pa.array(values.seen)), "as_of")
