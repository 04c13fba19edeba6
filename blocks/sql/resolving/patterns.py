"""Resolves MATCH_RECOGNIZE: the variables of its pattern are names for the rows of its table."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Column, Found, Relation, Scope
from blocks.sql.dialect import function_name
from blocks.sql.dialect.nodes import walk
from blocks.sql.resolving.lookup import Names

if TYPE_CHECKING:
    from blocks.sql.resolving.queries import Resolver
    from blocks.sql.resolving.sources import Output


NAVIGATION = ("FIRST", "LAST", "PREV", "NEXT", "RUNNING", "FINAL")


def matched(
    outer: "Resolver", relation: Relation, match: exp.MatchRecognize, names: Names, withs: "dict[str, Output]"
) -> Relation:
    """What FROM t MATCH_RECOGNIZE (...) AS T gives: the columns of PARTITION BY, and the measures."""
    scope = Scope(match, {}, names.scope.parent)
    plain = Names(scope, names.outer)
    plain.add(Relation(relation.alias, relation.kind, relation.columns, relation.node, relation.scopes))
    partition = list(match.args.get("partition_by") or ())
    ordered = [item.this for item in match.args["order"].expressions] if match.args.get("order") is not None else []
    for item in (*partition, *ordered):
        outer.expression(item, plain, withs)
        outer.type_of(item)
    _refuse(outer, match)
    variables = _variables(match)
    within = Names(Scope(match, {}, names.scope.parent), names.outer)
    # A column without a variable means every row.
    within.add(Relation(relation.alias, relation.kind, relation.columns, relation.node, relation.scopes))
    for name in variables:
        within.columns[name] = within.columns[relation.alias]
        within.scope.relations[name] = Relation(name, relation.kind, relation.columns, relation.node, relation.scopes)
    return _result(outer, relation, match, _Pattern(within, relation.alias), withs, partition)


def _refuse(outer: "Resolver", match: exp.MatchRecognize) -> None:
    """What Beam's planner fails on."""
    rows = match.args.get("rows")
    if rows is not None and rows.name.upper().startswith("ALL"):
        outer.tell(rows, "unsupported", f"{rows.name.upper()} of MATCH_RECOGNIZE", "write ONE ROW PER MATCH")
    if not match.args.get("measures"):
        outer.tell(match, "unsupported", "MATCH_RECOGNIZE without MEASURES", "add MEASURES A.column AS name")


def _typed(outer: "Resolver", node: Any) -> None:
    """Gives FIRST, LAST, PREV and NEXT, which only patterns have, the type of what they lead to."""
    for one in reversed(list(walk(node))):
        if function_name(one).upper() in NAVIGATION and one.expressions:
            outer.analysis.types[id(one)] = outer.type_of(one.expressions[0]).null()


class _Pattern(Names):
    """Names in DEFINE and MEASURES: a plain name is a column of the table, once, whatever variables there are."""

    def __init__(self, names: Names, alias: str) -> None:
        super().__init__(names.scope, names.outer, names.shared, names.columns)
        self.shared = {}
        self._alias = alias

    def having(self, name: str) -> list[Found]:
        """The column of the table."""
        found = super().having(name)
        return [one for one in found if one.relation.alias == self._alias]


def _variables(match: exp.MatchRecognize) -> list[str]:
    pattern = match.args["pattern"].name
    defined = [define.alias for define in match.args.get("define") or ()]
    words = "".join(sign if sign.isalnum() or sign in "_$" else " " for sign in pattern).split()
    return list(dict.fromkeys([*(word for word in words if not word.isdigit()), *defined]))


def _result(
    outer: "Resolver",
    relation: Relation,
    match: exp.MatchRecognize,
    names: Names,
    withs: "dict[str, Output]",
    partition: list[exp.Expr],
) -> Relation:
    columns = [Column(item.name, outer.type_of(item), item, names.scope) for item in partition]
    for measure in match.args.get("measures") or ():
        alias = measure.this
        outer.expression(alias.this, names, withs)
        _typed(outer, alias.this)
        columns.append(Column(alias.alias, outer.type_of(alias.this), alias.this, names.scope))
    for define in match.args.get("define") or ():
        outer.expression(define.this, names, withs)
        _typed(outer, define.this)
        outer.type_of(define.this)
    names.scope.outputs = columns
    outer.analysis.scopes.append(names.scope)
    alias = match.args.get("alias")
    name = alias.this.name if alias is not None else relation.alias
    given = [
        replace(one, name=new.name)
        for new, one in zip((alias.args.get("columns") if alias is not None else None) or (), columns, strict=False)
    ]
    return Relation(name, "subquery", given or columns, match, [names.scope])
