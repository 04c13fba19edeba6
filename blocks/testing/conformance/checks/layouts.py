"""Arrow has many layouts for the same rows; a block sees rows."""

from collections.abc import Iterator

import pyarrow as pa

from blocks.core import labels
from blocks.core.errors import RejectedRecordError
from blocks.testing.conformance.case import Case, Result
from blocks.testing.conformance.checks.rows import broken_equation
from blocks.testing.conformance.runs import parts_of, same
from blocks.testing.feeding import Feed


def sliced_batches(case: Case) -> Iterator[str]:
    """A batch that is a slice of a larger one gives the same rows."""
    yield from same(case.plain, case.run(case.feed(layout="sliced")), "as a slice")


def dictionary_batches(case: Case) -> Iterator[str]:
    """Texts that come dictionary-encoded give the same rows."""
    yield from same(case.plain, case.run(case.feed(layout="dictionary")), "as dictionaries")


def empty_batches(case: Case) -> Iterator[str]:
    """Empty batches, between others and alone, add nothing and break nothing."""
    rows = case.rows()
    nothing = rows.slice(0, 0)
    yield from same(case.plain, case.run(case.feed(batches=(nothing, rows, nothing))), "between empty batches")
    for breach in broken_equation(case, case.run(case.feed(batches=(nothing, nothing)))):
        yield f"empty batches alone: {breach}"


def all_null_batches(case: Case) -> Iterator[str]:
    """Columns in which everything is null give the same rows in one batch as in many, or stop the run in both."""
    rows = case.rows()
    columns = [
        pa.nulls(rows.num_rows, field.type) if field.nullable and not labels.is_event_time(field) else column
        for field, column in zip(rows.schema, rows.columns, strict=True)
    ]
    nulls = pa.RecordBatch.from_arrays(columns, schema=rows.schema)
    one, many = (_outcome(case, case.feed(batches=parts_of(nulls, size))) for size in (rows.num_rows, 31))
    if isinstance(one, Result) and isinstance(many, Result):
        yield from same(one, many, "all null, in batches of 31 rows")
        yield from (f"all null: {breach}" for breach in broken_equation(case, one))
    elif type(one) is not type(many):
        yield f"all null: one batch gives {_told(one)}, batches of 31 rows {_told(many)}"


def _outcome(case: Case, feed: Feed) -> Result | RejectedRecordError:
    try:
        return case.run(feed)
    except RejectedRecordError as error:
        return error


def _told(outcome: Result | RejectedRecordError) -> str:
    return f"{outcome.rows_out} rows" if isinstance(outcome, Result) else f"`{outcome.what}`"
