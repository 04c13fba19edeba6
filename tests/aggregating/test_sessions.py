"""Sessions against the oracle: in bulk, and a shard of a stream, whatever the order and the bundles."""

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating.emitting import reasons_of
from blocks.aggregating.events import accept
from blocks.aggregating.sessions import shard as shard_module
from blocks.aggregating.sessions.definition import Rules
from blocks.aggregating.sessions.plan import SessionPlan
from blocks.aggregating.sessions.rows import SessionRows
from blocks.aggregating.sessions.shard import SessionShard, SessionStep
from blocks.aggregating.sessions.splitting import split
from blocks.aggregating.sessions.state import SessionState
from blocks.aggregating.sessions.state_coding import SessionCoder
from blocks.core.batch_type import BatchCoder
from tests.aggregating.event_cases import SECOND
from tests.aggregating.session_cases import (
    FAR_AHEAD,
    arrivals,
    definitions,
    in_time,
    plan_of,
    projected_of,
    text_of,
    wanted_of,
)


def in_bulk(plan: SessionPlan, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """All sessions of rows."""
    events = accept(projected_of(plan, rows), plan.plan.keys).events
    closes = events.rows.column(plan.closes).to_numpy(zero_copy_only=False) if plan.closes else None
    sessions = split(events.code, events.times, closes, plan.definition.rules)
    make = SessionRows(plan)
    ids = make.ids(events.rows, sessions.start)
    return make(events, sessions, ids, reasons_of("closed", len(sessions)), np.zeros(len(sessions), np.int64))


@settings(max_examples=40)
@given(definitions(), arrivals())
def test_sessions_in_bulk_are_the_fold(definition: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    plan = plan_of(definition)
    found = in_bulk(plan, rows).to_pylist()
    assert sorted(text_of(plan, row) for row in found) == wanted_of(plan, rows)
    assert len({row["session_id"] for row in found}) == len(found)


class Sink:
    """The last revision of every session, as an idempotent sink keeps it."""

    def __init__(self, final: bool) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.given = 0
        self._final = final

    def take(self, step: SessionStep) -> None:
        for row in (row for batch in step.rows for row in batch.to_pylist()):
            before = self.rows.get(row["session_id"])
            assert row["revision"] == (0 if before is None else before["revision"] + 1)
            assert (row["reason"] in ("correction", "deletion")) == (before is not None)
            assert not self._final or row["reason"] in ("closed", "expiry")
            if row["reason"] == "deletion":
                assert (row["event_count"], row["closed_by"]) == (0, None)
                assert before is not None
                assert before["reason"] != "deletion"
            self.rows[row["session_id"]] = row
            self.given += 1

    def alive(self) -> list[dict[str, Any]]:
        return [row for row in self.rows.values() if row["reason"] != "deletion"]


def streamed(
    plan: SessionPlan, rows: list[dict[str, Any]], cuts: list[int], watermarks: list[int], end: bool = True
) -> Sink:
    """Runs a shard, through its bytes at every step; `watermarks` are steps behind the newest event so far."""
    shard, sink = SessionShard(plan), Sink(plan.definition.emit == "final")
    kept = shard.coder.encode(shard.coder.empty())
    bounds = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    projected = projected_of(plan, rows)
    passed, newest = -FAR_AHEAD, -FAR_AHEAD
    late = 0
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        step = shard.arrive(shard.coder.decode(kept), projected.slice(start, stop - start), FAR_AHEAD)
        late += sum(one.rows.num_rows for one in step.refused if one.code == "late")
        sink.take(step)
        kept = shard.coder.encode(step.state)
        newest = max([newest, *(row["at"] for row in rows[start:stop])])
        if watermarks:
            # Watermarks do not go back; some are ahead of all events.
            passed = max(passed, newest - watermarks[number % len(watermarks)])
        step = shard.pass_by(shard.coder.decode(kept), passed)
        sink.take(step)
        kept = shard.coder.encode(step.state)
        assert (step.state.due > passed).all()
    assert late == len(rows) - len(in_time(rows))
    if end:
        step = shard.expire(shard.coder.decode(kept), FAR_AHEAD)
        sink.take(step)
        assert step.state.keys.num_rows == step.state.recent.num_rows == len(step.state.out.code) == 0
    return sink


CUTS = st.lists(st.integers(0, 200), max_size=8) | st.just(list(range(200)))
# Behind the newest event: far, about as much as events are late, and ahead of it.
WATERMARKS = st.lists(
    st.sampled_from([30 * SECOND, 8 * SECOND, SECOND, 0, -6 * SECOND, -60 * SECOND]), max_size=4
) | st.just([-60 * SECOND])


def check(definition: dict[str, Any], rows: list[dict[str, Any]], cuts: list[int], watermarks: list[int]) -> None:
    plan = plan_of(definition)
    sink = streamed(plan, rows, cuts, watermarks)
    accepted = in_time(rows)
    assert sorted(text_of(plan, row) for row in sink.alive()) == wanted_of(plan, accepted)
    # The same bytes as in a batch, but for how they came about.
    wanted = by_id(in_bulk(plan, accepted))
    found = by_id(pa.RecordBatch.from_pylist(sink.alive(), schema=plan.plan.output))
    coder = BatchCoder(wanted.schema)
    assert coder.encode(found) == coder.encode(wanted)


def by_id(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows in the order of their session ids, without what tells how they came about."""
    rows = rows.drop_columns(["revision", "reason"])
    # Through Python's values, so that buffers have no unused bits that differ.
    content = sorted(rows.to_pylist(), key=lambda row: row["session_id"])
    return pa.RecordBatch.from_pylist(content, schema=rows.schema)


@settings(max_examples=50)
@given(definitions(), arrivals(), CUTS, WATERMARKS)
def test_the_last_revisions_of_a_stream_are_the_fold(
    definition: dict[str, Any], rows: list[dict[str, Any]], cuts: list[int], watermarks: list[int]
) -> None:
    check(definition, rows, cuts, watermarks)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(max_examples=1500)
@given(definitions(), arrivals(80), CUTS, WATERMARKS)
def test_the_last_revisions_of_many_streams_are_the_fold(
    definition: dict[str, Any], rows: list[dict[str, Any]], cuts: list[int], watermarks: list[int]
) -> None:
    check(definition, rows, cuts, watermarks)


def row(at: float, name: int = 0, user: str = "a", **columns: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("known", "amount", "n", "price", "name", "status"))
    return {**nothing, "user": user, "at": round(at * SECOND), "id": name, **columns}


GAP: dict[str, Any] = {"session": {"gap": "5s"}}
PAIRS: dict[str, Any] = {"session": {"gap": "5s", "max_events": 2}}
EACH = list(range(200))
# The watermark is ahead of everything that arrives: every session goes out at once, and is corrected.
HASTY = [-60 * SECOND]


def told(sink: Sink) -> list[tuple[float, float, int, int, str]]:
    """(from, to, events, revision, reason) of what a sink holds, in seconds."""
    found = []
    for one in sink.rows.values():
        first, last = (one[name].timestamp() for name in ("started_at", "ended_at"))
        found.append((first, last, one["event_count"], one["revision"], one["reason"]))
    return sorted(found)


def test_an_event_between_two_sessions_makes_them_one_and_takes_the_second_back() -> None:
    rows = [row(0), row(8), row(4)]
    sink = streamed(plan_of(GAP), rows, EACH, HASTY, end=False)
    assert told(sink) == [(0, 8, 3, 1, "correction"), (8, 8, 0, 1, "deletion")]
    check(GAP, rows, EACH, HASTY)


def test_an_event_before_the_first_of_a_session_gives_it_another_id() -> None:
    sink = streamed(plan_of(GAP), [row(4), row(1)], EACH, HASTY, end=False)
    assert told(sink) == [(1, 4, 2, 0, "watermark"), (4, 4, 0, 1, "deletion")]


def test_a_late_event_moves_every_later_cut_of_its_run() -> None:
    rows = [row(0), row(2), row(4), row(6), row(1)]
    sink = streamed(plan_of(PAIRS), rows, EACH, HASTY, end=False)
    assert told(sink) == [
        (0, 1, 2, 2, "correction"),
        (2, 4, 2, 0, "watermark"),
        (4, 4, 0, 2, "deletion"),
        (6, 6, 1, 0, "watermark"),
    ]
    check(PAIRS, rows, EACH, HASTY)


def test_a_session_that_was_taken_back_comes_back_with_a_higher_revision() -> None:
    # 4 begins a session; 1 moves the cut to 2 and 6; 3 moves it back.
    rows = [row(0), row(2), row(4), row(6), row(1), row(3)]
    sink = streamed(plan_of(PAIRS), rows, EACH, HASTY, end=False)
    assert (4.0, 6.0, 2, 3, "correction") in told(sink)
    check(PAIRS, rows, EACH, HASTY)


def test_a_session_goes_out_once_when_no_accepted_event_can_change_it() -> None:
    final = plan_of({**GAP, "emit": "final"})
    shard = SessionShard(final)
    state = shard.arrive(shard.coder.empty(), projected_of(final, [row(0)]), FAR_AHEAD).state
    # An event at 5 would be no longer of the session, one just before it would: 15 is the first that settles it.
    step = shard.arrive(state, projected_of(final, [row(14.999999)]), FAR_AHEAD)
    assert step.rows == []
    step = shard.arrive(step.state, projected_of(final, [row(15)]), FAR_AHEAD)
    assert [one["reason"] for batch in step.rows for one in batch.to_pylist()] == ["closed"]
    assert step.state.recent.num_rows == 2


def test_a_session_that_a_rule_closed_does_not_wait_for_the_gap() -> None:
    definition = {**GAP, "emit": "final", "session": {"gap": "5s", "close_when": "status = 'X'"}}
    plan = plan_of(definition)
    shard = SessionShard(plan)
    state = shard.arrive(shard.coder.empty(), projected_of(plan, [row(0, status="X")]), FAR_AHEAD).state
    step = shard.arrive(state, projected_of(plan, [row(10)]), FAR_AHEAD)
    assert step.rows == []
    step = shard.arrive(step.state, projected_of(plan, [row(10.000001)]), FAR_AHEAD)
    assert [one["closed_by"] for batch in step.rows for one in batch.to_pylist()] == ["condition"]


def test_only_events_of_sessions_that_may_still_change_are_kept() -> None:
    plan = plan_of({"session": {"gap": "5s", "max_events": 4}})
    shard = SessionShard(plan)
    state = shard.coder.empty()
    for start in range(0, 400, 10):
        rows = [row(start + number / 2) for number in range(20)]
        state = shard.arrive(state, projected_of(plan, rows), FAR_AHEAD).state
        state = shard.pass_by(state, (start - 1) * SECOND).state
        # Of 10 seconds, and of the sessions that begin before them.
        assert state.recent.num_rows <= 2 * 10 + 1 + 4 + 4
        assert len(state.out.code) <= state.recent.num_rows / 4 + 2
    assert shard.expire(state, 10**6 * SECOND).state.keys.num_rows == 0


def test_a_pause_of_the_gap_ends_a_session_and_one_of_less_does_not() -> None:
    times = np.array([0, 4_999_999, 9_999_999])
    found = split(np.zeros(3, np.int64), times, None, Rules(5 * SECOND))
    assert (found.start.tolist(), found.stop.tolist()) == ([0, 2], [2, 3])


def test_times_at_both_ends_of_what_64_bits_hold_are_two_sessions() -> None:
    times = np.array([-(2**63), 2**63 - 1])
    found = split(np.zeros(2, np.int64), times, None, Rules(5 * SECOND, max_duration=SECOND))
    assert found.start.tolist() == [0, 1]
    assert found.until.tolist() == [-(2**63) + 5 * SECOND - 1, 2**63 - 1]


def test_a_run_that_limits_cut_thousands_of_times_is_the_fold() -> None:
    rows = [row(number / 10, number) for number in range(4000)]
    plan = plan_of({"session": {"gap": "5s", "max_events": 3, "max_duration": "100ms"}})
    assert sorted(text_of(plan, one) for one in in_bulk(plan, rows).to_pylist()) == wanted_of(plan, rows)


def test_a_gap_that_is_one_off_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(0), row(5), row(9.999999)]
    check(GAP, rows, EACH, [])
    right = shard_module.split
    monkeypatch.setattr(
        shard_module, "split", lambda code, times, closes, rules: right(code, times, closes, Rules(rules.gap + 1))
    )
    with pytest.raises(AssertionError):
        check(GAP, rows, EACH, [])


def test_duplicates_that_come_back_after_a_reload_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(0), row(0), row(1), row(1)]
    check(GAP, rows, EACH, [])
    right = SessionCoder.decode

    def forgetful(self: SessionCoder, content: bytes) -> SessionState:
        state = right(self, content)
        place = state.recent.schema.get_field_index("id")
        lost = [b"%d" % number for number in range(state.recent.num_rows)]
        field = state.recent.schema.field(place)
        recent = state.recent.set_column(place, field, pa.array(lost, field.type))
        return SessionState(**{**vars(state), "recent": recent})

    monkeypatch.setattr(SessionCoder, "decode", forgetful)
    with pytest.raises(AssertionError):
        check(GAP, rows, EACH, [])


def test_a_session_that_is_not_taken_back_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(0), row(8), row(4)]
    monkeypatch.setattr(SessionShard, "_deletions", lambda self, state, rows: [])
    with pytest.raises(AssertionError):
        check(GAP, rows, EACH, HASTY)


def test_a_correction_that_is_forgotten_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(0), row(1)]
    check(GAP, rows, EACH, HASTY)
    monkeypatch.setattr(shard_module, "_pending", lambda out, known, sessions, fresh: known < 0)
    with pytest.raises(AssertionError):
        check(GAP, rows, EACH, HASTY)


def test_a_session_that_is_final_too_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(0), row(14), row(4)]
    check({**GAP, "emit": "final"}, rows, EACH, [])
    monkeypatch.setattr(shard_module, "less", lambda newest, lateness: newest - 5 * SECOND)
    with pytest.raises(AssertionError):
        check({**GAP, "emit": "final"}, rows, EACH, [])


def test_a_cut_that_does_not_depend_on_the_cut_before_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(number) for number in range(9)]
    definition = {"session": {"gap": "5s", "max_duration": "3s"}}
    check(definition, rows, EACH, [])
    right = shard_module.split
    # As a GROUP BY of time since the first event of the run would do it.
    monkeypatch.setattr(
        shard_module,
        "split",
        lambda code, times, closes, rules: right(code + times // (3 * SECOND) * 2, times, closes, Rules(rules.gap)),
    )
    with pytest.raises(AssertionError):
        check(definition, rows, EACH, [])


def gone_on(before: dict[str, Any], after: dict[str, Any]) -> Sink:
    """What a sink holds where a job goes on with another definition after two events went out, and a third comes."""
    old, new = plan_of(before), plan_of(after)
    sink, shard = Sink(False), SessionShard(old)
    step = shard.arrive(shard.coder.empty(), projected_of(old, [row(0, status="D"), row(4, status="X")]), FAR_AHEAD)
    step = shard.pass_by(step.state, 60 * SECOND)
    sink.take(step)
    shard, kept = SessionShard(new), shard.coder.encode(step.state)
    step = shard.arrive(shard.coder.decode(kept), projected_of(new, [row(7, status="D")]), FAR_AHEAD)
    sink.take(step)
    sink.take(shard.pass_by(step.state, 60 * SECOND))
    return sink


COUNTS: dict[str, Any] = {**GAP, "features": [{"name": "n", "op": "count", "where": "status = 'D'"}]}


def test_another_definition_goes_on_with_the_events_that_are_kept() -> None:
    rates = {**COUNTS, "features": [*COUNTS["features"], {"name": "all", "op": "count"}]}
    (found,) = gone_on(COUNTS, rates).rows.values()
    assert (found["n"], found["all"], found["event_count"], found["revision"]) == (2, 3, 3, 1)


def test_other_rules_take_back_what_they_split_otherwise() -> None:
    assert told(gone_on(GAP, {"session": {"gap": "4s"}})) == [
        (0, 0, 1, 1, "correction"),
        (4, 7, 2, 0, "watermark"),
    ]


def test_a_definition_that_reads_what_was_not_kept_begins_anew_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    found = told(gone_on(GAP, COUNTS))
    assert found == [(0, 4, 2, 0, "watermark"), (7, 7, 1, 0, "watermark")]
    assert "all keys begin anew" in caplog.text
    assert "condition status = 'D' (status string)" in caplog.text
