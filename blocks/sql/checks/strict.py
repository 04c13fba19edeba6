"""What strict mode refuses: everything that was tolerated, as the problem that Beam's planner has with it."""

from collections.abc import Iterator

from blocks.sql.analysis import Analysis
from blocks.sql.checks.telling import told, written
from blocks.sql.dialect import TOLERATED
from blocks.sql.dialect.tolerated import Tolerated
from blocks.sql.problems import SqlProblem

_OTHER = Tolerated("unsupported", "Beam's planner does not take {}", "leave `strict` out, and it is rewritten")


def strictly(analysis: Analysis) -> Iterator[SqlProblem]:
    """A problem for each node that was tolerated."""
    for rule, node in analysis.tolerated:
        entry = TOLERATED.get(rule, _OTHER)
        shown = written(analysis, node)
        yield told(analysis, node, entry.code, entry.what.replace("{}", shown), entry.fix)
