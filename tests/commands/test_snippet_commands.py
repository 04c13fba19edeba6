"""`blocks check`, `explain`, `test` and `plan` from the command line: output and exit codes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from blocks.cli import app

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = EXAMPLES / "orders"
SNIPPET = f"""\
name: orders
policy: {ORDERS}/privacy.yaml
rejects: rejects
pipeline:
  - {{type: ReadJson, name: read, config: {{pattern: {ORDERS}/orders.jsonl, schema: "{ORDERS}/order.yaml"}}}}
  - {{type: MaskColumns, name: mask, input: read}}
  - {{type: WriteWarehouse, name: write, input: mask, config: {{table: orders}}}}
tests:
  - name: good
    modes: [batch]
    inputs: {{read: [{{order_id: a, ordered_at: "2026-01-02T03:04:05Z"}}]}}
    expect: {{write: [{{order_id: a}}]}}
  - name: bad
    modes: [batch]
    inputs: {{read: [{{order_id: a, ordered_at: "2026-01-02T03:04:05Z"}}]}}
    expect: {{write: [{{order_id: b}}]}}
"""


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """Runs a command in a folder of its own, with a snippet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    Path("orders.yaml").write_text(SNIPPET, encoding="utf-8")

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


def test_check_warns_of_an_idle_step_and_fails_for_it_only_if_asked_to(blocks):
    assert blocks("check", "orders.yaml").output == "orders.yaml: 3 steps, no problems\n"
    idle = SNIPPET.replace("tests:", "  - {type: AsRows, name: idle, input: mask}\ntests:")
    Path("orders.yaml").write_text(idle, encoding="utf-8")
    result = blocks("check", "orders.yaml")
    assert result.stdout == "orders.yaml: 4 steps, no problems, 1 warning\n"
    assert result.stderr.splitlines()[:2] == [
        "warning: nothing takes what `idle` gives",
        "  where: orders.yaml:8:5",
    ]
    result = blocks("check", "orders.yaml", "--strict", code=2)
    assert "SnippetError: nothing takes what `idle` gives" in result.stderr


def test_test_tells_what_failed_where_and_ends_with_1(blocks):
    output = blocks("test", "orders.yaml", code=1).output
    assert "passed good [batch]\nFAILED bad [batch]\n" in output
    assert "  orders.yaml:13:5\n  write: missing: {order_id: b}\n  write: unexpected: {order_id: a}\n" in output
    assert "1 failed, 1 passed (2 tests) in " in output
    assert not Path("warehouse").exists()


def test_test_runs_those_that_are_asked_for(blocks):
    assert "1 passed (1 test) in " in blocks("test", "orders.yaml", "-k", "GOOD").output
    assert "no test has `goof` in its name" in blocks("test", "orders.yaml", "-k", "goof", code=2).output
    Path("orders.yaml").write_text(SNIPPET.split("tests:")[0], encoding="utf-8")
    assert "the snippet has no tests" in blocks("test", "orders.yaml", code=2).output


def test_explain_writes_text_or_a_flowchart(blocks):
    assert "2. mask: MaskColumns 1.0.0  config " in blocks("explain", "orders.yaml").output
    assert blocks("explain", "orders.yaml", "--format", "mermaid").output.startswith("flowchart LR\n")
    assert "no format `svg`" in blocks("explain", "orders.yaml", "--format", "svg", code=2).output
    shorter, longer = blocks("explain", "orders.yaml"), blocks("explain", "orders.yaml", "--all")
    assert len(longer.output) > len(shorter.output)


def test_plan_compares_with_the_last_run_and_a_run_that_fails_leaves_nothing(blocks, monkeypatch):
    assert "no run yet in .blocks/plans/orders.json" in blocks("plan", "orders.yaml").output
    monkeypatch.delenv("BLOCKS_MASK_KEY")
    blocks("run", "orders.yaml", code=1)
    assert not Path(".blocks").exists()
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    blocks("run", "orders.yaml", "--state", "last.json")
    assert not Path(".blocks").exists()
    same = blocks("plan", "orders.yaml", "--state", "last.json").output
    assert "nothing changed: a run does what the last one did" in same
    changed = SNIPPET.replace("table: orders", "table: orders, mode: upsert, key: order_id").replace(
        "name: mask,", "name: masks,"
    )
    Path("orders.yaml").write_text(changed.replace("input: mask,", "input: masks,"), encoding="utf-8")
    output = blocks("plan", "orders.yaml", "--state", "last.json").output
    assert "option `key` added" in output
    assert "writes `orders`: upsert by order_id; rows of keys that the run brings are replaced" in output
    assert "gone" not in output
    lines = [line.strip() for line in output.splitlines()]
    step = next(number for number, line in enumerate(lines) if line.startswith("write  "))
    assert lines[step + 1 : step + 3] == ["option `key` added", "option `mode` added"]


def test_what_the_last_run_left_behind_cannot_be_written_is_only_a_warning(blocks):
    Path("file").write_text("", encoding="utf-8")
    result = blocks("run", "orders.yaml", "--state", "file/last.json")
    assert "warning: cannot remember this run" in result.stderr
