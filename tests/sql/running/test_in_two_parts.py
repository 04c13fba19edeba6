"""A query that aggregates gives the same in two parts as whole, and says what it does."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from sql_runs import batch_of, field, run

from blocks.core import labels
from blocks.sql.run_sql import RunSql

KEEP = {"destinations": {name: {"labels": {"*": "keep"}} for name in ("shuffle", "rows")}}
SCHEMA = pa.schema(
    [
        field("id", pa.int64(), required=True),
        field("at", pa.timestamp("ms", "UTC"), event_time="true"),
        field("price", pa.decimal128(12, 2)),
        field("city", pa.string(), "pii.city"),
        field("count", pa.int32()),
    ]
)
CITIES = ("Oslo", " oslo", "Bergen", "ß", None)
BATCH = batch_of(
    SCHEMA,
    [
        {
            "id": number,
            "at": dt.datetime(2026, 1, 1, number % 24, number % 60, tzinfo=dt.UTC),
            "price": None if number % 17 == 0 else Decimal(number * 37 - 4000) / 100,
            "city": CITIES[number % 5],
            "count": None if number % 13 == 0 else number % 20 - 5,
        }
        for number in range(300)
    ],
)
SPLIT = [
    "SELECT city, SUM(count * 2) AS n, COUNT(*) AS k FROM PCOLLECTION WHERE count > 0 AND price > 1.5 GROUP BY city",
    "SELECT COUNT(*) AS k, MAX(price) AS most, SUM(price) AS total FROM PCOLLECTION WHERE city LIKE '%s%'",
    "SELECT price * 2 AS twice, COUNT(*) AS k FROM PCOLLECTION WHERE id < 60 GROUP BY price * 2",
    "SELECT TUMBLE_START(at, INTERVAL '2' HOUR) AS w, SUM(count + 1) AS n FROM PCOLLECTION WHERE price > 0.5 "
    "GROUP BY TUMBLE(at, INTERVAL '2' HOUR)",
    "SELECT city, SUM(z) AS total FROM (SELECT city, count + 1 AS z FROM PCOLLECTION WHERE count > 1) GROUP BY city "
    "HAVING COUNT(*) > 3",
]
WHOLE = {
    "nothing is left out before": "SELECT city, SUM(count * 2) AS n FROM PCOLLECTION GROUP BY city",
    "a text is computed": "SELECT UPPER(city) AS c, COUNT(*) AS k FROM PCOLLECTION WHERE id > 9 GROUP BY UPPER(city)",
    "a condition has no equal form": "SELECT COUNT(*) AS k FROM PCOLLECTION WHERE SQRT(count) > 2",
}


def _rows(table: pa.Table) -> list[str]:
    return sorted(map(str, table.to_pylist()))


@pytest.mark.jvm
@pytest.mark.slow
@pytest.mark.parametrize("query", SPLIT)
def test_two_parts_give_rows_types_and_labels_of_the_whole(query: str) -> None:
    assert RunSql(query, policy=KEEP).explain(SCHEMA).before
    (two, _), (whole, _) = (run(RunSql(query, engine=engine, policy=KEEP), BATCH) for engine in ("auto", "beam"))
    assert two.num_rows > 0
    assert _rows(two) == _rows(whole)
    assert two.schema.equals(whole.schema, check_metadata=True)


@pytest.mark.jvm
@pytest.mark.slow
def test_a_row_on_which_the_first_part_fails_is_rejected_as_by_the_whole(tmp_path: Any) -> None:
    query = "SELECT city, SUM(10 / count) AS n FROM PCOLLECTION WHERE id < 40 GROUP BY city"
    assert RunSql(query, policy=KEEP).explain(SCHEMA).before
    found = []
    for engine in ("auto", "beam"):

        def block(handler: Any, engine: Any = engine) -> RunSql:
            return RunSql(query, engine=engine, policy=KEEP, rejects=handler)

        table, rejects = run(block, BATCH, tmp_path / engine)
        assert "Oslo" not in str(rejects)
        found.append((_rows(table), [(one["code"], one["block"], one["record"]["id"]) for one in rejects]))
    assert found[0] == found[1]
    assert found[0][1]


@pytest.mark.parametrize("query", SPLIT)
def test_explain_shows_both_parts(query: str) -> None:
    explained = RunSql(query).explain(SCHEMA)
    assert explained.engine == "beam"
    assert "computed in DuckDB before" in str(explained)
    assert "WHERE" in explained.before
    assert "WHERE" not in explained.after
    assert explained.after in str(explained)


@pytest.mark.parametrize("query", WHOLE.values(), ids=WHOLE)
def test_what_would_not_gain_stays_whole(query: str) -> None:
    explained = RunSql(query).explain(SCHEMA)
    assert (explained.before, explained.after) == ("", "")


def test_a_query_for_beam_stays_whole() -> None:
    assert RunSql(SPLIT[0], engine="beam").explain(SCHEMA).before == ""


def test_times_that_are_cut_are_cut_before_anything_is_computed() -> None:
    fine = SCHEMA.set(1, SCHEMA.field("at").with_type(pa.timestamp("us", "UTC")))
    query = "SELECT COUNT(*) AS k FROM PCOLLECTION WHERE at > TIMESTAMP '2026-01-01 00:00:00.123'"
    assert RunSql(query).explain(SCHEMA).before
    assert RunSql(query, timestamps="milliseconds").explain(fine).before == ""


def test_what_the_first_part_gives_keeps_labels_of_columns_and_shows_nothing_else() -> None:
    from blocks.sql.analysis import Table
    from blocks.sql.checking import check_sql
    from blocks.sql.running.in_two_parts import in_two_parts
    from blocks.sql.running.settings import Settings

    checked = check_sql(SPLIT[0], {"PCOLLECTION": Table("PCOLLECTION", SCHEMA)})
    two = in_two_parts(checked, Settings(SPLIT[0]))
    assert two is not None
    assert two.bare == ("city",)
    assert labels.labels_of(two.table.schema.field("city")) == {"pii.city"}


def test_what_duckdb_refuses_runs_in_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    from blocks.sql.running import choosing

    monkeypatch.setattr(choosing, "refusal", lambda lowered: "DuckDB does not take the query (planted).")
    explained = RunSql("SELECT id + 1 AS z FROM PCOLLECTION").explain(SCHEMA)
    assert (explained.engine, explained.reason) == ("beam", "DuckDB does not take the query (planted).")
