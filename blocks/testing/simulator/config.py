"""What to simulate, checked as a whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from blocks.core.errors import ConfigError, Problem, all_problems, nearest
from blocks.reading.diagnosis import CODES

MOST_EVENTS = 1_000_000_000
MOST_USERS = 10_000_000
_PARTNER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# An event plus the padding of `too_large` must fit: the longest ordinary line is below 2,000 bytes.
LEAST_TOO_LARGE = 4096


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """How many events, of what kind.

    The same config gives the same bytes: on every machine, with every version of numpy, and however the events are
    cut into chunks, because each value is computed from the seed and the position of its event alone.

    Attributes:
      events: how many records, bad ones included.
      seed: another seed, other events.
      bad: share of the records that are bad, 0 to 0.5; exactly `round(events * bad)` of them, spread over the file.
      bad_codes: the reject codes that bad records take turns with; None for all (`too_large` only with a size).
      late: share of the good records that are 2 to 48 hours late, 0 to 0.5; exactly `round(good * late)` of them,
        spread over the file from its third hour on. All others arrive within `jitter_seconds`.
      users: how many different users there may be; None for one in fifty events, from 100 to 100,000. They follow
        Zipf's law: the user of rank r (`u00000000` is rank 1) has a share proportional to 1/r.
      start: when the first record can arrive and the first event can occur; with a time zone.
      days: every event occurs and arrives within so many days from `start`, 1 to 3,650.
      partner: begins every event id; lower-case letters, digits, `_` and `-`.
      jitter_seconds: the most that an event in time takes to arrive, 0 to 3,600; most take far less. It is what puts
        `occurred_at` out of order, while `received_at` is in order.
      too_large_bytes: size of a `too_large` line without its line end; 0 when there are none, else 4,096 or more. A
        chunk is held in memory, with all its lines.
      depth: nesting of a `too_deep` line.

    Raises:
      ConfigError: every option that is out of its range.
    """

    events: int
    seed: int = 0
    bad: float = 0.0
    bad_codes: tuple[str, ...] | None = None
    late: float = 0.0
    users: int | None = None
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    days: int = 7
    partner: str = "acme"
    jitter_seconds: int = 900
    too_large_bytes: int = 0
    depth: int = 10_000

    def __post_init__(self) -> None:
        if self.bad_codes is not None:
            object.__setattr__(self, "bad_codes", tuple(self.bad_codes))
        with all_problems("simulator", ConfigError) as problems:
            problems.extend(self._range_problems())
            problems.extend(self._code_problems())
            if self.start.tzinfo is None:
                problems.append(Problem("a start without a time zone", "start", "add `tzinfo=UTC`"))
            elif not 1970 <= self.start.astimezone(UTC).year <= 9900:
                problems.append(Problem("a start outside of 1970 to 9900", "start", "take a year of our time"))
            if not _PARTNER.fullmatch(self.partner):
                problems.append(
                    Problem(
                        "not a partner name",
                        "partner",
                        "write 1 to 32 lower-case letters, digits, `_` or `-`, a letter first",
                    )
                )

    @property
    def codes(self) -> tuple[str, ...]:
        """The reject codes that bad records take turns with."""
        if self.bad_codes is not None:
            return self.bad_codes
        return tuple(code for code in CODES if code != "too_large" or self.too_large_bytes)

    @property
    def population(self) -> int:
        """How many different users there may be."""
        return self.users if self.users is not None else min(max(100, self.events // 50), 100_000)

    @property
    def end(self) -> datetime:
        """Every event occurs and arrives before this time."""
        return self.start + timedelta(days=self.days)

    def _range_problems(self) -> Iterator[Problem]:
        ranges: list[tuple[str, float, float, float]] = [
            ("events", self.events, 0, MOST_EVENTS),
            ("seed", self.seed, 0, 2**63 - 1),
            ("bad", self.bad, 0, 0.5),
            ("late", self.late, 0, 0.5),
            ("users", self.population, 1, MOST_USERS),
            ("days", self.days, 1, 3650),
            ("jitter_seconds", self.jitter_seconds, 0, 3600),
            ("depth", self.depth, 1, 10_000_000),
        ]
        for name, value, low, high in ranges:
            # The negated form also catches NaN.
            if not low <= value <= high:
                yield Problem(f"{value} is not within {low:,} to {high:,}", name, "take a number of this range")
        if self.too_large_bytes and self.too_large_bytes < LEAST_TOO_LARGE:
            yield Problem(
                f"{self.too_large_bytes} is not 0 and not {LEAST_TOO_LARGE:,} or more",
                "too_large_bytes",
                "give more bytes than any ordinary event has, and more than the reader allows",
            )

    def _code_problems(self) -> Iterator[Problem]:
        for code in self.bad_codes or ():
            if code not in CODES:
                yield Problem(f"no reject code `{code}`", "bad_codes", nearest(code, CODES))
        if self.bad_codes is not None and len(set(self.bad_codes)) < len(self.bad_codes):
            yield Problem("a reject code stands twice", "bad_codes", "name each code once")
        if self.bad and self.bad_codes == ():
            yield Problem("bad records, but of no code", "bad_codes", "name a code, or leave it out for all of them")
        if "too_large" in (self.bad_codes or ()) and not self.too_large_bytes:
            yield Problem(
                "`too_large` without a size", "too_large_bytes", "give more bytes than the reader allows in a line"
            )
