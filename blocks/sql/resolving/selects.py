"""Resolves one SELECT: its items, GROUP BY, HAVING and ORDER BY."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Column, Found, Relation, Scope
from blocks.sql.dialect import function_name
from blocks.sql.dialect.words import CONTEXT_WORDS
from blocks.sql.resolving.aggregates import has_aggregate
from blocks.sql.resolving.joins import FromResolver
from blocks.sql.resolving.lookup import Names, Unknown, look_up, parts_of, suggest
from blocks.sql.resolving.sources import UNSUPPORTED, Output

if TYPE_CHECKING:
    from blocks.sql.resolving.queries import Resolver


class SelectResolver:
    """Resolves one SELECT.

    Args:
      outer: the resolver of the query.
      node: the SELECT.
      names: of the SELECT around it, None for the outermost.
      withs: queries of WITH that it sees.
    """

    def __init__(self, outer: "Resolver", node: exp.Select, names: Names | None, withs: dict[str, Output]) -> None:
        self._outer, self._node, self._withs = outer, node, withs
        self._scope = Scope(node, {}, names.scope if names else None)
        self._names = Names(self._scope, names)

    def output(self) -> Output:
        """Resolves it."""
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
            number = ordinal(item)
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
            number = ordinal(item.this)
            if number is not None:
                self._ordinal(item.this, number, "ORDER BY", "")
                continue
            self._resolved(item.this, alias)
            self._outer.type_of(item.this)

    def _aggregates(self) -> bool:
        return any(has_aggregate(item, self._outer.registry) for item in self._node.expressions)


def _own_name(node: Any) -> str:
    while isinstance(node, exp.Paren) and not node.meta.get("plus"):
        node = node.this
    return node.name if isinstance(node, exp.Column) else function_name(node) if _is_context(node) else ""


def _is_context(node: Any) -> bool:
    return function_name(node).upper() in CONTEXT_WORDS and not node.expressions


def ordinal(node: Any) -> int | None:
    """The number that stands for a column in GROUP BY or ORDER BY; None for anything else."""
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal():
        return int(node.name)
    return None
