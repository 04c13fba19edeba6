"""Simulated events: the same bytes for the same config, good records that fit the Thrift file, order and lateness."""

import gzip
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from partner_events import misfits, parsed

from blocks.core.errors import BlocksError, ConfigError
from blocks.testing.simulator import CODES, SimulatorConfig, expected_counts, simulate, write_events

MIXED = SimulatorConfig(events=3000, seed=11, bad=0.05, late=0.05)
GOOD = SimulatorConfig(events=20_000, seed=5, late=0.02, users=1000)


def everything(config: SimulatorConfig, chunk_events: int = 8192) -> bytes:
    return b"".join(simulate(config, chunk_events=chunk_events))


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [parsed(line) for line in everything(GOOD).splitlines()]


def times(records: list[dict[str, Any]], name: str) -> list[datetime]:
    return [datetime.fromisoformat(record[name]) for record in records]


def test_the_same_config_gives_the_same_bytes() -> None:
    assert everything(MIXED) == everything(replace(MIXED))


def test_the_bytes_are_those_that_were_recorded_with_the_first_release() -> None:
    digest = hashlib.sha256(everything(MIXED)).hexdigest()
    assert digest == "cecee340e8d580ae4fed9ad32c44ecb9062528a778e5ac3fb877ac663aef03db"


@pytest.mark.parametrize(
    "change", [{"seed": 12}, {"partner": "globex"}, {"late": 0.06}, {"bad": 0.04}, {"users": 101}, {"days": 8}]
)
def test_another_config_gives_other_bytes(change: dict[str, Any]) -> None:
    assert everything(MIXED) != everything(replace(MIXED, **change))


@settings(max_examples=12, deadline=None)
@given(
    chunk_events=st.integers(1, 700),
    seed=st.integers(0, 2**63 - 1),
    events=st.integers(0, 600),
    bad=st.floats(0, 0.5),
    late=st.floats(0, 0.5),
)
def test_chunks_of_any_size_join_to_the_same_bytes(
    chunk_events: int, seed: int, events: int, bad: float, late: float
) -> None:
    config = SimulatorConfig(events=events, seed=seed, bad=bad, late=late, depth=20)
    parts = list(simulate(config, chunk_events=chunk_events))
    assert b"".join(parts) == everything(config)
    assert all(part.endswith(b"\n") for part in parts)
    assert [part.count(b"\n") for part in parts[:-1]] == [chunk_events] * max(len(parts) - 1, 0)


def test_the_first_chunk_of_a_billion_events_comes_without_making_the_rest() -> None:
    config = SimulatorConfig(events=1_000_000_000, bad=0.001, late=0.01)
    assert sum(part.count(b"\n") for part in islice(simulate(config, chunk_events=1000), 2)) == 2000


def test_every_good_record_fits_the_thrift_file(records: list[dict[str, Any]]) -> None:
    assert {problem for record in records for problem in misfits(record)} == set()


def test_every_field_of_the_thrift_file_is_there_sometimes_and_optional_ones_are_missing_and_null(
    records: list[dict[str, Any]],
) -> None:
    top = Counter(name for record in records for name, value in record.items() if value is not None)
    user = Counter(name for record in records for name, value in record["user"].items() if value is not None)
    always = {"event_id", "sequence", "occurred_at", "received_at", "type", "status", "user", "amount", "currency"}
    assert {name for name, count in top.items() if count == len(records)} == always
    assert top.keys() - always == {"device", "card", "merchant", "items", "balance", "tags", "attributes"}
    assert user.keys() == {"id", "name", "email", "phone", "national_id", "birth_date", "address"}
    assert {name for record in records for name, value in record.items() if value is None} == {
        "balance",
        "items",
        "tags",
    }
    assert {name for record in records for name, value in record["user"].items() if value is None} == {
        "phone",
        "address",
    }
    assert any("tags" not in record for record in records)
    assert any(record.get("items") == [] for record in records)


def test_decimals_are_exact_and_an_amount_is_the_sum_of_its_items(records: list[dict[str, Any]]) -> None:
    with_items = [record for record in records if record.get("items")]
    for record in with_items:
        total = sum(item["quantity"] * item["unit_price"] for item in record["items"])
        assert record["amount"] == (-total if record["type"] == "refund" else total)
    assert {record["type"] for record in with_items} == {"card_payment", "refund"}
    assert all(isinstance(record["amount"], Decimal) and record["amount"] != 0 for record in records)


def test_some_balances_and_all_sequence_numbers_are_beyond_what_a_float_holds(records: list[dict[str, Any]]) -> None:
    balances = [record["balance"] for record in records if record.get("balance") is not None]
    assert any(Decimal(float(balance)).quantize(Decimal("0.01")) != balance for balance in balances)
    assert any(balance < 0 for balance in balances)
    assert [record["sequence"] for record in records] == list(range(2**53 + 1, 2**53 + 1 + len(records)))


def test_event_ids_are_unique_and_begin_with_the_partner(records: list[dict[str, Any]]) -> None:
    ids = {record["event_id"] for record in records}
    assert len(ids) == len(records)
    assert all(name.startswith("acme-") for name in ids)


def test_a_user_is_the_same_person_in_every_event(records: list[dict[str, Any]]) -> None:
    seen: dict[tuple[str, str], Any] = {}
    for record in records:
        for name, value in record["user"].items():
            assert seen.setdefault((record["user"]["id"], name), value) == value
    assert len({value for (_, name), value in seen.items() if name == "email"}) == len({user for user, _ in seen})


def test_nobody_is_real(records: list[dict[str, Any]]) -> None:
    for record in records:
        user = record["user"]
        assert user["email"].endswith("@example.com")
        phone = user.get("phone") or "+447700900000"
        assert phone[:10] == "+447700900" or phone[5:-2] == "55501"
        assert user.get("national_id", "ZZ").startswith("ZZ")
        address = record.get("device", {"ip": "2001:db8::"})["ip"]
        assert address.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"))


def test_card_numbers_pass_the_check_and_are_from_a_range_that_is_not_issued(records: list[dict[str, Any]]) -> None:
    numbers = {record["card"]["number"] for record in records if "card" in record}
    assert len(numbers) > 500
    for number in numbers:
        digits = [int(digit) for digit in reversed(number)]
        doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0
        assert len(number) == 16
        assert number.startswith("9999")


def test_users_follow_zipfs_law(records: list[dict[str, Any]]) -> None:
    seen = Counter(int(record["user"]["id"][1:]) for record in records)
    harmonic = sum(1 / rank for rank in range(1, GOOD.population + 1))
    assert max(seen) < GOOD.population
    for rank in (1, 2, 3, 5, 10, 30):
        share = 1 / rank / harmonic
        expected = len(records) * share
        # Five standard deviations of a binomial count.
        assert abs(seen[rank - 1] - expected) < 5 * (expected * (1 - share)) ** 0.5


def test_lines_have_the_documented_sizes() -> None:
    sizes = [len(line) for line in everything(GOOD).splitlines()]
    assert 550 < sum(sizes) / len(sizes) < 750
    assert min(sizes) > 250
    assert max(sizes) < 2000


def test_arrival_is_in_order_and_occurrence_is_not(records: list[dict[str, Any]]) -> None:
    received, occurred = times(records, "received_at"), times(records, "occurred_at")
    assert received == sorted(received)
    assert all(before <= after for before, after in zip(occurred, received, strict=True))
    assert sum(one > other for one, other in pairwise(occurred)) > len(records) // 10
    assert min(occurred) >= GOOD.start
    assert max(received) < GOOD.end


def test_exactly_the_share_of_late_records_is_hours_late_and_all_others_arrive_within_the_jitter(
    records: list[dict[str, Any]],
) -> None:
    delays = [
        received - occurred
        for received, occurred in zip(times(records, "received_at"), times(records, "occurred_at"), strict=True)
    ]
    late = [delay for delay in delays if delay > timedelta(seconds=GOOD.jitter_seconds)]
    assert len(late) == round(GOOD.events * GOOD.late) == expected_counts(GOOD).late
    assert timedelta(hours=2) <= min(late)
    assert timedelta(hours=24) < max(late) <= timedelta(hours=48)


def test_late_records_are_spread_over_the_file(records: list[dict[str, Any]]) -> None:
    late = [
        number
        for number, record in enumerate(records)
        if datetime.fromisoformat(record["received_at"]) - datetime.fromisoformat(record["occurred_at"])
        >= timedelta(hours=2)
    ]
    per_tenth = Counter(number * 10 // len(records) for number in late)
    assert all(abs(per_tenth[tenth] - len(late) / 10) <= len(late) / 50 for tenth in range(1, 10))


def test_no_jitter_means_no_delay_but_for_late_records() -> None:
    config = SimulatorConfig(events=500, jitter_seconds=0)
    for record in map(json.loads, everything(config).splitlines()):
        assert record["occurred_at"] == record["received_at"]


def test_a_start_in_another_time_zone_is_written_in_utc() -> None:
    start = datetime.fromisoformat("2026-03-01T23:30:00-05:00")
    first, *_, last = everything(SimulatorConfig(events=1000, days=1, start=start)).splitlines()
    assert json.loads(first)["received_at"] > "2026-03-02T04:30:00"
    assert json.loads(last)["received_at"] < "2026-03-03T04:30:00"


@pytest.mark.parametrize(
    ("suffix", "opened"),
    [("", open), (".gz", gzip.open), (".zst", lambda path, mode: zstandard.open(path, mode))],
)
def test_a_file_holds_the_simulated_bytes_plain_or_compressed(tmp_path: Path, suffix: str, opened: Any) -> None:
    path = tmp_path / "new" / f"events.jsonl{suffix}"
    report = write_events(path, MIXED)
    with opened(path, "rb") as file:
        assert file.read() == everything(MIXED)
    assert report.file_bytes == path.stat().st_size
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_equal_gzip_files_for_equal_events(tmp_path: Path) -> None:
    write_events(tmp_path / "one.gz", MIXED)
    write_events(tmp_path / "other.gz", MIXED)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "other.gz").read_bytes()


def test_the_report_counts_what_is_in_the_file(tmp_path: Path) -> None:
    report = write_events(tmp_path / "events.jsonl", config := replace(MIXED, bad_codes=("malformed_json",)))
    good = []
    for line in (tmp_path / "events.jsonl").read_bytes().splitlines():
        try:
            good.append(parsed(line))
        except ValueError:
            continue
    occurred = times(good, "occurred_at")
    assert report.events == len(good) + report.bad["malformed_json"] == config.events
    assert report.bytes == (tmp_path / "events.jsonl").stat().st_size
    assert report.users == len({record["user"]["id"] for record in good})
    assert (report.first_event_time, report.last_event_time) == (min(occurred), max(occurred))
    assert report.late == sum(
        received - at >= timedelta(hours=2) for received, at in zip(times(good, "received_at"), occurred, strict=True)
    )


def test_progress_is_told_after_each_chunk(tmp_path: Path) -> None:
    told: list[int] = []
    write_events(tmp_path / "events.jsonl", SimulatorConfig(events=20_000), told.append)
    assert told == sorted(set(told))
    assert len(told) > 1
    assert told[-1] == 20_000


def test_no_events_make_an_empty_file(tmp_path: Path) -> None:
    report = write_events(tmp_path / "events.jsonl", SimulatorConfig(events=0, bad=0.1, late=0.1))
    assert (tmp_path / "events.jsonl").read_bytes() == b""
    assert (report.events, report.bad, report.first_event_time) == (0, {}, None)


class StopError(Exception):
    pass


def test_an_error_midway_leaves_the_earlier_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"earlier\n")

    def stop(events: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        write_events(path, MIXED, stop)
    assert path.read_bytes() == b"earlier\n"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_killed_process_leaves_no_file_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    code = (
        "import sys; from blocks.testing.simulator import *\n"
        "write_events(sys.argv[1], SimulatorConfig(events=10**8), lambda events: print(events, flush=True))"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not path.exists()
    (left,) = os.listdir(tmp_path)
    # Hidden, so that no file pattern of a reader takes it.
    assert left.startswith(".events.jsonl.")


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_full_disk_is_an_error_in_three_parts_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"events.jsonl{suffix}"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(BlocksError, match="could not be written") as caught:
            write_events(path, MIXED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert isinstance(caught.value.__cause__, OSError)
    assert str(path) in str(caught.value)
    assert "to do:" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_in_three_parts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BlocksError, match="could not be written"):
        write_events(tmp_path / "file" / "events.jsonl", MIXED)


def test_every_mistake_of_a_config_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        SimulatorConfig(
            events=-1,
            seed=-1,
            bad=0.6,
            bad_codes=("malformed", "too_large", "too_large"),
            late=float("nan"),
            users=0,
            start=datetime(2026, 1, 1),
            days=0,
            partner="ACME Inc",
            jitter_seconds=7200,
            depth=0,
        )
    places = Counter(problem.where for problem in caught.value.problems)
    assert places == {
        "events": 1, "seed": 1, "bad": 1, "late": 1, "users": 1, "days": 1, "jitter_seconds": 1, "depth": 1,
        "bad_codes": 2, "too_large_bytes": 1, "start": 1, "partner": 1,
    }  # fmt: skip
    assert "did you mean `malformed_json`?" in str(caught.value)


def test_a_too_large_size_below_that_of_an_event_is_refused() -> None:
    with pytest.raises(ConfigError, match="not 0 and not 4,096 or more"):
        SimulatorConfig(events=1, too_large_bytes=500)


def test_a_chunk_without_records_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ConfigError, match="0 records a chunk"):
        simulate(MIXED, chunk_events=0)


def test_too_large_is_of_the_default_codes_only_with_a_size() -> None:
    assert SimulatorConfig(events=1).codes == tuple(code for code in CODES if code != "too_large")
    assert SimulatorConfig(events=1, too_large_bytes=5000).codes == CODES


def test_the_default_population_grows_with_the_events_between_its_bounds() -> None:
    sizes = [SimulatorConfig(events=events).population for events in (0, 10_000, 1_000_000, 100_000_000)]
    assert sizes == [100, 200, 20_000, 100_000]


def test_the_default_start_is_the_first_of_january_2026() -> None:
    assert SimulatorConfig(events=1).start == datetime(2026, 1, 1, tzinfo=UTC)
