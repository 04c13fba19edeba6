"""SELECT and all that stands in it, WITH, UNION, ORDER BY and LIMIT."""

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.reader import END
from blocks.sql.dialect.tables import NO_ALIAS, TableReader
from blocks.sql.dialect.words import PARAMETER_MARK, STRUCTURE

_OPERATIONS: dict[str, type[exp.SetOperation]] = {
    "UNION": exp.Union,
    "EXCEPT": exp.Except,
    "MINUS": exp.Except,
    "INTERSECT": exp.Intersect,
}


class QueryReader(TableReader):
    """Reads queries."""

    def query(self) -> exp.Expr:
        """Reads a query with all its clauses."""
        first = self.at
        with_ = self._with() if self.kind == "WITH" else None
        node = self.query_tail(self._leaf(), first)
        if with_ is not None:
            node.set("with_", with_)
            self.put(node, first)
        return node

    def query_tail(self, left: exp.Expr, first: int) -> exp.Expr:
        """Reads UNION, ORDER BY and so on behind a query."""
        node = self._set_operations(left, first)
        if self.kind in ("ORDER", "LIMIT", "OFFSET", "FETCH") and node is left and isinstance(left, exp.Subquery):
            # ORDER BY of a query in parentheses that may have its own: it stands around it.
            node = self.put(exp.Select(expressions=[exp.Star()], from_=exp.From(this=left)), first)
            node.meta["wrapped"] = True
        if self.kind == "ORDER":
            node.set("order", self.order_by())
        self._limits(node)
        return self.put(node, first)

    def _set_operations(self, left: exp.Expr, first: int, least: int = 0) -> exp.Expr:
        while self.kind in _OPERATIONS and (1 if self.kind == "INTERSECT" else 0) >= least:
            at, kind = self.at, self.kind
            self.step()
            every = self.took("ALL")
            if not every:
                self.took("DISTINCT")
            right_first = self.at
            right = self._leaf()
            if kind != "INTERSECT":
                right = self._set_operations(right, right_first, 1)
            made = self.put(_OPERATIONS[kind](this=left, expression=right, distinct=not every), first)
            made.meta["operator"] = self.tokens.starts[at]
            if kind == "MINUS":
                self.tolerate("minus", made)
            left = made
        return left

    def _limits(self, node: exp.Expr) -> None:
        seen: set[str] = set()
        while self.kind in ("LIMIT", "OFFSET", "FETCH"):
            kind = self.kind
            if kind in seen or (kind != "OFFSET" and seen & {"LIMIT", "FETCH"}):
                raise self.unexpected("the end of the query")
            if kind == "LIMIT" and "OFFSET" in seen:
                raise self.refused("OFFSET ... LIMIT", "the order is another", "write LIMIT count OFFSET start")
            seen.add(kind)
            first = self.step()
            match kind:
                case "LIMIT":
                    self._limit(node, first)
                case "OFFSET":
                    node.set("offset", self.put(exp.Offset(expression=self._count()), first))
                    if self.kind in ("ROW", "ROWS"):
                        self.step()
                case "FETCH":
                    self._fetch(node, first)

    def _limit(self, node: exp.Expr, first: int) -> None:
        if self.took("ALL"):
            return
        count = self._count()
        if self.kind == ",":
            self.step()
            node.set("offset", self.put(exp.Offset(expression=count), first))
            limit = self.put(exp.Limit(expression=self._count()), first)
            self.tolerate("limit_comma", limit)
        else:
            limit = self.put(exp.Limit(expression=count), first)
        node.set("limit", limit)

    def _fetch(self, node: exp.Expr, first: int) -> None:
        if self.kind not in ("FIRST", "NEXT"):
            raise self.unexpected("FIRST or NEXT", "FETCH")
        self.step()
        count = self._count()
        if self.kind not in ("ROW", "ROWS"):
            raise self.unexpected("ROWS", "FETCH FIRST n")
        self.step()
        self.expect("ONLY", "ROWS")
        node.set("limit", self.put(exp.Limit(expression=count), first))

    def _count(self) -> exp.Expr:
        first = self.at
        if self.kind == "?":
            raise self.refused("?", "a query of RunSql has no such parameters", "write the number")
        if self.kind.startswith(PARAMETER_MARK):
            return self.put(exp.Column(this=self.identifier()), first)
        position = self.expect("number")
        return self.put(exp.Literal.number(self.tokens.written(position)), first)

    def _with(self) -> exp.With:
        first = self.step()
        recursive = self.took("RECURSIVE")
        items = self.listed(self._with_item)
        node = exp.With(expressions=items)
        if recursive:
            node.set("recursive", True)
        return self.put(node, first)

    def _with_item(self) -> exp.CTE:
        first = self.at
        alias = exp.TableAlias(this=self.name("a name for the query"))
        if self.kind == "(":
            alias.set("columns", self.names("a column's name"))
        self.put(alias, first)
        self.expect("AS", "the name")
        inner = self.subquery()
        # sqlglot has the query itself here, without parentheses.
        return self.put(exp.CTE(this=inner.this, alias=alias), first)

    def _leaf(self) -> exp.Expr:
        first, kind = self.at, self.kind
        match kind:
            case "SELECT":
                return self._select(first)
            case "VALUES":
                return self._values(first)
            case "VALUE":
                raise self.refused("VALUE", "it is no query", "write VALUES (a, b)")
            case "TABLE":
                self.step()
                table = self.put(self.table_name(), first)
                select = exp.Select(expressions=[self.put(exp.Star(), first)], from_=exp.From(this=table))
                return self.put(select, first)
            case "(":
                node = self.paren()
                if isinstance(node, exp.Subquery):
                    return node
                raise self.no_query(node)
        raise self.unexpected("a query (SELECT, VALUES, TABLE or a parenthesis)")

    def _values(self, first: int) -> exp.Values:
        self.step()
        rows = self.listed(self._row)
        return self.put(exp.Values(expressions=rows), first)

    def _row(self) -> exp.Tuple:
        first = self.at
        if self.kind == "ROW" or self.kind == "(":
            node = self.operand()
            if isinstance(node, exp.Tuple):
                return node
            inner = node.this if isinstance(node, exp.Paren) else node
            return self.put(exp.Tuple(expressions=[inner]), first)
        return self.put(exp.Tuple(expressions=[self.expression()]), first)

    def _select(self, first: int) -> exp.Select:
        self.step()
        if self.kind == "/*+":
            self.hint()
        if self.kind == "STREAM":
            raise self.refused("STREAM", "Beam's inputs are no Calcite streams", "leave it out")
        node = exp.Select()
        at = self.at
        if self.took("DISTINCT"):
            node.set("distinct", self.put(exp.Distinct(), at))
        else:
            self.took("ALL")
        items = self.listed(self._item)
        node.set("expressions", items)
        if self.kind == "FROM":
            self._from(node)
        return self.put(node, first)

    def _item(self) -> exp.Expr:
        first = self.at
        if self.kind == "*":
            self.step()
            return self.put(exp.Star(), first)
        value = self._starred(first) or self.expression()
        named = self.took("AS")
        if self.kind == "string" and (named or self.tokens.lines[self.at] >= 1):
            raise QueryFailure(
                "a text cannot be a name",
                "write the name in backticks",
                self.tokens.starts[self.at],
                self.tokens.ends[self.at],
            )
        alias = self._alias(named, "a name for the column")
        if alias is None:
            return value
        return self.put(exp.Alias(this=value, alias=alias), first)

    def _starred(self, first: int) -> exp.Expr | None:
        ahead = 0
        names = self.tokens.names
        while names[min(self.at + ahead, len(names) - 1)] and self.peek(ahead + 1) == ".":
            ahead += 2
            if self.peek(ahead) == "*":
                break
        else:
            return None
        parts: list[exp.Expr] = []
        for _ in range(ahead // 2):
            parts.append(self.identifier())
            self.step()
        at = self.step()
        parts.append(self.put(exp.Star(), at))
        return self.column_of(parts, first)

    def _alias(self, named: bool, what: str) -> exp.Identifier | None:
        if named:
            if self.kind in STRUCTURE:
                return self.name(what, soft=False)
            return self.name(what)
        if self.is_name():
            return self.identifier()
        if self.is_reserved_name() and self.kind not in NO_ALIAS and self.peek() in (",", "FROM", END, ")"):
            return self.name(what)
        return None

    def _from(self, node: exp.Select) -> None:
        first = self.step()
        outer, self.matched = self.matched, None
        source = self.table()
        node.set("from_", self.put(exp.From(this=source), first))
        joins = self.joins(commas=True)
        if self.matched is not None:
            if joins:
                raise self.refused("MATCH_RECOGNIZE", "no join stands beside it", "join in a query around it")
            node.set("match", self.matched)
        self.matched = outer
        if joins:
            node.set("joins", joins)
        if self.kind == "WHERE":
            at = self.step()
            node.set("where", self.put(exp.Where(this=self.expression()), at))
        if self.kind == "GROUP":
            node.set("group", self._group())
        if self.kind == "HAVING":
            at = self.step()
            node.set("having", self.put(exp.Having(this=self.expression()), at))
        if self.kind == "WINDOW":
            node.set("windows", self._windows())
        if self.kind == "QUALIFY":
            at = self.step()
            node.set("qualify", self.put(exp.Qualify(this=self.expression()), at))

    def _group(self) -> exp.Group:
        first = self.step()
        self.expect("BY", "GROUP")
        if self.kind == "DISTINCT":
            raise self.refused("GROUP BY DISTINCT", "Beam's planner cannot do it", "leave DISTINCT out")
        self.took("ALL")
        items = self.listed(self._grouping)
        return self.put(exp.Group(expressions=items), first)

    def _grouping(self) -> exp.Expr:
        first, kind = self.at, self.kind
        if kind == "GROUPING" and self.peek() == "SETS":
            self.took("GROUPING", "SETS")
            self.expect("(", "GROUPING SETS")
            items = self.listed(self._grouping)
            self.expect(")")
            return self.put(exp.GroupingSets(expressions=items), first)
        if kind in ("ROLLUP", "CUBE") and self.peek() == "(":
            self.step()
            node = exp.Rollup if kind == "ROLLUP" else exp.Cube
            return self.put(node(expressions=self.arguments()), first)
        if kind == "(" and self.peek() == ")":
            self.step()
            self.step()
            return self.put(exp.Tuple(), first)
        return self.expression()

    def _windows(self) -> list[exp.Window]:
        self.step()
        windows = []
        while True:
            first = self.at
            name = self.name("a window's name")
            self.expect("AS", "the window's name")
            windows.append(self.put(self.window_of(exp.Window(this=name)), first))
            if not self.took(","):
                return windows
