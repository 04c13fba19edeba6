"""What `explain` says of a query: where it runs and why, what was written anew, the functions, and every column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blocks.core import labels
from blocks.sql.checked import CheckedSql, Engine
from blocks.sql.lineage import Lineage
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
      changes: how it differs from the one column of its name that it comes from: `computed`, `was int32`, `label was
        public`; and how it was masked. None for a column that is passed on as it is.
    """

    name: str
    type: pa.DataType
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    changes: tuple[str, ...] = ()


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
    notes = list(column.changes)
    if column.sources and column.sources != (column.name,):
        notes.insert(0, f"from {', '.join(column.sources)}")
    parts.append(", ".join(notes))
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
    lineage = Lineage(checked.analysis).outputs()
    for position, field in enumerate(checked.schema):
        sources: dict[str, pa.Field] = {}
        for column in checked.analysis.branches(position):
            if column.table is not None:
                read = {(column.table.name, column.field.name if column.field is not None else column.name)}
            else:
                read = columns_below(checked.analysis, column.source) if column.source is not None else set()
            for table, name in sorted(read):
                sources[f"{table}.{name}" if several else name] = checked.tables[table].schema.field(name)
        given = next(iter(sources.values())) if len(sources) == 1 else None
        same = given if given is not None and given.name == field.name else None
        changes = tuple(_changes(same, field, lineage[position].bare is not None))
        yield ExplainedColumn(field.name, field.type, _labels(field), tuple(sources), changes)


def _changes(given: pa.Field | None, field: pa.Field, is_bare: bool) -> Iterator[str]:
    """How an output column differs from the one of its name that it comes from; without one only how it is masked."""
    if given is not None and not is_bare:
        yield "computed"
    if given is not None and given.type != field.type:
        yield f"was {given.type}"
    if given is not None and _labels(given) != _labels(field):
        yield f"label was {', '.join(_labels(given)) or 'none'}"
    masked = labels.masked_of(field)
    if masked is not None and not (is_bare and given is not None):
        yield f"masked: {masked.method}" + (f" ({masked.key})" if masked.key else "")


def _labels(field: pa.Field) -> tuple[str, ...]:
    return tuple(sorted({label for leaf in labels.leaves_of(field) for label in leaf.labels}))
