"""Where no event comes twice, tiles are shuffled in the place of events: the same rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.aggregating import aggregate_events
from blocks.aggregating.aggregate_events import AggregateEvents
from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.rejects import Rejects

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = labels.with_event_time(
    pa.schema(
        [
            pa.field("user_id", pa.string()),
            pa.field("at", pa.timestamp("us", "UTC")),
            pa.field("id", pa.int64()),
            pa.field("amount", pa.float64()),
            pa.field("country", pa.string()),
        ]
    ),
    "at",
)
FEATURES = [
    {"name": "n", "op": "count", "window": "2h", "hop": "30m"},
    {"name": "spend", "op": "sum", "column": "amount", "window": "2h", "hop": "30m"},
    {"name": "mean", "op": "average", "column": "amount", "window": "4h", "hop": "1h"},
    {"name": "large", "op": "count", "where": "amount > 0.5", "window": "4h", "hop": "1h"},
    {"name": "latest", "op": "last_k", "column": "country", "k": 3, "window": "4h", "hop": "1h"},
    {"name": "first", "op": "first", "column": "country", "window": "2h", "hop": "1h"},
    {"name": "kinds", "op": "approx_unique_count", "column": "country", "window": "4h", "hop": "1h"},
    {"name": "middle", "op": "approx_percentile", "column": "amount", "share": [0.5], "window": "4h", "hop": "1h"},
    {"name": "by", "op": "sum", "column": "amount", "by": "country", "window": "4h", "hop": "1h"},
    {"name": "ratio", "op": "ratio", "of": ["spend", "mean"]},
]
DEFINITION: dict[str, Any] = {
    "entity": {"key": "user_id"},
    "source": {"event_id": "id"},
    "features": FEATURES,
    "source_unique": True,
}
RANGE = {"start": BEGIN, "end": BEGIN + timedelta(hours=12), "every": "1h"}


def batches(count: int = 3, rows: int = 200) -> list[pa.RecordBatch]:
    """Events in no order, on hours and between them, a few values missing."""
    found = []
    for number in range(count):
        content = []
        for row in range(rows):
            place = number * rows + row
            minutes = place * 7919 % 600
            content.append(
                {
                    "user_id": f"u{place * 31 % 9}",
                    "at": BEGIN + timedelta(minutes=minutes, seconds=0 if place % 3 else 17),
                    "id": place,
                    "amount": None if place % 11 == 0 else place % 97 / 96 * 10 ** (place % 5),
                    "country": ["FI", "SE", "DK", None][place % 4],
                }
            )
        found.append(pa.RecordBatch.from_pylist(content, schema=SCHEMA))
    return found


def run(definition: dict[str, Any], given: list[pa.RecordBatch], folder: Path, **options: Any) -> list[dict[str, Any]]:
    """The rows of a batch, in order, and what it shuffled."""
    SEEN.clear()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline, Rejects(folder / "rejects") as rejects:
        rows = pipeline | beam.Create(given).with_output_types(BatchType(given[0].schema))
        block = AggregateEvents(definition, rejects=rejects, shards=4, **options)
        rows | block | beam.ParDo(_Keep())
    found = [row for batch in SEEN for row in batch.to_pylist()]
    return sorted(found, key=lambda row: (row[definition["entity"]["key"]], row["as_of"]))


SEEN: list[pa.RecordBatch] = []


class _Keep(beam.DoFn):
    def process(self, element: Any) -> None:
        SEEN.append(element)


@pytest.mark.parametrize("options", [RANGE, {"end": RANGE["end"]}, {**RANGE, "every": "4h"}])
def test_tiles_give_the_rows_that_events_give(options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[bool] = []
    right = aggregate_events.tiles_are_enough

    def told(*given: Any) -> bool:
        used.append(right(*given))
        return used[-1]

    monkeypatch.setattr(aggregate_events, "tiles_are_enough", told)
    wanted = run({**DEFINITION, "source_unique": False}, batches(), tmp_path / "events", **options)
    found = run(DEFINITION, batches(), tmp_path / "tiles", **options)
    assert used == [False, True]
    assert found == wanted
    assert len(wanted) >= 9


def test_a_duplicate_counts_twice_where_the_source_was_said_to_be_unique(tmp_path: Path) -> None:
    twice = [batches(1)[0], batches(1)[0]]
    counts = [
        sum(row["n"] for row in run({**DEFINITION, "source_unique": unique}, twice, tmp_path / str(unique), **RANGE))
        for unique in (False, True)
    ]
    assert counts[1] == 2 * counts[0] > 0


@pytest.mark.parametrize(
    "more",
    [
        {"features": [{"name": "n", "op": "count", "window": "all"}], "state_ttl": "4h"},
        {"features": [{"name": "n", "op": "count", "window": "2h", "hop": 0, "max_events": 5}]},
        {"features": [{"name": "n", "op": "count", "window": "4h", "hop": "2h"}]},
        {"source": {"event_id": "id", "known_at": "at"}},
        {"source": {"event_id": "id", "delete_key": "country = 'DK'"}},
    ],
)
def test_where_tiles_are_not_enough_events_are_shuffled_and_the_rows_are_the_same(more: Any, tmp_path: Path) -> None:
    wanted = run({**DEFINITION, **more, "source_unique": False}, batches(1), tmp_path / "events", **RANGE)
    assert run({**DEFINITION, **more}, batches(1), tmp_path / "tiles", **RANGE) == wanted
    assert wanted


def test_a_key_called_as_a_column_of_partial_aggregates_gives_the_same_rows(tmp_path: Path) -> None:
    given = [batch.rename_columns(["events", *batch.schema.names[1:]]) for batch in batches(1)]
    given = [batch.cast(labels.with_event_time(batch.schema, "at")) for batch in given]
    definition = {**DEFINITION, "entity": {"key": "events"}}
    wanted = run({**definition, "source_unique": False}, given, tmp_path / "events", **RANGE)
    assert run(definition, given, tmp_path / "tiles", **RANGE) == wanted
    assert wanted
