"""The library's SQL functions: sound, and with the results of their examples on both engines, for ever."""

import pyarrow as pa
import pytest
from example_runs import analysed, current, on_beam, on_duckdb, recorded, schema_of, typed
from sqlglot import exp

from blocks.sql.checks import CHECKS
from blocks.sql.dialect.beam import Beam
from blocks.sql.functions.registry import library
from blocks.sql.macros.checks import cycles, problems_of
from blocks.sql.macros.macro import library_macros, sql_udfs_folder
from blocks.sql.parsing import parse
from blocks.sql.types import to_arrow

MACROS = library_macros()
EVERY = pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.function.name)


@EVERY
def test_an_expression_is_sound_and_of_its_declared_type(macro):
    assert problems_of(macro, library()) == []


def test_no_function_calls_itself():
    assert list(cycles(MACROS, library())) == []


def test_there_are_at_least_fifteen_functions_and_every_file_is_one():
    assert len(MACROS) == len(list(sql_udfs_folder().iterdir())) >= 15


@EVERY
def test_an_example_has_its_result_on_duckdb(macro):
    examples = macro.function.examples
    found = on_duckdb([one for call, result in examples for one in (call, typed(call, result))])
    assert found[::2] == found[1::2]
    for value, (_, result) in zip(found[::2], examples, strict=True):
        assert (value is None) == (result == "NULL")


@pytest.mark.jvm
def test_every_example_has_its_result_on_beam():
    examples = [example for macro in MACROS for example in macro.function.examples]
    found = on_beam([one for call, result in examples for one in (call, typed(call, result))])
    wrong = [
        (call, got, wanted)
        for (call, _), got, wanted in zip(examples, found[::2], found[1::2], strict=True)
        if got != wanted
    ]
    assert wrong == []


@EVERY
def test_every_overload_has_its_declared_type_when_written_out(macro):
    for overload in macro.function.overloads:
        arguments = ", ".join(f"CAST(NULL AS {argument.type})" for argument in overload.arguments)
        analysis = analysed([f"{macro.function.name}({arguments})"])
        assert schema_of(analysis).field(0).type == to_arrow(overload.returns)


@EVERY
def test_a_call_over_columns_has_no_problem_when_written_out(macro):
    for overload in macro.function.overloads:
        fields = [pa.field(argument.name, to_arrow(argument.type)) for argument in overload.arguments]
        names = ", ".join(argument.name for argument in overload.arguments)
        analysis = analysed([f"{macro.function.name}({names})"], pa.schema(fields))
        assert [*analysis.problems, *(problem for check in CHECKS for problem in check(analysis))] == []
        assert analysis.tolerated == []


@EVERY
def test_null_arguments_do_what_the_head_says(macro):
    name, nulls = macro.function.name, macro.function.nulls
    if nulls == "call":
        pytest.skip("the expression decides, and the examples show what")
    calls = []
    for call, _ in macro.function.examples:
        tree = parse(f"SELECT {call} AS o FROM t").tree.selects[0].this
        # Each argument in turn is NULL.
        for place, argument in enumerate(macro.function.overloads[0].arguments):
            given = [one.sql(dialect=Beam) for one in tree.expressions]
            if not isinstance(tree.expressions[place], exp.Null):
                given[place] = f"CAST(NULL AS {argument.type})"
            calls.append(f"{name}({', '.join(given)})")
    found = on_duckdb(calls)
    assert all((value is None) == (nulls == "null") for value in found)


def test_what_was_recorded_of_a_version_still_holds():
    examples = [(call, result) for name, calls in recorded().items() for call, result in calls.items()]
    found = on_duckdb([one for call, result in examples for one in (call, typed(call, result))])
    assert found[::2] == found[1::2]


def test_every_example_is_recorded():
    kept = recorded()
    missing = {name for name, calls in current().items() if not calls.items() <= kept.get(name, {}).items()}
    assert not missing, (
        "run tests/sql/macros/example_runs.py for new examples; a result that changes needs a new version"
    )


def test_no_recorded_version_is_gone():
    assert recorded().keys() <= current().keys()
