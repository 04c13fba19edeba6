"""SQL functions are written out so that a query means what it would mean with a function."""

import pytest
from macro_queries import analysis_of, function_file, written_out, written_tree
from sqlglot import exp

from blocks.sql.dialect.beam import Beam
from blocks.sql.functions.registry import library
from blocks.sql.macros import inlining
from blocks.sql.macros.inlining import inline
from blocks.sql.places import place_of
from blocks.sql.problems import SqlCheckError


@pytest.fixture
def own(tmp_path):
    """A registry with SQL functions of a folder."""

    def make(*functions, **more):
        for name, signature, expression in functions:
            function_file(tmp_path, name, signature, expression, **more)
        return library().with_folder(tmp_path)

    return make


def test_a_call_becomes_its_expression():
    assert written_out("safe_divide(x, y)") == "x / NULLIF(y, 0)"


def test_an_argument_of_another_type_is_cast_to_the_type_of_the_signature():
    assert written_out("safe_divide(a, 2)") == "CAST(a AS DOUBLE) / NULLIF(CAST(2 AS DOUBLE), 0)"


def test_the_overload_that_fits_decides_the_casts():
    assert "CAST" not in written_out("zero_if_null(b)")
    assert "CAST" not in written_out("zero_if_null(x)")
    assert written_out("zero_if_null(a)") == "COALESCE(CAST(a AS BIGINT), 0)"


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ("x, 0, 1", "DOUBLE"),
        ("a, 0, 1", "BIGINT"),
        ("b, 0.5, 1", "DECIMAL"),
        ("a, 0, y", "DOUBLE"),
        ("NULL, a, b", "BIGINT"),
        ("CAST(x AS DECIMAL(9, 2)), 0, 1", "DECIMAL"),
    ],
)
def test_the_overload_is_the_narrowest_that_loses_nothing(arguments, kind):
    analysis = analysis_of(f"SELECT clamp({arguments}) AS o FROM PCOLLECTION")
    assert analysis.outputs()[0].type.name == kind


def test_arguments_stand_in_parentheses_where_an_operator_could_reach_into_them():
    assert written_out("safe_divide(x + y, x - y)") == "(x + y) / NULLIF(x - y, 0)"


def test_a_call_stands_in_parentheses_where_an_operator_could_reach_into_it():
    assert written_out("x * safe_divide(x, y)") == "x * (x / NULLIF(y, 0))"
    assert written_out("-z_score(x, 1.0e0, 2.0e0)").startswith("-(")


def test_names_of_arguments_cannot_be_meant_by_columns_of_the_query_or_the_reverse():
    # `number` is an argument of clamp and a column; the column `x` stands for it, and `number` for another argument.
    text = written_out("clamp(x, number, y)")
    assert "WHEN x < number THEN number" in text
    assert "ELSE x" in text
    assert "least" not in text


def test_arguments_are_put_in_all_at_once():
    # Were `least` replaced after `number`, the column `least` of the query would be taken for the argument.
    registry = library()
    analysis = analysis_of("SELECT clamp(number, x, y) AS o FROM PCOLLECTION", registry)
    text = inline(analysis.tree, analysis, registry).selects[0].this.sql(dialect=Beam)
    assert "WHEN number < x THEN x" in text


def test_calls_within_calls_are_written_out(own):
    registry = own(("twice", "(v DOUBLE) RETURNS DOUBLE", "v + v"))
    assert written_out("twice(twice(x))", registry) == "(x + x) + (x + x)"
    assert written_out("safe_divide(twice(x), safe_divide(x, y))", registry) == (
        "(x + x) / NULLIF(x / NULLIF(y, 0), 0)"
    )


def test_functions_in_functions_are_written_out():
    tree = written_tree(
        "SELECT day_part(CAST(text AS TIMESTAMP)) AS o, is_weekend(DATE '2024-05-18') AS p FROM PCOLLECTION"
    )
    assert not [node.name for node in tree.find_all(exp.Anonymous) if library().macro(node.name)]


def test_functions_that_are_not_in_sql_stay():
    assert written_out("null_if_blank(email_domain(text))").count("email_domain(text)") >= 2


def test_a_compiled_function_is_called_by_the_name_that_the_service_has():
    assert written_out("mask_left_v1(text, 2)") == "mask_left(text, 2)"
    assert "email_domain(text)" in written_out("null_if_blank(email_domain_v1(text))")


def test_every_part_of_a_query_is_written_out():
    query = """
        WITH t AS (SELECT safe_divide(x, y) AS r, a FROM PCOLLECTION WHERE yes_no(flag) = 'yes')
        SELECT a, SUM(zero_if_null(r)) AS s FROM t GROUP BY a HAVING safe_divide(SUM(r), 2) > 1
    """
    text = written_tree(query).sql(dialect=Beam)
    assert not any(name in text for name in ("safe_divide", "yes_no", "zero_if_null"))
    assert "SUM(r) / NULLIF(" in text


def test_the_tree_of_the_query_stays_as_it_is():
    analysis = analysis_of("SELECT safe_divide(x, clamp(y, 0, 1)) AS o FROM PCOLLECTION")
    before = analysis.tree.sql(dialect=Beam)
    first = inline(analysis.tree, analysis, library()).sql(dialect=Beam)
    assert analysis.tree.sql(dialect=Beam) == before
    assert inline(analysis.tree, analysis, library()).sql(dialect=Beam) == first


def test_a_part_of_a_tree_can_be_written_out_alone():
    analysis = analysis_of("SELECT safe_divide(x, y) AS o FROM PCOLLECTION")
    assert inline(analysis.tree.selects[0].this, analysis, library()).sql(dialect=Beam) == "x / NULLIF(y, 0)"


def test_a_query_without_such_functions_is_copied():
    analysis = analysis_of("SELECT x + y AS o FROM PCOLLECTION")
    copy = inline(analysis.tree, analysis, library())
    assert copy == analysis.tree
    assert copy is not analysis.tree


def test_a_null_argument_gives_null_where_the_expression_would_not():
    assert written_out("yes_no(flag)").startswith("CASE WHEN flag IS NULL THEN NULL ELSE CASE")


def test_no_test_for_null_stands_around_an_expression_that_is_null_by_itself():
    assert "IS NULL" not in written_out("safe_divide(x, y)")
    assert "IS NULL" not in written_out("percent_change(x, y)")


def test_no_test_for_null_stands_around_an_argument_that_never_is():
    assert "IS NULL" not in written_out("clamp(n, 0, 10)")
    assert written_out("clamp(b, 0, n)").startswith("CASE WHEN b IS NULL THEN NULL ELSE")


def test_a_literal_null_gives_a_null_of_the_declared_type():
    assert written_out("safe_divide(NULL, y)") == "CAST(NULL AS DOUBLE)"
    assert written_out("year_month(CAST(NULL AS DATE))") != "CAST(NULL AS INTEGER)"


def test_a_function_that_decides_on_null_itself_gets_a_typed_null():
    text = written_out("coalesce_blank(NULL, 'a')")
    assert "CAST(NULL AS VARCHAR)" in text
    assert text.startswith("COALESCE(")


def test_the_result_has_the_declared_type(own):
    # Without the cast the literal would be CHAR(1).
    registry = own(("letter", "(v BIGINT) RETURNS VARCHAR", "CASE WHEN v > 0 THEN 'a' ELSE NULL END"))
    assert written_out("letter(b)", registry).endswith("AS VARCHAR)") or "CASE" in written_out("letter(b)", registry)
    assert analysis_of("SELECT letter(b) AS o FROM PCOLLECTION", registry).outputs()[0].type.name == "VARCHAR"


def test_a_bare_argument_does_not_give_its_name_to_the_result(own):
    registry = own(("same", "(v DOUBLE) RETURNS DOUBLE", "v"))
    tree = written_tree("SELECT same(x) FROM PCOLLECTION", registry)
    assert not isinstance(tree.selects[0], exp.Column)


def test_an_argument_that_changes_cannot_stand_twice():
    query = "SELECT\n  clamp(RAND(), 0.1, 0.9) AS o FROM PCOLLECTION"
    with pytest.raises(SqlCheckError) as caught:
        written_tree(query)
    (problem,) = caught.value.problems
    assert (problem.code, problem.line, problem.column) == ("inlining", 2, 9)
    assert problem.what == "`clamp` uses its argument `number` more than once, and RAND is not the same each time"


def test_an_argument_that_changes_may_stand_once():
    assert written_out("safe_divide(RAND(), y)") == "RAND() / NULLIF(y, 0)"


def test_a_query_that_would_grow_past_the_bound_is_refused(monkeypatch, own):
    registry = own(("twice", "(v DOUBLE) RETURNS DOUBLE", "v + v"))
    monkeypatch.setattr(inlining, "MAX_NODES", 500)
    nested = "x"
    for _ in range(12):
        nested = f"twice({nested})"
    with pytest.raises(SqlCheckError) as caught:
        written_out(nested, registry)
    (problem,) = caught.value.problems
    assert problem.code == "too_large"
    assert problem.what == "with `twice` written out the query has more than 500 parts"


def test_what_comes_from_a_function_points_to_the_call_and_arguments_to_themselves():
    query = "SELECT x AS a,\n  safe_divide(x, y + 1) AS o FROM PCOLLECTION"
    tree = written_tree(query)
    division = tree.selects[1].this
    assert (place_of(division).line, place_of(division).column) == (2, 3)
    added = division.find(exp.Add)
    assert (place_of(added).line, place_of(added).column) == (2, 18)


def test_comments_of_a_file_do_not_come_into_the_query(own):
    registry = own(("half", "(v DOUBLE) RETURNS DOUBLE", "v / /* two */ 2 -- of it"))
    assert "two" not in written_out("half(x)", registry)
