"""The example schemas of GitHub's webhooks against the real payloads, walked with plain Python."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2] / "examples" / "webhooks"
EVENTS = ("push", "issues", "pull_request", "issue_comment", "star", "fork")
DOCUMENT = yaml.safe_load((ROOT / "schemas" / "github.yaml").read_text())
DEFINITIONS: dict[str, dict[str, Any]] = DOCUMENT["definitions"]

# What the comment at the top of github.yaml says is left out.
KEPT_URLS = ("html_url", "avatar_url", "git_url", "ssh_url", "clone_url", "svn_url", "mirror_url")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
FIELD_OPTIONS = {
    *("name", "type", "required", "label", "key", "event_time", "epoch", "description"),
    *("fields", "items", "keys", "values"),
}


def left_out(name: str) -> bool:
    return (name.endswith("_url") and name not in KEPT_URLS) or name == "_links"


def resolved(field: dict[str, Any]) -> dict[str, Any]:
    """A field with its definition, if its type is the name of one, filled in."""
    if field["type"] in DEFINITIONS:
        return {**field, **DEFINITIONS[field["type"]]}
    return field


def misfits(value: Any, field: dict[str, Any], path: str) -> Iterator[str]:
    """Everything in a value that its field cannot hold."""
    field = resolved(field)
    if value is None:
        if field.get("required"):
            yield f"{path}: null, but required"
    elif field["type"] == "struct":
        yield from struct_misfits(value, field["fields"], path)
    elif field["type"] == "list":
        if not isinstance(value, list):
            yield f"{path}: {type(value).__name__} for a list"
            return
        for item in value:
            yield from misfits(item, field["items"], path + "[]")
    elif field["type"] == "map":
        if not isinstance(value, dict):
            yield f"{path}: {type(value).__name__} for a map"
            return
        for key, item in value.items():
            yield from misfits(key, field["keys"], path + "{key}")
            yield from misfits(item, field["values"], path + "{}")
    elif not leaf_fits(value, field):
        yield f"{path}: {type(value).__name__} for {field['type']}"


def struct_misfits(value: Any, fields: list[dict[str, Any]], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {type(value).__name__} for a struct"
        return
    known = {field["name"]: field for field in fields}
    for name, item in value.items():
        where = f"{path}.{name}"
        if name in known:
            yield from misfits(item, known[name], where)
        elif not left_out(name):
            yield f"{where}: unknown"
    for name, field in known.items():
        if field.get("required") and name not in value:
            yield f"{path}.{name}: missing, but required"


def leaf_fits(value: Any, field: dict[str, Any]) -> bool:
    if field["type"] == "string":
        return isinstance(value, str)
    if field["type"] == "bool":
        return isinstance(value, bool)
    if field["type"] == "int64":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    assert field["type"] == "timestamp[us, tz=UTC]", f"{field['name']}: {field['type']} is none of the types used"
    if "epoch" in field:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str) and RFC_3339.fullmatch(value) is not None


def payloads(event: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / "data" / f"{event}.jsonl").read_text().splitlines()]


def every_field(field: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The field and all below it, definitions filled in."""
    full = resolved(field)
    yield path, full
    for child in full.get("fields", ()):
        yield from every_field(child, f"{path}.{child['name']}")
    if full["type"] == "list":
        yield from every_field(full["items"], path + "[]")
    if full["type"] == "map":
        yield from every_field(full["keys"], path + "{key}")
        yield from every_field(full["values"], path + "{}")


def fields_of(event: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        entry
        for field in DOCUMENT["schemas"][event]["fields"]
        for entry in every_field(field, f"{event}.{field['name']}")
    ]


def leaves_of(event: str) -> dict[str, dict[str, Any]]:
    return {path: field for path, field in fields_of(event) if field["type"] not in ("struct", "list", "map")}


@pytest.mark.parametrize("event", EVENTS)
def test_every_payload_fits_its_schema_and_holds_no_unknown_field(event: str) -> None:
    records = payloads(event)
    found = {
        problem for record in records for problem in struct_misfits(record, DOCUMENT["schemas"][event]["fields"], event)
    }
    assert records
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("sender", "login"), 7, "push.sender.login: int for string"),
        (("sender", "nickname"), "x", "push.sender.nickname: unknown"),
        (
            ("repository", "pushed_at"),
            "2019-05-15T15:19:25Z",
            "push.repository.pushed_at: str for timestamp[us, tz=UTC]",
        ),
        (("repository", "updated_at"), 1557933565, "push.repository.updated_at: int for timestamp[us, tz=UTC]"),
        (("repository", "topics"), "ruby", "push.repository.topics: str for a list"),
        (("repository", "size"), True, "push.repository.size: bool for int64"),
        (("ref",), None, "push.ref: null, but required"),
    ],
)
def test_the_walk_finds_a_planted_misfit(path: tuple[str, ...], value: Any, problem: str) -> None:
    record = payloads("push")[0]
    at = record
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    assert list(struct_misfits(record, DOCUMENT["schemas"]["push"]["fields"], "push")) == [problem]


def test_there_is_a_schema_for_every_file_of_payloads() -> None:
    assert {path.stem for path in (ROOT / "data").glob("*.jsonl")} == set(DOCUMENT["schemas"]) == set(EVENTS)


@pytest.mark.parametrize("event", EVENTS)
def test_every_leaf_has_a_label_and_no_field_an_unknown_option(event: str) -> None:
    assert [path for path, field in leaves_of(event).items() if not field.get("label")] == []
    assert [path for path, field in fields_of(event) if set(field) - FIELD_OPTIONS] == []


@pytest.mark.parametrize("event", EVENTS)
def test_no_field_stands_twice_in_a_struct(event: str) -> None:
    paths = [path for path, _ in fields_of(event)]
    assert len(paths) == len(set(paths))


def test_every_definition_is_used() -> None:
    text = (ROOT / "schemas" / "github.yaml").read_text()
    assert [name for name in DEFINITIONS if f"type: {name}" not in text] == []


@pytest.mark.parametrize("event", EVENTS)
def test_no_public_field_holds_an_identity_of_the_payloads(event: str) -> None:
    assert identities_in_public(payloads(event), event) == []


def test_the_search_finds_an_identity_planted_in_a_public_field() -> None:
    records = payloads("push")
    records[0]["ref"] = f"refs/heads/{records[0]['sender']['login']}-1"
    assert identities_in_public(records, "push") == ["ref"]


def identities_in_public(records: list[dict[str, Any]], event: str) -> list[str]:
    """Paths of public leaves that hold a login, id, e-mail address or commit hash of any of the records."""
    identities: set[str] = set()
    public: set[tuple[str, str]] = set()
    for record in records:
        for field in DOCUMENT["schemas"][event]["fields"]:
            for path, leaf, value in leaf_values(record.get(field["name"]), field, field["name"]):
                if leaf["label"] in ("pii.login", "pii.user_id", "pii.email", "pii.commit", "pii.repository_id"):
                    identities.add(str(value))
                elif leaf["label"] == "public":
                    public.add((path, str(value)))
    # An empty gravatar id, and a made-up user id that is in every other number.
    identities -= {"", "1"}
    assert len(identities) >= 3
    return [path for path, text in sorted(public) if any(identity in text for identity in identities)]


def leaf_values(value: Any, field: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    field = resolved(field)
    if value is None:
        return
    if field["type"] == "struct":
        for child in field["fields"]:
            yield from leaf_values(value.get(child["name"]), child, f"{path}.{child['name']}")
    elif field["type"] == "list":
        for item in value:
            yield from leaf_values(item, field["items"], path + "[]")
    elif field["type"] != "map":
        yield path, field, value


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ("push", "repository.pushed_at"),
        ("issues", "issue.updated_at"),
        ("pull_request", "pull_request.updated_at"),
        ("issue_comment", "comment.updated_at"),
        ("star", "repository.updated_at"),
        ("fork", "forkee.created_at"),
    ],
)
def test_the_event_time_that_the_schema_names_is_in_every_payload(event: str, path: str) -> None:
    text = (ROOT / "schemas" / "github.yaml").read_text()
    assert re.search(rf"^#   {event} +{re.escape(path)}\b", text, re.MULTILINE)
    assert leaves_of(event)[f"{event}.{path}"]["type"] == "timestamp[us, tz=UTC]"
    for record in payloads(event):
        value: Any = record
        for name in path.split("."):
            value = value[name]
        assert value is not None


@pytest.mark.parametrize("example", ["webhooks", "partner_events"])
def test_the_example_policy_protects_the_warehouse_and_lets_nothing_raw_rest_elsewhere(example: str) -> None:
    policy = yaml.safe_load((ROOT.parent / example / "policies" / "privacy.yaml").read_text())
    destinations = policy["destinations"]
    assert policy["keys"] == {"main": "env:BLOCKS_MASK_KEY"}
    assert destinations["warehouse"]["protected"] is True
    assert [label for label, method in destinations["warehouse"]["labels"].items() if method == "keep"] == ["public"]
    assert destinations["rejects"] == {"labels": {"public": "keep"}}
    # Masked as for the warehouse, columns may rest on a shuffle and in state; raw ones may not.
    for name in ("state", "shuffle"):
        assert destinations[name] == destinations["warehouse"]


def test_the_warehouse_policy_names_every_label_of_the_schemas() -> None:
    labels = {leaf["label"] for event in EVENTS for leaf in leaves_of(event).values()}
    policy = yaml.safe_load((ROOT / "policies" / "privacy.yaml").read_text())
    named = policy["destinations"]["warehouse"]["labels"]
    assert [
        label for label in labels if label not in named and not (label.startswith("pii.") and "pii.*" in named)
    ] == []
    assert [name for name in named if name not in labels and name != "pii.*"] == []
