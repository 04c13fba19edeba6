"""Rejects of events that are not accepted, from what is left of them after projection."""

import pyarrow as pa

from blocks.aggregating.events import TIME
from blocks.aggregating.plan import Plan
from blocks.core.reject_records import RejectMaker, records_of
from blocks.core.rejects import Reject, RejectSettings

CONFLICT = "another event has the same key, time and id, and other content"


class RefusedEvents:
    """Makes rejects of events in conflict, late, or too far ahead; one for each worker."""

    def __init__(self, plan: Plan, block: str, version: str, settings: RejectSettings | None) -> None:
        names = [name for name in dict.fromkeys(plan.columns.values()) if name != plan.event_time]
        places = {column: name for name, column in plan.columns.items()}
        self._projected = [places[name] for name in names]
        self._names = names
        self._path = plan.definition.event_id or ", ".join(plan.definition.identity)
        event_time = plan.schema.field(plan.event_time)
        self._moment = (event_time.name, event_time.type)
        schema = pa.schema([event_time, *(plan.schema.field(name) for name in names)])
        self._maker = RejectMaker(block, version, schema, settings)

    def __call__(self, rows: pa.RecordBatch, code: str = "conflict", message: str = CONFLICT) -> list[Reject]:
        """A reject for each row."""
        name, kind = self._moment
        content = rows.select(self._projected).rename_columns(self._names)
        content = content.append_column(name, rows.column(TIME).cast(pa.timestamp("us", "UTC")).cast(kind, safe=False))
        records = records_of(content)
        return [self._maker.make(code, message, field_path=self._path, record=record) for record in records]
