"""Which arguments make an expression NULL, held against DuckDB on every combination of NULLs."""

import itertools

import duckdb
import pytest
from macro_queries import analysis_of

from blocks.sql.macros.strictness import strict_arguments

CASES = {
    "x + y": "x y",
    "x / NULLIF(y, 0)": "x y",
    "-x": "x",
    "NOT flag": "flag",
    "x > y": "x y",
    "flag AND x > y": "",
    "flag AND (x > 1 AND flag)": "",
    "x > 1 AND x < 2": "x",
    "x IS NULL": "",
    "COALESCE(x, y)": "",
    "COALESCE(x, x + y)": "x",
    "CASE WHEN flag THEN x ELSE x + y END": "x",
    "CASE WHEN flag THEN NULL ELSE x + y END": "x y",
    "CASE WHEN flag THEN x END": "x",
    "CASE WHEN flag THEN 1 ELSE 0 END": "",
    "CASE WHEN flag IS NULL OR x IS NULL THEN NULL ELSE 1 END": "flag x",
    "CASE WHEN flag IS NULL THEN 2 ELSE 1 END": "",
    "CASE x WHEN 1 THEN y ELSE NULL END": "x y",
    "CASE x WHEN 1 THEN 2 ELSE NULL END": "x",
    "CASE x WHEN 1 THEN y ELSE 2 END": "",
    "x BETWEEN y AND 3": "x",
    "x IN (1, y)": "x",
    "text || 'a'": "text",
    "text LIKE 'a%'": "text",
    "CAST(x AS VARCHAR)": "x",
    "UPPER(TRIM(text))": "text",
    "ABS(x) + ROUND(y)": "x y",
    "x = y OR flag": "",
    "(x)": "x",
    "1 + 2": "",
}
ARGUMENTS = ("x", "y", "flag", "text")


@pytest.mark.parametrize("expression", CASES)
def test_arguments_whose_null_makes_the_expression_null_are_found(expression):
    analysis = analysis_of(f"SELECT {expression} AS o FROM PCOLLECTION")
    tree = analysis.tree.selects[0].this
    found = strict_arguments(tree, ARGUMENTS, analysis.calls)
    assert found == set(CASES[expression].split())


@pytest.mark.parametrize("expression", CASES)
def test_none_is_named_that_leaves_the_expression_a_value(expression):
    analysis = analysis_of(f"SELECT {expression} AS o FROM PCOLLECTION")
    tree = analysis.tree.selects[0].this
    strict = strict_arguments(tree, ARGUMENTS, analysis.calls)
    values = {"x": ("NULL", "1"), "y": ("NULL", "2"), "flag": ("NULL", "true", "false"), "text": ("NULL", "'abc'")}
    kinds = {"x": "DOUBLE", "y": "DOUBLE", "flag": "BOOLEAN", "text": "VARCHAR"}
    text = tree.sql(dialect="duckdb")
    for row in itertools.product(*values.values()):
        given = dict(zip(values, row, strict=True))
        columns = ", ".join(f"CAST({value} AS {kinds[name]}) AS {name}" for name, value in given.items())
        ((result,),) = duckdb.sql(f"SELECT {text} FROM (SELECT {columns})").fetchall()
        if any(given[name] == "NULL" for name in strict):
            assert result is None
