"""The options of `FlattenRecords`, as one frozen value that was found right as a whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blocks.core.errors import Problem, all_problems, nearest

BLOCK = "FlattenRecords"
MAIN = "main"

Explode = str | Sequence[str | Sequence[str]] | None
MapKey = str | int


@dataclass(frozen=True)
class Options:
    """Validated options; see `FlattenRecords` for what they mean.

    Attributes:
      explode: groups of dotted paths, a group of several is exploded side by side; None if the option was not given.
      outer: the paths among `explode` that keep a row without items.
      separator: stands between the names of a path in a column name.
      map_keys: path of a map to the keys that become columns.
      tables: child tables instead of one.
      row_id: name of the row id column, or None.
      key: paths of the columns that identify a row; empty for the marked ones.
      parent_id: name of the column with the parent's row id.
      position: suffix (name, in child tables) of position columns, or None.
      repeat: paths of main columns that child tables repeat, or None for the event time.
    """

    explode: tuple[tuple[str, ...], ...] | None
    outer: frozenset[str]
    separator: str
    map_keys: Mapping[str, tuple[MapKey, ...]]
    tables: bool
    row_id: str | None
    key: tuple[str, ...]
    parent_id: str
    position: str | None
    repeat: tuple[str, ...] | None

    @property
    def exploded(self) -> tuple[str, ...]:
        """Every path of `explode`, without the grouping."""
        return tuple(path for group in self.explode or () for path in group)


def read_options(
    *,
    explode: Any,
    outer: Any,
    separator: Any,
    map_keys: Any,
    tables: Any,
    row_id: Any,
    key: Any,
    parent_id: Any,
    position: Any,
    repeat: Any,
) -> Options:
    """Checks the options of `FlattenRecords`, as they come from Python or YAML.

    Raises:
      ConfigError: with every option that is wrong.
    """
    with all_problems(BLOCK) as problems:
        groups = _groups(explode, problems)
        paths = [path for group in groups or () for path in group]
        for path in sorted({path for path in paths if paths.count(path) > 1}):
            problems.append(Problem(f"`{path}` stands more than once", "explode=", "list every path once"))
        kept = _outer(outer, paths, problems)
        keys = _map_keys(map_keys, paths, problems)
        problems.extend(_flags(separator, tables))
        problems.extend(_column_names(row_id=row_id, parent_id=parent_id, position=position))
        found_key = _paths(key, "key=", problems)
        found_repeat = None if repeat is None else _paths(repeat, "repeat=", problems)
        if tables is True:
            problems.extend(_not_with_tables(groups or (), outer))
        else:
            problems.extend(_only_with_tables(repeat, parent_id))
            if found_key and row_id is None:
                problems.append(Problem("`key` is given and `row_id` is not", "key=", 'add row_id="_row_id"'))
    return Options(
        explode=groups,
        outer=kept,
        separator=separator,
        map_keys=keys,
        tables=tables,
        row_id=(row_id or "_row_id") if tables else row_id,
        key=found_key,
        parent_id=parent_id or "_parent_id",
        position=(position or "_position") if tables else position,
        repeat=found_repeat,
    )


def _paths(value: Any, where: str, problems: list[Problem]) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else value
    if not isinstance(listed, Sequence) or not all(isinstance(path, str) and path for path in listed):
        what = f"expected a path or a list of paths, got {_kind(value)}"
        problems.append(Problem(what, where, 'write "items" or ["orders", "orders.lines"]'))
        return ()
    return tuple(listed)


def _groups(explode: Any, problems: list[Problem]) -> tuple[tuple[str, ...], ...] | None:
    if explode is None:
        return None
    if isinstance(explode, str) or not isinstance(explode, Sequence):
        return tuple((path,) for path in _paths(explode, "explode=", problems))
    groups = (_paths(entry, "explode=", problems) for entry in explode)
    return tuple(group for group in groups if group)


def _outer(outer: Any, paths: Sequence[str], problems: list[Problem]) -> frozenset[str]:
    if isinstance(outer, bool):
        return frozenset(paths) if outer else frozenset()
    named = _paths(outer, "outer=", problems)
    strangers = (path for path in named if path not in paths)
    problems.extend(Problem(f"`{path}` is not exploded", "outer=", nearest(path, paths)) for path in strangers)
    return frozenset(named)


def _map_keys(map_keys: Any, exploded: Sequence[str], problems: list[Problem]) -> dict[str, tuple[MapKey, ...]]:
    if map_keys is None:
        return {}
    form = 'write {"attributes": ["channel", "campaign"]}'
    if not isinstance(map_keys, Mapping):
        problems.append(Problem(f"expected a mapping of path to keys, got {_kind(map_keys)}", "map_keys=", form))
        return {}
    found: dict[str, tuple[MapKey, ...]] = {}
    for path, keys in map_keys.items():
        where = f"map_keys= `{path}`"
        if not isinstance(path, str) or not path:
            problems.append(Problem(f"expected a path, got {_kind(path)}", "map_keys=", form))
        elif isinstance(keys, str) or not isinstance(keys, Sequence) or not keys or not all(map(_is_key, keys)):
            problems.append(Problem("expected a list of keys, text or whole numbers", where, form))
        elif len(set(keys)) < len(keys):
            problems.append(Problem("a key stands more than once", where, "list every key once"))
        elif path in exploded:
            what = f"`{path}` is to become columns and, by `explode`, rows"
            problems.append(Problem(what, where, "take it out of one of them"))
        else:
            found[path] = tuple(keys)
    return found


def _is_key(key: Any) -> bool:
    return isinstance(key, str | int) and not isinstance(key, bool)


def _flags(separator: Any, tables: Any) -> Iterator[Problem]:
    if not isinstance(separator, str):
        yield Problem(f"expected text, got {_kind(separator)}", "separator=", 'write "_" or "."')
    if not isinstance(tables, bool):
        yield Problem(f"expected true or false, got {_kind(tables)}", "tables=", "write true or false")


def _column_names(**names: Any) -> Iterator[Problem]:
    for option, name in names.items():
        if name is not None and (not isinstance(name, str) or not name):
            got = "an empty text" if name == "" else _kind(name)
            yield Problem(f"expected a column name, got {got}", f"{option}=", f'write {option}="_{option}"')


def _not_with_tables(groups: Iterable[Sequence[str]], outer: Any) -> Iterator[Problem]:
    for group in groups:
        if len(group) > 1:
            what = f"{_and(group)} are to be exploded side by side, and child tables take one list each"
            yield Problem(what, "explode=", f"list them one by one: {list(group)}")
    if outer is not True:
        what = "child tables hold items only, and the main table keeps every row"
        yield Problem(what, "outer=", "take `outer` out, or `tables`")


def _only_with_tables(repeat: Any, parent_id: Any) -> Iterator[Problem]:
    for option, value in (("repeat", repeat), ("parent_id", parent_id)):
        if value is not None:
            yield Problem(f"`{option}` is for child tables", f"{option}=", "add tables=True, or take it out")


def _and(paths: Sequence[str]) -> str:
    return " and ".join(f"`{path}`" for path in paths)


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
