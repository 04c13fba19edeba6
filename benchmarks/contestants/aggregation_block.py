"""AggregateEvents: `... aggregation_block {events,days,spine,few} EVENTS SPINE OUT --keys 100000`."""

from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import blocks
from benchmarks.contestants import aggregation_work as work


def main() -> None:
    given = work.options({"mode": "what is asked for", "events": "their file", "spine": "file of moments, or -"})
    features = work.FEW if given.mode == "few" else work.FEATURES
    names = [one["name"] for one in features]
    moment = "at" if given.spine != "-" else "as_of"
    answers = work.Answers(given.out, given.keys)
    with beam.Pipeline(runner=FnApiRunner()) as p:
        more: dict[str, Any] = {}
        if given.spine != "-":
            more = {"as_of": p | "Spine" >> work.Read(given.spine, work.SPINE), "moment": "at"}
        elif given.mode == "days":
            more = {"start": "2026-01-31", "end": "2026-03-02", "every": "1d"}
        events = p | "Events" >> work.Read(given.events, work.SCHEMA)
        rows = events | blocks.AggregateEvents(work.definition(features), **more)
        _ = (
            rows
            | "Look" >> beam.Map(answers.of_batch, names, moment).with_output_types(work.Counted)
            | beam.ParDo(work.Collect(given.out))
        )


if __name__ == "__main__":
    main()
