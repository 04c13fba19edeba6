"""ReadJson: files or messages of JSON become batches of an explicit schema; bad records go to rejects, alone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MIN_TIMESTAMP

from blocks.core import guards, labels, nested
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS, BatchType
from blocks.core.block import StepMetrics, pieces, stamped
from blocks.core.dictionaries import decode_schema
from blocks.core.errors import BatchTypeError, ColumnError, ConfigError, Problem, SchemaError, all_problems, nearest
from blocks.core.labels import put, with_event_time
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Reject, Rejects, reject_batch, stop_at
from blocks.core.schema import schema_of_option
from blocks.core.times import check_event_time, earliest
from blocks.reading.diagnosis import Finding
from blocks.reading.files import Compression, FileRange, Format, file_ranges, match_files, read_records
from blocks.reading.json_parser import BadRecord, JsonParser, Limits
from blocks.reading.lines import SPACE, Lines, TooLarge, from_records

VERSION = "1.0.0"
EVENT_TIME_COLUMN = "event_time"

Parts = Iterator[tuple[pa.RecordBatch, list[Reject]]]


class ReadJson(beam.PTransform):
    """Reads JSON records into batches of an explicit schema.

    Input: nothing (`p | ReadJson("events/*.jsonl.gz", ...)`), or a PCollection of bytes with one record each, as from a
    message broker.
    Output: batches with the schema's columns, in the order of each file; timestamps are the earliest event time.
    Rejects: `malformed_json`, `wrong_type`, `missing_field`, `unknown_field` (with `strict`), `bad_event_time`,
    `too_large`, `too_deep`. Records = rows + rejects; blank lines are no records (but a blank message
    is, and `malformed_json`). Without `rejects=` the first bad
    record stops the pipeline.
    Nulls: missing fields and JSON nulls, unless the field is not nullable.
    State: none; memory holds one block of 8 MiB, or one record of `max_record_bytes`, and its parsed form.
    Cost: Arrow's JSON reader; plain files of lines are split into ranges of 64 MiB. A gzip or zstd file, and a JSON
    array, is read by one worker. Maps (`map<string, ...>`) cost a second look at each record.

    What JSON leaves open is decided as follows. Numbers are exact at any size the type holds: integers beyond 2^53,
    decimals without binary rounding. A field of the schema that stands twice is `malformed_json`; one that is not in
    the schema is ignored, or `unknown_field` with `strict`. NaN and infinities are no JSON. A byte order mark at the
    start of a file is skipped. Invalid UTF-8 anywhere in a record is `malformed_json`. Times without an offset do not
    fit a type with a time zone. How each Arrow type is read: see `blocks.reading.json_plan`.

    Args:
      pattern: files, on any Beam file system; left out when the input is a PCollection of bytes.
      schema: `pa.Schema`, or `FILE` or `FILE:NAME` for `read_schema`.
      event_time: column with the event time, a timestamp with a time zone; the schema's mark unless given. A dotted
        path (`issue.updated_at`) is copied to a new last column `event_time`.
      format: `lines` (newline-delimited), `array` (one JSON array), or `auto` by the first character of each file.
      compression: `plain`, `gzip`, `zstd`, or `auto` by the file's suffix or first bytes.
      strict: refuse records with fields that the schema does not have, at any depth.
      max_record_bytes: longest record in bytes; longer ones are skipped without being held.
      max_depth: deepest nesting of a record, at most 512.
      rejects: where bad records go.

    Raises:
      ConfigError: options that cannot be, all at once.
      SchemaError: types that are not read from JSON; an event time that is no timestamp.
      ReadError: (when run) no file matches, or a file is cut short.

    Example:
      >>> p | ReadJson("events/*.jsonl.gz", schema="transaction.thrift:Transaction", event_time="occurred_at")

    Source: RFC 8259 (JSON), RFC 3339 (times), the NDJSON convention.
    """

    can_reject = True

    def __init__(
        self,
        pattern: str | Path | None = None,
        *,
        schema: pa.Schema | str | Path,
        event_time: str | None = None,
        format: Format = "auto",  # noqa: A002 - the word that users know
        compression: Compression = "auto",
        strict: bool = False,
        max_record_bytes: int = 16 << 20,
        max_depth: int = 128,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        with all_problems("ReadJson", ConfigError) as problems:
            problems.extend(_one_of("format", format, get_args(Format)))
            problems.extend(_one_of("compression", compression, get_args(Compression)))
            problems.extend(_within("max_record_bytes", max_record_bytes, 1 << 30, "larger records do not fit a batch"))
            problems.extend(_within("max_depth", max_depth, 512, "parsers recurse"))
            problems.extend(_typed("pattern", pattern, str | Path | None, "a path or a pattern"))
            problems.extend(_typed("schema", schema, pa.Schema | str | Path, "a pa.Schema, or FILE or FILE:NAME"))
            problems.extend(_typed("event_time", event_time, str | None, "the name of a column, or a dotted path"))
            problems.extend(_typed("strict", strict, bool, "true or false"))
            problems.extend(_typed("rejects", rejects, Rejects | None, "a blocks.Rejects"))
        self._pattern = None if pattern is None else str(pattern)
        self._format, self._compression = format, compression
        self.rejects = rejects
        self._options = _Options.make(schema_of_option(schema), event_time, strict, Limits(max_record_bytes, max_depth))
        self._options.shown_source = self._pattern or "messages"

    @property
    def schema(self) -> pa.Schema:
        """The schema of the batches."""
        return self._options.output

    def expand(self, start: Any) -> beam.PCollection:
        """Applies the block."""
        guards.watch(start.pipeline, None if self.rejects is None else self.rejects.settings().policy)
        self._options.settings = None if self.rejects is None else self.rejects.settings()
        if self._pattern is None:
            return self._from_bytes(start)
        if not isinstance(start, beam.pvalue.PBegin | beam.Pipeline):
            raise ConfigError(
                "a pattern and an input PCollection",
                where="ReadJson",
                fix="either `p | ReadJson(pattern, ...)`, or `messages | ReadJson(schema=...)`",
            )
        ranges = (
            start
            | "Pattern" >> beam.Create([self._pattern])
            | "Ranges" >> beam.ParDo(_Ranges(self._format, self._compression)).with_output_types(FileRange)
            # Only file names and offsets are shuffled: data goes from the file through masking in one step.
            | "Spread" >> beam.Reshuffle()
        )
        return self._outputs(ranges | "Read" >> self._typed(beam.ParDo(_ReadRange(self._options))))

    def _from_bytes(self, records: Any) -> beam.PCollection:
        if not isinstance(records, beam.PCollection) or records.element_type not in (bytes, beam.typehints.Any):
            raise BatchTypeError(
                f"expected a PCollection of bytes, got {getattr(records, 'element_type', type(records).__name__)}",
                where="ReadJson",
                fix="give a pattern, or declare the input: .with_output_types(bytes)",
            )
        return self._outputs(records | "Parse" >> self._typed(beam.ParDo(_ParseRecords(self._options))))

    def _typed(self, step: beam.ParDo) -> Any:
        hints = {REJECTS_TAG: BatchType(REJECT_SCHEMA)}
        return step.with_output_types(BatchType(self.schema), **hints).with_outputs(REJECTS_TAG, main="rows")

    def _outputs(self, outputs: Any) -> beam.PCollection:
        if self.rejects is not None:
            self.rejects.add_error_pcollection(outputs[REJECTS_TAG])
        return outputs.rows


def _one_of(option: str, value: str, known: tuple[str, ...]) -> Iterator[Problem]:
    if value not in known:
        yield Problem(f"`{value}` is not a {option}", option, nearest(str(value), known))


def _within(option: str, value: object, most: int, why: str) -> Iterator[Problem]:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        yield Problem(f"expected a whole number from 1 to {most}, got {value!r}", option, why)


def _typed(option: str, value: object, kind: Any, expected: str) -> Iterator[Problem]:
    if not isinstance(value, kind):
        yield Problem(f"expected {expected}, got {type(value).__name__}", option, "see the block's documentation")


class _Options:
    """What the worker needs: parser settings and how batches get their event time."""

    shown_source = ""
    settings: Any = None

    def __init__(self, parsed: pa.Schema, output: pa.Schema, event_path: str, strict: bool, limits: Limits) -> None:
        self.parsed, self.output, self.event_path = parsed, output, event_path
        self.strict, self.limits = strict, limits

    @classmethod
    def make(cls, schema: pa.Schema, event_time: str | None, strict: bool, limits: Limits) -> "_Options":
        schema = decode_schema(schema)
        path = event_time or labels.event_time_of(schema) or ""
        if "." in path and path not in schema.names:
            parsed, output = schema, _with_copied_event_time(schema, path)
        else:
            if path:
                check_event_time(schema, path, "ReadJson.event_time")
                schema = with_event_time(schema, path)
            parsed = output = schema
        # Mistakes about types show now and not on a worker.
        JsonParser(parsed, path, strict, limits, "ReadJson")
        BatchType(output)
        return cls(parsed, output, path, strict, limits)

    def parser(self) -> JsonParser:
        return JsonParser(self.parsed, self.event_path, self.strict, self.limits, "ReadJson")

    def reject_maker(self) -> RejectMaker:
        return RejectMaker("ReadJson", VERSION, self.parsed, self.settings, self.shown_source)

    def finish(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """What is left to do to parsed batches: nothing, or copy the event time to a column of its own."""
        if self.parsed is self.output:
            return lambda batch: batch
        first, *rest = self.event_path.split(".")

        def copy(batch: pa.RecordBatch) -> pa.RecordBatch:
            column = batch.column(first)
            for name in rest:
                column = nested.struct_children(column)[column.type.get_field_index(name)]
            return pa.RecordBatch.from_arrays([*batch.columns, column], schema=self.output)

        return copy


def _with_copied_event_time(schema: pa.Schema, path: str) -> pa.Schema:
    first, *rest = path.split(".")
    if first not in schema.names:
        raise ColumnError(f"no column `{first}`", where="ReadJson.event_time", fix=nearest(first, schema.names))
    at, inherited = schema.field(first), labels.labels_of(schema.field(first))
    for name in rest:
        if not pa.types.is_struct(at.type) or at.type.get_field_index(name) < 0:
            below = [child.name for _, child in labels.children(at.type)] if pa.types.is_struct(at.type) else []
            fix = nearest(name, below) if below else f"`{at.name}` is {at.type}; an event time lies in structs only"
            raise ColumnError(f"no field `{name}` in `{at.name}`", where=f"ReadJson.event_time: `{path}`", fix=fix)
        at = at.type.field(name)
        inherited = labels.labels_of(at) or inherited
    if EVENT_TIME_COLUMN in schema.names:
        raise SchemaError(
            f"the schema has a column `{EVENT_TIME_COLUMN}` already",
            where=f"ReadJson.event_time: `{path}`",
            fix="name that column as the event time, or rename it in the schema",
        )
    column = put(labels.with_labels(at.with_name(EVENT_TIME_COLUMN), inherited), {labels.EPOCH: None})
    output = with_event_time(pa.schema([*schema, column.with_nullable(True)], schema.metadata), EVENT_TIME_COLUMN)
    check_event_time(output, EVENT_TIME_COLUMN, f"ReadJson.event_time: `{path}`")
    return output


class _Ranges(beam.DoFn):
    def __init__(self, form: Format, compression: Compression) -> None:
        self._form, self._compression = form, compression

    def process(self, pattern: Any) -> Iterator[FileRange]:
        for path, size in match_files(pattern):
            yield from file_ranges(path, size, self._compression, self._form)


class _Parsing(beam.DoFn):
    """What reading files and taking messages have in common: parse, count, reject or stop."""

    def __init__(self, options: _Options) -> None:
        self._options = options

    def setup(self) -> None:
        self._parser, self._maker = self._options.parser(), self._options.reject_maker()
        self._finish = self._options.finish()
        self._event_time = labels.event_time_of(self._options.output)
        self._metrics = StepMetrics("ReadJson")

    def _parts(self, lines: Lines, source: str) -> Parts:
        """Batches of at most `MAX_ROWS` rows with the rejects found on the way."""
        parser = self._parser.parse(lines)
        while True:
            start = time.perf_counter_ns()
            part = next(parser, None)
            if part is None:
                return
            batch, _, bad = part
            rejects = [self._reject(record, source) for record in bad]
            batch = self._finish(batch)
            self._count(batch.num_rows + len(bad), batch.num_rows, len(bad), time.perf_counter_ns() - start)
            yield batch, rejects

    def _count(self, rows_in: int, rows_out: int, rejected: int, nanoseconds: int) -> None:
        self._metrics.rows_in.inc(rows_in)
        self._metrics.rows_out.inc(rows_out)
        if rejected:
            self._metrics.rows_rejected.inc(rejected)
        self._metrics.busy_us.inc(nanoseconds // 1000)

    def _reject(self, bad: BadRecord, source: str) -> Reject:
        finding = bad.finding
        reject = self._maker.make(
            finding.code,
            finding.message,
            field_path=finding.field_path,
            unknown_name=finding.unknown_name,
            source=source,
            # A message's number in its bundle would say nothing.
            position=bad.position if source else None,
            record=finding.record,
            raw=bad.raw or None,
        )
        if self._options.settings is None:
            stop_at(reject)
        return reject


class _ReadRange(_Parsing):
    def process(self, part: Any) -> Iterator[Any]:
        for found in read_records(part, self._options.limits.max_record_bytes):
            if isinstance(found, TooLarge):
                reject = self._reject(_too_large(found.position, self._options.limits), part.path)
                self._count(1, 0, 1, 0)
                yield beam.pvalue.TaggedOutput(REJECTS_TAG, reject_batch([reject]))
                continue
            for batch, rejects in self._parts(found, part.path):
                if rejects:
                    yield beam.pvalue.TaggedOutput(REJECTS_TAG, reject_batch(rejects))
                for piece in pieces(batch):
                    at = earliest(piece, self._event_time)
                    yield piece if at is None else TimestampedValue(piece, at)


def _too_large(position: int, limits: Limits) -> BadRecord:
    return BadRecord(b"", position, Finding("too_large", f"more than {limits.max_record_bytes} bytes"))


class _ParseRecords(_Parsing):
    """Gathers messages of one window and one bundle; a message waits until the end of its bundle at most."""

    def start_bundle(self) -> None:
        self._held: dict[Any, list[bytes]] = {}
        self._first: dict[Any, Any] = {}
        self._bytes = self._count_held = 0

    def process(
        self, record: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        if not isinstance(record, bytes):
            raise BatchTypeError(
                f"expected bytes, got {type(record).__name__}", where="ReadJson", fix="encode messages as UTF-8 first"
            )
        self._held.setdefault(window, []).append(record)
        self._bytes += len(record)
        self._count_held += 1
        self._first[window] = min(timestamp, self._first.get(window, timestamp))
        if self._count_held >= MAX_ROWS or self._bytes >= MAX_BYTES:
            yield from self._flush_all()

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._flush_all()

    def _flush_all(self) -> Iterator[Any]:
        """What all windows hold: the bound is on all of them together, however many windows a bundle has."""
        for window in list(self._held):
            for tag, batch, at in self._flush(window):
                value = stamped(batch, at, window)
                yield value if tag is None else beam.pvalue.TaggedOutput(tag, value)
        self._bytes = self._count_held = 0

    def _flush(self, window: Any) -> Iterator[tuple[str | None, pa.RecordBatch, Any]]:
        records, first = self._held.pop(window), self._first.pop(window)
        lines = from_records(records)
        if len(lines) < len(records):
            # Of a file these are blank lines; of messages each is a record.
            blank = [record for record in records if not record.strip(SPACE)]
            finding = Finding("malformed_json", "nothing but white space")
            yield REJECTS_TAG, reject_batch([self._reject(BadRecord(b"", 0, finding), "") for _ in blank]), first
            self._count(len(blank), 0, len(blank), 0)
        for batch, rejects in self._parts(lines, ""):
            if rejects:
                yield REJECTS_TAG, reject_batch(rejects), first
            for piece in pieces(batch):
                at = earliest(piece, self._event_time)
                yield None, piece, first if at is None else max(at, MIN_TIMESTAMP)
