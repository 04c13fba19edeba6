"""Batches as elements: from rows, to rows, and merged. Everything about the type itself is in `batch_type.py`."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from blocks.core import guards, labels
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS, BatchCoder, BatchType, schema_of
from blocks.core.block import BatchBlock, pieces, stamped
from blocks.core.dictionaries import decode_schema
from blocks.core.errors import BatchTypeError, ConfigError, Problem, RejectedRecordError, SchemaError, all_problems
from blocks.core.labels import event_time_of
from blocks.core.policy import PolicySource, check_destination, read_policy
from blocks.core.row_types import arrow_schema_of, row_type_of
from blocks.core.row_values import batch_maker, row_maker
from blocks.core.times import earliest, micros
from blocks.core.wire import size_of

__all__ = ["AsBatches", "AsRows", "BatchCoder", "BatchType", "UnionBatches"]

# Until the width of a row is known, so many are held at most.
_FIRST_ROWS = 256


class AsBatches(beam.PTransform):
    """Gathers rows into Arrow batches.

    Input: beam.Row, NamedTuples or dataclasses.
    Output: batches of at most `max_rows` rows and about `max_bytes` bytes, each of rows of one window and one bundle,
    with the earliest event time as timestamp (that of the event-time column, or else of the elements).
    Rejects: none; a value that does not fit its column stops the pipeline with the column's name.
    Nulls: kept; an error in a column that is not nullable.
    State: none; rows wait in memory until the end of the bundle at most, so no watermark passes them. However many
    windows there are, about four batches of rows wait at a time.
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
                if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                    what = f"expected a whole number of at least 1, got {value!r}"
                    problems.append(Problem(what, name, f"leave out {name} for the default"))
            if schema is not None and not isinstance(schema, pa.Schema):
                what = f"expected a pyarrow.Schema, got a {type(schema).__name__}"
                problems.append(Problem(what, "schema", "read it with blocks.read_schema(path)"))
            elif schema is not None and not schema.names:
                problems.append(Problem("there are no columns", "schema", "name at least one"))
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


class _Gather(beam.DoFn):
    def __init__(self, schema: pa.Schema, max_rows: int, max_bytes: int) -> None:
        self._schema, self._max_rows, self._max_bytes = schema, max_rows, max_bytes
        self._limit = min(max_rows, _FIRST_ROWS)

    def setup(self) -> None:
        self._event_time = event_time_of(self._schema)
        self._make = batch_maker(self._schema, "AsBatches")

    def start_bundle(self) -> None:
        self._rows: dict[Any, list[Any]] = {}
        self._first: dict[Any, Timestamp] = {}
        self._waiting = 0

    def process(
        self, row: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        rows = self._rows.setdefault(window, [])
        rows.append(row)
        self._waiting += 1
        self._first[window] = min(timestamp, self._first.get(window, timestamp))
        if len(rows) >= self._limit:
            yield from self._flush(window)
        elif self._waiting >= 4 * self._limit:
            yield from self.finish_bundle()

    def finish_bundle(self) -> Iterator[Any]:
        for window in list(self._rows):
            yield from self._flush(window)

    def _flush(self, window: Any) -> Iterator[WindowedValue]:
        rows, first = self._rows.pop(window), self._first.pop(window)
        self._waiting -= len(rows)
        batch = self._make(rows)
        # From now on the width of a row is known, and a batch can aim at its size in bytes.
        width = max(size_of(batch) // batch.num_rows, 1)
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


class AsRows(beam.PTransform):
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


class _TakeApart(beam.DoFn):
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def setup(self) -> None:
        self._make = row_maker(self._schema, "AsRows")
        self._event_time = event_time_of(self._schema)

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        if self._event_time is None:
            yield from self._make(batch)
            return
        times = micros(batch.column(self._event_time)).to_pylist()
        for row, at in zip(self._make(batch), times, strict=True):
            stamp = timestamp if at is None else Timestamp(micros=at)
            yield stamped(row, max(stamp, MIN_TIMESTAMP), window)


class UnionBatches(beam.PTransform):
    """Merges PCollections of batches into one, columns matched by name.

    Beam's own Flatten of unequal batch types falls back to pickling; this gives all inputs one type first.

    Input: a tuple or dict of PCollections of batches in the same windows (one PCollection alone is passed on).
    Output: all rows, in the column order of the first input. A column has the labels of all inputs (of several labels
    the strictest wins later), but none if one input calls it public and another does not label it. A column with a
    private label in one input and none in another is refused: no label would hold for both. It is nullable if it is in
    one of them, and a key if it is in all that have it.
    Rejects: none. Nulls: kept, and `missing="null"` adds them.
    State: none. Cost: none where the types are equal, otherwise metadata and column order only.

    Args:
      missing: what to do with a column that an input lacks: `error`, or `null` to fill it with nulls.

    Raises:
      SchemaError: every column that is missing, has another type, is masked in another way, has other labels below
        it, or is private in one input and unlabelled in another, and two event times, in one error.
      ConfigError: inputs in different windows.

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
        if isinstance(pcolls, beam.PCollection):
            pcolls = (pcolls,)
        inputs = list(pcolls.values() if isinstance(pcolls, dict) else pcolls)
        if not inputs:
            raise ConfigError("nothing to merge", where="UnionBatches", fix="give at least one PCollection")
        schemas = [schema_of(one, "UnionBatches") for one in inputs]
        schema = union_schema(schemas, self._missing == "null")
        windows = [one.windowing.windowfn for one in inputs]
        for number, window in enumerate(windows):
            if window != windows[0]:
                what = f"input {number} is in windows of {window}, input 0 of {windows[0]}"
                raise ConfigError(what, where="UnionBatches", fix="put WindowRows after it, or the same before each")
        aligned = [
            one | f"Input {number}" >> _Align(schema, keeps_rows=event_time_of(schema) == event_time_of(given))
            for number, (one, given) in enumerate(zip(inputs, schemas, strict=True))
        ]
        return tuple(aligned) | beam.Flatten()


class _Align(BatchBlock):
    def __init__(self, schema: pa.Schema, keeps_rows: bool) -> None:
        super().__init__()
        self._schema, self.keeps_rows = schema, keeps_rows

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
                pa.nulls(batch.num_rows, field.type) if place < 0 else batch.column(place)
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
            problems.extend(_half_labelled([schema.field(name) for schema in schemas if name in schema.names]))
        times = {time: number for number, schema in enumerate(schemas) if (time := event_time_of(schema))}
        for time in list(times)[1:]:
            what = f"input {times[time]} has the event time `{time}`, an earlier one `{next(iter(times))}`"
            fix = "mark the same column in both: blocks.core.labels.with_event_time"
            problems.append(Problem(what, f"column `{time}`", fix))
    for name, field in merged.items():
        marks = [schema.field(name) for schema in schemas if name in schema.names]
        merged[name] = labels.put(
            field,
            {
                labels.EVENT_TIME: "true" if name in times else None,
                labels.KEY: "true" if all(map(labels.is_key, marks)) else None,
                labels.LABEL: _merged_labels(marks),
            },
        )
    first = schemas[0].metadata
    return pa.schema(list(merged.values()), first if all(schema.metadata == first for schema in schemas) else None)


def _merged(first: pa.Field, other: pa.Field, number: int, problems: list[Problem]) -> pa.Field:
    where = f"column `{first.name}`"
    if not first.type.equals(other.type):
        what = f"input {number} has {other.type}, an earlier one {first.type}"
        problems.append(Problem(what, where, "cast one of them"))
    elif _meaning_below(first.type) != _meaning_below(other.type):
        what = f"input {number} has other labels or masks below it than an earlier one"
        problems.append(Problem(what, where, "label and mask both schemas alike"))
    if labels.masked_of(first) != labels.masked_of(other):
        what = f"input {number} is masked in another way (method, key) than an earlier one"
        problems.append(Problem(what, where, "mask both alike"))
    return first.with_nullable(first.nullable or other.nullable)


def _half_labelled(fields: list[pa.Field]) -> Iterator[Problem]:
    """A problem if one of the fields is private and another has no label: what nobody labelled would pass as it."""
    private = sorted(frozenset[str]().union(*map(labels.labels_of, fields)) - {labels.PUBLIC})
    if private and not all(leaf.labels for field in fields for leaf in labels.leaves_of(field)):
        what = f"one input labels it {private[0]}, another does not label it"
        yield Problem(what, f"column `{fields[0].name}`", "label it in the schema of every input")


def _merged_labels(fields: list[pa.Field]) -> str | None:
    """All labels; none where one field is public and another unlabelled, for nobody said that this one is public."""
    found = [labels.labels_of(field) for field in fields]
    merged = frozenset[str]().union(*found)
    unlabelled = merged == {labels.PUBLIC} and not all(found)
    return None if unlabelled else ",".join(sorted(merged)) or None


def _meaning_below(data_type: pa.DataType) -> list[Any]:
    """Labels and masks of the fields below a type, at every depth."""
    return [
        (labels.labels_of(child), labels.masked_of(child), _meaning_below(child.type))
        for _, child in labels.children(data_type)
    ]
