"""The example schemas and policies through the library's own readers: what stays in the warehouse, and how."""

from pathlib import Path

import pyarrow as pa
import pytest

from blocks.core import labels
from blocks.core.mask_plan import plan_masking
from blocks.core.policy import read_policy
from blocks.core.schema import read_schema

EXAMPLES = Path(__file__).parents[2] / "examples"
EVENTS = ("push", "issues", "pull_request", "issue_comment", "star", "fork")


def webhook(event: str) -> pa.Schema:
    return read_schema(EXAMPLES / "webhooks" / "schemas" / "github.yaml", event)


def transaction() -> pa.Schema:
    return read_schema(EXAMPLES / "partner_events" / "transaction.thrift", "Transaction")


def masked(schema: pa.Schema, example: str) -> dict[str, str]:
    """Method by path of every personal leaf that the warehouse holds."""
    policy = read_policy(str(EXAMPLES / example / "policies" / "privacy.yaml"))
    kept = plan_masking(schema, policy, "warehouse", "test").schema
    return {
        leaf.path: leaf.masked.method if leaf.masked else "not masked"
        for leaf in labels.leaves(kept)
        if leaf.labels != {labels.PUBLIC}
    }


def test_the_thrift_file_says_what_the_columns_mean() -> None:
    schema = transaction()
    assert labels.event_time_of(schema) == "occurred_at"
    assert [field.name for field in schema if labels.is_key(field)] == ["event_id"]
    assert {leaf.path for leaf in labels.leaves(schema) if not leaf.labels} == set()
    required = {field.name for field in schema if not field.nullable}
    assert required == {"event_id", "occurred_at", "user", "amount"}
    types = {leaf.path: leaf.field.type for leaf in labels.leaves(schema)}
    assert types["amount"] == types["balance"] == types["items[].unit_price"] == pa.decimal128(18, 2)
    assert types["occurred_at"] == types["received_at"] == pa.timestamp("us", "UTC")
    assert (types["type"], types["sequence"], types["user.birth_date"]) == (pa.string(), pa.int64(), pa.date32())


def test_the_warehouse_holds_of_a_transaction_only_masked_personal_columns() -> None:
    assert masked(transaction(), "partner_events") == {
        "user.id": "hmac",
        "user.name": "redact",
        "user.email": "hmac",
        "user.phone": "hmac",
        "user.birth_date": "truncate",
        "user.address.postcode": "truncate",
        "device.ip": "truncate",
        "card.number": "mask_keep_right",
    }


@pytest.mark.parametrize("event", EVENTS)
def test_the_warehouse_holds_of_a_webhook_only_codes_and_redacted_names(event: str) -> None:
    methods = masked(webhook(event), "webhooks")
    assert set(methods.values()) == {"hmac", "redact"}
    assert {path.rsplit(".", 1)[-1] for path, method in methods.items() if method == "redact"} == {"name"}
    assert not any(path.endswith(("url", "body", "title", "message")) for path in methods)


@pytest.mark.parametrize("event", EVENTS)
def test_every_leaf_of_a_webhook_has_a_label(event: str) -> None:
    assert [leaf.path for leaf in labels.leaves(webhook(event)) if not leaf.labels] == []


def test_numbers_since_1970_are_marked_in_a_push_only() -> None:
    for event in EVENTS:
        marked = {leaf.path for leaf in labels.leaves(webhook(event)) if labels.get(leaf.field, labels.EPOCH)}
        assert marked == ({"repository.created_at", "repository.pushed_at"} if event == "push" else set())
