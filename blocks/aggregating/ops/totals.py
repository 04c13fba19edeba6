"""Exact totals of powers: what sum, average and the moments remember."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from blocks.aggregating.exact import numbers
from blocks.aggregating.exact.limbs import LIMBS, Limbs, added
from blocks.aggregating.exact.numbers import Values
from blocks.aggregating.ops.operation import Flags, Ints, Moments, Operation, Results, Selected, column_of

# Of floating point: how many values were no finite numbers. Numbers and not flags, so that they can be subtracted.
_SPECIAL = ("nans", "infinite", "negative_infinite")


@dataclass(frozen=True)
class Totals:
    """How many values there are, and sums of their powers; a row a cell.

    Attributes:
      counts: `count`, and of floating point how many were no finite numbers.
      powers: the sums of each power, of the values that are finite.
    """

    counts: Mapping[str, Ints]
    powers: tuple[Limbs, ...]

    @property
    def count(self) -> Ints:
        """How many values."""
        return self.counts["count"]

    def ranges(self, start: Ints, stop: Ints) -> "Totals":
        """Of running totals, the differences."""
        counts = {name: one[stop] - one[start] for name, one in self.counts.items()}
        return Totals(counts, tuple(power.between(start, stop) for power in self.powers))

    def undefined(self) -> Flags:
        """Where a value is no finite number."""
        found = np.zeros(len(self.count), np.bool_)
        for name in _SPECIAL:
            if name in self.counts:
                found |= self.counts[name] > 0
        return found

    def with_special(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums, and what IEEE 754 makes of infinities and NaN in any order: NaN if there is one, or both infinities."""
        if len(self.counts) == 1:
            return sums
        nans, above, below = (self.counts[name] > 0 for name in _SPECIAL)
        found = np.where(above, np.inf, np.where(below, -np.inf, sums))
        return np.where(nans | (above & below), np.nan, found)


class ExactTotals(Operation):
    """How many values, and the exact sums of some powers of them."""

    powers: ClassVar[tuple[int, ...]] = (1,)

    @classmethod
    def takes(cls, column: pa.DataType) -> bool:
        """Numbers, and booleans as 0 and 1."""
        return bool(
            pat.is_integer(column) or pat.is_floating(column) or pat.is_decimal(column) or pat.is_boolean(column)
        )

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Makes the operation for a type of number."""
        assert column is not None
        self.floating = bool(pat.is_floating(column))
        self.scale = int(column.scale) if pat.is_decimal(column) else 0
        self._decimal = bool(pat.is_decimal(column))
        # Exponent of 2 of one unit of the first power.
        self.unit = numbers.UNIT if self.floating else 0
        counts = ["count", *(_SPECIAL if self.floating else ())]
        self.cells = pa.schema(
            [pa.field(name, pa.int64(), False) for name in counts]
            + [pa.field(f"power_{power}", LIMBS, False) for power in self.powers]
        )
        self._counts = counts

    def prepare(self, events: Selected) -> pa.RecordBatch:
        """Each value's powers."""
        counts = {"count": np.ones(len(events), np.int64)}
        values: pa.Array = events.values
        if self.floating:
            doubles = numbers.as_doubles(values)
            for name, found in zip(_SPECIAL, (np.isnan(doubles), doubles == np.inf, doubles == -np.inf), strict=True):
                counts[name] = found.astype(np.int64)
            read = numbers.of_doubles(np.where(np.isfinite(doubles), doubles, 0.0))
        else:
            read = self._whole(values)
        powers = tuple((read if power == 1 else read.power(power)).limbs() for power in self.powers)
        return self._batch(Totals(counts, powers))

    def _whole(self, values: pa.Array) -> Values:
        if self._decimal:
            return numbers.of_decimals(values)
        return numbers.of_integers(values.cast(pa.int8()) if pat.is_boolean(values.type) else values)

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """Sums."""
        read = self._read(cells)
        counts = {name: added(one, offsets) for name, one in read.counts.items()}
        return self._batch(Totals(counts, tuple(power.added(offsets) for power in read.powers)))

    def index(self, cells: pa.RecordBatch) -> Totals:
        """Running totals, which are exact."""
        read = self._read(cells)
        counts = {name: np.concatenate([[0], np.cumsum(one)]) for name, one in read.counts.items()}
        return Totals(counts, tuple(power.running() for power in read.powers))

    def ranges(self, index: Totals, start: Ints, stop: Ints) -> pa.RecordBatch:
        """Their differences."""
        return self._batch(index.ranges(start, stop))

    def of_ranges(self, index: Totals, start: Ints, stop: Ints, moments: Moments) -> Results:
        """The results of the differences, which are not made into cells."""
        return self.finished(index.ranges(start, stop))

    def finalize(self, cells: pa.RecordBatch, moments: Moments) -> Results:
        """The results of cells."""
        return self.finished(self._read(cells))

    @abstractmethod
    def finished(self, totals: Totals) -> Results:
        """The results of totals."""

    def _batch(self, totals: Totals) -> pa.RecordBatch:
        columns = [pa.array(totals.counts[name]) for name in self._counts]
        return pa.RecordBatch.from_arrays([*columns, *(one.to_arrow() for one in totals.powers)], schema=self.cells)

    def _read(self, cells: pa.RecordBatch) -> Totals:
        counts = {name: column_of(cells, name) for name in self._counts}
        return Totals(counts, tuple(Limbs.from_arrow(cells.column(f"power_{power}")) for power in self.powers))
