"""SQL expressions over one row of a batch, for blocks that filter, compute and check.

The language has a page of its own, docs/expressions.md. What an expression may hold: columns and fields
(`user.country`, `items[1].sku`, `attributes['colour']`), literals, `+ - * / // % ||`, comparisons, AND OR NOT,
IS [NOT] NULL / TRUE / FALSE / DISTINCT FROM, IN, BETWEEN, LIKE and ILIKE, CASE, CAST and TRY_CAST, EXTRACT,
INTERVAL 3 DAY, and the functions in `functions.py`. No subquery, aggregate, window, lambda, parameter, statement;
nothing that depends on the clock, on chance, on files, settings, locale or the machine.

What it means: SQL in DuckDB's dialect.

- Names are matched exactly, letter case included; a name with other characters stands in double quotation marks.
- NULL is unknown, with three-valued logic: `NULL = NULL` is NULL, `NULL OR TRUE` is TRUE.
- Times are UTC; a text without a zone that is cast to TIMESTAMPTZ is UTC.
- `/` gives DOUBLE, also of whole numbers, and follows IEEE 754 (`1 / 0` is infinite); `//` divides whole numbers toward
  zero, and by zero fails.
- A number that does not fit its type, a text that cannot be cast, a result outside the years 1 to 9999 and a text that
  could become longer than 2 GiB fail the row; nothing wraps around. TRY_CAST and `try(...)` give NULL where a value
  cannot be computed. AND does not guard: `x > 0 AND 10 // x > 1` fails where x is 0; CASE does.
- int64 and double are compared and joined as double, which is exact up to 2^53.
- Text is compared byte by byte (UTF-8), positions in text and lists begin at 1.
"""

from blocks.shaping.expressions.expression import Expression, check, parse_expression, parse_expressions
from blocks.shaping.expressions.runner import Evaluated, Runner, cut_out
from blocks.shaping.expressions.syntax import Syntax, read_syntax

__all__ = [
    "Evaluated",
    "Expression",
    "Runner",
    "Syntax",
    "check",
    "cut_out",
    "parse_expression",
    "parse_expressions",
    "read_syntax",
]
