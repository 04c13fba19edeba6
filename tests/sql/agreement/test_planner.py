"""The real planner, asked about a part of the corpus and a few generated queries: it says what is recorded."""

from pathlib import Path

import pytest

from blocks.testing.agreement import measuring, recording
from blocks.testing.agreement.comparing import figures
from blocks.testing.agreement.corpus import read_corpus, read_tables
from blocks.testing.agreement.report import schema_text
from blocks.testing.agreement.verdicts import checks, planner

CORPUS = Path(__file__).parents[2] / "fixtures" / "sql" / "corpus"

pytestmark = pytest.mark.jvm


def test_the_planner_says_what_is_recorded():
    tables, recorded = read_tables(CORPUS), recording.read(CORPUS / "recorded")
    for case in read_corpus(CORPUS)[::12]:
        found = planner(case.query, {name: tables[name] for name in case.tables})
        told = schema_text(found.schema) if found.accepts else "refused"
        assert told == recorded[str(case)].planner, str(case)


def test_generated_queries_agree_but_for_a_few():
    sides = measuring.Sides(checks, planner)
    counted = figures(measuring.over_generated(sides, 100, seed=20, attempts=0))
    assert counted.outcomes["false accept"] + counted.outcomes["false reject"] <= 4
    assert counted.outcomes["schema"] <= 2
