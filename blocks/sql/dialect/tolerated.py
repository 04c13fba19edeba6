"""What Beam's planner refuses and every user writes: read all the same, noted, and mended by `blocks.sql.rewriting`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerated:
    """A rule of tolerance.

    Attributes:
      code: of the problem that it is in strict mode.
      what: the problem; `{}` stands for the text at the place.
      fix: what to write instead.
    """

    code: str
    what: str
    fix: str


TOLERATED: dict[str, Tolerated] = {
    "bang_equal": Tolerated("syntax", "`!=` is no operator of Beam SQL", "write `<>`"),
    "double_equal": Tolerated("syntax", "`==` is no operator of Beam SQL", "write `=`"),
    "percent": Tolerated("syntax", "`%` is no operator of Beam SQL", "write MOD(a, b)"),
    "double_colon": Tolerated("syntax", "`::` is no operator of Beam SQL", "write CAST(x AS type)"),
    "trailing_semicolon": Tolerated("syntax", "`;` at the end of the query", "leave it out"),
    "type_name": Tolerated("syntax", "Beam SQL has no type {}", "write a type of Beam SQL, such as VARCHAR"),
    "reserved_word": Tolerated("syntax", "{} is a reserved word", "write it in backticks"),
    "group_alias": Tolerated("unknown_column", "GROUP BY does not see the alias {}", "repeat the expression"),
    "group_ordinal": Tolerated("not_grouped", "GROUP BY {} groups by a number, not by a column", "name the column"),
    "having_alias": Tolerated("unknown_column", "HAVING does not see the alias {}", "repeat the expression"),
    "struct_field": Tolerated("unknown_table", "no table of the first name of {}", "write the table's name before it"),
    "function_case": Tolerated(
        "unknown_function", "Beam finds {} by its name in capitals only", "write the function's name in capitals"
    ),
    "library_case": Tolerated(
        "unknown_function", "{} is found by its name in small letters only", "write its name in small letters"
    ),
    "count_distinct": Tolerated(
        "unsupported", "Beam SQL has no DISTINCT in an aggregate", "aggregate over a SELECT DISTINCT"
    ),
    "aggregate_filter": Tolerated(
        "runtime_type", "Beam leaves the FILTER of {} out, and aggregates every row", "write f(CASE WHEN c THEN x END)"
    ),
    "one_sided": Tolerated(
        "unsupported_join",
        "a join with {}, which is of one side alone",
        "filter that side in a subquery before: JOIN (SELECT ... WHERE ...) AS t",
    ),
    "position_parenthesis": Tolerated(
        "syntax", "POSITION begins with {}: no parenthesis may stand there", "write POSITION(CAST(x AS VARCHAR) IN y)"
    ),
    "limit_comma": Tolerated("syntax", "LIMIT start, count is no Beam SQL", "write LIMIT count OFFSET start"),
    "context_parentheses": Tolerated("syntax", "{} takes no parentheses", "leave `()` out"),
    "minus": Tolerated("syntax", "MINUS is no Beam SQL", "write EXCEPT"),
}
