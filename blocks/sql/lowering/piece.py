"""A piece of DuckDB's SQL with what is known of its value, and why something has none."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from blocks.sql.lowering.lowered import Read
from blocks.sql.types import INTEGERS, SqlType

MOST_DIGITS, MOST_SCALE, MOST_WHOLE = 38, 9, 29
# Digits of a whole number of each type.
DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
_ENGINE_TYPES = {
    **{name: name for name in (*INTEGERS, "BOOLEAN", "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP")},
    "CHAR": "VARCHAR",
    "VARCHAR": "VARCHAR",
    "VARBINARY": "BLOB",
}
# UTF-16, in which Java compares texts, puts everything from here on in another order than Unicode.
_FIRST_SURROGATE = "\ud800"


class NotLoweredError(Exception):
    """Something that has no equal form.

    Attributes:
      what: it is, as the middle of a sentence: "DECIMAL division has no equal form".
      node: sqlglot's, for the place; None where the whole query is meant.
    """

    def __init__(self, what: str, node: Any = None) -> None:
        super().__init__(what)
        self.what, self.node = what, node


@dataclass(frozen=True, slots=True)
class Bound:
    """`value < limit`, or `value > limit` where it is the least; or equal, which makes no difference here.

    Of the value just the columns are known: Calcite may find `x` in `x + 0`.
    """

    value: frozenset[str]
    limit: Decimal
    is_least: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """An expression.

    Attributes:
      sql: in parentheses, or one word.
      type: of a DECIMAL always with precision and scale.
      fails: whether there are values on which it fails.
      text: of a literal text.
      number: of a literal number.
      read: what of the input it is, whole and unchanged; None for all else.
      planned: precision and scale that Calcite takes a DECIMAL to have, by which it cuts where it brings several to one
        type; those of a column are (38, 0), whatever its values have. None for all else.
      bounds: the literals with which a FLOAT or DOUBLE is compared in it, wherever they stand.
      orders: whether a FLOAT or DOUBLE is compared by `<`, `<=`, `>` or `>=` in it.
    """

    sql: str
    type: SqlType
    fails: bool = False
    text: str | None = None
    number: Decimal | None = None
    read: Read | None = None
    planned: tuple[int, int] | None = None
    bounds: frozenset[Bound] = frozenset()
    orders: bool = False

    @property
    def is_low(self) -> bool:
        """Whether it is a literal that compares to every text the same in UTF-16 as in Unicode."""
        return self.text is not None and all(sign < _FIRST_SURROGATE for sign in self.text)

    def with_type(self, kind: SqlType) -> "Piece":
        """The same SQL, taken for another type."""
        return replace(self, type=kind)


def made(sql: str, kind: SqlType, *parts: Piece, fails: bool = False) -> Piece:
    """A piece made of others: it fails where one of them does."""
    bounds = frozenset[Bound]().union(*(part.bounds for part in parts))
    orders = any(part.orders for part in parts)
    return Piece(sql, kind, fails or any(part.fails for part in parts), bounds=bounds, orders=orders)


def engine_type(kind: SqlType) -> str:
    """DuckDB's name of a type.

    Raises:
      NotLoweredError: a type that has none.
    """
    match kind.name:
        case "DECIMAL":
            return f"DECIMAL({kind.precision}, {kind.scale})"
        case "ARRAY":
            return f"{engine_type(kind.inner[0])}[]"
        case "MAP":
            return f"MAP({engine_type(kind.inner[0])}, {engine_type(kind.inner[1])})"
        case "ROW":
            fields = zip(kind.names, kind.inner, strict=True)
            return "STRUCT(" + ", ".join(f"{name_literal(name)} {engine_type(inner)}" for name, inner in fields) + ")"
    name = _ENGINE_TYPES.get(kind.name)
    if name is None:
        raise NotLoweredError(f"{kind.name} has no equal type")
    return name


def text_literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def name_literal(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def decimal(precision: int, scale: int, nullable: bool, what: str, node: Any = None) -> SqlType:
    """A DECIMAL that DuckDB, and Beam's schema of 38 digits with 9 behind the point, hold without rounding.

    Raises:
      NotLoweredError: they may have to round.
    """
    if scale > MOST_SCALE or precision - scale > MOST_WHOLE or precision > MOST_DIGITS:
        raise NotLoweredError(
            f"{what} may need {precision - scale} digits before and {scale} behind the point (at most {MOST_WHOLE} and "
            f"{MOST_SCALE} are exact)",
            node,
        )
    return SqlType("DECIMAL", nullable, max(precision, 1), scale)
