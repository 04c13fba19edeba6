"""Expression: a SQL expression over the columns of a schema, checked, with its type, its labels and what it reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from sqlglot import exp

from blocks.core import labels
from blocks.core.errors import ConfigError, Problem, SchemaError, all_problems
from blocks.core.labels import Masked
from blocks.shaping.expressions.allowed import COMPARISONS
from blocks.shaping.expressions.columns import Chain, Read, find_columns, merged_labels, operands
from blocks.shaping.expressions.compile import can_be_null, to_sql
from blocks.shaping.expressions.engine import CHECKER, Refusal, declared_type, unwritable
from blocks.shaping.expressions.syntax import Syntax, read_syntax


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    Attributes:
      text: as it was written.
      where: the option that holds it.
      type: Arrow type of the result.
      nullable: whether the result can be null, as far as can be told.
      labels: every label of what it reads, conditions included; `public` if it reads nothing; none if something of it
        has no label and nothing a private one.
      masked: how the column was masked, if the expression is that column and nothing else.
      reads: the columns and fields that it reads.
      bare: the column that it is, if it is nothing else; it is then passed on untouched, whatever its type.
      sql: what the engine runs.
    """

    text: str
    where: str
    type: pa.DataType
    nullable: bool
    labels: frozenset[str]
    masked: Masked | None = None
    reads: tuple[Read, ...] = ()
    bare: Read | None = None
    sql: str = field(default="", repr=False)

    def field(self, name: str) -> pa.Field:
        """The field of a column that holds the result.

        A bare column keeps its description and the meaning of the fields below it. Marks of event time and key belong
        to the place and not to the value: whoever puts it somewhere sets them.
        """
        metadata = self.bare.field.metadata if self.bare is not None else None
        marks = {
            labels.LABEL: ",".join(sorted(self.labels)) or None,
            labels.MASKED: self.masked.to_json() if self.masked is not None else None,
            labels.EVENT_TIME: None,
            labels.KEY: None,
            labels.EPOCH: None,
        }
        return labels.put(pa.field(name, self.type, self.nullable, metadata), marks)


def parse_expression(text: str, schema: pa.Schema, where: str = "expression") -> Expression:
    """Reads a SQL expression and checks it against a schema.

    Args:
      text: a scalar expression in DuckDB's SQL, of functions that give one answer for one row; see
        `blocks.shaping.expressions` for what it may hold.
      schema: the columns, with labels. Names are matched exactly.
      where: the option that holds the text, for messages.

    Raises:
      ConfigError: the text is no such expression; every mistake with line and column.
      SchemaError: columns or fields that are not there, types that do not fit; each with line and column.
    """
    return parse_expressions({where: text}, schema)[where]


def parse_expressions(texts: Mapping[str, str], schema: pa.Schema, block: str = "") -> dict[str, Expression]:
    """Several expressions at once: all mistakes of all of them are in one error.

    Args:
      texts: option to expression.
      schema: as in `parse_expression`.
      block: what the headline names.

    Raises:
      ConfigError, SchemaError: as in `parse_expression`.
    """
    with all_problems(block or "expressions", ConfigError) as problems:
        read = [read_syntax(text, where, problems) for where, text in texts.items()]
    with all_problems(block or "expressions", SchemaError) as problems:
        found = [check(syntax, schema, problems) for syntax in read if syntax is not None]
    return {one.where: one for one in found if one is not None}


def check(syntax: Syntax, schema: pa.Schema, problems: list[Problem]) -> Expression | None:
    """Checks what `read_syntax` gave against a schema; None if there are problems, which are added."""
    before = len(problems)
    chains = find_columns(syntax, schema, problems)
    if len(problems) > before:
        return None
    whole = chains.get(id(syntax.tree))
    if whole is not None and not whole.steps:
        one = whole.read
        kept = one.labels or frozenset[str]()
        return Expression(
            syntax.text, syntax.where, one.field.type, one.field.nullable, kept, one.masked, (one,), one, one.name
        )
    reads = tuple({chain.read.name: chain.read for chain in chains.values()}.values())
    kind = _Types(syntax, chains, reads).result(problems)
    if kind is None:
        return None
    merged = merged_labels(leaf for chain in chains.values() for leaf in chain.leaves)
    nullable = can_be_null(syntax.tree, chains)
    sql = to_sql(syntax.tree, chains)
    return Expression(syntax.text, syntax.where, kind, nullable, merged, None, reads, None, sql)


def _is_text(node: Any) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


class _Types:
    """Asks the engine for types, and finds the smallest part of an expression that it does not take."""

    def __init__(self, syntax: Syntax, chains: Mapping[int, Chain], reads: Sequence[Read]) -> None:
        self._syntax, self._chains, self._reads = syntax, chains, reads

    def result(self, problems: list[Problem]) -> pa.DataType | None:
        """The type of the whole; None where there is a problem, which is added."""
        tree = self._syntax.tree
        divided = list(tree.find_all(exp.IntDiv))
        asked = [tree, *(side for node in divided for side in (node.this, node.expression))]
        answer = self._ask(asked)
        if isinstance(answer, Refusal):
            problems.append(self._refused(tree, answer))
            return None
        (engine_type, arrow_type), *sides = answer
        for number, node in enumerate(divided):
            if not all(pat.is_integer(kind) for _, kind in sides[2 * number : 2 * number + 2]):
                what = "`//` divides whole numbers only"
                problems.append(Problem(what, self._syntax.place(node), "use floor(a / b), or cast both sides"))
                return None
        problem = self._always_fails(tree) if isinstance(self._ask([tree], on_nulls=True), Refusal) else None
        if problem is not None:
            problems.append(problem)
            return None
        fix = unwritable(engine_type)
        if fix:
            what = f"the result is of the type {engine_type.strip(chr(34))}, which no column can hold"
            problems.append(Problem(what, self._syntax.place(tree), fix))
            return None
        return declared_type(arrow_type)

    def _ask(self, nodes: Sequence[Any], on_nulls: bool = False) -> list[tuple[str, pa.DataType]] | Refusal:
        return CHECKER.types(self._reads, [to_sql(node, self._chains) for node in nodes], on_nulls)

    def _always_fails(self, node: Any) -> Problem | None:
        """The problem of a literal that fails on every row (`at > '2026-13-01'`); None where only the null row fails.

        Without a column below, or with a column beside a text that its type cannot take, no row can do better.
        """
        for child in self._parts(node):
            if isinstance(self._ask([child], on_nulls=True), Refusal):
                return self._always_fails(child)
        sides = list(operands(node))
        compared = isinstance(node, (*COMPARISONS, exp.In, exp.Between))
        if any(id(one) in self._chains for one in node.walk()) and not (compared and any(map(_is_text, sides))):
            return None
        answer = self._ask([node], on_nulls=True)
        what = answer.message if isinstance(answer, Refusal) else "it fails"
        return Problem(
            f"fails on every row: {what}", self._syntax.place(node), "write another literal, or use try(...)"
        )

    def _refused(self, node: Any, refusal: Refusal) -> Problem:
        """The innermost node that is refused with everything below it taken: that is the place of the mistake."""
        for child in self._parts(node):
            answer = self._ask([child])
            if isinstance(answer, Refusal):
                return self._refused(child, answer)
        place = self._syntax.place(node)
        return Problem(refusal.message, place, "see the types of the columns, and add a CAST where they differ")

    def _parts(self, node: Any) -> Iterator[Any]:
        if id(node) in self._chains:
            return
        for child in operands(node):
            # A branch of CASE, and a LIKE with its ESCAPE, are no expressions on their own.
            if isinstance(child, exp.If) or (isinstance(node, exp.Escape) and child is node.this):
                yield from self._parts(child)
            else:
                yield child
