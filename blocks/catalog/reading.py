"""Reads and validates a catalog as a whole, with the place of every problem."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from blocks.catalog.functions import function_entries
from blocks.catalog.model import COUNTED, Catalog, Entry, Target, numbers
from blocks.catalog.names import catalog_file
from blocks.catalog.own_functions import SECTIONS, own_functions
from blocks.core import strict_yaml
from blocks.core.errors import CatalogError, Problem, all_problems, nearest

_TARGET = TypeAdapter[str](Target)
_KEYS = ("blocks", "functions", "names", *SECTIONS)
# By what a reader of the file calls them.
_OPTIONS = tuple("class" if name == "target" else name for name in Entry.model_fields)


def read_catalog(path: str | Path | None = None) -> Catalog:
    """The catalog of a file, or that of the library.

    Args:
      path: a YAML file; the library's own unless given.

    Raises:
      CatalogError: every entry and name that is wrong, with line and column.
    """
    file = Path(path) if path is not None else catalog_file()
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _read(file, changed)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> Catalog:
    document = strict_yaml.load(path, error=CatalogError)
    with all_problems(document.file, CatalogError) as problems:
        data = document.data if isinstance(document.data, dict) else {}
        # A catalog may be there for functions of SQL alone.
        alone = any(section in data for section in SECTIONS) and "blocks" not in data
        if not (alone or isinstance(data.get("blocks"), list)) or not isinstance(data.get("names", {}), dict):
            problems.append(
                Problem("a catalog has `blocks`, a list, and `names`, a mapping", document.where(()), "add them")
            )
            data = {}
        for key in data:
            if key not in _KEYS:
                problems.append(Problem(f"unknown key `{key}`", document.where_key((key,)), nearest(key, _KEYS)))
        entries = [
            entry
            for number, content in enumerate(data.get("blocks", ()))
            if (entry := _entry(document, number, content, problems)) is not None
        ]
        functions = function_entries(document, data.get("functions", []), problems)
        own = own_functions(document, data, problems)
        names = _names(document, data.get("names", {}), entries, problems)
    return Catalog(tuple(entry for _, entry in entries), names, functions, own)


def _entry(
    document: strict_yaml.Document, number: int, content: Any, problems: list[Problem]
) -> tuple[int, Entry] | None:
    at: tuple[str | int, ...] = ("blocks", number)
    if not isinstance(content, dict):
        problems.append(Problem("an entry is a mapping", document.where(at), "begin with `name:`"))
        return None
    content = dict(content)
    title = f"entry `{content.get('name', number + 1)}`"
    for key in [key for key in content if key not in _OPTIONS]:
        del content[key]
        problems.append(
            Problem(f"{title}: unknown key `{key}`", document.where_key((*at, key)), nearest(key, _OPTIONS))
        )
    try:
        entry = Entry.model_validate(content)
        problems.extend(_uncounted(document, at, entry))
        return number, entry
    except ValidationError as error:
        for one in error.errors():
            path = tuple(part for part in one["loc"] if isinstance(part, str | int))
            what, fix = _message(one)
            problems.append(Problem(f"{title}: {'.'.join(map(str, path))}: {what}", document.where((*at, *path)), fix))
    return None


def _uncounted(document: strict_yaml.Document, at: tuple[str | int, ...], entry: Entry) -> Iterator[Problem]:
    """Names of the equation that no trial counts, and trials of one name."""
    wanted = set(re.findall(r"[a-z_]+", entry.conserves)) - set(COUNTED)
    seen: set[str] = set()
    for number, trial in enumerate(entry.trials):
        place = document.where((*at, "trials", number))
        for name in sorted(wanted - set(trial.counts)):
            what = f"entry `{entry.name}`: trial `{trial.name}` does not count `{name}`, which `conserves` names"
            yield Problem(what, place, f'add counts: {{{name}: "a SQL aggregate over the table input"}}')
        if trial.name in seen:
            yield Problem(f"entry `{entry.name}`: two trials are named `{trial.name}`", place, "give them names")
        seen.add(trial.name)


def _message(error: Any) -> tuple[str, str]:
    if error["type"] == "missing":
        return "is missing", "add it"
    if error["type"] == "literal_error":
        return f"is not {error['ctx']['expected']}", "write one of them"
    if error["type"] == "string_pattern_mismatch":
        form = {
            "conserves": "`rows_in = rows_out + rejects`",
            "version": "1.0.0",
            "since": "0.1.0",
            "class": "package.module:Class",
            "name": "MaskColumns",
        }
        return "is not of the right form", f"write it as in {form.get(str(error['loc'][-1]), 'other entries')}"
    message = str(error["msg"])
    return message[:1].lower() + message[1:], "see the head of catalog.yaml"


def _names(
    document: strict_yaml.Document, content: dict[str, Any], entries: list[tuple[int, Entry]], problems: list[Problem]
) -> dict[str, str]:
    last: dict[str, Entry] = {}
    for number, entry in entries:
        before = last.get(entry.name)
        if before is not None and before.major == entry.major:
            what = f"two entries of `{entry.name}` with the major version {entry.major}"
            problems.append(Problem(what, document.where(("blocks", number, "name")), "a new major, or one entry"))
        elif before is not None and before.major > entry.major:
            what = f"the version of `{entry.name}` goes down, from {before.version} to {entry.version}"
            problems.append(Problem(what, document.where(("blocks", number, "version")), "put the newer one last"))
        elif before is not None and numbers(before.since) > numbers(entry.since):
            what = f"`{entry.name}` {entry.version} came in {entry.since}, before {before.version} in {before.since}"
            problems.append(Problem(what, document.where(("blocks", number, "since")), "mend `since`"))
        last[entry.name] = entry
    for name, target in content.items():
        place = document.where(("names", name))
        if name in {entry.name for _, entry in entries}:
            problems.append(Problem(f"`{name}` is a block and a name", place, "take it out of `names`"))
        try:
            _TARGET.validate_python(target)
        except ValidationError:
            problems.append(Problem(f"`{name}` has no `module:attribute`", place, "as in blocks.core.schema:describe"))
    return {name: str(target) for name, target in content.items()}
