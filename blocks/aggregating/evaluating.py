"""The values of features for keys at moments, from accepted events: the contract, in bulk.

Events lie by key and time, so what a window covers is a range of places, and a feature a fold over a range: a
difference of running totals where the operation has an inverse, else a tree of merges (`ranges.py`). Nothing here knows
of batch or stream: both ask for (key, moment) pairs of events that they hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from blocks.aggregating.definition import Feature
from blocks.aggregating.events import ID, Events
from blocks.aggregating.exact.numbers import nearest_doubles
from blocks.aggregating.ops.codes import plain
from blocks.aggregating.ops.entries import ranks_within
from blocks.aggregating.ops.operation import Moments, Selected
from blocks.aggregating.ops.time_since_last import TimeSinceLast
from blocks.aggregating.plan import Aggregate, Output, Plan, ratios
from blocks.aggregating.ranges import Tree

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Events that are copied at a time where each moment sees other events.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Values:
    """Features of (key, moment) pairs.

    Attributes:
      columns: one array a feature, in the order of the plan.
      truncated: for each feature, the pairs whose value leaves something out because of a bound; None for none.
      seen: for each pair, whether any event is within the longest window (or within the key's time, for all time).
    """

    columns: list[pa.Array]
    truncated: list[Flags | None]
    seen: Flags


class Evaluation:
    """Computes features from some events.

    Memory: of each distinct operation a cell an event.

    Args:
      plan: of the features.
      events: accepted events.
    """

    def __init__(self, plan: Plan, events: Events) -> None:
        self._plan, self._events = plan, events
        self.keys = events.keys
        self._folded: dict[int, Folded] = {}

    def at(self, code: Ints, moments: Ints) -> Values:
        """The features of keys at moments.

        Args:
          code: of each pair, the key: a row of `events.keys`, or their number for a key without events.
          moments: of each pair, the time in microseconds.
        """
        events = self._events
        if events.known is None or not len(events):
            return self._visible(code, moments)
        hidden = self._hidden(events, code, moments)
        if not hidden.any():
            return self._visible(code, moments)
        # Where an event in reach was not known yet, the moment gets a copy of those that were.
        parts = [(np.flatnonzero(~hidden), self._visible(code[~hidden], moments[~hidden]))]
        for some in self._chunks(events, code, moments, np.flatnonzero(hidden)):
            own = self.of_known(code[some], moments[some])
            parts.append((some, own.at(np.arange(len(some)), moments[some])))
        return _joined(parts)

    def _hidden(self, events: Events, code: Ints, moments: Ints) -> Flags:
        assert events.known is not None
        start, stop = self._reach(events, code, moments)
        cells = pa.RecordBatch.from_arrays([pa.array(events.known)], schema=TimeSinceLast.cells)
        latest = Tree(TimeSinceLast(None, {}), cells).merged(start, stop).column(0).to_numpy()
        return latest >= moments

    def _reach(self, events: Events, code: Ints, moments: Ints) -> tuple[Ints, Ints]:
        """The places of all events that any feature could look at."""
        stop = events.before(code, moments)
        if self._plan.endless:
            return events.starts()[code], stop
        return np.minimum(events.before(code, moments - self._plan.definition.longest), stop), stop

    def _chunks(self, events: Events, code: Ints, moments: Ints, pairs: Ints) -> Iterator[Ints]:
        start, stop = self._reach(events, code[pairs], moments[pairs])
        total = np.concatenate([[0], np.cumsum(stop - start)])
        at = 0
        while at < len(pairs):
            to = max(int(np.searchsorted(total, total[at] + _CHUNK, side="right")) - 1, at + 1)
            yield pairs[at:to]
            at = to

    def of_known(self, code: Ints, moments: Ints) -> "Evaluation":
        """For each pair the events that were known, the pair in the place of the key."""
        return Evaluation(self._plan, self.known_events(code, moments))

    def known_events(self, code: Ints, moments: Ints) -> Events:
        """Copies of the events that were known at the moments, the pair in the place of the key."""
        events = self._events
        assert events.known is not None
        start, stop = self._reach(events, code, moments)
        pair, rows = expanded(start, stop)
        known = events.known[rows] < moments[pair]
        copied = events.take(rows[known], pair[known])
        return Events(events.keys.take(pa.array(code)), copied.code, copied.times, None, copied.rows)

    def _visible(self, code: Ints, moments: Ints) -> Values:
        """Features, where every event before a moment counts."""
        plan = self._plan
        positions: dict[int, _Positions] = {}
        columns: list[Any] = [None] * len(plan.outputs)
        truncated: list[Flags | None] = [None] * len(plan.outputs)
        seen = np.zeros(len(code), np.bool_)
        for place, output in enumerate(plan.outputs):
            if output.aggregate < 0:
                continue
            feature = output.feature
            folded = self.folded(output)
            key = id(folded.timeline)
            if key not in positions:
                positions[key] = _Positions(folded.timeline, plan.definition.state_ttl, code, moments)
            stop, start = positions[key].stop, positions[key].start(feature)
            seen |= start < stop
            low, high = folded.places(start), folded.places(stop)
            cut = None
            if feature.max_events is not None:
                cut = high - low > feature.max_events
                low = np.maximum(low, high - feature.max_events)
            results = folded.tree.results(low, high, Moments(moments, feature.window))
            columns[place], truncated[place] = results.values, either(results.truncated, cut)
        for place, dividend, divisor in ratios(plan):
            columns[place] = _ratio(columns[dividend], columns[divisor])
            truncated[place] = either(truncated[dividend], truncated[divisor])
        return Values(columns, truncated, seen)

    def folded(self, output: Output) -> "Folded":
        """The cells that a feature is computed from."""
        number = output.aggregate
        if number not in self._folded:
            self._folded[number] = fold(self._events, self._plan.aggregates[number])
        return self._folded[number]


class Timeline(Protocol):
    """What lies by key and time."""

    @property
    def code(self) -> Ints:
        """The key of each."""

    @property
    def times(self) -> Ints:
        """The time of each, ascending within a key."""

    def before(self, code: Ints, moment: Ints) -> Ints:
        """For each key and moment, the place of the first at or after the moment."""


class _Positions:
    """Where windows begin and end in a timeline, for some keys and moments; each kind of window once."""

    def __init__(self, timeline: Timeline, ttl: int, code: Ints, moments: Ints) -> None:
        self._timeline, self._ttl, self._code, self._moments = timeline, ttl, code, moments
        self.stop = timeline.before(code, moments)
        self._starts: dict[tuple[int | None, int], Ints] = {}

    def start(self, feature: Feature) -> Ints:
        """Where the window of a feature begins."""
        span = (feature.window, feature.hop)
        if span not in self._starts:
            self._starts[span] = np.minimum(self._begin(feature), self.stop)
        return self._starts[span]

    def _begin(self, feature: Feature) -> Ints:
        if feature.window is None:
            return self._since_gap()
        begin = self._moments - feature.window
        return self._timeline.before(self._code, begin - begin % feature.hop if feature.hop else begin)

    def _since_gap(self) -> Ints:
        """All time begins again after a gap longer than `state_ttl`, one up to the moment itself included."""
        code, times, stop = self._timeline.code, self._timeline.times, self.stop
        if not len(times):
            return stop
        begins = np.ones(len(times), np.bool_)
        begins[1:] = (np.diff(code) > 0) | (np.diff(times) > self._ttl)
        since = np.maximum.accumulate(np.where(begins, np.arange(len(times)), 0))
        last = np.maximum(stop - 1, 0)
        some = (stop > 0) & (code[last] == self._code) & (self._moments - times[last] <= self._ttl)
        return np.where(some, since[last], stop)


@dataclass(frozen=True)
class Folded:
    """The events that an aggregate folds, as cells.

    Attributes:
      cells: a cell for each event or tile, in the order of the timeline.
      tree: of the cells.
      timeline: in which windows begin and end; the cells are all of it, or some.
      counted: how many cells lie before each place of the timeline; None where they are all of it.
    """

    cells: pa.RecordBatch
    tree: Tree
    timeline: Timeline
    counted: Ints | None

    @property
    def selected(self) -> Flags:
        """Which places of the timeline have a cell."""
        return np.ones(len(self.timeline.times), np.bool_) if self.counted is None else np.diff(self.counted) > 0

    def places(self, places: Ints) -> Ints:
        """Places in the timeline as places among the cells."""
        return places if self.counted is None else self.counted[places]


def fold(events: Events, aggregate: Aggregate) -> Folded:
    """A cell for each event that an aggregate folds."""
    wanted = np.ones(len(events), np.bool_)
    if aggregate.condition:
        wanted &= events.rows.column(aggregate.condition).to_numpy(zero_copy_only=False)
    for name in (aggregate.column, aggregate.by):
        if name and events.rows.column(name).null_count:
            wanted &= events.rows.column(name).is_valid().to_numpy(zero_copy_only=False)
    rows = None if wanted.all() else np.flatnonzero(wanted)
    selected = Selected(
        _column(events, aggregate.column, rows),
        events.times if rows is None else events.times[rows],
        _column(events, ID, rows),
        _column(events, aggregate.by, rows),
    )
    cells = aggregate.operation.prepare(selected)
    counted = None if rows is None else np.concatenate([[0], np.cumsum(wanted)])
    return Folded(cells, Tree(aggregate.operation, cells), events, counted)


def expanded(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """All places of some ranges, one after the other, and which range each is of."""
    counts = stop - start
    part = np.repeat(np.arange(len(start)), counts)
    return part, np.repeat(start, counts) + ranks_within(part)


def _column(events: Events, name: str, rows: Ints | None) -> pa.Array | None:
    if not name:
        return None
    column = events.rows.column(name)
    return column if rows is None else column.take(pa.array(rows))


def either(one: Flags | None, other: Flags | None) -> Flags | None:
    """Flags of which one is set; None for none."""
    if one is None or other is None:
        return one if other is None else other
    return one | other


def _ratio(dividend: pa.Array, divisor: pa.Array) -> pa.Array:
    """The quotient of the nearest doubles; null where either is, or the divisor is 0."""
    top, bottom = nearest_doubles(dividend), nearest_doubles(divisor)
    # Of two infinities processors make different NaNs.
    found = plain(pc.divide(top, bottom))
    return pc.if_else(pc.equal(bottom, 0.0), pa.scalar(None, pa.float64()), found)


def _joined(parts: list[tuple[Ints, Values]]) -> Values:
    """Values of parts of the pairs, in the order of the pairs."""
    order = np.empty(sum(len(rows) for rows, _ in parts), np.int64)
    order[np.concatenate([rows for rows, _ in parts])] = np.arange(len(order))
    take = pa.array(order)
    columns = [pa.concat_arrays(one).take(take) for one in zip(*(values.columns for _, values in parts), strict=True)]
    truncated: list[Flags | None] = []
    for flags in zip(*(values.truncated for _, values in parts), strict=True):
        known = [
            np.zeros(len(rows), np.bool_) if one is None else one for one, (rows, _) in zip(flags, parts, strict=True)
        ]
        truncated.append(None if all(one is None for one in flags) else np.concatenate(known)[order])
    return Values(columns, truncated, np.concatenate([values.seen for _, values in parts])[order])
