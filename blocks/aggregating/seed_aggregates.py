"""SeedAggregates: the partial aggregates of keys after a batch, with which a stream goes on."""

from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.aggregating.aggregate_events import VERSION
from blocks.aggregating.asking import SHARDS, Moment, check_windows, grid_of, shards_problems, typed
from blocks.aggregating.partials import Partials, names_of
from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.reading import DefinitionSource, read_definition
from blocks.aggregating.seeding import PartialsOfShard
from blocks.aggregating.spreading import spread_events
from blocks.core import guards
from blocks.core.batch_type import schema_of
from blocks.core.durations import Duration
from blocks.core.errors import ConfigError, Problem, SchemaError, all_problems
from blocks.core.policy import PolicySource, check_destination, read_policy
from blocks.core.rejects import REJECTS_TAG, Rejects


class SeedAggregates(beam.PTransform):
    """Computes the partial aggregates of keys over events of the past, with which a stream of the same features begins.

    A backfill and then a stream: `AggregateEvents` over the past gives the rows of the past, this block what the stream
    has to know of it, as a table, and `AggregateEvents(seed=...)` over the stream goes on. Together they give what a
    stream from the beginning would have given: the last revision of every row is that of the contract.

    Input: bounded batches, as for `AggregateEvents`, in the global window.
    Output: a row for each key: its columns, `newest` (its newest event time), `settled` (events before it are in tiles
    only), `deleted` (its latest tombstone), `definition` (which one they are of), `events` (those not older than
    `lateness` before the newest), `tiles_...` (cells of what came before, for each hop), `emitted` (rows of the batch
    that a late event may correct, with a hash of their content). No order.
    Rejects: `bad_event_time`, `null_key`, `null_event_id` (null), `expression_failed` and `conflict`, as
    `AggregateEvents`.
    Nulls: as `AggregateEvents`.
    State: none. With `at_window_end`, a stream gives rows from the first step after which nothing is in tiles (the
    newest event of all less `lateness`), so the range of the batch has to reach that far.
    Cost: as `AggregateEvents` over the same events: one shuffle; each shard is sorted in memory.

    Args:
      definition: path of a YAML file, or its content as a mapping; that of the stream.
      start: of the range for which the batch gave rows, if it did; those at its end may have to be corrected.
      end: of that range.
      every: its step.
      policy: what may be shuffled (destination `shuffle`), and be in the table (`partials`).
      rejects: where rows go that cannot be events; without it the first of them stops the pipeline.
      shards: number of groups of keys; more of them need less memory each. The stream may have another number.

    Raises:
      ConfigError: a definition or an option that cannot be used, or a stream as input.
      SchemaError: columns that are not there or do not fit an operation.
      PrivacyError: columns that the policy does not let into a shuffle, or into partial aggregates.

    Example:
      >>> spend = {"name": "spend_7d", "op": "sum", "column": "amount", "window": "7d"}
      >>> velocity = {"entity": {"key": "user_id"}, "source": {"event_id": "event_id"}, "features": [spend]}
      >>> events | SeedAggregates(velocity)

    Source: the contract in docs/aggregation-contract.md; Chronon (Airbnb), whose batch uploads end where streams begin.
    """

    can_reject = True

    def __init__(
        self,
        definition: DefinitionSource,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        every: Duration | None = None,
        policy: PolicySource = None,
        rejects: Rejects | None = None,
        shards: int = SHARDS,
    ) -> None:
        super().__init__()
        self._definition = read_definition(definition)
        self._shards = shards
        with all_problems("SeedAggregates", ConfigError) as problems:
            self._grid = grid_of(start, end, every, problems)
            problems.extend(shards_problems(shards))
        self._policy = read_policy(policy)
        self.rejects = rejects

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns of the result, from those of the events: what reading the table again needs.

        Raises:
          SchemaError: columns that are not there or do not fit an operation.
        """
        return Partials(self._plan(schema)).schema

    def _plan(self, schema: pa.Schema) -> Plan:
        plan = make_plan(self._definition, schema, "SeedAggregates", self._policy)
        with all_problems("SeedAggregates", SchemaError) as problems:
            for name in plan.definition.key:
                if name in names_of(plan):
                    what = f"the key `{name}` is called as a column of partial aggregates is"
                    problems.append(Problem(what, "entity.key", "rename it before: RenameColumns"))
        return plan

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        schema = schema_of(pcoll, "SeedAggregates")
        plan = self._plan(schema)
        check_windows(pcoll, "the events", "SeedAggregates")
        if not pcoll.is_bounded:
            raise ConfigError(
                "partial aggregates are of events of the past, and these are a stream",
                where="SeedAggregates",
                fix="read the past as a batch, and give the result to the stream: AggregateEvents(seed=...)",
            )
        guards.watch(pcoll.pipeline, self._policy)
        output = Partials(plan).schema
        check_destination(plan.shown, self._policy, "shuffle", "SeedAggregates")
        check_destination(output, self._policy, "partials", "SeedAggregates")
        settings = None if self.rejects is None else self.rejects.settings()
        sent = pcoll | "Spread" >> spread_events(plan, "SeedAggregates", VERSION, self._shards, settings)
        step = PartialsOfShard(plan, "SeedAggregates", VERSION, settings, self._grid)
        found = sent.sharded | "Group" >> beam.GroupByKey() | "Aggregate" >> typed(step, output)
        if self.rejects is not None:
            self.rejects.add_error_pcollection(sent[REJECTS_TAG])
            self.rejects.add_error_pcollection(found[REJECTS_TAG])
        return found.rows

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None}
