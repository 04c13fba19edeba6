"""The options of a block: names, types, defaults and meaning, from its signature and docstring."""

import inspect
import re
import types
import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

REQUIRED = inspect.Parameter.empty
_PLAIN = {
    str: "text",
    Path: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    date: "a date",
    datetime: "a time",
    bytes: "bytes",
    Any: "anything",
    type(None): "nothing",
}


@dataclass(frozen=True)
class Option:
    """One option of a block.

    Attributes:
      name: keyword of `__init__`.
      annotation: its type.
      default: `REQUIRED` if there is none.
      description: from the docstring.
    """

    name: str
    annotation: Any
    default: Any
    description: str = ""

    @property
    def kind(self) -> str:
        """The type in words, without `or nothing` for an option whose default is None."""
        return kind_of(self.annotation)

    @property
    def is_input(self) -> bool:
        """Whether it is a PCollection, which a config cannot hold and YAML gives as an input."""
        return self.kind == "a PCollection"


def options_of(cls: type) -> dict[str, Option]:
    """The options of a block's class, in order."""
    signature = inspect.signature(cls)
    try:
        hints = typing.get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError:
        # A name that is imported for type checkers only.
        hints = {}
    described = described_arguments(cls)
    return {
        name: Option(name, hints.get(name, Any), parameter.default, described.get(name, ""))
        for name, parameter in signature.parameters.items()
    }


def kind_of(annotation: Any) -> str:
    """A type as a reader of YAML thinks of it: `text`, `a list of text`, `one of batch, stream`."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = dict.fromkeys(kind_of(one) for one in arguments if one is not type(None))
        return " or ".join(kinds)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is typing.Annotated:
        return kind_of(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping of {kind_of(arguments[0])} to {kind_of(arguments[1])}"
    if isinstance(origin, type) and issubclass(origin, Sequence | AbstractSet):
        return f"a list of {_plural(kind_of(arguments[0]))}" if arguments else "a list"
    if annotation in (dict, Mapping):
        return "a mapping"
    if annotation in (list, tuple, set, frozenset, Sequence):
        return "a list"
    return f"a {getattr(annotation, '__name__', annotation)}"


def _plural(kind: str) -> str:
    return {"a whole number": "whole numbers", "a number": "numbers"}.get(kind, f"({kind})" if " or " in kind else kind)


def value_kind(value: Any) -> str:
    """What a value out of YAML is, in the same words; never the value."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return next((words for kind, words in _PLAIN.items() if type(value) is kind), f"a {type(value).__name__}")


def described_arguments(cls: type) -> dict[str, str]:
    """Name to text of the `Args:` section of a docstring in Google's style."""
    text = inspect.getdoc(cls) or ""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", text, re.MULTILINE)
    if not section:
        return {}
    found: dict[str, list[str]] = {}
    name = ""
    indent = len(section[1]) - len(section[1].lstrip())
    for line in section[1].splitlines():
        start = re.match(rf"^ {{{indent}}}(\w+): ?(.*)$", line)
        if start:
            name = start[1]
            found[name] = [start[2]]
        elif name and line.strip():
            found[name].append(line.strip())
    return {name: " ".join(lines).strip() for name, lines in found.items()}
