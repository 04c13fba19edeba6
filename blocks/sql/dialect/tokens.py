"""Cuts a query into tokens, by the lexical rules of Calcite's grammar with backticks (its state BTID)."""

import re
from dataclasses import dataclass, field

from blocks.sql.dialect.failures import QueryFailure
from blocks.sql.dialect.words import RESERVED

# Calcite's letters, which are fewer than Unicode's, and its digits.
_LETTER = (
    "A-Za-z_$\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u3040-\u318f\u3300-\u337f\u3400-\u3d2d\u4e00-\u9fff\uf900-\ufaff"
)
_DIGIT = "0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0b66-\u0b6f\u0be7-\u0bef"
_TOKEN = re.compile(
    rf"""
    (?P<space>[ \t\n\r\f]+|--[^\n\r]*|//[^\n\r]*|/\*(?!\+).*?\*/)
  | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
  | (?P<binary>[xX]'(?:[^']|'')*')
  | (?P<unicode>[uU]&'(?:[^']|'')*')
  | (?P<string>(?:[nN]|_[A-Za-z0-9][A-Za-z0-9:.\-_]*)?'(?:[^']|'')*')
  | (?P<quoted>`(?:[^`\n\r]|``)+`)
  | (?P<word>[{_LETTER}][{_LETTER}{_DIGIT}]*)
  | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<sign><>|!=|<=|>=|=>|->|\|\||/\*\+|\*/|[-+*/%=<>(),.;:?\[\]{{}}|])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = {"(": ")", "[": "]"}, {")": "(", "]": "["}


@dataclass(slots=True)
class Tokens:
    """The tokens of a query; each list has one entry a token, and one for the end.

    Attributes:
      text: the query.
      kinds: of a word its upper case, of a sign itself; `name` (in backticks), `string`, `binary`, `unicode`,
        `escaped`, `number`; empty at the end.
      starts: offset of the first character.
      ends: offset of the last character.
      lines: from 1.
      columns: from 1.
      names: whether it is a name, in backticks or a word that is not reserved.
      closes: of an opening parenthesis or bracket, the position of the closing token.
    """

    text: str
    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    names: list[bool] = field(default_factory=list)
    closes: dict[int, int] = field(default_factory=dict)

    def written(self, position: int) -> str:
        """A token as it was written."""
        return self.text[self.starts[position] : self.ends[position] + 1]


def tokenize(text: str) -> Tokens:
    """The tokens of a query.

    Raises:
      QueryFailure: a character that no token begins with, or a text, name or comment without an end.
    """
    tokens = Tokens(text)
    kinds, starts, ends, lines, columns = tokens.kinds, tokens.starts, tokens.ends, tokens.lines, tokens.columns
    line, line_start, at, match = 1, 0, 0, _TOKEN.match
    open_at: list[int] = []
    while at < len(text):
        found = match(text, at)
        if found is None:
            raise _unknown(text, at)
        group, end = found.lastgroup or "", found.end()
        if group != "space":
            piece = found.group()
            if piece == "/" and text.startswith("/*", at):
                raise _unknown(text, at)
            kind = (
                piece.upper()
                if group == "word"
                else piece
                if group == "sign"
                else "name"
                if group == "quoted"
                else group
            )
            if kind in _OPEN:
                open_at.append(len(kinds))
            elif kind in _CLOSE and open_at and kinds[open_at[-1]] == _CLOSE[kind]:
                tokens.closes[open_at.pop()] = len(kinds)
            kinds.append(kind)
            tokens.names.append(group == "quoted" or (group == "word" and kind not in RESERVED))
            starts.append(at)
            ends.append(end - 1)
            lines.append(line)
            columns.append(at - line_start + 1)
        newlines = text.count("\n", at, end)
        if newlines:
            line += newlines
            line_start = text.rfind("\n", at, end) + 1
        at = end
    last = max(len(text.rstrip()) - 1, 0)
    kinds.append("")
    tokens.names.append(False)
    starts.append(last)
    ends.append(last)
    lines.append(text.count("\n", 0, last) + 1)
    columns.append(last - (text.rfind("\n", 0, last) + 1) + 1)
    return tokens


def _unknown(text: str, at: int) -> QueryFailure:
    sign = text[at]
    match sign:
        case "'":
            return QueryFailure("a text without its closing quotation mark", "close it with '", at, at)
        case "`":
            return QueryFailure("a name without its closing backtick", "close it with ` on the same line", at, at)
        case '"':
            end = text.find('"', at + 1)
            inner = text[at + 1 : end] if end > 0 else "name"
            fix = f"write a name as `{inner}` and a text as '{inner}'" if len(inner) < 60 else "use backticks for names"
            return QueryFailure("Beam SQL has no double quotation marks", fix, at, max(end, at))
        case "/" if text.startswith("/*", at):
            return QueryFailure("a comment without its end", "close it with */", at, at + 1)
        case "&":
            return QueryFailure("`&` is no operator of Beam SQL", "write AND for &&, BITAND(a, b) for &", at, at)
        case "!":
            return QueryFailure("`!` is no operator of Beam SQL", "write NOT, or <> for !=", at, at)
        case "@":
            return QueryFailure("Beam SQL has no variables", "give the value with `parameters`", at, at)
    return QueryFailure(
        f"the character {sign!r} has no meaning here", "take it out, or put the name in backticks", at, at
    )
