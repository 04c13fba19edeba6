"""Values of features, against the oracle."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating import ranges
from blocks.aggregating.emitting import truncated_names
from blocks.aggregating.evaluating import Evaluation
from blocks.aggregating.events import Events, accept
from tests.aggregating.event_cases import SECOND, assert_same_bytes, case_of, features, rows, wanted_of


def check_case(definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, asked: list[int]) -> None:
    """Asks both sides for every key at some moments, of events in their order and in reverse."""
    case = case_of(definition, content, known)
    accepted = accept(case.projected, case.plan.keys)
    events = accepted.events
    assert len(events) == len(case.kept)
    assert len(accepted.conflicts) == len(case.conflicts)
    tombstones = sum(row["status"] == "DELETE" for row in content)
    assert len(events) + len(case.conflicts) + accepted.duplicates + accepted.deleted + tombstones == len(content)
    keys = events.keys.column(0).to_pylist()
    moments = sorted({*asked, *(row["at"] + 1 for row in content[:6])})
    pairs = [(code, moment) for moment in moments for code in range(len(keys))]
    if not pairs:
        return
    code, times = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    values = Evaluation(case.plan, events).at(code, times)
    for column in values.columns:
        column.validate(full=True)
    names = [one.feature.name for one in case.plan.outputs]
    asked_of = [(keys[key], moment) for key, moment in pairs]
    wanted, cut = wanted_of(case.plan, case.kept, asked_of)
    assert_same_bytes(case.plan, asked_of, values.columns, wanted)
    assert truncated_names(names, values.truncated, len(pairs)).to_pylist() == cut


MOMENTS = st.lists(st.integers(-70, 400).map(lambda one: one * SECOND), min_size=1, max_size=6)


@settings(max_examples=120)
@given(features(), rows(), st.booleans(), MOMENTS)
def test_every_value_is_that_of_the_fold(
    definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, asked: list[int]
) -> None:
    check_case(definition, content, known, asked)


@pytest.mark.slow
@settings(max_examples=500)
@given(features(), rows(120), st.booleans(), MOMENTS)
def test_every_value_of_many_cases_is_that_of_the_fold(
    definition: list[dict[str, Any]], content: list[dict[str, Any]], known: bool, asked: list[int]
) -> None:
    check_case(definition, content, known, asked)


COUNT = [{"name": "f0", "op": "count", "window": "10s", "hop": "5s"}]
LAST = [{"name": "f0", "op": "top_k", "column": "name", "k": 2, "window": "1m", "hop": "1s"}]


def _row(at: int, **columns: Any) -> dict[str, Any]:
    names = ("amount", "n", "price", "name", "status")
    return {"user": "a", "at": at, "id": 0, "known": at, **dict.fromkeys(names), **columns}


def test_a_window_whose_edge_is_one_off_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [_row(0), _row(5 * SECOND)]
    check_case(COUNT, content, False, [10 * SECOND, 15 * SECOND])
    right = Events.before
    monkeypatch.setattr(Events, "before", lambda self, code, moment: right(self, code, moment + 1))
    with pytest.raises(AssertionError):
        check_case(COUNT, content, False, [10 * SECOND, 15 * SECOND])


def test_a_tree_that_loses_a_group_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [_row(number * SECOND, name=chr(97 + number % 26)) for number in range(40)]
    check_case(LAST, content, False, [41 * SECOND])
    right = ranges.Tree._grow

    def lossy(self: ranges.Tree) -> None:
        right(self)
        self._levels[-1] = self._operation.merge(
            self._levels[-1], np.minimum(np.arange(self._levels[-1].num_rows + 1), 3)
        )

    monkeypatch.setattr(ranges.Tree, "_grow", lossy)
    with pytest.raises(AssertionError):
        check_case(LAST, content, False, [41 * SECOND])


def test_events_that_are_not_known_yet_do_not_count_anywhere() -> None:
    content = [_row(number * SECOND, known=(number + 20) * SECOND, amount=1.0) for number in range(30)]
    sums = [{"name": "f0", "op": "sum", "column": "amount", "window": "1m", "hop": "1s"}]
    check_case(sums, content, True, [number * SECOND for number in range(0, 80, 5)])
