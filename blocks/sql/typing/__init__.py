"""Types of expressions, as Beam SQL 2.70 finds them: Calcite's rules with Beam's type system, and what Beam can run.

typer         Typer: gives each node to the rule of its kind, and tells each mistake once
operators     arithmetic, texts, AND and OR
conditions    comparisons, IN, BETWEEN, LIKE, IS
choices       CASE, COALESCE, NULLIF
literals      literals, CAST, intervals
nested        ARRAY, MAP, ROW, and access to them
times         EXTRACT, FLOOR to a unit, TIMESTAMPADD, TIMESTAMPDIFF
calls         functions: Calcite's, Beam's and the library's; `missing` what people write that is none
aggregates    aggregates and windows
casting, families   which casts there are (`blocks.sql.coercion` finds common types)
"""

from blocks.sql.typing.typer import Typer

__all__ = ["Typer"]
