"""A shard of a stream against the oracle: whatever the order and the bundles, the last revision is the fold."""

import itertools
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating import shard as shard_module
from blocks.aggregating.exact import hyperloglog
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard import Shard, Step
from blocks.aggregating.shard_state import StateCoder
from blocks.aggregating.state_evaluation import StateEvaluation
from blocks.aggregating.tiling import Tiler
from tests.aggregating.event_cases import SECOND, accepted_of, events_of, features, plan_of, projected_of, shown
from tests.oracles.aggregation import Event, value

LATENESS = 10 * SECOND
FAR = 10**15


@st.composite
def arrivals(draw: st.DrawFn, most: int = 40) -> list[dict[str, Any]]:
    """Events as they arrive: mostly forward in time, some late, some too late, some twice, some gaps."""
    found: list[dict[str, Any]] = []
    clock = draw(st.sampled_from([-50 * SECOND, 0]))
    steps = st.sampled_from([0, 0, SECOND, 1, 2_500_000, 3 * SECOND, 30 * SECOND, 200 * SECOND])
    behind = st.sampled_from([0, 0, 0, SECOND, 5 * SECOND, 9_999_999, 10 * SECOND, 15 * SECOND])
    for _ in range(draw(st.integers(1, most))):
        clock += draw(steps)
        at = clock - draw(behind)
        row = {
            "user": draw(st.sampled_from("ab")),
            "at": at,
            "id": draw(st.integers(-1, 2)),
            "known": at + draw(st.sampled_from([0, 0, 1, 3 * SECOND, 30 * SECOND])),
            "amount": draw(st.none() | st.sampled_from([0.1, -0.0, float("nan"), float("inf"), 1e300, 2.5, -7.25])),
            "n": draw(st.sampled_from([None, 1, 2, 5, -(2**63), 2**63 - 1])),
            "price": None,
            "name": draw(st.sampled_from([None, "a", "b", "cc", "ddd", "", "é"])),
            "status": draw(st.sampled_from(["D", "X", None, "D", "X", None, "D", "X", "D", "X", "DELETE"])),
        }
        found.append(row)
        if draw(st.integers(0, 7)) == 0:
            found.append({**row, "known": row["known"] + draw(st.sampled_from([5, -5]))})
    return found


def in_time(events: list[Event]) -> tuple[list[Event], int]:
    """(events that a stream accepts, how many are late), row by row in the order of arrival."""
    newest: dict[Any, int] = {}
    deleted: dict[Any, int] = {}
    found, late = [], 0
    for one in events:
        clock = newest.get(one.key)
        if clock is not None and one.time < clock - LATENESS:
            late += 1
            continue
        found.append(one)
        if one.deletes:
            deleted[one.key] = max(deleted.get(one.key, one.time), one.time)
        elif one.time > deleted.get(one.key, -(2**63)):
            newest[one.key] = one.time if clock is None else max(clock, one.time)
    return found, late


class Sink:
    """The last revision of every row, as an idempotent sink keeps it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, int], dict[str, Any]] = {}

    def take(self, step: Step) -> None:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        for row in step.rows.to_pylist():
            key = (row["user"], (row["as_of"] - epoch) // datetime.resolution)
            if row["reason"] == "deletion":
                self.rows = {one: kept for one, kept in self.rows.items() if one[0] != key[0] or one[1] > key[1]}
            assert key not in self.rows or self.rows[key]["revision"] < row["revision"]
            self.rows[key] = row


def check(definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, cuts: list[int]) -> None:
    """Runs the shard, through its bytes at every step, and compares what a sink holds at the end."""
    plan = plan_of(definition, known, emit={"on_event": True}, ahead="365d")
    shard, sink, late = Shard(plan), Sink(), 0
    content_bytes = shard.coder.encode(shard.coder.empty())
    bounds = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    for start, stop in itertools.pairwise(bounds):
        rows = projected_of(plan, content[start:stop])
        step = shard.arrive(shard.coder.decode(content_bytes), rows, FAR)
        content_bytes = shard.coder.encode(step.state)
        late += sum(one.rows.num_rows for one in step.refused if one.code == "late")
        sink.take(step)
    arrived, wanted_late = in_time(events_of(plan, content))
    assert late == wanted_late
    compare(plan, arrived, sink)


def compare(plan: Plan, arrived: list[Event], sink: Sink) -> None:
    kept, _ = accepted_of(plan, arrived)
    missing = {(one.key, one.time + 1) for one in kept} - set(sink.rows)
    assert not missing
    for (user, as_of), row in sink.rows.items():
        for output in plan.outputs:
            feature = output.feature
            found, cut = value(plan.definition, feature, kept, user, as_of, lambda one: one.columns["status"] == "D")
            assert shown(row[feature.name]) == shown(found), (feature, user, as_of, row)
            assert (feature.name in row["truncated"]) == cut, (feature, user, as_of, row)


CUTS = st.lists(st.integers(0, 200), max_size=8)


@settings(max_examples=120)
@given(features(), arrivals(), st.booleans(), CUTS)
def test_the_last_revision_of_every_row_is_the_fold(
    definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, cuts: list[int]
) -> None:
    check(definition, content, known, cuts)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(max_examples=500)
@given(features(), arrivals(100), st.booleans(), CUTS)
def test_the_last_revision_of_every_row_of_many_streams_is_the_fold(
    definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, cuts: list[int]
) -> None:
    check(definition, content, known, cuts)


def _row(at: float, **columns: Any) -> dict[str, Any]:
    names = ("amount", "n", "price", "name", "status")
    moment = int(at * SECOND)
    return {"user": "a", "at": moment, "id": 0, "known": moment, **dict.fromkeys(names), **columns}


COUNT = [{"name": "f0", "op": "count", "window": "20s", "hop": "5s"}]
DISTINCT = [{"name": "f0", "op": "approx_unique_count", "column": "name", "precision": 4, "window": "1m", "hop": "5s"}]
STREAM = [_row(second, name=f"v{second}") for second in range(0, 60, 3)]
EACH = list(range(len(STREAM)))


def test_a_tile_boundary_that_is_one_off_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    check(COUNT, STREAM, False, EACH)
    right = Tiler.grown

    def shifted(self: Tiler, tiles: Any, events: Any, hop: int) -> Any:
        grown = right(self, tiles, events, hop)
        return type(grown)(grown.code, grown.times - hop, grown.cells)

    monkeypatch.setattr(Tiler, "grown", shifted)
    with pytest.raises(AssertionError):
        check(COUNT, STREAM, False, EACH)


def test_duplicates_that_come_back_after_a_reload_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [row for row in STREAM for _ in range(2)]
    each = list(range(len(twice)))
    check(COUNT, twice, False, each)
    right = StateCoder.decode

    def forgetful(self: StateCoder, content: bytes) -> Any:
        state = right(self, content)
        place = state.recent.schema.get_field_index("id")
        lost = [b"%d" % number for number in range(state.recent.num_rows)]
        field = state.recent.schema.field(place)
        recent = state.recent.set_column(place, field, pa.array(lost, field.type))
        return type(state)(**{**vars(state), "recent": recent})

    monkeypatch.setattr(StateCoder, "decode", forgetful)
    with pytest.raises(AssertionError):
        check(COUNT, twice, False, each)


def test_an_estimate_that_depends_on_order_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    check(DISTINCT, STREAM, False, EACH)
    right = hyperloglog.estimates
    seen = [0]

    def historic(*given: Any) -> Any:
        # As the HIP estimate: it adds to what it gave before.
        seen[0] += 1
        return right(*given) + seen[0] % 2

    monkeypatch.setattr("blocks.aggregating.ops.approx_unique_count.estimates", historic)
    with pytest.raises(AssertionError):
        check(DISTINCT, STREAM, False, EACH)


def test_a_correction_that_is_forgotten_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [_row(0), _row(9), _row(5)]
    check(COUNT, late, False, [1, 2])
    monkeypatch.setattr(shard_module, "_contents_of", lambda rows, plan: np.zeros(rows.num_rows, "S16"))
    with pytest.raises(AssertionError):
        check(COUNT, late, False, [1, 2])


def test_an_event_that_is_deleted_in_the_same_batch_has_moved_the_clock_of_its_key() -> None:
    check(COUNT, [_row(50), _row(50, status="DELETE"), _row(39), _row(41)], False, [3])
    check(COUNT, [_row(50), _row(50, status="DELETE"), _row(39), _row(41)], False, [])


def test_an_old_event_costs_a_tile_and_not_a_row() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    shard = Shard(plan)
    state = shard.coder.empty()
    for start in range(0, 400, 20):
        rows = [_row(start + number / 100, id=number) for number in range(0, 2000, 10)]
        state = shard.arrive(state, projected_of(plan, rows), FAR).state
    # 20 s, a hop and the lateness are at most 7 tiles of 5 s; events of 10 s stay as they are.
    assert len(state.tiles[5 * SECOND].code) <= 8
    assert state.recent.num_rows <= 10 * 10 + 1
    assert isinstance(
        StateEvaluation(plan, state).at(np.array([0]), np.array([401 * SECOND])).columns[0][0].as_py(), int
    )


def test_nothing_is_kept_of_a_key_after_its_time() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    shard = Shard(plan)
    state = shard.arrive(shard.coder.empty(), projected_of(plan, [_row(0), _row(100, user="b")]), FAR).state
    step = shard.expire(state, 121 * SECOND)
    assert step.rows.column("reason").to_pylist() == ["expiry"]
    assert step.state.keys.column(0).to_pylist() == ["b"]
    left = shard.expire(step.state, 300 * SECOND).state
    assert left.keys.num_rows == left.recent.num_rows == len(left.out_code) == len(left.tiles[5 * SECOND].code) == 0
