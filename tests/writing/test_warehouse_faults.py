"""Faults planted for real: killed processes, writers at once, full disks, read-only folders, repeated bundles."""

import datetime as dt
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from warehouse_data import (
    EVENTS,
    batch_of,
    commit_of,
    data_files,
    day,
    event,
    files_of,
    ids,
    micros_of,
    target_of,
    with_options,
    write,
)

from blocks.core.errors import ConflictError, WarehouseError
from blocks.writing import catalogs
from blocks.writing.orphans import remove_orphans
from blocks.writing.warehouse import WriteWarehouse, read_table

NOW = dt.timedelta(seconds=-60)


def killed_run(folder: Path, options: str) -> None:
    """A whole pipeline in a process of its own that dies between data files and commit."""
    script = f"""
    import os, signal, sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from warehouse_data import batch_of, day, event, write
    from blocks.writing import warehouse

    class Dying(warehouse.IcebergTarget):
        def commit(self, plan, files, commit_id):
            assert files and all(os.path.exists(file.path) for file in files)
            os.kill(os.getpid(), signal.SIGKILL)

    warehouse.IcebergTarget = Dying
    write(warehouse.WriteWarehouse("t", warehouse={str(folder)!r}, {options}), batch_of([event(9, day(1))]))
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "options", ["run_id='r'", pytest.param("run_id='r', mode='replace', source='a'", marks=pytest.mark.slow)]
)
def test_a_run_killed_before_its_commit_leaves_the_table_as_it_was(tmp_path, options):
    block = WriteWarehouse("t", warehouse=tmp_path, mode="replace", source="a")
    write(block, batch_of([event(1, day(1))]))
    before = catalogs.load_table("t", tmp_path).metadata
    killed_run(tmp_path, options if "source" in options else options + ", source='a'")
    assert catalogs.load_table("t", tmp_path).metadata == before
    assert ids(read_table("t", tmp_path)) == [1]
    assert len(data_files(tmp_path)) == 2
    assert remove_orphans("t", dt.timedelta(hours=1), warehouse=tmp_path) == []
    (orphan,) = remove_orphans("t", NOW, warehouse=tmp_path, dry_run=True)
    assert Path(orphan).exists()
    assert remove_orphans("t", NOW, warehouse=tmp_path) == [orphan]
    assert len(data_files(tmp_path)) == 1
    # The same run id goes through when it is run again.
    write(WriteWarehouse("t", warehouse=tmp_path, source="a", run_id="r"), batch_of([event(9, day(1))]))
    assert ids(read_table("t", tmp_path)) == [1, 9]


def test_orphans_are_not_taken_from_older_snapshots(tmp_path):
    for _ in range(2):
        commit_of(
            target_of(tmp_path, mode="replace", source="a", run_id=os.urandom(4).hex()), batch_of([event(1, day(1))])
        )
    assert len(data_files(tmp_path)) == 2
    assert remove_orphans("events", NOW, warehouse=tmp_path) == []


def test_what_a_replace_took_away_is_an_orphan_once_its_snapshot_has_expired(tmp_path):
    for number in range(2):
        target = target_of(tmp_path, mode="replace", source="a", run_id=f"r{number}")
        commit_of(target, batch_of([event(number, day(1))]))
    first, second = sorted(data_files(tmp_path), key=lambda path: path.stat().st_mtime)
    catalogs.load_table("events", tmp_path).maintenance.expire_snapshots().older_than(dt.datetime.now(dt.UTC)).commit()
    assert [Path(path).name for path in remove_orphans("events", NOW, warehouse=tmp_path)] == [first.name]
    assert data_files(tmp_path) == [second]
    assert ids(read_table("events", tmp_path)) == [1]


def replacing(folder, first, end, **options):
    given = {"mode": "replace", "source": "a", "date_range": (micros_of(first), micros_of(end))}
    return target_of(folder, **{**given, **options})


def test_of_two_interleaved_replacing_runs_of_one_range_the_second_shows_nothing(tmp_path):
    commit_of(replacing(tmp_path, 1, 3, run_id="r0"), batch_of([event(0, day(1)), event(7, day(2))]))
    one, two = replacing(tmp_path, 1, 2, run_id="r1"), replacing(tmp_path, 1, 3, run_id="r2")
    plans = [target.prepare() for target in (one, two)]
    files = [
        files_of(target, plan, [batch_of([event(number, day(1))])])
        for number, (target, plan) in enumerate(zip((one, two), plans, strict=True), 1)
    ]
    one.commit(plans[0], files[0], "r1")
    with pytest.raises(ConflictError, match="another run changed rows of this source"):
        two.commit(plans[1], files[1], "r2")
    assert ids(read_table("events", tmp_path)) == [1, 7]
    assert not any(Path(file.path).exists() for file in files[1])


@pytest.mark.parametrize(
    "other",
    [{"source": "b"}, {"date_range": (micros_of(2), micros_of(3))}],
    ids=["another source", "another day"],
)
@pytest.mark.parametrize("partition_by", ["day(occurred_at)", None])
def test_interleaved_replacing_runs_of_other_rows_both_succeed(tmp_path, other, partition_by):
    start = replacing(tmp_path, 1, 3, run_id="r0", partition_by=partition_by)
    commit_of(start, batch_of([event(0, day(1)), event(7, day(2))]))
    one = replacing(tmp_path, 1, 2, run_id="r1", partition_by=partition_by)
    two = with_options(replacing(tmp_path, 1, 2, run_id="r2", partition_by=partition_by), **other)
    plans = [one.prepare(), two.prepare()]
    rows = [[event(1, day(1))], [event(2, day(1) if "source" in other else day(2))]]
    files = [files_of(t, plan, [batch_of(r)]) for t, plan, r in zip((one, two), plans, rows, strict=True)]
    one.commit(plans[0], files[0], "r1")
    two.commit(plans[1], files[1], "r2")
    assert ids(read_table("events", tmp_path)) == ([1, 2, 7] if "source" in other else [1, 2])


def test_a_replacing_run_conflicts_with_an_append_of_its_source_and_day(tmp_path):
    commit_of(replacing(tmp_path, 1, 2, run_id="r0"), batch_of([event(0, day(1))]))
    target = replacing(tmp_path, 1, 2, run_id="r1")
    plan = target.prepare()
    files = files_of(target, plan, [batch_of([event(1, day(1))])])
    commit_of(target_of(tmp_path, source="a", run_id="other day"), batch_of([event(5, day(5))]))
    commit_of(target_of(tmp_path, source="b", run_id="other source"), batch_of([event(6, day(1))]))
    with_append = target.commit(plan, files, "r1")
    assert with_append.status == "committed"
    late = replacing(tmp_path, 1, 2, run_id="r2")
    plan = late.prepare()
    files = files_of(late, plan, [batch_of([event(2, day(1))])])
    commit_of(target_of(tmp_path, source="a", run_id="same"), batch_of([event(8, day(1))]))
    with pytest.raises(ConflictError):
        late.commit(plan, files, "r2")
    assert ids(read_table("events", tmp_path)) == [1, 5, 6, 8]


def test_interleaved_upserts_take_effect_one_after_the_other(tmp_path):
    options = {"mode": "upsert", "key": ("id",)}
    commit_of(target_of(tmp_path, run_id="r0", **options), batch_of([event(n, day(1), "old") for n in range(4)]))
    one, two = (target_of(tmp_path, run_id=run, **options) for run in ("r1", "r2"))
    plans = [target.prepare() for target in (one, two)]
    rows = [[event(1, day(1), "one"), event(2, day(1), "one")], [event(2, day(1), "two"), event(3, day(1), "two")]]
    files = [files_of(t, plan, [batch_of(r)]) for t, plan, r in zip((one, two), plans, rows, strict=True)]
    for target, plan, described in zip((one, two), plans, files, strict=True):
        assert target.commit(plan, described, target.options.run_id).status == "committed"
    found = {row["id"]: row["country"] for row in read_table("events", tmp_path).to_pylist()}
    assert found == {0: "old", 1: "one", 2: "two", 3: "two"}
    assert not list(tmp_path.rglob("_staging/**/*.parquet"))


def test_one_commit_made_twice_at_once_shows_its_rows_once(tmp_path):
    target = target_of(tmp_path)
    plan = target.prepare()
    files = files_of(target, plan, [batch_of([event(1, day(1))])])
    assert target.commit(plan, files, "run").status == "committed"
    # As a runner does that lost the answer: the same files again, which must stay.
    assert target.commit(plan, files, "run").status == "repeated"
    # As a runner does that lost the workers' answers too: other files of the same rows.
    again = files_of(target, plan, [batch_of([event(1, day(1))])])
    assert target.commit(plan, again, "run").status == "repeated"
    assert ids(read_table("events", tmp_path)) == [1]
    assert len(data_files(tmp_path)) == 1


def test_a_bundle_that_is_repeated_leaves_no_row_twice(tmp_path):
    target = target_of(tmp_path)
    plan = target.prepare()
    files_of(target, plan, [batch_of([event(1, day(1))])])
    second = files_of(target, plan, [batch_of([event(1, day(1))])])
    target.commit(plan, second, "run")
    assert ids(read_table("events", tmp_path)) == [1]
    assert len(remove_orphans("events", NOW, warehouse=tmp_path)) == 1


def test_columns_changed_by_another_writer_during_a_run_are_a_conflict(tmp_path):
    commit_of(target_of(tmp_path, run_id="r0"), batch_of([event(1, day(1))]))
    import pyarrow as pa

    wider = target_of(tmp_path, EVENTS.append(pa.field("x", pa.string())), run_id="r1")
    plan = wider.prepare()
    files = files_of(wider, plan, [batch_of([event(2, day(1))])])
    other = target_of(tmp_path, EVENTS.append(pa.field("y", pa.int64())), run_id="r2")
    commit_of(other, batch_of([event(3, day(1))]))
    with pytest.raises(ConflictError, match="changed the table's columns"):
        wider.commit(plan, files, "r1")
    assert ids(read_table("events", tmp_path)) == [1, 3]


def _race(folder, number, options, barrier, answers):
    target = target_of(Path(folder), run_id=f"r{number}", **options)
    barrier.wait(60)
    plan = target.prepare()
    at = day(options.get("day", 1))
    files = files_of(target, plan, [batch_of([event(number, at)])])
    barrier.wait(60)
    try:
        answers.put((number, target.commit(plan, files, f"r{number}").status))
    except ConflictError:
        answers.put((number, "conflict"))


def race(folder, *runs):
    """Runs in processes of their own, all prepared before any commits."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(len(runs)), context.Queue()
    processes = [
        context.Process(target=_race, args=(str(folder), number, options, barrier, answers))
        for number, options in enumerate(runs)
    ]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
    return found


@pytest.mark.slow
def test_processes_that_make_one_catalog_and_table_at_once_all_append(tmp_path):
    assert set(race(tmp_path, {}, {}, {}).values()) == {"committed"}
    assert ids(read_table("events", tmp_path)) == [0, 1, 2]


@pytest.mark.slow
def test_of_processes_that_replace_one_range_at_once_exactly_one_wins(tmp_path):
    options = {"mode": "replace", "source": "a", "date_range": (micros_of(1), micros_of(2))}
    other = {**options, "source": "b"}
    found = race(tmp_path, options, options, other)
    assert sorted([found[0], found[1]]) == ["committed", "conflict"]
    assert found[2] == "committed"
    (winner,) = [number for number in (0, 1) if found[number] == "committed"]
    assert ids(read_table("events", tmp_path)) == sorted([winner, 2])


@pytest.fixture
def mounted(tmp_path):
    """Mounts a small tmpfs; unmounted at the end."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a tmpfs is not permitted here")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def noise(count):
    return batch_of([{**event(n, day(1)), "country": os.urandom(500).hex()} for n in range(count)])


def test_a_full_disk_shows_nothing_of_the_run_and_leaves_no_half_files(mounted):
    folder = mounted("size=1m")
    write(WriteWarehouse("t", warehouse=folder), batch_of([event(1, day(1))]))
    with pytest.raises(Exception, match="cannot write: No space left on device"):
        write(WriteWarehouse("t", warehouse=folder), noise(3_000))
    assert ids(read_table("t", folder)) == [1]
    assert len(data_files(folder)) == 1
    write(WriteWarehouse("t", warehouse=folder), batch_of([event(2, day(1))]))
    assert ids(read_table("t", folder)) == [1, 2]


@pytest.fixture
def read_only(tmp_path):
    """Makes a folder read-only by a bind mount: root may write whatever its mode says."""
    mounted_here = []

    def mount(folder):
        commands = [["mount", "--bind", str(folder), str(folder)], ["mount", "-o", "remount,bind,ro", str(folder)]]
        for command in commands:
            if subprocess.run(command, capture_output=True).returncode:
                pytest.skip("mounting is not permitted here")
            mounted_here.append(folder)

    yield mount
    if mounted_here:
        subprocess.run(["umount", "-l", str(mounted_here[0])], capture_output=True)


@pytest.mark.parametrize("format_", ["iceberg", "parquet"])
def test_a_read_only_target_is_told_without_paths_of_partitions(tmp_path, read_only, format_):
    folder = tmp_path / "w"
    options = {"partition_by": "country", "warehouse": folder, "format": format_}
    write(WriteWarehouse("t", **options), batch_of([event(1, day(1))]))
    read_only(folder)
    with pytest.raises(Exception, match=r"(?i)cannot write: .*read-?only") as error:
        write(WriteWarehouse("t", **options), batch_of([event(2, day(1), "Secretland")]))
    assert "Secretland" not in str(error.value)
    assert ids(read_table("t", folder, format=format_)) == [1]


def test_a_warehouse_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="cannot open the warehouse"):
        catalogs.open_catalog(tmp_path / "file" / "w")


def test_a_failed_bundle_removes_its_files(tmp_path):
    from apache_beam.transforms.window import GlobalWindow

    from blocks.writing.data_files import Limits
    from blocks.writing.steps import WriteFiles

    target = with_options(target_of(tmp_path), limits=Limits(group_bytes=1))
    plan = target.prepare()
    step = WriteFiles(target, target.options, EVENTS, None)
    step.setup()
    step.start_bundle()
    list(step.process(batch_of([event(1, day(1))]), plan, GlobalWindow()))
    assert len(data_files(tmp_path)) == 1
    step.teardown()
    assert data_files(tmp_path) == []
