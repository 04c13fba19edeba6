"""The contract of sessions as a naive fold: no batches, no Arrow, no Beam."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blocks.aggregating.sessions.definition import SessionDefinition
from tests.oracles.aggregation import Event, Where, value


@dataclass(frozen=True)
class Session:
    """A session: its events in order, and what ended it."""

    events: tuple[Event, ...]
    closed_by: str


def sessions(definition: SessionDefinition, events: list[Event], closes: Callable[[Event], bool]) -> list[Session]:
    """The sessions of accepted events, key by key."""
    rules, found = definition.rules, list[Session]()
    for key in sorted({one.key for one in events}):
        own: list[Event] = []
        for one in sorted((one for one in events if one.key == key), key=lambda one: (one.time, one.id)):
            if own:
                ended_by = ""
                if closes(own[-1]):
                    ended_by = "condition"
                elif rules.max_events is not None and len(own) == rules.max_events:
                    ended_by = "max_events"
                elif one.time - own[-1].time >= rules.gap:
                    ended_by = "gap"
                elif rules.max_duration is not None and one.time - own[0].time > rules.max_duration:
                    ended_by = "max_duration"
                if ended_by:
                    found.append(Session(tuple(own), ended_by))
                    own = []
            own.append(one)
        full = rules.max_events is not None and len(own) == rules.max_events
        found.append(Session(tuple(own), "condition" if closes(own[-1]) else "max_events" if full else "gap"))
    return found


def features(definition: SessionDefinition, session: Session, where: Where) -> dict[str, tuple[Any, bool]]:
    """Name to (value, whether it is truncated) of the features of a session, as of a microsecond after its end."""
    last = session.events[-1]
    return {
        one.name: value(definition.shared, one, list(session.events), last.key, last.time + 1, where)
        for one in definition.shared.features
    }
