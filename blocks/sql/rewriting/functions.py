"""Functions of other systems that mean what Beam SQL says in another way: IFNULL, CONCAT, LEFT and their kin."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from blocks.sql.dialect import function_name
from blocks.sql.dialects.templates import fill
from blocks.sql.parsing import Parsed
from blocks.sql.rewriting.copying import grouped

if TYPE_CHECKING:
    from blocks.sql.functions.registry import Registry

# Name to forms by number of arguments; `{1}` is the first of them. What is not here, or has another meaning in every
# system (DATEDIFF, TO_CHAR), is a problem with a hint instead.
FUNCTIONS: dict[str, dict[int, str]] = {
    "IFNULL": {2: "COALESCE({a}, {b})"},
    "NVL": {2: "COALESCE({a}, {b})"},
    "ISNULL": {2: "COALESCE({a}, {b})"},
    "NVL2": {3: "CASE WHEN {a} IS NOT NULL THEN {b} ELSE {c} END"},
    "IF": {3: "CASE WHEN {a} THEN {b} ELSE {c} END", 2: "CASE WHEN {a} THEN {b} END"},
    "IIF": {3: "CASE WHEN {a} THEN {b} ELSE {c} END"},
    "IFF": {3: "CASE WHEN {a} THEN {b} ELSE {c} END"},
    "LEFT": {2: "SUBSTRING({a} FROM 1 FOR {b})"},
    "RIGHT": {2: "CASE WHEN CHAR_LENGTH({a}) <= {b} THEN {a} ELSE SUBSTRING({a} FROM CHAR_LENGTH({a}) - {b} + 1) END"},
    "SUBSTR": {2: "SUBSTRING({a} FROM {b})", 3: "SUBSTRING({a} FROM {b} FOR {c})"},
    "MID": {3: "SUBSTRING({a} FROM {b} FOR {c})"},
    "LEN": {1: "CHAR_LENGTH({a})"},
    "LTRIM": {1: "TRIM(LEADING FROM {a})"},
    "RTRIM": {1: "TRIM(TRAILING FROM {a})"},
    "UCASE": {1: "UPPER({a})"},
    "LCASE": {1: "LOWER({a})"},
    "INSTR": {2: "POSITION({b} IN {a})"},
    "STRPOS": {2: "POSITION({b} IN {a})"},
    "POW": {2: "POWER({a}, {b})"},
    "CEILING": {1: "CEIL({a})"},
    "TRUNC": {1: "TRUNCATE({a})", 2: "TRUNCATE({a}, {b})"},
    "NOW": {0: "CURRENT_TIMESTAMP"},
    "STDDEV": {1: "SQRT(VAR_SAMP(CAST({a} AS DOUBLE)))"},
    "STDDEV_SAMP": {1: "SQRT(VAR_SAMP(CAST({a} AS DOUBLE)))"},
    "STDDEV_POP": {1: "SQRT(VAR_POP(CAST({a} AS DOUBLE)))"},
    "VARIANCE": {1: "VAR_SAMP(CAST({a} AS DOUBLE))"},
    "COUNT_IF": {1: "COUNT(CASE WHEN {a} THEN 1 END)"},
    "COUNTIF": {1: "COUNT(CASE WHEN {a} THEN 1 END)"},
    "SAFE_DIVIDE": {2: "CAST({a} AS DOUBLE) / NULLIF({b}, 0)"},
}
_LETTERS = "abcdef"


def early(parsed: Parsed, registry: "Registry") -> Parsed:
    """Writes such functions as Beam SQL does, before names and types are looked at.

    Args:
      parsed: in the dialect `beam`.
      registry: functions of Beam, the library and the user; they stay.

    Returns:
      The same query, with a (`function`, node) in `tolerated` for each; `node.meta["was"]` is the name as it stood.
    """
    calls = [node for node in parsed.tree.find_all(exp.Anonymous) if _form(node, registry)]
    if not calls:
        return parsed
    tree, noted = parsed.tree, []
    # Inner ones first, so that an outer one takes them along.
    for node in reversed(calls):
        made = _written(node, registry)
        made._meta = {**node.meta, "was": function_name(node)}
        if node is tree:
            tree = made
        else:
            node.replace(made)
        noted.append(("function", made))
    return replace(parsed, tree=tree, tolerated=(*parsed.tolerated, *reversed(noted)))


def _form(node: Any, registry: "Registry") -> str:
    name = function_name(node).upper()
    if registry.find(function_name(node)) is not None or any(
        isinstance(one, exp.Distinct | exp.Star) for one in node.expressions
    ):
        return ""
    if name == "CONCAT":
        return name if len(node.expressions) > 0 else ""
    return FUNCTIONS.get(name, {}).get(len(node.expressions), "")


def _written(node: Any, registry: "Registry") -> Any:
    form = _form(node, registry)
    if form == "CONCAT":
        made = grouped(node.expressions[0])
        for one in node.expressions[1:]:
            made = exp.DPipe(this=made, expression=grouped(one))
        return exp.Paren(this=made) if isinstance(made, exp.DPipe) else made
    made = fill(form, dict(zip(_LETTERS, node.expressions, strict=False)))
    # It may stand below any operator.
    return grouped(made) if isinstance(node.parent, exp.Binary | exp.Unary) else made
