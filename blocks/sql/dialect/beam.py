"""The dialect that sqlglot knows as `beam`: our parser, and a generator that writes what Calcite reads."""

from typing import Any, ClassVar

from sqlglot import Token, exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy
from sqlglot.errors import ParseError
from sqlglot.generator import Generator
from sqlglot.parser import Parser
from sqlglot.tokens import Tokenizer

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.matching import StatementReader
from blocks.sql.dialect.tokens import tokenize
from blocks.sql.dialect.words import CONTEXT_WORDS, RESERVED


class _Parser(Parser):
    def parse(self, raw_tokens: list[Token], sql: str | None = None) -> list[exp.Expr | None]:
        try:
            return [StatementReader(tokenize(sql or "")).statement()]
        except QueryFailure as failure:
            text = sql or ""
            line = text.count("\n", 0, failure.start) + 1
            column = failure.start - (text.rfind("\n", 0, failure.start) + 1) + 1
            raise ParseError.new(
                f"{failure.what}: {failure.fix}", description=failure.what, line=line, col=column
            ) from None


class _Generator(Generator):
    NULL_ORDERING_SUPPORTED = True
    EXTRACT_ALLOWS_QUOTES = False
    RESERVED_KEYWORDS: ClassVar[Any] = {word.lower() for word in (*RESERVED, "PI")}
    TYPE_MAPPING: ClassVar[Any] = {
        **Generator.TYPE_MAPPING,
        exp.DType.INT: "INTEGER",
        exp.DType.TEXT: "VARCHAR",
        exp.DType.NVARCHAR: "VARCHAR",
        exp.DType.NCHAR: "CHAR",
        exp.DType.DATETIME: "TIMESTAMP",
        exp.DType.BLOB: "VARBINARY",
        exp.DType.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
        exp.DType.TIMESTAMPLTZ: "TIMESTAMP WITH LOCAL TIME ZONE",
    }

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        """A function: as Calcite wants it, with words between the arguments where it wants them."""
        name = expression.name
        upper = name.upper()
        arguments = expression.expressions
        if upper in CONTEXT_WORDS and not arguments:
            return name
        shown = [self.sql(argument) for argument in arguments]
        if upper == "POSITION" and len(shown) > 1:
            start = f" FROM {shown[2]}" if len(shown) > 2 else ""
            return f"{name}({shown[0]} IN {shown[1]}{start})"
        if upper == "OVERLAY" and len(shown) > 2:
            length = f" FOR {shown[3]}" if len(shown) > 3 else ""
            return f"{name}({shown[0]} PLACING {shown[1]} FROM {shown[2]}{length})"
        if upper in ("FLOOR", "CEIL", "CEILING") and len(arguments) == 2 and isinstance(arguments[1], exp.Var):
            return f"{name}({shown[0]} TO {shown[1]})"
        if upper in ("RUNNING", "FINAL"):
            return f"{name} {shown[0]}"
        # Not format_args, which would write every argument again: twice as long for each level.
        return f"{name}({', '.join(shown)})"

    def table_sql(self, expression: exp.Table, sep: str = " AS ") -> str:
        """A table; TABLE before it where it is an argument."""
        written = super().table_sql(expression, sep)
        return f"TABLE {written}" if isinstance(expression.parent, exp.Anonymous) else written

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """CAST, or DATE '...'."""
        if expression.meta.get("literal") and isinstance(expression.this, exp.Literal):
            return f"{self.sql(expression, 'to')} {self.sql(expression, 'this')}"
        return super().cast_sql(expression, safe_prefix)

    def interval_sql(self, expression: exp.Interval) -> str:
        """INTERVAL '1' HOUR; a text with the unit in it is taken apart."""
        value, unit = expression.this, expression.args.get("unit")
        shown = self.sql(value)
        if isinstance(value, exp.Literal):
            sign = "-" if value.name.startswith("-") else ""
            shown = f"{sign}'{value.name.removeprefix('-')}'"
        span = f"{unit.this.name} TO {unit.expression.name}" if isinstance(unit, exp.IntervalSpan) else self.sql(unit)
        return f"INTERVAL {shown} {span}"

    def array_sql(self, expression: exp.Array) -> str:
        """ARRAY[...]."""
        return f"ARRAY[{self.expressions(expression, flat=True)}]"

    def map_sql(self, expression: exp.Map) -> str:
        """MAP[key, value, ...]."""
        keys, values = expression.args["keys"].expressions, expression.args["values"].expressions
        pairs = (part for pair in zip(keys, values, strict=True) for part in pair)
        return f"MAP[{', '.join(self.sql(part) for part in pairs)}]"

    def tuple_sql(self, expression: exp.Tuple) -> str:
        """ROW(...) in an expression; (...) in VALUES, IN and GROUPING SETS."""
        inner = self.expressions(expression, flat=True)
        row = isinstance(expression.parent, exp.Values | exp.In | exp.Group | exp.GroupingSets)
        return f"({inner})" if row else f"ROW({inner})"

    def hexstring_sql(self, expression: exp.HexString, binary_function_repr: str | None = None) -> str:
        """X'..'."""
        return f"X'{expression.name}'"

    def datatype_sql(self, expression: exp.DataType) -> str:
        """A type: `x ARRAY`, ROW(...), MAP<k, v>."""
        kind, inner = expression.this, expression.expressions
        if kind == exp.DType.ARRAY and inner:
            return f"{self.sql(inner[0])} ARRAY"
        if kind == exp.DType.MAP and len(inner) == 2:
            return f"MAP<{self.sql(inner[0])}, {self.sql(inner[1])}>"
        if kind == exp.DType.STRUCT and inner:
            return f"ROW({', '.join(self._field(part) for part in inner)})"
        return super().datatype_sql(expression)

    def _field(self, column: exp.Expr) -> str:
        constraints = "".join(f" {self.sql(part)}" for part in column.args.get("constraints") or ())
        return f"{self.sql(column, 'this')} {self.sql(column, 'kind')}{constraints}"

    def is_sql(self, expression: exp.Is) -> str:
        """IS NULL, IS UNKNOWN, IS TRUE."""
        if expression.meta.get("unknown"):
            return f"{self.sql(expression, 'this')} IS UNKNOWN"
        return super().is_sql(expression)

    def unnest_sql(self, expression: exp.Unnest) -> str:
        """UNNEST(...) with its alias as it was written."""
        inner = self.expressions(expression, flat=True)
        order = " WITH ORDINALITY" if expression.args.get("offset") else ""
        alias = self.sql(expression, "alias")
        return f"UNNEST({inner}){order}{f' AS {alias}' if alias else ''}"

    def tablefromrows_sql(self, expression: exp.TableFromRows) -> str:
        """TABLE(f(...))."""
        alias = self.sql(expression, "alias")
        return f"TABLE({self.sql(expression, 'this')}){f' AS {alias}' if alias else ''}"

    def trim_sql(self, expression: exp.Trim) -> str:
        """TRIM([BOTH] [signs FROM] text)."""
        signs, position = self.sql(expression, "expression"), expression.args.get("position") or ""
        before = " ".join(part for part in (position, signs) if part)
        return (
            f"TRIM({before} FROM {self.sql(expression, 'this')})" if before else f"TRIM({self.sql(expression, 'this')})"
        )

    def values_sql(self, expression: exp.Values, values_as_table: bool = True) -> str:
        """VALUES, in parentheses where it stands in FROM."""
        rows = f"VALUES {self.expressions(expression, flat=True)}"
        if not isinstance(expression.parent, exp.From | exp.Join | exp.Lateral):
            return rows
        alias = self.sql(expression, "alias")
        return f"({rows}){f' AS {alias}' if alias else ''}"

    def paren_sql(self, expression: exp.Paren) -> str:
        """Parentheses, or the sign plus, which is read as such."""
        if not expression.meta.get("plus"):
            return super().paren_sql(expression)
        inner = self.sql(expression, "this")
        return f"+{' ' if inner.startswith('+') else ''}{inner}"

    def neg_sql(self, expression: exp.Neg) -> str:
        """A minus; never two of them, which begin a comment."""
        inner = self.sql(expression, "this")
        return f"-{' ' if inner.startswith('-') else ''}{inner}"


class Beam(Dialect):
    """Beam SQL of Beam 2.70, which is Calcite 1.40's with backticks and names whose case counts."""

    NORMALIZATION_STRATEGY = NormalizationStrategy.CASE_SENSITIVE
    NULL_ORDERING = "nulls_are_large"
    INDEX_OFFSET = 0

    class Tokenizer(Tokenizer):
        """For what cuts a text into words by sqlglot's means; the parser does not use it."""

        IDENTIFIERS: ClassVar[Any] = ["`"]
        QUOTES: ClassVar[Any] = ["'"]
        COMMENTS: ClassVar[Any] = ["--", "//", ("/*", "*/")]

    Parser = _Parser
    Generator = _Generator


def to_beam(tree: exp.Expr) -> str:
    """The text of a tree, as Beam's planner reads it: on one line, names in backticks where they need them."""
    return tree.sql(dialect=Beam)
