"""The parser's view of the tokens: where it stands, what comes next, and how nodes get their place."""

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlglot import exp

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.nodes import Marks
from blocks.sql.dialect.tokens import Tokens
from blocks.sql.dialect.words import CONTEXT_WORDS, FUNCTION_WORDS, RESERVED, STRUCTURE

Node = TypeVar("Node", bound=exp.Expr)
Read = TypeVar("Read")
NAME, END = "name", ""
# Letters of a name, as the planner counts them.
MAX_NAME = 128


class Reader:
    """Reads tokens from left to right.

    Args:
      tokens: of the query.

    Attributes:
      at: position of the next token.
      kind: of the next token.
      tolerated: (rule, node) of what only we take.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens, self.at, self.kinds = tokens, 0, tokens.kinds
        self.kind = self.kinds[0]
        self.tolerated: list[tuple[str, Any]] = []

    def step(self) -> int:
        """Goes on by one token; gives the position of the one that was read."""
        at = self.at
        if self.kind != END:
            self.at = at + 1
            self.kind = self.kinds[self.at]
        return at

    def peek(self, ahead: int = 1) -> str:
        """The kind of a token further on."""
        position = self.at + ahead
        return self.kinds[position] if position < len(self.kinds) else END

    def took(self, *kinds: str) -> bool:
        """Reads these tokens if all of them come next."""
        if self.kind != kinds[0]:
            return False
        if len(kinds) > 1 and any(self.peek(ahead) != kind for ahead, kind in enumerate(kinds)):
            return False
        for _ in kinds:
            self.step()
        return True

    def expect(self, kind: str, after: str = "") -> int:
        """Reads a token that has to be there."""
        if self.kind != kind:
            raise self.unexpected(f"`{kind}`", after)
        return self.step()

    def listed(self, read: Callable[[], Read], *before: Read) -> list[Read]:
        """Reads what has commas between.

        Args:
          read: reads one.
          before: the first one, if it was read.
        """
        items = [*before] or [read()]
        while self.took(","):
            items.append(read())
        return items

    def put(self, node: Node, first: int, **marks: bool) -> Node:
        """Gives a node its place: from the token at `first` to the last that was read."""
        tokens = self.tokens
        start, last = tokens.starts[first], max(self.at - 1, first)
        end = tokens.ends[last]
        column = tokens.columns[first] + end - start
        node._meta = Marks(line=tokens.lines[first], col=column, start=start, end=end, **marks)
        return node

    def tolerate(self, rule: str, node: Any) -> None:
        """Notes what only we take."""
        self.tolerated.append((rule, node))

    def is_name(self) -> bool:
        """Whether a name comes next that Calcite takes for one."""
        return self.tokens.names[self.at]

    def is_reserved_name(self) -> bool:
        """Whether a word comes next that is reserved, and that a person may mean as a name all the same."""
        return self.kind in RESERVED and self.kind not in STRUCTURE

    def name(self, what: str, soft: bool = True) -> exp.Identifier:
        """Reads a name.

        Args:
          what: is expected, for the message.
          soft: whether a reserved word is tolerated.
        """
        if self.is_name():
            return self.identifier()
        if soft and self.is_reserved_name():
            node = self.identifier()
            self.tolerate("reserved_word", node)
            return node
        if self.kind in RESERVED:
            word = self.tokens.written(self.at)
            here = self.tokens.starts[self.at], self.tokens.ends[self.at]
            raise QueryFailure(f"`{word}` is a reserved word; expected {what}", f"write `{word}` in backticks", *here)
        raise self.unexpected(what)

    def identifier(self) -> exp.Identifier:
        """Makes an Identifier of the next token."""
        quoted = self.kind == NAME
        at = self.step()
        word = self.tokens.written(at)
        name = word[1:-1].replace("``", "`") if quoted else word
        if len(name) > MAX_NAME:
            here = self.tokens.starts[at], self.tokens.ends[at]
            raise QueryFailure(f"a name of {len(name)} letters", f"Beam SQL takes up to {MAX_NAME}", *here)
        return self.put(exp.Identifier(this=name, quoted=quoted), at)

    def names(self, what: str) -> list[exp.Identifier]:
        """Reads names in parentheses."""
        self.expect("(")
        names = self.listed(partial(self.name, what))
        self.expect(")")
        return names

    def unexpected(self, expected: str, after: str = "") -> QueryFailure:
        """The failure of a token that does not fit."""
        tokens, at = self.tokens, self.at
        where = f" after {after}" if after else ""
        if self.kind == END:
            start = tokens.starts[at]
            fix = "write what is missing, or take out what is too much before"
            return QueryFailure(f"the query ends where {expected} was expected{where}", fix, start, start)
        word = tokens.written(at)
        # A text may be private: it is not shown.
        is_text = self.kind in ("string", "binary", "unicode", "escaped")
        shown = "a text" if is_text else f"`{word}`" if len(word) <= 40 else f"`{word[:40]}…`"
        what, fix = f"{shown} where {expected} was expected{where}", self._instead(word, expected)
        return QueryFailure(what, fix, tokens.starts[at], tokens.ends[at])

    def _instead(self, word: str, expected: str) -> str:
        kind = self.kind
        if self.at and self.kinds[self.at - 1] == "," and (kind in STRUCTURE or kind == ")"):
            return "take out the comma before it"
        if expected == "`)`":
            return "close the parenthesis before it"
        if kind in RESERVED:
            call = f"; `{word}` is also a function: {word}(...)" if kind in FUNCTION_WORDS | CONTEXT_WORDS else ""
            return f"`{word}` is a reserved word: as a name write it in backticks{call}"
        before = self.kinds[self.at - 1] if self.at else ""
        # `SELECT x FORM t`: the word before was taken for a name.
        for one in (before, kind):
            close = difflib.get_close_matches(one, _KEYWORDS, n=1, cutoff=0.75)
            if close and one not in _KEYWORDS:
                return f"did you mean {close[0]}?"
        if kind == "=" and self.kinds[self.at - 1] == "=":
            return "write `=`"
        if kind == ":":
            return "write CAST(x AS type) for x::type"
        return "look at what stands before it: a comma, an operator or a parenthesis may be missing"


_KEYWORDS = (
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "USING",
    "DISTINCT",
    "BETWEEN",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "INTERVAL",
    "VALUES",
    "UNNEST",
    "WITH",
    "AND",
    "NOT",
    "NULL",
    "EXISTS",
)
