"""What the steps of streams share: the state of a shard as one value, timers in whole milliseconds, rejects."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from blocks.aggregating.arriving import Refused
from blocks.aggregating.plan import Plan
from blocks.aggregating.refusing import RefusedEvents
from blocks.core.block import StepMetrics, rejects_out
from blocks.core.rejects import RejectSettings

Ints = npt.NDArray[np.int64]

# A timer for each key or session would read the shard more often than it is worth: they wait for each other this part.
PARTS = 16
# Runners keep whole milliseconds.
_MILLI, _SECOND = 1_000, 1_000_000


class ShardStep(beam.DoFn):
    """A step that keeps the state of a shard; `setup` of those made of it gives it a `_shard`.

    Args:
      projection: of the events.
      block, version: for rejects and metrics.
      settings: of the rejects; None where a reject stops the pipeline.
    """

    _shard: Any

    def __init__(self, projection: Plan, block: str, version: str, settings: RejectSettings | None) -> None:
        self._projection, self._block, self._version, self._settings = projection, block, version, settings

    def setup(self) -> None:
        """Once for each worker."""
        self._metrics = StepMetrics(self._block)
        self._duplicates = Metrics.counter("blocks", f"{self._block}:duplicates")
        self._refused = RefusedEvents(self._projection, self._block, self._version, self._settings)

    def _read(self, cell: Any) -> Any:
        content = cell.read()
        return self._shard.coder.decode(content) if content else self._shard.coder.empty()

    def _write(self, cell: Any, state: Any) -> None:
        if state.keys.num_rows:
            cell.write(self._shard.coder.encode(state))
        else:
            cell.clear()

    def _rejects(self, refused: Iterable[Refused]) -> Iterator[Any]:
        for one in refused:
            rejects = self._refused(one.rows, one.code, one.message)
            yield from rejects_out(rejects, self._metrics, stops=self._settings is None)


def in_parts(first: int, length: int) -> int:
    """A time, rounded up to a sixteenth of a length of time: timers that would come soon after it come with it."""
    step = max(length // PARTS, _SECOND)
    return -(-first // step) * step


def rounded_up(micros: int) -> Timestamp:
    """When a timer is set for a time: whole milliseconds, within what runners know."""
    moment = Timestamp(micros=-(-micros // _MILLI) * _MILLI)
    return min(max(moment, MIN_TIMESTAMP), GlobalWindow().max_timestamp())
