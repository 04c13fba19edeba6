"""Applies the rules to what was tolerated, on a copy of the tree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checked import Note
from blocks.sql.dialect import function_name
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem
from blocks.sql.rewriting.capitals import in_capitals, in_small_letters
from blocks.sql.rewriting.copying import Copy
from blocks.sql.rewriting.distinct import in_two_steps, refusal
from blocks.sql.rewriting.fields import behind_the_table
from blocks.sql.rewriting.grouping import by_item
from blocks.sql.rewriting.naming import name_columns
from blocks.sql.rewriting.one_sided import filter_side


def _remainder(copy: Copy, node: Any, analysis: Analysis) -> None:
    """Writes MOD(a, b)."""
    old = copy.of(node)
    copy.put(node, exp.Anonymous(this="MOD", expressions=[old.this.unnest(), old.expression.unnest()]))


def _within(copy: Copy, node: Any, _: Analysis) -> None:
    """Writes f(CASE WHEN c THEN x END): what leaves NULLs out leaves out all other rows."""
    old = copy.of(node)
    call, condition = old.this, old.expression.this
    value = call.expressions[0]
    case = exp.Case(ifs=[exp.If(this=condition.pop())])
    case._meta = dict(value.meta)
    value.replace(case)
    case.args["ifs"][0].set("true", value.unnest())
    old.replace(call)


Mend = Callable[[Copy, Any, Analysis], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of rewriting.

    Attributes:
      note: what `explain` says; `{}` is the text at the place.
      mend: changes the copy; None where the tree means it already.
    """

    note: str
    mend: Mend | None = None


RULES: dict[str, Rule] = {
    "bang_equal": Rule("`!=` is written `<>`"),
    "double_equal": Rule("`==` is written `=`"),
    "percent": Rule("`%` is written MOD(a, b)", _remainder),
    "double_colon": Rule("`::` is written CAST(x AS type)"),
    "trailing_semicolon": Rule("the `;` at the end is left out"),
    "limit_comma": Rule("LIMIT start, count is written LIMIT count OFFSET start"),
    "context_parentheses": Rule("{} is written without parentheses"),
    "minus": Rule("MINUS is written EXCEPT"),
    "type_name": Rule("the type {} is written as Beam SQL calls it"),
    "reserved_word": Rule("the reserved word {} is written in backticks"),
    "function": Rule("{} is written in Beam SQL's words"),
    "group_alias": Rule("GROUP BY {}: the alias is written out", by_item),
    "group_ordinal": Rule("GROUP BY {}: the column of this number is written out", by_item),
    "having_alias": Rule("HAVING: the alias {} is written out", by_item),
    "struct_field": Rule("{} is written with its table's name", behind_the_table),
    "function_case": Rule("{} is written in capitals", in_capitals),
    "library_case": Rule("{} is written in small letters", in_small_letters),
    "count_distinct": Rule("DISTINCT in an aggregate is computed in two steps"),
    "position_parenthesis": Rule("{} in POSITION is written as a CAST"),
    "one_sided": Rule("{} of ON filters its side before the join", filter_side),
    "aggregate_filter": Rule("{} is written with CASE", _within),
    "unnamed_column": Rule("a column without a name is called {}"),
}


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a query.

    Attributes:
      tree: a copy, in Beam SQL that the planner takes; the original where nothing had to be changed.
      notes: what was written anew.
      problems: what could not be.
    """

    tree: Any
    notes: tuple[Note, ...]
    problems: tuple[SqlProblem, ...]


def rewrite(analysis: Analysis) -> Rewritten:
    """Writes anew what was tolerated; the analysis is left as it is, but for the names of unnamed output columns.

    Args:
      analysis: of a query without problems.
    """
    copy, notes, problems = Copy(analysis.tree), [], []
    distinct: dict[int, Any] = {}
    for name, node in analysis.tolerated:
        rule = RULES[name]
        if rule.mend is not None:
            rule.mend(copy, node, analysis)
        if name == "count_distinct":
            select = node.find_ancestor(exp.Select)
            distinct[id(select)] = select
        shown = str(node.meta.get("was") or _shown(analysis.text, node))
        notes.append(Note(name, place_of(node), rule.note.format(f"`{shown}`")))
    for item, given in name_columns(copy, analysis):
        notes.append(Note("unnamed_column", place_of(item), RULES["unnamed_column"].note.format(f"`{given}`")))
    for select in distinct.values():
        scope = next(one for one in analysis.scopes if one.select is select)
        aggregates = _aggregates(select, analysis)
        refused = refusal(scope, aggregates)
        if refused is None:
            in_two_steps(copy, select, aggregates, analysis)
            continue
        at, what, fix = refused
        problems.append(problem(analysis.text, place_of(at), "unsupported", what, fix, source=analysis.source))
    return Rewritten(
        copy.tree, tuple(sorted(notes, key=lambda note: (note.place.line, note.place.column))), tuple(problems)
    )


def _aggregates(select: Any, analysis: Analysis) -> list[Any]:
    """Aggregates of a SELECT, without those of subqueries in it."""
    found = []
    for node in select.walk():
        call = analysis.calls.get(id(node))
        if call is not None and call.function.kind == "aggregate" and node.find_ancestor(exp.Select) is select:
            found.append(node)
    return found


def _shown(text: str, node: Any) -> str:
    start, end = node.meta.get("start"), node.meta.get("end")
    if start is None or (isinstance(node, exp.Literal) and node.is_string):
        return function_name(node) or node.key
    return text[start : end + 1][:60]
