"""Names of types, as in CAST(x AS type)."""

from sqlglot import exp
from sqlglot.expressions import DataType

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.reader import Reader

T = DataType.Type
_PLAIN = {
    "BOOLEAN": T.BOOLEAN,
    "INTEGER": T.INT,
    "INT": T.INT,
    "TINYINT": T.TINYINT,
    "SMALLINT": T.SMALLINT,
    "BIGINT": T.BIGINT,
    "DOUBLE": T.DOUBLE,
    "FLOAT": T.FLOAT,
    "DATE": T.DATE,
}
_SIZED = {
    "BINARY": T.BINARY,
    "VARBINARY": T.VARBINARY,
    "CHARACTER": T.CHAR,
    "CHAR": T.CHAR,
    "VARCHAR": T.VARCHAR,
    "TIME": T.TIME,
    "TIMESTAMP": T.TIMESTAMP,
    "DECIMAL": T.DECIMAL,
    "DEC": T.DECIMAL,
    "NUMERIC": T.DECIMAL,
}
_VARYING = {T.BINARY: T.VARBINARY, T.CHAR: T.VARCHAR}
# What people write who come from elsewhere.
ELSEWHERE = {
    "STRING": T.VARCHAR,
    "TEXT": T.VARCHAR,
    "INT64": T.BIGINT,
    "LONG": T.BIGINT,
    "INT32": T.INT,
    # Calcite has it, and no column of Beam may be one.
    "REAL": T.FLOAT,
    "FLOAT64": T.DOUBLE,
    "FLOAT8": T.DOUBLE,
    "INT8": T.BIGINT,
    "INT4": T.INT,
    "INT2": T.SMALLINT,
    "BOOL": T.BOOLEAN,
    "BYTES": T.VARBINARY,
    "BLOB": T.VARBINARY,
    "NUMBER": T.DECIMAL,
    "DATETIME": T.TIMESTAMP,
}


class TypeReader(Reader):
    """Reads names of types."""

    def data_type(self) -> DataType:
        """Reads a type, with ARRAY and MULTISET behind it."""
        first = self.at
        node = self._type_name()
        while self.kind in ("ARRAY", "MULTISET"):
            if self.kind == "MULTISET":
                raise self.refused("MULTISET", "Beam SQL has no multisets", "use ARRAY")
            self.step()
            node = self.put(DataType(this=T.ARRAY, expressions=[node], nested=True), first)
        return node

    def _type_name(self) -> DataType:
        first, kind = self.at, self.kind
        if kind in _PLAIN:
            self.step()
            if kind == "DOUBLE":
                self.took("PRECISION")
            return self.put(DataType(this=_PLAIN[kind]), first)
        if kind in _SIZED:
            return self._sized(first)
        if kind == "ROW":
            return self._row_type(first)
        if kind == "MAP" and self.peek() == "<":
            return self._map_type(first)
        if kind in ELSEWHERE:
            self.step()
            if self.kind == "(":
                self._sizes()
            node = self.put(DataType(this=ELSEWHERE[kind]), first)
            self.tolerate("type_name", node)
            return node
        if self.is_name() or self.is_reserved_name():
            word = self.tokens.written(first)
            here = self.tokens.starts[first], self.tokens.ends[first]
            fix = "there is: BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), VARCHAR, "
            fix += "VARBINARY, DATE, TIME, TIMESTAMP, x ARRAY, MAP<k, v>, ROW(name x, ...)"
            raise QueryFailure(f"Beam SQL has no type `{word}`", fix, *here)
        raise self.unexpected("a type")

    def _sized(self, first: int) -> DataType:
        kind = self.kind
        self.step()
        name = _SIZED[kind]
        if name in _VARYING and kind != "VARCHAR" and self.took("VARYING"):
            name = _VARYING[name]
        sizes = self._sizes(2 if name == T.DECIMAL else 1) if self.kind == "(" else []
        if name in (T.TIME, T.TIMESTAMP):
            if self.took("WITHOUT", "TIME", "ZONE"):
                pass
            elif self.kind == "WITH":
                self.step()
                local = self.took("LOCAL")
                self.expect("TIME")
                self.expect("ZONE")
                name = T.TIMESTAMPLTZ if local else T.TIMESTAMPTZ if name == T.TIMESTAMP else T.TIMETZ
        elif name in (T.CHAR, T.VARCHAR) and self.took("CHARACTER", "SET"):
            self.name("a character set")
        return self.put(DataType(this=name, expressions=sizes), first)

    def _sizes(self, most: int = 2) -> list[exp.Expr]:
        self.expect("(")
        sizes: list[exp.Expr] = []
        while True:
            at = self.at
            sign = "-" if sizes and self.took("-") else ""
            position = self.expect("number")
            literal = exp.Literal.number(sign + self.tokens.written(position))
            sizes.append(self.put(exp.DataTypeParam(this=self.put(literal, at)), at))
            if len(sizes) == most or not self.took(","):
                break
        self.expect(")")
        return sizes

    def _row_type(self, first: int) -> DataType:
        self.step()
        self.expect("(")
        fields: list[exp.Expr] = []
        while True:
            at = self.at
            name = self.name("a field's name")
            column = exp.ColumnDef(this=name, kind=self.data_type())
            if self.took("NOT", "NULL"):
                column.set("constraints", [exp.ColumnConstraint(kind=exp.NotNullColumnConstraint())])
            elif self.took("NULL"):
                column.set("constraints", [exp.ColumnConstraint(kind=exp.NotNullColumnConstraint(allow_null=True))])
            fields.append(self.put(column, at))
            if not self.took(","):
                break
        self.expect(")")
        return self.put(DataType(this=T.STRUCT, expressions=fields, nested=True), first)

    def _map_type(self, first: int) -> DataType:
        self.step()
        self.expect("<")
        key = self.data_type()
        self.expect(",")
        value = self.data_type()
        self.expect(">")
        return self.put(DataType(this=T.MAP, expressions=[key, value], nested=True), first)

    def refused(self, word: str, what: str, fix: str, code: str = "unsupported") -> QueryFailure:
        """The failure of something that Calcite reads and Beam cannot do, or that this library does not take."""
        here = self.tokens.starts[self.at], self.tokens.ends[self.at]
        return QueryFailure(f"{word}: {what}" if word else what, fix, *here, code=code)
