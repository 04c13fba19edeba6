"""A query that aggregates, in two parts: rows by themselves in DuckDB, what brings rows together in Beam SQL.

Fewer and narrower rows cross into the JVM: with a condition that a part of 2 million rows met, a query took a half to a
quarter of its time. Without a condition it took as long as before, and where a text is computed, which DuckDB does in
Java's way, a quarter longer; such queries stay whole. See `blocks.sql.lowering.splitting` for what is split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import apache_beam as beam
import pyarrow as pa
import pyarrow.types as pat

from blocks.core.rejects import Rejects
from blocks.sql.analysis import Table
from blocks.sql.checked import CheckedSql
from blocks.sql.lowering import Split, refusal, split
from blocks.sql.running.in_beam import BeamQuery, run_in_beam
from blocks.sql.running.in_duckdb import LoweredRows
from blocks.sql.running.reading import fine_times
from blocks.sql.running.settings import Settings


@dataclass(frozen=True, slots=True)
class TwoParts:
    """A query in two parts.

    Attributes:
      parts: the queries.
      table: what the first gives to the second: a column of the input keeps its type, labels and marks.
      bare: the names of those columns.
    """

    parts: Split
    table: Table
    bare: tuple[str, ...]


def in_two_parts(checked: CheckedSql, settings: Settings) -> TwoParts | None:
    """The two parts of a query that runs in Beam SQL; None where it has to stay whole.

    Args:
      checked: the query.
      settings: of the block. With `engine="beam"` nothing runs elsewhere, and times that are cut to milliseconds are
        cut before anything is computed, which DuckDB does not.
    """
    if settings.engine != "auto":
        return None
    found = split(checked.final)
    if isinstance(found, str) or not _is_faster(found) or refusal(found.lowered):
        return None
    if settings.timestamps != "exact" and fine_times(checked.analysis):
        return None
    given = checked.tables[found.lowered.table]
    fields, bare = [], []
    for at, field in enumerate(found.lowered.schema):
        names = {branch.bare[at] for branch in found.lowered.branches}
        if names == {field.name}:
            bare.append(field.name)
            fields.append(field.with_metadata(given.schema.field(field.name).metadata))
        else:
            fields.append(field)
    return TwoParts(found, replace(given, schema=pa.schema(fields)), tuple(bare))


def _is_faster(found: Split) -> bool:
    computed = [
        field.type
        for at, field in enumerate(found.lowered.schema)
        if any(branch.outputs[at].read is None for branch in found.lowered.branches)
    ]
    return all(branch.where for branch in found.lowered.branches) and not any(map(pat.is_string, computed))


def run_in_two_parts(
    inputs: Mapping[str, beam.PCollection], query: BeamQuery, two: TwoParts, rejects: Rejects | None
) -> beam.PCollection:
    """Runs a query in two parts.

    Args:
      inputs: batches, by the names of the tables; the query reads one of them.
      query: the whole query.
      two: its parts.
      rejects: where rows go on which either part fails; without it the first of them stops the pipeline.

    Raises:
      EngineError: the SQL service cannot be started, or does not take the second part.
    """
    name, schema = two.table.name, two.table.schema
    rows = LoweredRows(two.parts.lowered, schema, rejects, query.version, "RunSql, before Beam SQL")
    first = inputs[name] | "DuckDB" >> rows
    # What was computed has no labels of its own, so that a reject of the second part does not show it.
    second = replace(
        query, sql=two.parts.sql, tables={name: two.table}, read={name: schema.names}, shown={name: two.bare}
    )
    return run_in_beam({name: first}, second, rejects)
