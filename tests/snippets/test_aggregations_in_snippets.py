"""AggregateEvents in YAML: definitions in files beside the snippet, and training sets from two inputs."""

import json
import shutil
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
import yaml
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.yaml import yaml_transform

import blocks
from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.core.errors import ConfigError
from blocks.engines.local import LocalRunner
from blocks.snippets import beam_yaml
from blocks.snippets.building import Built, build, check_snippet
from blocks.snippets.cases.running import run_cases
from blocks.snippets.explaining import explain
from blocks.snippets.plan import changes, stages
from blocks.snippets.running import run
from blocks.testing import collect

DEFINITION = """\
entity: {key: user_id}
source: {event_time: at, event_id: id}
features:
  - {name: spend_7d, op: sum, column: amount, window: 7d}
  - {name: declined_1h, op: count, where: "status = 'declined'", window: 1h, hop: 5m}
"""
PAYMENT = """\
name: payment
fields:
  - {name: id, type: string, required: true, label: public}
  - {name: user_id, type: string, label: public}
  - {name: at, type: timestamp, required: true, label: public, event_time: true}
  - {name: amount, type: int32, label: public}
  - {name: status, type: string, label: public}
"""
DECISION = """\
name: decision
fields:
  - {name: user_id, type: string, label: public}
  - {name: decided_at, type: timestamp, required: true, label: public, event_time: true}
  - {name: fraud, type: bool, label: public}
"""
SNIPPET = """\
pipeline:
  type: composite
  transforms:
    - {type: ReadJson, name: payments, config: {pattern: payments.jsonl, schema: payment.yaml}}
    - {type: ReadJson, name: decisions, config: {pattern: decisions.jsonl, schema: decision.yaml}}
    - type: AggregateEvents
      name: features
      input: {as_of: decisions, events: payments}
      config: {definition: definitions/velocity.yaml}
    - {type: WriteWarehouse, input: features, config: {table: training, warehouse: out}}
"""
PAYMENTS = [
    {"id": "1", "user_id": "u1", "at": "2026-01-31T10:00:00Z", "amount": 5, "status": "paid"},
    {"id": "2", "user_id": "u1", "at": "2026-01-31T10:20:00Z", "amount": 7, "status": "declined"},
    {"id": "3", "user_id": "u1", "at": "2026-01-31T10:45:00Z", "amount": 9, "status": "declined"},
]
DECISIONS = [
    {"user_id": "u1", "decided_at": "2026-01-31T10:20:00Z", "fraud": False},
    {"user_id": "u1", "decided_at": "2026-01-31T10:50:00Z", "fraud": True},
    {"user_id": "u2", "decided_at": "2026-01-31T10:50:00Z", "fraud": False},
]
# What a decision at the moment of the second payment could know: the first alone.
TRAINING = {("u1", False): (5, 0), ("u1", True): (21, 2), ("u2", False): (None, 0)}


@pytest.fixture
def shop(snippet: Any) -> Path:
    """A folder with everything that the snippet reads; the working directory is another one."""
    snippet(DEFINITION, "shop/definitions/velocity.yaml")
    snippet(PAYMENT, "shop/payment.yaml")
    snippet(DECISION, "shop/decision.yaml")
    for name, records in (("payments", PAYMENTS), ("decisions", DECISIONS)):
        snippet("".join(json.dumps(one) + "\n" for one in records), f"shop/{name}.jsonl")
    return snippet(SNIPPET, "shop/train.yaml")


def problems(path: Path, old: str = "", new: str = "") -> list[tuple[str, str, str]]:
    """(what, where, to do) of a snippet in which one text is another."""
    assert old in SNIPPET
    path.write_text(SNIPPET.replace(old, new), encoding="utf-8")
    return [(one.what, one.where, one.fix) for one in check_snippet(path).problems]


def training(table: pa.Table) -> dict[tuple[str, bool], tuple[Any, Any]]:
    return {(row["user_id"], row["fraud"]): (row["spend_7d"], row["declined_1h"]) for row in table.to_pylist()}


def built(path: Path, runner: Any = None) -> Built:
    return build(path, runner=runner)


@pytest.mark.parametrize("order", ["{as_of: decisions, events: payments}", "{events: payments, as_of: decisions}"])
def test_a_training_set_is_made_of_two_inputs_in_any_order(shop: Path, order: str) -> None:
    shop.write_text(SNIPPET.replace("{as_of: decisions, events: payments}", order), encoding="utf-8")
    runner = LocalRunner()
    run(built(shop, runner), runner.counts)
    assert training(blocks.read_table("training", "out")) == TRAINING


def test_the_definition_lies_beside_the_snippet_wherever_it_is_checked_from(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_snippet(shop).problems == ()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert check_snippet(tmp_path / shop).problems == ()
    assert check_snippet(Path("..") / shop).problems == ()


def test_columns_are_told_of_the_input_that_they_come_from(shop: Path) -> None:
    (features,) = [one for one in explain(built(shop)) if one.step.name == "features"]
    told = {column.path: (column.sign, column.note) for column in features.columns[""]}
    assert told == {
        "user_id": ("=", ""),
        "decided_at": ("=", "event time"),
        "fraud": ("=", ""),
        "spend_7d": ("+", "from amount"),
        "declined_1h": ("+", "from status"),
        "truncated[]": ("+", ""),
        "id": ("-", ""),
        "at": ("-", ""),
    }
    assert [given.source.key for given in features.inputs] == ["events", "as_of"]


# Mistakes.


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "fix"),
    [
        ("as_of: decisions", "asof: decisions", "`features` has no input `asof`", "8:15", "did you mean `as_of`?"),
        (
            "{as_of: decisions, events: payments}",
            "[payments, decisions]",
            "`features` has 2 inputs without names",
            "8:14",
            "write input: {events: STEP, as_of: STEP}",
        ),
        (
            "{as_of: decisions, events: payments}",
            "{as_of: decisions}",
            "`features` has no input `events`",
            "8:14",
            "write input: {events: STEP, as_of: STEP}",
        ),
        (
            "config: {definition:",
            "config: {as_of: decisions, definition:",
            "in a snippet `as_of` is an input, not an option",
            "9:16",
            "write input: {events: STEP, as_of: STEP}",
        ),
        (
            "config: {definition:",
            'config: {end: "2026-02-01", definition:',
            "both `as_of` and a range",
            "6:7",
            "the steps of a range, or the moments of a spine",
        ),
        (
            "events: payments}",
            "events: payments, seed: payments}",
            "both `as_of` and `seed`",
            "6:7",
            "`as_of` is for bounded events",
        ),
    ],
)
def test_inputs_that_are_not_right_are_told_at_their_place(
    shop: Path, old: str, new: str, what: str, where: str, fix: str
) -> None:
    ((found, place, todo),) = problems(shop, old, new)
    assert found == what
    assert place.startswith(f"{shop}:{where}")
    assert fix in todo


def test_mistakes_of_a_definition_are_told_with_its_file_line_and_column(shop: Path) -> None:
    file = shop.parent / "definitions" / "velocity.yaml"
    file.write_text(DEFINITION.replace("op: sum", "op: summ").replace("hop: 5m", "hop: 7m"), encoding="utf-8")
    at = f"{shop}:9:28, step `features` (AggregateEvents), {file}"
    found = problems(shop, "table: training", "tabel: training")
    assert [(what, where) for what, where, _ in found[:2]] == [
        ("no operation `summ`", f"{at}:4:26"),
        ("the hop of 7m does not divide the window of 1h", f"{at}:5:83"),
    ]
    assert "did you mean `sum`?" in found[0][2]
    # What stands below a definition that cannot be read is checked all the same.
    assert [what for what, _, _ in found[2:]] == [
        "unknown option `tabel` of WriteWarehouse",
        "option `table` is missing",
    ]


def test_columns_that_a_definition_names_wrongly_are_told_in_its_file(shop: Path) -> None:
    file = shop.parent / "definitions" / "velocity.yaml"
    file.write_text(DEFINITION.replace("amount", "amuont").replace("status =", "statu ="), encoding="utf-8")
    at = f"{shop}:9:28, step `features` (AggregateEvents), {file}"
    assert [(what, where, fix.split("?")[0]) for what, where, fix in problems(shop)] == [
        ("no column `amuont`", f"{at}:4:5", "did you mean `amount`"),
        ("no column `statu`", f"{at}:5:5: where, line 1, column 1", "did you mean `status`"),
    ]


def test_a_definition_that_is_not_there_is_told_at_its_option(shop: Path) -> None:
    ((what, where, _),) = problems(shop, "velocity.yaml", "velocitee.yaml")
    assert what.startswith("cannot read the file")
    assert where == f"{shop}:9:28, step `features` (AggregateEvents), {shop.parent}/definitions/velocitee.yaml"


# What changed, tests of snippets, Beam YAML.


def test_what_a_definition_says_decides_and_not_where_it_lies(shop: Path) -> None:
    before = stages(built(shop))
    file = shop.parent / "definitions" / "velocity.yaml"
    shutil.move(file, shop.parent / "moved.yaml")
    shop.write_text(SNIPPET.replace("definitions/velocity.yaml", "moved.yaml"), encoding="utf-8")
    assert {one.state for one in changes(built(shop), before)} == {"same"}
    (shop.parent / "moved.yaml").write_text(DEFINITION.replace("window: 7d", "window: 8d"), encoding="utf-8")
    found = {one.stage.step: (one.state, one.own) for one in changes(built(shop), before) if one.state != "same"}
    assert found["features"] == ("changed", ("option `definition` changed",))
    assert found["WriteWarehouse"] == ("changed", ())


def test_a_test_of_a_training_set_runs_in_batch_alone(shop: Path) -> None:
    rows = [f"        - {json.dumps(one)}\n" for one in PAYMENTS[:2]]
    asked = [f"        - {json.dumps(one)}\n" for one in DECISIONS[:1]]
    text = f"""\
tests:
  - name: nothing that came later counts
    inputs:
      payments:
{"".join(rows)}      decisions:
{"".join(asked)}    expect:
      features: [{{fraud: false, spend_7d: 5, declined_1h: 0}}]
"""
    shop.write_text(SNIPPET + text, encoding="utf-8")
    found = [(one.mode, one.failures, one.skipped) for one in run_cases(shop)]
    assert found == [("batch", (), ""), ("stream", (), "features: batch only")]


def test_plain_beam_yaml_has_both_inputs_too(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.parent)
    text = SNIPPET.replace("schema: payment.yaml", "schema: payment.yaml, output: batches")
    text = text.replace("schema: decision.yaml", "schema: decision.yaml, output: batches")
    text = text.replace(
        "definition: definitions/velocity.yaml", "definition: definitions/velocity.yaml, output: batches"
    )
    with beam.Pipeline("FnApiRunner", options=PipelineOptions([], pickle_library="cloudpickle")) as pipeline:
        content = {**yaml.safe_load(text), "providers": beam_yaml.providers()}
        yaml_transform.expand_pipeline(pipeline, yaml.safe_dump(content, sort_keys=False))
    assert training(blocks.read_table("training", "out")) == TRAINING


# In Python.


def _read(pipeline: beam.Pipeline, folder: Path, name: str, schema: str) -> beam.PCollection:
    return pipeline | name >> blocks.ReadJson(f"{folder}/{name}.jsonl", schema=f"{folder}/{schema}.yaml")


def test_inputs_with_names_are_those_of_the_option(shop: Path) -> None:
    file = f"{shop.parent}/definitions/velocity.yaml"
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        events = _read(pipeline, shop.parent, "payments", "payment")
        moments = _read(pipeline, shop.parent, "decisions", "decision")
        block = AggregateEvents(file)
        named = collect({"events": events, "as_of": moments} | "Named" >> block)
        # The same block again: what it was given before is not kept.
        again = collect({"as_of": moments, "events": events} | "Again" >> block)
        option = collect(events | "Option" >> AggregateEvents(file, as_of=moments))
    assert training(named.table()) == training(again.table()) == training(option.table()) == TRAINING


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ((0, 1), {}, "2 inputs without names"),
        ({"events": 0, "spine": 1}, {}, "no input `spine`"),
        ({"as_of": 0}, {}, "no input `events`"),
        ({"events": 0, "as_of": 1, "seed": 1}, {}, "both `as_of` and `seed`"),
        ({"events": 0, "as_of": 1}, {"end": "2026-02-01"}, "both `as_of` and a range"),
        ({"events": 0, "seed": 1}, {}, "`seed` is for streams"),
    ],
)
def test_other_inputs_are_refused(shop: Path, given: Any, options: dict[str, Any], said: str) -> None:
    pipeline = beam.Pipeline()
    both = [_read(pipeline, shop.parent, "payments", "payment"), _read(pipeline, shop.parent, "decisions", "decision")]
    inputs = {name: both[one] for name, one in given.items()} if isinstance(given, dict) else tuple(both)
    with pytest.raises(ConfigError, match=said):
        inputs | AggregateEvents(f"{shop.parent}/definitions/velocity.yaml", **options)
    block = AggregateEvents(f"{shop.parent}/definitions/velocity.yaml", as_of=both[1])
    with pytest.raises(ConfigError, match="an input and an option"):
        {"events": both[0], "as_of": both[1]} | "Twice" >> block
