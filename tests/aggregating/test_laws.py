"""One definition, one answer: a stream in any order and any bundles, a batch, and the fold give the same bytes.

Everyday a few hundred streams; `nox -s laws` runs ten thousand others.
"""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from blocks.aggregating.emitting import truncated_names
from blocks.aggregating.evaluating import Evaluation
from blocks.aggregating.events import accept
from blocks.aggregating.plan import Plan
from tests.aggregating.event_cases import (
    SECOND,
    accepted_of,
    assert_same_bytes,
    events_of,
    keys_of,
    projected_of,
    wanted_of,
)
from tests.aggregating.stream_cases import History, Ran, another_order, histories, in_time, run
from tests.oracles.aggregation import Event

Pair = tuple[str, int]


def check(history: History) -> None:
    """Runs a stream as it is and in another order, and a batch of what it accepts; compares all with the fold."""
    plan = history.plan()
    projected, events = projected_of(plan, history.rows), events_of(plan, history.rows)
    place = {id(one): number for number, one in enumerate(events)}
    arrived, late = in_time(events, history.lateness)
    grid = 5 * SECOND * history.unit
    first = run(plan, projected, history.cuts, history.marks, grid)
    again = another_order(arrived, history.lateness, history.jitter)
    shuffled = projected.take(pa.array([place[id(one)] for one in again], pa.int64()))
    second = run(plan, shuffled, history.cuts[:2])
    kept, _ = accepted_of(plan, again, shuffled)
    asked = {(one.key, one.time + 1) for one in kept}
    for ran, lost in ((first, late), (second, 0)):
        check_rows(ran, asked)
        check_fates(ran.fates, events if ran is first else arrived, len(kept), lost)
    check_values(plan, shuffled, kept, first, second)


def check_rows(ran: Ran, asked: set[Pair]) -> None:
    """Every accepted event has a row, and rows that came for an event have one."""
    assert asked <= set(ran.sink.rows)
    of_events = {pair for pair, reason in ran.sink.reasons.items() if reason == "event" and pair in ran.sink.rows}
    assert of_events <= asked


def check_fates(fates: Counter[str], events: list[Event], kept: int, late: int) -> None:
    """Rows in = events + duplicates + deleted + rejects + tombstones."""
    tombstones = sum(one.deletes for one in events)
    assert fates["late"] == late
    # What a tombstone deletes of a tile is not counted; and a late one is a reject.
    told = fates.total() + kept + tombstones
    assert told == len(events) if not tombstones else fates.total() + kept <= len(events)


def check_values(plan: Plan, rows: pa.RecordBatch, kept: list[Event], *ran: Ran) -> None:
    """Whatever a sink holds at the end is what a batch gives, and the fold, to the last bit."""
    pairs = sorted({pair for one in ran for pair in one.sink.rows})
    wanted, cut = wanted_of(plan, kept, pairs)
    names = [one.feature.name for one in plan.outputs]
    events = accept(rows, plan.keys).events
    codes = {key: code for code, key in enumerate(keys_of(events.keys))}
    code = np.array([codes.get(key, len(codes)) for key, _ in pairs], np.int64)
    values = Evaluation(plan, events).at(code, np.array([moment for _, moment in pairs], np.int64))
    assert_same_bytes(plan, pairs, values.columns, wanted)
    assert truncated_names(names, values.truncated, len(pairs)).to_pylist() == cut
    places = {pair: number for number, pair in enumerate(pairs)}
    for one in ran:
        rows_of = one.sink.rows
        held = pa.array([places[pair] for pair in rows_of], pa.int64())
        columns = [pa.array([row[name] for row in rows_of.values()], field.type) for name, field in _fields(plan)]
        assert_same_bytes(plan, list(rows_of), columns, [column.take(held) for column in wanted])
        assert [row["truncated"] for row in rows_of.values()] == [cut[place] for place in held.to_pylist()]


def _fields(plan: Plan) -> list[tuple[str, pa.Field]]:
    return [(one.feature.name, one.field) for one in plan.outputs]


@settings(max_examples=150)
@given(histories())
def test_stream_batch_and_fold_give_the_same_bytes(history: History) -> None:
    check(history)


@pytest.mark.slow
@pytest.mark.laws
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("part", range(20))
def test_stream_batch_and_fold_give_the_same_bytes_ten_thousand_times(part: int) -> None:
    @settings(max_examples=500, suppress_health_check=list(HealthCheck), database=None)
    @given(histories())
    def holds(history: History) -> None:
        check(history)

    holds()
