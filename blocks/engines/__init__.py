"""Where a pipeline runs: the only place that knows runners.

An engine is chosen by name and never replaced by another one: Beam's DirectRunner tries Prism and falls back silently.
"""

from typing import Any

from blocks.engines.choosing import ENGINES, ENVIRONMENTS, EngineOptions, choose
from blocks.engines.engine import Engine

__all__ = ["ENGINES", "ENVIRONMENTS", "Engine", "EngineOptions", "choose", "engine"]


def engine(name: str = "local") -> Any:
    """The Beam runner of an engine, for a pipeline that is only built, or that runs on `local`.

    Args:
      name: one of `ENGINES`; one that has to be started is for `with choose(name) as engine`.

    Raises:
      ConfigError: there is no such engine, or it needs options.
    """
    return choose(name).runner
