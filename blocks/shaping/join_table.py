"""JoinTable: rows get the columns of a table that fits in memory."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.shared import Shared

from blocks.core import guards
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.block import StepMetrics, pieces, stamped
from blocks.core.durations import Duration, duration_micros
from blocks.core.errors import ConfigError, Problem, all_problems, nearest
from blocks.core.labels import event_time_of
from blocks.core.policy import PolicySource, check_destination, read_policy
from blocks.core.reject_records import RejectMaker, records_of
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Rejects, RejectSettings, reject_batch, stop_at
from blocks.core.times import earliest
from blocks.core.wire import take
from blocks.shaping.columns import read_names
from blocks.shaping.join_plan import JoinPlan, plan_join
from blocks.shaping.table_index import NOWHERE, Places, TableIndex, TableLimits, gathered
from blocks.shaping.table_source import read_table, table_schema

VERSION = "1.0.0"
MAX_TABLE_ROWS = 1_000_000
MAX_TABLE_BYTES = 256 << 20
_HOW = ("left", "inner", "reject")
# The clock by which a table is read again; a name of its own, so that tests can turn it.
clock: Callable[[], float] = time.monotonic


class JoinTable(beam.PTransform):
    """Adds the columns of a table that fits in memory to rows, by key.

    Input: batches; or a dict or tuple of two PCollections of batches, `rows` and `table`, of which the table is bounded
    and in the global window.
    Output: a batch for each batch, with the columns of the rows, then those of the table that are not its keys, with
    their labels and masks. With `how="left"` all rows in the same order, and the table's columns nullable.
    Rejects: `no_match`, with `how="reject"`. Rows in = rows out (left); rows out + unmatched, a counter (inner);
    rows out + rejects (reject).
    Labels: keys that meet are the same values, so a key column has the same labels on both sides (`public` and none
    count as the same); else a copy of it in the table would come along under labels that tell less. A table without
    labels gets them by `schema`.
    Nulls: a null in a key never matches. Rows without a match get nulls (left).
    State: none. The table is in the memory of each worker process. Given as a path without `refresh`, or as an input,
    it is read once, and the runner keeps it as a side input: every row of the job meets the same table. With `refresh`,
    each worker process of a stream reads the files again when a new period begins: a row meets the table as its worker
    read it, at most `refresh` ago; for as long two workers may hold different ones, and a bundle that is tried again
    may meet a newer one. A bounded input reads once all the same.
    Cost: for 32,768 keys of text, about 1 ms with a table of 1,000 rows, 10 ms with 100,000 and 80 ms with a million;
    twice the table in memory.

    Args:
      table: pattern of Parquet files, on any Beam file system; None if it is an input.
      on: the key: a column of both, a list of such, or a mapping from columns of the rows to columns of the table.
        Types are equal, or both text, bytes, or whole numbers. The table has each key once. In plain Beam YAML the
        key is quoted, `'on':`, because YAML 1.1 takes `on` for true.
      how: what becomes of rows without a match: `left` (nulls), `inner` (dropped and counted) or `reject`.
      columns: of the table, that are added; all that are not keys unless given.
      prefix: put before their names.
      schema: of the files, with labels: a `pa.Schema`, or `FILE` or `FILE:NAME` for `read_schema`; that of the first
        file unless given.
      refresh: how long a stream uses files before it reads them again: `10m`, `1h`, or a `timedelta`.
      max_rows: most rows of the table.
      max_bytes: most bytes of its columns that are used.
      policy: what a side input may hold (destination `shuffle`); needed as soon as a column of the table has a label
        other than `public`, unless `refresh` is given to a stream, in which workers read the files themselves.
      rejects: where rows without a match go.

    Raises:
      ConfigError: an option that cannot be used, inputs that do not fit it; (when run) a table over the limits.
      ColumnError: every column that is not there or would have the name of another, and keys that are not compared:
        of different types, with different labels, or masked by different methods, keys, domains or options.
      PrivacyError: columns of the table that the policy does not let into a side input.
      ReadError: no file matches, or one is no Parquet.
      RejectedRecordError: (when run) the table has a key more than once; no rows are multiplied.

    Example:
      >>> events | JoinTable("countries.parquet", on={"country": "code"}, columns=["region"], prefix="country_")

    Source: broadcast hash join; the Beam programming guide, "Side inputs".
    """

    can_reject = True

    def __init__(
        self,
        table: str | Path | None = None,
        *,
        on: str | Sequence[str] | Mapping[str, str],
        how: Literal["left", "inner", "reject"] = "left",
        columns: Sequence[str] | None = None,
        prefix: str = "",
        schema: pa.Schema | str | Path | None = None,
        refresh: Duration | None = None,
        max_rows: int = MAX_TABLE_ROWS,
        max_bytes: int = MAX_TABLE_BYTES,
        policy: PolicySource = None,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        self._how, self._prefix = how, prefix
        self._table = None if table is None else str(table)
        with all_problems("JoinTable", ConfigError) as problems:
            self._on = _read_on(on, problems)
            if how not in _HOW:
                problems.append(Problem(f"no way to join named `{how}`", "how", nearest(str(how), _HOW)))
            self._columns = None if columns is None else read_names(columns, "columns", problems)
            for option, value, most in (("max_rows", max_rows, 1 << 31), ("max_bytes", max_bytes, (1 << 31) - 1)):
                if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                    what = f"expected a whole number from 1 to {most}, got {value!r}"
                    problems.append(Problem(what, option, f"leave out {option} for the default"))
            self._refresh = None if refresh is None else duration_micros(refresh, "refresh", problems)
            if self._refresh == 0 and not problems:
                problems.append(Problem("the table cannot be read again all the time", "refresh", "write 1m or more"))
            if table is None and (schema is not None or refresh is not None):
                name = "schema" if schema is not None else "refresh"
                problems.append(Problem(f"`{name}` is for files, and `table` is not given", name, "give table="))
        self._limits = TableLimits(max_rows, max_bytes)
        self._schema = None if self._table is None else table_schema(self._table, schema)
        self._policy = read_policy(policy)
        self.rejects = rejects

    def expand(self, given: Any) -> beam.PCollection:
        """Applies the block."""
        rows, table = self._inputs(given)
        schema = schema_of(rows, "JoinTable")
        guards.watch(rows.pipeline, self._policy)
        found = self._schema if table is None else schema_of(table, "JoinTable, input `table`")
        plan = plan_join(
            schema,
            found,
            self._on,
            columns=self._columns,
            prefix=self._prefix,
            fills_nulls=self._how == "left",
        )
        used = plan.table_schema(found)
        settings = None if self.rejects is None else self.rejects.settings()
        field = _unmatched_field(plan)
        join = _Join(plan, schema, used, self._how, self._limits, settings, field, self._table or "")
        if self._refresh is not None and not rows.is_bounded:
            assert self._table is not None
            step = beam.ParDo(_JoinFiles(join, self._table, self._refresh))
        else:
            check_destination(used, self._policy, "shuffle", "JoinTable, table")
            kept = self._kept(rows.pipeline, table, used)
            step = beam.ParDo(join, table=beam.pvalue.AsIter(kept))
        typed = step.with_output_types(BatchType(plan.schema), **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
        outputs = rows | "Join" >> typed.with_outputs(REJECTS_TAG, main="rows")
        if self.rejects is not None and self._how == "reject":
            self.rejects.add_error_pcollection(outputs[REJECTS_TAG])
        return outputs.rows

    def _inputs(self, given: Any) -> tuple[beam.PCollection, beam.PCollection | None]:
        if isinstance(given, beam.PCollection):
            if self._table is None:
                raise ConfigError(
                    "no table",
                    where="JoinTable.table",
                    fix="give files, table='x.parquet', or two inputs: {'rows': rows, 'table': table} | JoinTable(...)",
                )
            return given, None
        named = dict(zip(("rows", "table"), given, strict=False)) if isinstance(given, tuple | list) else dict(given)
        if set(named) != {"rows", "table"} or len(given) != 2:
            raise ConfigError(
                f"expected the inputs rows and table, got {', '.join(map(str, named)) or 'none'}",
                where="JoinTable, input",
                fix="name them: {'rows': rows, 'table': table} | JoinTable(...); in a snippet, "
                "input: {rows: STEP, table: STEP}",
            )
        if self._table is not None:
            raise ConfigError(
                "a table as files and one as an input", where="JoinTable.table", fix="take one of them out"
            )
        table = named["table"]
        schema_of(table, "JoinTable, input `table`")
        if not table.is_bounded or not isinstance(table.windowing.windowfn, GlobalWindows):
            raise ConfigError(
                "the table has no end, or is in windows: which of its rows would a row meet?",
                where="JoinTable, input `table`",
                fix="give a bounded table in the global window; for one that changes, files: table=..., refresh='1h'",
            )
        return named["rows"], table

    def _kept(self, pipeline: beam.Pipeline, table: beam.PCollection | None, used: pa.Schema) -> beam.PCollection:
        """The part of the table that is used, as a PCollection."""
        if table is None:
            read = beam.ParDo(_ReadTable(used, self._limits)).with_output_types(BatchType(used))
            return pipeline | "Table" >> beam.Create([self._table], reshuffle=False) | "Read" >> read
        select = beam.Map(_select, used).with_output_types(BatchType(used))
        return table | "Columns of the table" >> select

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker; so does `pipeline`.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None}


def _read_on(on: Any, problems: list[Problem]) -> dict[str, str]:
    if isinstance(on, Mapping):
        names = {left: right for left, right in on.items() if isinstance(left, str) and isinstance(right, str)}
        if len(names) < len(on):
            problems.append(Problem("expected names of columns", "on", "write on: {country: code}"))
        if len(set(names.values())) < len(names):
            problems.append(Problem("a column of the table is named twice", "on", "name it once"))
        return names
    found = read_names(on, "on", problems, alone=True)
    if not found and not problems:
        problems.append(Problem("no column is named", "on", "name the columns that both have"))
    return {name: name for name in found}


def _unmatched_field(plan: JoinPlan) -> str:
    return plan.left[0] if len(plan.left) == 1 else ""


def _select(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(name) for name in schema.names], schema=schema)


class _ReadTable(beam.DoFn):
    def __init__(self, schema: pa.Schema, limits: TableLimits) -> None:
        self._schema, self._limits = schema, limits

    def process(self, pattern: Any) -> Iterator[pa.RecordBatch]:
        for batch in read_table(pattern, self._schema, self._limits):
            yield from pieces(batch)


class _Join(beam.DoFn):
    """Joins batches with a table that is a side input."""

    def __init__(
        self,
        plan: JoinPlan,
        schema: pa.Schema,
        table: pa.Schema,
        how: str,
        limits: TableLimits,
        settings: RejectSettings | None,
        field: str,
        files: str,
    ) -> None:
        self._plan, self._schema, self._table, self._how, self._files = plan, schema, table, how, files
        self._limits, self._settings, self._field = limits, settings, field
        # The threads of a worker hold one table.
        self._shared = Shared()

    def setup(self) -> None:
        self._metrics = StepMetrics("JoinTable")
        self._unmatched = Metrics.counter("blocks", "JoinTable:unmatched")
        self._event_time = event_time_of(self._plan.schema)
        self._maker = RejectMaker("JoinTable", VERSION, self._schema, self._settings)

    def process(
        self,
        batch: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        table: Any = (),
    ) -> Iterator[Any]:
        # Kept here as well: Beam's handle lets go of a table when another step has used its own.
        self._index = self._shared.acquire(lambda: self.index(table))
        yield from self.joined(batch, self._index, timestamp, window)

    def index(self, batches: Iterable[pa.RecordBatch]) -> TableIndex:
        """The table, ready to be looked up."""
        whole = gathered(batches, self._table, self._limits)
        values = pa.RecordBatch.from_arrays(
            [whole.column(name) for name in self._plan.taken], schema=self._plan.value_schema()
        )
        return TableIndex(self._plan.keys(whole, self._plan.right), self._plan.right, values, self._files)

    def joined(self, batch: pa.RecordBatch, index: TableIndex, timestamp: Any, window: Any) -> Iterator[Any]:
        """The output of a batch."""
        self._metrics.rows_in.inc(batch.num_rows)
        start = time.perf_counter_ns()
        places = index.places(self._plan.keys(batch, self._plan.left))
        matched = places != NOWHERE
        unmatched = len(places) - int(np.count_nonzero(matched))
        kept, rows = batch, places
        if unmatched and self._how != "left":
            kept, rows = take(batch, pa.array(np.flatnonzero(matched))), places[matched]
        output = self._with_values(kept, rows, index)
        self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
        self._unmatched.inc(unmatched)
        if unmatched and self._how == "reject":
            yield from self._rejected(take(batch, pa.array(np.flatnonzero(~matched))))
        self._metrics.rows_out.inc(output.num_rows)
        for piece in pieces(output):
            # Without a row gone, the earliest is still there.
            at = None if piece.num_rows == batch.num_rows else earliest(piece, self._event_time)
            yield piece if at is None else stamped(piece, max(at, timestamp), window)

    def _with_values(self, batch: pa.RecordBatch, places: Places, index: TableIndex) -> pa.RecordBatch:
        found = take(index.values, pa.array(places, mask=places == NOWHERE)) if self._plan.taken else index.values
        columns = found.columns if self._plan.taken else []
        return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=self._plan.schema)

    def _rejected(self, batch: pa.RecordBatch) -> Iterator[Any]:
        message = "the table has no row of this key"
        make = self._maker.make
        if self._settings is None:
            stop_at(make("no_match", message, field_path=self._field))
        rejects = [make("no_match", message, field_path=self._field, record=row) for row in records_of(batch)]
        self._metrics.rows_rejected.inc(len(rejects))
        for piece in pieces(reject_batch(rejects)):
            yield beam.pvalue.TaggedOutput(REJECTS_TAG, piece)


class _JoinFiles(beam.DoFn):
    """Joins batches of a stream with a table that the worker reads again from time to time."""

    def __init__(self, join: _Join, pattern: str, refresh: int) -> None:
        self._join, self._pattern, self._refresh = join, pattern, refresh
        self._shared = Shared()

    def setup(self) -> None:
        self._join.setup()

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        period = int(clock() * 1_000_000) // self._refresh
        self._index = self._shared.acquire(self._read, period)
        yield from self._join.joined(batch, self._index, timestamp, window)

    def _read(self) -> TableIndex:
        return self._join.index(read_table(self._pattern, self._join._table, self._join._limits))
