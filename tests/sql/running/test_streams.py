"""What is refused of an input without an end, and on which engine; nothing runs here."""

from dataclasses import replace
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.coders.coders import IntervalWindowCoder
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms import trigger as tr
from apache_beam.transforms import window as w

from blocks.core.batch_type import BatchType
from blocks.core.errors import ConfigError
from blocks.core.labels import with_event_time
from blocks.core.windows import WindowRows
from blocks.sql.analysis import Table
from blocks.sql.checking import check_sql
from blocks.sql.problems import SqlCheckError
from blocks.sql.run_sql import RunSql
from blocks.sql.running.inputs import table_of
from tests.sql.running.sql_runs import field

SCHEMA = with_event_time(
    pa.schema([field("k", pa.int64()), field("at", pa.timestamp("ms", "UTC"), required=True)]), "at"
)
ENDLESS = Table("PCOLLECTION", SCHEMA, bounded=False)
UNION = "SELECT k FROM PCOLLECTION UNION ALL SELECT k + 1 FROM PCOLLECTION"
COUNT = "SELECT k, COUNT(*) AS n FROM PCOLLECTION GROUP BY k"
JOIN = "SELECT a.k FROM a JOIN b ON a.k = b.k"


def stream(pipeline: beam.Pipeline) -> beam.PCollection:
    pcoll = pipeline | beam.Create([0]) | beam.FlatMap(lambda _: ()).with_output_types(BatchType(SCHEMA))
    pcoll.is_bounded = False
    return pcoll


def checked(query: str, *tables: Table) -> list[str]:
    """What is wrong with a query."""
    try:
        check_sql(query, {one.name: one for one in tables})
    except SqlCheckError as error:
        return [one.message for one in error.problems]
    return []


def test_a_query_that_runs_in_duckdb_needs_no_end_of_its_input():
    found = check_sql(UNION, {"PCOLLECTION": ENDLESS})
    assert found.engine == "duckdb"
    assert [one.message for one in found.beam_problems] == ["UNION ALL of an unbounded input without a window"]
    pipeline = beam.Pipeline(runner=FnApiRunner())
    assert not (stream(pipeline) | RunSql(UNION)).is_bounded


def test_the_same_query_is_refused_where_only_beam_sql_may_run_it():
    with pytest.raises(SqlCheckError, match="UNION ALL of an unbounded input"):
        check_sql(UNION, {"PCOLLECTION": ENDLESS}, strict=True)
    with pytest.raises(SqlCheckError, match="UNION ALL of an unbounded input"):
        stream(beam.Pipeline(runner=FnApiRunner())) | RunSql(UNION, engine="beam")


def test_every_mistake_is_told_at_once_with_what_beam_sql_alone_minds():
    query = UNION.replace("k + 1", "kk + 1")
    assert len(checked(query, ENDLESS)) == 2


def test_a_trigger_lets_an_endless_input_be_grouped_as_windows_do():
    assert checked(COUNT, ENDLESS) == ["an unbounded input is grouped without a window"]
    assert checked(COUNT, replace(ENDLESS, triggered=True)) == []
    assert checked(COUNT, replace(ENDLESS, windowed=True)) == []


def both(**second: Any) -> list[Table]:
    first = Table("a", SCHEMA, bounded=False, windowed=True, windows="windows of 60 s")
    return [first, replace(first, name="b", **second)]


@pytest.mark.parametrize(
    ("second", "wanted"),
    [
        ({}, []),
        ({"windows": "windows of 30 s"}, ["a join of rows in windows of 60 s with rows in windows of 30 s"]),
        ({"late": True}, ["a join of unbounded tables, of which `b` has an allowed lateness"]),
        ({"triggered": True}, ["a join of unbounded tables, of which `b` has a trigger of its own"]),
        ({"windowed": False, "windows": ""}, ["a join of two unbounded tables without a common window"]),
        # A side input has windows of its own.
        ({"bounded": True, "windows": "the global window", "late": True}, []),
    ],
)
def test_two_streams_are_joined_in_common_windows_that_come_once(second: dict[str, Any], wanted: list[str]):
    found = checked(JOIN, *both(**second))
    assert [text.partition(":")[0] for text in found] == wanted


def test_subqueries_keep_the_windows_of_their_input_and_groups_have_others():
    inner = "(SELECT k FROM {} WHERE k > 1)"
    query = f"SELECT x.k FROM {inner.format('a')} AS x JOIN {inner.format('b')} AS y ON x.k = y.k"
    assert checked(query, *both()) == []
    assert len(checked(query, *both(windows="windows of 30 s"))) == 1
    grouped = "(SELECT k, COUNT(*) AS n FROM {} GROUP BY k, TUMBLE(`at`, INTERVAL '1' MINUTE))"
    query = f"SELECT x.k FROM {grouped.format('a')} AS x JOIN {grouped.format('b')} AS y ON x.k = y.k"
    assert checked(query, *both(windows="windows of 30 s")) == []


def test_bounded_tables_meet_in_the_same_windows_too():
    tables = [replace(one, bounded=True) for one in both(windowed=False, windows="the global window")]
    assert checked(JOIN, *tables) == ["a join of rows in windows of 60 s with rows in the global window"]


def test_a_check_is_told_windows_trigger_and_lateness_of_an_input():
    pcoll = stream(beam.Pipeline(runner=FnApiRunner()))
    assert table_of("t", pcoll) == Table("t", SCHEMA, False, windows="the global window")
    sliding = pcoll | WindowRows(w.SlidingWindows(60, 25, 5), allowed_lateness=3)
    assert table_of("t", sliding) == Table("t", SCHEMA, False, True, "windows of 60 s every 25 s from 5 s", False, True)
    trigger = tr.Repeatedly(tr.AfterCount(1))
    options = {"trigger": trigger, "accumulation_mode": tr.AccumulationMode.DISCARDING}
    fired = pcoll | "Fired" >> WindowRows(w.GlobalWindows(), **options)
    assert table_of("t", fired) == Table("t", SCHEMA, False, False, "the global window", True)


class Own(w.NonMergingWindowFn):
    def assign(self, context: Any) -> list[w.IntervalWindow]:
        return [w.IntervalWindow(0, 60)]

    def get_window_coder(self) -> IntervalWindowCoder:
        return IntervalWindowCoder()


def test_windows_that_only_python_knows_go_to_no_other_language():
    windowed = stream(beam.Pipeline(runner=FnApiRunner())) | WindowRows(Own())
    with pytest.raises(ConfigError, match="does not know the windows of Own") as caught:
        windowed | "Beam" >> RunSql(COUNT)
    assert "to do: group by TUMBLE" in str(caught.value)
    windowed | "DuckDB" >> RunSql("SELECT k FROM PCOLLECTION")
