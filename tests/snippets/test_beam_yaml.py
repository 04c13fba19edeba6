"""Every block of the catalog in plain Beam YAML: real pipelines through Beam's own `YamlTransform`."""

import json
import re
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.yaml import yaml_transform
from apache_beam.yaml.yaml_provider import load_providers

import blocks
from blocks.catalog.reading import read_catalog
from blocks.core.errors import ConfigError
from blocks.core.labels import labels_of
from blocks.snippets import beam_yaml

SCHEMA = """
name: order
fields:
  - {name: id, type: int64, required: true, label: public, key: true}
  - {name: email, type: string, label: pii.email}
  - {name: amount, type: int64, label: public}
"""
POLICY = """
destinations:
  rows: {protected: true, labels: {public: keep, pii.email: redact}}
  rejects: {labels: {public: keep}}
"""
RECORDS = [{"id": 1, "email": "marker@example.org", "amount": 5}, {"id": 2, "email": None, "amount": 7}]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("order.yaml").write_text(SCHEMA, encoding="utf-8")
    Path("privacy.yaml").write_text(POLICY, encoding="utf-8")
    Path("orders.jsonl").write_text("".join(json.dumps(one) + "\n" for one in RECORDS), encoding="utf-8")
    Path("providers.yaml").write_text(beam_yaml.listing(), encoding="utf-8")
    return tmp_path


def run(pipeline: str) -> None:
    """Runs a pipeline of plain Beam YAML, with the listing included."""
    text = f"pipeline:\n{pipeline}\nproviders:\n  - include: providers.yaml\n"
    options = PipelineOptions([], pickle_library="cloudpickle")
    with beam.Pipeline("FnApiRunner", options=options) as built:
        yaml_transform.expand_pipeline(built, text)


def written(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for path in sorted(folder.glob(f"{name}*")) for line in path.read_text().splitlines()]


def test_the_listing_has_every_block_with_and_without_its_version(folder):
    listed = {name for provider in load_providers("providers.yaml") for name in provider.provided_transforms()}
    for entry in read_catalog().entries:
        assert {entry.name, f"{entry.name}@{entry.major}"} <= listed


def test_the_listing_can_be_described_by_the_tools_of_beam_yaml(folder):
    (provider,) = load_providers("providers.yaml")
    schema = provider.config_schema("MaskColumns@1")
    assert [field.name for field in schema.fields] == ["policy", "destination"]
    assert provider.description("MaskColumns").startswith("Masks")


def test_blocks_stand_between_transforms_of_beam(folder):
    run("""
  type: chain
  transforms:
    - type: Create
      config: {elements: [{id: 1, email: marker@example.org, amount: 5}, {id: 2, email: null, amount: 7}]}
    - type: MaskColumns@1
      config: {policy: privacy.yaml, destination: rows, input_schema: order.yaml}
    - type: MapToFields
      config: {language: python, fields: {id: id, code: email, twice: {callable: "lambda row: 2 * row.amount"}}}
    - type: WriteToJson
      config: {path: out}
""")
    rows = sorted(written(folder, "out"), key=lambda row: row["id"])
    assert [(row["id"], row["twice"]) for row in rows] == [(1, 10), (2, 14)]
    assert rows[0]["code"] not in (None, "marker@example.org")
    assert rows[1]["code"] is None


def test_blocks_next_to_each_other_pass_batches(folder):
    run("""
  type: chain
  transforms:
    - type: ReadJson
      config: {pattern: orders.jsonl, schema: order.yaml, output: batches}
    - type: MaskColumns
      config: {policy: privacy.yaml, destination: rows, output: batches}
    - type: AsRows
      config: {policy: privacy.yaml}
    - type: WriteToJson
      config: {path: out}
""")
    assert sorted(row["id"] for row in written(folder, "out")) == [1, 2]
    assert "marker" not in "".join(path.read_text() for path in folder.glob("out*"))


def test_labels_and_masks_come_along_from_block_to_block_through_rows(folder):
    policy = POLICY.replace(
        "  rejects", "  warehouse: {protected: true, labels: {public: keep, pii.email: redact}}\n  rejects"
    )
    Path("privacy.yaml").write_text(policy, encoding="utf-8")
    pipeline = """
  type: chain
  transforms:
    - type: ReadJson
      config: {pattern: orders.jsonl, schema: order.yaml, output: batches}
    - type: MaskColumns
      config: {policy: privacy.yaml, destination: rows}
    - type: Filter
      config: {language: python, keep: "amount > 5"}
    - type: WriteWarehouse
      config: {table: orders, warehouse: warehouse, policy: privacy.yaml}
"""
    run(pipeline)
    table = blocks.read_table("orders", warehouse="warehouse")
    assert table.column("id").to_pylist() == [2]
    assert labels_of(table.schema.field("email")) == {"pii.email"}


def test_the_example_of_the_page_runs_and_writes_a_time_that_can_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "test-only key, 32 bytes or longer")
    page = (Path(__file__).parents[2] / "docs" / "beam-yaml.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    Path("orders.yaml").write_text(
        SCHEMA.replace("name: order\n", "name: orders\n")
        + "  - {name: at, type: timestamp, required: true, label: public, event_time: true}\n",
        encoding="utf-8",
    )
    Path("privacy.yaml").write_text(POLICY, encoding="utf-8")
    Path("orders.jsonl").write_text(json.dumps(RECORDS[0] | {"at": "2026-01-01T00:00:00Z"}) + "\n", encoding="utf-8")
    Path("blocks-providers.yaml").write_text(beam_yaml.listing(), encoding="utf-8")
    with beam.Pipeline("FnApiRunner", options=PipelineOptions([], pickle_library="cloudpickle")) as built:
        yaml_transform.expand_pipeline(built, example)
    (row,) = written(tmp_path, "masked.json")
    assert row["at"] == "2026-01-01T00:00:00.000000Z"
    assert (row["id"], row["amount"]) == (1, 5)
    assert row["email"] != RECORDS[0]["email"]


def test_the_key_of_a_join_is_quoted_as_the_page_says(folder):
    Path("providers.yaml").write_text(beam_yaml.listing(), encoding="utf-8")
    pq.write_table(pa.table({"code": [1, 2], "name": ["one", "two"]}), "names.parquet")
    run("""
  type: chain
  transforms:
    - type: Create
      config: {elements: [{id: 1}, {id: 2}]}
    - type: JoinTable
      config: {table: names.parquet, 'on': {id: code}}
    - type: WriteToJson
      config: {path: out}
""")
    assert sorted((row["id"], row["name"]) for row in written(folder, "out")) == [(1, "one"), (2, "two")]


def test_raw_columns_do_not_become_rows(folder):
    with pytest.raises(Exception, match=r"label pii\.email") as caught:
        run("""
  type: chain
  transforms:
    - type: ReadJson
      config: {pattern: orders.jsonl, schema: order.yaml, rows_policy: privacy.yaml}
    - type: WriteToJson
      config: {path: out}
""")
    assert not list(folder.glob("out*"))
    text = str(caught.value)
    assert "where: ReadJson: its output, which becomes rows: field `email`" in text
    assert "AsRows" not in text
    assert "`rows_policy: FILE`" in text
    assert "`output: batches`" in text


def test_rejects_are_the_error_output_of_beam_yaml(folder):
    Path("orders.jsonl").write_text('{"id": 1, "amount": 5}\n{"id": "two"}\n', encoding="utf-8")
    run("""
  type: composite
  transforms:
    - type: ReadJson
      config:
        pattern: orders.jsonl
        schema: order.yaml
        output: batches
        error_handling: {output: bad}
    - type: MaskColumns
      input: ReadJson
      config: {policy: privacy.yaml, destination: rows}
    - type: WriteToJson
      name: good
      input: MaskColumns
      config: {path: good}
    - type: MapToFields
      name: codes
      input: ReadJson.bad
      config: {fields: {code: code}}
    - type: WriteToJson
      input: codes
      config: {path: bad}
""")
    assert [row["id"] for row in written(folder, "good")] == [1]
    assert [row["code"] for row in written(folder, "bad")] == ["wrong_type"]


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ("{polcy: privacy.yaml}", "unknown option `polcy`"),
        ("{policy: privacy.yaml, destination: rows, output: table}", "`output` is rows or batches"),
    ],
)
def test_mistakes_in_a_config_are_told_in_three_parts(folder, config, what):
    with pytest.raises(Exception, match=what) as caught:
        run(f"""
  type: chain
  transforms:
    - type: Create
      config: {{elements: [{{id: 1, email: x, amount: 5}}]}}
    - type: MaskColumns
      config: {config}
""")
    text = str(caught.value)
    assert "to do:" in text or "to do:" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"error_handling": {"output": "bad"}}, "MaskColumns rejects nothing"),
        ({"error_handling": "bad"}, "`error_handling` is a mapping with `output`, a name"),
    ],
)
def test_error_handling_that_cannot_be_is_told(folder, config, what):
    with pytest.raises(ConfigError) as caught:
        beam_yaml.MaskColumns(policy="privacy.yaml", **config)
    assert what in [one.what for one in caught.value.problems]
    assert all(one.where and one.fix for one in caught.value.problems)


def test_all_mistakes_of_a_config_are_told_at_once_with_the_keys_of_the_provider(folder):
    with pytest.raises(ConfigError) as caught:
        beam_yaml.FilterRows(wher="id > 0", output="batch", outptu="rows", rejects={"pathh": "x"})
    problems = caught.value.problems
    assert [one.what for one in problems] == [
        "`output` is rows or batches, got batch",
        "unknown key `pathh`",
        "unknown option `wher` of FilterRows",
        "unknown option `outptu` of FilterRows",
        "option `where` is missing",
    ]
    assert problems[3].fix == (
        "did you mean `output`? there is: where, output, input_schema, rows_policy, error_handling, rejects"
    )
    # No line of YAML that nobody wrote.
    assert not any(re.search(r":\d", one.where) for one in problems)


def test_rejects_go_to_one_place(folder):
    with pytest.raises(ConfigError, match="rejects go to one place"):
        beam_yaml.ReadJson(pattern="x", schema="order.yaml", rejects={"path": "r"}, error_handling={"output": "bad"})


def test_nothing_else_is_an_attribute():
    with pytest.raises(AttributeError):
        beam_yaml.MaskColumn  # noqa: B018
