import datetime as dt
import json

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from warehouse_data import (
    EVENTS,
    Batches,
    batch_of,
    commit_of,
    data_files,
    day,
    event,
    ids,
    pipeline,
    target_of,
    with_options,
    write,
)

from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ColumnError, ConfigError, PrivacyError, SchemaError
from blocks.core.mask_plan import plan_masking
from blocks.core.policy import read_policy
from blocks.core.rejects import Rejects
from blocks.writing import catalogs
from blocks.writing.data_files import Limits
from blocks.writing.table_schema import MEANING_PROPERTY
from blocks.writing.warehouse import WriteWarehouse, read_table


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


def test_rows_come_back_as_they_went_in(tmp_path):
    rows = [event(1, day(1)), event(2, day(2), None), event(3, None)]
    write(WriteWarehouse("a.b", partition_by="day(occurred_at)", warehouse=tmp_path), batch_of(rows))
    found = read_table("a.b", tmp_path)
    assert sorted(found.to_pylist(), key=lambda row: row["id"]) == rows
    assert found.schema.equals(EVENTS, check_metadata=True)


def test_the_result_tells_what_was_committed(tmp_path):
    with pipeline() as p:
        block = WriteWarehouse("t", partition_by="day(occurred_at)", warehouse=tmp_path, run_id="r1")
        _ = p | Batches([batch_of([event(1, day(1)), event(2, day(2))])]) | block | beam.ParDo(_to_file(tmp_path))
    (result,) = [json.loads(line) for line in (tmp_path / "result").read_text().splitlines()]
    snapshot = catalogs.load_table("t", tmp_path).current_snapshot()
    assert result == ["t", "r1", "r1", snapshot.snapshot_id, 2, 2, "committed"]


def _to_file(folder):
    class ToFile(beam.DoFn):
        def process(self, result):
            with (folder / "result").open("a") as file:
                file.write(json.dumps(result) + "\n")

    return ToFile()


@pytest.mark.parametrize(
    "partition_by",
    [
        "day(occurred_at)",
        "hour(occurred_at)",
        "month(occurred_at)",
        "bucket(4, id)",
        "country",
        ["day(occurred_at)", "bucket(2, country)"],
        None,
    ],
)
def test_every_partition_transform_reads_back_and_prunes(tmp_path, partition_by):
    rows = [event(n, day(1 + n % 3, n), "DE" if n % 2 else None) for n in range(20)]
    write(WriteWarehouse("t", partition_by=partition_by, warehouse=tmp_path), batch_of(rows))
    assert ids(read_table("t", tmp_path)) == list(range(20))
    filtered = read_table("t", tmp_path, row_filter="occurred_at >= '2026-01-02T00:00:00+00:00' and id >= 5")
    assert ids(filtered) == [n for n in range(5, 20) if n % 3]
    assert ids(read_table("t", tmp_path, row_filter="country == 'DE'")) == list(range(1, 20, 2))
    assert ids(read_table("t", tmp_path, row_filter="id == 7")) == [7]


ODD = ["a/b", "..", "../../x", None, "x" * 10_000, "x" * 9_999 + "y", "ü=%2F", "", "null", " ", "a\nb", "?#&"]


def test_odd_partition_values_have_safe_paths_and_keep_their_value(tmp_path):
    rows = [event(n, day(1), value) for n, value in enumerate(ODD)]
    write(WriteWarehouse("t", partition_by="country", warehouse=tmp_path / "w"), batch_of(rows))
    found = {row["id"]: row["country"] for row in read_table("t", tmp_path / "w").to_pylist()}
    assert found == dict(enumerate(ODD))
    root = tmp_path / "w" / "default" / "t" / "data"
    assert len(data_files(tmp_path)) == len(ODD)
    for path in data_files(tmp_path):
        assert path.resolve().relative_to(root)
        assert len(path.relative_to(root).parts) == 2
    tasks = list(catalogs.load_table("t", tmp_path / "w").scan().plan_files())
    assert sorted(str(task.file.partition[0]) for task in tasks) == sorted(map(str, ODD))


def test_data_files_carry_the_tables_field_ids(tmp_path):
    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([event(1, day(1))]))
    (path,) = data_files(tmp_path)
    schema = pq.read_schema(path)
    assert [field.metadata[b"PARQUET:field_id"] for field in schema] == [b"1", b"2", b"3", b"4", b"5"]
    table = catalogs.load_table("t", tmp_path).schema()
    item = schema.field("items").type.value_field
    assert int(item.metadata[b"PARQUET:field_id"]) == table.find_field("items.element").field_id


def test_meaning_survives_in_the_table(tmp_path):
    field = pa.field("note", pa.string(), metadata={"blocks.label": "public", "blocks.description": "a note"})
    schema = EVENTS.append(field)
    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([{**event(1, day(1)), "note": "n"}], schema), schema=schema)
    table = catalogs.load_table("t", tmp_path)
    assert table.schema().find_field("note").doc == "a note [label public]"
    assert json.loads(table.properties[MEANING_PROPERTY])["note"] == {"label": "public", "description": "a note"}
    assert read_table("t", tmp_path).schema.field("note").metadata[b"blocks.label"] == b"public"


def test_a_large_run_is_split_into_files_of_the_target_size(tmp_path):
    target = target_of(tmp_path, partition_by=None)
    target = with_options(target, limits=Limits(file_bytes=1_500, group_bytes=5_000))
    rows = batch_of([event(n, day(1)) for n in range(1_000)])
    result = commit_of(target, *[rows.slice(start, 100) for start in range(0, 1_000, 100)])
    assert result.rows == 1_000
    assert result.files == len(data_files(tmp_path)) > 3
    assert ids(read_table("events", tmp_path)) == list(range(1_000))


def test_an_append_of_one_run_id_is_not_repeated_and_leaves_no_files(tmp_path):
    for _ in range(2):
        write(WriteWarehouse("t", warehouse=tmp_path, run_id="r1"), batch_of([event(1, day(1))]))
    assert ids(read_table("t", tmp_path)) == [1]
    assert len(data_files(tmp_path)) == 1
    write(WriteWarehouse("t", warehouse=tmp_path, run_id="r2"), batch_of([event(1, day(1))]))
    assert ids(read_table("t", tmp_path)) == [1, 1]


def test_an_empty_append_commits_nothing(tmp_path):
    write(WriteWarehouse("t", warehouse=tmp_path))
    assert catalogs.load_table("t", tmp_path).current_snapshot() is None
    assert read_table("t", tmp_path).num_rows == 0


def replace(folder, source, *rows, **options):
    options = {"partition_by": "day(occurred_at)", **options}
    block = WriteWarehouse("t", mode="replace", source=source, warehouse=folder, **options)
    write(block, *([batch_of(rows)] if rows else []))


def by_source(folder):
    found = {}
    for row in read_table("t", folder).to_pylist():
        found.setdefault(row["_source"], []).append(row["id"])
    return {source: sorted(numbers) for source, numbers in found.items()}


@pytest.mark.parametrize(
    "partition_by", ["day(occurred_at)", None, *map(slow, ["month(occurred_at)", "bucket(2, id)"])]
)
def test_a_second_run_of_the_same_days_leaves_one_copy_and_other_sources_alone(tmp_path, partition_by):
    rows = [event(1, day(1)), event(2, day(2)), event(3, None)]
    replace(tmp_path, "partner-payments-eu", *rows, partition_by=partition_by)
    replace(tmp_path, "partner-payments-us", *rows, partition_by=partition_by)
    for _ in range(2):
        replace(tmp_path, "partner-payments-eu", *rows, partition_by=partition_by)
    assert by_source(tmp_path) == {"partner-payments-eu": [1, 2, 3], "partner-payments-us": [1, 2, 3]}


@pytest.mark.parametrize("partition_by", ["day(occurred_at)", "month(occurred_at)", slow(None)])
def test_replace_without_a_range_replaces_the_days_of_its_own_rows_only(tmp_path, partition_by):
    replace(
        tmp_path, "a", event(1, day(1)), event(2, day(2)), event(3, day(3)), event(4, None), partition_by=partition_by
    )
    replace(tmp_path, "a", event(20, day(2, 3)), event(21, day(2, 4)), partition_by=partition_by)
    assert by_source(tmp_path) == {"a": [1, 3, 4, 20, 21]}


@pytest.mark.parametrize("partition_by", ["day(occurred_at)", "month(occurred_at)", slow(None)])
def test_replace_with_a_range_removes_its_rows_even_without_new_ones(tmp_path, partition_by):
    replace(tmp_path, "a", event(1, day(1)), event(2, day(2)), event(3, day(3)), partition_by=partition_by)
    replace(tmp_path, "b", event(5, day(2)), partition_by=partition_by)
    replace(tmp_path, "a", date_range=("2026-01-02", dt.date(2026, 1, 3)), partition_by=partition_by)
    assert by_source(tmp_path) == {"a": [1, 3], "b": [5]}


def test_a_range_of_moments_cuts_within_a_file(tmp_path):
    replace(tmp_path, "a", *[event(hour, day(1, hour)) for hour in range(6)])
    span = (dt.datetime(2026, 1, 1, 2, tzinfo=dt.UTC), "2026-01-01T04:00:00Z")
    replace(tmp_path, "a", event(30, day(1, 3)), date_range=span)
    assert by_source(tmp_path) == {"a": [0, 1, 4, 5, 30]}


def test_rows_outside_the_range_are_rejected_and_the_others_written(tmp_path):
    rows = [event(1, day(1)), event(2, day(9)), event(3, None)]
    with pipeline() as p, Rejects(tmp_path / "rejects", run_id="r") as rejects:
        block = WriteWarehouse(
            "t",
            mode="replace",
            source="a",
            warehouse=tmp_path,
            date_range=("2026-01-01", "2026-01-02"),
            rejects=rejects,
        )
        _ = p | Batches([batch_of(rows)]) | block
    assert by_source(tmp_path) == {"a": [1]}
    found = pq.read_table(tmp_path / "rejects").to_pylist()
    assert [row["code"] for row in found] == ["outside_date_range"] * 2
    assert {json.loads(row["record"])["id"] for row in found} == {2, 3}


def test_without_rejects_a_row_outside_the_range_stops_the_run(tmp_path):
    with pytest.raises(Exception, match="outside_date_range"):
        replace(tmp_path, "a", event(2, day(9)), date_range=("2026-01-01", "2026-01-02"))
    assert read_table("t", tmp_path).num_rows == 0
    assert data_files(tmp_path) == []


def upsert(folder, *rows, **options):
    options = {"key": "id", "partition_by": "day(occurred_at)", **options}
    write(WriteWarehouse("t", mode="upsert", warehouse=folder, **options), batch_of(rows))


@pytest.mark.parametrize("partition_by", ["day(occurred_at)", *map(slow, ["bucket(3, id)", "country", None])])
def test_upsert_replaces_rows_by_key_and_keeps_the_last_of_a_run(tmp_path, partition_by):
    upsert(tmp_path, *[event(n, day(1), "old") for n in range(10)], partition_by=partition_by)
    new = [event(3, day(5), "late"), event(3, day(4), "early"), event(3, None, "never"), event(12, day(2), "new")]
    upsert(tmp_path, *new, partition_by=partition_by)
    found = {row["id"]: row["country"] for row in read_table("t", tmp_path).to_pylist()}
    assert found == {**dict.fromkeys(range(10), "old"), 3: "late", 12: "new"}
    assert read_table("t", tmp_path).num_rows == 11


def test_upsert_by_two_columns_tells_them_apart(tmp_path):
    upsert(tmp_path, event(1, day(1), "DE"), event(1, day(1), "FR"), event(2, day(1), "DE"), key=["id", "country"])
    upsert(tmp_path, event(1, day(2), "FR"), key=["id", "country"])
    found = {(row["id"], row["country"]): row["occurred_at"].day for row in read_table("t", tmp_path).to_pylist()}
    assert found == {(1, "DE"): 1, (1, "FR"): 2, (2, "DE"): 1}


def test_upsert_again_with_the_same_rows_leaves_one_copy(tmp_path):
    for _ in range(3):
        upsert(tmp_path, event(1, day(1)), event(2, day(2)))
    assert ids(read_table("t", tmp_path)) == [1, 2]


def test_a_row_without_key_is_rejected_by_upsert(tmp_path):
    with pipeline() as p, Rejects(tmp_path / "rejects") as rejects:
        block = WriteWarehouse("t", mode="upsert", key="country", warehouse=tmp_path, rejects=rejects)
        _ = p | Batches([batch_of([event(1, day(1)), event(2, day(1), None)])]) | block
    assert ids(read_table("t", tmp_path)) == [1]
    assert [row["code"] for row in pq.read_table(tmp_path / "rejects").to_pylist()] == ["null_key"]


def test_all_mistakes_in_the_options_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        WriteWarehouse(
            "../x",
            partition_by="week(t)",
            mode="replase",
            key="id",
            date_range=("2026-02-01", "2026-01-01"),
            run_id="a/b",
            warehouse="w",
            catalog="c",
            format="orc",
            target_file_bytes=0,
        )
    told = [problem.where for problem in error.value.problems]
    assert told == [
        "partition_by",
        "date_range",
        "table",
        "mode",
        "format",
        "key",
        "date_range",
        "catalog",
        "run_id",
        "target_file_bytes",
    ]
    assert "did you mean `replace`?" in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "replace"}, "replace without source"),
        ({"mode": "upsert"}, "upsert without key"),
        ({"mode": "replace", "source": ""}, "not a source"),
        ({"mode": "replace", "source": "a", "date_range": ("2026-01-01T00:00:00", "2026-02-01")}, "time zone"),
        ({"mode": "upsert", "key": "id", "format": "parquet"}, "cannot upsert"),
        ({"format": "parquet", "warehouse": "s3://bucket/x"}, "local folder"),
        ({"source": "a", "destination": "bigquery:p.d.t"}, "does not go with destination"),
        ({"destination": "bigquery:d.t"}, "not a destination"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        WriteWarehouse("t", **options)


def test_columns_that_are_not_there_are_told_at_construction(tmp_path):
    block = WriteWarehouse("t", mode="upsert", key=["idd", "items"], partition_by="day(occured_at)", warehouse=tmp_path)
    with pytest.raises(ColumnError) as error:
        write(block, batch_of([event(1, day(1))]))
    assert len(error.value.problems) == 3
    assert "did you mean `occurred_at`?" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_replace_needs_an_event_time(tmp_path):
    schema = pa.schema([("id", pa.int64())])
    with pytest.raises(ColumnError, match="needs the event time"):
        write(
            WriteWarehouse("t", mode="replace", source="a", warehouse=tmp_path),
            batch_of([{"id": 1}], schema),
            schema=schema,
        )


def test_building_a_pipeline_changes_nothing_on_disk(tmp_path):
    p = pipeline()
    _ = p | Batches([batch_of([event(1, day(1))])]) | WriteWarehouse("t", warehouse=tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_a_type_that_iceberg_cannot_hold_is_told_at_construction(tmp_path):
    schema = pa.schema([("id", pa.uint64()), ("t", pa.timestamp("ns"))])
    with pytest.raises(SchemaError, match="2 problems"):
        _ = pipeline() | Batches([], schema) | WriteWarehouse("t", warehouse=tmp_path)


def test_a_labelled_column_without_policy_does_not_build(tmp_path):
    schema = pa.schema([pa.field("email", pa.string(), metadata={"blocks.label": "pii.email"})])
    with pytest.raises(PrivacyError, match="there is no policy"):
        _ = pipeline() | Batches([], schema) | WriteWarehouse("t", warehouse=tmp_path)


def test_what_is_no_batch_is_refused(tmp_path):
    with pytest.raises(BatchTypeError, match="expected a PCollection of batches"):
        _ = pipeline() | beam.Create([1]) | WriteWarehouse("t", warehouse=tmp_path)


def test_the_default_warehouse_is_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOCKS_WAREHOUSE", str(tmp_path / "from env"))
    write(WriteWarehouse("t"), batch_of([event(1, day(1))]))
    assert ids(read_table("t", tmp_path / "from env")) == [1]


def test_a_configured_catalog_is_used_by_its_name(tmp_path, monkeypatch):
    name = "PYICEBERG_CATALOG__OWN__"
    monkeypatch.setenv(name + "URI", f"sqlite:///{tmp_path}/own.db")
    monkeypatch.setenv(name + "WAREHOUSE", str(tmp_path / "own"))
    from pyiceberg import catalog as pyiceberg_catalog
    from pyiceberg.utils.config import Config

    monkeypatch.setattr(pyiceberg_catalog, "_ENV_CONFIG", Config())
    write(WriteWarehouse("t", catalog="own"), batch_of([event(1, day(1))]))
    assert ids(read_table("t", catalog="own")) == [1]
    with pytest.raises(ConfigError, match="no usable catalog `nope`"):
        read_table("t", catalog="nope")


FAR = pa.RecordBatch.from_arrays(
    [pa.array([253_402_300_800_000_000 * 4, 0], pa.timestamp("us", tz="UTC"))],
    schema=pa.schema([("occurred_at", pa.timestamp("us", tz="UTC"))]),
)


def test_times_beyond_the_calendar_are_written_without_a_partition_by_time(tmp_path):
    write(WriteWarehouse("t", warehouse=tmp_path), FAR, schema=FAR.schema)
    times = read_table("t", tmp_path).column(0).cast(pa.int64()).to_pylist()
    assert sorted(times) == [0, 253_402_300_800_000_000 * 4]


def test_times_beyond_the_calendar_are_rejected_by_a_partition_by_time(tmp_path):
    with pipeline() as p, Rejects(tmp_path / "rejects") as rejects:
        block = WriteWarehouse("t", partition_by="day(occurred_at)", warehouse=tmp_path, rejects=rejects)
        _ = p | Batches([FAR], FAR.schema) | block
    assert read_table("t", tmp_path).column(0).cast(pa.int64()).to_pylist() == [0]
    assert [row["code"] for row in pq.read_table(tmp_path / "rejects").to_pylist()] == ["time_out_of_range"]


def test_a_column_masked_as_the_policy_asks_passes_and_its_mask_is_kept(tmp_path):
    policy = {
        "keys": {"main": "env:BLOCKS_TEST_KEY"},
        "destinations": {
            "warehouse": {
                "protected": True,
                "labels": {"public": "keep", "pii.email": {"method": "hmac", "key": "main"}},
            }
        },
    }
    email = pa.field("email", pa.string(), metadata={"blocks.label": "pii.email"})
    raw = pa.schema([pa.field("id", pa.int64(), metadata={"blocks.label": "public"}), email])
    schema = plan_masking(raw, read_policy(policy), "warehouse", "test").schema
    # The source column that the block adds is public, so that it passes a protected warehouse.
    block = WriteWarehouse("t", warehouse=tmp_path, policy=policy, source="partner")
    write(block, batch_of([{"id": 1, "email": "8f2a"}], schema), schema=schema)
    found = read_table("t", tmp_path)
    assert found.schema.field("email").metadata == schema.field("email").metadata
    assert b"hmac" in found.schema.field("email").metadata[b"blocks.masked"]
    assert found.to_pylist() == [{"id": 1, "email": "8f2a", "_source": "partner"}]
    with pytest.raises(PrivacyError, match="must go through hmac with key main first"):
        _ = pipeline() | Batches([], raw) | WriteWarehouse("t", warehouse=tmp_path, policy=policy)


def test_a_bounded_input_in_windows_is_one_commit(tmp_path):
    written = [batch_of([event(n, day(1))]).serialize().to_pybytes() for n in range(3)]
    read = beam.Map(lambda one: pa.ipc.read_record_batch(pa.py_buffer(one), EVENTS)).with_output_types(
        BatchType(EVENTS)
    )
    with pipeline() as p:
        timed = p | beam.Create(list(enumerate(written))) | beam.MapTuple(lambda n, one: TimestampedValue(one, n * 60))
        _ = timed | beam.WindowInto(FixedWindows(60)) | read | WriteWarehouse("t", warehouse=tmp_path)
    assert len(catalogs.load_table("t", tmp_path).metadata.snapshots) == 1
    assert ids(read_table("t", tmp_path)) == [0, 1, 2]
