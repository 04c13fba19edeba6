"""Schemas in the YAML form of `blocks`.

    name: push
    description: a push to a branch
    definitions:
      user: {type: struct, label: pii.name, fields: [{name: login, type: string}, {name: id, type: int64}]}
    fields:
      - {name: id, type: int64, required: true, label: public, key: true, description: number of the push}
      - {name: created, type: "timestamp[us, tz=UTC]", event_time: true, epoch: s}
      - {name: amount, type: "decimal128(18, 2)", label: [finance.amount]}
      - {name: sender, type: user}
      - {name: tags, type: list, items: {type: string, label: public}}
      - {name: attrs, type: map, keys: {type: string, label: pii.attr}, values: {type: string}}

A file holds one schema (`fields`), or several (`schemas: {push: {fields: [...]}, ...}`) that share `definitions`. A
type is any text of an Arrow type (`blocks.core.schema.types`), `struct` with `fields`, `list` (or `large_list`,
`list_view`, `large_list_view`, `fixed_size_list` with `size`) with `items`, `map` with `keys` (text if left out) and
`values`, or the name of a definition. `items`, `keys` and `values` may be a type alone. A field may be null unless
it is `required`. Labels of a definition and of the field that uses it add up; a definition may not hold itself.
`masked` and `metadata` are there so that every schema can be written (`write_schema`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from blocks.core import labels
from blocks.core.errors import SchemaError, nearest
from blocks.core.schema.meaning import Meaning, Place, Reading
from blocks.core.schema.source import choose
from blocks.core.schema.types import LIST_KINDS, NESTED_KINDS, TYPE_NAMES, list_of
from blocks.core.strict_yaml import Document, load

_Path = tuple[str | int, ...]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_type(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MaskedForm(_Form):
    """How a column was masked, as `labels.Masked` has it."""

    method: str
    key: str = ""
    options: dict[str, Any] = {}
    type: str = ""


class TypeForm(_Form):
    """A type with its meaning: of a field, an item, a key, a value or a definition."""

    type: str
    name: str | None = None
    required: bool = False
    label: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    key: bool = False
    event_time: bool = False
    epoch: Literal["s", "ms", "us", "ns"] | None = None
    description: str | None = None
    fields: list["FieldForm"] | None = None
    items: Annotated["TypeForm", BeforeValidator(_as_type)] | None = None
    keys: Annotated["TypeForm", BeforeValidator(_as_type)] | None = None
    values: Annotated["TypeForm", BeforeValidator(_as_type)] | None = None
    size: int | None = None
    sorted: bool = False
    masked: MaskedForm | None = None
    metadata: dict[str, str | bytes] | None = None


class FieldForm(TypeForm):
    """A field of a struct or a column."""

    name: str


class SchemaForm(_Form):
    """One schema."""

    fields: list[FieldForm]
    name: str | None = None
    description: str | None = None
    label: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    metadata: dict[str, str | bytes] | None = None


class OneForm(SchemaForm):
    """A file with one schema."""

    definitions: dict[str, TypeForm] = {}


class ManyForm(_Form):
    """A file with several schemas."""

    schemas: dict[str, SchemaForm]
    definitions: dict[str, TypeForm] = {}


def read(path: Path, name: str | None, reading: Reading) -> pa.Schema:
    """The schema of that name, or the only one, in a YAML file.

    Raises:
      SchemaError: every problem of the form, then every problem of the types and rules, with line and column.
    """
    try:
        document = load(path, error=SchemaError)
    except RecursionError:
        raise reading.stop("the file is nested too deep", Place(), "flatten the schema") from None
    if not isinstance(document.data, dict):
        raise reading.stop(
            "expected a mapping with `fields` or `schemas`", Place(), "write `fields:` and a list of them"
        )
    return _schema(document, name, reading)


def of_columns(columns: Mapping[str, Any], where: str) -> pa.Schema:
    """The schema of a mapping of names to types, or to what a field of the form has beside its name.

    Args:
      columns: `{id: int64, email: {type: string, label: pii.email}}`.
      where: of the mapping, for messages.

    Raises:
      SchemaError: as `read`.
    """
    fields = [{"name": name, **(one if isinstance(one, Mapping) else {"type": one})} for name, one in columns.items()]
    return _schema(Document({"fields": fields}, where, {}), None, Reading(where))


def _schema(document: Document, name: str | None, reading: Reading) -> pa.Schema:
    forms = _Forms(document, reading)
    many = forms.validated(ManyForm if "schemas" in document.data else OneForm)
    if isinstance(many, ManyForm):
        chosen = choose(name, list(many.schemas), "schema", reading)
        form: SchemaForm = many.schemas[chosen]
        at: _Path = ("schemas", chosen)
    else:
        assert isinstance(many, OneForm)
        form, at = many, ()
        if name is not None and name != form.name:
            choose(name, [form.name] if form.name else [], "schema", reading)
    forms.define(many.definitions)
    made = [forms.field(one, (*at, "fields", index), Place(), ()) for index, one in enumerate(form.fields)]
    root = reading.meaning({"label": form.label}, forms.place(at, Place()))
    return reading.finish(made, root, form.metadata)


class _Forms:
    """Turns the validated form into Arrow fields."""

    def __init__(self, document: Document, reading: Reading) -> None:
        self._document = document
        self._reading = reading
        self._definitions: Mapping[str, TypeForm] = {}

    def place(self, at: _Path, place: Place) -> Place:
        """The place with the line and column of a value in the file."""
        marks = self._document.marks
        known = next((marks[at[:n]] for n in range(len(at), -1, -1) if at[:n] in marks), (0, 0))
        return Place(place.path, *known, depth=place.depth)

    def validated(self, model: type[OneForm] | type[ManyForm]) -> OneForm | ManyForm:
        """The file as a model; every breach of the form at once."""
        try:
            return model.model_validate(self._document.data)
        except ValidationError as error:
            for one in error.errors(include_input=False, include_url=False):
                self._breach(one["type"], one["loc"], one["msg"], model)
            self._reading.raise_problems()
            raise AssertionError("a breach was noted") from error
        except RecursionError:
            raise self._reading.stop("the file is nested too deep", Place(), "flatten the schema") from None

    def _breach(self, kind: str, loc: _Path, message: str, model: type[BaseModel]) -> None:
        at = self.place(loc, Place(self._field_path(loc)))
        last = str(loc[-1]) if loc else ""
        known = self._keys(loc, model)
        if kind == "extra_forbidden":
            self._reading.problem(f"no key `{last}` here", at, nearest(last, known))
        elif kind == "missing":
            self._reading.problem(f"the key `{last}` is missing", at, f"add `{last}:`")
        elif kind == "literal_error":
            self._reading.problem(f"`{last}`: {message}", at, "write one of these")
        else:
            fix = "put it in quotes" if kind in {"string_type", "bytes_type"} else "see the form in the documentation"
            shown = ".".join(str(one) for one in loc if not isinstance(one, int))
            self._reading.problem(f"`{shown}`: {message}", at, fix)

    def _field_path(self, loc: _Path) -> str:
        """The names of the fields on the way to a value."""
        names, value = [], self._document.data
        for step in loc:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
            if isinstance(step, int) and isinstance(value, dict) and isinstance(value.get("name"), str):
                names.append(value["name"])
        return ".".join(names)

    def _keys(self, loc: _Path, model: type[BaseModel]) -> list[str]:
        if len(loc) <= 1:
            # Both kinds of file, because a misspelt `schemas` makes a file look like the other kind.
            return list(dict.fromkeys([*model.model_fields, "schemas"]))
        if loc[0] == "schemas" and len(loc) == 3:
            return list(SchemaForm.model_fields)
        return list((MaskedForm if loc[-2] == "masked" else TypeForm).model_fields)

    def define(self, definitions: Mapping[str, TypeForm]) -> None:
        """Takes the definitions; one may not hide a type."""
        for name in definitions:
            if name in TYPE_NAMES:
                at = self.place(("definitions", name), Place())
                self._reading.problem(f"the definition `{name}` hides a type of this name", at, "give it another name")
        self._definitions = definitions

    def field(
        self, form: TypeForm, at: _Path, place: Place, open_: tuple[str, ...], suffix: str = ""
    ) -> pa.Field | None:
        """A field, or an item, key or value under `suffix`."""
        name = form.name if form.name is not None else {"[]": "item", "{key}": "key", "{}": "value"}[suffix]
        here = self.place(at, place.below(suffix or name))
        self._reading.check_depth(here)
        data_type, below, definition = self._type(form, at, here, open_)
        meaning = self._meaning(form, here).over(below)
        nullable = not form.required and suffix != "{key}"
        made = self._reading.field(name, self._reading.refined(data_type, meaning, here), nullable, meaning, here)
        if made is None:
            return None
        for one in (*definition, form):
            made = self._with_metadata(made, one, here)
        return made

    def _meaning(self, form: TypeForm, place: Place) -> Meaning:
        return self._reading.meaning(
            {
                "label": form.label,
                "event_time": form.event_time,
                "key": form.key,
                "description": form.description,
                "epoch": form.epoch,
            },
            place,
        )

    def _with_metadata(self, made: pa.Field, form: TypeForm, place: Place) -> pa.Field:
        metadata = dict(made.metadata or {})
        if form.masked is not None:
            metadata[labels.MASKED.encode()] = labels.Masked(**form.masked.model_dump()).to_json().encode()
        for key, value in (form.metadata or {}).items():
            if key.encode() in metadata:
                self._reading.problem(f"`{key}` is written twice", place, "remove it from `metadata`")
            metadata[key.encode()] = value.encode() if isinstance(value, str) else value
        return made.with_metadata(metadata or None)

    def _type(
        self, form: TypeForm, at: _Path, place: Place, open_: tuple[str, ...]
    ) -> tuple[pa.DataType | None, Meaning, tuple[TypeForm, ...]]:
        """(type, meaning and forms of the definitions it came from)."""
        self._check_parts(form, place)
        if form.type in self._definitions:
            return self._defined(form.type, place, open_)
        if form.type == "struct" and form.fields is not None:
            made = [self.field(one, (*at, "fields", n), place, open_) for n, one in enumerate(form.fields)]
            return pa.struct([one for one in made if one is not None]), Meaning(), ()
        if form.type in LIST_KINDS and form.items is not None:
            item = self.field(form.items, (*at, "items"), place, open_, "[]")
            fixed = form.type == "fixed_size_list"
            if item is None or (fixed and form.size is None):
                return None, Meaning(), ()
            return list_of(form.type, item, form.size), Meaning(), ()
        if form.type == "map" and form.values is not None:
            keys = form.keys or TypeForm(type="string")
            key = self.field(keys, (*at, "keys"), place, open_, "{key}")
            value = self.field(form.values, (*at, "values"), place, open_, "{}")
            made_map = None if key is None or value is None else pa.map_(key, value, keys_sorted=form.sorted)
            return made_map, Meaning(), ()
        if form.type in NESTED_KINDS:
            return None, Meaning(), ()
        return self._plain(form, at, place), Meaning(), ()

    def _plain(self, form: TypeForm, at: _Path, place: Place) -> pa.DataType | None:
        there = self.place((*at, "type"), place)
        if form.type.isidentifier() and form.type not in TYPE_NAMES:
            fix = nearest(form.type, [*self._definitions, *TYPE_NAMES])
            self._reading.problem(f"no type or definition `{form.type}`", there, fix)
            return None
        return self._reading.type(form.type, there)

    def _defined(
        self, name: str, place: Place, open_: tuple[str, ...]
    ) -> tuple[pa.DataType | None, Meaning, tuple[TypeForm, ...]]:
        if name in open_:
            chain = " holds ".join(f"`{one}`" for one in (*open_[open_.index(name) :], name))
            fix = "a table has a fixed depth: write out the levels that are needed, or leave the field out"
            self._reading.problem(f"a definition that holds itself: {chain}", place, fix)
            return None, Meaning(), ()
        form = self._definitions[name]
        data_type, below, forms = self._type(form, ("definitions", name), place, (*open_, name))
        return data_type, self._meaning(form, place).over(below), (*forms, form)

    def _check_parts(self, form: TypeForm, place: Place) -> None:
        """Refuses parts that the type does not have, and asks for those that it must have."""
        wanted = {
            "struct": {"fields"},
            "map": {"values"},
            "fixed_size_list": {"items", "size"},
            **{kind: {"items"} for kind in LIST_KINDS if kind != "fixed_size_list"},
        }.get(form.type, set())
        allowed = wanted | ({"keys", "sorted"} if form.type == "map" else set())
        given = {part for part in ("fields", "items", "keys", "values", "size") if getattr(form, part) is not None}
        given |= {"sorted"} if form.sorted else set()
        for part in sorted(given - allowed):
            owner = {"fields": "struct", "items": "list", "size": "fixed_size_list"}.get(part, "map")
            self._reading.problem(f"`{part}` on type `{form.type}`", place, f"it belongs to type `{owner}`")
        for part in sorted(wanted - given):
            self._reading.problem(f"type `{form.type}` without `{part}`", place, f"add `{part}:`")
        if form.size is not None and form.size < 0:
            self._reading.problem("`size` is below 0", place, "write how many items each list has")
