"""From events of a batch to partial aggregates, and from these to the state with which a stream begins."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from apache_beam.transforms.trigger import DefaultTrigger
from apache_beam.transforms.window import GlobalWindows, TimestampCombiner
from apache_beam.typehints import Tuple
from apache_beam.utils.timestamp import MIN_TIMESTAMP

from blocks.aggregating.in_batch import Grid, OfShard, steps
from blocks.aggregating.partials import Partials, as_partials
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard import Shard
from blocks.aggregating.spreading import shards_of
from blocks.core import labels
from blocks.core.batch_type import BatchCoder
from blocks.core.block import pieces, rejects_out
from blocks.core.errors import Problem, SchemaError, all_problems
from blocks.core.rejects import RejectSettings
from blocks.shaping.sharding import by_shard


class PartialsOfShard(OfShard):
    """The partial aggregates of the keys of a shard.

    Args:
      plan, block, version, settings: as for the other steps of a batch.
      grid: the steps of a range at which the batch gives rows too; None for none.
    """

    def __init__(
        self, plan: Plan, block: str, version: str, settings: RejectSettings | None, grid: Grid | None
    ) -> None:
        super().__init__(plan, block, version, settings)
        self._grid = grid

    def setup(self) -> None:
        """Once for each worker."""
        super().setup()
        self._shard, self._partials = Shard(self._plan), Partials(self._plan)

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        """Gives a row for each key, and the rejects."""
        accepted, rejects = self._accepted(group[1])
        yield from rejects_out(rejects, self._metrics, stops=self._settings is None)
        events = accepted.events
        asked = () if self._grid is None else steps(events.code, events.times, self._plan, self._grid)
        moments = list(asked)
        nothing = np.zeros(0, np.int64)
        code = np.concatenate([nothing, *(one for one, _ in moments)])
        as_of = np.concatenate([nothing, *(one for _, one in moments)])
        rows = self._partials.rows(self._shard.begin(accepted, code, as_of))
        self._metrics.rows_out.inc(rows.num_rows)
        yield from pieces(rows)


class Seeds(beam.PTransform):
    """Partial aggregates to the state of each shard: (shard, (True, state)), once for every shard, also without rows.

    A GroupByKey of bounded input gives a shard's rows when there are no more: that is the end of its seed. The result
    has the earliest timestamp that there is, so that no watermark passes events that wait for it.

    Args:
      plan: of the stream's features.
      shards: of the stream.
    """

    def __init__(self, plan: Plan, shards: int) -> None:
        super().__init__()
        self._plan, self._shards = plan, shards

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the transform."""
        spread = beam.ParDo(_SpreadPartials(self._plan, self._shards)).with_output_types(Tuple[int, bytes])
        every = pcoll.pipeline | "All shards" >> beam.Create([(shard, b"") for shard in range(self._shards)])
        all_of = (pcoll | "Spread" >> spread, every | "Typed" >> beam.Map(_same).with_output_types(Tuple[int, bytes]))
        windows = beam.WindowInto(
            GlobalWindows(), trigger=DefaultTrigger(), timestamp_combiner=TimestampCombiner.OUTPUT_AT_EARLIEST
        )
        step = beam.ParDo(_MakeState(self._plan)).with_output_types(Tuple[int, Tuple[bool, bytes]])
        return all_of | beam.Flatten() | "Earliest" >> windows | beam.GroupByKey() | "Make state" >> step


def check_seed(seed: pa.Schema, plan: Plan) -> None:
    """Checks that a stream can begin with rows of a schema.

    Raises:
      SchemaError: columns that partial aggregates of this definition have and these rows do not, or of other types.
    """
    wanted = Partials(plan).schema
    with all_problems("AggregateEvents", SchemaError) as problems:
        missing = [name for name in wanted.names if name not in seed.names]
        for name in missing:
            problems.append(Problem(f"`seed` has no column `{name}`", "seed", "make it with SeedAggregates"))
        for name in (name for name in wanted.names if name not in missing):
            found, expected = seed.field(name), wanted.field(name)
            if not _fits(found.type, expected.type):
                what = f"column `{name}` is {found.type}, and this definition makes it {expected.type}"
                fix = "make the partial aggregates with the definition of the stream: SeedAggregates"
                problems.append(Problem(what, "seed", fix))
            marks = (labels.masked_of(found), labels.masked_of(expected))
            if name in plan.definition.key and marks[0] != marks[1]:
                what = f"the key `{name}` is masked in another way than that of the events"
                problems.append(Problem(what, "seed", "mask both by the same method and key"))


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a type is another up to the kinds of lists and texts, which tables do not keep."""
    below, expected = labels.children(found), labels.children(wanted)
    if len(below) != len(expected):
        return False
    if below:
        named = not pat.is_struct(wanted) or [one.name for _, one in below] == [one.name for _, one in expected]
        pairs = zip(below, expected, strict=True)
        return named and all(_fits(one.type, other.type) for (_, one), (_, other) in pairs)
    return _kind(found) == _kind(wanted)


def _kind(data_type: pa.DataType) -> str:
    if pat.is_string(data_type) or pat.is_large_string(data_type) or pat.is_string_view(data_type):
        return "text"
    if pat.is_binary(data_type) or pat.is_large_binary(data_type) or pat.is_fixed_size_binary(data_type):
        return "bytes"
    return str(data_type)


def _same(value: Any) -> Any:
    return value


class _SpreadPartials(beam.DoFn):
    def __init__(self, plan: Plan, shards: int) -> None:
        self._plan, self._shards = plan, shards

    def setup(self) -> None:
        self._schema = Partials(self._plan).schema
        self._coder = BatchCoder(self._schema)

    def process(self, batch: Any) -> Iterator[Any]:
        plan = self._plan
        rows = as_partials(batch, self._schema)
        kinds = zip(plan.definition.key, plan.keys, strict=True)
        # As the events have it, for the hash follows the type.
        columns = [pc.cast(rows.column(name), plan.projected.field(at).type, safe=False) for name, at in kinds]
        keys = pa.RecordBatch.from_arrays(columns, names=list(plan.keys))
        for shard, _, part in by_shard(rows, shards_of(keys, plan.keys, self._shards)):
            yield beam.window.TimestampedValue((shard, self._coder.encode(part)), MIN_TIMESTAMP)


class _MakeState(beam.DoFn):
    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def setup(self) -> None:
        self._shard, self._partials = Shard(self._plan), Partials(self._plan)
        self._coder = BatchCoder(self._partials.schema)

    def process(self, group: tuple[int, Iterable[bytes]]) -> Iterator[Any]:
        # The whole shard, as the stream will hold it.
        batches = [self._coder.decode(content) for content in group[1] if content]
        yield group[0], (True, self._shard.coder.encode(self._partials.state(batches)))
