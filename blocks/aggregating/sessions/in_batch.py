"""Sessions of bounded events."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.emitting import reasons_of
from blocks.aggregating.in_batch import OfShard
from blocks.aggregating.sessions.plan import STARTED_AT, SessionPlan
from blocks.aggregating.sessions.rows import SessionRows
from blocks.aggregating.sessions.splitting import split
from blocks.core.block import rejects_out
from blocks.core.rejects import RejectSettings

CLOSED = "closed"


class BatchSessions(OfShard):
    """A row for each session of the keys of a shard.

    Args:
      plan: of the sessions.
      block, version: for rejects and metrics.
      settings: of the rejects; None where a reject stops the pipeline.
    """

    def __init__(self, plan: SessionPlan, block: str, version: str, settings: RejectSettings | None) -> None:
        super().__init__(plan.plan, block, version, settings)
        self._sessions = plan

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        """Gives the rows, and the rejects."""
        accepted, rejects = self._accepted(group[1])
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        events, plan = accepted.events, self._sessions
        closes = events.rows.column(plan.closes).to_numpy(zero_copy_only=False) if plan.closes else None
        sessions = split(events.code, events.times, closes, plan.definition.rules)
        make = SessionRows(plan)
        ids = make.ids(events.rows, sessions.start)
        for part in make.parts(sessions):
            some = sessions.take(part)
            reasons, revisions = reasons_of(CLOSED, len(some)), np.zeros(len(some), np.int64)
            yield from self._rows(make(events, some, ids[part], reasons, revisions), STARTED_AT)
