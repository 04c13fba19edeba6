"""Ways in which the same rows go in, and how their results are compared."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa

from blocks.core import labels
from blocks.core.times import micros
from blocks.core.wire import take
from blocks.testing.comparing import differences
from blocks.testing.conformance.case import Result

# So far may a row come after one that is later than it.
_DISORDER = timedelta(minutes=20)


def parts_of(batch: pa.RecordBatch, size: int) -> tuple[pa.RecordBatch, ...]:
    """The batch in pieces of `size` rows."""
    return tuple(batch.slice(start, size) for start in range(0, batch.num_rows, size))


def permuted(batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
    """The rows in another order."""
    order = list(range(batch.num_rows))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order, no secret
    return take(batch, pa.array(order, pa.int64()))


def as_they_come(batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
    """The rows about in the order of their event time, as a stream brings them; in any order without one."""
    event_time = labels.event_time_of(batch.schema)
    if event_time is None:
        return permuted(batch, seed)
    numbers = random.Random(seed)  # noqa: S311
    most = int(_DISORDER.total_seconds()) * 1_000_000
    times = [(time or 0) + numbers.randrange(most) for time in micros(batch.column(event_time)).to_pylist()]
    order = sorted(range(batch.num_rows), key=times.__getitem__)
    return take(batch, pa.array(order, pa.int64()))


def same(wanted: Result, found: Result, how: str) -> Iterator[str]:
    """What differs between two runs: rows with their windows, and rejects."""
    for difference in differences(wanted.rows, found.rows):
        yield f"{how}: {difference}"
    if wanted.rejected != found.rejected:
        yield f"{how}: rejects {dict(found.rejected - wanted.rejected)}, not {dict(wanted.rejected - found.rejected)}"
