"""Archives of functions that a user brings: there, an archive, unchanged, and for the Java that runs them."""

import hashlib
import json
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from blocks.core.errors import BlocksError, Problem
from blocks.sql.running.indexing import index_of

# Written by the build of `java_udfs`; an archive without one is read by the same program when it is used first.
INDEX = "META-INF/blocks/functions.json"
# The runtime of the extra; `class` files carry their version, which is 44 higher.
NEWEST_JAVA = 25
_CLASS_OFFSET = 44
_MAGIC = 0xCAFEBABE
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_MAX_INDEX = 16 << 20


@dataclass(frozen=True)
class Archive:
    """An archive of functions.

    Attributes:
      path: absolute.
      sha256: of its bytes, in hex.
      index: of its functions.
      where: what names it, for messages.
    """

    path: Path
    sha256: str
    index: Mapping[str, Any]
    where: str


def read_archives(given: Sequence[str | Path | Mapping[str, str]], problems: list[Problem]) -> list[Archive]:
    """The archives that can be used; why the others cannot goes to `problems`.

    Args:
      given: paths, or mappings of `path` and `sha256`.
      problems: grows.
    """
    if isinstance(given, str | Path | Mapping):
        given = [given]
    found = []
    for number, one in enumerate(given, 1):
        where = f"udf_jars[{number}]"
        before = len(problems)
        path, wanted = _asked(one, where, problems)
        if len(problems) == before:
            archive = read_archive(path, wanted, where, problems)
            found += [archive] if archive is not None else []
    return found


def _asked(one: Any, where: str, problems: list[Problem]) -> tuple[Path, str]:
    """Path and expected hash, which is empty where none is given."""
    if isinstance(one, str | Path) and str(one):
        return Path(one), ""
    form = "write the path, or {path: functions.jar, sha256: ...}"
    if not isinstance(one, Mapping) or not isinstance(one.get("path"), str | Path):
        problems.append(Problem("no path of an archive", where, form))
        return Path(), ""
    unknown = (key for key in one if key not in ("path", "sha256"))
    problems.extend(Problem(f"unknown key `{key}`", where, form) for key in unknown)
    wanted = one.get("sha256") or ""
    if wanted and not _HASH.fullmatch(str(wanted)):
        problems.append(Problem("`sha256` is not 64 hex digits", where, f"sha256sum {one['path']}"))
    return Path(one["path"]), str(wanted).lower()


def read_archive(path: Path, wanted: str, where: str, problems: list[Problem]) -> Archive | None:
    """One archive; None where it cannot be used, for the reasons that are added to `problems`.

    Args:
      path: of the archive.
      wanted: SHA-256 that it has to have, in small hex digits; empty for any.
      where: what names it, for messages.
      problems: grows.
    """
    try:
        status = path.stat()
        content = _read(str(path.absolute()), status.st_mtime_ns, status.st_size)
    except OSError as error:
        problems.append(Problem(f"cannot read {path}: {error.strerror}", where, "check the path"))
        return None
    if wanted and content.sha256 != wanted:
        what = f"{path} has the SHA-256 {content.sha256}, expected {wanted}"
        problems.append(Problem(what, where, "find out who changed the archive; if it is yours, write the new hash"))
        return None
    problems.extend(Problem(f"{path} {what}", where, fix) for what, fix in content.problems)
    index = content.index
    if not content.problems and index is None:
        try:
            index = index_of(path.absolute(), content.sha256, where, problems)
        except BlocksError as error:
            problems.extend(Problem(one.what, f"{where}, {one.where}", one.fix) for one in error.problems)
    if content.problems or index is None:
        return None
    functions = json.loads(index)
    return Archive(path.absolute(), content.sha256, functions if isinstance(functions, dict) else {}, where)


@dataclass(frozen=True)
class _Content:
    """What is in an archive; without an index where its build wrote none."""

    sha256: str
    index: bytes | None
    problems: tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def _read(path: str, changed: int, size: int) -> _Content:
    """What is in an archive; `changed` and `size` tell one that was written anew."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    try:
        with zipfile.ZipFile(path) as archive:
            found = tuple(_wrong(archive))
            index = archive.read(INDEX) if INDEX in archive.namelist() else None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error):
        return _Content(digest.hexdigest(), None, (("is no Java archive", "build it again"),))
    return _Content(digest.hexdigest(), index, found)


def _wrong(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    names = archive.namelist()
    newest = max((_java_of(archive, name) for name in names if _is_plain_class(name)), default=0)
    if newest > NEWEST_JAVA:
        what = f"is compiled for Java {newest}, and the SQL service runs on Java {NEWEST_JAVA}"
        yield what, f"compile it with --release {NEWEST_JAVA} or lower"
    if INDEX not in names:
        return
    if archive.getinfo(INDEX).file_size > _MAX_INDEX:
        yield f"has an index of more than {_MAX_INDEX >> 20} MiB", "this is no index; build it again"
    else:
        try:
            json.loads(archive.read(INDEX))
        except ValueError:
            yield f"has an index that is not JSON ({INDEX})", "build it again"


def _is_plain_class(name: str) -> bool:
    # An archive for several versions of Java keeps what is for newer ones apart.
    return name.endswith(".class") and not name.startswith("META-INF/") and not name.endswith("module-info.class")


def _java_of(archive: zipfile.ZipFile, name: str) -> int:
    """The Java that a class is compiled for; 0 if it is no class."""
    with archive.open(name) as file:
        head = file.read(8)
    if len(head) < 8:
        return 0
    magic, _, major = struct.unpack(">IHH", head)
    return int(major) - _CLASS_OFFSET if magic == _MAGIC else 0
