"""Sessions of a stream: a shard's state, its timers, and what goes out.

Timers give sessions that the watermark has passed, and free state; they never decide what a session is. Times that they
are set for are kept beside the state, so that it does not matter how late they fire.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer

from blocks.aggregating.events import NEVER
from blocks.aggregating.in_stream import Clock, wall_clock
from blocks.aggregating.keeping import ShardStep, in_parts, rounded_up
from blocks.aggregating.sessions.plan import SessionPlan
from blocks.aggregating.sessions.shard import SessionShard, SessionStep
from blocks.aggregating.sessions.state import FAR, SessionState
from blocks.core.block import pieces
from blocks.core.rejects import RejectSettings

_STATE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("shard", BytesCoder()))
_DUE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("due", BytesCoder()))
_ENDED = beam.DoFn.TimerParam(TimerSpec("ended", TimeDomain.WATERMARK))
_EXPIRY = beam.DoFn.TimerParam(TimerSpec("expiry", TimeDomain.WATERMARK))


@dataclass
class SessionDue:
    """What the timers of a shard are set for, in microseconds; NEVER if they are not."""

    ended: int = NEVER
    expiry: int = NEVER

    _FORM = struct.Struct("<2q")

    @classmethod
    def read(cls, cell: Any) -> "SessionDue":
        """From state."""
        content = cell.read()
        return cls(*cls._FORM.unpack(content)) if content else cls()

    def write(self, cell: Any) -> None:
        """To state."""
        cell.write(self._FORM.pack(self.ended, self.expiry))


class StreamSessions(ShardStep):
    """Takes (shard, projected events) in the order of arrival; gives sessions, and rejects.

    Args:
      plan: of the sessions.
      block, version: for rejects and metrics.
      settings: of the rejects; None where a reject stops the pipeline.
      clock: the processing time in microseconds.
    """

    def __init__(
        self, plan: SessionPlan, block: str, version: str, settings: RejectSettings | None, clock: Clock = wall_clock
    ) -> None:
        super().__init__(plan.plan, block, version, settings)
        self._plan, self._clock = plan, clock

    def setup(self) -> None:
        """Once for each worker."""
        super().setup()
        self._shard = SessionShard(self._plan)

    def process(
        self,
        element: tuple[int, Any],
        cell: Any = _STATE,
        due_cell: Any = _DUE,
        ended: Any = _ENDED,
        expiry: Any = _EXPIRY,
    ) -> Iterator[Any]:
        """Events arrive."""
        due = SessionDue.read(due_cell)
        step = self._shard.arrive(self._read(cell), element[1], self._clock())
        self._duplicates.inc(step.duplicates)
        yield from self._rejects(step.refused)
        yield from self._given(step)
        self._set_ended(step.state, due, ended)
        self._set_expiry(step.state, due, expiry)
        self._write(cell, step.state)
        due.write(due_cell)

    @on_timer(_ENDED.timer_spec)
    def at_end(self, cell: Any = _STATE, due_cell: Any = _DUE, timer: Any = _ENDED) -> Iterator[Any]:
        """The watermark has passed the end of a session."""
        due = SessionDue.read(due_cell)
        if due.ended == NEVER:
            return
        step = self._shard.pass_by(self._read(cell), due.ended)
        yield from self._given(step)
        due.ended = NEVER
        self._set_ended(step.state, due, timer)
        self._write(cell, step.state)
        due.write(due_cell)

    @on_timer(_EXPIRY.timer_spec)
    def at_expiry(self, cell: Any = _STATE, due_cell: Any = _DUE, timer: Any = _EXPIRY) -> Iterator[Any]:
        """The watermark has left the last event of a key behind by `state_ttl`: nothing of it is kept."""
        due = SessionDue.read(due_cell)
        if due.expiry == NEVER:
            return
        step = self._shard.expire(self._read(cell), due.expiry)
        yield from self._given(step)
        due.expiry = NEVER
        self._set_expiry(step.state, due, timer)
        self._write(cell, step.state)
        due.write(due_cell)

    def _set_ended(self, state: SessionState, due: SessionDue, timer: Any) -> None:
        first = int(state.due.min(initial=FAR))
        if first == FAR:
            return
        moment = in_parts(first, self._plan.definition.rules.gap)
        if due.ended == NEVER or moment < due.ended:
            due.ended = moment
            timer.set(rounded_up(moment))

    def _set_expiry(self, state: SessionState, due: SessionDue, timer: Any) -> None:
        if not len(state.newest):
            return
        ttl = self._plan.definition.shared.state_ttl
        moment = in_parts(int(state.newest.min()) + ttl + 1, ttl)
        if due.expiry == NEVER or moment < due.expiry:
            due.expiry = moment
            timer.set(rounded_up(moment))

    def _given(self, step: SessionStep) -> Iterator[Any]:
        for rows in step.rows:
            self._metrics.rows_out.inc(rows.num_rows)
            yield from pieces(rows)
