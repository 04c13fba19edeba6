"""The rows that a replacing run stands for: those of its source, in its ranges of event time."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from blocks.core.times import micros
from blocks.writing.plan import FileDescription, WriteOptions, days_as_ranges

# Far beyond any event time, and within 64 bits.
_LEAST, _MOST = -(1 << 62), 1 << 62


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows of one source in ranges of event time.

    Attributes:
      source_column: column that holds the source.
      source: its value.
      event_time: column that holds the event time.
      ranges: first moment and moment after the last of each range, microseconds since 1970.
      nulls: whether rows without event time belong to it.
    """

    source_column: str
    source: str
    event_time: str
    ranges: tuple[tuple[int, int], ...]
    nulls: bool

    @classmethod
    def of(cls, options: WriteOptions, files: Iterable[FileDescription]) -> "Scope":
        """The scope of a run: its date range, or else the days (and rows without event time) that its data has."""
        assert options.source is not None
        assert options.event_time is not None
        if options.date_range is not None:
            return cls(options.source_column, options.source, options.event_time, (options.date_range,), False)
        days = frozenset(day for file in files for day in file.days)
        ranges = days_as_ranges(days)
        return cls(options.source_column, options.source, options.event_time, ranges, None in days)

    @property
    def empty(self) -> bool:
        """Whether no row can belong to it."""
        return not self.ranges and not self.nulls

    def overlaps(self, other: "Scope") -> bool:
        """Whether a row could belong to both."""
        if (self.source_column, self.source) != (other.source_column, other.source):
            return False
        both = any(a < d and c < b for a, b in self.ranges for c, d in other.ranges)
        return both or (self.nulls and other.nulls)

    def mask(self, batch: pa.RecordBatch) -> pa.Array:
        """Which rows belong to it; never null."""
        times = micros(batch.column(batch.schema.names.index(self.event_time)))
        inside = pa.array([False] * len(times)) if not self.ranges else None
        for start, end in self.ranges:
            here = pc.and_(pc.greater_equal(times, start), pc.less(times, end))
            inside = here if inside is None else pc.or_(inside, here)
        inside = pc.fill_null(inside, self.nulls) if self.ranges else pc.if_else(times.is_null(), self.nulls, inside)
        source = batch.column(batch.schema.names.index(self.source_column))
        return pc.and_(inside, pc.fill_null(pc.equal(source, self.source), False))

    def may_hold(self, file: Any, schema: Any) -> bool:
        """Whether an Iceberg data file may hold rows of it, by the file's statistics."""
        low, high, nulls = _bounds(file, schema, self.source_column)
        # Bounds of long texts may be cut: a cut lower bound is a prefix, and cannot rule out what it begins.
        if (low is not None and low > self.source) or (high is not None and high < self.source):
            return False
        low, high, nulls = _bounds(file, schema, self.event_time)
        if self.nulls and nulls != 0:
            return True
        first, last = (_LEAST if low is None else low), (_MOST if high is None else high)
        return any(first < end and last >= start for start, end in self.ranges)

    def holds_all(self, file: Any, schema: Any) -> bool:
        """Whether every row of an Iceberg data file certainly belongs to it, by the file's statistics."""
        low, high, nulls = _bounds(file, schema, self.source_column)
        if not (low == high == self.source and nulls == 0):
            return False
        low, high, nulls = _bounds(file, schema, self.event_time)
        if nulls is None or (nulls and not self.nulls):
            return False
        if low is None or high is None:
            return bool(nulls == file.record_count)
        return any(start <= low and high < end for start, end in self.ranges)

    def to_json(self) -> str:
        """As a snapshot's property."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Scope":
        """The reverse of `to_json`."""
        values = json.loads(text)
        ranges = tuple((start, end) for start, end in values.pop("ranges"))
        return cls(**values, ranges=ranges)


def _bounds(file: Any, schema: Any, column: str) -> tuple[Any, Any, int | None]:
    """(lower, upper, count of nulls) of a column in a data file; None where it is not known."""
    from pyiceberg.conversions import from_bytes

    field = schema.find_field(column)
    low, high = (file.lower_bounds or {}).get(field.field_id), (file.upper_bounds or {}).get(field.field_id)
    return (
        None if low is None else from_bytes(field.field_type, low),
        None if high is None else from_bytes(field.field_type, high),
        (file.null_value_counts or {}).get(field.field_id),
    )
