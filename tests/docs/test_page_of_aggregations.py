"""The page `aggregations.md` names every key, operation and option, and its definition can be used."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from blocks.aggregating import reading
from blocks.aggregating.ops import OPERATIONS
from blocks.aggregating.plan import make_plan
from blocks.core.policy import NO_POLICY

PAGE = (Path(__file__).parents[2] / "docs" / "aggregations.md").read_text(encoding="utf-8")
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("txn_id", pa.string()),
        ("amount", pa.decimal128(18, 2)),
        ("status", pa.string()),
        ("merchant_id", pa.string()),
        ("country", pa.string()),
        ("category", pa.string()),
    ]
)


def test_the_definition_on_the_page_can_be_used() -> None:
    text, *_ = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    definition = reading.read_definition(yaml.safe_load(text))
    plan = make_plan(definition, SCHEMA, "AggregateEvents", NO_POLICY)
    assert [one.feature.name for one in plan.outputs] == [one["name"] for one in yaml.safe_load(text)["features"]]


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.name)
def test_the_page_has_every_operation_with_its_options(kind) -> None:
    rows = [line for line in PAGE.splitlines() if f"`{kind.name}`" in re.sub(r"\(.*?\)", "", line.split(" | ")[0])]
    rows = [line for line in rows if line.startswith("|")]
    assert len(rows) == 1
    assert [option for option in kind.options if f"`{option}`" not in rows[0]] == []


def test_the_page_names_every_key_of_a_definition() -> None:
    keys = [*reading._TOP, *reading._SOURCE, *reading._FEATURE, *reading._EMIT]
    missing = [key for key in keys if not re.search(rf"`(?:[\w.]+\.)?{key}[`: ]|\b{key}: ", PAGE)]
    assert missing == []
