"""SampleRows: a share of the keys, with all their rows, the same in every run."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from blocks.core.block import BatchBlock
from blocks.core.errors import ColumnError, ConfigError, Problem, all_problems
from blocks.core.wire import take
from blocks.shaping.key_hash import END, bound, key_hash, key_problems, read_key


class SampleRows(BatchBlock):
    """Keeps the rows of a share of the keys: all rows of a key, or none.

    Whether a key is kept depends on its value, the salt and the fraction, and on nothing else: batches, runs, machines,
    runners, versions and Arrow's layout make no difference. A sample of a tenth lies within that of a fifth. Samples
    are independent of `SplitRows`, of masks, and of samples with another salt.

    Input: batches with the columns of `key`.
    Output: the kept rows in their order; types, labels and marks stay. A batch's timestamp is its earliest event time.
    The share of keys varies as that of random draws does; the share of rows also varies by how many rows keys have.
    Rejects: none.
    Nulls: kept. A null in the key is a value like any other: all rows without a key are kept, or none.
    State: none.
    Cost: a hash a row, vectorised for whole numbers and times; about a microsecond for each distinct text, bytes or
    decimal of a batch. Kept rows are copied.

    Rows out = the rows whose key has a hash below the fraction; rows in = rows out + rows left out.

    Args:
      fraction: share of the keys to keep, above 0 and at most 1.
      key: column, or list of columns in order, whose values decide together. Texts are taken as they are: `A` and `a`
        are two keys.
      salt: any text, for another sample of the same size. It is no secret.

    Raises:
      ConfigError: a fraction out of range, a key that names nothing or a column twice; all of them.
      ColumnError: key columns that are not there, of floating point, nested, or encrypted so that equal values differ.

    Example:
      >>> show(users | SampleRows(0.1, "user_id"))  # of the users 0 to 59
      user_id
      25
      28

    Source: sampling by hashed keys as in Tang et al., "Overlapping Experiment Infrastructure" (KDD 2010); the hash is
      that of `blocks.shaping.key_hash`.
    """

    def __init__(self, fraction: float, key: str | Sequence[str], *, salt: str = "") -> None:
        super().__init__()
        with all_problems("SampleRows", ConfigError) as problems:
            number = isinstance(fraction, int | float) and not isinstance(fraction, bool) and math.isfinite(fraction)
            if not number or not 0 < fraction <= 1:
                what = f"expected a number above 0 and at most 1, got {fraction!r}"
                problems.append(Problem(what, "fraction", "write the share as in 0.1 for a tenth"))
            self._key = read_key(key, problems)
            if not isinstance(salt, str):
                problems.append(Problem(f"expected a text, got a {type(salt).__name__}", "salt", "write it in quotes"))
        self._fraction, self._salt = fraction, salt

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the input."""
        with all_problems("SampleRows", ColumnError) as problems:
            problems.extend(key_problems(self._key, schema))
        return schema

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """The function that keeps the rows of a batch."""
        limit = bound(self._fraction)
        if limit == END:
            return lambda batch: batch
        hashes, least = key_hash(self._key, "SampleRows", self._salt), np.uint64(limit)

        def sample(batch: pa.RecordBatch) -> pa.RecordBatch:
            kept = np.flatnonzero(hashes(batch) < least)
            return batch if len(kept) == batch.num_rows else take(batch, pa.array(kept))

        return sample
