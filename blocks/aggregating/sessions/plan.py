"""SessionPlan: a definition of sessions and the schema of the events that it is for: what is read, what comes out."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from blocks.aggregating.plan import REASON, REVISION, TRUNCATED, Output, Plan, Planner, wire_type
from blocks.aggregating.sessions.definition import SessionDefinition
from blocks.core import labels
from blocks.core.errors import Problem, SchemaError, all_problems
from blocks.core.labels import Leaf
from blocks.core.policy import Policy
from blocks.shaping.columns import missing_columns
from blocks.shaping.expressions.columns import merged_labels, unlabelled_beside_private

SESSION_ID, STARTED_AT, ENDED_AT = "session_id", "started_at", "ended_at"
EVENT_COUNT, CLOSED_BY, EVENTS = "event_count", "closed_by", "events"
_MOMENT = pa.timestamp("us", "UTC")
# A value that UnmaskColumns gives back is not what a hash over it would be taken for.
_REVERSIBLE = "encrypt"


@dataclass(frozen=True)
class SessionPlan:
    """What is computed, from which columns.

    Attributes:
      definition: of the sessions.
      plan: what the events are projected to, and the features; its output is that of the sessions.
      closes: projected column that says after which events a session ends; empty for none.
      listed: name in the list of events, to projected column.
    """

    definition: SessionDefinition
    plan: Plan
    closes: str
    listed: dict[str, str]


def plan_sessions(definition: SessionDefinition, schema: pa.Schema, block: str, policy: Policy) -> SessionPlan:
    """Checks a definition against the events and works out types and labels.

    Raises:
      SchemaError: columns that are not there or do not fit, expressions that cannot be used; all of them.
    """
    with all_problems(block, SchemaError) as problems:
        plan = _SessionPlanner(definition, schema, policy, problems).sessions()
    assert plan is not None
    return plan


class _SessionPlanner(Planner):
    def __init__(
        self, definition: SessionDefinition, schema: pa.Schema, policy: Policy, problems: list[Problem]
    ) -> None:
        super().__init__(definition.shared, schema, policy, problems)
        self._sessions = definition

    def sessions(self) -> SessionPlan | None:
        shared, rules, schema = self._definition, self._sessions.rules, self._schema
        event_time = shared.event_time or labels.event_time_of(schema) or ""
        self._check_source(event_time)
        keys = tuple(self._column(name, "k") for name in shared.key if name in schema.names)
        identity = [shared.event_id] if shared.event_id else list(shared.identity)
        for name in identity:
            if name in schema.names:
                # As they are, so that a reject says which event it was.
                self._column(name, "i")
        closes = self._condition(rules.close_when, rules.place) if rules.close_when else ""
        outputs = [one for one in (self._feature(feature, []) for feature in shared.features if not feature.of) if one]
        outputs = self._with_ratios(outputs)
        self._problems.extend(missing_columns(self._sessions.events, schema, "events"))
        listed = {name: self._column(name, "v") for name in self._sessions.events if name in schema.names}
        if self._problems:
            return None
        told = self._told_by(closes)
        outputs = [replace(one, field=self._telling(one.field, told)) for one in outputs]
        output = pa.schema(
            [
                *(labels.put(schema.field(name).with_nullable(False), {labels.KEY: "true"}) for name in shared.key),
                *self._of_session(event_time, identity, told),
                *(one.field for one in outputs),
                *self._list_of(told),
                self._telling(
                    self._plain(pa.field(TRUNCATED, pa.list_(pa.field("item", pa.string(), False)), False)),
                    self._cut_by(outputs),
                ),
            ]
        )
        projected, shown = self._projected(event_time, keys)
        if self._problems:
            return None
        plan = Plan(
            shared, schema, event_time, keys, self._columns, self._conditions, projected, shown,
            tuple(self._aggregates), tuple(outputs), output, None,
        )  # fmt: skip
        return SessionPlan(self._sessions, plan, closes, listed)

    def _with_ratios(self, found: list[Output]) -> list[Output]:
        """All features in their order; a ratio may stand before the features that it is of."""
        made = {one.feature.name: one for one in found}
        ordered = []
        for feature in self._definition.features:
            one = self._feature(feature, found) if feature.of else made.get(feature.name)
            ordered += [one] if one else []
        return ordered

    def _of_session(self, event_time: str, identity: list[str], told: list[Leaf]) -> list[pa.Field]:
        """The columns that every session has, between the key and the features."""
        moment = pa.field("moment", _MOMENT, False, self._schema.field(event_time).metadata)
        moment = labels.put(moment, {labels.KEY: None, labels.DESCRIPTION: None, labels.EPOCH: None})
        started = labels.put(moment.with_name(STARTED_AT), {labels.EVENT_TIME: "true"})
        ended = labels.put(moment.with_name(ENDED_AT), {labels.EVENT_TIME: None})
        names = list(dict.fromkeys([*self._definition.key, event_time, *identity]))
        return [
            self._identifier([self._schema.field(name) for name in names], told),
            self._telling(started, told),
            self._telling(ended, told),
            self._telling(self._plain(pa.field(EVENT_COUNT, pa.int64(), False)), told),
            self._telling(self._plain(pa.field(CLOSED_BY, pa.string())), told),
            self._plain(pa.field(REVISION, pa.int32(), False)),
            self._plain(pa.field(REASON, pa.string(), False)),
        ]

    def _identifier(self, sources: list[pa.Field], told: list[Leaf]) -> pa.Field:
        """The session id: it tells of all that it is a hash of, and passes where those pass that are masked alike."""
        found = list(labels.leaves(pa.schema(sources)))
        field = labels.put(pa.field(SESSION_ID, pa.string(), False), {labels.KEY: "true"})
        mixed = unlabelled_beside_private(found)
        if mixed is not None:
            what = f"`{SESSION_ID}` would be made of `{mixed[0]}`, which has no label, and of {mixed[1]}"
            fix = f"label `{mixed[0]}` in the schema, with `public` if it may be seen by all"
            self._problems.append(Problem(what, "source", fix))
            return field
        merged = merged_labels(found) if self._labels else frozenset()
        field = labels.with_labels(field, merged - {labels.PUBLIC} or merged)
        masks = [leaf.masked for leaf in found if leaf.labels != {labels.PUBLIC}]
        marks = {mark.to_json() if mark is not None and mark.method != _REVERSIBLE else None for mark in masks}
        if len(marks) == 1:
            field = labels.put(field, {labels.MASKED: marks.pop()})
        return self._telling(field, told)

    def _told_by(self, closes: str) -> list[Leaf]:
        """What the condition tells of: where a session ends decides everything about it, as in a GROUP BY."""
        if not closes:
            return []
        reads = self._conditions[closes].reads
        found = [Leaf(one.text, one.field, one.labels, one.masked) for one in reads]
        return [leaf for leaf in found if leaf.masked is None and leaf.labels - {labels.PUBLIC}]

    def _telling(self, field: pa.Field, told: Iterable[Leaf]) -> pa.Field:
        """The field with what else it tells of; it is then no longer only a masked value."""
        private = frozenset[str]().union(*(leaf.labels for leaf in told)) - {labels.PUBLIC}
        if not private:
            return field
        below = labels.children(field.type)
        if below:
            children = [self._telling(child, told) for _, child in below]
            field = field.with_type(labels.with_children(field.type, children))
        own = labels.labels_of(field) - {labels.PUBLIC}
        return labels.put(labels.with_labels(field, own | private), {labels.MASKED: None})

    def _list_of(self, told: list[Leaf]) -> list[pa.Field]:
        """The list of events, each column with its own labels."""
        if not self._sessions.events:
            return []
        marks = {labels.EVENT_TIME: None, labels.KEY: None}
        fields = [labels.put(self._schema.field(name), marks) for name in self._sessions.events]
        kinds = [one.with_type(wire_type(one.type)) for one in fields]
        listed = pa.list_(pa.field("item", pa.struct(kinds), False))
        return [self._telling(pa.field(EVENTS, listed, False), told)]

    def _plain(self, field: pa.Field) -> pa.Field:
        """A column that tells of no value."""
        return labels.put(field, {labels.LABEL: labels.PUBLIC if self._labels else None})
