"""Dataflow, Google's service for Beam pipelines. Checked as far as the pipeline's description and options go."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from blocks.core.errors import Problem
from blocks.engines.engine import Counts, Engine
from blocks.engines.errors import EngineError
from blocks.engines.portable import counters_of

_NEEDED = {
    "project": "the Google Cloud project: --option project=NAME",
    "region": "the region: --option region=europe-west1",
    "temp_location": "a folder for what is staged: --option temp_location=gs://BUCKET/temp",
}
# Ways to bring the library to workers; the first has everything in it and starts fastest.
_BRINGS_BLOCKS = ("sdk_container_image", "extra_packages", "requirements_file", "setup_file")


def check_options(options: Mapping[str, Any]) -> Iterator[Problem]:
    """What Dataflow cannot do without."""
    for name, fix in _NEEDED.items():
        if not options.get(name):
            yield Problem(f"`{name}` is missing", f"--option {name}", fix)
    if not any(options.get(name) for name in _BRINGS_BLOCKS):
        fix = (
            "--environment-config IMAGE; docs/engines.md says what has to be in the image\n"
            f"or one of --option {', '.join(_BRINGS_BLOCKS[1:])}"
        )
        yield Problem("workers would not have this library", "--environment-config", fix)


class DataflowEngine(Engine):
    """Hands pipelines to Dataflow.

    Args:
      options: of Beam.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.name = "dataflow"
        self.options = dict(options)
        self.runner = _KeepsResult()

    def counts(self) -> Counts:
        """As the service tells them."""
        return {} if self.runner.result is None else counters_of(self.runner.result)

    def __enter__(self) -> "DataflowEngine":
        if importlib.util.find_spec("apitools") is None:
            fix = f"{Path(sys.executable).name} -m pip install 'blocks-beam[gcp]'"
            raise EngineError("Beam's parts for Google Cloud are not installed", where="--runner dataflow", fix=fix)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        result = self.runner.result
        if kind is not None and result is not None and not PipelineState.is_terminal(result.state):
            result.cancel()


class _KeepsResult(DataflowRunner):
    """DataflowRunner that remembers its job."""

    def __init__(self) -> None:
        super().__init__()
        self.result: PipelineResult | None = None

    def run_pipeline(self, pipeline: Any, options: Any, pipeline_proto: Any = None) -> PipelineResult:
        """Hands it over."""
        self.result = super().run_pipeline(pipeline, options, pipeline_proto)
        return self.result
