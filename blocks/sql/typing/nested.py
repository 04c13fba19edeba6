"""ARRAY[...], MAP[...], ROW(...), and access to elements and fields."""

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.core.errors import nearest
from blocks.sql.coercion import least_restrictive
from blocks.sql.types import INTEGERS, NESTED, TIMES, SqlType
from blocks.sql.typing.columns import with_null

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer


def _array(typer: "Typer", node: exp.Array) -> SqlType | None:
    if not node.expressions:
        typer.tell(node, "wrong_type", "an array needs an element", "write ARRAY[1, 2]")
        return None
    kinds = typer.all(node.expressions)
    if kinds is None:
        return None
    element = least_restrictive(kinds)
    if element is None or (element.name in TIMES and any(kind.name not in (*TIMES, "NULL") for kind in kinds)):
        said = ", ".join(dict.fromkeys(map(str, kinds)))
        typer.tell(node, "wrong_type", f"the elements have no type in common: {said}", "cast them to one type")
        return None
    return SqlType("ARRAY", False, inner=(_inside(element),))


def _inside(kind: SqlType) -> SqlType:
    """A type within an array or a map, where `CalciteUtils.toFieldType` has no NULL for what is nested itself."""
    return kind.null(False) if kind.name in NESTED else kind


def _map(typer: "Typer", node: exp.Map) -> SqlType | None:
    keys, values = (node.args[part].expressions for part in ("keys", "values"))
    if not keys:
        typer.tell(node, "wrong_type", "a map needs an entry", "write MAP['key', 1]")
        return None
    key_kinds, value_kinds = typer.all(keys), typer.all(values)
    if key_kinds is None or value_kinds is None:
        return None
    key, value = least_restrictive(key_kinds), least_restrictive(value_kinds)
    if key is None or value is None:
        part = "keys" if key is None else "values"
        typer.tell(node, "wrong_type", f"the {part} of the map have no type in common", "cast them to one type")
        return None
    return SqlType("MAP", False, inner=(_inside(key), _inside(value)))


def _row(typer: "Typer", node: exp.Tuple) -> SqlType | None:
    kinds = typer.all(node.expressions)
    if kinds is None:
        return None
    # A ROW of nothing but NULLs is NULL itself.
    nullable = all(kind.nullable for kind in kinds)
    return SqlType("ROW", nullable, inner=tuple(kinds), names=tuple(f"EXPR${at}" for at in range(len(kinds))))


def _item(typer: "Typer", node: exp.Bracket) -> SqlType | None:
    kind = typer.of(node.this)
    position = node.expressions[0]
    key = typer.of(position)
    if kind is None or key is None:
        return None
    match kind.name:
        case "ARRAY":
            return _element(typer, position, kind, key)
        case "MAP":
            return _value(typer, position, kind, key)
        case "ROW":
            return _field_at(typer, position, kind)
    typer.tell(node, "wrong_type", f"{kind} has no elements", "[ ] takes an ARRAY, a MAP or a ROW before it")
    return None


def _element(typer: "Typer", node: Any, kind: SqlType, key: SqlType) -> SqlType | None:
    if key.name not in (*INTEGERS, "NULL"):
        typer.tell(node, "wrong_type", f"a position in an array is a whole number, and this is {key}", "write x[1]")
        return None
    if key.name == "BIGINT":
        typer.tell(node, "unsupported", "Beam takes no BIGINT for a position", "write CAST(i AS INTEGER)")
        return None
    return with_null(kind.inner[0])


def _value(typer: "Typer", node: Any, kind: SqlType, key: SqlType) -> SqlType | None:
    expected = kind.inner[0]
    if key.name != "NULL" and least_restrictive((expected, key)) is None:
        typer.tell(node, "wrong_type", f"a key of this map is {expected}, and this is {key}")
        return None
    return with_null(kind.inner[1])


def _field_at(typer: "Typer", node: Any, kind: SqlType) -> SqlType | None:
    if isinstance(node, exp.Literal):
        if node.is_string:
            return field_of(typer, node, kind, node.name)
        place = int(node.name) if node.name.isdigit() else 0
        if 1 <= place <= len(kind.inner):
            return _seen(kind, place - 1)
        typer.tell(node, "wrong_type", f"the ROW has fields 1 to {len(kind.inner)}")
        return None
    typer.tell(node, "wrong_type", "a field of a ROW is chosen by a literal", "write row.field")
    return None


def field_of(typer: "Typer", node: Any, kind: SqlType, name: str) -> SqlType | None:
    """The type of a field of a ROW; tells it where there is none."""
    if name in kind.names:
        return _seen(kind, kind.names.index(name))
    typer.tell(node, "unknown_column", f"unknown field `{name}` of a ROW", nearest(name, kind.names))
    return None


def _seen(kind: SqlType, place: int) -> SqlType:
    return with_null(kind.inner[place]) if kind.nullable else kind.inner[place]


def _dot(typer: "Typer", node: exp.Dot) -> SqlType | None:
    kind = typer.of(node.this)
    if kind is None:
        return None
    if kind.name != "ROW":
        typer.tell(node, "wrong_type", f"{kind} has no fields", "only a ROW has")
        return None
    return field_of(typer, node.expression, kind, node.expression.name)


RULES: dict[type, Any] = {exp.Array: _array, exp.Map: _map, exp.Tuple: _row, exp.Bracket: _item, exp.Dot: _dot}
