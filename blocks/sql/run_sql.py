"""RunSql: a SQL query over batches, with the library's own functions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa

from blocks.core import guards
from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.core.policy import PolicySource, read_policy
from blocks.core.rejects import Rejects
from blocks.sql.analysis import Table
from blocks.sql.explaining import Explanation, explained
from blocks.sql.running.in_beam import BeamQuery, run_in_beam
from blocks.sql.running.in_duckdb import run_in_duckdb
from blocks.sql.running.in_two_parts import TwoParts, in_two_parts, run_in_two_parts
from blocks.sql.running.inputs import ALONE, check_windows, named_inputs, table_of
from blocks.sql.running.judging import Judged, judge, refuse
from blocks.sql.running.libraries import FolderSource, JarSource, functions_of
from blocks.sql.running.parameters import check_values
from blocks.sql.running.reading import columns_read
from blocks.sql.running.refused import told_of_the_users_query
from blocks.sql.running.settings import DEADLINE, Settings, unknown_options
from blocks.sql.running.streaming import refuse_table_beside_stream

VERSION = "1.0.0"
_LONGEST = 86_400


class RunSql(beam.PTransform):
    """Runs a SQL query over batches, in Beam SQL's dialect or another, with functions in Java, Scala and SQL.

    Input: batches, which the query calls `PCOLLECTION`; or a dict of several PCollections of batches, by the names that
    the query has for them. Of an unbounded one that is grouped or joined the batches are in windows (`WindowRows`).
    Output: batches of what the query selects. A column that is passed on as it is keeps its Arrow type; a computed one
    has that of its SQL type (docs/sql.md). An output column has the labels of all columns that it comes from, unless a
    function takes them away; the event-time mark stays with its column.

    A query that treats each row by itself, and whose functions all have a form in DuckDB that gives equal results, runs
    in DuckDB in the worker's own process; any other one in Beam SQL, in the SQL service, to which the columns that it
    reads cross as Arrow. Of a query that aggregates the conditions and arguments are computed in DuckDB before, where
    they have such forms. `explain` says which and why. The same query gives the same rows on both.
    Rejects: `failed_function`: a function failed on the row; the message has its name. `expression_failed`: an
    expression has no value for the row: a cast, an overflow, a division by zero. Without `rejects` the first such row
    stops the pipeline. A function that takes longer than `deadline` stops the pipeline in any case.
    Nulls: as SQL has them. A ROW of nothing but NULLs comes back from Beam SQL as NULL.
    State: none of its own; what Beam SQL groups and joins is with the runner until its window ends.
    Cost: in DuckDB about half a millisecond a batch and some nanoseconds a row and operation. In Beam SQL the service
    is started once a process (some seconds), a query is planned once, and a row costs some microseconds.

    Times: Beam SQL knows milliseconds only. A timestamp or time of day with microseconds that the query reads other
    than as the time of TUMBLE, HOP or SESSION is refused there, unless `timestamps="milliseconds"` says to cut it,
    toward minus infinity. Its TUMBLE and HOP put times before 1970 into a window after theirs (Beam 2.70).
    Streams: windows, allowed lateness, trigger and accumulation of the input stay those of the query's groups; TUMBLE,
    HOP and SESSION replace the windows alone. A pane without rows does not come. Two streams are joined in common
    windows of the default trigger without lateness; a stream is joined with a bounded table on runners without a job
    server (`JoinTable` before it does so on all). Rows of several panes may come in one batch, without pane numbers.

    Args:
      query: one SELECT (WITH and UNION included). `:name` is a parameter.
      dialect: `beam`, `bigquery`, `duckdb`, `spark`, `postgres` or `snowflake`: in which the query is written.
      strict: whether only what Beam's own planner takes is taken; else what every user writes (`!=`, GROUP BY an
        alias) is rewritten.
      engine: `auto`, or where it has to run: `beam` or `duckdb`.
      parameters: name to value of each `:name`: text, a number, true or false, a date, a time, bytes or None. It
        becomes a literal of its type; its text is never a part of the query.
      udf_jars: archives of functions of your own in Java or Scala: paths, or mappings of `path` and `sha256`.
      sql_udfs: folders of functions of your own in SQL.
      catalog: a file that names such archives, with their hashes, and folders, for all queries that use them.
      timestamps: `exact`, or `milliseconds` to cut finer times for Beam SQL.
      deadline: seconds that one call of a function may take.
      policy: what functions of your own archives may see (destination `rows`) and what groupings and joins in Beam SQL
        may shuffle (`shuffle`); needed as soon as the query gives a labelled column there.
      rejects: where rows go on which a function or expression fails.

    Raises:
      SqlCheckError: every mistake of the query, with line, column and what to write instead; those that need no schema
        already when the block is made.
      ConfigError: an option that cannot be used, an archive that is not there, is none, or has another hash; inputs
        without names; `engine="duckdb"` for a query that needs Beam SQL, with the reason.
      PrivacyError: columns that the policy does not let a function of your own see, or be shuffled; it is a
        SqlCheckError as well, with what else is wrong.
      RejectedRecordError: (when run) a row on which the query fails, without `rejects`.
      EngineError: (when run) the SQL service could not be started, or ended.

    Example:
      >>> events | RunSql("SELECT user_id, amount FROM PCOLLECTION WHERE amount > :least", parameters={"least": 10})

    Source: Beam SQL (Apache Calcite 1.40); docs/sql.md.
    """

    can_reject = True

    def __init__(
        self,
        query: str,
        *,
        dialect: str = "beam",
        strict: bool = False,
        engine: Literal["auto", "beam", "duckdb"] = "auto",
        parameters: Mapping[str, Any] | None = None,
        udf_jars: JarSource = (),
        sql_udfs: FolderSource = (),
        catalog: str | Path | None = None,
        timestamps: Literal["exact", "milliseconds"] = "exact",
        deadline: float = DEADLINE,
        policy: PolicySource = None,
        rejects: Rejects | None = None,
    ) -> None:
        super().__init__()
        self.rejects = rejects
        self._policy = read_policy(policy)
        with all_problems("RunSql", ConfigError) as problems:
            if not isinstance(query, str) or not query.strip():
                problems.append(Problem("there is no query", "query", "write SELECT ... FROM PCOLLECTION"))
            problems.extend(unknown_options(dialect=dialect, engine=engine, timestamps=timestamps))
            if not isinstance(deadline, int | float) or isinstance(deadline, bool) or not 0 < deadline <= _LONGEST:
                what = f"expected seconds, more than 0 and at most {_LONGEST:,}, got {deadline!r}"
                problems.append(Problem(what, "deadline", f"leave it out for {DEADLINE:g}"))
            values = check_values(parameters, problems)
            functions = functions_of(udf_jars, sql_udfs, catalog, problems)
        self._settings = Settings(
            query, dialect, strict, engine, values, timestamps, float(deadline), functions.archives
        )
        self._settings.check_syntax()
        self._registry = functions.registry
        self._explanation: Explanation | None = None

    @property
    def explanation(self) -> Explanation | None:
        """What the query does; None before the block is applied."""
        return self._explanation

    def explain(self, *inputs: pa.Schema, **named: pa.Schema) -> Explanation:
        """What the query does to batches of a schema, without a pipeline.

        Args:
          inputs: the schema of `PCOLLECTION`.
          named: schemas of several inputs, by their names.

        Raises:
          SqlCheckError: every mistake of the query.
          ConfigError: `engine="duckdb"` for a query that needs Beam SQL.
        """
        schemas = {**dict(zip((ALONE,), inputs, strict=True)), **named} if inputs else named
        judged = self._judge({name: Table(name, schema) for name, schema in schemas.items()})
        return explained(judged.checked, judged.engine, judged.reason, self._two_parts(judged))

    def expand(self, given: Any) -> beam.PCollection:
        """Applies the block."""
        inputs = named_inputs(given)
        tables = {name: table_of(name, pcoll) for name, pcoll in inputs.items()}
        judged = self._judge(tables)
        checked, two = judged.checked, self._two_parts(judged)
        self._explanation = explained(checked, judged.engine, judged.reason, two)
        for pcoll in inputs.values():
            guards.watch(pcoll.pipeline, self._policy)
        refuse(judged, self._settings, self._policy)
        if judged.engine == "duckdb":
            return run_in_duckdb(inputs, checked, self.rejects, VERSION)
        check_windows(inputs)
        refuse_table_beside_stream(checked, next(iter(inputs.values())).pipeline)
        query = BeamQuery(
            checked.sql,
            tables,
            columns_read(checked.analysis),
            checked.planned,
            checked.schema,
            self._settings.archives,
            self._settings.deadline,
            VERSION,
        )
        with told_of_the_users_query(checked, self._settings.source):
            if two is not None:
                return run_in_two_parts(inputs, query, two, self.rejects)
            return run_in_beam(inputs, query, self.rejects)

    def _judge(self, tables: Mapping[str, Table]) -> Judged:
        return judge(tables, self._settings, self._registry, self._policy)

    def _two_parts(self, judged: Judged) -> TwoParts | None:
        return in_two_parts(judged.checked, self._settings) if judged.engine == "beam" else None

    def __getstate__(self) -> dict[str, Any]:
        # The handler holds PCollections, which belong to the pipeline and not to the worker; so does `pipeline`.
        settings = None if self.rejects is None else self.rejects.settings()
        return {**self.__dict__, "rejects": settings, "pipeline": None, "_explanation": None}
