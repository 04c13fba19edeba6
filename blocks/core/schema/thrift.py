"""Schemas from Thrift IDL.

    struct Transaction {
      1: required string id (public, key)
      2: string email (pii = "email")
      3: i64 created (event_time, epoch = "ms", public)
      4: string amount (type = "decimal128(18, 2)", label = "finance.amount")
    }

Annotations, on a field, on a type (`list<string (pii = "email")>`), on a typedef, a struct or an enum:

    (label = "pii.email,secret")       labels; also `blocks.label`, and so for the others
    (pii = "email"), (secret), (pii)   short for the labels pii.email, secret, pii; `(public)` likewise
    (event_time), (key)                also with "true" or "false"
    (description = "...")              else the /** comment */ in front of the field
    (epoch = "ms")                     a number that counts from 1970: becomes a timestamp
    (type = "timestamp[us, tz=UTC]")   the Arrow type that a text, number or binary holds; also `logical`

Types: `i8`/`byte` to `i64` are int8 to int64, `double` is float64, an enum is a string (the name of the value), `list`
and `set` are lists (the order of a set means nothing), a union is a struct of nullable fields, of which one is set,
`uuid` is a string. A field is not null if it is `required`; items, keys and values of containers are never null, as in
Thrift. Includes are looked for beside the file that includes. Labels of a typedef, struct or enum and those of the
field that uses it add up.

Source: Apache Thrift IDL, https://thrift.apache.org/docs/idl
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from blocks.core.errors import nearest
from blocks.core.schema.meaning import Meaning, Place, Reading
from blocks.core.schema.source import choose, near_files, read_text
from blocks.core.schema.thrift_idl import (
    BASE_TYPES,
    CONTAINERS,
    Annotation,
    Definition,
    FieldDefinition,
    IdlSyntaxError,
    TypeUse,
    parse_idl,
)

_BASE: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "byte": pa.int8(),
    "i8": pa.int8(),
    "i16": pa.int16(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "uuid": pa.string(),
}
_NAMES = {
    "label": "label",
    "event_time": "event_time",
    "key": "key",
    "description": "description",
    "epoch": "epoch",
    "type": "type",
    "logical": "type",
}
_LABEL_ROOTS = ("pii", "secret", "public")
_KNOWN = (*_NAMES, *_LABEL_ROOTS, *(f"blocks.{name}" for name in _NAMES))


@dataclass(slots=True)
class _Scope:
    """A file with what it includes, by the name that stands before the dot."""

    path: Path
    label: str
    definitions: dict[str, Definition] = field(default_factory=dict)
    includes: dict[str, "_Scope"] = field(default_factory=dict)


def read(path: Path, name: str | None, reading: Reading) -> pa.Schema:
    """The schema of a struct, union or exception in a Thrift file.

    Args:
      path: the file.
      name: the struct; of an included file as `common.User`.
      reading: collects problems.

    Raises:
      SchemaError: every problem of the file and its includes that can be found.
    """
    scopes = _Scopes(reading)
    scope = scopes.load(path, (), Place())
    if scope is None or scopes.incomplete:
        # What a missing or broken file defines would be reported as unknown types.
        reading.raise_problems()
    assert scope is not None
    structs = [one.name for one in scope.definitions.values() if one.fields or one.kind in {"struct", "union"}]
    if name is not None and "." in name:
        structs += [
            f"{prefix}.{one.name}"
            for prefix, included in scope.includes.items()
            for one in included.definitions.values()
            if one.kind in {"struct", "union", "exception"}
        ]
    chosen = choose(name, structs, "struct", reading)
    home, definition = _find(scope, chosen)
    assert home is not None
    assert definition is not None
    types = _Types(reading, scope)
    root = types.annotated(definition.annotations, Place(line=definition.line, column=definition.column))
    fields = types.fields(definition, home, Place(file=types.file_of(home)), ((home.path, definition.name),))
    return reading.finish(fields, root)


def _find(scope: _Scope, name: str) -> tuple[_Scope | None, Definition | None]:
    if name in scope.definitions:
        return scope, scope.definitions[name]
    for prefix, included in scope.includes.items():
        if name.startswith(prefix + ".") and name[len(prefix) + 1 :] in included.definitions:
            return included, included.definitions[name[len(prefix) + 1 :]]
    return None, None


class _Scopes:
    """Loads files once each, with their includes."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._loaded: dict[Path, _Scope] = {}
        self.incomplete = False

    def load(self, path: Path, including: tuple[Path, ...], place: Place) -> _Scope | None:
        """A file with its includes; None, and `incomplete`, after a problem was noted."""
        scope = self._load(path, including, place)
        self.incomplete |= scope is None
        return scope

    def _load(self, path: Path, including: tuple[Path, ...], place: Place) -> _Scope | None:
        resolved = path.resolve()
        if resolved in including:
            chain = " includes ".join(f"`{one.name}`" for one in (*including, resolved))
            self._reading.problem(f"includes go in a circle: {chain}", place, "move what both need to a third file")
            return None
        if resolved in self._loaded:
            return self._loaded[resolved]
        scope = _Scope(resolved, path.name)
        self._loaded[resolved] = scope
        shown = path.name if including else ""
        text = read_text(path, self._reading, place)
        if text is None:
            return None
        try:
            parsed = parse_idl(text)
        except IdlSyntaxError as error:
            at = Place(line=error.line, column=error.column, file=shown)
            self._reading.problem(f"not Thrift: {error.what}", at, "mend the syntax")
            return None
        for include in parsed.includes:
            at = Place(line=include.line, column=include.column, file=shown)
            target = path.parent / include.text
            if not target.is_file():
                fix = near_files(target) + "; includes are looked for beside the file that includes"
                self._reading.problem(f"included file `{include.text}` is not there", at, fix)
                self.incomplete = True
                continue
            included = self.load(target, (*including, resolved), at)
            if included is not None:
                scope.includes[target.stem] = included
        self._define(scope, parsed.definitions, shown)
        return scope

    def _define(self, scope: _Scope, definitions: Iterable[Definition], shown: str) -> None:
        for one in definitions:
            at = Place(line=one.line, column=one.column, file=shown)
            if one.name in scope.definitions or one.name in BASE_TYPES:
                self._reading.problem(f"`{one.name}` is defined twice", at, "give it another name")
            scope.definitions[one.name] = one
            numbers = [field.id for field in one.fields if field.id is not None]
            repeated = sorted({number for number in numbers if numbers.count(number) > 1})
            for number in repeated:
                self._reading.problem(f"two fields of `{one.name}` have the number {number}", at, "number them anew")


class _Types:
    """Turns definitions into Arrow types."""

    def __init__(self, reading: Reading, root: _Scope) -> None:
        self._reading = reading
        self._root = root

    def file_of(self, scope: _Scope) -> str:
        return "" if scope is self._root else scope.label

    def fields(
        self, definition: Definition, scope: _Scope, place: Place, open_: tuple[tuple[Path, str], ...]
    ) -> list[pa.Field | None]:
        return [self._field(one, definition.kind, scope, place, open_) for one in definition.fields]

    def _field(
        self, one: FieldDefinition, kind: str, scope: _Scope, place: Place, open_: tuple[tuple[Path, str], ...]
    ) -> pa.Field | None:
        at = place.below(one.name, one.line, one.column, self.file_of(scope))
        base, below = self.type(one.type, scope, at, open_)
        own = self.annotated(one.annotations, at)
        meaning = own.over(below)
        if meaning.description is None and one.doc:
            meaning = meaning.over(Meaning(description=one.doc))
        nullable = kind == "union" or not one.required
        return self._reading.field(one.name, self._reading.refined(base, meaning, at), nullable, meaning, at)

    def type(
        self, use: TypeUse, scope: _Scope, place: Place, open_: tuple[tuple[Path, str], ...]
    ) -> tuple[pa.DataType | None, Meaning]:
        """The type of a use and the meaning that comes with it, from its annotations and its definition."""
        self._reading.check_depth(place)
        own = self.annotated(use.annotations, place)
        if use.name in BASE_TYPES:
            return _BASE[use.name], own
        if use.name in CONTAINERS:
            return self._container(use, scope, place, open_), own
        home, definition = _find(scope, use.name)
        if home is None or definition is None:
            self._unknown(use, scope, place)
            return None, own
        written = self.annotated(definition.annotations, place)
        if definition.kind == "enum":
            return pa.string(), own.over(written)
        key = (home.path, definition.name)
        if key in open_:
            chain = " holds ".join(f"`{name}`" for _, name in (*open_[open_.index(key) :], key))
            fix = "a table has a fixed depth: write out the levels that are needed, or leave the field out"
            self._reading.problem(f"a type that holds itself: {chain}", place, fix)
            return None, own
        if definition.type is not None:
            base, below = self.type(definition.type, home, place, (*open_, key))
            return base, own.over(written.over(below))
        # A description of the struct says what the struct is, not what the field that uses it is.
        meaning = own.over(Meaning(written.labels, written.event_time, written.key))
        made = self.fields(definition, home, place, (*open_, key))
        return pa.struct([one for one in made if one is not None]), meaning

    def _container(
        self, use: TypeUse, scope: _Scope, place: Place, open_: tuple[tuple[Path, str], ...]
    ) -> pa.DataType | None:
        suffixes = ("{key}", "{}") if use.name == "map" else ("[]",)
        names = ("key", "value") if use.name == "map" else ("item",)
        made = []
        for name, suffix, argument in zip(names, suffixes, use.arguments, strict=True):
            at = place.below(suffix, argument.line, argument.column, self.file_of(scope))
            base, meaning = self.type(argument, scope, at, open_)
            data_type = self._reading.refined(base, meaning, at)
            made.append(self._reading.field(name, data_type, False, meaning, at))
        if any(one is None for one in made):
            return None
        return pa.map_(*made) if use.name == "map" else pa.list_(made[0])

    def _unknown(self, use: TypeUse, scope: _Scope, place: Place) -> None:
        names = [*scope.definitions, *BASE_TYPES, *CONTAINERS]
        prefix, dot, _ = use.name.rpartition(".")
        if dot and prefix in scope.includes:
            names = [f"{prefix}.{name}" for name in scope.includes[prefix].definitions]
        elif dot:
            names += [f"{prefix}.{name}" for prefix, one in scope.includes.items() for name in one.definitions]
        at = Place(place.path, use.line, use.column, self.file_of(scope))
        self._reading.problem(f"no type `{use.name}`", at, nearest(use.name, names))

    def annotated(self, annotations: Iterable[Annotation], place: Place) -> Meaning:
        """The meaning that annotations give; those of other tools are let be."""
        meaning = Meaning()
        for one in annotations:
            at = Place(place.path, one.line, one.column, place.file)
            name = one.name.removeprefix("blocks.")
            if one.name.split(".")[0] in _LABEL_ROOTS:
                written: dict[str, Any] = {"label": self._short_label(one)}
            elif name in _NAMES:
                written = {_NAMES[name]: one.value}
                if one.value is None and name not in {"event_time", "key"}:
                    self._reading.problem(f"annotation `{one.name}` has no value", at, f'write ({one.name} = "...")')
            else:
                self._reading.misspelt([one.name], _KNOWN, at)
                continue
            # Two annotations of one name add up, as two labels do.
            meaning = self._reading.meaning(written, at).over(meaning)
        return meaning

    def _short_label(self, one: Annotation) -> str | None:
        if one.value is None or one.value == "true":
            return one.name
        if one.value == "false":
            return None
        parts = [part.strip() for part in one.value.split(",")]
        root = one.name + "."
        return ",".join(part if part.startswith(root) else root + part for part in parts)
