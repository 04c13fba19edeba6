"""A table in memory that is looked up by key, a batch of keys at a time.

Two ways, chosen by size when the index is built (32,768 text keys a batch, one core, milliseconds a batch):

    rows of the table        1,000   30,000   100,000   1,000,000
    codes (Arrow's index_in)   0.4      3.4         8         344
    digests (BLAKE2b)          1.3       23        27          82
    Arrow's hash join          1.1       23        14         709
    DuckDB                     2.9      6.6        12         147

Arrow's kernels hash the table again for each batch, which is cheaper than 128-bit digests, kept in order, until the
table is large.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from blocks.core.errors import ConfigError, RejectedRecordError
from blocks.core.wire import size_of
from blocks.shaping.first_rows import Digests, heads, identities

CODES_UP_TO = 200_000

Places = npt.NDArray[np.int64]
NOWHERE = -1


@dataclass(frozen=True)
class TableLimits:
    """What a table may have.

    Attributes:
      rows: most rows.
      size: most bytes of the columns that are used.
    """

    rows: int
    size: int

    def check(self, rows: int, size: int) -> None:
        """Stops as soon as a table is too large.

        Raises:
          ConfigError: with what was found, and the option to change.
        """
        for found, limit, option, unit in (
            (rows, self.rows, "max_rows", "rows"),
            (size, self.size, "max_bytes", "bytes"),
        ):
            if found > limit:
                raise ConfigError(
                    f"the table has {found:,} {unit} or more, and at most {limit:,} are held in memory",
                    where=f"JoinTable.{option}",
                    fix=f"name fewer `columns`, use a smaller table, or raise {option} if every worker has the memory",
                )


def gathered(batches: Iterable[pa.RecordBatch], schema: pa.Schema, limits: TableLimits) -> pa.RecordBatch:
    """All batches as one.

    Raises:
      ConfigError: they are larger than the limits.
    """
    found: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        found.append(batch)
        rows, size = rows + batch.num_rows, size + size_of(batch)
        limits.check(rows, size)
    empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
    return pa.concat_batches(found) if found else empty


class TableIndex:
    """The rows of a table by key.

    Args:
      keys: the key columns of the table, of the types that `places` is asked with.
      names: of the key columns, for errors.
      values: the other columns, as many rows.
      files: pattern of the files that the table was read from; empty if it is an input.

    Raises:
      RejectedRecordError: a key stands more than once.
    """

    def __init__(self, keys: Sequence[pa.Array], names: Sequence[str], values: pa.RecordBatch, files: str = "") -> None:
        self.values = values
        complete = _complete(keys)
        # A null never matches, so rows with one are not looked for.
        self._rows: Places = np.flatnonzero(complete)
        known = [key.take(pa.array(self._rows)) for key in keys]
        codes = math.prod(pc.count_distinct(key).as_py() + 1 for key in known)
        small = len(self._rows) <= CODES_UP_TO and codes < 1 << 62
        self._finder = _Codes(known) if small else _Digests(known)
        repeated = self._finder.repeated
        if repeated:
            columns = ", ".join(f"`{name}`" for name in names)
            stand = "1 key of the table stands" if repeated == 1 else f"{repeated:,} keys of the table stand"
            before = "put DeduplicateRows before it"
            if files:
                before = "write the files with one row a key; or read them with ReadParquet, put DeduplicateRows after"
                before += " it and give that as the second input, `table`"
            raise RejectedRecordError(
                f"{stand} more than once, and a join must not multiply rows",
                where=f"JoinTable, table{f' {files}' if files else ''}, "
                f"{'column' if len(names) == 1 else 'columns'} {columns}",
                fix=f"{before}; or join on more columns, or aggregate the table to one row a key",
            )

    def places(self, keys: Sequence[pa.Array]) -> Places:
        """For each row the row of the table with its key, or NOWHERE.

        Args:
          keys: arrays in the order and of the types of the table's key columns.
        """
        found = self._finder.find(keys)
        wanted = (found != NOWHERE) & _complete(keys)
        result = np.full(len(found), NOWHERE, np.int64)
        result[wanted] = self._rows[found[wanted]]
        return result


def _complete(keys: Sequence[pa.Array]) -> npt.NDArray[np.bool_]:
    """Which rows have no null in their key."""
    result = np.ones(len(keys[0]), np.bool_)
    for key in keys:
        if key.null_count:
            result &= key.is_valid().to_numpy(zero_copy_only=False)
    return result


class _Codes:
    """Each column's values are numbered; a key is its numbers, which are one number as in a place-value system."""

    def __init__(self, keys: Sequence[pa.Array]) -> None:
        self._uniques = [pc.unique(key) for key in keys]
        numbers, _ = self._numbers(keys)
        self._order = np.argsort(numbers, kind="stable")
        self._numbers_in_order = numbers[self._order]
        self.repeated = _repeated(self._numbers_in_order)

    def _numbers(self, keys: Sequence[pa.Array]) -> tuple[Places, npt.NDArray[np.bool_]]:
        rows = len(keys[0])
        numbers, known = np.zeros(rows, np.int64), np.ones(rows, np.bool_)
        for key, uniques in zip(keys, self._uniques, strict=True):
            found = pc.index_in(key, value_set=uniques)
            known &= found.is_valid().to_numpy(zero_copy_only=False)
            numbers = numbers * (len(uniques) + 1) + pc.fill_null(found, 0).to_numpy()
        return numbers, known

    def find(self, keys: Sequence[pa.Array]) -> Places:
        numbers, known = self._numbers(keys)
        if not len(self._order):
            return np.full(len(numbers), NOWHERE, np.int64)
        places = np.minimum(np.searchsorted(self._numbers_in_order, numbers), len(self._order) - 1)
        found = known & (self._numbers_in_order[places] == numbers)
        return np.where(found, self._order[places], NOWHERE)


class _Digests:
    """128-bit hashes in order."""

    def __init__(self, keys: Sequence[pa.Array]) -> None:
        digests = _digests(keys)
        self._order = np.lexsort((digests, heads(digests)))
        self._digests = digests[self._order]
        self._heads = heads(self._digests)
        self.repeated = _repeated(self._digests)

    def find(self, keys: Sequence[pa.Array]) -> Places:
        digests = _digests(keys)
        # No two of a table's 128-bit hashes share their first half in practice; if two do, one is found by its second.
        places = np.minimum(np.searchsorted(self._heads, heads(digests)), len(self._order) - 1)
        for _ in range(2):
            found = self._digests[places] == digests
            places = np.where(found, places, np.minimum(places + 1, len(self._order) - 1))
        return np.where(self._digests[places] == digests, self._order[places], NOWHERE)


def _digests(keys: Sequence[pa.Array]) -> Digests:
    if len(keys) > 1:
        names = [str(number) for number in range(len(keys))]
        return identities(pa.RecordBatch.from_arrays(list(keys), names=names), names)
    # A batch has few different keys as a rule, and each is hashed once.
    encoded = keys[0].dictionary_encode(null_encoding="encode")
    distinct = identities(pa.RecordBatch.from_arrays([encoded.dictionary], names=["0"]), ["0"])
    return distinct[encoded.indices.to_numpy()]


def _repeated(in_order: "np.ndarray[Any, Any]") -> int:
    """How many values stand more than once."""
    return len(np.unique(in_order[1:][in_order[1:] == in_order[:-1]]))
