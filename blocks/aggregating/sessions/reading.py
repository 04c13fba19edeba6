"""Reads a definition of sessions from YAML or a mapping, and finds everything that is wrong with it at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

from blocks.aggregating.definition import Definition, Feature
from blocks.aggregating.reading import Path_, Reader, text_of
from blocks.aggregating.sessions.definition import EARLY, FINAL, Rules, SessionDefinition
from blocks.core import strict_yaml
from blocks.core.errors import ConfigError, all_problems, nearest

SessionSource = str | Path | Mapping[str, Any] | SessionDefinition

_TOP = ("entity", "source", "session", "features", "events", "emit", "lateness", "ahead", "state_ttl")
_SOURCE = ("schema", "event_time", "event_id", "identity")
_SESSION = ("gap", "max_duration", "max_events", "close_when")
_OF_WINDOWS = ("window", "hop", "max_events")
# Columns that every session has.
TAKEN = (
    "session_id", "started_at", "ended_at", "event_count", "closed_by", "revision", "reason", "events", "truncated",
)  # fmt: skip


def read_sessions(source: SessionSource) -> SessionDefinition:
    """Reads and checks a definition of sessions.

    Args:
      source: path of a YAML file, its content as a mapping, or a definition (returned as it is).

    Raises:
      ConfigError: with every problem; of a file, each with line and column.
    """
    if isinstance(source, SessionDefinition):
        return source
    given = isinstance(source, Mapping)
    document = strict_yaml.Document(source, "sessions", {}) if given else strict_yaml.load(cast("str | Path", source))
    with all_problems(document.file, ConfigError) as problems:
        return _SessionReader(document, problems).sessions()


class _SessionReader(Reader):
    feature_keys: ClassVar[tuple[str, ...]] = ("name", "op", "column", "where", "by", "max_keys", "of", *_OF_WINDOWS)
    taken: ClassVar[tuple[str, ...]] = TAKEN

    def sessions(self) -> SessionDefinition:
        top = self._mapping(self._document.data, (), _TOP)
        source = self._mapping(top.get("source"), ("source",), _SOURCE, needed=True)
        rules = self._rules(top.get("session"))
        whose = self._whose(top, source)
        self._key = whose["key"]
        for name in self._key:
            if name in self.taken:
                what = f"the key `{name}` has the name of a column that every session has"
                self._add(what, ("entity", "key"), "rename it before: RenameColumns")
        features = self._features(top["features"]) if "features" in top else ()
        shared = Definition(
            **whose, features=features, **self._times(top), file=self._document.file, places=self._places()
        )
        events = self._names(top, "events", ())
        emit = top.get("emit", EARLY)
        if emit not in (EARLY, FINAL):
            fix = nearest(emit, (EARLY, FINAL)) if isinstance(emit, str) else f"write {EARLY} or {FINAL}"
            self._add(f"expected {EARLY} or {FINAL} as `emit`", ("emit",), fix)
        return SessionDefinition(self._kept_long_enough(shared, rules, "state_ttl" in top), rules, events, emit)

    def _rules(self, given: Any) -> Rules:
        path = ("session",)
        content = self._mapping(given, path, _SESSION, needed=True)
        if "gap" not in content and isinstance(given, Mapping):
            self._add("no `gap`", path, "say which pause ends a session: `gap: 30m`")
        longest = self._time(content, "max_duration", path, 0) if "max_duration" in content else None
        most = self._whole(content, "max_events", path, 1_000, 10_000_000) if "max_events" in content else None
        place = self._where(("session", "close_when"))
        return Rules(self._time(content, "gap", path, 0), longest, most, self._text(content, "close_when", path), place)

    def _kept_long_enough(self, shared: Definition, rules: Rules, given: bool) -> Definition:
        needed = rules.gap + shared.lateness
        if not given:
            return replace(shared, state_ttl=needed)
        if shared.state_ttl < needed:
            what = f"`state_ttl` is shorter than the gap and the lateness: {text_of(needed)}"
            self._add(what, ("state_ttl",), f"write {text_of(needed)} or more")
        return shared

    def _feature(self, given: Any, path: Path_) -> Feature | None:
        if isinstance(given, Mapping) and given.get("op") == "rate":
            fix = "take `count`; its session has a beginning and an end"
            self._add("`rate` needs a window of one length, and sessions differ", (*path, "op"), fix)
        if isinstance(given, Mapping) and given.get("name") in self._key:
            self._add(f"`{given['name']}` is a column of the key", (*path, "name"), "give the feature another name")
        return super()._feature(given, path)

    def _window(self, content: Mapping[str, Any], path: Path_) -> tuple[int | None, int]:
        """All of the session."""
        for key in _OF_WINDOWS:
            if key in content:
                fix = "bound the session: `session: {max_events: 1000}`" if key == "max_events" else "leave it out"
                self._add(f"a feature of a session has no `{key}`: the session is its window", (*path, key), fix)
        return None, 0

    def _max_events(self, content: Mapping[str, Any], path: Path_, window: int | None, hop: int) -> int | None:
        return None
