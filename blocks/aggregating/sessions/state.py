"""What a stream keeps of the sessions of a shard.

For each key: its clock (the newest accepted event time), and when the watermark passes the end of its next session that
has to go out. Of its events those of the sessions that may still change, one by one, projected. And of these sessions
those that went out: id, beginning, revision, what ended it, and whether it has changed since, or is gone.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.aggregating.events import NEVER
from blocks.aggregating.sessions.rows import ID_FORM, Names

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# What became of a session after it went out.
SAME, CHANGED, GONE = range(3)
# A time that does not come.
FAR = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Out:
    """Sessions that went out and may still change.

    Attributes:
      code: the key of each.
      ids: the session ids.
      started: when each began.
      revision: the last one that went out.
      closed_by: what it said had ended it.
      since: SAME, CHANGED or GONE.
    """

    code: Ints
    ids: Names
    started: Ints
    revision: Ints
    closed_by: Ints
    since: Ints

    @classmethod
    def none(cls) -> "Out":
        """Nothing went out."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, np.zeros(0, ID_FORM), nothing, nothing, nothing, nothing)

    def take(self, rows: Ints | Flags) -> "Out":
        """Some of them."""
        return Out(*(one[rows] for one in vars(self).values()))

    def and_(self, *others: "Out") -> "Out":
        """These and others."""
        parts = [vars(one).values() for one in (self, *others)]
        return Out(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True)
class SessionState:
    """The state of a shard.

    Attributes:
      keys: the key's columns, one row a key.
      newest: the newest accepted event time of each.
      due: when the watermark passes the end of its next session that has to go out; FAR for none.
      recent: projected events of sessions that may still change, by key, time and id.
      recent_code: the key of each.
      out: sessions that went out and may still change.
    """

    keys: pa.RecordBatch
    newest: Ints
    due: Ints
    recent: pa.RecordBatch
    recent_code: Ints
    out: Out

    def with_keys(self, keys: pa.RecordBatch) -> "SessionState":
        """The state with more keys, which have no events yet."""
        more = keys.num_rows
        if not more:
            return self
        return replace(
            self,
            keys=pa.concat_batches([self.keys, keys]),
            newest=np.append(self.newest, np.full(more, NEVER)),
            due=np.append(self.due, np.full(more, FAR)),
        )

    def without(self, gone: Flags) -> "SessionState":
        """The state without some keys."""
        kept = ~gone
        number = np.cumsum(kept) - 1
        recent = kept[self.recent_code]
        out = self.out.take(kept[self.out.code])
        return SessionState(
            self.keys.take(pa.array(np.flatnonzero(kept))),
            self.newest[kept],
            self.due[kept],
            self.recent.take(pa.array(np.flatnonzero(recent))),
            number[self.recent_code[recent]],
            replace(out, code=number[out.code]),
        )
