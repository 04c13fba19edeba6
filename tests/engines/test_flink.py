"""The core on Flink (an embedded cluster, Python workers in this process) against the local runner."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2 as jobs
from apache_beam.portability.api import beam_job_api_pb2_grpc as job_services
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from engine_pipelines import BUILDS, result

from blocks.engines.beam_options import FLINK_DECIDED, FLINK_OPTIONS
from blocks.engines.flink import FlinkServer

pytestmark = [pytest.mark.slow, pytest.mark.flink]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_flink_gives_the_rows_and_windows_that_the_local_runner_gives(
    build: Callable[[beam.Pipeline], beam.PCollection], flink: FlinkServer, tmp_path: Path
) -> None:
    wanted = result(build, FnApiRunner(), [], tmp_path / "local")
    options = [f"--job_endpoint={flink.endpoint}", "--environment_type=LOOPBACK", "--parallelism=2"]
    found = result(build, PortableRunner(), options, tmp_path / "flink")
    assert len(found) >= 100
    assert found == wanted


def test_the_known_options_are_those_that_the_job_server_describes(flink: FlinkServer) -> None:
    kinds = jobs.PipelineOptionType
    python = {kinds.BOOLEAN: bool, kinds.INTEGER: int, kinds.STRING: str}
    with grpc.insecure_channel(flink.endpoint) as channel:
        service = job_services.JobServiceStub(channel)
        told = service.DescribePipelineOptions(jobs.DescribePipelineOptionsRequest(), timeout=30).options
    described = {one.name: python[one.type] for one in told if one.group.endswith("FlinkPipelineOptions")}
    assert {name: kind for name, kind in described.items() if name not in FLINK_DECIDED} == dict(FLINK_OPTIONS)
