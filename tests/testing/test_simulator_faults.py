"""Bad records: exact counts, spread over the file, and each one has the fault that its code says, and no other."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partner_events import misfits, parsed

from blocks.testing.simulator import CODES, VARIANTS, SimulatorConfig, expected_counts, simulate, write_events
from blocks.testing.simulator.faults import fault_of
from blocks.testing.simulator.plan import Spread, bad_records

Check = Callable[[bytes, bytes], None]
CONFIG = SimulatorConfig(events=400, seed=3, bad=0.25, too_large_bytes=50_000)


def lines_of(config: SimulatorConfig) -> list[bytes]:
    return b"".join(simulate(config)).removesuffix(b"\n").split(b"\n")


def refused(line: bytes) -> str:
    with pytest.raises((ValueError, RecursionError)) as caught:
        parsed(line)
    return f"{type(caught.value).__name__}: {caught.value}"


def truncated(bad: bytes, good: bytes) -> None:
    assert "JSONDecodeError" in refused(bad)
    assert good.startswith(bad)
    assert 0 < len(bad) < len(good)


def missing_comma(bad: bytes, good: bytes) -> None:
    assert "Expecting ',' delimiter" in refused(bad)
    assert len(bad) == len(good)


def trailing_text(bad: bytes, good: bytes) -> None:
    assert "Extra data" in refused(bad)
    assert bad.startswith(good)


def invalid_utf8(bad: bytes, good: bytes) -> None:
    assert "UnicodeDecodeError" in refused(bad)
    assert bad.replace(b"\xff", b"") == good


def duplicate_key(bad: bytes, good: bytes) -> None:
    assert refused(bad) == "ValueError: a name stands twice"
    # A parser that takes the last of the two would read another amount.
    assert json.loads(bad)["amount"] == 0 != json.loads(good)["amount"]


def nan(bad: bytes, good: bytes) -> None:
    assert refused(bad) == "ValueError: NaN is not JSON"


def differs_only(problem: str) -> Check:
    """The record is JSON, has this one problem, and is the good one in every other field."""
    top = problem.removeprefix("$.").split(":")[0].split(".")[0]

    def check(bad: bytes, good: bytes) -> None:
        record, twin = parsed(bad), parsed(good)
        assert misfits(record) == [problem]
        assert {**record, top: None} == {**twin, top: None}

    return check


def differs_in_user(problem: str, name: str) -> Check:
    def check(bad: bytes, good: bytes) -> None:
        differs_only(problem)(bad, good)
        user, twin = parsed(bad)["user"], parsed(good)["user"]
        assert {**user, name: None} == {**twin, name: None}

    return check


def unknown_top_level(bad: bytes, good: bytes) -> None:
    record = parsed(bad)
    assert misfits(record) == ["$.simulated: unknown"]
    assert record.pop("simulated") is True
    assert record == parsed(good)


def padding(bad: bytes, good: bytes) -> None:
    assert len(bad) == CONFIG.too_large_bytes
    record, twin = parsed(bad), parsed(good)
    assert misfits(record) == []
    assert {**record, "attributes": None} == {**twin, "attributes": None}


def deep(opening: bytes) -> Check:
    def check(bad: bytes, good: bytes) -> None:
        assert "RecursionError" in refused(bad)
        assert bad.count(opening) >= CONFIG.depth
        # The same with less depth is JSON, so that depth is the only fault.
        shallow = opening * 3 + (b"0" if opening == b'{"d":' else b"") + (b"]" if opening == b"[" else b"}") * 3
        begin = bad.index(opening * CONFIG.depth)
        record = json.loads(bad[:begin] + shallow + b"}}")
        assert {**record, "attributes": None} == {**json.loads(good), "attributes": None}

    return check


CHECKS: dict[tuple[str, str], Check] = {
    ("malformed_json", "truncated"): truncated,
    ("malformed_json", "missing_comma"): missing_comma,
    ("malformed_json", "trailing_text"): trailing_text,
    ("malformed_json", "invalid_utf8"): invalid_utf8,
    ("malformed_json", "duplicate_key"): duplicate_key,
    ("malformed_json", "nan"): nan,
    ("wrong_type", "text_for_decimal"): differs_only("$.amount: not a decimal128(18, 2)"),
    ("wrong_type", "object_for_decimal"): differs_only("$.amount: not a decimal128(18, 2)"),
    ("wrong_type", "text_for_integer"): differs_only("$.sequence: not a I64"),
    ("wrong_type", "list_for_text"): differs_only("$.currency: not a STRING"),
    ("wrong_type", "text_for_object"): differs_only("$.user: not an object"),
    ("missing_field", "event_id"): differs_only("$.event_id: missing"),
    ("missing_field", "user_id"): differs_in_user("$.user.id: missing", "id"),
    ("missing_field", "amount"): differs_only("$.amount: missing"),
    ("unknown_field", "top_level"): unknown_top_level,
    ("unknown_field", "nested"): differs_in_user("$.user.loyalty: unknown", "loyalty"),
    ("bad_event_time", "words"): differs_only("$.occurred_at: not a timestamp[us, tz=UTC]"),
    ("bad_event_time", "impossible_date"): differs_only("$.occurred_at: not a timestamp[us, tz=UTC]"),
    ("bad_event_time", "empty"): differs_only("$.occurred_at: not a timestamp[us, tz=UTC]"),
    ("too_large", "padding"): padding,
    ("too_deep", "arrays"): deep(b"["),
    ("too_deep", "objects"): deep(b'{"d":'),
}


def test_there_is_a_check_for_every_variant_of_every_code() -> None:
    assert set(CHECKS) == {(code, variant) for code, variants in VARIANTS.items() for variant in variants}
    assert set(VARIANTS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_bad_record_has_the_fault_of_its_code_and_no_other(code: str) -> None:
    config = replace(CONFIG, bad_codes=(code,))
    bad_lines = lines_of(config)
    good_lines = lines_of(replace(config, bad=0))
    turns, positions = bad_records(config).chosen(0, config.events)
    tried = set()
    for turn, position in zip(turns.tolist(), positions.tolist(), strict=True):
        found, variant = fault_of(turn, config)
        assert found == code
        CHECKS[code, variant](bad_lines[position], good_lines[position])
        tried.add(variant)
    assert tried == set(VARIANTS[code])


def test_all_other_records_are_those_of_a_file_without_bad_ones() -> None:
    bad_lines, good_lines = lines_of(CONFIG), lines_of(replace(CONFIG, bad=0))
    _, positions = bad_records(CONFIG).chosen(0, CONFIG.events)
    different = {number for number, pair in enumerate(zip(bad_lines, good_lines, strict=True)) if pair[0] != pair[1]}
    assert different == set(positions.tolist())


def kind_of(line: bytes) -> str:
    """The code that a strict reader would give, found without knowing how the record was made."""
    if len(line) >= CONFIG.too_large_bytes:
        return "too_large"
    try:
        problems = misfits(parsed(line))
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "malformed_json"
    if not problems:
        return "good"
    (problem,) = problems
    if problem.startswith("$.occurred_at"):
        return "bad_event_time"
    if problem.endswith(": missing"):
        return "missing_field"
    return "unknown_field" if problem.endswith(": unknown") else "wrong_type"


@pytest.mark.parametrize("bad", [0.0, 0.001, 0.07, 0.5])
def test_a_reader_finds_exactly_the_expected_counts(bad: float) -> None:
    config = replace(CONFIG, events=2000, bad=bad, depth=3000)
    found = Counter(kind_of(line) for line in lines_of(config))
    expected = expected_counts(config)
    assert sum(expected.bad.values()) == round(config.events * bad)
    assert found == {**expected.bad, "good": expected.rows(strict=True)}
    assert max(expected.bad.values(), default=0) - min(expected.bad.values(), default=0) <= 1


def test_rows_and_rejects_add_up_to_the_events_for_strict_readers_and_others() -> None:
    expected = expected_counts(CONFIG)
    for strict in (True, False):
        assert expected.rows(strict=strict) + sum(expected.rejects(strict=strict).values()) == expected.events
    assert expected.rows(strict=False) - expected.rows(strict=True) == expected.bad["unknown_field"]


def test_the_report_of_a_file_has_the_expected_counts(tmp_path: Any) -> None:
    config = replace(CONFIG, events=20_000, bad=0.01, late=0.03, depth=100)
    report, expected = write_events(tmp_path / "events.jsonl", config), expected_counts(config)
    assert dict(report.bad) == dict(expected.bad)
    assert report.late == expected.late == round((config.events - 200) * 0.03)


spreads = st.builds(
    lambda seed, first, width, share: Spread("test", seed, round(width * share), first, first + width),
    st.integers(0, 2**63 - 1),
    st.integers(0, 50),
    st.integers(0, 400),
    st.floats(0, 1),
)


@settings(deadline=None)
@given(spread=spreads, cuts=st.lists(st.integers(0, 460), max_size=6))
def test_ranges_of_any_size_choose_the_same_positions(spread: Spread, cuts: list[int]) -> None:
    ordinals, positions = spread.chosen(0, 10_000)
    assert ordinals.tolist() == list(range(spread.count))
    assert positions.tolist() == sorted(set(positions.tolist()))
    assert all(spread.first <= position < spread.last for position in positions.tolist())
    edges = [0, *sorted(cuts), 10_000]
    parts = [spread.chosen(low, high) for low, high in pairwise(edges)]
    assert [position for _, part in parts for position in part.tolist()] == positions.tolist()
    assert [ordinal for part, _ in parts for ordinal in part.tolist()] == ordinals.tolist()
    for cut in cuts:
        assert spread.before(cut) == sum(position < cut for position in positions.tolist())


@pytest.mark.parametrize("events", [1_000, 999_999_937])
def test_one_record_of_each_equal_part_of_the_file_is_bad(events: int) -> None:
    config = SimulatorConfig(events=events, bad=0.01)
    count = round(events * 0.01)
    low = events // 2
    _, positions = bad_records(config).chosen(low, min(low + 100_000, events))
    parts = [position * count // events for position in positions.tolist()]
    assert all(after - before in (0, 1, 2) for before, after in pairwise(parts))
    assert abs(len(parts) - min(100_000, events - low) * 0.01) <= 2
