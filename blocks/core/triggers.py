"""Triggers as options: `{after_watermark: {early: {after_count: 100}}}`, made into those of Beam."""

from collections.abc import Callable, Mapping
from typing import Any

from apache_beam.transforms import trigger as beam_triggers

from blocks.core.durations import duration_micros
from blocks.core.errors import Problem, nearest

TriggerSource = str | Mapping[str, Any] | beam_triggers.TriggerFn

AFTER_WATERMARK = "after_watermark"
_FIRINGS = ("early", "late")
# Those that fire once, alone or together, may stand in `early`, `late`, `after_any` and `after_all`.
_ONCE = ("after_count", "after_processing_time", "after_any", "after_all")
_NAMES = (AFTER_WATERMARK, *_ONCE[:2], "repeatedly", *_ONCE[2:], "after_each")
_FORM = "as in {after_watermark: {early: {after_processing_time: 1m}, late: {after_count: 1}}}"
_MOST = (1 << 31) - 1
_SECOND = 1_000_000


def read_trigger(given: object, problems: list[Problem]) -> beam_triggers.TriggerFn | None:
    """A trigger of Beam from an option, or one that is given as it is; None where something is wrong with it.

    Args:
      given: name or mapping; or a trigger of Beam.
      problems: grows; each problem names the place in the option, as in `trigger.repeatedly.after_count`.
    """
    if isinstance(given, beam_triggers.TriggerFn):
        return given
    before = len(problems)
    found = _Reader(problems).trigger(given, "trigger", _NAMES)
    return found if len(problems) == before else None


class _Reader:
    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._readers: dict[str, Callable[[Any, str], Any]] = {
            AFTER_WATERMARK: self._after_watermark,
            "after_count": self._after_count,
            "after_processing_time": self._after_processing_time,
            "repeatedly": self._repeatedly,
            "after_any": lambda given, place: self._together(beam_triggers.AfterAny, given, place),
            "after_all": lambda given, place: self._together(beam_triggers.AfterAll, given, place),
            "after_each": self._after_each,
        }

    def trigger(self, given: Any, place: str, names: tuple[str, ...]) -> Any:
        """A trigger of one of these names."""
        content = {given: None} if isinstance(given, str) else given
        if not isinstance(content, Mapping) or len(content) != 1:
            got = "several triggers" if isinstance(content, Mapping) and content else f"a {type(given).__name__}"
            return self._add(f"expected one trigger, got {got}", place, _FORM)
        ((name, value),) = content.items()
        if name not in _NAMES:
            return self._add(f"no trigger `{name}`", f"{place}.{name}", nearest(str(name), names))
        if name not in names:
            fix = f"take one of {', '.join(names)}"
            return self._add(f"`{name}` cannot stand here, where a trigger fires once", f"{place}.{name}", fix)
        return self._readers[name](value, f"{place}.{name}")

    def _after_watermark(self, given: Any, place: str) -> Any:
        if given is None:
            return beam_triggers.AfterWatermark()
        if not isinstance(given, Mapping):
            return self._add("expected a mapping of `early` and `late`", place, _FORM)
        found: dict[str, Any] = {}
        for name, value in given.items():
            if name not in _FIRINGS:
                self._add(f"no key `{name}`", f"{place}.{name}", nearest(str(name), _FIRINGS))
            elif isinstance(value, Mapping) and list(value) == ["repeatedly"]:
                # Beam repeats what stands here in any case.
                found[name] = self.trigger(value["repeatedly"], f"{place}.{name}.repeatedly", _ONCE)
            else:
                found[name] = self.trigger(value, f"{place}.{name}", _ONCE)
        return beam_triggers.AfterWatermark(**found)

    def _after_count(self, given: Any, place: str) -> Any:
        if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= _MOST:
            return self._add(f"expected a whole number from 1 to {_MOST}", place, "write after_count: 100")
        return beam_triggers.AfterCount(given)

    def _after_processing_time(self, given: Any, place: str) -> Any:
        before = len(self._problems)
        micros = duration_micros(given, place, self._problems)
        if len(self._problems) > before:
            return None
        if micros % _SECOND:
            # What Beam's Python writes down for a runner is a whole number of seconds.
            return self._add("Beam's Python keeps whole seconds here", place, "write 1s or more, in whole seconds")
        return beam_triggers.AfterProcessingTime(micros // _SECOND)

    def _repeatedly(self, given: Any, place: str) -> Any:
        found = self.trigger(given, place, tuple(name for name in _NAMES if name != "repeatedly"))
        return None if found is None else beam_triggers.Repeatedly(found)

    def _together(self, kind: Any, given: Any, place: str) -> Any:
        found = self._several(given, place, _ONCE)
        return kind(*found) if found else None

    def _after_each(self, given: Any, place: str) -> Any:
        found = self._several(given, place, tuple(name for name in _NAMES if name != "after_each"))
        return beam_triggers.AfterEach(*found) if found else None

    def _several(self, given: Any, place: str, names: tuple[str, ...]) -> list[Any]:
        if not isinstance(given, list | tuple) or len(given) < 2:
            self._add("expected a list of two triggers or more", place, "[{after_count: 100}, ...]")
            return []
        return [self.trigger(one, f"{place}[{number}]", names) for number, one in enumerate(given, 1)]

    def _add(self, what: str, place: str, fix: str) -> None:
        self._problems.append(Problem(what, place, fix))
