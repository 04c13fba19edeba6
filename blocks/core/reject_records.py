"""Makes clean rejects: the record masked as the policy says, paths, sources and messages without personal values."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.mask_plan import plan_masking
from blocks.core.masks import Hmac, Keep
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
      shown_source: what a source is called where the policy does not let its name pass: the pattern that the user wrote.
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
          unknown_name: a name from the data at the end of the path; shown as `*` unless the policy lets `field_name` pass.
          source: file or the like; as the policy's label `source` says.
          position: of the record in the source.
          event_time: microseconds since the epoch.
          record: the record as Python values that fit the schema; masked here.
          raw: the record's bytes where it could not be parsed; only an HMAC of them is kept, if the policy says so.
        """
        if unknown_name:
            shown = unknown_name if self._passes(FIELD_NAME) else "*"
            field_path = f"{field_path}.{shown}" if field_path else shown
        return Reject(
            block=self._block,
            version=self._version,
            code=code,
            message=message,
            field_path=field_path,
            source=self._source(source),
            position=position,
            event_time=event_time,
            run_id=self._settings.run_id if self._settings else "",
            record=None if record is None or self._settings is None else self._record(record),
            record_hmac=None if raw is None else self._fingerprint(raw),
        )

    def _passes(self, label: str) -> bool:
        return self._free or isinstance(self._rules.action([label]), Keep)

    def _source(self, source: str) -> str:
        if not source or self._passes(SOURCE):
            return source
        action = self._rules.action([SOURCE])
        if isinstance(action, Hmac):
            return action.kernel(pa.string(), SOURCE, self._ring)(pa.array([source]))[0].as_py() or ""
        return self._shown_source

    def _fingerprint(self, raw: bytes) -> str | None:
        how = self._rules.unparsed
        if not isinstance(how, Hmac):
            return None
        if how.key not in self._digests:
            self._digests[how.key] = hmac_function(self._ring, how.key, "unparsed record")
        return f"{how.key}:{self._digests[how.key](raw).hex()}"

    def _record(self, record: Mapping[str, Any]) -> str:
        if self._mask is None:
            self._mask = self._plan.batch_function()
        masked = self._mask(pa.RecordBatch.from_pylist([dict(record)], schema=self._schema))
        return row_json(masked) if masked.num_columns else "{}"


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


def row_json(batch: pa.RecordBatch) -> str:
    """The first row as JSON, fields that are null left out; maps as objects, decimals and times as text."""
    row = batch.slice(0, 1).to_pylist()[0]
    content = {name: _plain(value, batch.schema.field(name).type) for name, value in row.items() if value is not None}
    return json.dumps(content, ensure_ascii=False, default=_text)


def _plain(value: Any, data_type: pa.DataType) -> Any:
    if value is None:
        return None
    if pat.is_struct(data_type):
        return {
            child.name: _plain(value[child.name], child.type) for child in data_type if value[child.name] is not None
        }
    if pat.is_map(data_type):
        return {str(key): _plain(item, data_type.item_type) for key, item in value}
    if labels.is_list(data_type):
        return [_plain(one, data_type.value_type) for one in value]
    return value


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else repr(type(value))
