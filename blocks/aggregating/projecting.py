"""Projected events: of each event only what a plan needs, with conditions computed; and rows that cannot be events."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.aggregating.events import ID, KNOWN, TIME
from blocks.aggregating.plan import Plan
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Reject, RejectSettings
from blocks.core.times import micros
from blocks.core.wire import take
from blocks.shaping.expressions import Runner
from blocks.shaping.failed_rows import failed_rows
from blocks.shaping.first_rows import any_null, identities

Flags = npt.NDArray[np.bool_]


class Projector:
    """Projects batches; make one for each worker.

    Rejects: `bad_event_time` (null), `null_key` (a column of the key is null), `null_event_id` (the event id, a column
    of `identity`, or `known_at` is null), `expression_failed`.

    Args:
      plan: of the features.
      block, version: for rejects.
      settings: of the rejects; None where a reject stops the pipeline.
    """

    def __init__(self, plan: Plan, block: str, version: str, settings: RejectSettings | None) -> None:
        self._plan = plan
        self._conditions = Runner(list(plan.conditions.values()))
        self._maker = RejectMaker(block, version, plan.schema, settings)

    def __call__(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Reject]]:
        """The projected events of a batch, and the rejects."""
        rejects: list[Reject] = []
        for code, message, columns in self._needed():
            batch = without_nulls(batch, columns, code, message, self._maker, rejects)
        found = self._conditions(batch)
        failed = found.any_failed()
        conditions = dict(zip(self._plan.conditions, found.columns, strict=True))
        if failed is not None and failed.any():
            path = ", ".join(dict.fromkeys(read.text for one in self._plan.conditions.values() for read in one.reads))
            message = "a condition cannot be computed"
            batch = _without(batch, failed, "expression_failed", message, path, self._maker, rejects)
            conditions = {name: one.filter(pa.array(~failed)) for name, one in conditions.items()}
        return self._projected(batch, conditions), rejects

    def _needed(self) -> Iterator[tuple[str, str, list[str]]]:
        definition = self._plan.definition
        yield "bad_event_time", "the event time is null", [self._plan.event_time]
        yield "null_key", "a column of the key is null", list(definition.key)
        identity = [definition.event_id] if definition.event_id else list(definition.identity)
        known = [definition.known_at] if definition.known_at else []
        yield "null_event_id", "the event id, or when it became known, is null", [*identity, *known]

    def _projected(self, batch: pa.RecordBatch, conditions: dict[str, pa.Array]) -> pa.RecordBatch:
        plan = self._plan
        columns = {
            TIME: lambda: micros(batch.column(plan.event_time)),
            ID: lambda: self._ids(batch),
            KNOWN: lambda: micros(batch.column(plan.definition.known_at)),
        }
        found = []
        for field in plan.projected:
            if field.name in columns:
                found.append(columns[field.name]())
            elif field.name in conditions:
                found.append(conditions[field.name].fill_null(False))
            else:
                found.append(_as(batch.column(plan.columns[field.name]), field.type))
        return pa.RecordBatch.from_arrays(found, schema=plan.projected)

    def _ids(self, batch: pa.RecordBatch) -> pa.Array:
        """Bytes that sort as the ids do; of an identity of several columns their hash."""
        definition = self._plan.definition
        if not definition.event_id:
            return pa.array(identities(batch, definition.identity).tolist(), pa.large_binary())
        column = batch.column(definition.event_id)
        column = _as(column, column.type.value_type if pat.is_dictionary(column.type) else column.type)
        return sortable(column)


def without_nulls(
    batch: pa.RecordBatch, columns: list[str], code: str, message: str, maker: RejectMaker, rejects: list[Reject]
) -> pa.RecordBatch:
    """The rows that have a value in all of some columns; `rejects` grows by the others."""
    return _without(batch, any_null(batch, columns), code, message, ", ".join(columns), maker, rejects)


def _without(
    batch: pa.RecordBatch, bad: Flags, code: str, message: str, path: str, maker: RejectMaker, rejects: list[Reject]
) -> pa.RecordBatch:
    if not bad.any():
        return batch
    rejects += failed_rows(maker, batch, bad, code, lambda _: (message, path))
    return take(batch, pa.array(np.flatnonzero(~bad)))


def sortable(column: pa.Array) -> pa.Array:
    """Values as bytes in the same order.

    Args:
      column: without nulls; texts, bytes, whole numbers, decimals, booleans or times.
    """
    kind = column.type
    if pat.is_string(kind) or pat.is_large_string(kind) or pat.is_string_view(kind):
        return column.cast(pa.large_string()).cast(pa.large_binary())
    if pat.is_binary(kind) or pat.is_large_binary(kind) or pat.is_binary_view(kind):
        return column.cast(pa.large_binary())
    if pat.is_fixed_size_binary(kind):
        return column.cast(pa.binary()).cast(pa.large_binary())
    if pat.is_decimal(kind):
        column = column.cast(pa.decimal256(76, kind.scale))
        words = np.frombuffer(column.buffers()[1], "<u8").reshape(-1, 4)[
            column.offset : column.offset + len(column), ::-1
        ]
        words = words.copy()
        words[:, 0] ^= np.uint64(1 << 63)
        return _bytes(words.astype(">u8"), 32)
    if pat.is_uint64(kind):
        return _bytes(column.to_numpy().astype(">u8"), 8)
    if pat.is_temporal(kind):
        column = column.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif pat.is_boolean(kind):
        column = column.cast(pa.int8())
    numbers = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return _bytes((numbers.view(np.uint64) ^ np.uint64(1 << 63)).astype(">u8"), 8)


def _bytes(words: npt.NDArray[np.uint64], width: int) -> pa.Array:
    count = len(words)
    offsets = pa.py_buffer(np.arange(0, width * (count + 1), width, dtype=np.int64))
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), count, [None, offsets, pa.py_buffer(words.tobytes())])


def _as(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    return column if column.type.equals(data_type) else pc.cast(column, data_type)
