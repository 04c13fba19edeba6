"""Whether a query can run, and where: the same for a pipeline, for `explain` and for `blocks check-sql`."""

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.core.policy import Policy
from blocks.sql.analysis import Table
from blocks.sql.checked import CheckedSql, Engine
from blocks.sql.checking import check_sql
from blocks.sql.functions.registry import Registry
from blocks.sql.running.choosing import choose_engine
from blocks.sql.running.reading import columns_read
from blocks.sql.running.refusing import refuse_for_beam
from blocks.sql.running.settings import Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """A query without a mistake, and where it runs.

    Attributes:
      checked: the query.
      engine: on which it runs.
      reason: why, in one sentence.
    """

    checked: CheckedSql
    engine: Engine
    reason: str


def judge(tables: Mapping[str, Table], settings: Settings, registry: Registry, policy: Policy) -> Judged:
    """Checks a query, and chooses its engine.

    Args:
      tables: its inputs.
      settings: of the block.
      registry: the functions that it may call.
      policy: of the block.

    Raises:
      SqlCheckError: every mistake of the query.
      ConfigError: `engine="duckdb"` for a query that needs Beam SQL.
    """
    checked = check_sql(
        settings.query,
        tables,
        dialect=settings.dialect,
        strict=settings.strict,
        source=settings.source,
        parameters=settings.parameters,
        registry=registry,
        keys=policy.keys,
        min_group=policy.min_group,
    )
    engine, reason = choose_engine(checked, settings.engine)
    return Judged(checked, engine, reason)


def refuse(judged: Judged, settings: Settings, policy: Policy) -> None:
    """Refuses what the engine of a query cannot hold, and columns that the policy does not let go where it puts them.

    Raises:
      SqlCheckError: all of it; a `SqlPrivacyError`, which is a `PrivacyError` too, where the policy refuses a column.
    """
    if judged.engine == "beam":
        refuse_for_beam(judged.checked, columns_read(judged.checked.analysis), settings, policy)
