"""The tables that a run wrote: where they are, some rows, and the commands to query them."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile

from blocks.core.errors import BlocksError
from blocks.snippets.building import Built
from blocks.writing import catalogs
from blocks.writing.parquet_dataset import dataset_folder, live_files, read_log
from blocks.writing.table_schema import MEANING_PROPERTY, file_schema, with_meaning

SAMPLE_ROWS = 3


@dataclass(frozen=True)
class TableReport:
    """One table as it is after a run.

    Attributes:
      name: as in the snippet.
      where: folder of the table, or what the catalog says.
      rows: in the table, of all runs; None if that is not known.
      sample: some rows with their labels, or None.
      commands: tool to a command for a shell, with a few rows as its output.
    """

    name: str
    where: str
    rows: int | None
    sample: pa.Table | None
    commands: dict[str, str]


def table_reports(built: Built) -> Iterator[TableReport]:
    """The tables of the steps that write, each once."""
    seen: set[tuple[Any, ...]] = set()
    for step in built.steps:
        config = step.config
        if step.entry is None or step.entry.gives != "tables" or "table" not in config:
            continue
        if config.get("destination") is not None:
            yield TableReport(config["table"], config["destination"], None, None, {})
            continue
        table, warehouse, catalog = config["table"], config.get("warehouse"), config.get("catalog")
        form = config.get("format", "iceberg")
        if (table, warehouse, catalog, form) not in seen:
            seen.add((table, warehouse, catalog, form))
            yield parquet_report(table, warehouse) if form == "parquet" else iceberg_report(table, warehouse, catalog)


def iceberg_report(table: str, warehouse: str | None, catalog: str | None) -> TableReport:
    """An Iceberg table: rows and commands for its newest snapshot."""
    try:
        found = catalogs.load_table(table, warehouse, catalog)
    except BlocksError:
        return TableReport(table, "not made", None, None, {})
    scan = found.scan()
    told = with_meaning(file_schema(scan.projection()), found.properties.get(MEANING_PROPERTY))
    opened = _opened(warehouse, catalog)
    name = ".".join(catalogs.identifier(table))
    commands = {
        "DuckDB": python_command(
            "import duckdb",
            *opened,
            f"rows = catalog.load_table({json.dumps(name)}).scan().to_arrow_batch_reader()",
            'duckdb.sql("SELECT * FROM rows LIMIT 5").show()',
        ),
    }
    if find_spec("pandas") is not None:
        line = f"print(catalog.load_table({json.dumps(name)}).scan(limit=5).to_pandas())"
        commands["pandas"] = python_command(*opened, line)
    sample = _first_rows(found.io, [task.file for task in scan.plan_files()], told)
    return TableReport(table, shown_path(found.location()), scan.count(), sample, commands)


def _first_rows(io: FileIO, files: list[DataFile], schema: pa.Schema) -> pa.Table | None:
    """Some rows of the smallest file: a scan with a limit would read whole files, many at once."""
    if not files:
        return None
    smallest = min(files, key=lambda file: file.file_size_in_bytes)
    with io.new_input(smallest.file_path).open() as handle:
        batch = next(pq.ParquetFile(handle).iter_batches(SAMPLE_ROWS, row_groups=[0], use_threads=False), None)
    if batch is None:
        return None
    # A file from before a column was added does not have it.
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def parquet_report(table: str, warehouse: str | None) -> TableReport:
    """A Parquet dataset: only the files that its log names are rows of it."""
    folder = dataset_folder(table, warehouse)
    entries = read_log(folder)
    paths = [str(folder / path) for path in sorted(live_files(entries))]
    place = json.dumps(shown_path(str(catalogs.warehouse_folder(warehouse))))
    arguments = f'{json.dumps(table)}, warehouse={place}, format="parquet"'
    read = ("import blocks, duckdb", f"rows = blocks.read_table({arguments})")
    commands = {
        "DuckDB": python_command(*read, 'duckdb.sql("SELECT * FROM rows LIMIT 5").show()'),
    }
    if not paths:
        return TableReport(table, shown_path(str(folder)), 0, None, commands)
    dataset = ds.dataset(paths, schema=entries[-1].arrow_schema(), format="parquet")
    return TableReport(table, shown_path(str(folder)), dataset.count_rows(), dataset.head(SAMPLE_ROWS), commands)


def _opened(warehouse: str | None, catalog: str | None) -> tuple[str, str]:
    if catalog is not None:
        return "from pyiceberg.catalog import load_catalog", f"catalog = load_catalog({json.dumps(catalog)})"
    folder = catalogs.warehouse_folder(warehouse)
    uri = json.dumps(f"sqlite:///{shown_path(str(catalogs.catalog_file(folder)))}")
    at = f"uri={uri}, warehouse={json.dumps(shown_path(str(folder)))}"
    return "from pyiceberg.catalog.sql import SqlCatalog", f'catalog = SqlCatalog("blocks", {at})'


def python_command(*lines: str) -> str:
    """A command for a shell that runs lines of Python with the Python that runs now."""
    found = shutil.which("python")
    # In a virtual environment that is not active, `python` would be another one, without our packages.
    program = "python" if found and Path(found).absolute() == Path(sys.executable).absolute() else sys.executable
    return f"{shlex.quote(shown_path(program))} -c {shlex.quote('; '.join(lines))}"


def shown_path(path: str) -> str:
    """A local path from the working directory if it lies in it."""
    path = path.removeprefix("file://")
    if "://" in path or not Path(path).is_absolute():
        return path
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
