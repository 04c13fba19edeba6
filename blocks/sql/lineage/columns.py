"""Where the output columns of a query come from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from sqlglot import exp

from blocks.core import labels
from blocks.core.labels import PUBLIC, Leaf, Masked
from blocks.shaping.expressions.columns import merged_labels, unlabelled_beside_private
from blocks.sql.analysis import Analysis, Call, Column, Found, Relation, Scope
from blocks.sql.dialect import function_name
from blocks.sql.functions.model import Declassifies
from blocks.sql.lineage.declassifying import conjuncts, domain_of, hidden_arguments, large_groups, marked

# Aggregates whose result is one of the values, as it was.
_ONE_OF_THEM = frozenset({"MIN", "MAX", "ANY_VALUE"})


@dataclass(frozen=True, slots=True)
class OutputLabels:
    """Labels of an output column.

    Attributes:
      names: all of them; empty where a column that it comes from has none.
      masked: how it was masked, where that holds for the whole column.
      mixed: (unlabelled column, private label) where it is made of both, which is an error.
      bare: the field, where the column is a column or field of an input and nothing else, in every branch of a UNION.
    """

    names: frozenset[str]
    masked: Masked | None
    mixed: tuple[str, str] | None
    bare: pa.Field | None


@dataclass(frozen=True, slots=True)
class _Part:
    """A leaf that a value is made of.

    Attributes:
      leaf: path, labels and mask.
      whole: whether the value is the leaf's as it is, so that its mask still holds.
    """

    leaf: Leaf
    whole: bool = True


_Parts = tuple[_Part, ...]


class Lineage:
    """Where the output columns of a query come from.

    Args:
      analysis: names resolved, calls found.
      min_group: as in `label_outputs`.
    """

    def __init__(self, analysis: Analysis, min_group: int | None = None) -> None:
        self.analysis, self._min_group = analysis, min_group
        self._scopes = {id(scope.select): scope for scope in analysis.scopes}
        self._columns: dict[int, _Parts] = {}
        self._chosen_by: dict[int, _Parts] = {}

    def outputs(self) -> list[OutputLabels]:
        """Labels of every output column, in order."""
        chosen = self._rows_of_query(self.analysis.tree, self.analysis.root)
        count = len(self.analysis.outputs())
        return [self._output(list(self.analysis.branches(place)), chosen) for place in range(count)]

    def reads(self) -> dict[str, set[str]]:
        """Names of the columns of each input that the query reads anywhere, by the input's name."""
        found: dict[str, set[str]] = {name: set() for name in self.analysis.tables}
        for one in self.analysis.found.values():
            if one.column.table is not None and one.column.field is not None:
                found[one.column.table.name].add(one.column.field.name)
        return found

    def begins_window(self, place: int) -> bool:
        """Whether an output column is the begin of windows of the event time, in every branch."""
        sources = [column.source for column in self.analysis.branches(place)]
        return bool(sources) and all(self._begins_window(node) for node in sources)

    def _begins_window(self, node: Any) -> bool:
        if node is None or function_name(node).upper() not in ("TUMBLE_START", "HOP_START", "SESSION_START"):
            return False
        found = self.analysis.found.get(id(node.expressions[0])) if node.expressions else None
        return found is not None and found.column.field is not None and labels.is_event_time(found.column.field)

    def leaves(self, node: Any) -> list[Leaf]:
        """The leaves that the value of an expression of the query is made of."""
        return [part.leaf for part in self._of(node)]

    def _output(self, branches: Sequence[Column], chosen: _Parts) -> OutputLabels:
        parts = [part for column in branches for part in self._of_column(column)]
        leaves = [part.leaf if part.whole else replace(part.leaf, masked=None) for part in parts]
        # A row that was chosen by a private value tells of it.
        leaves.extend(part.leaf for part in chosen if part.leaf.labels - {PUBLIC})
        private = [leaf.masked for leaf in leaves if leaf.labels - {PUBLIC}]
        masked = private[0] if private and all(one == private[0] for one in private) else None
        bare = [self._bare(column) for column in branches]
        same = bare[0] is not None and all(one is not None and one.equals(bare[0], True) for one in bare)
        return OutputLabels(merged_labels(leaves), masked, unlabelled_beside_private(leaves), bare[0] if same else None)

    # Values.

    def _of_column(self, column: Column) -> _Parts:
        known = self._columns.get(id(column))
        if known is None:
            # A circle there cannot be; the entry only guards against one.
            self._columns[id(column)] = ()
            known = self._columns[id(column)] = tuple(self._column_parts(column))
        return known

    def _column_parts(self, column: Column) -> Iterator[_Part]:
        if column.source is not None:
            yield from self._of(column.source)
        elif column.field is not None:
            yield from (_Part(leaf) for leaf in labels.leaves_of(column.field))

    def _of(self, node: Any) -> _Parts:
        """The leaves that the value of an expression is made of."""
        if isinstance(node, exp.Column):
            found = self.analysis.found.get(id(node))
            return self._of_found(found) if found is not None else ()
        if id(node) in self.analysis.subqueries:
            return self._of_subquery(node)
        call = self.analysis.calls.get(id(node))
        if call is not None and call.function.declassifies is not None:
            hidden = self._declassified(node, call, call.function.declassifies)
            if hidden is not None:
                return hidden
        parts = self._of_children(node)
        same = isinstance(node, exp.Paren) or function_name(node).upper() in _ONE_OF_THEM
        return parts if same else tuple(replace(part, whole=False) for part in parts)

    def _of_children(self, node: Any) -> _Parts:
        return tuple(part for child in node.iter_expressions() for part in self._of(child))

    def _of_subquery(self, node: Any) -> _Parts:
        scopes = self.analysis.subqueries[id(node)]
        outputs = () if isinstance(node, exp.Exists) else [column for scope in scopes for column in scope.outputs]
        values = [part for column in outputs for part in self._of_column(column)]
        # `x > ALL (...)` and IN choose among the values; a scalar subquery is its value.
        return (*values, *(replace(part, whole=False) for part in self._rows_of_query(node.this, scopes)))

    def _of_found(self, found: Found) -> _Parts:
        relation, column = found.relation, found.column
        if relation.scopes:
            place = next((at for at, one in enumerate(relation.columns) if one is column), None)
            behind = [
                one for scope in relation.scopes for one in (scope.outputs if place is None else [scope.outputs[place]])
            ]
            parts = tuple(part for one in behind for part in self._of_column(one))
            return _below(parts, found.path)
        if column.field is not None:
            field = column.field
            inherited = _Inherited(field)
            for name in found.path:
                field = inherited.child(field, name)
            return tuple(_Part(leaf) for leaf in inherited.leaves(field))
        if column.source is not None:
            return _below(self._of_column(column), found.path)
        # Made by the relation: the value of UNNEST, the window of a table function, a measure of MATCH_RECOGNIZE.
        node = relation.node
        inside = [self._of(one) for one in node.find_all(exp.Column)] if node is not None else []
        others = [self._of_column(one) for one in relation.columns if one is not column and one.field is not None]
        return tuple(replace(part, whole=False) for parts in (*inside, *others) for part in parts)

    # Which rows there are.

    def _rows_of_query(self, query: Any, scopes: Iterable[Scope]) -> _Parts:
        """What chooses the rows of a query, all its branches together."""
        parts = [part for scope in scopes for part in self._rows_of(scope)]
        for node in _set_operations(query):
            if isinstance(node, exp.Intersect | exp.Except):
                # Whether a row is there depends on every value on the other side.
                for select in node.expression.find_all(exp.Select):
                    other = self._scopes.get(id(select))
                    if other is not None:
                        parts.extend(part for column in other.outputs for part in self._of_column(column))
        return tuple(parts)

    def _rows_of(self, scope: Scope) -> _Parts:
        known = self._chosen_by.get(id(scope))
        if known is None:
            self._chosen_by[id(scope)] = ()
            parts = (part for part in self._row_parts(scope) if part.leaf.masked is None)
            known = self._chosen_by[id(scope)] = tuple(parts)
        return known

    def _row_parts(self, scope: Scope) -> Iterator[_Part]:
        select = scope.select
        for relation in scope.relations.values():
            inner = _query_of(relation)
            if relation.scopes:
                yield from self._rows_of_query(inner, relation.scopes)
        for condition in _conditions(select):
            for one in conjuncts(condition):
                if not self._is_join(one):
                    yield from self._of(one)
        if select.args.get("limit") is not None or select.args.get("offset") is not None:
            order = select.args.get("order")
            for item in order.expressions if order is not None else ():
                yield from self._of_ordered(item.this, scope)
        match = select.args.get("match")
        for column in match.find_all(exp.Column) if match is not None else ():
            yield from self._of(column)

    def _of_ordered(self, node: Any, scope: Scope) -> _Parts:
        if isinstance(node, exp.Literal) and node.name.isdigit() and 1 <= int(node.name) <= len(scope.outputs):
            return self._of_column(scope.outputs[int(node.name) - 1])
        return self._of(node)

    def _is_join(self, node: Any) -> bool:
        """Whether a condition only says which rows of two relations belong together."""
        if not isinstance(node, exp.EQ | exp.NullSafeEQ):
            return False
        sides = [self.analysis.found.get(id(side)) for side in (node.this, node.expression)]
        return all(side is not None for side in sides) and sides[0].relation is not sides[1].relation  # type: ignore[union-attr]

    # Functions that take labels away.

    def _declassified(self, node: Any, call: Call, rule: Declassifies) -> _Parts | None:
        """The leaves of a call that takes labels away; None where it does not."""
        split = hidden_arguments(call, rule)
        if rule.group and not large_groups(node, self._min_group):
            # A small group is a person: what is counted in it tells of the keys that it is named by.
            return (*self._of_children(node), *self._of_keys(node))
        if split is None:
            return None
        hidden, others = split
        rest = tuple(replace(part, whole=False) for one in others.values() for part in self._of(one))
        if not rule.gives:
            return rest
        parts = [part for one in hidden.values() for part in self._of(one)]
        domain = domain_of(part.leaf for part in parts)
        found = [marked(part.leaf, rule, others, domain) for part in parts]
        if any(one is None for one in found):
            return None
        return (*(_Part(one) for one in found if one is not None), *rest)

    def _of_keys(self, node: Any) -> _Parts:
        """The leaves of the keys of the group that an aggregate is computed in."""
        select = node.find_ancestor(exp.Select)
        group = select.args.get("group") if select is not None else None
        keys = group.expressions if group is not None else ()
        return tuple(replace(part, whole=False) for key in keys for part in self._of(key) if part.leaf.masked is None)

    # Bare columns.

    def _bare(self, column: Column) -> pa.Field | None:
        """The field that a column is, through subqueries; None where it is computed."""
        if column.source is None:
            return column.field
        node = column.source.unnest() if isinstance(column.source, exp.Paren) else column.source
        found = self.analysis.found.get(id(node)) if isinstance(node, exp.Column) else None
        if found is None or found.relation.kind == "unnest":
            # An element is not the array.
            return None
        if found.relation.scopes:
            place = next((at for at, one in enumerate(found.relation.columns) if one is found.column), None)
            if place is None:
                return None
            behind = [self._bare(scope.outputs[place]) for scope in found.relation.scopes]
            field = behind[0]
            if field is None or any(one is None or not one.equals(field, True) for one in behind):
                return None
        elif found.column.source is not None and found.column.source is not column.source:
            field = self._bare(found.column)
        else:
            field = found.column.field
        for name in found.path:
            if field is None or not pat.is_struct(field.type):
                return None
            field = field.type.field(name)
        return field


class _Inherited:
    """Labels on the way down into a struct."""

    def __init__(self, field: pa.Field) -> None:
        self._names, self._masked = labels.labels_of(field), labels.masked_of(field)
        self._path = field.name

    def child(self, field: pa.Field, name: str) -> pa.Field:
        """A field of a struct."""
        child = field.type.field(name)
        own, self._path = labels.labels_of(child), f"{self._path}.{name}"
        self._names, self._masked = (own, labels.masked_of(child)) if own else (self._names, self._masked)
        return child

    def leaves(self, field: pa.Field) -> Iterator[Leaf]:
        """The leaves below a field, with what they inherit."""
        for leaf in labels.leaves_of(field):
            path = self._path + leaf.path.removeprefix(field.name)
            kept = (leaf.labels, leaf.masked) if leaf.labels else (self._names, leaf.masked or self._masked)
            yield Leaf(path, leaf.field, *kept)


def _below(parts: _Parts, path: Sequence[str]) -> _Parts:
    """The parts below a path, where their own paths tell; all of them otherwise."""
    if not path:
        return parts
    end = "." + ".".join(path)
    found = tuple(part for part in parts if part.leaf.path.endswith(end) or f"{end}." in part.leaf.path)
    return found if found and all(part.whole for part in parts) else parts


def _query_of(relation: Relation) -> Any:
    node = relation.node
    return node.this if isinstance(node, exp.Subquery | exp.CTE | exp.Lateral) else node


def _set_operations(query: Any) -> Iterator[Any]:
    """The set operations at the top of a query."""
    while isinstance(query, exp.Subquery | exp.Paren):
        query = query.this
    if isinstance(query, exp.SetOperation):
        yield query
        yield from _set_operations(query.this)
        yield from _set_operations(query.expression)


def _conditions(select: Any) -> Iterator[Any]:
    for name in ("where", "having", "qualify"):
        clause = select.args.get(name)
        if clause is not None:
            yield clause.this
    for join in select.args.get("joins") or ():
        if join.args.get("on") is not None:
            yield join.args["on"]
