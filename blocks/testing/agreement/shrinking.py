"""Makes a query small while something stays true of it: people read a disagreement of thirty words, not one of 300."""

from collections.abc import Callable

from blocks.testing.agreement.pieces import Piece, smaller


def shrink(piece: Piece, holds: Callable[[str], bool], attempts: int = 200) -> Piece:
    """The smallest tree that was found.

    Args:
      piece: a query for which `holds` is true.
      holds: asked for the text of each smaller query.
      attempts: how many times `holds` is asked at most.

    Returns:
      A tree for which `holds` is true and of which, if the attempts were enough, nothing more can be left out.
    """
    asked: set[str] = {str(piece)}
    while True:
        for candidate in smaller(piece):
            text = str(candidate)
            if text in asked or len(text) > len(str(piece)):
                continue
            if len(asked) > attempts:
                return piece
            asked.add(text)
            if holds(text):
                piece = candidate
                break
        else:
            return piece
