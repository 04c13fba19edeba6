"""The inputs of a query: one PCollection of batches, or several by name."""

from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.transforms.trigger import DefaultTrigger
from apache_beam.transforms.window import FixedWindows, GlobalWindows, Sessions, SlidingWindows
from apache_beam.utils.timestamp import Duration

from blocks.core.batch_type import schema_of
from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.sql.analysis import Table

ALONE = "PCOLLECTION"
_KNOWN_WINDOWS = (GlobalWindows, FixedWindows, SlidingWindows, Sessions)
_FORM = "name them: {'orders': orders, 'users': users} | RunSql(...); in a snippet, input: {orders: STEP, users: STEP}"


def named_inputs(given: Any) -> dict[str, beam.PCollection]:
    """The inputs by the names that the query has for them.

    Args:
      given: a PCollection, which is `PCOLLECTION`, or a mapping of names to PCollections.

    Raises:
      ConfigError: several without names, none, or something else.
    """
    if isinstance(given, beam.PCollection):
        return {ALONE: given}
    if isinstance(given, Mapping) and given:
        return {str(name): one for name, one in given.items()}
    if isinstance(given, list | tuple) and len(given) == 1:
        return {ALONE: given[0]}
    several = isinstance(given, list | tuple) and bool(given)
    what = f"{len(given)} inputs without names" if several else "no input"
    raise ConfigError(what, where="RunSql, input", fix=_FORM)


def table_of(name: str, pcoll: beam.PCollection) -> Table:
    """What the check of a query is told of an input.

    Raises:
      BatchTypeError: it is not made of batches.
    """
    where = "RunSql" if name == ALONE else f"RunSql, input `{name}`"
    windowing = pcoll.windowing
    return Table(
        name,
        schema_of(pcoll, where),
        bool(pcoll.is_bounded),
        not isinstance(windowing.windowfn, GlobalWindows),
        _in_words(windowing.windowfn),
        windowing.triggerfn != DefaultTrigger(),
        Duration.of(windowing.allowed_lateness).micros > 0,
    )


def _in_words(windowfn: Any) -> str:
    if isinstance(windowfn, GlobalWindows):
        return "the global window"
    if isinstance(windowfn, FixedWindows):
        return f"windows of {_seconds(windowfn.size)}{_shifted(windowfn)}"
    if isinstance(windowfn, SlidingWindows):
        return f"windows of {_seconds(windowfn.size)} every {_seconds(windowfn.period)}{_shifted(windowfn)}"
    return f"{type(windowfn).__name__} {hash(windowfn):x}" if not isinstance(windowfn, Sessions) else "sessions"


def _shifted(windowfn: Any) -> str:
    return f" from {_seconds(windowfn.offset)}" if windowfn.offset.micros else ""


def _seconds(duration: Any) -> str:
    return f"{duration.micros / 1_000_000:g} s"


def check_windows(inputs: Mapping[str, beam.PCollection]) -> None:
    """Refuses windows that only Python knows, which nothing in Java can follow.

    Raises:
      ConfigError: every such input.
    """
    with all_problems("RunSql", ConfigError) as problems:
        for name, pcoll in inputs.items():
            windowfn = pcoll.windowing.windowfn
            if type(windowfn) not in _KNOWN_WINDOWS:
                what = f"Beam SQL, which is written in Java, does not know the windows of {type(windowfn).__name__}"
                fix = "group by TUMBLE, HOP or SESSION, or put WindowRows with fixed or sliding windows before"
                problems.append(Problem(what, f"input `{name}`", fix))
