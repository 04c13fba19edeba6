"""Where the output columns of a query come from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from blocks.core import labels
from blocks.core.labels import PUBLIC, Leaf, Masked
from blocks.shaping.expressions.columns import merged_labels, unlabelled_beside_private
from blocks.sql.analysis import Analysis, Call, Column, Found, Scope
from blocks.sql.dialect import function_name
from blocks.sql.dialect.nodes import children, windows_of
from blocks.sql.functions.model import Declassifies
from blocks.sql.lineage.clauses import conditions, conjuncts, cut_by
from blocks.sql.lineage.declassifying import domain_of, hidden_arguments, large_groups, marked
from blocks.sql.lineage.given import ONE_OF_THEM, bare_field, behind, is_given, is_given_column
from blocks.sql.lineage.parts import Part, Parts, below, parts_of, unmarked
from blocks.sql.resolving.selects import ordinal


@dataclass(frozen=True, slots=True)
class OutputLabels:
    """Labels of an output column.

    Attributes:
      names: all of them; empty where a column that it comes from has none.
      masked: how it was masked, where that holds for the whole column.
      mixed: (unlabelled column, private label) where it is made of both, which is an error.
      bare: the field, where the column is a column or field of an input and nothing else, in every branch of a UNION;
        without labels of its own below it where private values chose the rows.
    """

    names: frozenset[str]
    masked: Masked | None
    mixed: tuple[str, str] | None
    bare: pa.Field | None


_Place = tuple[int, int, tuple[str, ...]]


def _place_of(found: Found) -> _Place:
    return id(found.relation), id(found.column), tuple(found.path)


class Lineage:
    """Where the output columns of a query come from.

    Args:
      analysis: names resolved, calls found.
      min_group: as in `label_outputs`.
    """

    def __init__(self, analysis: Analysis, min_group: int | None = None) -> None:
        self.analysis, self._min_group = analysis, min_group
        self._columns: dict[int, Parts] = {}
        self._chosen_by: dict[int, Parts] = {}
        self._equal: dict[_Place, list[Found]] | None = None

    def outputs(self) -> list[OutputLabels]:
        """Labels of every output column, in order."""
        chosen = self._rows_of_all(self.analysis.root)
        count = len(self.analysis.outputs())
        return [self._output(list(self.analysis.branches(place)), chosen) for place in range(count)]

    def leaves(self, node: Any) -> list[Leaf]:
        """The leaves that the value of an expression of the query is made of."""
        return [part.leaf for part in self._of(node)]

    def _output(self, branches: Sequence[Column], chosen: Parts) -> OutputLabels:
        parts = [part for column in branches for part in self._of_column(column)]
        leaves = [part.leaf if part.whole else replace(part.leaf, masked=None) for part in parts]
        # A row that was chosen by a private value tells of it.
        leaves.extend(part.leaf for part in chosen if part.leaf.labels - {PUBLIC})
        private = [leaf.masked for leaf in leaves if leaf.labels - {PUBLIC}]
        masked = private[0] if private and all(one == private[0] for one in private) else None
        bare, *others = [bare_field(self.analysis, column) for column in branches]
        if bare is None or any(one is None or not one.equals(bare, True) for one in others):
            bare = None
        elif any(part.leaf.labels - {PUBLIC} for part in chosen):
            # What chose the rows is in every field below it.
            bare = bare.with_type(unmarked(bare.type))
        return OutputLabels(merged_labels(leaves), masked, unlabelled_beside_private(leaves), bare)

    # Values.

    def _of_column(self, column: Column) -> Parts:
        known = self._columns.get(id(column))
        if known is None:
            # A circle there cannot be; the entry only guards against one.
            self._columns[id(column)] = ()
            known = self._columns[id(column)] = tuple(self._column_parts(column))
        return known

    def _column_parts(self, column: Column) -> Iterator[Part]:
        if column.source is not None:
            for source in (column.source, *column.others):
                yield from self._of(source)
        elif column.field is not None:
            yield from (Part(leaf) for leaf in labels.leaves_of(column.field))

    def _of(self, node: Any) -> Parts:
        """The leaves that the value of an expression is made of."""
        if isinstance(node, exp.Column):
            found = self.analysis.found.get(id(node))
            return (*self._of_found(found), *self._of_equal(found)) if found is not None else ()
        if id(node) in self.analysis.subqueries:
            return self._of_subquery(node)
        call = self.analysis.calls.get(id(node))
        if call is not None and call.function.declassifies is not None:
            hidden = self._declassified(node, call, call.function.declassifies)
            if hidden is not None:
                return hidden
        parts = self._of_children(node)
        same = isinstance(node, exp.Paren) or function_name(node).upper() in ONE_OF_THEM
        return parts if same else tuple(part.in_part() for part in parts)

    def _of_children(self, node: Any) -> Parts:
        below = [one for window in windows_of(node) for one in children(window)]
        return tuple(part for child in below or children(node) for part in self._of(child))

    def _of_subquery(self, node: Any) -> Parts:
        scopes = self.analysis.subqueries[id(node)]
        outputs = () if isinstance(node, exp.Exists) else [column for scope in scopes for column in scope.outputs]
        values = [part for column in outputs for part in self._of_column(column)]
        # `x > ALL (...)` and IN choose among the values; a scalar subquery is its value.
        return (*values, *(part.in_part() for part in self._rows_of_all(scopes)))

    def _of_found(self, found: Found) -> Parts:
        relation, column = found.relation, found.column
        beside = self._of_found(found.beside) if found.beside is not None else ()
        if relation.scopes:
            columns = behind(found)
            if columns is None:
                columns = [one for scope in relation.scopes for one in scope.outputs]
            parts = tuple(part for one in columns for part in self._of_column(one))
            return below(parts, found.path)
        if column.field is not None:
            return (*parts_of(column.field, found.path), *beside)
        if column.source is not None:
            return (*below(self._of_column(column), found.path), *beside)
        # Made by the relation: the value of UNNEST, the window of a table function, a measure of MATCH_RECOGNIZE.
        node = relation.node
        inside = [self._of(one) for one in node.find_all(exp.Column)] if node is not None else []
        others = [self._of_column(one) for one in relation.columns if one is not column and one.field is not None]
        return tuple(part.in_part() for parts in (*inside, *others) for part in parts)

    def _of_equal(self, found: Found) -> Parts:
        """The raw private leaves of the columns that a join says a column is equal to: it shows their values."""
        if self._equal is None:
            self._equal = {}
            for select in self.analysis.tree.find_all(exp.Select):
                for condition in conditions(select):
                    for one in conjuncts(condition):
                        self._note_equal(one, self._equal)
        parts = (part for other in self._equal.get(_place_of(found), ()) for part in self._of_found(other))
        raw = tuple(part for part in parts if part.leaf.labels - {PUBLIC} and part.leaf.masked is None)
        # What has no label does not pass a protected destination in any case, and stays the same mistake.
        return raw if raw and all(part.leaf.labels for part in self._of_found(found)) else ()

    def _note_equal(self, node: Any, equal: "dict[_Place, list[Found]]") -> None:
        if self._is_join(node):
            left, right = self.analysis.found[id(node.this)], self.analysis.found[id(node.expression)]
            equal.setdefault(_place_of(left), []).append(right)
            equal.setdefault(_place_of(right), []).append(left)

    # Which rows there are.

    def _rows_of_all(self, scopes: Iterable[Scope]) -> Parts:
        return tuple(part for scope in scopes for part in self._rows_of(scope))

    def _rows_of(self, scope: Scope) -> Parts:
        """What chooses the rows of a SELECT."""
        known = self._chosen_by.get(id(scope))
        if known is None:
            self._chosen_by[id(scope)] = ()
            # Of what was masked before the query nobody compares a raw value; what it masks itself the policy judges.
            parts = (part for part in self._row_parts(scope) if part.leaf.masked is None or part.here)
            known = self._chosen_by[id(scope)] = tuple(parts)
        return known

    def _row_parts(self, scope: Scope) -> Iterator[Part]:
        for relation in scope.relations.values():
            yield from self._rows_of_all(relation.scopes)
            for item in relation.node.expressions if relation.kind == "unnest" else ():
                # How many elements an array has tells nothing of them; one that a CASE makes does.
                if not is_given(self.analysis, item):
                    yield from self._of(item)
        for condition in conditions(scope.select):
            for one in conjuncts(condition):
                if not self._is_join(one):
                    yield from self._of(one)
        for pair in scope.compared:
            if not all(is_given_column(self.analysis, found, constants=False) for found in pair):
                yield from (part for found in pair for part in self._of_found(found))
        for item in cut_by(scope.select):
            number = ordinal(item)
            yield from self._of(item) if number is None else self._of_column(scope.outputs[number - 1])
        for column in scope.chosen_by:
            yield from self._of_column(column)
        match = scope.select.args.get("match")
        for column in match.find_all(exp.Column) if match is not None else ():
            yield from self._of(column)

    def _is_join(self, node: Any) -> bool:
        """Whether a condition only says which rows of two relations belong together: of neither it names a value."""
        if not isinstance(node, exp.EQ | exp.NullSafeEQ):
            return False
        left, right = (self.analysis.found.get(id(side)) for side in (node.this, node.expression))
        if left is None or right is None or left.relation is right.relation:
            return False
        return all(is_given_column(self.analysis, found, constants=False) for found in (left, right))

    # Functions that take labels away.

    def _declassified(self, node: Any, call: Call, rule: Declassifies) -> Parts | None:
        """The leaves of a call that takes labels away; None where it does not."""
        split = hidden_arguments(self.analysis, call, rule)
        if rule.group and not large_groups(node, self._min_group):
            # A small group is a person: what is counted in it tells of the keys that it is named by.
            return (*self._of_children(node), *self._of_keys(node))
        if split is None:
            return None
        hidden, others = split
        rest = tuple(part.in_part() for one in others.values() for part in self._of(one))
        if not rule.gives:
            return rest
        parts = [part for one in hidden.values() for part in self._of(one)]
        domain = domain_of(part.leaf for part in parts)
        found = [marked(part.leaf, rule, others, domain) for part in parts]
        if any(one is None for one in found):
            return None
        return (*(Part(one, here=one.masked is not None) for one in found if one is not None), *rest)

    def _of_keys(self, node: Any) -> Parts:
        """The leaves of the keys of the group that an aggregate is computed in."""
        select = node.find_ancestor(exp.Select)
        group = select.args.get("group") if select is not None else None
        keys = group.expressions if group is not None else ()
        return tuple(part.in_part() for key in keys for part in self._of(key) if part.leaf.masked is None)
