"""Arrow types as Beam's schema types, both ways; the values are in `row_values.py`.

| Arrow | Beam (Python) |
|---|---|
| int8, int16 | np.int16 (Beam's coder of bytes refuses negative ones) |
| int32, int64 | np.int32, np.int64 |
| float32, float64 | np.float32, np.float64 |
| bool | bool |
| string, large_string, string_view | str |
| binary, large_binary, fixed_size_binary, binary_view | bytes |
| decimal128, decimal256 | decimal.Decimal |
| timestamp s, ms, us with time zone | Timestamp (microseconds) |
| date32 | datetime.date |
| struct | Row |
| list, large_list, fixed_size_list, list views | Sequence |
| map | Mapping; its keys are no structs, lists or maps |

A nullable field is Optional. Not held, each a clear error: unsigned integers, float16, timestamps without a zone (no
instant) or with nanoseconds, times of day, durations, intervals, null, unions, date64, and names that Python's
NamedTuple refuses (`_id`, `a.b`, `class`). Stopped at the value: decimals of more than 28 digits, which Beam's coder
would round, and maps that hold a key twice.
Source: Beam's schema.proto and apache_beam.typehints.schemas.
"""

import base64
import datetime
import decimal
import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from apache_beam.typehints import row_type, schemas, typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type
from apache_beam.utils.timestamp import Timestamp

from blocks.core import nested
from blocks.core.errors import Problem, SchemaError, all_problems
from blocks.core.labels import is_list
from blocks.core.masks.base import is_bytes, is_text

SCHEMA_OPTION = "blocks.arrow_schema"

_NUMBERS: tuple[tuple[pa.DataType, Any], ...] = (
    (pa.int8(), np.int16),
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
      SchemaError: every field whose type or name Beam's schemas cannot hold, with what to do; no columns at all.
    """
    if not schema.names:
        raise SchemaError("there are no columns to make rows of", where=where, fix="keep at least one column")
    with all_problems(where, SchemaError) as problems:
        fields = _named(schema, "", problems)
    encoded = base64.b64encode(schema.serialize().to_pybytes()).decode()
    return row_type.RowTypeConstraint.from_fields(fields, schema_options=[(SCHEMA_OPTION, encoded)])


def _named(fields: Iterable[pa.Field], above: str, problems: list[Problem]) -> list[tuple[str, Any]]:
    found = []
    for field in fields:
        name, path = field.name, above + field.name
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            # Beam makes NamedTuples of decoded rows.
            fix = "rename it before: letters, digits and `_`, no `_` or digit first, no keyword of Python"
            problems.append(Problem(f"`{name}` cannot be the name of a field of Beam rows", f"field `{path}`", fix))
        found.append((name, _beam_type(field, path, problems)))
    return found


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
    if pat.is_struct(data_type):
        # After a problem the type is not used, and Beam would refuse the names with an error of its own.
        fields = _named(data_type, path + ".", problems)
        return object if problems else row_type.RowTypeConstraint.from_fields(fields)
    if pat.is_map(data_type):
        if nested.is_nested(data_type.key_type):
            what = f"Beam rows cannot hold map keys of {data_type.key_type}"
            problems.append(Problem(what, f"field `{path}{{key}}`", "turn the map into a list of structs"))
            return object
        key = _required(data_type.key_type, path + "{key}", problems)
        return Mapping[key, _beam_type(data_type.item_field, path + "{}", problems)]  # type: ignore[misc, valid-type]
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
            if row_type_of(schema, where)._fields == constraint._fields:
                return schema
    with all_problems(where, SchemaError) as problems:
        fields = [_arrow_field(name, kind, name, problems) for name, kind in constraint._fields]
    return pa.schema(fields)


def _arrow_field(name: str, kind: Any, path: str, problems: list[Problem]) -> pa.Field:
    # NamedTuples keep hints of Python's typing.
    kind = convert_to_beam_type(kind)
    nullable = typehints.is_nullable(typehints.normalize(kind))
    if nullable:
        kind = typehints.get_concrete_type_from_nullable(typehints.normalize(kind))
    data_type = _arrow_type(kind, path, problems)
    return pa.field(name, data_type, nullable=nullable or pat.is_null(data_type))


_SIMPLE = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    Timestamp: pa.timestamp("us", tz="UTC"),
    **{kind: arrow for arrow, kind in _NUMBERS},
    np.int8: pa.int8(),
    np.int16: pa.int16(),
}


def _arrow_type(kind: Any, path: str, problems: list[Problem]) -> pa.DataType:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    rows = row_type.RowTypeConstraint.from_user_type(kind) if isinstance(kind, type) else kind
    if isinstance(rows, row_type.RowTypeConstraint):
        return pa.struct([_arrow_field(name, inner, f"{path}.{name}", problems) for name, inner in rows._fields])
    normal = typehints.normalize(kind) if not isinstance(kind, type) else kind
    if isinstance(normal, typehints.DictHint.DictConstraint | typehints.MappingHint.MappingTypeConstraint):
        key = _arrow_type(normal.key_type, path + "{key}", problems)
        return pa.map_(key, _arrow_field("value", normal.value_type, path + "{}", problems))
    if isinstance(normal, typehints.SequenceTypeConstraint):
        return pa.list_(_arrow_field("item", normal.inner_type, path + "[]", problems))
    fix = "give AsBatches(schema): " + (
        "Beam's decimals have no precision" if kind is decimal.Decimal else "say its type"
    )
    problems.append(Problem(f"no Arrow type for {kind}", f"field `{path}`", fix))
    return pa.null()


# Beam knows the logical type of dates by class; importing the module registers it.
assert schemas.Date
