"""Queries in other dialects: read by sqlglot, put into Beam SQL's form node by node.

    reading.py      text in BigQuery's, DuckDB's, Spark's, Postgres' or Snowflake's SQL to sqlglot's tree
    structure.py    joins, set operations, literals, casts: node by node, and nothing that is not named there
    queries.py      SELECT, stars, GROUP BY ALL, UNNEST
    functions.py    sqlglot's function nodes to functions of Beam SQL and of the library
    names.py        names without quotation marks, which other dialects match in any letter case

A node that has no equal form is a problem at its place; nothing is passed on in the hope that it means the same.
"""

from blocks.sql.dialects.reading import DIALECTS, read_other, translate

__all__ = ["DIALECTS", "read_other", "translate"]
