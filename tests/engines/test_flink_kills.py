"""A worker of a Flink run is killed: the tables are those of a run that nobody disturbed.

Workers are processes of a pool, as in a cluster, and end by SIGKILL: no code of theirs gets to clean up.
"""

import time
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState
from apache_beam.transforms.window import FixedWindows
from killing_steps import (
    BATCHES,
    CHECKPOINTS,
    MARK,
    MINUTES,
    ROWS_A_BATCH,
    SCHEMA,
    KillAfterCommit,
    KillAtBatch,
    ReadStream,
)

import blocks
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.errors import WarehouseError
from blocks.engines import Engine, EngineOptions, choose
from blocks.testing.simulator import SimulatorConfig, write_events
from blocks.writing import catalogs
from blocks.writing.commits import COMMIT_PROPERTY

pytestmark = [pytest.mark.slow, pytest.mark.flink]

EXAMPLE = Path(__file__).parents[2] / "examples" / "partner_events"
POLICY = EXAMPLE / "policies" / "privacy.yaml"
DEADLINE_SECONDS = 200


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")


def on_flink(pool: str, *options: str) -> Engine:
    given = ("number_of_execution_retries=3", "execution_retry_delay=100", *options)
    return choose("flink", EngineOptions(environment_type="EXTERNAL", environment_config=pool, options=given))


def run_batch(engine: Engine, folder: Path, events: Path, kill: bool) -> None:
    made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    with blocks.Rejects(str(folder / "rejects"), policy=POLICY) as rejects:
        flat = (
            made
            | blocks.ReadJson(str(events), schema=f"{EXAMPLE}/transaction.thrift:Transaction", rejects=rejects)
            | blocks.MaskColumns(policy=POLICY, destination="warehouse")
            | blocks.FlattenRecords(explode="items")
        )
        if kill:
            flat = flat | beam.ParDo(KillAtBatch(folder, 2)).with_output_types(BatchType(schema_of(flat, "test")))
        write = blocks.WriteWarehouse("t", partition_by="day(occurred_at)", policy=POLICY, warehouse=folder / "w")
        _ = flat | write
    with engine:
        made.run().wait_until_finish()


def rows(folder: Path) -> list[str]:
    return sorted(map(str, blocks.read_table("t", warehouse=folder / "w").to_pylist()))


def test_a_worker_killed_in_the_middle_of_a_batch_leaves_the_table_of_an_undisturbed_run(
    worker_pool: Callable[[], str], tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    # More than one batch comes from a reader, so that something is written when the worker dies.
    write_events(events, SimulatorConfig(events=30_000, seed=1, bad=0.001, late=0.01))
    wanted, found = tmp_path / "undisturbed", tmp_path / "killed"
    found.mkdir()
    run_batch(choose("local"), wanted, events, kill=False)
    run_batch(on_flink(worker_pool()), found, events, kill=True)
    assert (found / MARK).exists()
    assert rows(found) == rows(wanted)
    assert len(catalogs.load_table("t", found / "w").metadata.snapshots) == 1
    log = (tmp_path / "pool.log").read_text()
    assert log.count("Starting worker with command") > 1


def commits(folder: Path) -> list[str]:
    if not (folder / "w").exists():
        return []
    try:
        snapshots = catalogs.load_table("t", folder / "w").metadata.snapshots
    except WarehouseError:
        return []
    return [str(shot.summary.additional_properties[COMMIT_PROPERTY]) for shot in snapshots]


def run_stream(pool: str, folder: Path, kill: str) -> None:
    (folder / CHECKPOINTS).mkdir(parents=True)
    engine = on_flink(
        pool,
        "streaming=true",
        "checkpointing_interval=500",
        # Otherwise a bundle waits for more elements for ten seconds.
        "max_bundle_size=1",
        "state_backend=filesystem",
        f"state_backend_storage_path={(folder / CHECKPOINTS).as_uri()}",
    )
    made = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    read = beam.ParDo(ReadStream(folder, waits=bool(kill), kills=kill == "while reading"))
    batches = made | beam.Impulse() | "Read" >> read.with_output_types(BatchType(SCHEMA))
    write = blocks.WriteWarehouse("t", warehouse=folder / "w", run_id="r", partition_by="day(at)")
    written = batches | blocks.WindowRows(FixedWindows(60)) | write
    _ = written | beam.ParDo(KillAfterCommit(folder, kill == "after a commit")).with_output_types(int)
    with engine:
        result = made.run()
        deadline = time.monotonic() + DEADLINE_SECONDS
        # A stream does not end: it is stopped when everything is there.
        while len(commits(folder)) < MINUTES:
            assert not PipelineState.is_terminal(result.state), result.wait_until_finish()
            assert time.monotonic() < deadline, commits(folder)
            time.sleep(0.5)


@pytest.mark.timeout(900)
def test_a_worker_killed_in_the_middle_of_a_stream_leaves_the_table_of_an_undisturbed_run(
    worker_pool: Callable[[], str], tmp_path: Path
) -> None:
    pool, wanted = worker_pool(), tmp_path / "undisturbed"
    run_stream(pool, wanted, "")
    assert not (wanted / MARK).exists()
    assert len(rows(wanted)) == BATCHES * ROWS_A_BATCH
    for kill in ("while reading", "after a commit"):
        found = tmp_path / kill.replace(" ", "-")
        run_stream(pool, found, kill)
        assert (found / MARK).exists()
        assert rows(found) == rows(wanted)
        assert sorted(commits(found)) == sorted(commits(wanted))
    # Flink did not know of the last commit before the kill and handed the pane out again; the table knew it.
    assert "repeated" in (found / "commits").read_text()
