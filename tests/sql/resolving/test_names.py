"""What names mean once a query is resolved: which relation, column and field, and what comes out."""

from typing import Any

import pytest
from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.functions.registry import library
from blocks.sql.parsing import parse
from blocks.sql.resolving import resolve
from tests.sql.inputs import inputs


def resolved(query: str) -> Analysis:
    return resolve(parse(query), inputs(), library())


def meanings(query: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Relation, column and path of each column node, in order of the text."""
    analysis = resolved(query)
    assert analysis.problems == []
    nodes: list[Any] = sorted(analysis.tree.find_all(exp.Column), key=lambda node: node.meta["start"])
    found = [analysis.found[id(node)] for node in nodes if id(node) in analysis.found]
    return [(one.relation.alias, one.column.name, one.path) for one in found]


def outputs(query: str) -> list[str]:
    analysis = resolved(query)
    assert analysis.problems == []
    return [
        f"{column.name} {column.type}{'' if column.type.nullable else ' NOT NULL'}" for column in analysis.outputs()
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT user_id FROM orders", [("orders", "user_id", ())]),
        ("SELECT o.user_id FROM orders AS o", [("o", "user_id", ())]),
        ("SELECT beam.orders.user_id FROM orders", [("orders", "user_id", ())]),
        ("SELECT u.address.city FROM users AS u", [("u", "address", ("city",))]),
        ("SELECT address.city FROM users", [("users", "address", ("city",))]),
        ("SELECT `user_id` FROM `orders`", [("orders", "user_id", ())]),
        ("SELECT x.a FROM (SELECT user_id AS a FROM orders) AS x", [("x", "a", ()), ("orders", "user_id", ())]),
        ("SELECT x.a FROM orders AS o, UNNEST(o.marks) AS x(a)", [("x", "a", ()), ("o", "marks", ())]),
        (
            "SELECT 1 FROM orders AS o WHERE EXISTS (SELECT 1 FROM users WHERE user_id = o.user_id)",
            [("users", "user_id", ()), ("o", "user_id", ())],
        ),
    ],
)
def test_a_name_means_the_innermost_column_that_has_it(query: str, expected: list[Any]) -> None:
    assert meanings(query) == expected


def test_a_column_of_a_with_query_hides_an_input_of_its_name() -> None:
    assert outputs("WITH orders AS (SELECT age AS x FROM users) SELECT x FROM orders") == ["x INTEGER"]


def test_names_in_with_see_only_the_queries_before_them() -> None:
    analysis = resolved("WITH b AS (SELECT x FROM a), a AS (SELECT age AS x FROM users) SELECT x FROM b")
    assert [one.code for one in analysis.problems] == ["unknown_table"]


def test_a_star_gives_the_columns_in_order_and_a_shared_one_once() -> None:
    query = """
        SELECT * FROM (SELECT age, user_id FROM users) AS u
        JOIN (SELECT user_id, paid FROM orders) AS o USING (user_id)"""
    assert outputs(query) == ["user_id VARCHAR", "age INTEGER", "paid BOOLEAN"]


def test_the_optional_side_of_an_outer_join_may_be_null() -> None:
    query = "SELECT o.order_id AS a, p.order_id AS b FROM orders AS o {} JOIN orders AS p ON o.order_id = p.order_id"
    assert outputs(query.format("LEFT")) == ["a BIGINT NOT NULL", "b BIGINT"]
    assert outputs(query.format("RIGHT")) == ["a BIGINT", "b BIGINT NOT NULL"]
    assert outputs(query.format("FULL")) == ["a BIGINT", "b BIGINT"]
    assert outputs(query.format("INNER")) == ["a BIGINT NOT NULL", "b BIGINT NOT NULL"]


def test_the_fields_of_a_row_come_out_with_a_star() -> None:
    assert outputs("SELECT u.address.* FROM users AS u") == ["city VARCHAR", "zip VARCHAR"]


def test_unnest_gives_elements_fields_or_keys_and_values() -> None:
    assert outputs("SELECT x.* FROM orders AS o, UNNEST(o.items) AS x") == ["sku VARCHAR", "count INTEGER"]
    assert [one.split()[0] for one in outputs("SELECT x.* FROM orders AS o, UNNEST(o.tags) AS x")] == ["KEY", "VALUE"]
    assert [one.split()[0] for one in outputs("SELECT m FROM orders AS o, UNNEST(o.marks) AS m")] == ["m"]
    with_order = outputs("SELECT x.* FROM orders AS o, UNNEST(o.marks) WITH ORDINALITY AS x(a, b)")
    assert [one.split()[0] for one in with_order] == ["a", "b"]


def test_columns_without_a_name_get_the_planners() -> None:
    assert outputs("SELECT age + 1, user_id, 'x' FROM users") == [
        "EXPR$0 INTEGER",
        "user_id VARCHAR",
        "EXPR$2 CHAR NOT NULL",
    ]


def test_a_union_has_the_names_of_its_first_branch_and_a_type_for_both() -> None:
    assert outputs("SELECT age AS a FROM users UNION ALL SELECT order_id FROM orders") == ["a BIGINT"]


def test_the_branches_of_a_union_stand_behind_each_column() -> None:
    analysis = resolved("SELECT age AS a FROM users UNION ALL SELECT quantity FROM orders UNION SELECT 1 FROM users")
    assert [column.source.sql() for column in analysis.branches(0)] == ["age", "quantity", "1"]


def test_subqueries_in_expressions_are_found_by_their_node() -> None:
    analysis = resolved(
        "SELECT (SELECT MAX(age) FROM users) AS m FROM orders WHERE user_id IN (SELECT user_id FROM users)"
    )
    scalar = analysis.tree.selects[0].this
    query = analysis.tree.find(exp.In).args["query"]
    assert [scope.outputs[0].type.name for node in (scalar, query) for scope in analysis.subqueries[id(node)]] == [
        "INTEGER",
        "VARCHAR",
    ]


def test_an_alias_in_having_stands_for_its_expression() -> None:
    analysis = resolved("SELECT user_id, SUM(quantity) AS s FROM orders GROUP BY user_id HAVING s > 3")
    ((rule, node),) = analysis.tolerated
    assert (rule, analysis.found[id(node)].column.source.sql()) == ("having_alias", "SUM(quantity)")


def test_an_alias_in_order_by_comes_before_a_column() -> None:
    analysis = resolved("SELECT quantity AS order_id FROM orders ORDER BY order_id LIMIT 1")
    node = analysis.tree.args["order"].expressions[0].this
    assert analysis.found[id(node)].column.source.sql() == "quantity"


def test_the_measures_of_match_recognize_are_its_columns() -> None:
    query = """
        SELECT m.* FROM orders MATCH_RECOGNIZE (
          PARTITION BY user_id ORDER BY order_id
          MEASURES A.order_id AS first_id, LAST(B.quantity) AS last_quantity
          PATTERN (A B+) DEFINE B AS B.quantity > 3) AS m"""
    assert [one.split()[0] for one in outputs(query)] == ["user_id", "first_id", "last_quantity"]


def test_a_column_that_is_no_row_hides_one_of_its_name_further_out() -> None:
    inner = "SELECT 1 FROM (SELECT email AS address FROM orders) AS o WHERE address.city = 'x'"
    (problem,) = resolved(f"SELECT name FROM users WHERE EXISTS ({inner})").problems
    assert (problem.code, problem.message) == (
        "unknown_table",
        "`address` is a column of type VARCHAR, which has no fields",
    )
    assert resolved(f"SELECT name FROM users WHERE EXISTS ({inner.replace('AS address', 'AS other')})").problems == []


def test_a_plain_name_in_a_pattern_is_a_column_of_the_table_whatever_variables_there_are() -> None:
    found = meanings(
        "SELECT T.s FROM orders MATCH_RECOGNIZE (PARTITION BY user_id ORDER BY `at` MEASURES LAST(B.amount) AS s "
        "PATTERN (A B+) DEFINE A AS quantity > 1, B AS B.quantity > 2) AS T"
    )
    assert [one for one in found if one[1] == "quantity"] == [("orders", "quantity", ()), ("B", "quantity", ())]
