"""What `explain` says of a query: where it runs and why, what was written anew, the functions, and every column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blocks.core import labels
from blocks.sql.checked import CheckedSql, Engine
from blocks.sql.running.reading import columns_below

if TYPE_CHECKING:
    from blocks.sql.running.in_two_parts import TwoParts

_ENGINES = {
    "duckdb": "DuckDB, in the worker's own process, on batches",
    "beam": "Beam SQL, in the SQL service",
}


@dataclass(frozen=True, slots=True)
class ExplainedColumn:
    """A column of the result.

    Attributes:
      name: of the column.
      type: Arrow type.
      labels: privacy labels, in order.
      sources: columns of the inputs that it is computed from: `amount`, or `orders.amount` where there are several.
    """

    name: str
    type: pa.DataType
    labels: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query does.

    Attributes:
      engine: where it runs.
      reason: why there, in one sentence.
      notes: what was written anew: (place as `line:column`, what), in order of the text.
      functions: name and version of each that is not Beam's own: `mask_left 1 (java)`.
      warnings: what does not stop the pipeline.
      columns: of the result.
      sql: what the engine gets.
      before: of a query in two parts the one that runs in DuckDB first; else empty.
      after: the other, which Beam SQL gets; else empty.
    """

    engine: Engine
    reason: str
    notes: tuple[tuple[str, str], ...]
    functions: tuple[str, ...]
    warnings: tuple[str, ...]
    columns: tuple[ExplainedColumn, ...]
    sql: str
    before: str = ""
    after: str = ""

    def lines(self) -> Iterator[str]:
        """What `blocks explain` prints below the step: without the columns, which it shows for every step."""
        yield f"runs in {_ENGINES[self.engine]}: {self.reason}"
        if self.before:
            yield "its conditions and arguments are computed in DuckDB before, on batches"
        if self.functions:
            yield f"calls {', '.join(self.functions)}"
        yield from (f"{place}: {what}" for place, what in self.notes)
        yield from self.warnings

    def __str__(self) -> str:
        width = max((len(one.name) for one in self.columns), default=0)
        columns = [f"  {one.name.ljust(width)}  {_told(one)}" for one in self.columns]
        said = [("as", self.sql)] if not self.before else [("before", self.before), ("then", self.after)]
        texts = (line for word, sql in said for line in (word, *(f"  {one}" for one in sql.splitlines())))
        return "\n".join([*self.lines(), "gives", *columns, *texts])


def _told(column: ExplainedColumn) -> str:
    parts = [str(column.type), ", ".join(column.labels)]
    if column.sources and column.sources != (column.name,):
        parts.append(f"from {', '.join(column.sources)}")
    return "  ".join(part for part in parts if part)


def explained(checked: CheckedSql, engine: Engine, reason: str, two: "TwoParts | None" = None) -> Explanation:
    """What a query does on an engine.

    Args:
      checked: the query.
      engine: that it runs on, which may be another than `checked.engine`.
      reason: why.
      two: the two parts in which it runs, if it does.
    """
    lowered = checked.lowered if engine == "duckdb" else None
    return Explanation(
        engine,
        reason,
        tuple((f"{note.place.line}:{note.place.column}", note.what) for note in checked.notes),
        tuple(_function(one) for one in checked.functions if one.origin != "beam"),
        tuple(str(one) for one in checked.warnings),
        tuple(_columns(checked)),
        str(getattr(lowered, "sql", "") or checked.sql),
        "" if two is None else two.parts.lowered.sql,
        "" if two is None else two.parts.sql,
    )


def _function(function: Any) -> str:
    version = f" {function.version}" if function.version else ""
    jar = f", archive {function.jar[:12]}" if function.jar else ""
    return f"{function.name}{version} ({function.origin}{jar})"


def _columns(checked: CheckedSql) -> Iterator[ExplainedColumn]:
    several = len(checked.tables) > 1
    for position, field in enumerate(checked.schema):
        sources: dict[str, None] = {}
        for column in checked.analysis.branches(position):
            if column.table is not None:
                read = {(column.table.name, column.field.name if column.field is not None else column.name)}
            else:
                read = columns_below(checked.analysis, column.source) if column.source is not None else set()
            sources.update((f"{table}.{name}" if several else name, None) for table, name in sorted(read))
        found = {label for leaf in labels.leaves_of(field) for label in leaf.labels}
        yield ExplainedColumn(field.name, field.type, tuple(sorted(found)), tuple(sources))
