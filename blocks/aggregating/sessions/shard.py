"""A shard of a stream of sessions: events arrive, sessions and corrections go out. No Beam, no clock.

The law: of every session id that goes out, the row with the highest revision, if it is no deletion, is the session that
the contract gives over the events that were accepted, however they arrived.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.arriving import Refused, coded_among, highest, late_rows, refuse
from blocks.aggregating.emitting import CORRECTION, DELETION, EXPIRY
from blocks.aggregating.events import NEVER, TIME, Events, by_time, each_once
from blocks.aggregating.refusing import CONFLICT
from blocks.aggregating.sessions.definition import EARLY
from blocks.aggregating.sessions.in_batch import CLOSED
from blocks.aggregating.sessions.plan import SessionPlan
from blocks.aggregating.sessions.rows import Names, SessionRows
from blocks.aggregating.sessions.splitting import Sessions, split
from blocks.aggregating.sessions.state import CHANGED, FAR, GONE, SAME, Out, SessionState
from blocks.aggregating.sessions.state_coding import SessionCoder
from blocks.aggregating.shard_state import less

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

WATERMARK = "watermark"
_REASONS = pa.array([CLOSED, WATERMARK, EXPIRY, CORRECTION])


@dataclass(frozen=True)
class SessionStep:
    """What came of a step.

    Attributes:
      state: afterwards.
      rows: sessions, of the plan's output schema.
      refused: events that are rejected.
      duplicates: how many said the same as another.
    """

    state: SessionState
    rows: list[pa.RecordBatch]
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0


@dataclass(frozen=True)
class _Found:
    """The sessions of some keys, as they are now.

    Attributes:
      events: of the keys.
      places: where these events are among all of the state.
      sessions: of the events.
      code: the key of each session.
      ids: of the sessions.
      known: the row of each in what went out; -1 for none.
      pending: whether it has to go out, for the first time or again.
      final: whether no event that could still be accepted can change it.
    """

    events: Events
    places: Ints
    sessions: Sessions
    code: Ints
    ids: Names
    known: Ints
    pending: Flags
    final: Flags


class SessionShard:
    """The steps of a shard.

    Cost: of a step, the whole state of the shard is read and written; sessions are split again for the keys that have
    new events, or that a timer is for.

    Args:
      plan: of the sessions.
    """

    def __init__(self, plan: SessionPlan) -> None:
        self._plan, self._definition = plan, plan.definition.shared
        self._make = SessionRows(plan)
        self.coder = SessionCoder(plan)

    def arrive(self, state: SessionState, rows: pa.RecordBatch, now: int) -> SessionStep:
        """Takes events in; gives what is final by them, and takes back sessions that are no more.

        Args:
          state: before.
          rows: projected events, in the order of arrival.
          now: processing time in microseconds.
        """
        refused = list[Refused]()
        ahead = _times(rows) > now + self._definition.ahead
        rows = refuse(rows, ahead, "too_early", "further ahead of the clock than `ahead`", refused)
        code, fresh = coded_among(state.keys, rows)
        state, times = state.with_keys(fresh), _times(rows)
        late = late_rows(state.newest, self._definition.lateness, code, times, times)
        rows = refuse(rows, late, "late", "older than the newest event of its key less `lateness`", refused)
        code, times = code[~late], times[~late]
        both = pa.concat_batches([state.recent, rows])
        both_code = np.concatenate([state.recent_code, code])
        both_times = _times(both)
        order = by_time(both_code, both_times)
        order, conflicts, duplicates = each_once(both, self._plan.plan.keys, both_code, both_times, None, order)
        if len(conflicts):
            refused.append(Refused("conflict", CONFLICT, both.take(pa.array(conflicts))))
        new = order >= state.recent.num_rows
        state = replace(
            state,
            newest=highest(state.newest, code, times),
            recent=both.take(pa.array(order)),
            recent_code=both_code[order],
        )
        touched = np.zeros(state.keys.num_rows, np.bool_)
        touched[code] = True
        state, out = self._settle(state, touched, new, NEVER)
        return SessionStep(state, out, refused, duplicates)

    def pass_by(self, state: SessionState, moment: int) -> SessionStep:
        """Gives the sessions that ended before a moment that the watermark has reached.

        Args:
          state: before.
          moment: in microseconds.
        """
        return SessionStep(*self._settle(state, state.due <= moment, _no_events(state), moment))

    def expire(self, state: SessionState, moment: int) -> SessionStep:
        """Gives what has not gone out of keys without an event for `state_ttl` before a moment, and forgets them.

        Args:
          state: before.
          moment: in microseconds.
        """
        ended = state.newest < moment - self._definition.state_ttl
        state, out = self._settle(state, ended, _no_events(state), FAR)
        return SessionStep(state.without(ended), out)

    def _settle(
        self, state: SessionState, chosen: Flags, fresh: Flags, passed: int
    ) -> tuple[SessionState, list[pa.RecordBatch]]:
        """Gives what has to go out of some keys.

        Args:
          state: before.
          chosen: which keys.
          fresh: which of the recent events are new.
          passed: sessions that ended before it go out; FAR for all.
        """
        if not chosen.any():
            return state, []
        found = self._found(state, chosen, fresh)
        going = found.pending & (found.final | (found.sessions.until < passed) | (passed == FAR))
        gone = chosen[state.out.code]
        gone[found.known[found.known >= 0]] = False
        deleted = np.flatnonzero(gone & (state.out.since != GONE))
        rows = [*self._deletions(state, deleted), *self._going(state, found, going, passed)]
        kept = np.ones(state.recent.num_rows, np.bool_)
        kept[found.places] = ~np.repeat(found.final, found.sessions.stop - found.sessions.start)
        due = np.where(chosen, FAR, state.due)
        if self._plan.definition.emit == EARLY:
            waiting = found.pending & ~going
            until = found.sessions.until[waiting]
            np.minimum.at(due, found.code[waiting], np.where(until == FAR, FAR, until + 1))
        kept_state = replace(
            state,
            due=due,
            recent=state.recent if kept.all() else state.recent.take(pa.array(np.flatnonzero(kept))),
            recent_code=state.recent_code[kept],
        )
        return replace(kept_state, out=self._out(kept_state, found, going, chosen, gone)), rows

    def _found(self, state: SessionState, chosen: Flags, fresh: Flags) -> _Found:
        places = np.flatnonzero(chosen[state.recent_code])
        rows = state.recent if len(places) == state.recent.num_rows else state.recent.take(pa.array(places))
        events = Events(state.keys, state.recent_code[places], _times(rows), None, rows)
        closes = rows.column(self._plan.closes).to_numpy(zero_copy_only=False) if self._plan.closes else None
        sessions = split(events.code, events.times, closes, self._plan.definition.rules)
        ids = self._make.ids(rows, sessions.start)
        code = events.code[sessions.start]
        known = _rows_of(state.out.ids, ids)
        pending = _pending(state.out, known, sessions, fresh[places])
        final = sessions.until < less(state.newest, self._definition.lateness)[code]
        return _Found(events, places, sessions, code, ids, known, pending, final)

    def _going(self, state: SessionState, found: _Found, going: Flags, passed: int) -> list[pa.RecordBatch]:
        rows = np.flatnonzero(going)
        sessions, ids = found.sessions.take(rows), found.ids[rows]
        revision = _revision(state.out, found.known[rows]) + 1
        place = np.where(found.final[rows], 0, 2 if passed == FAR else 1)
        reasons = _REASONS.take(pa.array(np.where(revision > 0, 3, place)))
        return [
            self._make(found.events, sessions.take(part), ids[part], reasons[part], revision[part])
            for part in self._make.parts(sessions)
        ]

    def _deletions(self, state: SessionState, rows: Ints) -> list[pa.RecordBatch]:
        if not len(rows):
            return []
        out = state.out.take(rows)
        keys = state.keys.take(pa.array(out.code))
        return [self._make.gone(keys, out.ids, out.started, DELETION, out.revision + 1)]

    def _out(self, state: SessionState, found: _Found, going: Flags, chosen: Flags, gone: Flags) -> Out:
        """What went out and may still change, afterwards."""
        before, sessions = state.out, found.sessions
        stays = ~found.final & (going | (found.known >= 0))
        known = found.known[stays]
        again = going[stays]
        since = np.full(len(before.code) + 1, SAME)
        since[:-1] = before.since
        waiting = np.where(since[known] == GONE, GONE, np.where(found.pending[stays], CHANGED, SAME))
        closed_by = np.append(before.closed_by, 0)[known]
        now = Out(
            found.code[stays],
            found.ids[stays],
            found.events.times[sessions.start[stays]],
            _revision(before, known) + again,
            np.where(again, sessions.closed_by[stays], closed_by),
            np.where(again, SAME, waiting),
        )
        # One that is gone may come back as long as its first event is kept, and then needs a higher revision.
        first = np.full(state.keys.num_rows, FAR)
        np.minimum.at(first, state.recent_code, _times(state.recent))
        lost = before.take(gone & (before.started >= first[before.code]))
        lost = replace(lost, revision=lost.revision + (lost.since != GONE), since=np.full(len(lost.code), GONE))
        return before.take(~chosen[before.code]).and_(now, lost)


def _pending(out: Out, known: Ints, sessions: Sessions, fresh: Flags) -> Flags:
    """Which sessions have to go out: those that never did, and those that are not as they were.

    The same first event, and no new one among them: they are as they were but for what ended them.
    """
    if not len(out.ids) or not len(sessions):
        return known < 0
    grown = np.bitwise_or.reduceat(fresh, sessions.start)
    return (known < 0) | grown | (out.closed_by[known] != sessions.closed_by) | (out.since[known] != SAME)


def _revision(out: Out, known: Ints) -> Ints:
    """The revision of each that is known; -1 for those that are not."""
    return np.append(out.revision, -1)[known]


def _rows_of(known: Names, ids: Names) -> Ints:
    """The row of each id among known ones; -1 where it is none of them."""
    if not len(known):
        return np.full(len(ids), -1)
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known, ids, sorter=order), len(known) - 1)
    rows = order[places]
    return np.where(known[rows] == ids, rows, -1)


def _times(rows: pa.RecordBatch) -> Ints:
    found: Ints = rows.column(TIME).to_numpy()
    return found


def _no_events(state: SessionState) -> Flags:
    return np.zeros(state.recent.num_rows, np.bool_)
