"""Finding and reading the file of a schema, and choosing one of the definitions in it."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blocks.core.errors import SchemaError, nearest
from blocks.core.schema.meaning import Place, Reading

MAX_BYTES = 16 << 20


def locate(source: str | os.PathLike[str]) -> Path:
    """The path of a local file.

    Raises:
      SchemaError: not a path, a URL, no such file (with the nearest name in its folder), or a folder.
    """
    if not isinstance(source, str | os.PathLike):
        raise SchemaError(
            f"expected a path, got {type(source).__name__}", where="source", fix="give the path of a schema file"
        )
    text = os.fsdecode(os.fspath(source))
    if "://" in text:
        raise SchemaError(
            "schemas are read from local files only", where=text, fix="download the file first and give its path"
        )
    path = Path(text).expanduser()
    if path.is_dir():
        raise SchemaError("expected a file, got a folder", where=text, fix=near_files(path / "schema"))
    if not path.is_file():
        raise SchemaError("no such file", where=text, fix=near_files(path))
    return path


def near_files(path: Path) -> str:
    """What a reader can do about a file that is not there: the nearest name in its folder."""
    if not path.parent.is_dir():
        return f"there is no folder `{path.parent}`"
    return nearest(path.name, sorted(one.name for one in path.parent.iterdir() if one.is_file()))


def read_text(path: Path, reading: Reading, place: Place) -> str | None:
    """The text of a file; None after a problem was noted: unreadable, not UTF-8, or over 16 MiB."""
    shown = path.name if place != Place() else ""
    at = Place(place.path, place.line, place.column, shown, place.depth)
    try:
        if path.stat().st_size > MAX_BYTES:
            reading.problem(f"the file has more than {MAX_BYTES >> 20} MiB", at, "a schema is small: check the path")
            return None
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        reading.problem("the file is not UTF-8 text", at, "save it as UTF-8")
    except OSError as error:
        reading.problem(f"cannot read the file: {error.strerror}", at, "check its path and permissions")
    return None


def read_json(path: Path, reading: Reading, place: Place) -> Any:
    """The JSON value of a file, without repeated keys; problems are noted and raised at once.

    Raises:
      SchemaError: not JSON (with line and column), a repeated key, or nested too deep.
    """
    shown = path.name if place != Place() else ""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            for name in sorted({name for name in names if names.count(name) > 1}):
                reading.problem(f"the key `{name}` stands twice in one object", Place(file=shown), "remove one")
        return found

    text = read_text(path, reading, place)
    if text is not None:
        try:
            value = json.loads(text, object_pairs_hook=unique)
            reading.raise_problems()
            return value
        except json.JSONDecodeError as error:
            at = Place(line=error.lineno, column=error.colno, file=shown)
            reading.problem(f"not JSON: {error.msg}", at, "mend the syntax")
        except RecursionError:
            reading.problem("not a schema: JSON that is nested too deep", Place(file=shown), "check the file")
    reading.raise_problems()
    raise AssertionError("a problem was noted")


def choose(name: str | None, names: Sequence[str], what: str, reading: Reading) -> str:
    """The definition to take: the one of that name, or the only one.

    Raises:
      SchemaError: no such name (with the nearest), none at all, or several and no name.
    """
    if name is not None:
        if name in names:
            return name
        raise SchemaError(f"no {what} `{name}`", where=reading.file, fix=nearest(name, names))
    if len(names) == 1:
        return names[0]
    if not names:
        raise SchemaError(f"the file defines no {what}", where=reading.file, fix=f"define a {what}")
    raise SchemaError(
        f"the file defines {len(names)} {what}s, and no name says which to take",
        where=reading.file,
        fix=f'give the name, as in name="{names[-1]}"; {nearest("", names)}',
    )
