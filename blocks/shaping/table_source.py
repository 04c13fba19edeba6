"""Tables from Parquet files: read as a whole, the columns that are wanted, within limits."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from blocks.core.batch_type import MAX_ROWS
from blocks.core.errors import ReadError, RejectedRecordError
from blocks.reading.files import match_files
from blocks.reading.fitting import as_required
from blocks.reading.read_parquet import ReadParquet, fitter
from blocks.shaping.table_index import TableLimits


def table_schema(pattern: str, schema: pa.Schema | str | Path | None) -> pa.Schema:
    """The schema of the files: the one that is given, or that of the first file.

    Raises:
      ReadError: no file matches, or it is no Parquet file.
      SchemaError: the schema cannot be read.
    """
    return ReadParquet(pattern, schema=schema).schema


def read_table(pattern: str, schema: pa.Schema, limits: TableLimits) -> Iterator[pa.RecordBatch]:
    """The batches of the files that are there now.

    Args:
      pattern: of Parquet files, on any Beam file system.
      schema: of the columns that are wanted.
      limits: for what the files say of themselves, before they are read.

    Raises:
      ReadError: no file matches, or one is no Parquet file or is damaged.
      SchemaError: a file lacks a required column, or has one that cannot be cast.
      RejectedRecordError: a value does not fit the schema.
      ConfigError: more rows than the limits allow.
    """
    rows = 0
    for path, _ in match_files(pattern):
        try:
            with pq.ParquetFile(FileSystems.open(path, compression_type="uncompressed")) as file:
                rows += file.metadata.num_rows
                limits.check(rows, 0)
                yield from _batches(file, path, schema)
        except (pa.ArrowInvalid, OSError) as cause:
            if isinstance(cause, ReadError):
                raise
            raise ReadError(
                "not a Parquet file, or a damaged one",
                where=f"JoinTable.table, file {path}",
                fix="write Parquet; of another format, give what ReadJson reads as the second input, `table`",
            ) from None


def _batches(file: pq.ParquetFile, path: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    found = file.schema_arrow
    fit = fitter(found, schema, False, path)
    names = [name for name in schema.names if name in found.names]
    # A name with a dot would be taken for a path.
    columns = None if any("." in name for name in names) else names
    for batch in file.iter_batches(MAX_ROWS, columns=columns, use_threads=False):
        fitted, misfits = fit(batch)
        if misfits:
            raise RejectedRecordError(
                f"{misfits[0].code}: {misfits[0].message}",
                where=f"JoinTable.table, file {path}, field `{misfits[0].path}`",
                fix="mend the file, or give what ReadParquet reads as the second input, `table`",
            )
        arrays = [as_required(column, field.type) for column, field in zip(fitted.columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
