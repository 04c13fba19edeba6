"""Operators, by the precedences of Calcite's `SqlStdOperatorTable`."""

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.nodes import Marks
from blocks.sql.dialect.operands import QUERIES, OperandReader

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
MAX_NESTING = 400


class ExpressionReader(OperandReader):
    """Reads expressions."""

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
        return self.postfixed()

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
        values = self.listed(self.expression, inner)
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
            return self.put(exp.Escape(this=node, expression=self.postfixed()), first)
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
