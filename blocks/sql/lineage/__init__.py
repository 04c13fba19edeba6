"""Labels through SQL: every output column has those of all columns that its values, or its rows, come from.

What carries labels into an output column:

- its expression: every column below it, through subqueries, WITH, joins, set operations, CASE (conditions included),
  window functions (PARTITION BY and ORDER BY included) and calls;
- the choice of its rows: WHERE, HAVING, QUALIFY, conditions of joins, ORDER BY in front of a LIMIT, both sides of
  INTERSECT and EXCEPT, arrays that the query makes for UNNEST. `SELECT user_id FROM t WHERE ssn = '...'` says something
  about a person's number.

What does not: GROUP BY (a key that is not given), DISTINCT, and in conditions: comparisons of two columns of inputs for
a join (`a.id = b.id`), and columns that were masked before the query (nobody compares their raw values). A column that
the query makes of constants (VALUES, `SELECT '1' AS x`) is a raw value, and a join by it a condition. Of what the query
masks itself the rows have the label with the mask.

A function takes labels away only if its entry says so (`Declassifies`), if the arguments that the entry names are
literals within its bounds, and if what it hides is a column of an input, in every subquery on the way at most cleaned
(`LOWER`, `TRIM`, a CAST that cuts nothing off): `hmac_sha256(CASE WHEN ssn = '1' THEN 'a' ELSE 'b' END, 'main')` is one
bit of the number, not a code of it.

    parts.py           the leaves that a value is made of
    given.py           columns of inputs on their way through subqueries
    clauses.py         what chooses rows
    declassifying.py   when a call takes labels away
    columns.py         all of it together, for each output column
    outputs.py         the schema
"""

from blocks.sql.lineage.columns import Lineage, OutputLabels
from blocks.sql.lineage.outputs import label_outputs

__all__ = ["Lineage", "OutputLabels", "label_outputs"]
