"""What is wrong with the expressions of SQL functions: everything at once, each at its place in the file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from blocks.core.errors import Problem
from blocks.sql.analysis import Analysis
from blocks.sql.checks import CHECKS
from blocks.sql.functions.model import Function, Overload
from blocks.sql.functions.signatures import signature_text
from blocks.sql.macros.bodies import TABLE, analysed, expression_of
from blocks.sql.macros.macro import Macro, overload_place
from blocks.sql.parsing import parse
from blocks.sql.places import place_of
from blocks.sql.problems import SqlCheckError, SqlProblem, problem
from blocks.sql.types import TEXT, SqlType

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

_PARTS = ("where", "group", "having", "order", "limit", "offset", "joins", "distinct", "with_", "windows", "qualify")


def problems_of(macro: Macro, registry: "Registry") -> list[Problem]:
    """All that is wrong with a SQL function, in the order of its overloads; what two of them share is told once.

    What is only warned of is not among them: a query that calls it is, at the call, where the arguments are known.
    """
    try:
        tree = parse(macro.query(), "beam", macro.file).tree
    except SqlCheckError as error:
        return [_named(one, macro.function) for one in error.problems]
    shape = list(_shape(macro, tree))
    if shape:
        return list(shape)
    found: dict[tuple[str, str], Problem] = {}
    for overload in macro.function.overloads:
        analysis = analysed(macro, overload, registry)
        found_here = (*_analysed(analysis), *_forbidden(macro, analysis))
        own: Sequence[Problem] = [one for one in found_here if one.severity == "error"]
        # The type of an expression with mistakes says nothing.
        own = own or list(_typed(macro, overload, analysis))
        for one in own:
            found.setdefault((one.what, one.where), one)
    if not found:
        found.update({(one.what, one.where): one for one in _unused(macro, tree)})
    return list(found.values())


def cycles(macros: Sequence[Macro], registry: "Registry") -> Iterator[Problem]:
    """A problem for every SQL function that calls itself, by way of others too, with the way.

    Their expressions have to be SQL.
    """
    called = {macro.function.name: list(_called(macro, registry)) for macro in macros}
    told: set[frozenset[str]] = set()
    for macro in macros:
        way = _way_back(macro.function.name, called)
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            shown = " -> ".join([*way, way[0]])
            what = f"`{macro.function.name}` calls itself: {shown}"
            yield Problem(
                what, f"{macro.file}:{macro.header.line}:1", "SQL functions cannot be recursive: break the circle"
            )


def _called(macro: Macro, registry: "Registry") -> Iterator[str]:
    for node in parse(macro.query(), "beam", macro.file).tree.find_all(exp.Anonymous):
        other = registry.macro(node.name)
        if other is not None:
            yield other.function.name


def _way_back(start: str, called: dict[str, list[str]]) -> list[str]:
    """The names on a shortest way from a function back to itself, which begins it; empty if there is none."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in called.get(way[-1], ()):
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _named(one: SqlProblem, function: Function) -> SqlProblem:
    return replace(one, what=f"`{function.name}`: {one.what}")


def _shape(macro: Macro, tree: exp.Expr) -> Iterator[Problem]:
    place = f"{macro.file}:{macro.header.line}:1"
    name = f"`{macro.function.name}`"
    if not isinstance(tree, exp.Select):
        yield Problem(f"{name}: not one expression", place, "write one SQL expression over the arguments")
        return
    column = tree.selects[0]
    inner = column.this if isinstance(column, exp.Alias) else column
    source = tree.args.get("from_")
    if len(tree.selects) != 1 or isinstance(inner, exp.Alias) or any(tree.args.get(part) for part in _PARTS):
        yield Problem(f"{name}: more than one expression", place, "write one SQL expression over the arguments")
    elif source is None or source.name != TABLE or column.alias != "outcome":
        yield Problem(f"{name}: a query and not an expression", place, "write one SQL expression over the arguments")
    elif next(inner.find_all(exp.Query), None) is not None:
        fix = "a function works on the values of one row: pass what it needs as arguments"
        yield Problem(f"{name}: a subquery", place, fix)
    elif next(inner.find_all(exp.Star), None) is not None:
        yield Problem(f"{name}: `*`", place, "name the arguments")


def _analysed(analysis: Analysis) -> Iterator[SqlProblem]:
    yield from analysis.problems
    for check in CHECKS:
        yield from check(analysis)
    for rule, node in analysis.tolerated:
        what = f"not Beam SQL as it stands ({rule.replace('_', ' ')})"
        fix = "write it as Beam SQL takes it; in a query it would be rewritten"
        yield problem(analysis.text, place_of(node), "unsupported", what, fix, source=analysis.source)


def _forbidden(macro: Macro, analysis: Analysis) -> Iterator[SqlProblem]:
    """Functions over many rows, and those that do not give equal results for equal arguments."""
    for node in expression_of(analysis).walk():
        call = analysis.calls.get(id(node))
        if isinstance(node, exp.Window) or (call is not None and call.function.kind != "scalar"):
            what = f"`{macro.function.name}` aggregates; a SQL function works on the values of one row"
            fix = "take the aggregate as an argument, and write it into the query"
        elif call is not None and not call.function.deterministic:
            what = f"{call.function.name} does not give the same result for the same arguments"
            fix = "take its result as an argument, and call it in the query"
        else:
            continue
        yield problem(analysis.text, place_of(node), "unsupported", what, fix, source=analysis.source)


def _typed(macro: Macro, overload: Overload, analysis: Analysis) -> Iterator[Problem]:
    kind = analysis.type_of(expression_of(analysis))
    name = f"`{signature_text(macro.function.name, overload)}`"
    place = overload_place(macro, overload)
    if kind is None:
        yield Problem(
            f"{name}: the type of the expression is not known", place, f"write CAST(... AS {overload.returns})"
        )
    elif not _same(kind, overload.returns):
        fix = f"write CAST(... AS {overload.returns}) in the expression, or RETURNS {kind}"
        yield Problem(f"{name}: the expression is {kind}", place, fix)
    elif macro.function.nulls == "never" and kind.nullable:
        yield Problem(f"{name}: the expression can be NULL, which `nulls: never` denies", place, "write COALESCE(...)")


def _same(found: SqlType, declared: SqlType) -> bool:
    if found.name in TEXT and declared.name in TEXT:
        return True
    inner = len(found.inner) == len(declared.inner)
    return found.name == declared.name and inner and all(map(_same, found.inner, declared.inner))


def _unused(macro: Macro, tree: exp.Expr) -> Iterator[Problem]:
    used = {column.name for column in tree.find_all(exp.Column)}
    for argument in macro.function.overloads[0].arguments:
        if argument.name not in used:
            what = f"`{macro.function.name}` does not use its argument `{argument.name}`"
            yield Problem(what, overload_place(macro, macro.function.overloads[0]), "use it, or take it out")
