"""Runs a pipeline on a job server, tells its counters, and says in our words why it could not."""

from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped]
from apache_beam.options.pipeline_options import PortableOptions
from apache_beam.runners.portability.portable_runner import JobServiceHandle, PortableRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from blocks.engines.engine import NAMESPACE, Counts
from blocks.engines.errors import EngineError

# To connect, and for the answer to each of the calls that hand a pipeline over.
ANSWER_SECONDS = 30
# Between the end of a connection and that of its process.
_END_SECONDS = 3.0


class JobRunner(PortableRunner):
    """Beam's PortableRunner for one job server whose address is known when the pipeline is run.

    Args:
      retain_unknown: whether options that the job server does not describe are handed over as well; Prism describes
        none.
    """

    def __init__(self, retain_unknown: bool = False) -> None:
        super().__init__()
        self.endpoint = ""
        self.why_not: Callable[[float], EngineError | None] = lambda _: None
        self.accepted: Callable[[PipelineResult], None] = lambda _: None
        self._retain_unknown = retain_unknown
        self._labels: dict[str, str] = {}
        self._result: JobResult | None = None

    def create_job_service_handle(self, job_service: Any, options: Any) -> JobServiceHandle:
        """As Prism's runner does."""
        return JobServiceHandle(job_service, options, retain_unknown_options=self._retain_unknown)

    def run_portable_pipeline(self, pipeline: Any, options: Any) -> PipelineResult:
        """Hands the pipeline over.

        Raises:
          EngineError: the job server does not answer.
        """
        options.view_as(PortableOptions).job_endpoint = self.endpoint
        self._labels = {key: one.unique_name for key, one in pipeline.components.transforms.items()}
        self._result = None
        try:
            result = super().run_portable_pipeline(pipeline, options)
        except grpc.RpcError as error:
            raise self.why_not(_END_SECONDS) or unanswered(self.endpoint, error) from error
        self._result = JobResult(result, self)
        return self._result

    def counts(self) -> Counts:
        """The counters of `blocks`, as far as the runner tells them: Prism at any time, Flink when the job is done."""
        if self._result is None:
            return {}
        return counters_of(self._result, self._labels)

    def stop(self) -> None:
        """Cancels a job that has not ended; a remote runner would go on without us."""
        if self._result is not None and not PipelineState.is_terminal(self._result.state):
            self._result.cancel()


class JobResult(PipelineResult):
    """The result of a job; an error of the connection becomes one that says what happened to the server."""

    def __init__(self, result: PipelineResult, runner: JobRunner) -> None:
        super().__init__(PipelineState.UNKNOWN)
        self._beam, self._runner = result, runner

    @property
    def state(self) -> str:
        """As the job server tells it."""
        return str(self._beam.state)

    def wait_until_finish(self, duration: int | None = None) -> str:
        """Waits for the end.

        Args:
          duration: milliseconds at most.

        Raises:
          EngineError: the server ended, or its cluster did not take the job.
          RuntimeError: the pipeline failed, with the text of the worker's error.
        """
        self._runner.accepted(self)
        try:
            return str(self._beam.wait_until_finish(duration))
        except grpc.RpcError as error:
            raise self._runner.why_not(_END_SECONDS) or unanswered(self._runner.endpoint, error) from error
        except RuntimeError as error:
            if (why := self._runner.why_not(0)) is not None:
                raise why from error
            raise

    def cancel(self) -> None:
        """Ends the job."""
        self._beam.cancel()

    def metrics(self) -> Any:
        """Those of Beam, as they are now."""
        # Beam asks once and keeps the answer, also that of a job that has only begun.
        self._beam._metrics = None
        return self._beam.metrics()


def counters_of(result: PipelineResult, labels: dict[str, str] | None = None) -> Counts:
    """The counters of `blocks` in a result: (full label of the transform, counter) to value.

    Args:
      result: of a run.
      labels: id of a transform to its full label, for a runner that tells ids.
    """
    found: Counts = {}
    try:
        counters = result.metrics().query()["counters"]
    except (grpc.RpcError, NotImplementedError, ValueError):
        # Counters are for people; a job that did its work is not failed over them.
        return found
    for one in counters:
        if one.key.metric.namespace == NAMESPACE:
            value = one.committed if one.committed is not None else one.attempted
            label = (labels or {}).get(one.key.step, one.key.step), one.key.metric.name
            found[label] = found.get(label, 0) + int(value or 0)
    return found


def unanswered(endpoint: str, error: grpc.RpcError) -> EngineError:
    """The error of a job server that does not answer, or refuses."""
    code = getattr(error, "code", lambda: None)()
    reason = code.name if code is not None else type(error).__name__
    fix = "see whether the job server runs there, and look into its log"
    return EngineError(f"the job server does not answer as it should: {reason}", where=f"{endpoint}", fix=fix)


def check_endpoint(endpoint: str, seconds: float = ANSWER_SECONDS) -> None:
    """Asks whether something that speaks gRPC answers.

    Raises:
      EngineError: it does not, within some seconds.
    """
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            fix = "start a job server there, or give its address: --job-endpoint host:port"
            what = f"no job server answered within {seconds:,.0f} s"
            raise EngineError(what, where=f"--job-endpoint {endpoint}", fix=fix) from None
