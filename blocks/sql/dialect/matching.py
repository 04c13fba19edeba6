"""MATCH_RECOGNIZE, and what a statement is."""

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.operands import QUERY_WORDS
from blocks.sql.dialect.queries import QueryReader
from blocks.sql.dialect.reader import END
from blocks.sql.dialect.tokens import Tokens

_STATEMENTS = frozenset(
    [
        "CREATE",
        "DROP",
        "ALTER",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "UPSERT",
        "EXPLAIN",
        "DESCRIBE",
        "SET",
        "RESET",
        "CALL",
        "TRUNCATE",
        "USE",
        "GRANT",
        "REVOKE",
        "SHOW",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
    ]
)
_NO_QUERY = "a query of RunSql begins with SELECT, WITH, VALUES or TABLE"
_EXPLAIN = "leave it out: `blocks explain` shows what runs"
_WRITES = "write a SELECT, and put a block such as WriteWarehouse behind it"
_FIXES = {
    "EXPLAIN": _EXPLAIN,
    "DESCRIBE": _EXPLAIN,
    "INSERT": _WRITES,
    "UPDATE": _WRITES,
    "DELETE": _WRITES,
    "MERGE": _WRITES,
}


class StatementReader(QueryReader):
    """Reads one query."""

    def __init__(self, tokens: Tokens, strict: bool = False) -> None:
        super().__init__(tokens)
        self.strict = strict

    def statement(self) -> exp.Expr:
        """Reads the whole text."""
        here = self.tokens.starts[0], self.tokens.ends[0]
        if self.kind == END:
            raise QueryFailure("the query is empty", "write one, as in SELECT * FROM PCOLLECTION", *here)
        if self.kind in _STATEMENTS:
            word = self.kind
            raise QueryFailure(f"{word} is no query", _FIXES.get(word, _NO_QUERY), *here, code="not_a_query")
        if self.kind not in (*QUERY_WORDS, "("):
            raise self.unexpected("SELECT")
        node = self.query()
        while self.kind == ";":
            at = self.step()
            if self.kind not in (";", END):
                here = self.tokens.starts[self.at], self.tokens.ends[self.at]
                raise QueryFailure(
                    "more than one statement", "give each query its own RunSql", *here, code="not_a_query"
                )
            self.tolerate("trailing_semicolon", self.put(exp.Semicolon(), at))
        if self.kind != END:
            raise self.unexpected("the end of the query", self._before())
        return node

    def _before(self) -> str:
        word = self.tokens.written(self.at - 1)
        return "" if self.kinds[self.at - 1] in ("string", "binary", "unicode", "escaped") else f"`{word[:40]}`"

    def match_recognize(self) -> exp.MatchRecognize:
        """Reads MATCH_RECOGNIZE (...)."""
        first = self.step()
        self.expect("(", "MATCH_RECOGNIZE")
        node = exp.MatchRecognize()
        if self.took("PARTITION"):
            self.expect("BY", "PARTITION")
            node.set("partition_by", self.expressions())
        if self.kind == "ORDER":
            node.set("order", self.order_by())
        if self.took("MEASURES"):
            node.set("measures", self._measures())
        node.set("rows", self._rows())
        node.set("after", self._after())
        self.expect("PATTERN", "MATCH_RECOGNIZE(")
        node.set("pattern", self._pattern())
        if self.kind == "WITHIN":
            self.step()
            node.meta["within"] = self.literal()
        if self.kind == "SUBSET":
            raise self.refused("SUBSET", "Beam's MATCH_RECOGNIZE does not have it", "name the variables one by one")
        self.expect("DEFINE", "PATTERN (...)")
        node.set("define", self._defines())
        self.expect(")")
        return self.put(node, first)

    def _measures(self) -> list[exp.Expr]:
        measures: list[exp.Expr] = []
        while True:
            first = self.at
            value = self.expression()
            self.expect("AS", "the measure")
            alias = self.put(exp.Alias(this=value, alias=self.name("a name for the measure")), first)
            measures.append(self.put(exp.MatchRecognizeMeasure(this=alias), first))
            if not self.took(","):
                return measures

    def _words(self, *ends: str) -> exp.Var | None:
        first = self.at
        while self.kind not in (*ends, END):
            self.step()
        if self.at == first:
            return None
        text = self.tokens.text[self.tokens.starts[first] : self.tokens.ends[self.at - 1] + 1]
        return self.put(exp.Var(this=" ".join(text.split())), first)

    def _rows(self) -> exp.Var | None:
        return self._words("AFTER", "PATTERN") if self.kind in ("ONE", "ALL") else None

    def _after(self) -> exp.Var | None:
        return self._words("PATTERN") if self.kind == "AFTER" else None

    def _pattern(self) -> exp.Var:
        opening = self.at
        self.expect("(", "PATTERN")
        closing = self.tokens.closes.get(opening)
        if closing is None:
            raise self.unexpected("`)`", "PATTERN")
        first = self.at
        while self.at < closing:
            self.step()
        text = self.tokens.text[self.tokens.starts[first] : self.tokens.ends[closing - 1] + 1]
        node = self.put(exp.Var(this=" ".join(text.split())), first)
        self.expect(")")
        return node

    def _defines(self) -> list[exp.Expr]:
        defines: list[exp.Expr] = []
        while True:
            first = self.at
            name = self.name("a variable of the pattern")
            self.expect("AS", "the variable")
            defines.append(self.put(exp.Alias(this=self.expression(), alias=name), first))
            if not self.took(","):
                return defines
