"""What a catalog says of a user's own functions of SQL: archives with their SHA-256, and folders.

    udf_jars:
      - {path: functions.jar, sha256: 86e128dfacd8...}
    sql_udfs: [functions]

Paths are relative to the catalog. What is in archives and folders is read where a query is checked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocks.core import strict_yaml
from blocks.core.errors import CatalogError, Problem, all_problems, nearest

JARS, FOLDERS = "udf_jars", "sql_udfs"
SECTIONS = (JARS, FOLDERS)
_JAR_KEYS = ("path", "sha256")
_JAR_FORM = "write {path: functions.jar, sha256: ...}, the hash as sha256sum prints it"
_FOLDER_FORM = "write the folder that has a .sql file for each function"


@dataclass(frozen=True, slots=True)
class OwnFile:
    """An archive or a folder that a catalog names.

    Attributes:
      path: from where the reader is.
      where: the place in the catalog, for messages.
      sha256: of an archive, in small hex digits; empty for a folder.
    """

    path: Path
    where: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class OwnFunctions:
    """The functions of a user that a catalog names.

    Attributes:
      jars: archives of functions in Java or Scala.
      folders: of functions in SQL.
    """

    jars: tuple[OwnFile, ...] = ()
    folders: tuple[OwnFile, ...] = ()


def read_own_functions(path: str | Path) -> OwnFunctions:
    """The sections of a user's catalog that name functions; nothing else of it is looked at.

    Raises:
      CatalogError: everything that is wrong in them, with line and column; a catalog that has neither.
    """
    document = strict_yaml.load(path, error=CatalogError)
    with all_problems(document.file, CatalogError) as problems:
        data = document.data if isinstance(document.data, dict) else {}
        if not any(section in data for section in SECTIONS):
            close = next((f"; {hint}" for key in data if (hint := nearest(str(key), SECTIONS)).startswith("did")), "")
            fix = f"add `{JARS}:`, a list of {{path, sha256}}, or `{FOLDERS}:`, a list of folders{close}"
            problems.append(Problem("the catalog names no functions of your own", document.file, fix))
        found = own_functions(document, data, problems)
    return found  # noqa: RET504 - the problems are raised where the block ends


def names_functions(path: Path) -> bool:
    """Whether a file is a catalog that names functions; False for any other file, also one that cannot be read."""
    try:
        data = strict_yaml.load(path, error=CatalogError).data
    except CatalogError:
        return False
    return isinstance(data, dict) and any(section in data for section in SECTIONS)


def own_functions(document: strict_yaml.Document, data: dict[str, Any], problems: list[Problem]) -> OwnFunctions:
    """What the two sections say, without what is wrong, for the reasons that are added to `problems`."""
    home = Path(document.file).parent
    found: dict[str, list[OwnFile]] = {}
    for section in SECTIONS:
        content = data.get(section, [])
        if not isinstance(content, list):
            fix = "write a list, an entry a line"
            problems.append(Problem(f"`{section}` is no list", document.where((section,)), fix))
            content = []
        read = _jar if section == JARS else _folder
        found[section] = [
            one
            for number, said in enumerate(content)
            if (one := read(document, (section, number), said, home, problems)) is not None
        ]
        problems.extend(_repeated(found[section]))
    return OwnFunctions(tuple(found[JARS]), tuple(found[FOLDERS]))


def _jar(
    document: strict_yaml.Document, at: tuple[str | int, ...], said: Any, home: Path, problems: list[Problem]
) -> OwnFile | None:
    before = len(problems)
    if not isinstance(said, dict) or not isinstance(said.get("path"), str) or not said["path"]:
        problems.append(Problem("no path of an archive", document.where(at), _JAR_FORM))
        return None
    for key in said.keys() - set(_JAR_KEYS):
        fix = nearest(str(key), _JAR_KEYS)
        problems.append(Problem(f"unknown key `{key}`", document.where_key((*at, key)), fix))
    path, wanted = home / said["path"], said.get("sha256")
    fix = f"write what this prints: sha256sum {path}"
    if wanted is None:
        problems.append(Problem("an archive without its `sha256`", document.where(at), fix))
    elif not isinstance(wanted, str):
        what = "`sha256` is a number to YAML"
        problems.append(Problem(what, document.where((*at, "sha256")), "put it in quotes"))
    elif not re.fullmatch(r"[0-9a-fA-F]{64}", wanted):
        problems.append(Problem("`sha256` is not 64 hex digits", document.where((*at, "sha256")), fix))
    return OwnFile(path, document.where(at), str(wanted).lower()) if len(problems) == before else None


def _folder(
    document: strict_yaml.Document, at: tuple[str | int, ...], said: Any, home: Path, problems: list[Problem]
) -> OwnFile | None:
    if not isinstance(said, str) or not said:
        problems.append(Problem("no path of a folder", document.where(at), _FOLDER_FORM))
        return None
    return OwnFile(home / said, document.where(at))


def _repeated(found: list[OwnFile]) -> Iterator[Problem]:
    seen: dict[Path, str] = {}
    for one in found:
        before = seen.setdefault(one.path, one.where)
        if before != one.where:
            yield Problem(f"{one.path} is named twice, first in {before}", one.where, "take one out")
