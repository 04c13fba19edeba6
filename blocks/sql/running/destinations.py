"""Where a query puts the columns that it reads, and whether the policy lets them there.

| destination | when | which columns |
|---|---|---|
| none | rows stay alone: in DuckDB in the worker's own memory, or over loopback to the SQL service's | |
| `rows` | a function of a user's archive is called, which is code that the library does not know | its arguments |
| `shuffle` | rows meet in Beam SQL: GROUP BY, joins, DISTINCT, set operations, ORDER BY | all that the query reads |
| `rejects` | a row fails | as the policy of the rejects says |
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from blocks.core import labels
from blocks.core.policy import Policy, refusals
from blocks.sql.checked import CheckedSql
from blocks.sql.places import place_of
from blocks.sql.problems import Place, SqlProblem, problem
from blocks.sql.running.reading import brings_rows_together, columns_of_functions, first_reads
from blocks.sql.running.settings import Settings


def destination_problems(
    checked: CheckedSql, read: Mapping[str, Sequence[str]], settings: Settings, policy: Policy
) -> Iterator[SqlProblem]:
    """Columns that a query in Beam SQL would put where the policy does not let them go, with the line to add.

    Args:
      checked: the query.
      read: columns of each input that it reads.
      settings: of the block.
      policy: of the block.
    """
    analysis = checked.analysis
    shown = columns_of_functions(analysis, ("jar",))
    going = [("rows", {name: [one for one in columns if (name, one) in shown] for name, columns in read.items()})]
    if brings_rows_together(analysis):
        going.insert(0, ("shuffle", {name: list(columns) for name, columns in read.items()}))
    nodes = first_reads(analysis)
    for destination, tables in going:
        for name, columns in tables.items():
            schema = pa.schema([checked.tables[name].schema.field(column) for column in columns])
            # What a policy says of a column can depend on those beside it.
            found = {one.where: one for one in refusals(schema, policy, destination)}
            for field in schema:
                node = nodes.get((name, field.name))
                place = Place(1, 1) if node is None else place_of(node)
                for one in (found.get(f"field `{leaf.path}`") for leaf in labels.leaves_of(field)):
                    if one is not None:
                        what = f"{one.what} ({_WHY[destination]})"
                        told = problem(settings.query, place, "privacy", what, one.fix, source=settings.source)
                        yield replace(told, where=f"destination `{destination}`, {one.where}")


_WHY = {
    "shuffle": "rows meet in the query, which shuffles them",
    "rows": "a function of your own archive sees it",
}
