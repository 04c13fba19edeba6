"""A shard of a stream: events arrive, results and corrections go out, old events become tiles. No Beam, no clock.

The law: of every row that goes out for (key, as_of), the one with the highest revision has the values that the contract
gives over the events that were accepted, however they arrived.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.emitting import Emitter
from blocks.aggregating.evaluating import Evaluation, Folded, expanded, fold
from blocks.aggregating.events import (
    DELETES,
    KNOWN,
    NEVER,
    TIME,
    Events,
    before_moments,
    by_time,
    coded_keys,
    each_once,
)
from blocks.aggregating.in_batch import codes_of_keys
from blocks.aggregating.ops.entries import changes
from blocks.aggregating.plan import REASON, REVISION, Output, Plan
from blocks.aggregating.ranges import Tree
from blocks.aggregating.refusing import CONFLICT
from blocks.aggregating.shard_state import ALL_TIME, ShardState, StateCoder, Tiles
from blocks.shaping.first_rows import contents

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EVENT, CONDITION, CORRECTION, DELETION = "event", "condition", "correction", "deletion"
TIMER, WINDOW_END, IDLE, EXPIRY = "timer", "window_end", "idle", "expiry"
REASONS = (EVENT, CONDITION, CORRECTION, DELETION, TIMER, WINDOW_END, IDLE, EXPIRY)


@dataclass(frozen=True)
class Refused:
    """Events that are not accepted: why, and what is left of them."""

    code: str
    message: str
    rows: pa.RecordBatch


@dataclass(frozen=True)
class Step:
    """What came of a step.

    Attributes:
      state: afterwards.
      rows: results, of the plan's output schema.
      refused: events that are rejected.
      duplicates: how many said the same as another.
      deleted: how many a tombstone deleted.
    """

    state: ShardState
    rows: pa.RecordBatch
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class _Asked:
    """Rows that are asked for: keys, moments, and why, as a place in REASONS."""

    code: Ints
    moments: Ints
    reason: Ints

    @classmethod
    def of(cls, code: Ints, moments: Ints, reason: str) -> "_Asked":
        return cls(code, moments, np.full(len(code), REASONS.index(reason)))

    @classmethod
    def none(cls) -> "_Asked":
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, nothing)

    def and_(self, other: "_Asked") -> "_Asked":
        return _Asked(
            np.concatenate([self.code, other.code]),
            np.concatenate([self.moments, other.moments]),
            np.concatenate([self.reason, other.reason]),
        )


class Shard:
    """The steps of a shard.

    Cost: of a step, the whole state of the shard is read and written; the work grows with the state of the shard's
    keys, and with the events that arrive.

    Args:
      plan: of the features.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._emit = Emitter(plan)
        self.coder = StateCoder(plan)
        features = [one.feature for one in plan.outputs if one.aggregate >= 0]
        windows: dict[int, int] = {}
        for one in features:
            if one.window is not None:
                windows[one.hop] = max(windows.get(one.hop, 0), one.window)
        self._windows = windows
        self._exact = [one for one in plan.outputs if one.aggregate >= 0 and one.feature.max_events is not None]

    def arrive(self, state: ShardState, rows: pa.RecordBatch, now: int) -> Step:
        """Takes events in.

        Args:
          state: before.
          rows: projected events, in the order of arrival.
          now: processing time in microseconds.
        """
        definition, refused = self._plan.definition, list[Refused]()
        rows = _refuse(rows, self._ahead(rows, now), "too_early", "further ahead of the clock than `ahead`", refused)
        state, code = self._coded(state, rows)
        late, newest = self._late(state, rows, code)
        code = code[~late]
        rows = _refuse(rows, late, "late", "older than the newest event of its key less `lateness`", refused)
        state = replace(state, touched=_highest(state.touched, code, np.full(len(code), now)))
        state, rows, code, tombstones, deleted = self._delete(state, rows, code)
        old = state.recent.num_rows
        both = pa.concat_batches([state.recent, rows])
        both_code = np.concatenate([state.recent_code, code])
        both_times = both.column(TIME).to_numpy()
        known = both.column(KNOWN).to_numpy().copy() if KNOWN in both.schema.names else None
        before = None if known is None else known.copy()
        order = by_time(both_code, both_times)
        order, conflicts, duplicates = each_once(both, self._plan.keys, both_code, both_times, known, order)
        if len(conflicts):
            refused.append(Refused("conflict", CONFLICT, both.take(pa.array(conflicts))))
        if known is not None:
            place = both.schema.get_field_index(KNOWN)
            both = both.set_column(place, both.schema.field(place), pa.array(known))
        new = order >= old
        changed = new if before is None or known is None else new | (known != before)[order]
        state = replace(
            state,
            newest=newest,
            recent=both.take(pa.array(order)),
            recent_code=both_code[order],
            tiled=np.concatenate([state.tiled, np.zeros(len(code), np.bool_)])[order],
        )
        since = np.full(state.keys.num_rows, np.iinfo(np.int64).max)
        np.minimum.at(since, state.recent_code[changed], both_times[order][changed])
        since[tombstones != NEVER] = NEVER
        asked = _Asked.none()
        if definition.emit.on_event or definition.emit.on_condition:
            asked = _Asked.of(state.recent_code[new], both_times[order][new] + 1, EVENT)
        removed = np.flatnonzero(tombstones != NEVER)
        asked = asked.and_(_Asked.of(removed, tombstones[removed] + 1, DELETION))
        state, out = self._give(state, asked, since)
        return Step(self._tile(state), out, refused, duplicates, deleted)

    def tick(self, state: ShardState, code: Ints, moments: Ints, reason: str) -> Step:
        """Gives rows that a timer asks for.

        Args:
          state: before.
          code: of each row, the key.
          moments: of each row, `as_of`.
          reason: `timer`, `window_end` or `idle`, which give rows of keys with an event within reach, or `expiry`.
        """
        never = np.full(state.keys.num_rows, np.iinfo(np.int64).max)
        state, out = self._give(state, _Asked.of(code, moments, reason), never)
        return Step(state, out)

    def expire(self, state: ShardState, moment: int) -> Step:
        """Gives the last row of keys without an event for longer than `state_ttl` before a moment, and forgets them."""
        ttl = self._plan.definition.state_ttl
        ended = (state.newest != NEVER) & (np.where(state.newest == NEVER, 0, state.newest) + ttl < moment)
        # A key of which only a tombstone is known has no clock: as long as it may have to hold back events.
        ended |= (state.newest == NEVER) & (_less(state.deleted, -ttl) < moment)
        code = np.flatnonzero(ended & (state.newest != NEVER))
        step = self.tick(state, code, state.newest[code] + ttl + 1, EXPIRY)
        return Step(step.state.without(ended), step.rows)

    def _ahead(self, rows: pa.RecordBatch, now: int) -> Flags:
        limit = now + self._plan.definition.ahead
        found = rows.column(TIME).to_numpy() > limit
        return found | (rows.column(KNOWN).to_numpy() > limit) if KNOWN in rows.schema.names else found

    def _coded(self, state: ShardState, rows: pa.RecordBatch) -> tuple[ShardState, Ints]:
        """The number of each row's key; keys that are new become part of the state."""
        keys = rows.select(list(self._plan.keys))
        code = codes_of_keys(state.keys, keys)
        count = state.keys.num_rows
        unknown = np.flatnonzero(code == count)
        if len(unknown):
            fresh = keys.take(pa.array(unknown))
            numbers, first = coded_keys(fresh, self._plan.keys)
            code[unknown] = count + numbers
            state = state.with_keys(fresh.take(pa.array(first)))
        return state, code

    def _late(self, state: ShardState, rows: pa.RecordBatch, code: Ints) -> tuple[Flags, Ints]:
        """Row by row, in the order of arrival: older than the newest event of the key so far, less the lateness.

        Also the clocks of the keys afterwards: also an event that is deleted later on has moved its key's.
        """
        times = rows.column(TIME).to_numpy()
        if not len(times):
            return np.zeros(0, np.bool_), state.newest
        counts = ~_tombstones(rows)
        order = np.argsort(code, kind="stable")
        moves = np.where(counts, times, NEVER)[order]
        sorted_code = code[order]
        starts = changes(sorted_code)
        # The clock before each row: those of the key up to the row before, and that of the state.
        previous = np.where(starts, state.newest[sorted_code], np.concatenate([[NEVER], moves[:-1]]))
        places = np.unique(previous)
        running = np.maximum.accumulate(sorted_code * len(places) + np.searchsorted(places, previous))
        clock = np.empty(len(times), np.int64)
        clock[order] = places[running - sorted_code * len(places)]
        late = (clock != NEVER) & (times < np.where(clock == NEVER, 0, clock) - self._plan.definition.lateness)
        deleting = np.isin(code, np.union1d(code[~counts], np.flatnonzero(state.deleted != NEVER)))
        newest = _highest(state.newest, code[~deleting], times[~deleting])
        self._one_by_one(state, times, code, counts, np.flatnonzero(deleting), late, newest)
        return late, newest

    def _one_by_one(
        self, state: ShardState, times: Ints, code: Ints, counts: Flags, rows: Ints, late: Flags, newest: Ints
    ) -> None:
        """The same for keys with tombstones: what is deleted moves no clock, so each row depends on those before."""
        deleted: dict[int, int] = {}
        for row in rows.tolist():
            key, time = int(code[row]), int(times[row])
            limit = deleted.setdefault(key, int(state.deleted[key]))
            late[row] = newest[key] != NEVER and time < int(newest[key]) - self._plan.definition.lateness
            if late[row]:
                continue
            if not counts[row]:
                deleted[key] = max(limit, time)
            elif time > limit:
                newest[key] = max(int(newest[key]), time)

    def _delete(
        self, state: ShardState, rows: pa.RecordBatch, code: Ints
    ) -> tuple[ShardState, pa.RecordBatch, Ints, Ints, int]:
        """Without what is deleted: the state, the rows, their keys; new tombstones by key; how many events went."""
        fresh = np.full(state.keys.num_rows, NEVER)
        times = rows.column(TIME).to_numpy()
        tombstones = _tombstones(rows)
        np.maximum.at(fresh, code[tombstones], times[tombstones])
        fresh[fresh <= state.deleted] = NEVER
        deleted = np.maximum(state.deleted, fresh)
        gone = times <= deleted[code]
        count = int((gone & ~tombstones).sum())
        stays = ~gone & ~tombstones
        rows, code = rows.take(pa.array(np.flatnonzero(stays))), code[stays]
        state = replace(state, deleted=deleted)
        if (fresh != NEVER).any():
            recent = state.recent.column(TIME).to_numpy() > fresh[state.recent_code]
            out = state.out_as_of > fresh[state.out_code]
            count += int((~recent).sum())
            state = replace(
                state,
                recent=state.recent.take(pa.array(np.flatnonzero(recent))),
                recent_code=state.recent_code[recent],
                tiled=state.tiled[recent],
                # A tombstone that is not late is not older than any tile.
                tiles={hop: one.take(fresh[one.code] == NEVER) for hop, one in state.tiles.items()},
                out_code=state.out_code[out],
                out_as_of=state.out_as_of[out],
                out_revision=state.out_revision[out],
                out_content=state.out_content[out],
            )
        return state, rows, code, fresh, count

    def _give(self, state: ShardState, asked: "_Asked", since: Ints) -> tuple[ShardState, pa.RecordBatch]:
        """Rows for new moments, and corrections of those that went out.

        Args:
          state: with all events.
          asked: new moments.
          since: for each key, rows as of a later moment may have changed.
        """
        emit = self._plan.definition.emit
        # All that are still known: an event was accepted by the clock before it, not by that of the whole batch.
        again = np.flatnonzero(state.out_as_of > since[state.out_code])
        code = np.concatenate([state.out_code[again], asked.code])
        moments = np.concatenate([state.out_as_of[again], asked.moments])
        reason = np.concatenate([np.full(len(again), REASONS.index(CORRECTION)), asked.reason])
        # Of equal moments the row that is known is the first, then that with the smallest number of its reason.
        order = np.lexsort((np.arange(len(code)) >= len(again), moments, code))
        first = changes(code[order], moments[order])
        deletes = reason[order] == REASONS.index(DELETION)
        groups = np.cumsum(first) - 1
        deletes = np.bincount(groups, weights=deletes, minlength=int(first.sum())) > 0
        order = order[first]
        code, moments, reason = code[order], moments[order], reason[order]
        known = order < len(again)
        source = again[order[known]]
        revision = np.full(len(code), -1)
        revision[known] = state.out_revision[source]
        content = np.zeros(len(code), "S16")
        content[known] = state.out_content[source]
        values = StateEvaluation(self._plan, state).at(code, moments)
        rows = self._emit.rows(state.keys.take(pa.array(code)), moments, values, _names(reason))
        holds = self._emit.holds(rows)
        now = _contents_of(rows, self._plan)
        timed = ~known & (reason >= REASONS.index(TIMER))
        wanted = np.where(revision >= 0, now != content, holds | emit.on_event | timed) | deletes
        # A timer gives no row of a key of which nothing is within reach.
        wanted &= ~timed | values.seen | (reason == REASONS.index(EXPIRY))
        revision = revision + wanted
        told = np.where(revision > 0, REASONS.index(CORRECTION), reason)
        on_event = told == REASONS.index(EVENT)
        told = np.where((on_event | (known & (revision == 0))) & holds, REASONS.index(CONDITION), told)
        told = np.where(deletes, REASONS.index(DELETION), told)
        kept = wanted | ~timed
        rows = rows.set_column(
            rows.schema.get_field_index(REVISION), rows.schema.field(REVISION), pa.array(revision.astype(np.int32))
        ).set_column(rows.schema.get_field_index(REASON), rows.schema.field(REASON), _names(told))
        state = _with_out(state, source, code[kept], moments[kept], revision[kept], now[kept])
        return self._trimmed(state), rows.take(pa.array(np.flatnonzero(wanted)))

    def _trimmed(self, state: ShardState) -> ShardState:
        """Without rows that went out so long ago that no event can change them."""
        oldest = _less(state.newest, self._plan.definition.lateness)
        stays = np.flatnonzero(state.out_as_of >= oldest[state.out_code])
        return replace(
            state,
            out_code=state.out_code[stays],
            out_as_of=state.out_as_of[stays],
            out_revision=state.out_revision[stays],
            out_content=state.out_content[stays],
        )

    def _tile(self, state: ShardState) -> ShardState:
        """Events that no late event and no moment can meet any more become tiles, and old tiles go."""
        times = state.recent.column(TIME).to_numpy()
        boundary = np.maximum(_less(state.newest, self._plan.definition.lateness), state.boundary)
        if KNOWN in state.recent.schema.names:
            known = state.recent.column(KNOWN).to_numpy()
            hidden = ~state.tiled & (known >= boundary[state.recent_code])
            first = np.full(len(boundary), np.iinfo(np.int64).max)
            np.minimum.at(first, state.recent_code[hidden], times[hidden])
            boundary = np.maximum(np.minimum(boundary, first), state.boundary)
        ripe = ~state.tiled & (times < boundary[state.recent_code])
        tiles = dict(state.tiles)
        if ripe.any():
            events = _events(state, np.flatnonzero(ripe))
            for hop, one in state.tiles.items():
                tiles[hop] = self._grown(one, events, hop)
        oldest = _less(state.newest, self._plan.definition.lateness)
        for hop, one in tiles.items():
            if hop != ALL_TIME:
                edge = _less(oldest, self._windows[hop])[one.code]
                tiles[hop] = one.take(one.times >= edge - edge % hop)
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

    def _grown(self, tiles: Tiles, events: Events, hop: int) -> Tiles:
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
            single = folded.cells
            # Cells of events lie where the events do that the aggregate counts.
            of_events = tile[old:] if folded.counted is None else tile[old:][np.diff(folded.counted) > 0]
            owner = np.concatenate([tile[:old], of_events])
            sort = np.argsort(owner, kind="stable")
            sort = sort[owner[sort] >= 0]
            offsets = np.searchsorted(owner[sort], np.arange(count + 1))
            cells[number] = operation.merge(pa.concat_batches([cell, single]).take(pa.array(sort)), offsets)
        ends = np.flatnonzero(np.append(firsts[1:], True)) if count else np.zeros(0, np.int64)
        return Tiles(code[order][ends], times[order][ends], cells)

    def _needed(self, state: ShardState, tiled: Flags, oldest: Ints) -> Flags:
        """Which of the tiled events a feature with a hop of 0 may still need."""
        found = np.zeros(len(tiled), np.bool_)
        if not self._exact or not tiled.any():
            return found
        times = state.recent.column(TIME).to_numpy()
        events = _events(state, np.arange(len(tiled)))
        for output in self._exact:
            feature = output.feature
            assert feature.window is not None
            assert feature.max_events is not None
            folded = fold(events, self._plan.aggregates[output.aggregate])
            selected = np.ones(len(tiled), np.bool_) if folded.counted is None else np.diff(folded.counted) > 0
            some = np.flatnonzero(tiled & selected & (times >= _less(oldest, feature.window)[state.recent_code]))
            # The newest of each key, counted from the end.
            code = state.recent_code[some]
            rank = np.searchsorted(code, code, side="right") - 1 - np.arange(len(code))
            # One more, which tells that something is left out.
            found[some[rank <= feature.max_events]] = True
        return found


class StateEvaluation(Evaluation):
    """Features from the state of a shard.

    Args:
      plan: of the features.
      state: of the shard.
    """

    def __init__(self, plan: Plan, state: ShardState) -> None:
        super().__init__(plan, _events(state, np.arange(len(state.recent_code))))
        self._state = state
        self._untiled: Any = None
        self._of_kind: dict[tuple[int, int], Folded] = {}
        self._timelines: dict[int, Any] = {}

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
        )
        return StateEvaluation(self._plan, own)

    def folded(self, output: Output) -> Folded:
        """The tiles, and the cells of the events that are in none."""
        if output.feature.max_events is not None:
            return super().folded(output)
        hop = ALL_TIME if output.feature.window is None else output.feature.hop
        if (output.aggregate, hop) not in self._of_kind:
            self._of_kind[output.aggregate, hop] = self._made(output.aggregate, hop)
        return self._of_kind[output.aggregate, hop]

    def _made(self, number: int, hop: int) -> Folded:
        tiles, aggregate = self._state.tiles[hop], self._plan.aggregates[number]
        old = len(tiles.code)
        if self._untiled is None:
            self._untiled = _events(self._state, np.flatnonzero(~self._state.tiled))
        events = self._untiled
        if hop not in self._timelines:
            code, times = np.concatenate([tiles.code, events.code]), np.concatenate([tiles.times, events.times])
            order = by_time(code, times)
            self._timelines[hop] = (_Line(code[order], times[order]), order)
        timeline, order = self._timelines[hop]
        folded = fold(events, aggregate)
        selected = np.ones(len(events), np.bool_) if folded.counted is None else np.diff(folded.counted) > 0
        counts = np.concatenate([np.ones(old, np.bool_), selected])
        places = np.cumsum(counts) - 1
        cells = pa.concat_batches([tiles.cells[number], folded.cells]).take(pa.array(places[order][counts[order]]))
        counted = np.concatenate([[0], np.cumsum(counts[order])])
        return Folded(cells, Tree(aggregate.operation, cells), timeline, counted)


@dataclass(frozen=True)
class _Line:
    code: Ints
    times: Ints

    def before(self, code: Ints, moment: Ints) -> Ints:
        return before_moments(self.code, self.times, code, moment)


def _events(state: ShardState, rows: Ints) -> Events:
    """Some of the recent events of a shard."""
    found = state.recent if len(rows) == state.recent.num_rows else state.recent.take(pa.array(rows))
    known = found.column(KNOWN).to_numpy() if KNOWN in found.schema.names else None
    return Events(state.keys, state.recent_code[rows], found.column(TIME).to_numpy(), known, found)


def _known(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows as if they had always been known: which of them were is settled."""
    place = rows.schema.get_field_index(KNOWN)
    return rows.set_column(place, rows.schema.field(place), pa.array(np.full(rows.num_rows, NEVER)))


def _refuse(rows: pa.RecordBatch, bad: Flags, code: str, message: str, refused: list[Refused]) -> pa.RecordBatch:
    if not bad.any():
        return rows
    refused.append(Refused(code, message, rows.take(pa.array(np.flatnonzero(bad)))))
    return rows.take(pa.array(np.flatnonzero(~bad)))


def _with_out(
    state: ShardState, replaced: Ints, code: Ints, moments: Ints, revision: Ints, content: npt.NDArray[np.bytes_]
) -> ShardState:
    """The state with rows that went out now, some in the place of others."""
    keep = np.ones(len(state.out_code), np.bool_)
    keep[replaced] = False
    out_code = np.concatenate([state.out_code[keep], code])
    as_of = np.concatenate([state.out_as_of[keep], moments])
    order = by_time(out_code, as_of)
    return replace(
        state,
        out_code=out_code[order],
        out_as_of=as_of[order],
        out_revision=np.concatenate([state.out_revision[keep], revision])[order],
        out_content=np.concatenate([state.out_content[keep], content])[order],
    )


def _names(reasons: Ints) -> pa.Array:
    return pa.array(REASONS).take(pa.array(reasons))


def _tombstones(rows: pa.RecordBatch) -> Flags:
    if DELETES not in rows.schema.names:
        return np.zeros(rows.num_rows, np.bool_)
    return np.asarray(rows.column(DELETES).to_numpy(zero_copy_only=False), np.bool_)


def _highest(values: Ints, places: Ints, others: Ints) -> Ints:
    found = values.copy()
    np.maximum.at(found, places, others)
    return found


def _less(moments: Ints, micros: int) -> Ints:
    """Moments less a time; what is the least number stays it."""
    return np.where(moments == NEVER, NEVER, np.where(moments == NEVER, 0, moments) - micros)


def _contents_of(rows: pa.RecordBatch, plan: Plan) -> npt.NDArray[np.bytes_]:
    """16 bytes a row, equal where all features are."""
    names = [one.feature.name for one in plan.outputs]
    return contents(rows.select([*names, "truncated"]))
