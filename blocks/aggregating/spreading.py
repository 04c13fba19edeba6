"""Events, and moments that are asked for, on their way to the shard of their key."""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.typehints import Tuple

from blocks.aggregating.hashing import hashes_of
from blocks.aggregating.plan import Plan
from blocks.aggregating.projecting import Projector, without_nulls
from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.block import StepMetrics, rejects_out, stamped
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Reject, RejectSettings
from blocks.shaping.sharding import by_shard

Ints = npt.NDArray[np.int64]


class SpreadEvents(beam.DoFn):
    """Batches of events to (shard, projected events), and rejects."""

    def __init__(self, plan: Plan, block: str, version: str, shards: int, settings: RejectSettings | None) -> None:
        self._plan, self._block, self._version = plan, block, version
        self._shards, self._settings = shards, settings

    def setup(self) -> None:
        """Once for each worker."""
        self._project = Projector(self._plan, self._block, self._version, self._settings)
        self._metrics = StepMetrics(self._block)

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        """Gives the rows, and the rejects."""
        self._metrics.rows_in.inc(batch.num_rows)
        rows, rejects = self._project(batch)
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        sent, keys = self._sent(rows)
        for shard, _, part in by_shard(sent, shards_of(keys, self._plan.keys, self._shards)):
            yield stamped((shard, part), timestamp, window)

    def _sent(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """What goes to shards in the place of projected events, and the key's columns of it."""
        return rows, rows


def spread_events(plan: Plan, block: str, version: str, shards: int, settings: RejectSettings | None) -> Any:
    """The step that sends events to shards, typed: `sharded`, and rejects."""
    return to_shards(SpreadEvents(plan, block, version, shards, settings), plan.projected)


def to_shards(step: SpreadEvents, schema: pa.Schema) -> Any:
    """A step that sends batches of a schema to shards, typed: `sharded`, and rejects."""
    kinds = {REJECTS_TAG: BatchType(REJECT_SCHEMA)}
    typed = beam.ParDo(step).with_output_types(Tuple[int, BatchType(schema)], **kinds)
    return typed.with_outputs(REJECTS_TAG, main="sharded")


class PackEvents(beam.DoFn):
    """Batches of events as bytes, marked as no moments: (shard, (False, bytes))."""

    def __init__(self, schema: pa.Schema) -> None:
        self._coder = BatchCoder(schema)

    def process(self, element: tuple[int, Any]) -> Iterator[Any]:
        """Packs one."""
        yield element[0], (False, self._coder.encode(element[1]))


class SpreadMoments(beam.DoFn):
    """Batches of a spine to the shards of their keys: (shard, (True, bytes)), and rejects."""

    def __init__(
        self,
        plan: Plan,
        block: str,
        version: str,
        shards: int,
        settings: RejectSettings | None,
        schema: pa.Schema,
        moment: str,
    ) -> None:
        self._plan, self._block, self._version, self._shards = plan, block, version, shards
        self._settings, self._schema, self._moment = settings, schema, moment

    def setup(self) -> None:
        """Once for each worker."""
        self._coder = BatchCoder(self._schema)
        self._metrics = StepMetrics(self._block)
        self._maker = RejectMaker(self._block, self._version, self._schema, self._settings)

    def process(self, batch: Any) -> Iterator[Any]:
        """Gives the moments, and the rejects."""
        plan, key = self._plan, list(self._plan.definition.key)
        rejects: list[Reject] = []
        for code, message, columns in (
            ("bad_event_time", "the time that is asked for is null", [self._moment]),
            ("null_key", "a column of the key is null", key),
        ):
            batch = without_nulls(batch, columns, code, message, self._maker, rejects)
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        # As the events have it, for the hash follows the type.
        keys = [batch.column(plan.columns[name]).cast(plan.projected.field(name).type) for name in plan.keys]
        numbers = shards_of(pa.RecordBatch.from_arrays(keys, names=list(plan.keys)), plan.keys, self._shards)
        for shard, _, part in by_shard(batch, numbers):
            yield shard, (True, self._coder.encode(part))


def shards_of(rows: pa.RecordBatch, keys: Sequence[str], shards: int) -> Ints:
    """The shard of each row's key, from 0 to `shards` - 1."""
    state = np.zeros(rows.num_rows, np.uint64)
    for name in keys:
        state = state * np.uint64(0x9E3779B97F4A7C15) + hashes_of(rows.column(name))
    # The low bits of a product depend on low bits only.
    return ((state >> np.uint64(32)) % np.uint64(shards)).astype(np.int64)
