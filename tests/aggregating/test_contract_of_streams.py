"""The examples of streams on the page of the contract: what goes out, what is rejected, and that it is the fold."""

from typing import Any

import pyarrow as pa
import pytest

from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.aggregating.shard import Shard, Step
from blocks.core.policy import NO_POLICY
from tests.aggregating.test_contract import HEARD, STREAMS, micros
from tests.oracles.aggregation import Event, accepted, value

EXAMPLES = HEARD
FAR = micros("23:59")
SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("id", pa.int64()),
        ("country", pa.string()),
        ("amount", pa.int32()),
    ]
)
TOLD = ("lateness", "ahead", "state_ttl", "features")


def plan_of(example: dict[str, Any]) -> Plan:
    source = {"event_time": "at", "event_id": "id"}
    source |= {key: example[key] for key in ("delete_key",) if key in example}
    definition = {"entity": {"key": "user"}, "source": source, "ahead": "36500d", "emit": {"on_event": True}}
    definition |= {key: example[key] for key in (*TOLD, "emit") if key in example}
    return make_plan(read_definition(definition), SCHEMA, "AggregateEvents", NO_POLICY)


class Stream:
    """A shard that hears an example, through the bytes of its state, one event at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._shard = plan, Shard(plan, least=1)
        self._project = Projector(plan, "AggregateEvents", "1", None)
        self._state = self._shard.coder.encode(self._shard.coder.empty())
        self.rows: list[dict[str, Any]] = []
        self.refused: list[tuple[int, str]] = []

    def hears(self, one: dict[str, Any]) -> None:
        state = self._shard.coder.decode(self._state)
        if "watermark" in one:
            self._take(self._shard.expire(state, micros(one["watermark"])))
            return
        row = {"user": "u", "country": None, "amount": None, **one, "at": micros(one["at"])}
        row.pop("clock", None)
        rows, rejects = self._project(pa.RecordBatch.from_pylist([row], SCHEMA))
        assert rejects == []
        step = self._shard.arrive(state, rows, micros(one["clock"]) if "clock" in one else FAR)
        self.refused += [(one["id"], refused.code) for refused in step.refused if refused.rows.num_rows]
        self._take(step)

    def _take(self, step: Step) -> None:
        self._state = self._shard.coder.encode(step.state)
        self.rows += step.rows.to_pylist()


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_the_stream_gives_the_rows_and_rejects_of_the_example(example: dict[str, Any]) -> None:
    stream = Stream(plan_of(example))
    for one in example["heard"]:
        stream.hears(one)
    names = ["revision", "reason", *(one["name"] for one in example["features"])]
    told = [(int(row["as_of"].timestamp()), row["as_of"].microsecond, *map(row.get, names)) for row in stream.rows]
    assert told == [(*divmod(micros(row["as_of"]), 1_000_000), *map(row.get, names)) for row in example["rows"]]
    assert stream.refused == [(one["id"], one["code"]) for one in example.get("rejects", [])]


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_the_last_revision_of_every_row_of_the_example_is_the_fold(example: dict[str, Any]) -> None:
    definition = plan_of(example).definition
    refused = {one["id"] for one in example.get("rejects", [])}
    heard = [one for one in example["heard"] if one.get("id", 0) not in refused]
    # What is heard after a key was forgotten belongs to a key of its own.
    lives: list[list[Event]] = [[]]
    for one in heard:
        if "watermark" in one:
            lives.append([])
        else:
            lives[-1].append(Event("u", micros(one["at"]), one["id"], one, deletes=one.get("country") == "deleted"))
    last = {row["as_of"]: row for row in sorted(example["rows"], key=lambda row: row["revision"])}
    void = max((row["as_of"] for row in example["rows"] if row["reason"] == "deletion"), default="")
    for as_of, row in last.items():
        if as_of < void:
            continue
        (feature,) = definition.features
        folds = [value(definition, feature, accepted(life)[0], "u", micros(as_of), lambda _: True)[0] for life in lives]
        assert row[feature.name] in folds, row


def test_the_page_has_an_example_of_each_reason_for_a_row_or_a_reject_that_an_event_gives() -> None:
    reasons = {row["reason"] for one in EXAMPLES for row in one["rows"]}
    codes = {row["code"] for one in EXAMPLES for row in one.get("rejects", [])}
    reasons |= {row["reason"] for one in STREAMS for row in one["rows"]}
    assert reasons == {"event", "condition", "correction", "expiry", "deletion"}
    assert codes == {"too_early"}
    assert any(one["late"] for one in STREAMS)
