"""How each field of a schema is read from JSON: the type to parse into, and what to convert afterwards.

| Arrow type | JSON |
|---|---|
| integers | a number without fraction or exponent, exact at any size the type holds |
| float32, float64 | a number; NaN and infinities are not JSON |
| decimal | a number or a string of one, exact, never through binary floating point |
| bool | true, false |
| string | a string |
| timestamp | a string as in RFC 3339; with `blocks.epoch` a number (or a string of one) in that unit since 1970, UTC |
| date, time | a string as in RFC 3339 (`2026-01-31`, `10:11:12.5`) |
| binary | a string, base64 (RFC 4648, section 4) |
| struct, map | an object |
| list | an array |

Any of them may be null or missing unless the field is not nullable. Times lie in the years 1 to 9999; digits beyond
their unit are cut off (of epoch numbers, which have 9 decimals at most, rounded down). Numbers too large for a float
do not fit it. A decimal has, as written, at most the digits of its type: as many in all as its precision, as many after
the point (trailing zeros aside) as its scale. A number of more than 10^308 fits nothing.
"""

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.dictionaries import decode_schema
from blocks.core.errors import Problem, SchemaError, all_problems, repeated_names
from blocks.core.masks.base import is_bytes, is_text

Kind = Literal[
    "int", "float", "decimal", "bool", "string", "timestamp", "epoch", "date", "time", "binary", "struct", "list", "map"
]

# Arrow's reader multiplies what is written by ten to the scale, and 128 bits overflow without a word past 38 digits.
_SAFE_DIGITS = 38
# Decimal digits enough for any 64-bit count of nanoseconds, and for fractions of seconds down to them.
EPOCH_TYPE = pa.decimal128(_SAFE_DIGITS - 9, 9)


@dataclass(frozen=True)
class Node:
    """One field, as it is read.

    Attributes:
      field: the Arrow field that results.
      kind: what it is in JSON.
      path: its path, as `labels.leaves` writes it.
      parsed: the type that the parser gives, a struct without fields for a map; None for a list that holds a map.
      children: fields of a struct, element of a list, key and value of a map.
      has_map: whether it is a map or holds one.
    """

    field: pa.Field
    kind: Kind
    path: str
    parsed: pa.DataType | None
    children: tuple["Node", ...] = field(default=())
    has_map: bool = False

    @property
    def name(self) -> str:
        """Name of the field."""
        return str(self.field.name)

    @property
    def required(self) -> bool:
        """Whether null and missing are refused."""
        return not self.field.nullable

    @property
    def converts(self) -> bool:
        """Whether the parsed array differs from the result, or has to be checked."""
        return (
            self.required
            or self.kind in ("decimal", "float")
            or self.parsed is None
            or not self.parsed.equals(self.field.type)
            or any(child.converts for child in self.children)
        )


def plan_schema(schema: pa.Schema, where: str) -> tuple[pa.Schema, tuple[Node, ...]]:
    """Plans the reading of a schema.

    Returns:
      The schema of the result (dictionary columns as plain ones), and a node a column.

    Raises:
      SchemaError: every field whose type is not read from JSON.
    """
    schema = decode_schema(schema)
    with all_problems(where, SchemaError) as problems:
        if not len(schema):
            problems.append(Problem("the schema has no columns", "schema", "name at least one"))
        problems.extend(repeated_names(schema.names, "schema"))
        nodes = tuple(_node(column, column.name, problems) for column in schema)
    return schema, nodes


def _node(at: pa.Field, path: str, problems: list[Problem]) -> Node:
    kind = _kind(at)
    if kind is None:
        problems.append(
            Problem(f"cannot read {at.type} from JSON", f"field `{path}`", "read it as text, or leave it out")
        )
        return Node(at, "string", path, pa.string())
    children = tuple(_node(child, path + suffix, problems) for suffix, child in labels.children(at.type))
    if kind == "struct":
        problems.extend(repeated_names((child.name for child in children), f"field `{path}`"))
    if kind == "map" and not is_text(at.type.key_type):
        problems.append(
            Problem(f"keys of a JSON object are text, not {at.type.key_type}", f"field `{path}`", "use string")
        )
    has_map = kind == "map" or any(child.has_map for child in children)
    return Node(at, kind, path, _parsed(at.type, kind, children), children, has_map)


def _kind(at: pa.Field) -> Kind | None:
    kinds: tuple[tuple[bool, Kind], ...] = (
        (pat.is_integer(at.type), "int"),
        (pat.is_floating(at.type) and not pat.is_float16(at.type), "float"),
        # A negative scale would be below the digits that are written.
        (pat.is_decimal128(at.type) and 0 <= at.type.scale <= at.type.precision, "decimal"),
        (pat.is_boolean(at.type), "bool"),
        (is_text(at.type), "string"),
        (pat.is_timestamp(at.type) and labels.get(at, labels.EPOCH) is not None, "epoch"),
        (pat.is_timestamp(at.type), "timestamp"),
        (pat.is_date32(at.type), "date"),
        (pat.is_time(at.type), "time"),
        (is_bytes(at.type), "binary"),
        (pat.is_struct(at.type), "struct"),
        (pat.is_map(at.type), "map"),
        (pat.is_list(at.type) or pat.is_large_list(at.type), "list"),
    )
    return next((kind for fits, kind in kinds if fits), None)


def _parsed(data_type: pa.DataType, kind: Kind, children: tuple[Node, ...]) -> pa.DataType | None:
    if kind == "decimal" and data_type.precision + data_type.scale > _SAFE_DIGITS:
        return pa.decimal256(data_type.precision, data_type.scale)
    if kind in ("int", "float", "decimal", "bool"):
        return data_type
    if kind == "epoch":
        return EPOCH_TYPE
    if kind == "map":
        # Its content is read apart; as a struct without fields the parser still refuses what is no object, or is there
        # twice.
        return pa.struct([])
    if kind == "struct":
        return pa.struct([pa.field(child.name, child.parsed) for child in children if child.parsed is not None])
    if kind == "list":
        (item,) = children
        return None if item.has_map else pa.list_(pa.field("item", item.parsed))
    return pa.string()
