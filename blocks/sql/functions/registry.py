"""The functions that a query may call, by name.

A name means a function of the library or of the user, in lower case, or else one of Beam's own, in any case. `clamp` is
the newest major that is not experimental, `clamp_v1` its version 1 whatever comes later: a pipeline that must not
change writes the version.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.catalog.names import plain_functions
from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.sql.functions.index import java_index_file, read_index
from blocks.sql.functions.model import Declassifies, DuckdbForm, Function, Overload
from blocks.sql.macros.macro import Macro, library_macros, read_folder

if TYPE_CHECKING:
    from blocks.sql.macros.bodies import Body

_LIBRARY = "the library"


class Registry:
    """Functions by name; it does not change, `with_folder` and `with_jar` give others.

    Args:
      beam: Beam's own, by name in upper case.
      functions: all others, by every name that they have.
      macros: those of them that are written in SQL, by the same names.
      sources: where each comes from, for messages.
    """

    def __init__(
        self,
        beam: Mapping[str, Function],
        functions: Mapping[str, Function] | None = None,
        macros: Mapping[str, Macro] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._beam, self._functions = dict(beam), dict(functions or {})
        self._macros, self._sources = dict(macros or {}), dict(sources or {})
        compiled = ((name, one) for name, one in self._functions.items() if name not in self._macros)
        self._versions = Counter(_plain(name, one) for name, one in compiled if _versioned(name, one))
        self._bodies: dict[tuple[str, Overload], Body | None] = {}

    def find(self, name: str) -> Function | None:
        """The function of a name as a query writes it; None if there is none."""
        return self._functions.get(name) or self._beam.get(name.upper())

    def names(self) -> tuple[str, ...]:
        """Every name, without those that ask for a version: the library's and the user's, then Beam's own."""
        own = (name for name, function in self._functions.items() if not _versioned(name, function))
        return (*sorted(own), *sorted(self._beam))

    def functions(self) -> Iterator[Function]:
        """The library's and the user's functions, each version once, in order of names."""
        for name in sorted(self._functions):
            if _versioned(name, self._functions[name]):
                yield self._functions[name]

    def nearest(self, name: str) -> str:
        """`did you mean `email_domain`?` for a name that is not there; empty if none is near."""
        names = self.names()
        # Names of the library are found as they are written; a name in another case is the likeliest slip.
        same = [one for one in names if one.lower() == name.lower()]
        lowered = {one.lower(): one for one in reversed(names)}
        close = same or [lowered[one] for one in difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)]
        return f"did you mean `{close[0]}`?" if close else ""

    def served_name(self, name: str) -> str:
        """By what name the SQL service has a compiled function: with its version where there are several of them."""
        function = self._functions.get(name)
        if function is None:
            return name
        plain = _plain(name, function)
        return f"{plain}_v{function.version}" if self._versions[plain] > 1 else plain

    def macro(self, name: str) -> Macro | None:
        """The file of a function in SQL; None if it is none."""
        return self._macros.get(name)

    def body(self, name: str, overload: Overload) -> "Body":
        """The expression of a function in SQL for one overload, with no call of another left; worked out once.

        Raises:
          ConfigError: it calls itself.
          SqlCheckError: its expression is no SQL.
        """
        from blocks.sql.macros.bodies import body_of

        key = (name, overload)
        if key in self._bodies:
            found = self._bodies[key]
            if found is None:
                raise ConfigError(f"`{name}` calls itself", where=self._sources.get(name, name), fix="break the circle")
            return found
        self._bodies[key] = None
        try:
            found = self._bodies[key] = body_of(self._macros[name], overload, self)
        finally:
            if self._bodies[key] is None:
                del self._bodies[key]
        return found

    def with_folder(self, folder: str | Path) -> "Registry":
        """These functions and those of a folder of SQL functions, each of them checked.

        Raises:
          ConfigError: everything that is wrong in its files; a name that is taken, with both places.
        """
        from blocks.sql.macros.checks import cycles, problems_of

        problems: list[Problem] = []
        macros = read_folder(folder, problems)
        registry = self._with([macro.function for macro in macros], macros, str(folder), problems)
        if not problems:
            problems.extend(problem for macro in macros for problem in problems_of(macro, registry))
        if not problems:
            problems.extend(cycles(macros, registry))
        if problems:
            count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
            raise ConfigError(f"{count} in a folder of SQL functions", where=str(folder), problems=problems)
        return registry

    def with_jar(self, index: str | Path | Mapping[str, Any], sha256: str, *, source: str = "") -> "Registry":
        """These functions and those of a user's archive of functions in Java or Scala.

        Args:
          index: of the archive: a JSON file, or its content.
          sha256: of the archive.
          source: name of the archive, for messages.

        Raises:
          ConfigError: everything that is wrong in the index; a name that is taken, with both places.
        """
        shown = source or (str(index) if isinstance(index, str | Path) else f"the archive {sha256[:12]}")
        with all_problems(shown, ConfigError) as problems:
            functions = read_index(index, problems, jar=sha256, source=shown)
            if not functions and not problems:
                fix = "annotate the classes that are functions with blocks.udf.Function, and build it again"
                problems.append(Problem("the archive has no functions", shown, fix))
            found = self._with(functions, (), shown, problems)
        return found  # noqa: RET504 - the problems are raised where the block ends

    def _with(
        self, functions: Sequence[Function], macros: Iterable[Macro], source: str, problems: list[Problem]
    ) -> "Registry":
        places = {(macro.function.name, macro.function.version): macro for macro in macros}
        for function in functions:
            macro = places.get((function.name, function.version))
            where = macro.where("name") if macro else source
            taken = self._functions.get(function.name)
            if taken is not None:
                what = (
                    f"`{function.name}` is in {self._sources[function.name]} and in {macro.file if macro else source}"
                )
                problems.append(Problem(what, where, "give yours another name"))
            elif function.name.upper() in self._beam:
                what = f"`{function.name}` is a function of Beam SQL"
                problems.append(Problem(what, where, "give yours another name: it cannot take the place of Beam's"))
        named = _named(functions, {})
        found = {name: places[function_key] for name, function_key in _keys(named).items() if function_key in places}
        sources = {name: found[name].file if name in found else source for name in named}
        return Registry(self._beam, self._functions | named, self._macros | found, self._sources | sources)


def _keys(named: Mapping[str, Function]) -> dict[str, tuple[str, int]]:
    return {name: (_plain(name, function), function.version) for name, function in named.items()}


def _plain(name: str, function: Function) -> str:
    return name.removesuffix(f"_v{function.version}") if _versioned(name, function) else name


def _versioned(name: str, function: Function) -> bool:
    return name.endswith(f"_v{function.version}")


def _named(functions: Iterable[Function], status: Mapping[tuple[str, int], str]) -> dict[str, Function]:
    """Functions by `name_v1` for each version, and by `name` for the newest that is not experimental."""
    found: dict[str, Function] = {}
    newest: dict[str, tuple[tuple[bool, int], Function]] = {}
    for function in functions:
        name, version = function.name, function.version
        found[f"{name}_v{version}"] = replace(function, name=f"{name}_v{version}")
        rank = (status.get((name, version)) != "experimental", version)
        if name not in newest or rank > newest[name][0]:
            newest[name] = (rank, function)
    return found | {name: function for name, (_, function) in newest.items()}


@cache
def library() -> Registry:
    """The functions of the library and Beam's own; read once a process.

    Raises:
      ConfigError: files of the library that were changed and cannot be read.
    """
    from blocks.sql.functions.beam import beam_functions

    entries = {(entry["name"], _major(entry)): entry for entry in plain_functions()}
    with all_problems("the functions of the library", ConfigError) as problems:
        compiled = read_index(java_index_file(), problems)
    macros = {(macro.function.name, macro.function.version): macro for macro in library_macros()}
    functions = [
        _told(function, entries.get((function.name, function.version)))
        for function in (*compiled, *(macro.function for macro in macros.values()))
    ]
    status = {key: entry.get("status", "stable") for key, entry in entries.items()}
    named = _named(functions, status)
    keys = _keys(named)
    beam = {name.upper(): _told(function, _beam_entry(entries, name)) for name, function in beam_functions().items()}
    found = {name: macros[key] for name, key in keys.items() if key in macros}
    return Registry(beam, named, found, dict.fromkeys(named, _LIBRARY))


def _major(entry: Mapping[str, Any]) -> int:
    return 0 if entry["origin"] == "beam" else int(entry["version"].split(".")[0])


def _beam_entry(entries: Mapping[tuple[str, int], Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return entries.get((name.upper(), 0))


def _told(function: Function, entry: Mapping[str, Any] | None) -> Function:
    """The function with what its catalog entry says of labels and DuckDB; one without an entry takes no label away."""
    if entry is None:
        return function
    said = entry.get("declassifies")
    declassifies = None if said is None else declassifies_of(said)
    forms = {tuple(one["arguments"]): one for one in entry.get("duckdb", ())}
    overloads = tuple(_formed(overload, forms) for overload in function.overloads)
    return replace(function, declassifies=declassifies, overloads=overloads)


def _formed(overload: Overload, forms: Mapping[tuple[str, ...], Mapping[str, Any]]) -> Overload:
    form = forms.get(tuple(argument.name for argument in overload.arguments))
    if form is None:
        return overload
    return replace(overload, duckdb=DuckdbForm(form["sql"], _bounds(form.get("literal", {}))))


def _bounds(said: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int | None, int | None]]:
    return {name: (bound.get("least"), bound.get("most")) for name, bound in said.items()}


def declassifies_of(said: Mapping[str, Any]) -> Declassifies:
    """What a catalog entry says under `declassifies`."""
    return Declassifies(
        bounds=_bounds(said.get("bounds", {})),
        literal=tuple(said.get("literal", ())),
        absent=tuple(said.get("absent", ())),
        of=tuple(said.get("of", ())),
        gives=said.get("gives", ""),
        options=dict(said.get("options", {})),
        group=said.get("group", False),
    )
