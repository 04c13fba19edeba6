"""What is handed to a job server that somebody else runs, as with Spark: Beam's own job server in Python takes it."""

import json
import os
import socket
from collections.abc import Callable, Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_job_api_pb2 as jobs
from apache_beam.portability.api import beam_runner_api_pb2 as pipelines
from apache_beam.runners.portability.local_job_service import LocalJobServicer

import blocks
from blocks.core.batch_type import BatchType
from blocks.engines import EngineOptions, choose
from blocks.engines.errors import EngineError
from blocks.engines.portable import check_endpoint


class Recorder(LocalJobServicer):
    """Keeps what it is asked to prepare, and describes an option that Spark's job server has."""

    prepared: jobs.PrepareJobRequest

    def Prepare(self, request, context=None, timeout=None):
        self.prepared = request
        return super().Prepare(request, context)

    def DescribePipelineOptions(self, request, context=None):
        kind = jobs.PipelineOptionType.Enum.Value("STRING")
        return jobs.DescribePipelineOptionsResponse(options=[jobs.PipelineOptionDescriptor(name="spark_x", type=kind)])


@pytest.fixture
def server() -> Iterator[tuple[Recorder, str]]:
    made = Recorder()
    port = made.start_grpc_server()
    yield made, f"localhost:{port}"
    made.stop()


def spark(endpoint: str, kind: str, config: str, *options: str):
    given = EngineOptions(
        job_endpoint=endpoint, environment_type=kind, environment_config=config, options=tuple(options)
    )
    return choose("spark", given)


def environments(request: jobs.PrepareJobRequest) -> list[pipelines.Environment]:
    return list(request.pipeline.components.environments.values())


def hand_over(engine) -> None:
    made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    made | beam.Create([1])
    with engine:
        made.run()


@pytest.mark.parametrize(
    ("kind", "config", "urn", "message", "told"),
    [
        ("DOCKER", "registry/workers:1", "DOCKER", pipelines.DockerPayload, "container_image"),
        ("EXTERNAL", "pool:50000", "EXTERNAL", pipelines.ExternalPayload, "endpoint.url"),
        ("PROCESS", json.dumps({"command": "/opt/boot"}), "PROCESS", pipelines.ProcessPayload, "command"),
    ],
)
def test_the_pipeline_that_is_handed_over_has_the_environment_of_the_options(server, kind, config, urn, message, told):
    recorder, endpoint = server
    hand_over(spark(endpoint, kind, config))
    (found,) = environments(recorder.prepared)
    assert found.urn == getattr(common_urns.environments, urn).urn
    value = message.FromString(found.payload)
    for name in told.split("."):
        value = getattr(value, name)
    assert value == (json.loads(config)["command"] if kind == "PROCESS" else config)


def test_options_of_beam_reach_the_job_server(server):
    recorder, endpoint = server
    hand_over(spark(endpoint, "EXTERNAL", "pool:50000", "sdk_worker_parallelism=3", "job_name=nightly"))
    options = recorder.prepared.pipeline_options
    assert options["beam:option:sdk_worker_parallelism:v1"] == "3"
    assert options["beam:option:job_name:v1"] == "nightly"


def test_batches_are_handed_over_with_their_own_coder(server):
    import pyarrow as pa

    recorder, endpoint = server
    engine = spark(endpoint, "DOCKER", "registry/workers:1")
    made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    schema = pa.schema([("id", pa.int64())])
    batch = pa.RecordBatch.from_pydict({"id": [1]}, schema=schema)
    rows = made | beam.Create([1]) | beam.Map(lambda _: batch).with_output_types(BatchType(schema))
    _ = rows | blocks.AsRows()
    with engine:
        made.run()
    coders = recorder.prepared.pipeline.components.coders.values()
    assert any(b"BatchCoder" in coder.spec.payload for coder in coders)


@pytest.mark.slow
def test_a_pipeline_runs_on_a_job_server_with_workers_of_a_pool(server, worker_pool: Callable[[], str], tmp_path):
    _, endpoint = server
    engine = spark(endpoint, "EXTERNAL", worker_pool())
    made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    made | beam.Create([1, 2, 3]) | beam.Map(_note_worker, str(tmp_path / "workers"))
    with engine:
        made.run().wait_until_finish()
    workers = {int(line) for line in (tmp_path / "workers").read_text().split()}
    assert workers
    assert os.getpid() not in workers


def _note_worker(_: int, file: str) -> None:
    with open(file, "a") as notes:
        notes.write(f"{os.getpid()}\n")


def test_a_job_server_that_is_not_there_is_an_error_within_its_time():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        endpoint = f"localhost:{free.getsockname()[1]}"
    with pytest.raises(EngineError) as caught:
        check_endpoint(endpoint, seconds=0.5)
    assert caught.value.where == f"--job-endpoint {endpoint}"
    assert "no job server answered" in caught.value.what
    assert caught.value.fix
