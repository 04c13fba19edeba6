"""The features as of days by CombinePerKey over sliding windows: `... aggregation_combine EVENTS OUT --keys 100000`.

A CombineFn a length of window; each event goes into 30 windows of 30 days, which begin a day apart. Copies are taken
out before, by a shuffle of all events. Its windows of an hour and a week are those of midnights, so there is nothing in
it that could give a row an event.
"""

import heapq
import math
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import SlidingWindows, TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from benchmarks.contestants import aggregation_work as work

_DAY = 86_400


class Month(beam.CombineFn):
    """Sum, smallest, latest 5, different merchants, deviation."""

    def create_accumulator(self) -> Any:
        return 0, 0.0, 0.0, math.inf, [], set()

    def add_input(self, held: Any, event: Any) -> Any:
        count, total, squares, least, latest, merchants = held
        time, name, amount, merchant, country, _ = event
        merchants.add(merchant)
        latest = heapq.nlargest(5, [*latest, (time, name, country)])
        return count + 1, total + amount, squares + amount * amount, min(least, amount), latest, merchants

    def merge_accumulators(self, several: Iterable[Any]) -> Any:
        counts, totals, squares, leasts, latest, merchants = zip(*several, strict=True)
        newest = heapq.nlargest(5, [one for some in latest for one in some])
        return sum(counts), sum(totals), sum(squares), min(leasts), newest, set().union(*merchants)

    def extract_output(self, held: Any) -> Any:
        count, total, squares, least, latest, merchants = held
        return {
            "spend_30d": total,
            "smallest_30d": least,
            "countries": [country for _, _, country in latest],
            "merchants_30d": len(merchants),
            "spread_30d": math.sqrt(max(squares / count - (total / count) ** 2, 0.0)),
        }


class Week(beam.CombineFn):
    """Sum, mean, largest, how many declined."""

    def create_accumulator(self) -> Any:
        return 0, 0.0, -math.inf, 0

    def add_input(self, held: Any, event: Any) -> Any:
        count, total, most, declined = held
        return count + 1, total + event[2], max(most, event[2]), declined + event[5]

    def merge_accumulators(self, several: Iterable[Any]) -> Any:
        counts, totals, most, declined = zip(*several, strict=True)
        return sum(counts), sum(totals), max(most), sum(declined)

    def extract_output(self, held: Any) -> Any:
        count, total, most, declined = held
        return {"spend_7d": total, "mean_7d": total / count, "largest_7d": most, "declined_7d": declined}


class Hour(beam.CombineFn):
    """How many; in the hour before midnight."""

    def create_accumulator(self) -> int:
        return 0

    def add_input(self, held: int, event: Any) -> int:
        return held + 1

    def merge_accumulators(self, several: Iterable[int]) -> int:
        return sum(several)

    def extract_output(self, held: int) -> Any:
        return {"events_1h": held}


def main() -> None:
    given = work.options({"events": "their file"})
    answers = work.Answers(given.out, given.keys)
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | work.Read(given.events, work.SCHEMA) | beam.FlatMap(work.rows_of) | beam.Distinct()
        timed = events | beam.Map(stamped).with_output_types(tuple[str, Any])
        for number, (size, combine) in enumerate(((30 * _DAY, Month()), (7 * _DAY, Week()), (3600, Hour()))):
            windows = timed | f"Windows {number}" >> beam.WindowInto(SlidingWindows(size, _DAY, -size % _DAY))
            rows = windows | f"Combine {number}" >> beam.CombinePerKey(combine)
            looked = rows | f"Look {number}" >> beam.FlatMap(looked_at, answers)
            _ = looked | f"Collect {number}" >> beam.ParDo(work.Collect(given.out, number))


def stamped(event: tuple[Any, ...]) -> TimestampedValue:
    return TimestampedValue((event[0], event[1:]), Timestamp(micros=event[1]))


def looked_at(row: tuple[str, Any], answers: work.Answers, window: Any = beam.DoFn.WindowParam) -> Iterable[Any]:
    moment = window.end.micros
    if work.FIRST_DAY < moment <= work.LAST_DAY:
        yield answers.of_row(row[0], moment, row[1])


if __name__ == "__main__":
    main()
