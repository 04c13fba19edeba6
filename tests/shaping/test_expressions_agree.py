"""Expressions mean what DuckDB means: the same grouping of operators, and the same values as plain DuckDB."""

import itertools
import json
import re
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from expression_data import BATCH, values

from blocks.shaping.expressions import Runner, parse_expressions, read_syntax
from blocks.shaping.expressions.columns import find_columns
from blocks.shaping.expressions.compile import to_sql
from blocks.shaping.expressions.engine import connect

LETTERS = pa.schema([(name, pa.int64()) for name in "abcd"])
BINARY = [
    *("=", "<>", "<", "<=", "AND", "OR", "+", "-", "*", "/", "//", "%", "||"),
    *("IS DISTINCT FROM", "IS NOT DISTINCT FROM", "LIKE", "NOT LIKE"),
]
UNARY = [
    "NOT a {} b",
    "- a {} b",
    "a {} - b",
    "a {} b IS NULL",
    "a {} b IS NOT NULL",
    "a {} b IS TRUE",
    "a {} b IS NOT FALSE",
    "a {} b IN (1, 2)",
    "a {} b NOT IN (1, 2)",
    "a {} b BETWEEN c AND d",
    "a BETWEEN b AND c {} d",
    "a NOT BETWEEN b AND c {} d",
    "a {} b::INTEGER",
    "a IN (1) {} b",
    "a {} DATE '2026-01-01'",
    "a {} CASE WHEN b THEN c END",
]
SINGLE = ["NOT NOT a", "- - a", "- a::INTEGER", "NOT a IN (1)", "NOT a = b", "a IS NULL IS NULL"]


def grouping(connection: Any, sql: str) -> Any:
    """DuckDB's own tree of an expression, without places; None if it does not read it."""
    (text,) = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT {sql}"]).fetchone()
    tree = json.loads(text)
    return None if tree["error"] else _without_places(tree)


def _without_places(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [_without_places(value) for value in tree] if isinstance(tree, list) else tree


def test_operators_group_as_in_duckdb() -> None:
    connection = duckdb.connect()
    texts = [f"a {one} b {other} c" for one, other in itertools.product(BINARY, BINARY)]
    texts += [form.format(operator) for operator in BINARY for form in UNARY]
    compared = 0
    for text in [*texts, *SINGLE]:
        syntax = read_syntax(text, "where", [])
        wanted = grouping(connection, text)
        if syntax is None or wanted is None:
            # Refused by one of them: nothing is read in two ways.
            continue
        sql = to_sql(syntax.tree, find_columns(syntax, LETTERS, []))
        assert grouping(connection, re.sub(r"\bc(\d)\b", lambda found: "abcd"[int(found[1])], sql)) == wanted, text
        compared += 1
    assert compared > 400


# Text over the columns of `expression_data`, which are read under the same names.
SAME = [
    "upper(name) || '!'",
    "lower(name)",
    "length(name)",
    "trim('  a ')",
    "ltrim(name, 'A')",
    "left(name, 2)",
    "right(name, 1)",
    "substring(name, 2, 2)",
    "replace(name, 'n', 'm')",
    "starts_with(name, 'A')",
    "contains(name, 'o')",
    "strpos(name, 'n')",
    "concat(name, NULL, 'x')",
    "concat_ws('-', name, NULL, text)",
    "lpad(name, 5, '*')",
    "split_part(name, 'n', 1)",
    "string_split(text, '1')",
    "array_to_string(string_split('a,b', ','), '-')",
    "regexp_matches(name, '^A')",
    "regexp_full_match(name, 'A.*')",
    "regexp_extract(name, '([A-Z])', 1)",
    "regexp_replace(name, 'n', 'm', 'g')",
    "md5(name)",
    "sha256(name)",
    "name LIKE '%n'",
    "name NOT LIKE '%n'",
    "name ILIKE 'ANN'",
    "name LIKE 'A!%' ESCAPE '!'",
    "name IN ('Ann', 'x')",
    "name NOT IN ('Ann', 'x')",
    "name IN ('Ann', NULL)",
    "name IS NULL",
    "name IS NOT NULL",
    "name IS DISTINCT FROM NULL",
    "name = 'Ann'",
    "name < 'b'",
    "coalesce(name, 'x')",
    "ifnull(name, 'x')",
    "nullif(name, 'Ann')",
    "greatest(n, 1, NULL)",
    "least(id, 2)",
    "if(n > 0, 'yes', 'no')",
    "CASE n WHEN 0 THEN 'zero' WHEN 2 THEN 'two' END",
    "CASE WHEN x > 1 THEN id ELSE 0 END",
    "id + 1",
    "id * 1.5",
    "id / 2",
    "id // 2",
    "-id // 2",
    "id % 2",
    "-id % 2",
    "x / 0",
    "id / n",
    "abs(-id)",
    "sign(x)",
    "round(x, 0)",
    "floor(x)",
    "ceil(x)",
    "trunc(-1.5)",
    "sqrt(id)",
    "isnan(x)",
    "isinf(x)",
    "x > 1",
    "x = x",
    "amount * 2",
    "amount + 0.005",
    "amount / 3",
    "CAST(amount AS DECIMAL(10, 1))",
    "CAST(x AS VARCHAR)",
    "CAST(id AS DOUBLE)",
    "TRY_CAST(text AS INTEGER)",
    "try(CAST(text AS INTEGER))",
    "year(at)",
    "EXTRACT(hour FROM at)",
    "date_part('dow', at)",
    "date_trunc('day', at)",
    "at + INTERVAL 1 MONTH",
    "at - INTERVAL 90 MINUTES",
    "at + to_hours(n)",
    "date_diff('minute', at, TIMESTAMPTZ '2026-01-02 00:00:00+00')",
    "at >= '2026-01-01 10:30:00'",
    "at BETWEEN '2026-01-01' AND '2026-01-01 10:00:00'",
    "CAST(at AS DATE)",
    "CAST('2026-01-01' AS TIMESTAMPTZ)",
    "strftime(at, '%Y-%m-%d %H')",
    "try_strptime(text, '%d')",
    "epoch(at)",
    "epoch_ms(at)",
    "to_timestamp(id)",
    "time_bucket(INTERVAL 1 HOUR, at)",
    "make_date(2026, 1, id)",
    "day + 1",
    "last_day(day)",
    "dayname(day)",
    "len(items)",
    "items[1].sku",
    "items[-1].price * 2",
    "items[5].sku",
    "items[id].sku",
    "tags['k']",
    "tags['other']",
    "map_keys(tags)",
    "cardinality(tags)",
    "user.country",
    "user.country || user.email",
    "list_contains(map_keys(tags), 'k')",
    "x > 1 AND name IS NULL",
    "x > 1 OR name IS NULL",
    "NOT (x > 1)",
    "NULL OR TRUE",
    "NULL = NULL OR id = 1",
    "id BETWEEN 2 AND 3",
]


def test_the_values_are_those_of_plain_duckdb() -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("given", pa.Table.from_batches([BATCH]).drop_columns(["wide"]))
    # `at` is a word of DuckDB's grammar.
    columns = ", ".join(re.sub(r"\bat\b", '"at"', text) + f" AS o{number}" for number, text in enumerate(SAME))
    wanted = connection.sql(f"SELECT {columns} FROM given").to_arrow_table()
    expressions = parse_expressions({text: text for text in SAME}, BATCH.schema)
    found = Runner(list(expressions.values()))(BATCH)
    assert not any(rows is not None for rows in found.failed)
    for text, ours, theirs in zip(SAME, found.columns, wanted.columns, strict=True):
        assert (text, repr(ours.to_pylist())) == (text, repr(theirs.to_pylist()))


def test_division_of_whole_numbers_gives_a_double_and_infinity() -> None:
    assert repr(values("id / n")) == "[inf, None, 1.5]"
    assert repr(values("(id - 1) / n")) == "[nan, None, 1.0]"


def test_the_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert values("EXTRACT(hour FROM at)") == [10, None, 11]
    assert values("CAST('2026-01-01 00:00:00' AS TIMESTAMPTZ) = TIMESTAMPTZ '2026-01-01 00:00:00+00'") == [True] * 3


def test_nothing_leads_out_of_the_engine() -> None:
    connection = connect()
    hidden = pa.table({"a": [1]})
    for query in (
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO 'file.csv'",
        "ATTACH 'file.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET TimeZone = 'Asia/Tokyo'",
        "SET enable_external_access = true",
        "SELECT * FROM hidden",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(query)
    assert hidden.num_rows == 1
