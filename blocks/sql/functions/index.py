"""Reads the index of functions in Java and Scala, which their build writes from annotations and byte code."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from blocks.core.errors import Problem
from blocks.sql.functions.model import Argument, Function, Overload
from blocks.sql.functions.signatures import SignatureError, parse_type

FORMAT = 1
MAX_BYTES = 16 << 20
_KINDS = ("scalar", "aggregate")
_LANGUAGES = ("java", "scala")
_NULLS = ("null", "call", "skip")
_NAME = r"[a-z][a-z0-9_]*"


def java_index_file() -> Path:
    """The library's index: beside this module in an installed package, in `java_udfs/` of a checkout otherwise."""
    installed = Path(__file__).with_name("java_index.json")
    return installed if installed.exists() else Path(__file__).parents[3] / "java_udfs" / "index.json"


def read_index(
    index: str | Path | Mapping[str, Any], problems: list[Problem], *, jar: str = "", source: str = "index.json"
) -> tuple[Function, ...]:
    """The functions of an index, without those that are wrong, for the reasons that are added to `problems`.

    Args:
      index: a JSON file, or its content.
      problems: to add to.
      jar: SHA-256 of the archive, for a user's own; its functions have the origin `jar`.
      source: name for messages, where the content is given.
    """
    if isinstance(index, str | Path):
        source = str(index)
        content = _content(Path(index), problems)
    else:
        content = dict(index)
    if content is None:
        return ()
    if content.get("format") != FORMAT or not isinstance(content.get("functions"), list):
        what = f"not an index of functions of format {FORMAT}"
        problems.append(Problem(what, source, "build the archive with this version's annotations"))
        return ()
    found: list[Function] = []
    for number, one in enumerate(content["functions"]):
        before = len(problems)
        function = _function(one, f"{source}: functions[{number}]", jar, problems)
        if function is not None and len(problems) == before:
            found.append(function)
    problems.extend(_repeated(found, source))
    return tuple(found)


def _content(path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            problems.append(Problem(f"the file has more than {MAX_BYTES >> 20} MiB", str(path), "this is no index"))
            return None
        content = json.loads(path.read_bytes())
    except OSError as error:
        problems.append(Problem(f"cannot read the file: {error.strerror}", str(path), "check the path"))
        return None
    except ValueError:
        problems.append(Problem("the file is not JSON", str(path), "build the index again"))
        return None
    return content if isinstance(content, dict) else {}


def _function(one: Any, where: str, jar: str, problems: list[Problem]) -> Function | None:
    if not isinstance(one, dict):
        problems.append(Problem("a function is an object", where, "build the index again"))
        return None
    name, version = one.get("name"), one.get("version", 1)
    if not isinstance(name, str) or not re.fullmatch(_NAME, name) or re.search(r"_v\d+$", name):
        what = "a name that is not in lower case, or ends like a version"
        problems.append(Problem(what, where, "name it as in `geo_spread`"))
        return None
    where = f"{where} (`{name}`)"
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        problems.append(Problem("`version` is no whole number from 1", where, "give a major version"))
    for key, known in (("kind", _KINDS), ("language", _LANGUAGES), ("nulls", _NULLS)):
        if one.get(key) not in known:
            problems.append(Problem(f"`{key}` is none of {', '.join(known)}", where, "build the index again"))
    overloads = tuple(_overloads(one.get("overloads"), where, problems))
    origin: Literal["java", "scala", "jar"] = "jar" if jar else "scala" if one.get("language") == "scala" else "java"
    return Function(
        name=name,
        kind=one.get("kind", "scalar"),
        origin=origin,
        overloads=overloads,
        version=version,
        nulls=one.get("nulls", "call"),
        deterministic=one.get("deterministic") is True,
        description=str(one.get("description", "")),
        jar=jar,
        examples=tuple(_examples(one.get("examples", []))),
    )


def _overloads(content: Any, where: str, problems: list[Problem]) -> Iterator[Overload]:
    if not isinstance(content, list) or not content:
        problems.append(Problem("there is no overload", where, "give the class a public `eval`"))
        return
    for number, one in enumerate(content):
        place = f"{where}: overloads[{number}]"
        try:
            arguments = tuple(
                Argument(str(argument["name"]), parse_type(argument["type"]), argument.get("optional") is True)
                for argument in one["arguments"]
            )
            yield Overload(arguments, parse_type(one["returns"]), one.get("variadic") is True)
        except SignatureError as error:
            problems.append(Problem(error.what, place, error.fix))
        except (KeyError, TypeError):
            problems.append(Problem("an overload without arguments or result", place, "build the index again"))


def _examples(content: Any) -> Iterator[tuple[str, str]]:
    for one in content if isinstance(content, list) else ():
        if isinstance(one, dict) and one.get("call"):
            call = str(one["call"]) + (f" FROM {one['from']}" if one.get("from") else "")
            yield call, str(one.get("result", "NULL"))


def _repeated(functions: list[Function], source: str) -> Iterator[Problem]:
    seen: set[tuple[str, int]] = set()
    for function in functions:
        key = (function.name, function.version)
        if key in seen:
            yield Problem(f"two functions are `{key[0]}` {key[1]}", source, "give one another name or version")
        seen.add(key)
