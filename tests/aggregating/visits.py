"""Visits of users to a site, and what makes sessions of them in batch and as a stream."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from blocks.aggregating.sessionize_events import SessionizeEvents
from blocks.core import labels
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.rejects import Rejects
from blocks.testing import collect

START = 1_767_225_600  # 2026-01-01, in seconds
SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("user_id", pa.string()),
            pa.field("at", pa.timestamp("us", "UTC")),
            pa.field("id", pa.string()),
            pa.field("path", pa.string()),
            pa.field("status", pa.int32()),
        ]
    ),
    "at",
)
DEFINITION: dict[str, Any] = {
    "entity": {"key": "user_id"},
    "source": {"event_id": "id"},
    "session": {"gap": "30m", "max_duration": "2h", "max_events": 50, "close_when": "path = '/logout'"},
    "features": [
        {"name": "error_share", "op": "ratio", "of": ["errors", "requests"]},
        {"name": "errors", "op": "count", "where": "status >= 500"},
        {"name": "requests", "op": "count"},
        {"name": "pages", "op": "unique_count", "column": "path"},
        {"name": "landing", "op": "first", "column": "path"},
    ],
    "lateness": "10m",
    "state_ttl": "2h",
    "ahead": "365d",
}
SEEN: list[pa.RecordBatch] = []


def event(
    user: str | None, minutes: float | None, name: str | None, path: str = "/", status: int = 200
) -> dict[str, Any]:
    at = None if minutes is None else round((START + minutes * 60) * 1_000_000)
    return {"user_id": user, "at": at, "id": name, "path": path, "status": status}


def batch(*rows: dict[str, Any], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=schema)


def run(rows: list[dict[str, Any]], definition: Any = None, parts: int = 5, **options: Any) -> list[dict[str, Any]]:
    batches = [batch(*rows[number::parts]) for number in range(parts)]
    with beam.Pipeline(runner=FnApiRunner()) as p:
        events = p | "Events" >> beam.Create(batches).with_output_types(BatchType(SCHEMA))
        found = collect(events | SessionizeEvents(definition or DEFINITION, **options))
    assert found.exact
    return sorted(found.table().to_pylist(), key=lambda row: (row["user_id"], row["started_at"], row["session_id"]))


def minutes(moment: datetime) -> float:
    return (moment - datetime.fromtimestamp(START, UTC)) / timedelta(minutes=1)


def told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("event_count", "closed_by", "revision", "reason")
    return [
        (row["user_id"], minutes(row["started_at"]), minutes(row["ended_at"]), *(row[name] for name in names))
        for row in rows
    ]


VISITS = [
    event("a", 0, "1"),
    event("a", 10, "2", "/cart", 503),
    event("a", 39, "3", "/pay"),
    event("a", 70, "4"),
    event("a", 71, "5", "/logout"),
    event("a", 72, "6", "/login"),
    event("b", 5, "7"),
]


def collect_rows(pcoll: beam.PCollection) -> Any:
    SEEN.clear()
    pcoll | "Keep" >> beam.ParDo(_Keep())
    return lambda: list(SEEN)


class _Keep(beam.DoFn):
    def process(self, element: Any) -> None:
        SEEN.append(element)


def streamed(
    steps: Sequence[pa.RecordBatch | float], rejects: Rejects | None = None, clock: Any = None, **more: Any
) -> list[dict[str, Any]]:
    """Runs a stream of batches and positions of the watermark, in minutes after the start."""
    SEEN.clear()
    stream = TestStream(coder=BatchCoder(SCHEMA)).advance_watermark_to(START - 86_400)
    for step in steps:
        if isinstance(step, pa.RecordBatch):
            first = step.column("at")[0].as_py().timestamp()
            stream = stream.add_elements([TimestampedValue(step, first)])
        else:
            stream = stream.advance_watermark_to(START + step * 60)
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(streaming=True))
    batches = pipeline | stream.advance_watermark_to_infinity()
    typed = batches | beam.Map(lambda one: one).with_output_types(BatchType(SCHEMA))
    block = SessionizeEvents({**DEFINITION, **more}, clock=clock, rejects=rejects, shards=1)
    if rejects is None:
        typed | block | beam.ParDo(_Keep())
    else:
        with rejects:
            typed | block | beam.ParDo(_Keep())
    pipeline.run().wait_until_finish()
    return [row for found in SEEN for row in found.to_pylist()]
