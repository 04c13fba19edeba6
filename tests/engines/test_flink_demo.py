"""The demo snippet on Flink: the tables are those of the local run."""

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from blocks.cli import app
from blocks.engines import EngineOptions, choose
from blocks.snippets.building import build
from blocks.snippets.running import run
from blocks.writing.warehouse import read_table

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo.yaml"
TABLES = ("transactions", "pushes", "issues", "pull_requests")

pytestmark = [pytest.mark.slow, pytest.mark.flink]


@pytest.fixture
def events(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    options = ["--events", "20000", "--seed", "1", "--bad", "0.001", "--late", "0.01", "--out", "events.jsonl"]
    assert CliRunner().invoke(app, ["simulate", "partner-events", *options]).exit_code == 0
    return "events.jsonl"


def rows(output: str, table: str) -> list[str]:
    """Every row of a table, as text, in an order of its own."""
    found = read_table(table, warehouse=f"{output}/warehouse")
    return sorted(map(str, found.to_pylist()))


def rejected(output: str) -> list[tuple]:
    files = f"{output}/rejects/*/*.parquet"
    return duckdb.sql(f"SELECT * EXCLUDE (run_id) FROM '{files}' ORDER BY ALL").fetchall()


def ran(name: str, events: str):
    chosen = choose(name, EngineOptions(options=("parallelism=2",) if name == "flink" else ()))
    built = build(DEMO, {"events": events, "output": name}, runner=chosen.runner, options=chosen.options)
    with chosen:
        report = run(built, chosen.counts)
    return {step.name: (step.rows_in, step.rows_out, step.rejected) for step in report.steps}


def test_the_demo_on_flink_gives_the_rows_rejects_and_counts_of_the_local_run(events):
    counts = {name: ran(name, events) for name in ("local", "flink")}
    assert counts["flink"] == counts["local"]
    assert counts["flink"]["transactions/ReadJson"] == (20_000, 19_983, 17)
    for table in TABLES:
        found = rows("flink", table)
        assert len(found) > 5
        assert found == rows("local", table)
    assert len(rejected("flink")) == 17
    assert rejected("flink") == rejected("local")


def test_the_command_runs_the_demo_on_flink_and_a_second_run_leaves_one_copy(events):
    command = ["run", str(DEMO), "--set", f"events={events}", "--set", "output=out", "--runner", "flink"]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert "rejected: 17" in first.output
    before = {table: rows("out", table) for table in TABLES}
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    assert {table: rows("out", table) for table in TABLES} == before


def test_an_error_of_a_worker_comes_back_with_its_three_parts_and_no_traceback(events, monkeypatch, capfd):
    monkeypatch.delenv("BLOCKS_MASK_KEY")
    command = ["run", str(DEMO), "--set", f"events={events}", "--runner", "flink"]
    failed = CliRunner().invoke(app, command, catch_exceptions=False)
    assert failed.exit_code == 1
    first, where, fix = [line for line in failed.stderr.splitlines() if "rows out" not in line]
    assert first == "MaskKeyError: the environment variable BLOCKS_MASK_KEY is not set"
    assert "MaskColumns" in where
    assert fix.startswith("  to do: set BLOCKS_MASK_KEY")
    assert "Traceback" not in capfd.readouterr().err
