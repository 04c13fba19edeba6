"""Schemas from Avro (`.avsc`).

    {"type": "record", "name": "Transaction", "fields": [
      {"name": "email", "type": ["null", "string"], "label": "pii.email", "doc": "where receipts go"},
      {"name": "created", "type": {"type": "long", "logicalType": "timestamp-micros"}, "event_time": true}]}

Properties of a field, or of the type of a field, item or value: `label` (text or list of texts), `event_time`, `key`
(true or false), `epoch`, `arrow_type`, each also with `blocks.` in front; `doc` is the description. Labels of a type,
of a named type and of the field that uses it add up.

Types: `int` int32, `long` int64, `float` float32, `double` float64, `bytes` binary, enum string, fixed
fixed_size_binary, array list, map map<string, ...>. Logical types: decimal, date, time-millis and -micros,
timestamp-millis, -micros and -nanos (UTC), local-timestamp-* (no zone), uuid (a string stays a string); others are
read as their base, as Avro asks. A union with null makes the field, item or value nullable; every other union of
several types is an error, because a column has one type.

Source: Avro 1.12 specification, https://avro.apache.org/docs/1.12.0/specification/
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro.schema
import pyarrow as pa

from blocks.core.errors import nearest
from blocks.core.schema.meaning import Meaning, Place, Reading
from blocks.core.schema.source import choose, read_json

_PRIMITIVE: dict[str, pa.DataType] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_LOGICAL: dict[str, tuple[str, pa.DataType]] = {
    "date": ("int", pa.date32()),
    "time-millis": ("int", pa.time32("ms")),
    "time-micros": ("long", pa.time64("us")),
    "timestamp-millis": ("long", pa.timestamp("ms", tz="UTC")),
    "timestamp-micros": ("long", pa.timestamp("us", tz="UTC")),
    "timestamp-nanos": ("long", pa.timestamp("ns", tz="UTC")),
    "local-timestamp-millis": ("long", pa.timestamp("ms")),
    "local-timestamp-micros": ("long", pa.timestamp("us")),
    "local-timestamp-nanos": ("long", pa.timestamp("ns")),
}
_NAMES = {
    "label": "label",
    "event_time": "event_time",
    "key": "key",
    "epoch": "epoch",
    "arrow_type": "type",
}
_KNOWN = (*_NAMES, *(f"blocks.{name}" for name in _NAMES))
_NEEDED = {
    "array": ("items",),
    "map": ("values",),
    "enum": ("name", "symbols"),
    "fixed": ("name", "size"),
    "record": ("name", "fields"),
    "error": ("name", "fields"),
}
_FORMS: dict[str, tuple[type, str]] = {
    "type": (str, "text"),
    "name": (str, "text"),
    "namespace": (str, "text"),
    "doc": (str, "text"),
    "logicalType": (str, "text"),
    "aliases": (list, "a list"),
    "fields": (list, "a list"),
    "symbols": (list, "a list"),
    "size": (int, "a number"),
    "precision": (int, "a number"),
    "scale": (int, "a number"),
}
_AVRO = frozenset(
    [
        "type",
        "name",
        "namespace",
        "doc",
        "fields",
        "items",
        "values",
        "symbols",
        "size",
        "default",
        "aliases",
        "order",
        "logicalType",
        "precision",
        "scale",
    ]
)


def read(path: Path, name: str | None, reading: Reading) -> pa.Schema:
    """The schema of a record in an Avro schema file.

    Args:
      path: the file: a record, or a list of named types.
      name: the record, by full or short name; one inside another counts too.
      reading: collects problems.

    Raises:
      SchemaError: every problem of the record that can be found.
    """
    document = read_json(path, reading, Place())
    named: dict[str, Any] = {}
    tops = _parse(document, named, reading)
    records = {full: one for full, one in named.items() if one.get("type") in {"record", "error"}}
    if name is None:
        chosen = choose(None, tops, "record", reading)
    else:
        short = [full for full in records if full.rpartition(".")[2] == name]
        chosen = short[0] if len(short) == 1 and name not in records else choose(name, list(records), "record", reading)
    types = _Types(reading, named)
    record = records[chosen]
    fields = types.fields(record, Place(), (chosen,))
    return reading.finish(fields, types.meaning(record, Place(), doc=False))


def _parse(document: Any, named: dict[str, Any], reading: Reading) -> list[str]:
    """Lets fastavro check the schema and resolve names; gives the full names of the records at the top."""
    for what, path in _malformed(document):
        reading.problem(f"not an Avro schema: {what}", Place(path), "see the Avro specification")
    reading.raise_problems()
    tops = []
    for one in document if isinstance(document, list) else [document]:
        try:
            parsed = fastavro.schema.parse_schema(one, named, expand=False, _force=True, _write_hint=False)
        except fastavro.schema.UnknownType as error:
            raise _unknown(error.name, document, named, reading) from error
        except fastavro.schema.SchemaParseException as error:
            raise reading.stop(f"not an Avro schema: {error}", Place(), "mend the schema") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise reading.stop(
                f"not an Avro schema: {type(error).__name__}", Place(), "see the Avro specification"
            ) from error
        except RecursionError as error:
            raise reading.stop("the schema is nested too deep", Place(), "flatten the schema") from error
        if isinstance(parsed, dict) and parsed.get("type") in {"record", "error"}:
            tops.append(parsed["name"])
    return tops


def _unknown(unknown: Any, document: Any, named: dict[str, Any], reading: Reading) -> Exception:
    written = unknown.get("type") if isinstance(unknown, dict) else unknown
    text = written if isinstance(written, str) else "?"
    short = text.rpartition(".")[2]
    path = next((path for path, used in _types(document, "") if used in (text, short)), "")
    names = [*_PRIMITIVE, "record", "enum", "array", "map", "fixed", *named]
    return reading.stop(f"no Avro type `{text}`", Place(path), nearest(short, names))


def _types(at: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(path, JSON) of everything that stands where a type should, but for the lists of unions."""
    if isinstance(at, list):
        for one in at:
            yield from _types(one, path)
        return
    yield path, at
    if not isinstance(at, dict):
        return
    for keyword, suffix in (("type", ""), ("items", "[]"), ("values", "{}")):
        if keyword in at:
            yield from _types(at[keyword], path + suffix)
    fields = at.get("fields")
    for one in fields if isinstance(fields, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str) and "type" in one:
            yield from _types(one["type"], f"{path}.{one['name']}" if path else one["name"])


def _malformed(document: Any) -> Iterator[tuple[str, str]]:
    """(what is wrong, path) of types and fields whose JSON has a wrong form, which fastavro takes for granted."""
    for path, at in _types(document, ""):
        if isinstance(at, str):
            continue
        if not isinstance(at, dict):
            yield f"expected a type, got {type(at).__name__}", path
        elif isinstance(at.get("type"), dict | list):
            yield "a type inside `type`", path
        else:
            kind = at.get("type")
            for keyword in ("type", *(_NEEDED.get(kind, ()) if isinstance(kind, str) else ())):
                if keyword not in at:
                    yield f"a type without `{keyword}`", path
            yield from ((what, path) for what in _wrong_values(at))
        for one in at["fields"] if isinstance(at, dict) and isinstance(at.get("fields"), list) else ():
            if not isinstance(one, dict):
                yield f"expected a field, got {type(one).__name__}", path
                continue
            for keyword in ("name", "type"):
                if keyword not in one:
                    yield f"a field without `{keyword}`", path
            yield from ((what, path) for what in _wrong_values({**one, "type": "a type"}))


def _wrong_values(at: dict[str, Any]) -> Iterator[str]:
    for keyword, (kind, shown) in _FORMS.items():
        value = at.get(keyword)
        if keyword in at and (not isinstance(value, kind) or isinstance(value, bool)):
            yield f"`{keyword}` is {shown}, got {type(value).__name__}"
    if isinstance(at.get("symbols"), list) and not all(isinstance(one, str) for one in at["symbols"]):
        yield "`symbols` holds something that is not text"
    if isinstance(at.get("size"), int) and not 0 <= at["size"] < 2**31:
        yield "`size` is out of range"


class _Types:
    def __init__(self, reading: Reading, named: dict[str, Any]) -> None:
        self._reading = reading
        self._named = named

    def fields(self, record: dict[str, Any], place: Place, open_: tuple[str, ...]) -> list[pa.Field | None]:
        found = []
        for one in record["fields"]:
            at = place.below(one["name"])
            data_type, nullable, below = self.type(one["type"], at, open_)
            found.append(self._made(one["name"], data_type, nullable, self.meaning(one, at).over(below), at))
        return found

    def _made(
        self, name: str, data_type: pa.DataType | None, nullable: bool, meaning: Meaning, place: Place
    ) -> pa.Field | None:
        return self._reading.field(name, self._reading.refined(data_type, meaning, place), nullable, meaning, place)

    def meaning(self, written: Any, place: Place, doc: bool = True) -> Meaning:
        """The meaning in the properties of a field or a type."""
        if not isinstance(written, dict):
            return Meaning()
        own = [name for name in written if name not in _AVRO]
        self._reading.misspelt(own, _KNOWN, place)
        found: dict[str, Any] = {"description": written.get("doc")} if doc else {}
        for name in own:
            if name in _KNOWN:
                found[_NAMES[name.removeprefix("blocks.")]] = written[name]
        if "label" in written and "blocks.label" in written:
            self._reading.problem("`label` and `blocks.label` both stand here", place, "remove one")
        return self._reading.meaning(found, place)

    def type(self, written: Any, place: Place, open_: tuple[str, ...]) -> tuple[pa.DataType | None, bool, Meaning]:
        """(type, nullable, meaning from the type itself)."""
        self._reading.check_depth(place)
        if isinstance(written, list):
            return self._union(written, place, open_)
        if isinstance(written, str):
            if written in _PRIMITIVE:
                return _PRIMITIVE[written], written == "null", Meaning()
            return self.type(self._named[written], place, open_)
        kind = written["type"]
        named = kind in {"record", "error", "enum", "fixed"}
        meaning = self.meaning(written, place, doc=not named)
        return self._complex(kind, written, place, open_), kind == "null", meaning

    def _complex(self, kind: str, written: dict[str, Any], place: Place, open_: tuple[str, ...]) -> pa.DataType | None:
        if kind in {"record", "error"}:
            full = written["name"]
            if full in open_:
                chain = " holds ".join(f"`{one}`" for one in (*open_[open_.index(full) :], full))
                fix = "a table has a fixed depth: write out the levels that are needed, or leave the field out"
                self._reading.problem(f"a type that holds itself: {chain}", place, fix)
                return None
            made = self.fields(written, place, (*open_, full))
            return pa.struct([one for one in made if one is not None])
        if kind == "array":
            item = self._child("item", "[]", written["items"], place, open_)
            return None if item is None else pa.list_(item)
        if kind == "map":
            value = self._child("value", "{}", written["values"], place, open_)
            return None if value is None else pa.map_(pa.field("key", pa.string(), nullable=False), value)
        if kind == "enum":
            return pa.string()
        return self._logical(kind, written, place)

    def _child(self, name: str, suffix: str, written: Any, place: Place, open_: tuple[str, ...]) -> pa.Field | None:
        at = place.below(suffix)
        data_type, nullable, meaning = self.type(written, at, open_)
        return self._made(name, data_type, nullable, meaning, at)

    def _logical(self, kind: str, written: dict[str, Any], place: Place) -> pa.DataType | None:
        base = pa.binary(written["size"]) if kind == "fixed" else _PRIMITIVE[kind]
        logical = written.get("logicalType")
        if logical == "decimal":
            return self._decimal(kind, written, place)
        if logical in _LOGICAL:
            wanted, data_type = _LOGICAL[logical]
            if kind != wanted:
                fix = f"write the type `{wanted}`"
                self._reading.problem(f"logical type `{logical}` stands on `{kind}`, expected `{wanted}`", place, fix)
                return None
            return data_type
        return base

    def _decimal(self, kind: str, written: dict[str, Any], place: Place) -> pa.DataType | None:
        precision, scale = written.get("precision"), written.get("scale", 0)
        if kind not in {"bytes", "fixed"}:
            self._reading.problem(f"a decimal stands on `{kind}`", place, "write the type `bytes`")
            return None
        if not isinstance(precision, int):
            self._reading.problem("a decimal without a precision", place, "add `precision`, and `scale` if it is not 0")
            return None
        return self._reading.type(f"decimal({precision}, {scale})", place)

    def _union(
        self, branches: list[Any], place: Place, open_: tuple[str, ...]
    ) -> tuple[pa.DataType | None, bool, Meaning]:
        rest = [one for one in branches if one != "null" and not (isinstance(one, dict) and one.get("type") == "null")]
        if len(rest) == 1:
            data_type, _, meaning = self.type(rest[0], place, open_)
            return data_type, len(rest) < len(branches), meaning
        if not rest:
            return pa.null(), True, Meaning()
        listed = ", ".join(f"`{self._shown(one)}`" for one in rest)
        fix = "a column has one type: make it one type with null, or a record with a nullable field for each"
        self._reading.problem(f"a union of {len(rest)} types: {listed}", place, fix)
        return None, False, Meaning()

    def _shown(self, written: Any) -> str:
        return str(written.get("name") or written["type"]) if isinstance(written, dict) else str(written)
