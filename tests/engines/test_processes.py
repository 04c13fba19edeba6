"""Processes that end with their owner, and what is shown of their logs."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from blocks.engines.errors import EngineError
from blocks.engines.processes import OwnedProcess, last_lines

ROOT = Path(__file__).parents[2]
# Tells its id, then lives until it is ended.
SERVER = "import os, signal; print('ready', os.getpid(), flush=True); signal.pause()"
# Does not end when it is asked to.
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
OWNER = """
import sys, time
from pathlib import Path
from blocks.engines.processes import OwnedProcess
with OwnedProcess("a server", [sys.executable, "-c", sys.argv[2]], Path(sys.argv[1])) as server:
    print(server.wait_for(r"ready (\\d+)", 60, "")[1], flush=True)
    if sys.argv[3] == "fail":
        raise ValueError("the owner fails")
    time.sleep(300)
"""


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def gone(pid):
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@pytest.mark.parametrize("program", [SERVER, STUBBORN], ids=["obedient", "stubborn"])
def test_a_process_ends_with_its_block(program, tmp_path):
    with OwnedProcess("a server", [sys.executable, "-c", program], tmp_path / "log") as server:
        pid = int(server.wait_for(r"ready (\d+)", 60, "")[1])
        assert server.exit_code is None
        assert not gone(pid)
    assert gone(pid)


@pytest.mark.parametrize(
    ("how", "by"),
    [("killed", signal.SIGKILL), ("interrupted", signal.SIGINT), ("fail", None)],
    ids=["killed", "Ctrl-C", "error"],
)
def test_a_process_ends_whatever_ends_its_owner(how, by, tmp_path):
    command = [sys.executable, "-c", OWNER, str(tmp_path / "log"), SERVER, how]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as owner:
        pid = int(owner.stdout.readline())
        if by is not None:
            owner.send_signal(by)
        owner.wait(30)
    wait_until(lambda: gone(pid))


def test_a_process_that_ends_while_it_starts_is_an_error_with_the_end_of_its_log(tmp_path):
    lines = [
        "first line",
        "java.lang.IllegalStateException: no more room",
        "\tat org.example.Main.main(Main.java:3)",
        "\t... 12 more",
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "ValueError: the port",
    ]
    program = f"print({chr(10).join(lines)!r}); raise SystemExit(3)"
    with (
        OwnedProcess("a server", [sys.executable, "-c", program], tmp_path / "log") as server,
        pytest.raises(EngineError) as caught,
    ):
        server.wait_for("ready", 60, "give it another port")
    error = caught.value
    # Once records have been seen, the log may hold what a step said of one.
    assert server.failure("a server ended", "run again", quoted=False).fix == "run again"
    assert error.what == "a server ended while it started, with exit code 3"
    assert error.where == f"log {tmp_path / 'log'}"
    assert error.fix.splitlines() == [
        "give it another port; it said:",
        "first line",
        "java.lang.IllegalStateException: no more room",
        "ValueError: the port",
    ]


def test_a_killed_process_tells_its_signal(tmp_path):
    program = "import os; os.kill(os.getpid(), 9)"
    with (
        OwnedProcess("a server", [sys.executable, "-c", program], tmp_path / "log") as server,
        pytest.raises(EngineError, match="with exit code 137"),
    ):
        server.wait_for("ready", 60, "")


def test_a_process_that_never_gets_ready_is_given_up(tmp_path):
    with (
        OwnedProcess("a server", [sys.executable, "-c", SERVER], tmp_path / "log") as server,
        pytest.raises(EngineError, match="was not ready after 0 s"),
    ):
        server.wait_for("never", 0.2, "")


def test_of_a_long_log_only_the_last_lines_are_shown(tmp_path):
    (tmp_path / "log").write_text("".join(f"line {number} {'x' * 1000}\n" for number in range(100)))
    shown = last_lines(tmp_path / "log")
    assert [line.split()[1] for line in shown] == ["95", "96", "97", "98", "99"]
    assert all(len(line) <= 300 for line in shown)
