"""The engine `local`: Beam's FnApiRunner in this process, whose counters can be read while it runs.

Beam's own progress requests do not reach an embedded worker, which answers only when a bundle is done. So the bundles
that are being processed are asked for the counters that they keep anyway: nothing is added to the work itself.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.engines.engine import NAMESPACE, Counts, Engine


class LocalEngine(Engine):
    """This process.

    Args:
      options: of Beam.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.name = "local"
        self.runner: LocalRunner = LocalRunner()
        self.options = dict(options)

    def counts(self) -> Counts:
        """At any time."""
        return self.runner.counts()

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nothing was started.
        return


class LocalRunner(FnApiRunner):
    """FnApiRunner that tells the counters of the namespace `blocks`, from any thread, while it runs and after."""

    def __init__(self) -> None:
        super().__init__()
        self._labels: dict[str, str] = {}
        self._finished: Counts = {}
        self._handlers: Iterable[Any] = ()

    def counts(self) -> Counts:
        """(full label of the transform, counter such as `ReadJson:rows_out`) to value."""
        found = dict(self._finished)
        # A bundle may end while it is looked at; the next look finds it among the finished ones.
        with contextlib.suppress(RuntimeError, AttributeError, KeyError):
            for info in list(_live(self._handlers)):
                self._add(found, info)
        return found

    def run_via_runner_api(self, pipeline_proto: Any, options: Any) -> Any:
        """Runs the pipeline, and keeps what its transforms are called."""
        self._labels = {key: one.unique_name for key, one in pipeline_proto.components.transforms.items()}
        self._finished = {}
        return super().run_via_runner_api(pipeline_proto, options)

    def _execute_bundle(self, runner_execution_context: Any, bundle_context_manager: Any, bundle_input: Any) -> Any:
        self._handlers = bundle_context_manager.worker_handlers
        result = super()._execute_bundle(runner_execution_context, bundle_context_manager, bundle_input)
        self._handlers = ()
        finished = dict(self._finished)
        for info in result.process_bundle.monitoring_infos:
            self._add(finished, info)
        self._finished = finished
        return result

    def _add(self, counts: Counts, info: Any) -> None:
        if not monitoring_infos.is_user_monitoring_info(info) or info.labels["NAMESPACE"] != NAMESPACE:
            return
        if not monitoring_infos.is_counter(info):
            return
        step = info.labels["PTRANSFORM"]
        key = self._labels.get(step, step), info.labels["NAME"]
        counts[key] = counts.get(key, 0) + int(monitoring_infos.extract_counter_value(info))


def _live(handlers: Iterable[Any]) -> Iterator[Any]:
    for handler in handlers:
        cache = getattr(handler, "bundle_processor_cache", None)
        for _, processor in list(getattr(cache, "active_bundle_processors", {}).values()):
            yield from processor.monitoring_infos()
