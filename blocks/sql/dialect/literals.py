"""Texts, numbers, dates and intervals."""

import re

from sqlglot import exp
from sqlglot.expressions import DataType

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.reader import NAME
from blocks.sql.dialect.type_names import TypeReader

_TYPED = {"DATE": "DATE", "TIME": "TIME", "TIMESTAMP": "TIMESTAMP"}
INTERVAL_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
_PLURAL = {f"{unit}S": unit for unit in INTERVAL_UNITS}
_TO = {"YEAR": ("MONTH",), "DAY": ("HOUR", "MINUTE", "SECOND"), "HOUR": ("MINUTE", "SECOND"), "MINUTE": ("SECOND",)}
TIME_UNITS = frozenset(
    [
        "NANOSECOND",
        "MICROSECOND",
        "MILLISECOND",
        "SECOND",
        "MINUTE",
        "HOUR",
        "DAY",
        "DAYOFWEEK",
        "DAYOFYEAR",
        "DOW",
        "DOY",
        "ISODOW",
        "ISOYEAR",
        "WEEK",
        "MONTH",
        "QUARTER",
        "YEAR",
        "EPOCH",
        "DECADE",
        "CENTURY",
        "MILLENNIUM",
    ]
)
_UNICODE_ESCAPE = re.compile(r"\\(?:\\|\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4}))|\\")
_C_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class LiteralReader(TypeReader):
    """Reads literals."""

    def literal(self) -> exp.Expr | None:
        """Reads a literal; None where there is none."""
        first, kind = self.at, self.kind
        match kind:
            case "number":
                self.step()
                return self.put(exp.Literal.number(self.tokens.written(first).removesuffix(".")), first)
            case "{" if self.peek() in ("D", "T", "TS") and self.peek(2) == "string":
                return self._in_braces(first)
            case "string" | "unicode" | "escaped" | "binary":
                return self._text(first)
            case "TRUE" | "FALSE":
                self.step()
                return self.put(exp.Boolean(this=kind == "TRUE"), first)
            case "NULL" | "UNKNOWN":
                self.step()
                node = self.put(exp.Null(), first)
                if kind == "UNKNOWN":
                    node.meta["unknown"] = True
                return node
            case "INTERVAL":
                return self._interval(first)
            case "DATE" | "TIME" | "TIMESTAMP" | "DECIMAL" if self.peek() in ("string",):
                return self._typed(first)
        return None

    def _text(self, first: int) -> exp.Expr:
        kind = self.kind
        pieces = [self.tokens.written(self.step())]
        while self.kind == "string" and self.tokens.written(self.at)[0] == "'":
            here = self.tokens.starts[self.at], self.tokens.ends[self.at]
            if self.tokens.lines[self.at] == self.tokens.lines[self.at - 1]:
                what = "two texts without an operator between them"
                raise QueryFailure(what, "join them with ||; within a text write '' for '", *here)
            pieces.append(self.tokens.written(self.step()))
        if kind == "binary":
            return self._bytes(pieces, first)
        text = "".join(piece[piece.index("'") + 1 : -1].replace("''", "'") for piece in pieces)
        if kind == "unicode":
            escape = "\\"
            if self.took("UESCAPE"):
                escape = self.tokens.written(self.expect("string"))[1:-1]
            text = self._unescape(text, escape, first)
        elif kind == "escaped":
            text = re.sub(r"\\(.)", lambda found: _C_ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)
        return self.put(exp.Literal.string(text), first)

    def _bytes(self, pieces: list[str], first: int) -> exp.Expr:
        digits = "".join(piece[piece.index("'") + 1 : -1] for piece in pieces)
        if len(digits) % 2 or re.fullmatch("[0-9A-Fa-f]*", digits) is None:
            here = self.tokens.starts[first], self.tokens.ends[first]
            raise QueryFailure("a binary text needs an even number of hexadecimal digits", "write x'0AFF'", *here)
        return self.put(exp.HexString(this=digits), first)

    def _unescape(self, text: str, escape: str, first: int) -> str:
        if escape != "\\":
            text = text.replace("\\", "\\\\").replace(escape * 2, "\0").replace(escape, "\\").replace("\0", escape)

        def sign(found: re.Match[str]) -> str:
            if found[0] == "\\":
                here = self.tokens.starts[first], self.tokens.ends[first]
                raise QueryFailure("an escape that is not complete", r"write \0041 or \+000041", *here)
            return "\\" if found[0] == "\\\\" else chr(int(found[1] or found[2], 16))

        return _UNICODE_ESCAPE.sub(sign, text)

    def _in_braces(self, first: int) -> exp.Expr:
        """JDBC's {d '...'}, {t '...'} and {ts '...'}."""
        self.step()
        node = self._typed(first, {"D": "DATE", "T": "TIME", "TS": "TIMESTAMP"}[self.kind])
        self.expect("}")
        return self.put(node, first, literal=True)

    def _typed(self, first: int, kind: str = "") -> exp.Expr:
        kind = kind or self.kind
        self.step()
        text = self._text(self.at)
        if kind == "DECIMAL":
            return self.put(exp.Literal.number(text.name.strip()), first)
        to = self.put(DataType(this=DataType.Type[_TYPED[kind]]), first)
        node = self.put(exp.Cast(this=text, to=to), first)
        node.meta["literal"] = True
        return node

    def _interval(self, first: int) -> exp.Expr:
        self.step()
        sign = ""
        while self.kind in ("+", "-"):
            sign = ("" if sign else "-") if self.kind == "-" else sign
            self.step()
        at = self.at
        if self.kind == "string":
            value = self._text(at)
            if sign:
                value = self.put(exp.Literal.string(sign + value.name), at)
            return self.put(exp.Interval(this=value, unit=self.interval_unit()), first)
        value = self._interval_value()
        if sign:
            value = self.put(exp.Neg(this=value), at)
        return self.put(exp.Interval(this=value, unit=self.interval_unit(spans=False)), first)

    def _interval_value(self) -> exp.Expr:
        at = self.at
        if self.took("("):
            inner = self.expression()
            self.expect(")")
            return self.put(exp.Paren(this=inner), at)
        if self.kind == "number":
            self.step()
            return self.put(exp.Literal.number(self.tokens.written(at)), at)
        if self.kind == NAME or self.is_name():
            return self.column()
        raise self.unexpected("a text such as '1', a number or a column", "INTERVAL")

    def interval_unit(self, spans: bool = True) -> exp.Expr:
        """Reads HOUR, DAY(3), YEAR TO MONTH."""
        first = self.at
        unit = self._unit()
        if not spans or self.kind != "TO" or self.peek() not in _TO.get(unit.name.split("(")[0], ()):
            return unit
        self.step()
        second = self._unit()
        return self.put(exp.IntervalSpan(this=unit, expression=second), first)

    def _unit(self) -> exp.Var:
        at, kind = self.at, self.kind
        if kind not in INTERVAL_UNITS and kind not in _PLURAL:
            raise self.unexpected("a unit (YEAR, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND)", "INTERVAL")
        self.step()
        name = _PLURAL.get(kind, kind)
        if self.kind == "(":
            sizes = self._sizes(2 if name == "SECOND" else 1)
            name += f"({', '.join(size.name for size in sizes)})"
        return self.put(exp.Var(this=name), at)

    def time_unit(self) -> exp.Var:
        """Reads the unit of EXTRACT, FLOOR and TIMESTAMPDIFF."""
        at, kind = self.at, self.kind
        if kind not in TIME_UNITS and not self.is_name():
            raise self.unexpected("a unit such as YEAR, DAY or HOUR")
        self.step()
        name = kind if kind in TIME_UNITS else self.tokens.written(at)
        if kind == "WEEK" and self.kind == "(":
            self.step()
            day = self.tokens.written(self.step())
            self.expect(")")
            name = f"WEEK({day.upper()})"
        return self.put(exp.Var(this=name), at)

    def expression(self, least: int = 0) -> exp.Expr:
        """Reads an expression whose operators bind at least so strongly."""
        raise NotImplementedError

    def column(self) -> exp.Expr:
        """Reads a name with dots."""
        raise NotImplementedError
