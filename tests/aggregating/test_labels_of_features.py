"""What features tell of the columns that they are made of, and where a stream may keep those."""

from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.aggregating.plan import make_plan
from blocks.aggregating.reading import read_definition
from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import PrivacyError
from blocks.core.labels import Masked
from blocks.core.policy import NO_POLICY, Policy, read_policy

HMAC = Masked("hmac", "main")
SCHEMA = pa.schema(
    [
        labels.with_labels(pa.field("user", pa.string()), ["public"]),
        labels.with_event_time(
            pa.schema([labels.with_labels(pa.field("at", pa.timestamp("us", "UTC")), ["public"])]), "at"
        ).field("at"),
        labels.with_labels(pa.field("id", pa.int64()), ["public"]),
        labels.with_labels(pa.field("illness", pa.string()), ["pii.health"]),
        labels.with_labels(pa.field("salary", pa.int64()), ["secret"]),
    ]
)
COUNTS = ("count", "unique_count", "approx_unique_count", "time_since_last")


def labels_of_features(
    features: list[dict[str, Any]], policy: Policy = NO_POLICY, schema: pa.Schema = SCHEMA
) -> dict[str, tuple[list[str], Masked | None]]:
    """Labels, and how it was masked, of each feature."""
    content = {"entity": {"key": "user"}, "source": {"event_id": "id"}, "features": features}
    plan = make_plan(read_definition(content), schema, "AggregateEvents", policy)
    return {
        one.feature.name: (sorted(labels.labels_of(one.field)), labels.masked_of(one.field)) for one in plan.outputs
    }


def _masked(name: str) -> pa.Schema:
    place = SCHEMA.get_field_index(name)
    return SCHEMA.set(place, labels.put(SCHEMA.field(place), {labels.MASKED: HMAC.to_json()}))


def test_counts_have_the_labels_of_their_column_where_the_policy_asks_for_groups() -> None:
    features = [{"name": op, "op": op, "column": "illness", "window": "1h"} for op in COUNTS]
    groups = read_policy({"min_group": 20, "destinations": {"shuffle": {"labels": {"*": "keep"}}}})
    assert labels_of_features(features) == {op: (["public"], None) for op in COUNTS}
    assert labels_of_features(features, groups) == {op: (["pii.health"], None) for op in COUNTS}


def test_a_condition_over_a_private_column_labels_its_feature_and_over_a_masked_one_does_not() -> None:
    features = [
        {"name": "n", "op": "count", "where": "illness = 'x'", "window": "1h"},
        {"name": "pay", "op": "sum", "column": "salary", "where": "illness = 'x'", "window": "1h"},
    ]
    assert labels_of_features(features) == {"n": (["pii.health"], None), "pay": (["pii.health", "secret"], None)}
    # Whether codes are equal tells no illness.
    masked = labels_of_features(features, schema=_masked("illness"))
    assert masked == {"n": (["public"], None), "pay": (["secret"], None)}


def labels_of_columns(schema: pa.Schema = SCHEMA, **more: Any) -> dict[str, list[str]]:
    """Labels of the columns of the output that are not `public` alone."""
    features = [
        {"name": "n", "op": "count", "window": "1h"},
        {"name": "ill", "op": "count", "where": "illness = 'x'", "window": "1h"},
        {"name": "since", "op": "time_since_last", "window": "1h"},
    ]
    content = {"entity": {"key": "user"}, "source": {"event_id": "id"}, "features": features, **more}
    output = make_plan(read_definition(content), schema, "AggregateEvents", NO_POLICY).output
    found = {field.name: sorted(labels.labels_of(field)) for field in output}
    return {name: told for name, told in found.items() if told != ["public"]}


def test_the_reason_of_a_row_has_the_labels_of_the_condition_of_the_emission() -> None:
    assert labels_of_columns() == {"ill": ["pii.health"]}
    found = labels_of_columns(emit={"on_event": True, "on_condition": "ill > 2 AND n > 3"})
    assert found == {"ill": ["pii.health"], "reason": ["pii.health"]}
    assert labels_of_columns(emit={"on_condition": "n > 3"}) == {"ill": ["pii.health"]}


def test_what_deletes_a_key_labels_all_features_and_the_reason() -> None:
    found = labels_of_columns(source={"event_id": "id", "delete_key": "salary > 5"})
    assert found == {"n": ["secret"], "ill": ["pii.health", "secret"], "since": ["secret"], "reason": ["secret"]}


@pytest.mark.parametrize(
    "feature",
    [
        {"op": "count", "hop": 0, "max_events": 1},
        {"op": "count", "by": "id"},
        {"op": "unique_count", "column": "id", "max": 3},
    ],
    ids=["events", "keys", "values"],
)
def test_what_is_truncated_has_the_labels_of_the_condition_of_a_bounded_feature(feature: dict[str, Any]) -> None:
    bounded = {"name": "some", "window": "1h", **feature}
    assert labels_of_columns(features=[bounded]) == {}
    found = labels_of_columns(features=[{**bounded, "where": "salary > 5"}])
    assert found["truncated"] == ["secret"]
    assert "secret" in found["some"]


def test_the_time_since_an_event_has_the_labels_of_its_time() -> None:
    place = SCHEMA.get_field_index("at")
    private = SCHEMA.set(place, labels.with_labels(SCHEMA.field("at"), ["pii.time"]))
    assert labels_of_columns(private) == {"as_of": ["pii.time"], "ill": ["pii.health"], "since": ["pii.time"]}


@pytest.mark.parametrize("op", ["last", "first", "last_k", "min", "top_k", "histogram"])
def test_values_of_a_masked_column_are_masked_still(op: str) -> None:
    more = {"k": 2} if op.endswith("_k") else {}
    feature = {"name": "f", "op": op, "column": "illness", "window": "1h", **more}
    assert labels_of_features([feature], schema=_masked("illness")) == {"f": (["pii.health"], HMAC)}
    assert labels_of_features([feature]) == {"f": (["pii.health"], None)}


def test_numbers_computed_from_codes_and_values_by_two_columns_are_not_masked() -> None:
    masked = _masked("salary")
    features = [
        {"name": "pay", "op": "sum", "column": "salary", "window": "1h"},
        {"name": "by", "op": "last", "column": "salary", "by": "illness", "window": "1h"},
    ]
    # The sum is no code; and of the map only one part is masked.
    found = labels_of_features(features, schema=masked)
    assert found == {"pay": (["secret"], None), "by": (["pii.health", "secret"], None)}


KEY = pa.schema([labels.with_labels(field, ["pii.id"]) if field.name == "user" else field for field in SCHEMA])
KEEP: dict[str, Any] = {"labels": {"*": "keep"}}
HIDE: dict[str, Any] = {"labels": {"public": "keep", "pii.*": {"method": "hmac", "key": "main"}}}
DEFINITION: dict[str, Any] = {
    "entity": {"key": "user"},
    "source": {"event_id": "id"},
    "features": [{"name": "n", "op": "count", "window": "1h"}],
    "emit": {"on_event": True},
}


def built(destinations: dict[str, Any], bounded: bool) -> None:
    """Builds a pipeline, and does not run it."""
    events = beam.Pipeline(runner=BundleBasedDirectRunner()) | beam.Create([]).with_output_types(BatchType(KEY))
    events.is_bounded = bounded
    policy = {"keys": {"main": "env:BLOCKS_MASK_KEY"}, "destinations": destinations}
    events | AggregateEvents(DEFINITION, policy=policy)


def test_a_stream_is_refused_whose_key_may_be_shuffled_and_not_kept_in_state() -> None:
    built({"shuffle": KEEP, "state": KEEP}, bounded=False)
    # A batch keeps nothing.
    built({"shuffle": KEEP, "state": HIDE}, bounded=True)
    with pytest.raises(PrivacyError) as error:
        built({"shuffle": KEEP, "state": HIDE}, bounded=False)
    assert "`user`" in str(error.value)
    assert "state" in str(error.value)


def test_a_destination_that_the_policy_does_not_name_takes_no_private_column() -> None:
    with pytest.raises(PrivacyError):
        built({"shuffle": KEEP}, bounded=False)
    with pytest.raises(PrivacyError):
        built({"state": KEEP}, bounded=False)
