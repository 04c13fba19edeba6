"""Rows on their way to shards: groups of keys that meet in one place."""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.core.wire import take

Ints = npt.NDArray[np.int64]


def by_shard(batch: pa.RecordBatch, numbers: Ints) -> Iterator[tuple[int, Ints, pa.RecordBatch]]:
    """(shard, places of its rows, its rows) for each shard that has any; rows keep their order.

    Args:
      batch: any rows.
      numbers: the shard of each row.
    """
    if not batch.num_rows:
        return
    order = np.argsort(numbers, kind="stable")
    batch, numbers = take(batch, pa.array(order)), numbers[order]
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist()]
    for start, stop in itertools.pairwise([*starts, batch.num_rows]):
        # A slice: the coder writes no more than its rows.
        yield int(numbers[start]), order[start:stop], batch.slice(start, stop - start)
