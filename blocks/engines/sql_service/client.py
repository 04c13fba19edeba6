"""The client of the SQL service, and the one service that all pipelines of a process share."""

import atexit
import contextlib
import json
import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pyarrow as pa
from apache_beam.portability.api import beam_expansion_api_pb2_grpc

from blocks.engines.errors import EngineError
from blocks.engines.processes import OwnedProcess
from blocks.engines.sql_service import process, shared
from blocks.engines.sql_service.tables import (
    DEADLINE_SECONDS,
    Table,
    UserJar,
    request_of,
    schema_of_message,
)

TOKEN = "blocks-token"  # noqa: S105  # the name, not the secret
OVERRUN = 87
OUT_OF_MEMORY = 3
_ANSWER_SECONDS = 90.0
_PLAN_SECONDS = 30.0
_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True)
class PlanProblem:
    """Why the engine does not take a query.

    Attributes:
      kind: `parse`, `validate`, `plan` (no plan for it), `unsupported` (planned, but its steps cannot be made; or not a
        query at all), `jar` (a user's archive) or `deadline`.
      message: without a stack, of one line.
      line: from 1; 0 where there is no place.
      column: from 1; 0 where there is no place.
      end_line: of the last character.
      end_column: of the last character.
    """

    kind: str
    message: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0


@dataclass(frozen=True)
class PlanResult:
    """What the engine says of a query: the schema of its rows, or problems.

    Attributes:
      schema: None where there are problems. Decimals are decimal128(38, 9), timestamps timestamp[us, tz=UTC]: the
        engine knows neither scale nor zone; `SqlStage` writes any other scale or unit that it is told.
      problems: empty where there is a schema.
    """

    schema: pa.Schema | None
    problems: tuple[PlanProblem, ...] = ()


class SqlService:
    """A running service.

    Args:
      address: `host:port`.
      token: that it asks for.
      version: that it must be of.
      owned: its process, where this process started it.
      folder: of its token and log.

    Raises:
      EngineError: it does not answer, or is of another version.
    """

    def __init__(
        self, address: str, token: str, version: str, owned: OwnedProcess | None = None, folder: Path | None = None
    ) -> None:
        self.address, self.token, self.version = address, token, version
        self._owned, self._folder = owned, folder
        self._closed = self._doomed = False
        self._listeners: weakref.WeakSet[Any] = weakref.WeakSet()
        self._channel = grpc.insecure_channel(address, options=_CHANNEL)
        try:
            self.hello = self._ask("Hello", {}, 10.0)
            if self.hello["build"] != version:
                raise EngineError(
                    f"expected a SQL service of version {version}, got {self.hello['build']}",
                    where=address,
                    fix="stop it with `blocks sql-service stop`; the next query starts one of this version",
                )
        except BaseException:
            self._channel.close()
            raise

    @classmethod
    def start(cls, memory: str = process.MEMORY) -> "SqlService":
        """Starts one that ends with this process.

        Raises:
          EngineError: it cannot be started.
        """
        folder, token = process.new_folder()
        try:
            owned, address, version = process.start_owned(folder, memory)
            with contextlib.ExitStack() as stack:
                stack.push(owned)
                started = cls(address, token, version, owned, folder)
                stack.pop_all()
            return started
        except BaseException:
            _remove(folder, keeps_log=True)
            raise

    def plan(
        self,
        query: str,
        tables: Mapping[str, "Table | pa.Schema"],
        udf_jars: Sequence["UserJar | Path | str"] = (),
        deadline: float = _PLAN_SECONDS,
    ) -> PlanResult:
        """Plans a query and makes its Beam steps, and runs nothing.

        Args:
          query: in Beam's Calcite dialect.
          tables: by name.
          udf_jars: archives with functions of the user.
          deadline: seconds for the planner.

        Raises:
          ConfigError: archives that cannot be used.
          EngineError: the service ended or does not answer.
        """
        request = request_of(query, tables, udf_jars, DEADLINE_SECONDS, plan_ms=int(deadline * 1000))
        answer = self._ask("Plan", request, deadline + 5)
        if "schema" in answer:
            return PlanResult(schema_of_message(answer["schema"]))
        return PlanResult(None, tuple(PlanProblem(**one) for one in answer["problems"]))

    def expand(self, request: Any) -> Any:
        """Asks Beam's expansion service.

        Args:
          request: an ExpansionRequest.

        Raises:
          EngineError: the service ended or does not answer.
        """
        stub = beam_expansion_api_pb2_grpc.ExpansionServiceStub(self._channel)
        return self._called(lambda: stub.Expand(request, timeout=_ANSWER_SECONDS, metadata=self._metadata()))

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        if self._closed or self._doomed or (self._owned is not None and self._owned.exit_code is not None):
            return False
        if self._owned is not None:
            return True
        with contextlib.suppress(EngineError):
            self._ask("Hello", {}, 5.0)
            return True
        return False

    def ended(self, seconds: float = 0) -> EngineError | None:
        """The error of a service that ended although nobody asked it to; None while it runs.

        Args:
          seconds: to wait for its end; a connection breaks before the process is seen to be gone.
        """
        if self._owned is None:
            if self.is_alive():
                time.sleep(seconds)
                return None
            return self._failure("the SQL service has ended", None)
        code = self._owned.exit_within(seconds)
        return None if code is None else self._failure("the SQL service ended", code)

    def doom(self) -> None:
        """Takes note that it is about to end: whoever asks for a service gets another one."""
        self._doomed = True

    def when_ended(self, listener: Callable[[EngineError], None]) -> None:
        """Calls a method with the error when the service ends while the method's object lives.

        A worker that was asked for and has not come yet has no connection that could break.
        """
        first = not self._listeners
        self._listeners.add(listener.__self__)  # type: ignore[attr-defined]
        if first:
            threading.Thread(name="blocks-sql-end", target=self._tell, daemon=True).start()

    def _tell(self) -> None:
        while not self._closed and self._listeners:
            error = self.ended(1.0)
            if error is not None:
                for one in list(self._listeners):
                    one.fail(error)
                return

    def close(self) -> None:
        """Ends it, if this process started it."""
        self._closed = True
        self._channel.close()
        if self._owned is not None:
            failed = self._owned.exit_code
            self._owned.__exit__(None, None, None)
            if self._folder is not None:
                _remove(self._folder, keeps_log=failed is not None)

    def stop(self) -> None:
        """Asks it to end, whoever started it."""
        with contextlib.suppress(EngineError):
            self._ask("Stop", {}, 10.0)

    def forget(self) -> None:
        """For a forked child: the process belongs to the parent, whose end must still end it."""
        self._closed = True
        keeper = getattr(self._owned, "_keeper", None)
        if keeper is not None and keeper.stdin is not None:
            with contextlib.suppress(OSError):
                os.close(keeper.stdin.fileno())

    def _metadata(self) -> list[tuple[str, str]]:
        return [(TOKEN, self.token)]

    def _ask(self, method: str, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        call = self._channel.unary_unary(f"/blocks.SqlService/{method}")
        content = json.dumps(question).encode()
        answer = self._called(lambda: call(content, timeout=seconds, metadata=self._metadata()))
        return dict(json.loads(answer))

    def _called(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except grpc.RpcError as error:
            why = self.ended(2.0) if self._owned is not None else None
            raise why or self._unanswered(error) from error
        except ValueError as error:
            # What a closed channel raises.
            raise self._failure("the SQL service was stopped", None) from error

    def _unanswered(self, error: grpc.RpcError) -> EngineError:
        code = getattr(error, "code", lambda: None)()
        reason = code.name if code is not None else type(error).__name__
        return self._failure(f"the SQL service does not answer as it should: {reason}", None)

    def _failure(self, what: str, code: int | None) -> EngineError:
        fix = "run again; if it happens again, look into the log"
        if code == OVERRUN:
            what = "a function took longer on one row than it may; the SQL service was ended"
            fix = "mend the function, or give it longer: RunSql(..., deadline=)"
        elif code == OUT_OF_MEMORY:
            what = "the SQL service needs more memory than it has"
            fix = "look for a query or a function that keeps much, or give it more: BLOCKS_SQL_MEMORY=4g"
        elif code is not None:
            what = f"{what} with exit code {code}"
        where = f"log {self._owned.log}" if self._owned is not None else self.address
        return EngineError(what, where=where, fix=fix)


def _remove(folder: Path, keeps_log: bool) -> None:
    with contextlib.suppress(OSError):
        (folder / "token").unlink()
    if not keeps_log:
        shutil.rmtree(folder, ignore_errors=True)


_lock = threading.Lock()
_current: SqlService | None = None


def service() -> SqlService:
    """The service of this process: a shared one where the user has started one, else one of its own.

    It is started by the first caller, the others wait for it; it ends with this process. One that has ended is replaced
    by a new one.

    Raises:
      EngineError: it cannot be started, or a shared one is of another version.
    """
    global _current
    with _lock:
        if _current is None or not _current.is_alive():
            if _current is not None:
                _current.close()
            _current = shared.connect() or SqlService.start(os.environ.get("BLOCKS_SQL_MEMORY", process.MEMORY))
        return _current


def service_at(address: str) -> SqlService | None:
    """The service of this process, if that is its address."""
    current = _current
    return current if current is not None and current.address == address else None


def close() -> None:
    """Ends the service of this process; the next query starts a new one."""
    global _current
    with _lock:
        if _current is not None:
            _current.close()
            _current = None


def _after_fork() -> None:
    global _lock, _current
    _lock = threading.Lock()
    if _current is not None:
        _current.forget()
        _current = None


def _at_exit() -> None:
    owned = _current is not None and _current._owned is not None and _current.is_alive()
    close()
    if owned:
        from blocks.engines.sql_service.warm import warm_later

        with contextlib.suppress(Exception):
            # A process that has done its work does not fail because the next one starts slower.
            warm_later()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
