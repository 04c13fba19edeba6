"""Resolves FROM: inputs, subqueries, joins, UNNEST and table functions."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Column, Found, Relation
from blocks.sql.dialect import function_name
from blocks.sql.resolving.lookup import Missing, Names, suggest
from blocks.sql.resolving.patterns import matched
from blocks.sql.resolving.sources import ORDINALITY, Output, columns_of, unnested

if TYPE_CHECKING:
    from blocks.sql.resolving.queries import Resolver

WINDOW_FUNCTIONS = ("TUMBLE", "HOP", "SESSION")


class FromResolver:
    """Resolves the FROM of one SELECT.

    Args:
      outer: the resolver of the query.
      node: the SELECT.
      names: get the relations.
      withs: queries of WITH that it sees.
    """

    def __init__(self, outer: "Resolver", node: exp.Select, names: Names, withs: dict[str, Output]) -> None:
        self._outer, self._node, self._names, self._withs = outer, node, names, withs

    def resolve(self) -> None:
        """Resolves all of it."""
        from_ = self._node.args.get("from_")
        if from_ is None:
            return
        match = self._node.args.get("match")
        self._source(from_.this, match)
        for join in self._node.args.get("joins") or ():
            self._join(join)

    def _join(self, node: exp.Join) -> None:
        before = list(self._names.scope.relations.values())
        self._source(node.this)
        after = [one for one in self._names.scope.relations.values() if one not in before]
        side = node.side
        if side in ("LEFT", "FULL"):
            self._make_optional(after)
        if side in ("RIGHT", "FULL"):
            self._make_optional(before)
        on = node.args.get("on")
        if on is not None:
            self._outer.expression(on, self._names, self._withs)
            self._outer.type_of(on)
        if node.args.get("using"):
            for name in node.args["using"]:
                self._share(name.name, name, before, after)
        elif node.method == "NATURAL":
            left = {column.name for one in before for column in one.columns}
            for name in [column.name for one in after for column in one.columns if column.name in left]:
                self._share(name, node, before, after)

    def _make_optional(self, relations: list[Relation]) -> None:
        for relation in relations:
            relation.optional = True
            for column in relation.columns:
                column.type = column.type.null()

    def _share(self, name: str, node: Any, before: list[Relation], after: list[Relation]) -> None:
        names = self._names
        shared = names.shared.get(name)
        left = [shared] if shared else self._having(name, before)
        right = self._having(name, after)
        for found, relations in ((left, before), (right, after)):
            if not found:
                known = [column.name for one in relations for column in one.columns]
                aliases = ", ".join(one.alias for one in relations)
                self._outer.tell(node, "unknown_column", f"no column `{name}` in {aliases}", suggest(name, known))
            elif len(found) > 1:
                what = f"ambiguous column `{name}` in USING"
                self._outer.tell(node, "ambiguous_column", what, "write ON with the tables' names")
        if left and right:
            # Of a FULL JOIN the value is that of the side which has one.
            one, other = (right[0], left[0]) if left[0].relation.optional else (left[0], right[0])
            names.shared[name] = replace(one, beside=other) if one.relation.optional else one
            names.scope.compared.append((one, other))

    def _having(self, name: str, relations: list[Relation]) -> list[Found]:
        scope = self._names.scope
        return [
            Found(one, column, (), scope)
            for one in relations
            for column in self._names.columns[one.alias].get(name, ())
        ]

    def _source(self, node: Any, match: Any = None) -> None:
        if isinstance(node, exp.Paren):
            self._source(node.this)
            for join in node.this.args.get("joins") or ():
                self._join(join)
            return
        relation = self._relation(node)
        if match is not None:
            relation = matched(self._outer, relation, match, self._names, self._withs)
        if relation.alias and relation.alias in self._names.scope.relations:
            what = f"two tables of the name `{relation.alias}` in FROM"
            self._outer.tell(node, "repeated_alias", what, "give one of them another name: FROM t AS a, t AS b")
            return
        alias = relation.alias
        while not alias or alias in self._names.scope.relations:
            # A subquery without a name: its columns are found, and it is not.
            alias = f"\0{len(self._names.scope.relations)}"
        if alias != relation.alias:
            relation.alias = alias
        self._names.add(relation)

    def _relation(self, node: Any) -> Relation:
        if isinstance(node, exp.Table):
            return self._table(node)
        if isinstance(node, exp.Unnest):
            return self._unnest(node)
        if isinstance(node, exp.TableFromRows):
            return self._table_function(node)
        lateral = isinstance(node, exp.Lateral)
        inner = node.this if lateral else node
        names = self._names if lateral else self._names.outer
        output = self._outer.query(inner, names, self._withs)
        kind = "values" if isinstance(node, exp.Values) else "subquery"
        return self._named(node, "", kind, output)

    def _named(self, node: Any, name: str, kind: Any, output: Output) -> Relation:
        alias = node.args.get("alias")
        if alias is not None:
            name = alias.this.name if alias.this is not None else name
            output = self._outer._renamed(output, alias.args.get("columns") or (), node)
        columns = [replace(one) for one in output.columns]
        return Relation(name, kind, columns, node, output.scopes)

    def _table(self, node: exp.Table) -> Relation:
        name, tables = node.name, self._outer.analysis.tables
        schema = node.args.get("db")
        if schema is None and name in self._withs:
            return self._named(node, name, "with", self._withs[name])
        table = tables.get(name)
        if table is None or (schema is not None and (schema.name != "beam" or node.args.get("catalog") is not None)):
            known = [*tables, *self._withs]
            shown = name if schema is None else f"{schema.name}.{name}"
            at = node.this if schema is None or table is None else schema
            self._outer.tell(at, "unknown_table", f"unknown table `{shown}`", suggest(name, known, "tables"))
            return Missing(node.alias or name, "table", [], node)
        return self._named(node, name, "table", Output(columns_of(table), []))

    def _unnest(self, node: exp.Unnest) -> Relation:
        outer = self._outer
        columns: list[Column] = []
        alias = node.args.get("alias")
        name = alias.this.name if alias is not None else ""
        for item in node.expressions:
            outer.expression(item, self._names, self._withs)
            kind = outer.type_of(item)
            given = unnested(kind)
            if given is None:
                outer.tell(item, "wrong_type", f"UNNEST of {kind}", "UNNEST takes an ARRAY or a MAP")
                given = []
            for label, inner in given:
                columns.append(Column(label or name or f"EXPR${len(columns)}", inner, item, self._names.scope))
        if node.args.get("offset"):
            columns.append(Column("ORDINALITY", ORDINALITY, None, self._names.scope))
        if not columns:
            return Missing(name, "unnest", [], node)
        return self._named(node, name, "unnest", Output(columns, []))

    def _table_function(self, node: exp.TableFromRows) -> Relation:
        call = node.this
        name = function_name(call)
        if name.upper() not in WINDOW_FUNCTIONS:
            fix = "there is: TUMBLE, HOP, SESSION; a function of the library stands in SELECT"
            self._outer.tell(call, "unknown_function", f"no table function `{name}`", fix)
            return Missing(node.alias, "subquery", [], node)
        what = f"TABLE({name.upper()}(...)) fails in Beam 2.70 when the pipeline is built"
        fix = (
            f"write GROUP BY {name.upper()}(time, INTERVAL '1' HOUR), with {name.upper()}_START and {name.upper()}_END"
        )
        self._outer.tell(node, "unsupported", what, fix)
        return Missing(node.alias, "subquery", [], node)
