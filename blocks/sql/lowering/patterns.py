"""LIKE with a pattern and, perhaps, an escape."""

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.lowering.operators import boolean
from blocks.sql.lowering.piece import NotLoweredError, Piece, made
from blocks.sql.lowering.text import failing
from blocks.sql.types import TEXT

if TYPE_CHECKING:
    from blocks.sql.lowering.expressions import Writer


def like(writer: "Writer", node: Any) -> Piece:
    """`x LIKE pattern [ESCAPE sign]`."""
    inner, sign = (node.this, writer.of(node.expression)) if isinstance(node, exp.Escape) else (node, None)
    if not isinstance(inner, exp.Like):
        raise NotLoweredError(f"{inner.key.upper()} has no equal form", node)
    text, pattern = writer.of(inner.this), writer.of(inner.expression)
    if {text.type.name, pattern.type.name} - set(TEXT):
        raise NotLoweredError(f"LIKE of {text.type.name} has no equal form", node)
    escape = ""
    if sign is not None:
        if pattern.text is None or sign.text is None or not _is_whole(pattern.text, sign.text):
            raise NotLoweredError("LIKE with this pattern and ESCAPE has no equal form", node)
        escape = f" ESCAPE {sign.sql}"
    sql = f"({text.sql} LIKE {pattern.sql}{escape})"
    if pattern.text is None:
        # Calcite's escape, where none is written, is the sign of code 0.
        sql = f"(CASE WHEN contains({pattern.sql}, chr(0)) THEN {failing(pattern.sql, 'BOOLEAN')} ELSE {sql} END)"
    return made(sql, boolean(text, pattern), text, pattern, fails=pattern.text is None)


def _is_whole(pattern: str, sign: str) -> bool:
    """Whether every escape stands before `%`, `_` or itself."""
    at = 0
    while at < len(pattern):
        if pattern[at] == sign:
            at += 1
            if at == len(pattern) or pattern[at] not in ("%", "_", sign):
                return False
        at += 1
    return len(sign) == 1
