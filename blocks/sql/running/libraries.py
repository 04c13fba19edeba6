"""The functions that a query may call: the library's, and those that its user brings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blocks.catalog.own_functions import read_own_functions
from blocks.core.errors import BlocksError, Problem
from blocks.sql.functions.model import Function
from blocks.sql.functions.registry import Registry, library
from blocks.sql.running.archives import Archive, read_archive, read_archives

# As `RunSql` takes them.
JarSource = Sequence[str | Path | Mapping[str, str]]
FolderSource = Sequence[str | Path]


@dataclass(frozen=True)
class Functions:
    """The functions of a query.

    Attributes:
      registry: all of them.
      archives: of those that the user brings in Java or Scala.
    """

    registry: Registry
    archives: tuple[Archive, ...] = ()

    def own(self) -> Iterator[Function]:
        """Those that the user brings, each version once (`margin_v1`), in order of names."""
        return (one for one in self.registry.functions() if library().find(one.name) is None)


def functions_of(
    udf_jars: JarSource, sql_udfs: FolderSource, catalog: str | Path | None, problems: list[Problem]
) -> Functions:
    """The library's functions with those that its user brings.

    Args:
      udf_jars: archives of functions in Java or Scala: paths, or mappings of `path` and `sha256`.
      sql_udfs: folders of functions in SQL.
      catalog: file that names such archives and folders.
      problems: grows by what is wrong with them.
    """
    archives = read_archives(udf_jars, problems)
    folders = [sql_udfs] if isinstance(sql_udfs, str | Path) else sql_udfs
    placed = [(Path(folder), f"sql_udfs[{number}]") for number, folder in enumerate(folders, 1)]
    if catalog is not None:
        try:
            own = read_own_functions(catalog)
        except BlocksError as error:
            problems.extend(_placed(error, "catalog"))
        else:
            read = (read_archive(one.path, one.sha256, one.where, problems) for one in own.jars)
            archives += [one for one in read if one is not None]
            placed += [(one.path, one.where) for one in own.folders]
    registry = library()
    for archive in archives:
        try:
            registry = registry.with_jar(archive.index, archive.sha256, source=str(archive.path))
        except BlocksError as error:
            problems.extend(_placed(error, archive.where))
    for folder, where in placed:
        if not folder.is_dir():
            problems.append(Problem(f"no folder {folder}", where, "give a folder of .sql files"))
            continue
        try:
            registry = registry.with_folder(folder)
        except BlocksError as error:
            problems.extend(_placed(error, where))
    return Functions(registry, tuple(archives))


def _placed(error: BlocksError, where: str) -> list[Problem]:
    return [Problem(one.what, f"{where}, {one.where}" if one.where else where, one.fix) for one in error.problems]
