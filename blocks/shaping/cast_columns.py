"""CastColumns: columns in other types, and rows whose values do not fit in the rejects."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from blocks.core.batch_type import has_dictionary
from blocks.core.block import BatchBlock, Outcome
from blocks.core.dictionaries import decode_batch, decode_schema
from blocks.core.errors import ColumnError, ConfigError, Problem, SchemaError, all_problems
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Rejects
from blocks.core.schema.types import parse_type
from blocks.core.wire import take
from blocks.reading.fitting import as_required, nullable
from blocks.shaping.cast_plan import CastPlan, Failure, plan_cast
from blocks.shaping.columns import missing_columns
from blocks.shaping.failed_rows import failed_rows

VERSION = "1.0.0"


class CastColumns(BatchBlock):
    """Gives columns other types, value by value: a value that does not fit rejects its row, and none is changed.

    Input: batches that have every column named in `columns`.
    Output: the rows whose values all fit, in their order. Labels, descriptions and key marks stay, nested ones too, but
    a floating-point number is no key. The event-time mark stays on a timestamp with a zone; without the mark the
    batches keep their Beam timestamp.

    What fits (all else is rejected):
    - Whole numbers: in the range of the type; from floats and decimals if they are whole; from text as `-12` or `+12`
      in digits only; from lengths of time as the number of their unit (of `duration[us]`: microseconds).
    - Floats: from whole numbers that the type holds exactly (up to 2^53 for 64 bits, 2^24 for 32); from text, decimals
      and wider floats rounded to the nearest, but never to infinity or 0. Text may be `nan` or `inf`.
    - Decimals: without rounding: `1.230` fits a scale of 2, `1.234` does not. A float counts as the shortest text that
      stands for it: 0.1 is 0.1.
    - Booleans: the texts `true` and `false` in any case; the whole numbers 0 and 1, and back.
    - Dates, times of day and timestamps: ISO 8601 text, in the years 1 to 9999; a timestamp without a zone is read as
      UTC, in text and in type, and a type without a zone takes no text with one. A finer unit's digits may only be
      zeros. A date is midnight UTC, and only a midnight UTC is a date. No numbers: they do not say their unit (declare
      `epoch` in the schema that `ReadJson` reads).
    - Text: numbers in digits (a float in the shortest text that stands for it, a decimal with all decimals of its
      scale), `true` and `false`, ISO 8601 with `Z` where the type has a zone; bytes if they are UTF-8.
    - Structs: field by field, by name; lists: item by item; maps: entry by entry.

    A masked column can be cast only from text to text and from whole number to whole number: its values are codes, and
    in another type they would match those of no column that is masked alike, nor could `UnmaskColumns` read them.
    Rejects: `cast_failed`, with every path of the row that does not fit. Without `rejects=` the first of them stops the
    pipeline.
    Nulls: stay null; a null where the new type has `not null` below the column is rejected.
    State: none.
    Cost: Arrow kernels over whole columns; dates and times in forms other than `2026-01-31T10:11:12.5Z`, and
    values that do not fit, cost a few microseconds each, and a reject about a fifth of a millisecond.

    Rows in = rows out + rejects.

    Args:
      columns: name to type, as text: `int64`, `decimal128(18, 2)`, `timestamp[us, tz=UTC]`, `list<item: date>`.
      rejects: where rows go whose values do not fit.

    Raises:
      ConfigError: texts that are no type, or types that no column has (dictionaries); all of them.
      ColumnError: columns that are not there, with the nearest names; fields inside a column.
      SchemaError: columns that cannot be cast to their type, with what is possible; all of them.

    Example:
      >>> show(events | CastColumns({"amount": "decimal128(18, 2)", "day": "date"}, rejects=rejects))
      amount | day
      12.50  | 2026-01-31

    Source: Arrow's safe casts; SQL's TRY_CAST, of which this keeps the rows that fail; ISO 8601-1:2019.
    """

    can_reject = True

    def __init__(self, columns: Mapping[str, str], *, rejects: Rejects | None = None) -> None:
        super().__init__()
        self.rejects = rejects
        self._types: dict[str, pa.DataType] = {}
        with all_problems("CastColumns", ConfigError) as problems:
            if not isinstance(columns, Mapping):
                what = f"expected a mapping of column to type, got a {type(columns).__name__}"
                problems.append(Problem(what, "columns", "as in {'amount': 'decimal128(18, 2)'}"))
                columns = {}
            for name, text in columns.items():
                found = _read_type(name, text)
                if isinstance(found, Problem):
                    problems.append(found)
                else:
                    self._types[name] = found

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema with the new types."""
        schema = decode_schema(schema)
        plans = self._plans(schema)
        return pa.schema(
            [plans[field.name].field if field.name in plans else field for field in schema], schema.metadata
        )

    def _plans(self, schema: pa.Schema) -> dict[str, CastPlan]:
        with all_problems("CastColumns", ColumnError) as problems:
            problems.extend(missing_columns(list(self._types), schema, "columns"))
        plans: dict[str, CastPlan] = {}
        with all_problems("CastColumns", SchemaError) as problems:
            for name, wanted in self._types.items():
                plans[name] = plan_cast(schema.field(name), wanted, problems)
        return plans

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Outcome]:
        """Makes the function from a batch to the rows that fit and the rejects of the others."""
        schema = decode_schema(schema)
        output = self.output_schema(schema)
        settings = None if self.rejects is None else self.rejects.settings()
        maker = RejectMaker("CastColumns", VERSION, schema, settings)
        converts = [
            (schema.get_field_index(name), plan.convert) for name, plan in self._plans(schema).items() if plan.convert
        ]
        # Until the bad rows are gone there are nulls in what must not be null.
        changed = {place for place, _ in converts}
        loose = pa.schema(
            [
                field.with_type(nullable(field.type)).with_nullable(True) if place in changed else field
                for place, field in enumerate(output)
            ]
        )

        def required(columns: list[pa.Array]) -> pa.RecordBatch:
            fitting = [as_required(column, field.type) for column, field in zip(columns, output, strict=True)]
            return pa.RecordBatch.from_arrays(fitting, schema=output)

        def cast(batch: pa.RecordBatch) -> Outcome:
            batch = decode_batch(batch)
            columns, failures = list(batch.columns), list[Failure]()
            for place, convert in converts:
                columns[place], found = convert(columns[place])
                failures += found
            if not failures:
                return Outcome(required(columns))
            wrong = np.logical_or.reduce([failure.rows for failure in failures])
            kept = take(pa.RecordBatch.from_arrays(columns, schema=loose), pa.array(np.flatnonzero(~wrong)))
            rejects = failed_rows(maker, batch, wrong, "cast_failed", lambda row: _described(failures, row))
            return Outcome(required(kept.columns), rejects)

        return cast


def _read_type(name: object, text: object) -> pa.DataType | Problem:
    where = f"columns.{name}"
    if not isinstance(name, str) or not isinstance(text, str):
        return Problem("expected a column and a type as text", where, "as in {'amount': 'decimal128(18, 2)'}")
    try:
        found = parse_type(text)
    except SchemaError as error:
        return Problem(error.what, f"{where}, {error.where}", error.fix)
    if has_dictionary(found):
        return Problem(f"no column of a batch is a {text}", where, "write the type of the values alone")
    return found


def _described(failures: list[Failure], row: int) -> tuple[str, str]:
    """Message and field path of a row, naming every path that failed."""
    found = [failure for failure in failures if failure.rows[row]]
    message = "; ".join(f"`{failure.path}` {failure.reason}" for failure in found)
    return message, ", ".join(dict.fromkeys(failure.path for failure in found))
