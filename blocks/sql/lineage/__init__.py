"""Labels through SQL: every output column has those of all columns that its values, or its rows, come from.

What carries labels into an output column:

- its expression: every column below it, through subqueries, WITH, joins, set operations, CASE (conditions included),
  window functions (PARTITION BY and ORDER BY included) and calls;
- the choice of its rows: WHERE, HAVING, QUALIFY, conditions of joins, ORDER BY in front of a LIMIT, the other side of
  INTERSECT and EXCEPT. `SELECT user_id FROM t WHERE ssn = '...'` says something about a person's number.

What does not: GROUP BY (a key that is not given), DISTINCT, and in conditions: comparisons of two columns for a join
(`a.id = b.id`), and columns that were masked before (nobody compares their raw values).

A function takes labels away only if its entry says so (`Declassifies`), if the arguments that the entry names are
literals within its bounds, and if what it hides is a column, at most cleaned (`LOWER`, `TRIM`, CAST, and the like):
`hmac_sha256(CASE WHEN ssn = '1' THEN 'a' ELSE 'b' END, 'main')` is one bit of the number, not a code of it.
"""

from blocks.sql.lineage.columns import Lineage, OutputLabels
from blocks.sql.lineage.outputs import label_outputs

__all__ = ["Lineage", "OutputLabels", "label_outputs"]
