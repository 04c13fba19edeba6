"""A query that aggregates is split: rows in DuckDB, groups in Beam, and both together give what the query does."""

import pytest
from lowering_agreement import analysed
from lowering_beam import BeamRows
from lowering_rows import SCHEMA, batch_of

from blocks.sql.lowering import LoweredRunner, Split, split

SPLIT = {
    "SELECT UPPER(s) AS z, SUM(i * 2) AS y2 FROM PCOLLECTION WHERE i > 0 GROUP BY UPPER(s)": (
        "SELECT `computed_0` AS z, SUM(`computed_1`) AS y2 FROM `PCOLLECTION` GROUP BY `computed_0`"
    ),
    "SELECT s, COUNT(*) AS y2 FROM PCOLLECTION WHERE b GROUP BY s": (
        "SELECT `s` AS `s`, COUNT(*) AS y2 FROM `PCOLLECTION` GROUP BY `s`"
    ),
    "SELECT COUNT(*) AS z FROM PCOLLECTION WHERE b": "SELECT COUNT(*) AS z FROM `PCOLLECTION`",
    "SELECT UPPER(s) || 'x' AS z FROM PCOLLECTION GROUP BY UPPER(s) HAVING SUM(i) > 3 AND MAX(l + 1) > 0": (
        "SELECT `computed_0` || 'x' AS z FROM `PCOLLECTION` GROUP BY `computed_0` "
        "HAVING SUM(`i`) > 3 AND MAX(`computed_2`) > 0"
    ),
    "SELECT SUM(n) AS z FROM PCOLLECTION WHERE b GROUP BY TUMBLE(p, INTERVAL '1' HOUR)": (
        "SELECT SUM(`n`) AS z FROM `PCOLLECTION` GROUP BY TUMBLE(`p`, INTERVAL '1' HOUR)"
    ),
    "SELECT z + 1 AS z, MAX(l) AS y2 FROM (SELECT i + 1 AS z, l FROM PCOLLECTION WHERE b) GROUP BY z + 1": (
        "SELECT `computed_0` AS z, MAX(`computed_1`) AS y2 FROM `PCOLLECTION` GROUP BY `computed_0`"
    ),
    "SELECT COUNT(DISTINCT i + 1) AS z FROM PCOLLECTION": "SELECT COUNT(DISTINCT `computed_0`) AS z FROM `PCOLLECTION`",
}


@pytest.mark.parametrize(("query", "outer"), SPLIT.items())
def test_the_outer_query_reads_computed_columns(query: str, outer: str) -> None:
    found = split(analysed(query, SCHEMA))
    assert isinstance(found, Split), found
    assert found.sql == outer


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("SELECT s, SUM(i) AS z FROM PCOLLECTION GROUP BY s", "Nothing is computed"),
        ("SELECT i AS z FROM PCOLLECTION", "does not aggregate"),
        ("SELECT SUM(SQRT(d)) AS z FROM PCOLLECTION", "SQRT"),
        ("SELECT SUM(n / 2) AS z FROM PCOLLECTION", "division"),
        ("SELECT SUM(i + 1) AS z FROM PCOLLECTION GROUP BY s UNION ALL SELECT 1 FROM PCOLLECTION", "UNION"),
        ("SELECT a2.i, COUNT(*) AS z FROM PCOLLECTION AS a2, PCOLLECTION AS b2 GROUP BY a2.i", "join"),
    ],
)
def test_what_is_not_split_says_why(query: str, part: str) -> None:
    found = split(analysed(query, SCHEMA))
    assert isinstance(found, str)
    assert part in found


def test_only_rows_and_columns_that_are_needed_cross() -> None:
    found = split(analysed("SELECT COUNT(*) AS z, SUM(i + l) AS y2 FROM PCOLLECTION WHERE i > 2", SCHEMA))
    assert isinstance(found, Split)
    batch = batch_of(["i", "l"], 60)
    ran = LoweredRunner(found.lowered)(batch)
    kept = [row for row in batch.to_pylist() if row["i"] is not None and row["i"] > 2]
    assert 0 < len(kept) < 60
    assert ran.batch.num_rows == len(kept)
    assert ran.batch.num_columns == 1


@pytest.mark.jvm
def test_beam_plans_the_outer_query_with_the_schema_of_the_whole(beam_rows: BeamRows) -> None:
    for query in SPLIT:
        found = split(analysed(query, SCHEMA))
        assert isinstance(found, Split)
        inner = LoweredRunner(found.lowered)(batch_of(list(SCHEMA.names), 0)).batch
        (whole,) = beam_rows.ask(batch_of(list(SCHEMA.names), 0), [query])
        (outer,) = beam_rows.ask(inner, [found.sql])
        # `blocks.sql.rewriting` writes COUNT(DISTINCT ...) so that Beam takes it.
        assert ("fields" in whole) == ("DISTINCT" not in query), whole
        assert outer.get("fields") == whole.get("fields"), query
