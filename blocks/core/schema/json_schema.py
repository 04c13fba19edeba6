"""Schemas from JSON Schema (`.json`).

    {"type": "object", "required": ["id"], "properties": {
      "id": {"type": "string", "x-label": "public", "x-key": true},
      "email": {"type": ["string", "null"], "x-label": "pii.email", "description": "where receipts go"},
      "created": {"type": "string", "format": "date-time", "x-event-time": true}}}

Properties of ours: `x-label` (text or list of texts), `x-event-time`, `x-key` (true or false), `x-epoch` (s, ms, us,
ns, on a number: it becomes a timestamp), `x-type` (the Arrow type that a text or number holds; any where the schema
gives no type). Labels beside a `$ref`, of its target, and of all parts of an `allOf` add up.

Types: integer int64, number float64, boolean, string (`format` date-time is timestamp[us, tz=UTC], date is date32, time
is time64[us]), array list, object with `properties` struct, object with `additionalProperties` or one pattern and no
properties map<string, ...>; `enum` and `const` have the type of their values. A property is not null if it is required
and does not admit null; items and values are not null if they do not admit null. `oneOf`/`anyOf` with null, or whose
branches all come to one type, are that type; other choices are errors, because a column has one type. `allOf` is
merged. `$ref` goes to `#/...` or a file beside this one, never to the network. Keywords that only narrow values
(`minLength`, `pattern`, `if`, `not`) change no type and are not checked against data.

Source: JSON Schema 2020-12, https://json-schema.org/draft/2020-12 (older drafts by `$schema`)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.schema.json_refs import Documents, Node
from blocks.core.schema.meaning import Meaning, Place, Reading
from blocks.core.schema.source import choose
from blocks.core.schema.types import DEFAULT_TIMESTAMP

_NAMES = {"x-label": "label", "x-event-time": "event_time", "x-key": "key", "x-epoch": "epoch", "x-type": "type"}
_SIMPLE: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "null": pa.null(),
}
_FORMATS: dict[str, pa.DataType] = {"date-time": DEFAULT_TIMESTAMP, "date": pa.date32(), "time": pa.time64("us")}
# Keywords that tell the type; of every part of an `allOf`, the first to have one counts, and the others must agree.
_TELLING = (
    *("type", "format", "enum", "const", "items", "prefixItems", "additionalProperties", "patternProperties"),
    *("propertyNames", "anyOf", "oneOf", "nullable"),
)
# Keywords whose schemas change no type; a label in them would be lost, which is refused.
_UNREAD = ("if", "then", "else", "not", "contains", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems")


def read(path: Path, name: str | None, reading: Reading) -> pa.Schema:
    """The schema of the object that a JSON Schema file describes, or of one of its definitions.

    Args:
      path: the file.
      name: an entry of `$defs` or `definitions`, or the title of the root; the root without it, if it is an object.
      reading: collects problems.

    Raises:
      SchemaError: every problem of the file that can be found.
    """
    documents = Documents(reading)
    node = documents.open(path, Place())
    if node is None or not isinstance(node.value, dict):
        raise reading.stop("the schema is not a JSON object", Place(), 'write {"type": "object", "properties": {...}}')
    root = node.value
    described = any(keyword in root for keyword in ("type", "properties", "$ref", "allOf", "additionalProperties"))
    if described and (name is None or name == root.get("title")):
        chosen = node
    else:
        found = {
            one: node.at(keyword, one)
            for keyword in ("definitions", "$defs")
            for one in (root[keyword] if isinstance(root.get(keyword), dict) else ())
        }
        titles = [root["title"]] if described and isinstance(root.get("title"), str) else []
        chosen = found[choose(name, [*found, *titles], "definition", reading)]
    try:
        data_type, _, meaning = _Types(reading, documents).type([chosen], Place())
    except RecursionError:
        raise reading.stop("the schema is nested too deep", Place(), "flatten the schema") from None
    if data_type is not None and not pat.is_struct(data_type):
        raise reading.stop(
            f"the schema describes `{data_type}`, expected an object with properties", Place(), "describe one record"
        )
    return reading.finish(data_type or (), meaning)


@dataclass(slots=True)
class _Parts:
    """What a schema says once its `$ref` and `allOf` are followed."""

    meaning: Meaning = field(default_factory=Meaning)
    telling: dict[str, Node] = field(default_factory=dict)
    properties: dict[str, list[Node]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    nulls: list[bool] = field(default_factory=list)
    broken: bool = False


class _Types:
    def __init__(self, reading: Reading, documents: Documents) -> None:
        self._reading = reading
        self._documents = documents

    def type(self, nodes: Iterable[Node], place: Place) -> tuple[pa.DataType | None, bool, Meaning]:
        """(type, admits null, meaning) of what satisfies all these schemas; the type is None where it has a problem."""
        self._reading.check_depth(place)
        parts = _Parts()
        for node in nodes:
            self._gather(node, place, parts)
        base, admits_null, below = (None, False, Meaning()) if parts.broken else self._derived(parts, place)
        meaning = parts.meaning.over(below)
        return self._reading.refined(base, meaning, place), admits_null, meaning

    def _gather(self, node: Node, place: Place, parts: _Parts) -> None:
        value = node.value
        if not isinstance(value, dict):
            return
        parts.meaning = parts.meaning.over(self._meaning(value, place))
        self._refuse_lost_labels(value, place)
        if "$ref" in value:
            target = self._documents.follow(node, place)
            if target is None:
                parts.broken = True
            else:
                self._gather(target, place, parts)
        for index in range(len(value.get("allOf", ()))):
            self._gather(node.at("allOf", index), place, parts)
        for keyword in _TELLING:
            if keyword in value:
                self._tell(keyword, node.at(keyword), place, parts)
        for name in value.get("properties", ()):
            parts.properties.setdefault(name, []).append(node.at("properties", name))
        parts.required.update(value.get("required", ()))

    def _tell(self, keyword: str, node: Node, place: Place, parts: _Parts) -> None:
        if keyword == "type":
            allowed = [node.value] if isinstance(node.value, str) else node.value
            parts.nulls.append("null" in allowed)
            earlier = parts.telling.get("type")
            if earlier is not None:
                # Both hold; `integer` is a kind of `number`.
                kept = [one for one in earlier.value if one in allowed or (one == "integer" and "number" in allowed)]
                kept += ["integer"] if "number" in earlier.value and "integer" in allowed else []
                if not kept:
                    listed = f"`{earlier.value[0]}` and `{allowed[0]}`"
                    self._reading.problem(f"`allOf` asks for {listed} at once", place, "make its parts agree")
                    parts.broken = True
                allowed = kept
            node = node.with_value(allowed)
        elif keyword in parts.telling and parts.telling[keyword].value != node.value:
            if keyword in {"enum", "const"} or isinstance(node.value, bool):
                return
            if isinstance(parts.telling[keyword].value, bool):
                parts.telling[keyword] = node
                return
            self._reading.problem(f"parts of `allOf` differ in `{keyword}`", place, "make its parts agree")
            parts.broken = True
        parts.telling[keyword] = node

    def _meaning(self, value: Mapping[str, Any], place: Place) -> Meaning:
        own = [name for name in value if name.startswith("x-")]
        self._reading.misspelt(own, tuple(_NAMES), place)
        written = {_NAMES[name]: value[name] for name in own if name in _NAMES}
        return self._reading.meaning({"description": value.get("description"), **written}, place)

    def _refuse_lost_labels(self, value: Mapping[str, Any], place: Place) -> None:
        for keyword in _UNREAD:
            if _holds_label(value.get(keyword)):
                fix = "write the label in `properties`, `items` or `additionalProperties`"
                self._reading.problem(f"a label under `{keyword}` would be lost", place, fix)

    def _derived(self, parts: _Parts, place: Place) -> tuple[pa.DataType | None, bool, Meaning]:
        kinds, admits_null = self._kinds(parts)
        choices = [parts.telling[keyword] for keyword in ("oneOf", "anyOf") if keyword in parts.telling]
        if choices and not parts.properties and kinds in ([], ["object"]) and not self._has_shape(parts):
            chosen, choices = choices[0], choices[1:]
        else:
            chosen = None
        for choice in choices:
            if _holds_label(choice.value):
                fix = "write the label beside `type`, or describe the type in the choice alone"
                self._reading.problem("a label in a choice beside a type would be lost", place, fix)
        if chosen is not None:
            return self._choice(chosen, place)
        if len(kinds) > 1:
            listed = ", ".join(f"`{kind}`" for kind in kinds)
            self._reading.problem(
                f"several types: {listed}", place, "a column has one type: write one, with null or not"
            )
            return None, admits_null, Meaning()
        if not kinds:
            if parts.meaning.type is None:
                self._reading.problem("a schema without a type", place, "add `type`, or `x-type` with an Arrow type")
                return None, admits_null, Meaning()
            return pa.null(), admits_null, Meaning()
        if kinds[0] == "object":
            return self._object(parts, place), admits_null, Meaning()
        if kinds[0] == "array":
            return self._array(parts, place), admits_null, Meaning()
        text_format = parts.telling.get("format")
        if kinds[0] == "string" and text_format is not None and parts.meaning.type is None:
            return _FORMATS.get(text_format.value, pa.string()), admits_null, Meaning()
        return _SIMPLE[kinds[0]], admits_null, Meaning()

    def _has_shape(self, parts: _Parts) -> bool:
        return any(
            keyword in parts.telling for keyword in ("items", "enum", "const", "patternProperties")
        ) or isinstance(
            parts.telling["additionalProperties"].value if "additionalProperties" in parts.telling else None, dict
        )

    def _kinds(self, parts: _Parts) -> tuple[list[str], bool]:
        """The types that a schema allows, without null and with `integer` inside `number`; whether it admits null."""
        told = parts.telling
        openapi = "nullable" in told and told["nullable"].value is True
        if "type" in told:
            kinds = [one for one in told["type"].value if one != "null"]
            admits_null = all(parts.nulls) or openapi
            if not kinds:
                kinds = ["null"]
        elif parts.properties or {"additionalProperties", "patternProperties"} & told.keys():
            kinds, admits_null = ["object"], openapi
        elif "items" in told or "prefixItems" in told:
            kinds, admits_null = ["array"], openapi
        elif "enum" in told or "const" in told:
            values = told["enum"].value if "enum" in told else [told["const"].value]
            found = [_kind_of(value) for value in values]
            kinds, admits_null = sorted(set(found) - {"null"}), openapi or "null" in found
        elif "format" in told and told["format"].value in _FORMATS:
            kinds, admits_null = ["string"], openapi
        else:
            kinds, admits_null = [], openapi
        return [one for one in kinds if one != "integer" or "number" not in kinds], admits_null

    def _choice(self, node: Node, place: Place) -> tuple[pa.DataType | None, bool, Meaning]:
        admits_null, meanings = False, list[Meaning]()
        found: list[tuple[pa.DataType | None, int]] = []
        for index in range(len(node.value)):
            data_type, null, below = self.type([node.at(index)], place)
            meanings.append(below)
            admits_null = admits_null or null or (data_type is not None and pat.is_null(data_type))
            if data_type is None or not pat.is_null(data_type):
                found.append((data_type, index))
        # What a branch says beside its labels is about the branch, unless it is the only one.
        meaning = Meaning(frozenset().union(*(one.labels for one in meanings)))
        if len(found) == 1:
            meaning = meaning.over(meanings[found[0][1]])
        if any(data_type is None for data_type, _ in found):
            return None, admits_null, meaning
        if not found:
            return pa.null(), True, meaning
        first = found[0][0]
        if any(not pa.field("", first).equals(pa.field("", one), check_metadata=True) for one, _ in found):
            listed = ", ".join(f"`{_short(one)}`" for one, _ in found)
            fix = "a column has one type: make it one type with null, or an object with a property for each"
            self._reading.problem(f"a choice of {len(found)} types: {listed}", place, fix)
            return None, admits_null, meaning
        return first, admits_null, meaning

    def _object(self, parts: _Parts, place: Place) -> pa.DataType | None:
        if parts.properties:
            made = [
                self._property(name, nodes, name in parts.required, place.below(name))
                for name, nodes in parts.properties.items()
            ]
            return pa.struct([one for one in made if one is not None])
        values = parts.telling.get("additionalProperties")
        patterns = parts.telling.get("patternProperties")
        if patterns is not None and len(patterns.value) == 1 and (values is None or not isinstance(values.value, dict)):
            values = patterns.at(next(iter(patterns.value)))
        if values is None or not isinstance(values.value, dict):
            if parts.meaning.type is not None:
                return pa.null()
            fix = "add `properties`, or `additionalProperties` with the schema of the values, or `x-type`"
            self._reading.problem("an object without properties", place, fix)
            return None
        key = self._map_key(parts, place.below("{key}"))
        value = self._child("value", values, place.below("{}"))
        return None if value is None or key is None else pa.map_(key, value)

    def _map_key(self, parts: _Parts, place: Place) -> pa.Field | None:
        names = parts.telling.get("propertyNames")
        meaning = (
            self._meaning(names.value, place) if names is not None and isinstance(names.value, dict) else Meaning()
        )
        return self._reading.field("key", pa.string(), False, meaning, place)

    def _property(self, name: str, nodes: list[Node], required: bool, place: Place) -> pa.Field | None:
        data_type, admits_null, meaning = self.type(nodes, place)
        return self._reading.field(name, data_type, admits_null or not required, meaning, place)

    def _child(self, name: str, node: Node, place: Place) -> pa.Field | None:
        data_type, admits_null, meaning = self.type([node], place)
        return self._reading.field(name, data_type, admits_null, meaning, place)

    def _array(self, parts: _Parts, place: Place) -> pa.DataType | None:
        items = parts.telling.get("items")
        if "prefixItems" in parts.telling or items is None or not isinstance(items.value, dict):
            if parts.meaning.type is not None and "prefixItems" not in parts.telling:
                return pa.null()
            alone = items is None and "prefixItems" not in parts.telling
            what = "an array without `items`" if alone else "an array whose items have types of their own"
            self._reading.problem(what, place, "add `items` with the one schema of every item")
            return None
        item = self._child("item", items, place.below("[]"))
        return None if item is None else pa.list_(item)


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))
    return next((kind for python, kind in kinds if isinstance(value, python)), "object")


def _short(data_type: pa.DataType) -> str:
    text = str(data_type)
    return text if len(text) <= 60 else text[:57] + "..."


def _holds_label(value: Any) -> bool:
    if isinstance(value, dict):
        return "x-label" in value or any(_holds_label(one) for one in value.values())
    return isinstance(value, list) and any(_holds_label(one) for one in value)
