"""The features as a plain stateful DoFn, state per key: `... aggregation_by_hand {events,days} EVENTS OUT --keys 100`.

As a user would write it: the events of the last 30 days of a user are one value, kept in order; a row an event, or a
timer of event time that fires at midnight. It has the same answers for events that come in the order of time. What it
does less: an event that comes late is put at the end, sums are those of doubles in that order, what was given out is
not corrected.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import BooleanCoder, PickleCoder
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from benchmarks.contestants import aggregation_work as work

Event = tuple[Any, ...]
_DAY, _HOUR, _MINUTES = work.DAY, work.HOUR, 300_000_000


def features(events: Sequence[Event], moment: int) -> dict[str, Any] | None:
    """The features of (time, id, amount, merchant, country, declined) in order, all before the moment."""
    times = [event[0] for event in events]
    month = bisect_left(times, _floor(moment - 30 * _DAY, _DAY))
    week = bisect_left(times, _floor(moment - 7 * _DAY, _HOUR))
    if month == len(events):
        return None
    amounts = [event[2] for event in events]
    of_month, of_week = amounts[month:], amounts[week:]
    mean = sum(of_month) / len(of_month)
    return {
        "spend_7d": sum(of_week) if of_week else None,
        "spend_30d": sum(of_month),
        "events_1h": len(events) - bisect_left(times, _floor(moment - _HOUR, _MINUTES)),
        "declined_7d": sum(event[5] for event in events[week:]),
        "mean_7d": sum(of_week) / len(of_week) if of_week else None,
        "smallest_30d": min(of_month),
        "largest_7d": max(of_week, default=None),
        "countries": [event[4] for event in events[: month - 1 if month else None : -1][:5]],
        "merchants_30d": len({event[3] for event in events[month:]}),
        "spread_30d": (sum((amount - mean) ** 2 for amount in of_month) / len(of_month)) ** 0.5,
    }


def _floor(time: int, hop: int) -> int:
    return time - time % hop


_HELD = beam.DoFn.StateParam(ReadModifyWriteStateSpec("held", PickleCoder()))


class OnEvents(beam.DoFn):
    """A row after each event."""

    def process(self, element: tuple[str, Event], state: Any = _HELD) -> Iterator[Any]:
        user, event = element
        held = state.read() or []
        time = event[0]
        # The newest come first, so a copy is soon found.
        for other in reversed(held):
            if other[0] < time:
                break
            if other[1] == event[1]:
                return
        held.append(event)
        begin = _floor(time + 1 - 30 * _DAY, _DAY)
        if held[0][0] < begin:
            held = [one for one in held if one[0] >= begin]
        state.write(held)
        yield user, time + 1, features(held, time + 1)


_ALL = beam.DoFn.StateParam(BagStateSpec("events", PickleCoder()))
_IS_ARMED = beam.DoFn.StateParam(ReadModifyWriteStateSpec("armed", BooleanCoder()))
_MIDNIGHT = TimerSpec("midnight", TimeDomain.WATERMARK)
_AT_MIDNIGHT = beam.DoFn.TimerParam(_MIDNIGHT)


class OnDays(beam.DoFn):
    """A row at each midnight at which an event is within 30 days."""

    def process(
        self,
        element: tuple[str, Event],
        state: Any = _ALL,
        armed: Any = _IS_ARMED,
        midnight: Any = _AT_MIDNIGHT,
    ) -> None:
        state.add(element[1])
        if not armed.read():
            armed.write(True)
            midnight.set(_stamp(max(_floor(element[1][0], _DAY), work.FIRST_DAY) + _DAY))

    @on_timer(_MIDNIGHT)
    def at_midnight(
        self,
        user: Any = beam.DoFn.KeyParam,
        timestamp: Any = beam.DoFn.TimestampParam,
        state: Any = _ALL,
        midnight: Any = _AT_MIDNIGHT,
    ) -> Iterator[Any]:
        moment = timestamp.micros
        # In a batch the timers fire after all events have come: later ones are there too.
        events = sorted(dict.fromkeys(state.read()))
        found = features(events[: bisect_left(events, (moment,))], moment)
        if found is not None:
            yield user, moment, found
        if moment < work.LAST_DAY:
            midnight.set(_stamp(moment + _DAY))


def _stamp(micros: int) -> Timestamp:
    return Timestamp(micros=micros)


def main() -> None:
    given = work.options({"mode": "what is asked for", "events": "their file"})
    answers = work.Answers(given.out, given.keys)
    step = OnEvents() if given.mode == "events" else OnDays()
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | work.Read(given.events, work.SCHEMA) | beam.FlatMap(work.rows_of)
        keyed = events | beam.Map(lambda event: (event[0], event[1:])).with_output_types(tuple[str, Any])
        rows = keyed | beam.ParDo(step)
        _ = rows | "Look" >> beam.MapTuple(answers.of_row) | beam.ParDo(work.Collect(given.out))


if __name__ == "__main__":
    main()
