"""Times as options: `30s`, `10m`, `2h`, `1d`."""

import re
from datetime import timedelta

from blocks.core.errors import Problem

Duration = str | timedelta
_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def duration_micros(value: object, option: str, problems: list[Problem]) -> int:
    """The microseconds of a time given as text or `timedelta`; a problem and 0 where it is none, or below zero.

    Args:
      value: what the user gave.
      option: its name, for the problem.
      problems: grows.
    """
    if isinstance(value, timedelta) and value >= timedelta(0):
        return value // timedelta(microseconds=1)
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return int(float(match[1]) * _UNITS[match[2]])
    got = repr(value) if isinstance(value, str | timedelta) else f"a {type(value).__name__}"
    problems.append(Problem(f"expected a time, got {got}", option, "write it as 30s, 10m, 2h or 1d"))
    return 0
