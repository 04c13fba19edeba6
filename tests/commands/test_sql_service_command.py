"""`blocks sql-service`: a service that processes share, from start to stop."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blocks.cli import app

pytestmark = pytest.mark.jvm
PLAN = """
import pyarrow as pa
from blocks.engines.sql_service import service
found = service().plan("SELECT a FROM PCOLLECTION", {"PCOLLECTION": pa.schema([("a", pa.int64())])})
print(service().address, found.schema.names)
"""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["sql-service", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_a_shared_service_is_started_shown_used_and_stopped(private: Path) -> None:
    assert run("status", code=1) == "no shared SQL service; each process starts its own when it needs one\n"
    assert run("stop") == "no shared SQL service ran\n"
    try:
        started = run("start", "--memory", "512m")
        address = started.split(" runs on ")[1].split(",")[0]
        assert f"the SQL service runs on {address}, process " in run("status")
        # A second start finds it.
        assert address in run("start")
        used = subprocess.run(
            [sys.executable, "-c", PLAN], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
        )
        assert used.stdout.strip() == f"{address} ['a']"
    finally:
        stopped = run("stop")
    assert stopped == "the SQL service has ended\n"
    assert run("status", code=1).startswith("no shared SQL service")
    assert list(private.rglob("state.json")) == []
