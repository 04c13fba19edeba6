"""Iceberg tables as the target of a write.

Where the table is made: in the first step of the pipeline (`prepare`), which runs once, on a worker, before any other
step. Not when the pipeline is built, because checking or drawing a pipeline must change nothing; not in the commit,
because workers need the table's location and its field ids. A run that fails later leaves a new table empty. New
columns and wider types get their field ids in `prepare` too, but the table takes them only in the commit, together with
the data; if another writer changed the columns meanwhile, the commit is refused.

The plan is a side input of the workers and may come to rest with the runner: it has no rows and no credentials. Each
worker opens the catalog itself.
"""

import functools
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from blocks.core.errors import Problem, SchemaError, WarehouseError, all_problems
from blocks.writing import catalogs, commits, evolution, table_schema
from blocks.writing.data_files import ClosedFile
from blocks.writing.partitions import PartitionField, PartitionKey, partition_path
from blocks.writing.plan import UPSERT, CommitResult, FileDescription, WriteOptions

_TRANSFORM_NAMES = {"bucket": "bucket[{}]"}
STAGING = "_staging"


@dataclass(frozen=True, slots=True)
class IcebergPlan:
    """How to write to a table as it was when the run began.

    Attributes:
      table_uuid: identity of the table.
      schema: Iceberg schema of the data files, as JSON; what is new in it is not yet in the table.
      spec: partition spec, as JSON.
      base_snapshot_id: snapshot when the run began.
    """

    table_uuid: str
    schema: str
    spec: str
    base_snapshot_id: int | None

    def iceberg_schema(self) -> Any:
        """The schema, read."""
        from pyiceberg.schema import Schema

        return Schema.model_validate_json(self.schema)

    def partition_spec(self) -> Any:
        """The partition spec, read."""
        from pyiceberg.partitioning import PartitionSpec

        return PartitionSpec.model_validate_json(self.spec)


@dataclass(frozen=True)
class IcebergTarget:
    """An Iceberg table of a catalog.

    Attributes:
      options: of the write.
      schema: of the rows, storable, with the source column.
    """

    options: WriteOptions
    schema: pa.Schema

    def check(self) -> None:
        """Compares with the table if it is in an embedded catalog that is there already; reads only.

        Raises:
          SchemaError: the table cannot take these columns, or is partitioned otherwise.
        """
        options = self.options
        if options.catalog is None and catalogs.catalog_file(catalogs.warehouse_folder(options.warehouse)).exists():
            table = catalogs.find_table(catalogs.open_catalog(options.warehouse), options.table)
            if table is not None:
                self._check_table(table)

    def prepare(self) -> IcebergPlan:
        """Makes the table if it is not there, and plans its new columns.

        Raises:
          SchemaError: the table cannot take these columns, or is partitioned otherwise.
          WarehouseError: the catalog or the folder cannot be written.
        """
        from pyiceberg.exceptions import TableAlreadyExistsError

        catalog = catalogs.open_catalog(self.options.warehouse, self.options.catalog)
        table = catalogs.find_table(catalog, self.options.table)
        if table is None:
            name = catalogs.identifier(self.options.table)
            try:
                catalogs.make_namespace(catalog, name[:-1])
                table = self._create(catalog, name)
            except TableAlreadyExistsError:
                table = catalog.load_table(name)
        self._check_table(table)
        planned = commits.evolved(table.transaction(), self.schema).table_metadata.schema()
        head = table.current_snapshot()
        return IcebergPlan(
            str(table.metadata.table_uuid),
            planned.model_dump_json(),
            table.spec().model_dump_json(),
            head.snapshot_id if head else None,
        )

    def join(self) -> IcebergPlan:
        """As `prepare`: it takes nothing away, and of several workers that make the table one does."""
        return self.prepare()

    def open(self, plan: IcebergPlan) -> "_OpenTable":
        """Opens the table on a worker."""
        return _OpenTable(self.options, self._load(plan), plan)

    def commit(self, plan: IcebergPlan, files: Sequence[FileDescription], commit_id: str) -> CommitResult:
        """One atomic commit; see `commits.Committer`."""
        opened = self.open(plan)
        committer = commits.Committer(self.options, self.schema, plan, opened, functools.partial(self._load, plan))
        return committer.commit(files, commit_id)

    def _load(self, plan: IcebergPlan) -> Any:
        table = catalogs.load_table(self.options.table, self.options.warehouse, self.options.catalog)
        if str(table.metadata.table_uuid) != plan.table_uuid:
            raise WarehouseError(
                "the table was dropped and made again while this run wrote to it",
                where=f"table `{self.options.table}`",
                fix="run again",
            )
        return table

    def _create(self, catalog: Any, name: tuple[str, ...]) -> Any:
        schema = table_schema.iceberg_schema(self.schema)
        properties = {table_schema.MEANING_PROPERTY: table_schema.meaning(self.schema)}
        if self.options.source is not None:
            # Cut bounds would make sources with one beginning look alike, to conflicts and to deletes.
            properties[f"write.metadata.metrics.column.{self.options.source_column}"] = "full"
        return catalog.create_table(name, schema, partition_spec=_spec(schema, self.options), properties=properties)

    def _check_table(self, table: Any) -> None:
        have = table_schema.file_schema(table.schema())
        found = list(evolution.changes(have, self.schema))
        kept = json.loads(table.properties.get(table_schema.MEANING_PROPERTY) or "{}")
        found += evolution.mask_changes(kept, json.loads(table_schema.meaning(self.schema)))
        evolution.check_evolution(found, self.options.allow_evolution, self.options.table)
        with all_problems(f"table `{self.options.table}`", SchemaError) as problems:
            problems.extend(_spec_problems(table, self.options.partitions))


def _spec(schema: Any, options: WriteOptions) -> Any:
    from pyiceberg import partitioning
    from pyiceberg.transforms import parse_transform

    return partitioning.PartitionSpec(
        *(
            partitioning.PartitionField(
                source_id=schema.find_field(field.column).field_id,
                field_id=partitioning.PARTITION_FIELD_ID_START + position,
                transform=parse_transform(_TRANSFORM_NAMES.get(field.transform, field.transform).format(field.count)),
                name=field.name,
            )
            for position, field in enumerate(options.partitions)
        )
    )


def _spec_problems(table: Any, wanted: Sequence[PartitionField]) -> list[Problem]:
    schema = table.schema()
    have = [(schema.find_column_name(field.source_id), str(field.transform)) for field in table.spec().fields]
    want = [
        (field.column, _TRANSFORM_NAMES.get(field.transform, field.transform).format(field.count)) for field in wanted
    ]
    if have == want:
        return []

    def text(parts: list[tuple[Any, str]]) -> str:
        return ", ".join(f"{transform}({column})" for column, transform in parts) or "nothing"

    return [
        Problem(
            f"the table is partitioned by {text(have)}, not by {text(want)}",
            "partition_by",
            "give the table's own partitions, or write to another table",
        )
    ]


class _Place:
    """Files through the table's FileIO."""

    def __init__(self, io: Any) -> None:
        self._io = io

    def create(self, path: str) -> Any:
        return self._io.new_output(path).create()

    def open(self, path: str) -> Any:
        return self._io.new_input(path).open()

    def delete(self, path: str) -> None:
        self._io.delete(path)


class _OpenTable:
    """An Iceberg table on one worker."""

    def __init__(self, options: WriteOptions, table: Any, plan: IcebergPlan) -> None:
        from pyiceberg.io.pyarrow import compute_statistics_plan, parquet_path_to_id_mapping

        self._options, self._locations = options, table.location_provider()
        self.place = _Place(table.io)
        self.schema, self.spec = plan.iceberg_schema(), plan.partition_spec()
        self.file_schema = table_schema.file_schema(self.schema)
        properties = dict(table.properties)
        if options.source is not None:
            properties[f"write.metadata.metrics.column.{options.source_column}"] = "full"
        self._statistics = compute_statistics_plan(self.schema, properties)
        counts = {"write.metadata.metrics.default": "counts"}
        self._counts = compute_statistics_plan(self.schema, counts)
        self._ids = parquet_path_to_id_mapping(self.schema)

    def new_path(self, key: PartitionKey) -> Callable[[], str]:
        """Paths under the table's data folder; those of an upsert lie in a staging folder until they are merged."""
        if self._options.mode == UPSERT:
            folder = f"{STAGING}/{self._options.run_id}/keys-{key[0]}"
        else:
            folder = partition_path(self._options.partitions, key)
        return functools.partial(self.path_in, folder)

    def data_path(self, key: PartitionKey) -> Callable[[], str]:
        """Paths of the table's own data files, whatever the mode."""
        return functools.partial(self.path_in, partition_path(self._options.partitions, key))

    def path_in(self, folder: str) -> str:
        """A new path in a folder of the table's data."""
        name = f"{self._options.run_id}-{uuid.uuid4().hex}.parquet"
        return str(self._locations.new_data_location(f"{folder}/{name}" if folder else name))

    def describe(self, closed: ClosedFile, key: PartitionKey) -> FileDescription:
        """With the statistics that Iceberg keeps of a data file; bounds are those of columns as they were masked."""
        from pyiceberg.io.pyarrow import data_file_statistics_from_parquet_metadata as statistics_of

        try:
            found = statistics_of(closed.metadata, self._statistics, self._ids).to_serialized_dict()
        except (ValueError, OverflowError):
            # Times beyond the year 9999 are right in the file, and have no bounds in Python.
            found = statistics_of(closed.metadata, self._counts, self._ids).to_serialized_dict()
        return FileDescription(closed.path, key, closed.rows, closed.size, closed.days, found)

    def data_file(self, file: FileDescription) -> Any:
        """The description as Iceberg's `DataFile`, with the partition that the worker told."""
        from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
        from pyiceberg.typedef import Record

        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=file.path,
            file_format=FileFormat.PARQUET,
            partition=Record(*file.partition),
            file_size_in_bytes=file.size,
            sort_order_id=None,
            spec_id=self.spec.spec_id,
            equality_ids=None,
            key_metadata=None,
            **file.statistics,
        )
