"""Plan: a definition and the schema of the events that it is for: types, labels, what is read, what comes out."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.aggregating.definition import Definition, Feature
from blocks.aggregating.events import DELETES, ID, KNOWN, TIME
from blocks.aggregating.ops import OPERATIONS
from blocks.aggregating.ops.by import By
from blocks.aggregating.ops.codes import comparable
from blocks.aggregating.ops.operation import Operation
from blocks.catalog.flow import columns_of
from blocks.core import labels
from blocks.core.errors import Problem, SchemaError, all_problems, unknown_column
from blocks.core.policy import Policy
from blocks.shaping.columns import missing_columns
from blocks.shaping.expressions import Expression, check, read_syntax
from blocks.shaping.expressions.columns import merged_labels, unlabelled_beside_private
from blocks.shaping.key_hash import key_problems

_KINDS = {one.name: one for one in OPERATIONS}
AS_OF, REVISION, REASON, TRUNCATED = "as_of", "revision", "reason", "truncated"
_MOMENT = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Aggregate:
    """What features of different windows share: an operation over the same events.

    Attributes:
      operation: over the values of `column`.
      column: projected column of its values; empty without one.
      condition: projected column that says which events count; empty for all.
      by: projected column of the second key; empty without one.
      signature: says what it is, whatever else the definition has; equal in two definitions where the cells are.
    """

    operation: Operation
    column: str
    condition: str
    by: str
    signature: str

    @property
    def name(self) -> str:
        """For people, and unique: the operation, its column, and a hash of the signature."""
        operation, column, *_ = json.loads(self.signature)
        short = hashlib.blake2b(self.signature.encode(), digest_size=3).hexdigest()
        return "_".join(part for part in (operation, column, short) if part)


@dataclass(frozen=True)
class Output:
    """A feature in the plan.

    Attributes:
      feature: as it is defined.
      aggregate: its number in `Plan.aggregates`; -1 for a ratio.
      field: of the output, with labels.
    """

    feature: Feature
    aggregate: int
    field: pa.Field


@dataclass(frozen=True)
class Plan:
    """What is computed, from which columns.

    Attributes:
      definition: of the features.
      schema: of the events.
      event_time: column with the event time.
      keys: projected names of the key's columns.
      columns: projected name to column of the source, of what is passed on as it is.
      conditions: projected name to expression, of what is computed first.
      projected: schema of projected events: only what is needed.
      shown: the same columns under the names and with the labels that a policy judges.
      aggregates: each distinct one once.
      outputs: the features, in order.
      output: schema of the results.
      on_condition: the condition of the emission.
    """

    definition: Definition
    schema: pa.Schema
    event_time: str
    keys: tuple[str, ...]
    columns: Mapping[str, str]
    conditions: Mapping[str, Expression]
    projected: pa.Schema
    shown: pa.Schema
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Output, ...]
    output: pa.Schema
    on_condition: Expression | None

    @property
    def endless(self) -> bool:
        """Whether a feature is over all time."""
        return any(one.feature.window is None for one in self.outputs if one.aggregate >= 0)


def make_plan(definition: Definition, schema: pa.Schema, block: str, policy: Policy) -> Plan:
    """Checks a definition against the events and works out types and labels.

    Raises:
      SchemaError: columns that are not there or do not fit, expressions that cannot be used; all of them.
    """
    with all_problems(block, SchemaError) as problems:
        plan = Planner(definition, schema, policy, problems).plan()
    assert plan is not None
    return plan


class Planner:
    """Plans a definition over a schema; `problems` grows by what is wrong with it."""

    def __init__(self, definition: Definition, schema: pa.Schema, policy: Policy, problems: list[Problem]) -> None:
        self._definition, self._schema, self._policy, self._problems = definition, schema, policy, problems
        # Where nothing has a label, nothing gets one.
        self._labels = any(leaf.labels for leaf in labels.leaves(schema))
        self._event_time = definition.event_time or labels.event_time_of(schema) or ""
        self._columns: dict[str, str] = {}
        self._conditions: dict[str, Expression] = {}
        self._names: dict[str, str] = {}
        self._aggregates: list[Aggregate] = []
        self._seen: dict[Any, int] = {}

    def plan(self) -> Plan | None:
        """The plan; None where there are problems."""
        definition, event_time = self._definition, self._event_time
        self._check_source(event_time)
        keys = tuple(self._column(name, "k") for name in definition.key if name in self._schema.names)
        for name in [definition.event_id] if definition.event_id else definition.identity:
            if name in self._schema.names:
                # As they are, so that a reject says which event it was.
                self._column(name, "i")
        if definition.delete_key:
            self._condition(definition.delete_key, definition.place("source.delete_key"), DELETES)
        outputs: list[Output] = []
        for feature in definition.features:
            made = self._feature(feature, outputs)
            if made is not None:
                outputs.append(made)
        if self._problems:
            self._problems.extend(self._unknown_results())
            return None
        key_fields = [self._schema.field(name) for name in definition.key]
        moment = labels.put(pa.field(AS_OF, _MOMENT, False, self._schema.field(event_time).metadata), _MOMENT_MARKS)
        marks = {labels.KEY: "true"}
        fields = [labels.put(one.with_nullable(False), marks) for one in key_fields] + [moment]
        plain = labels.PUBLIC if self._labels else None
        for name, kind in ((REVISION, pa.int32()), (REASON, pa.string())):
            fields.append(labels.put(pa.field(name, kind, False), {labels.LABEL: plain}))
        fields += [one.field for one in outputs]
        cut = pa.field(TRUNCATED, pa.list_(pa.field("item", pa.string(), False)), False)
        output = pa.schema([*fields, labels.put(cut, {labels.LABEL: plain})])
        on_condition = self._on_condition(output)
        output = self._told_by_conditions(output, outputs, on_condition)
        projected, shown = self._projected(event_time, keys)
        if self._problems:
            return None
        return Plan(
            definition, self._schema, event_time, keys, self._columns, self._conditions, projected, shown,
            tuple(self._aggregates), tuple(outputs), output, on_condition,
        )  # fmt: skip

    def _check_source(self, event_time: str) -> None:
        definition, schema, problems = self._definition, self._schema, self._problems
        problems.extend(key_problems(definition.key, schema, definition.place("entity.key")))
        if not event_time:
            fix = "name it: `source: {event_time: ...}`, or mark it in the schema"
            problems.append(Problem("no column is marked as the event time", "source.event_time", fix))
        for option, name in (("event_time", event_time), ("known_at", definition.known_at)):
            if not name:
                continue
            place = definition.place(f"source.{option}")
            problems.extend(missing_columns([name], schema, place))
            if name in schema.names:
                kind = schema.field(name).type
                if not pat.is_timestamp(kind) or kind.tz is None:
                    what = f"column `{name}` is {kind}, not a time with a zone"
                    problems.append(Problem(what, place, "make it timestamp[us, tz=UTC]: CastColumns"))
        identity = [definition.event_id] if definition.event_id else definition.identity
        option = definition.place("source.event_id" if definition.event_id else "source.identity")
        problems.extend(key_problems([name for name in identity if name], schema, option))

    def _column(self, name: str, kind: str) -> str:
        """The projected name of a column that is passed on."""
        projected = self._names.get(f"{kind}:{name}")
        if projected is None:
            projected = f"{kind}{sum(one.startswith(kind) and one[1:].isdigit() for one in self._columns)}"
            self._names[f"{kind}:{name}"] = projected
            self._columns[projected] = name
        return projected

    def _condition(self, text: str, where: str, projected: str = "") -> str:
        known = self._names.get(f"w:{text}")
        if known is not None and not projected:
            return known
        syntax = read_syntax(text, where, self._problems)
        found = check(syntax, self._schema, self._problems, shown=False) if syntax else None
        if found is None:
            return ""
        if not pat.is_boolean(found.type):
            what = f"the condition gives {found.type}, not bool"
            self._problems.append(Problem(what, where, "compare it with something, as in amount > 0"))
        name = projected or f"w{len(self._conditions)}"
        self._conditions[name] = found
        if not projected:
            self._names[f"w:{text}"] = name
        return name

    def _feature(self, feature: Feature, before: list[Output]) -> Output | None:
        where = feature.place or feature.name
        if feature.op == "ratio":
            return self._ratio(feature, before)
        kind = _KINDS[feature.op]
        read = [name for name in (feature.column, feature.by) if name]
        unknown = [name for name in read if name not in self._schema.names]
        self._problems.extend(missing_columns(unknown, self._schema, where))
        condition = self._condition(feature.where, f"{where}: where") if feature.where else ""
        if unknown or (feature.where and not condition):
            return None
        column = wire_type(self._schema.field(feature.column).type) if feature.column else None
        if column is not None and not kind.takes(column):
            what = f"`{feature.op}` cannot take column `{feature.column}`, {column}"
            self._problems.append(Problem(what, where, f"it takes {kind.wanted()}; convert it before: CastColumns"))
            return None
        by = wire_type(self._schema.field(feature.by).type) if feature.by else None
        if by is not None and not comparable(by):
            what = f"column `{feature.by}` is {by}, which has no order"
            self._problems.append(Problem(what, where, "take one of texts, numbers or times as `by`"))
            return None
        options = tuple(sorted(feature.options.items()))
        shared = (feature.op, feature.column, condition, feature.by, feature.max_keys if feature.by else 0, options)
        if shared not in self._seen:
            operation: Operation = kind(column, feature.options)
            if by is not None:
                operation = By(operation, by, feature.max_keys)
            self._seen[shared] = len(self._aggregates)
            value = self._column(feature.column, "v") if feature.column else ""
            second = self._column(feature.by, "v") if feature.by else ""
            signature = _signature(feature, column, by)
            self._aggregates.append(Aggregate(operation, value, condition, second, signature))
        number = self._seen[shared]
        operation = self._aggregates[number].operation
        field = pa.field(feature.name, operation.result, operation.nullable)
        return Output(feature, number, self._labelled(field, feature, kind, condition, where))

    def _ratio(self, feature: Feature, before: list[Output]) -> Output | None:
        parts = {one.feature.name: one for one in before}
        later = [name for name in feature.of if name not in parts]
        if later:
            broken = any(one.name in later for one in self._definition.features[: len(before)])
            if not broken and not self._problems:
                what = f"`{feature.name}` is of `{later[0]}`, which comes after it"
                self._problems.append(Problem(what, feature.place or feature.name, "put the ratio last"))
            return None
        fields = [parts[name].field for name in feature.of]
        for one in fields:
            if not (pat.is_integer(one.type) or pat.is_floating(one.type) or pat.is_decimal(one.type)):
                what = f"`{feature.name}` is of `{one.name}`, {one.type}, which is no number"
                self._problems.append(Problem(what, feature.place or feature.name, "take two features of numbers"))
        found = frozenset[str]().union(*(labels.labels_of(one) for one in fields))
        private = found - {labels.PUBLIC}
        return Output(feature, -1, labels.with_labels(pa.field(feature.name, pa.float64()), private or found))

    def _labelled(
        self, field: pa.Field, feature: Feature, kind: type[Operation], condition: str, where: str
    ) -> pa.Field:
        """The field with the labels of what its values tell of."""
        told = list(labels.leaves(pa.schema([self._schema.field(feature.by)]))) if feature.by else []
        # A count of one user's events is a group of one user: where a policy asks for groups, it tells of the column.
        if feature.column and (kind.shows != "counts" or self._policy.min_group is not None):
            told += labels.leaves(pa.schema([self._schema.field(feature.column)]))
        if kind.name == "time_since_last" and self._event_time in self._schema.names:
            # Whoever knows the moment knows the time.
            time = labels.leaves(pa.schema([self._schema.field(self._event_time)]))
            told += [leaf for leaf in time if leaf.labels - {labels.PUBLIC}]
        told += self._counted_by(condition)
        mixed = unlabelled_beside_private(told)
        if mixed is not None:
            what = f"`{mixed[0]}` has no label and is mixed with {mixed[1]}"
            fix = f"label `{mixed[0]}` in the schema, with `public` if it may be seen by all"
            self._problems.append(Problem(what, where, fix))
            return field
        merged = merged_labels(told)
        if not told and not self._labels:
            merged = frozenset()
        field = labels.with_labels(field, merged)
        alone = [leaf for leaf in told if leaf.labels != {labels.PUBLIC}]
        marks = {leaf.masked.to_json() if leaf.masked else None for leaf in alone}
        # Values that were masked are masked still; what is computed from them is something else.
        if kind.shows == "values" and len(marks) == 1:
            field = labels.put(field, {labels.MASKED: marks.pop()})
        return field

    def _counted_by(self, condition: str) -> list[labels.Leaf]:
        """The columns that decide which events count: those of a condition, and of `delete_key`."""
        found: list[labels.Leaf] = []
        for name in (condition, DELETES):
            if name in self._conditions:
                found += _told_by(self._conditions[name])
        return found

    def _cut_by(self, outputs: list[Output]) -> list[labels.Leaf]:
        """The columns that decide which events count for features that may leave some out."""
        some = [one for one in outputs if one.aggregate >= 0 and bounded(one.feature)]
        return [leaf for one in some for leaf in self._counted_by(self._aggregates[one.aggregate].condition)]

    def _told_by_conditions(
        self, output: pa.Schema, outputs: list[Output], on_condition: Expression | None
    ) -> pa.Schema:
        """The output with the labels of what conditions tell, in the reason of a row and in what is truncated."""
        reason = [*self._counted_by(""), *(_told_by(on_condition) if on_condition else ())]
        for name, told in ((REASON, reason), (TRUNCATED, self._cut_by(outputs))):
            private = merged_labels(told) - {labels.PUBLIC}
            if private:
                place = output.get_field_index(name)
                output = output.set(place, labels.with_labels(output.field(place), private))
        return output

    def _on_condition(self, output: pa.Schema) -> Expression | None:
        text = self._definition.emit.on_condition
        if not text:
            return None
        where = self._definition.place("emit.on_condition")
        syntax = read_syntax(text, where, self._problems)
        found = check(syntax, output, self._problems, shown=False) if syntax else None
        if found is not None and not pat.is_boolean(found.type):
            what = f"the condition gives {found.type}, not bool"
            self._problems.append(Problem(what, where, "compare it with something, as in declined_1h >= 3"))
        return found

    def _unknown_results(self) -> Iterator[Problem]:
        """Names in the condition of the emission that no result has; for where it cannot be checked as a whole."""
        definition = self._definition
        known = [*definition.key, AS_OF, REVISION, REASON, *(one.name for one in definition.features), TRUNCATED]
        for name in columns_of(definition.emit.on_condition) if definition.emit.on_condition else ():
            if name not in known:
                yield unknown_column(name, known, definition.place("emit.on_condition"))

    def _projected(self, event_time: str, keys: tuple[str, ...]) -> tuple[pa.Schema, pa.Schema]:
        definition, schema = self._definition, self._schema
        fields, shown = [], []
        for name, column in self._columns.items():
            source = schema.field(column)
            fields.append(_told_of(pa.field(name, wire_type(source.type), name not in keys), source))
            shown.append(source)
        moment = schema.field(event_time)
        identity = [
            schema.field(name) for name in ([definition.event_id] if definition.event_id else definition.identity)
        ]
        fields.append(_told_of(pa.field(TIME, pa.int64(), False), moment))
        fields.append(_told_of(pa.field(ID, pa.large_binary(), False), *identity))
        shown += [moment, *identity]
        if definition.known_at:
            known = schema.field(definition.known_at)
            fields.append(_told_of(pa.field(KNOWN, pa.int64(), False), known))
            shown.append(known)
        for name, condition in self._conditions.items():
            told = condition.field(f"whether {condition.text}")
            fields.append(_told_of(pa.field(name, pa.bool_(), False), told))
            shown.append(told)
        unique: dict[str, pa.Field] = {}
        for field in shown:
            unique.setdefault(field.name, field)
        return pa.schema(fields), pa.schema(list(unique.values()))


_MOMENT_MARKS = {labels.EVENT_TIME: "true", labels.KEY: "true", labels.DESCRIPTION: None, labels.EPOCH: None}


def _told_by(condition: Expression) -> list[labels.Leaf]:
    """The columns that it tells of, whether a condition is true: as in SQL, unless they are masked."""
    found = [labels.Leaf(one.text, one.field, one.labels, one.masked) for one in condition.reads]
    return [leaf for leaf in found if leaf.masked is None and leaf.labels]


def bounded(feature: Feature) -> bool:
    """Whether a feature may leave something out, and say so."""
    return feature.max_events is not None or bool(feature.by) or bool({"max", "max_values"} & set(feature.options))


def _signature(feature: Feature, column: pa.DataType | None, by: pa.DataType | None) -> str:
    kinds = [str(kind) if kind is not None else "" for kind in (column, by)]
    second = [feature.by, feature.max_keys] if feature.by else []
    options = sorted((name, str(value)) for name, value in feature.options.items())
    return json.dumps([feature.op, feature.column, *kinds, feature.where, second, options], separators=(",", ":"))


def _told_of(field: pa.Field, *sources: pa.Field) -> pa.Field:
    """The field with the labels and the mask of what it is made of, by which a policy judges it on its way."""
    found = list(labels.leaves(pa.schema(sources)))
    field = labels.with_labels(field, merged_labels(found))
    marks = {leaf.masked.to_json() if leaf.masked else None for leaf in found if leaf.labels != {labels.PUBLIC}}
    return labels.put(field, {labels.MASKED: marks.pop()}) if len(marks) == 1 else field


def wire_type(data_type: pa.DataType) -> pa.DataType:
    """The type in which values travel: no views and no dictionaries."""
    if pat.is_dictionary(data_type):
        return wire_type(data_type.value_type)
    if pat.is_string_view(data_type):
        return pa.large_string()
    return pa.large_binary() if pat.is_binary_view(data_type) else data_type


def ratios(plan: Plan) -> Iterator[tuple[int, int, int]]:
    """(output, dividend, divisor) of each ratio, as numbers of outputs."""
    places = {one.feature.name: number for number, one in enumerate(plan.outputs)}
    for number, one in enumerate(plan.outputs):
        if one.feature.of:
            yield number, places[one.feature.of[0]], places[one.feature.of[1]]
