"""Places that Beam's planner names are those of the query that it got; users see those of theirs."""

import pyarrow as pa
import pytest

from blocks import check_sql
from blocks.sql.running.refused import as_users, place_of_user

EVENTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("amount", pa.float64()),
        ("price", pa.decimal128(18, 2)),
        ("who", pa.struct([("city", pa.string())])),
    ]
)
QUERY = """SELECT who.city AS c,
  LEFT(user_id, 2) AS l,
  COUNT(DISTINCT amount) AS n
FROM PCOLLECTION
WHERE price != 1 AND amount > 3
GROUP BY 1, 2;"""


@pytest.mark.parametrize(
    ("part", "line", "column", "text"),
    [
        ("amount > 3", 5, 22, "amount"),
        ("3 GROUP", 5, 31, "3"),
        ("SUBSTRING", 2, 3, "LEFT(user_id, 2)"),
        ("amount AS d2", 3, 18, "amount"),
    ],
)
def test_a_place_in_what_the_planner_got_is_one_in_the_users_query(
    part: str, line: int, column: int, text: str
) -> None:
    checked = check_sql(QUERY, {"PCOLLECTION": EVENTS})
    place = place_of_user(checked, 1, checked.sql.index(part) + 1)
    assert (place.line, place.column) == (line, column)
    assert QUERY.splitlines()[line - 1][column - 1 :].startswith(text)


def test_the_error_is_underlined_in_the_users_query() -> None:
    checked = check_sql(QUERY, {"PCOLLECTION": EVENTS})
    at = checked.sql.index("amount > 3") + 1
    error = as_users((("Cannot do this", 1, at), ("and this", 0, 0)), checked, "query.sql")
    assert str(error).splitlines()[1:4] == [
        "query.sql:5:22: Beam's planner does not take this: Cannot do this",
        "  |  WHERE price != 1 AND amount > 3",
        "                          ^^^^^^ the checks let it pass: please report the query. What the planner got is "
        "shown by `blocks check-sql --sql`",
    ]
    assert [(one.code, one.line) for one in error.problems] == [("planner", 5), ("planner", 1)]
