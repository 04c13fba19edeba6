"""A shard of a stream: events arrive, results and corrections go out, old events become tiles. No Beam, no clock.

The law: of every row that goes out for (key, as_of), the one with the highest revision has the values that the contract
gives over the events that were accepted, however they arrived.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.arriving import Arrivals, Refused, highest
from blocks.aggregating.emitting import (
    CONDITION,
    CORRECTION,
    DELETION,
    EVENT,
    EXPIRY,
    REASONS,
    TIMER,
    WINDOW_END,
    Emitter,
)
from blocks.aggregating.evaluating import Values
from blocks.aggregating.events import KNOWN, NEVER, TIME, Accepted, before_moments, by_time, each_once
from blocks.aggregating.ops.entries import changes
from blocks.aggregating.plan import REASON, REVISION, Plan
from blocks.aggregating.refusing import CONFLICT
from blocks.aggregating.shard_state import ShardState, less
from blocks.aggregating.state_coding import StateCoder
from blocks.aggregating.state_evaluation import StateEvaluation
from blocks.aggregating.tiling import LEAST, Tiler
from blocks.shaping.first_rows import contents

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# After every moment.
FAR = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Step:
    """What came of a step.

    Attributes:
      state: afterwards.
      rows: results, of the plan's output schema.
      refused: events that are rejected.
      duplicates: how many said the same as another.
      deleted: how many a tombstone deleted.
      earliest: the earliest time of an event that was accepted; FAR without one.
    """

    state: ShardState
    rows: pa.RecordBatch
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    deleted: int = 0
    earliest: int = FAR


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

    def take(self, rows: Flags) -> "_Asked":
        return _Asked(self.code[rows], self.moments[rows], self.reason[rows])

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
      least: how many events become tiles at least; see `Tiler`.
    """

    def __init__(self, plan: Plan, least: int = LEAST) -> None:
        self._plan = plan
        self._emit = Emitter(plan)
        self.coder = StateCoder(plan)
        self._arrivals = Arrivals(plan)
        self._tile = Tiler(plan, least)

    def arrive(self, state: ShardState, rows: pa.RecordBatch, now: int, asked_from: int = FAR) -> Step:
        """Takes events in.

        Args:
          state: before.
          rows: projected events, in the order of arrival.
          now: processing time in microseconds.
          asked_from: the earliest moment that a timer may still ask for: it may be older than what is kept for late
            events, for a watermark is behind the newest event, and an event may be ahead of the clock.
        """
        definition = self._plan.definition
        arrived = self._arrivals(state, rows, now)
        state, rows, code, tombstones = arrived.state, arrived.rows, arrived.code, arrived.tombstones
        refused = list(arrived.refused)
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
        earliest = int(both_times[order][new].min(initial=FAR))
        return Step(self._tile(state, asked_from), out, refused, duplicates, arrived.deleted, earliest)

    def tick(self, state: ShardState, code: Ints, moments: Ints, reason: str) -> Step:
        """Gives rows that a timer asks for.

        Args:
          state: before.
          code: of each row, the key.
          moments: of each row, `as_of`.
          reason: `timer`, `window_end` or `idle`, which give rows of keys with an event within reach, or `expiry`.
        """
        # Of a key whose tiles begin later there is no answer: another key, of long ago, has set the timer.
        answered = moments >= state.boundary[code]
        asked = _Asked.of(code[answered], moments[answered], reason)
        state, out = self._give(state, asked, np.full(state.keys.num_rows, FAR))
        return Step(state, out)

    def expire(self, state: ShardState, moment: int) -> Step:
        """Gives the last row of keys without an event for longer than `state_ttl` before a moment, and forgets them."""
        ttl = self._plan.definition.state_ttl
        # A tombstone holds back events as long, also of a key that has no clock.
        last = np.maximum(state.newest, state.deleted)
        ended = less(last, -ttl) < moment
        code = np.flatnonzero(ended & (state.newest != NEVER))
        step = self.tick(state, code, last[code] + ttl + 1, EXPIRY)
        return Step(step.state.without(ended), step.rows)

    def begin(self, accepted: Accepted, code: Ints, moments: Ints) -> ShardState:
        """The state after events that were all accepted, as a stream would have it, and nothing goes out.

        Args:
          accepted: the events, of a batch.
          code: of rows that a batch gives beside those of events, the key.
          moments: of those rows, `as_of`.
        """
        events, lateness = accepted.events, self._plan.definition.lateness
        state = self.coder.empty().with_keys(events.keys)
        newest = highest(state.newest, events.code, events.times)
        rows = events.rows
        if events.known is not None:
            place = rows.schema.get_field_index(KNOWN)
            rows = rows.set_column(place, rows.schema.field(place), pa.array(events.known))
        tiled = np.zeros(len(events), np.bool_)
        state = replace(state, newest=newest, deleted=accepted.tombstones)
        state = replace(state, recent=rows, recent_code=events.code, tiled=tiled)
        oldest = less(newest, lateness)
        asked, emit = _Asked.of(code, moments, WINDOW_END), self._plan.definition.emit
        if emit.on_event or emit.on_condition:
            asked = _Asked.of(events.code, events.times + 1, EVENT).and_(asked)
        # What is older will not be corrected.
        asked = asked.take(asked.moments >= oldest[asked.code])
        state, _ = self._give(state, asked, np.full(len(newest), np.iinfo(np.int64).max))
        return Tiler(self._plan, least=0)(state, FAR)

    def _give(self, state: ShardState, asked: "_Asked", since: Ints) -> tuple[ShardState, pa.RecordBatch]:
        """Rows for new moments, and corrections of those that went out.

        Args:
          state: with all events.
          asked: new moments.
          since: for each key, rows as of a later moment may have changed.
        """
        emit = self._plan.definition.emit
        # All that are still known: an event was accepted by the clock before it, not by that of the whole batch.
        changed = state.out_as_of > since[state.out_code]
        # And those that are asked for once more: a timer at the moment of an event.
        changed |= _among(state, asked)
        again = np.flatnonzero(changed)
        code = np.concatenate([state.out_code[again], asked.code])
        moments = np.concatenate([state.out_as_of[again], asked.moments])
        reason = np.concatenate([np.full(len(again), REASONS.index(CORRECTION)), asked.reason])
        # Of equal moments the row that is known is the first, then that with the smallest number of its reason.
        order = np.lexsort((np.arange(len(code)) >= len(again), moments, code))
        first = changes(code[order], moments[order])
        deletes = reason[order] == REASONS.index(DELETION)
        groups = np.cumsum(first) - 1
        deletes = np.bincount(groups, weights=deletes, minlength=int(first.sum())) > 0
        last = np.maximum.reduceat(reason[order], np.flatnonzero(first)) if len(order) else reason
        order = order[first]
        code, moments, reason = code[order], moments[order], reason[order]
        known = order < len(again)
        source = again[order[known]]
        revision = np.full(len(code), -1)
        revision[known] = state.out_revision[source]
        # A timer asks for what did not go out because its condition was not true.
        reason = np.where(known & (revision < 0) & (last >= REASONS.index(TIMER)), last, reason)
        content = np.zeros(len(code), "S16")
        content[known] = state.out_content[source]
        values = self._values(state, code, moments)
        rows = self._emit.rows(state.keys.take(pa.array(code)), moments, values, _names(reason))
        holds = self._emit.holds(rows)
        now = _contents_of(rows, self._plan)
        timed = reason >= REASONS.index(TIMER)
        wanted = np.where(revision >= 0, now != content, holds | emit.on_event | timed) | deletes
        # A timer gives no row of a key of which nothing is within reach.
        wanted &= ~timed | values.seen | (reason == REASONS.index(EXPIRY))
        revision = revision + wanted
        told = np.where(revision > 0, REASONS.index(CORRECTION), reason)
        on_event = told == REASONS.index(EVENT)
        told = np.where((on_event | (known & (revision == 0))) & holds, REASONS.index(CONDITION), told)
        told = np.where(deletes, REASONS.index(DELETION), told)
        kept = wanted | known | ~timed
        rows = rows.set_column(
            rows.schema.get_field_index(REVISION), rows.schema.field(REVISION), pa.array(revision.astype(np.int32))
        ).set_column(rows.schema.get_field_index(REASON), rows.schema.field(REASON), _names(told))
        state = _with_out(state, source, code[kept], moments[kept], revision[kept], now[kept])
        return self._trimmed(state), rows.take(pa.array(np.flatnonzero(wanted)))

    def _values(self, state: ShardState, code: Ints, moments: Ints) -> Values:
        """Features, from the state of the keys that are asked for: a shard may have many others."""
        asked = np.zeros(state.keys.num_rows, np.bool_)
        asked[code] = True
        if 2 * np.count_nonzero(asked) < len(asked):
            state, code = state.without(~asked), (np.cumsum(asked) - 1)[code]
        return StateEvaluation(self._plan, state).at(code, moments)

    def _trimmed(self, state: ShardState) -> ShardState:
        """Without rows that went out so long ago that no event can change them."""
        oldest = less(state.newest, self._plan.definition.lateness)
        stays = np.flatnonzero(state.out_as_of >= oldest[state.out_code])
        return replace(
            state,
            out_code=state.out_code[stays],
            out_as_of=state.out_as_of[stays],
            out_revision=state.out_revision[stays],
            out_content=state.out_content[stays],
        )


def _among(state: ShardState, asked: _Asked) -> Flags:
    """Which of the rows that went out are asked for."""
    found = np.zeros(len(state.out_code), np.bool_)
    place = before_moments(state.out_code, state.out_as_of, asked.code, asked.moments)
    some = np.flatnonzero(place < len(found))
    place = place[some]
    same = (state.out_code[place] == asked.code[some]) & (state.out_as_of[place] == asked.moments[some])
    found[place[same]] = True
    return found


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


def _contents_of(rows: pa.RecordBatch, plan: Plan) -> npt.NDArray[np.bytes_]:
    """16 bytes a row, equal where all features are."""
    names = [one.feature.name for one in plan.outputs]
    return contents(rows.select([*names, "truncated"]))
