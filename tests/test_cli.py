"""The `blocks` command: output, exit codes, and errors in three parts without a traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from blocks.catalog.reading import read_catalog
from blocks.cli import app
from blocks.commands.failing import Quiet
from blocks.core.errors import nearest
from blocks.writing.warehouse import read_table

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "examples" / "demo.yaml"
TABLES = ("transactions", "pushes", "issues", "pull_requests")


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """Runs a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def pushes(blocks) -> Path:
    """A small snippet over the real webhook payloads."""
    webhooks = ROOT / "examples" / "webhooks"
    text = f"""\
policy: {webhooks}/policies/privacy.yaml
rejects: rejects
parameters: {{from: {{type: date}}, to: {{type: date}}, kind: {{type: string, default: push}}}}
pipeline:
  type: chain
  transforms:
    - type: ReadJson
      config: {{pattern: "{webhooks}/data/${{kind}}.jsonl", schema: "{webhooks}/schemas/github.yaml:push",
               event_time: repository.pushed_at}}
    - {{type: MaskColumns, name: mask}}
    - {{type: FlattenRecords}}
    - type: WriteWarehouse
      config: {{table: pushes, mode: replace, source: github, date_range: ["${{from}}", "${{to}}"]}}
"""
    Path("pushes.yaml").write_text(text, encoding="utf-8")
    return Path("pushes.yaml")


def simulate(blocks, events: int = 300) -> None:
    blocks(
        "simulate", "partner-events", "--events", str(events), "--seed", "1", "--bad", "0.05", "--out", "events.jsonl"
    )


def assert_no_personal_value(output: str, tables: dict[str, Any]) -> None:
    """Looks for every simulated e-mail address in what was shown and in every file that was written."""
    lines = Path("events.jsonl").read_text(encoding="utf-8", errors="replace")
    emails = set(re.findall(r'"email":"([^"]+@example.com)"', lines))
    assert len(emails) > 50
    shown = output + "".join(str(table.to_pylist()) for table in tables.values())
    files = b"".join(path.read_bytes() for path in Path("demo-output").rglob("*") if path.is_file())
    assert not [email for email in emails if email in shown or email.encode() in files]


def test_the_help_lists_the_commands(blocks):
    output = blocks("--help").output
    for command in ("run", "check", "catalog", "show", "describe", "simulate"):
        assert re.search(rf"\b{command}\b", output)


def test_the_catalog_lists_every_block(blocks):
    output = blocks("catalog").output
    for entry in read_catalog().entries:
        assert entry.name in output


@pytest.mark.parametrize("entry", read_catalog().entries, ids=lambda entry: entry.name)
def test_show_tells_options_and_an_example(blocks, entry):
    output = blocks("show", entry.name).output
    assert f"{entry.name} {entry.version}" in output
    assert f"- type: {entry.name}" in output
    assert "Options" in output


def test_show_tells_types_and_defaults(blocks):
    output = blocks("show", "MaskColumns").output
    assert re.search(r"destination\s+text\s+warehouse\s+name of the destination", output)
    assert re.search(r"policy\s+text or a mapping.*required", output)


def test_a_misspelt_block_gets_the_nearest_name(blocks):
    result = blocks("show", "MaskColumn", code=2)
    assert result.stderr.splitlines() == [
        "CatalogError: no block `MaskColumn`",
        "  where: the catalog",
        f"  to do: {nearest('MaskColumn', [entry.name for entry in read_catalog().entries])}",
    ]


def test_a_schema_is_described(blocks):
    schema = ROOT / "examples" / "partner_events" / "transaction.thrift"
    assert blocks("describe", f"{schema}:Card").output.splitlines() == [
        "field    type    nullable  labels    masked  role  description",
        "number   string  yes       pii.card",
        "network  string  yes       public",
    ]


def test_a_schema_that_is_not_there_is_a_mistake(blocks):
    assert "SchemaError" in blocks("describe", "none.thrift:Card", code=2).stderr


def test_simulated_events_are_written_and_counted(blocks):
    output = blocks("simulate", "partner-events", "--events", "200", "--bad", "0.05", "--out", "e.jsonl").output
    assert output.startswith("200 events, ")
    assert "malformed_json 2" in output
    assert len(Path("e.jsonl").read_bytes().splitlines()) >= 200


def test_a_simulation_that_cannot_be_is_a_mistake(blocks):
    assert "ConfigError" in blocks("simulate", "partner-events", "--events", "-1", "--out", "e.jsonl", code=2).stderr


def test_the_demo_has_no_problems(blocks):
    simulate(blocks)
    assert blocks("check", str(DEMO), "--set", "events=events.jsonl").output == f"{DEMO}: 17 steps, no problems\n"


@pytest.mark.slow
def test_the_demo_runs_twice_and_leaves_one_copy(blocks):
    simulate(blocks)
    counts, outputs = [], []
    for _ in range(2):
        outputs.append(blocks("run", str(DEMO), "--set", "events=events.jsonl").output)
        tables = {name: read_table(name, warehouse="demo-output/warehouse") for name in TABLES}
        counts.append({name: table.num_rows for name, table in tables.items()})
    assert_no_personal_value(outputs[1], tables)
    assert counts[0] == counts[1]
    assert {name: counts[0][name] for name in TABLES[1:]} == {"pushes": 7, "issues": 29, "pull_requests": 29}
    assert counts[0]["transactions"] > 285
    for name in TABLES:
        assert re.search(rf"^{name}: demo-output/warehouse/default/{name}, {counts[0][name]:,} rows$", outputs[1], re.M)
    assert re.search(r"^rejected: 1[0-5] \(.*malformed_json 3", outputs[1], re.M)
    assert re.search(r"transactions/ReadJson +300 +28\d +1\d", outputs[1])


def test_dates_reach_the_parameters_from_and_to(blocks, pushes):
    output = blocks("run", str(pushes), "--from", "2026-01-02", "--to", "2026-01-03").output
    assert re.search(r"^rejected: 7 \(outside_date_range 7\)$", output, re.M)
    output = blocks("run", str(pushes), "--from", "2019-05-15", "--to", "2019-05-16").output
    assert "rejected: none" in output


def test_a_key_that_is_not_set_fails_the_run_and_says_what_to_do(blocks, pushes, monkeypatch):
    monkeypatch.delenv("BLOCKS_MASK_KEY")
    stderr = blocks("run", str(pushes), "--from", "2019-05-15", "--to", "2019-05-16", code=1).stderr
    first, where, fix = stderr.splitlines()
    assert first == "MaskKeyError: the environment variable BLOCKS_MASK_KEY is not set"
    assert re.fullmatch(r"  where: pushes.yaml:10:7, step `mask`.*", where)
    assert fix.startswith("  to do: set BLOCKS_MASK_KEY")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "events"], "expected NAME=VALUE"),
        (["--set", "event=x"], "the snippet has no parameter `event`"),
        ([], "parameter `events` has no value"),
        (["--set", "events=x", "--set", "from=2026-01-01", "--from", "2026-01-02"], "`from` is given twice"),
        (["--set", "events=x", "--to", "soon"], "parameter `to`: expected a date"),
    ],
)
def test_mistakes_on_the_command_line_end_with_2(blocks, arguments, words):
    assert words in blocks("check", str(DEMO), *arguments, code=2).stderr


def test_an_unknown_runner_is_a_mistake_and_no_other_one_runs(blocks):
    simulate(blocks)
    stderr = blocks("run", str(DEMO), "--set", "events=events.jsonl", "--runner", "flnk", code=2).stderr
    assert "no engine `flnk`" in stderr
    assert not Path("demo-output").exists()


def test_files_that_are_not_there_fail_the_run(blocks, pushes):
    dates = ("--from", "2019-05-15", "--to", "2019-05-16")
    assert "ReadError" in blocks("run", str(pushes), "--set", "kind=none", *dates, code=1).stderr


def test_debug_shows_the_traceback(blocks):
    assert "Traceback" in blocks("show", "MaskColumn", "--debug", code=2).stderr
    assert "Traceback" not in blocks("show", "MaskColumn", code=2).stderr


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("apitools not found, and bigquery client libraries are not available despite the import", False),
        ("Could not load ML transform module apache_beam.ml.x: No module named 'x'", False),
        ("disk is nearly full", True),
    ],
)
def test_only_lines_that_mean_nothing_are_silenced(text, seen):
    import logging

    assert Quiet().filter(logging.LogRecord("root", logging.WARNING, "", 1, text, (), None)) == seen


def test_the_command_in_a_process_of_its_own_speaks_without_beams_noise(blocks, pushes):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "blocks.cli", "check", str(pushes), "--from", "2026-01-01", "--to", "2026-01-02"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{pushes}: 4 steps, no problems\n")


def test_a_failed_run_in_a_process_of_its_own_ends_with_1_and_three_parts(blocks, pushes, monkeypatch):
    monkeypatch.delenv("BLOCKS_MASK_KEY")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "blocks.cli", "run", str(pushes), "--from", "2026-01-01", "--to", "2026-01-02"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"MaskKeyError: .+\n  where: .+\n  to do: .+\n", done.stderr)
