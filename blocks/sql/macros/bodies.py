"""The expression of a SQL function for one overload: parsed, resolved and typed as a query is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from blocks.sql.analysis import Analysis, Table
from blocks.sql.functions.model import Overload
from blocks.sql.macros.inlining import inline
from blocks.sql.macros.macro import Macro
from blocks.sql.macros.strictness import strict_arguments
from blocks.sql.parsing import parse
from blocks.sql.resolving import resolve
from blocks.sql.types import SqlType, to_arrow

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

TABLE = "arguments"


@dataclass(frozen=True)
class Body:
    """An expression over arguments, which are columns in it, with no call of a SQL function left.

    Attributes:
      tree: the expression; not to be changed.
      type: of its result, as it alone gives it.
      strict: arguments of which a NULL makes it NULL.
    """

    tree: exp.Expr
    type: SqlType | None
    strict: frozenset[str]


def analysed(macro: Macro, overload: Overload, registry: "Registry") -> Analysis:
    """Names and types of the expression, as those of `SELECT expression AS outcome FROM arguments`.

    Raises:
      SqlCheckError: the expression is no SQL.
    """
    fields = [pa.field(argument.name, to_arrow(argument.type)) for argument in overload.arguments]
    parsed = parse(macro.query(), "beam", macro.file)
    return resolve(parsed, {TABLE: Table(TABLE, pa.schema(fields))}, registry)


def expression_of(analysis: Analysis) -> exp.Expr:
    """The expression within the query that `analysed` looked at."""
    found: exp.Expr = analysis.tree.selects[0]
    return found.this if isinstance(found, exp.Alias) else found


def body_of(macro: Macro, overload: Overload, registry: "Registry") -> Body:
    """The body of one overload.

    Raises:
      SqlCheckError: the expression is no SQL, or too large once its own calls are written out.
    """
    analysis = analysed(macro, overload, registry)
    expression = expression_of(analysis)
    names = [argument.name for argument in overload.arguments]
    strict = strict_arguments(expression, names, analysis.calls)
    return Body(inline(expression, analysis, registry), analysis.type_of(expression), strict)
