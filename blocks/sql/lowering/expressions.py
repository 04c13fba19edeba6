"""Writes an expression of Beam SQL as DuckDB's SQL. What is not in the tables here and in `functions` is not lowered.

Nothing is left to what sqlglot takes for equal: every node is written by a form that was compared with Beam, in its own
parentheses, with casts where DuckDB would choose another type. Which differences there are, and how each is treated, is
in docs/sql-differences.md; `tests/sql/lowering` runs both engines over the same rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

import pyarrow as pa
from sqlglot import exp

from blocks.sql.analysis import Analysis, Column, Scope
from blocks.sql.coercion import digits as planned_digits
from blocks.sql.lowering import nested, operators, times
from blocks.sql.lowering.converting import as_type, cast
from blocks.sql.lowering.functions import FUNCTIONS, library_call
from blocks.sql.lowering.lowered import Read
from blocks.sql.lowering.patterns import like
from blocks.sql.lowering.piece import NotLoweredError, Piece, decimal, engine_type, made, text_literal
from blocks.sql.lowering.text import trimmed
from blocks.sql.types import INTEGERS, SqlType, UnsupportedTypeError, from_arrow

_FOLDED = (exp.And, exp.Or, exp.Not, exp.Between, exp.Case)
# SQL that is longer takes DuckDB minutes to plan: forms name their operand several times, and those multiply.
LONGEST = 20_000


@dataclass(slots=True)
class Writer:
    """Writes the expressions of one branch of a query.

    Args:
      analysis: of the query.
      exact: whether values on which DuckDB fails and Java does not are computed too, which is slower.
      branch: of each subquery that is a UNION the scope that stands for it, by the relation's id.

    Attributes:
      reads: what is read of the input, with its name in the engine.
    """

    analysis: Analysis
    exact: bool
    branch: Mapping[int, Scope] = field(default_factory=dict)
    reads: dict[Read, str] = field(default_factory=dict)
    _outputs: dict[int, Piece] = field(default_factory=dict)

    def of(self, node: Any) -> Piece:
        """The piece of a node.

        Raises:
          NotLoweredError: it has none.
        """
        form = _FORMS.get(type(node))
        if form is None:
            raise NotLoweredError(f"{_name(node)} has no equal form", node)
        piece = form(self, node)
        if isinstance(node, _FOLDED) or _name_of_call(node) in ("COALESCE", "NULLIF"):
            # What Calcite leaves out decides whether it may be NULL.
            piece = piece.with_type(piece.type.null(self.kind(node).nullable))
        if piece.type.name == "DECIMAL":
            piece = replace(piece, planned=self._planned(piece, node))
        if len(piece.sql) > LONGEST:
            raise NotLoweredError("the query becomes too long when its levels are put into one", node)
        return piece

    def _planned(self, piece: Piece, node: Any) -> tuple[int, int]:
        kind = self.kind(node)
        if piece.type.precision is None or kind.name != "DECIMAL":
            raise NotLoweredError(f"{_name(node)} is a DECIMAL of which the digits are not known", node)
        return planned_digits(kind)

    def kind(self, node: Any) -> SqlType:
        """The type that the check found."""
        found = self.analysis.type_of(node)
        if found is None:
            raise NotLoweredError(f"{_name(node)} has no type", node)
        return found

    def scope_of(self, relation: Any) -> Scope:
        """The scope of a subquery, or of the branch of it that is written."""
        found = self.branch.get(id(relation))
        return found if found is not None else relation.scopes[0]

    def output(self, column: Column) -> Piece:
        """What a column of a subquery is."""
        piece = self._outputs.get(id(column))
        if piece is None:
            piece = self._outputs[id(column)] = self.of(unaliased(column.source))
        return piece

    def read(self, field_: pa.Field) -> Piece:
        """A column of the input."""
        try:
            kind = from_arrow(field_)
        except UnsupportedTypeError as error:
            raise NotLoweredError(f"column `{field_.name}` is {error.data_type}") from None
        return self.given(Read(field_.name), kind)

    def given(self, read: Read, kind: SqlType) -> Piece:
        """What the engine is given of the input."""
        return Piece(self.reads.setdefault(read, f"c{len(self.reads)}"), kind, read=read)


def unaliased(node: Any) -> Any:
    """The expression of `x AS y`."""
    return node.this if isinstance(node, exp.Alias) else node


def _name(node: Any) -> str:
    return f"`{node.key.upper()}`" if isinstance(node, exp.Expression) else "this"


def _name_of_call(node: Any) -> str:
    return str(node.name).upper() if isinstance(node, exp.Anonymous) else ""


def _column(writer: Writer, node: Any) -> Piece:
    found = writer.analysis.found.get(id(node))
    if found is None:
        raise NotLoweredError(f"`{node.name}` is no column that is known", node)
    relation, column = found.relation, found.column
    if column.table is not None and column.field is not None and relation.kind == "table":
        piece = writer.read(column.field)
    elif relation.kind in ("subquery", "with") and relation.scopes:
        position = next(at for at, one in enumerate(relation.columns) if one is column)
        piece = writer.output(writer.scope_of(relation).outputs[position])
        if column.type.name not in ("NULL", "DECIMAL"):
            piece = as_type(piece, column.type.null(piece.type.nullable), node)
    else:
        raise NotLoweredError(f"a column of {relation.kind.upper()} has no equal form", node)
    return nested.field_of(piece, found.path, writer.kind(node)) if found.path else piece


def _literal(writer: Writer, node: exp.Literal) -> Piece:
    if node.is_string:
        return Piece(text_literal(node.this), SqlType("VARCHAR", nullable=False), text=node.this)
    kind, text = writer.kind(node).null(nullable=False), node.this
    if kind.name in INTEGERS:
        return Piece(f"CAST({int(text)} AS {kind.name})", kind, number=Decimal(text))
    if kind.name == "DECIMAL":
        number = Decimal(text)
        _, figures, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        scale = max(0, -exponent)
        kind = decimal(max(len(figures) + max(exponent, 0), scale, 1), scale, False, "the literal", node)
        return Piece(f"CAST('{number:f}' AS {engine_type(kind)})", kind, number=number)
    if kind.name == "DOUBLE":
        return Piece(f"CAST('{text}' AS DOUBLE)", kind, number=Decimal(text))
    raise NotLoweredError(f"a literal of {kind.name} has no equal form", node)


def _negative(writer: Writer, node: exp.Neg) -> Piece:
    piece, kind = writer.of(node.this), writer.kind(node)
    if piece.number is not None and kind.name in (*INTEGERS, "DECIMAL", "DOUBLE"):
        shown = f"CAST('{-piece.number:f}' AS {engine_type(piece.type if kind.name == 'DECIMAL' else kind)})"
        found = piece.type if kind.name == "DECIMAL" else kind.null(nullable=False)
        return Piece(shown, found, number=-piece.number)
    if kind.name not in ("FLOAT", "DOUBLE", "DECIMAL", *INTEGERS):
        raise NotLoweredError(f"the negative of {kind.name} has no equal form", node)
    return operators.negated(as_type(piece, kind, node) if kind.name != "DECIMAL" else piece, kind, writer.exact)


def _arithmetic(operator: str) -> "_Form":
    def form(writer: Writer, node: Any) -> Piece:
        sides = [node.this, node.expression]
        if operator in "+-":
            intervals = [isinstance(side, exp.Interval) for side in sides]
            if any(intervals):
                return _shifted(writer, node, operator, intervals[0])
        left, right = map(writer.of, sides)
        return operators.arithmetic(operator, left, right, writer.kind(node), node, writer.exact)

    return form


def _shifted(writer: Writer, node: Any, operator: str, first: bool) -> Piece:
    value, interval = (node.expression, node.this) if first else (node.this, node.expression)
    if first and operator == "-":
        raise NotLoweredError("an interval minus a time has no equal form", node)
    months, milliseconds = times.interval(interval)
    sign = -1 if operator == "-" else 1
    return times.shifted(writer.of(value), sign * months, sign * milliseconds, node)


def _compared(operator: str) -> "_Form":
    def form(writer: Writer, node: Any) -> Piece:
        return operators.compared(operator, writer.of(node.this), writer.of(node.expression), node)

    return form


def _joined(word: str) -> "_Form":
    def form(writer: Writer, node: Any) -> Piece:
        return operators.joined(word, writer.of(node.this), writer.of(node.expression), node)

    return form


def _not(writer: Writer, node: exp.Not) -> Piece:
    piece = writer.of(node.this)
    operators.check_turned(piece, node)
    if piece.type.name not in ("BOOLEAN", "NULL"):
        raise NotLoweredError(f"NOT of {piece.type.name} has no equal form", node)
    return made(f"(NOT {piece.sql})", operators.boolean(piece), piece)


def _is(writer: Writer, node: exp.Is) -> Piece:
    piece, what = writer.of(node.this), node.expression
    if isinstance(what, exp.Null):
        if piece.fails:
            raise NotLoweredError("IS NULL of what can fail, which Calcite does not compute", node)
        if piece.type.name == "ROW":
            piece = nested.passed(piece, node)
        return made(f"({piece.sql} IS NULL)", operators.BOOLEAN, piece)
    if not what.this:
        operators.check_turned(piece, node)
    piece = as_type(piece, operators.boolean(piece), node)
    return made(f"({piece.sql} IS {'TRUE' if what.this else 'FALSE'})", operators.BOOLEAN, piece)


def _distinct(negated: bool) -> "_Form":
    def form(writer: Writer, node: Any) -> Piece:
        return operators.distinct(writer.of(node.this), writer.of(node.expression), negated, node)

    return form


def _between(writer: Writer, node: exp.Between) -> Piece:
    if node.args.get("symmetric"):
        raise NotLoweredError("BETWEEN SYMMETRIC has no equal form", node)
    value, low, high = (writer.of(node.args[name]) for name in ("this", "low", "high"))
    operators.together([value, low, high], node)
    least, most = operators.compared(">=", value, low, node), operators.compared("<=", value, high, node)
    return operators.joined("AND", least, most, node)


def _in(writer: Writer, node: exp.In) -> Piece:
    if node.args.get("query") is not None or not node.expressions:
        raise NotLoweredError("IN of a subquery meets all rows", node)
    return operators.one_of(writer.of(node.this), [writer.of(other) for other in node.expressions], node)


def _case(writer: Writer, node: exp.Case) -> Piece:
    kind = writer.kind(node)
    value = writer.of(node.this) if node.this is not None else None
    parts, conditions = [], []
    results = [writer.of(branch.args["true"]) for branch in node.args["ifs"]]
    default = writer.of(node.args["default"]) if node.args.get("default") is not None else None
    every = results if default is None else [*results, default]
    kind = operators.common_result(every, kind, node)
    for branch, result in zip(node.args["ifs"], results, strict=True):
        found = writer.of(branch.this)
        condition = found if value is None else operators.compared("=", value, found, node)
        conditions.append(condition)
        parts.append(f"WHEN {operators.truth(condition, node)} THEN {as_type(result, kind, node).sql}")
    if default is not None:
        parts.append(f"ELSE {as_type(default, kind, node).sql}")
    if any(condition.sql in ("TRUE", "FALSE") for condition in conditions):
        raise NotLoweredError("a CASE of a literal condition, which Calcite leaves out", node)
    if kind.name == "BOOLEAN":
        # Calcite writes it with OR, as it does branches side by side that have one value.
        operators.check_bounds([*conditions, *every], node)
    for _, alike in groupby(zip(results, conditions, strict=True), key=lambda pair: pair[0].sql):
        operators.check_bounds([condition for _, condition in alike], node)
    return made("(CASE " + " ".join(parts) + " END)", kind, *conditions, *every)


def _cast(writer: Writer, node: exp.Cast) -> Piece:
    kind = writer.kind(node)
    if node.meta.get("literal"):
        return times.literal(kind, node.this.name, node)
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        raise NotLoweredError("TRY_CAST has no equal form", node)
    to = node.args["to"]
    if to.this == exp.DataType.Type.CHAR:
        raise NotLoweredError("CHAR, which is filled up with spaces, has no equal form", node)
    sizes = [int(size.name) for size in to.expressions if isinstance(size, exp.DataTypeParam)]
    if kind.name == "VARCHAR":
        kind = SqlType("VARCHAR", kind.nullable, precision=sizes[0] if sizes else None)
    elif kind.name == "DECIMAL":
        precision, scale = (*sizes, 0)[:2] if sizes else (19, 0)
        kind = SqlType("DECIMAL", kind.nullable, precision, scale)
    piece = writer.of(node.this)
    return cast(piece, kind.null(piece.type.nullable), node, writer.exact)


def _concatenated(writer: Writer, node: exp.DPipe) -> Piece:
    left, right = writer.of(node.this), writer.of(node.expression)
    sides = []
    for piece in (left, right):
        if piece.type.name not in ("CHAR", "VARCHAR", "NULL", *INTEGERS):
            raise NotLoweredError(f"|| of {piece.type.name} has no equal form", node)
        text = SqlType("VARCHAR", piece.type.nullable)
        sides.append(cast(piece, text, node, writer.exact) if piece.type.name in INTEGERS else as_type(piece, text))
    nullable = any(piece.type.nullable for piece in sides)
    return made(f"({sides[0].sql} || {sides[1].sql})", SqlType("VARCHAR", nullable), *sides)


def _extract(writer: Writer, node: exp.Extract) -> Piece:
    return times.extracted(node.name.upper(), writer.of(node.expression), writer.kind(node), node)


def _trim(writer: Writer, node: exp.Trim) -> Piece:
    piece = writer.of(node.this)
    signs = writer.of(node.expression) if node.expression is not None else Piece("", SqlType("CHAR"), text=" ")
    if piece.type.name not in ("CHAR", "VARCHAR") or not signs.text or not signs.is_low:
        raise NotLoweredError("TRIM of other signs than a plain literal has no equal form", node)
    return made(trimmed(piece.sql, (node.args.get("position") or "BOTH").upper(), signs.text), piece.type, piece)


def _bracket(writer: Writer, node: exp.Bracket) -> Piece:
    if len(node.expressions) != 1:
        raise NotLoweredError("several positions have no equal form", node)
    return nested.element(writer.of(node.this), writer.of(node.expressions[0]), node)


def _dot(writer: Writer, node: exp.Dot) -> Piece:
    piece = writer.of(node.this)
    if piece.type.name != "ROW" or not isinstance(node.expression, exp.Identifier):
        raise NotLoweredError("a field of what is no ROW", node)
    return nested.field_of(piece, [node.expression.name], writer.kind(node))


def _array(writer: Writer, node: exp.Array) -> Piece:
    return nested.array([writer.of(item) for item in node.expressions], writer.kind(node), node)


def _call(writer: Writer, node: exp.Anonymous) -> Piece:
    name = node.name.upper()
    call = writer.analysis.calls.get(id(node))
    if call is not None and call.function.origin != "beam":
        return library_call(writer, node, call)
    form = FUNCTIONS.get(name)
    if form is None:
        raise NotLoweredError(f"function {name} has no equal form", node)
    return form(writer, node)


_Form = Callable[[Writer, Any], Piece]
_FORMS: dict[type, _Form] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda _, node: Piece("TRUE" if node.this else "FALSE", operators.BOOLEAN),
    exp.Null: lambda _, node: Piece("NULL", SqlType("NULL")),
    exp.Paren: lambda writer, node: writer.of(node.this),
    exp.Neg: _negative,
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"),
    exp.EQ: _compared("="),
    exp.NEQ: _compared("<>"),
    exp.LT: _compared("<"),
    exp.LTE: _compared("<="),
    exp.GT: _compared(">"),
    exp.GTE: _compared(">="),
    exp.And: _joined("AND"),
    exp.Or: _joined("OR"),
    exp.Not: _not,
    exp.Is: _is,
    exp.NullSafeEQ: _distinct(negated=True),
    exp.NullSafeNEQ: _distinct(negated=False),
    exp.Between: _between,
    exp.In: _in,
    exp.Like: like,
    exp.Escape: like,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.DPipe: _concatenated,
    exp.Extract: _extract,
    exp.Trim: _trim,
    exp.Bracket: _bracket,
    exp.Dot: _dot,
    exp.Array: _array,
    exp.Anonymous: _call,
}
