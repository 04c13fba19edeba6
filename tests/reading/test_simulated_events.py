"""Random mixtures of good and bad partner events: every record is a row that an oracle agrees with, or a reject."""

import gzip
from pathlib import Path

import json_oracle
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reading_files import expected_lines, shrink
from reading_pipelines import run

from blocks.core.schema import read_schema
from blocks.reading.read_json import ReadJson
from blocks.testing.simulator import CODES, VARIANTS, SimulatorConfig, expected_counts, simulate

FILE = Path(__file__).parents[2] / "examples" / "partner_events" / "transaction.thrift"
SCHEMA = read_schema(str(FILE), "Transaction")
# A `too_deep` record has 60,000 bytes and is none of the `too_large` ones.
MOST = 100_000


# To shrink whole pipelines would take minutes.
@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 1 << 30),
    events=st.integers(1, 700),
    bad=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    strict=st.booleans(),
    packed=st.booleans(),
    block=st.sampled_from([3_000, 100_000, 8 << 20]),
)
def test_rows_and_rejects_are_all_records_with_the_codes_that_were_planted(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    events: int,
    bad: float,
    strict: bool,
    packed: bool,
    block: int,
) -> None:
    folder = tmp_path_factory.mktemp("events")
    shrink(monkeypatch, block, 50_000)
    config = SimulatorConfig(events=events, seed=seed, bad=bad, too_large_bytes=2 * MOST)
    data = b"".join(simulate(config))
    path = folder / ("events.jsonl.gz" if packed else "events.jsonl")
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    found = run(
        lambda p, rejects: (
            p
            | ReadJson(
                path, schema=SCHEMA, event_time="occurred_at", strict=strict, max_record_bytes=MOST, rejects=rejects
            )
        ),
        folder / "bad",
    )
    planted = {code: number for code, number in expected_counts(config).bad.items() if number}
    accepted = 0 if strict else planted.pop("unknown_field", 0)
    assert found.codes == planted
    rows = [row for batch, _, _ in found.batches for row in json_oracle.rows(batch)]
    assert len(rows) + len(found.rejects) == events
    # The oracle alone decides which records are rows, and gives each value.
    lines = expected_lines(data)
    expected = {}
    for position, line in lines:
        try:
            if len(line) <= MOST:
                row = json_oracle.read(line, found.batches[0][0].schema, strict) if found.batches else None
                if row is not None and row["occurred_at"] is not None:
                    expected[position] = row
        except json_oracle.UnfitError:
            pass
    refused = {one["position"] for one in found.rejects}
    too_deep = {one["position"] for one in found.rejects if one["code"] == "too_deep"}
    assert refused | set(expected) == {position for position, _ in lines}
    assert refused & set(expected) <= too_deep
    good = [expected[position] for position in sorted(set(expected) - too_deep)]
    assert sorted(rows, key=lambda row: str(row["sequence"])) == sorted(good, key=lambda row: str(row["sequence"]))
    assert accepted == 0 or not strict


@pytest.mark.parametrize("code", CODES)
def test_every_variant_of_a_code_is_refused_with_it(tmp_path: Path, code: str) -> None:
    config = SimulatorConfig(events=400, seed=11, bad=0.1, bad_codes=(code,), too_large_bytes=2 * MOST)
    assert expected_counts(config).bad[code] == 40 >= len(VARIANTS[code])
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(simulate(config)))
    found = run(
        lambda p, rejects: (
            p
            | ReadJson(
                path, schema=SCHEMA, event_time="occurred_at", strict=True, max_record_bytes=MOST, rejects=rejects
            )
        ),
        tmp_path / "bad",
    )
    assert found.codes == {code: 40}
    assert len(found.rows) == 360
    assert not any(one["message"] == "the record does not fit the schema" for one in found.rejects)
