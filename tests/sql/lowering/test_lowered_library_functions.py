"""Functions of the library that name a form run in DuckDB; the forms are held against Java's cases elsewhere.

A mask of a column is the library's own kernel, which runs before DuckDB; of anything else it is the form.
"""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering_agreement import analysed

from blocks.sql.lowering import Lowered, LoweredRunner, lower
from blocks.sql.lowering.lowered import Read

_SCHEMA = pa.schema([pa.field("s", pa.string()), pa.field("i", pa.int32())])
_SIDES = ("left", "right", "keep_left", "keep_right")
_CALLS = ("mask({})", *(f"mask_{side}({{}}, {count})" for side in _SIDES for count in (1, 3)))
_STARS = "mask_left(s, 2, '*', '*', '*', '*')"


def _lowered(query: str) -> Lowered:
    lowered = lower(analysed(query, _SCHEMA))
    assert isinstance(lowered, Lowered), lowered
    return lowered


def _rows(lowered: Lowered, texts: list[str | None], whole: list[int] | None = None) -> list[dict[str, Any]]:
    arrays = [pa.array(texts, pa.string()), pa.array(whole or range(len(texts)), pa.int32())]
    ran = LoweredRunner(lowered)(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))
    return list(ran.batch.to_pylist())


def test_a_function_with_a_form_runs_in_duckdb() -> None:
    lowered = _lowered("SELECT mask_left(s, 2) AS z, mask(s) AS y FROM PCOLLECTION")
    assert _rows(lowered, ["Ab1-", None]) == [{"z": "Xx1-", "y": "Xxn-"}, {"z": None, "y": None}]


_KERNELS = _lowered(
    "SELECT " + ", ".join(f"{call.format('s')} AS c{at}" for at, call in enumerate(_CALLS)) + " FROM PCOLLECTION"
)
_FORMS = _lowered(
    "SELECT "
    + ", ".join(f"{call.format('(s || TRIM(s))')} AS c{at}" for at, call in enumerate(_CALLS))
    + " FROM PCOLLECTION"
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text(max_size=6), min_size=1, max_size=6))
def test_the_kernel_of_a_column_gives_what_the_form_gives(texts: list[str | None]) -> None:
    assert [read.mask is None for read in _KERNELS.reads] == [False] * len(_CALLS)
    assert [read.mask is None for read in _FORMS.reads] == [True]
    doubled = [None if text is None else text + text.strip(" ") for text in texts]
    assert _rows(_KERNELS, doubled) == _rows(_FORMS, texts)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"SELECT {_STARS} AS z FROM PCOLLECTION", ["**c", "**f", None]),
        ("SELECT UPPER(mask_left(s, 2)) || s AS z FROM PCOLLECTION", ["XXCAbc", "XXFDef", None]),
        (f"SELECT s AS z FROM PCOLLECTION WHERE {_STARS} = '**f'", ["Def"]),
        ("SELECT z FROM (SELECT mask_left(s, 2) AS z, i FROM PCOLLECTION) WHERE i = 1", ["Xxf"]),
        ("SELECT CASE WHEN i = 0 THEN s ELSE mask(s) END AS z FROM PCOLLECTION", ["Abc", "Xxx", None]),
        ("SELECT mask_right(mask_left(s, 1), 1) AS z FROM PCOLLECTION", ["Xbx", "Xex", None]),
        (
            "SELECT s AS z FROM PCOLLECTION UNION ALL SELECT mask(s) FROM PCOLLECTION WHERE i = 0",
            ["Abc", "Def", None, "Xxx"],
        ),
    ],
)
def test_a_mask_of_a_column_stands_wherever_an_expression_does(query: str, expected: list[str | None]) -> None:
    assert [row["z"] for row in _rows(_lowered(query), ["Abc", "Def", None])] == expected


def test_a_mask_stays_beside_a_row_that_fails() -> None:
    lowered = _lowered("SELECT mask(s) AS z, 10 / i AS y FROM PCOLLECTION")
    assert _rows(lowered, ["A", "b", "1"], [1, 0, 5]) == [{"z": "X", "y": 10}, {"z": "n", "y": 2}]


def test_what_is_only_masked_is_read_as_its_mask_alone_and_is_not_the_column_itself() -> None:
    lowered = _lowered("SELECT mask_left(s, 2) AS s, i FROM PCOLLECTION")
    assert [str(read) for read in lowered.reads] == ['mask_left("s", n := 2)']
    assert lowered.branches[0].bare == ("", "i")
    inner = 'SELECT mask_left("s", n := 2) AS c1, "i" AS c2 FROM PCOLLECTION'
    assert lowered.sql == f'SELECT c1 AS "s", c2 AS "i"\nFROM ({inner})'


def test_large_and_viewed_texts_are_masked_too() -> None:
    for kind in (pa.large_string(), pa.string_view()):
        schema = pa.schema([pa.field("s", kind)])
        lowered = lower(analysed("SELECT mask(s) AS z, s FROM PCOLLECTION WHERE mask(s) <> 'n'", schema))
        assert isinstance(lowered, Lowered)
        batch = pa.RecordBatch.from_arrays([pa.array(["A", "1", None, "b"], kind)], schema=schema)
        ran = LoweredRunner(lowered)(batch).batch
        assert ran.schema.types == [pa.string(), kind]
        assert ran.to_pylist() == [{"z": "X", "s": "A"}, {"z": "x", "s": "b"}]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("mask_left(s, i)", "literal from 0 to"),
        ("mask_left(s, -1)", "literal from 0 to"),
        ("mask_left(s || 'x', 2, '*', '*', '*', '*')", "no equal form but of a column of text"),
        ("mask(s, NULL, NULL, NULL, NULL)", "literals that mask something"),
        ("levenshtein(s, 'x')", "only"),
    ],
)
def test_a_function_without_a_form_for_the_call_says_why(call: str, part: str) -> None:
    analysis = analysed(f"SELECT {call} AS z FROM PCOLLECTION", _SCHEMA)
    why = lower(analysis)
    assert isinstance(why, str)
    assert part in why, (why, analysis.problems)


def test_equal_reads_are_read_once() -> None:
    lowered = _lowered("SELECT mask(s) AS z, mask(s) || 'x' AS y, mask_left(s, 1) AS x FROM PCOLLECTION")
    assert len(lowered.reads) == len(set(lowered.reads)) == 2
    assert all(isinstance(read, Read) and read.column == "s" for read in lowered.reads)
