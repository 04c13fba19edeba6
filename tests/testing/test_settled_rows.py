"""Of rows that a stream gives again the last one counts, and a wrong last one is found."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from blocks.catalog.model import Revised
from blocks.core import labels
from blocks.testing.comparing import differences, multiset, settled

REVISED = Revised(column="revision", reason="reason", in_streams_only=("expiry",), takes_back=("merged",))
KEYED = {labels.KEY: "true"}
SCHEMA = pa.schema(
    [
        labels.put(pa.field("user", pa.string()), KEYED),
        labels.put(pa.field("as_of", pa.int64()), KEYED),
        pa.field("revision", pa.int32()),
        pa.field("reason", pa.string()),
        pa.field("n", pa.int64()),
    ]
)
Row = tuple[str, int, int, str, int]
BATCH: list[Row] = [("a", 1, 0, "event", 1), ("a", 2, 0, "event", 3), ("b", 1, 0, "event", 5)]
STREAM: list[Row] = [
    ("a", 1, 0, "event", 1),
    ("a", 2, 0, "event", 2),
    ("b", 1, 0, "event", 4),
    ("a", 2, 1, "correction", 3),
    ("b", 1, 2, "correction", 5),
    # Comes late, and is older than what is known.
    ("b", 1, 1, "correction", 6),
    ("b", 9, 0, "expiry", 0),
]


def counted(rows: Sequence[Row], parts: int = 1) -> list[str]:
    """What `settled` leaves of rows in some batches, against those of the batch."""
    made = [
        pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows[part::parts]], SCHEMA)
        for part in range(parts)
    ]
    found = multiset(settled([("", one) for one in made], REVISED))
    one = pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in BATCH], SCHEMA)
    return list(differences(multiset(settled([("", one)], REVISED)), found))


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_the_last_revisions_of_a_stream_are_the_rows_of_the_batch(parts: int) -> None:
    assert counted(STREAM, parts) == []


@pytest.mark.parametrize(
    "wrong",
    [
        [*STREAM, ("a", 2, 2, "correction", 4)],
        [row if row[2:4] != (1, "correction") else (*row[:4], 4) for row in STREAM],
        [row for row in STREAM if row[2] != 2],
        STREAM[1:],
        [*STREAM, ("c", 1, 0, "event", 1)],
        [*STREAM, ("a", 1, 1, "merged", 0)],
    ],
    ids=[
        "another value at last",
        "a wrong correction",
        "no correction",
        "a row less",
        "a row more",
        "a row taken back",
    ],
)
def test_a_wrong_last_revision_is_found(wrong: list[Row]) -> None:
    assert counted(wrong) != []


def test_a_row_that_is_taken_back_is_none() -> None:
    assert counted([*STREAM, ("c", 1, 0, "event", 1), ("c", 1, 1, "merged", 0)]) == []
