"""CASE, COALESCE and NULLIF: one of several values.

Source: `SqlCaseOperator.inferTypeFromValidator` of Calcite 1.40, to which COALESCE and NULLIF are rewritten there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.coercion import NULL, digits, family, least_restrictive, wider_type
from blocks.sql.types import TIMES, SqlType
from blocks.sql.typing.conditions import compared
from blocks.sql.typing.operators import needs_boolean

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer


def _case(typer: "Typer", node: exp.Case) -> SqlType | None:
    good = _conditions(typer, node)
    values = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    if default is not None:
        values.append(default)
    kinds = typer.all(values)
    if kinds is None or not good:
        return None
    for place, branch in enumerate(node.args["ifs"]):
        if _is_checked(branch):
            kinds[place] = kinds[place].null(False)
    if default is None:
        kinds.append(NULL)
    return united(typer, node, values, kinds)


def _is_checked(branch: exp.If) -> bool:
    """Whether it is WHEN x IS NOT NULL THEN x."""
    condition = branch.this
    if not isinstance(condition, exp.Not) or not isinstance(condition.this, exp.Is):
        return False
    return isinstance(condition.this.expression, exp.Null) and condition.this.this == branch.args["true"]


def _conditions(typer: "Typer", node: exp.Case) -> bool:
    subject = node.this
    kind = typer.of(subject) if subject is not None else None
    good = subject is None or kind is not None
    for branch in node.args["ifs"]:
        found = typer.of(branch.this)
        if found is None:
            good = False
        elif subject is None:
            good = needs_boolean(typer, branch.this, found, "WHEN") and good
        elif kind is not None:
            good = compared(typer, branch.this, "=", (subject, branch.this), (kind, found)) and good
    return good


def united(typer: "Typer", node: Any, values: Sequence[Any], kinds: Sequence[SqlType]) -> SqlType | None:
    """The type of a choice; tells it where there is none in common."""
    found = least_restrictive(kinds) or wider_type(kinds)
    if found is None:
        said = ", ".join(dict.fromkeys(str(kind) for kind in kinds if kind.name != "NULL"))
        typer.tell(
            node, "wrong_type", f"the values have no type in common: {said}", "cast them to one: CAST(x AS type)"
        )
        return None
    if not _can_choose(typer, node, found, kinds):
        return None
    for value, kind in zip(values, kinds, strict=False):
        _tell_if_cut(typer, value, kind, found)
    return found


def _can_choose(typer: "Typer", node: Any, found: SqlType, kinds: Sequence[SqlType]) -> bool:
    """Whether Beam can write the Java of a choice that its planner takes."""
    names = {kind.name for kind in kinds}
    mixed = "NULL" in names or any(kind.precision is not None for kind in kinds)
    if found.name == "ROW" and "NULL" in names and kinds[0].name != "NULL":
        typer.tell(node, "unsupported", "Beam cannot choose between a ROW and NULL", "choose between its fields")
        return False
    if found.name == "VARBINARY" and mixed and any(kind.precision is None and kind.name != "NULL" for kind in kinds):
        fix = "choose between hexadecimal digits: TO_HEX(x)"
        typer.tell(node, "unsupported", "Beam cannot choose between VARBINARY and NULL or a literal", fix)
        return False
    if found.name in TIMES and not names <= {*TIMES, "NULL"}:
        said = ", ".join(sorted(names - {*TIMES, "NULL"}))
        typer.tell(node, "runtime_type", f"a choice between {found} and {said}: numbers become times", "write literals")
    return True


def _tell_if_cut(typer: "Typer", value: Any, kind: SqlType, found: SqlType) -> None:
    """The planner takes a DECIMAL column for one without digits after the point, and casts a literal to that."""
    if kind.name == found.name == "DECIMAL" and digits(kind)[1] > digits(found)[1]:
        what = "the planner takes a DECIMAL column for DECIMAL(38, 0): here this loses its digits after the point"
        fix = "cast the column: CAST(x AS DECIMAL(28, 9))"
        typer.tell(value, "cut_decimal", what, fix, severity="warning")


def coalesce(typer: "Typer", node: Any, arguments: Sequence[Any]) -> SqlType | None:
    """COALESCE, by whatever name: as CASE WHEN x IS NOT NULL THEN x ... ELSE y END, so that the last one decides."""
    kinds = typer.all(arguments)
    if kinds is None:
        return None
    if not kinds:
        typer.tell(node, "wrong_type", "COALESCE takes at least one argument")
        return None
    found = united(typer, node, arguments, kinds)
    if found is None:
        return None
    # A value that Calcite has to cast is no longer the one that was looked at, and may be NULL for all it knows.
    cast = least_restrictive(kinds) is None and any(
        kind.nullable and kind.name != "NULL" and family(kind) != family(found) for kind in kinds[:-1]
    )
    return found.null(cast or kinds[-1].nullable or NULL in kinds)


def nullif(typer: "Typer", node: Any, arguments: Sequence[Any]) -> SqlType | None:
    """NULLIF: the first argument, or NULL where the two are equal."""
    kinds = typer.all(arguments)
    if kinds is None:
        return None
    if len(kinds) != 2:
        typer.tell(node, "wrong_type", f"NULLIF takes 2 arguments, and here are {len(kinds)}")
        return None
    if not compared(typer, node, "=", arguments, kinds):
        return None
    if kinds[0].name in ("VARBINARY", "ROW") and kinds[1].name != "NULL":
        what = f"Beam cannot choose between {kinds[0]} and NULL"
        typer.tell(node, "unsupported", what, "choose between texts, or between fields")
        return None
    return kinds[0].null()


RULES: dict[type, Any] = {exp.Case: _case}
