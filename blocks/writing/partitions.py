"""Partitions: what `partition_by` says, the batches of one partition each, and paths that are safe for any value."""

import datetime
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.errors import Problem, unknown_column
from blocks.core.times import micros
from blocks.writing.bucket_hash import buckets, can_hash

TRANSFORMS = ("identity", "year", "month", "day", "hour", "bucket")
NULL_NAME = "__HIVE_DEFAULT_PARTITION__"
# A file system allows 255 bytes for a name; what is longer is cut and told apart by a hash.
_LONGEST_NAME = 160
_EPOCH = datetime.date(1970, 1, 1)
_FORM = re.compile(r"\s*(\w+)\s*\(\s*(?:(\d+)\s*,\s*)?([^(),]+?)\s*\)\s*")

PartitionKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PartitionField:
    """One part of a partition.

    Attributes:
      transform: one of `TRANSFORMS`.
      column: top-level column that it is made from.
      count: number of buckets; 0 for the others.
    """

    transform: str
    column: str
    count: int = 0

    @property
    def name(self) -> str:
        """Name of the partition's value: the column, with the transform behind it unless it is the identity."""
        return self.column if self.transform == "identity" else f"{self.column}_{self.transform}"

    def __str__(self) -> str:
        if self.transform == "identity":
            return self.column
        return f"{self.transform}({f'{self.count}, ' if self.count else ''}{self.column})"


def parse_partitions(text: str | Sequence[str] | None, problems: list[Problem]) -> tuple[PartitionField, ...]:
    """Reads `day(occurred_at)`, `bucket(16, user_id)`, `country`, or several of them.

    Args:
      text: one or a list.
      problems: gets one for every part that cannot be read.
    """
    parts = [text] if isinstance(text, str) else list(text or ())
    fields = [field for part in parts if (field := _parse(part, problems)) is not None]
    names = [field.name for field in fields]
    problems.extend(
        Problem(f"`{name}` stands more than once", "partition_by", "leave one of them")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    )
    return tuple(fields)


def _parse(part: object, problems: list[Problem]) -> PartitionField | None:
    fix = "write `day(column)`, hour, month or year, `bucket(16, column)`, or just `column`"
    if not isinstance(part, str) or not part.strip():
        problems.append(Problem(f"`{part}` is not a partition", "partition_by", fix))
        return None
    match = _FORM.fullmatch(part)
    if match is None:
        if "(" in part or ")" in part or "," in part:
            problems.append(Problem(f"`{part}` is not a partition", "partition_by", fix))
            return None
        return PartitionField("identity", part.strip())
    transform, count, column = match[1].lower(), int(match[2] or 0), match[3]
    if transform not in TRANSFORMS:
        problems.append(Problem(f"unknown transform `{transform}`", "partition_by", fix))
    elif (transform == "bucket") != (count > 0):
        problems.append(Problem(f"`{part}`: a bucket has a number, nothing else has", "partition_by", fix))
    else:
        return PartitionField(transform, column, count)
    return None


def partition_problems(fields: Sequence[PartitionField], schema: pa.Schema) -> Iterator[Problem]:
    """A problem for every partition that the schema's columns do not allow."""
    for field in fields:
        where = f"partition_by `{field}`"
        if field.column not in schema.names:
            yield unknown_column(field.column, schema.names, where)
            continue
        data_type = schema.field(field.column).type
        temporal = pat.is_timestamp(data_type) or (pat.is_date32(data_type) and field.transform != "hour")
        if field.transform in ("year", "month", "day", "hour") and not temporal:
            fix = "partition by a timestamp" + ("" if field.transform == "hour" else " or a date")
            yield Problem(f"{field.transform} of `{field.column}`, which is {data_type}", where, fix)
        elif field.transform == "bucket" and not can_hash(data_type):
            yield Problem(f"buckets of `{field.column}`, which is {data_type}", where, "use text, integers or dates")
        elif field.transform == "identity" and not (can_hash(data_type) or pat.is_boolean(data_type)):
            yield Problem(f"a partition for each {data_type}", where, "use text, integers, dates or buckets")
        if field.transform != "identity" and field.name in schema.names:
            yield Problem(f"there is a column `{field.name}`", where, "rename it: the partition has this name")


def partition_values(field: PartitionField, column: pa.Array) -> pa.Array:
    """The partition value of every row, in Iceberg's physical form (days, hours, months, years from 1970 as int32)."""
    if field.transform == "bucket":
        return buckets(column, field.count)
    if field.transform == "identity":
        if pat.is_timestamp(column.type):
            return micros(column)
        return column.cast(pa.int32()) if pat.is_date32(column.type) else column
    if pat.is_date32(column.type):
        days = column.cast(pa.int32())
    elif field.transform == "hour":
        return _floor_divide(micros(column), 3_600_000_000)
    else:
        days = days_of(column)
    if field.transform == "day":
        return days
    # From the day as numpy's calendar: right for any year, before 1970 too.
    numbers = pc.fill_null(days, 0).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    unit = "datetime64[M]" if field.transform == "month" else "datetime64[Y]"
    mask = days.is_null().to_numpy(zero_copy_only=False)
    return pa.array(numbers.astype(unit).astype(np.int64).astype(np.int32), mask=mask)


def days_of(column: pa.Array) -> pa.Array:
    """Days since 1970 (UTC) of a timestamp column, int32; null at nulls."""
    return _floor_divide(micros(column), 86_400_000_000)


def _floor_divide(column: pa.Array, by: int) -> pa.Array:
    # Arrow's division cuts towards zero, which is the wrong day before 1970.
    numbers = pc.fill_null(column, 0).to_numpy(zero_copy_only=False) // by
    mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return pa.array(numbers.astype(np.int32), mask=mask)


def split(batch: pa.RecordBatch, fields: Sequence[PartitionField]) -> Iterator[tuple[PartitionKey, pa.RecordBatch]]:
    """The rows of each partition, in their order; a batch of one partition is not copied."""
    columns = [partition_values(field, batch.column(field.column)) for field in fields]
    yield from split_by(batch, columns)


def split_by(batch: pa.RecordBatch, columns: Sequence[pa.Array]) -> Iterator[tuple[PartitionKey, pa.RecordBatch]]:
    """The rows of each distinct combination of values of `columns`, which are as long as the batch."""
    if batch.num_rows == 0:
        return
    if all(_constant(column) for column in columns):
        yield tuple(column[0].as_py() for column in columns), batch
        return
    codes = _codes(columns)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=codes[order[0]] - 1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = order[start:end]
        key = tuple(column[int(rows[0])].as_py() for column in columns)
        # Each part is copied: slices of one sorted batch would keep all of it alive while the smallest part waits.
        yield key, (batch if len(rows) == batch.num_rows else batch.take(pa.array(rows)))


def _constant(column: pa.Array) -> bool:
    if column.null_count:
        return bool(column.null_count == len(column))
    ends = pc.min_max(column)
    return bool(ends["min"] == ends["max"])


def _codes(columns: Sequence[pa.Array]) -> npt.NDArray[np.int64]:
    codes: npt.NDArray[np.int64] = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        encoded = column.dictionary_encode(null_encoding="encode")
        mixed = codes * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
        # Numbered anew each time, so that many columns cannot overflow.
        codes = np.unique(mixed, return_inverse=True)[1].astype(np.int64)
    return codes


def partition_path(fields: Sequence[PartitionField], key: PartitionKey) -> str:
    """Folders of a partition, `occurred_at_day=2026-01-01/country=DE`; safe whatever the values are.

    Names and values are percent-encoded; a value longer than a file name may be is cut and ends with a hash, so the
    path is a hint for people, and the value itself stands in the table's metadata.
    """
    return "/".join(
        f"{_short(quote(field.name, safe=''))}={_short(quote(_readable(field, value), safe=''))}"
        for field, value in zip(fields, key, strict=True)
    )


def _short(text: str) -> str:
    if len(text) <= _LONGEST_NAME // 2:
        return text
    return text[:40].rstrip("%") + "~" + hashlib.sha256(text.encode()).hexdigest()[:32]


def _readable(field: PartitionField, value: Any) -> str:
    if value is None:
        return NULL_NAME
    try:
        if field.transform == "day":
            return (_EPOCH + datetime.timedelta(days=value)).isoformat()
        if field.transform == "hour":
            return f"{_EPOCH + datetime.timedelta(days=value // 24)}-{value % 24:02d}"
    except OverflowError:
        return str(value)
    if field.transform == "month":
        return f"{1970 + value // 12:04d}-{value % 12 + 1:02d}"
    if field.transform == "year":
        return f"{1970 + value:04d}"
    return value.hex() if isinstance(value, bytes) else str(value)
