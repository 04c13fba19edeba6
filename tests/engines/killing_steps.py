"""Steps that kill their own worker process, once, and a stream that can be read again; workers import this module."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp

from blocks.core import labels

SCHEMA = labels.with_event_time(
    pa.schema([pa.field("id", pa.int64(), False), pa.field("at", pa.timestamp("us", "UTC"), False)]), "at"
)
START, MINUTES, BATCHES_A_MINUTE, ROWS_A_BATCH = 1_767_225_600, 8, 4, 25
BATCHES = MINUTES * BATCHES_A_MINUTE
CHECKPOINTS, MARK = "checkpoints", "killed"


def kill_once(folder: Path) -> None:
    """Ends this worker as the operating system would, unless that has been done."""
    mark = folder / MARK
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return
    mark.write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)


def checkpointed(folder: Path) -> bool:
    """Whether Flink has completed a checkpoint."""
    return any((folder / CHECKPOINTS).glob("*/chk-*/_metadata"))


class KillAtBatch(beam.DoFn):
    """Passes batches on; the one at a place kills the worker."""

    def __init__(self, folder: Path, place: int) -> None:
        self._folder, self._place, self._seen = folder, place, 0

    def process(self, batch: Any) -> Iterator[Any]:
        self._seen += 1
        if self._seen == self._place:
            kill_once(self._folder)
        yield batch


class KillAfterCommit(beam.DoFn):
    """Kills the worker in the bundle of a commit, so that no checkpoint knows of it; notes commits otherwise."""

    def __init__(self, folder: Path, kills: bool) -> None:
        self._folder, self._kills = folder, kills

    def process(self, result: Any) -> Iterator[int]:
        if self._kills and checkpointed(self._folder):
            kill_once(self._folder)
        with (self._folder / "commits").open("a") as notes:
            notes.write(f"{result.commit_id} {result.status}\n")
        return iter(())


class _Positions(RestrictionProvider):
    def initial_restriction(self, element: Any) -> OffsetRange:
        return OffsetRange(0, BATCHES + 1)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: Any, restriction: OffsetRange) -> int:
        return restriction.size()

    def split(self, element: Any, restriction: OffsetRange) -> Iterator[OffsetRange]:
        yield restriction

    def truncate(self, element: Any, restriction: OffsetRange) -> OffsetRange:
        return restriction


def batch(number: int) -> pa.RecordBatch:
    first = START + number * 60 // BATCHES_A_MINUTE
    ids = range(number * ROWS_A_BATCH, (number + 1) * ROWS_A_BATCH)
    times = [(first + id_ % (60 // BATCHES_A_MINUTE)) * 1_000_000 for id_ in ids]
    return pa.RecordBatch.from_pydict({"id": list(ids), "at": times}, schema=SCHEMA)


_POSITIONS = beam.DoFn.RestrictionParam(_Positions())
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class ReadStream(beam.DoFn):
    """A batch a call, with a watermark behind it; waits at a third for a checkpoint, kills its worker at the half."""

    def __init__(self, folder: Path, waits: bool, kills: bool) -> None:
        self._folder, self._waits, self._kills = folder, waits, kills

    @beam.DoFn.unbounded_per_element()
    def process(self, _: Any, tracker: Any = _POSITIONS, watermark: Any = _WATERMARK) -> Iterator[Any]:
        number = tracker.current_restriction().start
        if number == BATCHES // 3 and self._waits and not checkpointed(self._folder):
            tracker.defer_remainder(Duration(0.1))
            return
        if number == BATCHES // 2 and self._kills:
            kill_once(self._folder)
        if not tracker.try_claim(number):
            return
        if number == BATCHES:
            watermark.set_watermark(MAX_TIMESTAMP)
            return
        yield TimestampedValue(batch(number), Timestamp(START + number * 60 // BATCHES_A_MINUTE))
        watermark.set_watermark(Timestamp(START + (number + 1) * 60 // BATCHES_A_MINUTE))
        tracker.defer_remainder(Duration(0.02))
