"""Joins that Beam cannot do: it joins by equal keys only, in common windows.

Calcite's planner moves conditions first, and this follows it: those of WHERE into inner joins, those on one side alone
to that side where the kind of join allows it. What is left between the two sides has to be equalities.

Source: `BeamJoinRel`, `BeamCoGBKJoinRel`, `BeamSideInputJoinRel` and `BeamRuleSets` of Beam 2.70.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Found, Relation, Scope
from blocks.sql.checks.bounds import boundedness, windows_of
from blocks.sql.checks.keys import unfit
from blocks.sql.checks.outer_joins import lost_fields, refuses_null
from blocks.sql.checks.telling import SUBQUERIES, aggregates, own, selects, told, written
from blocks.sql.problems import SqlProblem
from blocks.sql.rewriting.one_sided import is_movable

_NOT_EQUAL = (
    "join by equal columns, select both, and compare them in a RunSql after this one; for a time span join by a window"
)


@dataclass(slots=True)
class _Side:
    """Relations on one side of a join, and the conditions that may be moved into it."""

    relations: set[str]
    inner: bool = True
    joins: list[Any] = field(default_factory=list)


def joins(analysis: Analysis) -> Iterator[SqlProblem]:
    """Every join of every SELECT."""
    for scope in selects(analysis):
        if scope.select.args.get("joins") or _in_parentheses(scope):
            yield from _Joins(analysis, scope).problems()


def _in_parentheses(scope: Scope) -> bool:
    from_ = scope.select.args.get("from_")
    return from_ is not None and isinstance(from_.this, exp.Paren)


def _from_above(analysis: Analysis, scope: Scope) -> Iterator[Any]:
    """Conditions of the SELECT around, which the planner moves into this one."""
    if any(scope.select.args.get(key) is not None for key in ("group", "having", "distinct", "limit")) or scope.grouped:
        return
    for around in selects(analysis):
        where = around.select.args.get("where")
        if where is not None and any(one.scopes == [scope] for one in around.relations.values()):
            yield from conjuncts(where.this)


def conjuncts(node: Any) -> Iterator[Any]:
    """The conditions that AND holds together."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        one = one.unnest() if isinstance(one, exp.Paren) else one
        if isinstance(one, exp.And):
            waiting.extend((one.expression, one.this))
        elif isinstance(one, exp.Not) and isinstance(one.this.unnest(), exp.NEQ):
            inner = one.this.unnest()
            yield inner
        else:
            yield one


class _Joins:
    """The joins of one SELECT, from left to right."""

    def __init__(self, analysis: Analysis, scope: Scope) -> None:
        self._analysis, self._scope = analysis, scope
        where = scope.select.args.get("where")
        self._where = list(conjuncts(where.this)) if where is not None else []
        self._where.extend(_from_above(analysis, scope))
        # Relations of outer joins of which WHERE makes inner ones.
        self._kept: set[str] = set()

    def problems(self) -> Iterator[SqlProblem]:
        """A problem for each join that cannot be done."""
        select = self._scope.select
        left, found = self._source(select.args["from_"].this)
        yield from found
        for join in select.args.get("joins") or ():
            right, found = self._source(join.this)
            yield from found
            if not self._is_unnest(join.this):
                yield from self._join(join, left, right)
            left = _Side(left.relations | right.relations, join.side not in ("LEFT", "RIGHT", "FULL"), [])
        yield from lost_fields(self._analysis, self._scope, self._kept, self._meant)

    def _source(self, node: Any) -> tuple[_Side, list[SqlProblem]]:
        if not isinstance(node, exp.Paren):
            return _Side(set(self._aliases(node))), []
        side, found = self._source(node.this)
        for join in node.this.args.get("joins") or ():
            right, more = self._source(join.this)
            found = [*found, *more, *self._join(join, side, right)]
            side = _Side(side.relations | right.relations)
        return side, found

    def _aliases(self, node: Any) -> Iterator[str]:
        for alias, relation in self._scope.relations.items():
            if relation.node is node:
                yield alias

    def _is_unnest(self, node: Any) -> bool:
        return isinstance(node, exp.Unnest | exp.Lateral)

    def _join(self, join: Any, left: _Side, right: _Side) -> Iterator[SqlProblem]:
        if not left.relations or not right.relations:
            return
        if join.kind == "CROSS" and (join.args.get("on") is not None or join.args.get("using")):
            yield self._told(join, "CROSS JOIN has no condition", "write JOIN ... ON")
            return
        on, natural = join.args.get("on"), join.method == "NATURAL"
        if natural and (on is not None or join.args.get("using")):
            yield self._told(join, "NATURAL JOIN has no condition", "leave NATURAL or the condition out")
            return
        comma = not join.kind and not join.side and not join.method and on is None and not join.args.get("using")
        if (comma and not self._is_comma(join)) or (
            join.side and on is None and not natural and not join.args.get("using")
        ):
            yield self._told(join, "a join without a condition", "add ON a.key = b.key, or USING (key)")
            return
        outer = join.side in ("LEFT", "RIGHT", "FULL") and not self._is_inner(join.side, left, right)
        if not outer:
            self._kept |= left.relations | right.relations
        yield from self._conditions(join, left, right, outer)
        yield from self._bounds(join, left, right)

    def _is_inner(self, side: str, left: _Side, right: _Side) -> bool:
        """Whether WHERE leaves out every row that the outer join would add: the planner makes an inner one of it."""
        added = {"LEFT": [right], "RIGHT": [left], "FULL": [left, right]}[side]
        return all(
            any(refuses_null(condition, one.relations, self._meant) for condition in self._where) for one in added
        )

    def _is_comma(self, join: Any) -> bool:
        meta = join._meta or {}
        return self._analysis.text[meta.get("start", 0) : meta.get("start", 0) + 1] == ","

    def _conditions(self, join: Any, left: _Side, right: _Side, outer: bool) -> Iterator[SqlProblem]:
        on = join.args.get("on")
        conditions = list(conjuncts(on)) if on is not None else []
        if not outer:
            conditions.extend(self._where)
        equal = 0
        if join.args.get("using") or join.method == "NATURAL":
            names = [name.name for name in join.args.get("using") or ()] or self._common(left, right)
            equal += len(names)
            yield from self._shared_types(join, names, right)
        for condition in conditions:
            sides = self._sides(condition)
            if sides is None or not sides <= left.relations | right.relations:
                continue
            at_left, at_right = bool(sides & left.relations), bool(sides & right.relations)
            if at_left and at_right:
                if self._is_equality(condition, left, right):
                    equal += 1
                    yield from self._key(condition)
                else:
                    yield self._not_equal(condition)
            else:
                yield from self._one_sided(join, condition, sides, at_left, at_right, outer)
        if not equal and not self._has_problem(conditions, left, right) and not self._is_connected():
            yield self._told(join, "a join without an equality between its sides", "add ON a.key = b.key")

    def _one_sided(
        self, join: Any, condition: Any, sides: set[str], at_left: bool, at_right: bool, outer: bool
    ) -> Iterator[SqlProblem]:
        if self._is_wrong(condition):
            # Told elsewhere.
            return
        from_on = bool(sides) and not self._is_of_where(condition)
        if from_on and is_movable(join, self._scope, sides):
            self._analysis.tolerated.append(("one_sided", condition))
        elif from_on and not outer:
            what = f"a join with {written(self._analysis, condition)}, which is of one side alone"
            yield self._told(condition, what, "write it into WHERE, or filter that side in a subquery before")
        elif outer and not self._can_move(join.side, at_left, at_right):
            what = f"{join.side} JOIN with {written(self._analysis, condition)}, which is of one side alone"
            fix = "filter that side in a subquery before: JOIN (SELECT ... WHERE ...) AS t"
            if (join.side == "LEFT" and at_left) or (join.side == "RIGHT" and at_right) or join.side == "FULL":
                fix = "the row stays in any case: write CASE WHEN in SELECT for its columns, or join the rows apart"
            yield self._told(condition, what, fix)

    def _is_wrong(self, condition: Any) -> bool:
        kind = self._analysis.type_of(condition)
        is_condition = kind is not None and kind.name in ("BOOLEAN", "NULL", "ANY")
        return not is_condition or next(aggregates(self._analysis, condition), None) is not None

    def _is_of_where(self, condition: Any) -> bool:
        return any(one is condition for one in self._where)

    def _has_problem(self, conditions: list[Any], left: _Side, right: _Side) -> bool:
        for condition in conditions:
            sides = self._sides(condition)
            if sides is not None and sides & left.relations and sides & right.relations:
                return True
        return False

    def _is_connected(self) -> bool:
        """Whether other joins connect the tables: the planner changes the order of inner joins."""
        joins = self._scope.select.args.get("joins") or ()
        if any(join.side for join in joins) or len(joins) < 2:
            return False
        groups = [{alias} for alias in self._scope.relations]
        conditions = [
            *self._where,
            *(one for join in joins if join.args.get("on") for one in conjuncts(join.args["on"])),
        ]
        for condition in conditions:
            if isinstance(condition, exp.EQ):
                sides = self._sides(condition) or set()
                touched = [group for group in groups if group & sides]
                groups = [group for group in groups if group not in touched] + [set().union(*touched)] * bool(touched)
        return len(groups) == 1

    def _can_move(self, side: str, at_left: bool, at_right: bool) -> bool:
        if not at_left and not at_right:
            return True
        return (side == "LEFT" and at_right) or (side == "RIGHT" and at_left)

    def _common(self, left: _Side, right: _Side) -> list[str]:
        names = [column.name for alias in sorted(left.relations) for column in self._scope.relations[alias].columns]
        return [
            column.name
            for alias in sorted(right.relations)
            for column in self._scope.relations[alias].columns
            if column.name in names
        ]

    def _shared_types(self, join: Any, names: list[str], right: _Side) -> Iterator[SqlProblem]:
        for alias in sorted(right.relations):
            for column in self._scope.relations[alias].columns:
                bad = unfit(column.type) or ("ROW" if column.type.name == "ROW" else None)
                if column.name in names and bad is not None:
                    what = f"a join by `{column.name}`, which is a {column.type.name}"
                    yield self._told(join, what, "join by a key: a whole number, a text or a time")

    def _sides(self, condition: Any) -> set[str] | None:
        """The relations that a condition reads; None where it has a subquery, or a column of another SELECT."""
        sides: set[str] = set()
        for one in own(condition):
            if isinstance(one, SUBQUERIES):
                return None
            if isinstance(one, exp.Column):
                found = self._meant(one)
                if found is None:
                    return None
                sides.add(found.relation.alias)
        return sides

    def _meant(self, node: Any) -> Found | None:
        """What a column means here; of one of a SELECT around this one, the column below it."""
        found = self._analysis.found.get(id(node))
        if found is not None and found.scope is not self._scope and found.relation.scopes == [self._scope]:
            found = self._analysis.found.get(id(found.column.source))
        return found if found is not None and found.scope is self._scope else None

    def _is_equality(self, condition: Any, left: _Side, right: _Side) -> bool:
        negated = isinstance(condition, exp.NEQ) and isinstance(condition.parent, exp.Not | exp.Paren)
        if not isinstance(condition, exp.EQ) and not (negated and isinstance(_above(condition), exp.Not)):
            return False
        first, second = self._sides(condition.this), self._sides(condition.expression)
        if not first or not second:
            return False
        return (first <= left.relations and second <= right.relations) or (
            first <= right.relations and second <= left.relations
        )

    def _key(self, condition: Any) -> Iterator[SqlProblem]:
        for side in (condition.this, condition.expression):
            kind = self._analysis.type_of(side)
            bad = unfit(kind) or ("ROW" if kind is not None and kind.name == "ROW" else None)
            if bad is not None:
                what = f"a join by {written(self._analysis, side)}, which is a {bad}"
                fix = "join by the fields of the ROW" if bad == "ROW" else "CAST it to DECIMAL or VARCHAR on both sides"
                # The planner takes ROWs that are written out, and joins by each of their fields.
                code = "not_taken" if isinstance(side.unnest(), exp.Tuple) else "unsupported_join"
                yield told(self._analysis, side, code, what, fix)
                return

    def _not_equal(self, condition: Any) -> SqlProblem:
        shown = written(self._analysis, condition)
        if isinstance(condition, exp.Or):
            what, fix = (
                f"a join with OR between its sides: {shown}",
                "write a join for each side of OR, and UNION between",
            )
        elif isinstance(condition, exp.EQ):
            what = f"a join by {shown}, where each side of `=` must be of one table"
            fix = "move the columns: a.x = b.y + 1"
        elif isinstance(condition, exp.NullSafeEQ):
            what, fix = f"a join by {shown}", "write a.x = b.x; NULL joins nothing"
        else:
            what, fix = f"a join by {shown}, which is no equality", _NOT_EQUAL
        return self._told(condition, what, fix)

    def _told(self, node: Any, what: str, fix: str) -> SqlProblem:
        return told(self._analysis, node, "unsupported_join", what, fix)

    def _bounds(self, join: Any, left: _Side, right: _Side) -> Iterator[SqlProblem]:
        first, second = self._bounded(left), self._bounded(right)
        if first is None or second is None:
            return
        if first == second:
            yield from self._windows(join, left, right)
            return
        kind = join.side
        if kind == "FULL":
            yield self._told(join, "a FULL JOIN of a bounded table with an unbounded one", "use LEFT or RIGHT JOIN")
        elif (kind == "LEFT" and first) or (kind == "RIGHT" and second):
            other = "RIGHT" if kind == "LEFT" else "LEFT"
            what = f"a {kind} JOIN that keeps the rows of the bounded table beside an unbounded one"
            yield self._told(
                join, what, f"exchange the tables, or write {other} JOIN: the unbounded one keeps its rows"
            )

    def _windows(self, join: Any, left: _Side, right: _Side) -> Iterator[SqlProblem]:
        """Rows meet within a window, where neither side is bounded beside an unbounded one."""
        sides = [
            {windows_of(self._analysis, self._scope.relations[one]) for one in side.relations} for side in (left, right)
        ]
        if all(len(one) == 1 and "" not in one for one in sides) and sides[0] != sides[1]:
            what = f"a join of rows in {sides[0].pop()} with rows in {sides[1].pop()}"
            yield self._told(join, what, "put WindowRows with the same windows before both")

    def _bounded(self, side: _Side) -> bool | None:
        known = [boundedness(self._analysis, self._scope.relations[alias]) for alias in side.relations]
        if any(one is False for one in known):
            return False
        return None if any(one is None for one in known) else True


def _above(node: Any) -> Any:
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    return parent


__all__ = ["Relation", "conjuncts", "joins"]
