"""Resolves a query: every SELECT of it, from the inside out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Column, Relation, Scope
from blocks.sql.coercion import least_restrictive, wider_type
from blocks.sql.dialect.nodes import children
from blocks.sql.places import place_of
from blocks.sql.problems import problem
from blocks.sql.resolving.lookup import Names, Unknown, look_up, parts_of
from blocks.sql.resolving.selects import SelectResolver, ordinal
from blocks.sql.resolving.sources import UNSUPPORTED, Output
from blocks.sql.types import TIMES, SqlType, UnsupportedTypeError, from_arrow
from blocks.sql.typing import Typer

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

_SUBQUERIES = (exp.Subquery, exp.Exists, exp.Any, exp.All)


class Resolver:
    """Resolves one query.

    Args:
      analysis: gets what is found.
      registry: functions.
    """

    def __init__(self, analysis: Analysis, registry: "Registry") -> None:
        self.analysis, self.registry = analysis, registry
        self._typer = Typer(analysis, registry)
        self._names: dict[int, Names] = {}

    def resolve(self) -> None:
        """Resolves the whole query."""
        output = self.query(self.analysis.tree, None, {})
        self.analysis.root = output.scopes
        self.analysis.tolerated.sort(key=lambda noted: (place_of(noted[1]).line, place_of(noted[1]).column))

    def tell(self, node: Any, code: str, what: str, fix: str) -> None:
        """Notes a problem."""
        analysis = self.analysis
        found = problem(analysis.text, place_of(node), code, what, fix, source=analysis.source)
        if found not in analysis.problems:
            analysis.problems.append(found)

    def query(self, node: Any, outer: Names | None, withs: dict[str, Output]) -> Output:
        """Resolves a query.

        Args:
          node: Select, Subquery, set operation or Values.
          outer: names of the SELECT around it.
          withs: queries of WITH that it sees.
        """
        with_ = node.args.get("with_")
        if with_ is not None:
            withs = self._withs(with_, outer, withs)
        if isinstance(node, exp.Subquery):
            return self.query(node.this, outer, withs)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer, withs)
        if isinstance(node, exp.Values):
            return self._values(node, outer, withs)
        return SelectResolver(self, node, outer, withs).output()

    def _withs(self, node: exp.With, outer: Names | None, withs: dict[str, Output]) -> dict[str, Output]:
        seen = dict(withs)
        for item in node.expressions:
            name, inner = item.alias, item.this
            output = self.query(inner, outer, seen)
            columns = item.args["alias"].args.get("columns") or []
            seen[name] = self._renamed(output, columns, item)
        return seen

    def _renamed(self, output: Output, names: Sequence[Any], node: Any) -> Output:
        if not names:
            return output
        if len(names) != len(output.columns):
            what = f"{len(names)} names for {len(output.columns)} columns"
            self.tell(names[0], "syntax", what, "give each column a name")
            return Output([Column(name.name, UNSUPPORTED) for name in names], output.scopes)
        columns = [replace(column, name=name.name) for name, column in zip(names, output.columns, strict=True)]
        return Output(columns, output.scopes)

    def _set_operation(self, node: exp.SetOperation, outer: Names | None, withs: dict[str, Output]) -> Output:
        left = self.query(node.this, outer, withs)
        right = self.query(node.expression, outer, withs)
        word = type(node).__name__.upper()
        if len(left.columns) != len(right.columns):
            if left.columns and right.columns:
                what = f"{word} of {len(left.columns)} and {len(right.columns)} columns"
                self.tell(node.expression, "wrong_type", what, "give both sides the same columns")
            return Output(left.columns, left.scopes)
        for position, (first, second) in enumerate(zip(left.columns, right.columns, strict=True)):
            kind = self._common(first.type, second.type)
            if kind is None:
                what = f"column {position + 1} of {word} is {first.type} on one side and {second.type} on the other"
                self.tell(node.expression, "wrong_type", what, "CAST one of them to the type of the other")
                continue
            if kind.name in TIMES and not {first.type.name, second.type.name} <= {*TIMES, "NULL"}:
                what = f"{word} of {first.type} and {second.type}: Beam cannot make one column of them"
                self.tell(node.expression, "unsupported", what, "CAST one of them to the type of the other")
            # The columns of the whole are those of its first branch.
            first.type = kind
        result = Output(left.columns, left.scopes + right.scopes)
        if not isinstance(node, exp.Union):
            _choose(result.scopes, [column for scope in result.scopes for column in scope.outputs])
        self._order_of_union(node, result)
        return result

    def _common(self, first: SqlType, second: SqlType, coerced: bool = True) -> SqlType | None:
        if "ANY" in (first.name, second.name):
            return first if second.name == "ANY" else second
        return least_restrictive([first, second]) or (wider_type([first, second]) if coerced else None)

    def _order_of_union(self, node: Any, output: Output) -> None:
        order = node.args.get("order")
        if order is None:
            return
        relation = Relation("", "subquery", output.columns, node, output.scopes)
        names = Names(Scope(node))
        names.add(relation)
        by: list[Column] = []
        for item in order.expressions:
            for column in item.find_all(exp.Column):
                self.column(column, names)
            number = ordinal(item.this)
            if number is None:
                by.append(Column("", UNSUPPORTED, item.this, names.scope))
            elif 1 <= number <= len(output.columns):
                by.extend(scope.outputs[number - 1] for scope in output.scopes)
        if node.args.get("limit") is not None or node.args.get("offset") is not None:
            _choose(output.scopes, by)

    def _values(self, node: exp.Values, outer: Names | None, withs: dict[str, Output]) -> Output:
        scope = Scope(node, {}, outer.scope if outer else None)
        names = Names(scope, outer)
        rows = [row.expressions for row in node.expressions]
        width = len(rows[0])
        for row, written in zip(rows, node.expressions, strict=True):
            if len(row) != width:
                self.tell(
                    written, "wrong_type", f"a row of {len(row)} values beside one of {width}", "give all the same"
                )
            for value in row:
                self.expression(value, names, withs)
        scope.outputs = []
        for position in range(width):
            kinds = [self.type_of(row[position]) for row in rows if len(row) > position]
            kind = kinds[0]
            for other in kinds[1:]:
                common = self._common(kind, other, coerced=False)
                if common is None:
                    what = f"column {position + 1} of VALUES is {kind} in one row and {other} in another"
                    self.tell(node, "wrong_type", what, "CAST them to one type")
                    break
                kind = common
            if "DOUBLE" in (kind.name, *(one.name for one in kinds)) and any(one.name != "DOUBLE" for one in kinds):
                what = "VALUES of DOUBLE and other numbers in one column"
                self.tell(node, "unsupported", what, "write all with an exponent, or none: 1e0")
            first, *others = (row[position] for row in rows if len(row) > position)
            scope.outputs.append(Column(f"EXPR${position}", kind, first, scope, others=tuple(others)))
        self.analysis.scopes.append(scope)
        return Output(scope.outputs, [scope])

    def type_of(self, node: Any) -> SqlType:
        """The type of an expression; ANY where it has a problem."""
        return self._typer.of(node) or UNSUPPORTED

    def expression(
        self, node: Any, names: Names, withs: dict[str, Output], alias: Callable[[Any], bool] | None = None
    ) -> None:
        """Resolves the names in an expression, and the queries in it.

        Args:
          node: the expression.
          names: that it sees.
          withs: queries of WITH that it sees.
          alias: takes a column that may be an alias of the SELECT; says whether it is one.
        """
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if isinstance(one, exp.Column):
                if not isinstance(one.this, exp.Star) and not (alias is not None and alias(one)):
                    self.column(one, names)
            elif isinstance(one, _SUBQUERIES):
                output = self.query(one.this, names, withs)
                self.analysis.subqueries[id(one)] = self.analysis.subqueries[id(one.this)] = output.scopes
            elif isinstance(one, exp.Table):
                continue
            else:
                waiting.extend(reversed(children(one)))

    def column(self, node: exp.Column, names: Names) -> None:
        """Resolves one column."""
        identifiers = parts_of(node)
        result = look_up([part.name for part in identifiers], names)
        if isinstance(result, Unknown):
            self.tell(identifiers[min(result.part, len(identifiers) - 1)], result.code, result.what, result.fix)
            return
        if result is None:
            return
        found, rule = result
        self.analysis.found[id(node)] = found
        if rule:
            self.analysis.tolerated.append((rule, node))
        if found.column.type is UNSUPPORTED and found.column.field is not None:
            self._unsupported(node, found.column)

    def _unsupported(self, node: Any, column: Column) -> None:
        assert column.field is not None
        try:
            from_arrow(column.field)
        except UnsupportedTypeError as error:
            what = f"column `{column.name}` has the type {error.data_type}, which Beam SQL cannot hold"
            self.tell(node, "unsupported_type", what, error.fix)


def _choose(scopes: list[Scope], columns: list[Column]) -> None:
    """Notes that the rows of SELECTs depend on columns."""
    for scope in scopes:
        scope.chosen_by.extend(columns)
