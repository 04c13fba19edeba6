"""Types of Beam SQL, which are Calcite's, and the Arrow types that stand for them.

    Arrow column                        SQL type          back to Arrow (a computed column)
    bool                                BOOLEAN           bool
    int8, int16, int32, int64           TINYINT ... BIGINT  the same
    uint8, uint16, uint32               SMALLINT, INTEGER, BIGINT
    float16, float32, float64           FLOAT, FLOAT, DOUBLE  float, double
    decimal128(p, s), s <= 9, p-s <= 29 DECIMAL           decimal128(38, 9)
    string, large_string, string_view   VARCHAR           string
    binary and its kin                  VARBINARY         binary
    date32                              DATE              date32
    time32, time64[us]                  TIME              time64[us]
    timestamp[s, ms, us], any zone      TIMESTAMP         timestamp[us, tz=UTC]
    list and its kin, map, struct       ARRAY, MAP, ROW   list, map, struct

A column that a query passes on as it is keeps the Arrow type that it came with. Beam's Calcite knows milliseconds only:
see `RunSql`. Source: `org.apache.beam.sdk.extensions.sql.impl.utils.CalciteUtils` of Beam 2.70.
"""

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.labels import is_list

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
APPROXIMATE = ("FLOAT", "DOUBLE")
NUMERIC = (*INTEGERS, "DECIMAL", *APPROXIMATE)
TEXT = ("CHAR", "VARCHAR")
TIMES = ("DATE", "TIME", "TIMESTAMP")
INTERVALS = ("INTERVAL_DAY", "INTERVAL_MONTH")
NESTED = ("ARRAY", "MAP", "ROW")


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type of Beam SQL.

    Attributes:
      name: of those above; also `NULL` (the literal), `ANY` (a function that takes what it gets), INTERVAL_DAY and
        INTERVAL_MONTH (never a column).
      nullable: whether NULL is a value of it.
      precision: digits of a DECIMAL, or length of a CHAR, where it is known.
      scale: of a DECIMAL, where it is known.
      inner: of ARRAY the element, of MAP key and value, of ROW the fields.
      names: of a ROW's fields.
    """

    name: str
    nullable: bool = True
    precision: int | None = None
    scale: int | None = None
    inner: tuple["SqlType", ...] = ()
    names: tuple[str, ...] = ()

    def null(self, nullable: bool = True) -> "SqlType":
        """The same type with or without NULL."""
        return self if self.nullable == nullable else replace(self, nullable=nullable)

    def __str__(self) -> str:
        match self.name:
            case "ARRAY":
                return f"ARRAY<{self.inner[0]}>"
            case "MAP":
                return f"MAP<{self.inner[0]}, {self.inner[1]}>"
            case "ROW":
                fields = zip(self.names, self.inner, strict=True)
                return "ROW<" + ", ".join(f"{name} {kind}" for name, kind in fields) + ">"
            case "INTERVAL_DAY" | "INTERVAL_MONTH":
                return "INTERVAL"
        return self.name


_FROM_ARROW = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "SMALLINT",
    pa.uint16(): "INTEGER",
    pa.uint32(): "BIGINT",
    pa.float16(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.string_view(): "VARCHAR",
    pa.binary(): "VARBINARY",
    pa.large_binary(): "VARBINARY",
    pa.binary_view(): "VARBINARY",
    pa.date32(): "DATE",
    pa.time32("s"): "TIME",
    pa.time32("ms"): "TIME",
    pa.time64("us"): "TIME",
}
_TO_ARROW = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "DECIMAL": pa.decimal128(38, 9),
    "CHAR": pa.string(),
    "VARCHAR": pa.string(),
    "VARBINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "NULL": pa.string(),
}
MAX_SCALE, MAX_WHOLE_DIGITS = 9, 29


class UnsupportedTypeError(Exception):
    """An Arrow type that Beam SQL cannot hold; the text says what to do.

    Attributes:
      data_type: the Arrow type, which may stand deep within the column's.
    """

    def __init__(self, data_type: pa.DataType, fix: str) -> None:
        super().__init__(fix)
        self.data_type, self.fix = data_type, fix


def from_arrow(field: pa.Field) -> SqlType:
    """The SQL type of a column.

    Raises:
      UnsupportedTypeError: Beam SQL cannot hold it.
    """
    data_type, nullable = field.type, field.nullable
    name = _FROM_ARROW.get(data_type)
    if name is not None:
        return SqlType(name, nullable)
    if pat.is_fixed_size_binary(data_type):
        return SqlType("VARBINARY", nullable)
    if pat.is_timestamp(data_type) and data_type.unit != "ns":
        return SqlType("TIMESTAMP", nullable)
    if pat.is_decimal(data_type) and data_type.bit_width <= 128:
        return _decimal(data_type, nullable)
    if is_list(data_type):
        return SqlType("ARRAY", nullable, inner=(from_arrow(data_type.value_field),))
    if pat.is_map(data_type):
        return SqlType("MAP", nullable, inner=(from_arrow(data_type.key_field), from_arrow(data_type.item_field)))
    if pat.is_struct(data_type) and data_type.num_fields:
        inner = tuple(from_arrow(child) for child in data_type)
        return SqlType("ROW", nullable, inner=inner, names=tuple(child.name for child in data_type))
    raise UnsupportedTypeError(data_type, _instead(data_type))


def _decimal(data_type: pa.DataType, nullable: bool) -> SqlType:
    whole = data_type.precision - data_type.scale
    if not 0 <= data_type.scale <= MAX_SCALE or whole > MAX_WHOLE_DIGITS:
        fix = f"cast it to at most {MAX_WHOLE_DIGITS} digits before and {MAX_SCALE} after the point: CastColumns"
        raise UnsupportedTypeError(data_type, fix)
    return SqlType("DECIMAL", nullable, data_type.precision, data_type.scale)


def _instead(data_type: pa.DataType) -> str:
    if pat.is_uint64(data_type):
        return "cast it to int64 or decimal128(20, 0) before: CastColumns"
    if pat.is_timestamp(data_type) or pat.is_time(data_type):
        zone = f", tz={data_type.tz}" if pat.is_timestamp(data_type) and data_type.tz else ""
        return f"cast it to {'timestamp' if pat.is_timestamp(data_type) else 'time64'}[us{zone}] before: CastColumns"
    return "leave it out (SelectColumns), or cast it before (CastColumns)"


def to_arrow(kind: SqlType) -> pa.DataType:
    """The Arrow type of a computed column."""
    match kind.name:
        case "ARRAY":
            return pa.list_(_field("item", kind.inner[0]))
        case "MAP":
            return pa.map_(to_arrow(kind.inner[0]), _field("value", kind.inner[1]))
        case "ROW":
            return pa.struct([_field(name, inner) for name, inner in zip(kind.names, kind.inner, strict=True)])
    return _TO_ARROW[kind.name]


def _field(name: str, kind: SqlType) -> pa.Field:
    return pa.field(name, to_arrow(kind), kind.nullable)
