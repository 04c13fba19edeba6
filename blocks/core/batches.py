"""Batches as elements: from rows, to rows, and merged. Everything about the type itself is in `batch_type.py`."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow, TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from blocks.core import guards, labels
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS, BatchCoder, BatchType, schema_of
from blocks.core.block import BatchBlock, pieces
from blocks.core.dictionaries import decode_array, decode_schema
from blocks.core.errors import BatchTypeError, ConfigError, Problem, RejectedRecordError, SchemaError, all_problems
from blocks.core.labels import event_time_of
from blocks.core.policy import PolicySource, check_destination, read_policy
from blocks.core.row_types import arrow_schema_of, batch_maker, row_maker, row_type_of
from blocks.core.times import earliest, micros

__all__ = ["AsBatches", "AsRows", "BatchCoder", "BatchType", "UnionBatches"]

# Until the width of a row is known, so many are held at most.
_FIRST_ROWS = 256


class AsBatches(beam.PTransform):  # type: ignore[misc]
    """Gathers rows into Arrow batches.

    Input: beam.Row, NamedTuples or dataclasses.
    Output: batches of at most `max_rows` rows and about `max_bytes` bytes, each of rows of one window and one bundle,
    with the earliest event time as timestamp (that of the event-time column, or else of the elements).
    Rejects: none; a value that does not fit its column stops the pipeline with the column's name.
    Nulls: kept; an error in a column that is not nullable.
    State: none; rows wait in memory until the end of the bundle at most, so no watermark passes them.
    Cost: one Python object a value; keep rows for where one row must meet another.

    Args:
      schema: columns, with labels; dictionary columns become plain ones. Without it, what the row type says.
      max_rows: most rows of a batch.
      max_bytes: about the most bytes of a batch.

    Raises:
      SchemaError: no schema is given and the element type does not tell it.

    Example:
      >>> rows | AsBatches(schema)
    """

    def __init__(self, schema: pa.Schema | None = None, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        with all_problems("AsBatches", ConfigError) as problems:
            for name, value in (("max_rows", max_rows), ("max_bytes", max_bytes)):
                if value < 1:
                    problems.append(
                        Problem(f"expected at least 1, got {value}", name, f"leave out {name} for the default")
                    )
        self._schema, self._max_rows, self._max_bytes = schema, max_rows, max_bytes

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        if isinstance(pcoll.element_type, BatchType):
            raise BatchTypeError(
                "the input is made of batches already",
                where="AsBatches",
                fix="leave AsBatches out, or put AsRows before",
            )
        schema = self._schema if self._schema is not None else arrow_schema_of(pcoll.element_type, "AsBatches")
        schema = decode_schema(schema)
        guards.watch(pcoll.pipeline)
        gather = _Gather(schema, self._max_rows, self._max_bytes)
        return pcoll | "Gather" >> beam.ParDo(gather).with_output_types(BatchType(schema))


class _Gather(beam.DoFn):  # type: ignore[misc]
    def __init__(self, schema: pa.Schema, max_rows: int, max_bytes: int) -> None:
        self._schema, self._max_rows, self._max_bytes = schema, max_rows, max_bytes
        self._limit = min(max_rows, _FIRST_ROWS)

    def setup(self) -> None:
        self._event_time = event_time_of(self._schema)
        self._make = batch_maker(self._schema, "AsBatches")

    def start_bundle(self) -> None:
        self._rows: dict[Any, list[Any]] = {}
        self._first: dict[Any, Timestamp] = {}

    def process(
        self, row: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        rows = self._rows.setdefault(window, [])
        rows.append(row)
        self._first[window] = min(timestamp, self._first.get(window, timestamp))
        if len(rows) >= self._limit:
            for value in self._flush(window):
                yield TimestampedValue(value.value, value.timestamp)

    def finish_bundle(self) -> Iterator[Any]:
        for window in list(self._rows):
            yield from self._flush(window)

    def _flush(self, window: Any) -> Iterator[WindowedValue]:
        batch = self._make(self._rows.pop(window))
        first = self._first.pop(window)
        # From now on the width of a row is known, and a batch can aim at its size in bytes.
        width = max(batch.nbytes // batch.num_rows, 1)
        self._limit = max(min(self._max_rows, self._max_bytes // width), 1)
        for piece in pieces(batch, self._max_rows, self._max_bytes):
            yield WindowedValue(piece, self._time(piece, window, first), (window,))

    def _time(self, batch: pa.RecordBatch, window: Any, first: Timestamp) -> Timestamp:
        at = earliest(batch, self._event_time)
        if at is None:
            return first
        last = window.max_timestamp()
        if not isinstance(window, GlobalWindow) and not (window.start <= at <= last):
            raise RejectedRecordError(
                "the event time of a row is not in the row's window",
                where=f"AsBatches, field `{self._event_time}`",
                fix="window after this block, with WindowRows, which goes by the event-time column",
            )
        return min(max(at, MIN_TIMESTAMP), last)


class AsRows(beam.PTransform):  # type: ignore[misc]
    """Takes batches apart into beam.Rows, for code that works row by row.

    Rows go to code that nobody here knows, so this is a destination of the policy (`rows`) like a table.

    Input: batches.
    Output: one beam.Row a row, with a row type that holds every column's type; in each row's own event time.
    Rejects: none. Nulls: Optional fields.
    State: none. Cost: one Python object a value, about ten times that of the batch; use it late and on few columns.

    Args:
      policy: policy file, mapping or `Policy`; needed as soon as a column has a label other than `public`.

    Raises:
      PrivacyError: columns that the policy does not let into rows.
      SchemaError: types that Beam's schemas cannot hold.

    Example:
      >>> batches | AsRows() | beam.Map(lambda row: row.amount)
    """

    def __init__(self, policy: PolicySource = None) -> None:
        super().__init__()
        self._policy = read_policy(policy)

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        schema = schema_of(pcoll, "AsRows")
        guards.watch(pcoll.pipeline, self._policy)
        check_destination(schema, self._policy, "rows", "AsRows")
        rows = row_type_of(schema, "AsRows")
        return pcoll | "Rows" >> beam.ParDo(_TakeApart(schema)).with_output_types(rows)


class _TakeApart(beam.DoFn):  # type: ignore[misc]
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def setup(self) -> None:
        self._make = row_maker(self._schema)
        self._event_time = event_time_of(self._schema)

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        if self._event_time is None:
            yield from self._make(batch)
            return
        last = window.max_timestamp()
        times = micros(batch.column(self._event_time)).to_pylist()
        for row, at in zip(self._make(batch), times, strict=True):
            stamp = timestamp if at is None else Timestamp(micros=at)
            yield TimestampedValue(row, min(max(stamp, MIN_TIMESTAMP), last, MAX_TIMESTAMP))


class UnionBatches(beam.PTransform):  # type: ignore[misc]
    """Merges PCollections of batches into one, columns matched by name.

    Beam's own Flatten of unequal batch types falls back to pickling; this gives all inputs one type first.

    Input: a tuple or dict of PCollections of batches in the same windows.
    Output: all rows, in the column order of the first input. A column has the labels of all inputs (of several labels
    the strictest wins later); it is nullable if it is in one of them.
    Rejects: none. Nulls: kept, and `missing="null"` adds them.
    State: none. Cost: none where the types are equal, otherwise metadata and column order only.

    Args:
      missing: what to do with a column that an input lacks: `error`, or `null` to fill it with nulls.

    Raises:
      SchemaError: every column that is missing, has another type, or is masked in another way, in one error.

    Example:
      >>> (cards, transfers) | UnionBatches()
    """

    def __init__(self, *, missing: str = "error") -> None:
        super().__init__()
        if missing not in ("error", "null"):
            raise ConfigError(f"`missing` is error or null, not {missing}", where="UnionBatches", fix="use one of them")
        self._missing = missing

    def expand(self, pcolls: Any) -> beam.PCollection:
        """Applies the block."""
        inputs = list(pcolls.values() if isinstance(pcolls, dict) else pcolls)
        if not inputs:
            raise ConfigError("nothing to merge", where="UnionBatches", fix="give at least one PCollection")
        schema = union_schema([schema_of(one, "UnionBatches") for one in inputs], self._missing == "null")
        aligned = [one | f"Input {number}" >> _Align(schema) for number, one in enumerate(inputs)]
        return tuple(aligned) | beam.Flatten()


class _Align(BatchBlock):
    def __init__(self, schema: pa.Schema) -> None:
        super().__init__()
        self._schema = schema

    @property
    def block_name(self) -> str:
        return "UnionBatches"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return self._schema

    def batch_function(self, schema: pa.Schema) -> Any:
        wanted = self._schema
        places = [schema.get_field_index(field.name) for field in wanted]

        def align(batch: pa.RecordBatch) -> pa.RecordBatch:
            columns = [
                pa.nulls(batch.num_rows, field.type) if place < 0 else decode_array(batch.column(place))
                for field, place in zip(wanted, places, strict=True)
            ]
            return pa.RecordBatch.from_arrays(columns, schema=wanted)

        return align


def union_schema(schemas: Iterable[pa.Schema], fill_missing: bool = False) -> pa.Schema:
    """The schema of a union: columns by name, in the order in which they first appear, with all their labels.

    Raises:
      SchemaError: every column that does not match.
    """
    schemas = list(schemas)
    merged: dict[str, pa.Field] = {}
    with all_problems("UnionBatches", SchemaError) as problems:
        for number, schema in enumerate(schemas):
            for field in schema:
                merged[field.name] = _merged(merged.get(field.name, field), field, number, problems)
        for name, field in merged.items():
            lacking = [number for number, schema in enumerate(schemas) if name not in schema.names]
            if lacking and not fill_missing:
                where = f"column `{name}`"
                problems.append(Problem(f"input {lacking[0]} does not have it", where, "add it, or use missing='null'"))
            elif lacking:
                merged[name] = field.with_nullable(True)
    times = [name for name, field in merged.items() if labels.is_event_time(field)]
    for name in times[1:]:
        merged[name] = labels.put(merged[name], {labels.EVENT_TIME: None})
    return pa.schema(list(merged.values()))


def _merged(first: pa.Field, other: pa.Field, number: int, problems: list[Problem]) -> pa.Field:
    where = f"column `{first.name}`"
    if not first.type.equals(other.type):
        what = f"input {number} has {other.type}, an earlier one {first.type}"
        problems.append(Problem(what, where, "cast one of them"))
    elif not first.type.equals(other.type, check_metadata=True):
        problems.append(
            Problem(f"input {number} has other labels below it than an earlier one", where, "label both schemas alike")
        )
    if labels.get(first, labels.MASKED) != labels.get(other, labels.MASKED):
        what = f"input {number} is masked in another way (method, key) than an earlier one"
        problems.append(Problem(what, where, "mask both alike"))
    both = labels.with_labels(first, labels.labels_of(first) | labels.labels_of(other))
    return both.with_nullable(first.nullable or other.nullable)
