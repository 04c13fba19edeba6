"""What a definition of sessions does to columns, told from it alone."""

from blocks.aggregating.flowing import tells_of, truncated_by
from blocks.aggregating.plan import REASON, REVISION, TRUNCATED
from blocks.aggregating.sessions.plan import CLOSED_BY, ENDED_AT, EVENT_COUNT, EVENTS, SESSION_ID, STARTED_AT
from blocks.aggregating.sessions.reading import SessionSource, read_sessions
from blocks.catalog.flow import columns_of


def columns_named(source: SessionSource) -> list[str]:
    """The columns of the events that a definition names."""
    definition = read_sessions(source)
    shared = definition.shared
    names = [*shared.key, shared.event_time, shared.event_id, *shared.identity, *definition.events]
    names += columns_of(definition.rules.close_when) if definition.rules.close_when else []
    for feature in shared.features:
        names += [feature.column, feature.by, *(columns_of(feature.where) if feature.where else [])]
    return list(dict.fromkeys(name for name in names if name))


def sources_of(source: SessionSource, columns: list[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name to (how, columns of the events that it tells of) of every column of the sessions."""
    definition = read_sessions(source)
    shared = definition.shared
    # Where sessions end decides everything about them, as in a GROUP BY.
    closes = columns_of(definition.rules.close_when) if definition.rules.close_when else []
    time = [name for name in [shared.event_time] if name in columns]
    identity = [shared.event_id] if shared.event_id else list(shared.identity)
    told = {
        SESSION_ID: [*shared.key, *time, *identity, *closes],
        STARTED_AT: [*time, *closes],
        ENDED_AT: [*time, *closes],
        EVENT_COUNT: closes,
        CLOSED_BY: closes,
        REVISION: [],
        REASON: [],
        **{one.name: [*tells_of(one, shared), *closes] for one in shared.features},
        **({EVENTS: [*definition.events, *closes]} if definition.events else {}),
        TRUNCATED: truncated_by(shared),
    }
    found: dict[str, tuple[str, tuple[str, ...]]] = {name: ("kept", (name,)) for name in shared.key}
    return found | {name: ("computed", tuple(dict.fromkeys(sources))) for name, sources in told.items()}
