"""Columns that only USING and NATURAL name: they are read, as those of ON are."""

import pyarrow as pa
import pytest

from blocks import check_sql
from blocks.sql.running.reading import columns_read

ORDERS = pa.schema([("user_id", pa.string()), ("amount", pa.int64())])
USERS = pa.schema([("user_id", pa.string()), ("kind", pa.string())])


@pytest.mark.parametrize(
    "join",
    [
        "JOIN users USING (user_id)",
        "NATURAL JOIN users",
        "LEFT JOIN users USING (user_id)",
        "FULL JOIN users USING (user_id)",
    ],
)
def test_columns_that_a_join_shares_are_read_on_both_sides(join: str) -> None:
    checked = check_sql(f"SELECT amount, kind FROM orders {join}", {"orders": ORDERS, "users": USERS})
    assert columns_read(checked.final) == {"orders": ["user_id", "amount"], "users": ["user_id", "kind"]}
