"""FilterRows: the rows for which a SQL condition is true."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from apache_beam.metrics import Metrics

from blocks.core.block import BatchBlock, Outcome
from blocks.core.errors import ConfigError, Problem, SchemaError, all_problems
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Rejects
from blocks.core.wire import take
from blocks.shaping.expressions import Expression, Runner, check, read_syntax
from blocks.shaping.failed_rows import failed_rows

VERSION = "1.0.0"


class FilterRows(BatchBlock):
    """Keeps the rows for which a SQL condition is true.

    Input: batches with every column that the condition names.
    Output: the rows for which it is true, unchanged and in their order. Rows for which it is false or NULL go, counted
    as `rows_dropped`.

    What a condition may hold, and what it means, is in docs/expressions.md: DuckDB's SQL over the columns of one row,
    without anything that depends on the clock, on chance or on the machine. AND does not guard: where a part of the
    condition fails, the row does; write CASE or TRY_CAST.

    Labels stay as they are; those of the condition's columns do not spread to the others. A condition may name columns
    of any label, for it shows none of their values. But which rows are there tells something about the columns that
    chose them: after `FilterRows("disease = 'x'")` everybody who is left has it, whatever happens to the column
    `disease`. No label and no policy sees this; it is for the people who write the condition to see.
    Rejects: `expression_failed`: a value that cannot be cast, a number out of range, a whole number divided by zero, a
    text that could become longer than 2 GiB.
    Nulls: as SQL's WHERE has it: what is unknown goes.
    State: none.
    Cost: DuckDB's, over the columns of the condition only, about half a millisecond a batch and a few nanoseconds a row
    and operation; then a copy of the rows that stay, if any go.

    Rows in = rows out + dropped + rejects.

    Args:
      where: the condition.
      rejects: where rows go on which the condition fails; without it the first of them stops the pipeline.

    Raises:
      ConfigError: a text that is no expression, with line and column.
      SchemaError: columns that are not there, types that do not fit, or a result that is not BOOLEAN; all of them, with
        line and column.

    Example:
      >>> events | FilterRows("amount > 0 AND user.country IN ('SE', 'NO')")

    Source: SQL's WHERE (ISO/IEC 9075-2), with the functions of DuckDB.
    """

    can_reject = True

    def __init__(self, where: str, *, rejects: Rejects | None = None) -> None:
        super().__init__()
        self.rejects = rejects
        with all_problems("FilterRows", ConfigError) as problems:
            read_syntax(where, "where", problems)
        self._where = where

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the input."""
        self._condition(schema)
        return schema

    def _condition(self, schema: pa.Schema) -> Expression:
        with all_problems("FilterRows", SchemaError) as problems:
            syntax = read_syntax(self._where, "where", problems)
            found = check(syntax, schema, problems, shown=False) if syntax else None
            if found and not pat.is_boolean(found.type):
                what = f"the condition gives {found.type}, not bool"
                problems.append(Problem(what, "where", "compare it with something, as in amount > 0"))
        assert found is not None
        return found

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Outcome]:
        """Makes the function from a batch to the rows that stay and the rejects."""
        condition = self._condition(schema)
        evaluate = Runner([condition])
        settings = None if self.rejects is None else self.rejects.settings()
        maker = RejectMaker("FilterRows", VERSION, schema, settings)
        path = ", ".join(read.text for read in condition.reads)
        dropped = Metrics.counter("blocks", "FilterRows:rows_dropped")

        def keep(batch: pa.RecordBatch) -> Outcome:
            found = evaluate(batch)
            (wanted,), (failed,) = found.columns, found.failed
            stays = wanted.fill_null(False).to_numpy(zero_copy_only=False)
            kept = int(np.count_nonzero(stays))
            rejects = []
            if failed is not None:
                rejects = failed_rows(maker, batch, failed, "expression_failed", lambda _: (_MESSAGE, path))
            dropped.inc(batch.num_rows - kept - len(rejects))
            return Outcome(batch if kept == batch.num_rows else take(batch, pa.array(np.flatnonzero(stays))), rejects)

        return keep


_MESSAGE = (
    "`where` cannot be computed: a value cannot be cast, a number or time is out of range, a divisor is zero, or a "
    "text would be too long"
)
