"""Features of bounded events: as of every event, at every step of a range, or at the moments of a spine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.metrics import Metrics

from blocks.aggregating.emitting import CONDITION, EVENT, WINDOW_END, Emitter, chunks, reasons_of, truncated_names
from blocks.aggregating.evaluating import Evaluation
from blocks.aggregating.events import Accepted, accept, codes_of_keys
from blocks.aggregating.ops.entries import changes
from blocks.aggregating.plan import Plan
from blocks.aggregating.refusing import RefusedEvents
from blocks.core.batch_type import BatchCoder
from blocks.core.block import StepMetrics, pieces, rejects_out
from blocks.core.rejects import Reject, RejectSettings
from blocks.core.times import earliest, to_beam

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Moments from after `start` up to `end`, both in microseconds: the multiples of `every`, or only `end`.

    Attributes:
      start: moments at or before it are left out.
      end: the last moment.
      every: 0 for the end alone.
    """

    start: int
    end: int
    every: int


class OfShard(beam.DoFn):
    """What the batch steps share: the events of a shard, accepted, with rejects for those in conflict."""

    def __init__(self, plan: Plan, block: str, version: str, settings: RejectSettings | None) -> None:
        self._plan, self._block, self._version, self._settings = plan, block, version, settings

    def setup(self) -> None:
        """Once for each worker."""
        self._metrics = StepMetrics(self._block)
        self._duplicates = Metrics.counter("blocks", f"{self._block}:duplicates")
        self._deleted = Metrics.counter("blocks", f"{self._block}:deleted")
        self._emit = Emitter(self._plan)
        self._conflicts = RefusedEvents(self._plan, self._block, self._version, self._settings)

    def _accepted(self, parts: Iterable[pa.RecordBatch]) -> tuple[Accepted, list[Reject]]:
        # The whole shard: its events have to be put in order.
        rows = pa.concat_batches([pa.RecordBatch.from_pylist([], schema=self._plan.projected), *parts])
        accepted = accept(rows, self._plan.keys)
        self._duplicates.inc(accepted.duplicates)
        self._deleted.inc(accepted.deleted)
        return accepted, self._conflicts(rows.take(pa.array(accepted.conflicts)))

    def _rows(self, batch: pa.RecordBatch, column: str) -> Iterator[Any]:
        self._metrics.rows_out.inc(batch.num_rows)
        for piece in pieces(batch):
            at = earliest(piece, column)
            yield piece if at is None else beam.window.TimestampedValue(piece, at)


class AtEvents(OfShard):
    """A row for each accepted event, or for each after which the condition is true."""

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        """Gives the rows, and the rejects."""
        accepted, rejects = self._accepted(group[1])
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        events = accepted.events
        distinct = np.flatnonzero(changes(events.code, events.times))
        emission = self._plan.definition.emit
        features = Evaluation(self._plan, events)
        for part in chunks(len(distinct)):
            code, as_of = events.code[distinct[part]], events.times[distinct[part]] + 1
            values = features.at(code, as_of)
            rows = self._emit.rows(events.keys.take(pa.array(code)), as_of, values, reasons_of(EVENT, len(code)))
            if emission.on_condition:
                rows = _with_reasons(rows, self._emit.holds(rows), emission.on_event)
            yield from self._rows(rows, "as_of")


def _with_reasons(rows: pa.RecordBatch, holds: npt.NDArray[np.bool_], all_events: bool) -> pa.RecordBatch:
    if not all_events:
        rows, holds = rows.take(pa.array(np.flatnonzero(holds))), holds[holds]
    reasons = pa.DictionaryArray.from_arrays(pa.array(holds.astype(np.int8)), pa.array([EVENT, CONDITION]))
    return rows.set_column(
        rows.schema.get_field_index("reason"), rows.schema.field("reason"), reasons.cast(pa.string())
    )


class AtSteps(OfShard):
    """A row for each key at each step of a range at which an event is within its windows."""

    def __init__(self, plan: Plan, block: str, version: str, settings: RejectSettings | None, grid: Grid) -> None:
        super().__init__(plan, block, version, settings)
        self._grid = grid

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        """Gives the rows, and the rejects."""
        accepted, rejects = self._accepted(group[1])
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        events = accepted.events
        features = Evaluation(self._plan, events)
        for code, as_of in steps(events.code, events.times, self._plan, self._grid):
            values = features.at(code, as_of)
            keys = events.keys.take(pa.array(code))
            rows = self._emit.rows(keys, as_of, values, reasons_of(WINDOW_END, len(code)))
            yield from self._rows(rows.filter(pa.array(values.seen)), "as_of")


def steps(code: Ints, times: Ints, plan: Plan, grid: Grid) -> Iterator[tuple[Ints, Ints]]:
    """(keys, moments) of a grid at which an event may be within the windows, so many at a time.

    Args:
      code: the key of each event, or of each tile.
      times: of each event, or where each tile begins; ascending within a key.
      plan: of the features.
      grid: the steps.
    """
    if not len(code):
        return
    reach = max(plan.definition.longest, plan.endless * plan.definition.state_ttl)
    every = grid.every or max(grid.end - grid.start, 1)
    # Steps are counted back from the end where there is no grid, else from the epoch.
    origin = 0 if grid.every else grid.end
    first = np.maximum((times - origin) // every + 1, (grid.start - origin) // every + 1)
    last = np.minimum((times + reach - origin) // every, (grid.end - origin) // every)
    # Steps that an event before reaches too are not counted again.
    new_key = np.concatenate([[True], np.diff(code) > 0])
    reached = np.where(new_key[1:], np.iinfo(np.int64).min, last[:-1])
    first[1:] = np.maximum(first[1:], reached + 1)
    counts = np.maximum(last - first + 1, 0)
    total = np.concatenate([[0], np.cumsum(counts)])
    for part in chunks(int(total[-1])):
        place = np.arange(part.start, part.stop)
        event = np.searchsorted(total, place, side="right") - 1
        yield code[event], (first[event] + place - total[event]) * every + origin


class AtMoments(OfShard):
    """The rows of a spine with the features as of their time."""

    def __init__(
        self,
        plan: Plan,
        block: str,
        version: str,
        settings: RejectSettings | None,
        moment: str,
        spine: pa.Schema,
        output: pa.Schema,
    ) -> None:
        super().__init__(plan, block, version, settings)
        self._moment, self._output = moment, output
        self._events_coder, self._spine_coder = BatchCoder(plan.projected), BatchCoder(spine)

    def process(self, group: tuple[int, Iterable[tuple[bool, bytes]]]) -> Iterator[Any]:
        """Gives the rows, and the rejects."""
        events = (self._events_coder.decode(content) for asked, content in group[1] if not asked)
        accepted, rejects = self._accepted(events)
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        features = Evaluation(self._plan, accepted.events)
        # The group is read once more, so that the moments are not held.
        for asked, content in group[1]:
            if asked:
                yield from self._of_batch(features, self._spine_coder.decode(content))

    def _of_batch(self, features: Evaluation, batch: pa.RecordBatch) -> Iterator[Any]:
        for part in chunks(batch.num_rows):
            yield from self._asked(features, batch.slice(part.start, part.stop - part.start))

    def _asked(self, features: Evaluation, batch: pa.RecordBatch) -> Iterator[Any]:
        keys = batch.select(list(self._plan.definition.key)).rename_columns(list(self._plan.keys))
        moments = batch.column(self._moment).cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).to_numpy()
        values = features.at(codes_of_keys(features.keys, keys), moments)
        names = [one.feature.name for one in self._plan.outputs]
        columns = [*batch.columns, *values.columns, truncated_names(names, values.truncated, batch.num_rows)]
        rows = pa.RecordBatch.from_arrays(columns, schema=self._output)
        self._metrics.rows_out.inc(rows.num_rows)
        for piece in pieces(rows):
            yield beam.window.TimestampedValue(piece, to_beam(pa.scalar(int(moments.min()), pa.timestamp("us", "UTC"))))
