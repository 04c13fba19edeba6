"""Arrow values as cells that the JVM and a comparison take: floats by their bits, times as whole numbers."""

import struct
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat


def cells_of(column: pa.Array) -> list[Any]:
    """The values of a column; decimals with 9 digits behind the point, as the wire to Beam has them."""
    kind = column.type
    if pat.is_timestamp(kind):
        # Beam knows milliseconds; finer times are cut toward minus infinity.
        return [None if at is None else str(at // 1000) for at in _whole(column.cast(pa.timestamp("us", tz=kind.tz)))]
    if pat.is_date32(kind):
        return column.cast(pa.int32()).to_pylist()
    if pat.is_time64(kind):
        return [None if at is None else str(at // 1000 * 1000) for at in _whole(column)]
    if pat.is_list(kind):
        return [None if value is None else cells_of(pa.array(value, kind.value_type)) for value in column.to_pylist()]
    if pat.is_map(kind):
        return [None if value is None else _pairs(value, kind) for value in column.to_pylist()]
    if pat.is_struct(kind):
        fields = [cells_of(pa.array(_field(column, field.name), field.type)) for field in kind]
        return _rows(column, fields)
    return [None if value is None else _cell(value, kind) for value in column.to_pylist()]


def _whole(column: pa.Array) -> list[Any]:
    found: list[Any] = column.cast(pa.int64()).to_pylist()
    return found


def _field(column: pa.Array, name: str) -> list[Any]:
    return [None if value is None else value[name] for value in column.to_pylist()]


def _rows(column: pa.Array, fields: list[list[Any]]) -> list[Any]:
    return [
        list(values) if valid.as_py() else None
        for valid, values in zip(column.is_valid(), zip(*fields, strict=True), strict=True)
    ]


def _pairs(value: list[tuple[Any, Any]], kind: pa.MapType) -> list[Any]:
    keys = cells_of(pa.array([key for key, _ in value], kind.key_type))
    items = cells_of(pa.array([item for _, item in value], kind.item_type))
    return sorted([key, item] for key, item in zip(keys, items, strict=True))


def _cell(value: Any, kind: pa.DataType) -> Any:
    if pat.is_int64(kind):
        return str(value)
    if pat.is_float32(kind):
        return f"{struct.unpack('>I', struct.pack('>f', value))[0]:x}"
    if pat.is_float64(kind):
        return f"{struct.unpack('>Q', struct.pack('>d', value))[0]:x}"
    if pat.is_decimal(kind):
        return f"{value:.9f}"
    return value.hex() if isinstance(value, bytes) else value


def comparable(cell: Any, kind: pa.DataType) -> Any:
    """A cell of either side: whole numbers as such, one NaN for all, decimals by value."""
    if cell is None:
        return None
    if pat.is_floating(kind):
        bits, infinite = int(cell, 16), 0x7F800000 if pat.is_float32(kind) else 0x7FF0000000000000
        return "NaN" if bits & (0x7FFFFFFF if pat.is_float32(kind) else (1 << 63) - 1) > infinite else bits
    if pat.is_decimal(kind):
        return Decimal(cell)
    if pat.is_integer(kind) or pat.is_temporal(kind):
        return int(cell)
    if pat.is_list(kind):
        return [comparable(one, kind.value_type) for one in cell]
    if pat.is_map(kind):
        return sorted(
            ([comparable(key, kind.key_type), comparable(item, kind.item_type)] for key, item in cell), key=str
        )
    if pat.is_struct(kind):
        return [comparable(one, field.type) for one, field in zip(cell, kind, strict=True)]
    return cell
