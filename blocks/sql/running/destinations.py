"""Where a query puts the columns that it reads, and whether the policy lets them there.

| destination | when | which columns |
|---|---|---|
| none | rows stay alone: in DuckDB in the worker's own memory, or over loopback to the SQL service's | |
| `rows` | a function of a user's archive is called, which is code that the library does not know | its arguments |
| `shuffle` | rows meet in Beam SQL: GROUP BY, joins, DISTINCT, set operations, ORDER BY | all that the query reads |
| `rejects` | a row fails | as the policy of the rejects says |
"""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from blocks.core.errors import PrivacyError, Problem, all_problems
from blocks.core.policy import Policy, refusals
from blocks.sql.analysis import Analysis, Table
from blocks.sql.running.reading import brings_rows_together, columns_of_functions


def check_destinations(
    analysis: Analysis, tables: Mapping[str, Table], read: Mapping[str, Sequence[str]], policy: Policy
) -> None:
    """Refuses a query in Beam SQL that would put columns where the policy does not let them go.

    Args:
      analysis: of the query.
      tables: its inputs.
      read: columns of each that it reads.
      policy: of the block.

    Raises:
      PrivacyError: every such column, with the line to add.
    """
    with all_problems("RunSql", PrivacyError) as problems:
        if brings_rows_together(analysis):
            for name, columns in read.items():
                schema = _only(tables[name].schema, columns)
                problems.extend(_told(schema, policy, "shuffle", "rows meet in the query, which shuffles them"))
        shown = columns_of_functions(analysis, ("jar",))
        for name, table in tables.items():
            schema = _only(table.schema, [one.name for one in table.schema if (name, one.name) in shown])
            problems.extend(_told(schema, policy, "rows", "a function of your own archive sees it"))


def _only(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in columns])


def _told(schema: pa.Schema, policy: Policy, destination: str, why: str) -> Iterator[Problem]:
    for one in refusals(schema, policy, destination):
        yield Problem(f"{one.what} ({why})", f"destination `{destination}`, {one.where}", one.fix)
