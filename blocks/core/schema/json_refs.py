"""JSON Schema files and the `$ref`s between them; local files only, never the network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from blocks.core.errors import nearest
from blocks.core.schema.meaning import Place, Reading
from blocks.core.schema.source import near_files, read_json

_JSON_TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


@dataclass(frozen=True, slots=True)
class Node:
    """A schema inside a file.

    Attributes:
      value: the JSON value.
      path: the file.
      open: the references that were followed to get here, as `file#pointer`; one that comes again is a circle.
    """

    value: Any
    path: Path
    open: tuple[str, ...] = ()

    def at(self, *steps: str | int) -> "Node":
        """A value further inside."""
        value = self.value
        for step in steps:
            value = value[step]
        return replace(self, value=value)

    def with_value(self, value: Any) -> "Node":
        """The same place with another value."""
        return replace(self, value=value)


class Documents:
    """Files that are read once each.

    Args:
      reading: collects problems.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._loaded: dict[Path, Any] = {}

    def open(self, path: Path, place: Place) -> Node:
        """The root of a file, checked against the meta-schema of its draft.

        Raises:
          SchemaError: not JSON, or not JSON Schema; every breach at once.
        """
        key = path.resolve()
        if key not in self._loaded:
            value = read_json(path, self._reading, place)
            self._check(value, "" if place == Place() and not self._loaded else path.name)
            self._loaded[key] = value
        # The root itself is open from the start, so that a `$ref` to it is a circle.
        return Node(self._loaded[key], key, () if self._loaded.keys() - {key} else (f"{key}#",))

    def _check(self, value: Any, shown: str) -> None:
        named = isinstance(value, dict) and isinstance(value.get("$schema"), str)
        draft = validator_for(value, default=Draft202012Validator) if named else Draft202012Validator
        try:
            errors = sorted(draft(draft.META_SCHEMA).iter_errors(value), key=lambda error: list(map(str, error.path)))
        except RecursionError:
            raise self._reading.stop("the schema is nested too deep", Place(file=shown), "flatten it") from None
        for error in errors:
            pointer = "#" + "".join(f"/{step}" for step in error.path)
            at = Place(pointer, file=shown)
            wrong = error.instance
            if error.path and error.path[-1] == "type" and isinstance(wrong, str):
                self._reading.problem(f"no JSON type `{wrong}`", at, nearest(wrong, _JSON_TYPES))
            else:
                self._reading.problem(f"not JSON Schema: {error.message[:200]}", at, "see the JSON Schema reference")
        self._reading.raise_problems()

    def follow(self, node: Node, place: Place) -> Node | None:
        """The target of the `$ref` of a node; None after a problem was noted."""
        written = node.value["$ref"]
        address, _, fragment = written.partition("#")
        root = self._target_file(node, address, written, place)
        if root is None:
            return None
        if fragment and not fragment.startswith("/"):
            fix = "write a path, as in `#/$defs/user`"
            self._reading.problem(f"`$ref` `{written}` goes to an anchor", place, fix)
            return None
        key = f"{root.path}#{unquote(fragment)}"
        if key in node.open:
            fix = "a table has a fixed depth: write out the levels that are needed, or leave the property out"
            self._reading.problem(f"a schema that holds itself, by `$ref` `{written}`", place, fix)
            return None
        value = root.value
        for step in unquote(fragment).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            inside = _step(value, name)
            if inside is None:
                there = list(value) if isinstance(value, Mapping) else []
                self._reading.problem(f"`$ref` `{written}` goes nowhere: no `{name}`", place, nearest(name, there))
                return None
            value = inside[0]
        return Node(value, root.path, (*node.open, key))

    def _target_file(self, node: Node, address: str, written: str, place: Place) -> Node | None:
        here = Node(self._loaded[node.path], node.path)
        own_id = here.value.get("$id") if isinstance(here.value, dict) else None
        if not address or address == own_id:
            return here
        if urlsplit(address).scheme or address.startswith("//"):
            fix = "schemas are never fetched: save the file beside this one and refer to it by its name"
            self._reading.problem(f"`$ref` `{written}` goes to another machine", place, fix)
            return None
        path = node.path.parent / unquote(address)
        if not path.is_file():
            self._reading.problem(f"`$ref` `{written}` goes to a file that is not there", place, near_files(path))
            return None
        target = Place(place.path, file=path.name, depth=place.depth)
        return self.open(path, target)


def _step(value: Any, name: str) -> tuple[Any] | None:
    """One step of a JSON pointer, in a tuple because the value may be None; None where there is no such step."""
    if isinstance(value, Mapping) and name in value:
        return (value[name],)
    if isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
        return (value[int(name)],)
    return None
