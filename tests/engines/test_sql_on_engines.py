"""The same query on the local runner, on Flink in batch and on Flink as a stream: the same rows in the same windows."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.transforms import window as w
from engine_pipelines import POLICY, _source, result

from blocks.core.batch_type import BatchType
from blocks.core.windows import WindowRows
from blocks.engines.flink import FlinkServer
from blocks.sql.run_sql import RunSql

MANY = pa.schema([pa.field("k", pa.int64(), False), pa.field("label", pa.string())])


def _table(pipeline: beam.Pipeline) -> beam.PCollection:
    rows = pa.RecordBatch.from_pylist([{"k": one, "label": f"label {one % 3}"} for one in range(0, 300, 7)], MANY)
    return pipeline | "Table" >> beam.Create([rows], reshuffle=False).with_output_types(BatchType(MANY))


def row_by_row(pipeline: beam.Pipeline) -> beam.PCollection:
    query = "SELECT id, UPPER(name) AS up, CHAR_LENGTH(name) AS size FROM PCOLLECTION WHERE MOD(id, 3) = 0"
    return _source(pipeline) | RunSql(query, engine="beam")


def in_duckdb(pipeline: beam.Pipeline) -> beam.PCollection:
    query = "SELECT id, UPPER(name) AS up, `at` FROM PCOLLECTION WHERE MOD(id, 3) = 0"
    return _source(pipeline) | RunSql(query, engine="duckdb")


def grouped(pipeline: beam.Pipeline) -> beam.PCollection:
    # Beam's FixedWindows in Java puts times before 1970 into the window after theirs (2.70): only later ones.
    query = """
        SELECT MOD(id, 4) AS part, COUNT(*) AS n, SUM(id) AS total, TUMBLE_START(`at`, INTERVAL '30' SECOND) AS since
        FROM PCOLLECTION WHERE id >= 100 GROUP BY MOD(id, 4), TUMBLE(`at`, INTERVAL '30' SECOND)"""
    return _source(pipeline) | RunSql(query, policy=POLICY)


def grouped_in_windows(pipeline: beam.Pipeline) -> beam.PCollection:
    windowed = _source(pipeline) | WindowRows(w.FixedWindows(60))
    query = "SELECT MOD(id, 7) AS part, COUNT(*) AS n, MAX(id) AS last FROM PCOLLECTION GROUP BY MOD(id, 7)"
    return windowed | RunSql(query, policy=POLICY)


def joined(pipeline: beam.Pipeline) -> beam.PCollection:
    query = "SELECT e.id, e.name, t.label FROM events e JOIN labels t ON e.id = t.k"
    return {"events": _source(pipeline), "labels": _table(pipeline)} | RunSql(query, policy=POLICY)


def several_in_one_pipeline(pipeline: beam.Pipeline) -> beam.PCollection:
    first = _source(pipeline) | "One" >> RunSql("SELECT id, MOD(id, 5) AS part FROM PCOLLECTION", engine="beam")
    return first | "Two" >> RunSql("SELECT part, COUNT(*) AS n, MIN(id) AS least FROM PCOLLECTION GROUP BY part")


BUILDS = [row_by_row, in_duckdb, grouped, grouped_in_windows, joined, several_in_one_pipeline]
EXPECTED = {"row_by_row": 98, "in_duckdb": 98, "grouped": 28, "joined": 42, "several_in_one_pipeline": 5}


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.flink
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_a_query_gives_the_same_rows_everywhere(
    build: Callable[[beam.Pipeline], beam.PCollection], flink: FlinkServer, tmp_path: Path
) -> None:
    wanted = result(build, FnApiRunner(), [], tmp_path / "local")
    assert len(wanted) == EXPECTED.get(build.__name__, len(wanted))
    assert wanted
    options = [f"--job_endpoint={flink.endpoint}", "--environment_type=LOOPBACK", "--parallelism=2"]
    assert result(build, PortableRunner(), options, tmp_path / "batch") == wanted
    assert result(build, PortableRunner(), [*options, "--streaming"], tmp_path / "stream") == wanted


@pytest.mark.slow
@pytest.mark.jvm
def test_ten_queries_in_one_pipeline_share_one_service(tmp_path: Path) -> None:
    from blocks.engines.sql_service import service

    def build(pipeline: beam.Pipeline) -> beam.PCollection:
        found = _source(pipeline)
        for number in range(10):
            query = f"SELECT id + 1 AS id, name FROM PCOLLECTION WHERE id <> {number * 20}"
            found = found | f"Query {number}" >> RunSql(query, engine="beam")
        return found

    before = service().address
    # The first row of each batch of 50 is not there, so the first query leaves none out.
    wanted = 6 * 49 - 9
    assert len(result(build, FnApiRunner(), [], tmp_path / "local")) == wanted
    assert service().address == before


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.parametrize(
    "options",
    [
        {"environment_type": "DOCKER", "environment_config": "registry/workers:1"},
        {"environment_type": "EXTERNAL", "environment_config": "pool:50000"},
    ],
)
def test_a_runner_elsewhere_gets_the_java_container_with_the_archives_and_no_address_of_this_machine(
    options: dict[str, str],
) -> None:
    environments = _java_environments(options)
    assert environments
    for one in environments:
        payload = beam_runner_api_pb2.DockerPayload.FromString(one.payload)
        assert one.urn == common_urns.environments.DOCKER.urn
        assert payload.container_image.startswith("apache/beam_java")
        names = [
            beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name
            for artifact in one.dependencies
        ]
        assert any(name.startswith("blocks-sql-") for name in names)
        assert any(name.startswith("beam-sdks-java-extensions-sql-") for name in names)
        assert not any("flink" in name for name in names)
        assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.jvm
def test_a_runner_on_this_machine_gets_the_service_and_nothing_is_staged() -> None:
    environments = _java_environments({"environment_type": "LOOPBACK"})
    assert [one.urn for one in environments] == [common_urns.environments.EXTERNAL.urn]
    assert not environments[0].dependencies
    payload = beam_runner_api_pb2.ExternalPayload.FromString(environments[0].payload)
    assert payload.endpoint.url.startswith("127.0.0.1:")


def _java_environments(options: dict[str, str]) -> list[beam_runner_api_pb2.Environment]:
    """Those of the steps in Java, as they stand in the description of the pipeline."""
    pipeline = beam.Pipeline(runner=PortableRunner(), options=PipelineOptions([], **options))
    _source(pipeline) | RunSql("SELECT id, UPPER(name) AS up FROM PCOLLECTION", engine="beam")
    components = pipeline.to_runner_api().components
    java = {
        one.environment_id
        for one in components.transforms.values()
        if one.spec.urn == common_urns.primitives.PAR_DO.urn and b"beam:dofn:javasdk" in one.spec.payload
    }
    return [components.environments[name] for name in sorted(java)]
