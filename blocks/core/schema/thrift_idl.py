"""Syntax of the Thrift interface language: a file's text to its definitions, with the line and column of each.

Written out here rather than taken from thriftpy2, whose parser does not keep what a schema with meaning needs: it drops
annotations on types (`list<string (pii = "email")>`), forgets which typedef a field used (so that a typedef's
annotations are lost), keeps the last of two annotations of one name, and caches includes under their bare file name, so
that the `common.thrift` of one folder answers for that of another. The tests hold this parser to thriftpy2 where the
two can say the same.

Source: Apache Thrift IDL, https://thrift.apache.org/docs/idl
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

BASE_TYPES = ("bool", "byte", "i8", "i16", "i32", "i64", "double", "string", "binary", "uuid")
CONTAINERS = ("list", "set", "map")
_MAX_NESTING = 100

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|\#[^\n]*|/\*(?P<comment>.*?)\*/)
    |(?P<literal>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)
    |(?P<mark>[:;,=*{}()<>\[\]&])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", "'": "'", '"': '"'}


class IdlSyntaxError(Exception):
    """Text that is not Thrift, with its place (line and column from 1)."""

    def __init__(self, what: str, line: int, column: int) -> None:
        super().__init__(what)
        self.what, self.line, self.column = what, line, column


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the text; `doc` is the `/** ... */` comment in front of it."""

    kind: str
    text: str
    line: int
    column: int
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """`name = "value"` in parentheses; `value` is None for a bare name."""

    name: str
    value: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class TypeUse:
    """A type where it is used: a base type, a container with its arguments, or the name of a definition."""

    name: str
    arguments: tuple["TypeUse", ...]
    annotations: tuple[Annotation, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A field of a struct; `required` is None where the file says neither."""

    name: str
    id: int | None
    type: TypeUse
    required: bool | None
    annotations: tuple[Annotation, ...]
    doc: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A struct, union, exception, enum or typedef.

    Attributes:
      kind: which of them.
      name: its name.
      fields: fields of a struct, union or exception.
      type: what a typedef stands for.
      values: names in an enum.
      annotations: those behind it.
      line: line of the name.
      column: column of the name.
    """

    kind: str
    name: str
    fields: tuple[FieldDefinition, ...]
    type: TypeUse | None
    values: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class IdlFile:
    """What one file defines.

    Attributes:
      includes: paths as written, with their places.
      definitions: in the order of the file, repeated names included.
    """

    includes: list[Token] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)


def parse_idl(text: str) -> IdlFile:
    """The definitions of a Thrift file; constants and services are read over.

    Raises:
      IdlSyntaxError: the first place that is not Thrift.
    """
    return _Parser(text).file()


def _tokens(text: str) -> Iterator[Token]:
    at, line, line_start, doc = 0, 1, 0, ""
    while at < len(text):
        match = _TOKEN.match(text, at)
        column = at - line_start + 1
        if match is None:
            what = {'"': "a text without its end", "'": "a text without its end", "/": "a comment without its end"}
            raise IdlSyntaxError(what.get(text[at], f"unexpected character `{text[at]}`"), line, column)
        kind, value = match.lastgroup or "space", match.group()
        if match.group("space") is not None:
            doc = _doc(match.group("comment")) if value.startswith("/**") else doc
        else:
            yield Token(kind, _unescaped(value, line, column) if kind == "literal" else value, line, column, doc)
            doc = ""
        line += value.count("\n")
        if "\n" in value:
            line_start = at + value.rindex("\n") + 1
        at = match.end()
    yield Token("end", "", line, at - line_start + 1)


def _doc(comment: str) -> str:
    lines = (line.strip().lstrip("*").strip() for line in comment.strip("* \n\t").splitlines())
    return " ".join(line for line in lines if line)


def _unescaped(literal: str, line: int, column: int) -> str:
    def character(match: re.Match[str]) -> str:
        if match.group(1) not in _ESCAPES:
            raise IdlSyntaxError(f"unknown escape `\\{match.group(1)}` in a text", line, column)
        return _ESCAPES[match.group(1)]

    return re.sub(r"\\(.)", character, literal[1:-1], flags=re.DOTALL)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text.removeprefix("\ufeff")))
        self._at = 0
        self._nesting = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def take(self) -> Token:
        token = self.next
        self._at += token.kind != "end"
        return token

    def fail(self, expected: str) -> NoReturn:
        got = "the end of the file" if self.next.kind == "end" else f"`{self.next.text[:40]}`"
        raise IdlSyntaxError(f"expected {expected}, got {got}", self.next.line, self.next.column)

    def skip(self, mark: str) -> bool:
        if self.next.kind == "mark" and self.next.text == mark:
            self.take()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.skip(mark):
            self.fail(f"`{mark}`")

    def word(self, what: str) -> Token:
        if self.next.kind != "word":
            self.fail(what)
        return self.take()

    def separator(self) -> None:
        if not self.skip(","):
            self.skip(";")

    def file(self) -> IdlFile:
        found = IdlFile()
        while self.next.kind != "end":
            self.statement(found)
            self.separator()
        return found

    def statement(self, found: IdlFile) -> None:
        keyword = self.word("a definition")
        if keyword.text in {"include", "cpp_include"}:
            path = self.literal("the path of a file in quotes")
            if keyword.text == "include":
                found.includes.append(path)
        elif keyword.text == "namespace":
            if not self.skip("*"):
                self.word("a language")
            self.word("a namespace")
            self.annotations()
        elif keyword.text == "const":
            self.type()
            self.word("the name of a constant")
            self.expect("=")
            self.value()
            self.annotations()
        elif keyword.text == "service":
            self.service()
        elif keyword.text in {"struct", "union", "exception", "enum", "typedef"}:
            found.definitions.append(self.definition(keyword.text))
        else:
            self._at -= 1
            self.fail("`include`, `namespace`, `const`, `typedef`, `enum`, `struct`, `union`, `exception` or `service`")

    def literal(self, what: str) -> Token:
        if self.next.kind != "literal":
            self.fail(what)
        return self.take()

    def definition(self, kind: str) -> Definition:
        aliased = self.type() if kind == "typedef" else None
        name = self.word(f"the name of the {kind}")
        fields: tuple[FieldDefinition, ...] = ()
        values: tuple[str, ...] = ()
        if kind == "enum":
            values = self.enum_values()
        elif kind != "typedef":
            fields = self.fields("{", "}")
        return Definition(kind, name.text, fields, aliased, values, self.annotations(), name.line, name.column)

    def enum_values(self) -> tuple[str, ...]:
        names = []
        self.expect("{")
        while not self.skip("}"):
            names.append(self.word("the name of a value, or `}`").text)
            if self.skip("="):
                if self.next.kind != "number":
                    self.fail("a number")
                self.take()
            self.annotations()
            self.separator()
        return tuple(names)

    def fields(self, opening: str, closing: str) -> tuple[FieldDefinition, ...]:
        found = []
        self.expect(opening)
        while not self.skip(closing):
            found.append(self.field(closing))
        return tuple(found)

    def field(self, closing: str) -> FieldDefinition:
        doc, number, required = self.next.doc, None, None
        if self.next.kind == "number":
            number = int(self.take().text, 0)
            self.expect(":")
        if self.next.kind != "word":
            self.fail(f"a field, or `{closing}`")
        if self.next.text in {"required", "optional"}:
            required = self.take().text == "required"
        used = self.type()
        self.skip("&")
        name = self.word("the name of the field")
        if self.skip("="):
            self.value()
        annotations = self.annotations()
        self.separator()
        return FieldDefinition(name.text, number, used, required, annotations, doc, name.line, name.column)

    def type(self) -> TypeUse:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            self.fail(f"at most {_MAX_NESTING} levels of nesting")
        name = self.word("a type")
        arguments: tuple[TypeUse, ...] = ()
        if name.text in CONTAINERS:
            self.expect("<")
            arguments = (self.type(),)
            if name.text == "map":
                self.expect(",")
                arguments = (*arguments, self.type())
            self.expect(">")
        self._nesting -= 1
        return TypeUse(name.text, arguments, self.annotations(), name.line, name.column)

    def annotations(self) -> tuple[Annotation, ...]:
        found = []
        if self.skip("("):
            while not self.skip(")"):
                name = self.word("an annotation, or `)`")
                value = self.literal("a text in quotes").text if self.skip("=") else None
                found.append(Annotation(name.text, value, name.line, name.column))
                self.separator()
        return tuple(found)

    def value(self) -> None:
        """Reads over the value of a constant or a default."""
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            self.fail(f"at most {_MAX_NESTING} levels of nesting")
        if self.skip("["):
            while not self.skip("]"):
                self.value()
                self.separator()
        elif self.skip("{"):
            while not self.skip("}"):
                self.value()
                self.expect(":")
                self.value()
                self.separator()
        elif self.next.kind in {"literal", "number", "word"}:
            self.take()
        else:
            self.fail("a value")
        self._nesting -= 1

    def service(self) -> None:
        """Reads over a service."""
        self.word("the name of the service")
        if self.next.text == "extends":
            self.take()
            self.word("the name of a service")
        self.expect("{")
        while not self.skip("}"):
            if self.next.text == "oneway":
                self.take()
            self.type()
            self.word("the name of a function")
            self.fields("(", ")")
            if self.next.text == "throws":
                self.take()
                self.fields("(", ")")
            self.annotations()
            self.separator()
        self.annotations()
