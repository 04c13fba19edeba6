"""Which engine runs, and what is said about options that do not fit it."""

from pathlib import Path

import pytest

from blocks.core.errors import ConfigError
from blocks.engines import ENGINES, EngineOptions, choose
from blocks.engines.errors import EngineError
from blocks.engines.prism import PRISM_VARIABLE, prism_program

SPARK = {"job_endpoint": "cluster:8099", "environment_type": "DOCKER", "environment_config": "registry/workers:1"}
DATAFLOW = ("project=p", "region=europe-west1", "temp_location=gs://bucket/temp")
COMPLETE = {
    "spark": EngineOptions(**SPARK),
    "dataflow": EngineOptions(environment_config="registry/workers:1", options=DATAFLOW),
}


def problems(name: str, **given) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        choose(name, EngineOptions(**given))
    assert f"--runner {name}" in str(caught.value)
    return [(problem.what, problem.fix) for problem in caught.value.problems]


def test_an_unknown_engine_gets_the_nearest_name():
    with pytest.raises(ConfigError) as caught:
        choose("locl")
    assert (caught.value.what, caught.value.where) == ("no engine `locl`", "--runner")
    assert "did you mean `local`?" in caught.value.fix


@pytest.mark.parametrize("name", ENGINES)
def test_the_engine_that_is_asked_for_is_the_one_that_runs(name):
    chosen = choose(name, COMPLETE.get(name, EngineOptions()))
    runners = {"local": "LocalRunner", "dataflow": "_KeepsResult"}
    assert (chosen.name, type(chosen.runner).__name__) == (name, runners.get(name, "JobRunner"))


@pytest.mark.parametrize("name", ["prism", "flink"])
def test_workers_are_in_this_process_when_the_runner_is_on_this_machine(name):
    assert choose(name).options["environment_type"] == "LOOPBACK"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("flink", {"flink_master": "cluster:8081"}),
        ("flink", {"job_endpoint": "cluster:8099"}),
        ("spark", {"job_endpoint": "cluster:8099"}),
    ],
)
def test_a_remote_runner_has_to_be_told_where_workers_run(name, given):
    ((what, fix),) = problems(name, **given)
    assert what == "where workers run is not said"
    assert "--environment-type DOCKER --environment-config IMAGE" in fix
    said = choose(name, EngineOptions(**given, environment_type="EXTERNAL", environment_config="cluster:50000"))
    assert said.options["environment_type"] == "EXTERNAL"
    assert said.options["environment_config"] == "cluster:50000"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"environment_type": "DOKER"}, "did you mean `DOCKER`?"),
        ({"environment_type": "DOCKER"}, "an image"),
        ({"environment_type": "EXTERNAL"}, "host:port"),
        ({"environment_type": "PROCESS"}, '"command"'),
        ({"environment_config": "image:1"}, "give the type as well"),
    ],
)
def test_an_environment_that_is_half_said_is_a_problem(given, word):
    ((_, fix),) = problems("flink", **given)
    assert word in fix


def test_all_problems_of_the_options_come_at_once():
    found = problems(
        "flink",
        prism_location=Path("prism"),
        flink_master="http://cluster:8081",
        environment_type="LOOPBACK",
        options=("paralelism=2", "checkpointing_interval=soon", "streaming=perhaps", "parallelism", "runner=x"),
    )
    assert [what for what, _ in found] == [
        "--prism-location does not go with this runner",
        "Beam has no option `paralelism`",
        "expected int",
        "expected true or false",
        "expected NAME=VALUE",
        "`runner` has an option of its own",
        "not an address",
    ]
    assert "did you mean `parallelism`" in found[1][1]
    assert found[5][1] == "use --runner"


def test_options_have_the_types_that_beam_gives_them():
    given = ("parallelism=4", "--checkpointing-interval=500", "streaming=true", "experiments=a", "experiments=b")
    options = choose("flink", EngineOptions(options=given)).options
    assert (options["parallelism"], options["checkpointing_interval"], options["streaming"]) == (4, 500, True)
    assert options["experiments"] == ["a", "b"]


def test_an_option_of_flink_is_none_of_other_runners():
    ((what, _),) = problems("prism", options=("checkpointing_interval=500",))
    assert what == "Beam has no option `checkpointing_interval`"


def test_a_value_that_is_wrong_is_not_shown():
    ((what, fix),) = problems("flink", options=("parallelism=secret-word",))
    assert "secret-word" not in what + fix


def test_local_takes_no_options_of_other_engines():
    assert {what.split()[0] for what, _ in problems("local", **SPARK, flink_master="h:1")} == {
        "--flink-master",
        "--job-endpoint",
        "--environment-type",
        "--environment-config",
    }


def test_spark_needs_a_job_server():
    assert [what for what, _ in problems("spark")] == [
        "where workers run is not said",
        "there is no job server to hand the pipeline to",
    ]


def test_dataflow_names_everything_that_it_needs():
    found = problems("dataflow", environment_type="EXTERNAL")
    assert [what for what, _ in found] == [
        "Dataflow runs workers in containers only",
        "`project` is missing",
        "`region` is missing",
        "`temp_location` is missing",
        "workers would not have this library",
    ]


def test_the_image_of_dataflow_is_the_config_of_the_environment():
    assert choose("dataflow", COMPLETE["dataflow"]).options["sdk_container_image"] == "registry/workers:1"


def test_dataflow_without_its_parts_prints_the_line_to_install_them():
    pytest.importorskip("apache_beam")
    try:
        import apitools  # noqa: F401
    except ImportError:
        with (
            pytest.raises(EngineError, match=r"pip install 'blocks-beam\[gcp\]'"),
            choose("dataflow", COMPLETE["dataflow"]),
        ):
            pass


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_prism_that_is_named_and_not_there_is_an_error_and_none_other_is_taken(how, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "prism"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv(PRISM_VARIABLE, raising=False)
    assert prism_program() == program
    if how == "variable":
        monkeypatch.setenv(PRISM_VARIABLE, str(tmp_path / "other"))
    with pytest.raises(EngineError, match="no such program"):
        prism_program(tmp_path / "other" if how == "option" else None)


def test_a_missing_prism_says_how_to_get_it_and_fetches_nothing(tmp_path, monkeypatch):
    for name in ("PATH", "HOME", "GOPATH", "GOBIN", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv(PRISM_VARIABLE, raising=False)
    with (
        pytest.raises(EngineError, match=r"go install github\.com/apache/beam/sdks/v2/go/cmd/prism@v2\."),
        choose("prism"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
