"""Rows across a Reshuffle one by one, as NamedTuples with Beam's row coder."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

PART = 32_768


class Event(NamedTuple):
    user_id: str
    amount: float
    count: int
    country: str


beam.coders.registry.register_coder(Event, beam.coders.RowCoder)


def make(part: int) -> Iterator[Event]:
    for number in range(part * PART, (part + 1) * PART):
        yield Event(f"user-{number % 9973}", number / 4, number, f"c{number % 97}")


def check(found: int, rows: int) -> None:
    if found != rows:
        raise AssertionError(f"{found} rows, expected {rows}")


def main(rows: int, out: str) -> None:
    start = time.perf_counter()
    with beam.Pipeline(runner=FnApiRunner()) as p:
        (
            p
            | beam.Create(list(range(rows // PART)))
            | "Make" >> beam.FlatMap(make).with_output_types(Event)
            | beam.Reshuffle()
            | "Count" >> beam.Map(lambda row: 1).with_output_types(int)
            | beam.CombineGlobally(sum)
            | "Check" >> beam.Map(check, rows)
        )
    Path(out, "seconds").write_text(str(time.perf_counter() - start))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
