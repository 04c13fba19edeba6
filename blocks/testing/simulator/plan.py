"""Which records are bad and which are late: exact counts, spread over the file, known for any range of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from blocks.testing.simulator.config import SimulatorConfig
from blocks.testing.simulator.draws import Draws, Ints

LEAST_LATE_SECONDS = 2 * 3600
MOST_LATE_SECONDS = 48 * 3600


@dataclass(frozen=True, slots=True)
class ExpectedCounts:
    """What a reader must find in a simulated file.

    Attributes:
      events: records in all.
      bad: bad records by code, in the order of the codes; codes without a record are left out.
      late: good records that are late.
    """

    events: int
    bad: Mapping[str, int] = field(default_factory=dict)
    late: int = 0

    def rejects(self, *, strict: bool) -> dict[str, int]:
        """Rejects by code; a reader that is not strict takes a record with an unknown field as a row."""
        return {code: count for code, count in self.bad.items() if strict or code != "unknown_field"}

    def rows(self, *, strict: bool) -> int:
        """Rows after reading: `events` less the rejects."""
        return self.events - sum(self.rejects(strict=strict).values())


@dataclass(frozen=True, slots=True)
class Spread:
    """`count` of the positions from `first` to `last` - 1: one at a random place in each of `count` equal parts."""

    name: str
    seed: int
    count: int
    first: int
    last: int

    def chosen(self, low: int, high: int) -> tuple[Ints, Ints]:
        """(ordinal, position) of the chosen positions from `low` to `high` - 1, in order."""
        low, high = max(low, self.first), min(high, self.last)
        if not self.count or low >= high:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        ordinals = np.arange(self._part(low), self._part(high - 1) + 1, dtype=np.int64)
        positions = self._place(ordinals)
        inside = (positions >= low) & (positions < high)
        return ordinals[inside], positions[inside]

    def before(self, position: int) -> int:
        """How many of the chosen positions are below `position`."""
        if position <= self.first or not self.count:
            return 0
        if position >= self.last:
            return self.count
        part = self._part(position)
        return part + int(self._place(np.array([part], np.int64))[0] < position)

    def _part(self, position: int) -> int:
        # The last part that begins at or before the position; parts begin at first + part * width // count.
        return ((position - self.first + 1) * self.count - 1) // (self.last - self.first)

    def _place(self, ordinals: Ints) -> Ints:
        width = self.last - self.first
        begins: Ints = ordinals * width // self.count
        sizes: Ints = (ordinals + 1) * width // self.count - begins
        offsets = (Draws(self.seed, ordinals).unit(self.name) * sizes).astype(np.int64)
        return self.first + begins + np.minimum(offsets, sizes - 1)


def bad_records(config: SimulatorConfig) -> Spread:
    """The positions of the bad records."""
    return Spread("bad", config.seed, round(config.events * config.bad), 0, config.events)


def late_records(config: SimulatorConfig) -> Spread:
    """The late records, by their number among the good ones.

    None before an event can be late and still occur after `config.start`: a good record's number is never above its
    position, so a bound on the one holds for the other.
    """
    good = config.events - bad_records(config).count
    first = min(-(-config.events * LEAST_LATE_SECONDS // (config.days * 86400)), good)
    return Spread("late", config.seed, min(round(good * config.late), good - first), first, good)


def expected_counts(config: SimulatorConfig) -> ExpectedCounts:
    """What a reader must find in the file of this config, without making it."""
    bad, codes = bad_records(config).count, config.codes
    by_code = {code: len(range(turn, bad, len(codes))) for turn, code in enumerate(codes)}
    return ExpectedCounts(
        config.events, {code: count for code, count in by_code.items() if count}, late_records(config).count
    )
