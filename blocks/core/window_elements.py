"""WindowElements: Beam's windows for rows, sessions too, from options."""

from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.timestamp import MIN_TIMESTAMP

from blocks.core import guards
from blocks.core.batch_type import BatchType
from blocks.core.durations import Duration
from blocks.core.errors import BatchTypeError, ConfigError, RejectedRecordError, all_problems
from blocks.core.triggers import TriggerSource
from blocks.core.windowing import read_accumulation, read_windowing, read_windows, window_into


class WindowElements(beam.PTransform):
    """Puts rows into Beam's windows by their timestamps: tumbling, hopping, sessions, with triggers.

    It is `beam.WindowInto`, from options that a snippet can hold. Windows are Beam's and act where rows are next
    brought together by a key: there sessions of a key merge, triggers fire, and what comes later than the allowed
    lateness is dropped. Of bounded input a window is given once, whole, whatever the trigger. docs/windows.md says when
    to use this, and when `AggregateEvents`.

    Input: rows with timestamps, such as `AsRows` gives for a schema with an event time.
    Output: the same rows, in their windows; a row is in several hopping windows.
    Rejects: none; a row without a timestamp stops the pipeline, unless the window is the global one.
    Nulls: kept.
    State: none of its own; what is grouped by window is with the runner until the window ends, plus `allowed_lateness`.
    Cost: for one window about one and a half times what `AsRows` costs; `WindowRows` costs less than a tenth of both.

    Args:
      windows: `{type: tumbling, size: 1h}`, `{type: hopping, size: 1h, period: 10m}`, `{type: session, gap: 30m}` or
        `{type: global}`; the first two may have an `offset`.
      trigger: when a window gives what it has; unless given once the watermark has passed it, and again for late rows.
        `after_watermark`, then once; with firings before and after, `{after_watermark: {early: ..., late: ...}}`;
        `{after_processing_time: 1m}`, `{after_count: 100}` (of rows of a key), `{repeatedly: ...}`, and lists of
        them in `after_any`, `after_all`, `after_each`; or a trigger of Beam. Needs `accumulation`.
      accumulation: what a later firing has: `discarding`, what is new, or `accumulating`, all of the window so far.
      allowed_lateness: how long after its end a window takes late rows: seconds, or a time such as `1h`.

    Raises:
      ConfigError: every option that cannot be used; a trigger that would lose data.
      BatchTypeError: the input is made of batches; those go through `WindowRows`.
      RejectedRecordError: (when run) a row without a timestamp.

    Example:
      >>> visits = rows | WindowElements({"type": "session", "gap": "30m"})

    Source: the Beam programming guide, "Windowing" and "Triggers"; "The Dataflow Model" (Akidau et al., 2015).
    """

    def __init__(
        self,
        windows: Mapping[str, Any],
        *,
        trigger: TriggerSource | None = None,
        accumulation: str | None = None,
        allowed_lateness: float | Duration = 0,
    ) -> None:
        super().__init__()
        with all_problems("WindowElements", ConfigError) as problems:
            windowfn = read_windows(windows, problems, merging=True)
            mode = read_accumulation(accumulation, problems)
            windowing = read_windowing(windowfn, trigger, mode, allowed_lateness, problems)
        assert windowing is not None
        self._windowing, self._trigger = windowing, trigger

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the windows."""
        if isinstance(pcoll.element_type, BatchType):
            raise BatchTypeError(
                "a batch would go whole into the window of its earliest row",
                where="WindowElements",
                fix="use WindowRows for batches, or put AsRows before",
            )
        guards.watch(pcoll.pipeline)
        into = window_into(self._windowing, self._trigger, pcoll.is_bounded)
        if not isinstance(self._windowing.windowfn, GlobalWindows):
            check = beam.ParDo(_RefuseTimeless()).with_output_types(pcoll.element_type)
            pcoll = pcoll | "Times" >> check
        return pcoll | "Assign" >> into


class _RefuseTimeless(beam.DoFn):
    """Stops at an element without a time: Beam would put all such into one window before all time."""

    def process(self, element: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[Any]:
        if timestamp <= MIN_TIMESTAMP:
            raise RejectedRecordError(
                "a row without a timestamp has no window",
                where="WindowElements",
                fix="mark the event time in the schema before AsRows, or put AssignTimestamps before",
            )
        yield element
