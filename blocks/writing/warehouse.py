"""`WriteWarehouse`: batches to an Iceberg table, a Parquet dataset or BigQuery; and reading a table back."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import RowCoder, registry
from apache_beam.transforms.trigger import AccumulationMode, DefaultTrigger
from apache_beam.transforms.window import GlobalWindows

from blocks.core import guards, labels
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.errors import ColumnError, ConfigError, Problem, SchemaError, all_problems, nearest, unknown_column
from blocks.core.policy import Policy, check_destination, read_policy
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Rejects
from blocks.core.times import check_event_time
from blocks.writing import bigquery, catalogs
from blocks.writing.bucket_hash import can_hash
from blocks.writing.data_files import Limits
from blocks.writing.iceberg_table import IcebergTarget
from blocks.writing.parquet_dataset import ParquetTarget, dataset_folder, read_dataset
from blocks.writing.partitions import parse_partitions, partition_problems
from blocks.writing.plan import (
    APPEND,
    DAY_MICROS,
    MODES,
    REPLACE,
    UPSERT,
    CommitResult,
    FileDescription,
    Target,
    WriteOptions,
)
from blocks.writing.steps import BLOCK, Commit, Prepare, WriteFiles
from blocks.writing.table_schema import MEANING_PROPERTY, file_schema, storable, with_meaning

ICEBERG, PARQUET = "iceberg", "parquet"
Moment = str | date | datetime

_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

registry.register_coder(CommitResult, RowCoder)


class WriteWarehouse(beam.PTransform):
    """Writes batches to a table that shows a run whole or not at all.

    Workers write data files, split by partition; one commit makes them visible. A run that dies before its commit
    leaves the table's rows as they were, and files that `remove_orphans` takes away. A bundle that the runner repeats
    leaves no row twice. Two runs that write at once are safe: appends are both kept; of replacing runs of one source
    and overlapping dates the first wins, and the other fails and shows nothing; those of different sources or dates
    both win; upserts take effect one after the other.

    Modes:

    - `append` adds the rows. A run id names one run: a commit of the same run id that the table has already is not
      repeated (as long as its snapshot has not been expired).
    - `replace` puts the rows in the place of those of the same `source` in the same dates, whatever run wrote them.
      With `date_range` these are the dates, even if the run has no row in them, and a row outside of them is rejected
      (`outside_date_range`). Without it they are the days (UTC) of the run's own rows, so a run whose late rows reach
      into an earlier day replaces that whole day: give `date_range` unless a run brings whole days. Rows without event
      time then count as a day of their own. The source is kept in a column that this block adds.
    - `upsert` puts each key's last row (by event time; a row without one comes first) in the place of the key's row in
      the table, whatever that one's event time is.

    A bounded input makes one commit, an unbounded one a commit for each window and pane (`append` and `upsert` only).
    A stream that starts again with its run id skips the panes that are there, so its panes must hold the same rows;
    where the source may hand them out otherwise, restore the runner's checkpoint or start under a new run id.

    Columns: a table that is not there is made. New nullable columns and wider types (int32 to int64, float32 to
    float64, decimal digits) are taken over in the commit if `allow_evolution`; columns that the input lacks are null.
    Anything else is an error that lists every difference. Descriptions, labels and masks are kept in the table: in its
    fields' docs and in its property `blocks.fields`.

    Input: batches; every column passes the destination `warehouse` of the policy.
    Output: a `CommitResult` for each commit, so that a later step can wait for it.
    Rejects: `outside_date_range` (replace with `date_range`), `null_key` (upsert), `time_out_of_range` (a partition by
      a time beyond the years 1 to 9999).
    Nulls: kept; a null has a partition of its own.
    State: none. Only descriptions of files are shuffled, never rows.
    Cost: Parquet with zstd. Memory of a worker: 96 MiB of waiting rows and one row group for each of 32 open files, of
      the commit: descriptions of all files; for upsert also the run's keys and one of 64 buckets of its rows, and table
      files that hold a key are written again. `replace` writes a file again only if it also holds other rows.
    Conservation: rows in = rows written + rejects (upsert: one row for each key of the rows that were not rejected).

    Args:
      table: name, with its namespace if it has one (`payments.transactions`).
      partition_by: `day(occurred_at)`, `hour(t)`, `month(t)`, `year(t)`, `bucket(16, user_id)`, `country`, or a list.
      mode: `append`, `replace` or `upsert`.
      key: column or columns that tell rows apart, for `upsert`.
      source: where the rows come from (a partner, a feed); needed for `replace`.
      source_column: name of the column for it.
      date_range: (first, end) for `replace`: dates, or moments with a time zone; ISO text will do. The end is not in.
      run_id: letters, digits, `.`, `_`, `-`; a new one unless given.
      warehouse: folder with the tables and their catalog; default `$BLOCKS_WAREHOUSE` or `./warehouse`.
      catalog: name of a catalog in the pyiceberg configuration instead.
      format: `iceberg`, or `parquet` for a plain dataset in a local folder (`parquet_dataset` says what it promises).
      destination: `bigquery:project.dataset.table` instead of a table of the warehouse. Built and tested without
        Google's service; never run against it. The rows must also pass the policy's destination `rows`.
      policy: policy file, mapping or `Policy`.
      allow_evolution: whether safe changes of columns are applied.
      target_file_bytes: a data file is closed at this size.
      rejects: where rejected rows go; without it the first one stops the pipeline.

    Raises:
      ConfigError: options that do not fit, all of them at once.
      PolicyError: the policy cannot be used.
      PrivacyError: columns that may not go to the warehouse.
      SchemaError: columns that the table cannot hold or take; partitions other than the table's.
      ColumnError: partitions or keys of columns that are not there.
      WarehouseError, ConflictError: while it runs.

    Example:
      >>> batches | WriteWarehouse("transactions", partition_by="day(occurred_at)", policy="privacy.yaml")

    Source: Apache Iceberg table specification, format version 2.
    """

    def __init__(
        self,
        table: str,
        *,
        partition_by: str | Sequence[str] | None = None,
        mode: Literal["append", "replace", "upsert"] = "append",
        key: str | Sequence[str] | None = None,
        source: str | None = None,
        source_column: str = "_source",
        date_range: tuple[Moment, Moment] | None = None,
        run_id: str | None = None,
        warehouse: str | Path | None = None,
        catalog: str | None = None,
        format: Literal["iceberg", "parquet"] = "iceberg",  # noqa: A002
        destination: str | None = None,
        policy: str | Path | Mapping[str, Any] | Policy | None = None,
        allow_evolution: bool = True,
        target_file_bytes: int = 256 << 20,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        with all_problems(BLOCK) as problems:
            partitions = parse_partitions(partition_by, problems)
            dates = None if date_range is None else _range(date_range, problems)
            keys = (key,) if isinstance(key, str) else tuple(key or ())
            problems.extend(_option_problems(table, mode, keys, source, date_range, format))
            if warehouse is not None and catalog is not None:
                problems.append(Problem("`warehouse` and `catalog` are both given", "catalog", "give one of them"))
            if format == PARQUET:
                given_catalog = catalog is not None
                problems.extend(_parquet_problems(mode, dates, given_catalog, str(warehouse or "")))
            if run_id is not None and not _RUN_ID.fullmatch(str(run_id)):
                fix = "letters, digits, `.`, `_` and `-`, at most 128, not beginning with `.` or `-`"
                problems.append(Problem("not a run id", "run_id", fix))
            if target_file_bytes < 1:
                problems.append(Problem(f"{target_file_bytes} bytes", "target_file_bytes", "give at least 1"))
            if destination is not None:
                problems.extend(
                    bigquery.option_problems(
                        destination,
                        partition_by=bool(partitions),
                        mode=mode != APPEND,
                        source=source is not None,
                        rejects=rejects is not None,
                        catalog=catalog is not None,
                    )
                )
        self._policy, self._rejects = read_policy(policy), rejects
        self._format, self._destination = format, destination
        self._options = WriteOptions(
            table=table,
            mode=mode,
            run_id=run_id or uuid.uuid4().hex,
            partitions=partitions,
            warehouse=None if catalog is not None else str(catalogs.warehouse_folder(warehouse)),
            catalog=catalog,
            key=keys,
            source=source,
            source_column=source_column,
            date_range=dates,
            allow_evolution=allow_evolution,
            limits=Limits(file_bytes=target_file_bytes),
        )

    @property
    def run_id(self) -> str:
        """The id of this run, as in the table's snapshots."""
        return self._options.run_id

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        schema = schema_of(pcoll, BLOCK)
        guards.watch(pcoll.pipeline, self._policy)
        check_destination(schema, self._policy, "warehouse", BLOCK)
        if self._destination is not None:
            return bigquery.write(pcoll, self._destination, self._policy)
        options, stored = self._resolved(schema)
        _check_windows(pcoll, options.mode)
        target: Target
        target = IcebergTarget(options, stored) if self._format == ICEBERG else ParquetTarget(options, stored)
        target.check()
        return self._steps(pcoll, target, options, schema)

    def _resolved(self, schema: pa.Schema) -> tuple[WriteOptions, pa.Schema]:
        """The options with the schema's event time, and the schema of the table."""
        options, event_time = self._options, labels.event_time_of(schema)
        full = schema
        with all_problems(BLOCK, ColumnError) as problems:
            if options.source is not None:
                if options.source_column in schema.names:
                    what, fix = f"there is a column `{options.source_column}`", "give another source_column="
                    problems.append(Problem(what, "source_column", fix))
                full = schema.append(_source_field(options.source_column))
            problems.extend(partition_problems(options.partitions, full))
            problems.extend(_key_problems(options.key, schema))
            if options.mode != APPEND and event_time is None:
                what = f"mode {options.mode} needs the event time, and no column is marked as it"
                problems.append(Problem(what, "mode", "mark it in the schema, or ReadJson(event_time=...)"))
            elif self._format == PARQUET and options.mode == REPLACE:
                days = [field for field in options.partitions if field.transform in ("day", "hour")]
                if not any(field.column == event_time for field in days):
                    what = "a Parquet dataset can only replace whole files"
                    problems.append(Problem(what, "partition_by", f"add `day({event_time})`, or use format='iceberg'"))
        if options.mode != APPEND and event_time is not None:
            check_event_time(schema, event_time, BLOCK)
        resolved = WriteOptions(
            **{name: getattr(options, name) for name in WriteOptions.__slots__ if name != "event_time"},
            event_time=event_time,
        )
        return resolved, storable(full, BLOCK)

    def _steps(
        self, pcoll: beam.PCollection, target: Target, options: WriteOptions, schema: pa.Schema
    ) -> beam.PCollection:
        whole_run = bool(pcoll.is_bounded)
        plan, plans = None, None
        if whole_run:
            start = pcoll.pipeline | "Start" >> beam.Impulse()
            plans = start | "Prepare" >> beam.ParDo(Prepare(target, options.table)).with_output_types(Any)
            plan = beam.pvalue.AsSingleton(plans)
        settings = None if self._rejects is None else self._rejects.settings()
        described = beam.typehints.KV[str, FileDescription | None]
        write = beam.ParDo(WriteFiles(target, options, schema, settings), plan)
        typed = write.with_output_types(described, **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
        outputs = pcoll | "WriteFiles" >> typed.with_outputs(REJECTS_TAG, main="files")
        if self._rejects is not None:
            self._rejects.add_error_pcollection(outputs[REJECTS_TAG])
        files = outputs.files
        if plans is not None:
            # One commit for the run, and one even if no row came: a replacing run may have to empty its dates.
            none = plans | "Begin" >> beam.Map(_nothing).with_output_types(described)
            files = (files | "WholeRun" >> beam.WindowInto(GlobalWindows()), none) | "Files" >> beam.Flatten()
        commit = beam.ParDo(Commit(target, options, whole_run), plan)
        return files | "Gather" >> beam.GroupByKey() | "Commit" >> commit.with_output_types(CommitResult)


def _nothing(_: Any) -> tuple[str, None]:
    return "", None


def _source_field(name: str) -> pa.Field:
    metadata = {labels.LABEL: labels.PUBLIC, labels.DESCRIPTION: "where the row came from"}
    return pa.field(name, pa.string(), metadata=metadata)


def _option_problems(
    table: object, mode: str, keys: tuple[str, ...], source: object, date_range: object, format_: str
) -> Iterator[Problem]:
    if problem := catalogs.table_name_problem(table):
        yield problem
    if mode not in MODES:
        yield Problem(f"unknown mode `{mode}`", "mode", nearest(str(mode), MODES))
    if format_ not in (ICEBERG, PARQUET):
        yield Problem(f"unknown format `{format_}`", "format", nearest(str(format_), (ICEBERG, PARQUET)))
    if mode == UPSERT and not keys:
        yield Problem("mode upsert without key", "key", "give the columns that tell rows apart, key='id'")
    if mode != UPSERT and keys:
        yield Problem(f"key goes with mode upsert, not {mode}", "key", "leave it out, or mode='upsert'")
    if mode == REPLACE and source is None:
        fix = "say whose rows these are, source='partner'; other sources' rows stay"
        yield Problem("mode replace without source", "source", fix)
    if source is not None and not (isinstance(source, str) and source):
        yield Problem("not a source", "source", "give a text that is not empty")
    if mode != REPLACE and date_range is not None:
        yield Problem(f"date_range goes with mode replace, not {mode}", "date_range", "leave it out")


def _parquet_problems(mode: str, dates: tuple[int, int] | None, has_catalog: bool, warehouse: str) -> Iterator[Problem]:
    use = "use format='iceberg'"
    if mode == UPSERT:
        yield Problem("a Parquet dataset cannot upsert", "mode", use)
    if has_catalog:
        yield Problem("a Parquet dataset is in no catalog", "catalog", use + ", or give warehouse=")
    if "://" in warehouse:
        yield Problem("a Parquet dataset lies in a local folder", "warehouse", use + " with a catalog")
    if dates is not None and any(moment % DAY_MICROS for moment in dates):
        yield Problem("a Parquet dataset replaces whole days", "date_range", "give dates, or " + use)


def _range(given: object, problems: list[Problem]) -> tuple[int, int] | None:
    fix = "give (first, end), as in ('2026-01-01', '2026-02-01'); the end is not in it"
    if not isinstance(given, tuple | list) or len(given) != 2:
        problems.append(Problem("not a range of two dates", "date_range", fix))
        return None
    ends = [_moment(end) for end in given]
    if None in ends:
        problems.append(Problem("not dates, nor moments with a time zone", "date_range", fix))
        return None
    first, end = (int(moment) for moment in ends if moment is not None)
    if first >= end:
        problems.append(Problem("the end is not after the first", "date_range", fix))
    return first, end


def _moment(value: object) -> int | None:
    """Microseconds since 1970, or None if it is no date and no moment."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    passed = value - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _key_problems(keys: Sequence[str], schema: pa.Schema) -> Iterator[Problem]:
    for name in keys:
        if name not in schema.names:
            yield unknown_column(name, schema.names, "key")
        elif not can_hash(schema.field(name).type):
            yield Problem(f"a key of `{name}`, which is {schema.field(name).type}", "key", "use text or integers")


def _check_windows(pcoll: beam.PCollection, mode: str) -> None:
    if pcoll.is_bounded:
        return
    windowing = pcoll.windowing
    with all_problems(BLOCK, ConfigError) as problems:
        if mode == REPLACE:
            fix = "append the stream, and replace by a bounded run over the same events"
            problems.append(Problem("mode replace needs a bounded input: a window does not know its day", "mode", fix))
        if isinstance(windowing.windowfn, GlobalWindows) and isinstance(windowing.triggerfn, DefaultTrigger):
            fix = "put blocks.WindowRows(FixedWindows(60)) before this block"
            problems.append(Problem("an unbounded input without windows would never commit", "windows", fix))
        if windowing.accumulation_mode == AccumulationMode.ACCUMULATING:
            what = "accumulating panes would write earlier rows again"
            problems.append(Problem(what, "windows", "use AccumulationMode.DISCARDING"))


def read_table(
    table: str,
    warehouse: str | Path | None = None,
    catalog: str | None = None,
    *,
    format: Literal["iceberg", "parquet"] = "iceberg",  # noqa: A002
    columns: Sequence[str] | None = None,
    row_filter: str | None = None,
) -> pa.Table:
    """Reads a table as it is now, with labels and descriptions as they were written.

    Args:
      table: name, with its namespace if it has one.
      warehouse: folder; default `$BLOCKS_WAREHOUSE` or `./warehouse`.
      catalog: name of a configured catalog instead.
      format: `iceberg` or `parquet`.
      columns: only these.
      row_filter: of Iceberg, such as `"country == 'DE'"`.

    Raises:
      WarehouseError: there is no such table.
      SchemaError: a Parquet dataset cannot filter.
    """
    if format == PARQUET:
        if row_filter is not None:
            raise SchemaError("a Parquet dataset is read whole", where="read_table", fix="filter the table in Arrow")
        rows = read_dataset(dataset_folder(table, warehouse))
        return rows.select(list(columns)) if columns is not None else rows
    found = catalogs.load_table(table, warehouse, catalog)
    scan = found.scan(**({"row_filter": row_filter} if row_filter else {}))
    if columns is not None:
        scan = scan.select(*columns)
    told = with_meaning(file_schema(scan.projection()), found.properties.get(MEANING_PROPERTY))
    return scan.to_arrow().cast(told)
