"""The core on Prism, Beam's runner in Go, where it is installed."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from engine_pipelines import BUILDS, result

from blocks.engines import choose
from blocks.engines.errors import EngineError
from blocks.engines.prism import prism_program


def missing() -> str:
    """Why these tests cannot run here."""
    try:
        prism_program()
    except EngineError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_prism_gives_the_rows_and_windows_that_the_local_runner_gives(
    build: Callable[[beam.Pipeline], beam.PCollection], tmp_path: Path
) -> None:
    wanted = result(build, FnApiRunner(), [], tmp_path / "local")
    with choose("prism") as prism:
        found = result(build, prism.runner, ["--environment_type=LOOPBACK"], tmp_path / "prism")
    assert len(found) >= 100
    assert found == wanted
