"""check_sql as its users see it: what it gives, what it raises, and that size does not stop it."""

import subprocess
import sys

import pyarrow as pa
import pytest

import blocks
from blocks.sql.analysis import Table
from tests.sql.inputs import inputs

ORDER = pa.schema([("user_id", pa.string()), ("amount", pa.int64())])


def codes(query: str, strict: bool = False, unbounded: tuple[str, ...] = ()) -> list[str]:
    try:
        blocks.check_sql(query, inputs(unbounded), strict=strict)
    except blocks.SqlCheckError as error:
        return [one.code for one in error.problems]
    return []


def test_it_gives_the_schema_of_the_result() -> None:
    checked = blocks.check_sql(
        "SELECT user_id, amount * 2 AS twice FROM PCOLLECTION WHERE amount > 1", {"PCOLLECTION": ORDER}
    )
    assert checked.schema == pa.schema([("user_id", pa.string()), ("twice", pa.int64())])


def test_a_column_that_is_passed_on_keeps_its_arrow_type() -> None:
    schema = pa.schema([("small", pa.uint8()), ("text", pa.large_string()), ("price", pa.decimal128(18, 2))])
    checked = blocks.check_sql("SELECT small, text, price, price + 1 AS more FROM PCOLLECTION", {"PCOLLECTION": schema})
    assert checked.schema.types == [pa.uint8(), pa.large_string(), pa.decimal128(18, 2), pa.decimal128(38, 9)]


def test_it_raises_a_value_error_with_every_problem_in_order_of_the_text() -> None:
    with pytest.raises(ValueError, match="2 problems") as raised:
        blocks.check_sql("SELECT usr_id,\n  amont FROM PCOLLECTION", {"PCOLLECTION": ORDER})
    assert isinstance(raised.value, blocks.SqlCheckError)
    found = [(one.line, one.column, one.code, one.message) for one in raised.value.problems]
    assert found == [
        (1, 8, "unknown_column", "unknown column `usr_id` in PCOLLECTION"),
        (2, 3, "unknown_column", "unknown column `amont` in PCOLLECTION"),
    ]
    assert raised.value.problems[0].hint == "did you mean `user_id`? columns: user_id, amount"


def test_an_unknown_column_within_an_expression_is_told_once() -> None:
    assert codes("SELECT UPPER(emial) || 'x' AS a FROM orders WHERE LENGTH(emial) > 3") == ["unknown_column"] * 2


def test_an_unknown_table_is_told_once_and_not_again_for_its_columns() -> None:
    assert codes("SELECT x.a, x.b, c FROM nothing AS x WHERE x.d = 1 ORDER BY e LIMIT 2") == ["unknown_table"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT o.order_id FROM orders AS o JOIN users AS u ON o.user_id = u.user_id WHERE u.age > 3",
        "SELECT o.order_id FROM orders AS o JOIN users AS u ON UPPER(o.user_id) = u.user_id WHERE o.quantity > 2",
        "SELECT o.order_id FROM orders AS o, users AS u WHERE o.user_id = u.user_id AND (u.age = 1 OR u.age = 2)",
        "SELECT o.order_id FROM orders AS o LEFT JOIN (SELECT user_id FROM users WHERE age > 3) AS u "
        "ON o.user_id = u.user_id",
        "SELECT order_id FROM orders JOIN users USING (user_id)",
        "SELECT order_id FROM orders WHERE user_id IN (SELECT user_id FROM users WHERE age > 3)",
        "SELECT order_id FROM orders AS o WHERE EXISTS (SELECT 1 FROM users AS u WHERE u.user_id = o.user_id)",
        "SELECT order_id, x.mark FROM orders AS o, UNNEST(o.marks) AS x(mark)",
        "SELECT x.sku, x.`count` FROM orders AS o CROSS JOIN UNNEST(o.items) AS x",
        "SELECT u.address.city AS city, tags['a'] AS a FROM users AS u, orders AS o WHERE u.user_id = o.user_id",
        "SELECT items[1].sku AS sku, (items[2]).`count` AS c FROM orders",
        "SELECT HOP_END(`at`, INTERVAL '1' HOUR, INTERVAL '1' DAY) AS h, COUNT(*) AS c "
        "FROM orders GROUP BY HOP(`at`, INTERVAL '1' HOUR, INTERVAL '1' DAY)",
        "SELECT user_id, SUM(quantity) AS s FROM orders GROUP BY user_id HAVING SUM(quantity) > 3 ORDER BY s LIMIT 3",
        "SELECT user_id || 'x' AS u, COUNT(*) AS c FROM orders GROUP BY user_id || 'x'",
        "SELECT DISTINCT user_id, quantity FROM orders",
        "WITH a AS (SELECT age AS q FROM users), b AS (SELECT q FROM a) SELECT q FROM b UNION ALL SELECT q FROM a",
        "SELECT order_id FROM (SELECT order_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY order_id) AS n "
        "FROM orders) WHERE n = 1",
        "SELECT CASE WHEN quantity > 1 THEN 'a' ELSE 'b' END AS k FROM orders",
        "SELECT * FROM users",
        "SELECT order_id FROM orders LIMIT 3",
    ],
)
def test_what_beam_can_do_has_no_problem_even_in_strict_mode(query: str) -> None:
    assert codes(query, strict=True) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT order_id AS value FROM orders WHERE order_id != 3;",
        "SELECT user_id AS u, COUNT(*) AS c FROM orders GROUP BY u HAVING c > 1",
        "SELECT user_id, COUNT(*) AS c FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
        "SELECT address.city AS city FROM users",
        "SELECT quantity % 2 AS odd, CAST(order_id AS STRING) AS s FROM orders",
        "SELECT o.order_id, u.name FROM orders AS o JOIN users AS u ON o.user_id = u.user_id AND u.age > 3",
        "SELECT o.order_id FROM orders AS o LEFT JOIN users AS u ON o.user_id = u.user_id AND u.age > 3",
    ],
)
def test_what_every_user_writes_passes_unless_strict(query: str) -> None:
    assert codes(query) == []
    assert codes(query, strict=True) != []


def test_boundedness_decides_only_where_it_is_known() -> None:
    query = "SELECT user_id, COUNT(*) AS c FROM orders GROUP BY user_id"
    assert codes(query) == []
    assert codes(query, unbounded=("users",)) == []
    assert codes(query, unbounded=("orders",)) == ["unsupported"]


def test_windows_before_the_query_let_an_unbounded_input_be_grouped() -> None:
    tables = {"orders": Table("orders", ORDER, bounded=False, windowed=True)}
    assert blocks.check_sql("SELECT user_id, COUNT(*) AS c FROM orders GROUP BY user_id", tables).schema.names == [
        "user_id",
        "c",
    ]


def test_a_thousand_parentheses_around_one_another_are_one() -> None:
    checked = blocks.check_sql(f"SELECT {'(' * 1000}amount{')' * 1000} AS a FROM t", {"t": ORDER})
    assert checked.schema.names == ["a"]


def test_a_thousand_levels_of_parentheses_are_a_clear_error() -> None:
    assert codes(f"SELECT {'(1 + ' * 1000}1{')' * 1000} AS a FROM orders") == ["too_large"]


def test_a_hundred_levels_are_read() -> None:
    checked = blocks.check_sql(f"SELECT {'(1 + ' * 100}amount{')' * 100} AS a FROM t", {"t": ORDER})
    assert checked.schema.types == [pa.int64()]


@pytest.mark.parametrize("word", ["AND", pytest.param("OR", marks=pytest.mark.slow)])
def test_five_thousand_conditions_are_no_levels(word: str) -> None:
    conditions = f" {word} ".join(f"amount > {number}" for number in range(5000))
    assert blocks.check_sql(f"SELECT amount FROM t WHERE {conditions}", {"t": ORDER}).schema.names == ["amount"]


def test_five_thousand_columns_are_checked() -> None:
    schema = pa.schema([(f"c{number}", pa.int64()) for number in range(5000)])
    query = "SELECT " + ", ".join(f"c{number} AS d{number}" for number in range(5000)) + " FROM t"
    assert len(blocks.check_sql(query, {"t": schema}).schema) == 5000
    assert len(blocks.check_sql("SELECT * FROM t", {"t": schema}).schema) == 5000


@pytest.mark.slow
def test_a_query_of_a_megabyte_is_checked() -> None:
    values = ", ".join(f"'{number:06d}'" for number in range(100_000))
    query = f"SELECT user_id FROM t WHERE user_id IN ({values})"
    assert len(query) > 1_000_000
    assert blocks.check_sql(query, {"t": ORDER}).schema.names == ["user_id"]


def test_a_query_past_the_bound_is_refused_at_once() -> None:
    assert codes("SELECT order_id FROM orders -- " + "x" * 4_000_001) == ["too_large"]


def test_neither_beam_nor_a_jvm_is_needed() -> None:
    program = (
        "import sys, pyarrow as pa, blocks\n"
        "blocks.check_sql('SELECT a + 1 AS b FROM t', {'t': pa.schema([('a', pa.int64())])})\n"
        "sys.exit(','.join(name for name in ('apache_beam', 'grpc', 'tensorflow') if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(("dialect", "near"), [("bigqury", "did you mean `bigquery`? "), ("mysql", "")])
def test_a_dialect_that_is_none_is_told_as_run_sql_tells_it(dialect: str, near: str) -> None:
    with pytest.raises(blocks.ConfigError) as caught:
        blocks.check_sql("SELECT user_id FROM orders", inputs(), dialect=dialect)
    assert str(caught.value) == (
        f"no dialect `{dialect}`\n  where: check_sql: dialect\n"
        f"  to do: {near}there is: beam, bigquery, duckdb, spark, postgres, snowflake"
    )


def test_a_wrong_dialect_and_functions_that_are_not_there_are_told_at_once(tmp_path) -> None:
    with pytest.raises(blocks.ConfigError) as caught:
        blocks.check_sql("SELECT user_id FROM orders", inputs(), dialect="mysql", sql_udfs=[tmp_path / "none"])
    assert caught.value.problems[0].what == "no dialect `mysql`"
    assert len(caught.value.problems) == 2
