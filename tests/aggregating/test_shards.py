"""A shard of a stream against the oracle: whatever the order and the bundles, the last revision is the fold."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating import shard as shard_module
from blocks.aggregating.events import NEVER
from blocks.aggregating.exact import hyperloglog
from blocks.aggregating.shard import Shard
from blocks.aggregating.state_coding import StateCoder
from blocks.aggregating.state_evaluation import StateEvaluation
from blocks.aggregating.tiling import Tiler
from tests.aggregating.event_cases import (
    SECOND,
    accepted_of,
    assert_same_bytes,
    events_of,
    features,
    plan_of,
    projected_of,
    wanted_of,
)
from tests.aggregating.stream_cases import FAR, arrivals, in_time, run


def check(definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, cuts: list[int]) -> None:
    """Runs the shard, through its bytes at every step, and compares what a sink holds at the end."""
    plan = plan_of(definition, known, emit={"on_event": True}, ahead="365d")
    projected = projected_of(plan, content)
    ran = run(plan, projected, cuts)
    events = events_of(plan, content)
    arrived, late = in_time(events)
    assert ran.fates["late"] == late
    place = {id(one): number for number, one in enumerate(events)}
    kept, _ = accepted_of(plan, arrived, projected.take(pa.array([place[id(one)] for one in arrived], pa.int64())))
    assert {(one.key, one.time + 1) for one in kept} <= set(ran.sink.rows)
    pairs, found = list(ran.sink.rows), list(ran.sink.rows.values())
    columns = [pa.array([row[one.feature.name] for row in found], one.field.type) for one in plan.outputs]
    wanted, cut = wanted_of(plan, kept, pairs)
    assert_same_bytes(plan, pairs, columns, wanted)
    assert [row["truncated"] for row in found] == cut


CUTS = st.lists(st.integers(0, 200), max_size=8)


@settings(max_examples=60)
@given(features(), arrivals(), st.booleans(), CUTS)
def test_the_last_revision_of_every_row_is_the_fold(
    definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, cuts: list[int]
) -> None:
    check(definition, content, known, cuts)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(max_examples=300)
@given(features(), arrivals(200), st.booleans(), CUTS)
def test_the_last_revision_of_every_row_of_long_streams_is_the_fold(
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
    shard = Shard(plan, least=1)
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
    shard = Shard(plan, least=1)
    state = shard.arrive(shard.coder.empty(), projected_of(plan, [_row(0), _row(100, user="b")]), FAR).state
    step = shard.expire(state, 121 * SECOND)
    assert step.rows.column("reason").to_pylist() == ["expiry"]
    assert step.state.keys.column(0).to_pylist() == ["b"]
    left = shard.expire(step.state, 300 * SECOND).state
    assert left.keys.num_rows == left.recent.num_rows == len(left.out_code) == len(left.tiles[5 * SECOND].code) == 0


def test_few_old_events_wait_until_it_is_worth_making_tiles_of_them() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    shard, state = Shard(plan), Shard(plan).coder.empty()
    seen = []
    for start in range(200):
        step = shard.arrive(state, projected_of(plan, [_row(start)]), FAR)
        state = step.state
        seen.append(state.recent.num_rows)
        assert step.rows.column("f0").to_pylist() == [min(start + 1, 21 + start % 5)]
    assert 64 < max(seen) <= 64 + 11 + 1
    assert min(seen[100:]) <= 12


def test_tiles_stay_while_it_is_not_known_which_moments_a_timer_will_ask_for() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    shard = Shard(plan, least=0)
    rows = projected_of(plan, [_row(second) for second in range(60)])
    state = shard.arrive(shard.coder.empty(), rows, FAR).state
    step = shard.arrive(state, projected_of(plan, [_row(60)]), FAR, asked_from=NEVER)
    assert step.state.tiles[5 * SECOND].times.tolist() == state.tiles[5 * SECOND].times.tolist() != []
    assert step.rows.column("f0").to_pylist() == [21]


def test_a_timer_asks_for_what_it_may_still_ask_for_and_for_no_cut_tile() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    rows = [_row(second) for second in range(0, 100, 2)]
    kept, _ = accepted_of(plan, events_of(plan, rows))
    moments = [30, 47, 88, 91, 100]
    for asked_from, answered in ((5 * SECOND, moments), (60 * SECOND, moments[2:]), (2**62, [88, 91, 100])):
        shard = Shard(plan, least=1)
        state = shard.arrive(shard.coder.empty(), projected_of(plan, rows), FAR, asked_from).state
        found = {}
        for moment in moments:
            step = shard.tick(state, np.array([0]), np.array([moment * SECOND]), "timer")
            found.update((moment, row["f0"]) for row in step.rows.to_pylist())
        pairs = [("a", moment * SECOND) for moment in answered]
        assert found == dict(zip(answered, wanted_of(plan, kept, pairs)[0][0].to_pylist(), strict=True))


def test_a_timer_at_the_moment_of_an_event_gives_no_second_row_and_a_correction_the_next_revision() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    shard, moment = Shard(plan, least=1), np.array([10 * SECOND])
    state = shard.arrive(shard.coder.empty(), projected_of(plan, [_row(10 - 1e-6)]), FAR).state
    step = shard.tick(state, np.array([0]), moment, "window_end")
    assert step.rows.num_rows == 0
    revisions = []
    for second in (8, 9):
        step = shard.arrive(step.state, projected_of(plan, [_row(second)]), FAR)
        revisions += [
            (row["revision"], row["f0"])
            for row in step.rows.to_pylist()
            if row["reason"] == "correction" and row["as_of"].second == 10
        ]
    assert revisions == [(1, 2), (2, 3)]


def test_a_timer_gives_the_row_that_a_condition_did_not() -> None:
    plan = plan_of(COUNT, False, emit={"on_condition": "f0 > 1"}, ahead="365d")
    shard = Shard(plan, least=1)
    step = shard.arrive(shard.coder.empty(), projected_of(plan, [_row(10 - 1e-6)]), FAR)
    assert step.rows.num_rows == 0
    step = shard.tick(step.state, np.array([0]), np.array([10 * SECOND]), "window_end")
    assert [(row["reason"], row["revision"], row["f0"]) for row in step.rows.to_pylist()] == [("window_end", 0, 1)]
    step = shard.arrive(step.state, projected_of(plan, [_row(9)]), FAR)
    told = {(row["as_of"].second, row["reason"], row["revision"], row["f0"]) for row in step.rows.to_pylist()}
    assert told == {(10, "correction", 1, 2)}


def test_a_tombstone_is_remembered_as_long_as_a_key_although_its_events_are_older() -> None:
    plan = plan_of(COUNT, False, emit={"on_event": True}, ahead="365d")
    shard = Shard(plan, least=1)
    rows = [_row(0), _row(200, status="DELETE")]
    state = shard.arrive(shard.coder.empty(), projected_of(plan, rows), FAR).state
    # `state_ttl` after the event, and not yet after the tombstone.
    state = shard.expire(state, 196 * SECOND).state
    step = shard.arrive(state, projected_of(plan, [_row(198)]), FAR)
    assert (step.rows.num_rows, step.deleted) == (0, 1)
    assert shard.expire(step.state, 321 * SECOND).state.keys.num_rows == 0
