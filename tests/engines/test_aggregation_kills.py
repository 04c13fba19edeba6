"""A worker is killed in the middle of a stream of features on Flink: the last revisions stay the same.

Rows that no checkpoint knew of go out again: a sink that is idempotent on (key, as_of, revision) does not see it.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import apache_beam as beam
import pytest
from aggregation_streams import (
    CHECKPOINT,
    DEFINITIONS,
    SOURCE,
    Row,
    Run,
    accepted,
    build,
    check_law,
    events_out_of_order,
    positions,
    steps_of,
)
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState
from killing_steps import CHECKPOINTS, MARK

from blocks.aggregating import aggregate_events
from blocks.aggregating.in_stream import StreamFeatures
from blocks.aggregating.shard_state import ShardState
from blocks.engines import EngineOptions, choose

pytestmark = [pytest.mark.slow, pytest.mark.flink]

DEFINITION = {**SOURCE, **DEFINITIONS["numbers"]}
DEADLINE_SECONDS = 90
USERS = {"a", "b", "c"}


class _OfThisProcess:
    """A cell of state that reads only what this process wrote."""

    def __init__(self, cell: Any) -> None:
        self._cell, self._mark = cell, os.getpid().to_bytes(8, "big")

    def read(self) -> bytes | None:
        content = self._cell.read()
        return content[8:] if content and content.startswith(self._mark) else None

    def write(self, content: bytes) -> None:
        self._cell.write(self._mark + content)

    def clear(self) -> None:
        self._cell.clear()


class Forgetful(StreamFeatures):
    """Its state does not outlive its worker."""

    def _read(self, cell: Any) -> ShardState:
        return super()._read(_OfThisProcess(cell))

    def _write(self, cell: Any, state: ShardState) -> None:
        super()._write(_OfThisProcess(cell), state)


def run_with_a_kill(pool: str, folder: Path) -> tuple[Run, list[Row], int]:
    """What went out, the events that count, and the position of which there was a checkpoint before the kill."""
    (folder / CHECKPOINTS).mkdir(parents=True)
    events = events_out_of_order(seed=3, count=60)
    steps = steps_of(events, Random(3))
    middle = len(steps) // 2
    steps.insert(middle, CHECKPOINT)
    given = (
        *("number_of_execution_retries=3", "execution_retry_delay=100", "streaming=true", "parallelism=1"),
        *("checkpointing_interval=300", "max_bundle_size=1", "state_backend=filesystem"),
        f"state_backend_storage_path={(folder / CHECKPOINTS).as_uri()}",
    )
    engine = choose("flink", EngineOptions(environment_type="EXTERNAL", environment_config=pool, options=given))
    pipeline = beam.Pipeline(runner=engine.runner, options=PipelineOptions([], **engine.options))
    run = build(pipeline, DEFINITION, steps, folder, kill_at=middle + 6)
    with engine:
        job = pipeline.run()
        deadline = time.monotonic() + DEADLINE_SECONDS
        # A stream does not end: it is stopped when the last row of every key is there.
        while {row["user"] for row in run.rows() if row["reason"] == "expiry"} != USERS:
            assert not PipelineState.is_terminal(job.state), job.wait_until_finish()
            assert time.monotonic() < deadline, positions(folder)
            time.sleep(0.3)
    assert (folder / MARK).exists()
    return run, accepted(events)[0], middle


def resumed_at(folder: Path) -> list[int]:
    """Where the source began again."""
    return [after for before, after in pairwise(positions(folder)) if after <= before]


def test_after_a_killed_worker_the_last_revisions_are_those_of_a_batch(
    worker_pool: Callable[[], str], tmp_path: Path
) -> None:
    run, kept, middle = run_with_a_kill(worker_pool(), tmp_path / "stream")
    check_law(run, DEFINITION, kept, tmp_path / "batch")
    # From the checkpoint, and not from the beginning: what was read before it is state.
    assert [at >= middle for at in resumed_at(run.folder)] == [True]
    # Rows that went out in the bundle that was lost went out again, and are the same.
    often = Counter((row["user"], row["as_of"], row["revision"]) for row in run.rows())
    assert max(often.values()) == 2
    assert (tmp_path / "pool.log").read_text().count("Starting worker with command") > 1


def test_state_that_does_not_outlive_its_worker_is_noticed(
    worker_pool: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregate_events, "StreamFeatures", Forgetful)
    run, kept, middle = run_with_a_kill(worker_pool(), tmp_path / "stream")
    assert [at >= middle for at in resumed_at(run.folder)] == [True]
    with pytest.raises(AssertionError):
        check_law(run, DEFINITION, kept, tmp_path / "batch")
