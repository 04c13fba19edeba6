"""A state goes on under another definition: what is the same stays, what is new begins, and says so.

An aggregate (its operation, column, condition, second key and options) that both definitions have keeps its cells. One
that is new, or has another hop, has the events that are still kept one by one, if these have its columns, and those to
come; `ShardState.since` says from when on it has all; rows of windows that begin before are `truncated`. If the key,
the event time or the identity differ, nothing of the state can be used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.events import NEVER
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard_state import Shape, ShardState, Tiles, floored, hop_of, less, tile_kinds

Ints = npt.NDArray[np.int64]
Kind = tuple[int, int]


@dataclass(frozen=True)
class Old:
    """A state as it was written.

    Attributes:
      shape: of its definition.
      batches: its parts, by name, as `state_coding.py` writes them.
    """

    shape: Shape
    batches: Mapping[str, pa.RecordBatch]


def migrated(old: Old, plan: Plan, empty: ShardState) -> tuple[ShardState, list[str]]:
    """The state under a plan, and what does not go on as it was, for people.

    Args:
      old: as it was written.
      plan: of the definition that goes on.
      empty: the state of no keys under the plan.
    """
    shape = Shape.of(plan)
    if old.shape.structure != shape.structure:
        return empty, ["another key, event time or identity: all keys begin anew"]
    keys, recent, out = (old.batches[name] for name in ("keys", "recent", "out"))
    newest, boundary, touched, deleted = (keys.column(len(plan.keys) + place).to_numpy() for place in range(4))
    events, missing = _events(old, plan)
    state = replace(
        empty,
        keys=keys.select(list(plan.keys)),
        newest=newest,
        boundary=boundary,
        touched=touched,
        deleted=deleted,
        recent=events,
        recent_code=recent.column("code").to_numpy(),
        tiled=recent.column("tiled").to_numpy(zero_copy_only=False),
        out_code=out.column("code").to_numpy(),
        out_as_of=out.column("as_of").to_numpy(),
        out_revision=out.column("revision").to_numpy(),
        # Of what went out with other columns nothing is known: the next look at it gives it again.
        out_content=np.zeros(out.num_rows, "S16"),
    )
    started = _Started(old, plan, state, missing)
    tiles = {hop: _tiles(old, plan, hop, numbers) for hop, numbers in tile_kinds(plan).items()}
    since = {kind: started.since(*kind) for kind in _kinds(plan)}
    begun = {kind: one for kind, one in since.items() if (one != NEVER).any()}
    changes = [
        f"`{output.feature.name}` leaves out what came before, and says `truncated` for as long as that matters"
        for output in plan.outputs
        if output.aggregate >= 0 and (hop_of(output.feature), output.aggregate) in begun
    ]
    return replace(state, tiles=tiles, since=begun), changes


def _kinds(plan: Plan) -> list[Kind]:
    found = [(hop_of(one.feature), one.aggregate) for one in plan.outputs if one.aggregate >= 0]
    return list(dict.fromkeys(found))


def _events(old: Old, plan: Plan) -> tuple[pa.RecordBatch, set[str]]:
    """The events that are kept, with the columns of the plan, and which columns they do not have."""
    shape, recent = Shape.of(plan), old.batches["recent"]
    sources = {tuple(source): name for name, source in old.shape.columns.items()}
    columns, missing = [], set[str]()
    for field in plan.projected:
        name = sources.get(tuple(shape.columns[field.name])) if field.name in shape.columns else field.name
        if name is not None:
            columns.append(recent.column(name))
            continue
        missing.add(field.name)
        nothing = pa.scalar(None if field.nullable else False, field.type)
        columns.append(pa.repeat(nothing, recent.num_rows))
    return pa.RecordBatch.from_arrays(columns, schema=plan.projected), missing


def _tiles(old: Old, plan: Plan, hop: int, numbers: list[int]) -> Tiles:
    batch = old.batches.get(f"tiles {hop}")
    if batch is None:
        none = np.zeros(0, np.int64)
        return Tiles(none, none, {number: plan.aggregates[number].operation.identity(0) for number in numbers})
    before = old.shape.tiles[str(hop)]
    cells = {}
    for number in numbers:
        aggregate = plan.aggregates[number]
        if aggregate.signature in before:
            column = batch.column(2 + before.index(aggregate.signature))
            cells[number] = pa.RecordBatch.from_struct_array(column).cast(aggregate.operation.cells)
        else:
            cells[number] = aggregate.operation.identity(batch.num_rows)
    return Tiles(batch.column("code").to_numpy(), batch.column("start").to_numpy(), cells)


class _Started:
    """From when on aggregates have all events."""

    def __init__(self, old: Old, plan: Plan, state: ShardState, missing: set[str]) -> None:
        self._old, self._plan, self._state, self._missing = old, plan, state, missing
        self._shape = Shape.of(plan)
        since = old.batches["since"]
        self._before: dict[tuple[int, str], Ints] = {}
        for hop, number, code, moment in zip(*(column.to_pylist() for column in since.columns), strict=True):
            known = self._before.setdefault((hop, old.shape.aggregates[number]), np.full(len(state.newest), NEVER))
            known[code] = moment

    def since(self, hop: int, number: int) -> Ints:
        """Of an aggregate with a hop, for each key; the least number where it has had them from the beginning."""
        aggregate, state = self._plan.aggregates[number], self._state
        before = self._before.get((hop, aggregate.signature), np.full(len(state.newest), NEVER))
        if self._goes_on(hop, aggregate.signature):
            return np.maximum(before, self._reach(hop))
        if self._missing & {aggregate.column, aggregate.condition, aggregate.by}:
            return less(state.newest, -1)
        return state.boundary

    def _goes_on(self, hop: int, signature: str) -> bool:
        if hop:
            return signature in self._old.shape.tiles.get(str(hop), [])
        wanted = [one for one in self._shape.exact if one[0] == signature]
        known = [one for one in self._old.shape.exact if one[0] == signature]
        return all(any(one[1] >= asked[1] and one[2] >= asked[2] for one in known) for asked in wanted)

    def _reach(self, hop: int) -> Ints:
        """How far tiles go back where windows are longer than they were."""
        longest = self._old.shape.windows.get(str(hop), 0)
        if hop <= 0 or longest >= self._shape.windows.get(str(hop), 0):
            return np.full(len(self._state.newest), NEVER)
        edge = less(less(self._state.newest, self._plan.definition.lateness), longest)
        return floored(edge, hop)
