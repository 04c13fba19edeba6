"""The bytes of a shard's state of sessions, which say of which definition they are: a job may go on with another one.

What is kept are events, so another definition goes on with them if it reads nothing of them that was not kept: sessions
that may still change are split and told by the new one, and those that went out are corrected or taken back. Where it
reads more, all keys begin anew, and a warning says so.
"""

import logging
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from blocks.aggregating.events import ID, TIME
from blocks.aggregating.framing import Frame, fixed_bytes, from_fixed_bytes, read_frame
from blocks.aggregating.sessions.plan import SessionPlan
from blocks.aggregating.sessions.rows import ID_FORM
from blocks.aggregating.sessions.state import CHANGED, GONE, Out, SessionState

_LOG = logging.getLogger(__name__)
_VERSION, _CODE = 1, "code"
_NUMBERS = ("started", "revision", "closed_by", "since")


class SessionCoder:
    """States as bytes: of which definition they are, and three Arrow messages.

    Args:
      plan: of the sessions.
    """

    def __init__(self, plan: SessionPlan) -> None:
        self._plan = plan.plan
        self._meanings = _meanings(plan)
        self._told = _told(plan)
        header = {"meanings": self._meanings, "told": self._told}
        self._frame = Frame(_VERSION, header, _schemas(self._plan.projected, self._plan.keys))
        self._warned = False

    def empty(self) -> SessionState:
        """The state of no keys."""
        none = np.zeros(0, np.int64)
        recent = pa.RecordBatch.from_pylist([], schema=self._plan.projected)
        return SessionState(recent.select(list(self._plan.keys)), none, none, recent, none, Out.none())

    def encode(self, state: SessionState) -> bytes:
        """The bytes of a state."""
        out = state.out
        return self._frame.write(
            {
                "keys": [*state.keys.columns, state.newest, state.due],
                "recent": [*state.recent.columns, state.recent_code],
                "out": [out.code, fixed_bytes(out.ids), *(getattr(out, name) for name in _NUMBERS)],
            }
        )

    def decode(self, content: bytes) -> SessionState:
        """The state of some bytes, as far as this definition can go on with it."""
        if self._frame.wrote(content):
            return _state(self._frame.read(content), len(self._plan.keys))
        header, batches = read_frame(content, _VERSION)
        before = {meaning: name for name, meaning in header["meanings"].items()}
        unknown = [meaning for meaning in self._meanings.values() if meaning not in before]
        if unknown:
            self._warn(unknown)
            return self.empty()
        state = _state(batches, len(self._plan.keys))
        columns = [state.recent.column(before[self._meanings[name]]) for name in self._plan.projected.names]
        state = replace(state, recent=pa.RecordBatch.from_arrays(columns, schema=self._plan.projected))
        return state if header["told"] == self._told else _to_be_told_again(state)

    def _warn(self, unknown: list[str]) -> None:
        if not self._warned:
            what = ", ".join(unknown)
            _LOG.warning(
                "SessionizeEvents: all keys begin anew, because events were kept without what is new: %s", what
            )
        self._warned = True


def _meanings(plan: SessionPlan) -> dict[str, str]:
    """What each projected column is, whatever else the definition has."""
    one, shared = plan.plan, plan.definition.shared
    identity = [shared.event_id] if shared.event_id else ["identity", *shared.identity]
    found = {}
    for field in one.projected:
        name = field.name
        if name in one.keys:
            place = one.keys.index(name)
            found[name] = f"key {place}: {one.columns[name]} {field.type}"
        elif name in one.columns:
            found[name] = f"column {one.columns[name]} {field.type}"
        elif name in one.conditions:
            reads = ", ".join(f"{read.text} {read.field.type}" for read in one.conditions[name].reads)
            found[name] = f"condition {one.conditions[name].text} ({reads})"
    return found | {TIME: f"time: {one.event_time}", ID: f"id: {', '.join(identity)}"}


def _told(plan: SessionPlan) -> str:
    """A hash of what a row tells of events: where sessions end, features, the list."""
    features = [(one.feature.name, one.field.type, replace(one.feature, place="")) for one in plan.plan.outputs]
    told = repr((replace(plan.definition.rules, place=""), features, plan.definition.events))
    return blake2b(told.encode(), digest_size=16).hexdigest()


def _to_be_told_again(state: SessionState) -> SessionState:
    """The state with all that went out as if it had changed, and every key due."""
    out = replace(state.out, since=np.where(state.out.since == GONE, GONE, CHANGED))
    return replace(state, out=out, due=state.newest.copy())


def _schemas(projected: pa.Schema, keys: tuple[str, ...]) -> dict[str, pa.Schema]:
    number = pa.int64()
    clocks = [pa.field("newest", number), pa.field("due", number)]
    numbers = [pa.field(name, number) for name in _NUMBERS]
    return {
        "keys": pa.schema([*(projected.field(name) for name in keys), *clocks]),
        "recent": pa.schema([*projected, pa.field(_CODE, number)]),
        "out": pa.schema([pa.field(_CODE, number), pa.field("id", pa.binary(ID_FORM.itemsize)), *numbers]),
    }


def _state(batches: dict[str, pa.RecordBatch], width: int) -> SessionState:
    keys, recent, out = batches["keys"], batches["recent"], batches["out"]
    return SessionState(
        keys.select(list(range(width))),
        keys.column("newest").to_numpy(),
        keys.column("due").to_numpy(),
        recent.select(list(range(recent.num_columns - 1))),
        recent.column(_CODE).to_numpy(),
        Out(
            out.column(_CODE).to_numpy(),
            from_fixed_bytes(out.column("id")),
            *(out.column(name).to_numpy() for name in _NUMBERS),
        ),
    )
