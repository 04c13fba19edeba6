"""Where a pipeline runs: the only place that knows runners.

An engine is chosen by name and never replaced by another one: Beam's DirectRunner tries Prism and falls back silently.
"""

from typing import Any

from blocks.core.errors import ConfigError, nearest

ENGINES = {"local": "in this process, on one core; for samples, tests and up to some gigabytes"}


def engine(name: str = "local") -> Any:
    """A Beam runner.

    Args:
      name: one of `ENGINES`.

    Raises:
      ConfigError: there is no such engine.
    """
    if name != "local":
        raise ConfigError(f"no engine `{name}`", where="--runner", fix=nearest(name, ENGINES))
    from blocks.engines.local import LocalRunner

    return LocalRunner()
