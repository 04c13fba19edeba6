"""The example snippets have no problems, and do what they say."""

from pathlib import Path

import pytest

from blocks.core.looking import looking
from blocks.engines import engine
from blocks.snippets.building import build, check_snippet
from blocks.snippets.running import run
from blocks.testing.simulator import SimulatorConfig, write_events
from blocks.writing.warehouse import read_table

EXAMPLES = Path(__file__).parents[2] / "examples"
SNIPPETS = sorted(path for path in EXAMPLES.rglob("*.yaml") if "\npipeline:" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_an_example_has_no_problems(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Of the demos only some have a parameter without a default.
    needs_events = "\n  events: {type: path, desc" in path.read_text(encoding="utf-8")
    with looking():
        found = check_snippet(path, {"events": "events.jsonl"} if needs_events else {})
    assert (found.problems, found.warnings) == ((), ())


def test_parent_and_child_tables_join_by_row_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    write_events("events.jsonl", SimulatorConfig(events=200, bad=0.05))
    runner = engine()
    report = run(
        build(EXAMPLES / "partner_events" / "tables.yaml", {"events": "events.jsonl"}, runner=runner), runner.counts
    )
    parents, children = read_table("partner.transactions"), read_table("partner.items")
    assert [(table.name, table.rows) for table in report.tables] == [
        ("partner.transactions", parents.num_rows),
        ("partner.items", children.num_rows),
    ]
    assert parents.num_rows + sum(report.rejects.values()) == 200
    assert set(children.column("_parent_id").to_pylist()) <= set(parents.column("_row_id").to_pylist())
    assert children.num_rows > 0
