"""What an expression reads is what its result is labelled with: no function, condition or cast takes a label away."""

import pyarrow as pa
import pytest
from expression_data import MASK, SCHEMA, field
from hypothesis import given as drawn
from hypothesis import strategies as st

from blocks.core import labels
from blocks.core.errors import PrivacyError, Problem, SchemaError
from blocks.core.labels import Leaf
from blocks.core.policy import check_destination, read_policy
from blocks.shaping.expressions import check, parse_expression, read_syntax
from blocks.shaping.expressions.columns import merged_labels


def of(text: str) -> set[str]:
    return set(parse_expression(text, SCHEMA).labels)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1", {"public"}),
        ("'a@x'", {"public"}),
        ("id + n", {"public"}),
        ("name", {"pii.name"}),
        ("md5(name)", {"pii.name"}),
        ("sha256(concat(name, 'salt'))", {"pii.name"}),
        ("length(name)", {"pii.name"}),
        ("name IS NULL", {"pii.name"}),
        ("left(name, 0)", {"pii.name"}),
        ("name = name", {"pii.name"}),
        ("try(CAST(name AS INTEGER))", {"pii.name"}),
        ("CASE WHEN name = 'Ann' THEN 1 ELSE 0 END", {"pii.name"}),
        ("CASE name WHEN 'Ann' THEN id ELSE n END", {"pii.name", "public"}),
        ("if(user.email IS NULL, id, n)", {"pii.email", "public"}),
        ("nullif(id, length(name))", {"public", "pii.name"}),
        ("user.country", {"pii.user"}),
        ("upper(user.country)", {"pii.user"}),
        ("user.email", {"pii.email"}),
        ("user IS NULL", {"pii.user", "pii.email"}),
        ("items[1].sku", {"public"}),
        ("items[1].price", {"secret"}),
        ("items[length(name)].sku", {"public", "pii.name"}),
        ("len(items)", {"public", "secret"}),
        ("tags['k']", {"internal"}),
        ("tags[name]", {"internal", "pii.name"}),
        ("at + INTERVAL 1 DAY", {"public"}),
        ("id IN (1, n, length(name))", {"public", "pii.name"}),
        ("amount", set()),
        ("amount * 2", set()),
        ("amount * id", set()),
        ("id > 1 AND amount > 1", set()),
    ],
)
def test_a_result_has_all_labels_of_what_is_read(text: str, wanted: set[str]) -> None:
    assert of(text) == wanted


@pytest.mark.parametrize(
    "text", ["coalesce(amount, length(name))", "coalesce(name, CAST(amount AS VARCHAR))", "if(name IS NULL, amount, 0)"]
)
def test_a_column_without_a_label_is_not_mixed_with_a_private_one(text: str) -> None:
    with pytest.raises(SchemaError, match=r"(?s)`amount` has no label and is mixed with pii\.name.*label `amount`"):
        parse_expression(text, SCHEMA)


def test_an_unlabelled_field_below_is_not_mixed_either() -> None:
    inner = pa.struct([field("seen", pa.string(), "pii.email"), field("plain", pa.string())])
    schema = pa.schema([field("s", inner)])
    with pytest.raises(SchemaError, match=r"`s\.plain` has no label and is mixed with pii\.email"):
        parse_expression("s IS NULL", schema)
    assert parse_expression("s", schema).field("copy").type == inner


def test_a_condition_may_read_both_for_it_shows_neither() -> None:
    problems: list[Problem] = []
    syntax = read_syntax("name IS NULL OR amount > 0", "where", problems)
    assert syntax is not None
    assert check(syntax, SCHEMA, problems, shown=False) is not None
    assert problems == []
    assert check(syntax, SCHEMA, problems) is None


LABELS = ["public", "pii.email", "secret", ""]


@drawn(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4))
def test_labels_merge_as_in_a_union(given: list[str]) -> None:
    leaves = [Leaf("", pa.field("", pa.int64()), frozenset({label} - {""}), None) for label in given]
    private = set(given) - {"public", ""}
    wanted = set(given) - {""} if private else {"public"} if "" not in given else set()
    assert merged_labels(leaves) == wanted
    assert merged_labels(reversed(leaves)) == wanted


def test_what_reads_nothing_is_public() -> None:
    assert merged_labels([]) == {"public"}


def test_a_bare_column_keeps_its_mask_and_its_description() -> None:
    made = parse_expression("mail", SCHEMA).field("copy")
    assert labels.masked_of(made) == MASK
    assert labels.labels_of(made) == {"pii.email"}
    assert labels.get(made, labels.DESCRIPTION) == "how to write to them"
    assert labels.masked_of(parse_expression("(mail)", SCHEMA).field("copy")) == MASK


@pytest.mark.parametrize(
    "text", ["upper(mail)", "mail || ''", "coalesce(mail, mail)", "CASE WHEN id > 1 THEN mail END"]
)
def test_anything_else_over_a_masked_column_keeps_the_label_and_loses_the_mask(text: str) -> None:
    made = parse_expression(text, SCHEMA).field("other")
    assert labels.masked_of(made) is None
    assert "pii.email" in labels.labels_of(made)
    policy = read_policy(
        {
            "keys": {"main": "env:BLOCKS_MASK_KEY"},
            "destinations": {
                "warehouse": {
                    "protected": True,
                    "labels": {"public": "keep", "pii.email": {"method": "hmac", "key": "main", "domain": "pii.email"}},
                }
            },
        }
    )
    with pytest.raises(PrivacyError):
        check_destination(pa.schema([made]), policy, "warehouse", "test")


def test_a_field_of_a_masked_struct_keeps_the_mask_that_it_inherits() -> None:
    inner = pa.struct([field("a", pa.string())])
    schema = pa.schema([field("s", inner, "pii.email", masked=MASK.to_json())])
    made = parse_expression("s.a", schema).field("a")
    assert labels.masked_of(made) == MASK
    assert labels.labels_of(made) == {"pii.email"}


def test_a_new_column_is_neither_key_nor_event_time() -> None:
    assert not labels.is_key(parse_expression("id", SCHEMA).field("copy"))
    assert not labels.is_event_time(parse_expression("at", SCHEMA).field("copy"))


def test_labels_below_a_bare_column_stay() -> None:
    made = parse_expression("user", SCHEMA).field("who")
    assert labels.labels_of(made.type.field("email")) == {"pii.email"}
    assert labels.labels_of(made) == {"pii.user"}


@pytest.mark.parametrize(
    ("text", "nullable"),
    [
        ("id", False),
        ("id + 1", False),
        ("id > 1 AND id < 5", False),
        ("upper(CAST(id AS VARCHAR))", False),
        ("name IS NULL", False),
        ("coalesce(name, 'x')", False),
        ("concat(name, text)", False),
        ("CASE WHEN name = 'a' THEN id ELSE 0 END", False),
        ("id IS DISTINCT FROM n", False),
        ("name", True),
        ("id + n", True),
        ("CASE WHEN name = 'a' THEN id END", True),
        ("coalesce(name, text)", True),
        ("nullif(id, 1)", True),
        ("TRY_CAST(id AS TINYINT)", True),
        ("try(id // id)", True),
        ("id % 2", True),
        ("items[1].sku", True),
        ("user.country", True),
        ("id IN (1, NULL)", True),
    ],
)
def test_a_result_is_required_only_where_that_can_be_told(text: str, nullable: bool) -> None:
    assert parse_expression(text, SCHEMA).nullable is nullable
