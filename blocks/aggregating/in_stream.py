"""Features of a stream: a shard's state, its timers, and what goes out.

The state of a shard is one value (`shard_state.py`), because a call to Beam's state from Python costs more than the
work on some hundred events; timers only give rows and free state, they never decide a value. Times that timers are set
for are kept beside the state, so that a row of a timer is as of the time for which it was set, whatever the runner
rounds to or however late it fires.
"""

import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from blocks.aggregating.emitting import IDLE, TIMER, WINDOW_END
from blocks.aggregating.events import NEVER, TIME
from blocks.aggregating.keeping import ShardStep, in_parts, rounded_up
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard import FAR, Shard, Step
from blocks.aggregating.shard_state import ShardState
from blocks.core.batch_type import BatchCoder
from blocks.core.block import pieces
from blocks.core.rejects import RejectSettings

Clock = Callable[[], int]

_STATE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("shard", BytesCoder()))
_DUE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("due", BytesCoder()))
_HELD = beam.DoFn.StateParam(BagStateSpec("held", BytesCoder()))
_EVERY = beam.DoFn.TimerParam(TimerSpec("every", TimeDomain.REAL_TIME))
_IDLE = beam.DoFn.TimerParam(TimerSpec("idle", TimeDomain.REAL_TIME))
_WINDOW_END = beam.DoFn.TimerParam(TimerSpec("window_end", TimeDomain.WATERMARK))
_EXPIRY = beam.DoFn.TimerParam(TimerSpec("expiry", TimeDomain.WATERMARK))


def wall_clock() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1_000


@dataclass
class Due:
    """What the timers of a shard are set for, in microseconds; NEVER if they are not; and whether it has its seed."""

    every: int = NEVER
    idle: int = NEVER
    window_end: int = NEVER
    expiry: int = NEVER
    seeded: int = 0

    _FORM = struct.Struct("<5q")

    @classmethod
    def read(cls, cell: Any) -> "Due":
        """From state."""
        content = cell.read()
        return cls(*cls._FORM.unpack(content)) if content else cls()

    def write(self, cell: Any) -> None:
        """To state."""
        cell.write(self._FORM.pack(self.every, self.idle, self.window_end, self.expiry, self.seeded))


@dataclass(frozen=True)
class Cells:
    """Beam's handles: the state of the shard, and its timers."""

    state: Any
    every: Any
    idle: Any
    window_end: Any
    expiry: Any


class StreamFeatures(ShardStep):
    """Takes (shard, projected events) in the order of arrival; gives rows, and rejects.

    Args:
      plan: of the features.
      block, version: for rejects and metrics.
      settings: of the rejects; None where a reject stops the pipeline.
      clock: the processing time in microseconds.
    """

    def __init__(
        self, plan: Plan, block: str, version: str, settings: RejectSettings | None, clock: Clock = wall_clock
    ) -> None:
        super().__init__(plan, block, version, settings)
        self._plan, self._clock = plan, clock

    def setup(self) -> None:
        """Once for each worker."""
        super().setup()
        self._deleted = Metrics.counter("blocks", f"{self._block}:deleted")
        self._shard = Shard(self._plan)

    def process(
        self,
        element: tuple[int, Any],
        cell: Any = _STATE,
        due_cell: Any = _DUE,
        every: Any = _EVERY,
        idle: Any = _IDLE,
        window_end: Any = _WINDOW_END,
        expiry: Any = _EXPIRY,
    ) -> Iterator[Any]:
        """Events arrive."""
        due = Due.read(due_cell)
        yield from self._taken([element[1]], due, Cells(cell, every, idle, window_end, expiry))
        due.write(due_cell)

    def _taken(self, batches: Iterable[pa.RecordBatch], due: Due, cells: "Cells") -> Iterator[Any]:
        """Takes events in, one batch after the other, and sets timers."""
        now, state, earliest = self._clock(), self._read(cells.state), FAR
        asked_from = self._asked_from(due, now)
        for batch in batches:
            step = self._shard.arrive(state, batch, now, asked_from)
            state, earliest = step.state, min(earliest, step.earliest)
            self._duplicates.inc(step.duplicates)
            self._deleted.inc(step.deleted)
            yield from self._rejects(step.refused)
            yield from self._given(step)
        emit = self._plan.definition.emit
        if emit.every and due.every == NEVER:
            due.every = (now // emit.every + 1) * emit.every
            cells.every.set(Timestamp(micros=due.every))
        self._set_idle(state, due, cells.idle)
        if emit.at_window_end and due.window_end == NEVER and earliest != FAR:
            due.window_end = (earliest // emit.at_window_end + 1) * emit.at_window_end
            cells.window_end.set(rounded_up(due.window_end))
        self._set_expiry(state, due, cells.expiry)
        self._write(cells.state, state)

    def _asked_from(self, due: Due, now: int) -> int:
        """The earliest moment that a timer may still ask for; NEVER where it is not known yet."""
        emit, moments = self._plan.definition.emit, [FAR]
        if emit.at_window_end:
            moments.append(due.window_end)
        if emit.every:
            moments.append(now if due.every == NEVER else min(due.every, now))
        if emit.after_idle:
            moments.append(now if due.idle == NEVER else min(due.idle, now))
        return min(moments)

    @on_timer(_EVERY.timer_spec)
    def at_interval(self, cell: Any = _STATE, due_cell: Any = _DUE, timer: Any = _EVERY) -> Iterator[Any]:
        """Every so often in processing time: a row of every key with an event within reach."""
        due, emit = Due.read(due_cell), self._plan.definition.emit
        if due.every == NEVER:
            return
        state = self._read(cell)
        code = np.arange(state.keys.num_rows)
        step = self._shard.tick(state, code, np.full(len(code), due.every), TIMER)
        yield from self._given(step)
        self._write(cell, step.state)
        # Times that were missed are not made up for.
        due.every = max(due.every, self._clock() // emit.every * emit.every) + emit.every if len(code) else NEVER
        if due.every != NEVER:
            timer.set(Timestamp(micros=due.every))
        due.write(due_cell)

    @on_timer(_IDLE.timer_spec)
    def after_idle(self, cell: Any = _STATE, due_cell: Any = _DUE, timer: Any = _IDLE) -> Iterator[Any]:
        """No event for so long in processing time: a row of each such key, once until its next event."""
        due, emit = Due.read(due_cell), self._plan.definition.emit
        if due.idle == NEVER:
            return
        state = self._read(cell)
        code = np.flatnonzero((state.touched != NEVER) & (state.touched <= due.idle - emit.after_idle))
        step = self._shard.tick(state, code, state.touched[code] + emit.after_idle, IDLE)
        yield from self._given(step)
        state = step.state.untouched(code)
        due.idle = NEVER
        self._set_idle(state, due, timer)
        self._write(cell, state)
        due.write(due_cell)

    @on_timer(_WINDOW_END.timer_spec)
    def at_window_end(self, cell: Any = _STATE, due_cell: Any = _DUE, timer: Any = _WINDOW_END) -> Iterator[Any]:
        """The watermark has passed a step of event time: a row of every key with an event within reach."""
        due = Due.read(due_cell)
        if due.window_end == NEVER:
            return
        step = self._ended(self._read(cell), due)
        yield from self._given(step)
        self._write(cell, step.state)
        if due.window_end != NEVER:
            timer.set(rounded_up(due.window_end))
        due.write(due_cell)

    def _ended(self, state: ShardState, due: Due) -> Step:
        """A row of every key with an event within reach of a step of event time; the next step is due."""
        code = np.arange(state.keys.num_rows)
        step = self._shard.tick(state, code, np.full(len(code), due.window_end), WINDOW_END)
        due.window_end = self._next_end(state, due.window_end)
        return step

    def _next_end(self, state: ShardState, after: int) -> int:
        """The next step of event time at which an event may be within reach; NEVER if the next event has to set it."""
        definition = self._plan.definition
        reach, every = max(definition.longest, self._plan.endless * definition.state_ttl), definition.emit.at_window_end
        within = (state.newest != NEVER) & (state.newest > after - reach)
        if not within.any():
            return NEVER
        first = state.newest.copy()
        np.minimum.at(first, state.recent_code, state.recent.column(TIME).to_numpy())
        for tiles in state.tiles.values():
            np.minimum.at(first, tiles.code, tiles.times)
        # Over a time without events at once: one step each would be many.
        return int(max(first[within].min(), after) // every + 1) * every

    @on_timer(_EXPIRY.timer_spec)
    def at_expiry(
        self, cell: Any = _STATE, due_cell: Any = _DUE, timer: Any = _EXPIRY, window_end: Any = _WINDOW_END
    ) -> Iterator[Any]:
        """The watermark has left the last event of a key behind by `state_ttl`: its last row, and nothing is kept."""
        due, state = Due.read(due_cell), self._read(cell)
        if due.expiry == NEVER:
            return
        # A runner whose watermark jumps may fire this before steps that are due earlier.
        while NEVER < due.window_end < due.expiry:
            step = self._ended(state, due)
            yield from self._given(step)
            state = step.state
        if due.window_end != NEVER:
            window_end.set(rounded_up(due.window_end))
        step = self._shard.expire(state, due.expiry)
        yield from self._given(step)
        due.expiry = NEVER
        self._set_expiry(step.state, due, timer)
        self._write(cell, step.state)
        due.write(due_cell)

    def _set_idle(self, state: ShardState, due: Due, timer: Any) -> None:
        emit = self._plan.definition.emit
        touched = state.touched[state.touched != NEVER]
        if emit.after_idle and len(touched):
            first = int(touched.min()) + emit.after_idle
            if first != due.idle:
                due.idle = first
                timer.set(Timestamp(micros=first))

    def _set_expiry(self, state: ShardState, due: Due, timer: Any) -> None:
        last = np.maximum(state.newest, state.deleted)
        last = last[last != NEVER]
        if not len(last):
            return
        ttl = self._plan.definition.state_ttl
        first = in_parts(int(last.min()) + ttl + 1, ttl)
        if due.expiry == NEVER or first < due.expiry:
            due.expiry = first
            timer.set(rounded_up(first))

    def _given(self, step: Step) -> Iterator[pa.RecordBatch]:
        self._metrics.rows_out.inc(step.rows.num_rows)
        yield from pieces(step.rows)


class SeededFeatures(StreamFeatures):
    """The same, beginning with partial aggregates: (shard, (False, packed events)), and once (shard, (True, state)).

    Events that come before the state of their shard wait in a bag of the runner.
    """

    def setup(self) -> None:
        """Once for each worker."""
        super().setup()
        self._events = BatchCoder(self._plan.projected)

    def process(
        self,
        element: tuple[int, Any],
        cell: Any = _STATE,
        due_cell: Any = _DUE,
        every: Any = _EVERY,
        idle: Any = _IDLE,
        window_end: Any = _WINDOW_END,
        expiry: Any = _EXPIRY,
        held: Any = _HELD,
    ) -> Iterator[Any]:
        """Events arrive, or the seed does."""
        is_seed, content = element[1]
        due, cells = Due.read(due_cell), Cells(cell, every, idle, window_end, expiry)
        if is_seed:
            # A runner may give it again after a failure.
            if due.seeded:
                return
            due.seeded = 1
            cell.write(content)
            self._set_first_end(self._shard.coder.decode(content), due, window_end)
            yield from self._taken((self._events.decode(one) for one in held.read()), due, cells)
            held.clear()
        elif not due.seeded:
            held.add(content)
            return
        else:
            yield from self._taken([self._events.decode(content)], due, cells)
        due.write(due_cell)

    def _set_first_end(self, state: ShardState, due: Due, timer: Any) -> None:
        """The first step of event time after what is in tiles: a batch has given rows up to there."""
        every = self._plan.definition.emit.at_window_end
        settled = state.boundary[state.boundary != NEVER]
        times = settled if len(settled) else state.recent.column(TIME).to_numpy()
        if every and len(times):
            due.window_end = (int(times.max() if len(settled) else times.min()) // every + 1) * every
            timer.set(rounded_up(due.window_end))
