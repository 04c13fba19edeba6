"""Rows of results, from values of features."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.evaluating import Values
from blocks.aggregating.plan import AS_OF, REASON, REVISION, TRUNCATED, Plan
from blocks.shaping.expressions import Runner

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EVENT, CONDITION, CORRECTION, DELETION = "event", "condition", "correction", "deletion"
TIMER, WINDOW_END, IDLE, EXPIRY = "timer", "window_end", "idle", "expiry"
REASONS = (EVENT, CONDITION, CORRECTION, DELETION, TIMER, WINDOW_END, IDLE, EXPIRY)


class Emitter:
    """Makes rows of the plan's output schema; one for each worker.

    Args:
      plan: of the features.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._condition = Runner([plan.on_condition]) if plan.on_condition is not None else None

    def rows(
        self, keys: pa.RecordBatch, moments: Ints, values: Values, reasons: pa.Array, revisions: Ints | None = None
    ) -> pa.RecordBatch:
        """A row for each pair.

        Args:
          keys: of each pair, the key's columns.
          moments: of each pair, `as_of`.
          values: of the pairs.
          reasons: of each pair, why there is a row.
          revisions: of each pair; all 0 if not given.
        """
        schema = self._plan.output
        count = len(moments)
        revision = np.zeros(count, np.int32) if revisions is None else revisions.astype(np.int32)
        fixed = {
            AS_OF: pa.array(moments).cast(pa.timestamp("us", "UTC")),
            REVISION: pa.array(revision),
            REASON: reasons,
            TRUNCATED: truncated_names([one.feature.name for one in self._plan.outputs], values.truncated, count),
        }
        features = {one.feature.name: column for one, column in zip(self._plan.outputs, values.columns, strict=True)}
        columns = list(keys.columns)
        columns += [fixed.get(field.name, features.get(field.name)) for field in list(schema)[len(columns) :]]
        cast = [
            one if one.type.equals(field.type) else one.cast(field.type)
            for one, field in zip(columns, schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(cast, schema=schema)

    def holds(self, rows: pa.RecordBatch) -> Flags:
        """For which rows the condition of the emission is true; one that cannot be computed is not."""
        if self._condition is None:
            return np.zeros(rows.num_rows, np.bool_)
        found = self._condition(rows).columns[0].fill_null(False).to_numpy(zero_copy_only=False)
        return np.asarray(found, np.bool_)


def truncated_names(names: Sequence[str], flags: Sequence[Flags | None], count: int) -> pa.Array:
    """For each row the names of the features that are truncated, in their order."""
    cut = [(name, flag) for name, flag in zip(names, flags, strict=True) if flag is not None and flag.any()]
    kind = pa.list_(pa.field("item", pa.string(), False))
    if not cut:
        return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()), type=kind)
    table = np.stack([flag for _, flag in cut], axis=1)
    offsets = np.concatenate([[0], np.cumsum(table.sum(axis=1))]).astype(np.int32)
    items = pa.array([name for name, _ in cut]).take(pa.array(np.nonzero(table)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=kind)


def chunks(count: int, size: int = 1 << 17) -> Iterator[slice]:
    """So many at a time."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def reasons_of(reason: str, count: int) -> pa.Array:
    """One reason for every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), pa.array([reason])).cast(pa.string())
