"""Makes clean rejects: the record masked as the policy says, paths, sources and messages without personal values."""

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.mask_plan import plan_masking
from blocks.core.masks import Drop, Hmac, Null
from blocks.core.masks.base import Kernel, is_text
from blocks.core.masks.keyed import hmac_function
from blocks.core.policy import FIELD_NAME, NO_POLICY, SOURCE
from blocks.core.rejects import Reject, RejectSettings


class RejectMaker:
    """Makes the rejects of one block, on the worker.

    Args:
      block: name of the block.
      version: its version.
      schema: schema of the records, with labels.
      settings: from `Rejects.settings()`; None where a reject stops the pipeline.
      shown_source: what a source is called where the policy does not let its name pass: the pattern that the user
        wrote.
    """

    def __init__(
        self, block: str, version: str, schema: pa.Schema, settings: RejectSettings | None, shown_source: str = ""
    ) -> None:
        self._block, self._version = block, version
        self._settings = settings
        policy = settings.policy if settings else NO_POLICY
        self._schema = relaxed(schema)
        self._plan = plan_masking(self._schema, policy, "rejects", block, refused="drop")
        self._ring = policy.key_ring()
        self._shown_source = shown_source
        self._rules = policy.destination("rejects", schema)
        self._free = not policy.file and not labels.has_private_label(schema)
        self._event_time = _shown_event_time(self._schema, self._plan.schema)
        self._kernels: dict[str, Kernel | None] = {}
        self._mask: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
        self._digests: dict[str, Callable[[bytes], bytes]] = {}

    def make(
        self,
        code: str,
        message: str,
        *,
        field_path: str = "",
        unknown_name: str = "",
        source: str = "",
        position: int | None = None,
        event_time: int | None = None,
        record: Mapping[str, Any] | None = None,
        raw: bytes | None = None,
    ) -> Reject:
        """A clean reject.

        Args:
          code: from the block's list.
          message: what was expected and found, without values.
          field_path: names from the schema only.
          unknown_name: a name from the data at the end of the path; shown as `*` unless the policy lets `field_name`
            pass.
          source: file or the like; as the policy's label `source` says.
          position: of the record in the source.
          event_time: microseconds since the epoch, that of the record unless given; left out unless the policy lets
            the event-time column pass as it is.
          record: the record as Python values that fit the schema; masked here.
          raw: the record's bytes where it could not be parsed; only an HMAC of them is kept, if the policy says so.
        """
        if unknown_name:
            shown = self._shown(FIELD_NAME, unknown_name, "*")
            field_path = f"{field_path}.{shown}" if field_path else shown
        return Reject(
            block=self._block,
            version=self._version,
            code=code,
            message=message,
            field_path=field_path,
            source=self._shown(SOURCE, source, self._shown_source) if source else "",
            position=position,
            event_time=self._time(event_time, record),
            run_id=self._settings.run_id if self._settings else "",
            record=None if record is None or self._settings is None else self._record(record),
            record_hmac=None if raw is None else self._fingerprint(raw),
        )

    def _shown(self, label: str, text: str, otherwise: str) -> str:
        """A text that is no column, as the policy says for its label; `otherwise` where that leaves nothing."""
        if self._free:
            return text
        if label not in self._kernels:
            self._kernels[label] = self._kernel(label)
        kernel = self._kernels[label]
        return otherwise if kernel is None else kernel(pa.array([text]))[0].as_py() or otherwise

    def _kernel(self, label: str) -> Kernel | None:
        action = self._rules.action([label])
        if action is None or isinstance(action, Drop | Null) or not is_text(action.output_type(pa.string())):
            return None
        return action.kernel(pa.string(), label, self._ring)

    def _time(self, given: int | None, record: Mapping[str, Any] | None) -> int | None:
        if self._event_time is None:
            return None
        if given is not None:
            return given
        moment = None if record is None else record.get(self._event_time)
        if isinstance(moment, pa.TimestampScalar) and moment.is_valid and moment.type.tz is not None:
            return moment.cast(pa.timestamp("us", tz=moment.type.tz), safe=False).value
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            return None
        return (moment - _EPOCH) // timedelta(microseconds=1)

    def _fingerprint(self, raw: bytes) -> str | None:
        how = self._rules.unparsed
        if not isinstance(how, Hmac):
            return None
        if how.key not in self._digests:
            self._digests[how.key] = hmac_function(self._ring, how.key, "unparsed record")
        return f"{how.key}:{self._digests[how.key](raw).hex()}"

    def _record(self, record: Mapping[str, Any]) -> str | None:
        if self._mask is None:
            self._mask = self._plan.batch_function()
        try:
            batch = pa.RecordBatch.from_pylist([dict(record)], schema=self._schema)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            # What does not fit its type cannot be masked by its type; Arrow's message would show it.
            return None
        return row_json(self._mask(batch)) if self._plan.nodes else "{}"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _shown_event_time(schema: pa.Schema, masked: pa.Schema) -> str | None:
    """The event-time column, if rejects may hold it as it is."""
    name = labels.event_time_of(schema)
    kept = name is not None and name in masked.names and labels.masked_of(masked.field(name)) is None
    return name if kept else None


def relaxed(schema: pa.Schema) -> pa.Schema:
    """The schema with everything nullable except map keys: a rejected record may lack anything."""
    return pa.schema([_relaxed(field) for field in schema], schema.metadata)


def _relaxed(field: pa.Field) -> pa.Field:
    below = [child for _, child in labels.children(field.type)]
    if not below:
        return field.with_nullable(True)
    if pat.is_struct(field.type):
        data_type = pa.struct([_relaxed(child) for child in below])
    elif pat.is_map(field.type):
        data_type = pa.map_(below[0], _relaxed(below[1]))
    else:
        data_type = pa.list_(_relaxed(below[0]))
    return field.with_type(data_type).with_nullable(True)


def records_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Each row as `RejectMaker.make` takes it: Python values, or Arrow's in a column that Python cannot hold."""
    names, columns = batch.schema.names, [_values(column) for column in batch.columns]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        # Nanoseconds and years beyond 9999; the error would show the value.
        return list(column)


def row_json(batch: pa.RecordBatch) -> str:
    """The first row as JSON, fields that are null left out; maps as objects, decimals and times as text."""
    columns = zip(batch.schema, batch.columns, strict=True)
    content = {field.name: _plain(column[0]) for field, column in columns if column[0].is_valid}
    return json.dumps(content, ensure_ascii=False)


def _plain(scalar: pa.Scalar) -> Any:
    if not scalar.is_valid:
        return None
    if pat.is_struct(scalar.type):
        return {name: _plain(scalar[name]) for name in scalar.type.names if scalar[name].is_valid}
    if pat.is_map(scalar.type):
        return {str(_plain(entry["key"])): _plain(entry["value"]) for entry in _entries(scalar)}
    if labels.is_list(scalar.type):
        return [_plain(one) for one in scalar.values]
    return _leaf(scalar)


def _entries(scalar: pa.MapScalar) -> list[dict[str, pa.Scalar]]:
    entries = scalar.values
    return [{"key": entry[0], "value": entry[1]} for entry in entries] if entries is not None else []


def _leaf(scalar: pa.Scalar) -> Any:
    if pat.is_temporal(scalar.type):
        try:
            value = scalar.as_py()
        except (ValueError, OverflowError):
            # Python's types do not hold nanoseconds, and neither they nor Arrow's text years far beyond 9999.
            if pat.is_timestamp(scalar.type) and scalar.type.unit != "ns":
                return scalar.value
            return str(scalar.cast(pa.string()).as_py()).replace(" ", "T", 1)
        return value.isoformat() if isinstance(value, datetime | date | time) else str(value)
    value = scalar.as_py()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value
