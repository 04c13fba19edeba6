"""How the command line shows errors and logs: three parts, no traceback unless it is asked for."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from blocks.core.errors import BlocksError

# Raised where a pipeline fails although everything that the user wrote is right.
FAILED, MISTAKE = 1, 2

# What Beam tells about parts that nobody asked for, at import.
_NOISE = (
    "apitools not found, and bigquery client libraries are not available",
    "Could not load ML transform module",
)
# Beam logs the error of a worker with its traceback before it raises it; it is shown once, by us.
_RAISED_TOO = "apache_beam.runners.common"


_UNKNOWN = "run it again with --debug and report the traceback"


class Quiet(logging.Filter):
    """Lets everything pass but lines that are known to mean nothing, and errors that are raised as well.

    Args:
      debug: whether errors of workers are to be seen with their tracebacks.
    """

    def __init__(self, debug: bool = False) -> None:
        super().__init__()
        self._debug = debug

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be seen."""
        if any(noise in str(record.msg) for noise in _NOISE):
            return False
        return self._debug or not (record.name == _RAISED_TOO and record.exc_info)


class RunFailed(Exception):  # noqa: N818 - a carrier of another error, not an error of its own
    """A run that failed; the cause says why."""


@contextmanager
def shown_errors(debug: bool) -> Iterator[None]:
    """Shows an error of `blocks` as text and ends with the exit code that belongs to it.

    Args:
      debug: the traceback too.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Quiet(debug))
    root = logging.getLogger()
    # A handler of our own, so that `logging.warning` in Beam does not install one without the filter.
    root.addHandler(handler)
    try:
        yield
    except RunFailed as failed:
        _end(failed.__cause__, FAILED, debug)
    except BlocksError as error:
        _end(error, FAILED if isinstance(error, OSError) else MISTAKE, debug)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(130) from None
    except typer.Exit:
        raise
    except Exception as error:
        if debug:
            raise
        # Its text may hold anything, a value of a record too.
        unknown = BlocksError("an error that `blocks` does not know", where=type(error).__name__, fix=_UNKNOWN)
        _end(unknown, FAILED, debug)
    finally:
        root.removeHandler(handler)


def _end(error: BaseException | None, code: int, debug: bool) -> None:
    if debug and error is not None:
        traceback.print_exception(error, file=sys.stderr)
    typer.echo(f"{type(error).__name__}: {error}", err=True)
    raise typer.Exit(code) from None
