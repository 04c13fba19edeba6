"""The value of one operation over given values, as a feature of a key: for tests against other programs."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.aggregating.evaluating import Evaluation
from blocks.aggregating.events import accept
from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.core.policy import NO_POLICY

_END = 10**12


def value_of(op: str, values: Sequence[Any], kind: pa.DataType | None = None, **options: Any) -> Any:
    """The value of an operation over all of some values."""
    return values_of_groups(op, [values], kind, **options)[0]


def values_of_groups(
    op: str, groups: Sequence[Sequence[Any]], kind: pa.DataType | None = None, **options: Any
) -> list[Any]:
    """The value for each group: the groups are keys, the values events of different times.

    Args:
      op: name of the operation.
      groups: values of each.
      kind: their type; float64 unless given.
      options: of the operation.
    """
    plan = _plan(op, kind or pa.float64(), tuple((name, _hashable(one)) for name, one in options.items()))
    schema = plan.schema
    sizes = [len(one) for one in groups]
    columns = [
        pa.array(np.repeat(np.arange(len(groups)), sizes)),
        pa.array(np.concatenate([np.arange(size) for size in sizes])).cast(schema.field("at").type),
        pa.array([value for one in groups for value in one], kind or pa.float64()),
    ]
    rows, rejects = Projector(plan, "AggregateEvents", "1", None)(pa.RecordBatch.from_arrays(columns, schema=schema))
    assert rejects == []
    events = accept(rows, plan.keys).events
    code = np.arange(len(groups))
    assert events.keys.column(0).to_pylist() == code.tolist()
    found: list[Any] = Evaluation(plan, events).at(code, np.full(len(code), _END)).columns[0].to_pylist()
    return found


def _hashable(option: Any) -> Any:
    return tuple(option) if isinstance(option, list) else option


@cache
def _plan(op: str, kind: pa.DataType, options: tuple[tuple[str, Any], ...]) -> Plan:
    at = pa.timestamp("us", "UTC")
    schema = pa.schema([pa.field("key", pa.int64()), pa.field("at", at), pa.field("x", kind)])
    content = {
        "entity": {"key": "key"},
        "source": {"event_time": "at", "identity": ["key"]},
        "features": [{"name": "f", "op": op, "column": "x", "window": "all", **dict(options)}],
        "state_ttl": "365d",
    }
    return make_plan(read_definition(content), schema, "AggregateEvents", NO_POLICY)
