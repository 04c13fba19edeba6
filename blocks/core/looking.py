"""Pipelines that are built to be looked at and never run: `blocks check`, `explain`, `plan`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOOKING: ContextVar[bool] = ContextVar("looking", default=False)


@contextmanager
def looking() -> Iterator[None]:
    """Within it, pipelines are not run: a block may leave out what only a run needs, such as a server to start."""
    token = _LOOKING.set(True)
    try:
        yield
    finally:
        _LOOKING.reset(token)


def is_looking() -> bool:
    """Whether the pipeline that is being built will not be run."""
    return _LOOKING.get()
