"""SelectColumns: some columns of many, in the order in which they are named."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from blocks.core.block import BatchBlock
from blocks.core.errors import ColumnError, ConfigError, Problem, all_problems
from blocks.shaping.columns import missing_columns, read_names


class SelectColumns(BatchBlock):
    """Keeps the columns that are named, or drops those that are named.

    Input: batches that have every named column.
    Output: the same rows in the same order. With `columns` the named columns, in the order in which they are named;
    with `drop` all others, in their order. Types, labels and marks stay. Without the event-time column the batches keep
    their Beam timestamp, but no later block can tell the time of a row: `WindowRows` and `partition_by` need it.
    Rejects: none.
    Nulls: kept.
    State: none.
    Cost: metadata only, no copy.

    Rows out = rows in.

    Args:
      columns: names of the columns to keep, in the order in which they shall stand.
      drop: names of the columns to leave out, instead of `columns`.

    Raises:
      ConfigError: none or both of the options, names that are no text or stand twice; all of them.
      ColumnError: columns that are not there, with the nearest names; fields inside a column; no column left.

    Example:
      >>> show(events | SelectColumns(["amount", "user_id"]))
      amount | user_id
      12.50  | u1

    Source: SQL's SELECT list (ISO/IEC 9075-2), and its EXCEPT or EXCLUDE in BigQuery and DuckDB.
    """

    keeps_rows = True

    def __init__(self, columns: Sequence[str] = (), *, drop: Sequence[str] = ()) -> None:
        super().__init__()
        with all_problems("SelectColumns", ConfigError) as problems:
            if bool(columns) == bool(drop):
                what = "both `columns` and `drop` are given" if columns else "neither `columns` nor `drop` is given"
                problems.append(Problem(what, "", "give one of them: the columns to keep, or those to leave out"))
            self._columns = read_names(columns, "columns", problems)
            self._drop = read_names(drop, "drop", problems)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The fields of the kept columns."""
        with all_problems("SelectColumns", ColumnError) as problems:
            problems.extend(missing_columns(self._columns, schema, "columns"))
            problems.extend(missing_columns(self._drop, schema, "drop"))
            if not self._kept(schema):
                # Batches without columns have no rows either.
                problems.append(Problem("no column would be left", "drop", "keep at least one column"))
        return pa.schema([schema.field(name) for name in self._kept(schema)], schema.metadata)

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """The function that picks the columns of a batch."""
        output = self.output_schema(schema)
        places = [schema.get_field_index(name) for name in output.names]
        return lambda batch: pa.RecordBatch.from_arrays([batch.column(place) for place in places], schema=output)

    def _kept(self, schema: pa.Schema) -> list[str]:
        return list(self._columns) or [name for name in schema.names if name not in self._drop]
