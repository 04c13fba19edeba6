"""Features from what a stream keeps: tiles, and events that are in none."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.evaluating import Evaluation, Folded, Values, either, expanded, fold
from blocks.aggregating.events import KNOWN, NEVER, TIME, Events, before_moments, by_time
from blocks.aggregating.plan import Output, Plan, ratios
from blocks.aggregating.ranges import Tree
from blocks.aggregating.shard_state import ShardState, hop_of

Ints = npt.NDArray[np.int64]


class StateEvaluation(Evaluation):
    """Features from the state of a shard.

    Args:
      plan: of the features.
      state: of the shard.
    """

    def __init__(self, plan: Plan, state: ShardState) -> None:
        super().__init__(plan, events_of(state, np.arange(len(state.recent_code))))
        self._state = state
        self._untiled: Any = None
        self._of_kind: dict[tuple[int, int], Folded] = {}
        self._timelines: dict[int, Any] = {}

    def _visible(self, code: Ints, moments: Ints) -> Values:
        """Features, and which of them leave out events from before their aggregate was there."""
        values, since = super()._visible(code, moments), self._state.since
        if not since:
            return values
        truncated = list(values.truncated)
        for place, output in enumerate(self._plan.outputs):
            feature = output.feature
            kind = (hop_of(feature), output.aggregate)
            if kind in since:
                begun = since[kind][code]
                begin = np.full(len(code), NEVER) if feature.window is None else moments - feature.window
                cut = begun > (begin - begin % feature.hop if feature.window is not None and feature.hop else begin)
                truncated[place] = either(truncated[place], cut)
        for place, dividend, divisor in ratios(self._plan):
            truncated[place] = either(truncated[dividend], truncated[divisor])
        return replace(values, truncated=truncated)

    def of_known(self, code: Ints, moments: Ints) -> Evaluation:
        """For each pair the events that were known and the tiles of its key, the pair in the place of the key."""
        state, events = self._state, self._events
        assert events.known is not None
        pair, rows = expanded(events.starts()[code], events.before(code, moments))
        known = events.known[rows] < moments[pair]
        pair, rows = pair[known], rows[known]
        tiles = {}
        for hop, one in state.tiles.items():
            owner, places = expanded(np.searchsorted(one.code, code), np.searchsorted(one.code, code + 1))
            tiles[hop] = replace(one.take(places), code=owner)
        own = replace(
            state,
            keys=state.keys.take(pa.array(code)),
            recent=_known(state.recent.take(pa.array(rows))),
            recent_code=pair,
            tiled=state.tiled[rows],
            tiles=tiles,
            since={kind: one[code] for kind, one in state.since.items()},
        )
        return StateEvaluation(self._plan, own)

    def folded(self, output: Output) -> Folded:
        """The tiles, and the cells of the events that are in none."""
        if output.feature.max_events is not None:
            return super().folded(output)
        hop = hop_of(output.feature)
        if (output.aggregate, hop) not in self._of_kind:
            self._of_kind[output.aggregate, hop] = self._made(output.aggregate, hop)
        return self._of_kind[output.aggregate, hop]

    def _made(self, number: int, hop: int) -> Folded:
        tiles, aggregate = self._state.tiles[hop], self._plan.aggregates[number]
        old = len(tiles.code)
        if self._untiled is None:
            self._untiled = events_of(self._state, np.flatnonzero(~self._state.tiled))
        events = self._untiled
        if hop not in self._timelines:
            code, times = np.concatenate([tiles.code, events.code]), np.concatenate([tiles.times, events.times])
            order = by_time(code, times)
            self._timelines[hop] = (_Line(code[order], times[order]), order)
        timeline, order = self._timelines[hop]
        folded = fold(events, aggregate)
        counts = np.concatenate([np.ones(old, np.bool_), folded.selected])
        places = np.cumsum(counts) - 1
        cells = pa.concat_batches([tiles.cells[number], folded.cells]).take(pa.array(places[order][counts[order]]))
        counted = np.concatenate([[0], np.cumsum(counts[order])])
        return Folded(cells, Tree(aggregate.operation, cells), timeline, counted)


def events_of(state: ShardState, rows: Ints) -> Events:
    """Some of the recent events of a shard."""
    found = state.recent if len(rows) == state.recent.num_rows else state.recent.take(pa.array(rows))
    known = found.column(KNOWN).to_numpy() if KNOWN in found.schema.names else None
    return Events(state.keys, state.recent_code[rows], found.column(TIME).to_numpy(), known, found)


@dataclass(frozen=True)
class _Line:
    code: Ints
    times: Ints

    def before(self, code: Ints, moment: Ints) -> Ints:
        return before_moments(self.code, self.times, code, moment)


def _known(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows as if they had always been known: which of them were is settled."""
    place = rows.schema.get_field_index(KNOWN)
    return rows.set_column(place, rows.schema.field(place), pa.array(np.full(rows.num_rows, NEVER)))
