"""Arrow types and values as Beam's schema types and values, both ways.

| Arrow | Beam (Python) |
|---|---|
| int8, int16, int32, int64 | np.int8, np.int16, np.int32, np.int64 |
| float32, float64 | np.float32, np.float64 |
| bool | bool |
| string, large_string, string_view | str |
| binary, large_binary, fixed_size_binary, binary_view | bytes |
| decimal128, decimal256 | decimal.Decimal |
| timestamp s, ms, us with time zone | Timestamp (microseconds) |
| date32 | datetime.date |
| struct | Row |
| list, large_list, fixed_size_list | Sequence |
| map | Mapping |
| dictionary | the type of its values |

A nullable field is Optional. Not held, each a clear error: unsigned integers, float16, timestamps without a zone (no
instant) or with nanoseconds, times of day, durations, intervals, null, unions, date64.
Source: Beam's schema.proto and apache_beam.typehints.schemas.
"""

import base64
import datetime
import decimal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from apache_beam.pvalue import Row
from apache_beam.typehints import row_type, schemas, typehints
from apache_beam.utils.timestamp import Timestamp

from blocks.core.errors import Problem, SchemaError, all_problems
from blocks.core.labels import is_list
from blocks.core.masks.base import is_bytes, is_text

SCHEMA_OPTION = "blocks.arrow_schema"

_NUMBERS: tuple[tuple[pa.DataType, Any], ...] = (
    (pa.int8(), np.int8),
    (pa.int16(), np.int16),
    (pa.int32(), np.int32),
    (pa.int64(), np.int64),
    (pa.float32(), np.float32),
    (pa.float64(), np.float64),
    (pa.bool_(), bool),
    (pa.date32(), datetime.date),
)
_FIXES = (
    (pat.is_unsigned_integer, "cast it to a wider signed integer"),
    (pat.is_timestamp, "use timestamp[us, tz=UTC]: Beam's timestamps are instants in microseconds"),
    (pat.is_time, "cast it to int64, microseconds since midnight, or to text"),
    (pat.is_date64, "cast it to date32"),
    (pat.is_duration, "cast it to int64 microseconds"),
    (pat.is_float16, "cast it to float32"),
)


def row_type_of(schema: pa.Schema, where: str) -> row_type.RowTypeConstraint:
    """The Beam row type of an Arrow schema; the schema itself goes along as an option, so that the way back is exact.

    Raises:
      SchemaError: every field whose type Beam's schemas cannot hold, with what to cast it to.
    """
    with all_problems(where, SchemaError) as problems:
        fields = [(field.name, _beam_type(field, field.name, problems)) for field in schema]
    encoded = base64.b64encode(schema.serialize().to_pybytes()).decode()
    return row_type.RowTypeConstraint.from_fields(fields, schema_options=[(SCHEMA_OPTION, encoded)])


def _beam_type(field: pa.Field, path: str, problems: list[Problem]) -> Any:
    found = _required(field.type, path, problems)
    # `found | None` fails for Beam's own constraints, which are no classes.
    return Optional[found] if field.nullable else found  # noqa: UP045


def _required(data_type: pa.DataType, path: str, problems: list[Problem]) -> Any:
    for arrow, beam_type in _NUMBERS:
        if data_type.equals(arrow):
            return beam_type
    if is_text(data_type):
        return str
    if is_bytes(data_type):
        return bytes
    if pat.is_decimal(data_type):
        return decimal.Decimal
    if pat.is_timestamp(data_type) and data_type.tz is not None and data_type.unit != "ns":
        return Timestamp
    if pat.is_dictionary(data_type):
        return _required(data_type.value_type, path, problems)
    if pat.is_struct(data_type):
        return row_type.RowTypeConstraint.from_fields(
            [(child.name, _beam_type(child, f"{path}.{child.name}", problems)) for child in data_type]
        )
    if pat.is_map(data_type):
        key = _required(data_type.key_type, path + "{key}", problems)
        return Mapping[key, _beam_type(data_type.item_field, path + "{}", problems)]  # type: ignore[valid-type]
    if is_list(data_type):
        return Sequence[_beam_type(data_type.value_field, path + "[]", problems)]  # type: ignore[misc]
    fix = next((fix for test, fix in _FIXES if test(data_type)), "cast it or leave it out")
    problems.append(Problem(f"Beam rows cannot hold {data_type}", f"field `{path}`", fix))
    return object


def arrow_schema_of(element_type: Any, where: str) -> pa.Schema:
    """The Arrow schema of a Beam row type (beam.Row, NamedTuple or dataclass), labels included if `AsRows` made it.

    Raises:
      SchemaError: not a row type, or fields whose Arrow type it does not tell (decimals have no precision in Beam).
    """
    constraint = row_type.RowTypeConstraint.from_user_type(element_type) or element_type
    if not isinstance(constraint, row_type.RowTypeConstraint):
        raise SchemaError(
            f"cannot tell the columns of elements of type {element_type}",
            where=where,
            fix="give AsBatches(schema), or a row type: .with_output_types(...) with a NamedTuple or beam.Row",
        )
    for name, value in constraint.schema_options:
        if name == SCHEMA_OPTION:
            schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(value)))
            if schema.names == [field for field, _ in constraint._fields]:
                return schema
    with all_problems(where, SchemaError) as problems:
        fields = [_arrow_field(name, kind, name, problems) for name, kind in constraint._fields]
    return pa.schema(fields)


def _arrow_field(name: str, kind: Any, path: str, problems: list[Problem]) -> pa.Field:
    nullable = typehints.is_nullable(typehints.normalize(kind))
    if nullable:
        kind = typehints.get_concrete_type_from_nullable(typehints.normalize(kind))
    return pa.field(name, _arrow_type(kind, path, problems), nullable=nullable)


_SIMPLE = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    Timestamp: pa.timestamp("us", tz="UTC"),
    **{kind: arrow for arrow, kind in _NUMBERS},
}


def _arrow_type(kind: Any, path: str, problems: list[Problem]) -> pa.DataType:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    rows = row_type.RowTypeConstraint.from_user_type(kind) if isinstance(kind, type) else kind
    if isinstance(rows, row_type.RowTypeConstraint):
        return pa.struct([_arrow_field(name, inner, f"{path}.{name}", problems) for name, inner in rows._fields])
    normal = typehints.normalize(kind) if not isinstance(kind, type) else kind
    if isinstance(normal, typehints.DictConstraint):
        key = _arrow_type(normal.key_type, path + "{key}", problems)
        return pa.map_(key, _arrow_field("value", normal.value_type, path + "{}", problems))
    if isinstance(normal, typehints.SequenceTypeConstraint):
        return pa.list_(_arrow_field("item", normal.inner_type, path + "[]", problems))
    fix = "give AsBatches(schema): " + (
        "Beam's decimals have no precision" if kind is decimal.Decimal else "say its type"
    )
    problems.append(Problem(f"no Arrow type for {kind}", f"field `{path}`", fix))
    return pa.null()


def row_maker(schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[Row]]:
    """The function from a batch to beam.Rows; one Python object a value, so keep rows for where rows must meet."""
    names = schema.names
    converts = [_to_beam(field.type) for field in schema]

    def rows(batch: pa.RecordBatch) -> Iterator[Row]:
        columns = [convert(column) for convert, column in zip(converts, batch.columns, strict=True)]
        if not names:
            return
        for values in zip(*columns, strict=True):
            yield Row(**dict(zip(names, values, strict=True)))

    return rows


def _to_beam(data_type: pa.DataType) -> Callable[[pa.Array], list[Any]]:
    if pat.is_timestamp(data_type):
        micros = pa.timestamp("us", tz=data_type.tz)
        return lambda array: [
            None if value is None else Timestamp(micros=value)
            for value in array.cast(micros).cast(pa.int64()).to_pylist()
        ]
    one = _value_to_beam(data_type)
    if one is None:
        return lambda array: array.to_pylist()
    return lambda array: [None if value is None else one(value) for value in array.to_pylist()]


def _value_to_beam(data_type: pa.DataType) -> Callable[[Any], Any] | None:
    """What turns a value of `to_pylist` into Beam's; None where it is the same."""
    if pat.is_timestamp(data_type):
        return _timestamp
    if pat.is_dictionary(data_type):
        return _value_to_beam(data_type.value_type)
    if pat.is_struct(data_type):
        parts = [(child.name, _value_to_beam(child.type) or _same) for child in data_type]
        return lambda value: Row(**{name: _or_none(convert, value[name]) for name, convert in parts})
    if pat.is_map(data_type):
        item = _value_to_beam(data_type.item_type) or _same
        key = _value_to_beam(data_type.key_type) or _same
        return lambda value: {key(k): _or_none(item, v) for k, v in value}
    if is_list(data_type):
        inner = _value_to_beam(data_type.value_type)
        return None if inner is None else lambda value: [_or_none(inner, one) for one in value]
    return None


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def _timestamp(value: datetime.datetime) -> Timestamp:
    return Timestamp(micros=(value - _EPOCH) // _MICROSECOND)


def _same(value: Any) -> Any:
    return value


def _or_none(convert: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else convert(value)


def batch_maker(schema: pa.Schema, where: str) -> Callable[[Sequence[Any]], pa.RecordBatch]:
    """The function from rows (beam.Row, NamedTuple, dataclass) to a batch.

    Raises:
      SchemaError: (by the function) a value that does not fit its column, naming the column and not the value.
    """
    converts = [(field, _from_beam(field.type)) for field in schema]

    def batch(rows: Sequence[Any]) -> pa.RecordBatch:
        columns = []
        for field, convert in converts:
            try:
                values = [convert(getattr(row, field.name)) for row in rows]
                column = pa.array(values, field.type)
            except AttributeError:
                raise SchemaError(
                    "a row does not have this field",
                    where=f"{where}: field `{field.name}`",
                    fix="give it, null if need be",
                ) from None
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as cause:
                # Arrow's message shows the value.
                raise SchemaError(
                    f"a value does not fit {field.type} ({type(cause).__name__})",
                    where=f"{where}: field `{field.name}`",
                    fix="convert it before, or declare another type",
                ) from None
            if column.null_count and not field.nullable:
                raise SchemaError(
                    "null in a column that is not nullable",
                    where=f"{where}: field `{field.name}`",
                    fix="declare it nullable",
                )
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    return batch


def _from_beam(data_type: pa.DataType) -> Callable[[Any], Any]:
    convert = _value_from_beam(data_type)
    return _same if convert is None else lambda value: None if value is None else convert(value)


def _value_from_beam(data_type: pa.DataType) -> Callable[[Any], Any] | None:
    if pat.is_timestamp(data_type):
        return lambda value: _EPOCH + value.micros * _MICROSECOND if isinstance(value, Timestamp) else value
    if pat.is_dictionary(data_type):
        return _value_from_beam(data_type.value_type)
    if pat.is_decimal(data_type):
        return lambda value: value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))
    if pat.is_struct(data_type):
        parts = [(child.name, _from_beam(child.type)) for child in data_type]
        return lambda value: {name: convert(_member(value, name)) for name, convert in parts}
    if pat.is_map(data_type):
        key, item = _from_beam(data_type.key_type), _from_beam(data_type.item_type)
        return lambda value: [(key(k), item(v)) for k, v in (value.items() if isinstance(value, Mapping) else value)]
    if is_list(data_type):
        inner = _from_beam(data_type.value_type)
        return lambda value: [inner(one) for one in value]
    return None


def _member(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, Mapping) else getattr(value, name)


# Beam knows the logical type of dates by class; importing the module registers it.
assert schemas.Date
