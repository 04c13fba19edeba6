"""CheckRows: expectations of rows: presence, range, domain, pattern, condition, uniqueness; warn, reject or stop."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindows

from blocks.core.batch_type import BatchType, schema_of
from blocks.core.block import BatchBlock, Outcome, StepMetrics, pieces
from blocks.core.errors import ConfigError, Problem, RejectedRecordError, SchemaError, all_problems
from blocks.core.policy import PolicySource, read_policy
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Rejects, RejectSettings, reject_batch, stop_at
from blocks.core.wire import take
from blocks.shaping.columns import missing_columns
from blocks.shaping.expectations import Condition, Expectation, Rows, Unique, Values, read_expectations, values_check
from blocks.shaping.failed_rows import failed_rows
from blocks.shaping.first_of_key import FirstOfKey
from blocks.shaping.first_options import DUPLICATES_TAG
from blocks.shaping.first_rows import key_problems

VERSION = "1.0.0"
_LOG = logging.getLogger("blocks")


class CheckRows(beam.PTransform):
    """Checks rows against expectations, and warns of those that fail, rejects them, or stops.

    An expectation is a mapping of one of these forms, with a `name` and its own `on_failure` if you like:

    - `{column: id, present: true}`: no null.
    - `{column: amount, min: 0, max: 10000}`: a range, one bound or both, both allowed; numbers, dates, times, text.
    - `{column: status, one_of: [paid, sent]}`: a domain.
    - `{column: sku, pattern: "[A-Z]{3}-[0-9]+"}`: a regular expression (RE2) that the whole text matches.
    - `{where: "start <= end"}`: a SQL condition, as for `FilterRows`; see docs/expressions.md.
    - `{unique: [id]}`: no two rows of a window with the same values.

    The parts for one column may stand together in one expectation.

    Input: batches with every column that is named.
    Output: rows of the same schema: all of them with `warn`, those that fail nothing with `reject`. Their order stays,
    but for `unique`.

    What becomes of a row that fails (`on_failure`):

    - `reject`: it goes to rejects, once, naming every expectation that it fails.
    - `warn`: it goes on. For each bundle a line in the log (logger `blocks`) says how many rows fail what.
    - `stop`: the pipeline stops, with the name of the expectation.

    Rows that fail are counted in every case, under `blocks`, `CheckRows:NAME`. Values never appear in messages, logs
    and counters, of no column; rejects show what the policy allows.

    `unique`: of rows with the same values all but one fail, the same one in every run (see `DeduplicateRows`). Rows
    that an expectation before it rejects are not compared. In a stream, rows wait for the end of their window.
    Rejects: `check_failed`; with `unique` in a stream also `late`, for rows after the end of their window. Without
    `rejects=` the first row to be rejected stops the pipeline.
    Nulls: only `present` fails on a null; a condition that is NULL passes, as SQL's CHECK has it; rows with a null in a
    column of `unique` are like no other row. NaN is in no range.
    State: none, but for `unique`: as `DeduplicateRows` without an event time.
    Cost: Arrow kernels over whole columns, some nanoseconds a row and expectation; a condition as in `FilterRows`;
    `unique` a hash a row and a shuffle each.

    Rows in = rows out + rejects.

    Args:
      expect: the expectations.
      on_failure: `reject`, `warn` or `stop`, for those that say nothing else.
      policy: what may be shuffled, and in a stream kept in state; for `unique` only, as soon as a column has a label
        other than `public`.
      rejects: where rows go that fail.

    Raises:
      ConfigError: expectations that cannot be used, all of them with their number; `unique` in a stream without
        windows.
      SchemaError: columns that are not there, and values, patterns and conditions that do not fit their types; all.
      PrivacyError: columns that the policy does not let into a shuffle or into state (`unique`).
      RejectedRecordError: (when run) a row fails an expectation of `stop`.

    Example:
      >>> orders | CheckRows([{"column": "amount", "min": 0}, {"unique": ["id"], "on_failure": "warn"}])

    Source: SQL's CHECK and UNIQUE constraints (ISO/IEC 9075-2); RE2 for patterns.
    """

    can_reject = True

    def __init__(
        self,
        expect: Sequence[Mapping[str, Any]],
        *,
        on_failure: str = "reject",
        policy: PolicySource = None,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        self.rejects = rejects
        with all_problems("CheckRows", ConfigError) as problems:
            self._expectations = read_expectations(expect, on_failure, problems)
        self._policy = read_policy(policy)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the input, after a check of every expectation against it."""
        with all_problems("CheckRows", SchemaError) as problems:
            _plan(self._expectations, schema, problems)
            for one in self._expectations:
                if isinstance(one, Unique):
                    problems.extend(_unique_problems(one, schema))
        return schema

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        self.output_schema(schema_of(pcoll, "CheckRows"))
        self._check_windows(pcoll)
        rows = pcoll | "Rows" >> _CheckEachRow(self._expectations, self.rejects)
        for number, one in enumerate(self._expectations, 1):
            if isinstance(one, Unique):
                rows = self._unique(rows, one, f"Unique {number}")
        return rows

    def _check_windows(self, pcoll: beam.PCollection) -> None:
        endless = isinstance(pcoll.windowing.windowfn, GlobalWindows) and not pcoll.is_bounded
        with all_problems("CheckRows", ConfigError) as problems:
            problems.extend(
                Problem(
                    "`unique` in a stream without windows: rows would wait for ever",
                    one.where,
                    "put WindowRows before this block; rows are then compared within a window",
                )
                for one in self._expectations
                if isinstance(one, Unique) and endless
            )

    def _unique(self, rows: beam.PCollection, unique: Unique, label: str) -> beam.PCollection:
        settings = None if self.rejects is None else self.rejects.settings()
        schema = schema_of(rows, "CheckRows")
        counted = beam.ParDo(_CountedAgain()).with_output_types(BatchType(schema))
        found = (
            rows
            | f"{label} counted" >> counted
            | label
            >> FirstOfKey(
                unique.columns, "CheckRows", VERSION, policy=self._policy, settings=settings, null_keys="distinct"
            )
        )
        step = beam.ParDo(_Repeated(unique, schema, settings))
        typed = step.with_output_types(BatchType(schema), **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
        repeated = found[DUPLICATES_TAG] | f"{label} repeated" >> typed.with_outputs(REJECTS_TAG, main="rows")
        if self.rejects is not None:
            self.rejects.add_error_pcollection(found[REJECTS_TAG])
            self.rejects.add_error_pcollection(repeated[REJECTS_TAG])
        if unique.on_failure != "warn":
            return found["rows"]
        return (found["rows"], repeated.rows) | f"{label} together" >> beam.Flatten()

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker; so does `pipeline`.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None}


def _unique_problems(unique: Unique, schema: pa.Schema) -> Iterator[Problem]:
    where = f"{unique.where}.unique"
    missing = list(missing_columns(unique.columns, schema, where))
    yield from missing or key_problems(schema, unique.columns, where)


_Check = Callable[[pa.RecordBatch], Rows]


def _plan(
    expectations: Sequence[Expectation], schema: pa.Schema, problems: list[Problem]
) -> list[tuple[Expectation, _Check, str]]:
    """(expectation, function to the rows that fail, field path) of all that look at one row."""
    planned: list[tuple[Expectation, _Check, str]] = []
    for one in expectations:
        if isinstance(one, Values):
            failing = values_check(one, schema, problems)
            if failing is not None:
                place = schema.get_field_index(one.column)
                planned.append((one, _column_check(place, failing), one.column))
        elif isinstance(one, Condition):
            found = _condition_check(one, schema, problems)
            if found is not None:
                planned.append((one, *found))
    return planned


def _column_check(place: int, failing: Callable[[pa.Array], Rows]) -> _Check:
    return lambda batch: failing(batch.column(place))


def _condition_check(one: Condition, schema: pa.Schema, problems: list[Problem]) -> tuple[_Check, str] | None:
    # sqlglot and DuckDB only where there is SQL.
    from blocks.shaping.expressions import Runner, check, read_syntax

    where = f"{one.where}.where"
    syntax = read_syntax(one.condition, where, problems)
    expression = check(syntax, schema, problems, shown=False) if syntax else None
    if expression is None:
        return None
    if not pat.is_boolean(expression.type):
        what = f"the condition gives {expression.type}, not bool"
        problems.append(Problem(what, where, "compare it with something, as in start <= end"))
        return None
    run: Runner | None = None

    def failing(batch: pa.RecordBatch) -> Rows:
        nonlocal run
        # Made at the first batch: at construction only the problems are wanted.
        run = run or Runner([expression])
        found = run(batch)
        failed: Rows = ~found.columns[0].fill_null(True).to_numpy(zero_copy_only=False)
        return failed if found.failed[0] is None else failed | found.failed[0]

    return failing, ", ".join(read.text for read in expression.reads)


class _CheckEachRow(BatchBlock):
    """The expectations that look at one row."""

    def __init__(self, expectations: Sequence[Expectation], rejects: Rejects | None) -> None:
        super().__init__()
        self._expectations, self.rejects = tuple(expectations), rejects
        self.can_reject = any(one.on_failure == "reject" for one in expectations if not isinstance(one, Unique))
        self.keeps_rows = not self.can_reject

    @property
    def block_name(self) -> str:
        return "CheckRows"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema

    def batch_function(self, schema: pa.Schema) -> "_Checker":
        settings = None if self.rejects is None else self.rejects.settings()
        with all_problems("CheckRows", SchemaError) as problems:
            planned = _plan(self._expectations, schema, problems)
        return _Checker(planned, RejectMaker("CheckRows", VERSION, schema, settings))


class _Checker:
    def __init__(self, planned: list[tuple[Expectation, _Check, str]], maker: RejectMaker) -> None:
        self._planned, self._maker = planned, maker
        self._counts = [_Failures(one) for one, _, _ in planned]

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        failed: list[tuple[Expectation, str, Rows]] = []
        for (one, check, path), counts in zip(self._planned, self._counts, strict=True):
            rows = check(batch)
            number = int(np.count_nonzero(rows))
            if number:
                counts.add(number)
                if one.on_failure == "stop":
                    _stop(one, number)
                failed.append((one, path, rows))
        bad = [rows for one, _, rows in failed if one.on_failure == "reject"]
        if not bad:
            return Outcome(batch)
        wrong = np.logical_or.reduce(bad)
        kept = take(batch, pa.array(np.flatnonzero(~wrong)))

        def describe(row: int) -> tuple[str, str]:
            found = [(one.name, path) for one, path, rows in failed if rows[row]]
            names = ", ".join(f"`{name}`" for name, _ in found)
            return f"the row fails {names}", ", ".join(dict.fromkeys(path for _, path in found if path))

        return Outcome(kept, failed_rows(self._maker, batch, wrong, "check_failed", describe))

    def finish_bundle(self) -> None:
        """Says once a bundle what failed that only warns."""
        warn([counts for counts in self._counts if counts.warns])


class _Failures:
    """How many rows fail an expectation: counted, and summed over a bundle."""

    def __init__(self, expectation: Expectation) -> None:
        self.name, self.warns = expectation.name, expectation.on_failure == "warn"
        self.rows = 0
        self._counter = Metrics.counter("blocks", f"CheckRows:{expectation.name}")

    def add(self, rows: int) -> None:
        self._counter.inc(rows)
        self.rows += rows


def warn(counts: Sequence[_Failures]) -> None:
    """One line in the log for all of them, if any row failed; the sums begin anew."""
    failed = [f"{one.rows} fail `{one.name}`" for one in counts if one.rows]
    if failed:
        _LOG.warning("CheckRows: rows of a bundle: %s", ", ".join(failed))
    for one in counts:
        one.rows = 0


def _stop(expectation: Expectation, rows: int) -> NoReturn:
    raise RejectedRecordError(
        f"check_failed: {rows} {'row of a batch fails' if rows == 1 else 'rows of a batch fail'} `{expectation.name}`",
        where=f"CheckRows, {expectation.where}",
        fix="mend the data, or give the expectation on_failure: reject or warn",
    )


class _CountedAgain(beam.DoFn):
    """Takes rows out of the counters that FirstOfKey counts again under the name of this block."""

    def setup(self) -> None:
        self._metrics = StepMetrics("CheckRows")

    def process(self, batch: Any) -> Iterator[Any]:
        self._metrics.rows_in.dec(batch.num_rows)
        self._metrics.rows_out.dec(batch.num_rows)
        yield batch


class _Repeated(beam.DoFn):
    """The rows of which an equal one is there: rejected, passed on with a warning, or the end."""

    def __init__(self, unique: Unique, schema: pa.Schema, settings: RejectSettings | None) -> None:
        self._unique, self._schema, self._settings = unique, schema, settings

    def setup(self) -> None:
        self._metrics = StepMetrics("CheckRows")
        self._failures = _Failures(self._unique)
        self._maker = RejectMaker("CheckRows", VERSION, self._schema, self._settings)

    def process(self, batch: Any) -> Iterator[Any]:
        self._failures.add(batch.num_rows)
        if self._unique.on_failure == "stop":
            _stop(self._unique, batch.num_rows)
        if self._unique.on_failure == "warn":
            self._metrics.rows_out.inc(batch.num_rows)
            yield batch
            return
        message = f"the row fails `{self._unique.name}`", ", ".join(self._unique.columns)
        every = np.ones(batch.num_rows, np.bool_)
        rejects = failed_rows(self._maker, batch, every, "check_failed", lambda _: message)
        if self._settings is None:
            stop_at(rejects[0])
        self._metrics.rows_rejected.inc(len(rejects))
        for piece in pieces(reject_batch(rejects)):
            yield beam.pvalue.TaggedOutput(REJECTS_TAG, piece)

    def finish_bundle(self) -> None:
        warn([self._failures] if self._failures.warns else [])
        self._failures.rows = 0
