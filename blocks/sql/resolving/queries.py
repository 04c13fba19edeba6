"""Resolves a query: every SELECT of it, from the inside out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Column, Found, Relation, Scope
from blocks.sql.dialect import function_name
from blocks.sql.dialect.nodes import children
from blocks.sql.places import place_of
from blocks.sql.problems import problem
from blocks.sql.resolving.lookup import Names, Unknown, look_up, parts_of, suggest
from blocks.sql.resolving.sources import UNSUPPORTED
from blocks.sql.types import TIMES, SqlType

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

_SUBQUERIES = (exp.Subquery, exp.Exists, exp.Any, exp.All)


@dataclass(frozen=True, slots=True)
class Output:
    """What a query gives: its columns, and the SELECTs behind them, one of each branch of a UNION."""

    columns: list[Column]
    scopes: list[Scope]


class Resolver:
    """Resolves one query.

    Args:
      analysis: gets what is found.
      registry: functions.
    """

    def __init__(self, analysis: Analysis, registry: "Registry") -> None:
        self.analysis, self.registry = analysis, registry
        self._typer = _typer(analysis, registry)
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
        return _SelectResolver(self, node, outer, withs).output()

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
        columns = [
            Column(name.name, column.type, column.source, column.scope, column.table, column.field)
            for name, column in zip(names, output.columns, strict=True)
        ]
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
        self._order_of_union(node, result)
        return result

    def _common(self, first: SqlType, second: SqlType, coerced: bool = True) -> SqlType | None:
        if "ANY" in (first.name, second.name):
            return first if second.name == "ANY" else second
        from blocks.sql.coercion import least_restrictive, wider_type

        return least_restrictive([first, second]) or (wider_type([first, second]) if coerced else None)

    def _order_of_union(self, node: Any, output: Output) -> None:
        order = node.args.get("order")
        if order is None:
            return
        relation = Relation("", "subquery", output.columns, node, output.scopes)
        names = Names(Scope(node))
        names.add(relation)
        for item in order.expressions:
            for column in item.find_all(exp.Column):
                self.column(column, names)

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
            scope.outputs.append(Column(f"EXPR${position}", kind, rows[0][position], scope))
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
        from blocks.sql.types import UnsupportedTypeError, from_arrow

        assert column.field is not None
        try:
            from_arrow(column.field)
        except UnsupportedTypeError as error:
            what = f"column `{column.name}` has the type {error.data_type}, which Beam SQL cannot hold"
            self.tell(node, "unsupported_type", what, error.fix)


class _SelectResolver:
    """Resolves one SELECT."""

    def __init__(self, outer: Resolver, node: exp.Select, names: Names | None, withs: dict[str, Output]) -> None:
        self._outer, self._node, self._withs = outer, node, withs
        self._scope = Scope(node, {}, names.scope if names else None)
        self._names = Names(self._scope, names)

    def output(self) -> Output:
        """Resolves it."""
        from blocks.sql.resolving.joins import FromResolver

        node, scope = self._node, self._scope
        FromResolver(self._outer, node, self._names, self._withs).resolve()
        self._names.aliases = {item.alias for item in node.expressions if isinstance(item, exp.Alias)}
        self._clause("where")
        for window in node.args.get("windows") or ():
            self._resolved(window)
        scope.outputs = self._items()
        by_name: dict[str, Column] = {}
        for column in scope.outputs:
            by_name.setdefault(column.name, column)
        self._group(by_name)
        self._clause("having", self._aliases(by_name, "having_alias"))
        self._clause("qualify", self._aliases(by_name, "having_alias"))
        self._order(by_name)
        grouping = any(node.args.get(key) is not None for key in ("group", "having"))
        scope.grouped = grouping or self._aggregates()
        self._outer.analysis.scopes.append(scope)
        return Output(scope.outputs, [scope])

    def _resolved(self, node: Any, alias: Callable[[Any], bool] | None = None) -> None:
        self._outer.expression(node, self._names, self._withs, alias)

    def _clause(self, key: str, alias: Callable[[Any], bool] | None = None) -> None:
        clause = self._node.args.get(key)
        if clause is not None:
            self._resolved(clause.this, alias)
            self._outer.type_of(clause.this)

    def _items(self) -> list[Column]:
        outputs: list[Column] = []
        for item in self._node.expressions:
            value = item.this if isinstance(item, exp.Alias) else item
            if isinstance(value, exp.Star) or (isinstance(value, exp.Column) and isinstance(value.this, exp.Star)):
                outputs.extend(self._star(value))
                continue
            self._resolved(value)
            name = item.alias if isinstance(item, exp.Alias) else _own_name(value) or f"EXPR${len(outputs)}"
            outputs.append(Column(name, self._outer.type_of(value), value, self._scope))
        return outputs

    def _star(self, node: Any) -> list[Column]:
        analysis, names = self._outer.analysis, self._names
        relations = list(self._scope.relations.values())
        if not relations:
            self._outer.tell(node, "syntax", "`*` without FROM", "write FROM and a table")
            return []
        if isinstance(node, exp.Column):
            names_before = parts_of(node)[:-1]
            alias = names_before[0]
            if len(names_before) > 1:
                return self._fields(node, names_before)
            relations = [one for one in relations if one.alias == alias.name]
            if not relations:
                known = [name for name in self._scope.relations if name]
                what = f"unknown table `{alias.name}`"
                self._outer.tell(alias, "unknown_table", what, suggest(alias.name, known, "tables"))
                return []
        shared = [] if isinstance(node, exp.Column) else list(names.shared.values())
        outputs: list[Column] = []
        for found in shared + [
            Found(relation, column, (), self._scope)
            for relation in relations
            for column in relation.columns
            if isinstance(node, exp.Column) or column.name not in names.shared
        ]:
            made = exp.Column(this=exp.Identifier(this=found.column.name, quoted=True))
            made._meta = node._meta
            analysis.found[id(made)] = found
            if found.column.type is UNSUPPORTED and found.column.field is not None:
                self._outer._unsupported(node, found.column)
            outputs.append(Column(found.column.name, self._outer.type_of(made), made, self._scope))
        return outputs

    def _fields(self, node: Any, parts: list[Any]) -> list[Column]:
        """The fields of a ROW: t.who.*."""
        result = look_up([part.name for part in parts], self._names)
        if isinstance(result, Unknown):
            self._outer.tell(parts[min(result.part, len(parts) - 1)], result.code, result.what, result.fix)
        if result is None or isinstance(result, Unknown):
            return []
        found, kind = result[0], result[0].column.type
        for name in found.path:
            kind = kind.inner[kind.names.index(name)]
        shown = ".".join(part.name for part in parts)
        if kind.name != "ROW" or any(inner.name == "ROW" for inner in kind.inner):
            what = f"`{shown}.*`: `{shown}` is {kind}" + ("" if kind.name != "ROW" else ", with a ROW in it")
            self._outer.tell(node, "unsupported", what, "write its fields one by one")
            return []
        outputs: list[Column] = []
        for name in kind.names:
            made = exp.Column(this=exp.Identifier(this=name, quoted=True))
            made._meta = node._meta
            self._outer.analysis.found[id(made)] = Found(found.relation, found.column, (*found.path, name), found.scope)
            outputs.append(Column(name, self._outer.type_of(made), made, self._scope))
        return outputs

    def _aliases(self, by_name: dict[str, Column], rule: str) -> Callable[[Any], bool]:
        """Takes columns that are aliases of the SELECT and not columns of its relations."""

        def take(node: Any) -> bool:
            if node.args.get("table") is not None or node.name not in by_name or self._names.having(node.name):
                return False
            self._means_output(node, by_name[node.name])
            if rule:
                self._outer.analysis.tolerated.append((rule, node))
            return True

        return take

    def _means_output(self, node: Any, column: Column) -> None:
        relation = Relation("", "subquery", self._scope.outputs, self._node, [self._scope])
        self._outer.analysis.found[id(node)] = Found(relation, column, (), self._scope)

    def _group(self, by_name: dict[str, Column]) -> None:
        group = self._node.args.get("group")
        if group is None:
            return
        alias = self._aliases(by_name, "group_alias")
        for item in group.expressions:
            number = _ordinal(item)
            if number is not None:
                self._ordinal(item, number, "GROUP BY", "group_ordinal")
                continue
            self._resolved(item, alias)
            if not isinstance(item, exp.GroupingSets | exp.Rollup | exp.Cube | exp.Tuple):
                self._outer.type_of(item)

    def _ordinal(self, node: Any, number: int, clause: str, rule: str) -> None:
        outputs = self._scope.outputs
        if not 1 <= number <= len(outputs):
            what = f"{clause} {number}, and there are {len(outputs)} columns"
            self._outer.tell(node, "unknown_column", what, "name the column")
        elif rule:
            self._outer.analysis.tolerated.append((rule, node))

    def _order(self, by_name: dict[str, Column]) -> None:
        order = self._node.args.get("order")
        if order is None:
            return

        def alias(node: Any) -> bool:
            # Of ORDER BY an alias comes before a column of the tables.
            if node.args.get("table") is not None or node.name not in by_name:
                return False
            self._means_output(node, by_name[node.name])
            return True

        for item in order.expressions:
            number = _ordinal(item.this)
            if number is not None:
                self._ordinal(item.this, number, "ORDER BY", "")
                continue
            self._resolved(item.this, alias)
            self._outer.type_of(item.this)

    def _aggregates(self) -> bool:
        from blocks.sql.resolving.aggregates import has_aggregate

        return any(has_aggregate(item, self._outer.registry) for item in self._node.expressions)


def _own_name(node: Any) -> str:
    while isinstance(node, exp.Paren) and not node.meta.get("plus"):
        node = node.this
    return node.name if isinstance(node, exp.Column) else function_name(node) if _is_context(node) else ""


def _is_context(node: Any) -> bool:
    from blocks.sql.dialect.words import CONTEXT_WORDS

    return function_name(node).upper() in CONTEXT_WORDS and not node.expressions


def _ordinal(node: Any) -> int | None:
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal():
        return int(node.name)
    return None


def _typer(analysis: Analysis, registry: "Registry") -> Any:
    from blocks.sql.typing import Typer

    return Typer(analysis, registry)
