"""The head of a SQL function's file: comments that say its name, signature and examples.

    -- name: clamp
    -- version: 1
    -- description: A number, or the bound that it lies beyond.
    -- signature: (number BIGINT, least BIGINT, most BIGINT) RETURNS BIGINT
    -- nulls: null
    -- example: clamp(12, 0, 10) -> 10

    CASE WHEN number < least THEN least WHEN number > most THEN most ELSE number END

A value may go on in the next line, as `--   ` and more. `signature` and `example` may be repeated.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from blocks.core.errors import Problem, nearest
from blocks.sql.functions.model import Overload
from blocks.sql.functions.signatures import SignatureError, parse_signature

Nulls = Literal["null", "call", "never"]
KEYS = ("name", "version", "description", "signature", "nulls", "example")
_NULLS = ("null", "call", "never")
_REPEATED = ("signature", "example")
_LINE = re.compile(r"--( ?)(.*)")
_KEY = re.compile(r"(\w+):[ \t]*(.*)")
MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a key, and where it stands.

    Attributes:
      text: lines joined by one blank.
      line: from 1.
      column: from 1.
    """

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the head says.

    Attributes:
      name: of the function.
      version: major.
      description: one or a few sentences.
      overloads: one a signature, in order.
      nulls: what a NULL argument does: `null` gives NULL, `call` leaves it to the expression, `never` says that the
        result is never NULL.
      examples: (call, result) as SQL.
      expression: what stands below.
      line: of its first character.
      places: key to where its values stand.
    """

    name: str
    version: int
    description: str
    overloads: tuple[Overload, ...]
    nulls: Nulls
    examples: tuple[tuple[str, str], ...]
    expression: str
    line: int
    places: dict[str, list[Value]]


def read_header(text: str, file: str, problems: list[Problem]) -> Header | None:
    """Reads a file's text; None where it cannot be used, for the reasons that are added to `problems`."""
    before = len(problems)
    found, expression, line = _split(text, file, problems)
    for key in KEYS:
        values = found.get(key, [])
        if not values and key != "nulls":
            problems.append(Problem(f"`{key}` is missing", file, f"add a line `-- {key}: {_FORMS[key]}`"))
        if len(values) > 1 and key not in _REPEATED:
            problems.append(Problem(f"`{key}` stands twice", _at(file, values[1]), "remove one"))
    problems.extend(_name(found, file))
    problems.extend(_plain(found, file))
    overloads = list(_overloads(found, file, problems))
    examples = list(_examples(found, file, problems))
    if not expression:
        problems.append(Problem("there is no expression", file, "write one SQL expression below the head"))
    if len(problems) > before:
        return None
    nulls = found["nulls"][0].text if "nulls" in found else "null"
    return Header(
        found["name"][0].text,
        int(found["version"][0].text),
        found["description"][0].text,
        tuple(overloads),
        cast(Nulls, nulls),
        tuple(examples),
        expression,
        line,
        found,
    )


_FORMS = {
    "name": "clamp",
    "version": "1",
    "description": "what it does, in a sentence",
    "signature": "(number BIGINT) RETURNS BIGINT",
    "nulls": "null",
    "example": "clamp(12, 0, 10) -> 10",
}


def _split(text: str, file: str, problems: list[Problem]) -> tuple[dict[str, list[Value]], str, int]:
    """(key to values, expression, its first line)."""
    found: dict[str, list[Value]] = {}
    last: list[Value] | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            last = None
            continue
        comment = _LINE.match(line)
        if comment is None:
            expression = "\n".join(lines[number - 1 :]).rstrip()
            return found, expression, number
        content = comment[2]
        pair = _KEY.match(content)
        if pair is not None:
            key, value = pair[1], Value(pair[2].rstrip(), number, comment.start(2) + pair.start(2) + 1)
            if key not in KEYS:
                problems.append(Problem(f"unknown key `{key}`", f"{file}:{number}:4", nearest(key, KEYS)))
            last = found.setdefault(key, [])
            last.append(value)
        elif content.strip() and content[0] == " " and last:
            last[-1] = Value(f"{last[-1].text} {content.strip()}", last[-1].line, last[-1].column)
        elif content.strip():
            fix = "write `key: value`, or begin the line with `--   ` where a value goes on"
            problems.append(Problem("a line of the head that is no `key: value`", f"{file}:{number}:1", fix))
    return found, "", len(lines) + 1


def _at(file: str, value: Value, offset: int = 0) -> str:
    return f"{file}:{value.line}:{value.column + offset}"


def _name(found: dict[str, list[Value]], file: str) -> Iterator[Problem]:
    for value in found.get("name", ())[:1]:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value.text):
            yield Problem(f"`{value.text}` is no name", _at(file, value), "write it in lower case, as `safe_divide`")
        elif re.search(r"_v\d+$", value.text):
            # `clamp_v1` is how a query asks for version 1 of `clamp`.
            yield Problem(f"`{value.text}` ends like a version", _at(file, value), "leave out `_v` and the number")


def _plain(found: dict[str, list[Value]], file: str) -> Iterator[Problem]:
    for value in found.get("version", ())[:1]:
        if not re.fullmatch(r"[1-9]\d{0,5}", value.text):
            yield Problem("`version` is no whole number from 1", _at(file, value), "write the major version, as `1`")
    for value in found.get("description", ())[:1]:
        if not value.text:
            yield Problem("`description` is empty", _at(file, value), "say in a sentence what the function does")
    for value in found.get("nulls", ())[:1]:
        if value.text not in _NULLS:
            yield Problem(f"`nulls` is `{value.text}`", _at(file, value), f"write one of {', '.join(_NULLS)}")


def _overloads(found: dict[str, list[Value]], file: str, problems: list[Problem]) -> Iterator[Overload]:
    seen: dict[tuple[str, ...], Value] = {}
    names: tuple[str, ...] | None = None
    for value in found.get("signature", ()):
        try:
            overload = parse_signature(value.text)
        except SignatureError as error:
            problems.append(Problem(f"signature: {error.what}", _at(file, value, error.at), error.fix))
            continue
        problems.extend(_unheld(overload, value, file))
        types = tuple(str(argument.type) for argument in overload.arguments)
        if types in seen:
            what = f"two signatures with the same types (first in line {seen[types].line})"
            problems.append(Problem(what, _at(file, value), "remove one"))
        seen.setdefault(types, value)
        own = tuple(argument.name for argument in overload.arguments)
        if names is not None and own != names:
            what = f"the signatures name their arguments differently: {', '.join(names)} and {', '.join(own)}"
            problems.append(Problem(what, _at(file, value), "all share one expression: give them the same names"))
        names = names or own
        yield overload


def _unheld(overload: Overload, value: Value, file: str) -> Iterator[Problem]:
    for argument in overload.arguments:
        if argument.type.name in ("ROW", "ANY"):
            fix = "pass the fields that it needs" if argument.type.name == "ROW" else "write a signature for each type"
            yield Problem(f"`{argument.name}` is {argument.type.name}: not for a SQL function", _at(file, value), fix)
    if overload.returns.name in ("ROW", "ANY"):
        yield Problem(f"a SQL function cannot return {overload.returns.name}", _at(file, value), "return a plain type")


def _examples(found: dict[str, list[Value]], file: str, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    name = found["name"][0].text if found.get("name") else ""
    for value in found.get("example", ()):
        call, arrow, result = (part.strip() for part in value.text.rpartition(" -> "))
        if not arrow or not call or not result:
            fix = f"write the call, ` -> `, and the result as SQL: {_FORMS['example']}"
            problems.append(Problem("an example without a result", _at(file, value), fix))
        elif name and not call.startswith(f"{name}("):
            problems.append(Problem(f"an example that does not call `{name}`", _at(file, value), f"write {name}(...)"))
        else:
            yield call, result
