"""sum: the exact sum."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from blocks.aggregating.exact import numbers
from blocks.aggregating.ops.operation import Results
from blocks.aggregating.ops.totals import ExactTotals, Totals


class Sum(ExactTotals):
    """The exact sum, rounded once, at the end; of no values: null.

    Result: float64 of floating point; int64 of whole numbers of up to 32 bits and of booleans; decimal128(38, 0) of
    64 bits, so that nothing wraps; decimal128(38, scale) of decimals of up to 28 digits, decimal256(76, scale) of more.
    """

    name = "sum"
    summary = "the exact sum, rounded once"

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""
        super().__init__(column, options)
        assert column is not None
        self.result = _result(column)

    def finished(self, totals: Totals) -> Results:
        """The sums."""
        none = totals.count == 0
        total = totals.powers[0]
        if self.floating:
            sums = totals.with_special(total.to_doubles(numbers.UNIT))
            return Results(pa.array(sums, mask=none))
        if pat.is_int64(self.result):
            words = total.to_words(2)
            return Results(pa.array(np.ascontiguousarray(words).view("<i8").reshape(-1), mask=none))
        words = np.ascontiguousarray(total.to_words(self.result.bit_width // 32))
        valid = None if not none.any() else pa.array(~none).buffers()[1]
        return Results(pa.Array.from_buffers(self.result, len(words), [valid, pa.py_buffer(words)]))


def _result(column: pa.DataType) -> pa.DataType:
    if pat.is_floating(column):
        return pa.float64()
    if pat.is_decimal(column):
        return pa.decimal128(38, column.scale) if column.precision <= 28 else pa.decimal256(76, column.scale)
    return pa.decimal128(38, 0) if column.bit_width == 64 else pa.int64()
