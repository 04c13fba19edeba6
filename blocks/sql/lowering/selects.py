"""Lowers a whole query: every SELECT over one input, put into one level, as Calcite puts them into one program."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from blocks.sql.analysis import Analysis, Column, Scope, Table
from blocks.sql.coercion import least_restrictive
from blocks.sql.lowering import nested
from blocks.sql.lowering.converting import as_type, planned_type, result_decimal
from blocks.sql.lowering.expressions import Writer
from blocks.sql.lowering.lowered import Branch, Lowered, Output, Read
from blocks.sql.lowering.operators import truth
from blocks.sql.lowering.piece import NotLoweredError, Piece, engine_type
from blocks.sql.places import place_of
from blocks.sql.types import SqlType, from_arrow, to_arrow

ROW_WISE = frozenset({"expressions", "from_", "where", "with_"})
_WORDS = {
    "group": "GROUP BY meets several rows",
    "having": "HAVING meets several rows",
    "distinct": "DISTINCT meets several rows",
    "order": "ORDER BY meets several rows",
    "limit": "LIMIT counts rows over all batches",
    "offset": "OFFSET counts rows over all batches",
    "joins": "a join meets rows of several inputs",
    "qualify": "QUALIFY meets several rows",
    "match": "MATCH_RECOGNIZE meets several rows",
}
_NAME = re.compile(r"\bc\d+\b")
Choice = Mapping[int, Scope]


def lower(analysis: Analysis) -> Lowered | str:
    """A query in DuckDB's SQL, or why it has no equal form: one sentence with the place.

    Args:
      analysis: of a query without problems, in which macros are written out.
    """
    try:
        return _lowered(analysis)
    except NotLoweredError as error:
        return reason(analysis, error)


def reason(analysis: Analysis, error: NotLoweredError) -> str:
    """The sentence of an error, with the place of its node."""
    what = error.what[:1].upper() + error.what[1:]
    if error.node is None:
        return f"{what}."
    place = place_of(error.node)
    return f"{what} ({analysis.source}:{place.line}:{place.column})."


def _lowered(analysis: Analysis) -> Lowered:
    if not analysis.root:
        raise NotLoweredError("the query was not resolved")
    if any(not scope.outputs for scope in analysis.root):
        raise NotLoweredError("the query gives no columns")
    ways = [Way(scope, choice, scope.outputs) for scope in analysis.root for choice in choices_of(scope)]
    return assembled(analysis, ways)


@dataclass(frozen=True, slots=True)
class Way:
    """One way through the UNION ALLs of a query.

    Attributes:
      scope: the SELECT that gives the columns.
      choice: the branch that each subquery takes, by the id of its relation.
      outputs: columns that are computed.
    """

    scope: Scope
    choice: Choice
    outputs: Sequence[Column]


def assembled(analysis: Analysis, ways: Sequence[Way]) -> Lowered:
    """All branches together.

    Raises:
      NotLoweredError: something in one of them has no equal form.
    """
    table = the_table(ways)
    reads: dict[Read, str] = {}
    several = len(ways) > 1
    written = [_written(analysis, way, reads, several, exact=False) for way in ways]
    kinds = [_common([pieces[at] for pieces, _ in written], column) for at, column in enumerate(ways[0].outputs)]
    slower = [_written(analysis, way, reads, several, exact=True) for way in ways]
    branches = tuple(_branch(*three, kinds) for three in zip(ways, written, slower, strict=True))
    fields = [
        _field(column, kind, [branch.bare[at] for branch in branches], table)
        for at, (column, kind) in enumerate(zip(ways[0].outputs, kinds, strict=True))
    ]
    names = _names_in(branches)
    used = {read: name for read, name in reads.items() if name in names}
    return Lowered(table.name, tuple(used), _given_schema(table.schema, used), branches, pa.schema(fields))


def choices_of(scope: Scope, allowed: frozenset[str] = ROW_WISE) -> Iterator[dict[int, Scope]]:
    """For each way through the UNION ALLs below a SELECT, the branch that each subquery takes.

    Args:
      scope: the SELECT.
      allowed: its clauses, beside those that treat each row by itself.

    Raises:
      NotLoweredError: a SELECT that meets more than one row.
    """
    check_row_wise(scope, allowed)
    (relation,) = scope.relations.values()
    if relation.kind == "table":
        yield {}
        return
    for inner in relation.scopes:
        for choice in choices_of(inner):
            yield {**choice, id(relation): inner}


def check_row_wise(scope: Scope, allowed: frozenset[str] = ROW_WISE) -> None:
    """Refuses a SELECT that treats more than one row at once.

    Raises:
      NotLoweredError: with what it does.
    """
    select = scope.select
    if not isinstance(select, exp.Select):
        raise NotLoweredError(f"{select.key.upper()} reads no input", select)
    node: Any = select
    while isinstance(node, exp.Select | exp.SetOperation | exp.Subquery):
        if isinstance(node, exp.SetOperation) and (not isinstance(node, exp.Union) or node.args.get("distinct")):
            raise NotLoweredError(f"{node.key.upper()} meets several rows", node)
        keys = allowed if node is select else ROW_WISE | {"this", "expression", "distinct", "alias", "pivots"}
        _refuse_others(node, keys)
        node = node.parent
    if scope.grouped and "group" not in allowed:
        raise NotLoweredError("an aggregate meets several rows", select)
    if len(scope.relations) != 1:
        what = "a join meets rows of several inputs" if scope.relations else "a SELECT without FROM reads no input"
        raise NotLoweredError(what, select)
    (relation,) = scope.relations.values()
    if relation.kind not in ("table", "subquery", "with"):
        raise NotLoweredError(f"{relation.kind.upper()} has no equal form", relation.node)
    if isinstance(relation.node, exp.Table):
        _refuse_others(relation.node, frozenset({"this", "db", "catalog", "alias"}))


def _refuse_others(node: Any, keys: frozenset[str]) -> None:
    for key, value in node.args.items():
        if key not in keys and value:
            where = value if isinstance(value, exp.Expression) else node
            raise NotLoweredError(_WORDS.get(key.rstrip("_"), f"{key.rstrip('_').upper()} has no equal form"), where)


def the_table(ways: Sequence[Way]) -> Table:
    """The input of all branches.

    Raises:
      NotLoweredError: they read several.
    """
    tables = {}
    for way in ways:
        scope = way.scope
        while True:
            (relation,) = scope.relations.values()
            if relation.kind == "table":
                break
            scope = way.choice[id(relation)]
        found = next((column.table for column in relation.columns if column.table is not None), None)
        if found is None:
            raise NotLoweredError("an input without columns has no equal form", relation.node)
        tables[found.name] = found
    if len(tables) > 1:
        raise NotLoweredError(f"the query reads {len(tables)} inputs")
    return next(iter(tables.values()))


def conditions_of(scope: Scope, choice: Choice) -> list[Any]:
    """The WHERE of a SELECT and of those below it, inner ones first."""
    (relation,) = scope.relations.values()
    below = [] if relation.kind == "table" else conditions_of(choice[id(relation)], choice)
    where = scope.select.args.get("where")
    return [*below, where.this] if where is not None else below


def condition(writer: Writer, nodes: Sequence[Any], several: bool) -> str:
    """All conditions together, of which Calcite computes every one on every row; empty without any.

    Args:
      writer: of the branch.
      nodes: from `conditions_of`.
      several: whether the query has UNION ALL, over which Calcite does not join conditions.
    """
    pieces = [writer.of(node) for node in nodes]
    if not pieces:
        return ""
    if several and any(piece.fails for piece in pieces[1:]):
        raise NotLoweredError("a condition that can fail over a UNION ALL with conditions of its own", nodes[-1])
    joined = " AND ".join(truth(piece, node) for piece, node in zip(pieces, nodes, strict=True))
    if any(piece.fails for piece in pieces) and len(pieces) > 1:
        return f"(({joined}) IS NOT DISTINCT FROM TRUE)"
    return joined


_Written = tuple[list[Piece], str]


def _written(analysis: Analysis, way: Way, reads: dict[Read, str], several: bool, exact: bool) -> _Written:
    """The columns and the condition of a branch."""
    writer = Writer(analysis, exact, way.choice, reads)
    where = condition(writer, conditions_of(way.scope, way.choice), several)
    return [nested.passed(writer.output(column), column.source) for column in way.outputs], where


def _common(pieces: Sequence[Piece], column: Column) -> SqlType:
    """The type of an output column over all branches."""
    nullable = any(piece.type.nullable for piece in pieces)
    kind = column.type
    if len(pieces) > 1:
        found = least_restrictive([planned_type(piece) for piece in pieces])
        if found is None:
            raise NotLoweredError("the branches of the UNION have no common type", column.source)
        kind = found
    else:
        # Calcite knows of conditions that are never NULL whatever their parts are.
        nullable = nullable and kind.nullable
    if kind.name == "DECIMAL" and len({piece.type for piece in pieces}) > 1:
        return result_decimal(pieces, kind, column.source).null(nullable)
    if kind.name == "DECIMAL":
        return pieces[0].type.null(nullable)
    return kind.null(nullable) if kind.name != "CHAR" else SqlType("VARCHAR", nullable)


def _branch(way: Way, plain: _Written, exact: _Written, kinds: Sequence[SqlType]) -> Branch:
    forms = [
        [as_type(piece, kind, column.source) for piece, kind, column in zip(pieces, kinds, way.outputs, strict=True)]
        for pieces, _ in (plain, exact)
    ]
    return Branch(tuple(map(_output, *forms, kinds)), plain[1], exact[1])


def _output(plain: Piece, exact: Piece, kind: SqlType) -> Output:
    if plain.read is not None:
        return Output(plain.sql, exact.sql, plain.read)
    sql, slower = (f"CAST({piece.sql} AS {engine_type(kind)})" for piece in (plain, exact))
    return Output(sql, slower)


def _names_in(branches: Sequence[Branch]) -> set[str]:
    """The engine's names of what it has to be given: not of columns that are only masked, or only passed on."""
    outputs = [output for branch in branches for output in branch.outputs if output.read is None or output.read.mask]
    texts = [text for output in outputs for text in (output.sql, output.exact)]
    texts += [text for branch in branches for text in (branch.where, branch.exact_where)]
    return {name for text in texts for name in _NAME.findall(text)}


def _field(column: Column, kind: SqlType, bare: Sequence[str], table: Table) -> pa.Field:
    types = {table.schema.field(name).type for name in bare if name}
    if all(bare) and len(types) == 1:
        return pa.field(column.name, types.pop(), kind.nullable)
    return pa.field(column.name, to_arrow(kind), kind.nullable)


def _given_schema(schema: pa.Schema, reads: Mapping[Read, str]) -> pa.Schema:
    """The schema in which the engine gets what is read: one column at least, because a batch has rows in any case."""
    types = [pa.string() if read.mask else _given_type(from_arrow(schema.field(read.column))) for read in reads]
    return pa.schema(list(zip(reads.values(), types, strict=True)) or [("none", pa.bool_())])


def _given_type(kind: SqlType) -> pa.DataType:
    """The engine's type of a SQL type: times without a zone, because those with one are computed by other rules."""
    match kind.name:
        case "TIMESTAMP":
            return pa.timestamp("us")
        case "DECIMAL":
            return pa.decimal128(kind.precision or 38, kind.scale or 0)
        case "ARRAY":
            return pa.list_(_given_type(kind.inner[0]))
        case "MAP":
            return pa.map_(_given_type(kind.inner[0]), _given_type(kind.inner[1]))
        case "ROW":
            return pa.struct(
                [pa.field(name, _given_type(inner)) for name, inner in zip(kind.names, kind.inner, strict=True)]
            )
    return to_arrow(kind)
