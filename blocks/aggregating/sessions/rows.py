"""Rows of sessions, from their events: the columns that every session has, its features, its list of events."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.emitting import truncated_names
from blocks.aggregating.evaluating import Evaluation, expanded
from blocks.aggregating.events import ID, TIME, Events
from blocks.aggregating.plan import REASON, REVISION, TRUNCATED
from blocks.aggregating.sessions.definition import CLOSED_BY as RULES
from blocks.aggregating.sessions.plan import (
    CLOSED_BY,
    ENDED_AT,
    EVENT_COUNT,
    EVENTS,
    SESSION_ID,
    STARTED_AT,
    SessionPlan,
)
from blocks.aggregating.sessions.splitting import Sessions
from blocks.flattening.row_ids import row_ids

Ints = npt.NDArray[np.int64]
Names = npt.NDArray[np.bytes_]

# Events that are folded at a time.
_CHUNK = 1 << 18
ID_FORM = np.dtype("S32")


class SessionRows:
    """Makes rows of the plan's output; one for each worker.

    Args:
      plan: of the sessions.
    """

    def __init__(self, plan: SessionPlan) -> None:
        self._plan = plan

    def ids(self, rows: pa.RecordBatch, first: Ints) -> Names:
        """The ids of sessions: a hash of the key, the time and the id of their first event.

        Args:
          rows: projected events.
          first: the place of the first event of each session.
        """
        found = rows.select([*self._plan.plan.keys, TIME, ID]).take(pa.array(first, pa.int64()))
        return np.array(row_ids(found.columns).to_pylist(), ID_FORM)

    def parts(self, sessions: Sessions) -> Iterator[slice]:
        """Some sessions at a time, as many as have so many events that they are folded together."""
        total = np.concatenate([[0], np.cumsum(sessions.stop - sessions.start)])
        at = 0
        while at < len(sessions):
            to = max(int(np.searchsorted(total, total[at] + _CHUNK, side="right")) - 1, at + 1)
            yield slice(at, to)
            at = to

    def __call__(
        self, events: Events, sessions: Sessions, ids: Names, reasons: pa.Array, revisions: Ints
    ) -> pa.RecordBatch:
        """A row for each session.

        Args:
          events: in which the sessions are.
          sessions: in order, at least one.
          ids: of the sessions.
          reasons: of each session, why there is a row.
          revisions: of each session.
        """
        owner, places = expanded(sessions.start, sessions.stop)
        whole = len(places) == len(events)
        # A session as a key of its own: its features are those of all its time, as of a microsecond after its end.
        own = Events(events.keys, owner, events.times, None, events.rows) if whole else events.take(places, owner)
        ended = events.times[sessions.stop - 1]
        fixed = {
            SESSION_ID: pa.array(ids.astype("U32").tolist(), pa.string()),
            STARTED_AT: _moments(events.times[sessions.start]),
            ENDED_AT: _moments(ended),
            EVENT_COUNT: pa.array(sessions.stop - sessions.start),
            CLOSED_BY: pa.array(RULES).take(pa.array(sessions.closed_by)),
            REASON: reasons,
            REVISION: pa.array(revisions.astype(np.int32)),
        }
        keys = events.keys.take(pa.array(events.code[sessions.start]))
        offsets = np.concatenate([[0], np.cumsum(sessions.stop - sessions.start)])
        return self._made(keys, fixed, own, ended + 1, offsets)

    def gone(self, keys: pa.RecordBatch, ids: Names, started: Ints, reason: str, revisions: Ints) -> pa.RecordBatch:
        """A row for each session that is not there any more: of no events.

        Args:
          keys: of each session, the key's columns.
          ids: of the sessions.
          started: when each of them began.
          reason: of all.
          revisions: of each session.
        """
        count = len(ids)
        nothing = np.zeros(0, np.int64)
        none = pa.RecordBatch.from_pylist([], schema=self._plan.plan.projected)
        fixed = {
            SESSION_ID: pa.array(ids.astype("U32").tolist(), pa.string()),
            STARTED_AT: _moments(started),
            ENDED_AT: _moments(started),
            EVENT_COUNT: pa.array(np.zeros(count, np.int64)),
            CLOSED_BY: pa.nulls(count, pa.string()),
            REASON: pa.array([reason] * count, pa.string()),
            REVISION: pa.array(revisions.astype(np.int32)),
        }
        return self._made(
            keys, fixed, Events(keys, nothing, nothing, None, none), started, np.zeros(count + 1, np.int64)
        )

    def _made(
        self, keys: pa.RecordBatch, fixed: dict[str, pa.Array], own: Events, as_of: Ints, offsets: Ints
    ) -> pa.RecordBatch:
        plan, count = self._plan.plan, len(as_of)
        values = Evaluation(plan, own).at(np.arange(count), as_of)
        names = [one.feature.name for one in plan.outputs]
        fixed[TRUNCATED] = truncated_names(names, values.truncated, count)
        fixed |= dict(zip(names, values.columns, strict=True))
        if self._plan.listed:
            fixed[EVENTS] = self._listed(own.rows, offsets)
        columns = list(keys.columns)
        columns += [fixed[field.name] for field in list(plan.output)[len(columns) :]]
        cast = [
            one if one.type.equals(field.type) else one.cast(field.type)
            for one, field in zip(columns, plan.output, strict=True)
        ]
        return pa.RecordBatch.from_arrays(cast, schema=plan.output)

    def _listed(self, rows: pa.RecordBatch, offsets: Ints) -> pa.Array:
        data_type = self._plan.plan.output.field(EVENTS).type
        columns = [rows.column(projected) for projected in self._plan.listed.values()]
        items = pa.StructArray.from_arrays(columns, fields=list(data_type.value_type))
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), items, type=data_type)


def _moments(times: Ints) -> pa.Array:
    return pa.array(times).cast(pa.timestamp("us", "UTC"))
