"""Windows, triggers, accumulation and lateness as options, made into Beam's own Windowing.

Beam does the windowing; here is only how it is written down, the same in Python and in YAML (docs/windows.md).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from apache_beam.transforms import trigger as beam_triggers
from apache_beam.transforms import window as beam_windows
from apache_beam.transforms.core import Windowing, WindowInto
from apache_beam.utils.timestamp import Duration as BeamDuration

from blocks.core.durations import Duration, duration_micros
from blocks.core.errors import Problem, nearest
from blocks.core.triggers import TriggerSource, read_trigger

# Type of windows to its keys, and to those that have to be there.
_TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tumbling": (("size", "offset"), ("size",)),
    "hopping": (("size", "period", "offset"), ("size", "period")),
    "session": (("gap",), ("gap",)),
    "global": ((), ()),
}
_FORMS = {
    "tumbling": "{type: tumbling, size: 1h}",
    "hopping": "{type: hopping, size: 1h, period: 10m}",
    "session": "{type: session, gap: 30m}",
    "global": "{type: global}",
}
# What Beam and SQL call them.
_TYPES_ELSEWHERE = {
    "fixed": "tumbling",
    "tumble": "tumbling",
    "sliding": "hopping",
    "hop": "hopping",
    "sessions": "session",
}
_KEYS_ELSEWHERE = {"every": "period", "slide": "period", "gap_size": "gap"}
_MODES = {
    "discarding": beam_triggers.AccumulationMode.DISCARDING,
    "accumulating": beam_triggers.AccumulationMode.ACCUMULATING,
}
_MILLISECOND = 1_000


def read_windows(given: object, problems: list[Problem], *, merging: bool) -> beam_windows.WindowFn | None:
    """A window function of Beam from an option; None where something is wrong with it.

    Args:
      given: mapping with `type`, and the keys of that type.
      problems: grows; each problem names the place in the option, as in `windows.size`.
      merging: whether sessions may be, which Beam merges element by element.
    """
    kind = given.get("type") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(kind, str) or kind not in _TYPES:
        what = "expected a mapping with `type`" if not isinstance(kind, str) else f"no windows of type `{kind}`"
        problems.append(Problem(what, "windows" if kind is None else "windows.type", _kind_fix(kind)))
        return None
    if kind == "session" and not merging:
        what = "sessions are merged row by row, which batches cannot follow"
        problems.append(Problem(what, "windows.type", "put sessions on rows: AsRows, then WindowElements"))
    before = len(problems)
    keys, needed = _TYPES[kind]
    micros: dict[str, int] = {}
    for key, value in given.items():
        if key in keys:
            micros[key] = _length(value, key, problems)
        elif key != "type":
            problems.append(Problem(f"{kind} windows have no `{key}`", f"windows.{key}", _key_fix(str(key), keys)))
    meant = {_KEYS_ELSEWHERE.get(str(key), str(key)) for key in given}
    missing = [key for key in needed if key not in meant]
    problems.extend(Problem(f"{kind} windows need `{key}`", "windows", f"as in {_FORMS[kind]}") for key in missing)
    if len(problems) > before:
        return None
    _check_grid(kind, micros, problems)
    return _made(kind, micros) if len(problems) == before else None


def _kind_fix(kind: object) -> str:
    if isinstance(kind, str) and kind in _TYPES_ELSEWHERE:
        meant = _TYPES_ELSEWHERE[kind]
        return f"here they are called `{meant}`: {_FORMS[meant]}"
    known = nearest(kind, _TYPES) + "; " if isinstance(kind, str) else ""
    return f"{known}as in {', '.join(_FORMS.values())}"


def _key_fix(key: str, keys: tuple[str, ...]) -> str:
    meant = _KEYS_ELSEWHERE.get(key)
    return f"here it is called `{meant}`" if meant in keys else nearest(key, keys)


def _length(value: Any, key: str, problems: list[Problem]) -> int:
    place, before = f"windows.{key}", len(problems)
    found = duration_micros(value, place, problems)
    if len(problems) > before:
        return 0
    if found % _MILLISECOND:
        problems.append(Problem("runners know windows of whole milliseconds", place, "write it in ms"))
    elif not found and key != "offset":
        problems.append(Problem(f"`{key}` is no time at all", place, "write a length of time, such as 5m"))
    return found


def _check_grid(kind: str, micros: Mapping[str, int], problems: list[Problem]) -> None:
    size, period = micros.get("size", 0), micros.get("period", 0)
    if kind == "hopping" and period > size:
        what = "a period longer than the size leaves out what lies between two windows"
        problems.append(Problem(what, "windows.period", "take one that is not longer than `size`"))
    step = "period" if kind == "hopping" else "size"
    if micros.get("offset", 0) >= (micros.get(step) or 1) and "offset" in micros:
        problems.append(Problem(f"the offset is not shorter than the {step}", "windows.offset", "take a shorter one"))


def _made(kind: str, micros: Mapping[str, int]) -> beam_windows.WindowFn:
    lengths = {key: BeamDuration(micros=value) for key, value in micros.items() if key != "offset"}
    if "offset" in micros:
        lengths["offset"] = beam_windows.Timestamp(micros=micros["offset"])
    if kind == "tumbling":
        return beam_windows.FixedWindows(**lengths)
    if kind == "hopping":
        return beam_windows.SlidingWindows(**lengths)
    return beam_windows.GlobalWindows() if kind == "global" else beam_windows.Sessions(lengths["gap"])


def read_accumulation(given: object, problems: list[Problem]) -> Any:
    """Beam's accumulation mode; None where none is given, or something is wrong with it."""
    if given is None:
        return None
    if not isinstance(given, str) or given not in _MODES:
        got = f"no way of accumulating named `{given}`" if isinstance(given, str) else f"got a {type(given).__name__}"
        problems.append(Problem(got, "accumulation", nearest(str(given), _MODES)))
        return None
    return _MODES[given]


def read_lateness(given: float | Duration, problems: list[Problem]) -> BeamDuration:
    """The allowed lateness: seconds, or a time as in `1h`."""
    if isinstance(given, str | timedelta):
        return BeamDuration(micros=duration_micros(given, "allowed_lateness", problems))
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < float("inf"):
        what = "expected a time, or seconds of 0 or more"
        problems.append(Problem(what, "allowed_lateness", "write it as 30s, 10m, 2h or 1d"))
        return BeamDuration(0)
    return BeamDuration.of(given)


def read_windowing(
    windowfn: beam_windows.WindowFn | None,
    trigger: TriggerSource | None,
    mode: Any,
    allowed_lateness: float | Duration,
    problems: list[Problem],
) -> Windowing | None:
    """Beam's Windowing of options; None where something is wrong with them.

    Args:
      windowfn: None if something is wrong with it.
      trigger: as an option, or of Beam; None for Beam's default, which fires once the watermark has passed a window.
      mode: Beam's accumulation mode, or None.
      allowed_lateness: as an option.
      problems: grows.
    """
    before = len(problems)
    found = None if trigger is None else read_trigger(trigger, problems)
    lateness = read_lateness(allowed_lateness, problems)
    untold = mode is None and not any(one.where == "accumulation" for one in problems)
    if untold and found is not None and found != beam_triggers.DefaultTrigger():
        what = "a trigger may fire several times, and nothing says what a later firing has"
        fix = "write accumulation: discarding (what is new) or accumulating (all of the window so far)"
        problems.append(Problem(what, "accumulation", fix))
    if len(problems) > before:
        return None
    # Of windows that are wrong the rest is looked at all the same.
    made = Windowing(windowfn or beam_windows.GlobalWindows(), found, mode, allowed_lateness=lateness)
    if found is not None and not isinstance(trigger, beam_triggers.TriggerFn):
        problems.extend(_losing(made))
    return made if windowfn is not None and len(problems) == before else None


def window_into(windowing: Windowing, trigger: TriggerSource | None, bounded: bool) -> WindowInto:
    """Beam's transform with this windowing.

    Args:
      windowing: from `read_windowing`.
      trigger: as it was given. One that was an option is left out of bounded input, in which a window is whole when it
        is given: local runners would give it a second time, or fail at processing time (docs/windows.md).
      bounded: whether the input is.
    """
    once = bounded and not isinstance(trigger, beam_triggers.TriggerFn)
    # Given a Windowing whole, `WindowInto` forgets the allowed lateness (Beam 2.77).
    return WindowInto(
        windowing.windowfn,
        trigger=beam_triggers.DefaultTrigger() if once else windowing.triggerfn,
        accumulation_mode=_MODES["discarding"] if once else windowing.accumulation_mode,
        allowed_lateness=windowing.allowed_lateness,
    )


def _losing(windowing: Windowing) -> list[Problem]:
    """A problem where the trigger ends before the window does, so that Beam would drop what comes after it."""
    trigger = windowing.triggerfn
    if trigger.may_lose_data(windowing) == beam_triggers.DataLossReason.NO_POTENTIAL_LOSS:
        return []
    if isinstance(trigger, beam_triggers.AfterWatermark):
        what = "late rows are allowed, and no trigger fires for them: they would be lost"
        fix = "say when they fire, as in late: {after_count: 1}, or leave out allowed_lateness"
        return [Problem(what, "trigger.after_watermark", fix)]
    what = "the trigger ends before its window does: what comes after it would be lost"
    return [Problem(what, "trigger", "repeat it: trigger: {repeatedly: ...}, or end with after_watermark")]
