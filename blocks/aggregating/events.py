"""Events of some keys, each once, in the order of the contract: by key, event time, event id."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.ops.codes import codes_of
from blocks.aggregating.ops.entries import changes
from blocks.shaping.first_rows import contents

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Names of the columns of projected events that are not the definition's.
TIME, ID, KNOWN, DELETES = "time", "id", "known", "deletes"
_FITS = 1 << 62


@dataclass(frozen=True)
class Events:
    """Accepted events.

    Attributes:
      keys: one row a key.
      code: the key of each event, a row of `keys`; ascending.
      times: event times in microseconds; ascending within a key, equal ones in the order of ids.
      known: when each became known; None if that does not count.
      rows: the projected columns of each event.
    """

    keys: pa.RecordBatch
    code: Ints
    times: Ints
    known: Ints | None
    rows: pa.RecordBatch

    def __len__(self) -> int:
        return len(self.times)

    def take(self, rows: Ints, code: Ints | None = None) -> "Events":
        """Some events, of other keys if `code` is given."""
        known = None if self.known is None else self.known[rows]
        found = self.rows.take(pa.array(rows))
        return Events(self.keys, self.code[rows] if code is None else code, self.times[rows], known, found)

    def before(self, code: Ints, moment: Ints) -> Ints:
        """For each key and moment, the place of its first event at or after the moment, among all events."""
        return before_moments(self.code, self.times, code, moment)

    def starts(self) -> Ints:
        """Where the events of each key begin; one more for the end."""
        return np.searchsorted(self.code, np.arange(self.keys.num_rows + 1))


def before_moments(code: Ints, times: Ints, codes: Ints, moments: Ints) -> Ints:
    """For each key and moment the place of the first at or after it among what lies by key and time."""
    if not len(times):
        return np.zeros(len(codes), np.int64)
    return np.searchsorted(*_combined(code, times, codes, moments))


def _combined(code: Ints, times: Ints, codes: Ints, moments: Ints) -> tuple[Ints, Ints]:
    """Pairs of key and time as single numbers in the same order."""
    first, last = int(times.min()), int(times.max())
    span = last - first + 2
    keys = int(max(code.max(initial=0), codes.max(initial=0))) + 1
    # What is before the first or after the last is as good as just before or after it.
    moments = np.clip(moments, first, last + 1)
    if keys * span < _FITS:
        return code * span + (times - first), codes * span + (moments - first)
    places = np.unique(np.concatenate([times, moments]))
    count = len(places)
    return code * count + np.searchsorted(places, times), codes * count + np.searchsorted(places, moments)


@dataclass(frozen=True)
class Accepted:
    """What became of events.

    Attributes:
      events: those that are accepted, each once.
      conflicts: rows of the input that have the identity of another with other content; their content hash is larger.
      duplicates: how many rows said the same as another.
      deleted: how many rows were deleted by a tombstone.
      tombstones: the time of the latest tombstone of each key; the least number without one.
    """

    events: Events
    conflicts: Ints
    duplicates: int
    deleted: int
    tombstones: Ints


NEVER = np.iinfo(np.int64).min


def accept(rows: pa.RecordBatch, keys: Sequence[str]) -> Accepted:
    """Orders events, counts each once, and leaves out what a tombstone deletes.

    Of rows of one identity (key, event time, event id) those that say the same are one event, known since the smallest
    `known`; of those that do not, the one with the smallest hash of its content stays.

    Args:
      rows: projected events: the key's columns, `time`, `id`, perhaps `known` and `deletes`, and the content.
      keys: names of the key's columns.
    """
    code, distinct = coded_keys(rows, keys)
    times = rows.column(TIME).to_numpy()
    tombstones = np.full(len(distinct), NEVER, np.int64)
    gone = np.zeros(len(times), np.bool_)
    if DELETES in rows.schema.names:
        deletes = rows.column(DELETES).to_numpy(zero_copy_only=False)
        np.maximum.at(tombstones, code[deletes], times[deletes])
        gone = times <= tombstones[code]
    deleted = int(gone.sum()) - (int(deletes.sum()) if gone.any() else 0)
    order = by_time(code, times)
    order = order[~gone[order]] if gone.any() else order
    known = rows.column(KNOWN).to_numpy().copy() if KNOWN in rows.schema.names else None
    order, conflicts, duplicates = each_once(rows, keys, code, times, known, order)
    found = rows.take(pa.array(order))
    events = Events(
        rows.select(keys).take(pa.array(distinct)),
        code[order],
        times[order],
        None if known is None else known[order],
        found,
    )
    return Accepted(events, conflicts, duplicates, deleted, tombstones)


def coded_keys(rows: pa.RecordBatch, keys: Sequence[str]) -> tuple[Ints, Ints]:
    """The number of each row's key, and a row that has it for each."""
    code = _combined_codes([rows.column(name) for name in keys], rows.num_rows)
    first = np.zeros(int(code.max(initial=-1)) + 1, np.int64)
    # Backwards, so that the first row of each key is the one that stays.
    first[code[::-1]] = np.arange(len(code))[::-1]
    return code, first


def codes_of_keys(known: pa.RecordBatch, keys: pa.RecordBatch) -> Ints:
    """For each key its row among the known ones; their number where it is none of them."""
    count = known.num_rows
    pairs = zip(known.columns, keys.columns, strict=True)
    both = [pa.concat_arrays([one, other.cast(one.type)]) for one, other in pairs]
    code = _combined_codes(both, count + keys.num_rows)
    places = np.full(int(code.max(initial=-1)) + 1, count, np.int64)
    places[code[:count]] = np.arange(count)
    return places[code[count:]]


def _combined_codes(columns: Sequence[pa.Array], count: int) -> Ints:
    """Numbers from 0 on, the same where all columns are."""
    code = np.zeros(count, np.int64)
    for place, column in enumerate(columns):
        encoded = column.dictionary_encode()
        code = code * max(len(encoded.dictionary), 1) + encoded.indices.to_numpy(zero_copy_only=False)
        if place:
            code = np.unique(code, return_inverse=True)[1]
    return code


def by_time(code: Ints, times: Ints) -> Ints:
    """The order of rows by key and time; those that are equal in both stay in their order."""
    if not len(code):
        return np.zeros(0, np.int64)
    first = int(times.min())
    span = int(times.max()) - first + 1
    if (int(code.max()) + 1) * span < _FITS:
        return np.argsort(code * span + (times - first), kind="stable")
    return np.lexsort((times, code))


def each_once(
    rows: pa.RecordBatch, keys: Sequence[str], code: Ints, times: Ints, known: Ints | None, order: Ints
) -> tuple[Ints, Ints, int]:
    """The rows that stay, in order; those in conflict; how many were duplicates. `known` becomes the smallest."""
    sorted_code, sorted_times = code[order], times[order]
    new = changes(sorted_code, sorted_times)
    tied = ~new | np.append(~new[1:], False)
    if not tied.any():
        return order, np.zeros(0, np.int64), 0
    places = np.flatnonzero(tied)
    group = np.cumsum(new)[places]
    some = order[places]
    ids = codes_of(rows.column(ID).take(pa.array(some)))
    by_id = np.lexsort((ids, group))
    some, group, ids = some[by_id], group[by_id], ids[by_id]
    order = order.copy()
    order[places] = some
    same = ~changes(group, ids)
    again = same | np.append(same[1:], False)
    if not again.any():
        return order, np.zeros(0, np.int64), 0
    # Rows of one identity, as few as they are: only of these is the content looked at.
    twice = np.flatnonzero(again)
    content = [name for name in rows.schema.names if name not in (*keys, TIME, ID, KNOWN, DELETES)]
    hashes = contents(rows.select(content).take(pa.array(some[twice])))
    identity = np.cumsum(changes(group, ids))[twice]
    ranks = np.unique(hashes, return_inverse=True)[1]
    best = np.lexsort((ranks, identity))
    first = changes(identity[best])
    group_of = np.cumsum(first) - 1
    smallest = ranks[best][first][group_of]
    equal = ranks[best] == smallest
    kept = some[twice][best[first]]
    if known is not None:
        # Of those that say the same as the one that stays.
        least = np.full(len(kept), np.iinfo(np.int64).max)
        np.minimum.at(least, group_of[equal], known[some[twice][best[equal]]])
        known[kept] = least
    gone = np.ones(len(rows), np.bool_)
    gone[order] = False
    gone[some[twice]] = True
    gone[kept] = False
    conflicts = some[twice][best[~equal]]
    # The one that stays takes the place of its identity.
    return order[~gone[order]], conflicts, int(equal.sum()) - len(kept)
