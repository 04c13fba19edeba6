"""A SQL function, and the files that hold them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from blocks.core.errors import ConfigError, Problem
from blocks.sql.functions.model import Function, Overload
from blocks.sql.macros.header import MAX_BYTES, Header, read_header

MAX_FILES = 1_000


@dataclass(frozen=True)
class Macro:
    """A function whose expression is SQL over its arguments.

    Attributes:
      function: name, overloads, examples and the rest.
      file: name for messages.
      header: what the head of the file says, with places.
    """

    function: Function
    file: str
    header: Header

    def query(self) -> str:
        """The expression as a query over its arguments, each character of it on its line and column of the file."""
        # A blank line for each of the head's, and the last of them begins the SELECT.
        return "\n" * (self.header.line - 2) + f"SELECT\n{self.header.expression}\nAS outcome FROM arguments"

    def where(self, key: str, number: int = 0) -> str:
        """`file:line:column` of a value of the head; the file where the head does not have it."""
        values = self.header.places.get(key, [])
        return f"{self.file}:{values[number].line}:{values[number].column}" if number < len(values) else self.file


def overload_place(macro: Macro, overload: Overload) -> str:
    """Where the signature of an overload stands."""
    return macro.where("signature", macro.function.overloads.index(overload))


def sql_udfs_folder() -> Path:
    """The library's SQL functions: beside this module in an installed package, at the root of a checkout otherwise."""
    installed = Path(__file__).with_name("library")
    return installed if installed.is_dir() else Path(__file__).parents[3] / "sql_udfs"


def read_macro(path: str | Path, problems: list[Problem]) -> Macro | None:
    """Reads the head of one file; None where it cannot be used, for the reasons that are added to `problems`.

    The expression is parsed when it is first needed, or by `checks.problems_of`.
    """
    file = Path(path)
    shown = str(path)
    text = _text(file, shown, problems)
    header = None if text is None else read_header(text, shown, problems)
    if header is None:
        return None
    macro = Macro(_function(header), shown, header)
    if file.stem not in (header.name, f"{header.name}_v{header.version}"):
        fix = f"call the file {header.name}.sql, or {header.name}_v{header.version}.sql for an older version"
        problems.append(Problem(f"the file is called `{file.name}`, its function `{header.name}`", shown, fix))
        return None
    return macro


def read_folder(folder: str | Path, problems: list[Problem]) -> tuple[Macro, ...]:
    """Every `*.sql` of a folder, in order of their names.

    A folder that is not there, or has no such file, is a problem.
    """
    path = Path(folder)
    files = sorted(path.glob("*.sql")) if path.is_dir() else []
    if not files:
        what = "there is no `*.sql` in the folder" if path.is_dir() else "there is no such folder"
        problems.append(Problem(what, str(folder), "name the folder that has a file for each SQL function"))
    if len(files) > MAX_FILES:
        problems.append(Problem(f"{len(files):,} files; {MAX_FILES:,} are read at most", str(folder), "split it"))
    found = [macro for file in files[:MAX_FILES] if (macro := read_macro(file, problems)) is not None]
    problems.extend(_repeated(found))
    return tuple(found)


def _repeated(macros: list[Macro]) -> Iterator[Problem]:
    seen: dict[tuple[str, int], Macro] = {}
    for macro in macros:
        key = (macro.function.name, macro.function.version)
        before = seen.setdefault(key, macro)
        if before is not macro:
            what = f"`{key[0]}` {key[1]} is in two files: {before.file} and {macro.file}"
            yield Problem(what, macro.where("name"), "give one another name, or another version")


@cache
def library_macros() -> tuple[Macro, ...]:
    """The library's SQL functions; their expressions were checked by the library's tests.

    Raises:
      ConfigError: a file that was changed and cannot be read.
    """
    problems: list[Problem] = []
    macros = read_folder(sql_udfs_folder(), problems)
    if problems:
        raise ConfigError("the SQL functions of the library", where=str(sql_udfs_folder()), problems=problems)
    return macros


def _text(file: Path, shown: str, problems: list[Problem]) -> str | None:
    try:
        if file.stat().st_size > MAX_BYTES:
            problems.append(Problem(f"the file has more than {MAX_BYTES >> 10} KiB", shown, "split the function"))
            return None
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.append(Problem("the file is not UTF-8 text", shown, "save it as UTF-8"))
    except OSError as error:
        problems.append(Problem(f"cannot read the file: {error.strerror}", shown, "check the path"))
    return None


def _function(header: Header) -> Function:
    return Function(
        name=header.name,
        kind="scalar",
        origin="sql",
        overloads=header.overloads,
        version=header.version,
        nulls=header.nulls,
        description=header.description,
        expression=header.expression,
        examples=header.examples,
    )
