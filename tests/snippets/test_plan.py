"""Fingerprints of stages: what changes them, what does not, and what a run leaves behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blocks.core.errors import ConfigError
from blocks.snippets.building import build
from blocks.snippets.plan import causes, changes, gone, read_state, stages, state_file, write_state

SCHEMA = """\
name: order
fields:
  - {name: id, type: string, required: true, label: public, key: true, description: of the order}
  - {name: at, type: "timestamp[us, tz=UTC]", required: true, label: public, event_time: true}
  - {name: email, type: string, label: pii.email}
"""
POLICY = """\
keys: {main: "env:BLOCKS_MASK_KEY"}
destinations:
  warehouse: {protected: true, labels: {public: keep, pii.email: {method: hmac, key: main}}}
  rejects: {labels: {public: keep}}
"""
SNIPPET = """\
name: orders
description: one
parameters:
  first: {type: date, default: 2026-01-01}
policy: policy.yaml
rejects: rejects
pipeline:
  type: chain
  transforms:
    - {type: ReadJson, name: read, config: {pattern: data/*.jsonl, schema: order.yaml}}
    - {type: MaskColumns, name: mask}
    - type: WriteWarehouse
      name: write
      config: {table: orders, mode: replace, source: shop, date_range: ["${first}", "2026-02-01"]}
"""


@pytest.fixture
def shop(snippet):
    def write(text: str = SNIPPET, schema: str = SCHEMA, policy: str = POLICY, folder: str = "shop") -> Path:
        snippet(schema, f"{folder}/order.yaml")
        snippet(policy, f"{folder}/policy.yaml")
        return snippet(text, f"{folder}/orders.yaml")

    return write


def fingerprints(path: Path, **values: str) -> list[str]:
    return [stage.fingerprint for stage in stages(build(path, values))]


def changed(path: Path, before, **values: str) -> dict[str, tuple[str, ...]]:
    return {one.stage.step: one.why for one in changes(build(path, values), before) if one.state != "same"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("description: one", "description: another"),
        ("name: orders\n", "name: orders of a shop\n"),
        ("pipeline:\n", "pipeline:   # a comment\n"),
        ("{pattern: data/*.jsonl, schema: order.yaml}", "{schema: order.yaml, pattern: data/*.jsonl}"),
        ("2026-01-01}", "2026-01-01, description: first day}"),
        ("name: read", "name: reads"),
        ("${first}", "2026-01-01"),
        ("rejects: rejects", "rejects: other-rejects"),
        ("type: MaskColumns,", "type: MaskColumns@1,"),
    ],
)
def test_what_decides_nothing_changes_no_fingerprint(shop, old, new):
    assert SNIPPET.count(old) == 1
    before = fingerprints(shop())
    assert fingerprints(shop(SNIPPET.replace(old, new))) == before


@pytest.mark.parametrize(
    ("where", "old", "new", "first"),
    [
        ("text", "data/*.jsonl", "data/*.json", "read"),
        ("text", "pattern:", "strict: true, pattern:", "read"),
        ("text", "2026-01-01}", "2026-01-02}", "write"),
        ("text", "mode: replace, source: shop", "mode: replace, source: shop2", "write"),
        ("schema", "label: pii.email", "label: pii.email, key: true", "read"),
        ("schema", "{name: email, type: string", "{name: mail, type: string", "read"),
        ("policy", "method: hmac, key: main", "method: hmac, key: main, canonical: none", "mask"),
        ("policy", "env:BLOCKS_MASK_KEY", "env:ANOTHER_KEY", "mask"),
        ("policy", "rejects: {labels: {public: keep}}", "rejects: {labels: {public: redact}}", "read"),
    ],
)
def test_what_decides_something_changes_the_stage_and_all_that_follow(shop, where, old, new, first):
    texts = {"text": SNIPPET, "schema": SCHEMA, "policy": POLICY}
    before = stages(build(shop()))
    assert texts[where].count(old) == 1
    texts[where] = texts[where].replace(old, new)
    found = changed(shop(texts["text"], texts["schema"], texts["policy"]), before)
    order = ["read", "mask", "write"]
    assert list(found) == order[order.index(first) :]
    assert all(found.values())


def test_a_change_says_why(shop):
    before = stages(build(shop()))
    text = SNIPPET.replace("pattern:", "strict: true, pattern:").replace("source: shop,", "source: shops,")
    assert changed(shop(text), before) == {
        "read": ("option `strict` added",),
        "mask": ("input `read` changed",),
        "write": ("option `source` changed", "input `mask` changed"),
    }
    assert changed(shop(policy=POLICY.replace("ey: main", "ey: main, domain: shop")), before) == {
        "mask": ("policy changed",),
        "write": ("policy changed", "columns of the input changed", "input `mask` changed"),
    }


def test_another_version_of_a_block_is_a_change(shop, snippet, catalog):
    text = "pipeline:\n  type: chain\n  transforms:\n"
    text += "    - {type: ReadNumbers, config: {batches: 1}}\n    - {type: AddNumber@%s, name: add}\n"
    before = stages(build(snippet(text % 1), catalog=catalog))
    (_, change) = changes(build(snippet(text % 2), catalog=catalog), before)
    assert (change.state, change.why) == ("changed", ("version 1.0.0 to 2.3.0",))


def test_a_chain_and_a_composite_of_the_same_steps_have_the_same_fingerprints(shop):
    composite = SNIPPET.replace("  type: chain\n", "").replace("name: mask}", "name: mask, input: read}")
    composite = composite.replace("      name: write\n", "      name: write\n      input: mask\n")
    before = fingerprints(shop())
    assert fingerprints(shop(composite)) == before


def test_a_step_that_is_renamed_is_the_same_and_one_taken_out_is_gone(shop):
    before = stages(build(shop()))
    built = build(shop(SNIPPET.replace("name: mask", "name: masks")))
    assert [one.state for one in changes(built, before)] == ["same", "same", "same"]
    assert gone(built, before) == []
    shorter = SNIPPET.replace("    - {type: MaskColumns, name: mask}\n", "").replace("label: pii", "label: public")
    built = build(shop(shorter, SCHEMA.replace("pii.email", "public")))
    assert gone(built, before) == ["mask"]


def test_fingerprints_do_not_depend_on_the_folder_or_the_process(shop, tmp_path):
    here = fingerprints(shop())
    assert fingerprints(shop(folder="elsewhere/deep")) == here
    code = (
        "import sys; from blocks.snippets.building import build; from blocks.snippets.plan import stages;"
        "print('\\n'.join(one.fingerprint for one in stages(build(sys.argv[1]))))"
    )
    other = tmp_path / "other"
    other.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "shop" / "orders.yaml")],
        cwd=other,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == here


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            "mode: replace, source: shop, date_range: [2026-01-01, 2026-02-01]",
            "`t`: replace; the rows of source `shop` from 2026-01-01 to before 2026-02-01 "
            "are written anew, others stay",
        ),
        (
            "mode: replace, source: shop",
            "`t`: replace; the rows of source `shop` in the days that the run brings are written anew, others stay",
        ),
        (
            "mode: append",
            "`t`: append; rows of earlier runs stay as they were, and rows that are read again stand twice",
        ),
        (
            "mode: upsert, key: [id]",
            "`t`: upsert by id; rows of keys that the run brings are replaced, others stay as they were",
        ),
    ],
)
def test_a_plan_says_what_a_run_does_to_a_table(shop, config, text):
    snippet_text = SNIPPET.split("      config: {table")[0] + f"      config: {{table: t, {config}}}\n"
    *_, last = changes(build(shop(snippet_text)), None)
    assert (last.state, last.rewrites) == ("new", text)


def test_a_stage_that_is_the_same_rewrites_nothing(shop):
    built = build(shop())
    assert [one.rewrites for one in changes(built, stages(built))] == ["", "", ""]


def test_what_a_run_leaves_behind_is_read_back_and_holds_no_option(shop):
    path = state_file(shop())
    assert path == Path(".blocks/plans/shop.orders.json")
    assert read_state(path) is None
    found = stages(build(Path("shop/orders.yaml")))
    write_state(path, found)
    assert read_state(path) == found
    text = path.read_text(encoding="utf-8")
    assert "jsonl" not in text
    assert "BLOCKS_MASK_KEY" not in text
    assert Path(".blocks/.gitignore").read_text(encoding="utf-8") == "*\n"
    assert not list(path.parent.glob("*.part"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 99, "stages": []}', '{"format": 1, "stages": [{"x": 1}]}']
)
def test_a_state_that_cannot_be_read_is_an_error_that_says_what_to_do(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_state(path)
    assert caught.value.where == str(path)
    assert caught.value.fix == "remove the file: the next run writes it again"


def test_the_state_is_json_in_a_stable_order(shop):
    path = Path("state.json")
    write_state(path, stages(build(shop())))
    text = path.read_text(encoding="utf-8")
    assert json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n" == text


SPLIT = """\
pipeline:
  - {type: ReadJson, name: read, config: {pattern: x, schema: order.yaml}}
  - {type: SplitRows, name: split, input: read, config: {key: id, shares: {train: 0.5, test: 0.5}}}
  - {type: SelectColumns, name: select, input: split.train, config: {drop: [email]}}
"""


def test_the_order_within_an_option_counts_and_that_of_options_does_not(snippet):
    snippet(SCHEMA, "order.yaml")
    before = stages(build(snippet(SPLIT)))
    turned = SPLIT.replace("{key: id, shares: {train: 0.5, test: 0.5}}", "{shares: {train: 0.5, test: 0.5}, key: id}")
    assert [one.state for one in changes(build(snippet(turned)), before)] == ["same", "same", "same"]
    other = SPLIT.replace("{train: 0.5, test: 0.5}", "{test: 0.5, train: 0.5}")
    found = changes(build(snippet(other)), before)
    assert causes(found)["select"] == ("follows `split`",)
    assert changed(snippet(other), before) == {
        "split": ("option `shares` changed",),
        "select": ("input `split.train` changed",),
    }


def test_the_cause_is_the_stage_in_which_a_change_began(shop):
    before = stages(build(shop()))
    found = changes(build(shop(SNIPPET.replace("pattern:", "strict: true, pattern:"))), before)
    assert causes(found) == {
        "read": ("option `strict` added",),
        "mask": ("follows `read`",),
        "write": ("follows `read`",),
    }
    found = changes(build(shop(policy=POLICY.replace("ey: main", "ey: main, domain: shop"))), before)
    assert causes(found) == {"mask": ("policy changed",), "write": ("policy changed",)}


def test_a_step_that_takes_a_renamed_one_does_not_say_so(shop):
    before = stages(build(shop()))
    text = SNIPPET.replace("name: mask", "name: masks").replace("source: shop,", "source: shops,")
    assert changed(shop(text), before) == {"write": ("option `source` changed",)}
