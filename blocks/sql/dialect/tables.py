"""FROM: tables, subqueries, joins, UNNEST and table functions."""

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.functions import FunctionReader
from blocks.sql.dialect.operands import QUERIES, QUERY_WORDS
from blocks.sql.dialect.reader import END
from blocks.sql.dialect.words import STRUCTURE

SIDES = ("LEFT", "RIGHT", "FULL")
# Words that end what stands before them: never an alias that lacks its backticks.
NO_ALIAS = STRUCTURE | {"WINDOW", "PATTERN", "MEASURES", "DEFINE", "SUBSET"}


class TableReader(FunctionReader):
    """Reads what stands in FROM."""

    matched: exp.MatchRecognize | None = None

    def joins(self, commas: bool) -> list[exp.Join]:
        """Reads joins, and commas where they may stand."""
        joins: list[exp.Join] = []
        while True:
            first = self.at
            if commas and self.took(","):
                joins.append(self.put(exp.Join(this=self.table()), first))
                continue
            join = self._join(first)
            if join is None:
                return joins
            joins.append(join)

    def _join(self, first: int) -> exp.Join | None:
        kind = self.kind
        if kind == "ASOF" or (kind == "LEFT" and self.peek() == "ASOF"):
            raise self.refused("ASOF JOIN", "Beam's planner cannot do it", "join on a key and a window")
        if kind not in ("JOIN", "INNER", "CROSS", "NATURAL", "OUTER", *SIDES):
            return None
        node = exp.Join()
        if self.took("NATURAL"):
            node.set("method", "NATURAL")
        if self.kind in SIDES:
            node.set("side", self.tokens.written(self.step()).upper())
            self.took("OUTER")
        elif self.kind in ("INNER", "CROSS"):
            node.set("kind", self.tokens.written(self.step()).upper())
        if self.kind == "APPLY":
            raise self.refused("APPLY", "Beam's planner cannot do it", "write CROSS JOIN UNNEST(...)")
        self.expect("JOIN")
        node.set("this", self.table())
        if self.took("ON"):
            node.set("on", self.expression())
        elif self.took("USING"):
            node.set("using", self.names("a column"))
        return self.put(node, first)

    def table(self) -> exp.Expr:
        """Reads one table, subquery or UNNEST, with its alias."""
        first = self.at
        node = self._source(first)
        if self.kind == "FOR" and self.peek() == "SYSTEM_TIME":
            raise self.refused("FOR SYSTEM_TIME", "Beam's inputs have no versions", "leave it out")
        if self.kind == "MATCH_RECOGNIZE":
            return self._matched(node, first)
        if self.kind in ("PIVOT", "UNPIVOT") and self.peek() == "(":
            raise self.refused(self.kind, "it is not taken", "use SUM(CASE WHEN ... END)", "not_taken")
        named = self.took("AS")
        at = self.at
        alias = self._table_alias(named)
        if alias is not None:
            node.set("alias", self.put(alias, at))
            if isinstance(node, exp.Unnest) and node.meta.get("ordinality"):
                node.set("offset", True)
        if self.kind == "TABLESAMPLE":
            raise self.refused("TABLESAMPLE", "Beam's planner cannot do it", "use the block SampleRows before")
        return self.put(node, first)

    def _matched(self, node: exp.Expr, first: int) -> exp.Expr:
        if self.matched is not None or isinstance(node, exp.Unnest | exp.Lateral):
            raise self.refused("MATCH_RECOGNIZE", "one table of a SELECT can have it", "use subqueries")
        match = self.match_recognize()
        named = self.took("AS")
        at = self.at
        alias = self._table_alias(named)
        if alias is not None:
            match.set("alias", self.put(alias, at))
        self.matched = match
        return self.put(node, first)

    def _table_alias(self, named: bool) -> exp.TableAlias | None:
        if named or self.is_name():
            name = self.name("a name for the table", soft=self.kind not in STRUCTURE)
        elif self.is_reserved_name() and self.kind not in NO_ALIAS and self._ends_table(self.peek()):
            name = self.name("a name for the table")
        else:
            return None
        alias = exp.TableAlias(this=name)
        if self.kind == "(":
            alias.set("columns", self.names("a column's name"))
        return alias

    def _ends_table(self, kind: str) -> bool:
        return kind in (
            END,
            ",",
            ")",
            "ON",
            "USING",
            "WHERE",
            "GROUP",
            "ORDER",
            "JOIN",
            "LEFT",
            "INNER",
            "CROSS",
            "LIMIT",
        )

    def _source(self, first: int) -> exp.Expr:
        kind = self.kind
        lateral = kind == "LATERAL"
        if lateral:
            self.step()
            kind = self.kind
        if kind == "UNNEST":
            return self._unnest(first)
        if kind == "TABLE" and self.peek() == "(":
            self.step()
            self.step()
            call = self.call() if self.is_call() else None
            if call is None:
                raise self.unexpected("a table function", "TABLE(")
            self.expect(")")
            return self.put(exp.TableFromRows(this=call), first)
        if kind == "(":
            return self._in_parentheses(first, lateral)
        if self.is_call() and self.is_name():
            return self.put(exp.TableFromRows(this=self.call()), first)
        return self.table_name()

    def _in_parentheses(self, first: int, lateral: bool) -> exp.Expr:
        if self._opens_query():
            node = self.paren()
            if not isinstance(node, exp.Subquery):
                raise self.no_query(node)
            if isinstance(node.this, exp.Values) and not lateral:
                values = node.this
                return self.put(values, first)
            return self.put(exp.Lateral(this=node), first) if lateral else node
        self.step()
        inner = self.table()
        joins = self.joins(commas=False)
        if not joins:
            raise QueryFailure(
                "a table in parentheses of its own", "leave the parentheses out", inner.meta["start"], inner.meta["end"]
            )
        self.expect(")")
        inner.set("joins", joins)
        return self.put(exp.Paren(this=inner), first)

    def _opens_query(self) -> bool:
        ahead = 1
        while self.peek(ahead) == "(":
            ahead += 1
        if self.peek(ahead) not in QUERY_WORDS:
            return False
        # ((SELECT ...) AS a JOIN ...): behind the inner one stands an alias, not UNION or a parenthesis.
        if ahead == 1:
            return True
        closing = self.tokens.closes.get(self.at + 1)
        if closing is None:
            return True
        return self.kinds[closing + 1] in (
            ")",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "ORDER",
            "LIMIT",
            "OFFSET",
            "FETCH",
            END,
        )

    def _unnest(self, first: int) -> exp.Expr:
        self.step()
        self.expect("(", "UNNEST")
        at = self.at
        first_item = self.query_or_expression()
        if isinstance(first_item, QUERIES) and not isinstance(first_item, exp.Subquery):
            first_item = self.put(exp.Subquery(this=first_item), at)
        items = self.listed(self.expression, first_item)
        self.expect(")")
        node = self.put(exp.Unnest(expressions=items), first)
        if self.took("WITH", "ORDINALITY"):
            node.set("offset", True)
            node.meta["ordinality"] = True
        return node

    def table_name(self) -> exp.Table:
        """Reads the name of a table."""
        first = self.at
        parts = [self.name("a table")]
        while self.took("."):
            parts.append(self.name("a table"))
        keys = ("this", "db", "catalog")
        node = exp.Table(**dict(zip(keys, reversed(parts[-3:]), strict=False)))
        self.put(node, first)
        if self.kind == "/*+":
            self.hint()
        return node

    def hint(self) -> None:
        """Reads a hint, which Beam has no use for."""
        while self.kind not in ("*/", END):
            self.step()
        self.expect("*/", "/*+")

    def no_query(self, node: exp.Expr) -> QueryFailure:
        """The failure of an expression where a query has to stand."""
        fix = "begin with SELECT; `blocks` expressions over one row belong into ComputeColumns"
        return QueryFailure("an expression where a query was expected", fix, node.meta["start"], node.meta["end"])

    def match_recognize(self) -> exp.MatchRecognize:
        """Reads MATCH_RECOGNIZE."""
        raise NotImplementedError
