"""What check_sql says of each query of the corpus: verdict, codes, places and schema, as recorded and reviewed."""

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from blocks.sql.codes import CODES
from blocks.testing.agreement import recording
from blocks.testing.agreement.corpus import read_corpus, read_tables
from blocks.testing.agreement.known import read_known
from blocks.testing.agreement.verdicts import checks

CORPUS = Path(__file__).parents[2] / "fixtures" / "sql" / "corpus"
FILES = {file: list(cases) for file, cases in groupby(read_corpus(CORPUS), key=lambda case: case.file)}
TABLES = read_tables(CORPUS)
RECORDED = recording.read(CORPUS / "recorded")


@pytest.mark.parametrize("file", FILES)
def test_check_sql_says_what_is_recorded(file):
    """`nox -s agreement -- --record` writes the records anew; their diff is what to review."""
    now = {}
    for case in FILES[file]:
        now[str(case)] = recording.line_of(checks(case.query, {name: TABLES[name] for name in case.tables}))
    assert now == {str(case): RECORDED[str(case)].ours for case in FILES[file]}


def test_every_case_is_recorded_and_nothing_else():
    assert set(RECORDED) == {str(case) for cases in FILES.values() for case in cases}


def test_the_planner_said_what_the_corpus_expects():
    cases = [case for cases in FILES.values() for case in cases if case.expect != "odd"]
    wrong = [str(case) for case in cases if (RECORDED[str(case)].planner == "refused") == (case.expect == "valid")]
    assert wrong == []


def _outcome(one: recording.Recorded) -> str:
    codes = [part.split(" ")[0] for part in one.ours.split(", ")]
    refused = codes[0] in CODES
    if one.planner == "refused":
        return "agreed" if refused else "false accept"
    if not refused:
        return "agreed" if one.ours == one.planner else "schema"
    return "false reject" if any(CODES[code].who == "planner" for code in codes) else "refused by us only"


def test_the_recorded_verdicts_agree_but_for_one_in_a_hundred():
    outcomes = Counter(map(_outcome, RECORDED.values()))
    bound = outcomes.total() / 100
    assert outcomes["false accept"] <= bound
    assert outcomes["false reject"] <= bound
    assert outcomes["schema"] == len(
        [one for one in read_known(CORPUS / "known.yaml").values() if one.outcome == "schema"]
    )


def test_every_disagreement_is_known_with_its_reason():
    known = {name: one.outcome for name, one in read_known(CORPUS / "known.yaml").items()}
    found = {name: _outcome(one) for name, one in RECORDED.items()}
    assert {name: what for name, what in found.items() if what not in ("agreed", "refused by us only")} == known
