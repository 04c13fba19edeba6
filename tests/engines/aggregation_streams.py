"""Streams of events for AggregateEvents that can be read again, what comes out of them, and what a batch says of that.

Workers import this module; outputs are files, so that a worker may live anywhere on this machine and may be killed.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp
from killing_steps import CHECKPOINTS, kill_once

from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.core import labels
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.rejects import Rejects

SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("user", pa.string(), False),
            pa.field("id", pa.int64(), False),
            pa.field("at", pa.timestamp("us", "UTC"), False),
            pa.field("amount", pa.float64()),
            pa.field("category", pa.string()),
            pa.field("status", pa.string()),
        ]
    ),
    "at",
)
SPINE = labels.with_event_time(
    pa.schema([pa.field("user", pa.string(), False), pa.field("as_of", pa.timestamp("us", "UTC"), False)]), "as_of"
)
START = 1_767_225_600
LATENESS = 60
SPAN = {"window": "1m", "hop": "10s"}
SOURCE = {"entity": {"key": "user"}, "source": {"event_id": "id"}, "lateness": "1m", "ahead": "36500d"}
DEFINITIONS: dict[str, dict[str, Any]] = {
    "numbers": {
        "features": [
            {"name": "n", "op": "count", **SPAN},
            {"name": "spend", "op": "sum", "column": "amount", **SPAN},
            {"name": "deviation", "op": "stddev_pop", "column": "amount", "window": "2m", "hop": "1m"},
            {"name": "median", "op": "approx_percentile", "column": "amount", "share": 0.5, **SPAN},
            {"name": "declined", "op": "count", "where": "status = 'DECLINED'", **SPAN},
            {"name": "share", "op": "ratio", "of": ["declined", "n"]},
        ],
        "emit": {"on_event": True, "at_window_end": "1m"},
        "state_ttl": "10m",
    },
    "values": {
        "features": [
            {"name": "latest", "op": "last_k", "column": "category", "k": 3, "window": "all"},
            {"name": "largest", "op": "top_k", "column": "amount", "k": 2, **SPAN},
            {"name": "kinds", "op": "approx_unique_count", "column": "category", **SPAN},
            {"name": "spend_by", "op": "sum", "column": "amount", "by": "category", "max_keys": 3, **SPAN},
            {"name": "seen", "op": "histogram", "column": "category", "window": "2m", "hop": "1m"},
            {"name": "exactly", "op": "count", "window": "30s", "hop": 0, "max_events": 4},
        ],
        "emit": {"on_condition": "kinds >= 2", "at_window_end": "30s"},
        "state_ttl": "10m",
    },
}
Row = Mapping[str, Any]
# Rows of one batch; or seconds since the start, where the watermark goes to; or what is waited for: rows of a reason,
# or CHECKPOINT.
Step = Sequence[Row] | float | str
READ, CHECKPOINT = "read", "checkpoint"
_WAIT_SECONDS = 120


def event(user: str, id_: int, at: float, amount: float | None = 1.0, category: str = "a", status: str = "ok") -> Row:
    micros = round((START + at) * 1_000_000)
    return {"user": user, "id": id_, "at": micros, "amount": amount, "category": category, "status": status}


def events_out_of_order(seed: int, count: int, slowest: float = 140) -> list[Row]:
    """In the order of arrival: ties, duplicates, conflicts, nulls, sums that lose digits; the slowest may be late."""
    draw = random.Random(seed)  # the same every day
    made = []
    for number in range(count):
        at = draw.choice([round(draw.uniform(0, 600)), round(draw.uniform(0, 600), 6)])
        amount = draw.choice([None, 0.1, 1e17, -1e17, float("inf"), round(draw.uniform(-9, 9), 2)])
        row = event(draw.choice("abc"), number, at, amount, draw.choice("wxyz"), draw.choice(["ok", "DECLINED"]))
        made.append((at + draw.choice([0, 0, 0, 20, 55, slowest]), row))
        if draw.random() < 0.2:
            made.append((at + draw.uniform(0, 50), {**row, **draw.choice([{}, {"amount": 7.5}])}))
    return [row for _, row in sorted(made, key=lambda one: one[0])]


def steps_of(events: Sequence[Row], draw: random.Random) -> list[Step]:
    """Batches of some events each; the watermark is at times ahead of what comes, and keys are not forgotten."""
    steps: list[Step] = []
    place, watermark = 0, 0.0
    while place < len(events):
        size = draw.choice([1, 2, 5, 12])
        batch = events[place : place + size]
        steps.append(batch)
        watermark = max(watermark, *(one["at"] / 1e6 - START - draw.choice([0, 30]) for one in batch))
        steps.append(watermark)
        place += size
    return steps


def accepted(events: Sequence[Row]) -> tuple[list[Row], list[int]]:
    """(what the contract accepts, duplicates and conflicts included; ids of what is late), in the order of arrival."""
    newest: dict[str, int] = {}
    kept, late = [], []
    for row in events:
        if row["at"] < newest.get(row["user"], row["at"]) - LATENESS * 1_000_000:
            late.append(row["id"])
        else:
            kept.append(row)
            newest[row["user"]] = max(newest.get(row["user"], row["at"]), row["at"])
    return kept, late


def batch_of(rows: Sequence[Row], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema)


class _Positions(RestrictionProvider):
    def initial_restriction(self, element: Sequence[Any]) -> OffsetRange:
        return OffsetRange(0, len(element) + 1)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: Sequence[Any], restriction: OffsetRange) -> int:
        return restriction.size()

    def split(self, element: Sequence[Any], restriction: OffsetRange) -> Iterator[OffsetRange]:
        yield restriction

    def truncate(self, element: Sequence[Any], restriction: OffsetRange) -> OffsetRange:
        return restriction


_POSITIONS = beam.DoFn.RestrictionParam(_Positions())
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class Replay(beam.DoFn):
    """A step a call; reads the same from any position that a checkpoint names, and notes which it read.

    Args:
      folder: of the output; a step that is a reason waits until there is a row for it, CHECKPOINT until Flink has taken
        a checkpoint of this position.
      pause: seconds between steps.
    """

    def __init__(self, folder: Path, pause: float) -> None:
        self._folder, self._pause = folder, pause

    @beam.DoFn.unbounded_per_element()
    def process(self, steps: Sequence[Step], tracker: Any = _POSITIONS, watermark: Any = _WATERMARK) -> Iterator[Any]:
        number = tracker.current_restriction().start
        step = steps[number] if number < len(steps) else MAX_TIMESTAMP
        if isinstance(step, str) and not self._come(step):
            tracker.defer_remainder(Duration(0.1))
            return
        if not tracker.try_claim(number):
            return
        with (self._folder / READ).open("a") as notes:
            notes.write(f"{number}\n")
        if step is MAX_TIMESTAMP:
            watermark.set_watermark(MAX_TIMESTAMP)
            return
        if isinstance(step, float):
            watermark.set_watermark(Timestamp(START + step))
        elif not isinstance(step, str):
            yield TimestampedValue(batch_of(step), Timestamp(micros=min(row["at"] for row in step)))
        tracker.defer_remainder(Duration(self._pause))

    def _come(self, what: str) -> bool:
        if what != CHECKPOINT:
            return (self._folder / f"seen-{what}").exists()
        waiting, latest = self._folder / "waiting", latest_checkpoint(self._folder)
        if not waiting.exists():
            waiting.write_text(str(latest))
        # The next one may have begun before.
        return latest >= int(waiting.read_text()) + 2


def latest_checkpoint(folder: Path) -> int:
    """The number of the last checkpoint that Flink completed, 0 before the first."""
    return max((int(one.parent.name[4:]) for one in (folder / CHECKPOINTS).glob("*/chk-*/_metadata")), default=0)


class Keep(beam.DoFn):
    """Writes each batch to a file of its own, and notes which reasons there were.

    Args:
      folder: of the output.
      schema: of the batches.
      kill_at: when the source has read so far, the worker is killed, once; its rows are written then.
    """

    def __init__(self, folder: Path, schema: pa.Schema, kill_at: int | None = None) -> None:
        self._folder, self._schema, self._kill_at = folder, schema, kill_at

    def setup(self) -> None:
        self._coder = BatchCoder(self._schema)

    def process(self, batch: Any) -> Iterator[int]:
        part = self._folder / f".{uuid.uuid4().hex}"
        part.write_bytes(self._coder.encode(batch))
        # It is seen whole or not at all.
        part.rename(self._folder / "rows" / part.name[1:])
        for reason in set(batch.column("reason").to_pylist()) if "reason" in self._schema.names else ():
            (self._folder / f"seen-{reason}").touch()
        if self._kill_at is not None and max(positions(self._folder)) >= self._kill_at:
            kill_once(self._folder)
        return iter(())


def positions(folder: Path) -> list[int]:
    """What the source read, in the order in which it did."""
    notes = folder / READ
    return [int(line) for line in notes.read_text().split()] if notes.exists() else []


@dataclass(frozen=True)
class Run:
    """What a pipeline writes to a folder."""

    folder: Path
    schema: pa.Schema

    def rows(self) -> list[dict[str, Any]]:
        coder = BatchCoder(self.schema)
        return [row for one in (self.folder / "rows").iterdir() for row in coder.decode(one.read_bytes()).to_pylist()]

    def wait_for_the_end(self, steps: Sequence[Step], failed: Callable[[], bool]) -> None:
        """Until the source has given its last step; for a stream that does not end by itself."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while len(steps) not in positions(self.folder):
            assert not failed()
            assert time.monotonic() < deadline, positions(self.folder)
            time.sleep(0.2)

    def late(self) -> list[int]:
        """Ids of the events that were rejected as late."""
        found = pq.read_table(self.folder / "rejects").select(["code", "record"]).to_pylist()
        return sorted(int(json.loads(one["record"])["id"]) for one in found if one["code"] == "late")


def build(
    pipeline: beam.Pipeline,
    definition: Mapping[str, Any],
    steps: Sequence[Step],
    folder: Path,
    pause: float = 0.01,
    kill_at: int | None = None,
) -> Run:
    """A stream of steps through AggregateEvents into files."""
    (folder / "rows").mkdir(parents=True)
    script = pipeline | beam.Impulse() | "Script" >> beam.Map(lambda _: steps)
    events = script | "Replay" >> beam.ParDo(Replay(folder, pause)).with_output_types(BatchType(SCHEMA))
    with Rejects(folder / "rejects", run_id="run") as rejects:
        made = events | AggregateEvents(definition, shards=2, rejects=rejects)
    schema = made.element_type.schema
    _ = made | "Keep" >> beam.ParDo(Keep(folder, schema, kill_at)).with_output_types(int)
    return Run(folder, schema)


def last_revisions(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Any], str]:
    """Of each (key, as_of) the values of the highest revision, every bit of a number told; one revision says one thing.

    Rows may stand there twice, as after a recovery.
    """
    told: dict[tuple[str, Any], dict[int, str]] = {}
    for row in rows:
        values = {name: value for name, value in row.items() if name not in ("user", "as_of", "revision", "reason")}
        revisions = told.setdefault((row["user"], row["as_of"]), {})
        assert revisions.setdefault(row["revision"], repr(values)) == repr(values), (row, revisions)
    return {key: revisions[max(revisions)] for key, revisions in told.items()}


def in_batch(
    definition: Mapping[str, Any], events: Sequence[Row], moments: Sequence[tuple[str, Any]], folder: Path
) -> dict[tuple[str, Any], str]:
    """What a batch over accepted events gives for (key, as_of)."""
    folder.mkdir()
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    spine = _bounded(pipeline, "Spine", [{"user": user, "as_of": as_of} for user, as_of in moments], SPINE)
    (folder / "rows").mkdir()
    with Rejects(folder / "rejects") as rejects:
        made = _bounded(pipeline, "Events", events, SCHEMA) | AggregateEvents(definition, as_of=spine, rejects=rejects)
    run = Run(folder, made.element_type.schema)
    _ = made | beam.ParDo(Keep(folder, run.schema)).with_output_types(int)
    pipeline.run().wait_until_finish()
    return last_revisions([{**row, "revision": 0} for row in run.rows()])


def _bounded(pipeline: beam.Pipeline, name: str, rows: Sequence[Row], schema: pa.Schema) -> beam.PCollection:
    made = pipeline | name >> beam.Create([0])
    return made | f"{name} rows" >> beam.Map(lambda _: batch_of(rows, schema)).with_output_types(BatchType(schema))


def wall_clock() -> tuple[dict[str, Any], list[Step], list[Row]]:
    """(definition, steps, events) of a stream that gives rows by the wall clock, and then corrects them."""
    features = [
        {"name": "n", "op": "count", "window": "all"},
        {"name": "spend", "op": "sum", "column": "amount", "window": "all"},
        {"name": "recent", "op": "count", **SPAN},
    ]
    emit = {"every": "1s", "after_idle": "1s"}
    # The events are in reach of the clock however long ago they were.
    definition = {**SOURCE, "features": features, "emit": emit, "state_ttl": "36500d"}
    first = [event("a", 1, 10, 0.1), event("b", 2, 11, None), event("a", 3, 40, 0.2)]
    second = [event("a", 4, 20, 0.7), event("b", 2, 11, None), event("b", 5, 50, 1e17)]
    return definition, [first, 30.0, "timer", "idle", second, "correction"], [*first, *second]


def check_wall_clock(run: Run, definition: Mapping[str, Any], events: Sequence[Row], folder: Path) -> None:
    rows = run.rows()
    assert {"timer", "idle", "correction"} <= {row["reason"] for row in rows}
    found = last_revisions(rows)
    assert found == in_batch(definition, events, list(found), folder)
    every = [row["as_of"] for row in rows if row["reason"] == "timer"]
    assert all(at.microsecond == 0 for at in every)
    # Once between events, which the count tells apart.
    idle = [(row["user"], row["n"]) for row in rows if row["reason"] == "idle"]
    assert len(idle) == len(set(idle))


def check_law(run: Run, definition: Mapping[str, Any], kept: Sequence[Row], folder: Path) -> None:
    """Every row that went out is, at its last revision, what a batch gives; and every event that counts has one."""
    rows = run.rows()
    found = last_revisions(rows)
    assert found == in_batch(definition, kept, list(found), folder)
    assert {"window_end", "expiry", "correction"} <= {row["reason"] for row in rows}
    if definition["emit"].get("on_event"):
        moments = {(user, as_of) for user, as_of in found}
        assert {(row["user"], _moment(row)) for row in kept} <= moments


def _moment(row: Row) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["at"] + 1)
