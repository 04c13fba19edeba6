"""What stands between operators: names, parentheses, CASE and constructors, with positions and fields behind them."""

from typing import Any

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.literals import LiteralReader
from blocks.sql.dialect.words import CONTEXT_WORDS

QUERY_WORDS = ("SELECT", "WITH", "VALUES", "TABLE")
TAIL_WORDS = ("UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT", "OFFSET", "FETCH")
QUERIES = (exp.Query, exp.Values)


class OperandReader(LiteralReader):
    """Reads operands."""

    strict = False

    def _double_colon(self, left: exp.Expr, first: int) -> exp.Expr:
        self.step()
        self.step()
        node = self.put(exp.Cast(this=left, to=self.data_type()), first)
        self.tolerate("double_colon", node)
        return node

    def postfixed(self) -> exp.Expr:
        """Reads an operand, with positions and fields behind it."""
        first = self.at
        node = self.operand()
        while True:
            if self.kind == "[":
                self.step()
                if self.kind in ("SAFE_OFFSET", "SAFE_ORDINAL", "ORDINAL", "OFFSET") and self.peek() == "(":
                    raise self.refused(self.kind, "Beam's planner does not have it", "positions begin at 1: x[1]")
                index = self.expression()
                self.expect("]")
                node = self.put(exp.Bracket(this=node, expressions=[index]), first)
            elif self.kind == "." and self.peek() != "*":
                self.step()
                node = self.put(exp.Dot(this=node, expression=self.name("a field's name")), first)
            elif self.kind == ":" and self.peek() == ":":
                node = self._double_colon(node, first)
            else:
                return node

    def operand(self) -> exp.Expr:
        """Reads what stands between operators."""
        first, kind = self.at, self.kind
        literal = self.literal()
        if literal is not None:
            return literal
        if kind == "(":
            return self.paren()
        if self.is_name():
            return self.call() if self.is_call() else self.column()
        match kind:
            case "CASE":
                return self._case(first)
            case "ARRAY" | "ROW" | "MULTISET":
                return self._constructor(first)
            case "?" | "{" | "PERIOD" if kind != "PERIOD" or self.peek() == "(":
                raise self._not_taken(kind)
        if self.is_call() and not (kind in CONTEXT_WORDS and self.peek(2) == ")"):
            return self.call()
        if kind in CONTEXT_WORDS and (kind != "USER" or self.strict):
            self.step()
            node = self.put(exp.Anonymous(this=self.tokens.written(first), expressions=[]), first)
            if self.took("(", ")"):
                self.tolerate("context_parentheses", self.put(node, first))
            return node
        if self.is_reserved_name() and self.peek() not in ("string", "("):
            return self.column()
        raise self.unexpected("an expression")

    def _not_taken(self, kind: str) -> QueryFailure:
        what, fix = {
            "?": ("a query of RunSql has no such parameters", "write :name, and give its value with `parameters`"),
            "{": ("JDBC's braces are not taken", "write the function or literal without them"),
            "PERIOD": ("spans of time are not taken", "compare the ends"),
        }[kind]
        return self.refused(kind, what, fix, "not_taken")

    def column(self) -> exp.Expr:
        """Reads a name with dots."""
        first = self.at
        # Calcite takes this name for its function before it looks for a column of it.
        if self.strict and self.kind == "PI" and self.peek() != ".":
            return self.put(exp.Anonymous(this=self.tokens.written(self.step()), expressions=[]), first)
        parts = [self.name("a column")]
        while self.kind == "." and self.peek() != "*":
            self.step()
            parts.append(self.name("a column or field"))
        return self.column_of(parts, first)

    def column_of(self, parts: list[Any], first: int) -> exp.Expr:
        """Makes a Column of names, with Dot around it for those past the fourth."""
        keys = ("this", "table", "db", "catalog")
        head = parts[:4]
        node: exp.Expr = exp.Column(**dict(zip(keys, reversed(head), strict=False)))
        node = self.put(node, first)
        for part in parts[4:]:
            node = self.put(exp.Dot(this=node, expression=part), first)
        return node

    def paren(self) -> exp.Expr:
        """Reads (x), (a, b) or (SELECT ...); several parentheses around one another are one."""
        first, closes = self.at, self.tokens.closes
        self.expect("(")
        outer = first
        while self.kind == "(" and closes.get(self.at) == closes.get(outer, -1) - 1:
            outer = self.step()
        inner = self.query_or_expression()
        items = self.listed(self.expression, inner)
        for _ in range(outer - first + 1):
            self.expect(")")
        if len(items) > 1:
            return self.put(exp.Tuple(expressions=items), first)
        if isinstance(inner, QUERIES):
            return self.put(inner if isinstance(inner, exp.Subquery) else exp.Subquery(this=inner), first)
        if self.kind in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND") and isinstance(inner, exp.Sub):
            raise self.refused("(a - b) UNIT", "its type is no column type", "write TIMESTAMPDIFF(UNIT, b, a)")
        return self.put(exp.Paren(this=inner), first)

    def subquery(self) -> exp.Expr:
        """Reads a query in parentheses."""
        first = self.at
        node = self.paren() if self.kind == "(" else None
        if not isinstance(node, exp.Subquery):
            self.at, self.kind = first, self.kinds[first]
            if node is not None:
                self.step()
            raise self.unexpected("a query in parentheses" if node is None else "a query")
        return node

    def query_or_expression(self) -> exp.Expr:
        """Reads what stands in parentheses: a query with all its clauses, or an expression."""
        if self.kind in QUERY_WORDS:
            return self.query()
        first = self.at
        node = self.expression()
        if isinstance(node, exp.Subquery) and self.kind in TAIL_WORDS:
            return self.query_tail(node, first)
        return node

    def _case(self, first: int) -> exp.Expr:
        self.step()
        subject = None if self.kind == "WHEN" else self.expression()
        branches: list[exp.Expr] = []
        while self.kind == "WHEN":
            at = self.step()
            condition = self.expression()
            conditions = [condition]
            while subject is not None and self.took(","):
                conditions.append(self.expression())
            self.expect("THEN", "WHEN")
            result = self.expression()
            # CASE x WHEN 1, 2 THEN r is two branches.
            results = [result, *(result.copy() for _ in conditions[1:])]
            branches.extend(
                self.put(exp.If(this=one, true=given), at) for one, given in zip(conditions, results, strict=True)
            )
        if not branches:
            raise self.unexpected("WHEN", "CASE")
        default = self.expression() if self.took("ELSE") else None
        self.expect("END", "CASE")
        node = exp.Case(ifs=branches)
        if subject is not None:
            node.set("this", subject)
        if default is not None:
            node.set("default", default)
        return self.put(node, first)

    def _constructor(self, first: int) -> exp.Expr:
        kind = self.kind
        if kind == "MULTISET":
            raise self.refused("MULTISET", "Beam SQL has no multisets", "use ARRAY[...]")
        self.step()
        if kind == "ROW":
            return self.put(exp.Tuple(expressions=self.arguments()), first)
        if self.kind == "(":
            raise self.refused("ARRAY(...)", "Beam's planner does not have it", "write ARRAY[a, b]")
        self.expect("[", "ARRAY")
        items = [] if self.kind == "]" else self.expressions()
        self.expect("]")
        return self.put(exp.Array(expressions=items), first)

    def expressions(self) -> list[exp.Expr]:
        """Reads expressions with commas between."""
        return self.listed(self.expression)

    def arguments(self) -> list[exp.Expr]:
        """Reads expressions in parentheses."""
        self.expect("(")
        items = self.expressions()
        self.expect(")")
        return items

    def expression(self, least: int = 0) -> exp.Expr:
        """Reads an expression whose operators bind at least so strongly."""
        raise NotImplementedError

    def is_call(self) -> bool:
        """Whether a function call comes next."""
        raise NotImplementedError

    def call(self) -> exp.Expr:
        """Reads a function call."""
        raise NotImplementedError

    def query(self) -> exp.Expr:
        """Reads a query."""
        raise NotImplementedError

    def query_tail(self, left: exp.Expr, first: int) -> exp.Expr:
        """Reads UNION, ORDER BY and so on behind a query."""
        raise NotImplementedError
