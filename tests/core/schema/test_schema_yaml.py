from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from blocks.core.labels import DESCRIPTION, Masked, get, is_event_time, is_key, labels_of, leaves, masked_of
from blocks.core.schema import read_schema

Write = Callable[[str, str], Path]
Refused = Callable[..., str]

PUSH = """\
name: push
description: a push to a branch
definitions:
  user:
    type: struct
    label: pii.name
    description: who did it
    fields:
      - {name: login, type: string}
      - {name: id, type: int64, label: public}
fields:
  - {name: id, type: int64, required: true, label: public, key: true, description: "number of the push"}
  - {name: created, type: "timestamp[us, tz=UTC]", event_time: true, epoch: s}
  - {name: amount, type: "decimal128(18, 2)", label: [finance.amount]}
  - {name: sender, type: user, label: pii.sender}
  - {name: members, type: list, items: user}
  - {name: tags, type: list, items: {type: string, label: public}}
  - {name: attrs, type: map, keys: {type: string, label: pii.attr}, values: {type: string}}
  - {name: spots, type: fixed_size_list, size: 2, items: {type: float32, required: true}}
  - {name: counts, type: "map<string, int64>"}
  - name: email
    type: string
    label: pii.email
    masked: {method: hmac, key: main, type: string}
    metadata: {owner: team}
metadata: {source: partner}
"""


def test_the_form_says_everything_about_a_schema(write: Write) -> None:
    schema = read_schema(write("push.yaml", PUSH))
    user = pa.struct([pa.field("login", pa.string()), pa.field("id", pa.int64())])
    assert schema == pa.schema(
        [
            pa.field("id", pa.int64(), False),
            pa.field("created", pa.timestamp("us", tz="UTC")),
            pa.field("amount", pa.decimal128(18, 2)),
            pa.field("sender", user),
            pa.field("members", pa.list_(user)),
            pa.field("tags", pa.list_(pa.string())),
            pa.field("attrs", pa.map_(pa.string(), pa.string())),
            pa.field("spots", pa.list_(pa.field("item", pa.float32(), False), 2)),
            pa.field("counts", pa.map_(pa.string(), pa.int64())),
            pa.field("email", pa.string()),
        ]
    )
    assert is_key(schema.field("id"))
    assert is_event_time(schema.field("created"))
    assert get(schema.field("created"), "blocks.epoch") == "s"
    assert get(schema.field("sender"), DESCRIPTION) == "who did it"
    assert labels_of(schema.field("sender")) == {"pii.name", "pii.sender"}
    assert masked_of(schema.field("email")) == Masked("hmac", "main", type="string")
    assert get(schema.field("email"), "owner") == "team"
    assert schema.metadata == {b"source": b"partner"}
    held = {leaf.path: set(leaf.labels) for leaf in leaves(schema)}
    assert held["sender.login"] == {"pii.name", "pii.sender"}
    assert held["members[].id"] == {"public"}
    assert held["members[].login"] == {"pii.name"}
    assert held["attrs{key}"] == {"pii.attr"}
    assert held["attrs{}"] == set()


def test_a_file_may_hold_several_schemas_that_share_definitions(write: Write, refused: Refused) -> None:
    text = """
      definitions: {user: {type: struct, fields: [{name: login, type: string}]}}
      schemas:
        push: {fields: [{name: pusher, type: user}]}
        issues: {fields: [{name: author, type: user}], label: pii}
    """
    assert read_schema(write("a.yaml", text), "push").names == ["pusher"]
    assert labels_of(read_schema(write("a.yaml", text), "issues").field("author")) == {"pii"}
    assert "defines 2 schemas" in refused("a.yaml", text)
    assert "did you mean `issues`?" in refused("a.yaml", text, "isues")


def test_the_name_of_the_only_schema_may_be_given_and_is_checked(write: Write, refused: Refused) -> None:
    assert read_schema(write("push.yaml", PUSH), "push").names[0] == "id"
    assert "no schema `psh`" in refused("push.yaml", PUSH, "psh")


def test_anchors_are_allowed(write: Write) -> None:
    text = """
      fields:
        - {name: a, type: struct, fields: &parts [{name: x, type: int8}]}
        - {name: b, type: struct, fields: *parts}
    """
    schema = read_schema(write("a.yaml", text))
    assert schema.field("a").type == schema.field("b").type


def test_a_bomb_of_anchors_is_refused(refused: Refused) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "values once aliases are followed" in refused("a.yaml", "\n".join(levels))


def test_an_anchor_that_holds_itself_is_refused(refused: Refused) -> None:
    assert "holds itself" in refused("a.yaml", "fields: &f [{name: a, type: struct, fields: *f}]")


def test_duplicate_keys_are_refused_with_line_and_column(refused: Refused) -> None:
    message = refused("a.yaml", "fields:\n  - name: a\n    type: int8\n    label: secret\n    label: public\n")
    assert "the key `label` stands twice" in message
    assert "a.yaml:5:5" in message


@pytest.mark.parametrize(
    "tag", ["!!python/object:os.system", "!!python/object/apply:os.system", "!!python/name:os.system", "!mine"]
)
def test_tags_that_make_objects_are_refused(refused: Refused, tag: str) -> None:
    assert "is not allowed" in refused("a.yaml", f"fields:\n  - name: {tag} 'x'\n    type: int8\n")
    assert "is not allowed" in refused("b.yaml", f"fields:\n  - {tag} {{name: a, type: int8}}\n")


def test_every_breach_of_the_form_comes_at_once_with_line_and_column(refused: Refused) -> None:
    text = """\
fields:
  - {name: a, typ: int64}
  - {name: on, type: int64}
  - {name: c, type: int64, epoch: minutes}
  - {name: d, type: list, items: {type: string, lable: public}}
  - {name: e, type: int64, label: {pii: email}}
  - {name: f, type: int64, key: maybe}
  - {type: int64}
feilds: []
"""
    message = refused("a.yaml", text)
    for part in (
        "no key `typ` here",
        "did you mean `type`?",
        "the key `type` is missing",
        "line 2, column",
        "`fields.name`: Input should be a valid string",
        "line 3, column",
        "put it in quotes",
        "`epoch`: Input should be 's', 'ms', 'us' or 'ns'",
        "no key `lable` here",
        "did you mean `label`?",
        "field `d`",
        "line 5, column",
        "line 6, column",
        "line 7, column",
        "the key `name` is missing",
        "line 8, column",
        "no key `feilds` here",
        "did you mean `fields`?",
    ):
        assert part in message, f"{part}\n{message}"


def test_every_problem_of_the_types_comes_at_once_with_line_and_column(refused: Refused) -> None:
    text = """\
definitions:
  user: {type: struct, fields: [{name: boss, type: user}]}
  int64: {type: string}
fields:
  - {name: a, type: usr}
  - {name: b, type: "list<item: strng>"}
  - {name: c, type: user}
  - {name: d, type: struct}
  - {name: e, type: int64, items: string}
  - {name: f, type: fixed_size_list, items: string}
  - {name: g, type: string, label: "pii email"}
  - {name: h, type: string, label: ""}
  - {name: i, type: string, label: public, metadata: {blocks.label: secret}}
  - {name: j, type: "null", required: true}
  - {name: k, type: fixed_size_list, size: -1, items: string}
"""
    message = refused("a.yaml", text)
    for part in (
        "no type or definition `usr`",
        "did you mean `user`?",
        "line 5, column 21, field `a`",
        "no Arrow type `strng`",
        "line 6, column 21, field `b`",
        "a definition that holds itself: `user` holds `user`",
        "field `c.boss`",
        "the definition `int64` hides a type",
        "type `struct` without `fields`",
        "`items` on type `int64`",
        "type `fixed_size_list` without `size`",
        "`pii email` is not a label",
        "an empty label",
        "`blocks.label` is written twice",
        "type `null` on a field that is never null",
        "`size` is below 0",
    ):
        assert part in message, f"{part}\n{message}"


def test_a_file_with_fields_and_schemas_is_refused(refused: Refused) -> None:
    assert "no key `fields` here" in refused("a.yaml", "schemas: {a: {fields: []}}\nfields: []")
