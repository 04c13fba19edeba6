"""The output schema of a query with labels."""

import pyarrow as pa

from blocks.core import labels
from blocks.sql.analysis import Analysis
from blocks.sql.boundary import loosened
from blocks.sql.lineage.columns import Lineage
from blocks.sql.lineage.given import begins_window
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem


def label_outputs(
    analysis: Analysis, planned: pa.Schema, min_group: int | None = None
) -> tuple[pa.Schema, list[SqlProblem]]:
    """The output schema of a query with labels, and what is wrong with them.

    A bare column keeps its own Arrow type, its description and the meaning of the fields below it; the mark of the
    event time stays on the first column that has it, or goes to the begin of windows of it (`TUMBLE_START`); those of
    keys stay where rows are those of one input. What is computed may have nulls at any depth: the planner takes
    elements of arrays for never null.

    Args:
      analysis: names resolved, calls found.
      planned: names and types of the output columns, as the planner has them.
      min_group: rows that a group must have for an aggregate to take labels away; None if the policy does not ask.
    """
    lineage = Lineage(analysis, min_group)
    fields, problems, timed = [], [], False
    one_row_each = len(analysis.scopes) == len(analysis.root) == 1 and not analysis.root[0].grouped
    one_row_each = one_row_each and len(analysis.root[0].relations) == 1
    for place, (column, found) in enumerate(zip(planned, lineage.outputs(), strict=True)):
        if found.mixed is not None:
            problems.append(_mixed(analysis, place, column.name, found.mixed))
        bare = found.bare
        kind, metadata = (loosened(column.type), None) if bare is None else (bare.type, bare.metadata)
        event_time = not timed and ((bare is not None and labels.is_event_time(bare)) or begins_window(analysis, place))
        timed = timed or event_time
        marks: dict[str, str | None] = {
            labels.LABEL: ",".join(sorted(found.names)) or None,
            labels.MASKED: found.masked.to_json() if found.masked is not None else None,
            labels.EVENT_TIME: "true" if event_time else None,
            labels.EPOCH: None,
        }
        if not one_row_each:
            marks[labels.KEY] = None
        fields.append(labels.put(pa.field(column.name, kind, column.nullable, metadata), marks))
    return pa.schema(fields), problems


def _mixed(analysis: Analysis, place: int, name: str, mixed: tuple[str, str]) -> SqlProblem:
    source = analysis.root[0].outputs[place].source
    what = f"`{mixed[0]}` has no label, and `{name}` is made of it and of {mixed[1]}"
    fix = f"label `{mixed[0]}` in the schema, with `public` if it may be seen by all"
    at = place_of(source if source is not None else analysis.tree)
    return problem(analysis.text, at, "mixed_labels", what, fix, source=analysis.source)
