"""Servers that live in processes of their own: never longer than their owner, and with a log that can be shown."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from blocks.engines import keeper
from blocks.engines.errors import EngineError

_LAST_LINES, _LAST_BYTES = 5, 8192
# Frames of Java and Python, and what counts them.
_STACK = re.compile(rb"^\s+(at |\.\.\. \d+ )|^Traceback|^  File |^    \S")
# What every Java newer than 23 says of the libraries in use.
_NOISE = re.compile(rb"^(WARNING: |\[main\] WARN |\s*$)")


class OwnedProcess:
    """A process that ends when its owner does, whatever ends the owner.

    Args:
      name: for errors, `the Flink job server`.
      command: with the program first.
      log: file that takes what the process prints.
      environment: added to that of the owner.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] = {}) -> None:
        self.name, self.log = name, log
        self._command, self._environment = list(command), dict(environment)
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "OwnedProcess":
        kept = [sys.executable, "-S", "-I", keeper.__file__, *self._command]
        with self.log.open("wb") as log:
            # In a session of its own: Ctrl-C is for the owner, who then ends this one in order.
            self._keeper = subprocess.Popen(  # noqa: S603  # our own command
                kept,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._keeper
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            process.wait(2 * keeper.GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._keeper is None else self._keeper.poll()

    def exit_within(self, seconds: float) -> int | None:
        """The exit code of a process that ends within some seconds, None of one that does not."""
        if self._keeper is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._keeper.wait(seconds)
        return None

    def wait_for(self, pattern: str, seconds: float, fix: str) -> re.Match[str]:
        """The first place in the log where a pattern stands.

        Args:
          pattern: regular expression.
          seconds: after which a process that has not written it is given up.
          fix: what the reader of the error can do.

        Raises:
          EngineError: the process ended, or the time is over; with the end of the log.
        """
        deadline = time.monotonic() + seconds
        while True:
            ended = self.exit_code
            if found := re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace")):
                return found
            if ended is not None:
                raise self.failure(f"{self.name} ended while it started, with exit code {ended}", fix)
            if time.monotonic() > deadline:
                raise self.failure(f"{self.name} was not ready after {seconds:,.0f} s", fix)
            time.sleep(0.05)

    def failure(self, what: str, fix: str, *, quoted: bool = True) -> EngineError:
        """An error with the end of the log, without the frames of stack traces.

        Args:
          what: happened.
          fix: what the reader can do.
          quoted: False where records have been seen: the log may then hold what a step said of one.
        """
        said = "\n".join(last_lines(self.log)) if quoted else ""
        return EngineError(what, where=f"log {self.log}", fix=fix + (f"; it said:\n{said}" if said else ""))


def last_lines(log: Path) -> list[str]:
    """The last lines of a log that say something, shortened."""
    with contextlib.suppress(OSError), log.open("rb") as source:
        source.seek(0, os.SEEK_END)
        source.seek(max(0, source.tell() - _LAST_BYTES))
        lines = [line for line in source.read().splitlines() if not _STACK.match(line) and not _NOISE.match(line)]
        return [line.decode("utf-8", "replace").strip()[:300] for line in lines[-_LAST_LINES:]]
    return []
