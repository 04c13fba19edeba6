"""Rejects for rows on which something failed: the rows as they came in, made by a `RejectMaker`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Reject
from blocks.core.wire import take

Rows = npt.NDArray[np.bool_]


def failed_rows(
    maker: RejectMaker, batch: pa.RecordBatch, failed: Rows, code: str, describe: Callable[[int], tuple[str, str]]
) -> list[Reject]:
    """One reject for each row that failed.

    Args:
      maker: of the block.
      batch: as it came in.
      failed: which rows.
      code: of the rejects.
      describe: row number to message and field path, both without values.
    """
    numbers = np.flatnonzero(failed)
    rows = take(batch, pa.array(numbers))
    columns = {name: _python(column) for name, column in zip(rows.schema.names, rows.columns, strict=True)}
    rejects = []
    # A reject is a Python object, so this goes row by row.
    for at, number in enumerate(numbers.tolist()):
        message, path = describe(number)
        record = {name: values[at] for name, values in columns.items()}
        rejects.append(maker.make(code, message, field_path=path, record=record))
    return rejects


def _python(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        # Python's types do not hold nanoseconds, nor years beyond 9999.
        return list(column)
