"""This library: four blocks. The table is Iceberg, which includes writing and committing Parquet files."""

import sys

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import blocks
from benchmarks.contestants.work import ATTRIBUTES, POLICY, SCHEMA


def main(source: str, out: str) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p:
        (
            p
            | blocks.ReadJson(source, schema=SCHEMA, event_time="occurred_at")
            | blocks.MaskColumns(policy=POLICY, destination="warehouse")
            | blocks.FlattenRecords(explode="items", map_keys={"attributes": list(ATTRIBUTES)})
            | blocks.WriteWarehouse("transactions", partition_by="day(occurred_at)", policy=POLICY, warehouse=out)
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
