"""Every kind of problem that a query can have: whether Beam's planner sees it too, and what it means."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of problem.

    Attributes:
      who: `planner` (Beam's planner refuses such a query too), `runtime` (it plans, and then fails or misleads) or
        `library` (ours to refuse: privacy, bounds, functions).
      meaning: one sentence, for the documents.
    """

    who: Literal["planner", "runtime", "library"]
    meaning: str


CODES: dict[str, Code] = {
    "syntax": Code("planner", "The text is no SQL of this dialect."),
    "not_a_query": Code("planner", "DDL, DML, several statements, or anything else than one query."),
    "unknown_table": Code("planner", "A table that is no input of the query."),
    "unknown_column": Code("planner", "A column or field that is not there."),
    "ambiguous_column": Code("planner", "A column that more than one relation has."),
    "repeated_alias": Code("planner", "Two relations of one name in a FROM."),
    "unknown_function": Code("planner", "A function that is not there, or an overload of it."),
    "wrong_type": Code("planner", "Operands that do not fit together, or that the operator does not take."),
    "not_grouped": Code("planner", "A column outside of an aggregate that is not in GROUP BY."),
    "misplaced_aggregate": Code("planner", "An aggregate in WHERE, in GROUP BY, or in another aggregate."),
    "unsupported": Code("planner", "SQL that Beam's planner does not implement."),
    "not_taken": Code("library", "SQL that Beam's planner takes and this library does not."),
    "unsupported_join": Code("planner", "A join that Beam cannot do: not equi, or without a common window."),
    "unsupported_type": Code("library", "A column of a type that Beam SQL cannot hold."),
    "runtime_type": Code("runtime", "It plans, and fails on the first row."),
    "always_null": Code("runtime", "A comparison that is never true, such as `name = NULL`."),
    "loses_digits": Code("runtime", "A result in a type too narrow for it: AVG of whole numbers, SUM of INTEGER."),
    "cut_decimal": Code("runtime", "A DECIMAL that the planner takes for a whole number: its digits are cut."),
    "renamed_column": Code("runtime", "Two output columns of one name, of which the planner renames one."),
    "wrong_order": Code("runtime", "An ORDER BY that Beam takes otherwise: wrong ranks or sums, NULL elsewhere."),
    "unknown_parameter": Code("library", "A `:name` without a value, or a value without a `:name`."),
    "privacy": Code("library", "A labelled column where the policy does not take it."),
    "mixed_labels": Code("library", "A value of private and unlabelled columns."),
    "fine_time": Code("library", "A time with microseconds that Beam SQL would cut to milliseconds."),
    "inlining": Code(
        "library", "An argument of a function in SQL that is not the same each time, and would stand twice."
    ),
    "planner": Code("planner", "The planner refused what the checks let pass: a gap in the checks, worth a report."),
    "too_large": Code("library", "A query past the bounds of length or depth."),
}
