"""The first rows of each identity in a stream: rows wait in state for their event time.

Keyed state from Python is slow per key and fast per byte, so a key is a shard, an element is a batch, and a value in
state is flat bytes. The contract, for the shards of one window:

- A row waits until the watermark reaches the second of its event time (without an event time: the end of its window).
  Of the rows of an identity that wait together the one with the smallest content goes on; so the choice is decided by
  data for all rows that come before that moment. The event-time timer of the earliest waiting row holds the watermark
  back for the rows that wait: what goes on is not late for the steps that follow.
- A row that comes after that moment is compared with the identities that went out: a known one is a duplicate,
  whatever its content; an unknown one goes on at once, late as it is.
- An identity is remembered for `remember` of event time. A row that is older than that can be told neither a duplicate
  nor new: it is rejected as `late`. "Older" goes by the timers that have fired, which a shard without rows does not
  have: it takes late rows for longer, and never forgets an identity and takes its row.

State of a shard: the rows whose second the watermark has not reached, 24 bytes for each identity of the last
`remember`, and 40 bytes for ever. What belongs to a window is freed with the window by the runner.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from blocks.core.batch_type import MAX_BYTES, BatchCoder
from blocks.core.times import micros
from blocks.core.wire import size_of, take
from blocks.shaping.first_options import FirstOptions, RowOutput
from blocks.shaping.first_rows import Digests, Part, digests_of, first_rows, split_rows

# A timer holds the watermark at the time at which it fires, so it must not be later than a row that waits for it; and
# it fires for all rows of a second at once, so that a fast stream costs a shard a call a second of event time.
SECOND = 1_000_000
NEVER = np.iinfo(np.int64).max
BEFORE_ALL = np.iinfo(np.int64).min
_NEAR_SECONDS = 8
_PRUNES = 16

Times = npt.NDArray[np.int64]
Waiting = tuple[Part, Times]
_IDENTITY = np.dtype([("digest", "S16"), ("time", "<i8")])

_CLOCK = beam.DoFn.StateParam(ReadModifyWriteStateSpec("clock", BytesCoder()))
# Two bags, so that not everything that waits is read for each second that goes on.
_NEAR = beam.DoFn.StateParam(BagStateSpec("near", BytesCoder()))
_FAR = beam.DoFn.StateParam(BagStateSpec("far", BytesCoder()))
_SEEN = beam.DoFn.StateParam(BagStateSpec("seen", BytesCoder()))
_TIMER = beam.DoFn.TimerParam(TimerSpec("time", TimeDomain.WATERMARK))
_END = beam.DoFn.TimerParam(TimerSpec("end", TimeDomain.WATERMARK))


@dataclass
class Clock:
    """What a shard knows of time, in microseconds of event time.

    Attributes:
      released: rows up to it have gone on.
      timer: when the timer is set for; NEVER if it is not.
      near_until: rows before it wait in `near`, others in `far`.
      pruned: when identities were last forgotten.
      newest: event time of the newest identity that is remembered.
    """

    released: int = BEFORE_ALL
    timer: int = NEVER
    near_until: int = BEFORE_ALL
    pruned: int = BEFORE_ALL
    newest: int = BEFORE_ALL

    _FORM = struct.Struct("<5q")

    @classmethod
    def read(cls, cell: Any) -> "Clock":
        """From state."""
        content = cell.read()
        return cls(*cls._FORM.unpack(content)) if content else cls()

    def write(self, cell: Any) -> None:
        """To state."""
        cell.write(self._FORM.pack(self.released, self.timer, self.near_until, self.pruned, self.newest))


@dataclass
class Cells:
    """The state and the timer of a shard, as Beam gives them."""

    clock: Any
    near: Any
    far: Any
    seen: Any
    timer: Any


class WaitForTime(beam.DoFn):
    """The first rows of a shard, in a stream. Takes (shard, (batch, identities)).

    Args:
      options: of the transform.
      schema: of the batches.
    """

    def __init__(self, options: FirstOptions, schema: pa.Schema) -> None:
        self._options, self._schema = options, schema

    def setup(self) -> None:
        """Opens what belongs to the worker."""
        self._out = RowOutput(self._options, self._schema)
        self._coder = BatchCoder(self._schema)

    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        clock: Any = _CLOCK,
        near: Any = _NEAR,
        far: Any = _FAR,
        seen: Any = _SEEN,
        timer: Any = _TIMER,
        end: Any = _END,
    ) -> Iterator[Any]:
        """Lets rows wait; of a moment that has gone on, looks at them at once."""
        batch, content = element[1]
        digests, times = digests_of(content), self._times(batch, window)
        known = Clock.read(clock)
        if known == Clock():
            end.set(Timestamp(micros=_end(window)))
        late = times <= known.released
        if late.any():
            cells = Cells(clock, near, far, seen, timer)
            part = (take(batch, pa.array(np.flatnonzero(late))), digests[late])
            yield from self._late(cells, known, part, times[late], timestamp, window)
        if not late.all():
            soon = ~late & (times < known.near_until)
            for bag, rows in ((near, soon), (far, ~late & ~soon)):
                if rows.any():
                    part = (take(batch, pa.array(np.flatnonzero(rows))), digests[rows])
                    bag.add(self._packed(part, times[rows]))
            self._set(timer, known, min(known.timer, int(times[~late].min())))
        known.write(clock)

    @on_timer(_TIMER.timer_spec)
    def at_time(
        self,
        now: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        clock: Any = _CLOCK,
        near: Any = _NEAR,
        far: Any = _FAR,
        seen: Any = _SEEN,
        timer: Any = _TIMER,
    ) -> Iterator[Any]:
        """The watermark has reached the earliest row that waits, or the time to forget."""
        yield from self._advance(Cells(clock, near, far, seen, timer), now, window)

    @on_timer(_END.timer_spec)
    def at_end(
        self,
        now: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        clock: Any = _CLOCK,
        near: Any = _NEAR,
        far: Any = _FAR,
        seen: Any = _SEEN,
        timer: Any = _TIMER,
    ) -> Iterator[Any]:
        """The watermark has reached the end of the window: all that waits goes on at once, not second by second."""
        yield from self._advance(Cells(clock, near, far, seen, timer), now, window)

    def _advance(self, cells: Cells, now: Any, window: Any) -> Iterator[Any]:
        """The watermark has reached `now`: rows go on, identities are forgotten, the timer is set again."""
        known = Clock.read(cells.clock)
        # What the timer was set for has come, whatever the runner rounds to; or it comes and finds nothing to do.
        known.released, known.timer = max(known.released, now.micros), NEVER
        ripe, moments, waiting = self._ripe(cells, known)
        if ripe:
            self._remember(cells.seen, known, np.concatenate([part[1] for part in ripe]), np.concatenate(moments))
        for rows, same in first_rows(lambda: ripe):
            yield from self._out.same(same, now, window)
            yield from self._out.rows(rows, now, window)
        self._forget(cells.seen, known)
        self._set(cells.timer, known, waiting if waiting != NEVER else self._forgotten_at(known, window))
        known.write(cells.clock)

    def _times(self, batch: pa.RecordBatch, window: Any) -> Times:
        """The moment for which each row waits, on a scale that all runners keep (milliseconds)."""
        end = _end(window)
        if self._options.event_time is None:
            return np.full(batch.num_rows, end, np.int64)
        times = micros(batch.column(self._options.event_time)).to_numpy()
        return np.clip(times // SECOND * SECOND, MIN_TIMESTAMP.micros, end)

    def _set(self, timer: Any, known: Clock, at: int) -> None:
        if at != known.timer:
            timer.set(Timestamp(micros=at))
            known.timer = at

    def _late(self, cells: Cells, known: Clock, part: Part, times: Times, timestamp: Any, window: Any) -> Iterator[Any]:
        """Rows of a moment that has gone on: duplicates, new ones, and those of which nobody knows."""
        batch, digests = part
        forgotten = times < self._oldest(known)
        if forgotten.any():
            batch, rejected = split_rows(batch, forgotten)
            yield from self._out.rejected(rejected, "late", "older than the identities that are remembered")
            digests, times = digests[~forgotten], times[~forgotten]
        again = np.isin(digests, _seen(cells.seen)["digest"])
        new, same = split_rows(batch, again)
        yield from self._out.same(same, timestamp, window)
        if again.all():
            return
        digests, times = digests[~again], times[~again]
        self._remember(cells.seen, known, digests, times)
        for rows, more in first_rows(lambda: [(new, digests)]):
            yield from self._out.same(more, timestamp, window)
            yield from self._out.rows(rows, timestamp, window)
        if known.timer == NEVER:
            self._set(cells.timer, known, self._forgotten_at(known, window))

    def _ripe(self, cells: Cells, known: Clock) -> tuple[list[Part], list[Times], int]:
        """What may go on, taken out of state, its moments, and the moment of the earliest row that still waits."""
        ripe, waiting = _split([self._unpacked(content) for content in cells.near.read()], known.released)
        cells.near.clear()
        if not waiting or known.released >= known.near_until:
            more, later = _split([self._unpacked(content) for content in cells.far.read()], known.released)
            cells.far.clear()
            ripe, waiting = ripe + more, waiting + later
            known.near_until = _near_until(waiting)
            waiting, later = _split(waiting, known.near_until - 1)
            for part, times in _chunks(later):
                cells.far.add(self._packed(part, times))
        for part, times in _chunks(waiting):
            cells.near.add(self._packed(part, times))
        first = min((int(times.min()) for _, times in waiting), default=NEVER)
        return [part for part, _ in ripe], [times for _, times in ripe], first

    def _packed(self, part: Part, times: Times) -> bytes:
        batch, digests = part
        return struct.pack("<q", len(times)) + digests.tobytes() + times.tobytes() + self._coder.encode(batch)

    def _unpacked(self, content: bytes) -> Waiting:
        (rows,) = struct.unpack_from("<q", content)
        times_at, batch_at = 8 + 16 * rows, 8 + 24 * rows
        part = (self._coder.decode(content[batch_at:]), digests_of(content[8:times_at]))
        return part, np.frombuffer(content, np.int64, rows, times_at)

    def _remember(self, seen: Any, known: Clock, digests: Digests, times: Times) -> None:
        found = np.empty(len(digests), _IDENTITY)
        found["digest"], found["time"] = digests, times
        # One entry an identity, however often it came.
        seen.add(np.unique(found).tobytes())
        known.newest = max(known.newest, int(times.max()))

    def _forget(self, seen: Any, known: Clock) -> None:
        """Forgets identities of which any further row would be rejected; those in use not at every step."""
        oldest = self._oldest(known)
        if known.newest < oldest:
            seen.clear()
            known.newest = BEFORE_ALL
        elif known.released >= known.pruned + max(self._options.remember // _PRUNES, SECOND):
            known.pruned = known.released
            found = _seen(seen)
            seen.clear()
            seen.add(found[found["time"] >= oldest].tobytes())

    def _oldest(self, known: Clock) -> int:
        """Time of the oldest identity that is remembered."""
        return max(known.released - self._options.remember, BEFORE_ALL)

    def _forgotten_at(self, known: Clock, window: Any) -> int:
        """When nothing that is remembered now has to be remembered any more; NEVER if the window ends before."""
        at = NEVER if known.newest == BEFORE_ALL else known.newest + self._options.remember + SECOND
        return at if at <= _end(window) else NEVER


def _end(window: Any) -> int:
    return int(window.max_timestamp().micros // 1000 * 1000)


def _seen(bag: Any) -> "np.ndarray[Any, Any]":
    return np.frombuffer(b"".join(bag.read()), _IDENTITY)


def _split(waiting: list[Waiting], until: int) -> tuple[list[Waiting], list[Waiting]]:
    """What waits for a moment up to `until`, and what waits longer."""
    sooner: list[Waiting] = []
    longer: list[Waiting] = []
    for (batch, digests), times in waiting:
        later = times > until
        for found, batch_part, rows in zip((sooner, longer), split_rows(batch, later), (~later, later), strict=True):
            if batch_part.num_rows:
                found.append(((batch_part, digests[rows]), times[rows]))
    return sooner, longer


def _near_until(waiting: list[Waiting]) -> int:
    """The moment before which rows are near: a few seconds, and so many more that near and far cost alike."""
    if not waiting:
        return BEFORE_ALL
    moments = np.unique(np.concatenate([times for _, times in waiting]))
    near = max(_NEAR_SECONDS, math.isqrt(len(moments)))
    return int(moments[min(near, len(moments)) - 1]) + 1


def _chunks(waiting: list[Waiting]) -> Iterator[Waiting]:
    """The same rows in fewer batches."""
    gathered: list[Waiting] = []
    size = 0
    for one in waiting:
        gathered.append(one)
        size += size_of(one[0][0])
        if size >= MAX_BYTES:
            yield _joined(gathered)
            gathered, size = [], 0
    if gathered:
        yield _joined(gathered)


def _joined(waiting: list[Waiting]) -> Waiting:
    batch = pa.concat_batches([batch for (batch, _), _ in waiting])
    return (batch, np.concatenate([digests for (_, digests), _ in waiting])), np.concatenate([t for _, t in waiting])
