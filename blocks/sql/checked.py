"""CheckedSql: a query that passed every check, with all that RunSql needs to run it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from blocks.sql.analysis import Analysis, Table
from blocks.sql.functions.model import Function
from blocks.sql.problems import Place, SqlProblem

Engine = Literal["duckdb", "beam"]


@dataclass(frozen=True, slots=True)
class Note:
    """What was written anew, for `explain`.

    Attributes:
      rule: of `blocks.sql.rewriting.RULES`.
      place: in the user's text.
      what: one sentence: "`!=` is written `<>`".
    """

    rule: str
    place: Place
    what: str


@dataclass(frozen=True)
class CheckedSql:
    """What `check_sql` gives.

    Attributes:
      query: as it was written.
      dialect: in which.
      tables: the inputs.
      schema: of the result, with labels; columns that are passed on as they are keep their Arrow type.
      functions: called, in order of their names.
      engine: that `auto` runs it on.
      reason: why, in one sentence.
      notes: what was written anew.
      warnings: problems that do not stop a pipeline.
      beam_problems: what Beam SQL would refuse, of a query that can run in DuckDB.
      sql: the query that Beam's planner gets.
      tree: of which it was written; its nodes have their places in `query`.
      planned: the schema that Beam's planner is expected to give for it.
      lowered: what DuckDB gets (`blocks.sql.lowering.Lowered`), or None.
      analysis: names and types.
      final: those of `tree`, which is what the engines get.
    """

    query: str
    dialect: str
    tables: Mapping[str, Table]
    schema: pa.Schema
    functions: tuple[Function, ...]
    engine: Engine
    reason: str
    notes: tuple[Note, ...]
    warnings: tuple[SqlProblem, ...]
    sql: str = field(repr=False)
    tree: Any = field(repr=False)
    planned: pa.Schema = field(repr=False)
    lowered: Any = field(repr=False)
    analysis: Analysis = field(repr=False)
    final: Analysis = field(repr=False)
    beam_problems: tuple[SqlProblem, ...] = ()
