"""Expressions over columns, by a grammar: mostly right, and wrong where a mutation asks for it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from blocks.testing.agreement.library_calls import library_call
from blocks.testing.agreement.pieces import Piece, of, several

KINDS = ("whole", "decimal", "double", "text", "truth", "moment", "date", "time")
_DEFAULTS = {
    "whole": "1",
    "decimal": "1.5",
    "double": "CAST(1 AS DOUBLE)",
    "text": "'a'",
    "truth": "TRUE",
    "moment": "TIMESTAMP '2024-02-29 10:00:00'",
    "date": "DATE '2024-02-29'",
    "time": "TIME '10:00:00'",
}
_LITERALS = {
    "whole": ("0", "1", "7", "-3", "100000", "3000000000"),
    "decimal": ("1.5", "0.25", "-2.75", "100.0"),
    "double": ("1e3", "CAST(1 AS DOUBLE)"),
    "text": ("'a'", "'DE'", "''", "'it''s'", "'ü'", "'10'"),
    "truth": ("TRUE", "FALSE"),
    "moment": ("TIMESTAMP '2024-02-29 10:00:00'", "CURRENT_TIMESTAMP"),
    "date": ("DATE '2024-02-29'", "CURRENT_DATE"),
    "time": ("TIME '10:00:00'",),
}
_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR")
_PARTS = ("YEAR", "MONTH", "DAY", "DOW", "DOY", "WEEK", "QUARTER")
_TYPES = {
    "whole": ("INTEGER", "BIGINT", "SMALLINT", "TINYINT"),
    "decimal": ("DECIMAL", "DECIMAL(10, 2)"),
    "double": ("DOUBLE", "FLOAT"),
    "text": ("VARCHAR", "VARCHAR(5)"),
    "truth": ("BOOLEAN",),
    "moment": ("TIMESTAMP",),
    "date": ("DATE",),
    "time": ("TIME",),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A column that an expression may use: how it is written, its kind and its Arrow type."""

    text: str
    kind: str
    type: pa.DataType


def kind_of(data_type: pa.DataType) -> str:
    """Of `KINDS`, or `other`."""
    tests: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
        (pat.is_integer, "whole"),
        (pat.is_decimal, "decimal"),
        (pat.is_floating, "double"),
        (pat.is_string, "text"),
        (pat.is_boolean, "truth"),
        (pat.is_timestamp, "moment"),
        (pat.is_date, "date"),
        (pat.is_time, "time"),
    )
    return next((kind for test, kind in tests if test(data_type)), "other")


class Expressions:
    """Makes expressions of a kind over columns.

    Args:
      numbers: where choices come from.
      seen: columns to use.
      fire: asked by the name of a mutation whether it happens here.
      library: whether functions of the library are called too.
    """

    def __init__(
        self, numbers: random.Random, seen: Sequence[Seen], fire: Callable[[str], bool], library: bool = False
    ) -> None:
        self.numbers, self.seen, self.fire, self.library = numbers, seen, fire, library

    def any(self, depth: int) -> Piece:
        """An expression of some kind, of one that a column has if possible."""
        kinds = [column.kind for column in self.seen if column.kind != "other"] or ["whole"]
        kind = self.numbers.choice(kinds) if self.numbers.random() < 0.7 else self.numbers.choice(KINDS)
        return self.of_kind(kind, depth)

    def of_kind(self, kind: str, depth: int) -> Piece:
        """An expression of a kind, at most `depth` calls deep."""
        if self.fire("wrong kind"):
            kind = self.numbers.choice(KINDS)
        if self.fire("null"):
            return of("NULL", kind=kind)
        made = self._leaf(kind) if depth <= 0 or self.numbers.random() < 0.4 else self._call(kind, depth - 1)
        return of(made, kind=kind, simple=_DEFAULTS[kind])

    def _leaf(self, kind: str) -> Piece:
        if self.fire("unknown column"):
            return of(self.numbers.choice(("missing", "K", "t.nothing", "amont")))
        fitting = [column.text for column in self.seen if column.kind == kind]
        if fitting and self.numbers.random() < 0.8:
            return of(self.numbers.choice(fitting))
        return of(self.numbers.choice(_LITERALS[kind]))

    def _call(self, kind: str, depth: int) -> Piece:
        if self.fire("unknown function"):
            name = self.numbers.choice(("FROBNICATE", "IFNULL", "CONCAT", "SUBSTR", "DATE_TRUNC", "GREATEST", "IF"))
            return self._apply(name, self.any(depth), self.any(depth))
        if self.library and self.numbers.random() < 0.4:
            called = library_call(self.numbers, "scalar", self.of_kind, kind)
            if called is not None:
                return called
        if self.numbers.random() < 0.25:
            return self._of_any_kind(kind, depth)
        if kind in ("decimal", "double"):
            return self._number(kind, depth)
        return getattr(self, f"_{kind}")(depth)

    def _apply(self, name: str, *arguments: Piece) -> Piece:
        """A call; its arguments may change places or get lost."""
        given = list(arguments)
        if len(given) > 1 and self.fire("swapped arguments"):
            given.reverse()
        if given and self.fire("lost argument"):
            given.pop()
        if self.fire("extra argument"):
            given.append(self.any(0))
        return of(name, "(", Piece(tuple(given), ", "), ")")

    def _of_any_kind(self, kind: str, depth: int) -> Piece:
        match self.numbers.randrange(5):
            case 0:
                conditions = [
                    of("WHEN ", self.of_kind("truth", depth), " THEN ", self.of_kind(kind, depth))
                    for _ in range(self.numbers.randint(1, 2))
                ]
                other = of(" ELSE ", self.of_kind(kind, depth)) if self.numbers.random() < 0.7 else of()
                return of("CASE ", several(*conditions, between=" "), other, " END")
            case 1:
                return self._apply("COALESCE", self.of_kind(kind, depth), self.of_kind(kind, depth))
            case 2:
                return self._apply("NULLIF", self.of_kind(kind, depth), self.of_kind(kind, depth))
            case 3:
                source = kind if self.numbers.random() < 0.5 else self.numbers.choice((*KINDS, "text", "text"))
                return of("CAST(", self.of_kind(source, depth), " AS ", self.numbers.choice(_TYPES[kind]), ")")
            case _:
                return of("(", self.of_kind(kind, depth), ")")

    def _whole(self, depth: int) -> Piece:
        match self.numbers.randrange(9):
            case 0 | 1:
                sign = self.numbers.choice((" + ", " - ", " * ", " / "))
                return of("(", self.of_kind("whole", depth), sign, self.of_kind("whole", depth), ")")
            case 2:
                return self._apply("MOD", self.of_kind("whole", depth), self.of_kind("whole", depth))
            case 3:
                return self._apply(self.numbers.choice(("ABS", "SIGN")), self.of_kind("whole", depth))
            case 4:
                return self._apply(self.numbers.choice(("CHAR_LENGTH", "LENGTH")), self.of_kind("text", depth))
            case 5:
                return of("POSITION(", self.of_kind("text", depth), " IN ", self.of_kind("text", depth), ")")
            case 6:
                source = self.numbers.choice(("moment", "date"))
                return of("EXTRACT(", self.numbers.choice(_PARTS), " FROM ", self.of_kind(source, depth), ")")
            case 7:
                unit = self.numbers.choice(_UNITS)
                return of(
                    "TIMESTAMPDIFF(",
                    unit,
                    ", ",
                    self.of_kind("moment", depth),
                    ", ",
                    self.of_kind("moment", depth),
                    ")",
                )
            case _:
                return of("-", self.of_kind("whole", depth))

    def _number(self, kind: str, depth: int) -> Piece:
        other = kind if self.numbers.random() < 0.6 else self.numbers.choice(("whole", "decimal", "double"))
        match self.numbers.randrange(6):
            case 0 | 1 | 2:
                sign = self.numbers.choice((" + ", " - ", " * ", " / "))
                return of("(", self.of_kind(kind, depth), sign, self.of_kind(other, depth), ")")
            case 3:
                return self._apply(self.numbers.choice(("ABS", "CEIL", "FLOOR", "SIGN")), self.of_kind(kind, depth))
            case 4:
                name = self.numbers.choice(("ROUND", "TRUNCATE"))
                return self._apply(name, self.of_kind(kind, depth), self.of_kind("whole", 0))
            case _:
                if kind == "decimal":
                    return of("-", self.of_kind(kind, depth))
                name = self.numbers.choice(("SQRT", "LN", "EXP", "LOG10", "SIN", "ATAN", "RADIANS"))
                return self._apply(name, self.of_kind(other, depth))

    def _text(self, depth: int) -> Piece:
        match self.numbers.randrange(7):
            case 0 | 1:
                return of("(", self.of_kind("text", depth), " || ", self.of_kind("text", depth), ")")
            case 2:
                name = self.numbers.choice(("UPPER", "LOWER", "INITCAP", "TRIM", "REVERSE"))
                return self._apply(name, self.of_kind("text", depth))
            case 3:
                whole = self.of_kind("whole", 0)
                return of("SUBSTRING(", self.of_kind("text", depth), " FROM ", whole, " FOR 3)")
            case 4:
                return self._apply("REPLACE", self.of_kind("text", depth), of("'a'"), self.of_kind("text", 0))
            case 5:
                return self._apply("LPAD", self.of_kind("text", depth), self.of_kind("whole", 0), of("'x'"))
            case _:
                return of("CAST(", self.any(depth), " AS VARCHAR)")

    def _truth(self, depth: int) -> Piece:
        kind = self.numbers.choice(KINDS)
        match self.numbers.randrange(9):
            case 0 | 1 | 2:
                sign = self.numbers.choice((" = ", " <> ", " < ", " >= "))
                right = kind if self.numbers.random() < 0.85 else self.numbers.choice(("whole", "double", "decimal"))
                return of(self.of_kind(kind, depth), sign, self.of_kind(right, depth))
            case 3:
                word = self.numbers.choice((" AND ", " OR "))
                return of("(", self.of_kind("truth", depth), word, self.of_kind("truth", depth), ")")
            case 4:
                return of("NOT (", self.of_kind("truth", depth), ")")
            case 5:
                word = self.numbers.choice((" IS NULL", " IS NOT NULL"))
                return of(self.of_kind(kind, depth), word)
            case 6:
                values = [self.of_kind(kind, 0) for _ in range(self.numbers.randint(1, 3))]
                word = self.numbers.choice((" IN (", " NOT IN ("))
                return of(self.of_kind(kind, depth), word, several(*values), ")")
            case 7:
                return of(self.of_kind("text", depth), self.numbers.choice((" LIKE 'a%'", " NOT LIKE '_b'")))
            case _:
                return of(self.of_kind(kind, depth), " BETWEEN ", self.of_kind(kind, 0), " AND ", self.of_kind(kind, 0))

    def _moment(self, depth: int) -> Piece:
        unit = self.numbers.choice(_UNITS)
        match self.numbers.randrange(3):
            case 0:
                sign = self.numbers.choice((" + ", " - "))
                return of("(", self.of_kind("moment", depth), sign, f"INTERVAL '2' {unit})")
            case 1:
                return of("FLOOR(", self.of_kind("moment", depth), f" TO {unit})")
            case _:
                return of(f"TIMESTAMPADD({unit}, ", self.of_kind("whole", 0), ", ", self.of_kind("moment", depth), ")")

    def _date(self, depth: int) -> Piece:
        if self.numbers.random() < 0.5:
            return of("CAST(", self.of_kind("moment", depth), " AS DATE)")
        unit = self.numbers.choice(("DAY", "MONTH", "YEAR"))
        return of("(", self.of_kind("date", depth), f" + INTERVAL '2' {unit})")

    def _time(self, depth: int) -> Piece:
        if self.numbers.random() < 0.5:
            return of("CAST(", self.of_kind("moment", depth), " AS TIME)")
        return of("(", self.of_kind("time", depth), " + INTERVAL '2' MINUTE)")
