"""SessionDefinition: whose events make sessions, what ends one, and what is told of each (docs/sessions.md)."""

from dataclasses import dataclass

from blocks.aggregating.definition import Definition

# Why a session ended; a stored state and the output have the place in this tuple, and the name.
GAP, MAX_DURATION, MAX_EVENTS, CONDITION = range(4)
CLOSED_BY = ("gap", "max_duration", "max_events", "condition")
# When a stream gives a session: as soon as the watermark has passed its end, or once it cannot change any more.
EARLY, FINAL = "early", "final"


@dataclass(frozen=True)
class Rules:
    """What ends a session.

    Attributes:
      gap: microseconds; a pause as long as that, or longer, ends it.
      max_duration: the most microseconds from its first to its last event; None for no bound.
      max_events: the most events; None for no bound.
      close_when: SQL condition over an event, which is the last of its session where it is true; empty for none.
      place: where the condition stands, for messages.
    """

    gap: int
    max_duration: int | None = None
    max_events: int | None = None
    close_when: str = ""
    place: str = ""

    @property
    def bounded(self) -> bool:
        """Whether a session of a key that never pauses ends."""
        return self.max_duration is not None or self.max_events is not None


@dataclass(frozen=True)
class SessionDefinition:
    """A definition of sessions.

    Attributes:
      shared: what sessions have in common with aggregations: key, source, features (over all of a session), times.
      rules: what ends a session.
      events: columns of the ordered events that every session lists; none for no list.
      emit: `early` or `final`.
    """

    shared: Definition
    rules: Rules
    events: tuple[str, ...] = ()
    emit: str = EARLY
