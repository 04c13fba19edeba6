"""The output schema of a query with labels."""

import pyarrow as pa

from blocks.core import labels
from blocks.sql.analysis import Analysis
from blocks.sql.lineage.columns import Lineage
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem


def label_outputs(
    analysis: Analysis, schema: pa.Schema, min_group: int | None = None
) -> tuple[pa.Schema, list[SqlProblem]]:
    """The output schema of a query with labels, and what is wrong with them.

    A bare column keeps its description and the meaning of the fields below it; the mark of the event time stays on the
    first column that has it, or goes to the begin of windows of it (`TUMBLE_START`); those of keys stay where rows are
    those of one input.

    Args:
      analysis: names resolved, calls found.
      schema: names and types of the output columns.
      min_group: rows that a group must have for an aggregate to take labels away; None if the policy does not ask.
    """
    lineage = Lineage(analysis, min_group)
    fields, problems, timed = [], [], False
    one_row_each = len(analysis.scopes) == len(analysis.root) == 1 and not analysis.root[0].grouped
    one_row_each = one_row_each and len(analysis.root[0].relations) == 1
    for place, (column, found) in enumerate(zip(schema, lineage.outputs(), strict=True)):
        if found.mixed is not None:
            problems.append(_mixed(analysis, place, column.name, found.mixed))
        metadata = found.bare.metadata if found.bare is not None else None
        event_time = not timed and (_is_event_time(found.bare) or lineage.begins_window(place))
        timed = timed or event_time
        marks: dict[str, str | None] = {
            labels.LABEL: ",".join(sorted(found.names)) or None,
            labels.MASKED: found.masked.to_json() if found.masked is not None else None,
            labels.EVENT_TIME: "true" if event_time else None,
            labels.EPOCH: None,
        }
        if not one_row_each:
            marks[labels.KEY] = None
        fields.append(labels.put(column.with_metadata(metadata), marks))
    return pa.schema(fields, schema.metadata), problems


def _is_event_time(bare: pa.Field | None) -> bool:
    return bare is not None and labels.is_event_time(bare)


def _mixed(analysis: Analysis, place: int, name: str, mixed: tuple[str, str]) -> SqlProblem:
    source = analysis.root[0].outputs[place].source
    what = f"`{mixed[0]}` has no label, and `{name}` is made of it and of {mixed[1]}"
    fix = f"label `{mixed[0]}` in the schema, with `public` if it may be seen by all"
    at = place_of(source if source is not None else analysis.tree)
    return problem(analysis.text, at, "mixed_labels", what, fix, source=analysis.source)
