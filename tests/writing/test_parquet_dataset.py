import dataclasses
import datetime as dt

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_data import EVENTS, batch_of, day, event, files_of, ids, micros_of, target_of, write

from blocks.core.errors import ColumnError, ConflictError, SchemaError
from blocks.writing.orphans import remove_orphans
from blocks.writing.parquet_dataset import ParquetTarget, dataset_folder, read_log
from blocks.writing.warehouse import WriteWarehouse, read_table


def block(folder, **options):
    return WriteWarehouse(
        "t", **{"partition_by": "day(occurred_at)", "format": "parquet", "warehouse": folder, **options}
    )


def read(folder):
    return read_table("t", folder, format="parquet")


def visible(folder):
    return sorted(path.relative_to(folder / "default" / "t").parent.name for path in folder.rglob("*.parquet"))


def test_a_dataset_has_a_folder_a_partition_and_reads_with_plain_tools(tmp_path):
    rows = [event(1, day(1)), event(2, day(2)), event(3, None)]
    write(block(tmp_path), batch_of(rows))
    assert visible(tmp_path) == [
        "occurred_at_day=2026-01-01",
        "occurred_at_day=2026-01-02",
        "occurred_at_day=__HIVE_DEFAULT_PARTITION__",
    ]
    files = f"read_parquet('{tmp_path}/**/*.parquet', hive_partitioning=true)"
    query = f"select id from {files} where occurred_at_day='2026-01-02'"
    assert duckdb.sql(query).fetchall() == [(2,)]
    found = read(tmp_path)
    assert sorted(found.to_pylist(), key=lambda row: row["id"]) == rows
    assert found.schema.equals(EVENTS, check_metadata=True)
    assert not (tmp_path / "default" / "t" / "_staging").exists()


def test_an_append_of_one_run_id_is_not_repeated(tmp_path):
    for _ in range(2):
        write(block(tmp_path, run_id="r"), batch_of([event(1, day(1))]))
    assert ids(read(tmp_path)) == [1]
    assert len(visible(tmp_path)) == 1


@pytest.mark.parametrize("partition_by", ["day(occurred_at)", ["country", "hour(occurred_at)"]])
def test_replace_leaves_one_copy_and_other_sources_and_days_alone(tmp_path, partition_by):
    rows = [event(1, day(1)), event(2, day(2)), event(3, None)]
    for source in ("a", "b", "a"):
        write(block(tmp_path, mode="replace", source=source, partition_by=partition_by), batch_of(rows))
    write(block(tmp_path, mode="replace", source="a", partition_by=partition_by), batch_of([event(9, day(2, 3))]))
    found = sorted((row["_source"], row["id"]) for row in read(tmp_path).to_pylist())
    assert found == [("a", 1), ("a", 3), ("a", 9), ("b", 1), ("b", 2), ("b", 3)]
    assert len(visible(tmp_path)) == 6


def test_replace_with_a_range_empties_it(tmp_path):
    write(block(tmp_path, mode="replace", source="a"), batch_of([event(1, day(1)), event(2, day(2))]))
    write(block(tmp_path, mode="replace", source="a", date_range=("2026-01-02", "2026-01-03")))
    assert ids(read(tmp_path)) == [1]


def test_replace_needs_files_of_one_day(tmp_path):
    with pytest.raises(ColumnError, match="can only replace whole files"):
        write(block(tmp_path, mode="replace", source="a", partition_by="month(occurred_at)"))


def test_other_partitions_and_columns_that_do_not_fit_are_refused(tmp_path):
    write(block(tmp_path), batch_of([event(1, day(1))]))
    with pytest.raises(SchemaError, match="partitioned by"):
        write(block(tmp_path, partition_by="country"), batch_of([event(2, day(1))]))
    other = EVENTS.set(0, pa.field("id", pa.string()))
    with pytest.raises(SchemaError, match="`id` is int64 in the table and string in the input"):
        write(block(tmp_path), schema=other)


def test_a_new_column_is_null_in_older_rows(tmp_path):
    write(block(tmp_path), batch_of([event(1, day(1))]))
    wider = EVENTS.append(pa.field("note", pa.string()))
    write(block(tmp_path), batch_of([{**event(2, day(1)), "note": "n"}], wider), schema=wider)
    assert {row["id"]: row["note"] for row in read(tmp_path).to_pylist()} == {1: None, 2: "n"}


def parquet_target(folder, **options):
    target = target_of(folder, **{"table": "t", **options})
    return ParquetTarget(target.options, target.schema)


def test_of_two_interleaved_replacing_runs_the_second_shows_nothing(tmp_path):
    options = {"mode": "replace", "source": "a", "date_range": (micros_of(1), micros_of(2))}
    one, two = (parquet_target(tmp_path, run_id=run, **options) for run in ("r1", "r2"))
    other = parquet_target(tmp_path, run_id="r3", **{**options, "source": "b"})
    plans = [target.prepare() for target in (one, two, other)]
    files = [
        files_of(target, plan, [batch_of([event(number, day(1))])])
        for number, (target, plan) in enumerate(zip((one, two, other), plans, strict=True), 1)
    ]
    assert visible(tmp_path) == []
    one.commit(plans[0], files[0], "r1")
    with pytest.raises(ConflictError):
        two.commit(plans[1], files[1], "r2")
    other.commit(plans[2], files[2], "r3")
    assert ids(read(tmp_path)) == [1, 3]
    assert len(visible(tmp_path)) == 2


def test_a_crash_before_the_entry_of_the_log_is_cleaned_by_the_run_made_again(tmp_path, monkeypatch):
    write(block(tmp_path), batch_of([event(1, day(1))]))
    target = parquet_target(tmp_path, run_id="r1")
    plan = target.prepare()
    files = files_of(target, plan, [batch_of([event(2, day(1))])])

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    monkeypatch.setattr(ParquetTarget, "_append", die)
    with pytest.raises(Killed):
        target.commit(plan, files, "r1")
    monkeypatch.undo()
    assert ids(read(tmp_path)) == [1]
    assert len(visible(tmp_path)) == 2
    orphans = remove_orphans("t", dt.timedelta(seconds=-60), warehouse=tmp_path, format="parquet", dry_run=True)
    assert len(orphans) == 1
    write(block(tmp_path, run_id="r1"), batch_of([event(2, day(1))]))
    assert ids(read(tmp_path)) == [1, 2]
    assert len(visible(tmp_path)) == 2


def test_an_entry_of_the_log_is_never_overwritten(tmp_path):
    target = parquet_target(tmp_path)
    target.prepare()
    entry = target._entry(0, "first", None, {}, [])
    assert target._append(entry)
    assert not target._append(dataclasses.replace(entry, commit_id="second"))
    (kept,) = read_log(dataset_folder("t", tmp_path))
    assert kept.commit_id == "first"


def test_labels_survive_in_the_files(tmp_path):
    schema = EVENTS.set(1, pa.field("country", pa.string(), metadata={"blocks.label": "public"}))
    write(block(tmp_path), batch_of([event(1, day(1))], schema), schema=schema)
    (path,) = tmp_path.rglob("*.parquet")
    assert pq.read_schema(path).field("country").metadata[b"blocks.label"] == b"public"


def test_odd_values_stay_in_the_rows(tmp_path):
    odd = ["a/b", "..", None, "x" * 10_000, "null", "ü=%2F"]
    write(block(tmp_path, partition_by="country"), batch_of([event(n, day(1), v) for n, v in enumerate(odd)]))
    assert {row["id"]: row["country"] for row in read(tmp_path).to_pylist()} == dict(enumerate(odd))
