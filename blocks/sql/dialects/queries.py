"""SELECT and what may stand in its FROM, from sqlglot's form of another dialect to that of `beam`."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from blocks.sql.dialects.structure import Translator, put_place


def _unnest(of: Translator, node: exp.Unnest) -> Any:
    if len(node.expressions) != 1 or node.args.get("offset"):
        return of.refuse(node, "UNNEST of several arrays, or with positions")
    alias = node.args.get("alias")
    if alias is not None:
        columns = of.each(alias.args.get("columns") or ())
        # BigQuery's alias names the column and not the relation.
        name = alias.this if alias.this is not None else columns[0].copy()
        alias = exp.TableAlias(this=of.node(name) if alias.this is not None else name, columns=columns)
    return exp.Unnest(expressions=of.each(node.expressions), **({"alias": alias} if alias is not None else {}))


def _lateral_views(of: Translator, node: exp.Select) -> list[Any]:
    """Spark's LATERAL VIEW explode(x) t AS c, as CROSS JOIN UNNEST(x) AS t (c)."""
    joins = []
    for view in node.args.get("laterals") or ():
        call, alias = view.this, view.args.get("alias")
        if not isinstance(call, exp.Explode) or view.args.get("outer") or alias is None or not view.args.get("view"):
            of.refuse(view)
            continue
        columns = of.each(alias.args.get("columns") or ())
        named = exp.TableAlias(this=of.node(alias.this), columns=columns)
        unnested = exp.Unnest(expressions=[of.node(call.this)], alias=named)
        join = exp.Join(this=unnested, kind="CROSS")
        for one in (join, unnested, named):
            put_place(one, view)
        joins.append(join)
    return joins


def _select(of: Translator, node: exp.Select) -> Any:
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        fix = "use DeduplicateRows, or ROW_NUMBER() OVER (...) in a subquery"
        of.refuse(distinct, "DISTINCT ON", fix)
    instead: dict[str, Any] = {"distinct": exp.Distinct() if distinct is not None else None}
    instead["expressions"] = [one for item in node.expressions for one in _item(of, node, item)]
    views = _lateral_views(of, node)
    instead["laterals"] = None
    if views or node.args.get("joins"):
        instead["joins"] = [*of.each(node.args.get("joins") or ()), *views]
    group = node.args.get("group")
    if group is not None and group.args.get("all"):
        instead["group"] = _group_by_all(of, node, group)
    return of.same(node, **instead)


def _group_by_all(of: Translator, node: exp.Select, group: exp.Group) -> Any:
    items = [item.this if isinstance(item, exp.Alias) else item for item in node.expressions]
    if any(isinstance(item, exp.Star) or item.is_star for item in items):
        return of.refuse(group, "GROUP BY ALL with a star", "name the columns")
    keys = [item for item in items if not any(map(_aggregates, item.walk()))]
    return exp.Group(expressions=of.each(keys)) if keys else None


# Whether an item of SELECT has to be a key of GROUP BY ALL.
_LIBRARY_AGGREGATES = frozenset(
    {"top_k", "collect_list", "collect_set", "percentile", "approx_count_distinct", "weighted_avg", "first_by"}
    | {"last_by", "entropy", "geo_spread", "correlation"}
)


def _aggregates(node: Any) -> bool:
    return isinstance(node, exp.AggFunc) or (
        isinstance(node, exp.Anonymous) and str(node.this).lower() in _LIBRARY_AGGREGATES
    )


def _item(of: Translator, select: exp.Select, item: Any) -> list[Any]:
    """An item of SELECT; a star without some columns becomes the others."""
    star = item if isinstance(item, exp.Star) else item.this if isinstance(item, exp.Column) else None
    if not isinstance(star, exp.Star) or not any(star.args.values()):
        return [of.node(item)]
    source = select.args.get("from_")
    table: Any = source.this if source is not None else None
    single = isinstance(table, exp.Table) and not select.args.get("joins") and not select.args.get("laterals")
    name = of.names.of(table.this) if single and isinstance(table.this, exp.Identifier) else ""
    if name not in of.tables:
        return [of.refuse(item, "a star with EXCEPT or REPLACE over anything but one input", "name the columns")]
    if star.args.get("rename"):
        return [of.refuse(item, "a star with RENAME", "name the columns")]
    left_out = {of.names.of(one.this if isinstance(one, exp.Column) else one) for one in star.args.get("except_") or ()}
    replaced = {of.names.of(one.args["alias"]): of.node(one.this) for one in star.args.get("replace") or ()}
    found = []
    for column in of.tables[name].schema.names:
        if column in left_out:
            continue
        node: Any = exp.Column(this=exp.Identifier(this=column, quoted=False))
        if column in replaced:
            node = exp.Alias(this=replaced[column], alias=exp.Identifier(this=column, quoted=False))
        for one in node.walk():
            if not one.meta.get("line"):
                put_place(one, item)
        found.append(node)
    return found


QUERIES: dict[type[exp.Expr], Callable[[Translator, Any], Any]] = {exp.Select: _select, exp.Unnest: _unnest}
