"""From a query that passed every check to what the engines get: rewritten, with SQL functions written out, lowered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from blocks.sql.analysis import Analysis, Column
from blocks.sql.checked import CheckedSql, Note
from blocks.sql.checks.misleading import cut_decimals
from blocks.sql.dialect import to_beam
from blocks.sql.lineage import label_outputs
from blocks.sql.lowering import Lowered, lower
from blocks.sql.parsing import Parsed, deeply
from blocks.sql.problems import SqlCheckError, SqlProblem
from blocks.sql.resolving import resolve
from blocks.sql.rewriting import rewrite
from blocks.sql.rewriting.decimals import with_digits
from blocks.sql.rewriting.keys import is_keyed, with_keys
from blocks.sql.types import to_arrow
from blocks.sql.typing.columns import as_given

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry


# Code of the warning that a DECIMAL is cut.
CUT = "cut_decimal"


def finish(
    parsed: Parsed,
    analysis: Analysis,
    registry: "Registry",
    *,
    query: str,
    strict: bool,
    min_group: int | None,
    keys: Mapping[str, str],
    warnings: tuple[SqlProblem, ...],
) -> CheckedSql:
    """Makes the result of `check_sql` of a query without errors.

    Args:
      parsed: the query, functions of other systems written anew.
      analysis: of it.
      registry: functions.
      query: the text as the user wrote it.
      strict: whether nothing is rewritten.
      min_group: see `label_outputs`.
      keys: see `blocks.sql.rewriting.keys`.
      warnings: problems that do not stop a pipeline.

    Raises:
      SqlCheckError: what cannot be rewritten, and outputs whose labels do not go together.
    """
    functions = {call.function.name: call.function for call in analysis.calls.values()}
    tables, final, notes = analysis.tables, analysis, tuple[Note, ...]()
    if not strict:
        rewritten = deeply(lambda: rewrite(analysis), parsed.depth)
        _stop(rewritten.problems, parsed.source)
        notes = rewritten.notes
        if rewritten.tree is not analysis.tree:
            final = resolve(replace(parsed, tree=rewritten.tree, tolerated=()), tables, registry)
            # What only stands out when it is written in Beam SQL's words, at its place in the user's.
            _stop(tuple(one for one in final.problems if one.severity == "error"), parsed.source)
    if not strict:
        plain = final
        exact = deeply(lambda: with_digits(plain), parsed.depth)
        if exact is not None:
            final = resolve(replace(parsed, tree=exact, tolerated=()), tables, registry)
        warnings = _not_cured(warnings, final)
    if is_keyed(final):
        keyed = final
        tree, missing = deeply(lambda: with_keys(keyed, keys), parsed.depth)
        _stop(tuple(missing), parsed.source)
        final = resolve(replace(parsed, tree=tree, tolerated=()), tables, registry)
    # Names with a version (`mask_left_v1`) become those that the service has.
    if any(one.origin == "sql" or registry.served_name(name) != name for name, one in functions.items()):
        from blocks.sql.macros.inlining import inline

        before = final
        tree = deeply(lambda: inline(before.tree, before, registry), parsed.depth)
        final = resolve(replace(parsed, tree=tree, tolerated=()), tables, registry)
    planned = pa.schema([_field(column) for column in final.outputs()])
    schema, problems = label_outputs(analysis, planned, min_group)
    _stop(tuple(problems), parsed.source)
    lowered = deeply(lambda: lower(final), parsed.depth)
    runs_here = isinstance(lowered, Lowered)
    return CheckedSql(
        query,
        parsed.dialect,
        tables,
        schema,
        tuple(functions[name] for name in sorted(functions)),
        "duckdb" if runs_here else "beam",
        "every row by itself, in forms that are equal in DuckDB" if runs_here else str(lowered),
        notes,
        warnings,
        deeply(lambda: to_beam(final.tree), parsed.depth),
        final.tree,
        planned,
        lowered if runs_here else None,
        analysis,
        final,
    )


def _not_cured(warnings: tuple[SqlProblem, ...], final: Analysis) -> tuple[SqlProblem, ...]:
    """Warnings of decimals that are cut are those of the query in which columns have their digits."""
    kept = [one for one in warnings if one.code != CUT]
    if len(kept) < len(warnings):
        kept.extend(one for one in (*final.problems, *cut_decimals(final)) if one.code == CUT)
    return tuple(sorted(kept, key=lambda one: (one.line, one.column)))


def _stop(problems: tuple[SqlProblem, ...], source: str) -> None:
    if problems:
        raise SqlCheckError(f"{len(problems)} problems", where=source, problems=problems)


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, to_arrow(as_given(column.type)), column.type.nullable)
