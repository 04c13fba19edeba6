import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.trigger import AccumulationMode, AfterCount, AfterWatermark
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from warehouse_data import EVENTS, batch_of, data_files, day, event, ids

from blocks.core.batch_type import BatchType
from blocks.core.errors import ConfigError
from blocks.writing import catalogs
from blocks.writing.commits import COMMIT_PROPERTY
from blocks.writing.warehouse import WriteWarehouse, read_table


def bytes_of(*rows):
    return batch_of(rows).serialize().to_pybytes()


def stream():
    """Minute 0 with an early and a late pane, minute 1 with one."""
    return (
        TestStream()
        .advance_watermark_to(0)
        .add_elements([TimestampedValue(bytes_of(event(1, day(1))), 10)])
        .add_elements(
            [TimestampedValue(bytes_of(event(2, day(2))), 20), TimestampedValue(bytes_of(event(3, day(1))), 70)]
        )
        .advance_watermark_to(60)
        .add_elements([TimestampedValue(bytes_of(event(4, day(1))), 30)])
        .advance_watermark_to_infinity()
    )


def run(block, windows, source=None):
    options = PipelineOptions(streaming=True)
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as p:
        read = beam.Map(lambda written: pa.ipc.read_record_batch(pa.py_buffer(written), EVENTS))
        # Windows are put on while the elements are still bytes: whole batches must not be windowed.
        rows = p | (source or stream()) | windows | read.with_output_types(BatchType(EVENTS))
        _ = rows | block


def minutes(mode=AccumulationMode.DISCARDING):
    return beam.WindowInto(
        FixedWindows(60), trigger=AfterWatermark(late=AfterCount(1)), accumulation_mode=mode, allowed_lateness=600
    )


def test_a_stream_commits_once_a_window_and_pane(tmp_path):
    run(WriteWarehouse("t", warehouse=tmp_path, partition_by="day(occurred_at)", run_id="r"), minutes())
    assert ids(read_table("t", tmp_path)) == [1, 2, 3, 4]
    snapshots = catalogs.load_table("t", tmp_path).metadata.snapshots
    commits = sorted(snapshot.summary.additional_properties[COMMIT_PROPERTY] for snapshot in snapshots)
    assert commits == ["r/0-60000000/0", "r/0-60000000/1", "r/60000000-120000000/0"]


def test_a_stream_that_starts_again_with_its_run_id_repeats_no_pane(tmp_path):
    for _ in range(2):
        run(WriteWarehouse("t", warehouse=tmp_path, run_id="r"), minutes())
    assert ids(read_table("t", tmp_path)) == [1, 2, 3, 4]
    named = [task.file.file_path for task in catalogs.load_table("t", tmp_path).scan().plan_files()]
    assert sorted(named) == sorted(map(str, data_files(tmp_path)))


def test_a_stream_upserts_pane_by_pane(tmp_path):
    source = (
        TestStream()
        .advance_watermark_to(0)
        .add_elements([TimestampedValue(bytes_of(event(1, day(1), "first"), event(2, day(1), "first")), 10)])
        .advance_watermark_to(60)
        .add_elements([TimestampedValue(bytes_of(event(1, day(2), "second")), 70)])
        .advance_watermark_to_infinity()
    )
    run(WriteWarehouse("t", mode="upsert", key="id", warehouse=tmp_path), minutes(), source)
    assert {row["id"]: row["country"] for row in read_table("t", tmp_path).to_pylist()} == {1: "second", 2: "first"}


@pytest.mark.parametrize(
    ("options", "windows", "said"),
    [
        ({"mode": "replace", "source": "a"}, minutes(), "replace needs a bounded input"),
        ({}, beam.Map(lambda value: value), "would never commit"),
        ({}, minutes(AccumulationMode.ACCUMULATING), "accumulating panes"),
    ],
)
def test_a_stream_that_could_not_commit_rightly_does_not_build(tmp_path, options, windows, said):
    with pytest.raises(ConfigError, match=said):
        run(WriteWarehouse("t", warehouse=tmp_path, **options), windows)
