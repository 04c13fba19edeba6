"""Where sessions begin and end among the events of keys: the contract of docs/sessions.md, in bulk."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blocks.aggregating.events import before_moments
from blocks.aggregating.ops.entries import changes
from blocks.aggregating.sessions.definition import CONDITION, GAP, MAX_DURATION, MAX_EVENTS, Rules

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_LAST = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Sessions:
    """Sessions, in the order of their events.

    Attributes:
      start: the place of the first event of each.
      stop: the place after its last.
      closed_by: what ended it, as a place in `CLOSED_BY`.
      until: the latest time in microseconds at which one more event would change it.
    """

    start: Ints
    stop: Ints
    closed_by: Ints
    until: Ints

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: Ints | Flags | slice) -> "Sessions":
        """Some of them."""
        return Sessions(self.start[rows], self.stop[rows], self.closed_by[rows], self.until[rows])


def split(code: Ints, times: Ints, closes: Flags | None, rules: Rules) -> Sessions:
    """Splits events into sessions.

    Args:
      code: the key of each event, ascending.
      times: its time in microseconds; ascending within a key, ties in the order of ids.
      closes: whether the condition is true for it; None without one.
      rules: what ends a session.
    """
    count = len(times)
    if not count:
        nothing = np.zeros(0, np.int64)
        return Sessions(nothing, nothing, nothing, nothing)
    new_key = changes(code)
    # As unsigned numbers, which hold every difference of times that ascend.
    paused = np.diff(times, prepend=times[0]).view(np.uint64) >= np.uint64(rules.gap)
    begins = new_key | paused
    if closes is not None:
        begins[1:] |= closes[:-1]
    begins = _with_limits(begins, times, rules)
    start = np.flatnonzero(begins)
    stop = np.append(start[1:], count)
    last = stop - 1
    full = np.zeros(len(start), np.bool_) if rules.max_events is None else stop - start == rules.max_events
    condition = np.zeros(len(start), np.bool_) if closes is None else closes[last]
    # Neither of the two, and the next event of the key came before the pause was long enough.
    cut = np.append(~(new_key | paused)[start[1:]], False)
    closed_by = np.select([condition, full, cut], [CONDITION, MAX_EVENTS, MAX_DURATION], GAP)
    until = np.choose(closed_by, [_later(times[last], rules.gap - 1), times[last], times[last], times[last]])
    if rules.max_duration is not None:
        until = np.where(closed_by == MAX_DURATION, _later(times[start], rules.max_duration), until)
    return Sessions(start, stop, closed_by, until)


def _with_limits(begins: Flags, times: Ints, rules: Rules) -> Flags:
    """Where sessions begin, from where the runs do that no limit cuts yet.

    Where a session begins in a run that limits cut depends on where the one before it began. So these runs are gone
    through one session after the other; all others need no loop.
    """
    if not rules.bounded:
        return begins
    first = np.flatnonzero(begins)
    stop = np.append(first[1:], len(times))
    long = np.zeros(len(first), np.bool_)
    if rules.max_events is not None:
        long |= stop - first > rules.max_events
    if rules.max_duration is not None:
        long |= (times[stop - 1] - times[first]).view(np.uint64) > np.uint64(rules.max_duration)
    if not long.any():
        return begins
    first, stop = first[long], stop[long]
    # For each event of these runs, the event that would begin the next session if it began one.
    sizes = stop - first
    run = np.repeat(np.arange(len(first)), sizes)
    base = np.cumsum(sizes) - sizes
    places = np.arange(len(run)) - np.repeat(base - first, sizes)
    after = stop[run]
    if rules.max_events is not None:
        after = np.minimum(after, places + rules.max_events)
    if rules.max_duration is not None:
        too_long = before_moments(run, times[places], run, _later(times[places], rules.max_duration + 1))
        after = np.minimum(after, too_long - (base - first)[run])
    following = (after + (base - first)[run]).tolist()
    begun = []
    for at, end in zip(base.tolist(), (base + sizes).tolist(), strict=True):
        while at < end:
            begun.append(at)
            at = following[at]
    found = begins.copy()
    found[places[np.array(begun)]] = True
    return found


def _later(times: Ints, micros: int) -> Ints:
    """Times and a length of time, or the last time that there is."""
    return np.minimum(times, _LAST - micros) + micros
