"""Definition: what is aggregated, of what, over which windows, and when (docs/aggregation-contract.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
      name: of the output column.
      op: name of the operation, or `ratio`.
      column: what it reads; empty for none.
      window: length in microseconds; None for all time.
      hop: grid that the beginning of the window is rounded down to, in microseconds; 0 slides exactly.
      where: SQL condition over an event; empty for every event.
      by: second key; empty for none.
      max_keys: how many values of `by` are kept.
      max_events: with a hop of 0, how many events are kept.
      options: of the operation, read.
      of: names of the two features of a ratio.
      place: where it stands, for messages.
    """

    name: str
    op: str
    column: str = ""
    window: int | None = None
    hop: int = 0
    where: str = ""
    by: str = ""
    max_keys: int = 1_000
    max_events: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    of: tuple[str, str] | tuple[()] = ()
    place: str = ""


@dataclass(frozen=True)
class Emission:
    """When a stream gives results.

    Attributes:
      on_event: for each accepted event, as of a microsecond after it.
      on_condition: SQL condition over a result; for each event after which it is true.
      every: microseconds of processing time.
      at_window_end: microseconds of event time, a grid; 0 for none.
      after_idle: microseconds of processing time without an event.
    """

    on_event: bool = False
    on_condition: str = ""
    every: int = 0
    at_window_end: int = 0
    after_idle: int = 0


@dataclass(frozen=True)
class Definition:
    """A definition of features.

    Attributes:
      key: columns of the key.
      event_time: column; empty for the schema's.
      event_id: column; empty where `identity` names columns.
      identity: columns that identify an event of a key and time, without an event id.
      known_at: column with the time at which an event became known; empty for none.
      delete_key: SQL condition; a row for which it is true deletes the key's events up to its time.
      features: in order.
      emit: when a stream gives results.
      lateness: microseconds that an event may be older than the newest of its key, in a stream.
      ahead: microseconds that an event may be ahead of the clock, in a stream.
      state_ttl: microseconds after the last event at which the state of a key is freed.
      source_unique: whether no event comes twice, so that partial aggregates may be shuffled.
      schema: path of the schema of the source, or empty.
      file: for messages.
      places: where in the file some of this stands, by its name, such as `emit.on_condition`; for messages.
    """

    key: tuple[str, ...]
    features: tuple[Feature, ...]
    event_time: str = ""
    event_id: str = ""
    identity: tuple[str, ...] = ()
    known_at: str = ""
    delete_key: str = ""
    emit: Emission = Emission()
    lateness: int = HOUR
    ahead: int = HOUR
    state_ttl: int = 0
    source_unique: bool = False
    schema: str = ""
    file: str = ""
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def place(self, name: str) -> str:
        """Where something stands, for messages: its name, after where that is in the file."""
        return f"{self.places[name]}: {name}" if name in self.places else name

    @property
    def longest(self) -> int:
        """The longest window and hop of a feature with a window, in microseconds."""
        return max((one.window + one.hop for one in self.features if one.window is not None), default=0)


def default_hop(window: int) -> int:
    """The grid of a window of this length: a day from 12 days, an hour from 12 hours, else 5 minutes."""
    if window >= 12 * DAY:
        return DAY
    return HOUR if window >= 12 * HOUR else 5 * MINUTE
