"""Every line of the corpus gives the same in DuckDB as in Beam, or is not lowered and says why."""

import pytest
from lowering_agreement import analysed, differences
from lowering_beam import BeamRows
from lowering_rows import SCHEMA, batch_of, columns_of, lines, query_of

from blocks.sql.lowering import lower, refusal

EQUAL = lines("equal.sql")
ROW_BY_ROW = [line for line in EQUAL if "UNION ALL" not in line]
# A sample of every part for every day; the rest is slow.
SAMPLE = ROW_BY_ROW[::11]


def _halves(line: str) -> bool:
    return "SUBSTRING" in line or "VARCHAR(" in line


@pytest.mark.jvm
def test_a_sample_of_the_corpus_is_equal(beam_rows: BeamRows) -> None:
    found = [
        told
        for line in SAMPLE
        for told in differences(beam_rows, [query_of(line)], batch_of(columns_of(line), 30), _halves(line))
    ]
    assert found == []


@pytest.mark.jvm
@pytest.mark.slow
def test_the_whole_corpus_is_equal(beam_rows: BeamRows) -> None:
    found = [
        told
        for line in ROW_BY_ROW
        for told in differences(beam_rows, [query_of(line)], batch_of(columns_of(line), 250), _halves(line))
    ]
    assert found == []


def test_the_corpus_is_large() -> None:
    assert len(EQUAL) >= 400
    assert len(set(EQUAL)) == len(EQUAL)


def test_every_line_of_the_corpus_is_lowered() -> None:
    for line in EQUAL:
        lowered = lower(analysed(query_of(line), SCHEMA))
        assert not isinstance(lowered, str), (line, lowered)


@pytest.mark.slow
def test_duckdb_takes_both_forms_of_every_line() -> None:
    for line in EQUAL:
        lowered = lower(analysed(query_of(line), SCHEMA))
        assert not isinstance(lowered, str)
        assert refusal(lowered) == "", line


@pytest.mark.parametrize("line", lines("refused.sql"))
def test_what_has_no_equal_form_is_not_lowered(line: str) -> None:
    query, part = line.rsplit(" -- ", 1)
    why = lower(analysed(query_of(query), SCHEMA))
    assert isinstance(why, str)
    assert part in why
    assert why.endswith(".")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("SQRT(d)", "Function SQRT has no equal form (query:1:8)."),
        ("i +\n n / o", "A DECIMAL division has no equal form (query:2:2)."),
    ],
)
def test_the_reason_names_the_function_and_its_place(line: str, why: str) -> None:
    assert lower(analysed(query_of(line), SCHEMA)) == why
