"""A row is rejected whatever its other columns hold, also times that no type of Python holds."""

import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import blocks

YEAR_10000 = 253_402_300_800_000_000
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("far", pa.timestamp("us")),
        pa.field("at", pa.timestamp("us", "UTC"), metadata={"blocks.event_time": "true"}),
    ]
)
ROW = pa.RecordBatch.from_arrays(
    [pa.array(["k"]), pa.array([YEAR_10000], pa.timestamp("us")), pa.array([None], pa.timestamp("us", "UTC"))],
    schema=SCHEMA,
)


def batches(_):
    yield ROW


@pytest.mark.parametrize("name", ["JoinTable", "DeduplicateRows", "FilterRows"])
def test_a_row_with_a_time_beyond_pythons_years_is_rejected_and_stops_nothing(name, tmp_path):
    pq.write_table(pa.table({"key": ["other"], "value": [1]}), tmp_path / "table.parquet")

    def block(rejects):
        if name == "JoinTable":
            return blocks.JoinTable(str(tmp_path / "table.parquet"), on="key", how="reject", rejects=rejects)
        if name == "DeduplicateRows":
            return blocks.DeduplicateRows("key", rejects=rejects)
        return blocks.FilterRows("CAST(key AS INTEGER) > 0", rejects=rejects)

    with beam.Pipeline(runner=FnApiRunner()) as p, blocks.Rejects(tmp_path / "rejects") as rejects:
        source = p | beam.Impulse() | beam.FlatMap(batches).with_output_types(blocks.BatchType(SCHEMA))
        source | block(rejects)
    (file,) = Path(tmp_path / "rejects").rglob("*.parquet")
    assert pq.read_table(file).column("record").to_pylist() == [f'{{"key": "k", "far": {YEAR_10000}}}']


WITHOUT_PANDAS = """
import sys
class NoPandas:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoPandas())
import pyarrow as pa
from blocks.core.reject_records import records_of
(record,) = records_of(pa.RecordBatch.from_pydict({"n": pa.array([1001], pa.timestamp("ns")), "m": [2]}))
print(record["n"].value, record["m"])
"""


def test_nanoseconds_make_a_record_without_pandas_too():
    # With pandas Arrow gives its timestamps; without it the error of Arrow shows the value.
    run = subprocess.run([sys.executable, "-c", WITHOUT_PANDAS], capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["1001", "2"], run.stderr
