"""Where a query runs."""

from blocks.core.errors import ConfigError
from blocks.sql.checked import CheckedSql, Engine
from blocks.sql.lowering import refusal


def choose_engine(checked: CheckedSql, wanted: str) -> tuple[Engine, str]:
    """The engine of a query, and why, in one sentence.

    Args:
      checked: the query.
      wanted: `auto`, `beam` or `duckdb`.

    Raises:
      ConfigError: DuckDB is asked for, and the query needs Beam SQL.
    """
    if wanted == "beam":
        return "beam", "asked for with `engine`"
    # Only asked of a query that is to run, because it takes some milliseconds.
    refused = refusal(checked.lowered) if checked.lowered is not None else checked.reason
    if wanted == "auto":
        return ("beam", refused) if refused else (checked.engine, checked.reason)
    if refused:
        raise ConfigError(
            f"the query cannot run in DuckDB: {refused}",
            where="RunSql.engine",
            fix="leave `engine` out, or write the query without it",
        )
    return "duckdb", "asked for with `engine`"
