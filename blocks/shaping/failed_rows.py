"""Rejects for rows on which something failed: the rows as they came in, made by a `RejectMaker`."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.core.reject_records import RejectMaker, records_of
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
    rejects = []
    # A reject is a Python object, so this goes row by row.
    for number, record in zip(numbers.tolist(), records_of(rows), strict=True):
        message, path = describe(number)
        rejects.append(maker.make(code, message, field_path=path, record=record))
    return rejects
