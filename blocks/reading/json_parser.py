"""Many JSON records at once against a schema, at the speed of Arrow's JSON reader; a bad record fails alone.

Arrow's reader fails as a whole, and often says in which row. A piece that fails is cut into smaller ones, and those at
the row that failed, so that the cost of a bad record is a small piece parsed twice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from blocks.core import nested
from blocks.reading.conversions import Failed, converter, either
from blocks.reading.diagnosis import Finding, diagnose, read_record
from blocks.reading.json_maps import MapReader, assemble, simple_maps
from blocks.reading.json_plan import plan_schema
from blocks.reading.lines import Ints, Lines, chunks, concat_lines

PIECE_BYTES = 4 << 20
SMALL_BYTES = 512 << 10
_ROW = re.compile(r" in row (\d+)\s*$")
_NO_JSON = (b"NaN", b"Inf")
_VALUE_ENDS = re.compile(rb"(?:NaN|Inf(?:inity)?)[ \t\r\n]*[,\]}]")
_BEFORE_VALUE = (b":", b",", b"[", b"")
_OPEN, _CLOSE = ord("{"), ord("}")


@dataclass(frozen=True)
class BadRecord:
    """A record that was refused: its bytes, where it begins, and why."""

    raw: bytes
    position: int
    finding: Finding


@dataclass(frozen=True)
class Limits:
    """What a record may be.

    Attributes:
      max_record_bytes: longest record; longer ones are `too_large`.
      max_depth: deepest nesting of objects and arrays; deeper ones are `too_deep`. Parsers recurse, and a record nested
        some 10,000 deep would overflow their stack.
    """

    max_record_bytes: int = 16 << 20
    max_depth: int = 128


class JsonParser:
    """Parses records against one schema.

    Args:
      schema: what every record should be.
      event_time: dotted path of the event time, or empty; a record without one is refused.
      strict: refuse fields that the schema does not have.
      limits: what a record may be.
      where: the block, for errors.

    Raises:
      SchemaError: types that are not read from JSON.
    """

    def __init__(
        self,
        schema: pa.Schema,
        event_time: str = "",
        strict: bool = False,
        limits: Limits | None = None,
        where: str = "",
    ) -> None:
        self.schema, self._nodes = plan_schema(schema, where)
        # A column's name may have dots.
        path = [event_time] if event_time in schema.names else event_time.split(".")
        self._event_time = tuple(path) if event_time else ()
        self._strict, self._limits = strict, limits or Limits()
        self._parse_schema = pa.schema(
            [pa.field(node.name, node.parsed) for node in self._nodes if node.parsed is not None]
        )
        has_map = any(node.has_map for node in self._nodes)
        maps = simple_maps(self._nodes) if has_map else []
        # Arrow refuses unknown fields by name, and would refuse maps too, which are read apart.
        self._by_record = maps is None or (has_map and strict)
        self._maps = MapReader(maps) if maps and not self._by_record else None
        self._options = pa_json.ParseOptions(
            explicit_schema=self._parse_schema, unexpected_field_behavior="error" if strict else "ignore"
        )
        self._converters = [converter(node) for node in self._nodes]
        self._last_failed = False

    def parse(self, lines: Lines) -> Iterator[tuple[pa.RecordBatch, Ints, list[BadRecord]]]:
        """Parses lines in pieces of about 4 MiB.

        Yields:
          The rows of the good records, the positions of these, and the bad ones; every line is in one of them.
        """
        for piece in chunks(lines, PIECE_BYTES, 1 << 16):
            bad: list[BadRecord] = []
            usable = self._usable(piece, bad)
            parts = list(self._piece(usable, bad)) if len(usable) else []
            batch = _concat([part for part, _ in parts], self.schema)
            positions = np.concatenate([at for _, at in parts]) if parts else np.empty(0, np.int64)
            bad.sort(key=lambda record: record.position)
            yield batch, positions, bad

    def _usable(self, lines: Lines, bad: list[BadRecord]) -> Lines:
        """The lines that a parser may see, one object each; the others go to `bad`."""
        values = np.frombuffer(lines.data, np.uint8)
        lengths = lines.ends - lines.starts
        # With braces at both ends of each line, no object can span lines: a parser's row is then a line's.
        fine = (values[lines.starts] == _OPEN) & (values[lines.ends - 1] == _CLOSE)
        fine &= lengths <= self._limits.max_record_bytes
        # A record is never deeper than it has opening brackets, nor than it is long.
        for number in np.flatnonzero(fine & (_openings(values, lines) > self._limits.max_depth)).tolist():
            fine[number] = depth(lines.line(number)) <= self._limits.max_depth
        for number in lines.which(lambda part: not _is_utf8(part.text())):
            fine[number] = False
        for word in _NO_JSON:
            # The words may stand in strings; where they are numbers Arrow takes them.
            text = lines.text()
            at = [match.start() for match in re.finditer(word, text) if _may_be_value(text, match.start())]
            numbers = np.unique(np.searchsorted(lines.starts, np.array(at, np.int64) + lines.starts[0], "right") - 1)
            for number in numbers.tolist():
                fine[number] &= self._explain(lines.line(number)).code != "malformed_json"
        bad.extend(self._bad(lines, number) for number in np.flatnonzero(~fine).tolist())
        return lines.without(~fine)

    def _piece(self, lines: Lines, bad: list[BadRecord]) -> Iterator[tuple[pa.RecordBatch, Ints]]:
        if self._by_record:
            yield from self._records(lines, bad)
            return
        table = None if self._last_failed else self._try(lines)[0]
        if table is not None:
            yield from self._convert(lines, table, bad)
            return
        good = [part for small in chunks(lines, SMALL_BYTES, 1 << 12) for part in self._good_parts(small, bad)]
        if good:
            rows = pa.concat_tables([table for _, table in good]).combine_chunks()
            yield from self._convert(concat_lines([part for part, _ in good]), rows, bad)
        self._last_failed = sum(len(part) for part, _ in good) < len(lines)

    def _try(self, lines: Lines) -> tuple[pa.Table | None, int | None]:
        """The parsed rows, or None and the row that failed, where the reader says it."""
        text = lines.text()
        read = pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1)
        try:
            table = pa_json.read_json(pa.BufferReader(text), read_options=read, parse_options=self._options)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            row = _ROW.search(str(error)) if isinstance(error, pa.ArrowInvalid) else None
            number = int(row[1]) if row else None
            return None, number if number is not None and number < len(lines) else None
        # Two objects on one line are two rows.
        return (table, None) if table.num_rows == len(lines) else (None, None)

    def _good_parts(self, lines: Lines, bad: list[BadRecord]) -> Iterator[tuple[Lines, pa.Table]]:
        """Runs of lines that parse, with their rows; every other line goes to `bad`."""
        waiting = [lines]
        while waiting:
            part = waiting.pop()
            if not len(part):
                continue
            table, row = self._try(part)
            if table is not None:
                yield part, table
            elif len(part) == 1:
                bad.append(self._bad(part, 0))
            elif row is not None:
                waiting += [part[row + 1 :], part[row : row + 1], part[:row]]
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]

    def _convert(self, lines: Lines, table: pa.Table, bad: list[BadRecord]) -> Iterator[tuple[pa.RecordBatch, Ints]]:
        maps: dict[tuple[str, ...], pa.Array] = {}
        failed: Failed = None
        if self._maps is not None:
            found = self._read_maps(lines)
            if found is None:
                if len(lines) == 1:
                    bad.append(self._bad(lines, 0))
                    return
                middle = len(lines) // 2
                yield from self._convert(lines[:middle], table.slice(0, middle), bad)
                yield from self._convert(lines[middle:], table.slice(middle), bad)
                return
            maps, failed = found
        columns = []
        for node, convert in zip(self._nodes, self._converters, strict=True):
            parsed = nested.plain(table.column(node.name)) if node.parsed is not None else None
            column, wrong = convert(assemble(node, parsed, maps, (node.name,)))
            failed = either(failed, wrong)
            columns.append(column)
        if self._event_time:
            failed = either(failed, self._no_event_time(columns))
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        yield self._without(batch, lines, failed, bad)

    def _read_maps(self, lines: Lines) -> tuple[dict[tuple[str, ...], pa.Array], Failed] | None:
        assert self._maps is not None
        try:
            return self._maps(lines)
        except duckdb.Error:
            # Its message would show the value; nothing may be raised with it as the context.
            return None

    def _no_event_time(self, columns: list[pa.Array]) -> Failed:
        first, *rest = self._event_time
        array = columns[self.schema.get_field_index(first)]
        for name in rest:
            array = nested.struct_children(array)[array.type.get_field_index(name)]
        return np.asarray(array.is_null().to_numpy(zero_copy_only=False)) if array.null_count else None

    def _without(
        self, batch: pa.RecordBatch, lines: Lines, failed: Failed, bad: list[BadRecord]
    ) -> tuple[pa.RecordBatch, Ints]:
        if failed is None or not failed.any():
            return batch, lines.positions
        bad.extend(self._bad(lines, number) for number in np.flatnonzero(failed).tolist())
        return batch.filter(pa.array(~failed)), lines.positions[~failed]

    def _records(self, lines: Lines, bad: list[BadRecord]) -> Iterator[tuple[pa.RecordBatch, Ints]]:
        """Record by record in Python: for maps that only this way are read exactly."""
        rows: list[dict[str, Any]] = []
        good: list[int] = []
        for number in range(len(lines)):
            line = lines.line(number)
            finding = read_record(line, self._nodes, self._event_time, self._strict)
            if finding.code or finding.record is None:
                bad.append(BadRecord(line, int(lines.positions[number]), finding))
            else:
                rows.append(finding.record)
                good.append(number)
        yield pa.RecordBatch.from_pylist(rows, schema=self.schema), lines.positions[np.array(good, np.int64)]

    def _explain(self, line: bytes) -> Finding:
        return diagnose(line, self._nodes, self._event_time, self._strict)

    def _bad(self, lines: Lines, number: int) -> BadRecord:
        raw, position = lines.line(number), int(lines.positions[number])
        if len(raw) > self._limits.max_record_bytes:
            message = f"more than {self._limits.max_record_bytes} bytes"
            return BadRecord(b"", position, Finding("too_large", message))
        if depth(raw) > self._limits.max_depth:
            return BadRecord(raw, position, Finding("too_deep", f"nested more than {self._limits.max_depth} deep"))
        return BadRecord(raw, position, self._explain(raw))


def _concat(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
    return pa.concat_batches(batches)


def _may_be_value(text: memoryview, at: int) -> bool:
    """Whether a word can be a number by what stands around it; the `Inf` of "Information" cannot."""
    if not _VALUE_ENDS.match(text, at):
        return False
    # Nothing but white space before it: more than is looked at.
    return bytes(text[max(at - 64, 0) : at]).rstrip(b"- \t\r\n")[-1:] in _BEFORE_VALUE


def _openings(values: Any, lines: Lines) -> Any:
    """Number of opening brackets in each line."""
    first, last = int(lines.starts[0]), int(lines.ends[-1])
    # Setting bit 0x20 makes [ and { the same byte, so that one comparison finds both.
    at = np.flatnonzero((values[first:last] | 0x20) == _OPEN) + first
    return np.searchsorted(at, lines.ends) - np.searchsorted(at, lines.starts)


def _is_utf8(text: bytes | memoryview) -> bool:
    # Arrow checks UTF-8 when bytes become a string, without a copy.
    offsets = pa.py_buffer(np.array([0, len(text)], np.int64))
    array = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(text)])
    try:
        array.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def depth(text: bytes) -> int:
    """Deepest nesting of brackets outside strings, also of text that is not JSON."""
    values = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(values == 0x22)
    if len(quotes) and b"\\" in text:
        quotes = np.array([at for at in quotes.tolist() if not _escaped(text, at)], np.int64)
    inside = np.zeros(len(values) + 1, np.int8)
    inside[quotes] = 1
    outside = np.cumsum(inside[:-1]) % 2 == 0
    step = np.zeros(len(values), np.int64)
    step[outside & ((values == 0x7B) | (values == 0x5B))] = 1
    step[outside & ((values == 0x7D) | (values == 0x5D))] = -1
    return int(np.max(np.cumsum(step), initial=0))


def _escaped(text: bytes, at: int) -> bool:
    start = at
    while start and text[start - 1] == 0x5C:
        start -= 1
    return (at - start) % 2 == 1
