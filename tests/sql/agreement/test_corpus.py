"""The corpus: what stands in its files."""

from collections import Counter
from pathlib import Path

import pytest

from blocks.sql.types import from_arrow
from blocks.testing.agreement.corpus import read_corpus, read_tables

CORPUS = Path(__file__).parents[2] / "fixtures" / "sql" / "corpus"


def test_the_corpus_is_large_and_of_every_kind():
    expected = Counter(case.expect for case in read_corpus(CORPUS))
    assert expected.total() >= 1000
    assert all(expected[kind] >= 250 for kind in ("valid", "invalid", "odd")), expected


def test_every_table_that_a_case_names_is_there_and_can_be_held_by_beam_sql():
    tables = read_tables(CORPUS)
    assert {name for case in read_corpus(CORPUS) for name in case.tables} == set(tables)
    assert [from_arrow(field).name for field in tables["numbers"]][:7] == [
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL",
    ]  # fmt: skip


def test_no_two_cases_are_the_same_query():
    seen = Counter((case.query, case.tables) for case in read_corpus(CORPUS))
    assert [query for (query, _), times in seen.items() if times > 1] == []


def test_line_ends_of_a_case_are_kept(tmp_path):
    header = b"-- defaults: tables: t; expect: odd\n\n"
    cases = b"-- case: a\nSELECT 1\r\nFROM t\r\n\n-- case: b; expect: valid\nSELECT 2\n"
    (tmp_path / "x.sql").write_bytes(header + cases)
    first, second = read_corpus(tmp_path)
    assert first.query == "SELECT 1\r\nFROM t"
    assert (second.query, second.expect, second.tables, str(second)) == ("SELECT 2", "valid", ("t",), "x: b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- case: a\nSELECT 1\n", "does not begin with"),
        (
            "-- defaults: tables: t; expect: good\n\n-- case: a\nSELECT 1\n",
            "expect is valid or invalid or odd, not good",
        ),
        ("-- defaults: table: t; expect: odd\n\n-- case: a\nSELECT 1\n", "a header has"),
        (
            "-- defaults: tables: t; expect: odd\n\n-- case: a\nSELECT 1\n\n-- case: a\nSELECT 2\n",
            "cases of one name: x: a",
        ),
    ],
)
def test_a_file_that_breaks_the_form_is_refused(tmp_path, text, message):
    (tmp_path / "x.sql").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_corpus(tmp_path)
