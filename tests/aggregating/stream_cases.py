"""Random streams: events as they arrive, in bundles, with watermarks, and what an idempotent sink holds of them."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from blocks.aggregating.emitting import WINDOW_END
from blocks.aggregating.events import NEVER
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard import FAR as END
from blocks.aggregating.shard import Shard, Step
from tests.aggregating.event_cases import (
    FEATURE_BYTES,
    ROW_BYTES,
    SCHEMA,
    SECOND,
    Picks,
    definition_of,
    features_of,
    key_of,
    plan_of,
    row_of,
)
from tests.oracles.aggregation import Event

LATENESS = 10 * SECOND
# A clock ahead of which no event is.
FAR = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Leap days, the years that have none, changes of the clock in Helsinki and New York, both ends of what Python can show.
_BASES = [
    "1970-01-01T00:00:00",
    "1969-12-31T23:59:10",
    "2024-02-28T23:59:50",
    "2024-02-29T23:59:30",
    "2023-02-28T23:59:50",
    "2000-02-29T12:00:00",
    "2100-02-28T23:59:40",
    "1900-02-28T23:59:40",
    "2026-03-29T00:59:30",
    "2026-11-01T05:59:30",
    "0001-03-01T00:00:00",
    "9990-02-28T23:59:50",
]
# What the columns with times are in, and until which year it can hold them.
_INPUTS = [
    ("us", "UTC"),
    ("us", "+05:45"),
    ("ms", "Europe/Helsinki"),
    ("s", "Asia/Kolkata"),
    ("ns", "America/New_York"),
]
_GRAINS = {"s": SECOND, "ms": 1000}
_STEPS = [0, 0, SECOND, 1, 2_500_000, 3 * SECOND, 30 * SECOND, 200 * SECOND]
_BEHIND = [0, 0, 0, SECOND, 5 * SECOND, 9_999_999, 10 * SECOND, 15 * SECOND]
_ARRIVAL = ROW_BYTES + 5


def arrivals_of(
    content: Sequence[bytes], *, base: int = 0, unit: int = 1, grain: int = 1, mood: int = 2
) -> list[dict[str, Any]]:
    """Events as they arrive: mostly forward in time, some late, some too late, some twice, some gaps.

    Args:
      content: bytes of each.
      base: when they begin, in microseconds.
      unit: seconds; everything takes so many times as long.
      grain: their times are rounded down to it.
      mood: see `row_of`.
    """
    found: list[dict[str, Any]] = []
    clock = base
    for number, one in enumerate(content):
        picks = Picks(one)
        clock += picks.of(_STEPS) * unit
        row = row_of(picks, clock - picks.of(_BEHIND) * unit, mood, grain)
        found.append(row)
        if picks.rarely(8):
            known = row["known"] + picks.of([5, -5])
            later = min(number + picks.of([0, 1, 5]), len(content))
            found.insert(max(later, len(found) - 1), {**row, "known": known - known % grain})
    return found


def arrivals(most: int = 40) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events as they arrive, around 1970."""
    one = st.binary(min_size=_ARRIVAL, max_size=_ARRIVAL)
    return st.builds(
        lambda content, base, mood: arrivals_of(content, base=base, mood=mood),
        st.lists(one, min_size=1, max_size=most),
        st.sampled_from([0, -50 * SECOND]),
        st.sampled_from([2, 1, 0]),
    )


@dataclass(frozen=True)
class History:
    """What happens to a stream.

    Attributes:
      features: as a definition has them.
      rows: in the order of arrival.
      known: whether it counts when an event became known.
      schema: of the events.
      unit: seconds; lateness is ten, `state_ttl` 120 of them.
      cuts: where bundles end.
      marks: a byte for each bundle: what the watermark and timers do after it.
      jitter: a byte for each row, from which another order of arrival is made.
      wide: whether the key, and what tells events apart, are two columns each.
    """

    features: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    known: bool
    schema: pa.Schema
    unit: int
    cuts: list[int]
    marks: bytes
    jitter: bytes
    wide: bool = False

    @property
    def lateness(self) -> int:
        """In microseconds."""
        return LATENESS * self.unit

    def plan(self, **emit: Any) -> Plan:
        """Of the features."""
        return plan_of(self.features, self.known, self.schema, wide=self.wide, **self._more(emit))

    def definition(self, **emit: Any) -> dict[str, Any]:
        """Of the features, as a user writes it."""
        return definition_of(self.features, self.known, self.wide, **self._more(emit))

    def _more(self, emit: dict[str, Any]) -> dict[str, Any]:
        times = {"lateness": f"{10 * self.unit}s", "state_ttl": f"{120 * self.unit}s", "ahead": "365d"}
        return {"emit": emit or {"on_event": True}, **times}


def histories(most: int = 40) -> st.SearchStrategy[History]:
    """Streams of every kind."""
    one = st.binary(min_size=_ARRIVAL, max_size=_ARRIVAL)
    return st.builds(
        history_of,
        st.binary(min_size=6, max_size=6),
        st.lists(st.binary(min_size=FEATURE_BYTES, max_size=FEATURE_BYTES), min_size=1, max_size=4),
        st.lists(one, min_size=1, max_size=8) | st.lists(one, min_size=10, max_size=most),
        st.binary(max_size=6),
        st.binary(min_size=8, max_size=8),
    )


def history_of(
    header: bytes, features: Sequence[bytes], arriving: Sequence[bytes], cuts: bytes, more: bytes
) -> History:
    """A stream from bytes."""
    picks = Picks(header)
    unit, known, mood = picks.of([1, 1, 3600]), picks.of([False, True]), picks.of([0, 2, 1])
    base = micros_of(picks.of(_BASES))
    near = abs(base) < 4 * 10**15
    kind, zone = picks.of(_INPUTS if near else _INPUTS[:-1])
    schema = SCHEMA
    for name in ("at", "known"):
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.timestamp(kind, zone)))
    rows = arrivals_of(arriving, base=base, unit=unit, grain=_GRAINS.get(kind, 1), mood=mood)
    wide, jitter = picks.of([False, False, True]), more[::-1] + header
    return History(features_of(features, unit), rows, known, schema, unit, list(cuts), more, jitter, wide)


def micros_of(text: str) -> int:
    """A time in UTC as microseconds since the epoch."""
    return (datetime.fromisoformat(f"{text}+00:00") - _EPOCH) // datetime.resolution


def in_time(events: list[Event], lateness: int = LATENESS) -> tuple[list[Event], int]:
    """(events that a stream accepts, how many are late), row by row in the order of arrival."""
    newest: dict[Any, int] = {}
    deleted: dict[Any, int] = {}
    found, late = [], 0
    for one in events:
        clock = newest.get(one.key)
        if clock is not None and one.time < clock - lateness:
            late += 1
            continue
        found.append(one)
        if one.deletes:
            deleted[one.key] = max(deleted.get(one.key, one.time), one.time)
        elif one.time > deleted.get(one.key, -(2**63)):
            newest[one.key] = one.time if clock is None else max(clock, one.time)
    return found, late


def another_order(events: list[Event], lateness: int, jitter: bytes) -> list[Event]:
    """An order of arrival in which none is late either: each comes up to `lateness` after its time."""
    late = [jitter[place % len(jitter)] * lateness // 255 for place in range(len(events))]
    order = sorted(range(len(events)), key=lambda place: events[place].time + late[place])
    return [events[place] for place in order]


class Sink:
    """The last revision of every row, as an idempotent sink keeps it.

    Attributes:
      rows: by (key, as_of).
      reasons: why each came first.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, int], dict[str, Any]] = {}
        self.reasons: dict[tuple[Any, int], str] = {}

    def take(self, step: Step) -> None:
        """The rows of a step."""
        self.take_rows(step.rows.to_pylist())

    def take_rows(self, rows: list[dict[str, Any]]) -> None:
        """Some rows."""
        for row in rows:
            key = (key_of(row, row), (row["as_of"] - _EPOCH) // datetime.resolution)
            if row["reason"] == "deletion":
                self.rows = {one: kept for one, kept in self.rows.items() if one[0] != key[0] or one[1] > key[1]}
                self.reasons[key] = row["reason"]
            assert key not in self.rows or self.rows[key]["revision"] < row["revision"]
            self.rows[key] = row
            self.reasons.setdefault(key, row["reason"])


@dataclass
class Ran:
    """What came of a stream."""

    sink: Sink
    fates: Counter[str] = field(default_factory=Counter)

    def take(self, step: Step) -> None:
        """The rows of a step, and what became of events."""
        self.sink.take(step)
        self.fates["duplicate"] += step.duplicates
        self.fates["deleted"] += step.deleted
        for one in step.refused:
            self.fates[one.code] += one.rows.num_rows


def run(plan: Plan, projected: pa.RecordBatch, cuts: Sequence[int], marks: bytes = b"", grid: int = 5 * SECOND) -> Ran:
    """Runs a shard, through its bytes after every step.

    Args:
      plan: of the features.
      projected: events in the order of arrival.
      cuts: where bundles end.
      marks: what happens after each bundle: the watermark moves, as far as the events that are still to come allow, a
        timer of event time fires, and keys end. The last says whether there is such a timer.
      grid: of the timer of event time, in microseconds.
    """
    shard, ran = Shard(plan, least=4 if marks and marks[0] > 200 else 1), Ran(Sink())
    content = shard.coder.encode(shard.coder.empty())
    count = projected.num_rows
    times = projected.column("time").to_numpy()
    bounds = sorted({0, count, *(cut % (count + 1) for cut in cuts)})
    timed = bool(marks) and marks[-1] % 2 == 1
    due = NEVER

    def take(step: Step) -> bytes:
        ran.take(step)
        return shard.coder.encode(step.state)

    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        state, rows = shard.coder.decode(content), projected.slice(start, stop - start)
        step = shard.arrive(state, rows, FAR, due if timed else END)
        content = take(step)
        mark = marks[number % len(marks)] if marks else 0
        watermark = int(times[stop:].min()) if stop < count else int(times.max())
        if timed and due == NEVER and step.earliest < END:
            due = (step.earliest // grid + 1) * grid
        if mark & 1 and NEVER < due <= watermark:
            # The timer fires late, or at once for a step of long ago.
            moment = due if mark & 4 else watermark // grid * grid
            due = moment + grid
            state = shard.coder.decode(content)
            code = np.arange(state.keys.num_rows)
            content = take(shard.tick(state, code, np.full(len(code), moment), WINDOW_END))
        if mark & 2:
            content = take(shard.expire(shard.coder.decode(content), watermark))
    return ran
