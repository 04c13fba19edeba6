"""RenameColumns: the same columns under other names."""

from collections import Counter
from collections.abc import Callable, Mapping

import pyarrow as pa

from blocks.core.block import BatchBlock
from blocks.core.errors import ColumnError, ConfigError, Problem, all_problems
from blocks.shaping.columns import missing_columns


class RenameColumns(BatchBlock):
    """Gives columns other names.

    Input: batches that have every column named in `columns`.
    Output: the same rows and columns in the same order. Types, labels, marks and the way a column was masked (its HMAC
    domain included) stay. All names change at once, so that two columns can swap theirs.
    Rejects: none.
    Nulls: kept.
    State: none.
    Cost: metadata only, no copy.

    Rows out = rows in.

    Args:
      columns: old name to new name.

    Raises:
      ConfigError: names that are empty or no text; all of them.
      ColumnError: columns that are not there, with the nearest names; fields inside a column; two columns that would
        have one name.

    Example:
      >>> show(events | RenameColumns({"uid": "user_id"}))
      user_id | amount
      u1      | 12.50

    Source: the rename operator of relational algebra (Codd, 1970).
    """

    keeps_rows = True

    def __init__(self, columns: Mapping[str, str]) -> None:
        super().__init__()
        with all_problems("RenameColumns", ConfigError) as problems:
            if not isinstance(columns, Mapping):
                what = f"expected a mapping of old name to new name, got a {type(columns).__name__}"
                problems.append(Problem(what, "columns", "as in {'uid': 'user_id'}"))
                columns = {}
            for old, new in columns.items():
                if not (isinstance(old, str) and isinstance(new, str) and old and new):
                    what = "a name is a text that is not empty"
                    problems.append(Problem(what, f"columns.{old}", "write names as text, as in {'uid': 'user_id'}"))
        self._columns = dict(columns)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema with the new names."""
        renamed = [field.with_name(self._columns.get(field.name, field.name)) for field in schema]
        with all_problems("RenameColumns", ColumnError) as problems:
            problems.extend(missing_columns(list(self._columns), schema, "columns"))
            for name, count in Counter(field.name for field in renamed).items():
                if count > 1:
                    sources = [old for old, new in zip(schema.names, renamed, strict=True) if new.name == name]
                    what = f"the columns {', '.join(f'`{old}`' for old in sources)} would all be named `{name}`"
                    problems.append(Problem(what, "columns", "give them different names, or drop one: SelectColumns"))
        return pa.schema(renamed, schema.metadata)

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """The function that puts the new names on a batch."""
        renamed = self.output_schema(schema)
        return lambda batch: pa.RecordBatch.from_arrays(batch.columns, schema=renamed)
