"""Runs a built snippet and gathers what its user wants to know: rows, rejects, times, tables."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from blocks.core.errors import BlocksError
from blocks.engines.failures import failure_of
from blocks.snippets.building import Built, step_of
from blocks.snippets.tables import TableReport, table_reports

_COUNTERS = ("rows_in", "rows_out", "rows_rejected", "busy_us")


@dataclass(frozen=True)
class StepReport:
    """What one step did, so far or in all.

    Attributes:
      name: of the step.
      type: of its block.
      rows_in: None for a step that counts nothing, as Beam's own transforms.
      rows_out: likewise.
      rejected: likewise.
      seconds: of work, summed over workers.
    """

    name: str
    type: str
    rows_in: int | None
    rows_out: int | None
    rejected: int | None
    seconds: float | None

    @property
    def rows_per_second(self) -> float | None:
        """Rows that came in (for a step that reads: records), by the seconds of work; None if nothing was counted."""
        rows = self.rows_in or (self.rows_out or 0) + (self.rejected or 0)
        return rows / self.seconds if self.seconds and rows else None


@dataclass(frozen=True)
class RunReport:
    """What a run did.

    Attributes:
      name: of the snippet.
      seconds: from start to end.
      steps: in the order of the file.
      rejects: code to number, and None if the snippet keeps no rejects or their place cannot be listed here.
      rejects_at: pattern of the files of this run's rejects.
      tables: what was written.
    """

    name: str
    seconds: float
    steps: tuple[StepReport, ...]
    rejects: dict[str, int] | None
    rejects_at: str
    tables: tuple[TableReport, ...]


def step_reports(built: Built, counts: dict[tuple[str, str], int]) -> tuple[StepReport, ...]:
    """What the steps did, from the counters of blocks.

    Args:
      built: the snippet.
      counts: (full label, counter) to value, as `LocalRunner.counts` gives it.
    """
    sums: dict[int, dict[str, int]] = {}
    for (label, counter), value in counts.items():
        step, what = step_of(built.steps, label), counter.rpartition(":")[2]
        if step is not None and what in _COUNTERS:
            of_step = sums.setdefault(step.number, {})
            of_step[what] = of_step.get(what, 0) + value
    return tuple(_step_report(step, sums.get(step.number)) for step in built.steps)


def _step_report(step: Any, found: dict[str, int] | None) -> StepReport:
    if found is None:
        return StepReport(step.label, step.type, None, None, None, None)
    seconds = found["busy_us"] / 1e6 if "busy_us" in found else None
    return StepReport(
        step.label,
        step.type,
        found.get("rows_in"),
        found.get("rows_out"),
        found.get("rows_rejected", 0) if step.entry and step.entry.rejects else None,
        seconds,
    )


def run(built: Built, counts: Callable[[], dict[tuple[str, str], int]]) -> RunReport:
    """Runs the pipeline to its end.

    Args:
      built: with a runner.
      counts: tells the counters of the runner.

    Raises:
      BlocksError: why it failed, with the place of the step in the file.
    """
    start = time.monotonic()
    try:
        built.pipeline.run().wait_until_finish()
    except Exception as error:
        raise located(built, error) from error
    seconds = time.monotonic() - start
    rejects, at = _rejects(built)
    return RunReport(
        built.snippet.name, seconds, step_reports(built, counts()), rejects, at, tuple(table_reports(built))
    )


def located(built: Built, error: Exception) -> BlocksError:
    """The error of a run, with the place of its step; without the text of errors that are not of `blocks`.

    Such a text may hold a value of a record.
    """
    failure = failure_of(error)
    step = built.step_of(failure.label)
    place = f"{built.snippet.document.where(step.place)}, step `{step.label}`" if step else built.snippet.document.file
    if failure.error is None:
        fix = "see the traceback with --debug; mind that it may show values of records"
        return BlocksError(f"{failure.kind} while running", where=place, fix=fix)
    found = failure.error
    if found.problems != BlocksError(found.what, where=found.where, fix=found.fix).problems:
        return type(found)(found.what, where=place, problems=found.problems)
    return type(found)(found.what, where=f"{place}: {found.where}" if found.where else place, fix=found.fix)


def _rejects(built: Built) -> tuple[dict[str, int] | None, str]:
    if built.rejects is None:
        return None, ""
    if "://" in built.rejects.path:
        return None, f"{built.rejects.path.rstrip('/')}/{built.rejects.run_id}/*.parquet"
    folder = Path(built.rejects.path) / built.rejects.run_id
    if not folder.is_dir():
        return {}, ""
    codes = ds.dataset(folder, format="parquet").to_table(columns=["code"]).column("code").value_counts()
    counted = {one["values"].as_py(): one["counts"].as_py() for one in codes}
    return dict(sorted(counted.items(), key=lambda item: -item[1])), str(folder / "*.parquet")
