"""The examples on the page of the contract, against the oracle and against the library."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from blocks.aggregating.evaluating import Evaluation
from blocks.aggregating.events import accept
from blocks.aggregating.plan import make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.aggregating.shard import Shard
from blocks.core.policy import NO_POLICY
from tests.aggregating.stream_cases import in_time
from tests.oracles.aggregation import Event, accepted, value

PAGE = Path(__file__).parents[2] / "docs" / "aggregation-contract.md"
BLOCKS = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]
EXAMPLES = [one for one in BLOCKS if "values" in one]
STREAMS = [one for one in BLOCKS if "arriving" in one]
# Those with watermarks, clocks and conditions: `test_contract_of_streams.py`.
HEARD = [one for one in BLOCKS if "heard" in one]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text: str) -> int:
    """A time of the day of the examples."""
    return (datetime.fromisoformat(f"2026-01-01T{text}+00:00") - _EPOCH) // timedelta(microseconds=1)


def definition_of(example: dict[str, Any]) -> dict[str, Any]:
    """The definition that an example shortens."""
    source = {"event_time": "at", "event_id": "id"}
    source |= {key: example[key] for key in ("known_at", "delete_key") if key in example}
    rest = {key: example[key] for key in ("state_ttl", "lateness") if key in example}
    rest |= {"emit": {"on_event": True}} if "arriving" in example else {}
    return {"entity": {"key": "user"}, "source": source, "features": example["features"], "lateness": "0s", **rest}


def _events_of(example: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = example.get("events") or example["arriving"]
    return found


def schema_of(example: dict[str, Any]) -> pa.Schema:
    amounts = [one["amount"] for one in _events_of(example) if one.get("amount") is not None]
    number = pa.float64() if any(isinstance(one, float) for one in amounts) else pa.int32()
    return pa.schema(
        [
            pa.field("user", pa.string()),
            pa.field("at", pa.timestamp("us", "UTC")),
            pa.field("known", pa.timestamp("us", "UTC")),
            pa.field("id", pa.int64()),
            pa.field("amount", number),
            pa.field("country", pa.string()),
        ]
    )


def rows_of(example: dict[str, Any]) -> list[dict[str, Any]]:
    """The events with every column."""
    found = []
    for one in _events_of(example):
        known = micros(one["known"]) if "known" in one else None
        row = {"user": "u", "amount": None, "country": None, **one, "at": micros(one["at"]), "known": known}
        found.append(row)
    return found


def plain(value: Any) -> Any:
    """A value as the page writes it."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return {key: plain(one) for key, one in value}
    return int(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_the_example_is_what_the_fold_gives(example: dict[str, Any]) -> None:
    definition = read_definition(definition_of(example))
    events = []
    for row in rows_of(example):
        known = row["known"] if "known_at" in example else None
        events.append(Event("u", row["at"], row["id"], row, known, row["country"] == "deleted"))
    kept, conflicts = accepted(events, lambda one: repr((one.columns["amount"], one.columns["country"])).encode())
    assert conflicts == []
    for asked in example["values"]:
        found: dict[str, Any] = {}
        truncated = []
        for feature in definition.features:
            found[feature.name], cut = value(definition, feature, kept, "u", micros(asked["as_of"]), _where)
            truncated += [feature.name] if cut else []
        compared(asked, found, truncated)


def _where(event: Event) -> bool:
    return event.columns["amount"] is not None and event.columns["amount"] > 3


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_the_example_is_what_the_library_gives(example: dict[str, Any]) -> None:
    schema = schema_of(example)
    plan = make_plan(read_definition(definition_of(example)), schema, "AggregateEvents", NO_POLICY)
    rows, rejects = Projector(plan, "AggregateEvents", "1", None)(pa.RecordBatch.from_pylist(rows_of(example), schema))
    assert rejects == []
    events = accept(rows, plan.keys).events
    moments = np.array([micros(asked["as_of"]) for asked in example["values"]])
    values = Evaluation(plan, events).at(np.zeros(len(moments), np.int64), moments)
    for number, asked in enumerate(example["values"]):
        names = [one.feature.name for one in plan.outputs]
        found = {name: column[number].as_py() for name, column in zip(names, values.columns, strict=True)}
        flags = zip(names, values.truncated, strict=True)
        compared(asked, found, [name for name, flag in flags if flag is not None and flag[number]])


def text_of(value: Any) -> str:
    """A value as text that tells every value from every other; a map in the order of its keys."""
    return repr(sorted(value.items()) if isinstance(value, dict) else value)


def compared(asked: dict[str, Any], found: dict[str, Any], truncated: list[str]) -> None:
    """Every feature that the example names, and every one that is cut."""
    wanted = {key: one for key, one in asked.items() if key not in ("as_of", "truncated")}
    assert set(wanted) == set(found)
    assert {
        name: repr(plain(one)) if not isinstance(plain(one), dict) else plain(one) for name, one in found.items()
    } == {name: repr(one) if not isinstance(one, dict) else one for name, one in wanted.items()}
    assert truncated == asked.get("truncated", [])


@pytest.mark.parametrize("example", STREAMS, ids=[str(number) for number in range(1, len(STREAMS) + 1)])
def test_the_stream_gives_the_rows_of_the_page_and_the_fold_its_values(example: dict[str, Any]) -> None:
    schema, definition = schema_of(example), read_definition(definition_of(example))
    plan = make_plan(definition, schema, "AggregateEvents", NO_POLICY)
    rows, _ = Projector(plan, "AggregateEvents", "1", None)(pa.RecordBatch.from_pylist(rows_of(example), schema))
    shard = Shard(plan, least=1)
    state, found, late = shard.coder.empty(), [], []
    for number, row in enumerate(rows_of(example)):
        # An event a bundle.
        step = shard.arrive(state, rows.slice(number, 1), micros("23:00"))
        state = step.state
        found += step.rows.to_pylist()
        late += [row["id"] for one in step.refused if one.code == "late"]
    names = [one.feature.name for one in plan.outputs]
    told = [{name: row[name] for name in ("revision", "reason", *names)} | {"as_of": _of(row)} for row in found]
    key = lambda row: (row["as_of"], row["revision"])  # noqa: E731
    assert sorted(told, key=key) == sorted(({**row, "as_of": micros(row["as_of"])} for row in example["rows"]), key=key)
    assert late == example["late"]
    events = [Event("u", row["at"], row["id"], row) for row in rows_of(example)]
    kept, _ = accepted(in_time(events, definition.lateness)[0])
    for row in {row["as_of"]: row for row in sorted(told, key=key)}.values():
        for feature in definition.features:
            assert value(definition, feature, kept, "u", row["as_of"], _where) == (row[feature.name], False)


def _of(row: dict[str, Any]) -> int:
    return (row["as_of"] - _EPOCH) // timedelta(microseconds=1)


def without_example(page: str) -> list[str]:
    """What the page claims, in a paragraph that begins in bold or in an item, with no example before the next claim."""
    found: list[str] = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        waiting: list[str] = []
        if section.startswith(("How it is asked for", "The proof")):
            continue
        for part in re.split(r"\n{2,}", section):
            if part.startswith("```yaml"):
                waiting = []
            elif part.startswith(("**", "- ")):
                found += waiting
                waiting = [part[:60]]
        found += waiting
    return found


def test_the_page_has_an_example_for_every_line() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert without_example(page) == []
    assert len(BLOCKS) == len(EXAMPLES) + len(STREAMS) + len(HEARD)


def test_a_line_whose_example_is_gone_is_found() -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n.*?```\n", page, re.DOTALL)
    # The first belongs to the formula above it.
    for block in blocks[1:]:
        assert without_example(page.replace(block, "")), block
