"""AggregateEvents: features of keys over their events, the same in batch, in a stream and as of any time."""

import copy
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.types as pat
from apache_beam.typehints import Tuple

from blocks.aggregating.asking import Moment, check_windows, grid_of, shards_of_input, shards_problems, typed
from blocks.aggregating.in_batch import AtEvents, AtMoments, AtSteps
from blocks.aggregating.in_stream import Clock, SeededFeatures, StreamFeatures, wall_clock
from blocks.aggregating.inputs import AS_OF, EVENTS, SEED, named_inputs
from blocks.aggregating.partials import Partials
from blocks.aggregating.plan import TRUNCATED, Plan, make_plan
from blocks.aggregating.pretiling import AtTiledSteps, TileEvents, tiles_are_enough
from blocks.aggregating.reading import DefinitionSource, read_definition
from blocks.aggregating.seeding import Seeds, check_seed
from blocks.aggregating.spreading import PackEvents, SpreadMoments, spread_events, to_shards
from blocks.core import guards, labels
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.durations import Duration
from blocks.core.errors import ConfigError, Problem, SchemaError, all_problems
from blocks.core.policy import PolicySource, check_destination, read_policy
from blocks.core.rejects import REJECT_SCHEMA, REJECTS_TAG, Rejects
from blocks.shaping.columns import missing_columns

VERSION = "0.1.0"


class AggregateEvents(beam.PTransform):
    """Computes features of keys over their events: sums, counts, distinct counts, quantiles, latest values, in windows.

    What a value is stands in docs/aggregation-contract.md: a fold, in the order of event time and event id, over the
    distinct events of a key whose time lies in a window that ends before `as_of`. It depends on the events only, not on
    their order, on bundles, or on how a result is asked for.

    Input: batches with the columns that the definition names, in the global window; or a dict of PCollections of
    batches, `events` and `as_of` (or `seed`), as a snippet gives them.
    Output: columns of the key, `as_of`, `revision`, `reason`, the features, and `truncated`: the names of features that
    leave something out because of a bound. No order. Which rows there are:

    - of bounded events, a row for each event as of a microsecond after it (`emit: {on_event: true}`, or
      `on_condition`); with `end`, rows as of the steps of a range, for keys with an event within their windows; with
      `as_of`, the rows of another PCollection with the features as of their time, followed by `truncated`
      (point-in-time correct: nothing at or after that time counts);
    - of a stream, what `emit` says: on each event, on a condition, every so often, at the end of windows, after idle
      time. `reason` tells which: `event`, `condition`, `timer`, `window_end`, `idle`; `expiry` is the last row of a key
      before its state is freed, `deletion` says that all rows of a key up to it are void. An accepted event that is
      older than rows that went out gives them again: `correction`, with a higher `revision`. Of the rows of (key,
      `as_of`) the one with the highest revision counts, and equals what a batch gives.

    Rejects: `bad_event_time`, `null_key`, `null_event_id` (null), `expression_failed` (a condition that cannot be
    computed), `conflict` (the key, time and id of another event, and other content; the one with the smaller content
    hash stays), of a spine `bad_event_time` and `null_key`; in a stream also `late` (older than the newest event of its
    key less `lateness`, row by row, whatever the watermark) and `too_early` (further ahead of the clock than `ahead`).
    They say which event it was; what else the definition does not read of it is not kept. Rows in = events + duplicates
    (a counter) + deleted (a counter) + rejects.
    Nulls: events without a value in the column of a feature do not count for it.
    State: none in batch. In a stream one value for each shard: the events of its keys back to `lateness`, a cell for
    each operation and step of its windows before that, and 40 bytes for each row that may still be corrected; freed
    `state_ttl` (and up to a sixteenth of it) after the last event of a key, by a timer of event time. A new version of
    the job may have another definition: features that both have go on, new ones are `truncated` until their windows
    begin after the change, and with another key, event time or identity all keys begin anew; the log says so.
    Cost: one shuffle of the columns that are needed. In batch each shard is sorted in memory: about 100 bytes an event
    and what its columns take; a feature costs some tens of nanoseconds an event for sums and counts, and up to some
    microseconds a result for sketches over many events. In a stream the state of a shard is read and written for each
    batch of its events: large batches cost less.

    Args:
      definition: path of a YAML file, or its content as a mapping.
      as_of: PCollection of batches with the key's columns and a time, for training sets.
      moment: column of `as_of` with the time; that which is marked as event time unless given.
      start: a range begins after it: `2026-01-31`, `2026-01-31T12:00:00Z` or a `datetime`.
      end: the range ends at it.
      every: the step: `1h`, `1d`; without it, only `end`.
      policy: what may be shuffled (destination `shuffle`), and in a stream kept in state (`state`).
      rejects: where rows go that cannot be events; without it the first of them stops the pipeline.
      shards: number of groups of keys; 64 of bounded events and 16 of a stream unless given. More of them need less
        memory each and make smaller batches: in a stream take one to four for each core, and no more than leave some
        150 events of a batch to each; above a million keys one for each 40,000, and larger batches.
      seed: PCollection of partial aggregates (`SeedAggregates`, over events of the past) with which a stream begins;
        events are held back until all of them are there.
      clock: tells the processing time of a stream, in microseconds since the epoch; for tests.

    Raises:
      ConfigError: a definition or an option that cannot be used, with every problem and its line and column.
      SchemaError: columns that are not there or do not fit an operation.
      PrivacyError: columns that the policy does not let into a shuffle; a key that is personal has to be masked first.

    Example:
      >>> spend = {"name": "spend_7d", "op": "sum", "column": "amount", "window": "7d"}
      >>> velocity = {"entity": {"key": "user_id"}, "source": {"event_id": "event_id"}, "features": [spend]}
      >>> events | AggregateEvents(velocity, start="2026-01-01", end="2026-02-01", every="1d")

    Source: the contract in docs/aggregation-contract.md; Chronon (Airbnb) for operations and point-in-time correctness.
    """

    can_reject = True

    def __init__(
        self,
        definition: DefinitionSource,
        *,
        as_of: beam.PCollection | None = None,
        moment: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        every: Duration | None = None,
        policy: PolicySource = None,
        rejects: Rejects | None = None,
        shards: int | None = None,
        seed: beam.PCollection | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock or wall_clock
        self._definition = read_definition(definition)
        self._spine, self._moment, self._shards, self._seed = as_of, moment, shards, seed
        with all_problems("AggregateEvents", ConfigError) as problems:
            self._grid = grid_of(start, end, every, problems)
            if as_of is not None and self._grid is not None:
                fix = "ask for one of them: the steps of a range, or the moments of a spine"
                problems.append(Problem("both `as_of` and a range", "as_of", fix))
            problems.extend(shards_problems(shards))
        self._policy = read_policy(policy)
        self.rejects = rejects

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        if not isinstance(pcoll, beam.PCollection):
            return self._with(pcoll)
        if self._moment is not None and self._spine is None:
            fix = "leave it out: it names the time of `as_of`"
            raise ConfigError("`moment` without `as_of`", where="AggregateEvents, moment", fix=fix)
        schema = schema_of(pcoll, "AggregateEvents")
        plan = make_plan(self._definition, schema, "AggregateEvents", self._policy)
        check_windows(pcoll, "the events", "AggregateEvents")
        stream = not pcoll.is_bounded
        if stream and (self._spine is not None or self._grid is not None):
            raise ConfigError(
                "`as_of` and ranges are for bounded events, and these are a stream",
                where="AggregateEvents",
                fix="say under `emit` when the stream gives rows",
            )
        if self._seed is not None and not stream:
            raise ConfigError(
                "`seed` is for streams, and these events are bounded",
                where="AggregateEvents",
                fix="leave it out: a batch computes features from all events",
            )
        self._check_emission(stream)
        guards.watch(pcoll.pipeline, self._policy)
        for destination in ("shuffle", "state") if stream else ("shuffle",):
            check_destination(plan.shown, self._policy, destination, "AggregateEvents")
        settings = None if self.rejects is None else self.rejects.settings()
        shards = shards_of_input(self._shards, pcoll)
        if tiles_are_enough(plan, self._grid):
            return self._from_tiles(pcoll, plan, settings, shards)
        sent = pcoll | "Spread" >> spread_events(plan, "AggregateEvents", VERSION, shards, settings)
        if stream:
            found = self._of_stream(sent.sharded, plan, settings, shards)
        elif self._spine is not None:
            found = self._at_moments(sent.sharded, plan, settings, shards)
        else:
            batch = AtEvents(plan, "AggregateEvents", VERSION, settings)
            if self._grid is not None:
                batch = AtSteps(plan, "AggregateEvents", VERSION, settings, self._grid)
            groups = sent.sharded | "Group" >> beam.GroupByKey()
            found = groups | "Aggregate" >> typed(batch, plan.output)
        if self.rejects is not None:
            self.rejects.add_error_pcollection(sent[REJECTS_TAG])
            self.rejects.add_error_pcollection(found[REJECTS_TAG])
        return found.rows

    def _from_tiles(self, pcoll: beam.PCollection, plan: Plan, settings: Any, shards: int) -> beam.PCollection:
        """The steps of a range from partial aggregates, which are shuffled in the place of events."""
        assert self._grid is not None
        partials = Partials(plan).schema
        check_destination(partials, self._policy, "shuffle", "AggregateEvents")
        tile = TileEvents(plan, "AggregateEvents", VERSION, shards, settings)
        sent = pcoll | "Tile" >> to_shards(tile, partials)
        step = AtTiledSteps(plan, "AggregateEvents", VERSION, settings, self._grid)
        found = sent.sharded | "Group" >> beam.GroupByKey() | "Aggregate" >> typed(step, plan.output)
        if self.rejects is not None:
            self.rejects.add_error_pcollection(sent[REJECTS_TAG])
            self.rejects.add_error_pcollection(found[REJECTS_TAG])
        return found.rows

    def _with(self, given: Any) -> beam.PCollection:
        """Applies the block to inputs with names, as a snippet has them."""
        inputs = named_inputs(given, {AS_OF: self._spine, SEED: self._seed}, self._grid is not None)
        made = copy.copy(self)
        # A copy as for a worker, which has only the settings of the rejects.
        made.rejects = self.rejects
        made._spine, made._seed = inputs.get(AS_OF, self._spine), inputs.get(SEED, self._seed)
        return made.expand(inputs[EVENTS])

    def _check_emission(self, stream: bool) -> None:
        emit = self._definition.emit
        on_events = emit.on_event or bool(emit.on_condition)
        if stream and not (on_events or emit.every or emit.at_window_end or emit.after_idle):
            fix = "write `emit: {on_event: true}`, on_condition, every, at_window_end or after_idle"
            raise ConfigError("the definition does not say when a stream gives rows", where="AggregateEvents", fix=fix)
        if not stream and self._spine is None and self._grid is None and not on_events:
            fix = "give a range (start=, end=, every=) or as_of=, or write `emit: {on_event: true}`"
            raise ConfigError("the definition does not say when a batch gives rows", where="AggregateEvents", fix=fix)

    def _of_stream(self, sharded: beam.PCollection, plan: Plan, settings: Any, shards: int) -> Any:
        if self._seed is None:
            step = StreamFeatures(plan, "AggregateEvents", VERSION, settings, self._clock)
            return sharded | "Aggregate" >> typed(step, plan.output)
        check_seed(schema_of(self._seed, "AggregateEvents"), plan)
        check_windows(self._seed, "`seed`", "AggregateEvents")
        if not self._seed.is_bounded:
            raise ConfigError(
                "`seed` is a stream", where="AggregateEvents", fix="read the table of partial aggregates as a batch"
            )
        for destination in ("shuffle", "state"):
            check_destination(Partials(plan).schema, self._policy, destination, "AggregateEvents")
        kinds = Tuple[int, Tuple[bool, bytes]]
        live = sharded | "Pack" >> beam.ParDo(PackEvents(plan.projected)).with_output_types(kinds)
        both = (live, self._seed | "Seeds" >> Seeds(plan, shards)) | "Meet" >> beam.Flatten()
        step = SeededFeatures(plan, "AggregateEvents", VERSION, settings, self._clock)
        return both | "Aggregate" >> typed(step, plan.output)

    def _at_moments(self, sharded: beam.PCollection, plan: Plan, settings: Any, shards: int) -> Any:
        assert self._spine is not None
        spine = schema_of(self._spine, "AggregateEvents, `as_of`")
        moment = self._moment or labels.event_time_of(spine) or ""
        keys = list(plan.definition.key)
        with all_problems("AggregateEvents", SchemaError) as problems:
            _check_spine(spine, keys, moment, plan, problems)
        check_windows(self._spine, "`as_of`", "AggregateEvents")
        if not self._spine.is_bounded:
            raise ConfigError(
                "`as_of` is a stream", where="AggregateEvents", fix="give the moments as a bounded PCollection"
            )
        check_destination(spine, self._policy, "shuffle", "AggregateEvents")
        cut = plan.output.field(TRUNCATED)
        output = pa.schema([*spine, *(one.field for one in plan.outputs), cut])
        # Two kinds of batches in one group: as the bytes that their coder writes.
        kinds = Tuple[int, Tuple[bool, bytes]]
        pack = beam.ParDo(PackEvents(plan.projected)).with_output_types(kinds)
        spread = beam.ParDo(SpreadMoments(plan, "AggregateEvents", VERSION, shards, settings, spine, moment))
        sent = spread.with_output_types(kinds, **{REJECTS_TAG: BatchType(REJECT_SCHEMA)})
        asked = self._spine | "Spread moments" >> sent.with_outputs(REJECTS_TAG, main="sharded")
        if self.rejects is not None:
            self.rejects.add_error_pcollection(asked[REJECTS_TAG])
        met = (sharded | "Pack" >> pack, asked.sharded) | "Meet" >> beam.Flatten()
        step = AtMoments(plan, "AggregateEvents", VERSION, settings, moment, spine, output)
        return met | "Group" >> beam.GroupByKey() | "Look back" >> typed(step, output)

    def __getstate__(self) -> dict[str, Any]:
        # The handler and the spine hold PCollections, which belong to the pipeline and not to the worker.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None, "_spine": None, "_seed": None}


def _check_spine(spine: pa.Schema, keys: list[str], moment: str, plan: Plan, problems: list[Problem]) -> None:
    problems.extend(missing_columns(keys, spine, "as_of"))
    for name in keys:
        if name in spine.names:
            events, asked = plan.schema.field(name), spine.field(name)
            if _kind(events.type) != _kind(asked.type):
                what = f"the key `{name}` is {asked.type}, and that of the events is {events.type}"
                problems.append(Problem(what, "as_of", "cast one of them: CastColumns"))
            elif labels.masked_of(events) != labels.masked_of(asked):
                how = "not masked" if labels.masked_of(asked) is None else "masked in another way"
                what = f"the key `{name}` is {how}, unlike that of the events"
                problems.append(Problem(what, "as_of", "mask both by the same method and key: MaskColumns"))
    if not moment:
        problems.append(Problem("no column of `as_of` is marked as the event time", "moment", "name it: moment=..."))
    else:
        problems.extend(missing_columns([moment], spine, "moment"))
        if moment in spine.names and not (
            pat.is_timestamp(spine.field(moment).type) and spine.field(moment).type.tz is not None
        ):
            what = f"column `{moment}` is {spine.field(moment).type}, not a time with a zone"
            problems.append(Problem(what, "moment", "make it timestamp[us, tz=UTC]: CastColumns"))
    taken = [one.feature.name for one in plan.outputs if one.feature.name in spine.names]
    taken += [TRUNCATED] if TRUNCATED in spine.names else []
    fix = "rename it: RenameColumns"
    problems.extend(Problem(f"`as_of` has a column `{name}` already", "as_of", fix) for name in taken)


def _kind(data_type: pa.DataType) -> str:
    for kind in (pat.is_string, pat.is_large_string, pat.is_string_view):
        if kind(data_type):
            return "text"
    return "whole number" if pat.is_integer(data_type) else str(data_type)
