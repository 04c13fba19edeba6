"""Functions in Java with an equal form in DuckDB run without a JVM, and only where the form is equal."""

import pyarrow as pa
import pytest

from blocks.sql.analysis import Table
from blocks.sql.functions.model import DuckdbForm
from blocks.sql.functions.registry import library
from blocks.sql.lowering import LoweredRunner, lower
from blocks.sql.parsing import parse
from blocks.sql.resolving import resolve

SCHEMA = pa.schema([("text", pa.string()), ("many", pa.int64())])
BATCH = pa.RecordBatch.from_pydict({"text": ["Ada-42 Öl", None, ""], "many": [1, 2, 3]}, schema=SCHEMA)


def lowered(expression):
    parsed = parse(f"SELECT {expression} AS o FROM PCOLLECTION")
    analysis = resolve(parsed, {"PCOLLECTION": Table("PCOLLECTION", SCHEMA)}, library())
    assert not analysis.problems
    return lower(analysis)


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("mask(text)", "Xxx-nn-Xx"),
        ("mask_left(text, 2)", "Xxa-42 Öl"),
        ("mask_left_v1(text, 2)", "Xxa-42 Öl"),
        ("mask_right(text, 2)", "Ada-42 Xx"),
        ("mask_keep_left(text, 2)", "Adx-nn-Xx"),
        ("mask_keep_right(text, 2)", "Xxx-nn-Öl"),
        ("mask_left(text, 3, '*', '.', NULL, NULL)", "*..-42 Öl"),
        ("url_encode(text)", "Ada-42%20%C3%96l"),
    ],
)
def test_a_call_within_the_bounds_runs_in_process(expression, first):
    ran = LoweredRunner(lowered(expression))(BATCH)
    assert ran.batch.column(0).to_pylist() == [first, None, ""]


@pytest.mark.parametrize(
    "expression",
    [
        "mask_left(text, many)",
        "mask_left(text, -1)",
        "mask_left(text || 'x', 2, '*', '*', '*', '*')",
        "mask_left(text, 2, '**', '*', '*', '*')",
        "mask_left(text, 2, text, '*', '*', '*')",
        "mask(text, NULL, NULL, NULL, NULL)",
        "sha2(text, 512)",
        "email_domain(text)",
    ],
)
def test_a_call_without_an_equal_form_is_left_to_beam(expression):
    assert isinstance(lowered(expression), str)


def test_braces_of_a_form_that_are_no_argument_stay():
    form = DuckdbForm(r"regexp_replace({text}, '\p{Lu}{2}', '{other}')")
    assert form.over({"text": "(a)"}) == r"regexp_replace((a), '\p{Lu}{2}', '{other}')"
