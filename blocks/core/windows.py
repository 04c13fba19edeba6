"""WindowRows: windows for batches, by the event time of every row."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.transforms import window as beam_windows
from apache_beam.utils.windowed_value import WindowedValue

from blocks.core import guards
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.durations import Duration
from blocks.core.errors import ConfigError, Problem, RejectedRecordError, SchemaError, all_problems
from blocks.core.labels import event_time_of
from blocks.core.times import check_event_time, earliest, micros
from blocks.core.triggers import TriggerSource
from blocks.core.windowing import read_accumulation, read_windowing, read_windows, window_into
from blocks.core.wire import take


class WindowRows(beam.PTransform, guards.SplitsByWindow):
    """Puts rows into windows by their event time, splitting batches so that each holds rows of one window only.

    Input: batches with an event-time column (or name it with `event_time`).
    Output: the same rows; each batch's timestamp is its earliest event time, its windows are those of all its rows. As
    in Beam, a row that the function puts into no window (sliding windows with gaps) goes.
    Rejects: none; a null event time stops the pipeline (`ReadJson` rejects such records as `bad_event_time`).
    Nulls: only in other columns.
    State: none.
    Cost: a sort of the window numbers where a batch spans windows, otherwise none; slices and takes in Arrow.

    Triggers, accumulation and allowed lateness are Beam's, and act where rows are next brought together: in a block or
    transform that groups. What comes later than the allowed lateness is dropped there, by Beam. Of bounded input a
    window is given once, whole, whatever the trigger. docs/windows.md has more.

    Args:
      windowfn: any of Beam's non-merging window functions; or
      windows: `{type: tumbling, size: 1h}`, `{type: hopping, size: 1h, period: 10m}` or `{type: global}`, the first two
        with an `offset`. Sessions merge rows one by one: put them on rows (`AsRows`, then `WindowElements`).
      event_time: column with the event time; the schema's unless given.
      trigger: when a window gives what it has; unless given once the watermark has passed it, and again for late rows.
        `after_watermark`, then once; with firings before and after, `{after_watermark: {early: ..., late: ...}}`;
        `{after_processing_time: 1m}`, `{after_count: 100}` (of elements of what is grouped), `{repeatedly: ...}`, and
        lists of them in `after_any`, `after_all`, `after_each`; or a trigger of Beam. Needs `accumulation`.
      accumulation: what a later firing has: `discarding`, what is new, or `accumulating`, all of the window so far.
      accumulation_mode: the same in Beam's own values.
      allowed_lateness: how long after its end a window takes late rows: seconds, or a time such as `1h`.

    Raises:
      ConfigError: every option that cannot be used, such as a window function that merges; a trigger that would lose
        data.
      SchemaError: no event-time column, or one that is not a timestamp with a time zone.

    Example:
      >>> windowed = events | WindowRows(windows={"type": "tumbling", "size": "1h"})

    Source: the Beam programming guide, "Windowing" and "Triggers"; "The Dataflow Model" (Akidau et al., 2015).
    """

    def __init__(
        self,
        windowfn: beam_windows.WindowFn | None = None,
        *,
        windows: Mapping[str, Any] | None = None,
        event_time: str | None = None,
        trigger: TriggerSource | None = None,
        accumulation: str | None = None,
        accumulation_mode: Any = None,
        allowed_lateness: float | Duration = 0,
    ) -> None:
        super().__init__()
        with all_problems("WindowRows", ConfigError) as problems:
            found = _window_function(windowfn, windows, problems)
            mode = read_accumulation(accumulation, problems)
            if accumulation is not None and accumulation_mode is not None:
                fix = "take `accumulation_mode` out"
                problems.append(Problem("both `accumulation` and `accumulation_mode`", "accumulation", fix))
            elif isinstance(accumulation_mode, str):
                fix = f"write accumulation: {accumulation_mode}"
                problems.append(Problem("expected a value of beam's AccumulationMode", "accumulation_mode", fix))
            mode = mode if accumulation_mode is None else accumulation_mode
            windowing = read_windowing(found, trigger, mode, allowed_lateness, problems)
        assert windowing is not None
        self._windowing, self._trigger, self._event_time = windowing, trigger, event_time

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the windows."""
        schema = schema_of(pcoll, "WindowRows")
        guards.watch(pcoll.pipeline)
        name = self._event_time or event_time_of(schema)
        if name is None:
            raise SchemaError(
                "the schema has no event time",
                where="WindowRows",
                fix="name it: WindowRows(..., event_time='occurred_at')",
            )
        check_event_time(schema, name, "WindowRows")
        split = beam.ParDo(_SplitByWindow(self._windowing.windowfn, name)).with_output_types(BatchType(schema))
        return pcoll | "Split" >> split | "Assign" >> window_into(self._windowing, self._trigger, pcoll.is_bounded)


def _window_function(
    windowfn: beam_windows.WindowFn | None, windows: Mapping[str, Any] | None, problems: list[Problem]
) -> beam_windows.WindowFn | None:
    if windows is not None:
        if windowfn is not None:
            problems.append(Problem("both `windowfn` and `windows`", "windows", "take one of them out"))
        return read_windows(windows, problems, merging=False)
    if windowfn is None:
        fix = "as in windows={'type': 'tumbling', 'size': '1h'}"
        problems.append(Problem("nothing says which windows", "windows", fix))
    elif not isinstance(windowfn, beam_windows.WindowFn):
        what = f"expected one of Beam's window functions, got a {type(windowfn).__name__}"
        problems.append(Problem(what, "windowfn", "as in WindowRows(beam.window.FixedWindows(3600))"))
    elif not isinstance(windowfn, beam_windows.NonMergingWindowFn):
        what = f"{type(windowfn).__name__} merges windows row by row, which batches cannot follow"
        problems.append(Problem(what, "windowfn", "put sessions on rows: AsRows, then WindowElements"))
    else:
        return windowfn
    return None


class _SplitByWindow(beam.DoFn):
    def __init__(self, windowfn: beam_windows.WindowFn, event_time: str) -> None:
        self._windowfn, self._event_time = windowfn, event_time

    def process(self, batch: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[Any]:
        column = batch.column(self._event_time)
        if column.null_count:
            raise RejectedRecordError(
                f"{column.null_count} rows without an event time have no window",
                where=f"WindowRows, field `{self._event_time}`",
                fix="reject them before: ReadJson(event_time=...), or filter them",
            )
        for part in split_by_window(batch, micros(column), self._windowfn):
            # The old window goes along to WindowInto, and its end does not bound the time.
            yield WindowedValue(part, earliest(part, self._event_time), (window,))


def split_by_window(
    batch: pa.RecordBatch, times: pa.Array, windowfn: beam_windows.WindowFn
) -> Iterator[pa.RecordBatch]:
    """The batch in parts whose rows have the same windows, in order of time; rows keep their order within a part.

    Args:
      batch: at least one row.
      times: int64 microseconds since the epoch, one a row, no nulls.
      windowfn: a non-merging window function.
    """
    groups = _groups(times.to_numpy(), windowfn)
    numbers, inverse = np.unique(groups, return_inverse=True)
    if len(numbers) == 1:
        yield batch
        return
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(numbers) + 1))
    for start, stop in itertools.pairwise(bounds):
        yield take(batch, pa.array(order[start:stop]))


def _groups(times: "np.ndarray[Any, Any]", windowfn: beam_windows.WindowFn) -> "np.ndarray[Any, Any]":
    """A number for each row; rows of equal numbers are in exactly the same windows."""
    if isinstance(windowfn, beam_windows.GlobalWindows):
        return np.zeros(len(times), np.int64)
    if type(windowfn) is beam_windows.FixedWindows:
        return (times - windowfn.offset.micros) // windowfn.size.micros
    if type(windowfn) is beam_windows.SlidingWindows:
        # Within a period the oldest window ends once, at what is left of the size.
        periods, since = np.divmod(times - windowfn.offset.micros, windowfn.period.micros)
        return 2 * periods + (since < windowfn.size.micros % windowfn.period.micros)
    distinct, inverse = np.unique(times, return_inverse=True)
    known: dict[Any, int] = {}
    numbers = []
    # A window function of the user's own: ask it once for each distinct time.
    for moment in distinct.tolist():
        stamp = beam.utils.timestamp.Timestamp(micros=moment)
        context = beam_windows.WindowFn.AssignContext(stamp, element=None)
        windows = frozenset(windowfn.assign(context))
        numbers.append(known.setdefault(windows, len(known)))
    return np.array(numbers, np.int64)[inverse]
