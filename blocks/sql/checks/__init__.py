"""What Beam's planner or engine would not take, one check a file; `CHECKS` is the table of contents."""

from collections.abc import Callable, Iterator

from blocks.sql.analysis import Analysis
from blocks.sql.checks.duplicates import duplicates, outputs
from blocks.sql.checks.grouping import grouping
from blocks.sql.checks.joins import joins
from blocks.sql.checks.keys import keys
from blocks.sql.checks.misleading import MISLEADING_CHECKS
from blocks.sql.checks.misplaced import misplaced
from blocks.sql.checks.mixed_windows import mixed_windows
from blocks.sql.checks.null_order import null_order
from blocks.sql.checks.ordering import ordering
from blocks.sql.checks.over_order import window_order
from blocks.sql.checks.subqueries import subquery_limits
from blocks.sql.checks.times import TIME_CHECKS
from blocks.sql.checks.types import TYPE_CHECKS
from blocks.sql.checks.unbounded import unbounded
from blocks.sql.checks.unnesting import unnesting
from blocks.sql.checks.windows import windows
from blocks.sql.problems import SqlProblem

Check = Callable[[Analysis], Iterator[SqlProblem]]

CHECKS: tuple[Check, ...] = (
    misplaced,
    grouping,
    keys,
    joins,
    subquery_limits,
    unnesting,
    windows,
    window_order,
    ordering,
    null_order,
    mixed_windows,
    unbounded,
    outputs,
    duplicates,
    *TYPE_CHECKS,
    *TIME_CHECKS,
    *MISLEADING_CHECKS,
)
