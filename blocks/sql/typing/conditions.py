"""Comparisons, BETWEEN, IN, LIKE, IS and EXISTS."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.coercion import (
    any_nullable,
    comparison_type,
    family,
    is_atomic,
    is_comparable,
    least_restrictive,
    wider_type,
)
from blocks.sql.types import APPROXIMATE, INTERVALS, NUMERIC, TEXT, SqlType
from blocks.sql.typing.columns import row_of
from blocks.sql.typing.operators import converted, needs_boolean

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_SIGNS = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
_EQUALITY = ("=", "<>")


def _comparison(typer: "Typer", node: exp.Binary) -> SqlType | None:
    sign = _SIGNS[type(node)]
    if isinstance(node.right, (exp.All, exp.Any)):
        return _quantified(typer, node, sign)
    kinds = typer.all((node.left, node.right))
    if kinds is None or not compared(typer, node, sign, (node.left, node.right), kinds):
        return None
    return SqlType("BOOLEAN", any(map(_may_be_null, kinds)) and "DISTINCT" not in sign)


def _may_be_null(kind: SqlType) -> bool:
    """Whether a comparison with it may be NULL: of a ROW any of its fields."""
    return kind.nullable or (kind.name == "ROW" and any(map(_may_be_null, kind.inner)))


def compared(typer: "Typer", node: Any, sign: str, sides: Sequence[Any], kinds: Sequence[SqlType]) -> bool:
    """Whether two sides can be compared; tells it where they cannot, or only until the first row comes."""
    left, right = kinds
    if sign in _EQUALITY and _boolean_and_number(left, right):
        return _truth_of_number(typer, node, sides, kinds)
    if "DISTINCT" in sign:
        common = None if left.name == right.name else comparison_type(left, right)
    else:
        common = comparison_type(left, right)
    if common is None and not is_comparable(right, left) and not (left.name == "ROW" and right.name == "NULL"):
        typer.tell(node, "wrong_type", f"{left} {sign} {right} is not possible", _instead(left, right))
        return False
    for side, kind in zip(sides, kinds, strict=True):
        if common is not None:
            converted(typer, side, kind, common)
    return _can_compare(typer, node, kinds)


def _boolean_and_number(left: SqlType, right: SqlType) -> bool:
    return {left.name == "BOOLEAN", right.name == "BOOLEAN"} == {True, False} and (
        left.name in NUMERIC or right.name in NUMERIC
    )


def _truth_of_number(typer: "Typer", node: Any, sides: Sequence[Any], kinds: Sequence[SqlType]) -> bool:
    for side, kind in zip(sides, kinds, strict=True):
        if kind.name in APPROXIMATE and not isinstance(side, exp.Literal):
            typer.tell(node, "unsupported", f"Beam cannot compare BOOLEAN with {kind}", "write x = (y <> 0)")
            return False
    return True


def _can_compare(typer: "Typer", node: Any, kinds: Sequence[SqlType]) -> bool:
    """Whether Beam can write the Java of a comparison that its planner takes."""
    left, right = kinds
    names = {left.name, right.name}
    if names & set(INTERVALS) and names & set(TEXT):
        # The planner takes an order of the two, and Beam has no Java for their equality.
        ordered = isinstance(node, (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between))
        code = "runtime_type" if ordered else "unsupported"
        typer.tell(node, code, "Beam cannot compare a text with an INTERVAL", "write INTERVAL '1' HOUR")
        return ordered
    if "VARBINARY" in names and len(names) == 2 and "NULL" not in names and left.name != "VARCHAR":
        fix = "compare hexadecimal digits: TO_HEX(x) = '0aff'"
        typer.tell(node, "unsupported", "Beam cannot compare VARBINARY with a text", fix)
        return False
    if left.name == right.name == "VARBINARY" and left.precision != right.precision:
        fix = "compare hexadecimal digits: TO_HEX(x) = '0aff'"
        typer.tell(node, "unsupported", "Beam cannot compare VARBINARY with a literal", fix)
        return False
    return True


def _instead(left: SqlType, right: SqlType) -> str:
    names = {left.name, right.name}
    if names & {"DATE", "TIMESTAMP"} and names & set(NUMERIC):
        return "compare with a literal: DATE '2026-01-31', TIMESTAMP '2026-01-31 12:00:00'"
    if "ARRAY" in names:
        return "compare an element: x[1], or UNNEST the array"
    if "TIME" in names and names & {"DATE", "TIMESTAMP"}:
        return "cast the TIMESTAMP: CAST(x AS TIME)"
    return "cast one of them: CAST(x AS type)"


def _quantified(typer: "Typer", node: exp.Binary, sign: str) -> SqlType | None:
    left = typer.of(node.left)
    row = row_of(typer, node.right)
    if left is None or row is None:
        return None
    if len(row) != 1:
        typer.tell(node.right, "wrong_type", f"the query gives {len(row)} columns, and one is compared")
        return None
    if family(left) != family(row[0]) and "NULL" not in (left.name, row[0].name):
        typer.tell(node, "wrong_type", f"{left} {sign} {row[0]} is not possible here", "cast one of them")
        return None
    return SqlType("BOOLEAN", left.nullable or row[0].nullable)


def _between(typer: "Typer", node: exp.Between) -> SqlType | None:
    nodes = (node.this, node.args["low"], node.args["high"])
    kinds = typer.all(nodes)
    if kinds is None:
        return None
    common: SqlType | None = kinds[0]
    for kind in kinds[1:]:
        common = comparison_type(common, kind) if common is not None else None
    for low, high in ((0, 1), (1, 2)):
        pair = (kinds[low], kinds[high])
        if common is None and not is_comparable(pair[1], pair[0]):
            typer.tell(node, "wrong_type", f"{pair[0]} and {pair[1]} cannot be compared", _instead(*pair))
            return None
    for one, kind in zip(nodes, kinds, strict=True):
        if common is not None:
            converted(typer, one, kind, common)
    for pair in ((kinds[0], kinds[1]), (kinds[0], kinds[2])):
        if not _can_compare(typer, node, pair):
            return None
    return SqlType("BOOLEAN", any_nullable(kinds))


def _in(typer: "Typer", node: exp.In) -> SqlType | None:
    left = typer.of(node.this)
    if node.args.get("query") is not None:
        return _in_query(typer, node, left)
    kinds = typer.all(node.expressions)
    if left is None or kinds is None:
        return None
    if left.name == "ROW" and not all(isinstance(one, exp.Tuple) for one in node.expressions):
        typer.tell(node, "unsupported", "Beam cannot find a ROW in a list of columns", "compare its fields")
        return None
    listed = least_restrictive(kinds) or wider_type(kinds)
    if listed is None:
        what = "the values of IN have no type in common: " + ", ".join(sorted({str(kind) for kind in kinds}))
        typer.tell(node, "wrong_type", what, "write values of one type")
        return None
    if not _compared_in(typer, node, left, listed):
        return None
    for one, kind in zip(node.expressions, kinds, strict=True):
        if left.name not in TEXT:
            converted(typer, one, kind, left)
    return SqlType("BOOLEAN", left.nullable or listed.nullable)


def _compared_in(typer: "Typer", node: exp.In, left: SqlType, listed: SqlType) -> bool:
    rows = (left.name == "ROW", listed.name == "ROW")
    possible = rows[0] == rows[1] and (comparison_type(left, listed) is not None or is_comparable(listed, left))
    if not possible:
        typer.tell(node, "wrong_type", f"{left} IN ({listed}) is not possible", _instead(left, listed))
        return False
    if left.name in TEXT:
        converted(typer, node.this, left, listed)
    return _can_compare(typer, node, (left, listed))


def _in_query(typer: "Typer", node: exp.In, left: SqlType | None) -> SqlType | None:
    row = row_of(typer, node.args["query"])
    if left is None or row is None:
        return None
    sides = list(left.inner) if isinstance(node.this, exp.Tuple) else [left]
    if len(sides) != len(row):
        what = f"IN compares {len(sides)} value{'s' * (len(sides) > 1)} with {len(row)} columns"
        typer.tell(node, "wrong_type", what, "select as many columns")
        return None
    for one, other in zip(sides, row, strict=True):
        if not _compared_in(typer, node, one, other):
            return None
    return SqlType("BOOLEAN", any_nullable(sides) or any_nullable(row))


def _like(typer: "Typer", node: exp.Binary) -> SqlType | None:
    kinds = typer.all((node.left, node.right))
    if kinds is None:
        return None
    for side, kind in zip((node.left, node.right), kinds, strict=True):
        text = kind.name != "VARBINARY" and is_atomic(kind)
        if not text and kind.name != "NULL" and kinds[0].name != "NULL":
            typer.tell(side, "wrong_type", f"LIKE takes a text, and this is {kind}", "cast it: CAST(x AS VARCHAR)")
            return None
    return SqlType("BOOLEAN", any_nullable(kinds))


def _escape(typer: "Typer", node: exp.Escape) -> SqlType | None:
    kind, sign = typer.of(node.this), typer.of(node.expression)
    if kind is None or sign is None:
        return None
    if sign.name not in (*TEXT, "NULL"):
        typer.tell(node.expression, "wrong_type", f"ESCAPE takes a character, and this is {sign}", "write ESCAPE '!'")
        return None
    return kind.null(kind.nullable or sign.nullable)


def _is(typer: "Typer", node: exp.Is) -> SqlType | None:
    kind = typer.of(node.this)
    if kind is None:
        return None
    asks_null = isinstance(node.expression, exp.Null) and not node.meta.get("unknown")
    if not asks_null and not needs_boolean(typer, node.this, kind, "IS TRUE"):
        return None
    return SqlType("BOOLEAN", False)


def _exists(_typer: "Typer", _node: exp.Exists) -> SqlType:
    return SqlType("BOOLEAN", False)


RULES: dict[type, Any] = {
    **dict.fromkeys(_SIGNS, _comparison),
    exp.Between: _between,
    exp.In: _in,
    exp.Like: _like,
    exp.SimilarTo: _like,
    exp.Escape: _escape,
    exp.Is: _is,
    exp.Exists: _exists,
}
