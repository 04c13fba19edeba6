"""Parameters of a snippet: typed values that stand as `${name}` in its tree.

A value takes the place of a value in the parsed tree; text is never put into YAML text, so no value can add a key, a
step or a reference to another parameter. `${name}` alone keeps the parameter's type, within other text it becomes text,
`$${` is a plain `${`.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from blocks.catalog.options import value_kind
from blocks.core.errors import Problem, nearest
from blocks.core.strict_yaml import Document

TYPES = {
    "string": "text",
    "integer": "a whole number",
    "float": "a number",
    "boolean": "true or false",
    "date": "a date, as in 2026-01-31",
    "path": "a path",
}
_KEYS = ("type", "default", "description")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_OPEN = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
# Options that are statements of SQL: a value within their text would be pasted into it.
_STATEMENTS = {"RunSql": "query", "Sql": "query"}

Place = tuple[str | int, ...]


class _Missing:
    """Stands where a value would, if the problem is that it is not there."""


MISSING = _Missing()


def has_missing(value: Any) -> bool:
    """Whether something in the tree is `MISSING`."""
    if isinstance(value, dict):
        return any(map(has_missing, value.values()))
    return any(map(has_missing, value)) if isinstance(value, list) else value is MISSING


@dataclass(frozen=True)
class Parameter:
    """One declared parameter.

    Attributes:
      name: as in `${name}`.
      type: one of `TYPES`.
      description: for people.
      default: typed; None if a value has to be given.
    """

    name: str
    type: str
    description: str = ""
    default: Any = None


def declared(document: Document, content: Any, problems: list[Problem]) -> dict[str, Parameter]:
    """The parameters that a snippet declares."""
    if not isinstance(content, dict):
        fix = "write `parameters:` and below it `name: {type: string}`"
        problems.append(Problem(f"expected a mapping, got {value_kind(content)}", document.where(("parameters",)), fix))
        return {}
    found: dict[str, Parameter] = {}
    for name, spec in content.items():
        at: Place = ("parameters", name)
        if not _NAME.fullmatch(name):
            problems.append(Problem(f"`{name}` is not a name", document.where(at), "use letters, digits and _"))
            continue
        # A parameter with mistakes still is there, so that its uses are not reported too.
        found[name] = _declaration(document, at, name, spec, problems)
    return found


def _declaration(document: Document, at: Place, name: str, spec: Any, problems: list[Problem]) -> Parameter:
    if not isinstance(spec, dict):
        problems.append(
            Problem(f"parameter `{name}` has no type", document.where(at), f"write {name}: {{type: string}}")
        )
        return Parameter(name, "string", "", "")
    for key in spec:
        if key not in _KEYS:
            where = document.where_key((*at, key))
            problems.append(Problem(f"unknown key `{key}` of a parameter", where, nearest(key, _KEYS)))
    kind = spec.get("type")
    if kind not in TYPES:
        where = document.where((*at, "type"))
        what = f"parameter `{name}`: `{kind}` is not a type" if kind else f"parameter `{name}` has no type"
        problems.append(Problem(what, where, nearest(str(kind or ""), TYPES)))
        return Parameter(name, "string", "", "")
    default = spec.get("default")
    if default is not None and not _fits(kind, default):
        finite = not isinstance(default, float) or math.isfinite(default)
        got = value_kind(default) if finite else "NaN or infinity"
        what = f"default of `{name}`: expected {TYPES[kind]}, got {got}"
        problems.append(Problem(what, document.where((*at, "default")), "mend the default, or the type"))
        default = MISSING
    if kind == "path" and isinstance(default, str):
        default = beside(document.file, default)
    return Parameter(name, kind, str(spec.get("description", "")), default)


def _fits(kind: str, value: Any) -> bool:
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "date":
        return isinstance(value, date) and not isinstance(value, datetime)
    expected = {"string": str, "path": str, "integer": int, "boolean": bool}[kind]
    return type(value) is expected


def beside(file: str, path: str) -> str:
    """A path that is relative to a snippet's file, from where the reader is; URLs and absolute paths as they are."""
    if "://" in path or Path(path).is_absolute():
        return path
    return os.path.normpath(Path(file).parent / path)


def values(
    document: Document, parameters: Mapping[str, Parameter], given: Mapping[str, str], problems: list[Problem]
) -> dict[str, Any]:
    """Typed values: those that were given as text, and defaults.

    A path that is given is relative to the working directory, a default to the snippet's file.
    """
    found: dict[str, Any] = {}
    for name, text in given.items():
        if name not in parameters:
            what = f"the snippet has no parameter `{name}`"
            problems.append(Problem(what, f"{document.file}: --set {name}", nearest(name, parameters)))
            continue
        parsed = parse(parameters[name].type, text)
        if parsed is None:
            what = f"parameter `{name}`: expected {TYPES[parameters[name].type]}"
            problems.append(Problem(what, f"--set {name}", "give another value"))
            parsed = MISSING
        found[name] = Path(text).absolute().as_posix() if parameters[name].type == "path" else parsed
    for name, parameter in parameters.items():
        if name not in given and parameter.default is None:
            where = document.where(("parameters", name))
            problems.append(Problem(f"parameter `{name}` has no value", where, f"--set {name}=..., or give a default"))
        found.setdefault(name, MISSING if parameter.default is None else parameter.default)
    return found


def parse(kind: str, text: str) -> Any:
    """A value from the command line; None if it does not fit the type."""
    try:
        if kind == "integer":
            return int(text)
        if kind == "float":
            number = float(text)
            return number if math.isfinite(number) else None
        if kind == "boolean":
            return {"true": True, "false": False}.get(text.lower())
        if kind == "date":
            return date.fromisoformat(text)
    except ValueError:
        return None
    return text


def substituted(document: Document, content: Any, at: Place, known: Mapping[str, Any], problems: list[Problem]) -> Any:
    """The tree with every `${name}` replaced by its value."""
    if isinstance(content, dict):
        content = _nothing_pasted(document, content, at, problems)
        return {key: substituted(document, value, (*at, key), known, problems) for key, value in content.items()}
    if isinstance(content, list):
        return [substituted(document, value, (*at, number), known, problems) for number, value in enumerate(content)]
    if not isinstance(content, str) or "${" not in content:
        return content
    if any(match[1] is not None and not match[2] for match in _OPEN.finditer(content)):
        fix = "write ${NAME}, or $${ for a plain ${"
        problems.append(Problem("`${` is not closed", document.where(at), fix))
        return MISSING
    for name in dict.fromkeys(match[1] for match in _REFERENCE.finditer(content) if match[1] is not None):
        if name not in known:
            problems.append(Problem(f"no parameter `{name}`", document.where(at), nearest(name, known)))
            return MISSING
        if known[name] is MISSING:
            return MISSING
    whole = _REFERENCE.fullmatch(content)
    if whole and whole[1] is not None:
        return known[whole[1]]
    return _REFERENCE.sub(lambda match: "${" if match[1] is None else _text(known[match[1]]), content)


def _nothing_pasted(document: Document, step: dict[Any, Any], at: Place, problems: list[Problem]) -> dict[Any, Any]:
    """The step, without its query where that has a `${name}` within its text; a query may be one as a whole."""
    config, option = step.get("config"), _STATEMENTS.get(str(step.get("type")).partition("@")[0])
    query = config.get(option) if isinstance(config, dict) and option else None
    names = [match[1] for match in _REFERENCE.finditer(query) if match[1] is not None] if isinstance(query, str) else []
    if not names or _REFERENCE.fullmatch(str(query)):
        return step
    given = ", ".join(f'{name}: "${{{name}}}"' for name in dict.fromkeys(names))
    fix = f"write :{names[0]} in the query of a RunSql, without quotes, and give it `parameters: {{{given}}}`"
    what = f"the value of `${{{names[0]}}}` would be pasted into SQL"
    problems.append(Problem(what, document.where((*at, "config", str(option))), fix))
    assert isinstance(config, dict)
    return {**step, "config": {**config, option: MISSING}}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
