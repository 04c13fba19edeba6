"""Exact totals of powers: what sum, average and the moments remember."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from blocks.aggregating.exact import numbers
from blocks.aggregating.exact.limbs import LIMBS, Limbs, added
from blocks.aggregating.exact.numbers import Values
from blocks.aggregating.ops.operation import Flags, Ints, Operation, Selected, column_of

# Of floating point: how many values were no finite numbers. Numbers and not flags, so that they can be subtracted.
_SPECIAL = ("nans", "infinite", "negative_infinite")


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
        totals = [(read if power == 1 else read.power(power)).limbs() for power in self.powers]
        return self._batch([counts[name] for name in self._counts], totals)

    def _whole(self, values: pa.Array) -> Values:
        if self._decimal:
            return numbers.of_decimals(values)
        return numbers.of_integers(values.cast(pa.int8()) if pat.is_boolean(values.type) else values)

    def merge(self, cells: pa.RecordBatch, offsets: Ints) -> pa.RecordBatch:
        """Sums."""
        counts = [added(column_of(cells, name), offsets) for name in self._counts]
        return self._batch(counts, [self.total(cells, power).added(offsets) for power in self.powers])

    def ranges(self, cells: pa.RecordBatch, start: Ints, stop: Ints) -> pa.RecordBatch:
        """Differences of running totals, which are exact."""
        counts = []
        for name in self._counts:
            running = np.concatenate([[0], np.cumsum(column_of(cells, name))])
            counts.append(running[stop] - running[start])
        return self._batch(counts, [self.total(cells, power).ranges(start, stop) for power in self.powers])

    def _batch(self, counts: list[Ints], totals: list[Limbs]) -> pa.RecordBatch:
        columns = [*map(pa.array, counts), *(total.to_arrow() for total in totals)]
        return pa.RecordBatch.from_arrays(columns, schema=self.cells)

    def total(self, cells: pa.RecordBatch, power: int = 1) -> Limbs:
        """The sums of a power, of the values that are finite."""
        return Limbs.from_arrow(cells.column(f"power_{power}"))

    def count(self, cells: pa.RecordBatch) -> Ints:
        """How many values."""
        return column_of(cells, "count")

    def undefined(self, cells: pa.RecordBatch) -> Flags:
        """Where a value is no finite number."""
        found = np.zeros(cells.num_rows, np.bool_)
        for name in _SPECIAL if self.floating else ():
            found |= column_of(cells, name) > 0
        return found

    def with_special(self, cells: pa.RecordBatch, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums, and what IEEE 754 makes of infinities and NaN in any order: NaN if there is one, or both infinities."""
        if not self.floating:
            return sums
        nans, above, below = (column_of(cells, name) > 0 for name in _SPECIAL)
        found = np.where(above, np.inf, np.where(below, -np.inf, sums))
        return np.where(nans | (above & below), np.nan, found)
