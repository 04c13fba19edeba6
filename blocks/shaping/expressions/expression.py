"""Expression: a SQL expression over the columns of a schema, checked, with its type, its labels and what it reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.types as pat
from sqlglot import exp

from blocks.core import labels
from blocks.core.errors import ConfigError, Problem, SchemaError, all_problems
from blocks.core.labels import Masked
from blocks.shaping.expressions.allowed import COMPARISONS
from blocks.shaping.expressions.columns import (
    Chain,
    Read,
    find_columns,
    merged_labels,
    operands,
    unlabelled_beside_private,
)
from blocks.shaping.expressions.compile import can_be_null, to_sql
from blocks.shaping.expressions.engine import CHECKER, Refusal, declared_type, unwritable
from blocks.shaping.expressions.growth import LONGEST_RESULT, PLAIN_ROW, Bound, at_most, bound_of
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
        has no label (what is private and what has no label are refused together, but for conditions).
      masked: how the column was masked, if the expression is that column and nothing else.
      reads: the columns and fields that it reads.
      bare: the column that it is, if it is nothing else; it is then passed on untouched, whatever its type.
      sql: what the engine runs.
      growth: how long a text in it can become; see `growth.py`.
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
    growth: Bound = field(default=(), repr=False)

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
      SchemaError: columns or fields that are not there, types that do not fit, a column without a label beside a
        private one; each with line and column.
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


def check(syntax: Syntax, schema: pa.Schema, problems: list[Problem], *, shown: bool = True) -> Expression | None:
    """Checks what `read_syntax` gave against a schema; None if there are problems, which are added.

    Args:
      syntax: the expression.
      schema: the columns, with labels.
      problems: gets one for each mistake.
      shown: whether the result becomes a column, which must have a label that holds for all of it; a condition, which
        only chooses rows, need not.
    """
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
    mixed = unlabelled_beside_private(leaf for chain in chains.values() for leaf in chain.leaves) if shown else None
    if mixed is not None:
        what = f"`{mixed[0]}` has no label and is mixed with {mixed[1]}"
        fix = f"label `{mixed[0]}` in the schema, with `public` if it may be seen by all"
        problems.append(Problem(what, syntax.place(syntax.tree), fix))
        return None
    reads = tuple({chain.read.name: chain.read for chain in chains.values()}.values())
    kind = _Types(syntax, chains, reads).result(problems)
    if kind is None:
        return None
    merged = merged_labels(leaf for chain in chains.values() for leaf in chain.leaves)
    nullable = can_be_null(syntax.tree, chains)
    growth = bound_of(syntax.tree, chains)
    if at_most(growth, PLAIN_ROW) > LONGEST_RESULT:
        what = f"a text in it can become longer than {LONGEST_RESULT} bytes, from a row of {PLAIN_ROW}"
        fix = "replace longer texts by shorter ones, or nest fewer functions that make texts longer"
        problems.append(Problem(what, syntax.place(syntax.tree), fix))
        return None
    sql = to_sql(syntax.tree, chains)
    return Expression(syntax.text, syntax.where, kind, nullable, merged, None, reads, None, sql, growth)


def _is_text(node: Any) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _is_guarded(node: Any) -> bool:
    """Whether it stands where not every row comes: in CASE, or in a function that chooses."""
    above = node.parent
    while above is not None:
        if isinstance(above, exp.Case) or (isinstance(above, exp.Anonymous) and above.this.lower() in _CHOOSING):
            return True
        above = above.parent
    return False


_CHOOSING = ("if", "coalesce", "ifnull", "try")
# NULL where an operand is, without a look at the other one's value.
_OF_BOTH = (*COMPARISONS[:6], exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Paren, exp.Neg)


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
        problem = self._always_fails(tree) if isinstance(self._ask([tree], row="null"), Refusal) else None
        if problem is not None:
            problems.append(problem)
            return None
        plain = self._ask([tree], row="plain")
        if isinstance(plain, Refusal):
            problems.append(self._refused(tree, plain, row="plain"))
            return None
        fix = unwritable(engine_type)
        if fix:
            what = f"the result is of the type {engine_type.strip(chr(34))}, which no column can hold"
            problems.append(Problem(what, self._syntax.place(tree), fix))
            return None
        return declared_type(arrow_type)

    def _ask(
        self, nodes: Sequence[Any], row: Literal["none", "null", "plain"] = "none"
    ) -> list[tuple[str, pa.DataType]] | Refusal:
        return CHECKER.types(self._reads, [to_sql(node, self._chains) for node in nodes], row)

    def _always_fails(self, node: Any) -> Problem | None:
        """The problem of a literal that fails on every row (`at > '2026-13-01'`); None where only the null row fails.

        Without a column below, or with a column beside a text that its type cannot take, no row can do better.
        """
        for child in self._parts(node):
            if isinstance(self._ask([child], row="null"), Refusal):
                return self._always_fails(child)
        sides = list(operands(node))
        compared = isinstance(node, (*COMPARISONS, exp.In, exp.Between))
        literal = compared and any(map(_is_text, sides))
        if any(id(one) in self._chains for one in node.walk()) and not literal and not self._is_null(node):
            return None
        answer = self._ask([node], row="null")
        what = answer.message if isinstance(answer, Refusal) else "it fails"
        rows = "every row that gets there" if _is_guarded(node) else "every row"
        fix = "write another literal, cast one side to a type that holds both, or use try(...)"
        return Problem(f"fails on {rows}: {what}", self._syntax.place(node), fix)

    def _is_null(self, node: Any) -> bool:
        """Whether it has to be NULL on the null row, so that only what is done before any value can fail there."""
        if id(node) in self._chains:
            return True
        return isinstance(node, _OF_BOTH) and any(map(self._is_null, operands(node)))

    def _refused(self, node: Any, refusal: Refusal, row: Literal["none", "plain"] = "none") -> Problem:
        """The innermost node that is refused with everything below it taken: that is the place of the mistake."""
        for child in self._parts(node):
            answer = self._ask([child], row)
            if isinstance(answer, Refusal):
                return self._refused(child, answer, row)
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
