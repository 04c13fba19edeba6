"""Function calls: those with words between their arguments, and all others."""

from sqlglot import exp

from blocks.sql.dialect.expressions import ExpressionReader
from blocks.sql.dialect.operands import QUERY_WORDS
from blocks.sql.dialect.words import FUNCTION_WORDS

_SPECIAL = frozenset(
    [
        "CAST",
        "SAFE_CAST",
        "TRY_CAST",
        "EXTRACT",
        "POSITION",
        "TRANSLATE",
        "OVERLAY",
        "FLOOR",
        "CEIL",
        "CEILING",
        "SUBSTRING",
        "TRIM",
        "TIMESTAMPADD",
        "TIMESTAMPDIFF",
        "CONVERT",
    ]
)
# Reserved words that the grammar reads as functions, with arguments of the usual form.
_ALSO = frozenset(
    [
        "DATE",
        "TIME",
        "TIMESTAMP",
        "DATETIME",
        "CLASSIFIER",
        "MATCH_NUMBER",
        "PREV",
        "NEXT",
        "JSON_EXISTS",
        "JSON_VALUE",
        "JSON_QUERY",
        "JSON_OBJECT",
        "JSON_ARRAY",
        "JSON_OBJECTAGG",
        "JSON_ARRAYAGG",
        "CONTAINS",
        "PERMUTE",
    ]
)
_FRAME_WORDS = ("ROWS", "RANGE")


class FunctionReader(ExpressionReader):
    """Reads function calls."""

    def is_call(self) -> bool:
        """Whether a function call comes next."""
        kind = self.kind
        if self.peek() == "(":
            return self.is_name() or kind in FUNCTION_WORDS or kind in _SPECIAL or kind in _ALSO
        if kind == "MAP":
            return self.peek() == "["
        if kind in ("RUNNING", "FINAL"):
            return self.peek(2) == "("
        return self.is_name() and self.peek() == "." and self._qualified_call()

    def _qualified_call(self) -> bool:
        ahead = 1
        while self.peek(ahead) == "." and self.tokens.names[min(self.at + ahead + 1, len(self.kinds) - 1)]:
            ahead += 2
        return self.peek(ahead) == "("

    def call(self) -> exp.Expr:
        """Reads a function call."""
        first, kind = self.at, self.kind
        match kind:
            case "CAST" | "SAFE_CAST" | "TRY_CAST":
                return self._cast(first)
            case "EXTRACT":
                return self._extract(first)
            case "TRIM":
                return self._trim(first)
            case "MAP" if self.peek() == "[":
                return self._map(first)
            case "POSITION" | "OVERLAY" | "SUBSTRING" | "TRANSLATE" | "CONVERT":
                return self._with_words(first)
            case "FLOOR" | "CEIL" | "CEILING":
                return self._rounded(first)
            case "TIMESTAMPADD" | "TIMESTAMPDIFF":
                return self._of_unit(first)
            case "RUNNING" | "FINAL":
                self.step()
                inner = self.call()
                return self.put(exp.Anonymous(this=kind, expressions=[inner]), first)
        return self._named(first)

    def _made(self, name: str, arguments: list[exp.Expr], first: int) -> exp.Expr:
        return self.put(exp.Anonymous(this=name, expressions=arguments), first)

    def _cast(self, first: int) -> exp.Expr:
        name = self.tokens.written(self.step())
        self.expect("(")
        value = self.expression()
        self.expect("AS", "CAST(x")
        if self.kind == "INTERVAL":
            raise self.refused("CAST AS INTERVAL", "no column has this type", "write INTERVAL '1' HOUR * x")
        to = self.data_type()
        if self.kind == "FORMAT":
            raise self.refused("CAST ... FORMAT", "Beam's planner does not have it", "write CAST(x AS type)")
        self.expect(")")
        if name.upper() != "CAST":
            return self._made(name, [value], first)
        return self.put(exp.Cast(this=value, to=to), first)

    def _extract(self, first: int) -> exp.Expr:
        self.step()
        self.expect("(")
        unit = self.time_unit()
        self.expect("FROM", "EXTRACT(unit")
        value = self.expression()
        self.expect(")")
        return self.put(exp.Extract(this=unit, expression=value), first)

    def _trim(self, first: int) -> exp.Expr:
        self.step()
        self.expect("(")
        position = self.kind if self.kind in ("BOTH", "LEADING", "TRAILING") else ""
        signs = None
        if position:
            self.step()
            signs = None if self.kind == "FROM" else self.expression()
            self.expect("FROM", position)
            value = self.expression()
        else:
            value = self.expression()
            if self.took("FROM"):
                signs, value = value, self.expression()
        self.expect(")")
        node = exp.Trim(this=value)
        if signs is not None:
            node.set("expression", signs)
        if position:
            node.set("position", position)
        return self.put(node, first)

    def _map(self, first: int) -> exp.Expr:
        self.step()
        at = self.step()
        items = [] if self.kind == "]" else self.expressions()
        if len(items) % 2:
            raise self.unexpected("a value for the last key", "MAP[")
        self.expect("]")
        keys, values = (self.put(exp.Array(expressions=part), at) for part in (items[::2], items[1::2]))
        return self.put(exp.Map(keys=keys, values=values), first)

    def _with_words(self, first: int) -> exp.Expr:
        kind, name = self.kind, self.tokens.written(self.step())
        self.expect("(")
        if kind == "POSITION":
            arguments = [self._position()]
            self.expect("IN", "POSITION(x")
            arguments.append(self.expression())
            separators: tuple[tuple[str, ...], ...] = (("FROM",),)
        else:
            arguments = [self.expression()]
            separators = {
                "OVERLAY": (("PLACING",), ("FROM",), ("FOR",)),
                "SUBSTRING": (("FROM", ","), ("FOR", ",")),
            }.get(kind, ((",",), (",",), (",",)))
        if kind in ("TRANSLATE", "CONVERT") and self.kind == "USING":
            raise self.refused(f"{kind} ... USING", "it is not taken", "texts are always Unicode", "not_taken")
        for number, words in enumerate(separators):
            if self.kind in words:
                self.step()
                arguments.append(self.expression())
            elif (kind == "OVERLAY" and number < 2) or (kind == "SUBSTRING" and not number):
                raise self.unexpected(" or ".join(words), f"{kind}(x")
            else:
                break
        self.expect(")")
        return self._made(name, arguments, first)

    def _position(self) -> exp.Expr:
        # Calcite reads one operand here: an operator would take the IN for its own, and a parenthesis begins a row.
        at, opens = self.at, self.kind == "("
        node = self.operand()
        if opens and isinstance(node, exp.Paren):
            node = self.put(exp.Cast(this=node.this, to=exp.DataType(this=exp.DType.VARCHAR)), at)
            self.tolerate("position_parenthesis", node)
        return node

    def _rounded(self, first: int) -> exp.Expr:
        name = self.tokens.written(self.step())
        self.expect("(")
        arguments = [self.expression()]
        if self.took("TO"):
            arguments.append(self.time_unit())
        self.expect(")")
        return self._made(name, arguments, first)

    def _of_unit(self, first: int) -> exp.Expr:
        name = self.tokens.written(self.step())
        self.expect("(")
        arguments: list[exp.Expr] = [self.time_unit()]
        for _ in range(2):
            self.expect(",", name)
            arguments.append(self.expression())
        self.expect(")")
        return self._made(name, arguments, first)

    def _named(self, first: int) -> exp.Expr:
        name = self._function_name()
        self.expect("(")
        arguments: list[exp.Expr] = []
        if self.kind == "*":
            at = self.step()
            arguments = [self.put(exp.Star(), at)]
        elif self.kind != ")":
            arguments = self._json_pairs() if name.upper() == "JSON_OBJECT" else self._call_arguments()
        self.expect(")")
        return self._clauses(self._made(name, arguments, first), first)

    def _function_name(self) -> str:
        names = [self.identifier().name]
        while self.took("."):
            names.append(self.name("a function's name").name)
        return ".".join(names)

    def _call_arguments(self) -> list[exp.Expr]:
        at = self.at
        distinct = self.took("DISTINCT")
        if not distinct:
            self.took("ALL")
        arguments = self.listed(self._argument)
        if self.kind in ("ORDER", "SEPARATOR", "IGNORE", "RESPECT"):
            raise self.refused(f"{self.kind} in a call", "Beam's planner does not have it", "leave it out")
        return [self.put(exp.Distinct(expressions=arguments), at)] if distinct else arguments

    def _json_pairs(self) -> list[exp.Expr]:
        """Reads `k: v`, `k VALUE v`, `KEY k VALUE v` and `k, v`, which all mean the last."""
        pairs: list[exp.Expr] = []
        while True:
            if self.kind == "KEY" and self.peek() not in (",", ":", "."):
                self.step()
            pairs.append(self.expression())
            if self.kind not in (":", "VALUE", ","):
                raise self.unexpected("`:`, VALUE or `,` and the value", "the key")
            self.step()
            pairs.append(self.expression())
            if not self.took(","):
                break
        if self.kind in ("NULL", "ABSENT"):
            fix = "leave it out, and write CASE WHEN x IS NULL THEN ... for an object without the key"
            raise self.refused(f"{self.kind} ON NULL", "it is not taken", fix, "not_taken")
        return pairs

    def _argument(self) -> exp.Expr:
        first, kind = self.at, self.kind
        if kind == "TABLE":
            self.step()
            table = self.put(exp.Table(this=self.name("a table")), first)
            if self.kind in ("PARTITION", "ORDER"):
                raise self.refused(f"{self.kind} BY of a table", "Beam's planner does not take it", "leave it out")
            return table
        if self.is_name() and self.peek() == "=>":
            name = self.identifier()
            self.step()
            return self.put(exp.Kwarg(this=name, expression=self._argument()), first)
        if self.is_name() and self.peek() == "->":
            raise self.refused("->", "Beam SQL has no lambdas", "UNNEST the array")
        if kind in QUERY_WORDS:
            return self.query()
        return self.query_or_expression()

    def _clauses(self, node: exp.Expr, first: int) -> exp.Expr:
        if self.kind in ("IGNORE", "RESPECT") and self.peek() == "NULLS":
            kind = self.kind
            self.took(kind, "NULLS")
            node = self.put((exp.IgnoreNulls if kind == "IGNORE" else exp.RespectNulls)(this=node), first)
        if self.kind == "WITHIN":
            self.step()
            if self.kind == "DISTINCT":
                raise self.refused("WITHIN DISTINCT", "Beam's planner does not have it", "use a subquery")
            self.expect("GROUP", "WITHIN")
            self.expect("(")
            order = self.order_by()
            self.expect(")")
            node = self.put(exp.WithinGroup(this=node, expression=order), first)
        if self.kind == "FILTER" and self.peek() == "(":
            self.step()
            self.step()
            at = self.expect("WHERE", "FILTER(")
            condition = self.put(exp.Where(this=self.expression()), at)
            self.expect(")")
            node = self.put(exp.Filter(this=node, expression=condition), first)
        if self.took("OVER"):
            if self.kind == "(":
                return self.put(self.window_of(exp.Window(this=node, over="OVER")), first)
            node = self.put(exp.Window(this=node, alias=self.name("a window's name"), over="OVER"), first)
        return node

    def window_of(self, node: exp.Window) -> exp.Window:
        """Reads (PARTITION BY ... ORDER BY ... ROWS ...)."""
        self.expect("(")
        if self.is_name() and self.kind != "PARTITION":
            node.set("first", self.identifier())
        if self.took("PARTITION"):
            self.expect("BY", "PARTITION")
            node.set("partition_by", self.expressions())
        if self.kind == "ORDER":
            node.set("order", self.order_by())
        if self.kind in _FRAME_WORDS:
            node.set("spec", self._frame())
        if self.kind in ("ALLOW", "DISALLOW"):
            raise self.refused(f"{self.kind} PARTIAL", "Beam's planner does not have it", "leave it out")
        self.expect(")")
        return node

    def _frame(self) -> exp.WindowSpec:
        first = self.at
        kind = self.tokens.written(self.step()).upper()
        between = self.took("BETWEEN")
        start, start_side = self._bound()
        node = exp.WindowSpec(kind=kind, start=start, start_side=start_side)
        if between:
            self.expect("AND", "BETWEEN")
            end, end_side = self._bound()
            node.set("end", end)
            node.set("end_side", end_side)
        if self.kind == "EXCLUDE":
            raise self.refused("EXCLUDE", "Beam's planner does not have it", "leave it out")
        return self.put(node, first)

    def _bound(self) -> tuple[exp.Expr | str, str | None]:
        if self.took("CURRENT", "ROW"):
            return "CURRENT ROW", None
        bound: exp.Expr | str = "UNBOUNDED" if self.took("UNBOUNDED") else self.expression()
        if self.kind not in ("PRECEDING", "FOLLOWING"):
            raise self.unexpected("PRECEDING or FOLLOWING")
        return bound, self.tokens.written(self.step()).upper()

    def order_by(self) -> exp.Order:
        """Reads ORDER BY."""
        first = self.expect("ORDER")
        self.expect("BY", "ORDER")
        items = self.listed(self._ordered)
        return self.put(exp.Order(expressions=items), first)

    def _ordered(self) -> exp.Ordered:
        first = self.at
        value = self.expression()
        descending = self.took("DESC")
        if not descending:
            self.took("ASC")
        nulls_first = descending
        if self.took("NULLS", "FIRST"):
            nulls_first = True
        elif self.took("NULLS", "LAST"):
            nulls_first = False
        node = exp.Ordered(this=value, nulls_first=nulls_first)
        if descending:
            node.set("desc", True)
        return self.put(node, first)
