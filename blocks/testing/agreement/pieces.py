"""A query as a tree of pieces, so that it can be taken apart: shrinking leaves pieces out or makes them simple."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

Part = "str | Piece"


@dataclass(frozen=True)
class Piece:
    """A part of a query.

    Attributes:
      parts: texts and pieces, in order.
      between: written between the parts.
      kind: pieces of one kind may stand for each other, for example `number`.
      simple: text that may stand for the piece; None where there is none.
      least: how many parts a list has to keep; None where no part may be left out.
      optional: whether the piece may be left out as a whole.
    """

    parts: tuple["str | Piece", ...]
    between: str = " "
    kind: str = ""
    simple: str | None = None
    least: int | None = None
    optional: bool = False

    def __str__(self) -> str:
        return self.between.join(filter(None, map(str, self.parts)))


def of(*parts: "str | Piece", kind: str = "", simple: str | None = None) -> Piece:
    """Parts one after another."""
    return Piece(parts, "", kind, simple)


def words(*parts: "str | Piece", optional: bool = False) -> Piece:
    """Parts with spaces between them."""
    return Piece(parts, optional=optional)


def several(*parts: "str | Piece", between: str = ", ", least: int = 1) -> Piece:
    """A list, of which parts may be left out."""
    return Piece(parts, between, least=least)


def smaller(piece: Piece) -> Iterator[Piece]:
    """Trees with one piece less or a simpler one, the largest cuts first."""
    found: list[tuple[int, Piece]] = []
    _collect(piece, lambda made: made, found)
    found.sort(key=lambda one: one[0])
    return (made for _, made in found)


def _collect(piece: Piece, whole: Callable[[Piece], Piece], found: list[tuple[int, Piece]]) -> None:
    """Adds what can be made of a piece, put into the whole tree, with the length of its text."""

    def add(made: Piece) -> None:
        tree = whole(made)
        found.append((len(str(tree)), tree))

    if piece.simple is not None and str(piece) != piece.simple:
        add(replace(piece, parts=(piece.simple,)))
    if piece.kind:
        for inner in _within(piece, piece.kind):
            add(inner)
    for index, part in enumerate(piece.parts):
        without = (*piece.parts[:index], *piece.parts[index + 1 :])
        if piece.least is not None and len(piece.parts) > piece.least:
            add(replace(piece, parts=without))
        if not isinstance(part, Piece):
            continue
        if part.optional:
            add(replace(piece, parts=without))

        def put(made: Piece, index: int = index) -> Piece:
            return whole(replace(piece, parts=(*piece.parts[:index], made, *piece.parts[index + 1 :])))

        _collect(part, put, found)


def _within(piece: Piece, kind: str) -> Iterator[Piece]:
    """Pieces of a kind below a piece."""
    for part in piece.parts:
        if isinstance(part, Piece):
            if part.kind == kind:
                yield part
            yield from _within(part, kind)


def leaves(piece: Piece) -> Iterator[tuple[int, ...]]:
    """Ways to every text, as positions from the top."""
    for index, part in enumerate(piece.parts):
        if isinstance(part, Piece):
            yield from ((index, *way) for way in leaves(part))
        elif part:
            yield (index,)


def with_text(piece: Piece, way: tuple[int, ...], text: str) -> Piece:
    """The tree with another text at a way."""
    index, *rest = way
    part = piece.parts[index]
    made = with_text(part, tuple(rest), text) if isinstance(part, Piece) else text
    return replace(piece, parts=(*piece.parts[:index], made, *piece.parts[index + 1 :]))
