"""Events arrive in a shard: which are accepted, by the clock of their key, and what tombstones delete."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.events import DELETES, KNOWN, NEVER, TIME, coded_keys, codes_of_keys
from blocks.aggregating.ops.entries import changes
from blocks.aggregating.plan import Plan
from blocks.aggregating.shard_state import ShardState

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Refused:
    """Events that are not accepted: why, and what is left of them."""

    code: str
    message: str
    rows: pa.RecordBatch


@dataclass(frozen=True)
class Arrived:
    """What became of rows that arrived; which of them are duplicates or in conflict is not decided yet.

    Attributes:
      state: with the keys, clocks and tombstones, and without what those delete.
      rows: accepted.
      code: the key of each.
      tombstones: the time of the new tombstone of each key; the least number without one.
      deleted: how many events a tombstone deleted.
      refused: those that are not accepted.
    """

    state: ShardState
    rows: pa.RecordBatch
    code: Ints
    tombstones: Ints
    deleted: int
    refused: list[Refused]


class Arrivals:
    """Accepts events.

    Args:
      plan: of the features.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __call__(self, state: ShardState, rows: pa.RecordBatch, now: int) -> Arrived:
        """Takes rows in.

        Args:
          state: before.
          rows: projected events, in the order of arrival.
          now: processing time in microseconds.
        """
        refused = list[Refused]()
        rows = refuse(rows, self._ahead(rows, now), "too_early", "further ahead of the clock than `ahead`", refused)
        state, code = self._coded(state, rows)
        late, newest = self._late(state, rows, code)
        code = code[~late]
        rows = refuse(rows, late, "late", "older than the newest event of its key less `lateness`", refused)
        touched = highest(state.touched, code, np.full(len(code), now))
        return self._delete(replace(state, newest=newest, touched=touched), rows, code, refused)

    def _ahead(self, rows: pa.RecordBatch, now: int) -> Flags:
        limit = now + self._plan.definition.ahead
        found = rows.column(TIME).to_numpy() > limit
        return found | (rows.column(KNOWN).to_numpy() > limit) if KNOWN in rows.schema.names else found

    def _coded(self, state: ShardState, rows: pa.RecordBatch) -> tuple[ShardState, Ints]:
        """The number of each row's key; keys that are new become part of the state."""
        code, fresh = coded_among(state.keys, rows)
        return (state.with_keys(fresh) if fresh.num_rows else state), code

    def _late(self, state: ShardState, rows: pa.RecordBatch, code: Ints) -> tuple[Flags, Ints]:
        """Row by row, in the order of arrival: older than the newest event of the key so far, less the lateness.

        Also the clocks of the keys afterwards: also an event that is deleted later on has moved its key's.
        """
        times = rows.column(TIME).to_numpy()
        if not len(times):
            return np.zeros(0, np.bool_), state.newest
        counts = ~_tombstones(rows)
        late = late_rows(state.newest, self._plan.definition.lateness, code, times, np.where(counts, times, NEVER))
        # What has become tiles stays so, also where another definition has a longer lateness.
        late |= times < state.boundary[code]
        deleting = np.isin(code, np.union1d(code[~counts], np.flatnonzero(state.deleted != NEVER)))
        newest = highest(state.newest, code[~deleting], times[~deleting])
        self._one_by_one(state, times, code, counts, np.flatnonzero(deleting), late, newest)
        return late, newest

    def _one_by_one(
        self, state: ShardState, times: Ints, code: Ints, counts: Flags, rows: Ints, late: Flags, newest: Ints
    ) -> None:
        """The same for keys with tombstones: what is deleted moves no clock, so each row depends on those before."""
        deleted: dict[int, int] = {}
        for row in rows.tolist():
            key, time = int(code[row]), int(times[row])
            limit = deleted.setdefault(key, int(state.deleted[key]))
            late[row] = newest[key] != NEVER and time < int(newest[key]) - self._plan.definition.lateness
            late[row] |= time < int(state.boundary[key])
            if late[row]:
                continue
            if not counts[row]:
                deleted[key] = max(limit, time)
            elif time > limit:
                newest[key] = max(int(newest[key]), time)

    def _delete(self, state: ShardState, rows: pa.RecordBatch, code: Ints, refused: list[Refused]) -> Arrived:
        """What tombstones leave."""
        fresh = np.full(state.keys.num_rows, NEVER)
        times = rows.column(TIME).to_numpy()
        tombstones = _tombstones(rows)
        np.maximum.at(fresh, code[tombstones], times[tombstones])
        fresh[fresh <= state.deleted] = NEVER
        deleted = np.maximum(state.deleted, fresh)
        gone = times <= deleted[code]
        count = int((gone & ~tombstones).sum())
        stays = ~gone & ~tombstones
        rows, code = rows.take(pa.array(np.flatnonzero(stays))), code[stays]
        state = replace(state, deleted=deleted)
        if (fresh != NEVER).any():
            recent = state.recent.column(TIME).to_numpy() > fresh[state.recent_code]
            out = state.out_as_of > fresh[state.out_code]
            count += int((~recent).sum())
            state = replace(
                state,
                recent=state.recent.take(pa.array(np.flatnonzero(recent))),
                recent_code=state.recent_code[recent],
                tiled=state.tiled[recent],
                # A tombstone that is not late is not older than any tile.
                tiles={hop: one.take(fresh[one.code] == NEVER) for hop, one in state.tiles.items()},
                out_code=state.out_code[out],
                out_as_of=state.out_as_of[out],
                out_revision=state.out_revision[out],
                out_content=state.out_content[out],
            )
        return Arrived(state, rows, code, fresh, count, refused)


def coded_among(known: pa.RecordBatch, rows: pa.RecordBatch) -> tuple[Ints, pa.RecordBatch]:
    """The number of each row's key among known ones, and the keys that are new, which follow them.

    Args:
      known: the key's columns, one row a key.
      rows: projected events.
    """
    names = known.schema.names
    keys = rows.select(names)
    code = codes_of_keys(known, keys)
    count = known.num_rows
    unknown = np.flatnonzero(code == count)
    fresh = keys.take(pa.array(unknown, pa.int64()))
    numbers, first = coded_keys(fresh, names)
    code[unknown] = count + numbers
    return code, fresh.take(pa.array(first))


def late_rows(newest: Ints, lateness: int, code: Ints, times: Ints, moves: Ints) -> Flags:
    """Row by row, in the order of arrival: older than the newest event of the key so far, less the lateness.

    Args:
      newest: the clock of each key before.
      lateness: in microseconds.
      code: the key of each row.
      times: of each row.
      moves: to where each row moves the clock of its key; the least number if it does not.
    """
    if not len(times):
        return np.zeros(0, np.bool_)
    order = np.argsort(code, kind="stable")
    moves, sorted_code = moves[order], code[order]
    starts = changes(sorted_code)
    # The clock before each row: those of the key up to the row before, and that of the state.
    previous = np.where(starts, newest[sorted_code], np.concatenate([[NEVER], moves[:-1]]))
    places = np.unique(previous)
    running = np.maximum.accumulate(sorted_code * len(places) + np.searchsorted(places, previous))
    clock = np.empty(len(times), np.int64)
    clock[order] = places[running - sorted_code * len(places)]
    return (clock != NEVER) & (times < np.where(clock == NEVER, 0, clock) - lateness)


def refuse(rows: pa.RecordBatch, bad: Flags, code: str, message: str, refused: list[Refused]) -> pa.RecordBatch:
    """The rows that are not bad; `refused` grows by the others."""
    if not bad.any():
        return rows
    refused.append(Refused(code, message, rows.take(pa.array(np.flatnonzero(bad)))))
    return rows.take(pa.array(np.flatnonzero(~bad)))


def _tombstones(rows: pa.RecordBatch) -> Flags:
    if DELETES not in rows.schema.names:
        return np.zeros(rows.num_rows, np.bool_)
    return np.asarray(rows.column(DELETES).to_numpy(zero_copy_only=False), np.bool_)


def highest(values: Ints, places: Ints, others: Ints) -> Ints:
    """The values, at some places raised to others."""
    found = values.copy()
    np.maximum.at(found, places, others)
    return found
