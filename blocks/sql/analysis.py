"""What is known of a query after names and types are resolved: every check, the labels and the lowering read this."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from blocks.sql.functions.model import Function, Overload
from blocks.sql.problems import SqlProblem
from blocks.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class Table:
    """An input of a query.

    Attributes:
      name: as the query calls it, `PCOLLECTION` unless there are several.
      schema: of its batches, with labels.
      bounded: whether it ends; None where nobody knows (check_sql without a pipeline).
      windowed: whether its windows are other than the global one.
      windows: which windows, in words: equal where the rows of two inputs can meet; empty where nobody knows.
      triggered: whether it has a trigger other than the default, by which also the global window gives rows out.
      late: whether its windows wait for late rows.
    """

    name: str
    schema: pa.Schema
    bounded: bool | None = None
    windowed: bool = False
    windows: str = ""
    triggered: bool = False
    late: bool = False


@dataclass(slots=True)
class Column:
    """A column of a relation.

    Attributes:
      name: as it is seen from outside; `EXPR$0` and so on where Beam's planner names it.
      type: SQL type.
      source: the expression (sqlglot) of a computed one; None for a table's.
      scope: in which `source` stands.
      table: the input, for a column of a table.
      field: the Arrow field, for a column of a table.
      others: of VALUES: the expressions of its further rows.
    """

    name: str
    type: SqlType
    source: Any = None
    scope: "Scope | None" = None
    table: Table | None = None
    field: pa.Field | None = None
    others: tuple[Any, ...] = ()


@dataclass(slots=True)
class Relation:
    """What stands in FROM: an input, a subquery, a name from WITH, VALUES or UNNEST.

    Attributes:
      alias: under which its columns are found.
      kind: which of these.
      columns: in order.
      node: sqlglot's node.
      scopes: of a subquery or WITH: one for each branch of a UNION, whose outputs stand behind the columns by position.
      optional: whether an outer join can make its columns NULL.
    """

    alias: str
    kind: Literal["table", "subquery", "with", "values", "unnest"]
    columns: list[Column]
    node: Any
    scopes: "list[Scope]" = field(default_factory=list)
    optional: bool = False


@dataclass(slots=True)
class Scope:
    """One SELECT.

    Attributes:
      select: sqlglot's node.
      relations: by alias, in order.
      parent: the scope around it, for a subquery in an expression.
      outputs: columns that it gives.
      grouped: whether it aggregates (GROUP BY or an aggregate function).
      compared: pairs of columns that USING and NATURAL compare, which no node names.
      chosen_by: columns, beside its own clauses, that its rows depend on: those of both sides of an INTERSECT or EXCEPT
        that it is a branch of, and those by which a set operation is ordered in front of its LIMIT.
    """

    select: Any
    relations: dict[str, Relation] = field(default_factory=dict)
    parent: "Scope | None" = None
    outputs: list[Column] = field(default_factory=list)
    grouped: bool = False
    compared: "list[tuple[Found, Found]]" = field(default_factory=list)
    chosen_by: list[Column] = field(default_factory=list)


@dataclass(slots=True)
class Found:
    """What a column node means.

    Attributes:
      relation: which has it.
      column: of the relation.
      path: fields of a ROW within it, `("city",)` in `who.city`.
      scope: in which it stands.
      beside: of a column that FULL JOIN shares by USING: the other side's, whose value it may have as well.
    """

    relation: Relation
    column: Column
    path: tuple[str, ...]
    scope: Scope
    beside: "Found | None" = None


@dataclass(slots=True)
class Call:
    """What a function node means: the function, the overload that fits, and the nodes of its arguments."""

    function: Function
    overload: Overload | None
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class Analysis:
    """A query, resolved.

    Nodes are found by `id(node)`: the tree is kept alive here and is not changed.

    Attributes:
      text: the query as it was written.
      source: name of the file, or `query`.
      tree: sqlglot's tree.
      tables: the inputs by name.
      scopes: every SELECT, inner ones first; of the outermost query the last (one for each branch of a UNION).
      root: those of the outermost query.
      types: SQL type of each expression node.
      found: of each column node.
      calls: of each function node that is known.
      subqueries: the scopes of each subquery that stands in an expression (scalar, IN, EXISTS), by the node's id.
      tolerated: (rule, node) for what Beam's planner refuses and `blocks.sql.rewriting` mends, in order of the text.
      problems: what was found while names and types were resolved.
    """

    text: str
    source: str
    tree: Any
    tables: Mapping[str, Table]
    scopes: list[Scope] = field(default_factory=list)
    root: list[Scope] = field(default_factory=list)
    types: dict[int, SqlType] = field(default_factory=dict)
    found: dict[int, Found] = field(default_factory=dict)
    calls: dict[int, Call] = field(default_factory=dict)
    subqueries: dict[int, list[Scope]] = field(default_factory=dict)
    tolerated: list[tuple[str, Any]] = field(default_factory=list)
    problems: list[SqlProblem] = field(default_factory=list)

    def type_of(self, node: Any) -> SqlType | None:
        """The type of an expression; None where it has a problem that was already told."""
        return self.types.get(id(node))

    def outputs(self) -> list[Column]:
        """Columns of the result; of a UNION those of its first branch."""
        return self.root[0].outputs if self.root else []

    def branches(self, position: int) -> Iterator[Column]:
        """The columns behind an output column, one of each branch of a UNION."""
        for scope in self.root:
            yield scope.outputs[position]
