"""Mistakes that people make in definitions of features, and what they are told."""

from datetime import date
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest

import blocks
from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.aggregating.asking import grid_of
from blocks.aggregating.ops.other_names import OTHER_NAMES
from blocks.aggregating.plan import make_plan
from blocks.aggregating.reading import OP_NAMES, read_definition
from blocks.core import labels
from blocks.core.errors import BatchTypeError, ConfigError, Problem, SchemaError
from blocks.core.policy import NO_POLICY
from blocks.testing.feeding import empty_source

MASKED = {"public": "keep", "pii.user_id": {"method": "hmac", "key": "main"}}

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("id", pa.string()),
        ("amount", pa.float64()),
        ("status", pa.string()),
    ]
)


def definition(*features: dict[str, Any]) -> dict[str, Any]:
    made = [{"name": "spend", "op": "sum", "column": "amount", "window": "1h", **one} for one in features]
    return {"entity": {"key": "user_id"}, "source": {"event_time": "at", "event_id": "id"}, "features": made}


def told(*features: dict[str, Any]) -> str:
    with pytest.raises((ConfigError, SchemaError)) as error:
        make_plan(read_definition(definition(*features)), SCHEMA, "AggregateEvents", NO_POLICY)
    return str(error.value)


def test_other_names_are_of_operations_that_are_there_and_are_none_themselves() -> None:
    assert set(OTHER_NAMES.values()) == set(OP_NAMES)
    assert set(OTHER_NAMES).isdisjoint(OP_NAMES)


@pytest.mark.parametrize(("op", "said"), [("nunique", "unique_count"), ("AVG", "average"), ("suum", "sum")])
def test_an_operation_by_another_name_is_an_error_that_says_its_name(op: str, said: str) -> None:
    text = told({"op": op})
    assert f"no operation `{op}`" in text
    assert f"`{said}`" in text


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"window": "1w"}, "features[1].window"),
        ({"op": "approx_percentile", "share": 95}, "features[1].share"),
        ({"filter": "amount > 3"}, "features[1].filter"),
        ({"column": "amuont"}, "features[1]"),
        ({"where": "amount >"}, "features[1]: where"),
        ({"op": "last_k"}, "features[1]"),
    ],
)
def test_a_mistake_in_a_definition_from_python_says_in_which_feature(wrong: dict[str, Any], place: str) -> None:
    assert place in told({}, {"name": "other", **wrong})


def test_an_unknown_feature_in_the_condition_of_the_emission_is_told_with_the_mistakes_in_the_features() -> None:
    wrong = {
        **definition({"column": "amuont"}),
        "emit": {"on_condition": "spent > 3 AND user_id = 'u' AND now() > as_of"},
    }
    with pytest.raises(SchemaError) as error:
        make_plan(read_definition(wrong), SCHEMA, "AggregateEvents", NO_POLICY)
    assert "no column `amuont`" in str(error.value)
    assert "no column `spent`" in str(error.value)
    assert str(error.value).startswith("2 problems")


def test_a_feature_that_is_named_as_the_key_is_an_error() -> None:
    assert "`user_id` is the key" in told({"name": "user_id"})


def test_a_text_in_double_quotes_is_told_from_a_column() -> None:
    assert "a text stands in single quotes" in told({"where": 'status = "DECLINED"'})
    assert "single quotes" not in told({"where": "stats = 'DECLINED'"})


def test_a_day_may_be_a_date_as_yaml_reads_it() -> None:
    problems: list[Problem] = []
    days = grid_of(date(2026, 1, 1), date(2026, 2, 1), "1d", problems)
    assert problems == []
    assert days == grid_of("2026-01-01", "2026-02-01", "1d", problems)


def test_a_table_in_the_place_of_a_pcollection_is_told_so() -> None:
    pipeline = beam.Pipeline()
    events = pipeline | empty_source(SCHEMA)
    asked = pa.table({"user_id": ["u1"]})
    with pytest.raises(BatchTypeError, match="got a Table") as error:
        events | AggregateEvents(definition({}), as_of=asked, moment="at")
    assert "AggregateEvents, `as_of`" in str(error.value)


def test_a_spine_whose_key_is_not_masked_is_told_so() -> None:
    marks = labels.put(SCHEMA.field("user_id"), {labels.LABEL: "pii.user_id"})
    mask = {
        "keys": {"main": "env:BLOCKS_MASK_KEY"},
        "destinations": {"warehouse": {"labels": MASKED}, "shuffle": {"labels": MASKED}},
    }
    personal = pa.schema([labels.put(one, {labels.LABEL: "public"}) for one in SCHEMA]).set(0, marks)
    pipeline = beam.Pipeline()
    events = pipeline | empty_source(personal) | blocks.MaskColumns(mask)
    asked = pipeline | "Spine" >> empty_source(personal)
    with pytest.raises(SchemaError, match="`user_id` is not masked, unlike that of the events"):
        events | AggregateEvents(definition({}), as_of=asked, moment="at", policy=mask)
