"""Reads a definition of features from YAML or a mapping, and finds everything that is wrong with it at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from blocks.aggregating.definition import Definition, Emission, Feature, default_hop
from blocks.aggregating.ops import OPERATIONS
from blocks.aggregating.ops.operation import Operation
from blocks.aggregating.ops.options import NEEDED
from blocks.aggregating.ops.other_names import OTHER_NAMES
from blocks.core import strict_yaml
from blocks.core.durations import duration_micros
from blocks.core.errors import ConfigError, Problem, all_problems, nearest

DefinitionSource = str | Path | Mapping[str, Any] | Definition

_BY_NAME = {one.name: one for one in OPERATIONS}
OP_NAMES = (*_BY_NAME, "ratio")
_TOP = ("entity", "source", "features", "emit", "lateness", "ahead", "state_ttl", "source_unique")
_SOURCE = ("schema", "event_time", "event_id", "identity", "known_at", "delete_key")
_FEATURE = ("name", "op", "column", "window", "hop", "where", "by", "max_keys", "max_events", "of")
_EMIT = ("on_event", "on_condition", "every", "at_window_end", "after_idle")
# Columns that every result has.
TAKEN = ("as_of", "revision", "reason", "truncated")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def read_definition(source: DefinitionSource) -> Definition:
    """Reads and checks a definition.

    Args:
      source: path of a YAML file, its content as a mapping, or a definition (returned as it is).

    Raises:
      ConfigError: with every problem; of a file, each with line and column.
    """
    if isinstance(source, Definition):
        return source
    if isinstance(source, Mapping):
        return _read(strict_yaml.Document(source, "features", {}))
    if not isinstance(source, str | Path):
        what = f"a definition is the path of a file or a mapping, got {type(source).__name__}"
        raise ConfigError(what, where="definition", fix="as in {'entity': ..., 'source': ..., 'features': [...]}")
    return _read(strict_yaml.load(source))


def _read(document: strict_yaml.Document) -> Definition:
    with all_problems(document.file, ConfigError) as problems:
        return Reader(document, problems).definition()


Path_ = tuple[str | int, ...]


class Reader:
    """Reads a document; `problems` grows by what is wrong with it.

    Class attributes:
      feature_keys: what a feature may have beside the options of its operation.
      taken: columns that every result has.
    """

    feature_keys: ClassVar[tuple[str, ...]] = _FEATURE
    taken: ClassVar[tuple[str, ...]] = TAKEN

    def __init__(self, document: strict_yaml.Document, problems: list[Problem]) -> None:
        self._document, self._problems = document, problems

    def definition(self) -> Definition:
        """The definition, as far as it can be read."""
        top = self._mapping(self._document.data, (), _TOP)
        source = self._mapping(top.get("source"), ("source",), _SOURCE, needed=True)
        made = Definition(
            **self._whose(top, source),
            features=self._features(top.get("features")),
            known_at=self._name(source, "known_at"),
            delete_key=self._text(source, "delete_key", ("source",)),
            emit=self._emission(top.get("emit")),
            **self._times(top),
            source_unique=self._flag(top, "source_unique", ()),
            file=self._document.file,
            places=self._places(),
        )
        for one in made.features:
            if one.name in made.key:
                self._problems.append(Problem(f"`{one.name}` is the key", one.place, "give the feature another name"))
        return self._with_ttl(made, "state_ttl" in top)

    def _places(self) -> dict[str, str]:
        """Where that stands which is checked against the schema of the events."""
        data: Any = self._document.data
        named = {f"source.{key}": ("source", key) for key in _SOURCE}
        named |= {"entity.key": ("entity", "key"), "emit.on_condition": ("emit", "on_condition")}
        found = {}
        for name, path in named.items():
            inner = data.get(path[0]) if isinstance(data, Mapping) else None
            if self._document.marks and isinstance(inner, Mapping) and path[1] in inner:
                found[name] = self._where(path)
        return found

    def _whose(self, top: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """Key, event time and identity of the events."""
        entity = self._mapping(top.get("entity"), ("entity",), ("key",), needed=True)
        key = self._names(entity, "key", ("entity",))
        if not key and "entity" in top:
            self._add("no key", ("entity",), "name the column of whom the features are: `entity: {key: user_id}`")
        event_id, identity = self._name(source, "event_id"), self._names(source, "identity", ("source",))
        if "source" in top and bool(event_id) == bool(identity):
            what = "both `event_id` and `identity`" if event_id else "neither `event_id` nor `identity`"
            fix = "name the column that tells events apart, or, without one, the columns that do together"
            self._add(what, ("source",), fix)
        return {
            "key": key,
            "event_time": self._name(source, "event_time"),
            "event_id": event_id,
            "identity": identity,
            "schema": self._name(source, "schema"),
        }

    def _times(self, top: Mapping[str, Any]) -> dict[str, Any]:
        """How late and how early events may be, and how long state is kept."""
        return {
            "lateness": self._time(top, "lateness", (), Definition.lateness),
            "ahead": self._time(top, "ahead", (), Definition.ahead),
            "state_ttl": self._time(top, "state_ttl", (), 0),
        }

    def _with_ttl(self, made: Definition, given: bool) -> Definition:
        needed = made.longest + made.lateness
        endless = [one.name for one in made.features if one.window is None and one.op != "ratio"]
        if not given:
            if endless:
                what = f"`window: all` of {', '.join(endless)} needs `state_ttl`"
                fix = "say after which time without an event a key starts again: `state_ttl: 90d`"
                self._add(what, ("features",), fix)
            return replace(made, state_ttl=needed)
        if made.state_ttl < needed:
            what = f"`state_ttl` is shorter than the longest window, its hop and the lateness: {text_of(needed)}"
            self._add(what, ("state_ttl",), f"write {text_of(needed)} or more")
        return made

    def _features(self, given: Any) -> tuple[Feature, ...]:
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            self._add("expected a list of features", ("features",), "as in - {name: spend_7d, op: sum, column: amount}")
            return ()
        found = [self._feature(one, ("features", number)) for number, one in enumerate(given)]
        made = [one for one in found if one is not None]
        names = [one.name for one in made]
        for number, one in enumerate(made):
            if one.name in names[:number]:
                self._add(f"two features named `{one.name}`", ("features", number, "name"), "give one another name")
            for name in one.of:
                if name not in names or name == one.name:
                    others = [other for other in names if other != one.name]
                    self._add(f"no feature `{name}`", ("features", number, "of"), nearest(name, others))
                elif next(other for other in made if other.name == name).of:
                    fix = "take features with an operation of their own"
                    self._add(f"`{name}` is a ratio itself", ("features", number, "of"), fix)
        return tuple(made)

    def _feature(self, given: Any, path: Path_) -> Feature | None:
        before = len(self._problems)
        op = given.get("op") if isinstance(given, Mapping) else None
        kind = _BY_NAME.get(op) if isinstance(op, str) else None
        keys = (*self.feature_keys, *(kind.options if kind else ()))
        known = kind is not None or op == "ratio"
        content = self._mapping(given, path, keys if known else None, needed=True)
        if not isinstance(given, Mapping):
            return None
        if not known:
            meant = OTHER_NAMES.get(str(op).lower())
            fix = f"it is called `{meant}` here" if meant else nearest(str(op or ""), OP_NAMES)
            self._add(f"no operation `{op}`" if op else "a feature without `op`", (*path, "op"), fix)
        name = content.get("name")
        taken = name in self.taken
        if not isinstance(name, str) or not _NAME.fullmatch(name) or taken:
            what = f"`{name}` is a column that every result has" if taken else f"`{name}` is no name of a feature"
            fix = "give it another name" if taken else "letters, digits and _, not beginning with a digit"
            self._add(what, (*path, "name"), fix)
        if op == "ratio":
            return self._ratio(content, path, before)
        if kind is None:
            return None
        options = {}
        for option, takes in kind.options.items():
            if option in content:
                options[option] = takes.read(content[option], self._where((*path, option)), self._problems)
            elif takes.default is NEEDED:
                self._add(f"`{kind.name}` needs `{option}`", path, f"{option}: {takes.about}")
            else:
                options[option] = takes.default
        column = self._read(kind, content, path)
        window, hop = self._window(content, path)
        if kind.name == "rate" and content.get("window") == "all":
            self._add("`rate` needs a window with an end", (*path, "window"), "write a length of time")
        return self._made(
            before,
            name=str(name),
            op=kind.name,
            column=column,
            window=window,
            hop=hop,
            where=self._text(content, "where", path),
            by=self._text(content, "by", path),
            max_keys=self._max_keys(content, path),
            max_events=self._max_events(content, path, window, hop),
            options=options,
            place=self._where(path),
        )

    def _read(self, kind: type[Operation], content: Mapping[str, Any], path: Path_) -> str:
        """The column that an operation reads, and whether it has what it needs."""
        column = self._text(content, "column", path)
        if kind.column == "required" and not column:
            self._add(f"`{kind.name}` needs `column`", path, "name the column that it reads")
        elif kind.column == "none" and column:
            self._add(f"`{kind.name}` reads no column", (*path, "column"), "leave it out")
        if kind.name == "count_where" and not content.get("where"):
            self._add("`count_where` needs `where`", path, "write a condition, or take `count`")
        return column

    def _made(self, before: int, **attributes: Any) -> Feature | None:
        return Feature(**attributes) if len(self._problems) == before else None

    def _ratio(self, content: Mapping[str, Any], path: Path_, before: int) -> Feature | None:
        for key in content:
            if key not in ("name", "op", "of"):
                self._add(f"a ratio has no `{key}`", (*path, key), "it is of two other features: `of: [a, b]`")
        of = content.get("of")
        if not isinstance(of, list | tuple) or len(of) != 2 or not all(isinstance(one, str) for one in of):
            self._add("expected the names of two features", (*path, "of"), "as in of: [declined_1h, count_1h]")
            return None
        place = self._where(path)
        return self._made(before, name=str(content.get("name")), op="ratio", of=tuple(of), place=place)

    def _window(self, content: Mapping[str, Any], path: Path_) -> tuple[int | None, int]:
        given = content.get("window")
        if given is None:
            self._add("a feature without `window`", path, "write a length of time, such as 7d, or all")
            return None, 0
        if given == "all":
            if "hop" in content:
                self._add("`window: all` has no hop", (*path, "hop"), "leave it out")
            return None, 0
        window = self._time(content, "window", path, 0)
        if not window:
            return None, 0
        if "hop" not in content:
            hop = default_hop(window)
            if window % hop:
                what = f"the default hop of {text_of(hop)} does not divide the window of {text_of(window)}"
                self._add(what, (*path, "window"), "name a `hop` that does, or another window")
            return window, hop
        hop = 0 if content["hop"] in (0, "0") else self._time(content, "hop", path, 0)
        if hop and window % hop:
            what = f"the hop of {text_of(hop)} does not divide the window of {text_of(window)}"
            self._add(what, (*path, "hop"), "name one that does")
        return window, hop

    def _max_keys(self, content: Mapping[str, Any], path: Path_) -> int:
        if "max_keys" in content and not content.get("by"):
            self._add("`max_keys` is for `by`", (*path, "max_keys"), "leave it out")
        return self._whole(content, "max_keys", path, Feature.max_keys, 100_000)

    def _max_events(self, content: Mapping[str, Any], path: Path_, window: int | None, hop: int) -> int | None:
        exact = window is not None and hop == 0
        if exact and "max_events" not in content:
            self._add("a hop of 0 keeps events, so it needs `max_events`", path, "max_events: 1000")
        elif not exact and "max_events" in content:
            self._add("`max_events` is for a hop of 0", (*path, "max_events"), "leave it out")
        elif exact:
            return self._whole(content, "max_events", path, 1, 10_000_000)
        return None

    def _emission(self, given: Any) -> Emission:
        content = self._mapping(given, ("emit",), _EMIT)
        return Emission(
            on_event=self._flag(content, "on_event", ("emit",)),
            on_condition=self._text(content, "on_condition", ("emit",)),
            every=self._time(content, "every", ("emit",), 0),
            at_window_end=self._time(content, "at_window_end", ("emit",), 0),
            after_idle=self._time(content, "after_idle", ("emit",), 0),
        )

    def _mapping(self, given: Any, path: Path_, keys: Sequence[str] | None, needed: bool = False) -> Mapping[str, Any]:
        if given is None and not needed:
            return {}
        if not isinstance(given, Mapping):
            what = f"no `{path[-1]}`" if given is None and path else "expected a mapping"
            self._add(what, path, f"it has {', '.join(keys or _FEATURE)}")
            return {}
        for key in given:
            if keys is not None and key not in keys:
                named = (*path, key)
                where = self._document.where_key(named) if self._document.marks else self._where(named)
                fix = f"it belongs under `{path_of[0]}`" if (path_of := _home(str(key), path)) else ""
                self._problems.append(Problem(f"no key `{key}`", where, fix or nearest(str(key), keys)))
        return given

    def _names(self, content: Mapping[str, Any], key: str, path: Path_) -> tuple[str, ...]:
        given = content.get(key)
        names: Any = [given] if isinstance(given, str) else given
        if given is None:
            return ()
        fits = isinstance(names, list | tuple) and names and all(isinstance(one, str) and one for one in names)
        if not fits or len(set(names)) < len(names):
            self._add(f"expected a column, or a list of columns, as `{key}`", (*path, key), "each named once")
            return ()
        return tuple(names)

    def _name(self, source: Mapping[str, Any], key: str) -> str:
        return self._text(source, key, ("source",))

    def _text(self, content: Mapping[str, Any], key: str, path: Path_) -> str:
        given = content.get(key)
        if given is None or (isinstance(given, str) and given.strip()):
            return given or ""
        self._add(f"expected a text as `{key}`", (*path, key), "write one, or leave it out")
        return ""

    def _flag(self, content: Mapping[str, Any], key: str, path: Path_) -> bool:
        given = content.get(key, False)
        if not isinstance(given, bool):
            self._add(f"expected true or false as `{key}`", (*path, key), f"{key}: true")
        return given is True

    def _whole(self, content: Mapping[str, Any], key: str, path: Path_, default: int, most: int) -> int:
        given = content.get(key, default)
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= most:
            return given
        self._add(f"expected a whole number from 1 to {most} as `{key}`", (*path, key), f"{key}: {default}")
        return default

    def _time(self, content: Mapping[str, Any], key: str, path: Path_, default: int) -> int:
        if key not in content:
            return default
        before = len(self._problems)
        found = duration_micros(content[key], self._where((*path, key)), self._problems)
        if not found and len(self._problems) == before and key not in ("lateness", "ahead"):
            self._add(f"`{key}` is no time at all", (*path, key), "write a length of time, such as 5m")
        return found

    def _add(self, what: str, path: Path_, fix: str) -> None:
        self._problems.append(Problem(what, self._where(path), fix))

    def _where(self, path: Path_) -> str:
        if self._document.marks:
            return self._document.where(path)
        # From Python: the way to the value.
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _home(key: str, path: Path_) -> tuple[str, ...]:
    """Where a key belongs that stands at the top; nothing if it does not tell."""
    homes = {"entity": ("key",), "source": _SOURCE, "emit": _EMIT}
    return tuple(home for home, keys in homes.items() if not path and key in keys)


def text_of(micros: int) -> str:
    """A length of time as a definition writes it."""
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        if micros and micros % size == 0:
            return f"{micros // size}{unit}"
    return f"{micros / 1000:g}ms"
