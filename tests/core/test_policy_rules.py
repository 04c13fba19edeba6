"""The policy: which rule decides, what passes, what the errors say; every mistake of a file at once."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blocks.core import labels
from blocks.core.errors import PolicyError, PrivacyError, SchemaError
from blocks.core.mask_plan import plan_masking
from blocks.core.masks import Drop, Hmac, Keep, Mask, Method, Redact, Truncate, strictest
from blocks.core.policy import NO_POLICY, Policy, check_destination, method_of, read_policy

KEYS = {"main": "env:BLOCKS_TEST_KEY", "next": "env:BLOCKS_TEST_NEXT_KEY"}
EMAIL: dict[str, Any] = {"method": "hmac", "key": "main"}


def policy(rules: dict[str, Any], protected: bool = False, **others: Any) -> Policy:
    return read_policy(
        {"keys": KEYS, "destinations": {"warehouse": {"protected": protected, "labels": rules}, **others}}
    )


def schema(**named: str) -> pa.Schema:
    """Columns of text, each with comma-separated labels (none: empty text)."""
    return pa.schema(
        [
            labels.with_labels(pa.field(name, pa.string()), [label for label in text.split(",") if label])
            for name, text in named.items()
        ]
    )


def action(found: Policy, *names: str, destination: str = "warehouse") -> str | None:
    result = found.destination(destination).action(names)
    return None if result is None else result.name()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("pii.email", "hmac"),
        ("pii.email.work", "redact"),
        ("pii.email.work.old", "redact"),
        ("pii.phone", "drop"),
        ("pii", "null"),
        ("piix.email", "null"),
        ("other", "null"),
    ],
)
def test_the_most_specific_pattern_decides(label: str, expected: str) -> None:
    found = policy({"*": "null", "pii.*": "drop", "pii.email.*": "redact", "pii.email": EMAIL})
    assert action(found, label) == expected


def test_the_order_of_the_rules_does_not_matter() -> None:
    one, other = {"pii.*": "drop", "pii.email": EMAIL}, {"pii.email": EMAIL, "pii.*": "drop"}
    assert action(policy(one), "pii.email") == action(policy(other), "pii.email") == "hmac"


def test_of_several_labels_the_strictest_action_is_taken() -> None:
    found = policy({"public": "keep", "pii.a": EMAIL, "pii.b": "drop", "pii.c": "redact"})
    assert action(found, "public", "pii.a") == "hmac"
    assert action(found, "pii.a", "pii.c") == "redact"
    assert action(found, "pii.c", "pii.b", "pii.a") == "drop"
    assert action(found, "public", "unnamed") is None, "a label that nobody named does not pass with another's help"


def test_strictness_goes_from_drop_to_keep() -> None:
    order: list[Method] = [
        method_of(labels.Masked(name, key, options))
        for name, key, options in [
            ("drop", "", {}),
            ("null", "", {}),
            ("redact", "", {}),
            ("hash_bucket", "main", {"buckets": 10}),
            ("mask", "", {}),
            ("hmac", "main", {}),
            ("truncate", "", {"characters": 2}),
            ("mask_keep_left", "", {"n": 2}),
            ("mask_keep_right", "", {"n": 2}),
            ("mask_left", "", {"n": 2}),
            ("mask_right", "", {"n": 2}),
            ("encrypt", "main", {}),
            ("keep", "", {}),
        ]
    ]
    for position, one in enumerate(order):
        for other in order[position:]:
            assert strictest([one, other]) is strictest([other, one]) is one


@pytest.mark.parametrize(
    ("name", "stricter", "laxer"),
    [
        ("mask_keep_right", {"n": 2}, {"n": 8}),
        ("mask_left", {"n": 8}, {"n": 2}),
        ("mask", {}, {"lower": None}),
        ("truncate", {"date": "year"}, {"date": "month"}),
        ("truncate", {"bucket": 100}, {"bucket": 10}),
        ("truncate", {"characters": 2}, {"characters": 3}),
        ("truncate", {"ip_prefix": {"v4": 16}}, {"ip_prefix": {"v4": 24}}),
        ("hash_bucket", {"buckets": 10}, {"buckets": 1000}),
        ("encrypt", {"mode": "random"}, {"mode": "deterministic"}),
    ],
)
def test_of_two_settings_of_a_method_the_one_that_shows_less_is_stricter(
    name: str, stricter: dict[str, Any], laxer: dict[str, Any]
) -> None:
    key = "main" if name in ("hash_bucket", "encrypt") else ""
    one, other = method_of(labels.Masked(name, key, stricter)), method_of(labels.Masked(name, key, laxer))
    assert strictest([one, other]) is strictest([other, one]) is one


def refused(columns: pa.Schema, found: Policy, destination: str = "warehouse") -> list[tuple[str, str, str]]:
    with pytest.raises(PrivacyError) as caught:
        check_destination(columns, found, destination, "WriteWarehouse")
    return [(one.where.removeprefix("WriteWarehouse: "), one.what, one.fix) for one in caught.value.problems]


def test_an_unlabelled_column_passes_an_open_destination_and_not_a_protected_one() -> None:
    columns = schema(a="", b="public")
    check_destination(columns, policy({"public": "keep"}), "warehouse", "test")
    ((where, what, fix),) = refused(columns, policy({"public": "keep"}, protected=True))
    assert (where, what) == ("field `a`", "no label, and `warehouse` is protected")
    assert "label it in the schema" in fix


def test_a_label_that_is_not_named_passes_no_destination_and_the_line_to_add_is_shown() -> None:
    for protected in (True, False):
        found = refused(schema(a="pii.x", b="public,pii.y"), policy({"public": "keep"}, protected=protected))
        assert [where for where, _, _ in found] == ["field `a`", "field `b`"]
        assert found[0][2] == "add to policy under `destinations: warehouse: labels:`\npii.x: drop"
        assert found[1][2].endswith("\npii.y: drop")


def test_a_destination_that_is_not_named_takes_public_columns_only() -> None:
    found = policy({"*": "keep"})
    check_destination(schema(a="public"), found, "online", "test")
    refusals = refused(schema(a="public", b="pii.x", c=""), found, "online")
    assert [where for where, _, _ in refusals] == ["field `b`", "field `c`"]
    assert "the policy does not name `online`" in refusals[0][1]
    assert "online: {labels: {pii.x: drop}}" in refusals[0][2]


def test_without_a_policy_and_without_private_labels_everything_is_free() -> None:
    check_destination(schema(a="", b="public"), NO_POLICY, "warehouse", "test")


def test_without_a_policy_one_private_label_is_enough_to_refuse_and_every_field_is_named() -> None:
    refusals = refused(schema(a="", b="public", c="pii.x", d="secret"), NO_POLICY)
    assert [where for where, _, _ in refusals] == ["field `a`", "field `c`", "field `d`"]
    assert all("give policy=" in fix for _, _, fix in refusals)


def test_nested_leaves_are_checked_one_by_one() -> None:
    inner = pa.struct([labels.with_labels(pa.field("email", pa.string()), ["pii.email"]), pa.field("n", pa.int64())])
    kind = pa.map_(pa.field("key", pa.string(), False), pa.field("value", pa.list_(pa.field("item", inner))))
    refusals = refused(pa.schema([pa.field("c", kind)]), policy({"public": "keep"}, protected=True))
    assert [where for where, _, _ in refusals] == ["field `c{key}`", "field `c{}[].email`", "field `c{}[].n`"]


def masked_schema(rule: Any, label: str = "pii.email") -> pa.Schema:
    return plan_masking(schema(a=label), policy({label: rule}), "warehouse", "test").schema


def test_a_masked_column_passes_where_the_policy_asks_for_exactly_this_mask_or_keeps_it() -> None:
    columns = masked_schema(EMAIL)
    check_destination(columns, policy({"pii.email": EMAIL}), "warehouse", "test")
    check_destination(columns, policy({"pii.email": "keep"}), "warehouse", "test")


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "hmac", "key": "next"},
        {"method": "hmac", "key": "main", "encoding": "base64"},
        {"method": "hmac", "key": "main", "canonical": "none"},
        {"method": "hmac", "key": "main", "domain": "person"},
        {"method": "encrypt", "key": "main"},
        "redact",
        "null",
        {"method": "mask_keep_right", "n": 4},
    ],
)
def test_another_key_other_options_or_another_method_is_refused(asked: Any) -> None:
    ((_, what, fix),) = refused(masked_schema(EMAIL), policy({"pii.email": asked}))
    assert "is masked by hmac (key main), not as the policy asks" in what
    assert "from the original" in fix


def test_where_a_destination_is_not_named_the_mask_that_a_column_has_is_the_line_to_add() -> None:
    asked = {"method": "hmac", "key": "main", "encoding": "base64"}
    refusals = refused(masked_schema(asked), policy({"pii.email": asked}), "shuffle")
    ((_, what, fix),) = refusals
    assert "the policy does not name `shuffle`" in what
    assert fix.endswith("shuffle: {labels: {pii.email: {method: hmac, key: main, encoding: base64}}}")
    named = {"labels": {"pii.email": asked}}
    check_destination(masked_schema(asked), policy({"pii.email": asked}, shuffle=named), "shuffle", "test")


def test_a_masked_column_is_refused_where_it_should_be_dropped() -> None:
    ((_, what, _),) = refused(masked_schema(EMAIL), policy({"pii.email": "drop"}))
    assert "must go through drop first" in what


def test_a_column_that_is_not_masked_is_refused_with_the_block_to_add() -> None:
    ((_, what, fix),) = refused(schema(a="pii.email"), policy({"pii.email": EMAIL}))
    assert what == "label pii.email must go through hmac with key main first"
    assert "MaskColumns" in fix


def test_options_that_say_the_default_are_the_same_mask() -> None:
    written = {**EMAIL, "encoding": "hex", "domain": "pii.email"}
    check_destination(masked_schema(EMAIL), policy({"pii.email": written}), "warehouse", "test")
    lax = {"method": "truncate", "ip_prefix": {}}
    full = {"method": "truncate", "ip_prefix": {"v4": 24, "v6": 48}}
    check_destination(masked_schema(lax, "pii.ip"), policy({"pii.ip": full}), "warehouse", "test")


def test_masking_twice_as_asked_changes_nothing_and_otherwise_is_refused() -> None:
    once = masked_schema(EMAIL)
    again = plan_masking(once, policy({"pii.email": EMAIL}), "warehouse", "test")
    assert again.schema.equals(once, check_metadata=True)
    assert all(isinstance(node.method, Keep) for node in again.nodes)
    with pytest.raises(PrivacyError, match="not as the policy asks"):
        plan_masking(once, policy({"pii.email": "redact"}), "warehouse", "test")


def test_a_mark_that_is_none_of_this_version_is_refused_and_not_taken_for_a_mask() -> None:
    for text in ("not json", '{"method": "hmac", "colour": "red"}', "[]", '"hmac"'):
        field = labels.put(schema(a="pii.email").field("a"), {labels.MASKED: text})
        with pytest.raises(SchemaError, match="no mask mark"):
            check_destination(pa.schema([field]), policy({"pii.email": "keep"}), "warehouse", "test")
    with pytest.raises(SchemaError, match="options that this version does not have"):
        method_of(labels.Masked("hmac", "main", {"colour": "red"}))


# --- the file -----------------------------------------------------------------------------------------------------

FIVE = """\
keys:
  main: "hunter2-hunter2-hunter2"
destinations:
  warehouse:
    protectd: true
    labels:
      pii.email: {method: hmca, key: main}
      pii.card: {method: mask_left, n: 0}
      pii.phone: {method: hmac, key: sekret-in-the-wrong-place}
"""
FIVE_SHOWN = """\
5 problems
  where: FILE
1. a key is a URI, and this is none
     where: FILE:2:9
     to do: write env:NAME or file:PATH, never the secret itself
2. unknown option `protectd` of a destination
     where: FILE:5:5
     to do: did you mean `protected`? there is: protected, labels, unparsed
3. unknown method `hmca`
     where: FILE:7:18
     to do: did you mean `hmac`? there is: drop, null, redact, hash_bucket, mask, hmac, truncate, mask_keep_left, \
mask_keep_right, mask_left, mask_right, encrypt, keep
4. `mask_left`: n: input should be greater than or equal to 1
     where: FILE:8:40
     to do: options: upper, lower, digit, other, n
5. `keys` has no key of this name
     where: FILE:9:38
     to do: there is: main"""


def test_a_file_with_five_mistakes_shows_all_five_with_line_and_column_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "privacy.yaml"
    path.write_text(FIVE)
    with pytest.raises(PolicyError) as caught:
        read_policy(path)
    shown = str(caught.value)
    assert shown == FIVE_SHOWN.replace("FILE", str(path))
    assert "hunter2" not in shown
    assert "sekret" not in shown


def problems_of(content: Any, tmp_path: Path) -> list[tuple[str, str]]:
    """(where without the file, what) of every problem of a policy in YAML."""
    path = tmp_path / "p.yaml"
    path.write_text(content)
    with pytest.raises(PolicyError) as caught:
        read_policy(path)
    assert all(problem.fix for problem in caught.value.problems), str(caught.value)
    return [
        (one.where.removeprefix(f"{path}: ").removeprefix(str(path)).strip(":"), one.what)
        for one in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("", "a policy is a mapping")]),
        ("- a\n", [("1:1", "a policy is a mapping")]),
        ("keys: {}\n", [("1:1", "no `destinations`")]),
        ("destinations: [a]\n", [("1:15", "`destinations` is a mapping")]),
        (
            "keys: [a]\ndestinatons: {}\ndestinations: {warehouse: null, online: {labels: {a: hmca}}}\n",
            [
                ("1:7", "`keys` is a mapping"),
                ("2:1", "unknown key `destinatons`"),
                ("3:27", "a destination is a mapping"),
                ("3:54", "unknown method `hmca`"),
            ],
        ),
        (
            "keys: {main: 5, 'a:b': 'env:X'}\ndestinations: {w: {protected: maybe, labels: [x]}}\n",
            [
                ("1:14", "a key is a URI, and this is none"),
                ("1:24", "this is not the name of a key"),
                ("2:31", "`protected` is true or false"),
                ("2:46", "`labels` is a mapping of label to method"),
            ],
        ),
        (
            "destinations: {w: {labels: {'pii.*.x': keep, '*.a': keep, 'a b': keep, ok: 5}, unparsed: redact}}\n",
            [
                ("1:40", "`pii.*.x` is not a pattern of labels"),
                ("1:53", "`*.a` is not a pattern of labels"),
                ("1:66", "`a b` is not a pattern of labels"),
                ("1:76", "a method is a name or {method: name, ...}"),
                ("1:90", "`unparsed` is an hmac or drop"),
            ],
        ),
        ("destinations: {w: {}, w: {}}\n", [("1:23", "the key `w` stands twice (first in line 1)")]),
    ],
)
def test_what_is_wrong_with_a_file_is_all_said_with_its_place(
    text: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert problems_of(text, tmp_path) == expected


def test_a_file_that_is_not_there_is_a_policy_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot read the policy"):
        read_policy(tmp_path / "none.yaml")


def test_an_unquoted_null_is_the_method_null(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("destinations: {w: {labels: {a: null, b: {method: null}, c: 'null'}}}\n")
    rules = read_policy(path).destination("w")
    assert [rules.action([label]).name() for label in "abc"] == ["null"] * 3  # type: ignore[union-attr]


def test_a_policy_that_was_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("destinations: {w: {labels: {a: keep}}}\n")
    assert isinstance(read_policy(path).destination("w").action(["a"]), Keep)
    path.unlink()
    path.write_text("destinations: {w: {labels: {a: drop}}}\n")
    assert isinstance(read_policy(path).destination("w").action(["a"]), Drop)


def test_methods_from_python_are_checked_for_their_key_too() -> None:
    rules: dict[str, Any] = {"a": Hmac(key="nokey"), "b": Redact(), "c": Mask(), "d": Truncate(date="year")}
    with pytest.raises(PolicyError, match="no key of this name"):
        policy(rules)


def test_a_mapping_is_a_policy_too_and_its_mistakes_name_the_policy() -> None:
    with pytest.raises(PolicyError, match="where: policy"):
        read_policy({"destinations": {"w": {"labels": {"a": "hmca"}}}})
    found = read_policy({"destinations": {}})
    assert read_policy(found) is found


def test_a_policy_file_that_is_missing_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "privacy.yaml").write_text("destinations: {}\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path / "privcy.yaml")
    assert "did you mean `privacy.yaml`?" in caught.value.fix
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path / "none" / "privacy.yaml")
    assert "there is no folder" in caught.value.fix


def test_a_destination_that_the_policy_misspells_is_hinted_at() -> None:
    found = read_policy({"destinations": {"warehose": {"labels": {"pii.email": "keep"}}}})
    with pytest.raises(PrivacyError) as caught:
        check_destination(schema(email="pii.email"), found, "warehouse", "WriteWarehouse")
    assert "the policy names `warehose`: did you mean `warehouse`? otherwise add" in caught.value.fix
    with pytest.raises(PrivacyError) as caught:
        check_destination(schema(email="pii.email"), found, "shuffle", "DeduplicateRows")
    assert "did you mean" not in caught.value.fix


def test_a_mask_without_a_key_is_told_without_one() -> None:
    found = policy({"pii.email": "redact"})
    masked = plan_masking(schema(email="pii.email"), found, "warehouse", "MaskColumns").schema
    other = policy({"pii.email": "null"})
    with pytest.raises(PrivacyError) as caught:
        check_destination(masked, other, "warehouse", "WriteWarehouse")
    assert "is masked by redact, not as" in caught.value.what


def test_the_least_size_of_a_group_is_a_number_of_rows():
    assert read_policy({"destinations": {}, "min_group": 20}).min_group == 20
    assert read_policy({"destinations": {}}).min_group is None


@pytest.mark.parametrize("wrong", [0, -1, "20", True, 1.5, [20]])
def test_a_least_size_that_is_no_number_of_rows_is_refused(wrong):
    with pytest.raises(PolicyError, match="`min_group` is a number of rows"):
        read_policy({"destinations": {}, "min_group": wrong})
