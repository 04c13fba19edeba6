"""Types and signatures as text: `ARRAY<VARCHAR>`, `(text VARCHAR, count BIGINT) RETURNS VARCHAR`."""

import re

from blocks.sql.functions.model import Argument, Overload
from blocks.sql.types import NUMERIC, SqlType

SCALAR_TYPES = ("BOOLEAN", *NUMERIC, "VARCHAR", "VARBINARY", "DATE", "TIME", "TIMESTAMP")
_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[<>(),])")
# What people write, and what Beam SQL calls it.
_OTHER_NAMES = {
    "INT": "INTEGER",
    "INT64": "BIGINT",
    "LONG": "BIGINT",
    "REAL": "FLOAT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL",
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "BYTES": "VARBINARY",
    "BOOL": "BOOLEAN",
    "DATETIME": "TIMESTAMP",
}


class SignatureError(ValueError):
    """Text that is no type or no signature.

    Attributes:
      what: is wrong.
      fix: what to write instead.
      at: position in the text, from 0.
    """

    def __init__(self, what: str, fix: str, at: int) -> None:
        super().__init__(what)
        self.what, self.fix, self.at = what, fix, at


def parse_type(text: str) -> SqlType:
    """The type of a text such as `BIGINT`, `ARRAY<VARCHAR>`, `MAP<VARCHAR, BIGINT>`, `ROW<lat DOUBLE, lon DOUBLE>`.

    Raises:
      SignatureError: it is none.
    """
    reader = _Reader(text)
    found = reader.type()
    reader.end()
    return found


def parse_signature(text: str) -> Overload:
    """The overload of a text such as `(text VARCHAR, count BIGINT) RETURNS VARCHAR`.

    Raises:
      SignatureError: it is none, or two arguments have one name.
    """
    reader = _Reader(text)
    reader.take("(")
    arguments: list[Argument] = []
    while not reader.found(")"):
        if arguments:
            reader.take(",")
        at = reader.at
        name = reader.word("the name of an argument")
        if name in (argument.name for argument in arguments):
            raise SignatureError(f"two arguments are named `{name}`", "give them different names", at)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise SignatureError(f"`{name}` is no name of an argument", "write it in lower case, as `first_name`", at)
        arguments.append(Argument(name, reader.type()))
    at = reader.at
    if reader.word("RETURNS").upper() != "RETURNS":
        raise SignatureError("`RETURNS` is missing", "write `(x BIGINT) RETURNS BIGINT`", at)
    returns = reader.type()
    reader.end()
    return Overload(tuple(arguments), returns)


def signature_text(name: str, overload: Overload) -> str:
    """How people read an overload: `mask_left(text VARCHAR, count BIGINT[, upper VARCHAR]) VARCHAR`."""
    shown = ""
    for number, argument in enumerate(overload.arguments):
        one = f"{', ' if number else ''}{argument.name} {argument.type}"
        shown += f"[{one}]" if argument.optional else one
    repeated = ", ..." if overload.variadic else ""
    return f"{name}({shown}{repeated}) {overload.returns}"


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self._skip()

    def type(self) -> SqlType:
        at = self.at
        written = self.word("a type")
        name = written.upper()
        if name in SCALAR_TYPES or name == "ANY":
            return SqlType(name)
        if name == "ARRAY":
            (inner,) = self._inner(1)
            return SqlType("ARRAY", inner=(inner,))
        if name == "MAP":
            return SqlType("MAP", inner=self._inner(2))
        if name == "ROW":
            return self._row()
        known = ", ".join((*SCALAR_TYPES, "ARRAY<T>", "MAP<K, V>", "ROW<name T>"))
        instead = f"write {_OTHER_NAMES[name]}" if name in _OTHER_NAMES else f"there is: {known}"
        raise SignatureError(f"`{written}` is no type of Beam SQL", instead, at)

    def _inner(self, count: int) -> tuple[SqlType, ...]:
        self.take("<")
        found = [self.type()]
        while len(found) < count:
            self.take(",")
            found.append(self.type())
        self.take(">")
        return tuple(found)

    def _row(self) -> SqlType:
        self.take("<")
        names, inner = [self.word("the name of a field")], [self.type()]
        while not self.found(">"):
            self.take(",")
            names.append(self.word("the name of a field"))
            inner.append(self.type())
        return SqlType("ROW", inner=tuple(inner), names=tuple(names))

    def word(self, what: str) -> str:
        token = self._next()
        if token is None or not re.match(r"\w", token[1]):
            found = f"`{token[1]}`" if token else "the end"
            raise SignatureError(f"expected {what}, found {found}", "write `(x BIGINT) RETURNS BIGINT`", self.at)
        self._move(token)
        return token[1]

    def take(self, sign: str) -> None:
        if not self.found(sign):
            token = self._next()
            found = f"`{token[1]}`" if token else "the end"
            raise SignatureError(f"expected `{sign}`, found {found}", f"write `{sign}` here", self.at)

    def found(self, sign: str) -> bool:
        """Whether the sign comes next; it is taken."""
        token = self._next()
        if token is None or token[1] != sign:
            return False
        self._move(token)
        return True

    def end(self) -> None:
        if self.at < len(self._text):
            rest = self._text[self.at :].strip()
            raise SignatureError(f"`{rest[:20]}` stands after the end", "take it out", self.at)

    def _next(self) -> re.Match[str] | None:
        token = _TOKEN.match(self._text, self.at)
        if token is None and self.at < len(self._text):
            raise SignatureError(f"`{self._text[self.at]}` is out of place", "take it out", self.at)
        return token

    def _move(self, token: re.Match[str]) -> None:
        self.at = token.end()
        self._skip()

    def _skip(self) -> None:
        while self.at < len(self._text) and self._text[self.at].isspace():
            self.at += 1
