"""The functions that a query may call: the library's, and those that its user brings."""

from collections.abc import Sequence
from pathlib import Path

from blocks.core.errors import BlocksError, Problem
from blocks.sql.functions.registry import Registry, library
from blocks.sql.running.archives import Archive


def registry_of(archives: Sequence[Archive], folders: Sequence[str | Path], problems: list[Problem]) -> Registry:
    """The library's functions with those of archives and folders.

    Args:
      archives: of functions in Java or Scala.
      folders: of functions in SQL.
      problems: grows by what is wrong with them.
    """
    registry = library()
    if isinstance(folders, str | Path):
        folders = [folders]
    for number, archive in enumerate(archives, 1):
        try:
            registry = registry.with_jar(archive.index, archive.sha256, source=str(archive.path))
        except BlocksError as error:
            problems.extend(_placed(error, f"udf_jars[{number}]"))
    for number, folder in enumerate(folders, 1):
        if not Path(folder).is_dir():
            problems.append(Problem(f"no folder {folder}", f"sql_udfs[{number}]", "give a folder of .sql files"))
            continue
        try:
            registry = registry.with_folder(folder)
        except BlocksError as error:
            problems.extend(_placed(error, f"sql_udfs[{number}]"))
    return registry


def _placed(error: BlocksError, where: str) -> list[Problem]:
    return [Problem(one.what, f"{where}, {one.where}" if one.where else where, one.fix) for one in error.problems]
