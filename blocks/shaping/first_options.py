"""What the plans of `FirstOfKey` share: the options, and how rows, duplicates and rejects go out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics

from blocks.core.block import StepMetrics, pieces, rejects_out, stamped
from blocks.core.reject_records import RejectMaker, records_of
from blocks.core.rejects import Reject, RejectSettings
from blocks.core.times import earliest
from blocks.shaping.first_rows import Digests, identities

DUPLICATES_TAG = "duplicates"


@dataclass(frozen=True)
class FirstOptions:
    """What both plans know.

    Attributes:
      block, version: of the catalog, for metrics, errors and rejects.
      columns: that make the identity, the event time among them where it counts.
      event_time: column that says when a row may go on in a stream; None for the end of its window.
      remember: microseconds for which a stream remembers identities that went out.
      shards: number of groups.
      null_keys: `equal`, or `distinct`: a row with a null in `columns` is like no other row.
      settings: of the rejects; None where a reject stops the pipeline.
    """

    block: str
    version: str
    columns: tuple[str, ...]
    event_time: str | None
    remember: int
    shards: int
    null_keys: Literal["equal", "distinct"]
    settings: RejectSettings | None

    def digests(self, batch: pa.RecordBatch) -> Digests:
        """The identities of rows."""
        return identities(batch, self.columns)


class RowOutput:
    """Makes what a step puts out: batches with their time, duplicates, rejects; and counts them.

    Args:
      options: of the transform.
      schema: of the rows.
    """

    def __init__(self, options: FirstOptions, schema: pa.Schema) -> None:
        self.metrics = StepMetrics(options.block)
        self.duplicates = Metrics.counter("blocks", f"{options.block}:duplicates")
        self._options, self._schema = options, schema
        self._maker = RejectMaker(options.block, options.version, schema, options.settings)

    def rows(self, batch: pa.RecordBatch, timestamp: Any, window: Any) -> Iterator[Any]:
        """Batches of rows in the windows that they came in, at their earliest event time."""
        self.metrics.rows_out.inc(batch.num_rows)
        for piece in pieces(batch):
            at = earliest(piece, self._options.event_time)
            yield stamped(piece, timestamp if at is None else at, window)

    def same(self, batch: pa.RecordBatch, timestamp: Any, window: Any) -> Iterator[Any]:
        """Duplicates."""
        self.duplicates.inc(batch.num_rows)
        for piece in pieces(batch):
            at = earliest(piece, self._options.event_time)
            yield beam.pvalue.TaggedOutput(DUPLICATES_TAG, stamped(piece, timestamp if at is None else at, window))

    def rejected(self, batch: pa.RecordBatch, code: str, message: str) -> Iterator[Any]:
        """Rejects, one a row; or the end of the pipeline."""
        if not batch.num_rows:
            return
        rejects: list[Reject] = [
            self._maker.make(code, message, field_path=self._options.event_time or "", record=row)
            for row in records_of(batch)
        ]
        yield from rejects_out(rejects, self.metrics, stops=self._options.settings is None)
