"""Typer: the SQL type of every expression of a query."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from blocks.sql.analysis import Analysis
from blocks.sql.places import place_of
from blocks.sql.problems import problem
from blocks.sql.types import SqlType
from blocks.sql.typing import (
    aggregates,
    calls,
    choices,
    columns,
    conditions,
    constants,
    literals,
    nested,
    operators,
    times,
)

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

Rule = Callable[["Typer", Any], SqlType | None]
RULES: Mapping[type, Rule] = {
    **literals.RULES,
    **operators.RULES,
    **conditions.RULES,
    **choices.RULES,
    **nested.RULES,
    **times.RULES,
    **calls.RULES,
    **aggregates.RULES,
    **columns.RULES,
}


class Typer:
    """Finds types of expressions, bottom up, and tells what is wrong at the innermost place.

    Columns, and the scopes of subqueries, must be in the analysis already.

    Args:
      analysis: takes types, calls, tolerated nodes and problems.
      registry: of the functions that a query may call.
    """

    def __init__(self, analysis: Analysis, registry: "Registry") -> None:
        self.analysis = analysis
        self.registry = registry
        # Of each condition that was asked for: see `blocks.sql.typing.constants`.
        self.truths: dict[int, bool | None] = {}
        self._without: set[int] = set()

    def of(self, node: Any) -> SqlType | None:
        """The type of an expression; None where a problem was told, here or before."""
        key = id(node)
        if key in self._without:
            return None
        found = self.analysis.types.get(key)
        if found is None:
            found = self._find(node)
            if found is None:
                self._without.add(key)
            else:
                self.analysis.types[key] = found = constants.settled(self, node, found)
        return found

    def all(self, nodes: Sequence[Any]) -> list[SqlType] | None:
        """The types of several; None if one has none. Each is looked at, so that every mistake is told."""
        kinds = [self.of(node) for node in nodes]
        return None if None in kinds else [kind for kind in kinds if kind is not None]

    def tell(
        self,
        node: Any,
        code: str,
        what: str,
        fix: str = "",
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Notes a problem at a node."""
        analysis = self.analysis
        told = problem(analysis.text, place_of(node), code, what, fix, source=analysis.source, severity=severity)
        analysis.problems.append(told)

    def tolerate(self, rule: str, node: Any) -> None:
        """Notes what Beam's planner refuses and `blocks.sql.rewriting` mends."""
        self.analysis.tolerated.append((rule, node))

    def _find(self, node: Any) -> SqlType | None:
        rule = RULES.get(type(node))
        if rule is not None:
            return rule(self, node)
        self.tell(node, "unsupported", f"{type(node).__name__} is no expression of Beam SQL")
        return None
