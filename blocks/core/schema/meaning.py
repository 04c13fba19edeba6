"""What the readers of all formats share: the meaning of a field, and the rules that every schema keeps.

A reader walks its file, makes fields through `Reading`, notes problems with their place, and ends with `finish`, which
checks the rules and raises all problems at once. The rules are checked on the Arrow schema itself, so that they are the
same for every format, Arrow files included.

Labels of a definition (typedef, named record, `$ref`, `definitions`) and labels of the place that uses it add up: no
way of writing takes a label away.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import Problem, SchemaError, all_problems, nearest, repeated_names
from blocks.core.schema.types import DEFAULT_TIMESTAMP, parse_type

MAX_FIELDS = 20_000
MAX_DEPTH = 100
TIMESTAMP_FIX = "give it the type `timestamp[us, tz=UTC]`, with `epoch` (s, ms, us or ns) if the source holds a number"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, for people: field path, and line and column (1-based; 0 is not known).

    Attributes:
      path: as `labels.leaves` writes it; empty at the root.
      line: line in the file.
      column: column in the line.
      file: name of the file, where it is not the one that is read (an include or a reference).
      depth: levels below the root; columns are at 1.
    """

    path: str = ""
    line: int = 0
    column: int = 0
    file: str = ""
    depth: int = 0

    def __str__(self) -> str:
        parts = [
            f"file `{self.file}`" if self.file else "",
            f"line {self.line}" if self.line else "",
            f"column {self.column}" if self.column else "",
            f"field `{self.path}`" if self.path else "",
        ]
        return ", ".join(part for part in parts if part)

    def below(self, suffix: str, line: int = 0, column: int = 0, file: str | None = None) -> "Place":
        """A place one level further down; `suffix` is a name, `[]`, `{key}` or `{}`."""
        joined = suffix if not self.path else self.path + (suffix if suffix[:1] in "[{" else "." + suffix)
        known = (line, column) if line else (self.line, self.column)
        return Place(joined, *known, self.file if file is None else file, self.depth + 1)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a format says about a field besides its type; None or empty where it says nothing.

    Attributes:
      labels: dotted privacy labels.
      event_time: whether the column holds the event time.
      key: whether the column identifies a row.
      description: a sentence for people.
      epoch: unit of an epoch number in the source.
      type: an Arrow type, as text, that refines what the format itself can say.
    """

    labels: frozenset[str] = frozenset()
    event_time: bool = False
    key: bool = False
    description: str | None = None
    epoch: str | None = None
    type: str | None = None

    def over(self, base: "Meaning") -> "Meaning":
        """This meaning, at a place of use, over that of the definition it uses: labels add up, the rest overrides."""
        return Meaning(
            self.labels | base.labels,
            self.event_time or base.event_time,
            self.key or base.key,
            base.description if self.description is None else self.description,
            base.epoch if self.epoch is None else self.epoch,
            base.type if self.type is None else self.type,
        )

    def metadata(self) -> dict[str, str | None]:
        """As field metadata."""
        return {
            labels.LABEL: ",".join(sorted(self.labels)) or None,
            labels.EVENT_TIME: "true" if self.event_time else None,
            labels.KEY: "true" if self.key else None,
            labels.DESCRIPTION: self.description,
            labels.EPOCH: self.epoch,
        }


class Reading:
    """The reading of one file: makes fields, notes problems, and raises them all in `finish`.

    Args:
      file: the file, for messages.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.places: dict[str, Place] = {}
        self._fields = 0

    def problem(self, what: str, place: Place, fix: str = "") -> None:
        """Notes a problem once, however often the definition that has it is used."""
        found = Problem(what, str(place), fix)
        if found not in self.problems:
            self.problems.append(found)

    def stop(self, what: str, place: Place, fix: str = "") -> SchemaError:
        """The error for a problem after which nothing more can be read; the caller raises it."""
        self.problem(what, place, fix)
        try:
            self.raise_problems()
        except SchemaError as error:
            return error
        raise AssertionError("a problem was noted")

    def raise_problems(self) -> None:
        """Raises what was noted so far, if anything was."""
        with all_problems(self.file, SchemaError) as problems:
            problems.extend(self.problems)

    def meaning(self, written: Mapping[str, Any], place: Place) -> Meaning:
        """The meaning in a format's own properties, under the names of the attributes of `Meaning`.

        Args:
          written: `label` (text, comma-separated, or a list of texts), `event_time` and `key` (true, false, the same as
            text, or None for a bare annotation), `description`, `epoch` and `type` (text).
          place: the field, for problems.
        """
        text: dict[str, str | None] = {}
        for name in ("description", "epoch", "type"):
            value = written.get(name)
            if value is not None and not isinstance(value, str):
                self.problem(f"`{name}` is text, got {type(value).__name__}", place, "put it in quotes")
                value = None
            text[name] = value
        return Meaning(
            labels=self._labels(written.get("label"), place),
            event_time=self._flag("event_time", written, place),
            key=self._flag("key", written, place),
            **text,
        )

    def _labels(self, value: Any, place: Place) -> frozenset[str]:
        if value is None:
            return frozenset()
        many = [value] if isinstance(value, str) else value
        if not isinstance(many, list | tuple) or not all(isinstance(one, str) for one in many):
            self.problem("a label is text, or a list of texts", place, 'write "pii.email" or ["pii.email", "secret"]')
            return frozenset()
        found = [part.strip() for one in many for part in one.split(",")]
        if not all(found):
            # An empty label would leave the field unlabelled without a word.
            self.problem("an empty label", place, "write dotted words, as in `pii.email`, or take the label away")
        return frozenset(filter(None, found))

    def _flag(self, name: str, written: Mapping[str, Any], place: Place) -> bool:
        value = written.get(name, False)
        flag = {None: True, True: True, False: False, "true": True, "false": False}
        if not isinstance(value, str | bool | None) or value not in flag:
            self.problem(f"`{name}` is true or false", place, f"write `{name} = true`")
            return False
        return flag[value]

    def misspelt(self, names: Iterable[str], known: Sequence[str], place: Place) -> None:
        """Refuses properties that look like ours but are not; those of other tools are let be."""
        for name in names:
            if name not in known and difflib.get_close_matches(name, known, n=1, cutoff=0.8):
                self.problem(f"`{name}` is not a property that `blocks` knows", place, nearest(name, known))

    def type(self, text: str, place: Place) -> pa.DataType | None:
        """`parse_type`, with its problem noted at a place."""
        try:
            return parse_type(text)
        except SchemaError as error:
            self.problem(f"{error.what} ({error.where})", place, error.fix)
            return None

    def refined(self, base: pa.DataType | None, meaning: Meaning, place: Place) -> pa.DataType | None:
        """The type of a field: what the format says, refined by `type` or `epoch`.

        Args:
          base: the format's own type; None where it has a problem already.
          meaning: what the field says.
          place: the field.
        """
        if base is None:
            return None
        if meaning.type is not None:
            wanted = self.type(meaning.type, place)
            if wanted is not None and not can_refine(base, wanted):
                self.problem(f"`{base}` cannot hold `{wanted}`", place, _refine_fix(base))
                return None
            return wanted
        if meaning.epoch is not None and (pat.is_integer(base) or pat.is_floating(base)):
            return pa.timestamp("ns", tz="UTC") if meaning.epoch == "ns" else DEFAULT_TIMESTAMP
        return base

    def field(
        self, name: str, data_type: pa.DataType | None, nullable: bool, meaning: Meaning, place: Place
    ) -> pa.Field | None:
        """A field with its meaning as metadata; None where its type has a problem already."""
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise self.stop(
                f"the schema has more than {MAX_FIELDS:,} fields when its definitions are written out",
                place,
                "take only the fields that the pipeline needs",
            )
        self.places.setdefault(place.path, place)
        if data_type is None:
            return None
        if pat.is_null(data_type) and not nullable:
            self.problem("type `null` on a field that is never null", place, "give it a type, or let it be null")
            return None
        return labels.put(pa.field(name, data_type, nullable=nullable), meaning.metadata())

    def check_depth(self, place: Place) -> None:
        """Stops at a schema that is nested too deep to be meant."""
        if place.depth > MAX_DEPTH:
            raise self.stop(f"more than {MAX_DEPTH} levels of nesting", place, "flatten the schema")

    def finish(
        self,
        fields: Iterable[pa.Field | None],
        root: Meaning | None = None,
        metadata: Mapping[Any, str | bytes] | None = None,
    ) -> pa.Schema:
        """The schema, after every rule was checked.

        Args:
          fields: the columns; None for those whose problem is noted already.
          root: meaning of the record as a whole; its labels hold for every column without a label of its own.
          metadata: metadata of the schema.

        Raises:
          SchemaError: every problem of the file.
        """
        made = [field for field in fields if field is not None]
        if root and root.labels:
            own = {labels.LABEL.encode(): ",".join(sorted(root.labels)).encode()}
            made = [
                field if labels.labels_of(field) else field.with_metadata({**(field.metadata or {}), **own})
                for field in made
            ]
        schema = pa.schema(made, metadata)
        if not made and not self.problems:
            self.problem("the schema has no fields", Place(), "give it at least one field")
        for found in schema_problems(schema, self.places):
            if found not in self.problems:
                self.problems.append(found)
        self.raise_problems()
        return schema


def can_refine(base: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of a format's type can be read as another Arrow type without a change of their meaning."""
    if base == wanted or pat.is_null(base):
        return True
    if pat.is_nested(base) or pat.is_nested(wanted):
        return False
    if pat.is_string(base):
        return not pat.is_null(wanted)
    if pat.is_binary(base) or pat.is_fixed_size_binary(base):
        return _any(wanted, pat.is_decimal, pat.is_fixed_size_binary, pat.is_large_binary, pat.is_binary_view)
    if pat.is_integer(base):
        return _any(wanted, pat.is_integer, pat.is_temporal, pat.is_decimal, pat.is_floating)
    if pat.is_floating(base):
        return _any(wanted, pat.is_floating, pat.is_decimal, pat.is_timestamp)
    return bool(pat.is_temporal(base) and pat.is_temporal(wanted))


def _any(data_type: pa.DataType, *tests: Any) -> bool:
    return any(test(data_type) for test in tests)


def _refine_fix(base: pa.DataType) -> str:
    if pat.is_nested(base):
        return "give types to the fields inside instead"
    return "a text can hold any plain type, a number another number, a decimal or a timestamp, bytes a decimal"


def schema_problems(schema: pa.Schema, places: Mapping[str, Place] | None = None) -> Iterator[Problem]:
    """Every breach of the rules of a schema with meaning, whatever it was read from.

    The rules: names are unique in each struct; labels are dotted words; at most one event time, at top level, of type
    timestamp; an epoch unit that exists, on a timestamp.

    Args:
      schema: the schema.
      places: where the fields stand in the file they came from, by path.
    """
    known = places or {}
    garbled = [path for path, field, _ in walk(schema) if not _is_text(field)]
    if garbled:
        for path in garbled:
            yield Problem("metadata of `blocks` is not UTF-8 text", str(known.get(path, Place(path))), "take it away")
        return
    yield from repeated_names(schema.names)
    event_times = [field.name for field in schema if labels.is_event_time(field)]
    if len(event_times) > 1:
        listed = ", ".join(f"`{name}`" for name in event_times)
        yield Problem(
            f"{len(event_times)} event times: {listed}",
            str(known.get(event_times[1], Place(event_times[1]))),
            "mark the one column that says when the event happened",
        )
    for path, field, depth in walk(schema):
        place = str(known.get(path, Place(path)))
        if pat.is_struct(field.type):
            yield from repeated_names((child.name for child in field.type), place)
        yield from _meaning_problems(field, depth, place)


def _is_text(field: pa.Field) -> bool:
    try:
        for key, value in (field.metadata or {}).items():
            if key.startswith(b"blocks."):
                value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _meaning_problems(field: pa.Field, depth: int, place: str) -> Iterator[Problem]:
    for name in sorted(labels.labels_of(field)):
        try:
            labels.with_labels(pa.field(field.name, pa.null()), [name])
        except SchemaError as error:
            yield Problem(error.what, place, error.fix)
    try:
        labels.masked_of(field)
    except (ValueError, TypeError):
        yield Problem("how the field was masked cannot be read", place, "write it as `labels.Masked` does")
    if labels.is_event_time(field):
        if depth:
            yield Problem("the event time is inside another field", place, "mark a column at top level")
        elif not pat.is_timestamp(field.type):
            yield Problem(f"the event time has type `{field.type}`, expected a timestamp", place, TIMESTAMP_FIX)
    epoch = labels.get(field, labels.EPOCH)
    if epoch is not None:
        if epoch not in labels.EPOCH_UNITS:
            yield Problem(f"no epoch unit `{epoch}`", place, nearest(epoch, labels.EPOCH_UNITS))
        if not pat.is_timestamp(field.type):
            yield Problem(f"an epoch unit on type `{field.type}`, expected a timestamp", place, TIMESTAMP_FIX)


def walk(schema: pa.Schema) -> Iterator[tuple[str, pa.Field, int]]:
    """(path, field, depth) of every field of a schema, depth first, containers before what they hold."""
    for column in schema:
        yield from _walk(column.name, column, 0)


def _walk(path: str, field: pa.Field, depth: int) -> Iterator[tuple[str, pa.Field, int]]:
    yield path, field, depth
    for suffix, child in labels.children(field.type):
        yield from _walk(path + suffix, child, depth + 1)
