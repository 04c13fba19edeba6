"""DeduplicateRows: one row for each key and event time, the same one in batch and in streams."""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from blocks.core.batch_type import schema_of
from blocks.core.durations import Duration, duration_micros
from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.core.labels import event_time_of
from blocks.core.policy import PolicySource, read_policy
from blocks.core.rejects import REJECTS_TAG, Rejects
from blocks.shaping.columns import read_names
from blocks.shaping.first_of_key import SHARDS, FirstOfKey

VERSION = "1.0.0"


class DeduplicateRows(beam.PTransform):
    """Lets one row of each key and event time through.

    Rows with equal key columns and equal event time are one row (without an event time: rows with an equal key). Of
    those that differ in other columns the one with the smallest hash of its content stays, so that the rows that go out
    do not depend on the order of arrival, on bundles, or on batch or stream. In a stream this holds for rows that come
    before the watermark reaches the second of their event time. Later ones are compared with the identities that went
    out: a known one is a duplicate, an unknown one goes on at once.

    Input: batches with every column of `key`. Windows are kept, and rows of different windows are different rows.
    Output: rows of the same schema, in new batches and no order. In a stream a row waits until the watermark reaches
    the second of its event time (without an event time: the end of its window), and the rows that wait hold the
    watermark back.
    Rejects: `bad_event_time` (null), `late` (in a stream, older than what is remembered, so that nobody knows whether
    it is a duplicate). Rows in = rows out + duplicates (a counter) + rejects. Without `rejects=` the first such row
    stops the pipeline.
    Nulls: in the key, a null equals a null.
    State: none in batch; a group is read up to three times, at about 24 bytes a row of a shard in memory and 64 for
    each identity that is there more than once. In a stream, for each shard: the rows whose event time the watermark has
    not reached, 24 bytes for each identity of the last `remember` of event time (freed then, by a timer, or with the
    window), and 40 bytes for ever.
    Cost: two hashes (BLAKE2b) at most a row, and one shuffle. In a stream a row is read from state about as often as
    the square root of the seconds of event time that wait.

    Args:
      key: one column, or several; single values, not masked in a way that makes different values equal.
      event_time: column with the event time; the schema's unless given.
      remember: how much event time a stream remembers identities for after they went out: `30s`, `10m`, `2h`, `1d`, or
        a `timedelta`.
      shards: number of groups; more of them need less memory each, and make smaller batches.
      policy: what may be shuffled, and in a stream kept in state (destinations `shuffle`, `state`; all columns go
        there); needed as soon as a column has a label other than `public`.
      rejects: where rows go that are too late or have no event time.

    Raises:
      ConfigError: an option that cannot be used, a stream in one endless window without an event time, or windows that
        merge (sessions).
      ColumnError: a key that is not there, is nested, or is masked by a method that does not tell values apart.
      PrivacyError: columns that the policy does not let into a shuffle, or into state.

    Example:
      >>> events | DeduplicateRows("event_id", remember="6h", policy="policies/privacy.yaml")

    Source: "The Dataflow Model" (Akidau et al., 2015) for time; RFC 7693 (BLAKE2).
    """

    can_reject = True

    def __init__(
        self,
        key: str | Sequence[str],
        *,
        event_time: str | None = None,
        remember: Duration = "1d",
        shards: int = SHARDS,
        policy: PolicySource = None,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        self._event_time, self._shards = event_time, shards
        with all_problems("DeduplicateRows", ConfigError) as problems:
            self._key = read_names(key, "key", problems, alone=True)
            if not self._key and not problems:
                problems.append(Problem("no column is named", "key", "name the columns that tell rows apart"))
            if not isinstance(shards, int) or isinstance(shards, bool) or not 1 <= shards <= 1 << 20:
                fix = "leave out shards for the default"
                problems.append(Problem(f"expected a whole number from 1 to {1 << 20}, got {shards!r}", "shards", fix))
            self._remember = duration_micros(remember, "remember", problems)
        self._policy = read_policy(policy)
        self.rejects = rejects

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        first = FirstOfKey(
            self._key,
            "DeduplicateRows",
            VERSION,
            event_time=self._event_time or event_time_of(schema_of(pcoll, "DeduplicateRows")),
            remember=self._remember,
            policy=self._policy,
            settings=None if self.rejects is None else self.rejects.settings(),
            shards=self._shards,
        )
        found = pcoll | "Rows" >> first
        if self.rejects is not None:
            self.rejects.add_error_pcollection(found[REJECTS_TAG])
        return found["rows"]

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker; so does `pipeline`.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None}
