"""What an operation is: prepare, merge, finalize over cells, in bulk.

A *cell* is a partial aggregate: what an operation has to remember of some events. Cells are rows of an Arrow batch, so
they are computed in bulk, shuffled, kept in state and written to tables without a conversion. The algebra, as in
Chronon's aggregators:

    prepare     events -> cells, a cell an event
    merge       cells -> cells: of consecutive rows, one; of no rows, the identity
    finalize    cells -> results

with the laws that tests hold every operation to: merge is associative and commutative, the cell of no events is its
identity, and the cell of some events is the same however they are cut into parts. (`update` is a merge with the cell of
a single event, and needs no function of its own.)

Source: "Chronon" (Airbnb), `SimpleAggregator`; Gray et al., "Data Cube" (1997), for the classes of aggregates.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.ops.options import Option

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Selected:
    """The events that an operation folds: the condition is true, and the column is not null.

    Attributes:
      values: the column, without nulls; None for an operation without a column.
      times: event times, microseconds since the epoch.
      ids: large_binary; sorts as the event ids do.
      by: the second column, without nulls, where there is one.
    """

    values: pa.Array | None
    times: Ints
    ids: pa.Array
    by: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True)
class Moments:
    """What results are asked for.

    Attributes:
      as_of: microseconds since the epoch, one a cell.
      window: length of the window in microseconds; None for all time.
    """

    as_of: Ints
    window: int | None


@dataclass(frozen=True)
class Results:
    """What `finalize` gives.

    Attributes:
      values: one a cell, of the operation's `result` type.
      truncated: which of them leave something out, because of a bound; None if none can.
    """

    values: pa.Array
    truncated: Flags | None = None


class Operation(ABC):
    """An operation over the values of one column of one type, or over events.

    Class attributes:
      name: as a definition writes it.
      summary: one line for people.
      column: whether it reads a column: `required`, `optional` or `none`.
      options: its own options, by name.
      shows: what a result tells of the column: `values` (some of them as they are), `numbers` (computed from them) or
        `counts` (only how many there are).

    Attributes:
      cells: schema of its cells.
      result: Arrow type of its results.
      nullable: whether a result can be null.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    column: ClassVar[str] = "required"
    options: ClassVar[Mapping[str, Option]] = {}
    shows: ClassVar[str] = "numbers"

    cells: pa.Schema
    result: pa.DataType
    nullable: bool = True

    @classmethod
    @abstractmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Whether a column of this type can be folded."""

    @classmethod
    def wanted(cls) -> str:
        """What it takes, for the message about a column that it does not take."""
        return "numbers"

    @abstractmethod
    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Makes the operation for a type of column.

        Args:
          column: an Arrow type for which `takes` is true; None without a column.
          options: a value for each of `options`.
        """

    @abstractmethod
    def prepare(self, events: Selected) -> pa.RecordBatch:
        """A cell for each event."""

    @abstractmethod
    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """Merges consecutive cells.

        Args:
          cells: rows of the schema `cells`.
          offsets: m + 1 places, ascending; merged cell `i` is that of the rows from `offsets[i]` to before
            `offsets[i + 1]`, and the identity where there are none.
        """

    @abstractmethod
    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The results of cells."""

    def index(self, cells: pa.RecordBatch) -> Any:
        """What ranges are merged from more quickly than by a tree of merges, such as running totals; None for a tree.

        Args:
          cells: rows of the schema `cells`, in the order of time within a range.
        """
        return None

    def ranges(self, index: Any, start: Ints, stop: Ints) -> pa.RecordBatch:
        """Merges ranges that may overlap.

        Args:
          index: of the cells, not None.
          start: the first row of each range.
          stop: the row after its last; not before `start`.
        """
        raise NotImplementedError

    def of_ranges(self, index: Any, start: Ints, stop: Ints, moments: Moments) -> Results:
        """The results of ranges: those of their merged cells."""
        return self.finalize(self.ranges(index, start, stop), moments)

    def identity(self, count: int) -> pa.RecordBatch:
        """Cells of no events."""
        nothing = pa.RecordBatch.from_pylist([], schema=self.cells)
        return self.merge(nothing, np.zeros(count + 1, np.int64))


def column_of(cells: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """A column of fixed width, without nulls, as numpy sees it."""
    found: npt.NDArray[Any] = cells.column(name).to_numpy(zero_copy_only=False)
    return found
