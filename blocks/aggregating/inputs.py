"""The inputs of AggregateEvents: events, and beside them moments (`as_of`) or partial aggregates (`seed`)."""

from collections.abc import Mapping
from typing import Any

import apache_beam as beam

from blocks.core.errors import ConfigError, Problem, all_problems, nearest

EVENTS, AS_OF, SEED = NAMES = ("events", "as_of", "seed")
_FORM = (
    "name them: {'events': events, 'as_of': moments} | AggregateEvents(...); in a snippet, "
    "input: {events: STEP, as_of: STEP}"
)


def named_inputs(given: Any, options: Mapping[str, Any], ranged: bool) -> dict[str, beam.PCollection]:
    """The inputs by their names: `events`, and one of `as_of` and `seed`.

    Args:
      given: what the block is applied to, other than a PCollection.
      options: name to value of the options `as_of` and `seed`.
      ranged: whether rows are asked for as of the steps of a range.

    Raises:
      ConfigError: other inputs than these, or one that is an option too.
    """
    if not isinstance(given, Mapping):
        count = len(given) if isinstance(given, tuple | list) else 0
        what = f"{count} inputs without names" if count else "no input"
        raise ConfigError(what, where="AggregateEvents, input", fix=_FORM)
    with all_problems("AggregateEvents, input", ConfigError) as problems:
        for name in given:
            if name not in NAMES:
                problems.append(Problem(f"no input `{name}`", str(name), f"{nearest(str(name), NAMES)}; {_FORM}"))
            elif options.get(name) is not None:
                problems.append(Problem(f"`{name}` is an input and an option", name, "take one of them out"))
        if EVENTS not in given:
            problems.append(Problem("no input `events`", "", _FORM))
        if AS_OF in given and SEED in given:
            fix = "`as_of` is for bounded events, `seed` for a stream: take one of them out"
            problems.append(Problem("both `as_of` and `seed`", SEED, fix))
        if AS_OF in given and ranged:
            fix = "ask for one of them: the steps of a range, or the moments of a spine"
            problems.append(Problem("both `as_of` and a range", AS_OF, fix))
    return dict(given)
