"""Splits a query that aggregates: what treats each row by itself runs in DuckDB, what meets several rows in Beam.

    SELECT UPPER(city) AS c, SUM(price * count) AS total FROM PCOLLECTION WHERE count > 0 GROUP BY UPPER(city)

becomes, in DuckDB, the columns `UPPER(city)` and `price * count` of the rows with `count > 0`, and, in Beam, a query
that only groups and adds up columns: fewer and narrower rows cross into the JVM.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlglot import exp

from blocks.sql.analysis import Analysis, Column, Scope
from blocks.sql.coercion import digits
from blocks.sql.dialect import to_beam
from blocks.sql.lowering.expressions import unaliased
from blocks.sql.lowering.lowered import Lowered
from blocks.sql.lowering.piece import NotLoweredError
from blocks.sql.lowering.selects import ROW_WISE, Way, assembled, choices_of, reason
from blocks.sql.types import SqlType

_CLAUSES = ROW_WISE | {"group", "having", "order", "limit", "offset"}


@dataclass(frozen=True, slots=True)
class Split:
    """A query in two parts.

    Attributes:
      lowered: the part that runs in DuckDB; its columns are those that the other part reads.
      tree: the part that runs in Beam (sqlglot's, dialect beam), over `lowered.table`.
    """

    lowered: Lowered
    tree: Any

    @property
    def schema(self) -> pa.Schema:
        """Of what the first part gives to the second."""
        return self.lowered.schema

    @property
    def sql(self) -> str:
        """The part that runs in Beam, as text."""
        return str(to_beam(self.tree))


def split(analysis: Analysis) -> Split | str:
    """A query that aggregates, in two parts; or why it has none, in one sentence with the place.

    Args:
      analysis: of a query without problems, in which macros are written out.
    """
    try:
        return _split(analysis)
    except NotLoweredError as error:
        return reason(analysis, error)


def _split(analysis: Analysis) -> Split:
    if len(analysis.root) != 1 or not isinstance(analysis.tree, exp.Select):
        raise NotLoweredError("a UNION of queries that aggregate is not split")
    (scope,) = analysis.root
    if not scope.grouped:
        raise NotLoweredError("the query does not aggregate")
    choices = list(choices_of(scope, _CLAUSES))
    parts = _Parts(analysis, scope)
    parts.find()
    if not parts.columns:
        # COUNT(*) alone: rows without a column do not cross.
        parts.columns[""] = ("computed_0", SqlType("BOOLEAN", nullable=False), exp.Boolean(this=True))
    outputs = [Column(name, kind, node, scope) for name, kind, node in parts.columns.values()]
    lowered = assembled(analysis, [Way(scope, choice, outputs) for choice in choices])
    if all(not branch.where and (all(branch.bare) or "" in parts.columns) for branch in lowered.branches):
        raise NotLoweredError("nothing is computed before the query aggregates")
    return Split(lowered, parts.outer(lowered.table))


@dataclass(slots=True)
class _Parts:
    """The expressions that are computed before, and the query without them."""

    analysis: Analysis
    scope: Scope
    columns: dict[str, tuple[str, Any, Any]] = field(default_factory=dict)
    _replaced: dict[int, str] = field(default_factory=dict)
    _keys: set[str] = field(default_factory=set)

    def find(self) -> None:
        """Looks for what can be computed before.

        Raises:
          NotLoweredError: something that has to be and cannot.
        """
        select = self.scope.select
        group = select.args.get("group")
        if group is not None:
            _check_plain(group)
            for key in group.expressions:
                self._key(key)
        for node in self._others():
            self._look(node)

    def _others(self) -> Iterator[Any]:
        select = self.scope.select
        for item in select.expressions:
            yield unaliased(item)
        for clause in ("having", "order"):
            if select.args.get(clause) is not None:
                yield select.args[clause]

    def _key(self, key: Any) -> None:
        call = self.analysis.calls.get(id(key))
        if isinstance(key, exp.Literal):
            raise NotLoweredError("GROUP BY a position is not split", key)
        if call is not None and call.function.kind == "window":
            self._look(key)
            return
        self._keys.add(to_beam(key))
        self._compute(key)

    def _look(self, node: Any) -> None:
        """Goes down to the keys, and to what aggregates take."""
        if id(node) in self._replaced or isinstance(
            node, exp.Literal | exp.Star | exp.Identifier | exp.Var | exp.Interval
        ):
            return
        if isinstance(node, exp.Subquery | exp.Exists | exp.Window):
            raise NotLoweredError(f"`{node.key.upper()}` is not split", node)
        call = self.analysis.calls.get(id(node))
        if self._keys and not isinstance(node, exp.Order | exp.Having) and to_beam(node) in self._keys:
            self._compute(node)
        elif call is not None and call.function.kind in ("aggregate", "window"):
            for argument in node.iter_expressions():
                self._argument(argument)
        elif isinstance(node, exp.Column):
            found = self.analysis.found.get(id(node))
            if found is None or found.relation.alias == "":
                return  # an alias of the SELECT, which stays
            raise NotLoweredError(f"`{node.name}` stands outside of what is grouped and aggregated", node)
        elif isinstance(node, exp.Filter):
            self._look(node.this)
            self._compute(node.expression.this)
        else:
            for child in node.iter_expressions():
                self._look(child)

    def _argument(self, node: Any) -> None:
        if isinstance(node, exp.Distinct):
            for one in node.expressions:
                self._argument(one)
        elif not isinstance(node, exp.Literal | exp.Boolean | exp.Null | exp.Star | exp.Interval | exp.Var):
            self._compute(node)

    def _compute(self, node: Any) -> None:
        if isinstance(node, exp.Cast) and self._is_plain(node.this) and _is_decimal(self.analysis, node.this):
            # It only tells the planner the digits of a column, which it has to be told in any case.
            self._compute(node.this)
            return
        text = to_beam(node)
        if text not in self.columns:
            kind = self.analysis.type_of(node)
            if kind is None:
                raise NotLoweredError("an expression has no type", node)
            self.columns[text] = (self._name(node), kind, node)
        self._replaced[id(node)] = self.columns[text][0]

    def _is_plain(self, node: Any) -> bool:
        found = self.analysis.found.get(id(node))
        return found is not None and not found.path and found.relation.kind == "table"

    def _name(self, node: Any) -> str:
        taken = {name for name, _, _ in self.columns.values()}
        name = node.name if self._is_plain(node) else f"computed_{len(self.columns)}"
        while name in taken:
            name += "_"
        return str(name)

    def _read(self, node: Any, name: str) -> Any:
        """The column that stands for an expression; the planner knows the digits of no column."""
        column = exp.Column(this=exp.Identifier(this=name, quoted=True))
        kind = self.analysis.type_of(node)
        if kind is None or kind.name != "DECIMAL" or kind.precision is None:
            return column
        sizes: list[exp.Expr] = [exp.DataTypeParam(this=exp.Literal.number(one)) for one in digits(kind)]
        return exp.Cast(this=column, to=exp.DataType(this=exp.DType.DECIMAL, expressions=sizes))

    def outer(self, table: str) -> Any:
        """The query over the computed columns."""
        select = self.scope.select
        copy = select.copy()
        # Both walks go the same way: what stands where a replaced node stood.
        pairs = list(zip(select.walk(), copy.walk(), strict=True))
        for node, twin in pairs:
            name = self._replaced.get(id(node))
            if name is not None and twin.parent is not None:
                twin.replace(self._read(node, name))
        copy.set("where", None)
        copy.set("with_", None)
        copy.set("from_", exp.From(this=exp.Table(this=exp.Identifier(this=table, quoted=True))))
        for item, own in zip(copy.expressions, self.scope.outputs, strict=False):
            if not isinstance(item, exp.Alias) and not own.name.startswith("EXPR$"):
                item.replace(exp.Alias(this=item.copy(), alias=exp.Identifier(this=own.name, quoted=True)))
        return copy


def _is_decimal(analysis: Analysis, node: Any) -> bool:
    kind = analysis.type_of(node)
    return kind is not None and kind.name == "DECIMAL"


def _check_plain(group: exp.Group) -> None:
    for key, value in group.args.items():
        if key != "expressions" and value:
            raise NotLoweredError(f"GROUP BY {key.upper()} is not split", group)
    for item in group.expressions:
        if isinstance(item, exp.GroupingSets | exp.Rollup | exp.Cube | exp.Tuple):
            raise NotLoweredError(f"GROUP BY {item.key.upper()} is not split", item)
