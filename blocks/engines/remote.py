"""Engines behind a job server: our own with Flink, or one at an address."""

import contextlib
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from apache_beam.runners.runner import PipelineResult, PipelineState

from blocks.engines.engine import Counts, Engine
from blocks.engines.flink import LOCAL, FlinkServer
from blocks.engines.flink_cluster import FlinkCluster
from blocks.engines.portable import JobRunner, check_endpoint
from blocks.engines.quiet import quiet_workers

_LOG = logging.getLogger(__name__)


class JobServerEngine(Engine):
    """An engine whose runner hands pipelines to a job server."""

    def __init__(self, name: str, options: Mapping[str, Any], retain_unknown: bool = False) -> None:
        self.name = name
        self.runner: JobRunner = JobRunner(retain_unknown)
        self.options = dict(options)
        self._stack = contextlib.ExitStack()

    def counts(self) -> Counts:
        """When the job is done."""
        return self.runner.counts()

    def _start(self, stack: contextlib.ExitStack) -> str:
        """Starts what is needed, and gives the address of the job server."""
        raise NotImplementedError

    def __enter__(self) -> "JobServerEngine":
        with contextlib.ExitStack() as stack:
            # Left last: workers here notice the end of a server after it.
            stack.enter_context(quiet_workers())
            self.runner.endpoint = self._start(stack)
            stack.callback(self._stop_job)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _stop_job(self) -> None:
        try:
            self.runner.stop()
        except (
            Exception
        ) as error:  # whatever gRPC makes of a server that is gone; the run's own error is the one to see
            _LOG.debug("the job could not be cancelled: %s", type(error).__name__)


class FlinkEngine(JobServerEngine):
    """Our Flink job server, with a Flink in it or with a cluster.

    Args:
      server: not started.
      options: with `job_name`.
      cluster: that the server hands jobs to; the one of its master unless given.
    """

    def __init__(self, server: FlinkServer, options: Mapping[str, Any], cluster: FlinkCluster | None = None) -> None:
        super().__init__("flink", options)
        self.server = server
        self.cluster = None if server.master == LOCAL else cluster or FlinkCluster(server.master)

    def _start(self, stack: contextlib.ExitStack) -> str:
        self.runner.why_not = self.server.ended
        if self.cluster is not None:
            self.cluster.check()
            self.runner.accepted = self._wait_for_the_cluster
        return stack.enter_context(self.server).endpoint

    def _wait_for_the_cluster(self, result: PipelineResult) -> None:
        assert self.cluster is not None
        if not self.cluster.wait_for(self.options["job_name"], result) and result.state == PipelineState.FAILED:
            fix = f"see the log of the cluster, {self.cluster.where}"
            raise self.server.failure("the cluster did not take the job", fix)


class EndpointEngine(JobServerEngine):
    """A job server that somebody else runs, next to a Spark or a Flink.

    Args:
      name: of the engine.
      endpoint: `host:port`.
      options: of Beam.
    """

    def __init__(self, name: str, endpoint: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        self._endpoint = endpoint

    def _start(self, stack: contextlib.ExitStack) -> str:
        check_endpoint(self._endpoint)
        return self._endpoint
