"""Writes the SQL functions of a query out: each call becomes the function's expression over the call's arguments.

How it stays clean:

- Arguments are put in as nodes, in parentheses where they are not one word, so that no operator binds otherwise.
- An expression has no columns but its arguments, and no subquery of its own, so no name in it can mean a column of the
  query, and none of the query one of it.
- An argument of another type is cast to the type of the signature, a NULL too: `safe_divide(7, 2)` divides doubles. A
  DECIMAL is cast to DECIMAL(38, 9), so that Beam's planner does not cut its digits off.
- A function with `nulls: null` gets a `CASE WHEN argument IS NULL` around it, unless the expression is NULL by itself
  then, or the argument never is.
- An argument that the expression names twice stands twice in the result. Both engines compute equal expressions once.
  One that is not the same each time it is computed (`RAND()`) is refused there.
- Nodes of an expression get the place of the call, those of arguments keep their own: problems point into the query.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Analysis, Call
from blocks.sql.functions.model import Overload
from blocks.sql.functions.signatures import SCALAR_TYPES
from blocks.sql.places import place_of
from blocks.sql.problems import SqlCheckError, SqlProblem, problem
from blocks.sql.types import MAX_SCALE, MAX_WHOLE_DIGITS, NESTED, SqlType

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry
    from blocks.sql.macros.bodies import Body

MAX_NODES = 100_000
_DIGITS = MAX_WHOLE_DIGITS + MAX_SCALE
_DATA_TYPES = {name: exp.DType[{"INTEGER": "INT"}.get(name, name)] for name in SCALAR_TYPES}
_ONE_WORD = (exp.Column, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Func)
# Around which a part stands between commas, brackets or words.
_APART = (
    *(exp.Alias, exp.Anonymous, exp.Case, exp.If, exp.Cast, exp.Paren, exp.Select, exp.Where, exp.Having, exp.Group),
    *(exp.Ordered, exp.Distinct, exp.Tuple, exp.Array, exp.Extract, exp.Join),
)


def inline(tree: exp.Expr, analysis: Analysis, registry: "Registry") -> exp.Expr:
    """A copy of a tree in which no SQL function is called any more, and others by the names that the SQL service has.

    Args:
      tree: of `analysis`, or a part of it; it stays as it is.
      analysis: what the calls mean, and the types of arguments.
      registry: where the functions are.

    Raises:
      SqlCheckError: an argument that is not the same each time stands where it would be computed twice, or the query
        would grow past the bound.
    """
    calls = [(node, call) for node in tree.walk(bfs=False) if (call := _macro(analysis, node)) is not None]
    copy = tree.copy()
    now = dict(zip(map(id, tree.walk(bfs=False)), copy.walk(bfs=False), strict=True))
    for place, node in now.items():
        other = analysis.calls.get(place)
        if other is not None and isinstance(node, exp.Anonymous) and other.function.origin != "beam":
            node.set("this", registry.served_name(node.name))
    written = _Writer(analysis, registry, now, len(now))
    # What comes first in this order is further out: inner calls are written out before those around them.
    for node, call in reversed(calls):
        result = written.out(node, call)
        copy = result if now[id(node)] is copy else copy
        now[id(node)].replace(result)
        now[id(node)] = result
    return copy


def _macro(analysis: Analysis, node: exp.Expr) -> Call | None:
    call = analysis.calls.get(id(node))
    return call if call is not None and call.function.origin == "sql" and call.overload is not None else None


class _Writer:
    """Writes calls of one tree out.

    Args:
      analysis: of the tree.
      registry: of functions.
      now: node of the copy for each node of the tree, by id; kept up as calls are replaced.
      size: nodes of the copy.
    """

    def __init__(self, analysis: Analysis, registry: "Registry", now: dict[int, exp.Expr], size: int) -> None:
        self._analysis, self._registry, self._now, self._size = analysis, registry, now, size

    def out(self, node: exp.Expr, call: Call) -> exp.Expr:
        """The expression for a call."""
        function, overload = call.function, call.overload
        assert overload is not None
        if function.nulls == "null" and any(isinstance(argument, exp.Null) for argument in call.arguments):
            return _placed(_cast(exp.Null(), overload.returns), node)
        body = self._registry.body(function.name, overload)
        template = _placed(_result(body, overload), node)
        slots: dict[str, list[exp.Expr]] = {argument.name: [] for argument in overload.arguments}
        for column in template.find_all(exp.Column):
            slots[column.name].append(column)
        given = {
            argument.name: self._argument(original, argument.type)
            for argument, original in zip(overload.arguments, call.arguments, strict=True)
        }
        missing = self._missing(call, body) if function.nulls == "null" else ()
        uses = {name: len(found) + (name in missing) for name, found in slots.items()}
        self._refuse_twice(node, call, uses)
        self._refuse_growth(node, call, given, uses, template)
        filled = _filled(template, slots, given, overload.returns)
        if missing:
            filled = _guarded(filled, [_closed(given[name].copy()) for name in missing])
        return _closed(filled, node.parent)

    def _argument(self, original: exp.Expr, declared: SqlType) -> exp.Expr:
        found = self._analysis.type_of(original)
        current = self._now[id(original)]
        return current if _fits(found, declared) else _cast(current, declared)

    def _missing(self, call: Call, body: "Body") -> Sequence[str]:
        """Arguments whose NULL would not make the result NULL by itself."""
        assert call.overload is not None
        found = []
        for argument, original in zip(call.overload.arguments, call.arguments, strict=True):
            kind = self._analysis.type_of(original)
            if argument.name not in body.strict and (kind is None or kind.nullable):
                found.append(argument.name)
        return found

    def _refuse_twice(self, node: exp.Expr, call: Call, uses: dict[str, int]) -> None:
        assert call.overload is not None
        for argument, original in zip(call.overload.arguments, call.arguments, strict=True):
            changing = uses[argument.name] > 1 and next(
                (
                    found.function.name
                    for part in original.walk()
                    if (found := self._analysis.calls.get(id(part))) is not None and not found.function.deterministic
                ),
                None,
            )
            if changing:
                what = (
                    f"`{call.function.name}` uses its argument `{argument.name}` more than once, and "
                    f"{changing} is not the same each time"
                )
                fix = f"compute {changing} as a column of a subquery in FROM, and pass that column"
                raise self._error(original, "inlining", what, fix)

    def _refuse_growth(
        self, node: exp.Expr, call: Call, given: dict[str, exp.Expr], uses: dict[str, int], template: exp.Expr
    ) -> None:
        sizes = {name: sum(1 for _ in argument.walk()) for name, argument in given.items() if uses[name]}
        self._size += sum(1 for _ in template.walk()) + sum(uses[name] * size for name, size in sizes.items())
        if self._size > MAX_NODES:
            what = f"with `{call.function.name}` written out the query has more than {MAX_NODES:,} parts"
            raise self._error(node, "too_large", what, "compute its arguments in a subquery (WITH) first")

    def _error(self, node: Any, code: str, what: str, fix: str) -> SqlCheckError:
        analysis = self._analysis
        found: SqlProblem = problem(analysis.text, place_of(node), code, what, fix, source=analysis.source)
        return SqlCheckError(what, where=found.where, fix=fix, problems=[found])


def _result(body: "Body", overload: Overload) -> exp.Expr:
    """A copy of the body, of the declared type."""
    tree = body.tree.copy()
    kind = body.type
    same = overload.returns.name in NESTED or (kind is not None and kind.name == overload.returns.name)
    return tree if same else _cast(tree, overload.returns)


def _filled(
    template: exp.Expr, slots: dict[str, list[exp.Expr]], given: dict[str, exp.Expr], returns: SqlType
) -> exp.Expr:
    """The template with copies of the arguments in its slots."""
    for name, places in slots.items():
        for place in places:
            if place is template:
                # A bare column would give its name to the result.
                return _cast(given[name].copy(), returns)
            place.replace(_closed(given[name].copy(), place.parent))
    return template


def _fits(found: SqlType | None, declared: SqlType) -> bool:
    """Whether an argument needs no cast."""
    if declared.name in NESTED or found is None:
        return declared.name in NESTED
    # To Beam's planner a column of DECIMALs has no digits after the point, and it cuts them off where it brings several
    # values to one type; within an expression they have those that a result can have.
    whole = found.name != "DECIMAL" or (found.precision, found.scale) == (_DIGITS, MAX_SCALE)
    return found.name == declared.name and whole


def _closed(node: exp.Expr, parent: exp.Expr | None = None) -> exp.Expr:
    """The node, in parentheses unless no operator can reach into it where it is put."""
    # AND and OR are functions to sqlglot, and operators in the text.
    single = isinstance(node, _ONE_WORD) and not isinstance(node, exp.Binary)
    return node if single or isinstance(parent, _APART) else exp.Paren(this=node)


def _cast(node: exp.Expr, kind: SqlType) -> exp.Expr:
    sizes = [_DIGITS, MAX_SCALE] if kind.name == "DECIMAL" else []
    parameters = [exp.DataTypeParam(this=exp.Literal.number(size)) for size in sizes]
    return exp.Cast(this=node, to=exp.DataType(this=_DATA_TYPES[kind.name], expressions=parameters))


def _guarded(node: exp.Expr, arguments: Sequence[exp.Expr]) -> exp.Expr:
    """NULL where an argument is, and else the node."""
    tests: exp.Expr = exp.Is(this=arguments[0], expression=exp.Null())
    for argument in arguments[1:]:
        tests = exp.Or(this=tests, expression=exp.Is(this=argument, expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=tests, true=exp.Null())], default=node)


def _placed(body: exp.Expr, call: exp.Expr) -> exp.Expr:
    """The body, each node of which points to the call; its own comments and places are those of another file."""
    place = next((part._meta for part in call.walk() if part._meta), None)
    for node in body.walk():
        node.comments = None
        node._meta = dict(place) if place else None
    return body
