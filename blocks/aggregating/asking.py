"""What blocks over events share: options, what they need of their input, how their outputs are typed."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindows

from blocks.aggregating.in_batch import Grid
from blocks.core.batch_type import BatchType
from blocks.core.durations import duration_micros
from blocks.core.errors import ConfigError, Problem
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG

# In a stream each batch is split by shard, and a step costs some milliseconds however few events it has.
SHARDS, STREAM_SHARDS = 64, 16
Moment = str | date | datetime
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def typed(step: beam.DoFn, output: pa.Schema) -> Any:
    """A step with batches of a schema under `rows`, and rejects."""
    made = beam.ParDo(step).with_output_types(BatchType(output), **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
    return made.with_outputs(REJECTS_TAG, main="rows")


def check_windows(pcoll: beam.PCollection, what: str, block: str) -> None:
    """Raises a ConfigError for input that is in windows."""
    if not isinstance(pcoll.windowing.windowfn, GlobalWindows):
        raise ConfigError(
            f"{what} are in windows, and what belongs together is part of the definition",
            where=block,
            fix=f"put {block} before WindowRows",
        )


def shards_of_input(shards: int | None, pcoll: beam.PCollection) -> int:
    """The number of shards: what is asked for, or what suits a batch or a stream."""
    return shards or (SHARDS if pcoll.is_bounded else STREAM_SHARDS)


def shards_problems(shards: Any) -> Iterator[Problem]:
    """A problem with a number of shards that cannot be used."""
    if shards is None:
        return
    if not isinstance(shards, int) or isinstance(shards, bool) or not 1 <= shards <= 1 << 20:
        what = f"expected a whole number from 1 to {1 << 20}, got {shards!r}"
        yield Problem(what, "shards", "leave out shards for the default")


def grid_of(start: Any, end: Any, every: Any, problems: list[Problem]) -> Grid | None:
    """The steps of a range; None where none is asked for; `problems` grows by what is wrong."""
    if end is None:
        for name, value in (("start", start), ("every", every)):
            if value is not None:
                problems.append(Problem(f"`{name}` without `end`", name, "say where the range ends: end='2026-02-01'"))
        return None
    last = _micros(end, "end", problems)
    first = last - 1 if start is None else _micros(start, "start", problems)
    before = len(problems)
    step = 0 if every is None else duration_micros(every, "every", problems)
    if every is not None and not step and len(problems) == before:
        problems.append(Problem("`every` is no time at all", "every", "write a length of time, such as 1d"))
    if every is not None and start is None:
        problems.append(Problem("`every` without `start`", "start", "say where the range begins"))
    if start is not None and first >= last and not problems:
        problems.append(Problem("the range ends before it begins", "end", "name a later end"))
    return Grid(first, last, step)


def _micros(value: Any, option: str, problems: list[Problem]) -> int:
    if isinstance(value, date) and not isinstance(value, datetime):
        # What YAML makes of a day without quotes.
        value = datetime.combine(value, time())
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        what = f"expected a day or a time, got {value!r}"
        problems.append(Problem(what, option, "write it as 2026-01-31 or 2026-01-31T12:00:00Z"))
        return 0
    # A day, or a time without a zone, is UTC, as everywhere in the contract.
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return (moment - _EPOCH) // _MICROSECOND
