"""Joins of a stream with a bounded table, which runners on job servers cannot do."""

from typing import Any

from apache_beam.runners.portability.portable_runner import PortableRunner

from blocks.core.errors import ConfigError
from blocks.sql.analysis import Analysis, Scope
from blocks.sql.checked import CheckedSql
from blocks.sql.checks.bounds import boundedness, of_scope
from blocks.sql.checks.telling import selects

_WITHOUT_JOB_SERVER = ("PrismRunner",)


def refuse_table_beside_stream(checked: CheckedSql, pipeline: Any) -> None:
    """Refuses such a join where its result would be wrong.

    Beam SQL gives the table to the stream as a side input. Flink (Beam 2.62) either fails when the job begins, or loses
    the table at the first checkpoint without a word: a LEFT JOIN then finds nothing. A job server does not say whose it
    is before the pipeline runs.

    Args:
      checked: the query, which Beam SQL runs.
      pipeline: its runner is known.

    Raises:
      ConfigError: a stream is joined with a bounded table on a job server.
    """
    kinds = {one.__name__ for one in type(pipeline.runner).__mro__}
    if not isinstance(pipeline.runner, PortableRunner) or kinds & set(_WITHOUT_JOB_SERVER):
        return
    analysis = checked.final
    if any(_is_mixed(analysis, scope) for scope in selects(analysis)):
        raise ConfigError(
            "a stream is joined with a bounded table: Flink loses the table at its first checkpoint",
            where="RunSql, on a job server",
            fix="join before, with JoinTable(PATTERN, on=..., refresh='1h'), whose table the workers read themselves",
        )


def _is_mixed(analysis: Analysis, scope: Scope) -> bool:
    """Whether a SELECT over a stream reads something bounded beside it, in FROM or in a subquery of a condition."""
    if of_scope(analysis, scope) is not False:
        return False
    beside = [one for one in scope.relations.values() if one.kind != "unnest"]
    if any(boundedness(analysis, one) is True for one in beside):
        return True
    inner = (one for found in analysis.subqueries.values() for one in found if one.parent is scope)
    return any(of_scope(analysis, one) is True for one in inner)
