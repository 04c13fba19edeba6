"""A query in Beam SQL: batches become messages, the SQL service runs the query, messages become batches."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.block import StepMetrics, pieces, stamped
from blocks.core.labels import event_time_of
from blocks.core.looking import is_looking
from blocks.core.reject_records import RejectMaker, records_of
from blocks.core.rejects import REJECT_SCHEMA, Reject, Rejects, RejectSettings, reject_batch, stop_at
from blocks.core.times import earliest
from blocks.sql.analysis import Table
from blocks.sql.boundary import FromWire, ToWire, converted, planned_schema
from blocks.sql.running.archives import Archive
from blocks.sql.running.elsewhere import runs_elsewhere

BLOCK = "RunSql"


@dataclass(frozen=True)
class BeamQuery:
    """What the service is given.

    Attributes:
      sql: the query, as Beam's planner takes it.
      tables: its inputs.
      read: columns of each that it reads.
      planned: schema that the planner gives for it.
      output: schema of the batches that come out.
      archives: with functions of the user.
      deadline: seconds that one call of a function may take.
      version: of the block, for rejects.
      shown: columns of each that a reject may show, as the policy says of their labels; all that are read unless given.
    """

    sql: str
    tables: Mapping[str, Table]
    read: Mapping[str, Sequence[str]]
    planned: pa.Schema
    output: pa.Schema
    archives: Sequence[Archive] = field(default=())
    deadline: float = 30.0
    version: str = ""
    shown: Mapping[str, Sequence[str]] | None = None


def run_in_beam(inputs: Mapping[str, beam.PCollection], query: BeamQuery, rejects: Rejects | None) -> beam.PCollection:
    """Runs a query in Beam SQL.

    Args:
      inputs: batches, by the names of the tables.
      query: what to run.
      rejects: where rows go on which it fails; without it the first of them stops the pipeline.

    Raises:
      EngineError: the SQL service cannot be started, or does not take the query.
    """
    # Brings Beam's runners along, which a query in DuckDB has no use for.
    from blocks.engines import sql_service

    messages, tables = {}, {}
    for name, pcoll in inputs.items():
        cross = ToWire(query.tables[name].schema, query.read[name])
        to_wire = beam.ParDo(_ToWire(query.tables[name].schema, query.read[name])).with_output_types(bytes)
        messages[name] = pcoll | f"To Java {name}" >> to_wire
        tables[name] = sql_service.Table(
            _with_event_time(cross.schema, query.tables[name].schema), **_bounds(query, name)
        )
    planned = planned_schema(query.planned)
    stage = (
        _NotRun()
        if is_looking()
        else sql_service.SqlStage(
            query.sql,
            tables,
            planned,
            [sql_service.UserJar(one.path, one.sha256) for one in query.archives],
            deadline=query.deadline,
            # A row that fails is told by Python in both cases, so that its error has three parts on every runner.
            collect=True,
            remote=runs_elsewhere(next(iter(inputs.values())).pipeline),
        )
    )
    outputs = messages | "Beam SQL" >> stage
    settings = None if rejects is None else rejects.settings()
    failed = _Failed(query.tables, query.read if query.shown is None else query.shown, query.version, settings)
    told = outputs["errors"] | "Failed" >> beam.ParDo(failed).with_output_types(BatchType(REJECT_SCHEMA))
    if rejects is not None:
        rejects.add_error_pcollection(told)
    from_wire = beam.ParDo(_FromWire(planned, query.output)).with_output_types(BatchType(query.output))
    return outputs["rows"] | "From Java" >> from_wire


def _bounds(query: BeamQuery, name: str) -> dict[str, bool]:
    table = query.tables[name]
    return {"bounded": table.bounded is not False, "windowed": table.windowed}


def _with_event_time(wire: pa.Schema, schema: pa.Schema) -> pa.Schema:
    """The schema of the messages with the mark of the event time, by which the service gives rows their timestamps."""
    name = event_time_of(schema)
    return labels.with_event_time(wire, name) if name is not None and name in wire.names else wire


class _NotRun(beam.PTransform):
    """Stands where the service would, in a pipeline that is only looked at."""

    def expand(self, messages: Any) -> Any:
        together = tuple(messages.values()) | beam.Flatten()
        return {name: together | name >> beam.FlatMap(_nothing).with_output_types(bytes) for name in ("rows", "errors")}


def _nothing(_message: bytes) -> tuple[bytes, ...]:
    raise AssertionError("this pipeline was built to be looked at")


class _ToWire(beam.DoFn):
    def __init__(self, schema: pa.Schema, columns: Sequence[str]) -> None:
        self._schema, self._columns = schema, tuple(columns)

    def setup(self) -> None:
        self._cross, self._metrics = ToWire(self._schema, self._columns), StepMetrics(BLOCK)

    def process(self, batch: Any) -> Iterator[bytes]:
        self._metrics.rows_in.inc(batch.num_rows)
        if batch.num_rows:
            start = time.perf_counter_ns()
            message = self._cross(batch)
            self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
            yield message


class _FromWire(beam.DoFn):
    def __init__(self, planned: pa.Schema, output: pa.Schema) -> None:
        self._planned, self._output = planned, output

    def setup(self) -> None:
        self._cross, self._metrics = FromWire(self._planned, self._output), StepMetrics(BLOCK)
        self._event_time = event_time_of(self._output)

    def process(
        self, message: bytes, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        start = time.perf_counter_ns()
        batch = self._cross(message)
        self._metrics.busy_us.inc((time.perf_counter_ns() - start) // 1000)
        self._metrics.rows_out.inc(batch.num_rows)
        for piece in pieces(batch):
            at = earliest(piece, self._event_time)
            yield piece if at is None else stamped(piece, max(at, timestamp), window)


class _Failed(beam.DoFn):
    """Makes rejects of what the service tells, or stops at the first."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        read: Mapping[str, Sequence[str]],
        version: str,
        settings: RejectSettings | None,
    ) -> None:
        self._schemas = {
            name: pa.schema([table.schema.field(one) for one in read[name]]) for name, table in tables.items()
        }
        self._version, self._settings = version, settings

    def setup(self) -> None:
        self._metrics = StepMetrics(BLOCK)
        # A row of no table has been made of several; nothing of it is shown.
        self._makers = {
            name: RejectMaker(BLOCK, self._version, schema, self._settings)
            for name, schema in (*self._schemas.items(), ("", pa.schema([])))
        }

    def process(self, message: bytes) -> Iterator[pa.RecordBatch]:
        with pa.ipc.open_stream(message) as reader:
            rejects = [reject for batch in reader for reject in self._rejects(batch)]
        if rejects and self._settings is None:
            stop_at(rejects[0])
        self._metrics.rows_rejected.inc(len(rejects))
        yield from pieces(reject_batch(rejects))

    def _rejects(self, batch: pa.RecordBatch) -> Iterator[Reject]:
        for number in range(batch.num_rows):
            function, message, table = (
                batch.column(name)[number].as_py() or "" for name in ("function", "message", "table")
            )
            table = table if table in self._schemas else ""
            code = "failed_function" if function else "expression_failed"
            record = self._record(batch.column("row"), number, table)
            yield self._makers[table].make(code, message, record=record)

    def _record(self, rows: pa.Array, number: int, table: str) -> dict[str, Any] | None:
        """The row in the types in which it came, as far as the service had it."""
        if not table:
            return None
        row, schema = rows.slice(number, 1), self._schemas[table]
        known = [one.name for one in row.type if one.name in schema.names]
        columns = [converted(row.field(name), schema.field(name).type) for name in known]
        batch = pa.RecordBatch.from_arrays(columns, names=known)
        return next(records_of(batch))
