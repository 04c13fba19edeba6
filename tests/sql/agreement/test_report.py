"""How verdicts are compared, counted and told; planted disagreements of each kind."""

import io

import pyarrow as pa
import pytest
from rich.console import Console

from blocks.testing.agreement import recording, report
from blocks.testing.agreement.comparing import compare, difference, figures
from blocks.testing.agreement.corpus import Case
from blocks.testing.agreement.known import Known, read_known
from blocks.testing.agreement.verdicts import Verdict

SCHEMA = pa.schema([pa.field("a", pa.int32(), False), pa.field("b", pa.list_(pa.string()))])
YES, NO = Verdict(True, schema=SCHEMA, seconds=0.002), Verdict(False, "no", seconds=0.004)


def refused(*codes: str) -> Verdict:
    return Verdict(False, "; ".join(codes), codes, tuple((1, 1) for _ in codes))


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        (YES, YES, "agreed"),
        (refused("unknown_column"), NO, "agreed"),
        (refused("runtime_type"), NO, "agreed"),
        (YES, NO, "false accept"),
        (refused("unknown_column"), YES, "false reject"),
        (refused("runtime_type"), YES, "runtime"),
        (refused("privacy"), YES, "library"),
        (refused("runtime_type", "not_grouped"), YES, "false reject"),
        (Verdict(False, "CRASH TypeError: x"), NO, "crash"),
        (Verdict(True, schema=SCHEMA.remove(1)), YES, "schema"),
    ],
)
def test_outcomes(ours, theirs, outcome):
    assert compare("a", "SELECT 1", ours, theirs).outcome == outcome


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (SCHEMA, ""),
        (SCHEMA.set(0, pa.field("a", pa.int64(), False)), "a INTEGER NOT NULL, the planner gives a BIGINT NOT NULL"),
        (SCHEMA.set(0, pa.field("a", pa.int32())), "a INTEGER NOT NULL, the planner gives a INTEGER"),
        (SCHEMA.set(0, pa.field("c", pa.int32(), False)), "a INTEGER NOT NULL, the planner gives c INTEGER NOT NULL"),
        (SCHEMA.set(1, pa.field("b", pa.list_(pa.field("item", pa.string(), False)))),
         "b ARRAY<VARCHAR>, the planner gives b ARRAY<VARCHAR NOT NULL>"),
        (SCHEMA.remove(1), "2 columns (a, b), the planner gives 1 (a)"),
    ],
)  # fmt: skip
def test_names_types_and_nullability_are_compared(other, told):
    assert difference(SCHEMA, other) == told


def told(found, known=None) -> str:
    out = io.StringIO()
    report.show(Console(file=out, width=120), {"corpus": found}, known or {})
    return out.getvalue()


def test_the_table_counts_and_lists_each_disagreement_with_both_messages():
    found = [compare(f"f: {index}", "SELECT 1", YES, YES) for index in range(199)]
    found.append(compare("f: odd", "SELECT a\nFROM t", YES, NO))
    text = told(found)
    assert "199 (99.5%)" in text
    assert "1 (0.5%)" in text
    assert "false accept: f: odd\n    SELECT a\n    FROM t\n  ours:    accepted\n  planner: no" in text
    assert figures(found).percentile(0.5) == 2.0


def test_more_than_one_in_a_hundred_fails():
    agreed = [compare(f"f: {index}", "SELECT 1", YES, YES) for index in range(98)]
    one = compare("f: x", "SELECT 2", refused("not_grouped"), YES)
    assert report.failures([*agreed, one, compare("f: y", "SELECT 3", YES, YES)], {}) == []
    other = compare("f: y", "SELECT 3", refused("not_grouped"), YES)
    assert report.failures([*agreed, one, other], {}) == ["2.00% false reject, more than 1%"]


def test_a_known_disagreement_is_told_with_its_reason_and_has_to_be_one_still():
    found = [compare("f: x", "SELECT 2", YES, NO), *(compare(f"f: {i}", "SELECT 1", YES, YES) for i in range(200))]
    known = {"f: x": Known("f: x", "false accept", "it is rare")}
    assert "false accept: f: x (known: it is rare)" in told(found, known)
    assert report.failures(found, known) == []
    mended = [compare("f: x", "SELECT 2", NO, NO), *found[1:]]
    assert report.failures(mended, known) == ["f: x is known as false accept and is agreed: take it out"]


def test_a_known_disagreement_needs_a_reason(tmp_path):
    path = tmp_path / "known.yaml"
    assert read_known(path) == {}
    path.write_text("- {case: 'f: x', outcome: schema, reason: ''}\n")
    with pytest.raises(ValueError, match=r"known\.yaml is a list of `case: <file>: <name>`"):
        read_known(path)


def test_json_has_the_figures_and_the_disagreements():
    found = [compare("f: x", "SELECT 2", YES, NO), compare("f: y", "SELECT 1", YES, YES)]
    content = report.as_json({"corpus": found}, {"beam-java": "1"})
    assert content["results"] == [
        {
            "name": "corpus", "queries": 2, "both_accept": 1, "agreed": 1, "false_accept": 1, "false_reject": 0,
            "schema": 0, "crash": 0, "runtime": 0, "library": 0, "check_p50_ms": 2.0, "check_p95_ms": 2.0,
        }
    ]  # fmt: skip
    assert content["disagreements"][0]["planner"] == "no"


def test_records_are_written_and_read_and_an_unexpected_verdict_is_told(tmp_path):
    cases = [Case("f", "x", ("t",), "valid", "SELECT 1"), Case("f", "y", ("t",), "odd", "SELECT 2")]
    found = [
        compare("f: x", "SELECT 1", refused("not_grouped", "unknown_column"), NO),
        compare("f: y", "SELECT 2", YES, YES),
    ]
    recording.write(tmp_path, cases, found)
    assert recording.read(tmp_path) == {
        "f: x": recording.Recorded("refused", "not_grouped 1:1, unknown_column 1:1"),
        "f: y": recording.Recorded("a INTEGER NOT NULL, b ARRAY<VARCHAR>", "a INTEGER NOT NULL, b ARRAY<VARCHAR>"),
    }
    assert recording.unexpected(cases, found) == [cases[0]]
