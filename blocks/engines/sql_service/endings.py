"""A local run whose Java worker dies, or says why a bundle failed, ends with an error of `blocks`.

Beam's FnApiRunner waits for ever for an answer of a worker that is gone, and raises what a worker says as the text of a
RuntimeError. Its handler of external workers is replaced by one that knows the difference for workers of the SQL
service, and does nothing for others.
"""

import contextlib
import functools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_fn_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from blocks.engines.errors import EngineError
from blocks.engines.failures import failure_of
from blocks.engines.sql_service import client

# What the service says before it ends because of a function.
OVERRUN = "took longer on one row than it may"


@functools.cache
def watch() -> None:
    """Replaces Beam's handler, once in a process."""
    register = worker_handlers.WorkerHandler.register_environment(
        common_urns.environments.EXTERNAL.urn, beam_runner_api_pb2.ExternalPayload
    )
    register(_ExternalWorkerHandler)


class _ExternalWorkerHandler(worker_handlers.ExternalWorkerHandler):
    def start_worker(self) -> None:
        found = client.service_at(self._external_payload.endpoint.url)
        if found is not None:
            self._watched = watched = _Watched(self.control_conn, found)
            self.control_conn._read_thread = watched.reading
            watched.watch_data(self.data_conn)
            found.when_ended(watched.fail)
        super().start_worker()


class _Watched:
    """The connection of a run to a worker of a service.

    Args:
      connection: a ControlConnection of Beam.
      found: the service.
    """

    def __init__(self, connection: Any, found: "client.SqlService") -> None:
        self._connection, self._service = connection, found
        self.reading = threading.Thread(name="beam_control_read", target=self._read, daemon=True)

    def _read(self) -> None:
        """Hands answers to those who wait for them, until the worker ends; then nobody waits any longer."""
        try:
            for answer in self._connection._input:
                self._answer(self._connection._futures_by_id.pop(answer.instruction_id), answer)
        except Exception:  # grpc raises a bare Exception when the other side is gone
            lost = EngineError("the Java worker of the query ended", where="the SQL service", fix="run again")
            self.fail(self._service.ended(5.0) or lost)

    def watch_data(self, channel: Any) -> None:
        """Makes a data channel that breaks an error of the service."""
        read, elements = channel._read_inputs, channel.input_elements

        def input_elements(*given: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from elements(*given, **named)
            except RuntimeError as error:
                why = self._service.ended(5.0)
                if why is None:
                    raise
                raise why from error

        channel._read_inputs = lambda inputs: read(_until_broken(inputs))
        channel.input_elements = input_elements

    def _answer(self, future: Any, answer: Any) -> None:
        if answer.error:
            told = failure_of(RuntimeError(answer.error)).error
            if told is not None:
                future._exception = told
            if isinstance(told, EngineError) and OVERRUN in told.what:
                # It has a thread that cannot be ended, and ends itself in a moment.
                self._service.doom()
        future.set(answer)

    def fail(self, error: EngineError) -> None:
        """Answers every question, also those to come, with an error."""
        connection, original = self._connection, type(self._connection).push

        def refuse(request: Any) -> Any:
            future = original(connection, request)
            self._fail_all(error)
            return future

        connection.push = refuse
        self._fail_all(error)

    def _fail_all(self, error: EngineError) -> None:
        futures = self._connection._futures_by_id
        for name in list(futures):
            future = futures.pop(name, None)
            if future is not None:
                # Whoever waits for data asks whether there is an answer with an error, and then for the answer,
                # which raises.
                future._exception = error
                future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=str(error)))


def _until_broken(inputs: Iterable[Any]) -> Iterator[Any]:
    # The channel then counts as closed; Beam's thread would print a stack trace.
    with contextlib.suppress(Exception):
        yield from inputs
