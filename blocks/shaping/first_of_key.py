"""FirstOfKey: of rows with one identity the first, chosen by data, in batch and in streams; a part of other blocks.

Rows of one identity meet in a shard, by a hash of the identity, and travel in batches, as Arrow messages. Two plans
give the same rows:

- *groups*, for bounded input with Beam's default trigger: a GroupByKey by shard; each group is read up to three times
  (what stands more than once; the smallest of those; the rows), so that no rows are held.
- *state*, for everything else: `blocks.shaping.waiting_rows`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.trigger import DefaultTrigger
from apache_beam.transforms.window import GlobalWindows, NonMergingWindowFn
from apache_beam.typehints import Tuple

from blocks.core import guards
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.block import stamped
from blocks.core.errors import ColumnError, ConfigError, all_problems
from blocks.core.policy import Policy, PolicySource, check_destination, read_policy
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, RejectSettings
from blocks.core.times import check_event_time, earliest
from blocks.shaping.columns import missing_columns
from blocks.shaping.first_options import DUPLICATES_TAG, FirstOptions, RowOutput
from blocks.shaping.first_rows import (
    any_null,
    digests_of,
    first_rows,
    key_problems,
    shards_of,
    split_rows,
    type_problems,
)
from blocks.shaping.sharding import by_shard
from blocks.shaping.waiting_rows import WaitForTime

DAY = 86_400_000_000
SHARDS = 64


class FirstOfKey(beam.PTransform):
    """Splits rows into the first of each identity, and the others.

    Of rows of one identity the one with the smallest hash of its content stays, so the choice does not depend on order,
    bundles or mode; identical rows cannot be told apart. In a stream that holds for rows that come before the watermark
    reaches the second of their event time; see `blocks.shaping.waiting_rows` for later ones.

    Input: batches, bounded or not; windows are kept, and identities count within a window.
    Output: a dict of PCollections: `rows` and `duplicates`, both batches of the input's schema, and `rejects`, batches
      of `REJECT_SCHEMA`. Rows in = rows + duplicates + rejects.
    Rejects: `bad_event_time` (null), `late` (in a stream, older than what is remembered).
    State: see the two plans in the module's docstring.

    Metrics: `rows_in`, `rows_out`, `rows_rejected` and `duplicates` under the name of the block.

    Args:
      columns: the identity; at least one, single values.
      block: name of the block that this is a part of.
      version: its version.
      event_time: column with the event time, which then is part of the identity; None: the identity is `columns` only,
        and in a stream rows wait for the end of their window.
      remember: microseconds of event time for which a stream remembers an identity after it went out.
      policy: checked for `shuffle`, and for `state` where state is kept.
      settings: `rejects.settings()` of the block; None if the first reject is to stop the pipeline.
      shards: number of groups; memory goes down with it, and batches become smaller.
      null_keys: `equal` or `distinct`, as in `FirstOptions`.
    """

    def __init__(
        self,
        columns: Sequence[str],
        block: str,
        version: str,
        *,
        event_time: str | None = None,
        remember: int = DAY,
        policy: PolicySource = None,
        settings: RejectSettings | None = None,
        shards: int = SHARDS,
        null_keys: Literal["equal", "distinct"] = "equal",
    ) -> None:
        super().__init__()
        names = tuple(dict.fromkeys([*columns, *([event_time] if event_time else [])]))
        self._options = FirstOptions(block, version, names, event_time, remember, shards, null_keys, settings)
        self._policy: Policy = read_policy(policy)

    def expand(self, pcoll: beam.PCollection) -> Any:
        """Applies the transform.

        Raises:
          ColumnError, SchemaError: columns that are not there, or that cannot be compared.
          PrivacyError: columns that may not be shuffled, or kept in state.
          ConfigError: an endless window without an event time, or windows that merge.
        """
        options, block = self._options, self._options.block
        schema = schema_of(pcoll, block)
        self._check_columns(schema)
        windowing = pcoll.windowing
        grouped = pcoll.is_bounded and isinstance(windowing.triggerfn, DefaultTrigger)
        if not grouped and options.event_time is None and isinstance(windowing.windowfn, GlobalWindows):
            raise ConfigError(
                "a stream without windows and without an event time: no row could ever go on",
                where=block,
                fix="mark the event time in the schema, or put WindowRows before this block",
            )
        if not isinstance(windowing.windowfn, NonMergingWindowFn):
            raise ConfigError(
                f"{type(windowing.windowfn).__name__} merge windows, and rows of merged windows would meet",
                where=block,
                fix="put this block before the sessions, or use windows that do not merge",
            )
        guards.watch(pcoll.pipeline, self._policy)
        for destination in ("shuffle",) if grouped else ("shuffle", "state"):
            check_destination(schema, self._policy, destination, block)
        spread = beam.ParDo(_Spread(options, schema)).with_output_types(
            Tuple[int, Tuple[BatchType(schema), bytes]],
            apart=BatchType(schema),
            **{REJECTS_TAG: BatchType(REJECT_SCHEMA)},
        )
        sent = pcoll | "Spread" >> spread.with_outputs("apart", REJECTS_TAG, main="sharded")
        if grouped:
            groups = sent.sharded | "Group" >> beam.GroupByKey()
            first: beam.DoFn = _FirstOfGroup(options, schema)
        else:
            groups = sent.sharded
            first = WaitForTime(options, schema)
        more = {DUPLICATES_TAG: BatchType(schema), REJECTS_TAG: BatchType(REJECT_SCHEMA)}
        typed = beam.ParDo(first).with_output_types(BatchType(schema), **more)
        found = groups | "First" >> typed.with_outputs(*more, main="rows")
        rows, rejects = found.rows, sent[REJECTS_TAG]
        if options.null_keys == "distinct":
            rows = (rows, sent.apart) | "With null keys" >> beam.Flatten()
        if not grouped:
            rejects = (rejects, found[REJECTS_TAG]) | "Rejects" >> beam.Flatten()
        return {"rows": rows, DUPLICATES_TAG: found[DUPLICATES_TAG], REJECTS_TAG: rejects}

    def _check_columns(self, schema: pa.Schema) -> None:
        options = self._options
        with all_problems(options.block, ColumnError) as problems:
            if not options.columns:
                raise ConfigError("no columns", where=options.block, fix="name at least one column")
            unknown = [name for name in options.columns if name not in schema.names]
            problems.extend(missing_columns(unknown, schema, "key"))
            known = [name for name in options.columns if name not in unknown]
            problems.extend(key_problems(schema, known, "key"))
            problems.extend(type_problems(schema, "columns"))
        if options.event_time is not None:
            check_event_time(schema, options.event_time, options.block)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pipeline": None}


class _Spread(beam.DoFn):
    """Rows to their shards: (shard, (batch, identities))."""

    def __init__(self, options: FirstOptions, schema: pa.Schema) -> None:
        self._options, self._schema = options, schema

    def setup(self) -> None:
        self._out = RowOutput(self._options, self._schema)

    def process(
        self, batch: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        options = self._options
        self._out.metrics.rows_in.inc(batch.num_rows)
        if options.event_time is not None:
            batch, timeless = split_rows(batch, any_null(batch, [options.event_time]))
            yield from self._out.rejected(timeless, "bad_event_time", "the event time is null")
        if options.null_keys == "distinct":
            batch, apart = split_rows(batch, any_null(batch, options.columns))
            for piece in self._out.rows(apart, timestamp, window):
                yield beam.pvalue.TaggedOutput("apart", piece)
        if not batch.num_rows:
            return
        digests = options.digests(batch)
        for shard, places, part in by_shard(batch, shards_of(digests, options.shards)):
            at = earliest(part, options.event_time)
            content = (shard, (part, digests[places].tobytes()))
            yield stamped(content, timestamp if at is None else at, window)


class _FirstOfGroup(beam.DoFn):
    """The first rows of a shard, from a GroupByKey."""

    def __init__(self, options: FirstOptions, schema: pa.Schema) -> None:
        self._options, self._schema = options, schema

    def setup(self) -> None:
        self._out = RowOutput(self._options, self._schema)

    def process(
        self, group: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        values: Iterable[tuple[pa.RecordBatch, bytes]] = group[1]
        if iter(values) is values:
            # Beam promises a group that can be read again; this is for runners that do not keep it.
            values = list(values)
        for rows, same in first_rows(lambda: ((batch, digests_of(content)) for batch, content in values)):
            yield from self._out.same(same, timestamp, window)
            yield from self._out.rows(rows, timestamp, window)
