"""Queries by a grammar over made tables: seeded, most of them right, the others with one mistake that users make.

made = generate(seed=1, number=17)      # the same query for ever, as long as the grammar stays
str(made.piece), made.tables, made.mutation
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from blocks.testing.agreement.expressions import KINDS, Expressions, Seen, kind_of
from blocks.testing.agreement.library_calls import library_call, with_clause
from blocks.testing.agreement.made_tables import tables_for
from blocks.testing.agreement.pieces import Piece, leaves, of, several, with_text, words

# What goes wrong; the rest of the queries are meant to be right.
MUTATIONS = (
    "wrong kind",
    "unknown column",
    "unknown function",
    "swapped arguments",
    "lost argument",
    "extra argument",
    "null",
    "dropped key",
    "aggregate in WHERE",
    "order without limit",
    "other join",
    "distinct aggregate",
    "repeated name",
    "reserved alias",
    "wrong case",
    "lost word",
    "doubled word",
)
_RIGHT = 0.55
_RESERVED = ("value", "user", "date", "order", "count", "year", "end", "rank", "row", "one", "day", "timestamp")
# The other made names need no backticks.
_QUOTED = frozenset({"at", "value", "date", "order", "count", "größe", "two words", "Mixed"})
_AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")


@dataclass(frozen=True, slots=True)
class Made:
    """A made query.

    Attributes:
      seed: and `number`: of which it is made.
      piece: its text in pieces.
      tables: schemas of the tables that it may read.
      mutation: what was done to it; empty where it is meant to be right.
    """

    seed: int
    number: int
    piece: Piece
    tables: Mapping[str, pa.Schema]
    mutation: str

    def __str__(self) -> str:
        return f"generated: {self.seed}:{self.number}"


def generate(seed: int, number: int, *, library: bool = False) -> Made:
    """The query of a seed and a number.

    Args:
      seed: and `number`: of which it is made.
      number: any.
      library: whether functions of the library are called too, which Beam's planner does not know without their jar.
    """
    numbers = random.Random(f"{seed}:{number}")  # noqa: S311 - made queries, no secret
    mutation = "" if numbers.random() < _RIGHT else numbers.choice(MUTATIONS)
    tables = tables_for(numbers)
    piece = _Query(numbers, tables, mutation, library).query(depth=2)
    if mutation in ("lost word", "doubled word"):
        piece = _one_word(numbers, piece, "" if mutation == "lost word" else None)
    return Made(seed, number, piece, tables, mutation)


def _one_word(numbers: random.Random, piece: Piece, text: str | None) -> Piece:
    way = numbers.choice(list(leaves(piece)))
    part: Piece | str = piece
    for index in way:
        assert isinstance(part, Piece)
        part = part.parts[index]
    assert isinstance(part, str)
    return with_text(piece, way, f"{part} {part}" if text is None else text)


def quoted(name: str) -> str:
    """A name as a query writes it."""
    return f"`{name}`" if name in _QUOTED else name


@dataclass(frozen=True, slots=True)
class _Source:
    """What stands in FROM: its text and the columns that it gives."""

    piece: Piece
    seen: tuple[Seen, ...]


class _Query:
    def __init__(
        self, numbers: random.Random, tables: Mapping[str, pa.Schema], mutation: str, library: bool = False
    ) -> None:
        self.numbers, self.tables, self.mutation, self.library = numbers, tables, mutation, library
        self.aliases = 0

    def fire(self, name: str) -> bool:
        """Whether the query's mutation happens here: once, at one of the places where it could."""
        if self.mutation != name or self.numbers.random() > 0.3:
            return False
        self.mutation = ""
        return True

    def query(self, depth: int) -> Piece:
        """A whole query."""
        drawn = self.numbers.random()
        if depth and drawn < 0.08:
            return self._union(depth)
        if depth and drawn < 0.16:
            return self._with(depth)
        made, outputs = self.select(depth)
        return words(made, self._order(outputs))

    def _union(self, depth: int) -> Piece:
        table = self.numbers.choice(list(self.tables))
        columns = [field for field in self.tables[table] if kind_of(field.type) not in ("other", "double")]
        picked = self.numbers.sample(columns, min(len(columns), 2))
        word = self.numbers.choice(("UNION ALL", "UNION", "UNION ALL", "INTERSECT", "EXCEPT"))
        branches: list[Piece] = []
        for _ in range(2):
            source = self._table(table)
            expressions = Expressions(self.numbers, source.seen, self.fire, self.library)
            items = [
                of(expressions.of_kind(kind_of(field.type), 1), f" AS c{index}") for index, field in enumerate(picked)
            ]
            branches.append(words("SELECT", several(*items), "FROM", source.piece, self._where(source)))
        return words(branches[0], word, branches[1])

    def _with(self, depth: int) -> Piece:
        inner, outputs = self.select(depth - 1)
        seen = tuple(Seen(f"w.{column.text}", column.kind, column.type) for column in outputs)
        expressions = Expressions(self.numbers, seen, self.fire, self.library)
        items = [of(expressions.any(1), f" AS c{index}") for index in range(self.numbers.randint(1, 3))]
        source = _Source(of("w"), seen)
        return words("WITH w AS (", inner, ") SELECT", several(*items), "FROM", "w", self._where(source))

    def select(self, depth: int) -> tuple[Piece, tuple[Seen, ...]]:
        """One SELECT and the columns that it gives."""
        source = self._from(depth)
        if self.numbers.random() < 0.4:
            return self._grouped(source)
        expressions = Expressions(self.numbers, source.seen, self.fire, self.library)
        if self.numbers.random() < 0.08:
            return words("SELECT *", "FROM", source.piece, self._where(source)), ()
        distinct = "DISTINCT" if self.numbers.random() < 0.07 else ""
        items, outputs = [], []
        for index in range(self.numbers.randint(1, 4)):
            made = self._bare_column(source) if self.numbers.random() < 0.35 else None
            text, kind = made or self._expression(expressions)
            alias = self._alias(index)
            items.append(of(text, f" AS {alias}"))
            outputs.append(Seen(alias, kind, pa.null()))
        return words("SELECT", distinct, several(*items), "FROM", source.piece, self._where(source)), tuple(outputs)

    def _expression(self, expressions: Expressions) -> tuple[Piece, str]:
        made = expressions.any(2)
        return made, made.kind if made.kind in KINDS else "other"

    def _bare_column(self, source: _Source) -> tuple[Piece, str] | None:
        if not source.seen:
            return None
        column = self.numbers.choice(source.seen)
        text = column.text.swapcase() if self.fire("wrong case") else column.text
        return of(text), column.kind

    def _alias(self, index: int) -> str:
        if index and self.fire("repeated name"):
            return "c0"
        if self.fire("reserved alias"):
            return self.numbers.choice(_RESERVED)
        return f"c{index}"

    def _grouped(self, source: _Source) -> tuple[Piece, tuple[Seen, ...]]:
        expressions = Expressions(self.numbers, source.seen, self.fire, self.library)
        fitting = [column for column in source.seen if column.kind not in ("other", "double")]
        keys = self.numbers.sample(fitting, min(len(fitting), self.numbers.randint(0, 2)))
        outputs: list[Seen] = []
        items: list[Piece] = []
        for column in keys:
            outputs.append(Seen(f"c{len(outputs)}", column.kind, column.type))
            items.append(of(column.text, f" AS {outputs[-1].text}"))
        groups = [of(column.text) for column in keys]
        if groups and self.fire("dropped key"):
            groups.pop(self.numbers.randrange(len(groups)))
        moments = [column.text for column in source.seen if column.kind == "moment"]
        if moments and self.numbers.random() < 0.25:
            window, start = self._window(self.numbers.choice(moments))
            groups.append(window)
            if self.numbers.random() < 0.5:
                outputs.append(Seen(f"c{len(outputs)}", "moment", pa.null()))
                items.append(of(start, f" AS {outputs[-1].text}"))
        for _ in range(self.numbers.randint(1, 2)):
            made, kind = self._aggregate(expressions)
            outputs.append(Seen(f"c{len(outputs)}", kind, pa.null()))
            items.append(of(made, f" AS {outputs[-1].text}"))
        having = words("HAVING", self._aggregate(expressions)[0], "IS NOT NULL", optional=True)
        tail = [having] if groups and self.numbers.random() < 0.2 else []
        group = words("GROUP BY", several(*groups), optional=True) if groups else of()
        return words("SELECT", several(*items), "FROM", source.piece, self._where(source), group, *tail), tuple(outputs)

    def _window(self, moment: str) -> tuple[Piece, Piece]:
        name = self.numbers.choice(("TUMBLE", "HOP", "SESSION"))
        sizes = "INTERVAL '1' MINUTE, INTERVAL '1' HOUR" if name == "HOP" else "INTERVAL '1' HOUR"
        end = self.numbers.choice(("START", "END"))
        return of(f"{name}({moment}, {sizes})"), of(f"{name}_{end}({moment}, {sizes})")

    def _aggregate(self, expressions: Expressions) -> tuple[Piece, str]:
        if self.library and self.numbers.random() < 0.5:
            call = library_call(self.numbers, "aggregate", expressions.of_kind)
            if call is not None:
                return with_clause(self.numbers, call, expressions.of_kind), "other"
        name = self.numbers.choice(_AGGREGATES)
        if name == "COUNT":
            if self.numbers.random() < 0.5:
                return of("COUNT(*)"), "whole"
            return of("COUNT(", self._distinct(), expressions.any(1), ")"), "whole"
        kind = self.numbers.choice(("whole", "decimal", "double") if name in ("SUM", "AVG") else KINDS)
        return of(f"{name}(", self._distinct(), expressions.of_kind(kind, 1), ")"), kind

    def _distinct(self) -> str:
        return "DISTINCT " if self.fire("distinct aggregate") else ""

    def _from(self, depth: int) -> _Source:
        drawn = self.numbers.random()
        if depth and drawn < 0.15:
            inner, outputs = self.select(depth - 1)
            if outputs:
                alias = self._next_alias()
                seen = tuple(Seen(f"{alias}.{one.text}", one.kind, one.type) for one in outputs)
                return _Source(of("(", inner, f") AS {alias}"), seen)
        if drawn < 0.4 and len(self.tables) > 1:
            return self._join()
        return self._table(self.numbers.choice(list(self.tables)))

    def _next_alias(self) -> str:
        self.aliases += 1
        return f"s{self.aliases}"

    def _table(self, name: str, alias: str = "") -> _Source:
        """A table; its columns are qualified if it has an alias."""
        if not alias and self.numbers.random() < 0.3:
            alias = self._next_alias()
        lead = f"{alias}." if alias else ""
        seen: list[Seen] = []
        for field in self.tables[name]:
            text = lead + quoted(field.name)
            seen.append(Seen(text, kind_of(field.type), field.type))
            if pa.types.is_struct(field.type) and alias:
                seen.extend(Seen(f"{text}.{quoted(x.name)}", kind_of(x.type), x.type) for x in field.type)
            if pa.types.is_list(field.type):
                seen.append(Seen(f"{text}[1]", kind_of(field.type.value_type), field.type.value_type))
        piece = of(name, f" AS {alias}") if alias else of(name)
        return _Source(piece, tuple(seen))

    def _join(self) -> _Source:
        names = self.numbers.sample(list(self.tables), 2)
        left, right = (self._table(name, self._next_alias()) for name in names)
        word = self.numbers.choice(("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        condition = of(left.seen[0].text, " = ", right.seen[0].text)
        if self.fire("other join"):
            both = Expressions(self.numbers, left.seen + right.seen, self.fire, self.library)
            condition = self.numbers.choice(
                (
                    of(left.seen[0].text, " < ", right.seen[0].text),
                    of(condition, " AND ", both.of_kind("truth", 1)),
                    both.of_kind("truth", 1),
                )
            )
        return _Source(words(left.piece, word, right.piece, "ON", condition), left.seen + right.seen)

    def _where(self, source: _Source) -> Piece:
        if self.numbers.random() < 0.6 and self.mutation != "aggregate in WHERE":
            return of()
        expressions = Expressions(self.numbers, source.seen, self.fire, self.library)
        condition = expressions.of_kind("truth", 2)
        if self.fire("aggregate in WHERE"):
            condition = of("COUNT(*) > 1 AND ", condition)
        return words("WHERE", condition, optional=True)

    def _order(self, outputs: tuple[Seen, ...]) -> Piece:
        without = self.fire("order without limit")
        limit = words("LIMIT", str(self.numbers.randint(1, 20)), optional=True)
        fitting = [one.text for one in outputs if one.kind != "other"]
        if not fitting or not (without or self.numbers.random() < 0.15):
            return limit if self.numbers.random() < 0.08 else of()
        order = of("ORDER BY ", self.numbers.choice(fitting), self.numbers.choice(("", " DESC")))
        return words(order, *([] if without else [limit]), optional=True)
