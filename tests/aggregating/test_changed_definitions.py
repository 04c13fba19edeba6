"""A job goes on under another definition: what is the same stays right, what is new says what it leaves out."""

import logging
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blocks.aggregating import migrating
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard import Shard
from blocks.aggregating.shard_state import ShardState
from tests.aggregating.event_cases import SECOND, accepted_of, bytes_of, events_of, plan_of, projected_of, wanted_of
from tests.aggregating.stream_cases import FAR, History, Sink, histories, in_time

NAMES = ("amount", "n", "price", "name", "status")
COUNT = {"name": "count", "op": "count", "window": "1m", "hop": "5s"}
SPEND = {"name": "spend", "op": "sum", "column": "amount", "window": "1m", "hop": "5s"}
# A row each second, and what comes after half of them.
STREAM = [
    {"user": "a", "at": at * SECOND, "id": at, "known": at * SECOND, **dict.fromkeys(NAMES), "amount": 1.0, "n": at}
    for at in range(200)
]


def plan(*features: dict[str, Any], **more: Any) -> Plan:
    return plan_of(list(features), False, **{"emit": {"on_event": True}, "ahead": "365d", **more})


def changed(before: Plan, after: Plan, rows: list[dict[str, Any]], cut: int) -> tuple[list[dict[str, Any]], ShardState]:
    """The rows of the second part, after the first went through a shard of another definition."""
    shard = Shard(before, least=1)
    state = shard.arrive(shard.coder.empty(), projected_of(before, rows[:cut]), FAR).state
    found, shard, content = [], Shard(after, least=1), shard.coder.encode(state)
    state = shard.coder.decode(content)
    for row in rows[cut:]:
        step = shard.arrive(state, projected_of(after, [row]), FAR)
        state = shard.coder.decode(shard.coder.encode(step.state))
        found += step.rows.to_pylist()
    return found, state


def shown(rows: list[dict[str, Any]], name: str) -> tuple[int, set[Any]]:
    """How many rows leave something out of a feature, and its values in the others."""
    whole = [row[name] for row in rows if name not in row["truncated"]]
    return len(rows) - len(whole), set(whole)


def test_a_feature_that_is_added_is_truncated_until_its_windows_begin_after_what_is_kept() -> None:
    found, _ = changed(plan(SPEND), plan(COUNT, SPEND), STREAM, 100)
    # 61 to 65 events in a window and its hop; the state has events one by one for the last 10 seconds.
    assert shown(found, "spend") == (0, {61.0, 62.0, 63.0, 64.0, 65.0})
    assert shown(found, "count") == (50, {61, 62, 63, 64, 65})


def test_a_feature_of_a_column_that_was_not_kept_begins_with_the_next_event() -> None:
    found, _ = changed(plan(SPEND), plan(SPEND, {**SPEND, "name": "n", "column": "n"}), STREAM, 100)
    truncated, values = shown(found, "n")
    # The first whole window is that of the event at 160 seconds.
    assert (truncated, min(values)) == (60, sum(range(100, 161)))


def test_a_longer_window_goes_on_from_the_tiles_that_there_are() -> None:
    found, _ = changed(plan(SPEND), plan({**SPEND, "window": "90s"}), STREAM, 100)
    truncated, values = shown(found, "spend")
    assert values == {91.0, 92.0, 93.0, 94.0, 95.0}
    assert 0 < truncated < 30


def test_a_shorter_window_or_another_name_changes_nothing() -> None:
    found, _ = changed(plan(SPEND), plan({**SPEND, "window": "30s", "name": "other"}), STREAM, 100)
    assert shown(found, "other") == (0, {31.0, 32.0, 33.0, 34.0, 35.0})


def test_a_feature_that_is_taken_out_leaves_no_tiles() -> None:
    _, state = changed(plan(SPEND, {**COUNT, "hop": "10s"}), plan(SPEND), STREAM, 100)
    assert list(state.tiles) == [5 * SECOND]
    assert list(state.tiles[5 * SECOND].cells) == [0]


def test_another_key_or_identity_begins_anew_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    after = plan_of([SPEND], True, emit={"on_event": True}, ahead="365d")
    with caplog.at_level(logging.WARNING):
        found, _ = changed(plan(SPEND), after, STREAM, 100)
    assert found[0]["spend"] == 1.0
    assert "another key, event time or identity: all keys begin anew" in caplog.text


def test_the_log_says_which_features_leave_something_out_once(caplog: pytest.LogCaptureFixture) -> None:
    before, after = plan(SPEND), plan(SPEND, COUNT)
    content = Shard(before, least=1).coder
    state = content.encode(Shard(before, least=1).arrive(content.empty(), projected_of(before, STREAM), FAR).state)
    coder = Shard(after, least=1).coder
    with caplog.at_level(logging.WARNING):
        coder.decode(state)
        coder.decode(state)
    assert [record.message for record in caplog.records] == [
        "AggregateEvents goes on with the state of another definition: "
        "`count` leaves out what came before, and says `truncated` for as long as that matters"
    ]


def test_what_has_become_tiles_stays_so_where_events_may_be_later_than_before() -> None:
    # 10 s before, a minute now: of what is older than 10 s nothing is known but tiles.
    late = [*STREAM[:100], {**STREAM[80], "id": 500}, {**STREAM[95], "id": 501}]
    before, after = plan(SPEND), plan(SPEND, lateness="1m", state_ttl="5m")
    shard = Shard(before, least=1)
    content = shard.coder.encode(shard.arrive(shard.coder.empty(), projected_of(before, late[:100]), FAR).state)
    shard = Shard(after, least=1)
    step = shard.arrive(shard.coder.decode(content), projected_of(after, late[100:]), FAR)
    assert [(one.code, one.rows.num_rows) for one in step.refused] == [("late", 1)]
    assert step.rows.num_rows > 0


def check(history: History, kept_features: int, cut: int) -> None:
    """Rows of the second definition: what is not truncated is the fold."""
    both = [one for one in history.features if one["op"] != "ratio"]
    assume(both)
    before = History(**{**vars(history), "features": both[: 1 + kept_features % len(both)]}).plan()
    after = History(**{**vars(history), "features": both[::-1]}).plan()
    events = events_of(after, history.rows)
    arrived, _ = in_time(events, history.lateness)
    accepted = {id(one) for one in arrived}
    rows = [row for row, one in zip(history.rows, events, strict=True) if id(one) in accepted]
    cut %= len(rows) + 1
    found, _ = changed(before, after, rows, cut)
    sink = Sink()
    sink.take_rows(found)
    kept, _ = accepted_of(after, arrived, projected_of(after, rows))
    pairs = sorted(sink.rows)
    wanted, cuts = wanted_of(after, kept, pairs)
    stayed = {one.feature.name for one in before.outputs}
    for number, output in enumerate(after.outputs):
        name = output.feature.name
        told = [name in sink.rows[pair]["truncated"] for pair in pairs]
        bound = [name in one for one in cuts]
        if name in stayed:
            assert told == bound
        whole = pa.array([at for at, one in enumerate(told) if not one], pa.int64())
        values = pa.array([sink.rows[pair][name] for pair in pairs], output.field.type)
        assert bytes_of(values.take(whole)) == bytes_of(wanted[number].take(whole)), name


@settings(max_examples=100)
@given(histories(), st.integers(0, 3), st.integers(0, 100))
def test_whatever_is_not_truncated_is_the_fold(history: History, kept_features: int, cut: int) -> None:
    check(history, kept_features, cut)


def test_a_feature_that_claims_to_have_what_it_has_not_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        migrating._Started, "since", lambda self, *_: np.full(len(self._state.newest), np.iinfo(np.int64).min)
    )
    found, _ = changed(plan(SPEND), plan(COUNT, SPEND), STREAM, 100)
    truncated, values = shown(found, "count")
    assert truncated == 0
    assert min(values) < 61
