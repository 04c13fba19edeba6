"""ComputeColumns: columns computed by SQL expressions over the columns of the same row."""

from collections.abc import Callable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from apache_beam.transforms.window import GlobalWindows

from blocks.core import labels
from blocks.core.batch_type import schema_of
from blocks.core.block import BatchBlock, Outcome
from blocks.core.errors import ConfigError, Problem, SchemaError, all_problems
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Rejects
from blocks.core.wire import take
from blocks.shaping.expressions import Evaluated, Expression, Runner, Syntax, check, read_syntax
from blocks.shaping.failed_rows import failed_rows

VERSION = "1.0.0"


class ComputeColumns(BatchBlock):
    """Computes columns by SQL expressions.

    Every expression sees the columns of the input, also where another one replaces them. What an expression may hold,
    and what it means, is in docs/expressions.md: DuckDB's SQL over the columns of one row, without anything that
    depends on the clock, on chance or on the machine.

    Input: batches with every column that the expressions name.
    Output: the same rows in the same order, without those that are rejected. A name that the input has is replaced in
    its place, a new one stands at the end, in the order given. Types are those of DuckDB's results: `/` gives double,
    whole numbers stay whole, decimals keep their digits. A column is nullable unless the expression tells that it
    cannot be.

    Labels: a column has all labels of everything that its expression reads, in conditions too; no function takes one
    away (a hash of an email is an email to a policy). Only literals are `public`. Public and unlabelled together are
    unlabelled; an expression that mixes a column without a label with a private one is refused, for no label would hold
    for both. An expression that is a column and nothing else passes it on untouched, with description and the mark of
    how it was masked; after any other one the mark is gone, so that a policy takes the column for an unmasked one.
    A replaced column stays key and event time; a new one is neither.
    Rejects: `expression_failed`: a value that cannot be cast, a number out of range, a whole number divided by zero, a
    time outside the years 1 to 9999, a text that could become longer than 2 GiB; each row once, with all columns that
    failed.
    Nulls: as SQL has them: NULL in, NULL out, but for `coalesce`, `concat`, CASE and the like.
    State: none.
    Cost: DuckDB's, about half a millisecond a batch and some nanoseconds a row and operation; columns that no
    expression reads stay as they are, without a copy. Rows that fail make their batch some ten times slower.

    Rows in = rows out + rejects.

    Args:
      columns: name to expression.
      rejects: where rows go on which an expression fails; without it the first of them stops the pipeline.

    Raises:
      ConfigError: texts that are no expressions, all of them with line and column; an event time computed behind
        windows.
      SchemaError: columns that are not there, types that do not fit or that no column can hold, a column without a
        label beside a private one, an event time that is no timestamp with a zone; all of them, with line and column.

    Example:
      >>> show(orders | ComputeColumns({"total": "price * quantity", "country": "upper(user.country)"}))
      price | quantity | user            | total | country
      2.50  | 4        | {country: 'se'} | 10.00 | SE

    Source: SQL's SELECT list (ISO/IEC 9075-2), with the functions of DuckDB.
    """

    can_reject = True

    def __init__(self, columns: Mapping[str, str], *, rejects: Rejects | None = None) -> None:
        super().__init__()
        self.rejects = rejects
        self._columns: dict[str, str] = {}
        with all_problems("ComputeColumns", ConfigError) as problems:
            if not isinstance(columns, Mapping) or not columns:
                got = "none" if isinstance(columns, Mapping) else f"a {type(columns).__name__}"
                what = f"expected a mapping of name to expression, got {got}"
                problems.append(Problem(what, "columns", "as in {'total': 'price * quantity'}"))
                columns = {}
            for name, text in columns.items():
                if not isinstance(name, str) or not name:
                    what = "a name is a text that is not empty"
                    problems.append(Problem(what, f"columns.{name}", "write it as text, as in {'total': ...}"))
                read_syntax(text, f"columns.{name}", problems)
            self._columns.update(columns)

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block.

        Raises:
          ConfigError: the event time is computed, and the rows are in windows by the old one.
        """
        event_time = labels.event_time_of(schema_of(pcoll, "ComputeColumns"))
        if event_time in self._columns and not isinstance(pcoll.windowing.windowfn, GlobalWindows):
            raise ConfigError(
                f"the event time `{event_time}` is computed, and the rows are in windows by the old one",
                where=f"ComputeColumns: columns.{event_time}",
                fix="put WindowRows after this block",
            )
        return super().expand(pcoll)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema with the computed columns."""
        with all_problems("ComputeColumns", SchemaError) as problems:
            made = self._made(schema, self._expressions(schema, problems), problems)
        kept = [made.pop(field.name, field) for field in schema]
        return pa.schema([*kept, *made.values()], schema.metadata)

    def _expressions(self, schema: pa.Schema, problems: list[Problem]) -> dict[str, Expression]:
        found: dict[str, Expression] = {}
        for name, text in self._columns.items():
            syntax: Syntax | None = read_syntax(text, f"columns.{name}", problems)
            expression = check(syntax, schema, problems) if syntax else None
            if expression:
                found[name] = expression
        return found

    def _made(
        self, schema: pa.Schema, expressions: Mapping[str, Expression], problems: list[Problem]
    ) -> dict[str, pa.Field]:
        made = {}
        for name, expression in expressions.items():
            field = expression.field(name)
            if name in schema.names:
                field = _with_marks(field, schema.field(name), problems)
            made[name] = field
        return made

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Outcome]:
        """Makes the function from a batch to the computed one and the rejects."""
        output = self.output_schema(schema)
        expressions = self._expressions(schema, [])
        evaluate = Runner(list(expressions.values()))
        settings = None if self.rejects is None else self.rejects.settings()
        maker = RejectMaker("ComputeColumns", VERSION, schema, settings)
        places = [output.get_field_index(name) for name in expressions]

        def compute(batch: pa.RecordBatch) -> Outcome:
            found = evaluate(batch)
            columns: list[Any] = [*batch.columns, *[None] * (len(output) - batch.num_columns)]
            for place, column in zip(places, found.columns, strict=True):
                columns[place] = column
            failed = found.any_failed()
            if failed is None:
                return Outcome(pa.RecordBatch.from_arrays(columns, schema=output))
            # Until the failed rows are gone there are nulls in what must not be null.
            loose = pa.RecordBatch.from_arrays(columns, schema=_loose(output, places))
            kept = take(loose, pa.array(np.flatnonzero(~failed)))
            rejects = failed_rows(maker, batch, failed, "expression_failed", _describer(expressions, found))
            return Outcome(pa.RecordBatch.from_arrays(kept.columns, schema=output), rejects)

        return compute


def _with_marks(field: pa.Field, old: pa.Field, problems: list[Problem]) -> pa.Field:
    """The field of a replaced column with the marks of its place."""
    where = f"columns.{field.name}"
    if labels.is_event_time(old) and not (pat.is_timestamp(field.type) and field.type.tz is not None):
        fix = "cast it, as in CAST(... AS TIMESTAMPTZ), or compute it under another name"
        problems.append(Problem(f"the event time would be {field.type}, not a timestamp with a zone", where, fix))
    if labels.is_key(old) and (pat.is_floating(field.type) or labels.children(field.type)):
        fix = "cast it, or compute it under another name"
        problems.append(Problem(f"the key would be {field.type}, which identifies no row", where, fix))
    marks = {
        labels.EVENT_TIME: "true" if labels.is_event_time(old) else None,
        labels.KEY: "true" if labels.is_key(old) else None,
    }
    return labels.put(field, marks)


def _loose(schema: pa.Schema, places: list[int]) -> pa.Schema:
    for place in places:
        schema = schema.set(place, schema.field(place).with_nullable(True))
    return schema


def _describer(expressions: Mapping[str, Expression], found: Evaluated) -> Callable[[int], tuple[str, str]]:
    failed = [
        (name, [read.text for read in expression.reads], rows)
        for (name, expression), rows in zip(expressions.items(), found.failed, strict=True)
        if rows is not None
    ]

    def describe(row: int) -> tuple[str, str]:
        names = [f"`{name}`" for name, _, rows in failed if rows[row]]
        paths = dict.fromkeys(path for _, reads, rows in failed if rows[row] for path in reads)
        return f"{', '.join(names)} cannot be computed: {_REASON}", ", ".join(paths)

    return describe


_REASON = "a value cannot be cast, a number or time is out of range, a divisor is zero, or a text would be too long"
