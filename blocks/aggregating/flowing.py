"""What a definition does to columns, told from it alone: which it reads, and what each result is made of."""

from collections.abc import Iterator

from blocks.aggregating.definition import Definition, Feature
from blocks.aggregating.ops import OPERATIONS
from blocks.aggregating.partials import CLOCKS, DEFINITION, EMITTED, EVENTS, tiles_name
from blocks.aggregating.plan import AS_OF, REASON, REVISION, TRUNCATED, bounded
from blocks.aggregating.reading import DefinitionSource, read_definition
from blocks.aggregating.shard_state import hop_of
from blocks.catalog.flow import columns_of

_SHOWS = {one.name: one.shows for one in OPERATIONS}


def columns_named(source: DefinitionSource) -> list[str]:
    """The columns of the events that a definition names."""
    definition = read_definition(source)
    names = [*definition.key, definition.event_time, definition.event_id, *definition.identity, definition.known_at]
    names += columns_of(definition.delete_key) if definition.delete_key else []
    for feature in definition.features:
        names += [feature.column, feature.by, *(columns_of(feature.where) if feature.where else [])]
    return list(dict.fromkeys(name for name in names if name))


def sources_of(source: DefinitionSource, columns: list[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name to (how, columns of the events that it tells of) of every column of the results."""
    definition = read_definition(source)
    found: dict[str, tuple[str, tuple[str, ...]]] = {name: ("kept", (name,)) for name in definition.key}
    found[AS_OF] = ("computed", tuple(name for name in [definition.event_time] if name in columns))
    deletes = columns_of(definition.delete_key) if definition.delete_key else []
    told = {one.name: [*tells_of(one, definition), *deletes] for one in definition.features}
    asked = columns_of(definition.emit.on_condition) if definition.emit.on_condition else []
    reason = [*deletes, *(column for name in asked for column in told.get(name, ()))]
    cut = truncated_by(definition)
    found[REVISION] = ("computed", ())
    found[REASON] = ("computed", tuple(dict.fromkeys(reason)))
    for feature in definition.features:
        found[feature.name] = ("computed", tuple(dict.fromkeys(told[feature.name])))
    found[TRUNCATED] = (
        "computed",
        tuple(dict.fromkeys([*(deletes if any(map(bounded, definition.features)) else ()), *cut])),
    )
    return found


def truncated_by(definition: Definition) -> list[str]:
    """The columns of the conditions of features that may leave something out."""
    return [name for one in definition.features if one.where and bounded(one) for name in columns_of(one.where)]


def added_to_moments(
    told: dict[str, tuple[str, tuple[str, ...]]], source: DefinitionSource
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of the columns of the results those that are added to the rows of `as_of`."""
    names = [*(feature.name for feature in read_definition(source).features), TRUNCATED]
    return {name: told[name] for name in names if name in told}


def partials_of(source: DefinitionSource, columns: list[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name to (how, columns of the events that it tells of) of every column of partial aggregates."""
    definition = read_definition(source)
    # The event time may be that which the schema marks.
    named = [name for name in columns_named(source) if name not in definition.key]
    time = tuple(name for name in [definition.event_time] if name)
    found: dict[str, tuple[str, tuple[str, ...]]] = {name: ("kept", (name,)) for name in definition.key}
    found |= dict.fromkeys(CLOCKS, ("computed", time))
    found |= {DEFINITION: ("computed", ()), EVENTS: ("computed", tuple(named))}
    for hop in dict.fromkeys(hop_of(one) for one in definition.features if one.op != "ratio"):
        if hop:
            found[tiles_name(hop)] = ("computed", tuple(named))
    return found | {EMITTED: ("computed", tuple(named))}


def tells_of(feature: Feature, definition: Definition) -> Iterator[str]:
    """The columns of the events that a feature tells of."""
    for name in feature.of:
        yield from tells_of(next(one for one in definition.features if one.name == name), definition)
    if feature.by:
        yield feature.by
    if feature.column and _SHOWS[feature.op] != "counts":
        yield feature.column
    if feature.op == "time_since_last" and definition.event_time:
        yield definition.event_time
    if feature.where:
        yield from columns_of(feature.where)
