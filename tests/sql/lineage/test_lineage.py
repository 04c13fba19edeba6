"""Labels through SQL: what an output column is made of, planted cases that launder a label, and functions that hide."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from blocks import check_sql
from blocks.core import labels
from blocks.core.labels import Masked
from blocks.sql.problems import SqlCheckError


def field(name: str, data_type: pa.DataType, *names: str, masked: Masked | None = None) -> pa.Field:
    made = labels.with_labels(pa.field(name, data_type), names)
    return labels.put(made, {labels.MASKED: masked.to_json()}) if masked else made


CODE = Masked("hmac", "main", {"domain": "pii.id"}, "string")
# Two fields of one name, of which the private one lies behind a list.
DEEP = pa.struct(
    [
        pa.field("inner_", pa.struct([pa.field("x", pa.list_(pa.struct([field("y", pa.string(), "pii.deep")])))])),
        pa.field("other", pa.struct([pa.field("inner_", pa.struct([field("x", pa.string(), "public")]))])),
    ]
)
EVENTS = pa.schema(
    [
        field("user_id", pa.string(), "public"),
        field("email", pa.string(), "pii.email"),
        field("ssn", pa.string(), "pii.ssn"),
        field("code", pa.string(), "pii.id", masked=CODE),
        field("amount", pa.float64(), "public"),
        field("plain", pa.string()),
        labels.put(field("at", pa.timestamp("us", tz="UTC"), "public"), {labels.EVENT_TIME: "true"}),
        field("who", pa.struct([field("city", pa.string(), "pii.city"), field("age", pa.int32(), "public")])),
        field("tags", pa.list_(pa.string()), "pii.tags"),
        field("born", pa.timestamp("ms", tz="UTC"), "pii.born"),
        field("deep", DEEP),
    ]
)
PEOPLE = pa.schema(
    [
        field("user_id", pa.string(), "public"),
        field("name", pa.string(), "pii.name"),
        field("kind", pa.string(), "public"),
    ]
)
TABLES = {"events": EVENTS, "people": PEOPLE}


def found(query: str, **more: int) -> dict[str, set[str]]:
    """Labels of each output column."""
    return {one.name: set(labels.labels_of(one)) for one in check_sql(query, TABLES, **more).schema}


# A query that tries to get a label off a value, and the labels that its columns have all the same.
LAUNDERED: dict[str, dict[str, set[str]]] = {
    "SELECT email || '' AS x FROM events": {"x": {"pii.email"}},
    "SELECT UPPER(email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT SUBSTRING(email FROM 1 FOR 3) AS x FROM events": {"x": {"pii.email"}},
    "SELECT CHAR_LENGTH(email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT CAST(ssn AS BIGINT) AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT CASE WHEN ssn = '1' THEN 1 ELSE 0 END AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT CASE ssn WHEN '1' THEN 'a' ELSE 'b' END AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT CASE WHEN amount > 1 THEN email ELSE user_id END AS x FROM events": {"x": {"public", "pii.email"}},
    "SELECT COALESCE(user_id, email) AS x FROM events": {"x": {"public", "pii.email"}},
    "SELECT NULLIF(user_id, email) AS x FROM events": {"x": {"public", "pii.email"}},
    "SELECT ssn IS NULL AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT ssn = '1' AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT ssn LIKE '1%' AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT ssn IN ('1', '2') AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT ssn BETWEEN '1' AND '2' AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT POSITION('@' IN email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT REPLACE(email, '@', '#') AS x FROM events": {"x": {"pii.email"}},
    "SELECT MD5(email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT email_domain(email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT sha2(email, 256) AS x FROM events": {"x": {"pii.email"}},
    "SELECT ROW(email, 1) AS x FROM events": {"x": {"pii.email"}},
    "SELECT ARRAY[email] AS x FROM events": {"x": {"pii.email"}},
    "SELECT tags[1] AS x FROM events": {"x": {"pii.tags"}},
    "SELECT events.who.city AS x FROM events": {"x": {"pii.city"}},
    "SELECT events.who AS x FROM events": {"x": {"public", "pii.city"}},
    "SELECT x FROM (SELECT email AS x FROM events)": {"x": {"pii.email"}},
    "WITH a AS (SELECT email AS x FROM events), b AS (SELECT x AS y FROM a) SELECT y AS z FROM b": {"z": {"pii.email"}},
    "SELECT user_id AS x FROM events UNION ALL SELECT email FROM events": {"x": {"public", "pii.email"}},
    "SELECT x FROM (SELECT user_id AS x FROM events UNION ALL SELECT ssn FROM events)": {"x": {"public", "pii.ssn"}},
    "SELECT user_id FROM events WHERE ssn = '1'": {"user_id": {"public", "pii.ssn"}},
    "SELECT user_id FROM events WHERE amount > 1 AND NOT (ssn <> '1')": {"user_id": {"public", "pii.ssn"}},
    "SELECT 1 AS x FROM events WHERE email LIKE 'a%'": {"x": {"pii.email"}},
    "SELECT COUNT(*) AS n FROM events WHERE ssn = '1'": {"n": {"pii.ssn"}},
    "SELECT user_id, COUNT(*) AS n FROM events GROUP BY user_id HAVING MAX(ssn) = '1'": {
        "user_id": {"public", "pii.ssn"},
        "n": {"pii.ssn"},
    },
    "SELECT user_id FROM (SELECT user_id FROM events WHERE ssn = '1')": {"user_id": {"public", "pii.ssn"}},
    "SELECT user_id FROM people WHERE user_id IN (SELECT user_id FROM events WHERE ssn = '1')": {
        "user_id": {"public", "pii.ssn"}
    },
    "SELECT user_id FROM people p WHERE EXISTS (SELECT 1 FROM events e WHERE e.ssn = '1' AND e.user_id = p.user_id)": {
        "user_id": {"public", "pii.ssn"}
    },
    "SELECT p.kind FROM people p JOIN events e ON p.user_id = e.user_id AND e.ssn = '1'": {
        "kind": {"public", "pii.ssn"}
    },
    "SELECT p.kind FROM people p JOIN (SELECT user_id FROM events WHERE ssn = '1') e ON p.user_id = e.user_id": {
        "kind": {"public", "pii.ssn"}
    },
    "SELECT user_id FROM events INTERSECT SELECT name FROM people": {"user_id": {"public", "pii.name"}},
    "SELECT user_id FROM events EXCEPT SELECT name FROM people": {"user_id": {"public", "pii.name"}},
    "SELECT x.user_id FROM (SELECT user_id, ssn FROM events ORDER BY ssn LIMIT 1) AS x": {
        "user_id": {"public", "pii.ssn"}
    },
    "SELECT MAX(email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT ANY_VALUE(ssn) AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT COUNT(CASE WHEN ssn = '1' THEN 1 END) AS n FROM events": {"n": {"pii.ssn"}},
    "SELECT SUM(CASE WHEN ssn = '1' THEN 1 ELSE 0 END) AS n FROM events": {"n": {"pii.ssn"}},
    "SELECT collect_list(email) AS x FROM events": {"x": {"pii.email"}},
    "SELECT top_k(email, 3) AS x FROM events": {"x": {"pii.email"}},
    "SELECT mask_left(email, 0) AS x FROM events": {"x": {"pii.email"}},
    "SELECT mask_keep_left(email, 99) AS x FROM events": {"x": {"pii.email"}},
    "SELECT mask_keep_right(ssn, 11) AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT mask_left(email, CAST(amount AS INTEGER)) AS x FROM events": {"x": {"public", "pii.email"}},
    "SELECT mask_left(CASE WHEN ssn = '1' THEN 'aa' ELSE 'a' END, 1) AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT mask_left(SUBSTRING(ssn FROM 1 FOR 1), 1) AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT hmac_sha256(CASE WHEN ssn = '1' THEN 'a' ELSE 'b' END, 'main') AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT hmac_sha256(ssn, user_id) AS x FROM events": {"x": {"public", "pii.ssn"}},
    "SELECT code || '' AS x FROM events": {"x": {"pii.id"}},
    # What a subquery computes is no column that a mask could hide or a count only count.
    "SELECT mask_left(c, 12) AS x FROM (SELECT CASE WHEN ssn = '1' THEN 'a' ELSE 'b' END AS c FROM events)": {
        "x": {"pii.ssn"}
    },
    "WITH w AS (SELECT SUBSTRING(ssn FROM 1 FOR 1) AS c FROM events) SELECT hmac_sha256(c, 'main') AS x FROM w": {
        "x": {"pii.ssn"}
    },
    "SELECT hmac_sha256(c, 'main') AS x FROM (SELECT ssn AS c FROM events UNION ALL SELECT ssn || '' FROM events)": {
        "x": {"pii.ssn"}
    },
    "SELECT COUNT(c) AS n FROM (SELECT NULLIF(ssn, '1') AS c FROM events)": {"n": {"pii.ssn"}},
    "SELECT approx_count_distinct(c) AS n FROM (SELECT ssn = '1' AS c FROM events)": {"n": {"pii.ssn"}},
    "SELECT COUNT(mask_left(ssn, CASE WHEN ssn = '1' THEN 1 END)) AS n FROM events": {"n": {"pii.ssn"}},
    "SELECT hmac_sha256(phone_normalize(email, NULLIF(ssn, '1')), 'main') AS x FROM events": {
        "x": {"pii.email", "pii.ssn"}
    },
    # A CAST that keeps a part.
    "SELECT mask_keep_right(CAST(ssn AS VARCHAR(4)), 4) AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT hmac_sha256(CAST(ssn AS CHAR(1)), 'main') AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT hmac_sha256(CAST(CAST(born AS DATE) AS VARCHAR), 'main') AS x FROM events": {"x": {"pii.born"}},
    # A join with values that the query names, in a table that it makes.
    "SELECT e.user_id FROM events e JOIN (VALUES ('1')) AS v (x) ON e.ssn = v.x": {"user_id": {"public", "pii.ssn"}},
    "SELECT e.user_id FROM events e JOIN (SELECT '1' AS x FROM people) AS v ON e.ssn = v.x": {
        "user_id": {"public", "pii.ssn"}
    },
    "SELECT e.user_id FROM events e JOIN (SELECT kind AS x FROM people UNION ALL SELECT '1' FROM people) AS v "
    "ON e.ssn = v.x": {"user_id": {"public", "pii.ssn"}},
    "SELECT p.user_id FROM people p WHERE EXISTS (SELECT 1 FROM (SELECT ssn = '1' AS s, user_id FROM events) e "
    "JOIN (SELECT TRUE AS t FROM people) AS q ON e.s = q.t WHERE e.user_id = p.user_id)": {
        "user_id": {"public", "pii.ssn"}
    },
    "SELECT user_id FROM events JOIN (VALUES ('1')) AS v (ssn) USING (ssn)": {"user_id": {"public", "pii.ssn"}},
    "SELECT user_id FROM events NATURAL JOIN (SELECT '1' AS ssn FROM people) AS v": {"user_id": {"public", "pii.ssn"}},
    "SELECT u.user_id FROM (people p JOIN events u ON p.user_id = u.user_id AND u.ssn = '1')": {
        "user_id": {"public", "pii.ssn"}
    },
    "SELECT p.user_id FROM people p JOIN (people q JOIN events u ON q.user_id = u.user_id AND u.ssn = '1') "
    "ON p.user_id = q.user_id": {"user_id": {"public", "pii.ssn"}},
    # Both sides of a set operation choose, wherever it stands.
    "SELECT user_id FROM (SELECT user_id, ssn FROM events EXCEPT SELECT user_id, '1' FROM events)": {
        "user_id": {"public", "pii.ssn"}
    },
    "WITH w AS (SELECT user_id, ssn FROM events INTERSECT SELECT user_id, '1' FROM events) SELECT user_id FROM w": {
        "user_id": {"public", "pii.ssn"}
    },
    "WITH w AS (SELECT user_id, kind FROM people EXCEPT SELECT user_id, name FROM people) SELECT user_id FROM w": {
        "user_id": {"public", "pii.name"}
    },
    "SELECT user_id FROM (SELECT user_id, ssn FROM events UNION ALL SELECT user_id, name FROM people "
    "ORDER BY ssn LIMIT 1)": {"user_id": {"public", "pii.ssn", "pii.name"}},
    "SELECT user_id FROM (SELECT user_id, ssn FROM events UNION ALL SELECT user_id, kind FROM people "
    "ORDER BY 2 LIMIT 1)": {"user_id": {"public", "pii.ssn"}},
    "SELECT user_id FROM ((SELECT user_id, ssn FROM events) ORDER BY ssn LIMIT 1)": {"user_id": {"public", "pii.ssn"}},
    # A column that a join says is equal to a private one has its values.
    "SELECT p.kind AS x, p.user_id FROM events e JOIN people p ON e.ssn = p.kind": {
        "x": {"public", "pii.ssn"},
        "user_id": {"public"},
    },
    "SELECT UPPER(p.kind) AS x FROM events e JOIN people p ON p.kind = e.ssn AND e.amount > 1": {
        "x": {"public", "pii.ssn"}
    },
    "SELECT x FROM (SELECT p.kind AS x FROM events e JOIN people p ON e.ssn = p.kind) q": {"x": {"public", "pii.ssn"}},
    # Windows with a name, rows of VALUES, elements that a CASE makes, a column that FULL JOIN shares.
    "SELECT COUNT(amount) OVER w AS r FROM events WINDOW w AS (ORDER BY ssn ROWS UNBOUNDED PRECEDING)": {
        "r": {"pii.ssn"}
    },
    "SELECT COUNT(amount) OVER w AS r FROM events "
    "WINDOW w AS (PARTITION BY email ORDER BY ssn ROWS UNBOUNDED PRECEDING)": {"r": {"pii.email", "pii.ssn"}},
    "SELECT v.x FROM events e, LATERAL (VALUES ('a'), (e.ssn)) AS v (x)": {"x": {"pii.ssn"}},
    "SELECT e.user_id FROM events e CROSS JOIN UNNEST(CASE WHEN e.ssn = '1' THEN ARRAY[1, 2] ELSE ARRAY[3] END) "
    "AS u (x)": {"user_id": {"public", "pii.ssn"}},
    "SELECT user_id FROM (SELECT ssn AS user_id FROM events) a FULL JOIN people b USING (user_id)": {
        "user_id": {"public", "pii.ssn"}
    },
    # A field of a row, and the rows by another one.
    "SELECT who FROM events WHERE ssn = '1'": {"who": {"public", "pii.city", "pii.ssn"}},
    "SELECT w.inner_.x AS x FROM (SELECT deep AS w FROM events)": {"x": {"pii.deep"}},
    "SELECT T.s FROM events MATCH_RECOGNIZE (PARTITION BY user_id ORDER BY `at` MEASURES LAST(A.amount) AS s "
    "PATTERN (A+) DEFINE A AS A.ssn = '1') AS T": {"s": {"public", "pii.ssn"}},
    "SELECT TRIM(BOTH ssn FROM user_id) AS x FROM events": {"x": {"public", "pii.ssn"}},
    "SELECT user_id LIKE 'a' ESCAPE ssn AS x FROM events": {"x": {"public", "pii.ssn"}},
    "SELECT MAP['a', ssn]['a'] AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT SUM(amount) FILTER (WHERE ssn = '1') AS x FROM events": {"x": {"public", "pii.ssn"}},
    "WITH people AS (SELECT ssn AS kind FROM events) SELECT kind FROM people": {"kind": {"pii.ssn"}},
    "SELECT ssn AS user_id, user_id AS ssn FROM events": {"user_id": {"pii.ssn"}, "ssn": {"public"}},
    "SELECT contains_text(ssn, '1') AS x FROM events": {"x": {"pii.ssn"}},
    "SELECT user_id FROM events WHERE contains_text(ssn, '1')": {"user_id": {"public", "pii.ssn"}},
    "SELECT mask_left(mask_left(email, 12), 12) AS x FROM events": {"x": {"pii.email"}},
    "SELECT mask_left(email, NULL) AS x FROM events": {"x": {"pii.email"}},
    "SELECT mask_left(email, -1) AS x FROM events": {"x": {"pii.email"}},
    "SELECT hmac_sha256(email, 'main', '', CAST(NULL AS VARCHAR)) AS x FROM events": {"x": {"pii.email"}},
}


def test_there_are_enough_planted_cases() -> None:
    assert len(LAUNDERED) >= 40


@pytest.mark.parametrize("query", LAUNDERED, ids=lambda query: query[:60])
def test_no_query_launders_a_label(query: str) -> None:
    assert found(query) == LAUNDERED[query]


@pytest.mark.parametrize("query", LAUNDERED, ids=lambda query: query[:60])
def test_what_is_laundered_is_not_marked_as_masked(query: str) -> None:
    for one in check_sql(query, TABLES).schema:
        assert labels.masked_of(one) is None, one.name


def columns(query: str) -> Iterator[pa.Field]:
    return iter(check_sql(query, TABLES).schema)


def test_a_bare_column_keeps_label_mask_type_and_time() -> None:
    code, at = columns("SELECT code AS c, at FROM events")
    assert labels.labels_of(code) == {"pii.id"}
    assert labels.masked_of(code) == CODE
    assert labels.is_event_time(at)
    assert at.type == pa.timestamp("us", tz="UTC")


def test_the_event_time_is_marked_once() -> None:
    first, second = columns("SELECT at AS a, at AS b FROM events")
    assert labels.is_event_time(first)
    assert not labels.is_event_time(second)


@pytest.mark.parametrize(
    ("query", "stays"),
    [
        ("SELECT id FROM rows", True),
        ("SELECT id FROM rows WHERE id <> 'a'", True),
        ("SELECT r.id FROM rows r JOIN people p ON r.id = p.user_id", False),
        ("SELECT id FROM rows GROUP BY id", False),
        ("SELECT id FROM rows UNION ALL SELECT id FROM rows", False),
        ("SELECT UPPER(id) AS id FROM rows", False),
    ],
)
def test_a_key_stays_one_where_rows_are_those_of_one_input(query: str, stays: bool) -> None:
    rows = pa.schema([labels.put(field("id", pa.string(), "public"), {labels.KEY: "true"})])
    (given,) = check_sql(query, {"rows": rows, "people": PEOPLE}).schema
    assert labels.is_key(given) == stays


def test_what_is_computed_may_have_nulls_at_any_depth_and_what_is_passed_on_is_as_it_was() -> None:
    rows = pa.schema([pa.field("n", pa.list_(pa.field("item", pa.int32(), False)))])
    made, given = check_sql("SELECT ROW(1, 'a') AS made, n FROM rows", {"rows": rows}).schema
    assert all(child.nullable for child in made.type)
    assert given.type == rows.field("n").type


def test_a_bare_column_keeps_them_through_subqueries_joins_and_unions() -> None:
    query = (
        "SELECT e.code FROM (SELECT code, user_id FROM events UNION ALL SELECT code, user_id FROM events) e "
        "JOIN people p ON e.user_id = p.user_id"
    )
    (code,) = columns(query)
    assert labels.masked_of(code) == CODE


def test_a_field_of_a_row_has_its_own_label() -> None:
    (age,) = columns("SELECT events.who.age AS age FROM events")
    assert labels.labels_of(age) == {"public"}
    assert age.type == pa.int32()


def test_public_and_literal_values_are_public() -> None:
    assert found("SELECT amount * 2 AS a, 1 AS b, user_id || 'x' AS c FROM events") == {
        "a": {"public"},
        "b": {"public"},
        "c": {"public"},
    }


def test_an_unlabelled_column_stays_unlabelled() -> None:
    assert found("SELECT plain, plain || user_id AS x FROM events") == {"plain": set(), "x": set()}


def test_a_value_of_an_unlabelled_and_a_private_column_is_an_error() -> None:
    with pytest.raises(SqlCheckError, match=r"`plain` has no label, and `x` is made of it and of pii\.email") as error:
        check_sql("SELECT 1 AS a,\n  plain || email AS x FROM events", TABLES)
    (problem,) = error.value.problems
    assert (problem.code, problem.line, problem.column) == ("mixed_labels", 2, 3)
    assert problem.hint == "label `plain` in the schema, with `public` if it may be seen by all"


def test_an_unlabelled_row_that_was_chosen_by_a_private_column_is_an_error() -> None:
    with pytest.raises(SqlCheckError, match="`plain` has no label"):
        check_sql("SELECT plain FROM events WHERE ssn = '1'", TABLES)


def test_a_count_has_no_label_of_what_it_counts() -> None:
    query = "SELECT user_id, COUNT(email) AS n, COUNT(*) AS m FROM events GROUP BY user_id"
    assert found(query) == {"user_id": {"public"}, "n": {"public"}, "m": {"public"}}


def test_a_join_on_keys_and_a_group_choose_no_rows_by_value() -> None:
    query = "SELECT p.kind, COUNT(*) AS n FROM people p JOIN events e ON p.name = e.email GROUP BY p.kind"
    assert found(query) == {"kind": {"public"}, "n": {"public"}}


def test_a_condition_on_a_masked_column_compares_no_raw_value() -> None:
    assert found("SELECT user_id FROM events WHERE code = 'main:0'") == {"user_id": {"public"}}


def test_mask_left_is_marked_as_the_policys_method() -> None:
    (x,) = columns("SELECT mask_left(email, 12) AS x FROM events")
    assert labels.labels_of(x) == {"pii.email"}
    assert labels.masked_of(x) == Masked("mask_left", "", {"n": 12}, "string")


def test_mask_left_with_characters_is_marked_with_them() -> None:
    (x,) = columns("SELECT mask_left(email, 12, '*', '*', '*', '*') AS x FROM events")
    mask = labels.masked_of(x)
    assert mask is not None
    assert mask.options == {"n": 12, "upper": "*", "lower": "*", "digit": "*", "other": "*"}


def test_an_hmac_is_marked_with_key_and_domain() -> None:
    (x,) = columns("SELECT hmac_sha256(LOWER(email), 'main', 'pii.email') AS x FROM events")
    assert labels.masked_of(x) == Masked("hmac", "main", {"domain": "pii.email"}, "string")


def test_an_hmac_without_a_domain_has_that_of_the_label_as_masks_do() -> None:
    checked = check_sql("SELECT hmac_sha256(email, 'main') AS x FROM events", TABLES, keys={"main": "env:KEY"})
    (x,) = checked.schema
    assert labels.masked_of(x) == Masked("hmac", "main", {"domain": "pii.email"}, "string")
    assert checked.sql == "SELECT hmac_sha256(email, 'main', 'pii.email', 'env:KEY') AS x FROM events"


def test_an_hmac_of_a_column_without_a_private_label_has_no_domain() -> None:
    checked = check_sql("SELECT hmac_sha256(user_id, 'main') AS x FROM events", TABLES)
    assert checked.sql == "SELECT hmac_sha256(user_id, 'main', '') AS x FROM events"


def test_a_key_that_the_policy_does_not_have_is_an_error_at_its_place() -> None:
    with pytest.raises(SqlCheckError, match="no key `mian` in the policy") as error:
        check_sql("SELECT hmac_sha256(email, 'mian') AS x FROM events", TABLES, keys={"main": "env:KEY"})
    (problem,) = error.value.problems
    assert (problem.column, problem.hint) == (27, "did you mean `main`? there is: main")


def test_an_hmac_with_a_key_from_elsewhere_hides_nothing() -> None:
    (x,) = columns("SELECT hmac_sha256(email, 'main', '', 'env:OTHER') AS x FROM events")
    assert labels.masked_of(x) is None
    assert labels.labels_of(x) == {"pii.email"}


def test_the_least_of_masked_values_is_a_masked_value() -> None:
    (x,) = columns("SELECT MIN(code) AS x FROM events")
    assert labels.masked_of(x) == CODE


@pytest.mark.parametrize(
    ("having", "hides"),
    [
        ("", False),
        ("HAVING COUNT(*) >= 19", False),
        ("HAVING COUNT(*) >= 20", True),
        ("HAVING COUNT(*) > 19", True),
        ("HAVING 20 <= COUNT(*)", True),
        ("HAVING COUNT(*) >= 20 AND SUM(amount) > 1", True),
        ("HAVING COUNT(*) >= 20 OR SUM(amount) > 1", False),
        ("HAVING COUNT(email) >= 20", False),
        ("HAVING COUNT(*) <= 20", False),
    ],
)
def test_where_the_policy_asks_for_large_groups_a_count_hides_only_in_them(having: str, hides: bool) -> None:
    query = f"SELECT user_id, COUNT(email) AS n FROM events GROUP BY user_id {having}"
    assert (found(query, min_group=20)["n"] == {"public"}) == hides


@pytest.mark.parametrize(("having", "expected"), [("", {"pii.email"}), ("HAVING COUNT(*) >= 20", {"public"})])
def test_where_the_policy_asks_for_large_groups_a_count_beside_a_private_key_has_its_label(
    having: str, expected: set[str]
) -> None:
    query = f"SELECT email, COUNT(*) AS n FROM events GROUP BY email {having}"
    assert found(query, min_group=20)["n"] == expected
    assert found(query)["n"] == {"public"}


def test_an_element_of_an_array_has_the_label_of_the_array_and_not_its_type() -> None:
    (tag,) = columns("SELECT t.tag FROM events CROSS JOIN UNNEST(events.tags) AS t (tag)")
    assert labels.labels_of(tag) == {"pii.tags"}
    assert tag.type == pa.string()


def test_the_begin_of_windows_of_the_event_time_is_the_event_time_of_the_result() -> None:
    query = "SELECT user_id, TUMBLE_START(`at`, INTERVAL '1' HOUR) AS hour_of, COUNT(*) AS n FROM events "
    query += "GROUP BY user_id, TUMBLE(`at`, INTERVAL '1' HOUR)"
    assert [one.name for one in columns(query) if labels.is_event_time(one)] == ["hour_of"]


# Queries that make or use what only looks as if it laundered a label.
HONEST: dict[str, dict[str, set[str]]] = {
    "SELECT e.user_id FROM events e CROSS JOIN UNNEST(e.tags) AS t (tag)": {"user_id": {"public"}},
    "SELECT p.kind FROM people p JOIN (SELECT LOWER(email) AS e FROM events) AS e ON p.name = e.e": {
        "kind": {"public"}
    },
    "SELECT p.kind FROM (SELECT hmac_sha256(name, 'main') AS c, kind FROM people) p "
    "JOIN (SELECT hmac_sha256(email, 'main') AS c FROM events) e ON p.c = e.c": {"kind": {"public"}},
    "SELECT kind FROM people JOIN (SELECT email AS name FROM events) AS e USING (name)": {"kind": {"public"}},
    "SELECT COUNT(c) AS n FROM (SELECT CAST(born AS DATE) AS c FROM events)": {"n": {"public"}},
    "SELECT COUNT(c) AS n FROM (SELECT hmac_sha256(LOWER(email), 'main') AS c FROM events)": {"n": {"public"}},
    "SELECT v.x FROM (VALUES ('a'), ('b')) AS v (x)": {"x": {"public"}},
    "SELECT user_id FROM (SELECT user_id, ssn FROM events UNION ALL SELECT user_id, ssn FROM events)": {
        "user_id": {"public"}
    },
    "SELECT user_id FROM (SELECT user_id, code FROM events EXCEPT SELECT user_id, code FROM events)": {
        "user_id": {"public"}
    },
}


@pytest.mark.parametrize("query", HONEST, ids=lambda query: query[:60])
def test_what_compares_with_no_value_of_the_query_has_no_label_of_it(query: str) -> None:
    assert found(query) == HONEST[query]


def test_a_mask_of_a_subquerys_column_is_marked_as_the_policys_method() -> None:
    query = "WITH last AS (SELECT user_id, MAX(TRIM(ssn)) AS s FROM events GROUP BY user_id) "
    (x,) = columns(query + "SELECT mask_keep_right(s, 4) AS x FROM last")
    assert labels.masked_of(x) == Masked("mask_keep_right", "", {"n": 4}, "string")


def test_rows_chosen_by_a_mask_of_the_query_are_as_private_as_the_mask() -> None:
    (user_id,) = columns("SELECT user_id FROM events WHERE mask_left(ssn, 1) = 'n23-45-6789'")
    assert labels.labels_of(user_id) == {"public", "pii.ssn"}
    assert labels.masked_of(user_id) == Masked("mask_left", "", {"n": 1}, "string")


def test_a_raw_column_of_rows_chosen_by_a_mask_is_not_marked_as_masked() -> None:
    (email,) = columns("SELECT email FROM events WHERE mask_left(email, 1) = 'x@example.com'")
    assert labels.labels_of(email) == {"pii.email"}
    assert labels.masked_of(email) is None


def test_every_field_of_a_row_has_the_label_of_what_chose_the_row() -> None:
    (who,) = columns("SELECT who FROM events WHERE ssn = '1'")
    assert {leaf.path: set(leaf.labels) for leaf in labels.leaves_of(who)} == {
        "who.city": {"public", "pii.city", "pii.ssn"},
        "who.age": {"public", "pii.city", "pii.ssn"},
    }
    (plain,) = columns("SELECT who FROM events")
    assert {leaf.path: set(leaf.labels) for leaf in labels.leaves_of(plain)} == {
        "who.city": {"pii.city"},
        "who.age": {"public"},
    }


@pytest.mark.parametrize("count", ["COUNT(email) FILTER (WHERE amount > 1)", "COUNT(email)"])
def test_having_does_not_count_the_rows_that_filter_leaves(count: str) -> None:
    query = f"SELECT user_id, {count} AS n FROM events GROUP BY user_id HAVING COUNT(*) >= 20"
    assert found(query, min_group=20)["n"] == ({"public"} if count == "COUNT(email)" else {"public", "pii.email"})


def test_a_parameter_in_a_bound_is_held_to_it() -> None:
    query = "SELECT mask_left(email, :n) AS x FROM events"
    masked, nothing = (next(iter(check_sql(query, TABLES, parameters={"n": n}).schema)) for n in (3, 0))
    assert labels.masked_of(masked) == Masked("mask_left", "", {"n": 3}, "string")
    assert labels.masked_of(nothing) is None
