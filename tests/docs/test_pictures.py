"""The pictures of the documents say what the code does."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from blocks.aggregating.plan import make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.aggregating.shard import TIMER, Shard, Step
from blocks.aggregating.shard_state import ShardState
from blocks.core.policy import NO_POLICY

ROOT = Path(__file__).parents[2]
MINUTE = 60_000_000
DEFINITION = {
    "entity": {"key": "user"},
    "source": {"event_time": "at", "event_id": "at"},
    "features": [{"name": "n", "op": "count", "window": "1h", "hop": "10m"}],
    "emit": {"on_event": True},
    "lateness": "20m",
}
SCHEMA = pa.schema([("user", pa.string()), ("at", pa.timestamp("us", "UTC"))])


class Picture:
    """`docs/tiles.svg`, and a shard that has seen its events."""

    def __init__(self) -> None:
        self.tree = ElementTree.parse(ROOT / "docs" / "tiles.svg")
        self.plan = make_plan(read_definition(DEFINITION), SCHEMA, "AggregateEvents", NO_POLICY)
        self.shard = Shard(self.plan, least=1)

    def group(self, name: str) -> ElementTree.Element:
        (found,) = [one for one in self.tree.iter() if one.get("class") == name]
        return found

    def times(self, name: str) -> list[str]:
        return [str(one.get("data-at")) for one in self.group(name)]

    def arrive(self, state: ShardState, times: list[str]) -> Step:
        rows = pa.RecordBatch.from_pylist([{"user": "u", "at": micros(one)} for one in times], SCHEMA)
        projected, rejects = Projector(self.plan, "AggregateEvents", "1", None)(rows)
        assert rejects == []
        return self.shard.arrive(state, projected, micros("13:00"))

    def state(self) -> ShardState:
        state = self.shard.coder.empty()
        for one in [*self.times("gone"), *self.times("kept")]:
            state = self.arrive(state, [one]).state
        return state


def micros(clock: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    return int(datetime(2026, 1, 1, hours, minutes, tzinfo=UTC).timestamp()) * 1_000_000


def clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%H:%M}"


def test_the_events_and_tiles_of_the_picture_are_what_a_shard_keeps() -> None:
    picture = Picture()
    state = picture.state()
    assert [clock(at) for at in state.recent.column("time").to_pylist()] == picture.times("kept")
    (tiles,) = state.tiles.values()
    counts = tiles.cells[0].column("count").to_pylist()
    assert [(clock(at), str(count)) for at, count in zip(tiles.times, counts, strict=True)] == [
        (one.get("data-from"), one.text) for one in picture.group("tiles")
    ]


def test_the_value_of_the_window_is_what_a_shard_gives() -> None:
    picture = Picture()
    step = picture.shard.tick(picture.state(), np.array([0]), np.array([micros("12:47")]), TIMER)
    assert [f"count {n}" for n in step.rows.column("n").to_pylist()] == [picture.group("value").text]


def test_an_event_in_time_corrects_and_one_before_is_late_as_the_picture_says() -> None:
    picture = Picture()
    corrected = picture.arrive(picture.state(), ["12:32"])
    given = dict(
        zip(corrected.rows.column("as_of").to_pylist(), corrected.rows.column("reason").to_pylist(), strict=True)
    )
    assert sorted(f"{at:%H:%M} {reason}" for at, reason in given.items()) == [
        "12:32 event",
        *(f"{at} correction" for at in ("12:34", "12:38", "12:41", "12:45")),
    ]
    (refused,) = picture.arrive(picture.state(), ["12:23"]).refused
    assert refused.code == "late"


def test_the_picture_of_the_way_of_the_data_has_every_folder_of_a_step_in_their_order() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (order,) = [one["layers"] for one in layers if one["type"] == "layers"]
    others = ("cli", "snippets", "engines", "core")
    steps = [one.removeprefix("blocks.") for one in order[::-1] if one.removeprefix("blocks.") not in others]
    picture = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    shown = re.findall(r'<text x="\d+" y="122">(\w+)</text>', picture)
    assert [one for one in shown if one in steps] == steps
