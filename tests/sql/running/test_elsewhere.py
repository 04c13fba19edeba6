"""Where the Java steps of a query run is told by the runner and its options."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.prism_runner import PrismRunner

from blocks.engines import EngineOptions, choose
from blocks.sql.running.elsewhere import runs_elsewhere

GOOGLE = {
    "project": "some-project",
    "region": "r",
    "temp_location": "gs://bucket/t",
    "staging_location": "gs://bucket/s",
}


@pytest.mark.parametrize(
    ("runner", "options", "elsewhere"),
    [
        (FnApiRunner(), {}, False),
        (FnApiRunner(), {"environment_type": "LOOPBACK"}, False),
        (PrismRunner(), {}, False),
        (PortableRunner(), {"environment_type": "LOOPBACK"}, False),
        (PortableRunner(), {"environment_type": "EXTERNAL", "environment_config": "localhost:50000"}, False),
        (PortableRunner(), {"environment_type": "EXTERNAL", "environment_config": "127.0.0.1:50000"}, False),
        (PortableRunner(), {"environment_type": "EXTERNAL", "environment_config": "pool:50000"}, True),
        (PortableRunner(), {"environment_type": "DOCKER", "environment_config": "image"}, True),
        (PortableRunner(), {"environment_type": "PROCESS", "environment_config": "{}"}, True),
        (PortableRunner(), {}, True),
        (DataflowRunner(), GOOGLE, True),
    ],
)
def test_java_runs_here_where_the_workers_of_python_do(runner, options, elsewhere):
    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions([], **options))
    assert runs_elsewhere(pipeline) is elsewhere


@pytest.mark.parametrize(
    ("name", "given", "elsewhere"),
    [
        ("local", {}, False),
        ("flink", {}, False),
        ("flink", {"flink_master": "flink:8081", "environment_type": "DOCKER", "environment_config": "image"}, True),
        ("spark", {"job_endpoint": "spark:8099", "environment_type": "DOCKER", "environment_config": "image"}, True),
    ],
)
def test_the_engines_of_the_library_are_told_apart(name, given, elsewhere):
    engine = choose(name, EngineOptions(**given))
    pipeline = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    assert runs_elsewhere(pipeline) is elsewhere
