"""How CastColumns is run over values without Beam."""

import datetime
from typing import Any

import pyarrow as pa
from shaping_data import UTC

from blocks.core.block import Outcome
from blocks.core.schema.types import parse_type
from blocks.shaping.cast_columns import CastColumns

Columns = dict[str, str]


def run(columns: Columns, given: pa.RecordBatch) -> Outcome:
    block = CastColumns(columns)
    found = block.batch_function(given.schema)(given)
    assert found.rows.schema.equals(block.output_schema(given.schema), check_metadata=True)
    found.rows.validate(full=True)
    assert found.rows.num_rows + len(found.rejects) == given.num_rows
    return found


def cast(values: Any, source: str | pa.DataType, target: str) -> list[Any]:
    """Each value cast; "-" where its row is rejected. All at once and one by one, plain and sliced, give the same."""
    kind = parse_type(source) if isinstance(source, str) else source
    column = pa.array(values, kind)
    found = cast_column(column, target)
    assert [one for at in range(len(column)) for one in cast_column(column[at : at + 1], target)] == found
    assert cast_column(column[1:], target) == found[1:]
    return found


def cast_column(column: pa.Array, target: str) -> list[Any]:
    places = pa.array(range(len(column)), pa.int64())
    schema = pa.schema([("at", pa.int64()), ("value", column.type)])
    outcome = run({"value": target}, pa.RecordBatch.from_arrays([places, column], schema=schema))
    result = outcome.rows.column("value")
    assert result.type == parse_type(target)
    if "ns" in target:
        result = result.view(pa.int64())
    kept = dict(zip(outcome.rows.column("at").to_pylist(), map(_comparable, result.to_pylist()), strict=True))
    return [kept.get(place, "-") for place in range(len(column))]


def _comparable(value: Any) -> Any:
    return "nan" if value != value else value


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)
