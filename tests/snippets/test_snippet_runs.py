"""Snippets that run: wiring through Beam YAML, counters, rejects, tables and what a failure says."""

import json
import os
import subprocess
import threading
from pathlib import Path

import apache_beam as beam
import pyarrow.dataset as ds
import pytest
import snippet_blocks

from blocks.core.errors import BlocksError, RejectedRecordError
from blocks.engines import engine
from blocks.snippets.building import build
from blocks.snippets.running import RunReport, run
from blocks.writing.warehouse import read_table

SCHEMA = """\
fields:
  - {name: id, type: string, required: true, label: public, key: true}
  - {name: at, type: "timestamp[us, tz=UTC]", required: true, label: public, event_time: true}
  - {name: email, type: string, label: pii.email}
  - name: lines
    type: list
    items: {type: struct, fields: [{name: sku, type: string, label: public}]}
"""
POLICY = """\
keys: {main: "env:BLOCKS_MASK_KEY"}
destinations:
  warehouse: {protected: true, labels: {public: keep, pii.email: {method: hmac, key: main}}}
  rows: {labels: {public: keep}}
  rejects: {labels: {public: keep}}
"""
ORDERS = """\
parameters:
  from: {type: date, default: 2026-01-01}
  to: {type: date, default: 2026-02-01}
policy: meta/policy.yaml
rejects: rejects
pipeline:
  type: chain
  transforms:
    - {type: ReadJson, name: read, config: {pattern: data/*.jsonl, schema: meta/order.yaml}}
    - {type: MaskColumns, name: mask}
    - {type: FlattenRecords, name: flat, config: {explode: lines}}
    - type: WriteWarehouse
      name: write
      config:
        table: orders
        partition_by: day(at)
        mode: replace
        source: shop
        date_range: ["${from}", "${to}"]
"""
MARKER = "marker-5c1f@example.com"


@pytest.fixture
def shop(snippet, monkeypatch) -> Path:
    """A snippet with schema, policy and two files of orders, one of them bad."""
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    snippet(SCHEMA, "shop/meta/order.yaml")
    snippet(POLICY, "shop/meta/policy.yaml")
    lines = [{"sku": "a"}, {"sku": "b"}]
    good = {"id": "1", "at": "2026-01-02T03:04:05Z", "email": MARKER, "lines": lines}
    bad = {"id": "2", "at": "2026-01-02T03:04:05Z", "email": MARKER, "lines": 3}
    snippet(json.dumps(good) + "\n", "shop/data/1.jsonl")
    snippet(json.dumps(bad) + "\n" + json.dumps(good | {"id": "3", "lines": []}) + "\n", "shop/data/2.jsonl")
    return snippet(ORDERS, "shop/orders.yaml")


def run_file(path: Path, catalog=None, **values: str) -> RunReport:
    runner = engine()
    return run(build(path, values, runner=runner, catalog=catalog), runner.counts)


def numbers(report: RunReport) -> dict[str, tuple[int | None, int | None, int | None]]:
    return {step.name: (step.rows_in, step.rows_out, step.rejected) for step in report.steps}


def test_a_run_reports_rows_rejects_and_tables(shop):
    report = run_file(shop)
    assert numbers(report) == {"read": (3, 2, 1), "mask": (2, 2, None), "flat": (2, 3, None), "write": (3, 3, 0)}
    assert report.rejects == {"wrong_type": 1}
    (table,) = report.tables
    assert (table.name, table.rows, table.where) == ("orders", 3, os.path.join("warehouse", "default", "orders"))
    assert table.sample is not None
    assert table.sample.num_rows == 3
    assert MARKER not in str(table.sample.to_pylist())


def test_rejects_lie_where_the_report_says_without_personal_values(shop):
    report = run_file(shop)
    found = ds.dataset(str(Path(report.rejects_at).parent), format="parquet").to_table()
    assert found.column("code").to_pylist() == ["wrong_type"]
    assert MARKER not in str(found.to_pylist())


def test_a_second_run_leaves_one_copy(shop):
    run_file(shop)
    assert run_file(shop).tables[0].rows == 3


def test_parameters_reach_the_blocks(shop):
    report = run_file(shop, **{"from": "2026-01-03"})
    assert numbers(report)["write"] == (3, 0, 3)
    assert report.rejects == {"outside_date_range": 3, "wrong_type": 1}


def test_the_printed_commands_work_when_pasted(shop):
    (table,) = run_file(shop).tables
    assert set(table.commands) == {"DuckDB", "pandas"}
    for command in table.commands.values():
        pasted = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert pasted.returncode == 0, pasted.stderr
        assert "lines_sku" in pasted.stdout


def test_a_parquet_dataset_is_reported_too(shop):
    text = ORDERS.replace("table: orders", "table: orders\n        format: parquet\n        warehouse: lake")
    Path("shop/parquet.yaml").write_text(text, encoding="utf-8")
    (table,) = run_file(Path("shop/parquet.yaml")).tables
    assert table.rows == 3
    pasted = subprocess.run(["sh", "-c", table.commands["DuckDB"]], capture_output=True, text=True, check=False)
    assert "lines_sku" in pasted.stdout


def test_without_rejects_the_first_bad_record_stops_the_run_at_its_step(shop):
    Path("shop/strict.yaml").write_text(ORDERS.replace("rejects: rejects\n", ""), encoding="utf-8")
    with pytest.raises(RejectedRecordError) as caught:
        run_file(Path("shop/strict.yaml"))
    assert caught.value.what.startswith("wrong_type: ")
    assert caught.value.where.startswith("shop/strict.yaml:8:7, step `read`: ReadJson")
    assert "[while running" not in str(caught.value)
    assert caught.value.fix
    assert MARKER not in str(caught.value)
    assert not Path("warehouse/default/orders/data").exists()


def test_rows_may_go_on_in_beam_yaml(shop, catalog):
    text = (
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadNumbers, config: {batches: 2}}\n"
        "    - {type: AsRows}\n"
        "    - {type: MapToFields, config: {language: python, fields: {double: number * 2}}}\n"
        "    - {type: WriteToJson, config: {path: out, num_shards: 1}}\n"
    )
    Path("rows.yaml").write_text(text, encoding="utf-8")
    run_file(Path("rows.yaml"), catalog)
    written = "".join(path.read_text(encoding="utf-8") for path in Path().glob("out*"))
    assert [json.loads(line)["double"] for line in written.splitlines()] == [2 * number for number in range(20)]


def test_several_inputs_by_list_and_child_tables_by_name(shop, catalog):
    text = """\
policy: meta/policy.yaml
rejects: rejects
pipeline:
  type: composite
  transforms:
    - {type: ReadJson, name: one, config: {pattern: data/1.jsonl, schema: meta/order.yaml}}
    - {type: ReadJson, name: two, config: {pattern: data/2.jsonl, schema: meta/order.yaml}}
    - {type: UnionBatches, name: both, input: [one, two]}
    - {type: MaskColumns, name: mask, input: both}
    - {type: FlattenRecords, name: flat, input: mask, config: {tables: true}}
    - {type: WriteWarehouse, name: orders, input: flat.main, config: {table: orders}}
    - {type: WriteWarehouse, name: lines, input: flat.lines, config: {table: lines}}
"""
    Path("shop/tables.yaml").write_text(text, encoding="utf-8")
    report = run_file(Path("shop/tables.yaml"))
    assert [(table.name, table.rows) for table in report.tables] == [("orders", 2), ("lines", 2)]
    assert sorted(read_table("lines").column("sku").to_pylist()) == ["a", "b"]


def test_a_chain_in_a_composite_has_an_input(shop, catalog):
    text = """\
pipeline:
  - {type: ReadNumbers, name: read, config: {batches: 1}}
  - type: chain
    name: inner
    input: read
    transforms:
      - {type: MultiplyColumn, config: {column: number, by: 3}}
      - {type: Look}
"""
    Path("nested.yaml").write_text(text, encoding="utf-8")
    report = run_file(Path("nested.yaml"), catalog)
    assert numbers(report) == {
        "read": (None, 10, None),
        "inner/MultiplyColumn": (10, 10, 0),
        "inner/Look": (10, 10, None),
    }


def test_a_day_of_a_window_has_24_hours(shop):
    # Beam YAML 2.77 takes `1d` for 12 hours.
    text = ORDERS.split("    - {type: MaskColumns")[0]
    text += "    - {type: WindowRows, config: {windowfn: {type: sliding, size: 1d, period: 90m}}}\n"
    Path("shop/windows.yaml").write_text(text, encoding="utf-8")
    built = build(Path("shop/windows.yaml"))
    assert built.blocks[1]._windowing.windowfn == beam.window.SlidingWindows(86_400, 5_400)


def test_counters_can_be_read_while_a_bundle_is_processed(catalog, snippet, monkeypatch):
    path = snippet(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadNumbers, config: {batches: 3, starts: [0]}}\n    - {type: Look}\n"
    )
    runner, seen = engine(), []

    def look(batch):
        # As the progress display does, from a thread that is not the runner's.
        asks = threading.Thread(target=lambda: seen.append(runner.counts()))
        asks.start()
        asks.join()

    monkeypatch.setattr(snippet_blocks, "look", look)
    built = build(path, runner=runner, catalog=catalog)
    run(built, runner.counts)
    assert any("ReadNumbers:rows_out" in key[1] and value == 10 for key, value in seen[0].items())
    assert not any("Look:rows_out" in key[1] and value for key, value in seen[0].items())
    assert any("Look:rows_out" in key[1] and value == 10 for key, value in runner.counts().items())


def test_the_text_of_an_unknown_error_is_not_shown(catalog, snippet, monkeypatch):
    def look(batch):
        raise LookupError(MARKER)

    monkeypatch.setattr(snippet_blocks, "look", look)
    path = snippet(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadNumbers, config: {batches: 1}}\n    - {type: Look, name: last}\n"
    )
    with pytest.raises(BlocksError) as caught:
        run_file(path, catalog)
    assert caught.value.what == "LookupError while running"
    assert caught.value.where == "snippet.yaml:5:7, step `last`"
    assert MARKER not in str(caught.value)


def test_a_policy_of_the_snippet_is_for_blocks_that_are_given_none(shop):
    built = build(shop)
    policies = {
        step.name: built.blocks[step.number]._policy.file for step in built.steps if step.name in ("mask", "write")
    }
    assert policies == {"mask": "shop/meta/policy.yaml", "write": "shop/meta/policy.yaml"}


def test_building_changes_nothing(shop):
    before = sorted(Path().rglob("*"))
    build(shop)
    assert sorted(Path().rglob("*")) == before
