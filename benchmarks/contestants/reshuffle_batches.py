"""Rows across a Reshuffle as batches: `python -m benchmarks.contestants.reshuffle_batches ROWS OUT`."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import blocks
from benchmarks.contestants.reshuffle_rows import PART, check

SCHEMA = pa.schema(
    [("user_id", pa.string()), ("amount", pa.float64()), ("count", pa.int64()), ("country", pa.string())]
)


def make(part: int) -> Iterator[pa.RecordBatch]:
    numbers = np.arange(part * PART, (part + 1) * PART)
    users = pa.array(np.char.add("user-", (numbers % 9973).astype(str)))
    countries = pa.array(np.char.add("c", (numbers % 97).astype(str)))
    yield pa.RecordBatch.from_arrays([users, pa.array(numbers / 4), pa.array(numbers), countries], schema=SCHEMA)


def main(rows: int, out: str) -> None:
    start = time.perf_counter()
    with beam.Pipeline(runner=FnApiRunner()) as p:
        (
            p
            | beam.Create(list(range(rows // PART)))
            | "Make" >> beam.FlatMap(make).with_output_types(blocks.BatchType(SCHEMA))
            | beam.Reshuffle()
            | "Count" >> beam.Map(lambda batch: batch.num_rows).with_output_types(int)
            | beam.CombineGlobally(sum)
            | "Check" >> beam.Map(check, rows)
        )
    Path(out, "seconds").write_text(str(time.perf_counter() - start))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
