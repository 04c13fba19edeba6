"""Bad rows go to rejects, with the codes of the entry, or stop the pipeline; never a third thing."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.types as pat

from blocks.catalog.options import options_of
from blocks.core.errors import RejectedRecordError
from blocks.testing.conformance.case import Case
from blocks.testing.conformance.check import lacking_parts
from blocks.testing.conformance.checks.rows import broken_equation
from blocks.testing.feeding import Feed, json_lines


def rejects_what_it_declares(case: Case) -> Iterator[str]:
    """Bad rows are rejected with a code of the entry's `codes`, and without a place for rejects stop the run."""
    entry = case.entry
    if ("rejects" in options_of(entry.load())) != entry.rejects:
        yield f"the entry says `rejects: {str(entry.rejects).lower()}`, and the options of the block say otherwise"
    if entry.rejects != bool(entry.codes):
        yield "an entry has `codes` if it rejects, and only then"
    yield from _undeclared(case, case.plain.rejects)
    feed = bad_feed(case)
    if feed is None:
        if entry.rejects and not any(trial.bad for trial in entry.trials):
            yield "no trial has `bad`, values of columns that make it reject a row"
        return
    result = case.run(feed)
    yield from _undeclared(case, result.rejects)
    for breach in broken_equation(case, result):
        # A line that is no record of the schema is in no table of what was fed.
        if not feed.lines:
            yield f"with bad rows: {breach}"
    if result.rejects.num_rows <= case.plain.rejects.num_rows:
        yield "it rejects none of the bad rows"
    yield from _stops(case, feed)


def _undeclared(case: Case, rejects: pa.Table) -> Iterator[str]:
    for code in sorted(set(rejects.column("code").to_pylist()) - set(case.entry.codes)):
        yield f"a reject has the code `{code}`, which the entry does not declare"
    for name in sorted(set(rejects.column("block").to_pylist()) - {case.entry.name}):
        yield f"a reject names the block `{name}`"


def _stops(case: Case, feed: Feed) -> Iterator[str]:
    try:
        case.run(feed, rejects=False)
    except RejectedRecordError as error:
        yield from lacking_parts(error)
    else:
        yield "without a place for rejects a bad row does not stop the run"


def bad_feed(case: Case, marks: dict[str, list[object]] | None = None, text: str = "nonsense") -> Feed | None:
    """The trial's rows with bad ones among them; None if the trial tells of none.

    Args:
      case: the trial.
      marks: values of further columns.
      text: what stands where another type is expected.
    """
    if case.trial.bad:
        bad = case.rows(30, 7, more={**(marks or {}), **case.trial.bad})
        return case.feed(batches=(case.rows(more=marks), bad))
    if case.kind != "nothing" or not case.entry.rejects:
        return None
    reads = next((name for name, value in case.trial.config.items() if value == "${input}"), "")
    plain = case.feed(batches=(case.rows(more=marks),))
    if case.file_form(reads) == "json":
        return replace(plain, lines=(f'{{"{text}'.encode(), *_wrong_types(plain.batches[0], text)))
    required = [field.name for field in case.schema if not field.nullable]
    return replace(plain, batches=(*plain.batches, _with_nulls(case.rows(20, 7, marks), required[0])))


def _wrong_types(batch: pa.RecordBatch, text: str) -> Iterator[bytes]:
    """The first record once a column that holds no text, with text there."""
    good = json.loads(next(iter(json_lines(batch.slice(0, 1)))))
    for field in batch.schema:
        if not pat.is_string(field.type) and not pat.is_large_string(field.type):
            yield json.dumps({**good, field.name: text}).encode()


def _with_nulls(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    place = batch.schema.get_field_index(name)
    field = batch.schema.field(place).with_nullable(True)
    columns = list(batch.columns)
    columns[place] = pa.nulls(batch.num_rows, field.type)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema.set(place, field))
