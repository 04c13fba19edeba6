"""Keeps what Beam prints of a failed worker off the console: the error comes back with the run, and is shown once.

Beam prints the traceback of a worker to standard error, logs it twice, and logs Java's stack trace as well. Such a text
may hold a value of a record.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc  # type: ignore[import-untyped]
from apache_beam.runners.worker import sdk_worker

_RAISED_TOO = {
    # Logger to the beginning of its lines; in the module `portable_runner` every line is a message of the job server.
    "apache_beam.runners.worker.sdk_worker": "Error processing instruction",
    "apache_beam.runners.worker.data_plane": "Failed to read inputs in the data plane",
}


@contextmanager
def quiet_workers() -> Iterator[None]:
    """For the time of a run, in this process."""

    def silent(record: logging.LogRecord) -> bool:
        start = _RAISED_TOO.get(record.name)
        of_job = record.name == "root" and record.module == "portable_runner"
        return not (of_job or (start is not None and str(record.msg).startswith(start)))

    def ended(thread: threading.ExceptHookArgs) -> None:
        # Workers in this process end when their connection does.
        if not issubclass(thread.exc_type, grpc.RpcError):
            hook(thread)

    hook, threading.excepthook = threading.excepthook, ended
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in _RAISED_TOO)]
    for logger in loggers:
        logger.addFilter(silent)
    # The module has no other use of `print`, and no way to turn it off.
    sdk_worker.print = lambda *_, **__: None
    try:
        yield
    finally:
        threading.excepthook = hook
        del sdk_worker.print
        for logger in loggers:
            logger.removeFilter(silent)
