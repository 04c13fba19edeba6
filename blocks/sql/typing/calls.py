"""Calls of functions: Calcite's, which take families of types, and those of Java and SQL, which take types.

Source: `FamilyOperandTypeChecker` and `SqlUtil.lookupRoutine` of Calcite 1.40.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.analysis import Call
from blocks.sql.coercion import NULL, STRING, any_nullable, is_atomic, is_comparable
from blocks.sql.dialect.nodes import function_arguments, function_name, is_distinct
from blocks.sql.functions.beam_limits import FAILS_ON_NULL, LIMITS, NO_NULL
from blocks.sql.functions.beam_missing import MISSING
from blocks.sql.functions.model import Function, Overload
from blocks.sql.functions.signatures import signature_text
from blocks.sql.types import APPROXIMATE, NUMERIC, TEXT, SqlType
from blocks.sql.typing import choices, times
from blocks.sql.typing.aggregates import aggregate, windowed
from blocks.sql.typing.casting import can_cast, is_assignable
from blocks.sql.typing.families import FAMILIES, belongs, implicit_cast, said
from blocks.sql.typing.operators import converted

if TYPE_CHECKING:
    from blocks.sql.typing.typer import Typer

_SPECIAL = {
    "COALESCE": choices.coalesce,
    "NULLIF": choices.nullif,
    "TIMESTAMPADD": times.added,
    "TIMESTAMPDIFF": times.difference,
}
_ROUNDED = ("FLOOR", "CEIL", "CEILING")
# Beam's planner takes them, and there is nothing to answer.
_USERS = ("CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER")
# EXTRACT under another name.
_PARTS = {
    "DAYOFMONTH": "DAY",
    "DAYOFWEEK": "DOW",
    "DAYOFYEAR": "DOY",
    **{unit: unit for unit in ("HOUR", "MINUTE", "MONTH", "QUARTER", "SECOND", "WEEK", "YEAR")},
}


def _call(typer: "Typer", node: exp.Anonymous) -> SqlType | None:
    name, arguments = function_name(node), function_arguments(node)
    upper = name.upper()
    if upper in _SPECIAL:
        return _SPECIAL[upper](typer, node, arguments)
    if upper in _ROUNDED and len(arguments) == 2 and isinstance(arguments[1], exp.Var):
        return times.rounded(typer, node, arguments)
    function = typer.registry.find(name) or _of_library(typer, node, name)
    if function is None:
        # Each argument is looked at all the same: its mistakes are its own.
        typer.all([one for one in arguments if not isinstance(one, (exp.Star, exp.Var, exp.Table, exp.Kwarg))])
        _tell_unknown(typer, node, name)
        return None
    return _found(typer, node, function, arguments)


def _of_library(typer: "Typer", node: Any, name: str) -> Function | None:
    """A function of the library, written in capitals as Beam's own are."""
    function = typer.registry.find(name.lower())
    if function is not None:
        typer.tolerate("library_case", node)
    return function


def _found(typer: "Typer", node: Any, function: Function, arguments: Sequence[Any]) -> SqlType | None:
    typer.analysis.calls[id(node)] = Call(function, None, tuple(arguments))
    if function.kind != "aggregate" and is_distinct(node):
        typer.tell(node, "wrong_type", f"DISTINCT in {function.name}", "only aggregates take DISTINCT")
        return None
    if len(arguments) == 1 and isinstance(arguments[0], exp.Star):
        return _of_all_rows(typer, node, function)
    kinds = typer.all(arguments)
    if kinds is None:
        return None
    _check_case(typer, node, function)
    overload = _overload(typer, node, function, arguments, kinds)
    if overload is None:
        return None
    typer.analysis.calls[id(node)] = Call(function, overload, tuple(arguments))
    if not _can_run(typer, function, overload, arguments, kinds):
        return None
    _tell_casts(typer, overload, arguments, kinds)
    if function.origin == "beam" and function.name in _PARTS:
        return times.extracted(typer, node, _PARTS[function.name], kinds[0])
    cast = _cast(overload, kinds)
    if function.kind == "aggregate":
        return aggregate(typer, node, function, overload, cast)
    if function.kind == "window":
        return windowed(typer, node, arguments, kinds)
    return _result(function, overload, cast)


def _of_all_rows(typer: "Typer", node: Any, function: Function) -> SqlType | None:
    if function.name != "COUNT":
        typer.tell(node, "wrong_type", f"{function.name}(*) is not possible", "only COUNT takes *")
        return None
    overload = function.overloads[0]
    typer.analysis.calls[id(node)] = Call(function, overload, ())
    return SqlType("BIGINT", False)


def _tell_unknown(typer: "Typer", node: Any, name: str) -> None:
    fix = MISSING.get(name.upper()) or typer.registry.nearest(name)
    if name.upper() in _USERS:
        typer.tell(node, "not_taken", f"{name.upper()}: {fix}", "give it with `parameters`: write :name")
        return
    typer.tell(node, "unknown_function", f"unknown function `{name}`", fix)


def _check_case(typer: "Typer", node: Any, function: Function) -> None:
    """Functions of Java are found by their name as it is; Calcite's own in any case."""
    if function.origin != "beam" or not _takes_types(function.overloads[0]) or function.kind != "scalar":
        return
    if function.overloads[0].arguments and function_name(node) != function.name:
        typer.tolerate("function_case", node)


def _takes_types(overload: Overload) -> bool:
    """Whether it is looked up by types, as functions of Java are, rather than by families."""
    return not any(argument.type.name in FAMILIES for argument in overload.arguments if argument.type.name in _ONLY)


# Names that are no type: Beam's own functions of Java have none of these.
_ONLY = frozenset(FAMILIES) - {"BOOLEAN", "DATE", "TIME", "TIMESTAMP", "ARRAY", "MAP"}


def _overload(
    typer: "Typer", node: Any, function: Function, arguments: Sequence[Any], kinds: Sequence[SqlType]
) -> Overload | None:
    fitting = [one for one in function.overloads if _counts(one, len(kinds))]
    if function.name == "COUNT" and not kinds:
        # Its arguments are all optional here because of COUNT(*), which does not come here.
        fitting = []
    if not fitting:
        typer.tell(node, "unknown_function", _given(function, kinds), _signatures(function))
        return None
    by_type = function.origin != "beam" or (_takes_types(function.overloads[0]) and function.kind == "scalar")
    chosen = _by_types(fitting, kinds) if by_type else _by_families(fitting, kinds, function.kind != "window")
    if function.origin == "sql":
        # Calcite never sees these: a DOUBLE must not become a DECIMAL, as it would there.
        chosen = _by_widening(fitting, kinds) or chosen
    if function.name == "POSITION" and function.origin == "beam" and not is_comparable(kinds[1], kinds[0]):
        chosen = None
    if by_type and function.origin == "beam" and _is_either(fitting, kinds):
        what = f"{_given(function, kinds)}: Beam pads a text or bytes, and which differs from one JVM to the next"
        typer.tell(node, "not_taken", what, f"cast the arguments; {_signatures(function)}")
        return None
    if chosen is None:
        code = "unknown_function" if by_type else "wrong_type"
        typer.tell(_wrong(fitting, arguments, kinds, node), code, _given(function, kinds), _signatures(function))
        return None
    return chosen


def _tell_casts(typer: "Typer", overload: Overload, arguments: Sequence[Any], kinds: Sequence[SqlType]) -> None:
    """Tells of texts that Calcite casts to what the function takes; beside a NULL the result is NULL all the same."""
    if any(kind.name == "NULL" for kind in kinds):
        return
    for argument, kind, target in zip(arguments, kinds, _targets(overload, len(kinds)), strict=True):
        cast = implicit_cast(kind, target.name) if target.name in FAMILIES else target
        if cast is not None:
            converted(typer, argument, kind, cast)


def _counts(overload: Overload, count: int) -> bool:
    least = sum(not argument.optional for argument in overload.arguments)
    return least <= count and (overload.variadic or count <= len(overload.arguments))


def _targets(overload: Overload, count: int) -> list[SqlType]:
    """Types of the parameters that `count` arguments go to."""
    listed = [argument.type for argument in overload.arguments]
    # What may be left out can stand in front too: RAND_INTEGER([seed], bound).
    spare = len(listed) - count
    for place, argument in enumerate(overload.arguments):
        in_front = argument.optional and not all(later.optional for later in overload.arguments[place:])
        if spare > 0 and in_front:
            listed.pop(place)
            spare -= 1
    if overload.variadic:
        listed += listed[-1:] * (count - len(listed))
    return listed[:count]


def _by_families(overloads: Sequence[Overload], kinds: Sequence[SqlType], casts: bool) -> Overload | None:
    for overload in overloads:
        targets = _targets(overload, len(kinds))
        if all(belongs(kind, target.name) for kind, target in zip(kinds, targets, strict=True)):
            return overload if _alike(targets, kinds) else None
    for overload in overloads if casts else ():
        targets = _targets(overload, len(kinds))
        cast = [implicit_cast(kind, target.name) for kind, target in zip(kinds, targets, strict=True)]
        if None not in cast and _alike(targets, [kind for kind in cast if kind is not None]):
            return overload
    return None


def _alike(targets: Sequence[SqlType], kinds: Sequence[SqlType]) -> bool:
    """Several STRING arguments are all texts or all bytes; numbers among texts are taken for texts."""
    strings = [kind for kind, target in zip(kinds, targets, strict=True) if target.name == "STRING"]
    bytes_count = sum(kind.name == "VARBINARY" for kind in strings)
    nulls = sum(kind.name == "NULL" for kind in strings)
    return bytes_count in (0, len(strings) - nulls)


def _by_types(overloads: Sequence[Overload], kinds: Sequence[SqlType]) -> Overload | None:
    for fits in (is_assignable, can_cast):
        found = [one for one in overloads if all(map(fits, kinds, _targets(one, len(kinds))))]
        if found:
            return min(found, key=lambda one: _distance(one, kinds))
    return None


def _is_either(overloads: Sequence[Overload], kinds: Sequence[SqlType]) -> bool:
    """Whether Calcite has to cast both for texts and for bytes: it then takes the overload that the JVM lists first."""
    every = [_targets(one, len(kinds)) for one in overloads]
    if len(every) < 2 or any(all(map(is_assignable, kinds, targets)) for targets in every):
        return False
    return len({targets[0].name for targets in every if all(map(can_cast, kinds, targets))} & set(STRING)) > 1


def _by_widening(overloads: Sequence[Overload], kinds: Sequence[SqlType]) -> Overload | None:
    """The overload that takes every argument as it is, or as a wider number, with the least widening."""
    steps: dict[int, Overload] = {}
    for overload in overloads:
        found = [_widened(kind, target) for kind, target in zip(kinds, _targets(overload, len(kinds)), strict=True)]
        if None not in found:
            steps.setdefault(sum(step for step in found if step is not None), overload)
    return steps[min(steps)] if steps else None


def _widened(kind: SqlType, target: SqlType) -> int | None:
    """How many types of numbers lie between; None where the argument is none or a wider one."""
    if kind.name == target.name or kind.name == "NULL" or (kind.name in TEXT and target.name in TEXT):
        return 0
    if kind.name not in NUMERIC or target.name not in NUMERIC:
        return None
    step = NUMERIC.index(target.name) - NUMERIC.index(kind.name)
    return step if step > 0 else None


def _distance(overload: Overload, kinds: Sequence[SqlType]) -> int:
    """How far the parameters are from the arguments: none, another number, another type."""
    distance = 0
    for kind, target in zip(kinds, _targets(overload, len(kinds)), strict=True):
        if kind.name != target.name and not (kind.name in TEXT and target.name in TEXT):
            both = kind.name in NUMERIC and target.name in NUMERIC
            distance += 1 + NUMERIC.index(target.name) if both else 20
            # Calcite prefers bytes for NULL, and texts for all else.
            distance -= (kind.name == "NULL") == (target.name == "VARBINARY")
    return distance


def _wrong(overloads: Sequence[Overload], arguments: Sequence[Any], kinds: Sequence[SqlType], node: Any) -> Any:
    """The argument that no overload takes; the call if it is not one alone."""
    for place, argument in enumerate(arguments):
        if all(not _takes(overload, place, len(kinds), kinds[place]) for overload in overloads):
            return argument
    return node


def _takes(overload: Overload, place: int, count: int, kind: SqlType) -> bool:
    target = _targets(overload, count)[place]
    if target.name in FAMILIES:
        return belongs(kind, target.name) or implicit_cast(kind, target.name) is not None
    return can_cast(kind, target)


def _given(function: Function, kinds: Sequence[SqlType]) -> str:
    given = ", ".join(str(kind) for kind in kinds) or "nothing"
    return (
        f"{function.name} does not take ({given})" if kinds else f"{function.name} takes arguments, and here are none"
    )


def _signatures(function: Function) -> str:
    if function.origin != "beam":
        return "there is: " + "; ".join(signature_text(function.name, one) for one in function.overloads)
    listed = []
    for overload in function.overloads:
        parts = [f"{said(one.type.name)}" for one in overload.arguments if not one.optional]
        parts += [f"[{said(one.type.name)}]" for one in overload.arguments if one.optional]
        listed.append(f"{function.name}({', '.join(parts)})")
    return "it is: " + ", or ".join(listed)


def _can_run(
    typer: "Typer", function: Function, overload: Overload, arguments: Sequence[Any], kinds: Sequence[SqlType]
) -> bool:
    """Whether Beam can run what its planner takes."""
    if function.origin == "beam" and not _boxes(typer, function, overload, arguments, kinds):
        return False
    if function.name == "JSON_OBJECT" and function.origin == "beam" and not _are_keys(typer, arguments, kinds):
        return False
    limits = LIMITS.get(function.name, ()) if function.origin == "beam" else ()
    for place, (argument, kind) in enumerate(zip(arguments, kinds, strict=True)):
        limit = limits[min(place, len(limits) - 1)] if limits else None
        if kind.name == "NULL" and place and function.origin == "beam" and function.name in NO_NULL:
            typer.tell(argument, "unsupported", f"Beam cannot run {function.name} to NULL digits", "write a number")
            return False
        if limit is None or kind.name in limit[0] or kind.name == "NULL":
            continue
        if (function.kind == "scalar" and _is_plain(argument, kind, limit[0])) or _is_told(function, place, kind):
            continue
        typer.tell(argument, "unsupported", f"Beam cannot run {function.name} on {kind}", limit[1])
        return False
    if function.name in FAILS_ON_NULL and kinds[0].nullable:
        fix = f"write CASE WHEN x IS NOT NULL THEN {function.name}(x) END"
        what = f"{function.name} fails on the first row whose value is NULL"
        typer.tell(arguments[0], "runtime_type", what, fix, severity="warning")
    return True


def _boxes(
    typer: "Typer", function: Function, overload: Overload, arguments: Sequence[Any], kinds: Sequence[SqlType]
) -> bool:
    """Whether the Java of Beam's own functions takes what Calcite passes on without a cast.

    Calcite casts all arguments or none: none where each can be assigned, and an INTEGER is then no Double.
    """
    targets = _targets(overload, len(kinds))
    if any(target.name in _ONLY for target in targets) or not all(map(is_assignable, kinds, targets)):
        return True
    for argument, kind, target in zip(arguments, kinds, targets, strict=True):
        same = kind.name == target.name or target.name not in APPROXIMATE
        if not same and not _is_plain(argument, kind, (target.name,)):
            fix = f"write CAST(x AS {target.name})"
            typer.tell(argument, "unsupported", f"Beam's {function.name} takes {target.name}, and no {kind}", fix)
            return False
    return True


def _are_keys(typer: "Typer", arguments: Sequence[Any], kinds: Sequence[SqlType]) -> bool:
    """Whether every first of two arguments is a text and never NULL."""
    for argument, kind in zip(arguments[::2], kinds[::2], strict=True):
        if kind.name not in TEXT:
            typer.tell(
                argument,
                "wrong_type",
                f"a key of JSON_OBJECT is a text, and this is {kind}",
                "cast it: CAST(x AS VARCHAR)",
            )
            return False
        if kind.nullable:
            typer.tell(
                argument, "wrong_type", "a key of JSON_OBJECT that may be NULL", "write KEY COALESCE(x, '') VALUE y"
            )
            return False
    return True


def _is_told(function: Function, place: int, kind: SqlType) -> bool:
    """Whether it is a text for a number, of which was told that it is cast."""
    if kind.name not in TEXT or function.name.startswith("RAND") or (place and not function.name.startswith("BIT")):
        return False
    return function.overloads[0].arguments[0].type.name in ("NUMERIC", "EXACT_NUMERIC", "WHOLE_NUMBER")


def _is_plain(node: Any, kind: SqlType, works: Sequence[str]) -> bool:
    """A literal becomes the type that is asked for while the query is planned."""
    while isinstance(node, (exp.Paren, exp.Neg)):
        node = node.this
    if not isinstance(node, (exp.Literal, exp.HexString)):
        return False
    if kind.name == "CHAR":
        return "VARBINARY" in works
    return kind.name == "INTEGER" and bool({"BIGINT", "DOUBLE", "FLOAT"} & set(works))


def _cast(overload: Overload, kinds: Sequence[SqlType]) -> list[SqlType]:
    """The arguments after the casts that Calcite puts in."""
    cast = []
    for kind, target in zip(kinds, _targets(overload, len(kinds)), strict=True):
        made = implicit_cast(kind, target.name) if target.name in FAMILIES else target.null(kind.nullable)
        # NULL stays NULL where the result is made of the arguments' types.
        keeps = made is None or target.name == "ANY" or (kind.name == "NULL" and overload.result is not None)
        cast.append(kind if keeps or made is None else made)
    return cast


def _result(function: Function, overload: Overload, kinds: Sequence[SqlType]) -> SqlType:
    found = overload.result(kinds) if overload.result is not None else overload.returns
    if function.origin in ("java", "scala", "jar") or function.nulls == "call":
        return found.null()
    if function.nulls == "never":
        return found.null(False)
    return found.null((overload.returns.nullable and function.origin == "beam") or any_nullable(kinds))


def _trim(typer: "Typer", node: exp.Trim) -> SqlType | None:
    nodes = [one for one in (node.this, node.args.get("expression")) if one is not None]
    kinds = typer.all(nodes)
    if kinds is None:
        return None
    for one, kind in zip(nodes, kinds, strict=True):
        if kind.name == "VARBINARY" or not (is_atomic(kind) or kind.name == "NULL"):
            typer.tell(one, "wrong_type", f"TRIM takes a text, and this is {kind}", "cast it: CAST(x AS VARCHAR)")
            return None
    if not is_comparable(kinds[0], kinds[-1]) and NULL not in kinds:
        kinds = [SqlType("VARCHAR", kind.nullable) for kind in kinds]
    if kinds[0].name == "NULL":
        return NULL
    return SqlType("VARCHAR", any_nullable(kinds), kinds[0].precision if kinds[0].name == "CHAR" else None)


RULES: dict[type, Any] = {exp.Anonymous: _call, exp.Trim: _trim}
