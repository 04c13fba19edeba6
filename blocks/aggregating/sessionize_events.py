"""SessionizeEvents: sessions of keys, split by pauses, limits and a condition, the same in batch and in a stream."""

from typing import Any

import apache_beam as beam

from blocks.aggregating.asking import check_windows, shards_of_input, shards_problems, typed
from blocks.aggregating.in_stream import Clock, wall_clock
from blocks.aggregating.sessions.in_batch import BatchSessions
from blocks.aggregating.sessions.in_stream import StreamSessions
from blocks.aggregating.sessions.plan import plan_sessions
from blocks.aggregating.sessions.reading import SessionSource, read_sessions
from blocks.aggregating.spreading import spread_events
from blocks.core import guards
from blocks.core.batch_type import schema_of
from blocks.core.errors import ConfigError, all_problems
from blocks.core.policy import PolicySource, check_destination, read_policy
from blocks.core.rejects import REJECTS_TAG, Rejects

VERSION = "0.1.0"
_NAME = "SessionizeEvents"


class SessionizeEvents(beam.PTransform):
    """Puts the events of a key together into sessions, and computes features of each session.

    What a session is stands in docs/sessions.md. Of the distinct events of a key, in the order of event time and event
    id, a session ends before a pause as long as `gap`, before an event that would make it longer than `max_duration`,
    when it has `max_events`, and after an event for which `close_when` is true. It depends on the events only, not on
    their order, on bundles, or on batch or stream.

    Input: batches with the columns that the definition names, in the global window.
    Output: a row for each session, in no order: columns of the key; `session_id`, 32 hex digits, a hash of the key and
    of time and id of the first event; `started_at` and `ended_at`, the times of its first and last event;
    `event_count`; `closed_by`: `gap`, `max_duration`, `max_events` or `condition`; `revision`, `reason`; the features,
    over all events of the session; `events`, if the definition lists columns: the events in order, as structs; and
    `truncated`, the names of features that leave something out because of a bound. In a batch `reason` is `closed`. In
    a stream `closed` is a session that no event can change any more; `watermark` is one that the watermark has passed,
    and that an event within `lateness` may still change (none with `emit: final`); `correction` is such a one again,
    changed, with a higher `revision`; `deletion` says that there is no session of this id any more, because an event
    joined it to another one or moved its beginning (`event_count` 0, `closed_by` null); `expiry` is one of a key whose
    state is freed. Of the rows of a `session_id` the one with the highest revision counts; those are, without the
    deleted ones, the sessions that a batch gives.
    Rejects: `bad_event_time`, `null_key`, `null_event_id` (null), `expression_failed` (a condition that cannot be
    computed), `conflict` (the key, time and id of another event, and other content; the one with the smaller content
    hash stays); in a stream also `late` (older than the newest event of its key less `lateness`, row by row, whatever
    the watermark) and `too_early` (further ahead of the clock than `ahead`). They say which event it was. Rows in =
    events of all sessions + duplicates (a counter) + rejects.
    Nulls: events without a value in the column of a feature do not count for it; a condition that is null is not true.
    State: none in batch. In a stream one value for each shard: of each key its clock and the events of the sessions
    that may still change, which are those of its last `lateness` back to the beginning of the session that they are in,
    and about 70 bytes for each such session that went out. So sessions of a stream need a bound, `max_events` or
    `max_duration`. Freed `state_ttl` (and up to a sixteenth of it) after the last event of a key, by a timer of event
    time. A job goes on with another definition if that reads nothing else of the events; else all keys begin anew.
    Cost: one shuffle of the columns that are needed. In batch each shard is sorted in memory: about 100 bytes an event
    and what its columns take. In a stream the state of a shard is read and written for each batch of its events: large
    batches cost less.

    Args:
      definition: path of a YAML file, or its content as a mapping.
      policy: what may be shuffled (destination `shuffle`), and in a stream kept in state (`state`).
      rejects: where rows go that cannot be events; without it the first of them stops the pipeline.
      shards: number of groups of keys; 64 of bounded events and 16 of a stream unless given. More of them need less
        memory each, and make smaller batches.
      clock: tells the processing time of a stream, in microseconds since the epoch; for tests.

    Raises:
      ConfigError: a definition or an option that cannot be used, with every problem and its line and column.
      SchemaError: columns that are not there or do not fit.
      PrivacyError: columns that the policy does not let into a shuffle; a key that is personal has to be masked first.

    Example:
      >>> visits = {"entity": {"key": "user_id"}, "source": {"event_id": "event_id"}, "session": {"gap": "30m"}}
      >>> events | SessionizeEvents(visits)

    Source: the contract in docs/sessions.md; "The Dataflow Model" (Akidau et al., 2015) for sessions by gap, which are
    those of Beam's `Sessions`.
    """

    can_reject = True

    def __init__(
        self,
        definition: SessionSource,
        *,
        policy: PolicySource = None,
        rejects: Rejects | None = None,
        shards: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock or wall_clock
        self._definition = read_sessions(definition)
        with all_problems(_NAME, ConfigError) as problems:
            problems.extend(shards_problems(shards))
        self._shards = shards
        self._policy = read_policy(policy)
        self.rejects = rejects

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        schema = schema_of(pcoll, _NAME)
        plan = plan_sessions(self._definition, schema, _NAME, self._policy)
        stream = not pcoll.is_bounded
        self._check_input(pcoll, stream)
        guards.watch(pcoll.pipeline, self._policy)
        for destination in ("shuffle", "state") if stream else ("shuffle",):
            check_destination(plan.plan.shown, self._policy, destination, _NAME)
        settings = None if self.rejects is None else self.rejects.settings()
        sent = pcoll | "Spread" >> spread_events(
            plan.plan, _NAME, VERSION, shards_of_input(self._shards, pcoll), settings
        )
        output = plan.plan.output
        if stream:
            step = StreamSessions(plan, _NAME, VERSION, settings, self._clock)
            found = sent.sharded | "Sessionize" >> typed(step, output)
        else:
            groups = sent.sharded | "Group" >> beam.GroupByKey()
            found = groups | "Sessionize" >> typed(BatchSessions(plan, _NAME, VERSION, settings), output)
        if self.rejects is not None:
            self.rejects.add_error_pcollection(sent[REJECTS_TAG])
            self.rejects.add_error_pcollection(found[REJECTS_TAG])
        return found.rows

    def _check_input(self, pcoll: beam.PCollection, stream: bool) -> None:
        check_windows(pcoll, "the events", _NAME)
        if stream and not self._definition.rules.bounded:
            raise ConfigError(
                "a stream keeps the events of a session, and nothing bounds a session of a key that never pauses",
                where=f"{_NAME}: session",
                fix="write `max_events` or `max_duration`, as in `session: {gap: 30m, max_events: 1000}`",
            )

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None}
