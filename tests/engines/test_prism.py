"""The core on Prism, Beam's runner in Go, where it is installed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.prism_runner import PrismRunner
from engine_pipelines import BUILDS, result

PRISM = shutil.which("prism")


@pytest.mark.slow
@pytest.mark.skipif(
    PRISM is None, reason="no `prism` on the PATH: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
)
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_prism_gives_the_rows_and_windows_that_the_local_runner_gives(
    build: Callable[[beam.Pipeline], beam.PCollection], tmp_path: Path
) -> None:
    wanted = result(build, FnApiRunner(), [], tmp_path / "local")
    options = [f"--prism_location={PRISM}", "--environment_type=LOOPBACK"]
    found = result(build, PrismRunner(), options, tmp_path / "prism")
    assert len(found) >= 100
    assert found == wanted
