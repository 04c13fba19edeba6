"""Mistakes that people make in definitions of features, and what they are told."""

from datetime import date
from pathlib import Path
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
from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ConfigError, Problem, SchemaError
from blocks.core.policy import NO_POLICY
from blocks.core.rejects import Rejects
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


def test_a_bound_on_keys_without_keys_is_an_error() -> None:
    assert "`max_keys` is for `by`" in told({"max_keys": 10})


def test_a_feature_named_as_a_column_of_every_result_is_told_to_take_another_name() -> None:
    assert "to do: give it another name" in told({"name": "as_of"})


def test_a_feature_that_is_a_text_is_told_what_a_feature_has() -> None:
    with pytest.raises(ConfigError, match="it has name, op, column, window"):
        read_definition({**definition(), "features": ["sum of amount"]})


@pytest.mark.parametrize(
    ("key", "home"), [("delete_key", "source"), ("event_id", "source"), ("on_event", "emit"), ("key", "entity")]
)
def test_a_key_at_the_top_is_told_where_it_belongs(key: str, home: str) -> None:
    with pytest.raises(ConfigError, match=f"it belongs under `{home}`"):
        read_definition({**definition({}), key: "x"})


def test_a_list_in_the_place_of_a_definition_is_told_so() -> None:
    with pytest.raises(ConfigError, match="a definition is the path of a file or a mapping, got list"):
        AggregateEvents([definition({})])


def test_a_step_of_no_time_is_an_error() -> None:
    problems: list[Problem] = []
    grid_of("2026-01-01", "2026-01-02", "0d", problems)
    assert [problem.what for problem in problems] == ["`every` is no time at all"]


def test_the_time_of_moments_that_are_not_there_is_an_error() -> None:
    events = beam.Pipeline() | beam.Create([]).with_output_types(BatchType(SCHEMA))
    with pytest.raises(ConfigError, match="`moment` without `as_of`"):
        events | AggregateEvents({**definition({}), "emit": {"on_event": True}}, moment="at")


def test_named_inputs_take_rejects(tmp_path: Path) -> None:
    pipeline = beam.Pipeline()
    inputs = {
        name: pipeline | name >> beam.Create([]).with_output_types(BatchType(schema))
        for name, schema in (("events", SCHEMA), ("as_of", pa.schema([SCHEMA.field("user_id"), SCHEMA.field("at")])))
    }
    with Rejects(tmp_path) as rejects:
        made = inputs | AggregateEvents(definition({}), moment="at", rejects=rejects)
    assert made.element_type.schema.names == ["user_id", "at", "spend", "truncated"]


def test_a_mistake_about_the_events_says_where_it_stands_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "velocity.yaml"
    path.write_text(
        "entity: {key: whose}\n"
        "source: {event_time: when, event_id: id}\n"
        "features:\n"
        "  - {name: n, op: count, window: 1h}\n"
        "emit:\n"
        "  on_event: true\n"
        "  on_condition: m > 3\n"
    )
    with pytest.raises(SchemaError) as error:
        make_plan(read_definition(path), SCHEMA, "AggregateEvents", NO_POLICY)
    found = {problem.where.partition("velocity.yaml")[2] for problem in error.value.problems}
    assert found == {
        ":1:15: entity.key",
        ":2:22: source.event_time",
        ":7:17: emit.on_condition",
    }
