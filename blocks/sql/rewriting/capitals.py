"""`length(x)` and `CLAMP(x)`: Beam finds its own functions by their name in capitals only, others in small letters."""

from typing import Any

from blocks.sql.analysis import Analysis
from blocks.sql.rewriting.copying import Copy


def in_capitals(copy: Copy, node: Any, analysis: Analysis) -> None:
    """Writes `LENGTH(x)`."""
    copy.of(node).set("this", analysis.calls[id(node)].function.name)


def in_small_letters(copy: Copy, node: Any, _analysis: Analysis) -> None:
    """Writes `clamp(x)`."""
    written = copy.of(node)
    written.set("this", written.name.lower())
