"""Operators, by the precedences of Calcite's `SqlStdOperatorTable`; everything that stands between them."""

from typing import Any

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.literals import LiteralReader
from blocks.sql.dialect.nodes import Marks
from blocks.sql.dialect.words import CONTEXT_WORDS

# How strongly an operator binds, doubled; its right side binds one more, so that equals go from left to right.
OR, AND, NOT, IS, COMPARE, LIKE, PLUS, TIMES, UNARY = 44, 48, 52, 56, 60, 64, 80, 120, 160
_BINARY: dict[str, tuple[int, type[exp.Expr]]] = {
    "OR": (OR, exp.Or),
    "AND": (AND, exp.And),
    "=": (COMPARE, exp.EQ),
    "<>": (COMPARE, exp.NEQ),
    "!=": (COMPARE, exp.NEQ),
    "<": (COMPARE, exp.LT),
    "<=": (COMPARE, exp.LTE),
    ">": (COMPARE, exp.GT),
    ">=": (COMPARE, exp.GTE),
    "+": (PLUS, exp.Add),
    "-": (PLUS, exp.Sub),
    "||": (TIMES, exp.DPipe),
    "*": (TIMES, exp.Mul),
    "/": (TIMES, exp.Div),
    "%": (TIMES, exp.Mod),
}
_CHAINS = ("OR", "AND", "||")
_LIKES: dict[str, type[exp.Expr]] = {"LIKE": exp.Like, "SIMILAR": exp.SimilarTo}
_NOT_IN_BEAM = {
    "MEMBER": "write x IN (...), or UNNEST the array",
    "SUBMULTISET": "use arrays and UNNEST",
    "MULTISET": "use arrays and UNNEST",
    "OVERLAPS": "compare the ends: a.begins < b.ends AND b.begins < a.ends",
    "CONTAINS": "compare the ends",
    "EQUALS": "write `=`",
    "PRECEDES": "compare the ends",
    "SUCCEEDS": "compare the ends",
    "IMMEDIATELY": "compare the ends",
    "ILIKE": "write LOWER(x) LIKE LOWER('...')",
    "RLIKE": "write REGEXP_EXTRACT or SIMILAR TO",
}
QUERY_WORDS = ("SELECT", "WITH", "VALUES", "TABLE")
TAIL_WORDS = ("UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT", "OFFSET", "FETCH")
MAX_NESTING = 400
QUERIES = (exp.Query, exp.Values)


class ExpressionReader(LiteralReader):
    """Reads expressions."""

    strict = False
    nesting = 0

    def expression(self, least: int = 0) -> exp.Expr:
        """Reads an expression whose operators bind at least so strongly."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            here = self.tokens.starts[self.at], self.tokens.ends[self.at]
            what = f"nested deeper than {MAX_NESTING} levels"
            raise QueryFailure(what, "compute a part of it in a subquery or in a block before", *here, code="too_large")
        first = self.at
        left = self._prefixed()
        while True:
            kind = self.kind
            binary = _BINARY.get(kind)
            if binary is not None:
                if binary[0] < least:
                    break
                left = self._binary(left, first, kind, *binary)
                continue
            infix = self._infix(left, first, least)
            if infix is None:
                break
            left = infix
        self.nesting -= 1
        return left

    def _prefixed(self) -> exp.Expr:
        first, kind = self.at, self.kind
        match kind:
            case "NOT":
                self.step()
                return self.put(exp.Not(this=self.expression(NOT)), first)
            case "-":
                self.step()
                return self.put(exp.Neg(this=self.expression(UNARY)), first)
            case "+":
                self.step()
                return self.put(exp.Paren(this=self.expression(UNARY)), first, plus=True)
            case "EXISTS" if self.peek() == "(":
                self.step()
                return self.put(exp.Exists(this=self.subquery().this), first)
            case "UNIQUE" if self.peek() == "(":
                raise self.refused("UNIQUE", "Beam's planner does not have it", "count with GROUP BY and HAVING")
        return self._postfixed()

    def _binary(self, left: exp.Expr, first: int, kind: str, binds: int, node: type[exp.Expr]) -> exp.Expr:
        if kind in _CHAINS:
            operands = [left]
            while self.kind == kind:
                self.step()
                operands.append(self.expression(binds + 1))
            return _chain(node, operands, kind == "||")
        self.step()
        doubled = kind == "=" and self.took("=")
        if binds == COMPARE and self.kind in ("SOME", "ANY", "ALL") and self.peek() == "(":
            right = self._quantified()
        else:
            right = self.expression(binds + 1)
        made = self.put(node(this=left, expression=right), first)
        if doubled:
            self.tolerate("double_equal", made)
        elif kind == "!=":
            self.tolerate("bang_equal", made)
        elif kind == "%":
            self.tolerate("percent", made)
        return made

    def _quantified(self) -> exp.Expr:
        first = self.at
        node = exp.All if self.kind == "ALL" else exp.Any
        self.step()
        return self.put(node(this=self.subquery().this), first)

    def _infix(self, left: exp.Expr, first: int, least: int) -> exp.Expr | None:
        kind = self.kind
        negated = kind == "NOT" and self.peek() in ("IN", "LIKE", "BETWEEN", "SIMILAR", "ILIKE", "RLIKE")
        word = self.peek() if negated else kind
        if (
            word in _NOT_IN_BEAM
            and least <= COMPARE
            and (word not in ("CONTAINS", "IMMEDIATELY") or self.peek() != "(")
        ):
            if word in ("ILIKE", "RLIKE") and not negated and self.is_name() and self.peek() in (",", ")", "FROM", ""):
                return None
            if isinstance(left, exp.Tuple) or word == "IMMEDIATELY":
                raise self.refused(word, "spans of time are not taken", _NOT_IN_BEAM[word], "not_taken")
            raise self.refused(word, "Beam's planner does not have it", _NOT_IN_BEAM[word])
        if word == "IS" and least <= IS:
            return self._is(left, first)
        if word == ":" and self.peek() == ":":
            return self._double_colon(left, first)
        if word not in ("IN", "LIKE", "SIMILAR", "BETWEEN") or least > LIKE:
            return None
        if negated:
            self.step()
        self.step()
        match word:
            case "IN":
                node = self._in(left, first)
            case "BETWEEN":
                node = self._between(left, first)
            case _:
                node = self._like(left, first, word)
        return self.put(exp.Not(this=node), first) if negated else node

    def _in(self, left: exp.Expr, first: int) -> exp.Expr:
        opening = self.expect("(", "IN")
        inner = self.query_or_expression()
        if isinstance(inner, QUERIES) and self.kind == ")":
            self.step()
            if not isinstance(inner, exp.Subquery):
                inner = self.put(exp.Subquery(this=inner), opening)
            return self.put(exp.In(this=left, query=inner), first)
        values = [inner]
        while self.took(","):
            values.append(self.expression())
        self.expect(")")
        return self.put(exp.In(this=left, expressions=values), first)

    def _between(self, left: exp.Expr, first: int) -> exp.Expr:
        symmetric = self.took("SYMMETRIC")
        if not symmetric:
            self.took("ASYMMETRIC")
        low = self.expression(NOT)
        self.expect("AND", "BETWEEN")
        high = self.expression(LIKE + 1)
        node = exp.Between(this=left, low=low, high=high)
        if symmetric:
            node.set("symmetric", True)
        return self.put(node, first)

    def _like(self, left: exp.Expr, first: int, word: str) -> exp.Expr:
        if word == "SIMILAR":
            self.expect("TO", "SIMILAR")
        node = self.put(_LIKES[word](this=left, expression=self.expression(LIKE + 1)), first)
        if self.took("ESCAPE"):
            return self.put(exp.Escape(this=node, expression=self._postfixed()), first)
        return node

    def _is(self, left: exp.Expr, first: int) -> exp.Expr:
        self.step()
        negated = self.took("NOT")
        at, kind = self.at, self.kind
        if self.took("DISTINCT", "FROM"):
            right = self.expression(COMPARE + 1)
            return self.put((exp.NullSafeEQ if negated else exp.NullSafeNEQ)(this=left, expression=right), first)
        if kind in ("A", "EMPTY", "JSON"):
            code = "not_taken" if kind in ("JSON", "EMPTY") else "unsupported"
            raise self.refused(f"IS {kind}", "it is not taken here", "use CARDINALITY, or IS NULL", code)
        if kind not in ("NULL", "TRUE", "FALSE", "UNKNOWN"):
            raise self.unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM", "IS")
        self.step()
        value: exp.Expr = exp.Null() if kind in ("NULL", "UNKNOWN") else exp.Boolean(this=kind == "TRUE")
        node = self.put(exp.Is(this=left, expression=self.put(value, at)), first)
        if kind == "UNKNOWN":
            node.meta["unknown"] = True
        return self.put(exp.Not(this=node), first) if negated else node

    def _double_colon(self, left: exp.Expr, first: int) -> exp.Expr:
        self.step()
        self.step()
        node = self.put(exp.Cast(this=left, to=self.data_type()), first)
        self.tolerate("double_colon", node)
        return node

    def _postfixed(self) -> exp.Expr:
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
        items = [inner]
        while self.took(","):
            items.append(self.expression())
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
        items = [self.expression()]
        while self.took(","):
            items.append(self.expression())
        return items

    def arguments(self) -> list[exp.Expr]:
        """Reads expressions in parentheses."""
        self.expect("(")
        items = self.expressions()
        self.expect(")")
        return items

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


def _chain(node: type[exp.Expr], operands: list[exp.Expr], concatenates: bool) -> exp.Expr:
    """One tree of many operands: of the usual form where they are few, of little depth where they are many."""
    if len(operands) > 12:
        middle = len(operands) // 2
        halves = [_chain(node, half, concatenates) for half in (operands[:middle], operands[middle:])]
        return _joined(node, *halves)
    made = operands[0]
    for operand in operands[1:]:
        made = _joined(node, made, operand)
    return made


def _joined(node: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    made = node(this=left, expression=right)
    start, end = left.meta["start"], right.meta["end"]
    column = left.meta["col"] - (left.meta["end"] - left.meta["start"])
    made._meta = Marks(line=left.meta["line"], col=column + end - start, start=start, end=end)
    return made
