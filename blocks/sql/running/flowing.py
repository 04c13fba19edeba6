"""Where the columns of a query come from, told from the names of its input's columns alone: the catalog's lineage."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from blocks.core.errors import ConfigError
from blocks.sql.analysis import Analysis, Table
from blocks.sql.dialects import translate
from blocks.sql.functions.registry import library
from blocks.sql.parsing import Parsed, deeply
from blocks.sql.problems import SqlCheckError
from blocks.sql.resolving import resolve
from blocks.sql.running.inputs import ALONE
from blocks.sql.running.parameters import check_values
from blocks.sql.running.reading import columns_below
from blocks.sql.running.settings import read_query

Sources = tuple[tuple[int, str], ...]


def sources_of(
    query: str, config: Mapping[str, Any], inputs: Sequence[Sequence[str]]
) -> dict[str, tuple[str, Sources]]:
    """Name of each output column to what it is (`kept`, `renamed`, `computed`), and of which columns of inputs.

    Args:
      query: the text.
      config: of its block.
      inputs: names of the columns of each input.

    Raises:
      ConfigError: several inputs, of which only their names in the pipeline say which is which.
      SqlCheckError: a query that cannot be read.
    """
    if len(inputs) != 1:
        raise ConfigError(f"{len(inputs)} inputs", where="RunSql", fix="look at the labels of the built pipeline")
    # Of no type anything is known here; every type that there is gives the same names.
    table = Table(ALONE, pa.schema([pa.field(name, pa.string()) for name in inputs[0]]))
    parsed = _parsed(query, config, {ALONE: table})
    analysis = resolve(parsed, {ALONE: table}, library())
    return deeply(lambda: _sources(analysis), parsed.depth)


def _sources(analysis: Analysis) -> dict[str, tuple[str, Sources]]:
    found: dict[str, tuple[str, Sources]] = {}
    for position, column in enumerate(analysis.outputs()):
        behind = [one.source for one in analysis.branches(position) if one.source is not None]
        read = sorted({name for node in behind for _, name in columns_below(analysis, node)})
        bare = len(read) == 1 and all(_is_bare(analysis, node) for node in behind)
        how = "computed" if not bare else "kept" if read == [column.name] else "renamed"
        found[column.name] = how, tuple((0, name) for name in read)
    return found


def _is_bare(analysis: Analysis, node: Any) -> bool:
    """Whether an expression is a column of an input and nothing else."""
    meant = analysis.found.get(id(node))
    return meant is not None and meant.column.table is not None and not meant.path


def columns_named(query: str, config: Mapping[str, Any]) -> list[str]:
    """The columns of `PCOLLECTION` that a query names; none if it cannot be read, or has several inputs.

    Only what is certain without a schema: names in a SELECT over the input and nothing else.
    """
    try:
        tree = _parsed(query, config, {}).tree
    except (SqlCheckError, ConfigError):
        return []
    tables = {one.name for one in tree.find_all(exp.Table)}
    if ALONE not in tables:
        return []
    return list(dict.fromkeys(name for scope in traverse_scope(tree) for name in _named(scope)))


def _named(scope: Scope) -> Iterator[str]:
    sources = list(scope.sources.items())
    if len(sources) != 1 or not isinstance(sources[0][1], exp.Table) or sources[0][1].name != ALONE:
        return
    alias = sources[0][0]
    aliases = {one.alias for one in scope.expression.expressions if isinstance(one, exp.Alias)}
    for column in scope.columns:
        names = [part.name for part in column.parts]
        if len(names) > 1 and names[0] == alias:
            names = names[1:]
        # GROUP BY, HAVING and ORDER BY may mean an alias of the SELECT.
        if isinstance(column.this, exp.Star) or (len(names) == 1 and names[0] in aliases and not _selected(column)):
            continue
        yield names[0]


def _selected(column: exp.Column) -> bool:
    return column.find_ancestor(exp.Group, exp.Having, exp.Order) is None


def _parsed(query: str, config: Mapping[str, Any], tables: Mapping[str, Table]) -> Parsed:
    dialect = str(config.get("dialect") or "beam")
    values = check_values(config.get("parameters"), [])
    read = read_query(query, dialect, "query", bool(config.get("strict")), values)
    if isinstance(read, Parsed):
        return read
    return Parsed(query, "query", dialect, translate(query, read, dialect, tables) if tables else read)
